//! `docker`: the command line of the engine (docker/cli), by version.

mod away;
pub mod daemon;
mod each;
mod exec;
mod fault;
mod filter;
mod flags;
mod help;
mod info;
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
    let Some(first) = argv.get(1) else { return Err(Refusal::new("docker without a command", 0)) };
    if matches!(first.as_str(), "-H" | "--host") || first.starts_with("-H=") || first.starts_with("--host=") {
        return elsewhere(p, argv);
    }
    if let Some(status) = help::no_such_command(p, first) {
        return Ok(status);
    }
    if let Some(status) = help::of_a_group(p, first, argv.get(2).map(String::as_str)) {
        return Ok(status);
    }
    let (cmd, shown, at) = path(argv);
    let rest = &argv[at.min(argv.len())..];
    if let Some(status) = options::wrong(p, &cmd, &shown, rest) {
        return Ok(status);
    }
    let client = cmd == "version" && rest.iter().any(|a| a.contains(".Client.Version"));
    if matches!(cmd.as_str(), "--version" | "-v") || client && Docker::open(p.sess, p.host).is_none() {
        let v = profile(p).version();
        p.out.push_str(&if client { format!("{v}\n") } else { format!("Docker version {v}\n") });
        // The client knows its own before it asks for the server's.
        return Ok(if client { away::say(p, &cmd, rest) } else { 0 });
    }
    if Docker::open(p.sess, p.host).is_none() {
        return Ok(away::say(p, &cmd, rest));
    }
    docker(p).reap();
    let words: Vec<String>;
    let (rest, at) = match cmd.split_once(' ') {
        Some(("container", "inspect")) => {
            words = [&["--type=container".to_owned()], rest].concat();
            (words.as_slice(), at - 1)
        }
        Some(("network" | "swarm" | "node" | "service", _)) => (&argv[2..], 2),
        _ => (rest, at),
    };
    let name = cmd.split_once(' ').filter(|(g, _)| *g != "container").map_or(cmd.as_str(), |(g, _)| g);
    let shift = |r: Refusal| Refusal::new(r.what, r.arg + at);
    match name {
        "network" => network::run(p, rest),
        "run" => run::run(p, rest),
        "create" => run::create(p, rest),
        "exec" => exec::exec(p, rest),
        "start" | "stop" | "restart" | "kill" | "rm" => each::each(p, name, rest),
        "update" => each::update(p, rest),
        "rename" => each::rename(p, rest),
        "ps" => show::ps(p, rest),
        "port" => show::port(p, rest),
        "inspect" | "container inspect" => show::inspect_all(p, rest),
        "swarm" => swarm::run(p, rest),
        "node" => swarm::node(p, rest),
        "service" => service::run(p, rest),
        "logs" => process::logs(p, rest),
        "pause" => process::pause(p, rest, true),
        "unpause" => process::pause(p, rest, false),
        "wait" => process::wait(p, rest),
        "container prune" => prune::containers(p, rest),
        "info" => info::info(p, rest),
        "version" => version(p, rest),
        other => Err(Refusal::new(format!("docker {other}"), 0)),
    }
    .map_err(shift)
}

/// The command that words name, how the client shows it, and where what follows it begins.
fn path(argv: &[String]) -> (String, String, usize) {
    let (first, sub) = (argv[1].as_str(), argv.get(2).map(String::as_str));
    let name = match sub {
        Some("list") => "ls",
        Some("remove") => "rm",
        Some("ps") if first == "container" => "ls",
        Some(s) => s,
        None => return (first.to_owned(), first.to_owned(), 2),
    };
    match (first, name) {
        ("container", "ls") => ("ps".to_owned(), "container ls".to_owned(), 3),
        // There is no `docker prune`, and `docker inspect` looks for more than containers.
        ("container", "prune" | "inspect") => (format!("container {name}"), format!("container {name}"), 3),
        ("container", _) => (name.to_owned(), format!("container {name}"), 3),
        ("network" | "swarm" | "node" | "service", _) => (format!("{first} {name}"), format!("{first} {name}"), 3),
        ("system", "info") => ("info".to_owned(), "system info".to_owned(), 3),
        _ => (first.to_owned(), first.to_owned(), 2),
    }
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
    p.sess.engines.get(&p.host).map_or(p.sess.profile, |e| e.profile)
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
    let (line, about) = help::help(cmd);
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
        format!("{text}\n\nUsage:  docker {}\n\nRun 'docker {cmd} --help' for more information\n", help::help(cmd).0)
    };
    p.err.push_str(&t);
    125
}
