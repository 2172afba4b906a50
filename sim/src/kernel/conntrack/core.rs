//! The hooks of connection tracking (net/netfilter/nf_conntrack_core.c).

use super::icmp::{self, IcmpError};
use super::tcp::{self, Outcome};
use super::tuple::{nf_ct_invert, tuple_of};
use super::types::{Conn, Conntrack, CtDir, CtEventKind, CtInfo, CtRef, Status, Tuple, Zone};
use super::udp;
use crate::kernel::Kernel;
use crate::kernel::netfilter::{Hook, Verdict};
use crate::kernel::sysctl::NetSysctl;
use crate::kernel::types::{DevId, Nanos, NetnsId, SEC};
use crate::trace::event::CtVerdict;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Ipv4, L4, Packet};

/// A setting in seconds; Linux takes a negative one, and the model takes it as none at all.
#[inline]
pub(super) fn secs(v: i32) -> Nanos {
    v.max(0) as Nanos * SEC
}

/// What a look-up came to (`resolve_normal_ct`).
enum Resolved {
    Found(CtRef, CtInfo),
    Made(CtRef),
    /// It cannot be tracked.
    Invalid(&'static str),
    /// The table is full.
    Full,
}

impl<R: Recorder> Kernel<R> {
    /// `nf_conntrack_in`: finds the packet's connection, or makes one that is not confirmed yet. An INVALID packet
    /// goes on without one. A drop has been recorded here.
    pub fn nf_conntrack_in(&mut self, ns: NetnsId, hook: Hook, dev: DevId, p: &mut Packet) -> Verdict {
        if p.nf.ct.is_some() || p.nf.ctinfo == CtInfo::Untracked {
            return Verdict::Accept;
        }
        let at = (hook, dev);
        let Some(ip) = ip_of(p) else {
            return self.ct_invalid(ns, at, p, "it cannot be read", None);
        };
        if ip.frag_off != 0 {
            return self.ct_invalid(ns, at, p, "a fragment without its beginning", None);
        }
        if ip.proto() == 1 {
            match self.nf_conntrack_icmpv4_error(ns, p, &ip) {
                IcmpError::No => {}
                IcmpError::Related(ct, info) => {
                    p.nf.ct = Some(ct);
                    p.nf.ctinfo = info;
                    self.ct_ev(ns, at, p, CtVerdict::Found(info), Some(ct), None);
                    return Verdict::Accept;
                }
                IcmpError::Invalid(why) => {
                    self.netns[ns.ix()].nf.ct.stats.error += 1;
                    self.ct_ev(ns, at, p, CtVerdict::Invalid(why), None, None);
                    return Verdict::Accept;
                }
            }
        }
        self.nf_conntrack_packet(ns, at, p, &ip)
    }

    /// The packet with its connection, once more from the start where it begins another in the place of a closed one.
    fn nf_conntrack_packet(&mut self, ns: NetnsId, at: (Hook, DevId), p: &mut Packet, ip: &Ipv4) -> Verdict {
        // A connection that is killed cannot be found again, so this ends.
        loop {
            let (ct, info, made) = match self.resolve_normal_ct(ns, p.nf.zone, ip) {
                Resolved::Found(ct, info) => (ct, info, false),
                Resolved::Made(ct) => (ct, CtInfo::New, true),
                Resolved::Invalid(why) => return self.ct_invalid(ns, at, p, why, None),
                Resolved::Full => return self.ct_full(ns, at, p),
            };
            let before = if made { None } else { self.ct_before(ns, ct) };
            let now = self.queue.now;
            let n = &mut self.netns[ns.ix()];
            match handle_packet(&mut n.nf.ct, ct, info, ip, now, &n.sysctl) {
                Outcome::Repeat => {
                    n.nf.ct.kill(ct, now);
                    continue;
                }
                Outcome::Invalid(why) => {
                    if made {
                        n.nf.ct.release(ct);
                    }
                    return self.ct_invalid(ns, at, p, why, (!made).then_some(ct));
                }
                Outcome::AcceptAndKill => {
                    n.nf.ct.kill(ct, now);
                }
                Outcome::Accept => {}
            }
            p.nf.ct = Some(ct);
            p.nf.ctinfo = info;
            let verdict = if made { CtVerdict::Made } else { CtVerdict::Found(info) };
            self.ct_ev(ns, at, p, verdict, Some(ct), before);
            return Verdict::Accept;
        }
    }

    fn ct_invalid(
        &mut self,
        ns: NetnsId,
        at: (Hook, DevId),
        p: &mut Packet,
        why: &'static str,
        ct: Option<CtRef>,
    ) -> Verdict {
        self.netns[ns.ix()].nf.ct.stats.invalid += 1;
        self.ct_ev(ns, at, p, CtVerdict::Invalid(why), ct, None);
        Verdict::Accept
    }

    /// "Too stressed to deal."
    fn ct_full(&mut self, ns: NetnsId, at: (Hook, DevId), p: &mut Packet) -> Verdict {
        self.netns[ns.ix()].nf.ct.stats.drop += 1;
        if R::ON {
            self.ct_ev(ns, at, p, CtVerdict::Full, None, None);
            let line = "nf_conntrack: nf_conntrack: table full, dropping packet".into();
            self.ev(at.1, p, EventKind::Log { line });
        }
        self.drop_at(at.1, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
        Verdict::Drop
    }

    /// `resolve_normal_ct`.
    fn resolve_normal_ct(&mut self, ns: NetnsId, zone: Zone, ip: &Ipv4) -> Resolved {
        let Some(tuple) = tuple_of(ip) else { return Resolved::Invalid("its header is too short") };
        let now = self.queue.now;
        let table = &self.netns[ns.ix()].nf.ct;
        let Some((ct, dir)) = table.find(&tuple, zone, now) else {
            return self.init_conntrack(ns, zone, tuple);
        };
        let status = table.get(ct).map(|c| c.status).unwrap_or_default();
        let info = if dir == CtDir::Reply {
            CtInfo::EstablishedReply
        } else if status.contains(Status::SEEN_REPLY) {
            CtInfo::Established
        } else if status.contains(Status::EXPECTED) {
            CtInfo::Related
        } else {
            CtInfo::New
        };
        Resolved::Found(ct, info)
    }

    /// `init_conntrack`, `__nf_conntrack_alloc`.
    fn init_conntrack(&mut self, ns: NetnsId, zone: Zone, tuple: Tuple) -> Resolved {
        let Some(reply) = nf_ct_invert(&tuple) else {
            return Resolved::Invalid("no answer could belong to such a message");
        };
        let now = self.queue.now;
        // Both belong to the host; the connections of each namespace are counted apart.
        let host = self.host_sysctl(ns);
        let (max, buckets) = (host.nf_conntrack_max.max(0) as u32, host.nf_conntrack_buckets.max(1) as u64);
        let table = &self.netns[ns.ix()].nf.ct;
        if R::ON && (table.has_grown() || max > 0 && table.count >= max) {
            self.ct_tell_expired(ns);
        }
        let n = &mut self.netns[ns.ix()];
        let (s, table) = (&n.sysctl, &mut n.nf.ct);
        table.sweep_if_grown(now);
        if max > 0 && table.count >= max {
            table.expire(now);
            if table.count >= max {
                if !table.early_drop(buckets, now) {
                    return Resolved::Full;
                }
                table.stats.early_drop += 1;
            }
        }
        let ecache = table.wants_events(s.nf_conntrack_events);
        let conn = Conntrack::blank([tuple, reply], zone, now, s.nf_conntrack_acct != 0, ecache);
        Resolved::Made(table.alloc(now, conn))
    }

    /// `nf_conntrack_confirm`: the packet leaves the namespace's hooks, and its connection goes into the table. A
    /// drop has been recorded here.
    pub fn nf_conntrack_confirm(&mut self, ns: NetnsId, hook: Hook, dev: DevId, p: &mut Packet) -> Verdict {
        let Some(ct) = p.nf.ct else { return Verdict::Accept };
        let now = self.queue.now;
        let table = &mut self.netns[ns.ix()].nf.ct;
        let Some(c) = table.get(ct) else { return Verdict::Accept };
        // An answer of the kernel's own (REJECT) to a packet that is not confirmed does not confirm it.
        if c.status.contains(Status::CONFIRMED) || p.nf.ctinfo.dir() != CtDir::Original {
            return Verdict::Accept;
        }
        if c.status.contains(Status::DYING) {
            table.stats.insert_failed += 1;
            self.drop_at(dev, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
            return Verdict::Drop;
        }
        let keys = [c.key(CtDir::Original), c.key(CtDir::Reply)];
        let over = |k: &(Tuple, u16)| table.hash.get(k).and_then(|h| table.get(h.0)).is_some_and(|c| c.is_expired(now));
        if R::ON && keys.iter().any(over) {
            self.ct_tell_expired(ns);
        }
        let table = &mut self.netns[ns.ix()].nf.ct;
        match taken(table, keys, now) {
            None => {
                table.insert(ct, now);
                table.event(CtEventKind::New, ct, now, 0);
                self.ct_ev(ns, (hook, dev), p, CtVerdict::Confirmed, Some(ct), None);
                Verdict::Accept
            }
            Some(winner) => self.nf_ct_resolve_clash(ns, (hook, dev), p, ct, winner),
        }
    }

    /// `nf_ct_resolve_clash`: another connection has one of the tuples. A UDP packet may go on with that one.
    fn nf_ct_resolve_clash(
        &mut self,
        ns: NetnsId,
        at: (Hook, DevId),
        p: &mut Packet,
        loser: CtRef,
        winner: CtRef,
    ) -> Verdict {
        let now = self.queue.now;
        let table = &mut self.netns[ns.ix()].nf.ct;
        let udp = table.get(winner).is_some_and(|c| matches!(c.tuples[0].proto, 17 | 136));
        let reply = table.get(loser).and_then(|c| {
            let (t, z) = c.key(CtDir::Reply);
            table.hash.get(&(t, z)).map(|h| h.0)
        });
        let over = [Some(winner), reply].into_iter().flatten().find(|w| udp && may_take_over(table, *w, loser));
        let before = self.ct_before(ns, loser);
        let table = &mut self.netns[ns.ix()].nf.ct;
        if let Some(w) = over {
            table.stats.clash_resolve += 1;
            take_over(table, p, w, loser);
            self.ct_ev(ns, at, p, CtVerdict::Clash, Some(w), before);
            return Verdict::Accept;
        }
        if udp && reply.is_none() {
            table.stats.clash_resolve += 1;
            if let Some(c) = table.get_mut(loser) {
                // Only answers find it, and only for a second.
                c.status |= Status::FIXED_TIMEOUT | Status::NAT_CLASH;
                c.expires = SEC;
            }
            table.insert(loser, now);
            self.ct_ev(ns, at, p, CtVerdict::Clash, Some(loser), before);
            return Verdict::Accept;
        }
        table.stats.drop += 1;
        table.stats.insert_failed += 1;
        table.release(loser);
        self.ct_ev(ns, at, p, CtVerdict::Clash, Some(winner), before);
        self.drop_at(at.1, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
        Verdict::Drop
    }

    /// `nf_conntrack_tuple_taken`: NAT may not give this reply tuple to `ignore`, another connection has it. Not so
    /// where that one has the same original tuple: they are the same flow, and the clash is resolved later.
    pub fn nf_conntrack_tuple_taken(&self, ns: NetnsId, tuple: &Tuple, zone: Zone, ignore: CtRef) -> bool {
        let table = &self.netns[ns.ix()].nf.ct;
        let Some((ct, _)) = table.find(tuple, zone, self.queue.now).filter(|(ct, _)| *ct != ignore) else {
            return false;
        };
        let same_flow = table.get(ct).zip(table.get(ignore)).is_some_and(|(a, b)| {
            a.tuples[0] == b.tuples[0] && a.zone.in_dir(CtDir::Original) == zone.in_dir(CtDir::Original)
        });
        !same_flow
    }

    /// `nf_conntrack_alter_reply`: NAT rewrote the connection, so answers will look like this.
    pub fn ct_alter_reply(&mut self, ns: NetnsId, ct: CtRef, reply: Tuple) {
        if let Some(c) = self.netns[ns.ix()].nf.ct.get_mut(ct).filter(|c| !c.status.contains(Status::CONFIRMED)) {
            c.tuples[1] = reply;
        }
    }

    /// `nf_ct_kill`: out of the table. Says whether it was there.
    pub fn ct_kill(&mut self, ns: NetnsId, ct: CtRef) -> bool {
        let now = self.queue.now;
        self.netns[ns.ix()].nf.ct.kill(ct, now)
    }

    /// How many hold a connection (`ct_general.use`): the table, and each packet of it that waits for a neighbour.
    #[must_use]
    pub fn ct_use(&self, ns: NetnsId, ct: CtRef) -> usize {
        let waiting = self.netns[ns.ix()].neigh.entries.values().flat_map(|n| &n.queue);
        1 + waiting.filter(|p| p.nf.ct == Some(ct)).count()
    }

    /// The same at the request of a netlink socket (`ctnetlink_del_conntrack`).
    pub fn ct_kill_by(&mut self, ns: NetnsId, ct: CtRef, portid: u32) -> bool {
        let now = self.queue.now;
        self.netns[ns.ix()].nf.ct.kill_by(ct, now, portid)
    }

    /// Takes what expired out of the table of a namespace. Nothing needs it: what expired is found nowhere.
    pub fn ct_expire(&mut self, ns: NetnsId) {
        let now = self.queue.now;
        self.ct_tell_expired(ns);
        self.netns[ns.ix()].nf.ct.expire(now);
    }

    /// `nf_ct_set_closing`: the firewall resets the packet's TCP connection.
    pub fn nf_ct_set_closing(&mut self, ns: NetnsId, p: &Packet) {
        let now = self.queue.now;
        let n = &mut self.netns[ns.ix()];
        let Some(c) = p.nf.ct.and_then(|ct| n.nf.ct.get_mut(ct)) else { return };
        tcp::set_closing(c, now, &n.sysctl);
        let expires = c.expires;
        n.nf.ct.note_expiry(expires);
    }
}

/// The packet's content; a shared one stays shared.
fn ip_of(p: &Packet) -> Option<std::sync::Arc<Ipv4>> {
    match &p.body {
        crate::wire::Body::Ipv4(ip) => Some(ip.clone()),
        _ => None,
    }
}

/// `nf_conntrack_handle_packet`: what the packet does to its connection. An answer sets SEEN_REPLY.
fn handle_packet(table: &mut Conntrack, ct: CtRef, info: CtInfo, ip: &Ipv4, now: Nanos, s: &NetSysctl) -> Outcome {
    let Some(c) = table.get_mut(ct) else { return Outcome::Invalid("its connection is gone") };
    let old = (c.status, tcp_state(c));
    let expires = c.expires;
    let out = match &ip.l4 {
        L4::Tcp(t) => tcp::packet(c, info.dir(), t, now, s),
        L4::Udp(_) => {
            udp::packet(c, now, s);
            Outcome::Accept
        }
        L4::Icmp(_) if !icmp::valid_new(c.tuples[0].l4) => Outcome::Invalid("no such message can begin a connection"),
        L4::Icmp(_) => {
            c.refresh(now, secs(s.nf_conntrack_icmp_timeout));
            Outcome::Accept
        }
        L4::Raw(1 | 6 | 17, _) => Outcome::Invalid("truncated packet"),
        L4::Raw(..) => {
            c.refresh(now, secs(s.nf_conntrack_generic_timeout));
            Outcome::Accept
        }
    };
    if matches!(out, Outcome::Accept | Outcome::AcceptAndKill) {
        c.account(info.dir(), ip.total_len());
        if info == CtInfo::EstablishedReply {
            c.status |= Status::SEEN_REPLY;
        }
    }
    let changed = old != (c.status, tcp_state(c)) && c.in_table();
    if c.expires < expires {
        let e = c.expires;
        table.note_expiry(e);
    }
    if changed && out == Outcome::Accept {
        table.event(CtEventKind::Update, ct, now, 0);
    }
    out
}

/// TCP's state, to see whether it changed.
#[inline]
fn tcp_state(c: &Conn) -> u8 {
    match &c.proto {
        super::types::ProtoState::Tcp(t) => t.state,
        _ => 0,
    }
}

/// Another connection that has one of the tuples; what expired makes way.
fn taken(table: &mut Conntrack, keys: [(Tuple, u16); 2], now: Nanos) -> Option<CtRef> {
    for k in keys {
        let Some(h) = table.hash.get(&k).map(|h| h.0) else { continue };
        if table.get(h).is_some_and(|c| c.is_expired(now)) {
            table.kill(h, now);
        } else {
            return Some(h);
        }
    }
    None
}

/// `nf_ct_can_merge`: both are the same flow, this way or the other.
fn may_take_over(table: &Conntrack, winner: CtRef, loser: CtRef) -> bool {
    let Some((w, l)) = table.get(winner).zip(table.get(loser)) else { return false };
    let (o, r) = (CtDir::Original, CtDir::Reply);
    let same = w.key(o) == l.key(o) && w.key(r) == l.key(r);
    same || (w.key(o) == l.key(r) && w.key(r) == l.key(o))
}

/// The packet goes on with the connection that won, which counts it too (`nf_ct_acct_merge`).
fn take_over(table: &mut Conntrack, p: &mut Packet, winner: CtRef, loser: CtRef) {
    let sent = table.get(loser).and_then(|l| l.acct).map(|a| a[CtDir::Original as usize].bytes);
    if let (Some(w), Some(bytes)) = (table.get_mut(winner), sent) {
        w.account(p.nf.ctinfo.dir(), bytes as usize);
    }
    table.release(loser);
    p.nf.ct = Some(winner);
}
