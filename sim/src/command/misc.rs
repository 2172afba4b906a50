//! `date`, `false`, `kill`, `killall`, `pkill`, `seq`, `sleep`, `true`, `uname`.

use super::{Exit, Proc, Refusal};
use crate::kernel::types::{Nanos, Pid, SEC};
use crate::session::watch::Signal;

/// A time such as `0.5`, `2`, `1.5s`, `2m`, in nanoseconds.
pub(super) fn duration(text: &str) -> Option<Nanos> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(n) => (n, text.chars().last()?),
        None => (text, 's'),
    };
    let scale = match unit {
        'm' => 60,
        'h' => 3600,
        _ => 1,
    };
    let (whole, frac) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && frac.is_empty()) || !(whole.to_owned() + frac).chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let frac: u64 = format!("{frac:0<9}").get(..9)?.parse().ok()?;
    whole.checked_mul(SEC)?.checked_add(frac)?.checked_mul(scale)
}

/// Longest sleep in one command.
const MAX_SLEEP: Nanos = 24 * 3600 * SEC;

/// Runs one of them.
///
/// # Errors
/// Options that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let args = &argv[1..];
    match argv[0].as_str() {
        "true" => Ok(0),
        "false" => Ok(1),
        "uname" => match args.first().map(String::as_str) {
            None | Some("-s") => {
                p.out.push_str("Linux\n");
                Ok(0)
            }
            Some("-n") => {
                // A container's is in its own file.
                let own = p.inside.then(|| p.read("/etc/hostname").ok()).flatten();
                let name = own.unwrap_or_else(|| p.sess.kernel.host(p.host).name.clone());
                let name = name.trim();
                p.out.push_str(&format!("{name}\n"));
                Ok(0)
            }
            Some(a) => Err(Refusal::new(format!("uname {a}"), 1)),
        },
        "sleep" => sleep(p, args),
        "seq" => seq(p, args),
        "date" => match args.first().map(String::as_str) {
            Some("+%s") => {
                p.out.push_str(&format!("{}\n", p.sess.kernel.now() / SEC));
                Ok(0)
            }
            Some("+%s%N") => {
                p.out.push_str(&format!("{}\n", p.sess.kernel.now()));
                Ok(0)
            }
            Some(a) => Err(Refusal::new(format!("date {a}"), 1)),
            None => Err(Refusal::new("date without +%s: the world has no calendar", 0)),
        },
        _ => kill(p, argv),
    }
}

fn sleep(p: &mut Proc<'_>, args: &[String]) -> Exit {
    if args.is_empty() {
        p.err.push_str("sleep: missing operand\nTry 'sleep --help' for more information.\n");
        return Ok(1);
    }
    let mut total: Nanos = 0;
    for (i, a) in args.iter().enumerate() {
        match duration(a) {
            Some(d) => total = total.saturating_add(d),
            None if a == "infinity" => return Err(Refusal::new("sleep infinity", i + 1)),
            None => {
                p.err.push_str(&format!(
                    "sleep: invalid time interval '{a}'\nTry 'sleep --help' for more information.\n"
                ));
                return Ok(1);
            }
        }
    }
    if total > MAX_SLEEP {
        return Err(Refusal::new("a sleep of more than a day", 1));
    }
    if !p.background {
        let left = p.deadline.map_or(total, |d| d.saturating_sub(p.sess.kernel.now()).min(total));
        p.sess.advance(left);
    }
    Ok(0)
}

fn seq(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let numbers: Option<Vec<i64>> = args.iter().map(|a| a.parse().ok()).collect();
    let (from, step, to) = match numbers.as_deref() {
        Some([b]) => (1, 1, *b),
        Some([a, b]) => (*a, 1, *b),
        Some([a, s, b]) if *s != 0 => (*a, *s, *b),
        _ => return Err(Refusal::new(format!("seq {}", args.join(" ")), 1)),
    };
    let mut n = from;
    for _ in 0..100_000 {
        if (step > 0 && n > to) || (step < 0 && n < to) {
            return Ok(0);
        }
        p.out.push_str(&format!("{n}\n"));
        n = n.saturating_add(step);
    }
    Err(Refusal::new("seq with more than 100000 numbers", 0))
}

fn kill(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let tool = argv[0].as_str();
    let (mut status, mut full, mut signal) = (1, false, Signal::Term);
    for (i, a) in argv.iter().enumerate().skip(1) {
        if let Some(flag) = a.strip_prefix('-') {
            match (flag, Signal::read(flag)) {
                (_, Some(s)) => signal = s,
                ("q" | "x", _) => {}
                ("f", _) if tool == "pkill" => full = true,
                _ => return Err(Refusal::new(format!("{tool} {a}"), i)),
            }
            continue;
        }
        if tool == "kill" {
            match a.parse().ok().map(Pid) {
                Some(pid) if p.sess.kill(pid, signal) => status = 0,
                _ => p.err.push_str(&format!("kill: ({a}) - No such process\n")),
            }
            continue;
        }
        let hit = |name: &str| if tool == "pkill" { name.contains(a.as_str()) } else { name == a };
        let found: Vec<Pid> = p
            .sess
            .procs
            .table
            .iter()
            .filter(|(pid, e)| e.alive && e.host == p.host && **pid != p.pid && hit(&e.name))
            .map(|x| *x.0)
            .collect();
        for pid in &found {
            p.sess.kill(*pid, signal);
            status = 0;
        }
        if found.is_empty() && tool == "killall" {
            p.err.push_str(&format!("{a}: no process found\n"));
        }
    }
    let _ = full;
    Ok(status)
}
