//! The virtual clock: frames on their way and timers that run, ordered by (time, sequence).
//!
//! Every device hop takes the same [`HOP_NS`], so frames arrive in the order they were sent and
//! need no heap; timers do. Nothing here looks at a wall clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::Ipv4Addr;

use crate::kernel::types::{DevId, HostId, Nanos, NetnsId, SockId};
use crate::wire::Packet;

/// Time that a frame needs from one device to the next.
pub const HOP_NS: Nanos = 10_000;

/// Time until a kernel worker gets to what was left for it.
pub const WORK_NS: Nanos = 80_000;

/// A connection's timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TcpTimer {
    /// Retransmission and whatever else ends a wait (`tcp_write_timer`).
    Write,
    /// A delayed acknowledgment (`tcp_delack_timer`).
    DelAck,
    /// The next packet's time has come (`tcp_pace_kick`).
    Pacing,
}

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A neighbour entry's (`neigh_timer_handler`); `generation` tells whether it still counts.
    Neigh {
        /// Device of the entry.
        dev: DevId,
        /// Its address.
        ip: Ipv4Addr,
        /// `Neigh::timer_gen` when it was set.
        generation: u32,
    },
    /// Reassembly of a datagram (`ip_expire`).
    Frag {
        /// Namespace.
        ns: NetnsId,
        /// Number of the queue.
        key: u32,
    },
    /// A TCP socket's (`tcp_write_timer`, TIME-WAIT …).
    Tcp {
        /// Socket.
        sock: SockId,
        /// Which of its timers.
        kind: TcpTimer,
        /// Whether it still counts.
        generation: u32,
    },
    /// A port's carrier came up: the bridge looks at it (`br_port_carrier_check`).
    LinkWatch(DevId),
    /// A kernel's worker looks at carriers that changed (`linkwatch_event`).
    LinkWatchWork(HostId),
    /// A device's reports of groups (`igmp_ifc_timer_expire`).
    Igmp {
        /// Device.
        dev: DevId,
        /// Whether it still counts.
        generation: u32,
    },
    /// A packet held back (`proxy_delay`): index of the parked packet.
    Parked(u32),
    /// An application asked to be woken.
    App {
        /// Number of the application.
        app: u32,
        /// Its own word for why.
        token: u32,
    },
}

/// A frame on its way to a device.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// When it arrives.
    pub at: Nanos,
    /// Order among equals.
    pub seq: u64,
    /// Receiving device.
    pub dev: DevId,
    /// The frame.
    pub packet: Packet,
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Next {
    /// A frame arrives.
    Frame(DevId, Packet),
    /// A timer fires.
    Timer(Timer),
}

/// The kernel's timer wheel (kernel/time/timer.c): its timers fire with a tick, the later the coarser.
///
/// How late depends on when the machine was started. A scenario's machine counts its jiffies from the beginning of virtual
/// time; one that is held against a live kernel takes that one's wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Length of a tick (`1/CONFIG_HZ`).
    pub tick: Nanos,
    /// What makes nanoseconds since the jiffies were 0 of virtual time.
    pub phase: Nanos,
}

impl Default for Wheel {
    /// That of a machine with 250 ticks a second, whose jiffies were 0 when virtual time was.
    fn default() -> Self {
        Wheel { tick: 4_000_000, phase: 0 }
    }
}

impl Wheel {
    /// Buckets of a level but one, and how much coarser the next level is, as a power of two
    /// (`LVL_SIZE - 1`, `LVL_CLK_SHIFT`).
    const LEVEL: (Nanos, u32) = (63, 3);

    /// When a timer fires that is due so long after `now`, and its level of the wheel (`calc_wheel_index`).
    pub fn fires(&self, now: Nanos, after: Nanos) -> (Nanos, u32) {
        let jiffies = (now + self.phase) / self.tick;
        let delta = after.div_ceil(self.tick);
        let mut shift = 0;
        while delta >= Self::LEVEL.0 << shift {
            shift += Self::LEVEL.1;
        }
        // Rounded up to the level's next bucket: never early.
        let bucket = (((jiffies + delta) >> shift) + 1) << shift;
        ((bucket * self.tick).saturating_sub(self.phase).max(now), shift / Self::LEVEL.1)
    }
}

/// The event queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Virtual time.
    pub now: Nanos,
    /// What the kernel's timers are rounded by.
    pub wheel: Wheel,
    seq: u64,
    frames: VecDeque<InFlight>,
    /// Frames that a worker hands on: later than those, and in order among themselves.
    works: VecDeque<InFlight>,
    timers: BinaryHeap<Reverse<(Nanos, Turn, Timer)>>,
}

/// Which of the timers that fire at one time is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// A process' (`hrtimer`), by when it was set.
    Process(u64),
    /// The wheel's (`run_timer_softirq`): the processor's own base first, the coarser level first (`__run_timers`), and
    /// of a bucket what was put there last (`enqueue_timer` puts it at the head).
    Softirq(Base, Reverse<u32>, Reverse<u64>),
}

/// Which of the wheels of a processor a timer is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// `BASE_LOCAL`: timers with `TIMER_PINNED`.
    Local,
    /// `BASE_GLOBAL`: all others, which another processor may work off.
    Global,
}

impl Queue {
    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// A frame leaves for a device and arrives one hop later.
    #[inline]
    pub fn send(&mut self, dev: DevId, packet: Packet) {
        let seq = self.next_seq();
        self.frames.push_back(InFlight { at: self.now + HOP_NS, seq, dev, packet });
    }

    /// A frame is left for a worker to hand to a device (`schedule_work`).
    pub fn send_by_worker(&mut self, dev: DevId, packet: Packet) {
        let seq = self.next_seq();
        self.works.push_back(InFlight { at: self.now + WORK_NS, seq, dev, packet });
    }

    /// Does a worker hand on its first frame before the first that is on its way?
    fn worker_first(&self) -> bool {
        match (self.works.front(), self.frames.front()) {
            (Some(w), Some(f)) => (w.at, w.seq) < (f.at, f.seq),
            (w, _) => w.is_some(),
        }
    }

    fn first_frame(&self) -> Option<&InFlight> {
        if self.worker_first() { self.works.front() } else { self.frames.front() }
    }

    /// Sets a timer that fires when it is due, as a process' (`hrtimer`).
    pub fn timer(&mut self, at: Nanos, timer: Timer) {
        let seq = self.next_seq();
        self.timers.push(Reverse((at.max(self.now), Turn::Process(seq), timer)));
    }

    /// Sets a timer of the kernel's wheel for so long from now (`mod_timer`).
    pub fn mod_timer(&mut self, after: Nanos, timer: Timer) {
        self.mod_timer_of(Base::Global, after, timer);
    }

    /// Sets a timer of one of the wheels.
    pub fn mod_timer_of(&mut self, base: Base, after: Nanos, timer: Timer) {
        let seq = self.next_seq();
        let (at, level) = self.wheel.fires(self.now, after);
        self.timers.push(Reverse((at, Turn::Softirq(base, Reverse(level), Reverse(seq)), timer)));
    }

    /// So long in whole jiffies, rounded up (`usecs_to_jiffies`).
    pub fn whole_jiffies(&self, time: Nanos) -> Nanos {
        time.next_multiple_of(self.wheel.tick)
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Nanos> {
        let f = self.first_frame().map(|f| f.at);
        let t = self.timers.peek().map(|t| t.0.0);
        match (f, t) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes every frame that is under way.
    pub fn take_frames(&mut self) -> VecDeque<InFlight> {
        let mut all = std::mem::take(&mut self.frames);
        all.append(&mut self.works);
        all
    }

    /// Frames under way.
    pub fn frames_in_flight(&self) -> usize {
        self.frames.len() + self.works.len()
    }

    /// Frames are between devices.
    pub fn frames_on_their_way(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Takes the next frame on its way, whatever timers are due before, and moves the clock to it.
    pub fn pop_frame(&mut self) -> Option<(DevId, Packet)> {
        let f = self.frames.pop_front()?;
        self.now = self.now.max(f.at);
        Some((f.dev, f.packet))
    }

    /// Takes the next event due at or before `until`, and moves the clock to it. What was due while a process was held
    /// up comes now.
    #[inline]
    pub fn pop(&mut self, until: Nanos) -> Option<Next> {
        let frame_first = match (self.first_frame(), self.timers.peek()) {
            (Some(f), Some(Reverse((at, Turn::Process(seq), _)))) => (f.at, f.seq) < (*at, *seq),
            // Timers come before what was received (TIMER_SOFTIRQ, NET_RX_SOFTIRQ).
            (Some(f), Some(Reverse((at, Turn::Softirq(..), _)))) => f.at < *at,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return None,
        };
        if frame_first {
            if self.first_frame()?.at > until {
                return None;
            }
            let f = if self.worker_first() { self.works.pop_front()? } else { self.frames.pop_front()? };
            self.now = self.now.max(f.at);
            Some(Next::Frame(f.dev, f.packet))
        } else {
            if self.timers.peek()?.0.0 > until {
                return None;
            }
            let Reverse((at, _, t)) = self.timers.pop()?;
            self.now = self.now.max(at);
            Some(Next::Timer(t))
        }
    }
}

/// The scenario's dice: SplitMix64, the same numbers from the same seed everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Dice from a seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A locally administered unicast address (`eth_random_addr`).
    pub fn mac(&mut self) -> crate::wire::MacAddr {
        let b = self.next_u64().to_be_bytes();
        crate::wire::MacAddr([(b[0] & 0xfe) | 0x02, b[1], b[2], b[3], b[4], b[5]])
    }
}

#[cfg(test)]
mod tests {
    use super::{Nanos, Wheel};

    const MS: Nanos = 1_000_000;

    /// Linux at 250 Hz, on a jiffy that ends a bucket of 8 and one in its midst.
    #[test]
    fn timers_fire_with_a_bucket() {
        let at = |phase: Nanos, after: Nanos| Wheel { tick: 4 * MS, phase: phase * 4 * MS }.fires(0, after * MS).0 / MS;
        // Below 63 jiffies each has a bucket: one jiffy late, as part of the first has gone.
        assert_eq!(at(1000, 40), 44);
        // 250 jiffies: buckets of 8. 1000 + 250 = 1250 is in the bucket that ends with 1256.
        assert_eq!(at(1000, 1000), 1024);
        assert_eq!(at(1006, 1000), 1032);
        // 750 jiffies: buckets of 64.
        assert_eq!(at(1000, 3000), (1792 - 1000) * 4);
    }
}
