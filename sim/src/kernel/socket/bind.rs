//! Addresses and ports of sockets (`inet_bind`, `udp_lib_get_port`, `inet_csk_get_port`).

use std::net::Ipv4Addr;

use super::SockKind;
use crate::kernel::Kernel;
use crate::kernel::fib::RouteType;
use crate::kernel::types::{Errno, SockId};
use crate::trace::Recorder;

impl<R: Recorder> Kernel<R> {
    /// `bind(2)`; port 0 leaves the choice to the kernel.
    ///
    /// # Errors
    /// EADDRNOTAVAIL for an address that is not ours, EADDRINUSE, EINVAL when bound already.
    pub fn sock_bind(&mut self, id: SockId, addr: Ipv4Addr, port: u16) -> Result<(), Errno> {
        let s = self.sock(id);
        let ns = s.ns;
        if s.lport != 0 {
            return Err(Errno::EINVAL);
        }
        let kind = self.inet_addr_type(ns, addr);
        let any = addr.is_unspecified();
        let ours = any
            || self.ns(ns).sysctl.ip_nonlocal_bind != 0
            || matches!(kind, RouteType::Local | RouteType::Multicast | RouteType::Broadcast);
        if !ours {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.sock_mut(id).group_bound = matches!(kind, RouteType::Multicast | RouteType::Broadcast) && !any;
        let s = self.sock(id);
        if matches!(s.kind, SockKind::Raw { .. }) {
            self.sock_mut(id).local = addr;
            return Ok(());
        }
        let port = if port == 0 { self.pick_port(id, addr)? } else { port };
        if self.port_conflict(id, addr, port) {
            return Err(Errno::EADDRINUSE);
        }
        self.take_port(id, addr, port);
        Ok(())
    }

    /// The socket holds a port from now on.
    pub(crate) fn take_port(&mut self, id: SockId, addr: Ipv4Addr, port: u16) {
        let s = self.sock_mut(id);
        s.local = addr;
        s.lport = port;
        let (ns, udp) = (s.ns, matches!(s.kind, SockKind::Udp));
        let t = &mut self.ns_mut(ns).socks;
        let table = if udp { &mut t.udp } else { &mut t.tcp_bound };
        table.entry(port).or_default().push(id);
    }

    /// May the socket not have this port? Two wildcards, or a wildcard and an address, meet; so do two
    /// sockets of which one is bound to no device. `SO_REUSEADDR` on both helps unless one listens.
    pub(crate) fn port_conflict(&self, id: SockId, addr: Ipv4Addr, port: u16) -> bool {
        let me = self.sock(id);
        let udp = matches!(me.kind, SockKind::Udp);
        let t = &self.ns(me.ns).socks;
        let others = if udp { t.udp.get(&port) } else { t.tcp_bound.get(&port) };
        others.into_iter().flatten().filter(|o| **o != id).any(|o| {
            let o = self.sock(*o);
            let dev = me.dev.is_none() || o.dev.is_none() || me.dev == o.dev;
            let addrs = addr.is_unspecified() || o.local.is_unspecified() || addr == o.local;
            let listening = matches!(o.kind, SockKind::Listen(_));
            let reuse = me.opts.reuseaddr && o.opts.reuseaddr && (udp || !listening);
            dev && addrs && !reuse
        })
    }

    /// A free ephemeral port: Linux picks at random, the scenario's dice do here.
    pub(crate) fn pick_port(&mut self, id: SockId, addr: Ipv4Addr) -> Result<u16, Errno> {
        let ns = self.sock(id).ns;
        let (low, high) = self.ns(ns).sysctl.ip_local_port_range;
        let n = u64::from((high - low + 1).max(1) as u32);
        let start = self.rng.below(n);
        (0..n)
            .map(|i| (low as u64 + (start + i) % n) as u16)
            .find(|p| !self.port_conflict(id, addr, *p))
            .ok_or(Errno::EADDRINUSE)
    }
}
