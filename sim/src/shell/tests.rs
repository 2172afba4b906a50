//! Lines of shell against what bash prints for them.

use super::*;
use crate::kernel::types::{HostId, NetnsId};
use crate::session::Session;

fn run(line: &str) -> Ran {
    let mut s = Session::new(1);
    run_line(&mut s, HostId(0), NetnsId(0), line)
}

fn check(line: &str, stdout: &str, exit: i32) {
    let r = run(line);
    assert_eq!((r.stdout.as_str(), r.exit, &r.refusal), (stdout, exit, &None), "{line}\n{}", r.stderr);
}

#[test]
fn prints_what_bash_prints() {
    for (line, out, exit) in [
        ("echo a  'b  c' \"d $((1+2))\"", "a b  c d 3\n", 0),
        ("x=1; y=$x$x; echo $y ${z:-none} ${#y}", "11 none 2\n", 0),
        ("false || echo no && echo yes", "no\nyes\n", 0),
        ("! true", "", 1),
        ("for i in 1 2 3; do echo -n $i; done; echo", "123\n", 0),
        ("for i in $(seq 3); do [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("i=0; until [ $i -ge 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("if [ -f /etc/nothing ]; then echo a; elif true; then echo b; else echo c; fi", "b\n", 0),
        ("case abc in a*) echo A;; *) echo other;; esac", "A\n", 0),
        ("f() { echo $1-$#; return 3; }; f x y; echo $?", "x-2\n3\n", 0),
        ("printf '%s %5d|%-4s|\\n' a 7 b", "a     7|b   |\n", 0),
        ("printf 'a\\nb\\nc\\n' | head -2 | wc -l", "2\n", 0),
        ("printf 'b\\na\\nb\\n' | sort | uniq -c", "      1 a\n      2 b\n", 0),
        ("echo one two three | awk '{print $3,$1,NF}'", "three one 3\n", 0),
        ("printf 'h\\na 1\\nb 2\\n' | awk 'NR>1 {print $1,$2}'", "a 1\nb 2\n", 0),
        ("printf 'a:1\\nb:2\\n' | awk -F: '$2 == 2 {s=$1} END {print s}'", "b\n", 0),
        ("echo 'expires 299sec' | sed 's/expires [0-9]*sec/expires/'", "expires\n", 0),
        ("printf 'tcp      6 431999 X\\n' | sed 's/^\\([a-z]* *[0-9]*\\) [0-9]*/\\1/'", "tcp      6 X\n", 0),
        ("printf 'a\\nb\\nc\\n' | sed -n '2,$p'", "b\nc\n", 0),
        ("printf 'a1\\nb2\\n' | grep -o '[0-9]'", "1\n2\n", 0),
        ("printf 'a\\nb\\n' | grep -vc a", "1\n", 0),
        ("echo x | grep -q y", "", 1),
        ("echo 1.2.3.4/24 | cut -d/ -f1", "1.2.3.4\n", 0),
        ("echo abc | tr a-c A-C", "ABC\n", 0),
        ("cat <<EOF\na $((1+1))\nEOF", "a 2\n", 0),
        ("cat <<< hi", "hi\n", 0),
        ("echo hi > /tmp/x; echo ho >> /tmp/x; cat /tmp/x", "hi\nho\n", 0),
        ("echo err >&2", "", 0),
        ("cat /nothing 2>&1", "cat: /nothing: No such file or directory\n", 1),
        ("cat /nothing 2>/dev/null; echo $?", "1\n", 0),
        ("(x=1; exit 4); echo $? $x", "4\n", 0),
        ("sh -c 'echo $1' name arg", "arg\n", 0),
        ("x=a.b.c; echo ${x%.*} ${x##*.} ${x/b/B} ${x:2:1}", "a.b c a.B.c b\n", 0),
        ("printf '1\\n2\\n' | while read x; do echo n$x; done", "n1\nn2\n", 0),
        ("echo a b | xargs -n1 echo -", "- a\n- b\n", 0),
        ("mkdir -p /tmp/a/b && ls /tmp/a", "b\n", 0),
        ("echo /tmp/no*", "/tmp/no*\n", 0),
        ("export A=1; env | grep ^A=", "A=1\n", 0),
        ("A=2 sh -c 'echo $A'", "2\n", 0),
        ("eval 'echo e'", "e\n", 0),
        ("exit 3; echo no", "", 3),
        ("echo \"`echo in`\"", "in\n", 0),
        ("set -e; false; echo no", "", 1),
        ("[ a = a -a 1 -lt 2 ] && echo yes", "yes\n", 0),
        ("printf '%s\\n' 10 9 1 | sort -n | tail -1", "10\n", 0),
        ("echo $((2*3+4)) $(( 7 % 4 ))", "10 3\n", 0),
    ] {
        check(line, out, exit);
    }
}

#[test]
fn refuses_by_name_and_column() {
    for (line, col, what) in [
        ("echo a; frobnicate b", 8, "frobnicate"),
        ("cat -A x", 4, "cat -A"),
        ("echo $(nosuch)", 7, "nosuch"),
        ("true && [[ a = b ]]", 8, "[["),
        ("echo {1..3}", 5, "brace"),
    ] {
        let r = run(line).refusal.unwrap_or_else(|| panic!("{line} was not refused"));
        assert_eq!(r.1, col, "{line}: {}", r.0.what);
        assert!(r.0.what.contains(what), "{line}: {}", r.0.what);
    }
}

#[test]
fn ends_whatever_happens() {
    assert!(run("while true; do :; done").refusal.is_some());
    assert!(run("f() { f; }; f").refusal.is_some());
    assert!(run("x=aaaaaaaaaaaaaaaaaaaaaaaa; while true; do x=$x$x; echo $x; done").refusal.is_some());
    assert!(run(&"(".repeat(50_000)).refusal.is_some());
}

#[test]
fn check_finds_all_problems() {
    let p = check_line("pnig 1.2.3.4; ip netns exec a frob; sh -c 'nosuch x'");
    assert_eq!(p.iter().map(|x| x.col).collect::<Vec<_>>(), [0, 30, 43]);
    assert!(p[0].help.contains("ping"), "{}", p[0].help);
}
