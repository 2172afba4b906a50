//! iptables against recordings of iptables 1.8.9: what it accepts, what it prints, how it fails.
//!
//! The data files under `tests/iptables` were written by `tests/iptables/measure.sh` with the real tool.

use packetwalk_sim::command::iptables::{parse_rule, rule_spec};
use packetwalk_sim::kernel::types::{HostId, NetnsId};
use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;
use proptest::prelude::*;
use proptest::sample::select;

/// A host with nothing on it.
fn host() -> (Session, HostId, NetnsId) {
    let mut s = Session::new(1);
    let nic = NicSpec {
        name: "eth0".into(),
        lan: "lan".into(),
        address: Some("10.1.0.2/24".parse().expect("a prefix")),
        mac: None,
        mtu: None,
        gateway: None,
    };
    let h = s.add_host(&HostSpec { name: "h".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
    let ns = s.kernel.host(h).root_ns;
    (s, h, ns)
}

/// The comments of a dump without their dates.
fn undated(text: &str) -> String {
    let line = |l: &str| match l.split_once(" on ") {
        Some((head, _)) if l.starts_with("# Generated") || l.starts_with("# Completed") => format!("{head} on DATE\n"),
        _ => format!("{l}\n"),
    };
    text.lines().map(line).collect()
}

/// What a recording shows of a command.
fn shown(s: &mut Session, h: HostId, ns: NetnsId, command: &str) -> String {
    let ran = run_line(s, h, ns, command);
    let mut out = undated(&ran.stdout);
    for l in ran.stderr.lines() {
        out += &format!("! {l}\n");
    }
    if let Some((r, _)) = &ran.refusal {
        out += &format!("refused: {r}\n");
    }
    if ran.exit != 0 {
        out += &format!("= {}\n", ran.exit);
    }
    out
}

/// The lines of a recording that the model does not print so.
fn lines_that_differ(expected: &str, got: &str) -> String {
    let (a, b): (Vec<_>, Vec<_>) = (expected.lines().collect(), got.lines().collect());
    let pair = |i: usize| (a.get(i).copied().unwrap_or("(nothing)"), b.get(i).copied().unwrap_or("(nothing)"));
    let differ = (0..a.len().max(b.len())).map(pair).filter(|(x, y)| x != y);
    differ.take(20).map(|(x, y)| format!("    iptables {x}\n    model    {y}\n")).collect()
}

/// Replays the blocks of a file; every difference at once.
fn replay(name: &str) {
    let path = format!("{}/tests/iptables/sessions/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a recording");
    let mut wrong = Vec::new();
    let mut commands = 0;
    for block in text.split("--- ").skip(1) {
        let (title, body) = block.split_once('\n').expect("a title");
        let (mut s, h, ns) = host();
        for step in format!("\n{body}").split("\n$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            let expected = if expected.is_empty() || expected.ends_with('\n') {
                expected.to_owned()
            } else {
                format!("{expected}\n")
            };
            let got = shown(&mut s, h, ns, command);
            commands += 1;
            if got != expected {
                wrong.push(format!("{title}$ {command}\n{}", lines_that_differ(&expected, &got)));
            }
        }
    }
    assert!(commands > 0, "{name} is empty");
    assert!(wrong.is_empty(), "{} of {commands} differ\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! sessions {
    ($($test:ident $file:literal,)*) => { $(#[test] fn $test() { replay($file); })* };
}

sessions! {
    commands_nft "commands-nft",
    commands_legacy "commands-legacy",
    kernel_nft "kernel-nft",
    kernel_legacy "kernel-legacy",
    list_nft "list-nft",
    list_legacy "list-legacy",
    restore_nft "restore-nft",
    restore_legacy "restore-legacy",
}

/// Words of a rule as a dump has them.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut word, mut quoted, mut started) = (String::new(), false, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => word.extend(chars.next()),
            '"' => (quoted, started) = (!quoted, true),
            ' ' if !quoted => {
                if started || !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                started = false;
            }
            c => word.push(c),
        }
    }
    if started || !word.is_empty() {
        out.push(word);
    }
    out
}

/// A rule that was printed is read and printed the same.
fn survives(variant: Variant, spec: &str) -> Result<(), String> {
    match parse_rule(variant, &words(spec)) {
        Err(f) => Err(format!("{spec}\n    {f:?}")),
        Ok(rules) => match &rules[..] {
            [one] if rule_spec(one) == spec => Ok(()),
            other => Err(format!("{spec}\n    {}", other.iter().map(rule_spec).collect::<Vec<_>>().join(" ; "))),
        },
    }
}

#[test]
fn rules_as_typed() {
    let text = include_str!("iptables/rules.txt");
    let (mut wrong, mut n) = (Vec::new(), 0);
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        n += 1;
        let (typed, expected) = line.split_once(" => ").or(line.split_once(" =>")).expect("two sides");
        let (mut s, h, ns) = host();
        run_line(&mut s, h, ns, "iptables -N U");
        let ran = run_line(&mut s, h, ns, &format!("iptables {typed}"));
        let got = if ran.exit == 0 {
            let saved = run_line(&mut s, h, ns, "iptables-save").stdout;
            saved.lines().filter(|l| l.starts_with("-A")).collect::<Vec<_>>().join(" ; ")
        } else {
            let said: Vec<_> = ran.stderr.lines().filter(|l| !l.starts_with("Try `iptables")).collect();
            format!("! {}", said.join(" | "))
        };
        if got != expected {
            wrong.push(format!("{typed}\n    iptables {expected}\n    model    {got}"));
        } else if ran.exit == 0 {
            for rule in got.split(" ; -A ") {
                let rule = rule.trim_start_matches("-A ");
                let spec = rule.split_once(' ').map_or("", |(_, s)| s);
                wrong.extend(survives(Variant::Nft, spec).err());
            }
        }
    }
    assert!(n >= 400, "only {n} rules");
    assert!(wrong.is_empty(), "{} of {n} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rules_of_recordings_and_of_docker() {
    let text = include_str!("iptables/recorded.txt");
    let rules: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    let wrong: Vec<String> = rules.iter().filter_map(|r| survives(Variant::Nft, r).err()).collect();
    assert!(rules.len() > 1000);
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), rules.len(), wrong.join("\n"));
}

/// Words that iptables knows, and some that it does not.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "-A", "-I", "-D", "-R", "-C", "-N", "-X", "-F", "-P", "-Z", "-E", "-L", "-S", "-t", "-n", "-v", "-x", "-w", "-W",
    "-4", "-6", "-c", "-p", "-s", "-d", "-i", "-o", "-m", "-j", "-g", "-f", "!", "--", "-", "", "é", "-nvL", "-b", "-h",
    "-V", "INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING", "U", "nosuch", "filter", "nat", "mangle", "raw",
    "1", "0", "2", "99999999999", "-1", "0x10", "1:2", ":", "1,2", "1/2", "/", "a/b", "tcp", "udp", "icmp", "all", "6",
    "10.0.0.1", "10.0.0.0/8", "1.1.1.1,2.2.2.2", "0/0", "1.2.3.4/255.0.255.0", "10.0.0.1-10.0.0.9", ":80", "eth0",
    "eth+", "+", "multiport", "iprange", "mac", "mark", "connmark", "conntrack", "state", "addrtype", "physdev",
    "limit", "statistic", "comment", "owner", "ttl", "length", "tos", "dscp", "pkttype", "rpfilter", "recent", "time",
    "string", "u32", "hashlimit", "connlimit", "set", "policy", "ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "MARK",
    "CONNMARK", "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP", "CT", "NOTRACK", "TCPMSS", "TTL", "TOS", "DSCP",
    "CHECKSUM", "TRACE", "NFLOG", "NFQUEUE", "TEE", "CLASSIFY", "--dport", "--sport", "--dports", "--syn",
    "--tcp-flags", "--tcp-option", "--icmp-type", "--src-range", "--mac-source", "--mark", "--ctstate", "--state",
    "--dst-type", "--physdev-in", "--limit", "--limit-burst", "--mode", "random", "nth", "--probability", "--every",
    "--packet", "--comment", "--uid-owner", "--ttl-eq", "--length", "--tos", "--dscp", "--dscp-class", "--pkt-type",
    "--reject-with", "--log-prefix", "--log-level", "--set-mark", "--set-xmark", "--save-mark", "--to-source",
    "--to-destination", "--to-ports", "--to", "--zone", "--set-mss", "--ttl-set", "--set-tos", "--set-dscp", "--u32",
    "--string", "--hex-string", "--algo", "--timestart", "--datestart", "--weekdays", "--hashlimit-upto",
    "--hashlimit-name", "--set", "--name", "--match-set", "NEW", "LOCAL", "SYN", "0.5", "\"", "|de", "1.1.1.1:80-90/5",
    "--set-counters", "--line-numbers", "--dpo", "--wait=1", "--jump=ACCEPT", "-pudp", "00:11:22:33:44:55", "EF",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(WORDS).prop_map(str::to_owned), 1 => "[ -~é]{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_end_without_a_panic(lines in proptest::collection::vec(proptest::collection::vec(word(), 0..14), 1..4)) {
        let (mut s, h, ns) = host();
        run_line(&mut s, h, ns, "iptables -N U; iptables-legacy -N U");
        for words in lines {
            let line: String = words.iter().map(|w| format!(" '{}'", w.replace('\'', "'\\''"))).collect();
            run_line(&mut s, h, ns, &format!("iptables{line}"));
            run_line(&mut s, h, ns, &format!("iptables-legacy{line}"));
            run_line(&mut s, h, ns, &format!("iptables -A FORWARD{line}; iptables-save -c; iptables -L -v"));
        }
    }

    #[test]
    fn any_dump_ends_without_a_panic(cuts in proptest::collection::vec((0usize..600, "[ -~é\\n]{0,6}", 0usize..20), 0..6), noflush: bool) {
        let mut text = "# x\n*filter\n:INPUT DROP [1:2]\n:FORWARD ACCEPT [0:0]\n:U - [0:0]\n[3:4] -A INPUT -s 10.0.0.0/8 -p tcp \
            -m tcp --dport 80 -m comment --comment \"a \\\"b\" -j U\n-A U -m conntrack --ctstate NEW -j LOG --log-prefix \"x \"\n\
            -A FORWARD -i eth+ ! -o eth1 -m limit --limit 5/min -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n*nat\n\
            :PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination 1.1.1.1:80\nCOMMIT\n".to_owned();
        for (at, new, gone) in cuts {
            let chars: Vec<char> = text.chars().collect();
            let at = at.min(chars.len());
            let end = (at + gone).min(chars.len());
            text = chars[..at].iter().collect::<String>() + &new + &chars[end..].iter().collect::<String>();
        }
        let (mut s, h, ns) = host();
        s.write_file(h, ns, "/tmp/dump", &text, false).expect("a file");
        let n = if noflush { " -n" } else { "" };
        run_line(&mut s, h, ns, &format!("iptables-restore -c{n} /tmp/dump; iptables-save -c; iptables -t nat -nvL"));
        run_line(&mut s, h, ns, &format!("iptables-legacy-restore -v{n} /tmp/dump; iptables-legacy-save; iptables-restore -t /tmp/dump"));
    }
}
