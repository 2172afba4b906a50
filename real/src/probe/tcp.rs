//! One connection: connect, ask, read the answer, close.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, SockType, SockaddrIn, connect, getsockopt, recv, send, setsockopt, sockopt};
use packetwalk_sim::app::probe::{Probe, ProbeKind, ProbeReport, icmp_class, read_line};
use packetwalk_sim::trace::Outcome;

use super::local_class;
use super::socket::{errqueue, open, wait};

/// What a client needs from the last byte of its answer until it closes: by then the server's FIN is there, as in the
/// model.
const READING: Duration = Duration::from_millis(3);

/// Connects, asks and reads.
///
/// # Errors
/// Where the kernel refuses at once.
pub fn tcp(p: &Probe, dst: Ipv4Addr, sport: u16, until: Instant) -> Result<ProbeReport, Errno> {
    let fd = open(p, SockType::Stream, None, sport)?;
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    let failed = match connect(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(dst, p.port))) {
        Err(Errno::EINPROGRESS) => match connected(&fd, until)? {
            Some(e) => e,
            None => return Ok(ProbeReport { outcome: Some(Outcome::Timeout), ..Default::default() }),
        },
        Err(e) => Some(e),
        Ok(()) => None,
    };
    if let Some(e) = failed {
        return Ok(why(&fd, e));
    }
    let mut r = ProbeReport { connected: Some(true), ..Default::default() };
    let mut got = Vec::new();
    r.outcome = Some(match talk(&fd, p, until, &mut got) {
        Ok(o) => o,
        Err(Errno::ECONNRESET | Errno::EPIPE) => Outcome::Reset,
        Err(e) => local_class(e),
    });
    drop(fd);
    tell(p, &got, &mut r);
    Ok(r)
}

/// Waits for the handshake: nothing in time, or how it ended.
fn connected(fd: &OwnedFd, until: Instant) -> Result<Option<Option<Errno>>, Errno> {
    while let Some(ev) = wait(fd, PollFlags::POLLOUT, until)? {
        let e = getsockopt(fd, sockopt::SocketError)?;
        if e != 0 {
            return Ok(Some(Some(Errno::from_raw(e))));
        }
        if ev.contains(PollFlags::POLLOUT) {
            return Ok(Some(None));
        }
        // Only a soft error is queued: look again.
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// Why there is no connection: an ICMP error, or an errno.
fn why(fd: &OwnedFd, e: Errno) -> ProbeReport {
    match errqueue(fd).and_then(|q| q.icmp) {
        Some(((t, c), from)) => ProbeReport {
            outcome: Some(icmp_class(t, c)),
            by: Some(from.to_string()),
            icmp: Some((t, c)),
            ..Default::default()
        },
        None => super::refused(e),
    }
}

fn talk(fd: &OwnedFd, p: &Probe, until: Instant, got: &mut Vec<u8>) -> Result<Outcome, Errno> {
    send(fd.as_raw_fd(), p.request().as_bytes(), MsgFlags::MSG_NOSIGNAL)?;
    let mut buf = vec![0u8; 1 << 16];
    while wait(fd, PollFlags::POLLIN, until)?.is_some() {
        match recv(fd.as_raw_fd(), &mut buf, MsgFlags::empty()) {
            Ok(0) => return Ok(if got.is_empty() { Outcome::Closed } else { Outcome::Reply }),
            Ok(n) => got.extend_from_slice(&buf[..n]),
            Err(Errno::EAGAIN) => continue,
            Err(e) => return Err(e),
        }
        if p.kind == ProbeKind::Tcp && got.ends_with(b"\n") {
            std::thread::sleep(READING);
            return Ok(Outcome::Reply);
        }
    }
    Ok(Outcome::Stall)
}

/// What the answer says.
fn tell(p: &Probe, got: &[u8], r: &mut ProbeReport) {
    let text = String::from_utf8_lossy(got).into_owned();
    let mut body = text.as_str();
    if p.kind == ProbeKind::Http && !text.is_empty() {
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        r.status = head.lines().next().map(str::to_owned);
        body = rest;
    }
    read_line(body, r);
    if p.kind == ProbeKind::Bulk && p.bulk != Some(0) {
        r.bytes = Some(got.len() as u64);
    }
}
