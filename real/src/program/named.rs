//! A name server that knows some names, as the model's ([`packetwalk_sim::app::named`]).

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;

use packetwalk_sim::app::named::Named;
use packetwalk_sim::wire::dns::Message;

use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

const PORT: u16 = 53;

/// Starts one.
///
/// # Errors
/// Where port 53 is taken.
pub fn named(net: &NetNs, knows: &Named) -> io::Result<Running> {
    let knows = knows.clone();
    let open = || {
        let s = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
        s.set_nonblocking(true)?;
        Ok(s)
    };
    start(net, "named", open, move |s, stop| work(&s, &knows, stop))
}

fn work(s: &UdpSocket, knows: &Named, stop: &Stop) {
    let Ok(fd) = s.try_clone().map(OwnedFd::from) else { return };
    let mut buf = [0u8; 2048];
    while stop.wait(&[&fd]).is_some() {
        while let Ok((n, from)) = s.recv_from(&mut buf) {
            let Some(bytes) = Message::parse(&buf[..n]).and_then(|q| knows.answer(&q).bytes(true)) else { continue };
            // An answer that cannot be sent is lost, as it would be.
            let _ = s.send_to(&bytes, from);
        }
    }
}
