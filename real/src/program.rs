//! Programs that scenarios need on the live kernel: servers that answer with the address they saw, name servers,
//! docker-proxy. Each runs on threads that have entered their namespace, and ends when it is dropped.

mod announce;
mod named;
mod proxy;
pub mod resolver;
mod serve;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

pub use announce::announce;
pub use named::named;
pub use proxy::proxy;
pub use serve::{main as serve_main, serve};

use crate::lab::netns::NetNs;

/// A program that runs.
pub struct Running {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The counter of an eventfd cannot overflow by one.
        let _ = self.stop.write(1);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

/// Starts a program in a namespace: `open` makes its sockets there, and only if it could does `work` go on with them.
///
/// # Errors
/// What `open` met.
fn start<S: Send + 'static>(
    net: &NetNs,
    name: &str,
    open: impl FnOnce() -> io::Result<S> + Send,
    work: impl FnOnce(S, &Stop) + Send + 'static,
) -> io::Result<Running> {
    let socks = net.run(open)??;
    let stop = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    let (flag, net) = (Stop(Arc::clone(&stop)), net.clone());
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        if net.enter().is_ok() {
            // A thread must not keep the namespace, or it would never go.
            drop(net);
            work(socks, &flag);
        }
    })?;
    Ok(Running { stop, thread: Some(thread) })
}

/// Told when the program shall end.
#[derive(Clone)]
pub struct Stop(Arc<EventFd>);

impl Stop {
    /// Lets time pass; says whether it is time to end.
    pub fn pause(&self, for_: Duration) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let ms = PollTimeout::try_from(for_).unwrap_or(PollTimeout::MAX);
        poll(&mut fds, ms).is_ok_and(|n| n > 0)
    }

    /// Waits until one of some sockets can be read, and says which; none when it is time to end.
    pub fn wait(&self, socks: &[&OwnedFd]) -> Option<Vec<usize>> {
        loop {
            let mut fds: Vec<PollFd<'_>> = socks.iter().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
            fds.push(PollFd::new(self.0.as_fd(), PollFlags::POLLIN));
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                continue;
            }
            let ready = |f: &PollFd<'_>| f.revents().is_some_and(|r| !r.is_empty());
            if fds.last().is_some_and(ready) {
                return None;
            }
            return Some((0..socks.len()).filter(|i| ready(&fds[*i])).collect());
        }
    }
}
