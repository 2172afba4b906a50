//! `ip_route_input`: what becomes of a packet that arrived.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::Dst;
use crate::kernel::Kernel;
use crate::kernel::fib::{Flow, Lookup, Route, RouteType, scope};
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::trace::event::SourceCheck;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, MacAddr, Packet, PacketId};

/// Key of the lookup for an IP packet as it arrives.
fn flow_of(p: &Packet, dev: DevId) -> Flow {
    let Some(ip) = p.ipv4() else { return Flow::to(Ipv4Addr::UNSPECIFIED) };
    let (sport, dport) = ip.l4.ports().unwrap_or_default();
    let mark = p.mark;
    Flow { src: ip.src, iif: Some(dev), mark, tos: ip.tos, proto: ip.proto(), sport, dport, ..Flow::to(ip.dst) }
}

impl<R: Recorder> Kernel<R> {
    /// `net.ipv4.conf.{all,DEV}.route_localnet`, either.
    #[inline]
    pub(crate) fn route_localnet(&self, dev: DevId) -> bool {
        let d = self.dev(dev);
        d.conf.route_localnet != 0 || self.ns(d.netns).sysctl.all.route_localnet != 0
    }

    /// The stricter of `conf.all.rp_filter` and the device's own.
    #[inline]
    pub(crate) fn rp_filter(&self, dev: DevId) -> u8 {
        let d = self.dev(dev);
        d.conf.rp_filter.max(self.ns(d.netns).sysctl.all.rp_filter) as u8
    }

    /// Routes an IP packet that arrived at `dev`.
    pub(crate) fn ip_route_input(&mut self, dev: DevId, p: &mut Packet) -> Result<Dst, DropReason> {
        let f = flow_of(p, dev);
        self.route_input(dev, f, Some(p))
    }

    /// Routes as `arp_process` asks: is there a way from `sip` to `tip`?
    pub(crate) fn ip_route_input_arp(&mut self, dev: DevId, sip: Ipv4Addr, tip: Ipv4Addr) -> Result<Dst, DropReason> {
        self.route_input(dev, Flow { src: sip, iif: Some(dev), ..Flow::to(tip) }, None)
    }

    /// What `ip route get … iif DEV` asks: the way of a packet that would arrive there.
    ///
    /// # Errors
    /// The errno that the question is answered with.
    pub fn ip_route_get_input(&mut self, dev: DevId, k: super::OutputKey) -> Result<Dst, Errno> {
        let f = Flow { src: k.src, iif: Some(dev), mark: k.mark, tos: k.tos, proto: k.proto, ..Flow::to(k.dst) };
        let mut p = Packet {
            mark: k.mark,
            ..Packet::new(PacketId(0), MacAddr::ZERO, MacAddr::ZERO, Body::Other(0, Bytes::new()))
        };
        match self.route_input(dev, f, Some(&mut p)) {
            Ok(rt) => rt.error.map_or(Ok(rt), Err),
            Err(DropReason::IP_RPFILTER) => Err(Errno::EXDEV),
            Err(_) => Err(Errno::EINVAL),
        }
    }

    /// `ip_route_input_slow`; without a packet the question is ARP's.
    fn route_input(&mut self, dev: DevId, f: Flow, mut p: Option<&mut Packet>) -> Result<Dst, DropReason> {
        let ns = self.devs[dev.ix()].netns;
        let (src, dst) = (f.src, f.dst);
        if dst.is_multicast() {
            return self.route_input_mc(dev, src, dst);
        }
        if src.is_multicast() || src.is_broadcast() {
            return Err(DropReason::IP_INVALID_SOURCE);
        }
        if dst.is_broadcast() || (src.is_unspecified() && dst.is_unspecified()) {
            return self.route_input_broadcast(dev, &f, None, p);
        }
        if src.is_unspecified() {
            return Err(DropReason::IP_INVALID_SOURCE);
        }
        if dst.is_unspecified() {
            return Err(DropReason::IP_INVALID_DEST);
        }
        if (dst.is_loopback() || src.is_loopback()) && !self.route_localnet(dev) {
            return Err(DropReason::IP_LOCALNET);
        }
        let forwards = self.devs[dev.ix()].conf.forwarding != 0;
        // ARP's question is not part of any packet's way.
        let found = match p.as_deref_mut() {
            Some(p) => self.fib_lookup(ns, &f, Some(p)),
            None => self.lookup_rules_quietly(ns, &f),
        };
        let route = match found {
            Lookup::Route(_, r) => r,
            Lookup::Refused(_, e, _) => return Ok(no_route(dev, if forwards { e } else { Errno::EHOSTUNREACH })),
            Lookup::None => {
                return Ok(no_route(dev, if forwards { Errno::ENETUNREACH } else { Errno::EHOSTUNREACH }));
            }
        };
        match route.kind {
            RouteType::Broadcast => {
                if self.bc_forwarding(dev) {
                    return self.mkroute_input(ns, dev, &f, route, p);
                }
                self.route_input_broadcast(dev, &f, Some(route), p)
            }
            RouteType::Local => {
                self.check_source(dev, src, dst, None, &f, p)?;
                Ok(local_in(dev, RouteType::Local, dst, Some(route)))
            }
            _ if !forwards => Ok(no_route(dev, Errno::EHOSTUNREACH)),
            RouteType::Unicast => self.mkroute_input(ns, dev, &f, route, p),
            _ => Err(DropReason::IP_INVALID_DEST),
        }
    }

    fn bc_forwarding(&self, dev: DevId) -> bool {
        let d = self.dev(dev);
        d.conf.bc_forwarding != 0 && self.ns(d.netns).sysctl.all.bc_forwarding != 0
    }

    fn route_input_broadcast(
        &mut self,
        dev: DevId,
        f: &Flow,
        route: Option<Route>,
        p: Option<&mut Packet>,
    ) -> Result<Dst, DropReason> {
        if p.is_none() {
            return Err(DropReason::NOT_SPECIFIED);
        }
        if !f.src.is_unspecified() {
            self.check_source(dev, f.src, Ipv4Addr::UNSPECIFIED, None, f, p)?;
        }
        Ok(local_in(dev, RouteType::Broadcast, f.dst, route))
    }

    /// `ip_route_input_mc`: only the all-hosts group is joined.
    fn route_input_mc(&mut self, dev: DevId, src: Ipv4Addr, dst: Ipv4Addr) -> Result<Dst, DropReason> {
        if src.is_multicast() || src.is_broadcast() {
            return Err(DropReason::IP_INVALID_SOURCE);
        }
        if src.is_loopback() && !self.route_localnet(dev) {
            return Err(DropReason::IP_LOCALNET);
        }
        if dst != Ipv4Addr::new(224, 0, 0, 1) {
            return Err(DropReason::NOT_SPECIFIED);
        }
        Ok(local_in(dev, RouteType::Multicast, dst, None))
    }

    /// `__mkroute_input`: to be forwarded.
    fn mkroute_input(
        &mut self,
        ns: NetnsId,
        dev: DevId,
        f: &Flow,
        route: Route,
        mut p: Option<&mut Packet>,
    ) -> Result<Dst, DropReason> {
        let Some(out) = route.dev else {
            return Err(DropReason::NOT_SPECIFIED);
        };
        let direct = self.check_source(dev, f.src, f.dst, Some(out), f, p.as_deref_mut())?;
        let e = self.exception(ns, f.dst, out, route.via);
        let gateway = e.and_then(|e| e.gateway).or(route.gateway());
        let gw = gateway.unwrap_or(f.dst);
        let mut redirect = false;
        if out == dev {
            if p.is_none() && self.devs[dev.ix()].conf.proxy_arp_pvlan == 0 {
                return Err(DropReason::NOT_SPECIFIED);
            }
            let all = &self.ns(ns).sysctl.all;
            let d = &self.devs[out.ix()];
            let send = d.conf.send_redirects != 0 || all.send_redirects != 0;
            let shared = d.conf.shared_media != 0 || all.shared_media != 0;
            redirect = direct && send && (shared || self.inet_addr_onlink(out, f.src, gw));
        }
        Ok(Dst {
            kind: route.kind,
            local: false,
            dev: out,
            gateway,
            src: Ipv4Addr::UNSPECIFIED,
            pmtu: e.and_then(|e| e.pmtu),
            mtu_locked: route.mtu_lock || e.is_some_and(|e| e.lock),
            advmss: None,
            route: Some(route),
            input: true,
            redirect,
            error: None,
        })
    }

    /// `fib_validate_source`: may a packet from `src` arrive here? Says whether the sender is on the link.
    fn check_source(
        &mut self,
        dev: DevId,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        out: Option<DevId>,
        f: &Flow,
        p: Option<&mut Packet>,
    ) -> Result<bool, DropReason> {
        let ns = self.devs[dev.ix()].netns;
        let rpf = self.rp_filter(dev);
        let r = self.validate_source(ns, dev, src, dst, out, f, rpf);
        if R::ON && p.is_some() {
            let verdict = match r {
                Ok((true, _)) => SourceCheck::Ok,
                Ok((false, _)) => SourceCheck::OtherDevice,
                Err(DropReason::IP_RPFILTER) => SourceCheck::RpFilter(rpf),
                Err(_) => SourceCheck::Martian,
            };
            // Without rp_filter and redirects Linux looks at nothing but its own addresses.
            if rpf != 0 || r.is_err() {
                self.rec.event(self.queue.now, ns, Some(dev), p, EventKind::SourceCheck { verdict });
            }
        }
        r.map(|(_, direct)| direct)
    }

    #[expect(clippy::too_many_arguments, reason = "the arguments of __fib_validate_source")]
    fn validate_source(
        &self,
        ns: NetnsId,
        dev: DevId,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        out: Option<DevId>,
        f: &Flow,
        rpf: u8,
    ) -> Result<(bool, bool), DropReason> {
        let d = &self.devs[dev.ix()];
        let all = &self.ns(ns).sysctl.all;
        let accept_local = d.conf.accept_local != 0 || all.accept_local != 0;
        let redirects = d.conf.send_redirects != 0 || all.send_redirects != 0;
        if rpf == 0 && (out != Some(dev) || !redirects) {
            if accept_local {
                return Ok((true, false));
            }
            if !self.ns(ns).fib.custom_rules {
                return match self.is_own_address(ns, src) {
                    true => Err(DropReason::IP_LOCAL_SOURCE),
                    false => Ok((true, false)),
                };
            }
        }
        let vmark = d.conf.src_valid_mark != 0 || all.src_valid_mark != 0;
        let back = Flow { src: dst, iif: out, mark: if vmark { f.mark } else { 0 }, tos: f.tos, ..Flow::to(src) };
        let last_resort = if rpf != 0 { Err(DropReason::IP_RPFILTER) } else { Ok((false, false)) };
        let Lookup::Route(_, r) = self.lookup_rules_quietly(ns, &back) else { return last_resort };
        if r.kind != RouteType::Unicast && (r.kind != RouteType::Local || !accept_local) {
            return Err(DropReason::IP_LOCAL_SOURCE);
        }
        let lo = r.kind == RouteType::Local && d.is_loopback();
        if r.dev == Some(dev) || lo {
            return Ok((true, r.nh_scope >= scope::HOST));
        }
        if d.addrs.is_empty() {
            return last_resort;
        }
        if rpf == 1 {
            return Err(DropReason::IP_RPFILTER);
        }
        let again = Flow { oif: Some(dev), ignore_linkstate: true, ..back };
        match self.lookup_rules_quietly(ns, &again) {
            Lookup::Route(_, r) if r.kind == RouteType::Unicast => Ok((false, r.nh_scope >= scope::HOST)),
            _ => Ok((false, false)),
        }
    }

    /// `inet_lookup_ifaddr_rcu`: an address of any device, up or down.
    #[inline]
    fn is_own_address(&self, ns: NetnsId, a: Ipv4Addr) -> bool {
        self.ns(ns).devs.values().any(|d| self.devs[d.ix()].addrs.iter().any(|x| x.local == a))
    }
}

fn local_in(dev: DevId, kind: RouteType, dst: Ipv4Addr, route: Option<Route>) -> Dst {
    Dst {
        kind,
        local: true,
        dev,
        gateway: None,
        src: dst,
        pmtu: None,
        mtu_locked: false,
        advmss: None,
        route,
        input: true,
        redirect: false,
        error: None,
    }
}

fn no_route(dev: DevId, e: Errno) -> Dst {
    Dst { error: Some(e), ..local_in(dev, RouteType::Unreachable, Ipv4Addr::UNSPECIFIED, None) }
}
