//! IPv4 addresses of devices and the routes that come and go with them (net/ipv4/devinet.c,
//! `fib_add_ifaddr` and `fib_del_ifaddr` of net/ipv4/fib_frontend.c).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Kernel;
use super::fib::{Route, RouteType, proto, scope, table};
use super::link::IfAddr;
use super::types::{DevId, Errno, NetnsId};
use crate::op::{OpError, RouteVerb};
use crate::trace::Recorder;

impl<R: Recorder> Kernel<R> {
    /// `RTM_NEWADDR` (`__inet_insert_ifa`).
    pub(crate) fn op_addr_add(&mut self, dev: DevId, addr: &IfAddr, replace: bool) -> Result<(), OpError> {
        let mut a = addr.clone();
        if a.prefix > 32 {
            return Err(OpError::ext(Errno::EINVAL, "ipv4: Invalid prefix length"));
        }
        if a.label.is_empty() {
            a.label = self.dev(dev).name.to_string();
        }
        let net = a.net();
        a.secondary = false;
        for old in &self.dev(dev).addrs {
            if old.prefix != a.prefix || !net.contains(&old.peer) {
                continue;
            }
            if old.local == a.local {
                if replace {
                    return Ok(());
                }
                return Err(OpError::ext(Errno::EEXIST, "ipv4: Address already assigned"));
            }
            if old.scope != a.scope {
                return Err(OpError::ext(Errno::EINVAL, "ipv4: Invalid scope value"));
            }
            a.secondary = true;
        }
        let list = &mut self.dev_mut(dev).addrs;
        if a.secondary {
            list.push(a.clone());
        } else {
            // After the last primary one of at least its scope.
            let at = list.iter().rposition(|x| !x.secondary && a.scope <= x.scope).map_or(0, |i| i + 1);
            list.insert(at, a.clone());
        }
        self.fib_add_ifaddr(dev, &a);
        Ok(())
    }

    /// `RTM_DELADDR` (`inet_rtm_deladdr`, `__inet_del_ifa`).
    pub(crate) fn op_addr_del(
        &mut self,
        dev: DevId,
        local: Ipv4Addr,
        prefix: Option<u8>,
        peer: Option<Ipv4Addr>,
        label: Option<&str>,
    ) -> Result<(), OpError> {
        let fits = |a: &IfAddr| {
            a.local == local
                && label.is_none_or(|l| a.label == l)
                && prefix.is_none_or(|p| a.prefix == p)
                && peer.is_none_or(|p| Ipv4Net::new_assert(a.peer, a.prefix).contains(&p))
        };
        let at = self.dev(dev).addrs.iter().position(fits);
        let at = at.ok_or_else(|| OpError::ext(Errno::EADDRNOTAVAIL, "ipv4: Address not found"))?;
        self.inet_del_ifa(dev, at);
        Ok(())
    }

    fn inet_del_ifa(&mut self, dev: DevId, at: usize) {
        let promote = {
            let d = self.dev(dev);
            d.conf.promote_secondaries != 0 || self.ns(d.netns).sysctl.all.promote_secondaries != 0
        };
        let gone = self.dev_mut(dev).addrs.remove(at);
        self.nat_addr_gone(dev, gone.local);
        let net = gone.net();
        let child = |x: &IfAddr| x.secondary && x.prefix == gone.prefix && net.contains(&x.peer);
        let mut heir = None;
        if !gone.secondary {
            if promote {
                if let Some(i) = self.dev(dev).addrs.iter().position(child) {
                    heir = Some(self.dev_mut(dev).addrs.remove(i));
                }
            } else {
                // A primary address takes its secondaries along, each with its routes.
                while let Some(i) = self.dev(dev).addrs.iter().position(child) {
                    let s = self.dev_mut(dev).addrs.remove(i);
                    self.fib_del_ifaddr(dev, &s);
                }
            }
        }
        self.fib_del_ifaddr(dev, &gone);
        if heir.is_none() && self.dev(dev).addrs.is_empty() {
            // The last address: IP is off on the device (`fib_disable_ip`).
            let ns = self.dev(dev).netns;
            self.fib_remove(ns, |r| r.dev == Some(dev));
            self.neigh_flush_dev(dev, false);
        }
        if let Some(mut h) = heir {
            h.secondary = false;
            self.fib_del_local(dev, h.local);
            let list = &mut self.dev_mut(dev).addrs;
            let at = list.iter().rposition(|x| !x.secondary && h.scope <= x.scope).map_or(0, |i| i + 1);
            list.insert(at, h.clone());
            self.fib_add_ifaddr(dev, &h);
            // The others' local routes name the new primary as their source.
            let rest: Vec<IfAddr> = self.dev(dev).addrs.iter().filter(|x| child(x)).cloned().collect();
            for s in rest {
                self.fib_del_local(dev, s.local);
                self.fib_add_ifaddr(dev, &s);
            }
        }
    }

    /// All addresses and routes of a device go: it is deleted or moves away (`inetdev_destroy`).
    pub(crate) fn inet_flush_dev(&mut self, dev: DevId) {
        while !self.dev(dev).addrs.is_empty() {
            let last = self.dev(dev).addrs.len() - 1;
            self.inet_del_ifa(dev, last);
        }
        let ns = self.dev(dev).netns;
        self.fib_remove(ns, |r| r.dev == Some(dev));
        self.neigh_flush_dev(dev, false);
    }

    /// The device came up (`NETDEV_UP`): `lo` gets 127.0.0.1, connected routes come back.
    pub(crate) fn inet_dev_up(&mut self, dev: DevId) {
        if self.dev(dev).is_loopback() {
            let a = IfAddr {
                local: Ipv4Addr::LOCALHOST,
                peer: Ipv4Addr::LOCALHOST,
                prefix: 8,
                broadcast: None,
                scope: scope::HOST,
                secondary: false,
                noprefixroute: false,
                label: String::new(),
            };
            // It may be there already.
            let _ = self.op_addr_add(dev, &a, false);
        }
        for a in self.dev(dev).addrs.clone() {
            self.fib_add_ifaddr(dev, &a);
        }
        self.rt_cache_flush(self.dev(dev).netns);
    }

    /// The device went down (`NETDEV_DOWN`): every route over it goes, but for those to oneself.
    pub(crate) fn inet_dev_down(&mut self, dev: DevId) {
        let ns = self.dev(dev).netns;
        self.fib_remove(ns, |r| r.dev == Some(dev) && r.scope != scope::HOST);
    }

    /// A route that the kernel makes itself (`fib_magic`).
    fn fib_magic(&mut self, dev: DevId, kind: RouteType, dst: Ipv4Net, src: Ipv4Addr) {
        let ns = self.dev(dev).netns;
        let local = kind == RouteType::Local;
        let r = Route {
            dst,
            table: if kind == RouteType::Unicast { table::MAIN } else { table::LOCAL },
            kind,
            proto: proto::KERNEL,
            scope: if local { scope::HOST } else { scope::LINK },
            tos: 0,
            metric: 0,
            prefsrc: Some(src),
            via: None,
            dev: Some(dev),
            onlink: false,
            linkdown: !local && !self.dev(dev).carrier,
            dead: false,
            mtu: None,
            mtu_lock: false,
            advmss: None,
            nh_scope: if local { scope::NOWHERE } else { scope::HOST },
        };
        // As for any route (`fib_create_info`), the source must be known as local: where another address has it for its
        // broadcast address, it is not, and the prefix goes without a route.
        if !self.valid_prefsrc(ns, &r, src) {
            return;
        }
        // It may be there already, from another address.
        let _ = self.fib_table_insert(ns, RouteVerb::Append, r);
    }

    /// `fib_add_ifaddr`.
    fn fib_add_ifaddr(&mut self, dev: DevId, a: &IfAddr) {
        let host = |ip| Ipv4Net::new_assert(ip, 32);
        let net = a.net();
        let prim = if a.secondary {
            let by_prefix = |x: &&IfAddr| !x.secondary && x.prefix == a.prefix && net.contains(&x.peer);
            match self.dev(dev).addrs.iter().find(by_prefix) {
                Some(p) => p.local,
                None => return,
            }
        } else {
            a.local
        };
        self.fib_magic(dev, RouteType::Local, host(a.local), prim);
        if !self.dev(dev).is_up() {
            return;
        }
        if let Some(b) = a.broadcast
            && !b.is_broadcast()
        {
            self.fib_magic(dev, RouteType::Broadcast, host(b), prim);
        }
        if net.addr().is_unspecified() || a.secondary || (net.addr() == a.local && a.prefix == 32) {
            return;
        }
        if !a.noprefixroute {
            let kind = if self.dev(dev).is_loopback() { RouteType::Local } else { RouteType::Unicast };
            self.fib_magic(dev, kind, net, prim);
        }
        if a.prefix < 31 {
            self.fib_magic(dev, RouteType::Broadcast, host(net.broadcast()), prim);
        }
    }

    /// `fib_del_ifaddr`: what no other address of the device needs.
    fn fib_del_ifaddr(&mut self, dev: DevId, a: &IfAddr) {
        let ns = self.dev(dev).netns;
        let net = a.net();
        let others = self.dev(dev).addrs.clone();
        let is = move |r: &Route, kind, dst: Ipv4Net| {
            r.proto == proto::KERNEL && r.dev == Some(dev) && r.kind == kind && r.dst == dst
        };
        let alone = net.addr() == a.local && a.prefix == 32;
        if !a.secondary && !net.addr().is_unspecified() && !alone {
            let kept = others.iter().any(|x| !x.secondary && x.prefix == a.prefix && x.net() == net);
            if !kept && !a.noprefixroute {
                let kind = if self.dev(dev).is_loopback() { RouteType::Local } else { RouteType::Unicast };
                self.fib_remove(ns, |r| is(r, kind, net) && r.prefsrc == Some(a.local));
            }
        }
        let brds = [a.broadcast, (a.prefix < 31).then(|| net.broadcast())];
        for b in brds.into_iter().flatten() {
            let dst = Ipv4Net::new_assert(b, 32);
            let needed = others
                .iter()
                .any(|x| !x.secondary && (x.broadcast == Some(b) || (x.prefix < 31 && x.net().broadcast() == b)));
            let src = a.local;
            self.fib_remove(ns, |r| is(r, RouteType::Broadcast, dst) && (!needed || r.prefsrc == Some(src)));
            if needed {
                for x in others.iter().filter(|x| !x.secondary) {
                    let mine = x.broadcast == Some(b) || (x.prefix < 31 && x.net().broadcast() == b);
                    if mine && self.dev(dev).is_up() {
                        self.fib_magic(dev, RouteType::Broadcast, dst, x.local);
                    }
                }
            }
        }
        if !others.iter().any(|x| x.local == a.local) {
            self.fib_del_local(dev, a.local);
        }
    }

    fn fib_del_local(&mut self, dev: DevId, local: Ipv4Addr) {
        let ns = self.dev(dev).netns;
        let dst = Ipv4Net::new_assert(local, 32);
        let mine = move |r: &Route| {
            r.proto == proto::KERNEL && r.dev == Some(dev) && r.kind == RouteType::Local && r.dst == dst
        };
        self.fib_remove(ns, mine);
        if self.inet_addr_type(ns, local) != RouteType::Local {
            // `fib_sync_down_addr`: routes that prefer it as their source go with it.
            self.fib_remove(ns, |r| r.prefsrc == Some(local) && r.proto != proto::KERNEL);
        }
    }

    /// `inet_select_addr`: an address of the device that fits the scope, best one of the destination's subnet.
    pub(crate) fn inet_select_addr(&self, dev: DevId, dst: Option<Ipv4Addr>, sc: u8) -> Option<Ipv4Addr> {
        let d = self.dev(dev);
        let localnet = if self.route_localnet(dev) { scope::LINK } else { scope::HOST };
        let mut any = None;
        for a in d.addrs.iter().filter(|a| !a.secondary && a.scope.min(localnet) <= sc) {
            match dst {
                Some(x) if !Ipv4Net::new_assert(a.peer, a.prefix).contains(&x) => any = any.or(Some(a.local)),
                _ => return Some(a.local),
            }
        }
        any.or_else(|| {
            let fits = |a: &&IfAddr| !a.secondary && a.scope != scope::LINK && a.scope <= sc;
            self.devs_of(d.netns).find_map(|d| d.addrs.iter().find(fits).map(|a| a.local))
        })
    }

    /// `inet_confirm_addr`: is `local` an address of the device (or of any), of at most this scope, that
    /// shares a subnet with `dst` where one is given?
    pub(crate) fn inet_confirm_addr(
        &self,
        ns: NetnsId,
        dev: Option<DevId>,
        dst: Option<Ipv4Addr>,
        local: Ipv4Addr,
        sc: u8,
    ) -> bool {
        let on = |d: &super::link::Device| {
            let localnet = if self.route_localnet(d.id) { scope::LINK } else { scope::HOST };
            let has = d.addrs.iter().any(|a| a.local == local && a.scope.min(localnet) <= sc);
            let subnet = dst.is_none_or(|x| d.addrs.iter().any(|a| Ipv4Net::new_assert(a.peer, a.prefix).contains(&x)));
            has && subnet
        };
        match dev {
            Some(d) => on(self.dev(d)),
            None => self.devs_of(ns).any(on),
        }
    }

    /// `inet_addr_onlink`: do two addresses share a subnet of the device?
    pub(crate) fn inet_addr_onlink(&self, dev: DevId, a: Ipv4Addr, b: Ipv4Addr) -> bool {
        self.dev(dev).addrs.iter().filter(|x| !x.secondary).any(|x| {
            let n = Ipv4Net::new_assert(x.peer, x.prefix);
            n.contains(&a) && n.contains(&b)
        })
    }

    /// The device that has an address (`__ip_dev_find`).
    pub(crate) fn ip_dev_find(&self, ns: NetnsId, a: Ipv4Addr) -> Option<DevId> {
        let own = self.devs_of(ns).find(|d| d.addrs.iter().any(|x| x.local == a)).map(|d| d.id);
        own.or_else(|| {
            // An address that the local table makes ours, such as the rest of 127/8.
            let f = super::fib::Flow { ignore_linkstate: true, ..super::fib::Flow::to(a) };
            match self.fib_lookup_from_table(ns, table::LOCAL, &f) {
                Some(r) if r.kind == RouteType::Local => r.dev,
                _ => None,
            }
        })
    }
}
