//! `basename`, `dirname`, `hostname`, `ln`, `ls`, `mkdir`, `readlink`, `rm`, `touch`.

use super::{Exit, Proc, Refusal};
use crate::kernel::types::Errno;
use crate::shell::vfs::{Entry, Kind};

/// Runs one of them.
///
/// # Errors
/// Options that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let tool = argv[0].clone();
    let known = match tool.as_str() {
        "ln" => "sfn",
        "ls" => "1ald",
        "mkdir" => "p",
        "rm" => "rf",
        "readlink" => "fe",
        "hostname" if !p.inside => "sfiI",
        "hostname" => "sfi",
        _ => "",
    };
    let (mut flags, mut args) = (String::new(), Vec::new());
    for (i, a) in argv.iter().enumerate().skip(1) {
        match a.strip_prefix('-').filter(|f| !f.is_empty()) {
            Some(f) if f.chars().all(|c| known.contains(c)) => flags.push_str(f),
            Some(_) => return Err(Refusal::new(format!("{tool} {a}"), i)),
            None => args.push(a.clone()),
        }
    }
    let has = |c: char| flags.contains(c);
    if args.is_empty() && !matches!(tool.as_str(), "ls" | "hostname") {
        p.err.push_str(&format!("{tool}: missing operand\nTry '{tool} --help' for more information.\n"));
        return Ok(1);
    }
    let mut status = 0;
    match tool.as_str() {
        "basename" => {
            let name = args[0].trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let cut = args.get(1).and_then(|s| name.strip_suffix(s.as_str())).filter(|n| !n.is_empty()).unwrap_or(name);
            p.out.push_str(&format!("{}\n", if cut.is_empty() { "/" } else { cut }));
        }
        "dirname" => {
            let dir =
                args[0].trim_end_matches('/').rsplit_once('/').map_or(".", |(d, _)| if d.is_empty() { "/" } else { d });
            p.out.push_str(&format!("{dir}\n"));
        }
        "hostname" => {
            if !args.is_empty() {
                return Err(Refusal::new("hostname NAME", 1));
            }
            // A container has a name of its own.
            let named = p.inside || p.sess.roots.contains_key(&p.ns);
            let own = named.then(|| p.read("/etc/hostname").ok()).flatten();
            let name = own.map_or_else(|| p.sess.kernel.host(p.host).name.clone(), |t| t.trim_end().to_owned());
            if has('I') {
                let up = p.sess.kernel.devs_of(p.ns).filter(|d| d.is_up() && !d.is_loopback());
                let all = up.flat_map(|d| &d.addrs);
                let text: String = all.map(|a| format!("{} ", a.local)).collect();
                p.out.push_str(&format!("{text}\n"));
                return Ok(0);
            }
            if has('i') {
                match p.lookup(&name) {
                    Ok(a) => p.out.push_str(&format!("{a}\n")),
                    Err(e) => {
                        p.err.push_str(&format!("hostname: {name}: {}\n", e.text()));
                        return Ok(1);
                    }
                }
                return Ok(0);
            }
            if has('f') && p.inside {
                let hosts = p.read("/etc/hosts").unwrap_or_default();
                let line = hosts.lines().find(|l| l.split_whitespace().skip(1).any(|w| w == name));
                let Some(full) = line.and_then(|l| l.split_whitespace().nth(1)) else {
                    p.err.push_str(&format!("hostname: {name}: Host name lookup failure\n"));
                    return Ok(1);
                };
                p.out.push_str(&format!("{full}\n"));
                return Ok(0);
            }
            p.out.push_str(&format!("{name}\n"));
        }
        "ln" => {
            if !has('s') {
                return Err(Refusal::new("ln without -s", 0));
            }
            let target = args[0].clone();
            let mut link = args.get(1).cloned().unwrap_or_else(|| ".".into());
            let full = p.path(&link);
            if p.sess.is_dir(p.host, p.ns, &full) {
                link = format!("{}/{}", link.trim_end_matches('/'), target.rsplit('/').next().unwrap_or_default());
            }
            let full = p.path(&link);
            if has('f') {
                // What is not there need not be removed.
                let _ = p.sess.remove(p.host, p.ns, &full, false);
            }
            if let Err(e) = p.sess.symlink(p.host, p.ns, &target, &full) {
                p.err.push_str(&format!("ln: failed to create symbolic link '{link}': {e}\n"));
                status = 1;
            }
        }
        "mkdir" => {
            for a in &args {
                let full = p.path(a);
                if has('p') {
                    let mut at = String::new();
                    for part in full.split('/').filter(|x| !x.is_empty()) {
                        at = format!("{at}/{part}");
                        match p.sess.mkdir(p.host, p.ns, &at) {
                            Ok(()) => {}
                            Err(Errno::EEXIST) if p.sess.is_dir(p.host, p.ns, &at) => {}
                            Err(e) => {
                                p.err.push_str(&format!("mkdir: cannot create directory '{a}': {e}\n"));
                                status = 1;
                                break;
                            }
                        }
                    }
                } else if let Err(e) = p.sess.mkdir(p.host, p.ns, &full) {
                    p.err.push_str(&format!("mkdir: cannot create directory '{a}': {e}\n"));
                    status = 1;
                }
            }
        }
        "readlink" => {
            for a in &args {
                let full = p.path(a);
                if full.ends_with("/ns/net")
                    && let Some(ns) = p.sess.netns_at(p.host, p.ns, &full)
                {
                    p.out.push_str(&format!("net:[{}]\n", 4_026_531_840u32 + ns.0));
                    continue;
                }
                match p.sess.files.get(&p.host).and_then(|v| v.entries.get(&full)) {
                    Some(Entry::Link(to)) => {
                        let to = format!("{to}\n");
                        p.out.push_str(&to);
                    }
                    _ if has('f') => p.out.push_str(&format!("{full}\n")),
                    _ => status = 1,
                }
            }
        }
        "rm" => {
            for a in &args {
                let full = p.path(a);
                match p.sess.remove(p.host, p.ns, &full, has('r')) {
                    Ok(()) => {}
                    Err(Errno::ENOENT) if has('f') => {}
                    Err(e) => {
                        p.err.push_str(&format!("rm: cannot remove '{a}': {e}\n"));
                        status = 1;
                    }
                }
            }
        }
        "touch" => {
            for a in &args {
                let full = p.path(a);
                if let Err(e) = p.sess.write_file(p.host, p.ns, &full, "", true) {
                    p.err.push_str(&format!("touch: cannot touch '{a}': {e}\n"));
                    status = 1;
                }
            }
        }
        _ => {
            if has('l') {
                return Err(Refusal::new("ls -l", 1));
            }
            if args.is_empty() {
                args.push(".".into());
            }
            let many = args.len() > 1;
            for (i, a) in args.iter().enumerate() {
                let full = p.path(a);
                match p.sess.kind_of(p.host, p.ns, &full) {
                    Some(Kind::Dir) if !has('d') => {
                        if many {
                            p.out.push_str(&format!("{}{a}:\n", if i > 0 { "\n" } else { "" }));
                        }
                        for n in p.sess.list_dir(p.host, p.ns, &full).unwrap_or_default() {
                            p.out.push_str(&format!("{n}\n"));
                        }
                    }
                    Some(_) => p.out.push_str(&format!("{a}\n")),
                    None => {
                        p.err.push_str(&format!("ls: cannot access '{a}': No such file or directory\n"));
                        status = 2;
                    }
                }
            }
        }
    }
    Ok(status)
}
