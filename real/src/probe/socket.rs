//! What the probes' sockets share.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, recvmsg,
    setsockopt, socket, sockopt,
};
use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::kernel::ip::PmtuDisc;

/// A socket of the probe's kind, bound as the probe says; `sport` 0 for a raw one.
pub fn open(p: &Probe, ty: SockType, proto: Option<SockProtocol>, sport: u16) -> Result<OwnedFd, Errno> {
    let fd = socket(AddressFamily::Inet, ty, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, proto)?;
    if let Some(d) = &p.dev {
        setsockopt(&fd, sockopt::BindToDevice, &d.into())?;
    }
    if let Some(t) = p.ttl {
        setsockopt(&fd, sockopt::Ipv4Ttl, &i32::from(t))?;
    }
    if let Some(df) = p.df {
        let how = match df {
            PmtuDisc::Dont => 0,
            PmtuDisc::Want => 1,
            PmtuDisc::Do => 2,
        };
        crate::sys::mtu_discover(&fd, how).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(22)))?;
    }
    if sport != 0 {
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    }
    if sport != 0 || p.src.is_some() {
        let at = p.src.unwrap_or(Ipv4Addr::UNSPECIFIED);
        bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(at, sport)))?;
    }
    Ok(fd)
}

/// Waits until a socket has something, or until a time; what it has.
pub fn wait(fd: &impl AsFd, what: PollFlags, until: Instant) -> Result<Option<PollFlags>, Errno> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: a wait of less than a millisecond is not a busy loop.
        let ms = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut fds = [PollFd::new(fd.as_fd(), what)];
        match poll(&mut fds, PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(fds[0].revents()),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// An entry of a socket's error queue (`IP_RECVERR`, ip(7)).
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// errno.
    pub errno: Errno,
    /// Type and code, and who sent it, where an ICMP message caused it.
    pub icmp: Option<((u8, u8), Ipv4Addr)>,
}

/// Takes an entry of the error queue.
pub fn errqueue(fd: &OwnedFd) -> Option<Queued> {
    let mut space = cmsg_space!([u8; 256]);
    let mut data = [0u8; 2048];
    let mut iov = [std::io::IoSliceMut::new(&mut data)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let m = recvmsg::<SockaddrIn>(fd.as_raw_fd(), &mut iov, Some(&mut space), flags).ok()?;
    m.cmsgs().ok()?.find_map(|c| {
        let ControlMessageOwned::Ipv4RecvErr(e, from) = c else { return None };
        // SO_EE_ORIGIN_ICMP
        let icmp = (e.ee_origin == 2).then(|| {
            let from = from.map_or(Ipv4Addr::UNSPECIFIED, |a| Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)));
            ((e.ee_type, e.ee_code), from)
        });
        Some(Queued { errno: Errno::from_raw(e.ee_errno as i32), icmp })
    })
}
