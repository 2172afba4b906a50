//! What a running `tcpdump` has seen, and when it tells.

use super::print::{ether_text, text};
use super::words::Ask;
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Nanos, NetnsId, SEC};
use crate::session::watch::{Heard, Signal};
use crate::trace::{Event, EventKind, Trace};
use crate::wire::Packet;

/// The kernel hands packets over in blocks, and one that is not full so long after the last: tcpdump's
/// `pcap_set_timeout`, carried out by `prb_retire_rx_blk_timer_expired`. What it has not handed over when tcpdump ends
/// is never printed.
pub(super) const RETIRE_NS: Nanos = SEC;
/// The same with `-l`.
pub(super) const RETIRE_LINES_NS: Nanos = SEC / 10;
/// So long tcpdump takes until its ring is there and the timer runs: 20 to 30 milliseconds, measured. It sees what
/// passes meanwhile all the same: otherwise `tcpdump … & ping …` would hang on a race.
pub(super) const START_NS: Nanos = 25_000_000;
/// stdio's buffer for what is not a terminal (`st_blksize`).
const STDIO_BYTES: usize = 4096;

/// A running capture.
#[derive(Clone, Debug)]
pub struct Capture {
    ask: Ask,
    ns: NetnsId,
    /// None for `-i any`.
    dev: Option<DevId>,
    /// Events of the trace that it has looked at.
    seen: usize,
    /// Lines in the kernel's block.
    block: Vec<String>,
    captured: usize,
    /// Packets that passed the filter in the kernel.
    received: usize,
    /// Written and still in stdio's buffer; none where the output is a terminal or `-l` was given.
    stdio: Option<String>,
}

impl Capture {
    /// Begins to capture.
    pub(super) fn new(ask: Ask, ns: NetnsId, dev: Option<DevId>, seen: usize, terminal: bool) -> Capture {
        let stdio = (!terminal && !ask.line_buffered).then(String::new);
        Capture { ask, ns, dev, seen, block: Vec::new(), captured: 0, received: 0, stdio }
    }

    /// Looks at what happened since; `retired`: the kernel's timer fired.
    pub fn hear(&mut self, k: &Kernel<Trace>, retired: bool) -> Heard {
        for e in &k.rec.events[self.seen..] {
            self.frame(k, e);
        }
        self.seen = k.rec.events.len();
        let mut heard = Heard::default();
        if retired || self.ask.immediate {
            self.hand_over(&mut heard);
        }
        heard
    }

    fn frame(&mut self, k: &Kernel<Trace>, e: &Event) {
        let dir = match e.kind {
            EventKind::Rx => "In ",
            EventKind::Tx => "Out",
            _ => return,
        };
        if e.ns != self.ns || (self.dev.is_some() && e.dev != self.dev) {
            return;
        }
        let Some(packet) = k.rec.packet_at(e) else { return };
        if !self.ask.filter.iter().all(|(not, t)| t.fits(packet) != *not) {
            return;
        }
        self.received += 1;
        // On `lo` a frame is seen twice; libpcap passes over the one that goes out (`linux_check_direction`).
        if e.dev.is_some_and(|d: DevId| k.dev(d).is_loopback()) && dir == "Out" {
            return;
        }
        let on = match (self.dev, e.dev) {
            (None, Some(d)) => format!("{:<5} {dir} ", k.dev(d).name),
            _ => String::new(),
        };
        self.block.push(self.line(e.at, &on, packet));
    }

    fn line(&self, at: Nanos, on: &str, packet: &Packet) -> String {
        let us = at / 1000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        let time = match self.ask.timeless {
            true => String::new(),
            false => format!("{:02}:{:02}:{:02}.{us:06} ", s / 3600, s / 60 % 60, s % 60),
        };
        let ether = if self.ask.ether { ether_text(packet) } else { String::new() };
        format!("{time}{on}{ether}{}\n", text(packet))
    }

    /// The block goes to tcpdump, which prints it and ends when it has enough.
    fn hand_over(&mut self, heard: &mut Heard) {
        for line in std::mem::take(&mut self.block) {
            self.captured += 1;
            self.print(&line, &mut heard.out);
            if self.ask.count == Some(self.captured) {
                heard.exit = Some(0);
                heard.out.push_str(self.stdio.as_deref().unwrap_or_default());
                heard.err = self.counts();
                return;
            }
        }
    }

    fn print(&mut self, line: &str, out: &mut String) {
        let Some(held) = &mut self.stdio else { return out.push_str(line) };
        held.push_str(line);
        let whole = held.len() / STDIO_BYTES * STDIO_BYTES;
        // Its lines are ASCII.
        out.extend(held.drain(..whole));
    }

    fn counts(&self) -> String {
        let packets = |n: usize| format!("{n} packet{}", if n == 1 { "" } else { "s" });
        format!(
            "{} captured\n{} received by filter\n0 packets dropped by kernel\n",
            packets(self.captured),
            packets(self.received)
        )
    }

    /// Its last words on a signal; none where it does not live to say them.
    pub fn signalled(&self, signal: Signal) -> Option<[String; 2]> {
        let held = self.stdio.as_deref().unwrap_or_default();
        (signal != Signal::Kill).then(|| [format!("{held}\n"), self.counts()])
    }
}
