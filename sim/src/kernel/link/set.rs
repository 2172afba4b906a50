//! Changing a device: flags, address, MTU, name, namespace, carrier (net/core/dev.c, net/core/rtnetlink.c,
//! net/core/link_watch.c).

use super::create::check_mtu;
use super::{AddrAssign, DevKind, IfFlags, OperState};
use crate::engine::{HOP_NS, Timer};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Errno, Nanos, NetnsId};
use crate::op::{LinkChange, OpError};
use crate::trace::Recorder;
use crate::wire::MacAddr;

/// From a carrier to the bridge that hears of it: longer than a frame needs, shorter than a command.
const LINK_WATCH: Nanos = 2 * HOP_NS;

/// Order in which one message's changes are made (`rtnl_changelink`, then `do_setlink`).
fn rank(c: &LinkChange) -> u8 {
    match c {
        LinkChange::Bridge(_) | LinkChange::Port(_) | LinkChange::Vxlan(_) | LinkChange::Macvlan(_) => 0,
        LinkChange::Netns(_) => 1,
        LinkChange::Mac(_) => 2,
        LinkChange::Mtu(_) => 3,
        LinkChange::Group(_) => 4,
        LinkChange::Name(_) => 5,
        LinkChange::Alias(_) => 6,
        LinkChange::Master(_) => 7,
        LinkChange::Up(_)
        | LinkChange::Arp(_)
        | LinkChange::Multicast(_)
        | LinkChange::Allmulti(_)
        | LinkChange::Promisc(_) => 8,
        LinkChange::Txqlen(_) => 9,
    }
}

impl<R: Recorder> Kernel<R> {
    /// `RTM_NEWLINK` on a device that exists: what was changed before a refusal stays changed.
    pub(crate) fn op_link_set(&mut self, dev: DevId, changes: &[LinkChange]) -> Result<(), OpError> {
        let mut order: Vec<&LinkChange> = changes.iter().collect();
        order.sort_by_key(|c| rank(c));
        // A move takes the new name along, so that a clash in the new namespace is seen.
        let rename = changes.iter().find_map(|c| if let LinkChange::Name(n) = c { Some(n.as_str()) } else { None });
        for c in order {
            match c {
                LinkChange::Bridge(s) => self.set_bridge(dev, *s)?,
                LinkChange::Vxlan(s) => self.set_vxlan(dev, s)?,
                LinkChange::Macvlan(m) => self.set_macvlan(dev, *m)?,
                LinkChange::Port(s) => self.set_brport(dev, *s)?,
                LinkChange::Netns(ns) => self.change_netns(dev, *ns, rename)?,
                LinkChange::Mac(m) => self.set_mac(dev, *m)?,
                LinkChange::Mtu(m) => self.set_mtu(dev, *m)?,
                LinkChange::Group(g) => self.dev_mut(dev).group = *g,
                LinkChange::Name(n) => self.rename(dev, n)?,
                LinkChange::Alias(a) => self.dev_mut(dev).alias = a.clone(),
                LinkChange::Master(m) => self.set_master(dev, *m)?,
                LinkChange::Up(up) => self.set_up(dev, *up)?,
                LinkChange::Arp(on) => {
                    let had = self.dev(dev).flags.contains(IfFlags::NOARP);
                    self.dev_mut(dev).flags.set(IfFlags::NOARP, !on);
                    if had == *on {
                        // The entries' kind hangs on the flag (`neigh_changeaddr`).
                        self.neigh_flush_dev(dev, false);
                    }
                }
                LinkChange::Multicast(on) => self.dev_mut(dev).flags.set(IfFlags::MULTICAST, *on),
                LinkChange::Allmulti(on) => self.dev_mut(dev).flags.set(IfFlags::ALLMULTI, *on),
                LinkChange::Promisc(on) => self.dev_mut(dev).flags.set(IfFlags::PROMISC, *on),
                LinkChange::Txqlen(q) => self.dev_mut(dev).txqlen = *q,
            }
        }
        Ok(())
    }

    /// `dev_open` and `dev_close`.
    pub(crate) fn set_up(&mut self, dev: DevId, up: bool) -> Result<(), OpError> {
        if self.dev(dev).is_up() == up {
            return Ok(());
        }
        if up {
            self.vxlan_open(dev)?;
            self.macvlan_open(dev)?;
        } else {
            self.vxlan_stop(dev);
            self.macvlan_stop(dev);
        }
        self.dev_mut(dev).flags.set(IfFlags::UP, up);
        let is_bridge = self.dev(dev).bridge().is_some();
        if let DevKind::Veth { peer } = self.dev(dev).kind {
            // veth_open and veth_close: a cable has a carrier while both ends are up.
            let both = up && peer.is_some_and(|p| self.dev(p).is_up());
            self.set_carrier(dev, both);
            if let Some(p) = peer {
                self.set_carrier(p, both);
            }
        }
        if is_bridge {
            self.br_updown(dev);
            if up {
                self.br_multicast_snoopers(dev, true);
            } else {
                self.ip_mc_down(dev);
            }
        }
        if up {
            // `dev_activate`: without a carrier it waits for one.
            let d = self.dev_mut(dev);
            d.was_up = true;
            d.active = d.carrier;
            self.inet_dev_up(dev);
            self.arp_notify(dev, false);
        } else {
            self.inet_dev_down(dev);
            self.nat_device_down(dev);
            self.neigh_flush_dev(dev, false);
        }
        // `NETDEV_UP` and `NETDEV_DOWN`, which do not wait for link_watch.
        self.macvlan_carrier(dev);
        self.br_port_check(dev);
        Ok(())
    }

    /// `netif_carrier_on` and `netif_carrier_off`.
    pub(crate) fn set_carrier(&mut self, dev: DevId, on: bool) {
        let d = self.dev_mut(dev);
        if d.carrier == on {
            return;
        }
        d.carrier = on;
        d.stats.carrier_changes += 1;
        self.linkwatch_fire_event(dev);
    }

    /// The bridge of a port hears of its carrier.
    pub(crate) fn linkwatch_tell_bridge(&mut self, dev: DevId, on: bool) {
        if on {
            // A moment later.
            self.queue.timer(self.queue.now + LINK_WATCH, Timer::LinkWatch(dev));
        } else {
            self.br_port_check(dev);
        }
    }

    /// `rfc2863_policy`, `default_operstate`.
    pub(crate) fn update_operstate(&mut self, dev: DevId) {
        let d = self.dev(dev);
        if d.is_loopback() {
            return;
        }
        let state = if d.carrier {
            OperState::Up
        } else {
            // The kernel looks the far end's ifindex up in the near end's namespace, whatever device that is there.
            // One that happens to be the same as its own counts as no lower device at all.
            let lower = self.iflink_index(d);
            match lower.and_then(|i| self.ns(d.netns).devs.get(&i)) {
                Some(l) if !self.dev(*l).carrier => OperState::LowerLayerDown,
                _ => OperState::Down,
            }
        };
        self.dev_mut(dev).operstate = state;
    }

    /// `dev_set_mac_address`.
    fn set_mac(&mut self, dev: DevId, mac: MacAddr) -> Result<(), OpError> {
        if !mac.is_valid_unicast() {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        self.macvlan_set_mac(dev, mac)?;
        let old = self.dev(dev).mac;
        self.dev_mut(dev).mac_assign = AddrAssign::Set;
        if self.dev(dev).bridge().is_some() {
            if old != mac {
                self.br_change_mac(dev, mac);
            }
            return Ok(());
        }
        self.dev_mut(dev).mac = mac;
        self.neigh_flush_dev(dev, false);
        self.arp_notify(dev, false);
        self.br_port_mac_changed(dev, old);
        Ok(())
    }

    /// `dev_set_mtu`.
    pub(crate) fn set_mtu(&mut self, dev: DevId, mtu: u32) -> Result<(), OpError> {
        let d = self.dev(dev);
        if d.mtu == mtu {
            // Nobody is asked, nor told: a bridge goes on following its ports (`dev_set_mtu_ext`).
            return Ok(());
        }
        if !d.is_loopback() {
            check_mtu(mtu, 68, 65535)?;
        }
        let most = match &d.kind {
            DevKind::Vxlan(v) => self.vxlan_max_mtu(v.cfg.lower),
            DevKind::Macvlan { lower, .. } => Some(self.dev(*lower).mtu),
            _ => None,
        };
        if most.is_some_and(|m| mtu > m) {
            return Err(Errno::EINVAL.into());
        }
        let (is_bridge, master) = (d.bridge().is_some(), d.master);
        self.dev_mut(dev).mtu = mtu;
        if is_bridge {
            self.dev_mut(dev).mtu_set_by_user = true;
        }
        self.macvlan_mtu(dev);
        if let Some(br) = master {
            self.br_mtu_auto_adjust(br);
        }
        Ok(())
    }

    /// `dev_change_name`; addresses' labels follow (`inetdev_changename`).
    fn rename(&mut self, dev: DevId, want: &str) -> Result<(), OpError> {
        if self.dev(dev).name.as_str() == want {
            return Ok(());
        }
        let name = self.check_name(self.dev(dev).netns, want)?;
        let d = self.dev_mut(dev);
        d.name = name;
        for (i, a) in d.addrs.iter_mut().enumerate() {
            a.label = match (i, a.label.split_once(':')) {
                (0, _) => name.to_string(),
                (_, Some((_, tail))) => format!("{name}:{tail}"),
                (n, None) => format!("{name}:{}", n + 1),
            };
        }
        Ok(())
    }

    /// `dev_change_net_namespace`: the device goes down, loses its addresses, and keeps its number where it can.
    fn change_netns(&mut self, dev: DevId, to: NetnsId, rename: Option<&str>) -> Result<(), OpError> {
        let d = self.dev(dev);
        let from = d.netns;
        if from == to {
            return Ok(());
        }
        if d.is_loopback() {
            return Err(OpError::ext(Errno::EINVAL, "The interface netns is immutable"));
        }
        let name = rename.unwrap_or(d.name.as_str()).to_owned();
        if self.dev_by_name(to, &name).is_some() {
            return Err(OpError::ext(Errno::EEXIST, "An interface with the same name exists in the target netns"));
        }
        self.set_up(dev, false)?;
        self.vxlan_lower_gone(dev);
        if let Some(br) = self.dev(dev).master {
            self.br_del_if(br, dev);
        }
        self.note_nsid(from, to);
        self.inet_flush_dev(dev);
        let ix = self.dev(dev).ifindex;
        self.ns_mut(from).devs.remove(&ix);
        let taken = self.ns(to).devs.contains_key(&ix);
        let new_ix = if taken {
            let n = self.ns_mut(to);
            while n.devs.contains_key(&n.next_ifindex) {
                n.next_ifindex += 1;
            }
            n.next_ifindex += 1;
            n.next_ifindex - 1
        } else {
            ix
        };
        let (conf, parms) = (self.ns(to).sysctl.default, self.ns(to).sysctl.neigh_default);
        self.ns_mut(to).devs.insert(new_ix, dev);
        let d = self.dev_mut(dev);
        d.netns = to;
        d.ifindex = new_ix;
        d.conf = conf;
        d.neigh_parms = parms;
        d.was_up = false;
        self.note_nsids(dev);
        Ok(())
    }
}
