//! `test` and `[`.

use super::{Exit, Proc, Refusal};
use crate::shell::vfs::{Entry, Kind};

/// Runs it.
///
/// # Errors
/// Operators that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut args: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
    if argv[0] == "[" && args.pop() != Some("]") {
        p.err.push_str("[: missing `]'\n");
        return Ok(2);
    }
    let mut at = 0;
    let mut value = match or(p, &args, &mut at)? {
        Ok(v) => v,
        Err(why) => {
            p.err.push_str(&format!("{}: {why}\n", argv[0]));
            return Ok(2);
        }
    };
    if at < args.len() {
        p.err.push_str(&format!("{}: too many arguments\n", argv[0]));
        return Ok(2);
    }
    if args.is_empty() {
        value = false;
    }
    Ok(i32::from(!value))
}

type Answer = Result<Result<bool, String>, Refusal>;

macro_rules! get {
    ($e:expr) => {
        match $e? {
            Ok(v) => v,
            Err(why) => return Ok(Err(why)),
        }
    };
}

fn or(p: &Proc<'_>, a: &[&str], at: &mut usize) -> Answer {
    let mut v = get!(and(p, a, at));
    while a.get(*at) == Some(&"-o") {
        *at += 1;
        v |= get!(and(p, a, at));
    }
    Ok(Ok(v))
}

fn and(p: &Proc<'_>, a: &[&str], at: &mut usize) -> Answer {
    let mut v = get!(one(p, a, at));
    while a.get(*at) == Some(&"-a") {
        *at += 1;
        v &= get!(one(p, a, at));
    }
    Ok(Ok(v))
}

fn one(p: &Proc<'_>, a: &[&str], at: &mut usize) -> Answer {
    // A chain of `!` is followed without recursion.
    let mut not = false;
    while a.get(*at) == Some(&"!") && a.len() > *at + 1 {
        not = !not;
        *at += 1;
    }
    let rest = &a[(*at).min(a.len())..];
    let v = match rest {
        [] => false,
        [x, op, y, ..] if is_binary(op) => {
            *at += 3;
            get!(binary(x, op, y))
        }
        [op, x, ..] if op.len() == 2 && op.starts_with('-') && op.as_bytes()[1].is_ascii_alphabetic() => {
            *at += 2;
            unary(p, op, x, *at - 1)?
        }
        [x, ..] => {
            *at += 1;
            !x.is_empty()
        }
    };
    Ok(Ok(v != not))
}

fn is_binary(op: &str) -> bool {
    matches!(op, "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge")
}

fn binary(x: &str, op: &str, y: &str) -> Answer {
    let n = |t: &str| t.trim().parse::<i64>().map_err(|_| format!("{t}: integer expression expected"));
    Ok(Ok(match op {
        "=" | "==" => x == y,
        "!=" => x != y,
        "<" => x < y,
        ">" => x > y,
        _ => {
            let (x, y) = match (n(x), n(y)) {
                (Ok(x), Ok(y)) => (x, y),
                (Err(e), _) | (_, Err(e)) => return Ok(Err(e)),
            };
            match op {
                "-eq" => x == y,
                "-ne" => x != y,
                "-lt" => x < y,
                "-le" => x <= y,
                "-gt" => x > y,
                _ => x >= y,
            }
        }
    }))
}

fn unary(p: &Proc<'_>, op: &str, x: &str, arg: usize) -> Result<bool, Refusal> {
    let path = p.path(x);
    let kind = p.sess.kind_of(p.host, p.ns, &path);
    Ok(match op {
        "-z" => x.is_empty(),
        "-n" => !x.is_empty(),
        "-e" | "-r" | "-w" => matches!(kind, Some(Kind::File | Kind::Dir)),
        "-f" => kind == Some(Kind::File),
        "-d" => kind == Some(Kind::Dir),
        "-s" => p.read(x).is_ok_and(|t| !t.is_empty()),
        "-L" | "-h" => {
            let stored = p.sess.files.get(&p.host).and_then(|v| v.entries.get(&path));
            matches!(stored, Some(Entry::Link(_))) || path.ends_with("/ns/net")
        }
        _ => return Err(Refusal::new(format!("test {op}"), arg)),
    })
}
