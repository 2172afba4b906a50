//! Redirections of a command.

use std::net::Ipv4Addr;

use super::ast::*;
use super::interp::{Flow, Shell};
use super::io::{Io, Sink};
use super::vfs::normal;
use crate::kernel::socket::SockKind;
use crate::kernel::types::{Errno, SockId};

/// `ADDRESS/PORT`.
fn endpoint(text: &str) -> Option<(Ipv4Addr, u16)> {
    let (addr, port) = text.split_once('/')?;
    Some((addr.parse().ok()?, port.parse().ok()?))
}

impl Shell<'_> {
    /// Opens redirections; `None` where one failed and the command does not run.
    pub(super) fn redirects(&mut self, list: &[Redirect], io: &Io) -> Option<Io> {
        let mut io = io.clone();
        for r in list {
            match &r.to {
                RedirectTo::Here(w) | RedirectTo::HereString(w) => {
                    let mut text = self.joined(w)?;
                    if matches!(r.to, RedirectTo::HereString(_)) {
                        text.push('\n');
                    }
                    self.inputs.push(text);
                    io.stdin = self.inputs.len() - 1;
                }
                RedirectTo::Read(w) => {
                    let path = self.path(w)?;
                    match self.sess.read_file(self.host, self.ns, &path.1) {
                        Ok(t) => {
                            self.inputs.push(t);
                            io.stdin = self.inputs.len() - 1;
                        }
                        Err(e) => return self.no_file(&path.0, &e.to_string(), &io),
                    }
                }
                RedirectTo::Write(w) | RedirectTo::Append(w) | RedirectTo::Both(w, _) => {
                    let append = matches!(r.to, RedirectTo::Append(_) | RedirectTo::Both(_, true));
                    let (shown, path) = self.path(w)?;
                    if let Some(to) = path.strip_prefix("/dev/udp/").and_then(endpoint).filter(|_| self.has_sockets()) {
                        match self.udp_to(to) {
                            Ok(sock) => io.put(r.fd, Sink::Socket(sock)),
                            Err(e) => return self.no_file(&shown, &e.to_string(), &io),
                        }
                        continue;
                    }
                    if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
                        self.refuse(format!("bash's {shown}"), w.col);
                        return None;
                    }
                    let sink = match path.as_str() {
                        "/dev/null" => Sink::Null,
                        "/dev/stdout" => io.out.clone(),
                        "/dev/stderr" => io.err.clone(),
                        _ => {
                            if self.inside && self.sess.read_only(self.host, self.ns, &path) {
                                return self.not_made(&shown, Errno::EROFS, &io);
                            }
                            if let Err(e) = self.sess.write_file(self.host, self.ns, &path, "", append) {
                                return self.no_file(&shown, &e.to_string(), &io);
                            }
                            Sink::File(path.into())
                        }
                    };
                    if matches!(r.to, RedirectTo::Both(..)) {
                        io.out = sink.clone();
                        io.err = sink;
                    } else {
                        io.put(r.fd, sink);
                    }
                }
                RedirectTo::Dup(n) => match io.get(*n) {
                    Some(_) if r.fd == 0 => {}
                    Some(sink) => io.put(r.fd, sink),
                    None if *n == 0 => {}
                    None => return self.no_file(&n.to_string(), "Bad file descriptor", &io),
                },
                RedirectTo::Close => io.put(r.fd, Sink::Null),
            }
            if self.flow != Flow::Next {
                return None;
            }
        }
        Some(io)
    }

    /// It is bash, which has `/dev/udp`; and no lab has to do the same.
    fn has_sockets(&self) -> bool {
        self.name == "bash" && !self.inside && self.sess.kernel.journal.is_none()
    }

    /// Opens `/dev/udp/ADDRESS/PORT`.
    fn udp_to(&mut self, (addr, port): (Ipv4Addr, u16)) -> Result<SockId, Errno> {
        let (ns, pid) = (self.ns, self.pid);
        let sock = self.sess.kernel.sock_new(ns, SockKind::Udp, Some((pid, "bash")));
        self.sess.kernel.udp_connect(sock, addr, port)?;
        Ok(sock)
    }

    /// Closes what redirections opened.
    pub(super) fn close_sockets(&mut self, io: &Io, outer: &Io) {
        let own: Vec<SockId> = io.sockets().filter(|s| !outer.sockets().any(|o| o == *s)).collect();
        if !own.is_empty() {
            // What a write brings about at once finds the socket open.
            self.sess.advance(super::EXEC_NS);
        }
        for s in own {
            self.sess.kernel.sock_close(s);
        }
    }

    fn no_file(&mut self, path: &str, why: &str, io: &Io) -> Option<Io> {
        let text = format!("{}: line 1: {path}: {why}\n", self.name);
        self.write(&io.err, &text);
        self.last = 1;
        None
    }

    /// A file that busybox' shell cannot open for writing.
    fn not_made(&mut self, path: &str, why: Errno, io: &Io) -> Option<Io> {
        let text = format!("{}: can't create {path}: {why}\n", self.name);
        self.write(&io.err, &text);
        self.last = 1;
        None
    }

    /// A file name as written and as a path.
    pub(super) fn path(&mut self, w: &Word) -> Option<(String, String)> {
        let text = self.joined(w)?;
        let full = normal(&self.cwd, &text);
        Some((text, full))
    }
}
