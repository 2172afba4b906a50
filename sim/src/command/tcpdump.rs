//! `tcpdump -ni DEV [icmp|arp|tcp|udp|port N|host A]` (tcpdump 4.99.3, libpcap 1.10.3).

mod capture;
mod print;
mod words;

pub use capture::Capture;
pub use print::text;

use self::words::parse;
use super::{Exit, Proc};
use crate::app::watch::Watch;
use crate::kernel::types::DevId;
use crate::session::watch::{Target, Watching};

/// Runs `tcpdump`: it shows what passes from now on.
///
/// # Errors
/// Options and filters that the model has not; without an end in the foreground.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let ask = parse(argv)?;
    p.must_end("tcpdump", ask.count.is_some())?;
    let dev = match device(p, ask.dev.as_deref()) {
        Ok(d) => d,
        Err(line) => {
            p.err.push_str(&line);
            return Ok(1);
        }
    };
    let name = dev.map_or_else(|| "any".to_owned(), |d| p.sess.kernel.dev(d).name.to_string());
    let (first, kind) = match dev {
        None => ("tcpdump: data link type LINUX_SLL2\n", "LINUX_SLL2 (Linux cooked v2)"),
        Some(_) => ("", "EN10MB (Ethernet)"),
    };
    let hello = format!(
        "{first}tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n\
         listening on {name}, link-type {kind}, snapshot length 262144 bytes\n"
    );
    let seen = p.sess.kernel.rec.events.len();
    let terminal = p.to[0] == Target::Terminal;
    let program = match (ask.immediate, ask.line_buffered) {
        (true, _) => Watch::default(),
        (_, true) => Watch::with_timer(capture::RETIRE_LINES_NS, capture::START_NS),
        _ => Watch::with_timer(capture::RETIRE_NS, capture::START_NS),
    };
    let what = Watching::Frames(Box::new(Capture::new(ask, p.ns, dev, seen, terminal)));
    p.run_watcher("tcpdump", program, what, &hello)
}

/// None for any.
fn device(p: &Proc<'_>, name: Option<&str>) -> Result<Option<DevId>, String> {
    let k = &p.sess.kernel;
    match name {
        Some("any") => Ok(None),
        Some(d) => match k.dev_by_name(p.ns, d) {
            Some(d) if k.dev(d).is_up() => Ok(Some(d)),
            Some(_) => Err(format!("tcpdump: {d}: That device is not up\n")),
            None => Err(format!("tcpdump: {d}: No such device exists\n(No such device exists)\n")),
        },
        None => Ok(k.devs_of(p.ns).find(|d| d.is_up() && !d.is_loopback()).map(|d| d.id)),
    }
}
