//! Our own probes on real sockets: what `PLACE> ping 10.0.0.1` does on the live kernel, so that no tool's quirks come
//! between. Each runs on a thread that has entered its namespace, and finds what the model's probe
//! ([`packetwalk_sim::app::probe`]) finds, in the same words.

mod arping;
mod dns;
mod ping;
mod socket;
mod tcp;
mod traceroute;
mod udp;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use packetwalk_sim::app::dns::Resolved;
use packetwalk_sim::app::probe::{self, DEFAULT_TIMEOUT, Probe, ProbeKind, ProbeReport};
use packetwalk_sim::kernel::types::Errno as KernelErrno;
use packetwalk_sim::trace::Outcome;

/// The files that a C library looks names up in.
#[derive(Clone, Debug, Default)]
pub struct NameFiles {
    /// `/etc/hosts`.
    pub hosts: String,
    /// `/etc/resolv.conf`.
    pub resolv: String,
}

/// Runs a probe in this thread's namespace; `sport` is its port or ICMP id.
pub fn run(p: &Probe, sport: u16, files: &NameFiles) -> ProbeReport {
    let (addrs, how) = dns::resolve(p, sport, files);
    let Some(dst) = addrs.first().and_then(|a| a.parse().ok()).filter(|_| p.kind != ProbeKind::Dns) else {
        let outcome = if addrs.is_empty() { Outcome::ResolveFailed } else { Outcome::Reply };
        let listed = p.kind == ProbeKind::Dns || !addrs.is_empty();
        let mut addrs = addrs;
        addrs.sort();
        let addrs = listed.then_some(addrs);
        return ProbeReport { outcome: Some(outcome), addrs, how, ..Default::default() };
    };
    let mut r = ask(p, dst, sport);
    if let Some(how) = how {
        let server = how.queries.last().map(|q| q.server.clone());
        let mut all = addrs.clone();
        all.sort();
        r.resolved = Some(Resolved { addr: addrs[0].clone(), all, via: how.via, server });
    }
    r
}

fn ask(p: &Probe, dst: Ipv4Addr, sport: u16) -> ProbeReport {
    let until = Instant::now() + timeout(p);
    let done = match p.kind {
        ProbeKind::Ping => ping::ping(p, dst, sport, 1, until),
        ProbeKind::Tcp | ProbeKind::Http | ProbeKind::Bulk => tcp::tcp(p, dst, sport, until),
        ProbeKind::Udp => udp::udp(p, (dst, p.port), sport, until),
        ProbeKind::Arping => arping::arping(p, dst, until),
        ProbeKind::Traceroute => traceroute::traceroute(p, dst, sport),
        ProbeKind::Dns => Ok(ProbeReport::default()),
    };
    done.unwrap_or_else(refused)
}

/// How long to wait. The kernel's timers never fire early, so what is due at the end of whole seconds (a SYN's repeat)
/// comes after it; a process that wakes late would let it in.
fn timeout(p: &Probe) -> Duration {
    const TICK: Duration = Duration::from_millis(4);
    let whole = Duration::from_nanos(p.timeout.unwrap_or(DEFAULT_TIMEOUT));
    if whole.as_secs() > 0 && whole.subsec_nanos() == 0 { whole - TICK } else { whole }
}

/// The kernel refused at once.
fn refused(e: Errno) -> ProbeReport {
    ProbeReport { outcome: Some(local_class(e)), local_errno: Some(format!("{e:?}")), ..Default::default() }
}

/// Outcome of an errno of one's own kernel; one that the model does not know is a bad request.
fn local_class(e: Errno) -> Outcome {
    KernelErrno::of(e as i32).map_or(Outcome::Invalid, probe::local_class)
}
