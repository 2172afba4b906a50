//! `dockerd`, and `systemctl` and `service` for it.

use super::super::{Exit, Proc, Refusal};
use crate::docker::flags::unknown;
use crate::docker::{Config, Profile};

/// `dockerd [--flag …]`: starts the daemon of the host, in the background.
///
/// # Errors
/// Flags that are not modelled.
pub fn dockerd(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let profile = p.sess.profile;
    let v20 = profile == Profile::V20;
    if argv[1..].iter().any(|a| a == "--version" || a == "-v") {
        p.out.push_str(&format!("Docker version {}\n", profile.version()));
        return Ok(0);
    }
    if v20 && argv[1..].iter().all(|a| !a.starts_with('-')) && argv.len() > 1 {
        p.err.push_str(
            "\"dockerd\" accepts no argument(s).\nSee 'dockerd --help'.\n\nUsage:  dockerd [OPTIONS]\n\n\
             A self-sufficient runtime for containers.\n",
        );
        return Ok(1);
    }
    let config = match unknown(&argv[1..], profile).map_or_else(|| Config::from_flags(&argv[1..], profile), Err) {
        Ok(c) => c,
        Err(e) if e.ends_with("not modelled") => {
            return Err(Refusal::new(e.trim_end_matches(": not modelled").to_owned(), 0));
        }
        Err(e) => {
            // Since 23 the list of all its flags follows, which is left out here.
            let end = if v20 { ", Code: 125" } else { "\n\nUsage:\tdockerd [OPTIONS]" };
            p.err.push_str(&format!("Status: {e}\nSee 'dockerd --help'.{end}\n"));
            return Ok(1);
        }
    };
    if p.sess.engines.get(&p.host).is_some_and(|e| e.running) {
        p.err.push_str(match profile {
            Profile::V20 => {
                "failed to start daemon: pid file found, ensure docker is not running or delete /var/run/docker.pid\n"
            }
            _ => {
                "failed to start daemon, ensure docker is not running or delete /var/run/docker.pid: process with PID is \
                 still running\n"
            }
        });
        return Ok(1);
    }
    match p.sess.start_docker(p.host, profile, config) {
        Ok(()) => Ok(0),
        Err(e) if e.ends_with("not modelled") => Err(Refusal::new(e.trim_end_matches(": not modelled").to_owned(), 0)),
        Err(e) => {
            let began = if e.starts_with("unable to configure") { "" } else { "failed to start daemon: " };
            p.err.push_str(&format!("{began}{e}\n"));
            Ok(1)
        }
    }
}

/// `systemctl start|stop|restart docker`, `service docker …`.
///
/// # Errors
/// Other services, other verbs.
pub fn service(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words: Vec<&str> = argv[1..].iter().map(String::as_str).filter(|w| *w != "-q").collect();
    let (verb, unit) = match (argv[0].ends_with("systemctl"), words.as_slice()) {
        (true, [verb, unit]) | (false, [unit, verb]) => (*verb, unit.trim_end_matches(".service")),
        _ => return Err(Refusal::new(argv.join(" "), 0)),
    };
    if unit != "docker" {
        return Err(Refusal::new(format!("the service {unit}"), 0));
    }
    let (profile, host) = (p.sess.profile, p.host);
    let running = p.sess.engines.get(&host).is_some_and(|e| e.running);
    let config = p.sess.engines.get(&host).map(|e| e.given.clone()).unwrap_or_default();
    let done = match verb {
        "stop" => {
            p.sess.stop_docker(host);
            Ok(())
        }
        "start" if running => Ok(()),
        "start" => p.sess.start_docker(host, profile, config),
        "restart" if running => p.sess.restart_docker(host),
        "restart" => p.sess.start_docker(host, profile, config),
        "status" | "is-active" => {
            p.out.push_str(if running { "active\n" } else { "inactive\n" });
            return Ok(if running { 0 } else { 3 });
        }
        _ => return Err(Refusal::new(argv.join(" "), 0)),
    };
    match done {
        Ok(()) => Ok(0),
        Err(e) if e.ends_with("not modelled") => Err(Refusal::new(e.trim_end_matches(": not modelled").to_owned(), 0)),
        Err(_) => {
            p.err.push_str("Job for docker.service failed because the control process exited with error code.\n");
            Ok(1)
        }
    }
}
