//! `grep`, and regular expressions as POSIX writes them, for `sed` and `awk` too.

use regex_lite::{Regex, RegexBuilder};

use super::text::{inputs, lines};
use super::{Exit, Proc, Refusal};

/// Turns a POSIX expression into one of the regex crate's; `extended` is `-E`.
fn translate(re: &str, extended: bool) -> String {
    let c: Vec<char> = re.chars().collect();
    let (mut out, mut i) = (String::new(), 0);
    while i < c.len() {
        match c[i] {
            '[' => {
                out.push('[');
                i += 1;
                if c.get(i) == Some(&'^') {
                    out.push('^');
                    i += 1;
                }
                if c.get(i) == Some(&']') {
                    out.push_str("\\]");
                    i += 1;
                }
                while i < c.len() && c[i] != ']' {
                    if c[i] == '[' && c.get(i + 1) == Some(&':') {
                        while i < c.len() && !(c[i] == ':' && c.get(i + 1) == Some(&']'))
                            || c.get(i.wrapping_sub(1)) == Some(&'[')
                        {
                            out.push(c[i]);
                            i += 1;
                            if i >= c.len() {
                                break;
                            }
                        }
                        out.push_str(":]");
                        i += 2;
                        continue;
                    }
                    if matches!(c[i], '\\' | '[' | '&' | '~') {
                        out.push('\\');
                    }
                    out.push(c[i]);
                    i += 1;
                }
                out.push(']');
            }
            '\\' if i + 1 < c.len() => {
                i += 1;
                match c[i] {
                    x @ ('(' | ')' | '{' | '}' | '|' | '+' | '?') => {
                        if extended {
                            out.push('\\');
                        }
                        out.push(x);
                    }
                    x @ ('w' | 'W' | 's' | 'S' | 'b' | 'B') => {
                        out.push('\\');
                        out.push(x);
                    }
                    '<' | '>' => out.push_str("\\b"),
                    'n' => out.push_str("\\n"),
                    't' => out.push_str("\\t"),
                    x if x.is_alphanumeric() => out.push(x),
                    x => {
                        out.push('\\');
                        out.push(x);
                    }
                }
            }
            x @ ('(' | ')' | '{' | '}' | '|' | '+' | '?') if !extended => {
                out.push('\\');
                out.push(x);
            }
            '*' if !extended && (out.is_empty() || out.ends_with('(') || out == "^") => out.push_str("\\*"),
            '^' if !extended && i > 0 && !out.ends_with('(') && !out.ends_with('|') => out.push_str("\\^"),
            '$' if !extended && i + 1 < c.len() && !(c[i + 1] == '\\' && matches!(c.get(i + 2), Some(')' | '|'))) => {
                out.push_str("\\$");
            }
            x => out.push(x),
        }
        i += 1;
    }
    out
}

/// Compiles a POSIX regular expression.
///
/// # Errors
/// The sentence to show: it is none, or uses what is not modelled.
pub(super) fn regex(re: &str, extended: bool, ignore_case: bool) -> Result<Regex, String> {
    if re.len() > 4096 {
        return Err("a regular expression longer than 4096 bytes".into());
    }
    let digits = |w: &[u8]| w[0] == b'\\' && (b'1'..=b'9').contains(&w[1]);
    if re.as_bytes().windows(2).any(digits) {
        return Err(format!("back-references in the regular expression {re}"));
    }
    RegexBuilder::new(&translate(re, extended))
        .case_insensitive(ignore_case)
        .size_limit(1 << 20)
        .nest_limit(50)
        .build()
        .map_err(|e| format!("the regular expression {re} ({e})"))
}

/// `grep`, `egrep`, `fgrep`.
///
/// # Errors
/// Options that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut v, mut count, mut o, mut quiet, mut word, mut number, mut whole, mut icase, mut list) =
        (false, false, false, false, false, false, false, false, false);
    let (mut with_name, mut silent, mut only) = (None, false, usize::MAX);
    let mut extended = argv[0] == "egrep";
    let mut fixed = argv[0] == "fgrep";
    let (mut after, mut before) = (0usize, 0usize);
    let (mut patterns, mut files): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut i = 1;
    let mut ended = false;
    while i < argv.len() {
        let a = argv[i].as_str();
        if ended || !a.starts_with('-') || a == "-" {
            files.push(a.to_owned());
            i += 1;
            continue;
        }
        if a == "--" {
            ended = true;
            i += 1;
            continue;
        }
        let flags: Vec<char> = match a {
            "--color=never" | "--color=auto" => Vec::new(),
            "--invert-match" => vec!['v'],
            "--count" => vec!['c'],
            "--quiet" => vec!['q'],
            "--ignore-case" => vec!['i'],
            "--only-matching" => vec!['o'],
            a if a.starts_with("--") => return Err(Refusal::new(format!("grep {a}"), i)),
            a => a[1..].chars().collect(),
        };
        let mut k = 0;
        while k < flags.len() {
            let rest: String = flags[k + 1..].iter().collect();
            let flag = flags[k];
            k += 1;
            let mut value = |i: &mut usize| {
                k = flags.len();
                if rest.is_empty() {
                    *i += 1;
                    argv.get(*i).cloned().unwrap_or_default()
                } else {
                    rest.clone()
                }
            };
            match flag {
                'v' => v = true,
                'c' => count = true,
                'E' => extended = true,
                'G' => extended = false,
                'F' => fixed = true,
                'i' | 'y' => icase = true,
                'o' => o = true,
                'q' => quiet = true,
                'w' => word = true,
                'x' => whole = true,
                'n' => number = true,
                'h' => with_name = Some(false),
                'H' => with_name = Some(true),
                's' => silent = true,
                'l' => list = true,
                'e' => patterns.push(value(&mut i)),
                'm' => only = value(&mut i).parse().unwrap_or(usize::MAX),
                'A' => after = value(&mut i).parse().unwrap_or(0),
                'B' => before = value(&mut i).parse().unwrap_or(0),
                'C' => {
                    after = value(&mut i).parse().unwrap_or(0);
                    before = after;
                }
                f => return Err(Refusal::new(format!("grep -{f}"), i)),
            }
        }
        i += 1;
    }
    if patterns.is_empty() {
        if files.is_empty() {
            p.err.push_str("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n");
            return Ok(2);
        }
        patterns.push(files.remove(0));
    }
    let mut regexes = Vec::new();
    for pat in patterns.iter().flat_map(|x| x.split('\n')) {
        let mut re = if fixed { regex_lite::escape(pat) } else { translate(pat, extended) };
        if word {
            re = format!("\\b(?:{re})\\b");
        }
        if whole {
            re = format!("^(?:{re})$");
        }
        if !fixed {
            regex(pat, extended, icase).map_err(|e| Refusal::new(format!("grep: {e}"), 1))?;
        }
        let built = RegexBuilder::new(&re).case_insensitive(icase).size_limit(1 << 20).nest_limit(50).build();
        regexes.push(built.map_err(|e| Refusal::new(format!("grep: the regular expression {pat} ({e})"), 1))?);
    }
    let err_before = p.err.len();
    let (texts, failed) = inputs(p, "grep", &files);
    if silent {
        p.err.truncate(err_before);
    }
    let named = with_name.unwrap_or(texts.len() > 1);
    let mut any = false;
    for (name, t) in &texts {
        let prefix = if named { format!("{name}:") } else { String::new() };
        let all: Vec<&str> = lines(t).collect();
        let hit = |l: &str| regexes.iter().any(|r| r.is_match(l)) != v;
        let hits: Vec<usize> = (0..all.len()).filter(|k| hit(all[*k])).take(only).collect();
        any |= !hits.is_empty();
        if quiet {
            continue;
        }
        if list {
            if !hits.is_empty() {
                p.out.push_str(&format!("{name}\n"));
            }
            continue;
        }
        if count {
            p.out.push_str(&format!("{prefix}{}\n", hits.len()));
            continue;
        }
        let mut shown: Option<usize> = None;
        for k in hits.iter().copied() {
            let num = |k: usize, sep: char| if number { format!("{}{sep}", k + 1) } else { String::new() };
            if o {
                if !v {
                    for r in &regexes {
                        for m in r.find_iter(all[k]).filter(|m| !m.is_empty()) {
                            p.out.push_str(&format!("{prefix}{}{}\n", num(k, ':'), m.as_str()));
                        }
                    }
                }
                continue;
            }
            let from = k.saturating_sub(before).max(shown.map_or(0, |s| s + 1));
            if (after > 0 || before > 0) && shown.is_some_and(|s| from > s + 1) {
                p.out.push_str("--\n");
            }
            let to = (k + after).min(all.len() - 1);
            for (j, line) in all.iter().enumerate().take(to + 1).skip(from) {
                let is_hit = hits.binary_search(&j).is_ok();
                p.out.push_str(&format!("{prefix}{}{line}\n", num(j, if is_hit { ':' } else { '-' })));
            }
            shown = Some(to.max(shown.unwrap_or(0)));
        }
    }
    Ok(if any && (quiet || failed == 0) {
        0
    } else if failed != 0 {
        2
    } else {
        1
    })
}
