//! Who does what, and when: the clock's next event, and the softirqs that run in the name of a process.

use super::Kernel;
use super::types::Nanos;
use crate::engine::{Next, TcpTimer, Timer};
use crate::trace::Recorder;

/// Receptions that one `do_softirq` handles before it leaves the rest to `ksoftirqd`: what the backlog gives at once
/// (`net.core.dev_weight`). `__do_softirq` would begin again were nobody waiting for the processor; somebody reads the
/// frames. Measured with two fragments in a loop of routers: the second leaves after 64 receptions of the first.
const BUDGET: usize = 64;

impl<R: Recorder> Kernel<R> {
    /// Carries out what happens next, at or before a time.
    #[inline]
    pub fn step(&mut self, until: Nanos) -> Stepped {
        let Some(next) = self.queue.pop(until) else { return Stepped::Idle };
        self.softirq = true;
        let stepped = self.handle(next);
        self.softirq = false;
        stepped
    }

    fn handle(&mut self, next: Next) -> Stepped {
        match next {
            Next::Frame(dev, p) => self.netif_receive(dev, p),
            Next::Timer(Timer::Neigh { dev, ip, generation }) => self.neigh_timer(dev, ip, generation),
            Next::Timer(Timer::Frag { ns, key }) => self.ip_expire(ns, key),
            Next::Timer(Timer::Tcp { sock, kind: TcpTimer::DelAck, .. }) => self.tcp_delack_timer(sock),
            Next::Timer(Timer::Tcp { sock, kind: TcpTimer::Pacing, .. }) => self.tcp_pace_kick(sock),
            Next::Timer(Timer::Tcp { sock, kind: TcpTimer::Write, generation }) => self.tcp_timer(sock, generation),
            Next::Timer(Timer::LinkWatch(dev)) => self.br_port_check(dev),
            Next::Timer(Timer::LinkWatchWork(host)) => self.linkwatch_work(host),
            Next::Timer(Timer::Igmp { dev, generation }) => self.igmp_timer(dev, generation),
            Next::Timer(Timer::Parked(i)) => {
                if let Some((dev, p)) = self.parked.get_mut(i as usize).and_then(Option::take) {
                    self.arp_parked(dev, p);
                }
            }
            Next::Timer(Timer::App { app, token }) => return Stepped::App { app, token },
        }
        Stepped::Done
    }

    /// Whether a process that was woken gets the processor: once what the softirq sets off has gone its ways.
    pub(crate) fn softirq_is_through(&mut self) -> bool {
        let more = self.receptions - self.woken_at < BUDGET as u64 && self.queue.frames_on_their_way();
        let waits = more && !self.wakeups.is_empty();
        if !waits {
            self.woken_at = self.receptions;
        }
        !waits
    }

    /// `do_softirq`, when a process enables bottom halves again after it handed a packet to a device: what that sets
    /// off is through before the process goes on, hop after hop. In a softirq already, it all waits for its turn.
    pub(crate) fn do_softirq(&mut self) {
        if self.softirq {
            return;
        }
        self.softirq = true;
        for _ in 0..BUDGET {
            let Some((dev, p)) = self.queue.pop_frame() else { break };
            self.netif_receive(dev, p);
        }
        self.softirq = false;
    }
}

/// What a step of the clock was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stepped {
    /// Nothing is due by then.
    Idle,
    /// The kernel did its part.
    Done,
    /// An application's timer fired: its turn.
    App {
        /// Application.
        app: u32,
        /// Its own word for why.
        token: u32,
    },
}
