//! `docker`: the command line of the engine (docker/cli), by version.

pub mod daemon;
mod each;
mod exec;
mod filter;
mod flags;
mod inspect;
mod network;
mod options;
mod process;
mod prune;
mod run;
mod service;
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
    if matches!(cmd.as_str(), "-H" | "--host") || cmd.starts_with("-H=") || cmd.starts_with("--host=") {
        return elsewhere(p, argv);
    }
    if Docker::open(p.sess, p.host).is_none() {
        p.err.push_str(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
        );
        return Ok(1);
    }
    docker(p).reap();
    let words: Vec<String>;
    let (cmd, rest, at) = match (cmd.as_str(), argv.get(2)) {
        ("container", Some(sub)) if sub == "inspect" => {
            words = [&["--type=container".to_owned()], &argv[3..]].concat();
            (sub.clone(), words.as_slice(), 2)
        }
        // There is no `docker prune`.
        ("container", Some(sub)) if sub == "prune" => ("container prune".to_owned(), &argv[3..], 3),
        ("container", Some(sub)) => (sub.clone(), &argv[3..], 3),
        _ => (cmd.clone(), &argv[2..], 2),
    };
    let shift = |r: Refusal| Refusal::new(r.what, r.arg + at);
    if let Some(status) = options::wrong(p, &cmd, rest) {
        return Ok(status);
    }
    match cmd.as_str() {
        "network" => network::run(p, rest),
        "run" => run::run(p, rest),
        "create" => run::create(p, rest),
        "exec" => exec::exec(p, rest),
        "start" | "stop" | "restart" | "kill" | "rm" => each::each(p, &cmd, rest),
        "update" => each::update(p, rest),
        "rename" => each::rename(p, rest),
        "ps" | "ls" => show::ps(p, rest),
        "port" => show::port(p, rest),
        "inspect" => show::inspect_all(p, rest),
        "swarm" => swarm::run(p, rest),
        "node" => swarm::node(p, rest),
        "service" => service::run(p, rest),
        "logs" => process::logs(p, rest),
        "pause" => process::pause(p, rest, true),
        "unpause" => process::pause(p, rest, false),
        "wait" => process::wait(p, rest),
        "container prune" => prune::containers(p, rest),
        "version" if !rest.is_empty() => version(p, rest),
        "version" | "--version" => {
            let v = profile(p).version();
            p.out.push_str(&format!("Docker version {v}\n"));
            Ok(0)
        }
        other => match options::no_such_command(p, other) {
            Some(status) => Ok(status),
            None => Err(Refusal::new(format!("docker {other}"), 0)),
        },
    }
    .map_err(shift)
}

/// `docker version --format`.
fn version(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: flags::Known = flags::Known { values: &["format"], switches: &[], short: &[('f', "format")] };
    let g = flags::read("version", args, &K, true)?;
    let v = profile(p).version();
    match g.get("format").unwrap_or_default().replace(' ', "").as_str() {
        "{{.Server.Version}}" | "{{.Client.Version}}" => p.out.push_str(&format!("{v}\n")),
        f => return Err(Refusal::new(format!("docker version --format {f}"), 0)),
    }
    Ok(0)
}

/// `docker -H tcp://ADDRESS:PORT …`: the engine of another host, whose API is reached over the network.
fn elsewhere(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (url, from) = match argv[1].split_once('=') {
        Some((_, url)) => (url.to_owned(), 2),
        None => (argv.get(2).cloned().unwrap_or_default(), 3),
    };
    let at = url.strip_prefix("tcp://").map(|t| t.trim_end_matches('/')).and_then(|t| t.split_once(':'));
    let at = at.and_then(|(a, port)| Some((p.sess.known(p.host, p.ns, a)?, port.parse::<u16>().ok()?)));
    let Some((addr, port)) = at else { return Err(Refusal::new(format!("docker -H {url}"), 1)) };
    let there = crate::docker::kv::api_at(p.sess, p.host, p.ns, (addr, port));
    let Some(host) = there else {
        p.err.push_str(&format!("Cannot connect to the Docker daemon at {url}. Is the docker daemon running?\n"));
        return Ok(1);
    };
    let ns = p.sess.kernel.host(host).root_ns;
    let back = (std::mem::replace(&mut p.host, host), std::mem::replace(&mut p.ns, ns));
    let words: Vec<String> = argv[..1].iter().chain(&argv[from..]).cloned().collect();
    let done = run(p, &words);
    (p.host, p.ns) = back;
    done.map_err(|r| Refusal::new(r.what, r.arg + from - 1))
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
    // The client takes white space off both ends of what the daemon says.
    p.err.push_str(&format!("Error response from daemon: {}\n", e.trim()));
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

/// Too few or too many words for a command (docker/cli cli/required.go).
fn usage(p: &mut Proc<'_>, cmd: &str, text: &str) -> i32 {
    let (line, about) = options::help(cmd);
    let t = if profile(p) == Profile::V20 {
        format!("\"docker {cmd}\" {text}\nSee 'docker {cmd} --help'.\n\nUsage:  docker {line}\n\n{about}\n")
    } else {
        let text = text.replace("exactly ", "").trim_end_matches('.').to_owned();
        let see = if text.contains("at least") && !text.contains("at most") { "See" } else { "Run" };
        let more = format!("Usage:  docker {line}\n\n{see} 'docker {cmd} --help' for more information");
        format!("docker: 'docker {cmd}' {text}\n\n{more}\n")
    };
    p.err.push_str(&t);
    1
}

/// An option that a command does not have (docker/cli cli/cobra.go `FlagErrorFunc`).
fn bad_flag(p: &mut Proc<'_>, cmd: &str, text: &str) -> i32 {
    let t = if profile(p) == Profile::V20 {
        format!("{text}\nSee 'docker {cmd} --help'.\n")
    } else {
        format!("{text}\n\nUsage:  docker {}\n\nRun 'docker {cmd} --help' for more information\n", options::help(cmd).0)
    };
    p.err.push_str(&t);
    125
}
