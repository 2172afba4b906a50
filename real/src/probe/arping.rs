//! One ARP request (RFC 826), and all answers of a second.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{LinkAddr, MsgFlags, recvmsg, send};
use packetwalk_sim::app::probe::{Probe, ProbeReport};
use packetwalk_sim::trace::Outcome;

use super::socket::wait;
use crate::netlink::{self, Message, Netlink, Request, attr};

const ETH_P_ARP: u16 = 0x0806;
/// `PACKET_OUTGOING`: our own.
const OUTGOING: u8 = 4;

/// Asks who has an address and collects the answers.
///
/// # Errors
/// Where there is no such device, or the kernel refuses at once.
pub fn arping(p: &Probe, dst: Ipv4Addr, until: Instant) -> Result<ProbeReport, Errno> {
    let dev = p.dev.as_deref().unwrap_or("eth0");
    let index = nix::net::if_::if_nametoindex(dev).map_err(|_| Errno::ENODEV)?;
    let raw = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(22));
    let fd = crate::sys::packet_socket(ETH_P_ARP, index as i32).map_err(raw)?;
    let mac = crate::sys::packet_address(&fd).map_err(raw)?;
    let src = p.src.or_else(|| first_address(index)).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(src.octets());
    frame.extend([0; 6]);
    frame.extend(dst.octets());
    send(fd.as_raw_fd(), &frame, MsgFlags::empty())?;
    let until = until.min(Instant::now() + Duration::from_secs(1));
    let mut macs = Vec::new();
    let mut buf = [0u8; 2048];
    while wait(&fd, PollFlags::POLLIN, until)?.is_some() {
        let mut iov = [std::io::IoSliceMut::new(&mut buf)];
        let Ok(m) = recvmsg::<LinkAddr>(fd.as_raw_fd(), &mut iov, None, MsgFlags::empty()) else { continue };
        let (n, Some(from)) = (m.bytes, m.address) else { continue };
        let d = &buf[..n];
        if n >= 42 && from.pkttype() != OUTGOING && d[20..22] == [0, 2] && d[28..32] == dst.octets() {
            macs.push(d[22..28].iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":"));
        }
    }
    // To close it takes a grace period (`packet_release`), which nobody needs to wait for.
    std::thread::spawn(move || drop(fd));
    let outcome = if macs.is_empty() { Outcome::Timeout } else { Outcome::Reply };
    Ok(ProbeReport { outcome: Some(outcome), macs: Some(macs), ..Default::default() })
}

/// A device's first IPv4 address. Addresses are told without the lock of the machine's devices, for which `SIOCGIFADDR`
/// and getifaddrs(3) wait.
fn first_address(index: u32) -> Option<Ipv4Addr> {
    const IFA_LOCAL: u16 = 2;
    // `struct ifaddrmsg`.
    let mut header = [0; 8];
    header[0] = libc::AF_INET as u8;
    let all = Netlink::open(netlink::ROUTE).ok()?.dump(&Request::new(libc::RTM_GETADDR, 0, &header)).ok()?;
    let of_device = |m: &Message<'_>| m.body.len() >= header.len() && attr::u32_at(m.body, 4) == index;
    all.iter().filter(of_device).find_map(|m| {
        let local = attr::find(&m.body[header.len()..], IFA_LOCAL)?;
        Some(Ipv4Addr::from(*local.value.first_chunk::<4>()?))
    })
}
