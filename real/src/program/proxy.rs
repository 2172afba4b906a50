//! `docker-proxy` (cmd/docker-proxy), as the model's ([`packetwalk_sim::app::proxy`]): it listens on a port of the host,
//! connects to the container and relays both ways.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use indexmap::IndexMap;
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};

use super::serve::{accepted, open};
use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

/// Connections that may wait.
const BACKLOG: i32 = 4096;

/// Relays from a port of the host to one of a container; port 0 there for nobody, so that it only keeps its own.
///
/// # Errors
/// Where the port is taken.
pub fn proxy(
    net: &NetNs,
    udp: bool,
    host: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    answers_from_asked: bool,
) -> io::Result<Running> {
    let to = SocketAddrV4::new(to.0, to.1);
    let inside = net.clone();
    start(
        net,
        "docker-proxy",
        move || open(udp, host.0, host.1, BACKLOG),
        move |fd: OwnedFd, stop: &Stop| {
            if to.port() == 0 {
                stop.wait(&[]);
            } else if udp {
                datagrams(&fd, to, answers_from_asked, stop);
            } else {
                connections(&fd, to, &inside, stop);
            }
        },
    )
}

fn connections(fd: &OwnedFd, to: SocketAddrV4, net: &NetNs, stop: &Stop) {
    while stop.wait(&[fd]).is_some() {
        for client in accepted(fd) {
            let net = net.clone();
            thread::spawn(move || {
                // A container that does not answer: the client is left.
                if net.enter().is_ok()
                    && let Ok(server) = TcpStream::connect(to)
                {
                    relay(client, server);
                }
            });
        }
    }
}

/// Relays until both sides have ended.
fn relay(client: TcpStream, server: TcpStream) {
    let (client, server) = (Arc::new(client), Arc::new(server));
    let (c, s) = (Arc::clone(&client), Arc::clone(&server));
    let back = thread::spawn(move || pump(&s, &c));
    pump(&client, &server);
    // A panic of the other half is none of ours.
    let _ = back.join();
}

fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buf = [0u8; 32 << 10];
    while let Ok(n @ 1..) = from.read(&mut buf) {
        if to.write_all(&buf[..n]).is_err() {
            break;
        }
    }
    // A side that has ended already.
    let _ = to.shutdown(Shutdown::Write);
}

/// Who sent, the socket that speaks to the container for it, and where it had asked.
struct Flow {
    server: OwnedFd,
    asked: Option<Ipv4Addr>,
}

fn datagrams(fd: &OwnedFd, to: SocketAddrV4, answers_from_asked: bool, stop: &Stop) {
    let mut flows: IndexMap<SocketAddrV4, Flow> = IndexMap::new();
    if setsockopt(fd, sockopt::Ipv4PacketInfo, &true).is_err() {
        return;
    }
    let mut buf = vec![0u8; 1 << 16];
    loop {
        let socks: Vec<&OwnedFd> = std::iter::once(fd).chain(flows.values().map(|f| &f.server)).collect();
        let Some(ready) = stop.wait(&socks) else { return };
        for i in ready {
            if i == 0 {
                while let Some((n, from, asked)) = receive(fd, &mut buf) {
                    let new = || {
                        std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|s| {
                            s.connect(to)?;
                            s.set_nonblocking(true)?;
                            Ok(OwnedFd::from(s))
                        })
                    };
                    if !flows.contains_key(&from) {
                        let Ok(server) = new() else { continue };
                        flows.insert(from, Flow { server, asked });
                    }
                    // What cannot be sent is lost.
                    let _ = flows
                        .get(&from)
                        .map(|f| nix::sys::socket::send(f.server.as_raw_fd(), &buf[..n], MsgFlags::empty()));
                }
            } else if let Some((peer, f)) = flows.get_index(i - 1) {
                answer(fd, f, *peer, answers_from_asked, &mut buf);
            }
        }
    }
}

fn answer(fd: &OwnedFd, f: &Flow, peer: SocketAddrV4, from_asked: bool, buf: &mut [u8]) {
    // An ICMP error of the container's side is read and forgotten.
    while let Ok(n) = nix::sys::socket::recv(f.server.as_raw_fd(), buf, MsgFlags::MSG_DONTWAIT) {
        let iov = [io::IoSlice::new(&buf[..n])];
        let info = f.asked.filter(|_| from_asked).map(|a| libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(a).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        });
        let how: Vec<ControlMessage<'_>> = info.iter().map(ControlMessage::Ipv4PacketInfo).collect();
        // What cannot be sent is lost.
        let _ = sendmsg(fd.as_raw_fd(), &iov, &how, MsgFlags::empty(), Some(&SockaddrIn::from(peer)));
    }
}

/// A datagram: its length, who sent it, and to which of our addresses.
fn receive(fd: &OwnedFd, buf: &mut [u8]) -> Option<(usize, SocketAddrV4, Option<Ipv4Addr>)> {
    let mut space = cmsg_space!(libc::in_pktinfo);
    let mut iov = [io::IoSliceMut::new(buf)];
    let m = recvmsg::<SockaddrIn>(fd.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT).ok()?;
    let to = m.cmsgs().ok().and_then(|mut c| {
        c.find_map(|c| match c {
            ControlMessageOwned::Ipv4PacketInfo(i) => Some(Ipv4Addr::from(u32::from_be(i.ipi_addr.s_addr))),
            _ => None,
        })
    });
    let from = m.address?;
    Some((m.bytes, SocketAddrV4::new(from.ip(), from.port()), to))
}
