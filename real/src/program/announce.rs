//! Announcements of an address, as an engine of version 28 makes them for a container: gratuitous ARP requests.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};

use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

const ETH_P_ARP: u16 = 0x0806;

/// Announces an address on a device, so often, so far apart.
///
/// # Errors
/// Where there is no such device.
pub fn announce(net: &NetNs, dev: &str, ip: Ipv4Addr, count: u32, interval: Duration) -> io::Result<Running> {
    let dev = dev.to_owned();
    let open = move || crate::sys::packet_socket(ETH_P_ARP, nix::net::if_::if_nametoindex(dev.as_str())? as i32);
    start(net, "announce", open, move |fd: OwnedFd, stop: &Stop| {
        for n in 0..count {
            if n > 0 && stop.pause(interval) {
                return;
            }
            // A device that went down meanwhile: the next one will tell.
            let _ = one(&fd, ip);
        }
    })
}

fn one(fd: &OwnedFd, ip: Ipv4Addr) -> io::Result<usize> {
    let mac = crate::sys::packet_address(fd)?;
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(ip.octets());
    frame.extend([0; 6]);
    frame.extend(ip.octets());
    Ok(send(fd.as_raw_fd(), &frame, MsgFlags::empty())?)
}
