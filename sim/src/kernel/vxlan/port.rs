//! Making and changing VXLAN devices, and the socket they hold while they are up
//! (`vxlan_config_validate`, `vxlan_changelink`, `vxlan_open`, `vxlan_stop`).

use super::{VXLAN_HEADROOM, Vxlan, VxlanCfg, VxlanFdbState, VxlanRemote, VxlanSet};
use crate::kernel::Kernel;
use crate::kernel::socket::SockKind;
use crate::kernel::types::{DevId, Errno, NetnsId, SockId};
use crate::op::OpError;
use crate::trace::Recorder;
use crate::wire::MacAddr;

/// Least MTU of an Ethernet device.
const ETH_MIN_MTU: u32 = 68;

impl Vxlan {
    /// A device that was just made in a namespace; with a remote it begins with the default entry.
    pub(crate) fn new(home: NetnsId, cfg: VxlanCfg, now: u64) -> Vxlan {
        let mut v = Vxlan { home, default_via: cfg.lower, cfg, fdb: Default::default(), sock: None };
        if let Some(ip) = v.cfg.remote {
            let r = VxlanRemote { ip, port: v.cfg.port, vni: v.cfg.vni, dev: v.cfg.lower };
            v.insert(MacAddr::ZERO, r, VxlanFdbState::Permanent, now, false);
        }
        v
    }
}

impl<R: Recorder> Kernel<R> {
    /// `vxlan_config_validate`: may there be such a device in the namespace?
    pub(crate) fn vxlan_validate(&self, home: NetnsId, cfg: &VxlanCfg) -> Result<(), OpError> {
        let e = |msg: &str| Err(OpError::ext(Errno::EINVAL, msg));
        if let Some(r) = cfg.remote
            && r.is_multicast()
            && cfg.lower.is_none()
        {
            return e("Local interface required for multicast remote destination");
        }
        if cfg.local.is_some_and(|a| a.is_multicast()) {
            return e("Local address cannot be multicast");
        }
        if self.vxlan_find(home, cfg.vni, cfg.port).is_some() {
            return Err(OpError::ext(Errno::EEXIST, "A VXLAN device with the specified VNI already exists"));
        }
        Ok(())
    }

    /// The device of a namespace with an identifier and a port, up or not.
    fn vxlan_find(&self, home: NetnsId, vni: u32, port: u16) -> Option<DevId> {
        let fits = |v: &Vxlan| v.cfg.vni == vni && v.cfg.port == port;
        self.ns(home).vxlans.iter().copied().find(|d| self.dev(*d).vxlan().is_some_and(fits))
    }

    /// The largest MTU that the lower device leaves room for.
    pub(crate) fn vxlan_max_mtu(&self, lower: Option<DevId>) -> Option<u32> {
        lower.map(|l| self.dev(l).mtu.saturating_sub(VXLAN_HEADROOM).max(ETH_MIN_MTU))
    }

    /// `type vxlan …` on a device that exists: all of it, or nothing.
    pub(crate) fn set_vxlan(&mut self, dev: DevId, sets: &[VxlanSet]) -> Result<(), OpError> {
        let Some(v) = self.dev(dev).vxlan() else { return Err(Errno::EOPNOTSUPP.into()) };
        let mut cfg = v.cfg.clone();
        for s in sets {
            match *s {
                VxlanSet::Vni(vni) if vni == cfg.vni => {}
                VxlanSet::Vni(_) => return Err(OpError::ext(Errno::EOPNOTSUPP, "Cannot change VNI")),
                VxlanSet::Remote(a) => cfg.remote = (!a.is_unspecified()).then_some(a),
                VxlanSet::Local(a) => cfg.local = (!a.is_unspecified()).then_some(a),
                VxlanSet::Lower(d) => cfg.lower = Some(d),
                VxlanSet::Ttl(n) => (cfg.ttl, cfg.ttl_inherit) = (n, false),
                VxlanSet::Tos(n) => cfg.tos = n,
                VxlanSet::Df(df) => cfg.df = df,
                VxlanSet::Learning(on) => cfg.learning = on,
                VxlanSet::Ageing(t) => cfg.ageing = t,
                VxlanSet::Fixed(f) => return Err(OpError::ext(Errno::EOPNOTSUPP, f.refusal())),
            }
        }
        if cfg.lower.is_some_and(|l| self.has_upper(dev, l)) {
            return Err(Errno::EBUSY.into());
        }
        let now = self.queue.now;
        let max = self.vxlan_max_mtu(cfg.lower);
        let d = self.dev_mut(dev);
        if let Some(max) = max {
            d.mtu = d.mtu.min(max);
        }
        let Some(v) = d.vxlan_mut() else { return Ok(()) };
        let old = std::mem::replace(&mut v.cfg, cfg);
        if old.remote == v.cfg.remote {
            return Ok(());
        }
        // The default entry follows its address, though not a new lower device.
        let (port, vni) = (v.cfg.port, v.cfg.vni);
        if let Some(ip) = v.cfg.remote {
            let r = VxlanRemote { ip, port, vni, dev: v.cfg.lower };
            v.insert(MacAddr::ZERO, r, VxlanFdbState::Permanent, now, false);
        }
        if let Some(ip) = old.remote {
            v.remove_remote(MacAddr::ZERO, VxlanRemote { ip, port, vni, dev: v.default_via });
        }
        v.default_via = v.cfg.lower;
        Ok(())
    }

    /// `vxlan_open`: takes the socket of its port, or makes it.
    ///
    /// # Errors
    /// EADDRINUSE where a program has the port.
    pub(crate) fn vxlan_open(&mut self, dev: DevId) -> Result<(), OpError> {
        let Some(v) = self.dev(dev).vxlan() else { return Ok(()) };
        let (home, port) = (v.home, v.cfg.port);
        let shared = self.vxlan_sock(home, port);
        let sock = match shared {
            Some(s) => s,
            None => {
                let id = self.sock_new(home, SockKind::Udp, None);
                self.sock_mut(id).encap = true;
                if self.port_conflict(id, std::net::Ipv4Addr::UNSPECIFIED, port) {
                    self.sock_forget(id);
                    return Err(Errno::EADDRINUSE.into());
                }
                self.take_port(id, std::net::Ipv4Addr::UNSPECIFIED, port);
                id
            }
        };
        if let Some(v) = self.dev_mut(dev).vxlan_mut() {
            v.sock = Some(sock);
        }
        Ok(())
    }

    /// `vxlan_stop`: what ages is forgotten, and the last device of a port closes its socket.
    pub(crate) fn vxlan_stop(&mut self, dev: DevId) {
        let Some(v) = self.dev_mut(dev).vxlan_mut() else { return };
        v.fdb.retain(|_, e| e.state != VxlanFdbState::Reachable);
        let home = v.home;
        let Some(sock) = v.sock.take() else { return };
        let holds = |d: &DevId| self.dev(*d).vxlan().is_some_and(|v| v.sock == Some(sock));
        let used = self.ns(home).vxlans.iter().any(holds);
        if !used {
            self.sock_forget(sock);
        }
    }

    /// The socket that the VXLAN devices of a port share.
    fn vxlan_sock(&self, home: NetnsId, port: u16) -> Option<SockId> {
        let list = self.ns(home).socks.udp.get(&port)?;
        list.iter().copied().find(|s| self.sock(*s).encap)
    }

    /// `vxlan_vs_find_vni`: the device that is up on a socket with an identifier.
    pub(crate) fn vxlan_by_vni(&self, home: NetnsId, port: u16, vni: u32) -> Option<DevId> {
        let id = self.vxlan_find(home, vni, port)?;
        self.dev(id).vxlan().is_some_and(|v| v.sock.is_some()).then_some(id)
    }

    /// A device goes, or leaves its namespace: so do the VXLAN devices on it
    /// (`vxlan_handle_lowerdev_unregister`).
    pub(crate) fn vxlan_lower_gone(&mut self, lower: DevId) {
        let on_it = |d: &DevId| self.dev(*d).vxlan().is_some_and(|v| v.cfg.lower == Some(lower));
        let gone: Vec<DevId> = self.ns_of(lower).vxlans.iter().copied().filter(on_it).collect();
        for d in gone {
            // Every kind but `lo` can be deleted.
            let _ = self.op_link_del(d);
        }
    }

    /// A namespace goes: so do the VXLAN devices that were made in it, wherever they are (`vxlan_exit_batch`).
    pub(crate) fn vxlan_home_gone(&mut self, home: NetnsId) {
        for d in self.ns(home).vxlans.clone() {
            let _ = self.op_link_del(d);
        }
    }
}
