//! One echo request and what comes of it (RFC 792).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, SockProtocol, SockType, SockaddrIn, recvfrom, sendto};
use packetwalk_sim::app::probe::{Probe, ProbeReport, icmp_class};
use packetwalk_sim::trace::Outcome;

use super::socket::{open, wait};

/// Sends one echo request and waits for its answer.
///
/// # Errors
/// Where the kernel refuses it at once.
pub fn ping(p: &Probe, dst: Ipv4Addr, ident: u16, seq: u16, until: Instant) -> Result<ProbeReport, Errno> {
    let fd = open(p, SockType::Raw, Some(SockProtocol::Icmp), 0)?;
    let msg = request(ident, seq, p.size.unwrap_or(56));
    sendto(fd.as_raw_fd(), &msg, &SockaddrIn::from(SocketAddrV4::new(dst, 0)), MsgFlags::empty())?;
    let mut r = ProbeReport::default();
    let mut buf = vec![0u8; 1 << 16];
    while wait(&fd, PollFlags::POLLIN, until)?.is_some() {
        let Ok((n, Some(from))) = recvfrom::<SockaddrIn>(fd.as_raw_fd(), &mut buf) else { continue };
        if read(&buf[..n], from.ip(), (ident, seq), &mut r) {
            return Ok(r);
        }
    }
    r.outcome = Some(Outcome::Timeout);
    Ok(r)
}

fn request(ident: u16, seq: u16, size: usize) -> Vec<u8> {
    let mut m = vec![8, 0, 0, 0];
    m.extend(ident.to_be_bytes());
    m.extend(seq.to_be_bytes());
    m.extend((0..size).map(|i| i as u8));
    let sum = checksum(&m).to_be_bytes();
    m[2..4].copy_from_slice(&sum);
    m
}

/// The Internet checksum (RFC 1071).
fn checksum(b: &[u8]) -> u16 {
    let word = |c: &[u8]| u32::from(c[0]) << 8 | u32::from(c.get(1).copied().unwrap_or(0));
    let sum: u32 = b.chunks(2).map(word).sum();
    let sum = (sum >> 16) + (sum & 0xffff);
    !((sum + (sum >> 16)) as u16)
}

/// Reads an IP packet that came; says whether it ends the wait.
fn read(d: &[u8], from: Ipv4Addr, own: (u16, u16), r: &mut ProbeReport) -> bool {
    let ihl = usize::from(d.first().copied().unwrap_or(0) & 15) * 4;
    let Some(icmp) = d.get(ihl..).filter(|i| i.len() >= 8) else { return false };
    let (ty, code) = (icmp[0], icmp[1]);
    if ty == 0 && ids(icmp) == Some(own) {
        r.outcome = Some(Outcome::Reply);
        (r.by, r.ttl, r.bytes) = (Some(from.to_string()), Some(d[8]), Some(icmp.len() as u64));
        return true;
    }
    if !matches!(ty, 3 | 5 | 11 | 12) || quoted(&icmp[8..]) != Some(own) {
        return false;
    }
    if ty == 5 {
        let to = Ipv4Addr::new(icmp[4], icmp[5], icmp[6], icmp[7]);
        r.notes.push((to.to_string(), from.to_string()));
        return false;
    }
    r.outcome = Some(icmp_class(ty, code));
    (r.by, r.icmp, r.ttl) = (Some(from.to_string()), Some((ty, code)), Some(d[8]));
    if (ty, code) == (3, 4) {
        r.mtu = Some(u16::from_be_bytes([icmp[6], icmp[7]]).into());
    }
    true
}

fn ids(icmp: &[u8]) -> Option<(u16, u16)> {
    let b = icmp.get(4..8)?;
    Some((u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])))
}

/// Id and sequence number of the echo request that an error quotes.
fn quoted(q: &[u8]) -> Option<(u16, u16)> {
    let ihl = usize::from(q.first()? & 15) * 4;
    if *q.get(9)? != 1 {
        return None;
    }
    ids(q.get(ihl..)?)
}
