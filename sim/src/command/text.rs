//! `echo`, `printf`, `cat`, `head`, `tail`, `tee`, `wc`.

use super::{Exit, Proc, Refusal};
use crate::kernel::types::Errno;

/// Runs one of them.
///
/// # Errors
/// Options that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    match argv[0].as_str() {
        "echo" => echo(p, argv),
        "printf" => printf(p, argv),
        "cat" => cat(p, argv),
        "head" | "tail" => head_tail(p, argv),
        "tee" => tee(p, argv),
        _ => wc(p, argv),
    }
}

/// `\n`, `\t`, `\\`, `\033`, `\x1b` and so on as `printf` and `$'…'` read them.
pub fn escapes(text: &str) -> String {
    let c: Vec<char> = text.chars().collect();
    let (mut out, mut i) = (String::new(), 0);
    while i < c.len() {
        if c[i] != '\\' || i + 1 >= c.len() {
            out.push(c[i]);
            i += 1;
            continue;
        }
        i += 2;
        let number = |from: usize, most: usize, radix: u32| {
            let digits: String = c[from..].iter().take(most).take_while(|x| x.is_digit(radix)).collect();
            (u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32), digits.len())
        };
        match c[i - 1] {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'e' => out.push('\u{1b}'),
            '\\' => out.push('\\'),
            '\'' => out.push('\''),
            '"' => out.push('"'),
            'x' => {
                let (ch, n) = number(i, 2, 16);
                match ch {
                    Some(ch) => out.push(ch),
                    None => out.push_str("\\x"),
                }
                i += n;
            }
            '0'..='7' => {
                let (ch, n) = number(i - 1, 4, 8);
                out.extend(ch);
                i += n - 1;
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out
}

/// The texts that a tool reads: its files, or standard input; a file that cannot be read is complained about.
pub(super) fn inputs(p: &mut Proc<'_>, tool: &str, files: &[String]) -> (Vec<(String, String)>, i32) {
    if files.is_empty() {
        return (vec![("-".into(), std::mem::take(&mut p.stdin))], 0);
    }
    let (mut out, mut status) = (Vec::new(), 0);
    for f in files {
        if f == "-" {
            out.push((f.clone(), std::mem::take(&mut p.stdin)));
            continue;
        }
        match p.read(f) {
            Ok(t) => out.push((f.clone(), t)),
            Err(e) => {
                let text = match tool {
                    "head" | "tail" => format!("{tool}: cannot open '{f}' for reading: {e}\n"),
                    "sort" => format!("{tool}: cannot read: {f}: {e}\n"),
                    "sed" => format!("{tool}: can't read {f}: {e}\n"),
                    _ => format!("{tool}: {f}: {e}\n"),
                };
                p.err.push_str(&text);
                status = 1;
            }
        }
    }
    (out, status)
}

/// The lines of a text, without their ends.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').take(if text.is_empty() { 0 } else { usize::MAX })
}

fn echo(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut i, mut newline, mut esc) = (1, true, false);
    while let Some(a) = argv.get(i) {
        match a.as_str() {
            "-n" => newline = false,
            "-e" => esc = true,
            "-E" => esc = false,
            "-ne" | "-en" => (newline, esc) = (false, true),
            _ => break,
        }
        i += 1;
    }
    let text = argv[i..].join(" ");
    p.out.push_str(&if esc { escapes(&text) } else { text });
    if newline {
        p.out.push('\n');
    }
    Ok(0)
}

fn printf(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let at = if argv.get(1).map(String::as_str) == Some("--") { 2 } else { 1 };
    let Some(format) = argv.get(at) else {
        p.err.push_str("printf: usage: printf [-v var] format [arguments]\n");
        return Ok(2);
    };
    if format == "-v" {
        return Err(Refusal::new("printf -v", at));
    }
    let format: Vec<char> = format.chars().collect();
    let mut args = argv[at + 1..].iter();
    loop {
        let left = args.len();
        let mut i = 0;
        while i < format.len() {
            if format[i] == '\\' {
                let end = (i + 5).min(format.len());
                let mut n = 2;
                if format.get(i + 1).is_some_and(|c| c.is_digit(8)) {
                    n = 1 + format[i + 1..end].iter().take(4).take_while(|c| c.is_digit(8)).count();
                } else if format.get(i + 1) == Some(&'x') {
                    n = 2 + format[(i + 2).min(format.len())..]
                        .iter()
                        .take(2)
                        .take_while(|c| c.is_ascii_hexdigit())
                        .count();
                }
                let piece: String = format[i..(i + n).min(format.len())].iter().collect();
                p.out.push_str(&escapes(&piece));
                i += n;
                continue;
            }
            if format[i] != '%' {
                p.out.push(format[i]);
                i += 1;
                continue;
            }
            let start = i;
            i += 1;
            let (mut minus, mut zero, mut width, mut prec) = (false, false, String::new(), None::<String>);
            while let Some(c) = format.get(i) {
                match c {
                    '-' => minus = true,
                    '0' if width.is_empty() && prec.is_none() => zero = true,
                    '.' => prec = Some(String::new()),
                    c if c.is_ascii_digit() => prec.as_mut().unwrap_or(&mut width).push(*c),
                    _ => break,
                }
                i += 1;
            }
            let Some(kind) = format.get(i) else { break };
            i += 1;
            let width = width.parse::<usize>().unwrap_or(0).min(4096);
            let prec = prec.map(|x| x.parse::<usize>().unwrap_or(0).min(4096));
            let text = match kind {
                '%' => "%".to_owned(),
                's' | 'b' => {
                    let a = args.next().cloned().unwrap_or_default();
                    let a = if *kind == 'b' { escapes(&a) } else { a };
                    a.chars().take(prec.unwrap_or(usize::MAX)).collect()
                }
                'c' => args.next().and_then(|a| a.chars().next()).map(String::from).unwrap_or_default(),
                'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                    let a = args.next().cloned().unwrap_or_default();
                    let t = a.trim();
                    let n = match t.strip_prefix("0x") {
                        Some(h) => i64::from_str_radix(h, 16),
                        None => t.parse::<i64>().or_else(|e| if t.is_empty() { Ok(0) } else { Err(e) }),
                    };
                    let n = n.unwrap_or_else(|_| {
                        p.err.push_str(&format!("printf: {a}: invalid number\n"));
                        0
                    });
                    match kind {
                        'x' => format!("{n:x}"),
                        'X' => format!("{n:X}"),
                        'o' => format!("{n:o}"),
                        _ => n.to_string(),
                    }
                }
                _ => {
                    let what: String = format[start..i].iter().collect();
                    return Err(Refusal::new(format!("printf {what}"), at));
                }
            };
            let pad = width.saturating_sub(text.chars().count());
            match (minus, zero && *kind != 's') {
                (true, _) => p.out.push_str(&format!("{text}{}", " ".repeat(pad))),
                (false, true) => p.out.push_str(&format!("{}{text}", "0".repeat(pad))),
                (false, false) => p.out.push_str(&format!("{}{text}", " ".repeat(pad))),
            }
        }
        if args.len() == 0 || args.len() == left {
            return Ok(0);
        }
    }
}

fn cat(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut files, mut number) = (Vec::new(), false);
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.as_str() {
            "-n" => number = true,
            a if a.starts_with('-') && a.len() > 1 => return Err(Refusal::new(format!("cat {a}"), i)),
            _ => files.push(a.clone()),
        }
    }
    let (texts, status) = inputs(p, "cat", &files);
    let mut n = 0;
    for (_, t) in texts {
        if number {
            for l in lines(&t) {
                n += 1;
                p.out.push_str(&format!("{n:6}\t{l}\n"));
            }
        } else {
            p.out.push_str(&t);
        }
    }
    Ok(status)
}

fn head_tail(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let tool = argv[0].clone();
    let (mut count, mut from_start, mut all_but, mut bytes, mut files) = (10usize, false, false, false, Vec::new());
    let mut i = 1;
    while i < argv.len() {
        let a = argv[i].as_str();
        let mut value = None;
        if a == "-n" || a == "-c" {
            bytes = a == "-c";
            i += 1;
            value = argv.get(i).map(String::as_str);
            if value.is_none() {
                p.err.push_str(&format!("{tool}: option requires an argument -- '{}'\n", &a[1..]));
                return Ok(1);
            }
        } else if let Some(v) = a.strip_prefix("-n").or_else(|| a.strip_prefix("-c")) {
            bytes = a.starts_with("-c");
            value = Some(v);
        } else if a.len() > 1 && a.starts_with('-') && a[1..].chars().all(|c| c.is_ascii_digit()) {
            value = Some(&a[1..]);
        } else if a.starts_with('-') && a.len() > 1 && a != "-q" {
            return Err(Refusal::new(format!("{tool} {a}"), i));
        } else if a != "-q" {
            files.push(a.to_owned());
        }
        if let Some(v) = value {
            from_start = tool == "tail" && v.starts_with('+');
            all_but = tool == "head" && v.starts_with('-');
            match v.trim_start_matches(['+', '-']).parse() {
                Ok(n) => count = n,
                Err(_) => {
                    let unit = if bytes { "bytes" } else { "lines" };
                    p.err.push_str(&format!("{tool}: invalid number of {unit}: '{v}'\n"));
                    return Ok(1);
                }
            }
        }
        i += 1;
    }
    let (texts, status) = inputs(p, &tool, &files);
    let many = texts.len() > 1;
    for (k, (name, t)) in texts.iter().enumerate() {
        if many {
            p.out.push_str(&format!("{}==> {name} <==\n", if k > 0 { "\n" } else { "" }));
        }
        let parts: Vec<&str> = if bytes {
            t.char_indices().map(|(i, c)| &t[i..i + c.len_utf8()]).collect()
        } else {
            t.split_inclusive('\n').collect()
        };
        let n = parts.len();
        let range = match (tool.as_str(), from_start, all_but) {
            ("head", _, true) => 0..n.saturating_sub(count),
            ("head", ..) => 0..count.min(n),
            (_, true, _) => count.saturating_sub(1).min(n)..n,
            _ => n.saturating_sub(count)..n,
        };
        p.out.extend(parts[range].iter().copied());
    }
    Ok(status)
}

fn tee(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let text = std::mem::take(&mut p.stdin);
    let (mut append, mut status) = (false, 0);
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.as_str() {
            "-a" => append = true,
            a if a.starts_with('-') => return Err(Refusal::new(format!("tee {a}"), i)),
            f => {
                let path = p.path(f);
                if p.inside && p.sess.read_only(p.host, p.ns, &path) {
                    p.err.push_str(&format!("tee: {f}: {}\n", Errno::EROFS));
                    status = 1;
                    continue;
                }
                if let Err(e) = p.sess.write_file(p.host, p.ns, &path, &text, append) {
                    p.err.push_str(&format!("tee: {f}: {e}\n"));
                    status = 1;
                }
            }
        }
    }
    p.out.push_str(&text);
    Ok(status)
}

fn wc(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut l, mut w, mut c, mut files) = (false, false, false, Vec::new());
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.strip_prefix('-').filter(|f| !f.is_empty()) {
            Some(flags) => {
                for f in flags.chars() {
                    match f {
                        'l' => l = true,
                        'w' => w = true,
                        'c' | 'm' => c = true,
                        _ => return Err(Refusal::new(format!("wc {a}"), i)),
                    }
                }
            }
            None => files.push(a.clone()),
        }
    }
    if !(l || w || c) {
        (l, w, c) = (true, true, true);
    }
    let stdin = files.is_empty();
    let (texts, status) = inputs(p, "wc", &files);
    let one = [l, w, c].iter().filter(|x| **x).count() == 1;
    let mut total = [0usize; 3];
    let row = |n: [usize; 3], name: &str| {
        let cells: Vec<String> = n
            .iter()
            .zip([l, w, c])
            .filter(|(_, on)| *on)
            .map(|(n, _)| if one { n.to_string() } else { format!("{n:7}") })
            .collect();
        if name.is_empty() { format!("{}\n", cells.join(" ")) } else { format!("{} {name}\n", cells.join(" ")) }
    };
    for (name, t) in &texts {
        let n = [t.matches('\n').count(), t.split_whitespace().count(), t.len()];
        for (a, b) in total.iter_mut().zip(n) {
            *a += b;
        }
        p.out.push_str(&row(n, if stdin { "" } else { name }));
    }
    if texts.len() > 1 {
        p.out.push_str(&row(total, "total"));
    }
    Ok(status)
}
