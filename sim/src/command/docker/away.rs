//! What the client says when no daemon listens.

use super::super::Proc;
use super::options::words;
use super::profile;
use crate::docker::Profile;

/// Says so, as the command does: the status to end with.
pub(super) fn say(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> i32 {
    const SAID: &str =
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let v20 = profile(p) == Profile::V20;
    let named = words(cmd, v20, args);
    // These go on to the next of their objects.
    let each = matches!(
        cmd,
        "start"
            | "stop"
            | "restart"
            | "kill"
            | "rm"
            | "pause"
            | "unpause"
            | "wait"
            | "inspect"
            | "container inspect"
            | "network inspect"
            | "network rm"
    );
    match cmd {
        "run" if v20 => p.err.push_str(&format!("docker: {SAID}.\nSee 'docker run --help'.\n")),
        "run" => p.err.push_str(&format!("docker: {SAID}\n\nRun 'docker run --help' for more information\n")),
        _ => p.err.push_str(&format!("{SAID}\n").repeat(if each { named.len().max(1) } else { 1 })),
    }
    let template = args.iter().any(|a| a.starts_with("-f") || a.starts_with("--format"));
    match cmd {
        "inspect" | "container inspect" | "network inspect" => p.out.push_str(if template { "\n" } else { "[]\n" }),
        // 20.10 goes on with the template.
        "info" if template && !v20 => p.out.push('\n'),
        "start" => p.err.push_str(&format!("Error: failed to start containers: {}\n", named.join(", "))),
        "rename" => p.err.push_str(&format!(
            "Error: failed to rename container named {}\n",
            named.first().map_or("", String::as_str)
        )),
        "network rm" if !v20 => p.err.push_str("exit status 1\n"),
        _ => {}
    }
    if cmd == "run" { 125 } else { 1 }
}
