//! `sort`, `uniq`, `cut`, `tr`.

use std::cmp::Ordering;

use super::text::{inputs, lines};
use super::{Exit, Proc, Refusal};

/// Runs one of them.
///
/// # Errors
/// Options that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    match argv[0].as_str() {
        "sort" => sort(p, argv),
        "uniq" => uniq(p, argv),
        "cut" => cut(p, argv),
        _ => tr(p, argv),
    }
}

fn number(t: &str) -> f64 {
    let t = t.trim_start();
    let end = t
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && *c == '-')))
        .map_or(t.len(), |x| x.0);
    t[..end].parse().unwrap_or(0.0)
}

fn sort(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut numeric, mut reverse, mut unique, mut version, mut sep) = (false, false, false, false, None::<char>);
    let (mut keys, mut files): (Vec<(usize, usize, bool)>, Vec<String>) = (Vec::new(), Vec::new());
    let mut i = 1;
    while i < argv.len() {
        let a = argv[i].as_str();
        if let Some(k) = a.strip_prefix("-k").or_else(|| a.strip_prefix("-t")) {
            let key = a.starts_with("-k");
            let value = if k.is_empty() {
                i += 1;
                argv.get(i).cloned().unwrap_or_default()
            } else {
                k.to_owned()
            };
            if key {
                let n = value.ends_with('n');
                let v = value.trim_end_matches('n');
                let (from, to) = v.split_once(',').unwrap_or((v, ""));
                let from = from.trim_end_matches('n').parse::<usize>().ok().filter(|n| *n > 0);
                let to = if to.is_empty() { Some(usize::MAX) } else { to.parse().ok() };
                match (from, to) {
                    (Some(f), Some(t)) => keys.push((f, t, n)),
                    _ => return Err(Refusal::new(format!("sort -k {value}"), i)),
                }
            } else {
                sep = value.chars().next();
            }
        } else if a.starts_with('-') && a.len() > 1 {
            for c in a[1..].chars() {
                match c {
                    'n' => numeric = true,
                    'r' => reverse = true,
                    'u' => unique = true,
                    'V' => version = true,
                    _ => return Err(Refusal::new(format!("sort -{c}"), i)),
                }
            }
        } else {
            files.push(a.to_owned());
        }
        i += 1;
    }
    let (texts, status) = inputs(p, "sort", &files);
    let mut all: Vec<&str> = texts.iter().flat_map(|(_, t)| lines(t)).collect();
    let plain = |a: &str, b: &str, n: bool| -> Ordering {
        if n {
            return number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal);
        }
        if version { natural(a, b) } else { a.cmp(b) }
    };
    let field = |l: &str, from: usize, to: usize| -> String {
        match sep {
            Some(s) => l.split(s).skip(from - 1).take(to.saturating_sub(from - 1)).collect::<Vec<_>>().join("\u{1}"),
            None => l.split_whitespace().skip(from - 1).take(to.saturating_sub(from - 1)).collect::<Vec<_>>().join(" "),
        }
    };
    let by_keys = |a: &str, b: &str| {
        if keys.is_empty() {
            return plain(a, b, numeric);
        }
        keys.iter()
            .map(|(f, t, n)| plain(&field(a, *f, *t), &field(b, *f, *t), *n || numeric))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    all.sort_by(|a, b| {
        let o = by_keys(a, b);
        let o = if reverse { o.reverse() } else { o };
        if unique { o } else { o.then_with(|| if reverse { b.cmp(a) } else { a.cmp(b) }) }
    });
    if unique {
        all.dedup_by(|a, b| by_keys(a, b).is_eq());
    }
    for l in all {
        p.out.push_str(l);
        p.out.push('\n');
    }
    Ok(if status == 0 { 0 } else { 2 })
}

/// Runs of digits compare as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let split = |t: &str| {
        let mut out: Vec<(String, u64)> = vec![(String::new(), 0)];
        let mut digits = String::new();
        for c in t.chars().chain(['\0']) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            if !digits.is_empty() {
                if let Some(l) = out.last_mut() {
                    l.1 = digits.parse().unwrap_or(u64::MAX);
                }
                digits.clear();
                out.push((String::new(), 0));
            }
            if let Some(l) = out.last_mut() {
                l.0.push(c);
            }
        }
        out
    };
    split(a).cmp(&split(b))
}

fn uniq(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut count, mut dup, mut single, mut files) = (false, false, false, Vec::new());
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.as_str() {
            "-c" => count = true,
            "-d" => dup = true,
            "-u" => single = true,
            a if a.starts_with('-') && a.len() > 1 => return Err(Refusal::new(format!("uniq {a}"), i)),
            f => files.push(f.to_owned()),
        }
    }
    let (texts, status) = inputs(p, "uniq", &files);
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for l in texts.iter().flat_map(|(_, t)| lines(t)) {
        match runs.last_mut() {
            Some((last, n)) if *last == l => *n += 1,
            _ => runs.push((l, 1)),
        }
    }
    for (l, n) in runs {
        if (dup && n < 2) || (single && n > 1) {
            continue;
        }
        p.out.push_str(&if count { format!("{n:7} {l}\n") } else { format!("{l}\n") });
    }
    Ok(status)
}

fn cut(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut delim, mut fields, mut chars, mut only, mut files) = ('\t', None, None, false, Vec::new());
    let mut i = 1;
    while i < argv.len() {
        let a = argv[i].clone();
        let mut take = |flag: &str| -> Option<String> {
            let v = a.strip_prefix(flag)?;
            if !v.is_empty() {
                return Some(v.to_owned());
            }
            i += 1;
            Some(argv.get(i).cloned().unwrap_or_default())
        };
        if let Some(v) = take("-d") {
            delim = v.chars().next().unwrap_or('\t');
        } else if let Some(v) = take("-f") {
            fields = Some(v);
        } else if let Some(v) = take("-c") {
            chars = Some(v);
        } else if let Some(v) = take("-b") {
            chars = Some(v);
        } else if a == "-s" {
            only = true;
        } else if a.starts_with('-') && a.len() > 1 {
            return Err(Refusal::new(format!("cut {a}"), i));
        } else {
            files.push(a);
        }
        i += 1;
    }
    let Some(list) = fields.as_ref().or(chars.as_ref()) else {
        p.err.push_str(
            "cut: you must specify a list of bytes, characters, or fields\nTry 'cut --help' for more information.\n",
        );
        return Ok(1);
    };
    let mut ranges = Vec::new();
    for r in list.split(',') {
        let (a, b) = r.split_once('-').unwrap_or((r, r));
        let from = if a.is_empty() { Some(1) } else { a.parse::<usize>().ok() };
        let to = if b.is_empty() { Some(usize::MAX) } else { b.parse::<usize>().ok() };
        match (from, to) {
            (Some(f), Some(t)) if f > 0 => ranges.push((f, t)),
            _ => {
                p.err.push_str(&format!("cut: invalid field value '{r}'\nTry 'cut --help' for more information.\n"));
                return Ok(1);
            }
        }
    }
    let wanted = |n: usize| ranges.iter().any(|(f, t)| (*f..=*t).contains(&n));
    let (texts, status) = inputs(p, "cut", &files);
    for l in texts.iter().flat_map(|(_, t)| lines(t)) {
        if fields.is_none() {
            p.out.extend(l.chars().enumerate().filter(|(k, _)| wanted(k + 1)).map(|(_, c)| c));
        } else if l.contains(delim) {
            let parts: Vec<&str> = l.split(delim).enumerate().filter(|(k, _)| wanted(k + 1)).map(|x| x.1).collect();
            p.out.push_str(&parts.join(&delim.to_string()));
        } else if only {
            continue;
        } else {
            p.out.push_str(l);
        }
        p.out.push('\n');
    }
    Ok(status)
}

fn set(text: &str) -> Option<Vec<char>> {
    let text = match text {
        "[:upper:]" => return Some(('A'..='Z').collect()),
        "[:lower:]" => return Some(('a'..='z').collect()),
        "[:digit:]" => return Some(('0'..='9').collect()),
        "[:space:]" => return Some(vec![' ', '\t', '\n', '\r', '\u{b}', '\u{c}']),
        t if t.contains("[:") || t.contains("[=") => return None,
        t => super::text::escapes(t),
    };
    let c: Vec<char> = text.chars().collect();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < c.len() {
        if i + 2 < c.len() && c[i + 1] == '-' && c[i] <= c[i + 2] {
            out.extend((c[i]..=c[i + 2]).take(1024));
            i += 3;
        } else {
            out.push(c[i]);
            i += 1;
        }
    }
    Some(out)
}

fn tr(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut delete, mut squeeze, mut complement, mut sets) = (false, false, false, Vec::new());
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.strip_prefix('-').filter(|f| !f.is_empty() && f.chars().all(|c| "dscC".contains(c))) {
            Some(f) => {
                delete |= f.contains('d');
                squeeze |= f.contains('s');
                complement |= f.contains(['c', 'C']);
            }
            None => match set(a) {
                Some(s) => sets.push(s),
                None => return Err(Refusal::new(format!("tr {a}"), i)),
            },
        }
    }
    let Some(first) = sets.first() else {
        p.err.push_str("tr: missing operand\nTry 'tr --help' for more information.\n");
        return Ok(1);
    };
    let inside = |c: char| first.contains(&c) != complement;
    let to = sets.get(1).filter(|s| !s.is_empty());
    let text = std::mem::take(&mut p.stdin);
    let mut last = None;
    for c in text.chars() {
        let mut c = c;
        if delete && inside(c) {
            continue;
        }
        let mut mapped = inside(c);
        if let (false, Some(to), true) = (delete, to, inside(c)) {
            let at = if complement { usize::MAX } else { first.iter().rposition(|x| *x == c).unwrap_or(0) };
            c = to[at.min(to.len() - 1)];
        }
        if delete && squeeze {
            mapped = to.is_some_and(|t| t.contains(&c));
        }
        if squeeze && mapped && last == Some(c) {
            continue;
        }
        last = Some(c);
        p.out.push(c);
    }
    Ok(0)
}
