//! The file descriptors of a command.

use std::rc::Rc;

use crate::kernel::types::SockId;

/// Where a file descriptor writes to.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// A buffer of the shell.
    Buf(usize),
    /// A file, appended to.
    File(Rc<str>),
    /// A connected datagram socket.
    Socket(SockId),
    /// Nowhere.
    Null,
}

/// The file descriptors of a command.
#[derive(Clone, Debug)]
pub(super) struct Io {
    /// Index of the text that is read.
    pub(super) stdin: usize,
    /// Standard output.
    pub(super) out: Sink,
    /// Standard error.
    pub(super) err: Sink,
    /// Descriptors 3 to 9.
    pub(super) more: [Option<Sink>; 7],
}

impl Io {
    pub(super) fn get(&self, fd: i32) -> Option<Sink> {
        match fd {
            1 => Some(self.out.clone()),
            2 => Some(self.err.clone()),
            3..=9 => self.more[fd as usize - 3].clone(),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, fd: i32, sink: Sink) {
        match fd {
            1 => self.out = sink,
            2 => self.err = sink,
            3..=9 => self.more[fd as usize - 3] = Some(sink),
            _ => {}
        }
    }

    /// Sockets among the descriptors.
    pub(super) fn sockets(&self) -> impl Iterator<Item = SockId> + '_ {
        [&self.out, &self.err].into_iter().chain(self.more.iter().flatten()).filter_map(|sink| match sink {
            Sink::Socket(s) => Some(*s),
            _ => None,
        })
    }
}
