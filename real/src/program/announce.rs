//! Announcements of an address, as an engine of version 28 makes them for a container: gratuitous ARP requests.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use packetwalk_sim::app::arping::ArpingSpec;
use packetwalk_sim::wire::Arp;

use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

const ETH_P_ARP: u16 = 0x0806;

/// Announces an address on a device, as often and as far apart as told.
///
/// # Errors
/// Where there is no such device.
pub fn announce(net: &NetNs, what: &ArpingSpec) -> io::Result<Running> {
    let (dev, what) = (what.dev.clone(), what.clone());
    let open = move || crate::sys::packet_socket(ETH_P_ARP, nix::net::if_::if_nametoindex(dev.as_str())? as i32);
    start(net, "announce", open, move |fd: OwnedFd, stop: &Stop| {
        for n in 0..what.count {
            if n > 0 && stop.pause(Duration::from_nanos(what.interval)) {
                return;
            }
            // A device that went down meanwhile: the next one will tell.
            let _ = one(&fd, &what);
        }
    })
}

fn one(fd: &OwnedFd, what: &ArpingSpec) -> io::Result<usize> {
    let mac = crate::sys::packet_address(fd)?;
    let op = what.announce.unwrap_or(Arp::REQUEST);
    let target = match op {
        _ if what.zero_target => [0; 6],
        Arp::REPLY => mac,
        _ => [0xff; 6],
    };
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4]);
    frame.extend(op.to_be_bytes());
    frame.extend(mac);
    frame.extend(what.dst.octets());
    frame.extend(target);
    frame.extend(what.dst.octets());
    Ok(send(fd.as_raw_fd(), &frame, MsgFlags::empty())?)
}
