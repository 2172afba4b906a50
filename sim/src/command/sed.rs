//! `sed`: `s`, `p`, `d`, `q` with line numbers, `$` and `/re/` as addresses.

use regex_lite::Regex;

use super::grep::regex;
use super::text::{inputs, lines};
use super::{Exit, Proc, Refusal};

enum Addr {
    Line(usize),
    Last,
    Match(Regex),
}

enum Act {
    Substitute { re: Regex, with: Vec<Part>, all: bool, nth: usize, print: bool },
    Print,
    Delete,
    Quit,
}

enum Part {
    Text(String),
    Group(usize),
}

struct Cmd {
    from: Option<Addr>,
    to: Option<Addr>,
    not: bool,
    act: Act,
    open: bool,
}

/// Runs it.
///
/// # Errors
/// Options and commands that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut quiet, mut extended, mut in_place) = (false, false, false);
    let (mut scripts, mut files): (Vec<(String, usize)>, Vec<String>) = (Vec::new(), Vec::new());
    let mut i = 1;
    while i < argv.len() {
        match argv[i].as_str() {
            "-n" => quiet = true,
            "-E" | "-r" => extended = true,
            "-nE" | "-En" | "-nr" | "-rn" => (quiet, extended) = (true, true),
            "-i" => in_place = true,
            "-e" => {
                i += 1;
                scripts.push((argv.get(i).cloned().unwrap_or_default(), i));
            }
            a if a.starts_with('-') && a.len() > 1 => return Err(Refusal::new(format!("sed {a}"), i)),
            a => files.push(a.to_owned()),
        }
        i += 1;
    }
    if scripts.is_empty() {
        if files.is_empty() {
            p.err.push_str("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n");
            return Ok(1);
        }
        let at = argv.iter().position(|a| *a == files[0]).unwrap_or(1);
        scripts.push((files.remove(0), at));
    }
    let mut cmds = Vec::new();
    for (s, at) in &scripts {
        parse(s, extended, &mut cmds).map_err(|what| Refusal::new(format!("sed: {what}"), *at))?;
    }
    let (texts, status) = inputs(p, "sed", &files);
    if in_place {
        for (name, t) in texts {
            let all: Vec<&str> = lines(&t).collect();
            let out = walk(&mut cmds, &all, quiet);
            let path = p.path(&name);
            if let Err(e) = p.sess.write_file(p.host, p.ns, &path, &out, false) {
                p.err.push_str(&format!("sed: couldn't write {name}: {e}\n"));
                return Ok(4);
            }
        }
        return Ok(if status == 0 { 0 } else { 2 });
    }
    let all: Vec<&str> = texts.iter().flat_map(|(_, t)| lines(t)).collect();
    let out = walk(&mut cmds, &all, quiet);
    p.out.push_str(&out);
    Ok(if status == 0 { 0 } else { 2 })
}

fn walk(cmds: &mut [Cmd], all: &[&str], quiet: bool) -> String {
    let mut out = String::new();
    for (k, line) in all.iter().enumerate() {
        let mut space = (*line).to_owned();
        let (mut deleted, mut quit) = (false, false);
        for c in cmds.iter_mut() {
            if !c.selects(&space, k + 1, k + 1 == all.len()) {
                continue;
            }
            match &c.act {
                Act::Delete => {
                    deleted = true;
                    break;
                }
                Act::Print => out.push_str(&format!("{space}\n")),
                Act::Quit => {
                    quit = true;
                    break;
                }
                Act::Substitute { re, with, all, nth, print } => {
                    if let Some(new) = substitute(re, with, *all, *nth, &space) {
                        space = new;
                        if *print {
                            out.push_str(&format!("{space}\n"));
                        }
                    }
                }
            }
        }
        if !deleted && !quiet {
            out.push_str(&format!("{space}\n"));
        }
        if quit {
            break;
        }
    }
    out
}

impl Cmd {
    fn selects(&mut self, line: &str, n: usize, last: bool) -> bool {
        let is = |a: &Addr| match a {
            Addr::Line(k) => *k == n,
            Addr::Last => last,
            Addr::Match(r) => r.is_match(line),
        };
        let hit = match (&self.from, &self.to) {
            (None, _) => true,
            (Some(a), None) => is(a),
            (Some(a), Some(b)) => {
                if self.open {
                    let past = matches!(b, Addr::Line(k) if *k <= n);
                    if is(b) || past {
                        self.open = false;
                    }
                    !matches!(b, Addr::Line(k) if *k < n)
                } else if is(a) {
                    self.open = !matches!(b, Addr::Line(k) if *k <= n);
                    true
                } else {
                    false
                }
            }
        };
        hit != self.not
    }
}

fn substitute(re: &Regex, with: &[Part], all: bool, nth: usize, line: &str) -> Option<String> {
    let (mut out, mut at, mut n) = (String::new(), 0, 0);
    for caps in re.captures_iter(line) {
        let m = caps.get(0)?;
        n += 1;
        if n < nth || (n > nth && !all) {
            continue;
        }
        out.push_str(&line[at..m.start()]);
        for p in with {
            match p {
                Part::Text(t) => out.push_str(t),
                Part::Group(g) => out.push_str(caps.get(*g).map_or("", |m| m.as_str())),
            }
        }
        at = m.end();
    }
    if n < nth {
        return None;
    }
    out.push_str(&line[at..]);
    Some(out)
}

fn address(c: &[char], i: &mut usize, extended: bool) -> Result<Option<Addr>, String> {
    match c.get(*i) {
        Some('$') => {
            *i += 1;
            Ok(Some(Addr::Last))
        }
        Some(d) if d.is_ascii_digit() => {
            let text: String = c[*i..].iter().take_while(|x| x.is_ascii_digit()).collect();
            *i += text.len();
            Ok(Some(Addr::Line(text.parse().map_err(|_| format!("line {text}"))?)))
        }
        Some('/') => {
            *i += 1;
            let text = until(c, i, '/')?;
            Ok(Some(Addr::Match(regex(&text, extended, false)?)))
        }
        _ => Ok(None),
    }
}

/// Text up to a delimiter that no `\` stands before.
fn until(c: &[char], i: &mut usize, delim: char) -> Result<String, String> {
    let mut out = String::new();
    while let Some(x) = c.get(*i) {
        *i += 1;
        if *x == delim {
            return Ok(out);
        }
        if *x == '\\'
            && let Some(next) = c.get(*i)
        {
            *i += 1;
            if *next != delim {
                out.push('\\');
            }
            out.push(*next);
            continue;
        }
        out.push(*x);
    }
    Err(format!("unterminated expression, a {delim} is missing"))
}

fn parse(script: &str, extended: bool, out: &mut Vec<Cmd>) -> Result<(), String> {
    let c: Vec<char> = script.chars().collect();
    let mut i = 0;
    loop {
        while c.get(i).is_some_and(|x| x.is_whitespace() || *x == ';') {
            i += 1;
        }
        if i >= c.len() {
            return Ok(());
        }
        let from = address(&c, &mut i, extended)?;
        let mut to = None;
        if from.is_some() && c.get(i) == Some(&',') {
            i += 1;
            to = Some(address(&c, &mut i, extended)?.ok_or("an address after the comma")?);
        }
        while c.get(i) == Some(&' ') {
            i += 1;
        }
        let not = c.get(i) == Some(&'!');
        i += usize::from(not);
        let act = match c.get(i) {
            Some('p') => Act::Print,
            Some('d') => Act::Delete,
            Some('q') => Act::Quit,
            Some('s') => {
                i += 1;
                let delim = *c.get(i).ok_or("s without a delimiter")?;
                i += 1;
                let re = until(&c, &mut i, delim)?;
                let text = until(&c, &mut i, delim)?;
                let (mut all, mut print, mut icase, mut nth) = (false, false, false, 1);
                while let Some(f) = c.get(i) {
                    match f {
                        'g' => all = true,
                        'p' => print = true,
                        'i' | 'I' => icase = true,
                        d if d.is_ascii_digit() && *d != '0' => nth = *d as usize - '0' as usize,
                        ';' | '\n' | ' ' | '}' => break,
                        f => return Err(format!("the flag {f} of s")),
                    }
                    i += 1;
                }
                i = i.saturating_sub(1);
                Act::Substitute { re: regex(&re, extended, icase)?, with: replacement(&text), all, nth, print }
            }
            Some(x) => return Err(format!("the command {x}")),
            None => return Err("an address without a command".into()),
        };
        i += 1;
        out.push(Cmd { from, to, not, act, open: false });
    }
}

fn replacement(text: &str) -> Vec<Part> {
    let (mut out, mut cur) = (Vec::new(), String::new());
    let mut it = text.chars();
    while let Some(c) = it.next() {
        let group = match c {
            '&' => Some(0),
            '\\' => match it.next() {
                Some(d) if d.is_ascii_digit() => Some(d as usize - '0' as usize),
                Some('n') => {
                    cur.push('\n');
                    None
                }
                Some('t') => {
                    cur.push('\t');
                    None
                }
                Some(x) => {
                    cur.push(x);
                    None
                }
                None => None,
            },
            c => {
                cur.push(c);
                None
            }
        };
        if let Some(g) = group {
            out.push(Part::Text(std::mem::take(&mut cur)));
            out.push(Part::Group(g));
        }
    }
    out.push(Part::Text(cur));
    out
}
