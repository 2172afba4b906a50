//! A server that answers with the address it saw, as the model's ([`packetwalk_sim::app::serve`]).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, accept4, bind, getsockname,
    listen, recvmsg, sendto, setsockopt, socket, sockopt,
};

use super::{Running, Stop, start};
use crate::lab::netns::NetNs;

/// Connections that may wait.
const BACKLOG: i32 = 16;
/// A client that says nothing is left after so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What passes between two writes: long enough for the first to be acknowledged nearby, as in the model.
const BETWEEN_WRITES: Duration = Duration::from_micros(500);

/// Starts a server on ports of an address; `true` for UDP. It calls itself `name`.
///
/// # Errors
/// Where a port is taken.
pub fn serve(net: &NetNs, name: &str, addr: Ipv4Addr, ports: &[(bool, u16)]) -> io::Result<Running> {
    let ports = ports.to_vec();
    let all = move || ports.iter().map(|(udp, port)| Ok((*udp, open(*udp, addr, *port, BACKLOG)?))).collect();
    let name = name.to_owned();
    start(net, "serve", all, move |socks: Vec<(bool, OwnedFd)>, stop| work(&socks, &name, stop))
}

/// `serve` as a command, in the namespace that it was started in: it ends when it is killed.
pub fn main(argv: &[String]) -> ExitCode {
    let Some((addr, ports)) = packetwalk_sim::command::serve::parse(argv) else {
        eprint!("{}", packetwalk_sim::command::serve::USAGE);
        return ExitCode::from(2);
    };
    let name = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_default();
    let running = NetNs::current().and_then(|net| serve(&net, &name, addr, &ports));
    match running {
        Ok(_running) => loop {
            thread::park();
        },
        Err(e) => {
            let (no, port) = (e.raw_os_error().unwrap_or(0), ports.first().map_or(0, |p| p.1));
            let why = nix::errno::Errno::from_raw(no).desc().to_owned();
            eprintln!("[emerg] bind() to {addr}:{port} failed ({no}: {why})");
            ExitCode::FAILURE
        }
    }
}

/// A socket that listens; `true` for UDP.
///
/// # Errors
/// Where the port is taken.
pub fn open(udp: bool, addr: Ipv4Addr, port: u16, backlog: i32) -> io::Result<OwnedFd> {
    let ty = if udp { SockType::Datagram } else { SockType::Stream };
    let fd = socket(AddressFamily::Inet, ty, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(addr, port)))?;
    if udp {
        setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
    } else {
        listen(&fd, Backlog::new(backlog)?)?;
    }
    Ok(fd)
}

fn work(socks: &[(bool, OwnedFd)], name: &str, stop: &Stop) {
    let fds: Vec<&OwnedFd> = socks.iter().map(|s| &s.1).collect();
    while let Some(ready) = stop.wait(&fds) {
        for i in ready {
            if socks[i].0 {
                datagram(fds[i], name);
            } else {
                connection(fds[i], name);
            }
        }
    }
}

fn line(name: &str, proto: &str, peer: SocketAddrV4, local: SocketAddrV4) -> String {
    format!("name={name} proto={proto} peer={peer} local={local}\n")
}

fn v4(a: SockaddrIn) -> SocketAddrV4 {
    SocketAddrV4::new(a.ip(), a.port())
}

/// Answers a datagram; the kernel picks the source address, as with most UDP servers.
fn datagram(fd: &OwnedFd, name: &str) {
    let mut buf = [0u8; 2048];
    while let Some((from, to)) = received(fd, &mut buf) {
        let Ok(me) = getsockname::<SockaddrIn>(fd.as_raw_fd()) else { return };
        let text = line(name, "udp", v4(from), SocketAddrV4::new(to.unwrap_or(me.ip()), me.port()));
        // An answer that cannot be sent is lost, as it would be.
        let _ = sendto(fd.as_raw_fd(), text.as_bytes(), &from, MsgFlags::empty());
    }
}

/// Who sent a datagram, and to which of our addresses (`IP_PKTINFO`).
fn received(fd: &OwnedFd, buf: &mut [u8]) -> Option<(SockaddrIn, Option<Ipv4Addr>)> {
    let mut space = cmsg_space!(libc::in_pktinfo);
    let mut iov = [io::IoSliceMut::new(buf)];
    let m = recvmsg::<SockaddrIn>(fd.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT).ok()?;
    let to = m.cmsgs().ok().and_then(|mut c| {
        c.find_map(|c| match c {
            ControlMessageOwned::Ipv4PacketInfo(i) => Some(Ipv4Addr::from(u32::from_be(i.ipi_addr.s_addr))),
            _ => None,
        })
    });
    Some((m.address?, to))
}

/// The connections that wait.
pub fn accepted(fd: &OwnedFd) -> impl Iterator<Item = TcpStream> {
    std::iter::from_fn(|| accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC).ok().map(stream))
}

fn connection(fd: &OwnedFd, name: &str) {
    for stream in accepted(fd) {
        let name = name.to_owned();
        thread::spawn(move || {
            // What a broken connection says is for the one at its other end.
            let _ = client(stream, &name);
        });
    }
}

#[expect(unsafe_code, reason = "nix returns the accepted descriptor as a number; nobody else has it")]
fn stream(fd: i32) -> TcpStream {
    // SAFETY: accept4 has just made it.
    TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn client(mut s: TcpStream, name: &str) -> io::Result<()> {
    s.set_read_timeout(Some(PATIENCE))?;
    let (std::net::SocketAddr::V4(peer), std::net::SocketAddr::V4(local)) = (s.peer_addr()?, s.local_addr()?) else {
        return Ok(());
    };
    let text = line(name, "tcp", peer, local);
    let mut buf = [0u8; 1023];
    let n = s.read(&mut buf)?;
    let asked = &buf[..n];
    if n == 0 {
        return Ok(());
    }
    if asked.starts_with(b"GET ") || asked.starts_with(b"HEAD ") {
        s.write_all(format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    } else {
        s.write_all(text.as_bytes())?;
        if let Some(n) = asked.strip_prefix(b"BULK ") {
            let n = n.iter().take_while(|b| b.is_ascii_digit()).take(8);
            thread::sleep(BETWEEN_WRITES);
            s.write_all(&vec![b'z'; n.fold(0, |a, b| a * 10 + usize::from(b - b'0'))])?;
        }
    }
    s.shutdown(Shutdown::Write)?;
    while s.read(&mut buf)? > 0 {}
    Ok(())
}
