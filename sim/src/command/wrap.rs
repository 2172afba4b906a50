//! Tools that start another: `sh`, `bash`, `env`, `nohup`, `nsenter`, `setsid`, `sudo`, `timeout`, `xargs`.

use super::misc::duration;
use super::{Exit, Proc, Refusal};
use crate::kernel::types::Pid;
use crate::shell::{parse, run_script_in};

/// `sh -c TEXT [NAME [ARG …]]`, or a script on standard input or in a file of the world.
///
/// # Errors
/// What the script holds that is not modelled, options.
pub fn sh(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut i = 1;
    let mut command = false;
    while let Some(a) = argv.get(i).filter(|a| a.starts_with('-') && a.len() > 1) {
        for c in a[1..].chars() {
            match c {
                'c' => command = true,
                'e' => p.errexit = true,
                'l' | 'i' => {}
                _ => return Err(Refusal::new(format!("{} {a}", argv[0]), i)),
            }
        }
        i += 1;
    }
    let (text, name, args, at) = match (command, argv.get(i)) {
        (true, Some(t)) => {
            let name = argv.get(i + 1).cloned().unwrap_or_else(|| argv[0].clone());
            (t.clone(), name, argv.get(i + 2..).unwrap_or_default().to_vec(), i)
        }
        (true, None) => {
            p.err.push_str(&format!("{}: -c: option requires an argument\n", argv[0]));
            return Ok(2);
        }
        (false, Some(f)) => match p.read(f) {
            Ok(t) => (t, f.clone(), argv[i + 1..].to_vec(), i),
            Err(e) => {
                p.err.push_str(&format!("{}: {f}: {e}\n", argv[0]));
                return Ok(127);
            }
        },
        (false, None) => (std::mem::take(&mut p.stdin), argv[0].clone(), Vec::new(), 0),
    };
    let script = parse::parse(&text).map_err(|problems| {
        let what = problems.first().map_or("syntax error", |x| &x.what);
        Refusal::new(format!("{} -c: {}", argv[0], what.strip_prefix("not modelled: ").unwrap_or(what)), at)
    })?;
    let depth = p.depth;
    run_script_in(p, &script, &name, &args, depth.saturating_sub(p.depth))
        .map_err(|(r, _)| Refusal::new(r.what, at))?;
    Ok(p.exit)
}

/// Runs one of the others.
///
/// # Errors
/// Options that are not modelled, and what the started tool refuses.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let args = &argv[1..];
    let dashes = args.iter().take_while(|a| a.starts_with('-')).count();
    match argv[0].as_str() {
        "nohup" => start(p, argv, 1),
        "setsid" => {
            for (i, a) in args[..dashes].iter().enumerate() {
                match a.as_str() {
                    "-f" | "--fork" => p.background = true,
                    "-w" | "--wait" | "-c" | "--ctty" => {}
                    _ => return Err(Refusal::new(format!("setsid {a}"), i + 1)),
                }
            }
            start(p, argv, 1 + dashes)
        }
        "sudo" => {
            if let Some(i) = args[..dashes].iter().position(|a| !matches!(a.as_str(), "-n" | "-E" | "-H")) {
                return Err(Refusal::new(format!("sudo {}", args[i]), i + 1));
            }
            start(p, argv, 1 + dashes)
        }
        "env" => {
            let mut i = 1;
            while let Some(a) = argv.get(i) {
                match a.split_once('=') {
                    Some((n, v)) => p.env.push((n.to_owned(), v.to_owned())),
                    None if a == "-i" => p.env.clear(),
                    None if a.starts_with('-') => return Err(Refusal::new(format!("env {a}"), i)),
                    None => break,
                }
                i += 1;
            }
            if i == argv.len() {
                for (n, v) in p.env.clone() {
                    p.out.push_str(&format!("{n}={v}\n"));
                }
                return Ok(0);
            }
            start(p, argv, i)
        }
        "timeout" => timeout(p, argv),
        "nsenter" => nsenter(p, argv),
        _ => xargs(p, argv),
    }
}

/// Starts the tool whose words begin at `at`.
pub(super) fn start(p: &mut Proc<'_>, argv: &[String], at: usize) -> Exit {
    let Some(name) = argv.get(at) else {
        p.err.push_str(&format!("{}: missing operand\n", argv[0]));
        return Ok(125);
    };
    let base = name.rsplit('/').next().unwrap_or(name);
    if !super::is_tool(base) {
        return Err(Refusal::new(format!("the tool {name}"), at));
    }
    let mut rest = argv[at..].to_vec();
    base.to_owned().clone_into(&mut rest[0]);
    super::run(p, &rest).map_err(|r| Refusal::new(r.what, r.arg + at))
}

fn timeout(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut i = 1;
    while let Some(a) = argv.get(i).filter(|a| a.starts_with('-')) {
        match a.as_str() {
            "-s" | "-k" => i += 1,
            "--foreground" | "-v" | "--preserve-status" => {}
            a if a.starts_with("-s") || a.starts_with("-k") || a.starts_with("--signal=") => {}
            _ => return Err(Refusal::new(format!("timeout {a}"), i)),
        }
        i += 1;
    }
    let Some(d) = argv.get(i).and_then(|t| duration(t)) else {
        let shown = argv.get(i).map_or("", String::as_str);
        p.err.push_str(&format!(
            "timeout: invalid time interval '{shown}'\nTry 'timeout --help' for more information.\n"
        ));
        return Ok(125);
    };
    let end = p.sess.kernel.now().saturating_add(d);
    let before = p.deadline;
    p.deadline = Some(before.map_or(end, |b| b.min(end)));
    let exit = start(p, argv, i + 1);
    p.deadline = before;
    match exit {
        Ok(_) if !p.background && d > 0 && p.sess.kernel.now() >= end => Ok(124),
        other => other,
    }
}

fn nsenter(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut pid, mut net, mut file, mut i) = (None, false, None, 1);
    while let Some(a) = argv.get(i).filter(|a| a.starts_with('-')) {
        if let Some(t) = a.strip_prefix("--target=") {
            pid = Some((t.to_owned(), i));
        } else if let Some(f) = a.strip_prefix("--net=") {
            file = Some((f.to_owned(), i));
        } else {
            match a.as_str() {
                "-t" | "--target" => {
                    i += 1;
                    pid = argv.get(i).map(|t| (t.clone(), i));
                }
                "-n" | "--net" => net = true,
                a if a.starts_with("-t") => pid = Some((a[2..].to_owned(), i)),
                a if a.starts_with("-n") => file = Some((a[2..].to_owned(), i)),
                _ => return Err(Refusal::new(format!("nsenter {a}: only the network namespace is modelled"), i)),
            }
        }
        i += 1;
    }
    let ns = match (&file, &pid) {
        (Some((f, _)), _) => {
            let path = p.path(f);
            match p.sess.netns_at(p.host, p.ns, &path) {
                Some(ns) => ns,
                None => {
                    p.err.push_str(&format!("nsenter: cannot open {f}: No such file or directory\n"));
                    return Ok(1);
                }
            }
        }
        (None, Some((t, _))) => {
            let found = match t.parse() {
                Ok(1) => Some(p.sess.kernel.host(p.host).root_ns),
                Ok(n) => p.sess.ns_of_pid(p.host, Pid(n)),
                Err(_) => None,
            };
            match found {
                Some(ns) if net => ns,
                Some(_) => p.ns,
                None => {
                    p.err.push_str(&format!("nsenter: cannot open /proc/{t}/ns/net: No such file or directory\n"));
                    return Ok(1);
                }
            }
        }
        (None, None) => {
            p.err.push_str("nsenter: no target PID specified for --net\n");
            return Ok(1);
        }
    };
    let saved = std::mem::replace(&mut p.ns, ns);
    let exit = if i < argv.len() { start(p, argv, i) } else { sh(p, &["sh".to_owned()]) };
    p.ns = saved;
    exit
}

fn xargs(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut per, mut replace, mut skip_empty, mut i) = (usize::MAX, None, false, 1);
    while let Some(a) = argv.get(i).filter(|a| a.starts_with('-')) {
        match a.as_str() {
            "-n" | "-I" => {
                i += 1;
                let v = argv.get(i).cloned().unwrap_or_default();
                if a == "-I" {
                    replace = Some(v);
                } else {
                    per = v.parse().unwrap_or(1).max(1);
                }
            }
            "-r" => skip_empty = true,
            a if a.starts_with("-n") => per = a[2..].parse().unwrap_or(1).max(1),
            a if a.starts_with("-I") => replace = Some(a[2..].to_owned()),
            _ => return Err(Refusal::new(format!("xargs {a}"), i)),
        }
        i += 1;
    }
    let command: Vec<String> = if i < argv.len() { argv[i..].to_vec() } else { vec!["echo".into()] };
    let text = std::mem::take(&mut p.stdin);
    let mut runs: Vec<Vec<String>> = Vec::new();
    if let Some(mark) = &replace {
        for l in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            runs.push(command.iter().map(|w| w.replace(mark.as_str(), l)).collect());
        }
    } else {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        for chunk in words.chunks(per.min(words.len().max(1))) {
            runs.push(command.iter().cloned().chain(chunk.iter().cloned()).collect());
        }
        if words.is_empty() && !skip_empty {
            runs.push(command);
        }
    }
    let mut status = 0;
    for words in runs.iter().take(10_000) {
        let code = start(p, words, 0).map_err(|r| Refusal::new(r.what, i.min(argv.len() - 1)))?;
        if code != 0 {
            status = 123;
        }
    }
    Ok(status)
}
