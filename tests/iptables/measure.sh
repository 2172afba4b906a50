#!/bin/bash
# Regenerates the right-hand sides of the data files with the iptables of this machine (1.8.9, nf_tables), each
# block in a network namespace of its own that is gone afterwards. Needs root, or a user namespace: unshare -rn.
#
#   measure.sh rules.txt…        lines `WORDS => RULE ; RULE` or `WORDS => ! ERROR | NEXT LINE`
#   measure.sh sessions/*.txt    blocks of `$ COMMAND`, its output, `! ` and its errors, `= ` and its status
set -u
cd "$(dirname "$0")" || exit 1
unshare=${UNSHARE:-unshare -n}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

rules() {
    # shellcheck disable=SC2016
    sed 's/ => .*//' "$1" | $unshare bash -c '
        tmp=$1
        while IFS= read -r words; do
            case $words in "" | "#"*) printf "%s\n" "$words"; continue ;; esac
            iptables -N U 2>/dev/null
            if eval "iptables $words" >"$tmp/out" 2>"$tmp/err" </dev/null; then
                got=$(iptables-save | sed -n "s/^-A/-A/p" | sed ":a;N;\$!ba;s/\n/ ; /g")
                printf "%s => %s\n" "$words" "$got"
            else
                printf "%s => ! %s\n" "$words" "$(grep -v "^Try .iptables" "$tmp/err" | sed ":a;N;\$!ba;s/\n/ | /g")"
            fi
            for t in filter nat mangle raw security; do iptables -t $t -F; iptables -t $t -X; done
        done' _ "$tmp" >"$tmp/new" && cp "$tmp/new" "$1"
}

session() {
    # shellcheck disable=SC2016
    run='
        tmp=$1
        while IFS= read -r command; do
            printf "$ %s\n" "$command"
            bash -c "$command" >"$tmp/out" 2>"$tmp/err" </dev/null
            status=$?
            cat "$tmp/out"
            sed "s/^/! /" "$tmp/err"
            [ $status = 0 ] || echo "= $status"
        done'
    : >"$tmp/new"
    block=
    flush() {
        [ -z "$block" ] || printf '%s' "$block" | $unshare bash -c "$run" _ "$tmp" >>"$tmp/new"
        block=
    }
    while IFS= read -r line; do
        case $line in
            "--- "*) flush; printf '%s\n' "$line" >>"$tmp/new" ;;
            "$ "*) block+="${line#\$ }"$'\n' ;;
        esac
    done <"$1"
    flush
    sed 's/^\(# [GC][a-z]* .*on \)[A-Z][a-z]* [A-Z][a-z]* .*/\1DATE/; s/^bash: line [0-9]*: //' "$tmp/new" >"$1"
}

for f in "$@"; do
    case $f in
        *sessions/*) session "$f" ;;
        *) rules "$f" ;;
    esac
done
