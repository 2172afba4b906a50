//! macvlan: several Ethernet addresses on one device (drivers/net/macvlan.c).

use super::Kernel;
use super::link::{DevKind, IfFlags};
use super::netfilter::SkbNf;
use super::types::{DevId, Errno};
use crate::op::OpError;
use crate::trace::event::MacvlanVerdict;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{MacAddr, Packet};

/// What the devices on one lower device do with each other's frames (`enum macvlan_mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MacvlanMode {
    /// They never hear each other.
    Private,
    /// Everything goes out by the lower device; a switch there may send it back.
    #[default]
    Vepa,
    /// What is for another one of this mode goes to it directly.
    Bridge,
}

impl MacvlanMode {
    /// The word of `ip link`.
    pub fn as_str(self) -> &'static str {
        match self {
            MacvlanMode::Private => "private",
            MacvlanMode::Vepa => "vepa",
            MacvlanMode::Bridge => "bridge",
        }
    }
}

/// A set of modes (`MACVLAN_MODE_*` as flags).
type Modes = &'static [MacvlanMode];
const ALL_MODES: Modes = &[MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge];

/// `macvlan_eth_hash`: the bucket of an address, which tells in which order copies are made.
fn bucket(mac: MacAddr) -> u64 {
    const GOLDEN_RATIO_64: u64 = 0x61C8_8646_80B5_83EB;
    let v = mac.0.iter().rev().fold(0u64, |a, b| a << 8 | u64::from(*b)) << 16;
    v.wrapping_mul(GOLDEN_RATIO_64) >> 56
}

impl<R: Recorder> Kernel<R> {
    /// The device that a macvlan lies on.
    pub fn macvlan_lower(&self, dev: DevId) -> Option<DevId> {
        match self.dev(dev).kind {
            DevKind::Macvlan { lower, .. } => Some(lower),
            _ => None,
        }
    }

    /// `macvlan_common_newlink`: may there be one on the device, and on which device will it be?
    pub(crate) fn macvlan_validate(&self, lower: Option<DevId>, mtu: Option<u32>) -> Result<DevId, OpError> {
        let Some(lower) = lower else { return Err(Errno::EINVAL.into()) };
        // One on another lies beside it.
        let lower = self.macvlan_lower(lower).unwrap_or(lower);
        let d = self.dev(lower);
        if d.is_loopback() || mtu.is_some_and(|m| m > d.mtu) {
            return Err(Errno::EINVAL.into());
        }
        if d.port.is_some() {
            return Err(Errno::EBUSY.into());
        }
        Ok(lower)
    }

    /// `macvlan_addr_busy`: the lower device, or another device that is up on it, has the address.
    fn macvlan_addr_busy(&self, lower: DevId, dev: DevId, mac: MacAddr) -> bool {
        let l = self.dev(lower);
        l.mac == mac || self.macvlans_up(lower).any(|d| d != dev && self.dev(d).mac == mac)
    }

    /// Those that are up on a device, in the order they came up.
    fn macvlans_up(&self, lower: DevId) -> impl Iterator<Item = DevId> + '_ {
        self.dev(lower).macvlans.iter().copied()
    }

    /// `macvlan_open`.
    ///
    /// # Errors
    /// EADDRINUSE where the address is taken on that device.
    pub(crate) fn macvlan_open(&mut self, dev: DevId) -> Result<(), OpError> {
        let Some(lower) = self.macvlan_lower(dev) else { return Ok(()) };
        if self.macvlan_addr_busy(lower, dev, self.dev(dev).mac) {
            return Err(Errno::EADDRINUSE.into());
        }
        self.dev_mut(lower).macvlans.push(dev);
        Ok(())
    }

    /// `macvlan_stop`.
    pub(crate) fn macvlan_stop(&mut self, dev: DevId) {
        let Some(lower) = self.macvlan_lower(dev) else { return };
        self.dev_mut(lower).macvlans.retain(|d| *d != dev);
    }

    /// `macvlan_sync_address`: a new address of a device that is up must be free, and moves to the end of the
    /// lower device's list.
    pub(crate) fn macvlan_set_mac(&mut self, dev: DevId, mac: MacAddr) -> Result<(), OpError> {
        let Some(lower) = self.macvlan_lower(dev) else { return Ok(()) };
        if !self.dev(dev).is_up() || self.dev(dev).mac == mac {
            return Ok(());
        }
        if self.macvlan_addr_busy(lower, dev, mac) {
            return Err(Errno::EADDRINUSE.into());
        }
        self.macvlan_stop(dev);
        self.dev_mut(lower).macvlans.push(dev);
        Ok(())
    }

    /// Every device on a lower one, up or down.
    fn macvlan_children(&self, lower: DevId) -> Vec<DevId> {
        if self.dev(lower).macvlan_count == 0 {
            return Vec::new();
        }
        let on_it = |k: &DevKind| matches!(k, DevKind::Macvlan { lower: l, .. } if *l == lower);
        self.devs.iter().filter(|d| d.alive && on_it(&d.kind)).map(|d| d.id).collect()
    }

    /// `type macvlan mode …`.
    pub(crate) fn set_macvlan(&mut self, dev: DevId, new: MacvlanMode) -> Result<(), OpError> {
        match &mut self.dev_mut(dev).kind {
            DevKind::Macvlan { mode, .. } => {
                *mode = new;
                Ok(())
            }
            _ => Err(Errno::EOPNOTSUPP.into()),
        }
    }

    /// `macvlan_device_event`: the carrier of the lower device is theirs (`netif_stacked_transfer_operstate`).
    pub(crate) fn macvlan_carrier(&mut self, lower: DevId) {
        let on = self.dev(lower).carrier;
        for d in self.macvlan_children(lower) {
            self.set_carrier(d, on);
        }
    }

    /// `NETDEV_CHANGEMTU`: none may be larger than the lower device's.
    pub(crate) fn macvlan_mtu(&mut self, lower: DevId) {
        let mtu = self.dev(lower).mtu;
        for d in self.macvlan_children(lower) {
            if self.dev(d).mtu > mtu {
                // A smaller MTU than the lower device's is always allowed.
                let _ = self.set_mtu(d, mtu);
            }
        }
    }

    /// `NETDEV_UNREGISTER`: they go with the lower device, wherever they are.
    pub(crate) fn macvlan_lower_gone(&mut self, lower: DevId) {
        for d in self.macvlan_children(lower) {
            let _ = self.op_link_del(d);
        }
    }

    /// `macvlan_hash_lookup`.
    #[inline]
    fn macvlan_by_mac(&self, lower: DevId, mac: MacAddr) -> Option<DevId> {
        self.devs[lower.ix()].macvlans.iter().copied().find(|d| self.devs[d.ix()].mac == mac)
    }

    fn macvlan_mode(&self, dev: DevId) -> MacvlanMode {
        match self.devs[dev.ix()].kind {
            DevKind::Macvlan { mode, .. } => mode,
            _ => MacvlanMode::Private,
        }
    }

    /// `macvlan_handle_frame`: what the lower device received. Gives back what goes on there.
    pub(crate) fn macvlan_handle_frame(&mut self, lower: DevId, mut p: Packet) -> Option<Packet> {
        if !p.dst.is_multicast() {
            let Some(to) = self.macvlan_by_mac(lower, p.dst) else { return Some(p) };
            self.ev(lower, &mut p, EventKind::Macvlan { dev: to, verdict: MacvlanVerdict::Received });
            self.macvlan_receive(to, p);
            return None;
        }
        let src = self.macvlan_by_mac(lower, p.src);
        let modes: Modes = match src.map(|s| self.macvlan_mode(s)) {
            None => ALL_MODES,
            Some(MacvlanMode::Vepa) => &[MacvlanMode::Vepa, MacvlanMode::Bridge],
            Some(MacvlanMode::Bridge) => &[MacvlanMode::Vepa],
            // Its own frame came back: for the sender alone.
            Some(MacvlanMode::Private) => {
                let to = src?;
                self.ev(lower, &mut p, EventKind::Macvlan { dev: to, verdict: MacvlanVerdict::Received });
                self.macvlan_receive(to, p);
                return None;
            }
        };
        self.macvlan_broadcast(lower, &p, src, modes, false);
        Some(p)
    }

    /// `macvlan_broadcast`: a copy to each that wants it.
    fn macvlan_broadcast(&mut self, lower: DevId, p: &Packet, src: Option<DevId>, modes: Modes, local: bool) {
        let listens = |d: &DevId| {
            let dev = &self.devs[d.ix()];
            // Beside broadcasts only the groups of all hosts are joined by every device.
            let joined = p.dst.is_broadcast()
                || p.dst == MacAddr([0x01, 0, 0x5e, 0, 0, 1])
                || p.dst == MacAddr([0x33, 0x33, 0, 0, 0, 1])
                || dev.flags.intersects(IfFlags::PROMISC | IfFlags::ALLMULTI);
            Some(*d) != src && joined && modes.contains(&self.macvlan_mode(*d))
        };
        let mut to: Vec<DevId> = self.devs[lower.ix()].macvlans.iter().copied().filter(listens).collect();
        // Within a bucket the last that came up is first.
        to.reverse();
        to.sort_by_key(|d| bucket(self.devs[d.ix()].mac));
        for d in to {
            let mut c = self.clone_packet(p);
            if local {
                self.macvlan_scrub(lower, d, &mut c);
            }
            self.macvlan_count(d, &c);
            self.devs[d.ix()].stats.multicast += 1;
            if local {
                self.queue.send(d, c);
            } else {
                // `macvlan_broadcast_enqueue`: what came by the lower device waits for a worker.
                self.queue.send_by_worker(d, c);
            }
        }
    }

    fn macvlan_count(&mut self, dev: DevId, p: &Packet) {
        let s = &mut self.devs[dev.ix()].stats;
        s.rx_packets += 1;
        s.rx_bytes += p.frame_len() as u64;
    }

    /// `skb_scrub_packet` on the way from one device to another.
    fn macvlan_scrub(&self, from: DevId, to: DevId, p: &mut Packet) {
        p.nf = SkbNf::default();
        if self.devs[from.ix()].netns != self.devs[to.ix()].netns {
            p.mark = 0;
        }
    }

    /// The frame is one of the device's own: it is received again, there.
    fn macvlan_receive(&mut self, dev: DevId, p: Packet) {
        self.macvlan_count(dev, &p);
        self.netif_receive(dev, p);
    }

    /// `macvlan_start_xmit`. Says whether the lower device took the frame.
    pub(crate) fn macvlan_xmit(&mut self, dev: DevId, lower: DevId, mode: MacvlanMode, mut p: Packet) -> bool {
        let len = p.frame_len() as u64;
        let ok = if mode == MacvlanMode::Bridge && !p.dst.is_multicast() {
            match self.macvlan_by_mac(lower, p.dst).filter(|d| self.macvlan_mode(*d) == MacvlanMode::Bridge) {
                Some(to) => {
                    self.ev(dev, &mut p, EventKind::Macvlan { dev: to, verdict: MacvlanVerdict::Sibling });
                    self.macvlan_forward(dev, lower, p);
                    true
                }
                None => self.macvlan_out(dev, lower, p),
            }
        } else {
            if mode == MacvlanMode::Bridge {
                self.macvlan_broadcast(lower, &p, Some(dev), &[MacvlanMode::Bridge], true);
            }
            self.macvlan_out(dev, lower, p)
        };
        let s = &mut self.devs[dev.ix()].stats;
        if ok {
            s.tx_packets += 1;
            s.tx_bytes += len;
        } else {
            s.tx_dropped += 1;
        }
        ok
    }

    /// Out by the lower device, whoever the receiver is.
    fn macvlan_out(&mut self, dev: DevId, lower: DevId, mut p: Packet) -> bool {
        self.ev(dev, &mut p, EventKind::Macvlan { dev: lower, verdict: MacvlanVerdict::Out });
        self.dev_queue_xmit(lower, p)
    }

    /// `dev_forward_skb` to the lower device, whose taps see the frame before its receiver does.
    fn macvlan_forward(&mut self, dev: DevId, lower: DevId, mut p: Packet) {
        if !self.is_skb_forwardable(lower, &p) {
            self.devs[lower.ix()].stats.rx_dropped += 1;
            return self.drop_at(lower, &mut p, DropReason::NOT_SPECIFIED, "__dev_forward_skb2");
        }
        self.macvlan_scrub(dev, lower, &mut p);
        self.queue.send(lower, p);
    }
}
