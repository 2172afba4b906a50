//! `nc` (netcat-openbsd 1.219).

use std::net::Ipv4Addr;

use super::opts::{BadOpt, Opt, getopt, seconds};
use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::nc::{Nc, NcSpec};
use crate::trace::Outcome;

/// Runs `nc`.
///
/// # Errors
/// Options that the model has not, or a listener in the foreground that nobody can reach.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    if p.inside
        && let Err(exit) = super::busybox::nc(p, argv)
    {
        return exit;
    }
    let opts = match getopt(argv, "4lnuvzkbN", "wpsq", "6CdDFhrStUZIiMmOPTVWXx") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => return usage(p, &format!("nc: invalid option -- '{c}'\n")),
        Err(BadOpt::NoValue(c)) => return usage(p, &format!("nc: option requires an argument -- '{c}'\n")),
    };
    let mut s = NcSpec {
        listen: false,
        udp: false,
        addr: Ipv4Addr::UNSPECIFIED,
        port: 0,
        source: (None, 0),
        scan: false,
        verbose: false,
        keep: false,
        broadcast: false,
        shutdown: false,
        timeout: None,
        quit_after: None,
        input: p.stdin.clone().into(),
    };
    let mut words = Vec::new();
    for (at, o) in opts {
        match o {
            Opt::Word(w) => words.push((at, w)),
            Opt::Flag(c, v) => {
                let v = v.unwrap_or_default();
                match c {
                    'l' => s.listen = true,
                    'u' => s.udp = true,
                    'v' => s.verbose = true,
                    'z' => s.scan = true,
                    'k' => s.keep = true,
                    'b' => s.broadcast = true,
                    'N' => s.shutdown = true,
                    'w' => match seconds(&v) {
                        Some(t) => s.timeout = Some(t),
                        None => return usage(p, &format!("nc: timeout invalid: {v}\n")),
                    },
                    'q' => s.quit_after = seconds(&v),
                    'p' => match v.parse() {
                        Ok(n) => s.source.1 = n,
                        Err(_) => return usage(p, &format!("nc: port number invalid: {v}\n")),
                    },
                    's' => match v.parse() {
                        Ok(a) => s.source.0 = Some(a),
                        Err(_) => return usage(p, &format!("nc: {v}: invalid source address\n")),
                    },
                    _ => {}
                }
            }
        }
    }
    let (host, port) = match (words.as_slice(), s.listen) {
        ([one], true) => (None, one.clone()),
        ([h, port], _) => (Some(h.clone()), port.clone()),
        ([], true) if s.source.1 != 0 => (None, (0, s.source.1.to_string())),
        _ => return usage(p, ""),
    };
    let ends = |(a, b): (&str, &str)| Some((a.parse::<u16>().ok()?, b.parse::<u16>().ok()?));
    let range = port.1.split_once('-').and_then(ends);
    let ports: Vec<u16> = match (range, port.1.parse()) {
        (Some(_), _) if p.inside || s.listen || !s.scan || p.background => {
            return Err(Refusal::new("nc with a range of ports, but to scan them (-z)", port.0));
        }
        // Either end may be the lower one (`build_ports`).
        (Some((a, b)), _) => (a.min(b)..=a.max(b)).collect(),
        (None, Ok(n)) => vec![n],
        (None, Err(_)) => return usage(p, &format!("nc: port number invalid: {}\n", port.1)),
    };
    s.port = ports[0];
    if let Some((_, h)) = host {
        match p.lookup(&h) {
            Ok(a) => s.addr = a,
            Err(e) => {
                p.err.push_str(&format!("nc: getaddrinfo for host \"{h}\" port {}: {}\n", port.1, e.text()));
                p.fail_report(Outcome::ResolveFailed, None);
                return Ok(1);
            }
        }
    }
    let taken =
        || p.sess.kernel.sockets(p.ns).iter().any(|o| o.proto == "tcp" && o.state == "LISTEN" && o.lport == s.port);
    if s.listen && !p.background && p.deadline.is_none() && s.timeout.is_none() && !(p.inside && !s.udp && taken()) {
        return Err(Refusal::new("nc -l in the foreground, which waits for ever: add &", 0));
    }
    if ports.len() > 1 {
        return scan(p, &s, &ports);
    }
    let (s_udp, to) = (s.udp, s.addr);
    let Some(app) = p.run_program("nc", Program::Nc(Nc::new(s)), None) else { return Ok(0) };
    let a = p.sess.apps.get(app);
    p.out.push_str(&a.out);
    p.err.push_str(&a.err);
    p.report = a.report.outcome.is_some().then(|| a.report.clone());
    let exit = a.exit.unwrap_or(1);
    if p.inside {
        let why = match a.report.outcome {
            Some(Outcome::Refused) => Some("Connection refused"),
            Some(Outcome::UnreachableHost) => Some("No route to host"),
            Some(Outcome::NoRoute) => Some("Network is unreachable"),
            _ => None,
        };
        p.err = p.err.replace("nc: Address already in use", "nc: bind: Address already in use");
        if let Some(why) = why.filter(|_| !s_udp && exit != 0) {
            p.err.push_str(&format!("nc: can't connect to remote host ({to}): {why}\n"));
        }
    }
    Ok(exit)
}

/// One port after the other; it is enough that one answers.
fn scan(p: &mut Proc<'_>, spec: &NcSpec, ports: &[u16]) -> Exit {
    let mut status = 1;
    for port in ports {
        let one = NcSpec { port: *port, ..spec.clone() };
        let Some(app) = p.run_program("nc", Program::Nc(Nc::new(one)), None) else { return Ok(0) };
        let a = p.sess.apps.get(app);
        p.err.push_str(&a.err);
        let exit = a.exit.unwrap_or(1);
        if exit == 0 || status != 0 {
            p.report = a.report.outcome.is_some().then(|| a.report.clone());
        }
        // What UDP says of a port is said of all (`ret` of netcat.c).
        status = if spec.udp { exit } else { status.min(exit) };
    }
    Ok(status)
}

fn usage(p: &mut Proc<'_>, line: &str) -> Exit {
    p.err.push_str(line);
    p.err.push_str(
        "usage: nc [-bklnNuvz] [-p source_port] [-q seconds] [-s sourceaddr] [-w timeout] [destination] [port]\n",
    );
    Ok(1)
}
