//! Ports joining and leaving a bridge, and what follows for address, MTU and carrier
//! (net/bridge/br_if.c, br_stp.c, br_stp_if.c).

use super::{BrPort, PortState};
use crate::kernel::Kernel;
use crate::kernel::link::{AddrAssign, DevKind};
use crate::kernel::types::{DevId, Errno};
use crate::op::{BridgeSet, OpError, PortSet};
use crate::trace::Recorder;
use crate::wire::MacAddr;

impl BrPort {
    fn new(port_no: u16, cost: u32) -> Self {
        BrPort {
            state: PortState::Disabled,
            port_no,
            cost,
            priority: 32,
            hairpin: false,
            guard: false,
            learning: true,
            flood: true,
            mcast_flood: true,
            bcast_flood: true,
            neigh_suppress: false,
            isolated: false,
            locked: false,
        }
    }
}

impl<R: Recorder> Kernel<R> {
    /// `do_set_master`: leaves the old bridge, joins the new one.
    pub(crate) fn set_master(&mut self, dev: DevId, master: Option<DevId>) -> Result<(), OpError> {
        let old = self.dev(dev).master;
        if old == master {
            return Ok(());
        }
        if let Some(old) = old {
            self.br_del_if(old, dev);
        }
        match master {
            Some(br) => self.br_add_if(br, dev),
            None => Ok(()),
        }
    }

    fn br_add_if(&mut self, br: DevId, dev: DevId) -> Result<(), OpError> {
        if self.dev(br).bridge().is_none() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let d = self.dev(dev);
        if d.bridge().is_some() {
            return Err(OpError::ext(Errno::ELOOP, "Can not enslave a bridge to a bridge"));
        }
        if d.is_loopback() || !d.mac.is_valid_unicast() {
            return Err(Errno::EINVAL.into());
        }
        if d.macvlan_count != 0 || self.has_upper(br, dev) {
            return Err(Errno::EBUSY.into());
        }
        let mac = d.mac;
        let ports = &self.dev(br).bridge().expect("checked above").ports;
        let port_no = (1..1024).find(|n| !ports.iter().any(|p| self.brport(*p).port_no == *n));
        let Some(port_no) = port_no else { return Err(Errno::ENOMEM.into()) };
        let cost = if self.has_speed(dev) { 2 } else { 100 };
        let d = self.dev_mut(dev);
        d.master = Some(br);
        d.port = Some(Box::new(BrPort::new(port_no, cost)));
        if let Some(b) = self.dev_mut(br).bridge_mut() {
            b.ports.insert(0, dev);
            b.gso_limits_set = true;
        }
        self.br_fdb_add_local(br, dev, mac);
        self.br_recalculate_id(br);
        self.br_port_check(dev);
        self.br_carrier_check(br);
        self.br_mtu_auto_adjust(br);
        Ok(())
    }

    /// Does the device tell a speed (`__ethtool_get_link_ksettings`)? A veth does, 10 Gbit/s;
    /// others ask what lies below, if anything does.
    fn has_speed(&self, dev: DevId) -> bool {
        match &self.dev(dev).kind {
            DevKind::Veth { .. } => true,
            DevKind::Loopback => false,
            DevKind::Vxlan(v) => v.cfg.lower.is_some_and(|l| self.has_speed(l)),
            DevKind::Macvlan { lower, .. } => self.has_speed(*lower),
            DevKind::Bridge(b) => b.ports.iter().any(|p| self.dev(*p).is_running() && self.has_speed(*p)),
        }
    }

    /// `br_del_if`.
    pub(crate) fn br_del_if(&mut self, br: DevId, dev: DevId) {
        self.br_fdb_delete_by_port(br, dev, true);
        if let Some(b) = self.dev_mut(br).bridge_mut() {
            b.ports.retain(|p| *p != dev);
        }
        let d = self.dev_mut(dev);
        d.master = None;
        d.port = None;
        self.br_mtu_auto_adjust(br);
        self.br_recalculate_id(br);
        self.br_carrier_check(br);
    }

    /// A port forwards while it and the bridge are up and it has a carrier (`br_stp_enable_port`,
    /// `br_stp_disable_port`); with STP off there is no waiting.
    pub(crate) fn br_port_check(&mut self, port: DevId) {
        let d = self.dev(port);
        let Some(br) = d.master else { return };
        let up = d.is_running() && self.dev(br).is_up();
        let was = self.brport(port).state;
        if up && was == PortState::Disabled {
            self.brport_mut(port).state = PortState::Forwarding;
        } else if !up && was != PortState::Disabled {
            self.brport_mut(port).state = PortState::Disabled;
            self.br_fdb_delete_by_port(br, port, false);
        } else {
            // Nothing changed: a bridge that never had a live port keeps the carrier it was made with.
            return;
        }
        self.br_carrier_check(br);
    }

    fn brport_mut(&mut self, port: DevId) -> &mut BrPort {
        self.devs[port.ix()].port.as_deref_mut().expect("a device with a master is a port")
    }

    /// A bridge has a carrier while a port forwards (`br_port_state_selection`).
    pub(crate) fn br_carrier_check(&mut self, br: DevId) {
        let Some(b) = self.dev(br).bridge() else { return };
        let live = b.ports.iter().any(|p| self.brport(*p).state == PortState::Forwarding);
        self.set_carrier(br, live);
        // link_watch looks at the bridge even where the carrier came back at once.
        self.linkwatch_stale(br);
    }

    /// The bridge itself went up or down.
    pub(crate) fn br_updown(&mut self, br: DevId) {
        let ports = self.dev(br).bridge().map(|b| b.ports.clone()).unwrap_or_default();
        for p in ports {
            self.br_port_check(p);
        }
    }

    /// `br_stp_recalculate_bridge_id`: without an address of its own the bridge takes its ports' lowest.
    pub(crate) fn br_recalculate_id(&mut self, br: DevId) {
        let d = self.dev(br);
        if d.mac_assign == AddrAssign::Set {
            return;
        }
        let Some(b) = d.bridge() else { return };
        let mac = b.ports.iter().map(|p| self.dev(*p).mac).min().unwrap_or(MacAddr::ZERO);
        if mac != d.mac {
            self.br_change_mac(br, mac);
            self.dev_mut(br).mac_assign = AddrAssign::Stolen;
        }
    }

    /// `br_stp_change_bridge_id`.
    pub(crate) fn br_change_mac(&mut self, br: DevId, mac: MacAddr) {
        let old = self.dev(br).mac;
        self.dev_mut(br).mac = mac;
        self.br_fdb_del_local(br, br, old);
        self.br_fdb_add_local(br, br, mac);
        // `br_port_state_selection`: without a live port the carrier goes, though nobody asked about it before.
        self.br_carrier_check(br);
        self.neigh_flush_dev(br, false);
        self.arp_notify(br, false);
    }

    /// A port's address changed (`br_fdb_changeaddr`).
    pub(crate) fn br_port_mac_changed(&mut self, port: DevId, old: MacAddr) {
        let d = self.dev(port);
        let (Some(br), mac) = (d.master, d.mac) else { return };
        self.br_fdb_del_local(br, port, old);
        self.br_fdb_add_local(br, port, mac);
        self.br_recalculate_id(br);
    }

    /// `br_mtu_auto_adjust`: the smallest port's, until somebody set it by hand.
    pub(crate) fn br_mtu_auto_adjust(&mut self, br: DevId) {
        let d = self.dev(br);
        if d.mtu_set_by_user {
            return;
        }
        let Some(b) = d.bridge() else { return };
        let mtu = b.ports.iter().map(|p| self.dev(*p).mtu).min().unwrap_or(1500);
        self.dev_mut(br).mtu = mtu;
        self.macvlan_mtu(br);
    }

    /// `type bridge SETTING`.
    pub(crate) fn set_bridge(&mut self, dev: DevId, set: BridgeSet) -> Result<(), OpError> {
        let Some(b) = self.dev_mut(dev).bridge_mut() else { return Err(Errno::EOPNOTSUPP.into()) };
        match set {
            BridgeSet::AgeingTime(t) => b.ageing_time = t,
            BridgeSet::Stp(on) => b.stp = on,
            BridgeSet::ForwardDelay(t) => b.forward_delay = t,
            BridgeSet::McastSnooping(on) => {
                // `br_multicast_toggle`
                let was = std::mem::replace(&mut b.mcast_snooping, on);
                if was != on && self.dev(dev).is_up() {
                    self.br_multicast_snoopers(dev, on);
                }
            }
            BridgeSet::NfCallIptables(on) => b.nf_call_iptables = on,
            BridgeSet::NfCallIp6tables(on) => b.nf_call_ip6tables = on,
            BridgeSet::NfCallArptables(on) => b.nf_call_arptables = on,
            BridgeSet::GroupFwdMask(m) => b.group_fwd_mask = m,
            BridgeSet::Priority(p) => {
                b.priority = p;
                self.br_carrier_check(dev);
            }
            BridgeSet::FdbFlush => b.fdb.retain(|_, e| e.kind != super::FdbKind::Learned),
        }
        Ok(())
    }

    /// `type bridge_slave SETTING`, `bridge link set`.
    pub(crate) fn set_brport(&mut self, dev: DevId, set: PortSet) -> Result<(), OpError> {
        let d = self.dev(dev);
        let Some(br) = d.master else { return Err(Errno::EOPNOTSUPP.into()) };
        let running = d.is_running() && self.dev(br).is_up();
        let p = self.brport_mut(dev);
        match set {
            PortSet::State(s) => {
                if !running && s != PortState::Disabled {
                    return Err(Errno::ENETDOWN.into());
                }
                p.state = s;
                self.br_carrier_check(br);
            }
            PortSet::Cost(c) if !(1..=65535).contains(&c) => return Err(Errno::ERANGE.into()),
            PortSet::Cost(c) => p.cost = c,
            PortSet::Priority(n) if n > 63 => return Err(Errno::ERANGE.into()),
            PortSet::Priority(n) => p.priority = n,
            PortSet::Hairpin(on) => p.hairpin = on,
            PortSet::Guard(on) => p.guard = on,
            PortSet::Learning(on) => p.learning = on,
            PortSet::Flood(on) => p.flood = on,
            PortSet::McastFlood(on) => p.mcast_flood = on,
            PortSet::BcastFlood(on) => p.bcast_flood = on,
            PortSet::NeighSuppress(on) => p.neigh_suppress = on,
            PortSet::Isolated(on) => p.isolated = on,
            PortSet::Locked(on) => p.locked = on,
        }
        Ok(())
    }
}
