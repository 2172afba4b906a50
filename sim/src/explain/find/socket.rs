//! Packets that arrived where nobody wants them.

use std::net::IpAddr;

use super::{Found, at, dnat, line, with_drop, words};
use crate::docker::types::{Bound, Network, Publish};
use crate::explain::scene::{Flow, FlowL4, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::socket::SocketInfo;
use crate::kernel::types::NetnsId;
use crate::trace::event::EventKind;
use crate::wire::packet::{L4, TcpFlags};

/// No socket takes the packet.
pub fn none(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(p) = sc.packet_before(i) else { return };
    let Some(flow) = Flow::of(p) else { return };
    if sc.is_outer(e.packet) {
        out.push(with_drop(sc, i, super::vxlan::wrong_port(sc, i, &flow)));
        return;
    }
    if let Some(L4::Tcp(t)) = p.ipv4().map(|ip| &ip.l4) {
        if t.flags.contains(TcpFlags::RST) {
            return;
        }
        if t.flags.contains(TcpFlags::SYN | TcpFlags::ACK) {
            out.push(with_drop(sc, i, untranslated(sc, i, &flow)));
            return;
        }
        if !t.flags.contains(TcpFlags::SYN) {
            return;
        }
    }
    let (FlowL4::Tcp(_, port, _) | FlowL4::Udp(_, port)) = flow.l4 else { return };
    if port == 53 && flow.dst.is_loopback() || flow.dst == super::name::DOCKERS {
        out.push(with_drop(sc, i, super::name::no_resolver(sc, i, &flow)));
        return;
    }
    if let Some(f) = other_source(sc, i, &flow) {
        out.push(with_drop(sc, i, f));
        return;
    }
    out.extend(dnat::unfit(sc, i, &flow).map(|f| with_drop(sc, i, f)));
    out.push(with_drop(sc, i, no_listener(sc, i, &flow, port)));
}

/// An answer from another address of the host than was asked: a socket that is connected does not take it.
fn other_source(sc: &Scene<'_>, i: usize, flow: &Flow) -> Option<Found> {
    let e = &sc.events()[i];
    let s = sc.after;
    let FlowL4::Udp(from, port) = flow.l4 else { return None };
    let asked = sc.events()[..i].iter().enumerate().find_map(|(j, x)| {
        let f = Flow::of(sc.packet_before(j).filter(|_| x.ns == e.ns && matches!(x.kind, EventKind::Tx))?)?;
        (f.l4 == FlowL4::Udp(port, from) && f.src == flow.dst && f.dst != flow.src).then_some(f.dst)
    })?;
    let there = world::owners(s, flow.src).into_iter().find(|d| world::has(s, d.netns, asked))?;
    let place = world::place(s, there.netns);
    let says = format!(
        "{place} was asked at {asked}, and its program answers from {}: the client does not know that answer for its own",
        flow.src
    );
    let net = world::net_of(there, flow.src)?;
    let f = Found::new(Cause::ReplyFromOtherAddress, place, says)
        .shown("a socket that is bound to no address answers from the route's", Some(line(sc, there.netns, "ss -lun")))
        .shown(
            format!("{} comes with the route", flow.src),
            Some(line(sc, there.netns, format!("ip route get {}", flow.dst))),
        );
    let src = if net.contains(&flow.dst) {
        format!("ip route replace {net} dev {} src {asked}", there.name)
    } else {
        format!("ip route replace {} src {asked}", world::winner(s, there.netns, flow.dst)?)
    };
    Some(f.fix(vec![line(sc, there.netns, src)]))
}

fn no_listener(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let place = world::place(s, e.ns);
    let proto = flow.proto();
    let show = line(sc, e.ns, if proto == "tcp" { "ss -ltn" } else { "ss -lun" });
    let waits = if proto == "tcp" { "LISTEN" } else { "UNCONN" };
    let sockets = s.kernel.sockets(e.ns);
    let other = sockets.iter().find(|x| x.proto == proto && x.lport == port && x.state == waits);
    let published = published_elsewhere(sc, i, flow, port).or_else(|| published_otherwise(sc, i, flow, port));
    if let Some(f) = published.or_else(|| published_in_vain(sc, i, flow, port)) {
        return f;
    }
    let f = match other {
        Some(o) => {
            let says = format!(
                "{place} has a socket on port {port}, but it listens at {}, and {} asks for {}",
                o.local,
                words(sc, i),
                flow.dst
            );
            Found::new(Cause::ListenerOnLoopback, place, says)
                .shown(format!("{proto} {}:{port} {waits}", o.local), Some(show))
                .fix(vec![serve(sc, e.ns, proto, &format!("{}:{port}", flow.dst))])
        }
        None => {
            let says = format!("nothing listens on {proto} port {port} of {place}");
            let f = Found::new(Cause::NoListener, place, says);
            dnat::wrong_port(sc, i, flow, port, f.shown(format!("no {proto} socket on port {port}"), Some(show)))
        }
    };
    let none = f.blocker.cause == Cause::NoListener;
    let f = f.fix(vec![serve(sc, e.ns, proto, &port.to_string())]);
    // Behind the stand-in: another port may lead round what else is in the way, which is to be told as well.
    if none { dnat::published_wrong(sc, i, flow, port, f) } else { f }
}

/// A container publishes the port, and at another address of the host only: what listens there, if anything, is its proxy.
fn published_elsewhere(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16) -> Option<Found> {
    let e = &sc.events()[i];
    let s = sc.after;
    let engine = s.engines.get(&s.kernel.ns(e.ns).host).filter(|_| world::root(s, e.ns) == e.ns)?;
    let (c, bound) = engine.containers.values().find_map(|c| {
        let here = |b: &&Bound| b.host_port == port && b.proto == flow.proto() && b.host_ip != flow.dst;
        Some((c, c.bound.iter().find(here).filter(|b| !b.host_ip.is_unspecified())?))
    })?;
    let place = world::place(s, e.ns);
    let lost = |a: IpAddr| matches!(a, IpAddr::V4(a) if !a.is_loopback() && !world::has(s, e.ns, a));
    let gone = if lost(bound.host_ip) { " (which it no longer has)" } else { "" };
    let says = format!(
        "container {} publishes port {port} at {} of {place} only{gone}, and {} asks for {}: `-p {port}:{}` would publish \
         it at every address",
        c.name,
        bound.host_ip,
        words(sc, i),
        flow.dst,
        bound.port
    );
    let show = line(sc, e.ns, format!("docker port {}", c.name));
    let f = Found::new(Cause::ListenerOnLoopback, place, says)
        .shown(format!("{}/{} -> {}:{port}", bound.port, bound.proto, bound.host_ip), Some(show));
    let ip = c.endpoints.values().find_map(|p| p.ip)?;
    let to = format!("-d {} -p {} --dport {port} -j DNAT --to-destination {ip}:{}", flow.dst, bound.proto, bound.port);
    Some(f.fix(vec![line(sc, e.ns, format!("iptables -t nat -I PREROUTING {to}"))]))
}

/// A container publishes the port, and for the other protocol only, while its program listens for this one.
fn published_otherwise(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16) -> Option<Found> {
    let e = &sc.events()[i];
    let s = sc.after;
    let proto = flow.proto();
    let engine = s.engines.get(&s.kernel.ns(e.ns).host).filter(|_| world::root(s, e.ns) == e.ns)?;
    let other = |b: &&Bound| b.host_port == port && b.proto != proto;
    let (c, bound) = engine.containers.values().find_map(|c| Some((c, c.bound.iter().find(other)?)))?;
    let listens = |x: &SocketInfo| x.proto == proto && x.lport == bound.port;
    let ip = c
        .endpoints
        .values()
        .find_map(|p| p.ip)
        .filter(|_| s.kernel.sockets(c.netns.unwrap_or(e.ns)).iter().any(listens))?;
    let place = world::place(s, e.ns);
    let says = format!(
        "container {} publishes port {port} of {place} for {} only: `-p {port}:{}/{proto}` would publish it for {proto}",
        c.name, bound.proto, bound.port
    );
    let to = format!("-p {proto} --dport {port} -j DNAT --to-destination {ip}:{}", bound.port);
    let f = Found::new(Cause::NotPublished, place, says).shown(
        format!("{}/{} -> {}:{port}", bound.port, bound.proto, bound.host_ip),
        Some(line(sc, e.ns, format!("docker port {}", c.name))),
    );
    Some(f.fix(vec![
        line(sc, e.ns, format!("iptables -t nat -I PREROUTING -d {} {to}", flow.dst)),
        line(sc, e.ns, format!("iptables -I DOCKER-USER -d {ip} -p {proto} --dport {} -j ACCEPT", bound.port)),
    ]))
}

/// A container was started with the port published, and is on networks only that are `--internal`: nothing is published.
fn published_in_vain(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16) -> Option<Found> {
    let e = &sc.events()[i];
    let s = sc.after;
    let engine = s.engines.get(&s.kernel.ns(e.ns).host).filter(|_| world::root(s, e.ns) == e.ns)?;
    let asked = |p: &Publish| p.proto == flow.proto() && p.host_ports.is_some_and(|(a, b)| (a..=b).contains(&port));
    let c = engine.containers.values().find(|c| c.bound.is_empty() && c.publish.iter().any(asked))?;
    let on: Vec<&Network> = world::networks(engine, c).collect();
    if on.is_empty() || !on.iter().all(|n| n.internal) {
        return None;
    }
    let place = world::place(s, e.ns);
    let names = on.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(", ");
    let says = format!(
        "container {} was to publish port {port} of {place}, and is on an internal network only ({names}): the engine \
         publishes nothing there, and says nothing",
        c.name
    );
    let f = Found::new(Cause::NotPublished, place, says)
        .shown("nothing is published", Some(line(sc, e.ns, format!("docker port {}", c.name))))
        .shown(
            "the network is internal",
            Some(line(sc, e.ns, format!("docker network inspect -f '{{{{.Internal}}}}' {}", on[0].name))),
        );
    let open = engine.networks.values().filter(|n| n.driver == "bridge" && !n.internal);
    Some(
        open.take(3)
            .fold(f, |f, n| f.fix(vec![line(sc, e.ns, format!("docker network connect {} {}", n.name, c.name))])),
    )
}

/// A server on the port, as a stand-in for the one that should run there.
fn serve(sc: &Scene<'_>, ns: NetnsId, proto: &str, at: &str) -> Line {
    line(sc, ns, format!("serve {proto} {at} &"))
}

/// An answer that the client does not know: it came from another address than was asked.
fn untranslated(sc: &Scene<'_>, i: usize, flow: &Flow) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let says = format!(
        "{} came to {} from {}, which it did not ask: the answer took a way on which nobody translates it back",
        words(sc, i),
        at(sc, i),
        flow.src
    );
    let mut f = Found::new(Cause::ReplyNotTranslated, world::place(s, e.ns), says);
    let nat = sc.events().iter().find_map(|x| match x.kind {
        EventKind::Nat { before, after, .. } if before.dst != after.dst => Some((x.ns, after)),
        _ => None,
    });
    let FlowL4::Tcp(port, ..) = flow.l4 else { return f };
    if let Some((router, to)) = nat {
        f = f.shown(
            format!("{} translated the request to {}", world::place(s, router), to.dst),
            Some(line(sc, router, "conntrack -L")),
        );
        let root = world::root(s, router);
        let key = "net.bridge.bridge-nf-call-iptables";
        if s.kernel.sysctl_get(root, key).is_ok_and(|v| v.trim() == "0") {
            f = f.shown(format!("{key} = 0"), Some(line(sc, root, format!("sysctl {key}")))).fix(vec![line(
                sc,
                root,
                format!("sysctl -w {key}=1"),
            )]);
        }
        let rule = format!("-s {} -d {} -p tcp --dport {port} -j MASQUERADE", flow.dst, flow.src);
        f = f.fix(vec![line(sc, router, format!("iptables -t nat -A POSTROUTING {rule}"))]);
    }
    f
}
