//! `ip_route_output`: where a packet of this host goes, and from which address.

use std::net::Ipv4Addr;

use super::Dst;
use crate::kernel::Kernel;
use crate::kernel::fib::{Flow, Lookup, Route, RouteType, scope};
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::trace::{EventKind, Recorder};
use crate::wire::Packet;

/// What a socket knows when it asks for a route (`struct flowi4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputKey {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Source, unspecified to have one chosen.
    pub src: Ipv4Addr,
    /// Device the socket is bound to.
    pub oif: Option<DevId>,
    /// Mark of the socket.
    pub mark: u32,
    /// Type of service.
    pub tos: u8,
    /// Protocol.
    pub proto: u8,
    /// Ports, where the protocol has any.
    pub ports: (u16, u16),
    /// The source need not be an address of ours (`FLOWI_FLAG_ANYSRC`).
    pub anysrc: bool,
}

impl OutputKey {
    /// A key with nothing but a destination.
    pub fn to(dst: Ipv4Addr, proto: u8) -> Self {
        OutputKey { dst, src: Ipv4Addr::UNSPECIFIED, oif: None, mark: 0, tos: 0, proto, ports: (0, 0), anysrc: false }
    }
}

/// Why there is no route: the errno that the system call returns.
pub type RouteError = Errno;

impl<R: Recorder> Kernel<R> {
    /// `ip_route_connect`: what had no source is looked up again with the one that was chosen. Only rules ask for it, so
    /// that without any of one's own the first answer stands.
    ///
    /// # Errors
    /// As of any lookup.
    pub(crate) fn ip_route_connect(&mut self, ns: NetnsId, key: OutputKey) -> Result<Dst, Errno> {
        let rt = self.ip_route_output(ns, key, None)?;
        let chosen = key.dst.is_unspecified() || key.src.is_unspecified();
        if !chosen || !self.ns(ns).fib.custom_rules {
            return Ok(rt);
        }
        let dst = if key.dst.is_unspecified() { rt.src } else { key.dst };
        self.ip_route_output(ns, OutputKey { src: rt.src, dst, ..key }, None)
    }

    /// `ip_route_newports`: rules may ask for the port that was picked since.
    ///
    /// # Errors
    /// As of any lookup.
    pub(crate) fn ip_route_newports(&mut self, ns: NetnsId, rt: Dst, key: OutputKey) -> Result<Dst, Errno> {
        if !self.ns(ns).fib.custom_rules {
            return Ok(rt);
        }
        self.ip_route_output(ns, key, None)
    }

    /// `ip_route_output_key_hash_rcu`.
    ///
    /// # Errors
    /// What the system call that asked would return.
    pub fn ip_route_output(&mut self, ns: NetnsId, key: OutputKey, mut p: Option<&mut Packet>) -> Result<Dst, Errno> {
        let mut k = key;
        let group = k.dst.is_multicast() || k.dst.is_broadcast();
        if !k.src.is_unspecified() {
            if k.src.is_multicast() || k.src.is_broadcast() {
                return Err(Errno::EINVAL);
            }
            if k.oif.is_none() && group {
                k.oif = Some(self.ip_dev_find(ns, k.src).ok_or(Errno::ENETUNREACH)?);
                return self.mkroute_output(ns, &k, None, k.oif.ok_or(Errno::EINVAL)?);
            }
            if !k.anysrc && self.ip_dev_find(ns, k.src).is_none() {
                return Err(Errno::ENETUNREACH);
            }
        }
        if let Some(oif) = k.oif {
            if !self.dev(oif).is_up() {
                return Err(Errno::ENETUNREACH);
            }
            let link_local_group = k.dst.octets()[..3] == [224, 0, 0];
            if link_local_group || k.dst.is_broadcast() {
                self.fill_src(&mut k, oif, None, scope::LINK);
                return self.mkroute_output(ns, &k, None, oif);
            }
            if k.src.is_unspecified() {
                if k.dst.is_multicast() {
                    self.fill_src(&mut k, oif, None, scope::UNIVERSE);
                } else if k.dst.is_unspecified() {
                    self.fill_src(&mut k, oif, None, scope::HOST);
                }
            }
        }
        if k.dst.is_unspecified() {
            k.dst = if k.src.is_unspecified() { Ipv4Addr::LOCALHOST } else { k.src };
            k.src = k.dst;
            let lo = self.ns(ns).devs.get(&1).copied().ok_or(Errno::ENODEV)?;
            return Ok(to_self(lo, &k, None));
        }
        let f = Flow {
            src: k.src,
            oif: k.oif,
            mark: k.mark,
            tos: k.tos,
            proto: k.proto,
            sport: k.ports.0,
            dport: k.ports.1,
            ..Flow::to(k.dst)
        };
        let route = match self.fib_lookup(ns, &f, p.as_deref_mut()) {
            Lookup::Route(_, r) => r,
            refused => {
                let Some(oif) = k.oif else {
                    return Err(match refused {
                        Lookup::Refused(_, e, _) => e,
                        _ => Errno::ENETUNREACH,
                    });
                };
                // A device was named: the destination is taken to be on its link.
                self.fill_src(&mut k, oif, None, scope::LINK);
                return self.mkroute_output(ns, &k, None, oif);
            }
        };
        if route.kind == RouteType::Local {
            if k.src.is_unspecified() {
                k.src = route.prefsrc.unwrap_or(k.dst);
            }
            let lo = self.ns(ns).devs.get(&1).copied().ok_or(Errno::ENODEV)?;
            return Ok(to_self(lo, &k, Some(route)));
        }
        let dev = route.dev.ok_or(Errno::ENETUNREACH)?;
        if k.src.is_unspecified() {
            match route.prefsrc {
                Some(s) => k.src = s,
                None => self.fill_src(&mut k, dev, route.via, route.scope),
            }
            if R::ON {
                let kind = EventKind::SourceChosen { src: k.src, by_route: route.prefsrc.is_some() };
                self.rec.event(self.queue.now, ns, Some(dev), p, kind);
            }
        }
        self.mkroute_output(ns, &k, Some(route), dev)
    }

    fn fill_src(&self, k: &mut OutputKey, dev: DevId, dst: Option<Ipv4Addr>, sc: u8) {
        if k.src.is_unspecified()
            && let Some(a) = self.inet_select_addr(dev, dst, sc)
        {
            k.src = a;
        }
    }

    /// `__mkroute_output`.
    pub(crate) fn mkroute_output(
        &mut self,
        ns: NetnsId,
        k: &OutputKey,
        route: Option<Route>,
        dev: DevId,
    ) -> Result<Dst, Errno> {
        let d = self.dev(dev);
        if k.src.is_loopback() && !d.is_loopback() && !self.route_localnet(dev) {
            return Err(Errno::EINVAL);
        }
        let mut kind = route.map_or(RouteType::Unicast, |r| r.kind);
        if k.dst.is_broadcast() {
            kind = RouteType::Broadcast;
        } else if k.dst.is_multicast() {
            kind = RouteType::Multicast;
        }
        let local = match kind {
            RouteType::Broadcast => true,
            // Of all groups only all-hosts is joined.
            RouteType::Multicast => k.dst == Ipv4Addr::new(224, 0, 0, 1),
            _ => d.is_loopback(),
        };
        let via = route.and_then(|r| r.via);
        let e = if kind == RouteType::Unicast { self.exception(ns, k.dst, dev, via) } else { None };
        let set = route.and_then(|r| r.mtu);
        let pmtu = e.and_then(|e| e.pmtu).or(set);
        Ok(Dst {
            kind,
            local,
            dev,
            gateway: if kind == RouteType::Unicast {
                e.and_then(|e| e.gateway).or_else(|| route.and_then(|r| r.gateway()))
            } else {
                None
            },
            src: k.src,
            pmtu,
            mtu_locked: route.is_some_and(|r| r.mtu_lock) || e.is_some_and(|e| e.lock),
            advmss: route.and_then(|r| r.advmss),
            route,
            input: false,
            redirect: false,
            error: None,
        })
    }
}

fn to_self(lo: DevId, k: &OutputKey, route: Option<Route>) -> Dst {
    Dst {
        kind: RouteType::Local,
        local: true,
        dev: lo,
        gateway: None,
        src: k.src,
        pmtu: None,
        mtu_locked: false,
        advmss: None,
        route,
        input: false,
        redirect: false,
        error: None,
    }
}
