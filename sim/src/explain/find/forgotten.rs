//! Translations that a host once did and does no more: connection tracking still remembers the connections.

use super::{Found, line, words};
use crate::explain::scene::{Flow, FlowL4, Scene};
use crate::explain::{Cause, world};
use crate::kernel::conntrack::{Conn, L4Id, Tuple};
use crate::kernel::types::NetnsId;
use crate::trace::event::{Event, EventKind};

/// A trace that is longer is not looked through: bridges in a circle.
const MOST: usize = 50_000;

/// Flows of the step that are translated in no way, though one like them was. Without a rule that needs it connection
/// tracking is off, and its table stays: what came by a device counts, and not what tracking made of it.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    if sc.events().len() > MOST {
        return;
    }
    let mut seen = Vec::new();
    for (i, e) in sc.events().iter().enumerate() {
        let here = e.ns.ix() < sc.before.kernel.netns.len() && !sc.after.kernel.ns(e.ns).is_switch;
        if !here || !matches!(e.kind, EventKind::Rx | EventKind::Tx | EventKind::Drop { .. }) {
            continue;
        }
        let Some(f) = sc.packet_before(i).and_then(Flow::of).filter(opens) else { continue };
        let key = (e.ns, f.src, f.dst, f.dport(), matches!(e.kind, EventKind::Tx));
        if seen.contains(&key) || translated(sc, e.ns, &f) {
            continue;
        }
        seen.push(key);
        if key.4 {
            out.extend(source(sc, i, e, &f));
        } else {
            out.extend(destination(sc, i, e, &f));
        }
    }
}

/// The packet asks for something.
fn opens(f: &Flow) -> bool {
    matches!(f.l4, FlowL4::Tcp(_, _, true) | FlowL4::Udp(..) | FlowL4::Icmp(8))
}

fn translated(sc: &Scene<'_>, ns: NetnsId, f: &Flow) -> bool {
    // Another connection between the two may still be translated: a far end that repeats its answer to an older one.
    let ports = |t: &Tuple| match (t.l4, f.l4) {
        (L4Id::Ports { src, dst }, FlowL4::Tcp(a, b, _) | FlowL4::Udp(a, b)) => [(a, b), (b, a)].contains(&(src, dst)),
        _ => true,
    };
    let ends = |t: &Tuple| (t.src == f.src && t.dst == f.dst) || (t.src == f.dst && t.dst == f.src);
    let of = |t: &Tuple| ends(t) && ports(t);
    sc.events().iter().any(|e| match &e.kind {
        EventKind::Nat { before, after, .. } => e.ns == ns && (of(before) || of(after)),
        _ => false,
    })
}

fn port(t: &Tuple) -> Option<u16> {
    match t.l4 {
        L4Id::Ports { dst, .. } => Some(dst),
        _ => None,
    }
}

/// An older connection to the same service, as a host remembers it.
fn remembered<'a>(sc: &'a Scene<'_>, ns: NetnsId, f: &Flow, fits: impl Fn(&Conn) -> bool) -> Option<&'a Conn> {
    let k = &sc.before.kernel;
    let alike = |c: &Conn| {
        let o = &c.tuples[0];
        let proto = crate::command::conntrack::proto_name(o.proto);
        proto == f.proto() && o.dst == f.dst && port(o) == f.dport() && fits(c)
    };
    k.ns(ns).nf.ct.iter(k.now()).map(|(_, c)| c).find(|c| alike(c))
}

/// `conntrack -L` of what is remembered.
fn entry(c: &Conn) -> String {
    let o = &c.tuples[0];
    let proto = crate::command::conntrack::proto_name(o.proto);
    let dport = port(o).map(|p| format!(" --dport {p}")).unwrap_or_default();
    format!("conntrack -L -p {proto} -s {} -d {}{dport}", o.src, o.dst)
}

/// The destination was translated: a published or forwarded port.
fn destination(sc: &Scene<'_>, i: usize, e: &Event, f: &Flow) -> Option<Found> {
    // Docker's rules for its name server have a cause of their own.
    if f.dst == super::name::DOCKERS {
        return None;
    }
    let c = remembered(sc, e.ns, f, |c| c.tuples[1].src != f.dst)?;
    let was = c.tuples[1];
    let place = world::place(sc.after, e.ns);
    let (mut from, mut to, mut of) = (f.dst.to_string(), was.src.to_string(), String::new());
    if let (Some(p), L4Id::Ports { src, .. }) = (f.dport(), was.l4) {
        from = format!("{from}:{p}");
        to = format!("{to}:{src}");
        of = format!(" -p {} --dport {p}", f.proto());
    }
    let says = format!(
        "{place} translated {from} into {to} for earlier connections, and no rule does so for {}",
        words(sc, i)
    );
    let chain = if came_in(sc, i) { "PREROUTING" } else { "OUTPUT" };
    let rule = format!("iptables -t nat -A {chain} -d {}{of} -j DNAT --to-destination {to}", f.dst);
    Some(
        Found::new(Cause::TranslationMissing, place, says)
            .shown(format!("an earlier connection to {from} went to {to}"), Some(line(sc, e.ns, entry(c))))
            .shown("no rule translates it", Some(line(sc, e.ns, format!("iptables -t nat -S {chain}"))))
            .fix(vec![line(sc, e.ns, rule)]),
    )
}

/// The source was translated: a private network behind a host.
fn source(sc: &Scene<'_>, i: usize, e: &Event, t: &Flow) -> Option<Found> {
    let s = sc.after;
    let c = remembered(sc, e.ns, t, |c| {
        let private = c.tuples[0].src == t.src && c.tuples[1].dst != t.src;
        private && c.tuples[1].src == t.dst
    })?;
    // Inside a bridge or a tunnel nothing is translated.
    let out = e.dev.filter(|d| !s.kernel.dev(*d).addrs.is_empty())?;
    let place = world::place(s, e.ns);
    let says = format!(
        "{place} hid {} behind {} for earlier connections, and no rule translates the source of {}",
        t.src,
        c.tuples[1].dst,
        words(sc, i)
    );
    let net = world::owners(s, t.src).first().and_then(|d| world::net_of(d, t.src));
    let src = net.map_or_else(|| t.src.to_string(), |n| n.to_string());
    let rule = format!("iptables -t nat -A POSTROUTING -s {src} -o {} -j MASQUERADE", world::name(s, out));
    Some(
        Found::new(Cause::MasqueradeMissing, place, says)
            .shown(format!("an earlier connection left as {}", c.tuples[1].dst), Some(line(sc, e.ns, entry(c))))
            .shown("no rule translates the source", Some(line(sc, e.ns, "iptables -t nat -S POSTROUTING")))
            .fix(vec![line(sc, e.ns, rule)]),
    )
}

/// The packet came to this namespace by a device.
fn came_in(sc: &Scene<'_>, i: usize) -> bool {
    let ns = sc.events()[i].ns;
    matches!(sc.events()[i].kind, EventKind::Rx) || sc.back(i).any(|x| matches!(x.kind, EventKind::Rx) && x.ns == ns)
}
