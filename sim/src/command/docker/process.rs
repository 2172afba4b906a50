//! What runs in a container: its command, what it wrote (`docker logs`), `docker pause`.

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::{client_error, daemon_error, docker, exec, no_such, profile, run};
use crate::docker::Profile;
use crate::docker::types::{Container, Mode, State};
use crate::kernel::sysctl::{SysctlError, segments};

/// Applets of the images' busybox that the model has not; what is neither here nor a tool of the model is in no image.
const APPLETS: &str = " adduser ash awk bzip2 chmod chown chroot cmp comm cp cpio crond cut date dd df diff dirname dmesg \
                       dnsdomainname du env expand expr find fold free ftpd fuser getty groups gunzip gzip hd hexdump \
                       hostid httpd id init install ipcalc kill killall last less logger login logname lsof md5sum \
                       microcom mkfifo mknod mktemp more mount mv nice nologin od paste pgrep pidof ping6 pkill \
                       printenv ps pwd renice reset resize rev rmdir route sha1sum sha256sum shuf split stat strings \
                       stty sum swapoff sync tar telnet telnetd tftp time tty tunctl udhcpc udhcpd umount unzip \
                       uptime users vconfig vi w watch who xxd yes zcat ";

/// Is a program in a container's image? What is and cannot run here is refused.
///
/// # Errors
/// An applet that the model has not.
pub fn in_image(name: &str) -> Result<bool, Refusal> {
    let base = name.rsplit('/').next().unwrap_or(name);
    if super::super::is_tool(name) {
        return Ok(true);
    }
    if APPLETS.split(' ').any(|a| a == base) {
        return Err(Refusal::new(format!("the tool {base} in a container"), 0));
    }
    Ok(false)
}

/// What runc says of a program that is not there, or of a path that is no program, with the status that goes with it.
pub fn not_found(name: &str, v20: bool) -> (String, i32) {
    const DIRS: &str = " / /bin /dev /etc /home /lib /proc /root /run /sbin /sys /tmp /usr /var ";
    let listed = |list: &str| list.split_whitespace().any(|d| d == name);
    let (text, status) = match name {
        _ if listed(DIRS) && !v20 => ("is a directory: permission denied".to_owned(), 126),
        _ if listed(DIRS) || listed("/etc/hosts /etc/hostname /etc/resolv.conf") => {
            ("permission denied".to_owned(), 126)
        }
        n if n.contains('/') => (format!("stat {n}: no such file or directory"), 127),
        _ => ("executable file not found in $PATH".to_owned(), 127),
    };
    (format!("unable to start container process: exec: \"{name}\": {text}"), status)
}

/// What runc says of a container that it does not start, as the engine words it.
fn runc(p: &Proc<'_>, text: &str) -> String {
    let failed = "failed to create shim task: OCI runtime create failed: runc create failed";
    match profile(p) {
        Profile::V20 => format!("{failed}: {text}: unknown"),
        _ => format!("failed to create task for container: {failed}: {text}"),
    }
}

/// Why a container's command cannot start, and the status of `docker run` then.
pub fn cannot_start(p: &Proc<'_>, name: &str) -> (String, i32) {
    let v20 = profile(p) == Profile::V20;
    let (text, status) = not_found(name, v20);
    match v20 {
        true => (runc(p, &text), status),
        false => (runc(p, &text.replacen(": exec:", ": error during container init: exec:", 1)), status),
    }
}

/// A `--sysctl` that runc refuses, with the status of `docker run`: one that would be the host's, or one that there is
/// not (libcontainer configs/validate, `WriteSysctls`).
pub fn bad_sysctl(p: &Proc<'_>, c: &Container) -> Option<(String, i32)> {
    if let Some((name, _)) = c.sysctls.first().filter(|_| c.mode == Mode::Host) {
        return Some((runc(p, &format!("sysctl \"{name}\" not allowed in host network namespace")), 125));
    }
    let ns = p.sess.kernel.host(p.host).root_ns;
    let unknown = |n: &str| matches!(p.sess.kernel.sysctl_get(ns, n), Err(SysctlError::NotFound));
    let (name, _) = c.sysctls.iter().find(|(n, _)| !n.contains(".eth") && unknown(n))?;
    let path = segments(name).join("/");
    let what = match profile(p) {
        Profile::V20 => format!("open /proc/sys/{path}"),
        _ => format!("open sysctl {name} file: unsafe procfs detected: openat2 fsmount:fscontext:proc/./sys/{path}"),
    };
    let text = "unable to start container process: error during container init";
    Some((runc(p, &format!("{text}: {what}: no such file or directory")), 127))
}

/// Does nothing end the command before somebody does?
fn stays(c: &Container, words: &[String]) -> bool {
    let base = words[0].rsplit('/').next().unwrap_or("");
    match base {
        "sh" | "ash" | "bash" | "cat" if words.len() == 1 => c.tty || c.open_stdin,
        "sleep" | "top" => true,
        "tail" => words.iter().any(|w| w == "-f"),
        _ => false,
    }
}

/// The command of a container that was just started, without somebody who waits for it.
///
/// # Errors
/// A command that the model cannot leave running.
pub fn launch(p: &mut Proc<'_>, id: &str) -> Result<(), Refusal> {
    let c = docker(p).e().containers[id].clone();
    if c.state != State::Running || c.serves {
        return Ok(());
    }
    let words = run::words_of(&c);
    if words.is_empty() || stays(&c, &words) {
        return Ok(());
    }
    let base = words[0].rsplit('/').next().unwrap_or("");
    if matches!(base, "sh" | "ash" | "bash") && words.len() > 1 {
        return Err(Refusal::new("docker run -d with a script: use a program, or docker exec", 0));
    }
    if matches!(base, "sh" | "ash" | "bash" | "cat") {
        // Nothing to read.
        docker(p).stop(id, 0);
        return Ok(());
    }
    let (background, pid) = (std::mem::replace(&mut p.background, true), p.pid);
    p.pid = c.pid.unwrap_or(pid);
    let (out, err) = (p.out.len(), p.err.len());
    let before = p.sess.apps.count();
    let done = exec::inside(p, id, &words);
    (p.background, p.pid) = (background, pid);
    let said = (p.out.split_off(out), p.err.split_off(err));
    let app = p.sess.apps.since(before).find(|a| a.exit.is_none()).map(|a| a.id);
    let status = done?;
    let mut d = docker(p);
    let c = d.container_mut(id);
    c.log.0.push_str(&said.0);
    c.log.1.push_str(&said.1);
    match app {
        Some(app) => c.apps.push(app),
        None => d.stop(id, status),
    }
    Ok(())
}

/// `docker logs`.
///
/// # Errors
/// Options that follow what is written.
pub fn logs(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["tail"], switches: &["details"], short: &[('n', "tail")] };
    let g = read("logs", args, &K, true)?;
    let [key] = g.words.as_slice() else { return Err(Refusal::new("docker logs of other than one container", 0)) };
    let id = match docker(p).container_id(key) {
        Ok(id) => id,
        Err(e) => return Ok(no_such(p, &e)),
    };
    let (out, err) = docker(p).logs(&id);
    let last = g.get("tail").and_then(|n| n.parse::<usize>().ok());
    let cut = |t: String| match last {
        Some(n) => {
            let lines: Vec<&str> = t.split_inclusive('\n').collect();
            lines[lines.len().saturating_sub(n)..].concat()
        }
        None => t,
    };
    p.out.push_str(&cut(out));
    p.err.push_str(&cut(err));
    Ok(0)
}

/// `docker pause`, `docker unpause`.
///
/// # Errors
/// Options.
pub fn pause(p: &mut Proc<'_>, args: &[String], on: bool) -> Exit {
    let cmd = if on { "pause" } else { "unpause" };
    let g = read(cmd, args, &Known { values: &[], switches: &[], short: &[] }, true)?;
    let mut status = 0;
    for key in &g.words {
        let done = docker(p).container_id(key).and_then(|id| docker(p).freeze(&id, on));
        match done {
            Ok(()) => p.out.push_str(&format!("{key}\n")),
            Err(e) => {
                daemon_error(p, &e);
                status = 1;
            }
        }
    }
    Ok(status)
}

/// `docker wait`: exit statuses of containers that have ended.
///
/// # Errors
/// One that still runs.
pub fn wait(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let mut status = 0;
    for key in args {
        match docker(p).e().container(key).cloned() {
            Some(c) if matches!(c.state, State::Exited | State::Created) => p.out.push_str(&format!("{}\n", c.exit)),
            Some(_) => return Err(Refusal::new("docker wait for a container that runs", 0)),
            None => {
                client_error(p, &format!("No such container: {key}"));
                status = 1;
            }
        }
    }
    Ok(status)
}
