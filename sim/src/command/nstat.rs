//! `nstat` (iproute2 6.1): SNMP counters since it was last asked.

use super::opts::{BadOpt, Opt, getopt};
use super::{Exit, Proc, Refusal};
use crate::kernel::mib;

/// Where it keeps what it last saw.
const HISTORY: &str = "/tmp/.nstat.u0";

/// Groups of counters: a word that begins so is the name of one.
const GROUPS: &[&str] = &["Ip", "Icmp", "Udp", "Tcp", "MPTcp"];

const USAGE: &str = "\
Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -d, --scan=SECS     sample every statistics every SECS
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -t, --interval=SECS report average over the last SECS
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
";

/// Runs `nstat`.
///
/// # Errors
/// Options and counters that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words: Vec<String> = argv.iter().map(|w| short(w).to_owned()).collect();
    let opts = match getopt(&words, "hnarsz", "", "dtjpV") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c) | BadOpt::NoValue(c)) => {
            p.err.push_str(&format!("nstat: invalid option -- '{c}'\n{USAGE}"));
            return Ok(255);
        }
    };
    let has = |c: char| opts.iter().any(|(_, o)| *o == Opt::Flag(c, None));
    if has('h') {
        p.out.push_str(USAGE);
        return Ok(0);
    }
    let mut patterns: Vec<&str> = Vec::new();
    for (at, o) in &opts {
        let Opt::Word(w) = o else { continue };
        if w.contains('[') {
            return Err(Refusal::new(format!("nstat {w}"), *at));
        }
        let literal = !w.contains(['*', '?']);
        let ours = mib::ALL.iter().any(|i| matches(w, i.name()));
        if literal && !ours && GROUPS.iter().any(|g| w.starts_with(g)) {
            return Err(Refusal::new(format!("the counter {w}"), *at));
        }
        patterns.push(w);
    }
    let history = if has('r') { String::new() } else { p.read(HISTORY).unwrap_or_default() };
    let old: Vec<(&str, u64)> = history
        .lines()
        .filter_map(|l| {
            let mut w = l.split_whitespace();
            Some((w.next()?, w.next()?.parse().ok()?))
        })
        .collect();
    let counters = &p.sess.kernel.ns(p.ns).mib;
    let (mut text, mut now) = ("#kernel\n".to_owned(), "#kernel\n".to_owned());
    for item in mib::ALL {
        let (name, value) = (item.name(), counters.get(*item));
        // The kernel lists only those message types that it saw.
        if value == 0 && name.starts_with("IcmpMsg") {
            continue;
        }
        now.push_str(&line(name, value));
        let before = if has('a') { None } else { old.iter().find(|(n, _)| *n == name).map(|(_, v)| *v) };
        let overflow = before.is_some_and(|b| b > value);
        let value = before.map_or(value, |b| value.saturating_sub(b));
        let wanted = patterns.is_empty() || patterns.iter().any(|pat| matches(pat, name));
        if !wanted || (value == 0 && !has('z')) {
            continue;
        }
        text.push_str(&line(name, value));
        if overflow {
            text.pop();
            text.push_str(" (overflow)\n");
        }
    }
    if !has('n') {
        p.out.push_str(&text);
    }
    if !has('s') {
        let _ = p.sess.write_file(p.host, p.ns, HISTORY, &now, false);
    }
    Ok(0)
}

/// Long options that have a short one.
fn short(w: &str) -> &str {
    match w {
        "--help" => "-h",
        "--ignore" => "-a",
        "--nooutput" => "-n",
        "--reset" => "-r",
        "--noupdate" => "-s",
        "--zeros" => "-z",
        "--json" => "-j",
        "--pretty" => "-p",
        "--version" => "-V",
        w => w,
    }
}

fn line(name: &str, value: u64) -> String {
    format!("{name:<32}{value:<16}{:6.1}\n", 0.0)
}

/// A name fits a pattern of `*` and `?`, whatever the case (`fnmatch(3)` with `FNM_CASEFOLD`).
fn matches(pattern: &str, name: &str) -> bool {
    let (p, n) = (pattern.as_bytes(), name.as_bytes());
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < n.len() {
        if i < p.len() && p[i] == b'*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == b'?' || p[i].eq_ignore_ascii_case(&n[j])) {
            i += 1;
            j += 1;
        } else if let Some((si, sj)) = star {
            // The last star takes one more.
            star = Some((si, sj + 1));
            i = si + 1;
            j = sj + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        assert!(matches("icmpin*", "IcmpInMsgs"));
        assert!(matches("*echo?", "IcmpInEchos"));
        assert!(!matches("Icmp", "IcmpInMsgs"));
        assert!(matches("*In*s", "IcmpInMsgs"));
    }
}
