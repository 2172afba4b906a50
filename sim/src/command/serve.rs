//! `serve tcp|udp PORT …`: our own word for a listener that answers with the address it saw. The form of the
//! recordings, `serve 80 53/udp`, is understood too.

use super::{Exit, Proc, Refusal};
use crate::app::Program;
use crate::app::serve::Serve;

const USAGE: &str = "usage: serve tcp|udp PORT...  or  serve PORT[/udp]...\n";

fn parse(argv: &[String]) -> Option<Vec<(bool, u16)>> {
    let mut udp = false;
    let mut ports = Vec::new();
    for w in &argv[1..] {
        match w.as_str() {
            "tcp" => udp = false,
            "udp" => udp = true,
            _ => {
                let (n, over) = match w.split_once('/') {
                    Some((n, "udp")) => (n, true),
                    Some((n, "tcp")) => (n, false),
                    Some(_) => return None,
                    None => (w.as_str(), udp),
                };
                ports.push((over, n.parse().ok().filter(|p| *p != 0)?));
            }
        }
    }
    (!ports.is_empty()).then_some(ports)
}

/// Runs `serve`.
///
/// # Errors
/// In the foreground it would never end.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let Some(ports) = parse(argv) else {
        p.err.push_str(USAGE);
        return Ok(2);
    };
    if !p.background && p.deadline.is_none() {
        return Err(Refusal::new("serve in the foreground, which never ends: add &", 0));
    }
    match p.run_program("serve", Program::Serve(Serve::new(ports)), None) {
        None => Ok(0),
        Some(app) => Ok(p.sess.apps.get(app).exit.unwrap_or(0)),
    }
}
