//! Segments as they arrive (net/ipv4/tcp_ipv4.c, tcp_input.c, tcp_minisocks.c).

use std::net::Ipv4Addr;

use super::state::before;
use super::{Tcb, TcpState};
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::icmp::{IcmpErr, err_convert};
use crate::kernel::ip::Rx;
use crate::kernel::mib::MibItem as M;
use crate::kernel::socket::SockKind;
use crate::kernel::types::{DevId, Errno, NetnsId, SEC, SockId};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{L4, Packet, Tcp, TcpFlags};

impl<R: Recorder> Kernel<R> {
    /// `tcp_v4_rcv`.
    pub(crate) fn tcp_v4_rcv(&mut self, rx: Rx, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let Some(ip) = p.ipv4() else { return };
        let L4::Tcp(t) = &ip.l4 else { return };
        let key = (ip.dst, t.dport, ip.src, t.sport);
        if rx.ty != PktType::Host {
            return self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "tcp_v4_rcv");
        }
        self.ns_mut(ns).mib.inc(M::TcpInSegs);
        let found = self.ns(ns).socks.tcp_established.get(&key).copied();
        // A socket of one device hears nothing that comes by another (`inet_match`).
        if let Some(id) = found.filter(|id| self.sock(*id).dev.is_none_or(|d| d == rx.sock_dev)) {
            return self.tcp_v4_rcv_found(rx, id, p);
        }
        let Some(ip) = p.ipv4() else { return };
        let L4::Tcp(t) = &ip.l4 else { return };
        let (src, dst, t) = (ip.src, ip.dst, t.clone());
        match self.tcp_listener(ns, rx.sock_dev, dst, t.dport) {
            // As `tcp_rcv_state_process` asks: first for ACK, for which it leaves the rest to its caller.
            Some(_) if t.flags.contains(TcpFlags::ACK) => {
                if !t.flags.contains(TcpFlags::RST) {
                    self.tcp_send_reset(ns, (src, dst), &t, p.id);
                }
                self.drop_at(rx.dev, &mut p, DropReason::TCP_FLAGS, "tcp_v4_do_rcv");
            }
            Some(_) if t.flags.contains(TcpFlags::RST) => {
                self.drop_at(rx.dev, &mut p, DropReason::TCP_RESET, "tcp_rcv_state_process");
            }
            // A frame for this host alone may carry a packet for everybody, which nobody is to answer.
            Some(_) if t.flags.contains(TcpFlags::SYN) && rx.kind != RouteType::Local => {
                self.ns_mut(ns).mib.inc(M::TcpExtListenDrops);
                self.consume(rx.dev, &mut p, "connections are made to single addresses only");
            }
            Some(l) if t.flags.contains(TcpFlags::SYN) => {
                self.note_delivery(rx, l, &mut p);
                self.tcp_conn_request(ns, l, &t, src, dst);
            }
            Some(_) => self.drop_at(rx.dev, &mut p, DropReason::TCP_FLAGS, "tcp_rcv_state_process"),
            None => {
                if rx.kind == RouteType::Local {
                    self.tcp_send_reset(ns, (src, dst), &t, p.id);
                }
                self.drop_at(rx.dev, &mut p, DropReason::NO_SOCKET, "tcp_v4_rcv");
            }
        }
    }

    /// A segment of a connection; it waits while a process has the socket (`tcp_add_backlog`).
    pub(crate) fn tcp_v4_rcv_found(&mut self, rx: Rx, id: SockId, p: Packet) {
        if let Some(b) = &mut self.sock_mut(id).tcb_mut().backlog {
            return b.push((rx, p));
        }
        self.tcp_v4_do_rcv(rx, id, p);
    }

    /// A segment of a connection gets its turn.
    pub(crate) fn tcp_v4_do_rcv(&mut self, rx: Rx, id: SockId, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let Some(ip) = p.ipv4() else { return };
        let L4::Tcp(t) = &ip.l4 else { return };
        let (src, dst, t) = (ip.src, ip.dst, t.clone());
        self.note_delivery(rx, id, &mut p);
        self.tcp_rcv(ns, rx, id, t, (src, dst), p);
    }

    fn note_delivery(&mut self, rx: Rx, id: SockId, p: &mut Packet) {
        if R::ON {
            let s = self.sock(id);
            let (port, process) = (s.lport, s.process.as_ref().map(|p| p.0.0));
            self.ev(rx.dev, p, EventKind::SocketDeliver { sock: id, port, process });
        }
    }

    /// `inet_lookup_listener`: an address beats the wildcard, a device beats none.
    fn tcp_listener(&self, ns: NetnsId, dev: DevId, dst: Ipv4Addr, port: u16) -> Option<SockId> {
        let list = self.ns(ns).socks.tcp_listen.get(&port)?;
        let score = |id: &SockId| {
            let s = self.sock(*id);
            let addr = s.local.is_unspecified() || s.local == dst;
            let on = s.dev.is_none_or(|d| d == dev);
            (addr && on).then(|| 1 + i32::from(!s.local.is_unspecified()) * 2 + i32::from(s.dev.is_some()))
        };
        list.iter().filter_map(|id| score(id).map(|s| (s, *id))).max_by_key(|x| x.0).map(|x| x.1)
    }

    /// `tcp_conn_request`: a SYN for a listener.
    fn tcp_conn_request(&mut self, ns: NetnsId, l: SockId, t: &Tcp, src: Ipv4Addr, dst: Ipv4Addr) {
        let SockKind::Listen(listener) = &self.sock(l).kind else { return };
        if listener.queue.len() as u32 > listener.backlog {
            self.ns_mut(ns).mib.inc(M::TcpExtListenDrops);
            return;
        }
        let process = self.sock(l).process.clone();
        let (opts, dev) = (self.sock(l).opts, self.sock(l).dev);
        let child = self.sock_new(ns, SockKind::Tcp(Box::default()), process.as_ref().map(|(p, n)| (*p, n.as_str())));
        let s = self.sock_mut(child);
        (s.local, s.lport, s.remote, s.rport) = (dst, t.dport, src, t.sport);
        (s.opts, s.dev) = (opts, dev);
        // Nobody holds it until it is accepted.
        s.open = false;
        let quad = s.quad();
        let iss = self.rng.next_u64() as u32;
        let Ok(rt) = self.tcp_route(child) else {
            // `inet_csk_route_req`: there is no way to answer.
            self.ns_mut(ns).mib.inc(M::IpOutNoRoutes);
            return self.sock_forget(child);
        };
        let mss = self.tcp_mss(&rt);
        let sys = &self.ns(ns).sysctl;
        let (ts, sack, scaling) = (sys.tcp_timestamps != 0, sys.tcp_sack != 0, sys.tcp_window_scaling != 0);
        let b = self.sock_mut(child).tcb_mut();
        b.open(iss, mss);
        b.mss = mss;
        b.parent = Some(l);
        b.rcv_nxt = t.seq.wrapping_add(1);
        b.learn_options(t, ts, sack, scaling);
        b.snd_wnd = u32::from(t.window);
        self.ns_mut(ns).socks.tcp_established.insert(quad, child);
        self.tcp_set_state(child, TcpState::SynRecv);
        self.tcp_send_syn(child);
        self.tcp_arm(child, SEC);
    }

    /// A segment of a connection (`tcp_rcv_state_process`, `tcp_rcv_established`).
    fn tcp_rcv(&mut self, ns: NetnsId, rx: Rx, id: SockId, t: Tcp, addrs: (Ipv4Addr, Ipv4Addr), p: Packet) {
        let b = self.sock(id).tcb();
        match b.state {
            TcpState::Closed => self.tcp_send_reset(ns, addrs, &t, p.id),
            TcpState::SynSent => self.tcp_rcv_synsent(ns, id, t, addrs, &p),
            TcpState::TimeWait => {
                // A new connection may take the place of one that only waits.
                let newer = t.flags.contains(TcpFlags::SYN) && before(b.rcv_nxt, t.seq);
                if newer && let Some(l) = self.tcp_listener(ns, rx.sock_dev, addrs.1, t.dport) {
                    self.tcp_done(id);
                    return self.tcp_conn_request(ns, l, &t, addrs.0, addrs.1);
                }
                if t.seq_len() > 0 && !t.flags.contains(TcpFlags::RST) {
                    self.tcp_send_ack(id);
                }
            }
            _ => self.tcp_rcv_established(ns, rx.dev, id, t, p),
        }
    }

    /// `tcp_rcv_synsent_state_process`.
    fn tcp_rcv_synsent(&mut self, ns: NetnsId, id: SockId, t: Tcp, addrs: (Ipv4Addr, Ipv4Addr), p: &Packet) {
        let b = self.sock(id).tcb();
        if t.flags.contains(TcpFlags::ACK) && t.ack != b.snd_nxt {
            return self.tcp_send_reset(ns, addrs, &t, p.id);
        }
        if t.flags.contains(TcpFlags::RST) {
            if t.flags.contains(TcpFlags::ACK) {
                self.ns_mut(ns).mib.inc(M::TcpAttemptFails);
                self.tcp_fail(id, Errno::ECONNREFUSED);
            }
            return;
        }
        // A simultaneous open (SYN without ACK) is not answered by any program of the model.
        if !t.flags.contains(TcpFlags::SYN | TcpFlags::ACK) {
            return;
        }
        let Ok(rt) = self.tcp_route(id) else { return };
        let mss = self.tcp_mss(&rt);
        let sys = &self.ns(ns).sysctl;
        let (ts, sack, scaling) = (sys.tcp_timestamps != 0, sys.tcp_sack != 0, sys.tcp_window_scaling != 0);
        let b = self.sock_mut(id).tcb_mut();
        b.mss = mss;
        b.learn_options(&t, ts, sack, scaling);
        b.rcv_nxt = t.seq.wrapping_add(1);
        b.snd_una = t.ack;
        b.snd_wnd = u32::from(t.window);
        b.retransmits = 0;
        self.tcp_handshake_rtt(id);
        self.tcp_disarm(id);
        self.tcp_set_state(id, TcpState::Established);
        self.tcp_send_ack(id);
        self.wake(id);
    }

    fn tcp_rcv_established(&mut self, ns: NetnsId, dev: DevId, id: SockId, t: Tcp, mut p: Packet) {
        let b = self.sock_mut(id).tcb_mut();
        // tcp_validate_incoming: is it within the window?
        let end = t.seq.wrapping_add(t.seq_len());
        if before(end, b.rcv_nxt) || before(b.rcv_nxt.wrapping_add(65_536), t.seq) {
            let (old, rcv_nxt) = (before(end, b.rcv_nxt), b.rcv_nxt);
            if !t.flags.contains(TcpFlags::RST) {
                if t.seq_len() > 0 && before(t.seq, rcv_nxt) {
                    b.ofo.duplicate(t.seq, if before(rcv_nxt, end) { rcv_nxt } else { end });
                }
                self.tcp_send_ack(id);
            }
            let why = if old { DropReason::TCP_OLD_SEQUENCE } else { DropReason::TCP_INVALID_SEQUENCE };
            return self.drop_at(dev, &mut p, why, "tcp_validate_incoming");
        }
        if t.flags.contains(TcpFlags::RST) {
            return self.tcp_reset(ns, id, &t);
        }
        if t.flags.contains(TcpFlags::SYN) {
            // A repeated SYN is answered with what was answered before, a stray one is challenged.
            if b.state == TcpState::SynRecv && t.seq.wrapping_add(1) == b.rcv_nxt {
                self.tcp_send_syn(id);
                // `tcp_check_req`: the wait for the answer begins anew.
                let rto = self.sock(id).tcb().rto;
                return self.tcp_arm(id, rto);
            }
            return self.tcp_send_ack(id);
        }
        if !t.flags.contains(TcpFlags::ACK) {
            return;
        }
        if let Some((v, _)) = t.opts.ts {
            b.ts_recent = v;
        }
        // `tcp_data_queue` drops with its last call, so the kernel names the function that called it.
        let by = if b.state == TcpState::Established { "tcp_rcv_established" } else { "tcp_rcv_state_process" };
        if !self.tcp_ack(ns, id, &t) {
            return;
        }
        self.tcp_data(id, t, (dev, by), p);
    }

    /// `tcp_reset`.
    fn tcp_reset(&mut self, ns: NetnsId, id: SockId, t: &Tcp) {
        let b = self.sock(id).tcb();
        let state = b.state;
        if t.seq != b.rcv_nxt {
            return;
        }
        let mib = match state {
            TcpState::SynRecv => M::TcpAttemptFails,
            _ => M::TcpEstabResets,
        };
        if state == TcpState::SynRecv {
            self.ns_mut(ns).mib.inc(M::TcpExtEmbryonicRsts);
        }
        let e = if state == TcpState::CloseWait { Errno::EPIPE } else { Errno::ECONNRESET };
        self.ns_mut(ns).mib.inc(mib);
        self.tcp_fail(id, e);
    }

    /// A connection may be accepted.
    pub(super) fn tcp_child_ready(&mut self, id: SockId, parent: Option<SockId>) {
        let Some(l) = parent else { return };
        if let SockKind::Listen(listener) = &mut self.sock_mut(l).kind {
            listener.queue.push_back(id);
            self.sock_mut(id).open = true;
            self.wake(l);
        }
    }

    /// `tcp_v4_err`: an ICMP error about one of our segments. A socket that a process holds takes no redirect.
    pub(crate) fn tcp_v4_err(&mut self, ns: NetnsId, rx: Rx, e: &IcmpErr, p: &mut Packet) {
        let Some(ports) = e.ports() else { return };
        let (ty, code, mtu) = (e.ty, e.code, e.info & 0xffff);
        let quad = (e.quoted.src, ports.0, e.quoted.dst, ports.1);
        let found = self.ns(ns).socks.tcp_established.get(&quad).copied();
        let Some(id) = found.filter(|id| self.sock(*id).dev.is_none_or(|d| d == rx.sock_dev)) else {
            self.ns_mut(ns).mib.inc(M::IcmpInErrors);
            return;
        };
        let state = self.sock(id).tcb().state;
        if state == TcpState::TimeWait {
            return;
        }
        let owned = self.tcp_owned(id);
        let errno = match (ty, code) {
            (3, 4) => {
                match state {
                    TcpState::SynRecv => {}
                    _ if owned => self.sock_mut(id).tcb_mut().mtu_reduced = Some(mtu),
                    _ => self.tcp_mtu_reduced(id, mtu, Some(p)),
                }
                return;
            }
            (3, c) => err_convert(c).0,
            (5, _) if owned || state == TcpState::SynRecv => return,
            (5, _) => return self.icmp_err_route(ns, rx, e, Some(id), p),
            (11, _) => Errno::EHOSTUNREACH,
            (12, _) => Errno::EPROTO,
            _ => return,
        };
        let s = self.sock_mut(id);
        // The error queue (`ip_icmp_error`) is for who still connects; later there is only an error number.
        if s.opts.recverr && state == TcpState::SynSent {
            s.errq.push_back(e.queued(errno));
        }
        match state {
            // The answer to the first SYN comes back while `connect` still holds the socket: the error stays soft.
            TcpState::SynSent if owned => {
                self.sock_mut(id).tcb_mut().soft = Some(errno);
                self.wake(id);
            }
            TcpState::SynSent => {
                self.ns_mut(ns).mib.inc(M::TcpAttemptFails);
                self.tcp_fail(id, errno);
            }
            // `tcp_req_err`: nobody is there for an answer; the next SYN begins anew.
            TcpState::SynRecv if (ty, code) == (3, 0) || (ty, code) == (3, 1) || matches!(ty, 11 | 12) => {
                self.tcp_done(id);
            }
            TcpState::SynRecv => {}
            _ if self.sock(id).opts.recverr && !owned => {
                self.sock_mut(id).err = Some(errno);
                self.wake(id);
            }
            _ => self.sock_mut(id).tcb_mut().soft = Some(errno),
        }
    }

    /// `sock_owned_by_user`: a process connects or sends just now.
    fn tcp_owned(&self, id: SockId) -> bool {
        self.sock(id).tcb().backlog.is_some()
    }

    /// `tcp_v4_mtu_reduced`: the route learns of it (`inet_csk_update_pmtu`), segments are smaller from now on, and what
    /// was too big is sent again.
    pub(crate) fn tcp_mtu_reduced(&mut self, id: SockId, mtu: u32, p: Option<&mut Packet>) {
        let Ok(rt) = self.tcp_route(id) else { return };
        let s = self.sock(id);
        let (ns, remote) = (s.ns, s.remote);
        if mtu > 0 && self.ns(ns).sysctl.ip_no_pmtu_disc == 0 {
            self.update_pmtu(ns, &rt, remote, mtu, p);
        }
        let Ok(rt) = self.tcp_route(id) else { return };
        let mss = self.tcp_mss(&rt);
        let b = self.sock_mut(id).tcb_mut();
        if mss >= b.mss || matches!(b.state, TcpState::SynSent | TcpState::Closed) {
            return;
        }
        b.mss = mss;
        self.tcp_simple_retransmit(id);
    }
}

impl Tcb {
    /// `tcp_parse_options` on a SYN: both sides must want an option.
    fn learn_options(&mut self, t: &Tcp, ts: bool, sack: bool, scaling: bool) {
        self.peer_mss = t.opts.mss.unwrap_or(536);
        self.ts = ts && t.opts.ts.is_some();
        self.sack = sack && t.opts.sack_perm;
        self.peer_wscale = if scaling { t.opts.wscale } else { None };
        if let Some((v, _)) = t.opts.ts {
            self.ts_recent = v;
        }
    }
}
