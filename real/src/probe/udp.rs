//! One datagram and its answer.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockType, SockaddrIn, connect, recvmsg, send, sendto, setsockopt, sockopt,
};
use packetwalk_sim::app::probe::{Probe, ProbeReport, icmp_class, read_line};
use packetwalk_sim::trace::Outcome;

use super::local_class;
use super::socket::{errqueue, open, wait};

const ASK: &[u8] = b"PROBE\n";

/// Sends a datagram and waits for what comes.
///
/// # Errors
/// Where the kernel refuses it at once.
pub fn udp(p: &Probe, to: (Ipv4Addr, u16), sport: u16, until: Instant) -> Result<ProbeReport, Errno> {
    let fd = open(p, SockType::Datagram, None, sport)?;
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    setsockopt(&fd, sockopt::Ipv4RecvTtl, &true)?;
    let to = SockaddrIn::from(SocketAddrV4::new(to.0, to.1));
    if p.unconnected {
        sendto(fd.as_raw_fd(), ASK, &to, MsgFlags::empty())?;
    } else {
        connect(fd.as_raw_fd(), &to)?;
        send(fd.as_raw_fd(), ASK, MsgFlags::empty())?;
    }
    while wait(&fd, PollFlags::POLLIN, until)?.is_some() {
        if let Some(q) = errqueue(&fd) {
            return Ok(match q.icmp {
                Some(((t, c), from)) => ProbeReport {
                    outcome: Some(icmp_class(t, c)),
                    by: Some(from.to_string()),
                    icmp: Some((t, c)),
                    ..Default::default()
                },
                None => super::refused(q.errno),
            });
        }
        match answer(&fd) {
            Ok(r) => return Ok(r),
            Err(Errno::EAGAIN) => {}
            Err(e) => {
                let outcome = Some(local_class(e));
                return Ok(ProbeReport { outcome, local_errno: Some(format!("{e:?}")), ..Default::default() });
            }
        }
    }
    Ok(ProbeReport { outcome: Some(Outcome::Timeout), ..Default::default() })
}

fn answer(fd: &OwnedFd) -> Result<ProbeReport, Errno> {
    let mut space = cmsg_space!(i32);
    let mut data = [0u8; 2048];
    let mut iov = [std::io::IoSliceMut::new(&mut data)];
    let (n, ttl, from) = {
        let m = recvmsg::<SockaddrIn>(fd.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
        let ttl = m.cmsgs().ok().and_then(|mut c| {
            c.find_map(|c| if let ControlMessageOwned::Ipv4Ttl(t) = c { Some(t as u8) } else { None })
        });
        (m.bytes, ttl, m.address)
    };
    let by = from.map(|a| format!("{}:{}", a.ip(), a.port()));
    let mut r = ProbeReport { outcome: Some(Outcome::Reply), by, ttl, ..Default::default() };
    read_line(&String::from_utf8_lossy(&data[..n]), &mut r);
    Ok(r)
}
