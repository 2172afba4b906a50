//! Hop by hop: a request for each TTL until one arrives, or three in a row are lost.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use packetwalk_sim::app::probe::{HOP_WAIT, Probe, ProbeReport};
use packetwalk_sim::trace::Outcome;

use super::{ping, refused, udp};

/// Port of the first hop's datagram, less one.
const PORT: u16 = 33_433;

/// Asks each hop.
///
/// # Errors
/// None of its own: a hop that the kernel refuses is told as that hop's outcome.
pub fn traceroute(p: &Probe, dst: Ipv4Addr, sport: u16) -> Result<ProbeReport, Errno> {
    let mut hops: Vec<(u8, String, Outcome)> = Vec::new();
    let mut last = ProbeReport::default();
    for ttl in 1..=p.max.unwrap_or(8) {
        let one = Probe { ttl: Some(ttl), unconnected: false, ..p.clone() };
        let own = sport.wrapping_add(u16::from(ttl));
        let until = Instant::now() + Duration::from_nanos(p.timeout.unwrap_or(HOP_WAIT));
        let r = if p.icmp {
            ping::ping(&one, dst, own, u16::from(ttl), until)
        } else {
            udp::udp(&one, (dst, PORT + u16::from(ttl)), own, until)
        };
        let r = r.unwrap_or_else(refused);
        let by = r.by.as_deref().and_then(|b| b.split(':').next()).unwrap_or("*").to_owned();
        let outcome = r.outcome.unwrap_or(Outcome::Timeout);
        hops.push((ttl, by, outcome));
        last = r;
        let silent = hops.len() >= 3 && hops[hops.len() - 3..].iter().all(|h| h.2 == Outcome::Timeout);
        if silent || !matches!(outcome, Outcome::TtlExceeded | Outcome::Timeout) {
            break;
        }
    }
    // A server may answer in the place of the last hop: what it saw is told too.
    let ProbeReport { seen, server, served_at, .. } = last;
    let outcome = hops.last().map(|h| h.2);
    Ok(ProbeReport { outcome, hops: Some(hops), seen, server, served_at, ..Default::default() })
}
