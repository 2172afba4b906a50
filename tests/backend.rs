//! `packetwalk test --backend kernel|both`: expectations on the live kernel.
//!
//! Where this machine cannot build a lab the tests are ignored, with the reason; `PACKETWALK_LIVE=must` makes that a
//! failure.

use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed, Trial};

fn test(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).arg("test").args(args).output().expect("the program runs")
}

fn said(o: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr))
}

const CASE: &str = "name: x
hosts:
  a: {interfaces: {eth0: 10.0.0.1/24}}
  b: {interfaces: {eth0: 10.0.0.2/24}, serve: [80]}
steps:
  - run: b$ iptables -A INPUT -p tcp --dport 81 -j REJECT --reject-with tcp-reset
    expect: {exit: 0, stdout: \"\"}
  - run: a> tcp 10.0.0.2:80
    expect: {outcome: reply, seen-source: 10.0.0.1, reply-ttl: 64, path: [a/eth0, b/eth0, a/eth0], hits: [b filter INPUT policy ACCEPT]}
  - run: a> tcp 10.0.0.2:81
    expect: {outcome: refused, hits: [b filter INPUT --dport 81], drop: {at: b, reason: NETFILTER_DROP}}
";

/// Whom it is asked of, and what is printed, on the live kernel too.
const ASIDE: &str = "name: x
hosts:
  a: {interfaces: {eth0: 10.0.0.1/24}}
  b: {interfaces: {eth0: 10.0.0.2/24}, serve: [80]}
steps:
  - run: b$ iptables -A INPUT -p tcp --dport 81 -j DROP
  - reaches: {a: [b:80, b, not b:81, not b:82]}
    expect:
      state: {b$ iptables -S INPUT: [\"-P INPUT ACCEPT…\", \"…-A INPUT -p tcp -m tcp --dport 81…\"]}
  - run: a> tcp 10.0.0.2:80
    expect: {outcome: reply}
";

/// A port that is closed and one that a firewall closes look alike from outside.
const SOMEBODY: &str = "not checked: step 2, reaches: a to b:82: refused, and the kernel does not tell who says so";

/// Runs a text: its exit status, and all of these must be said.
fn case(text: &str, backend: &str, code: i32, says: &[&str]) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("x.yaml");
    std::fs::write(&file, text)?;
    let o = test(&["--backend", backend, &file.display().to_string()]);
    let text = said(&o);
    let missing = says.iter().find(|s| !text.contains(**s));
    if o.status.code() != Some(code) || missing.is_some() {
        return Err(format!("{missing:?} is missing, or {:?} is not {code}:\n{text}", o.status.code()).into());
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(1);
    let probe = if args.list { None } else { Some(test(&["--backend", "kernel", "veth"])) };
    let cannot = probe.filter(|o| o.status.code() == Some(3)).map(|o| said(&o));
    let must = std::env::var_os("PACKETWALK_LIVE").is_some_and(|v| v == "must");
    type Body = fn() -> Result<(), Failed>;
    let all: [(&str, Body); 6] = [
        ("kernel: what holds", || {
            case(CASE, "kernel", 0, &["ok   x", "not checked: step 3, drop: which of the devices named eth0"])
        }),
        ("kernel: what does not hold", || {
            let wrong = CASE.replace("outcome: reply", "outcome: refused").replace("--dport 81]", "--dport 80]");
            let says = [
                "step 2, outcome",
                "expected refused",
                "got      reply",
                "no rule of the model's walk has these words",
            ];
            case(&wrong, "kernel", 1, &says)
        }),
        ("kernel: nothing to check is no success", || {
            let bare = "name: x\nhosts: {a: 10.0.0.1/24}\nsteps:\n  - run: a$ true\n    expect: {within: 1s}\n";
            case(bare, "kernel", 0, &["--   x", "0 passed", "1 could not be checked here"])
        }),
        ("kernel: who reaches whom, and what commands print", || case(ASIDE, "kernel", 0, &["ok   x", SOMEBODY])),
        ("kernel: of these what does not hold", || {
            let wrong = ASIDE.replace("[b:80,", "[not b:80,").replace("--dport 81…", "--dport 99…");
            let says =
                ["step 2, reaches", "expected a does not reach b:80", "got      reply", "step 2, state", "--dport 81"];
            case(&wrong, "kernel", 1, &says)
        }),
        ("both", || case(CASE, "both", 0, &["ok   x", "1 passed"])),
    ];
    let trial = |(name, body): (&'static str, Body)| match &cannot {
        Some(why) => {
            let why = why.clone();
            let kind = why.lines().next().unwrap_or("no lab").to_owned();
            Trial::test(name, move || Err(why.into())).with_kind(kind).with_ignored_flag(!must)
        }
        None => Trial::test(name, body),
    };
    libtest_mimic::run(&args, all.into_iter().map(trial).collect()).exit_code()
}
