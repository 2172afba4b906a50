//! Every frame at every device: an AF_PACKET socket in each network namespace (packet(7)), which tells the device, the
//! direction and the kernel's time.
//!
//! A thread reads the sockets as frames come, so that their buffers never fill while a step runs; what a buffer could
//! not hold all the same is counted and told ([`Capture::lost`]).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use crate::lab::netns::NetNs;

const ETH_P_ALL: u16 = 0x0003;
/// `PACKET_OUTGOING`.
const OUTGOING: u8 = 4;
/// Room for frames between two reads, in bytes; without privilege the kernel gives less.
const BUFFER: usize = 16 << 20;

/// Most frames between two looks. A loop of bridges makes more without end, and would take the machine's time and memory
/// until somebody ends it: the lab ends instead, and its namespaces with it.
const STORM: usize = 200_000;

/// A namespace that is listened to, by the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TapId(pub usize);

/// A frame at a device.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Namespace.
    pub tap: TapId,
    /// Device, by its index there.
    pub ifindex: u32,
    /// It leaves.
    pub out: bool,
    /// Kernel's time in nanoseconds since the epoch.
    pub at_ns: i64,
    /// The frame.
    pub bytes: Vec<u8>,
}

struct Tap {
    sock: OwnedFd,
    lost: u64,
}

#[derive(Default)]
struct State {
    /// By [`TapId`]; none once it was let go.
    taps: Vec<Option<Tap>>,
    seen: Vec<Seen>,
    buf: Vec<u8>,
}

/// All sockets.
pub struct Capture {
    state: Arc<Mutex<State>>,
    wake: Arc<EventFd>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    closing: Vec<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread that reads.
    ///
    /// # Errors
    /// Where there are no descriptors or threads left.
    pub fn start() -> io::Result<Capture> {
        let state = Arc::new(Mutex::new(State { buf: vec![0; 1 << 17], ..State::default() }));
        let wake = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (s, w, e) = (Arc::clone(&state), Arc::clone(&wake), Arc::clone(&stop));
        let reader = thread::Builder::new().name("capture".into()).spawn(move || read_on(&s, &w, &e))?;
        Ok(Capture { state, wake, stop, reader: Some(reader), closing: Vec::new() })
    }

    /// Listens to a namespace.
    ///
    /// # Errors
    /// Where the kernel allows no packet socket.
    pub fn add(&self, net: &NetNs) -> io::Result<TapId> {
        let sock = net.run(|| crate::sys::packet_socket(ETH_P_ALL, 0))??;
        setsockopt(&sock, sockopt::ReceiveTimestampns, &true)?;
        if setsockopt(&sock, sockopt::RcvBufForce, &BUFFER).is_err() {
            setsockopt(&sock, sockopt::RcvBuf, &BUFFER)?;
        }
        let mut st = lock(&self.state);
        st.taps.push(Some(Tap { sock, lost: 0 }));
        let id = TapId(st.taps.len() - 1);
        drop(st);
        self.wake.write(1)?;
        Ok(id)
    }

    /// Stops listening, so that the namespace can go: a socket keeps its namespace.
    pub fn let_go(&self, tap: TapId) {
        let mut st = lock(&self.state);
        st.drain();
        if let Some(t) = st.taps.get_mut(tap.0) {
            *t = None;
        }
    }

    /// How many frames came since they were last taken.
    pub fn heard(&self) -> usize {
        let mut st = lock(&self.state);
        st.drain();
        st.seen.len()
    }

    /// All frames since it was last asked, each socket's in its order.
    pub fn take(&self) -> Vec<Seen> {
        let mut st = lock(&self.state);
        st.drain();
        std::mem::take(&mut st.seen)
    }

    /// Frames of a namespace that a full buffer lost since it was last asked.
    pub fn lost(&self, tap: TapId) -> u64 {
        let mut st = lock(&self.state);
        let Some(Some(t)) = st.taps.get_mut(tap.0) else { return 0 };
        t.lost += u64::from(crate::sys::packet_drops(&t.sock).unwrap_or(0));
        std::mem::take(&mut t.lost)
    }

    /// Stops listening. The sockets close side by side, and nobody waits for them before this is dropped: each takes a
    /// grace period (`packet_release`: `synchronize_net`), which is one for all that wait at the same time.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The counter of an eventfd cannot overflow by one.
        let _ = self.wake.write(1);
        if let Some(r) = self.reader.take() {
            let _ = r.join();
        }
        let taps = std::mem::take(&mut lock(&self.state).taps);
        self.closing.extend(taps.into_iter().flatten().map(|t| thread::spawn(move || drop(t))));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
        for c in self.closing.drain(..) {
            let _ = c.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_on(state: &Mutex<State>, wake: &EventFd, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        // The sockets are duplicated for the wait, so that one may be let go meanwhile.
        let socks: Vec<OwnedFd> = lock(state).taps.iter().flatten().filter_map(|t| t.sock.try_clone().ok()).collect();
        let mut fds: Vec<PollFd<'_>> = socks.iter().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
        fds.push(PollFd::new(wake.as_fd(), PollFlags::POLLIN));
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue;
        }
        drop(fds);
        drop(socks);
        // Nothing to read is no error: somebody else may have read it.
        let _ = wake.read();
        let mut st = lock(state);
        st.drain();
        if st.seen.len() > STORM {
            crate::lab::end_in_a_storm(st.seen.len());
        }
    }
}

impl State {
    fn drain(&mut self) {
        let State { taps, seen, buf } = self;
        for (i, tap) in taps.iter().enumerate() {
            let Some(t) = tap else { continue };
            while let Some(f) = one(&t.sock, buf, TapId(i)) {
                seen.push(f);
                if seen.len() > STORM {
                    return;
                }
            }
        }
    }
}

fn one(sock: &OwnedFd, buf: &mut [u8], tap: TapId) -> Option<Seen> {
    let mut space = cmsg_space!(TimeSpec);
    let mut iov = [io::IoSliceMut::new(buf)];
    let (n, from, at_ns) = {
        let m = recvmsg::<LinkAddr>(sock.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT).ok()?;
        let at = m.cmsgs().ok().and_then(|mut c| {
            c.find_map(|c| match c {
                ControlMessageOwned::ScmTimestampns(t) => Some(t.tv_sec() * 1_000_000_000 + t.tv_nsec()),
                _ => None,
            })
        });
        (m.bytes, m.address?, at.unwrap_or(0))
    };
    let out = from.pkttype() == OUTGOING;
    Some(Seen { tap, ifindex: from.ifindex() as u32, out, at_ns, bytes: buf[..n].to_vec() })
}
