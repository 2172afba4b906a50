//! `serve tcp|udp PORT …`: our own word for a listener that answers with the address it saw. The form of the
//! recordings, `serve 80 53/udp`, is understood too.

use std::net::Ipv4Addr;

use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::serve::Serve;

/// What it says to words that it does not understand.
pub const USAGE: &str = "usage: serve tcp|udp [ADDRESS:]PORT...  or  serve [ADDRESS:]PORT[/udp]...\n";

/// The ports, `true` for UDP, and the one address they are on, where one is named.
pub fn parse(argv: &[String]) -> Option<(Ipv4Addr, Vec<(bool, u16)>)> {
    let mut udp = false;
    let mut addr: Option<Ipv4Addr> = None;
    let mut ports = Vec::new();
    for w in &argv[1..] {
        match w.as_str() {
            "tcp" => udp = false,
            "udp" => udp = true,
            _ => {
                let (at, n) = match w.rsplit_once(':') {
                    Some((a, n)) => (a.parse().ok()?, n),
                    None => (Ipv4Addr::UNSPECIFIED, w.as_str()),
                };
                if addr.is_some_and(|a| a != at) {
                    return None;
                }
                addr = Some(at);
                let (n, over) = match n.split_once('/') {
                    Some((n, "udp")) => (n, true),
                    Some((n, "tcp")) => (n, false),
                    Some(_) => return None,
                    None => (n, udp),
                };
                ports.push((over, n.parse().ok().filter(|p| *p != 0)?));
            }
        }
    }
    Some((addr?, ports))
}

/// Runs `serve`.
///
/// # Errors
/// In the foreground it would never end.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let Some((addr, ports)) = parse(argv) else {
        p.err.push_str(USAGE);
        return Ok(2);
    };
    let waits = !p.background && p.deadline.is_none();
    if waits {
        // It ends only where it cannot begin.
        p.deadline = Some(p.sess.kernel.now());
    }
    match p.run_program("serve", Program::Serve(Serve::on(addr, ports)), None) {
        None => Ok(0),
        Some(app) => {
            let a = p.sess.apps.get(app);
            if waits && a.exit.is_none() {
                return Err(Refusal::new("serve in the foreground, which never ends: add &", 0));
            }
            p.err.push_str(&a.err);
            Ok(a.exit.unwrap_or(0))
        }
    }
}
