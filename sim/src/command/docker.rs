//! `docker`: the command line of the engine (docker/cli), by version.

pub mod daemon;
mod filter;
mod flags;
mod inspect;
mod network;
mod process;
mod run;
mod show;
mod swarm;
mod template;

use super::{Exit, Proc, Refusal};
use crate::docker::{Docker, Profile};

/// Runs `docker`.
///
/// # Errors
/// Commands and options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let Some(cmd) = argv.get(1) else { return Err(Refusal::new("docker without a command", 0)) };
    if Docker::open(p.sess, p.host).is_none() {
        p.err.push_str(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
        );
        return Ok(1);
    }
    docker(p).reap();
    let (cmd, rest, at) = match (cmd.as_str(), argv.get(2)) {
        ("container", Some(sub)) => (sub.clone(), &argv[3..], 3),
        _ => (cmd.clone(), &argv[2..], 2),
    };
    let shift = |r: Refusal| Refusal::new(r.what, r.arg + at);
    match cmd.as_str() {
        "network" => network::run(p, rest),
        "run" => run::run(p, rest),
        "create" => run::create(p, rest),
        "exec" => run::exec(p, rest),
        "start" | "stop" | "restart" | "kill" | "rm" => run::each(p, &cmd, rest),
        "rename" => run::rename(p, rest),
        "ps" | "ls" => show::ps(p, rest),
        "port" => show::port(p, rest),
        "inspect" => show::inspect_all(p, rest),
        "swarm" => swarm::run(p, rest),
        "node" => swarm::node(p, rest),
        "logs" => process::logs(p, rest),
        "pause" => process::pause(p, rest, true),
        "unpause" => process::pause(p, rest, false),
        "wait" => process::wait(p, rest),
        "version" | "--version" => {
            let v = profile(p).version();
            p.out.push_str(&format!("Docker version {v}\n"));
            Ok(0)
        }
        other => Err(Refusal::new(format!("docker {other}"), 0)),
    }
    .map_err(shift)
}

/// The engine of the process's host: [`run`] looked that there is one.
fn docker<'a>(p: &'a mut Proc<'_>) -> Docker<'a> {
    Docker { host: p.host, s: p.sess }
}

fn profile(p: &Proc<'_>) -> Profile {
    p.sess.engines.get(&p.host).map(|e| e.profile).unwrap_or_default()
}

/// `Error response from daemon: …`, status 1.
fn daemon_error(p: &mut Proc<'_>, e: &str) -> i32 {
    p.err.push_str(&format!("Error response from daemon: {e}\n"));
    1
}

/// An error that 20.10's client words itself: `Error: …`.
fn client_error(p: &mut Proc<'_>, e: &str) -> i32 {
    p.err.push_str(&format!("Error: {e}\n"));
    1
}

/// `No such container`, in the words of each version.
fn no_such(p: &mut Proc<'_>, e: &str) -> i32 {
    if profile(p) == Profile::V20 { client_error(p, e) } else { daemon_error(p, e) }
}

/// Too few words for a command.
fn usage(p: &mut Proc<'_>, cmd: &str, text: &str) -> i32 {
    p.err.push_str(&format!("\"docker {cmd}\" {text}\nSee 'docker {cmd} --help'.\n"));
    1
}
