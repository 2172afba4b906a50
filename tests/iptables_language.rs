//! iptables against recordings of iptables 1.8.9: what it accepts, what it prints, how it fails.
//!
//! The data files under `tests/iptables` were written by `tests/iptables/measure.sh` with the real tool.

use packetwalk_sim::command::iptables::{parse_rule, rule_spec};
use packetwalk_sim::kernel::types::{HostId, NetnsId};
use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

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
                wrong.push(format!("{title}$ {command}\n--- iptables\n{expected}--- model\n{got}"));
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
