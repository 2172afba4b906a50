//! The engine's name server inside a container, at 127.0.0.11: what it answers is the model's
//! ([`packetwalk_sim::app::resolver::Setup::answer`]), on real sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use packetwalk_sim::app::dns::PORT;
use packetwalk_sim::app::resolver::{ADDRESS, EXT_TIMEOUT, MAX_EXT, Setup};
use packetwalk_sim::wire::dns::{Message, Rcode};

use super::serve::open;
use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

/// What it knows, with the namespaces that its servers outside are asked from.
#[derive(Clone)]
pub struct Knows {
    /// What it answers by itself.
    pub setup: Setup,
    /// Servers outside: their address, and the namespace that they are asked from.
    pub external: Vec<(Ipv4Addr, NetNs)>,
}

/// Starts one on the ports that the container's rules lead to. What it knows may change while it runs.
///
/// # Errors
/// Where a port is taken.
pub fn resolver(net: &NetNs, ports: (u16, u16), knows: &Arc<Mutex<Knows>>) -> io::Result<Running> {
    let bind = move || {
        let tcp = open(false, ADDRESS, ports.1, 128)?;
        let udp = UdpSocket::bind((ADDRESS, ports.0))?;
        udp.set_nonblocking(true)?;
        Ok((udp, tcp))
    };
    let knows = Arc::clone(knows);
    start(net, "resolver", bind, move |(udp, _tcp): (UdpSocket, OwnedFd), stop: &Stop| {
        let Ok(fd) = udp.try_clone().map(OwnedFd::from) else { return };
        let udp = Arc::new(udp);
        let mut buf = [0u8; 2048];
        while stop.wait(&[&fd]).is_some() {
            while let Ok((n, from)) = udp.recv_from(&mut buf) {
                let Some(q) = Message::parse(&buf[..n]).filter(|m| !m.response) else { continue };
                let now = knows.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match now.setup.answer(&q, |_| {}) {
                    Some(m) => reply(&udp, from, &m, false),
                    None => {
                        let udp = Arc::clone(&udp);
                        thread::spawn(move || forward(&udp, from, &q, &now));
                    }
                }
            }
        }
    })
}

fn reply(udp: &UdpSocket, to: SocketAddr, m: &Message, compressed: bool) {
    if let Some(bytes) = m.bytes(compressed) {
        // Who asked may be gone.
        let _ = udp.send_to(&bytes, to);
    }
}

/// Asks the servers outside, one after the other.
fn forward(udp: &UdpSocket, from: SocketAddr, q: &Message, knows: &Knows) {
    let mut last = None;
    let servers = knows.setup.external.iter().zip(&knows.external);
    for (_, (addr, net)) in servers.take(MAX_EXT).filter(|(e, _)| e.from.is_none() || knows.setup.forwards) {
        let Ok(Some(m)) = net.run(|| ask(*addr, q)) else { continue };
        let done = match m.rcode {
            Rcode::NoError => true,
            Rcode::ServFail | Rcode::Refused => false,
            Rcode::NxDomain => m.authoritative || !knows.setup.before_23,
            _ => !knows.setup.before_23,
        };
        if done {
            return reply(udp, from, &m, true);
        }
        last = Some(m);
    }
    match last {
        Some(m) if knows.setup.before_23 => reply(udp, from, &m, true),
        _ if knows.setup.before_23 => {}
        _ => reply(udp, from, &q.reply(Rcode::ServFail), false),
    }
}

fn ask(addr: Ipv4Addr, q: &Message) -> Option<Message> {
    let s = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    s.set_read_timeout(Some(Duration::from_nanos(EXT_TIMEOUT))).ok()?;
    s.connect(SocketAddrV4::new(addr, PORT)).ok()?;
    s.send(&q.bytes(false)?).ok()?;
    let mut buf = [0u8; 4096];
    loop {
        let n = s.recv(&mut buf).ok()?;
        if let Some(m) = Message::parse(&buf[..n]).filter(|m| m.response && m.id == q.id) {
            return Some(m);
        }
    }
}
