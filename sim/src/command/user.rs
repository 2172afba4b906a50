//! Tools about users: `id`, `whoami`, and those that start another as somebody else: `setpriv`, `runuser`, `su`.

use super::wrap::{sh, start};
use super::{Exit, Proc, Refusal};
use crate::etc::users;
use crate::kernel::cred::Cred;

/// What runs as an ordinary user here: no capability, no other user's file and no low port is asked for.
const ORDINARY: &[&str] = &[
    "[", "awk", "bash", "basename", "cat", "curl", "cut", "date", "dirname", "echo", "egrep", "env", "false", "fgrep",
    "grep", "head", "hostname", "id", "nc", "nohup", "printf", "seq", "sh", "sleep", "sort", "tail", "test", "timeout",
    "tr", "true", "uname", "uniq", "wc", "wget", "whoami", "xargs",
];

/// A process that is not root's may run the tool.
///
/// # Errors
/// What it may not do is not modelled.
pub fn allowed(p: &Proc<'_>, argv: &[String]) -> Result<(), Refusal> {
    let tool = argv[0].rsplit('/').next().unwrap_or("");
    let listens = tool == "nc" && argv.iter().any(|a| a.starts_with('-') && a.contains('l'));
    if p.cred.is_root() || ORDINARY.contains(&tool) && !listens {
        return Ok(());
    }
    Err(Refusal::new(format!("{tool} as another user than root"), 0))
}

/// `id`: in a container only root has a name.
///
/// # Errors
/// Other options than `-u`, `-g` and `-n`.
pub fn id(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let root = |n: u32| (n == 0).then_some("root");
    let user = |p: &Proc<'_>, n| if p.inside { root(n) } else { users::user_name(n) };
    let group = |p: &Proc<'_>, n| if p.inside { root(n) } else { users::group_name(n) };
    let named = |n: u32, name: Option<&str>| name.map_or_else(|| n.to_string(), |name| format!("{n}({name})"));
    let Cred { uid, gid, groups } = p.cred.clone();
    let text = match argv.get(1..).unwrap_or_default() {
        [] => {
            let mut all = vec![gid];
            all.extend(groups.iter().filter(|g| **g != gid));
            let all: Vec<String> = all.into_iter().map(|g| named(g, group(p, g))).collect();
            format!("uid={} gid={} groups={}", named(uid, user(p, uid)), named(gid, group(p, gid)), all.join(","))
        }
        [a] if a == "-u" => uid.to_string(),
        [a] if a == "-g" => gid.to_string(),
        [a] if matches!(a.as_str(), "-un" | "-nu") => match user(p, uid) {
            Some(name) => name.to_owned(),
            None => return Err(Refusal::new("id -un of a user without a name", 1)),
        },
        [a, ..] => return Err(Refusal::new(format!("id {a}"), 1)),
    };
    p.out.push_str(&format!("{text}\n"));
    Ok(0)
}

/// `whoami`.
pub fn whoami(p: &mut Proc<'_>) -> i32 {
    let uid = p.cred.uid;
    let name = if p.inside { (uid == 0).then_some("root") } else { users::user_name(uid) };
    match name {
        Some(name) => p.out.push_str(&format!("{name}\n")),
        None if p.inside => p.err.push_str(&format!("whoami: unknown uid {uid}\n")),
        None => p.err.push_str(&format!("whoami: cannot find name for user ID {uid}\n")),
    }
    i32::from(name.is_none())
}

/// Runs one of the tools that change the user.
///
/// # Errors
/// Options that are not modelled, and what the started tool refuses.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    if argv[0] == "setpriv" { setpriv(p, argv) } else { su(p, argv) }
}

/// Starts a tool as somebody.
fn as_user(p: &mut Proc<'_>, cred: Cred, run: impl FnOnce(&mut Proc<'_>) -> Exit) -> Exit {
    let before = std::mem::replace(&mut p.cred, cred);
    p.sess.kernel.set_cred(p.pid, &p.cred);
    let done = run(p);
    p.cred = before;
    if !p.background {
        p.sess.kernel.set_cred(p.pid, &p.cred);
    }
    done
}

fn setpriv(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut cred = p.cred.clone();
    let (mut regid, mut groups, mut i) = (false, false, 1);
    while let Some(a) = argv.get(i).filter(|a| a.starts_with("--")) {
        if a == "--" {
            i += 1;
            break;
        }
        let (name, mut value) = match a.split_once('=') {
            Some((n, v)) => (n, Some(v.to_owned())),
            None => (a.as_str(), None),
        };
        if matches!(name, "--reuid" | "--regid" | "--groups") && value.is_none() {
            i += 1;
            value = argv.get(i).cloned();
        }
        let value = value.unwrap_or_default();
        let bad = |what: &str| format!("setpriv: failed to parse {what}: '{value}'\n");
        match name {
            "--reuid" => match value.parse().ok().or_else(|| users::user(&value).map(|u| u.0)) {
                Some(n) => cred.uid = n,
                None => return Ok(failed(p, &bad("reuid"))),
            },
            "--regid" => match value.parse().ok().or_else(|| users::group(&value)) {
                Some(n) => (cred.gid, regid) = (n, true),
                None => return Ok(failed(p, &bad("regid"))),
            },
            "--clear-groups" => {
                cred.groups.clear();
                groups = true;
            }
            "--keep-groups" => groups = true,
            "--init-groups" => {
                cred.groups = users::USERS.iter().filter(|u| u.1 == cred.uid).map(|u| u.2).collect();
                groups = true;
            }
            "--groups" => {
                let one = |g: &str| g.parse().ok().or_else(|| users::group(g));
                match value.split(',').map(one).collect() {
                    Some(list) => (cred.groups, groups) = (list, true),
                    None => return Err(Refusal::new(format!("setpriv --groups {value}"), i)),
                }
            }
            other => return Err(Refusal::new(format!("setpriv {other}"), i)),
        }
        i += 1;
    }
    if regid && !groups {
        let text = "setpriv: --[re]gid requires --keep-groups, --clear-groups, --init-groups, or --groups\n";
        return Ok(failed(p, text));
    }
    if i >= argv.len() {
        return Err(Refusal::new("setpriv without a program", 0));
    }
    as_user(p, cred, |p| start(p, argv, i))
}

fn failed(p: &mut Proc<'_>, text: &str) -> i32 {
    p.err.push_str(text);
    1
}

/// `runuser -u USER [--] PROGRAM`, `runuser USER -c LINE`, `su [-] USER [-s SHELL] -c LINE`.
fn su(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    if p.inside {
        return Err(Refusal::new(format!("{} in a container", argv[0]), 0));
    }
    let (mut name, mut line, mut shell, mut program, mut i) = (None, None, None, false, 1);
    while let Some(a) = argv.get(i) {
        match a.as_str() {
            "-" | "-l" | "--login" => {}
            "-c" | "--command" | "-s" | "--shell" => {
                i += 1;
                let v = argv.get(i).cloned();
                *(if matches!(a.as_str(), "-c" | "--command") { &mut line } else { &mut shell }) = v;
            }
            "-u" | "--user" if argv[0] == "runuser" => {
                i += 1;
                name = argv.get(i).cloned();
                program = true;
            }
            "--" if program => {
                i += 1;
                break;
            }
            a if a.starts_with('-') => return Err(Refusal::new(format!("{} {a}", argv[0]), i)),
            _ if program => break,
            a if name.is_none() => name = Some(a.to_owned()),
            a => return Err(Refusal::new(format!("{} with the argument {a}", argv[0]), i)),
        }
        i += 1;
    }
    let name = name.unwrap_or_else(|| "root".to_owned());
    let Some((uid, gid)) = users::user(&name) else {
        let why = "does not exist or the user entry does not contain all the required fields";
        p.err.push_str(&format!("{}: user {name} {why}\n", argv[0]));
        return Ok(1);
    };
    let cred = Cred { uid, gid, groups: vec![gid] };
    if program {
        return as_user(p, cred, |p| start(p, argv, i));
    }
    if shell.is_none() && uid != 0 {
        // Of Debian's own users only root has a shell.
        p.out.push_str("This account is currently not available.\n");
        return Ok(1);
    }
    let shell = shell.unwrap_or_else(|| "bash".to_owned());
    let base = shell.rsplit('/').next().unwrap_or("").to_owned();
    match line {
        Some(line) if matches!(base.as_str(), "sh" | "bash") => {
            as_user(p, cred, |p| sh(p, &[base, "-c".to_owned(), line]))
        }
        Some(_) => Err(Refusal::new(format!("{} -s {shell}", argv[0]), 0)),
        None => Err(Refusal::new(format!("{} without -c", argv[0]), 0)),
    }
}
