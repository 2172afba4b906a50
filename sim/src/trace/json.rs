//! A walk as JSON, for programs.

use serde_json::{Map, Value, json};

use crate::scenario::expect::aside::Cell;
use crate::scenario::expect::names;
use crate::scenario::run::{StepResult, Walk};
use crate::trace::clause::{clause, route_text};
use crate::trace::event::{Event, EventKind, Expired, FibResult};
use crate::trace::words;
use crate::wire::PacketId;
use crate::wire::packet::{Body, L4, Packet};

/// Version of the shape; it grows when a reader must change.
pub const SCHEMA_VERSION: u32 = 1;

/// A walk as JSON.
pub fn walk(w: &Walk) -> Value {
    let steps: Vec<Value> = w.steps.iter().map(|r| step(w, r)).collect();
    let mut state = Map::new();
    for (i, ns) in w.session.kernel.netns.iter().enumerate() {
        if ns.alive && !ns.is_switch {
            let id = crate::kernel::types::NetnsId(i as u32);
            state.insert(ns.label.clone(), super::state::place_state(&w.session.kernel, id));
        }
    }
    json!({
        "schema_version": SCHEMA_VERSION,
        "scenario": w.scenario.name,
        "title": w.scenario.title,
        "engine": w.scenario.engine,
        "seed": w.scenario.seed,
        "setup": w.setup.iter().map(|r| step(w, r)).collect::<Vec<_>>(),
        "steps": steps,
        "state": state,
    })
}

fn step(w: &Walk, r: &StepResult) -> Value {
    let events = w.session.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    let mut packets: indexmap::IndexMap<PacketId, Vec<Value>, crate::FxBuild> = indexmap::IndexMap::default();
    let mut loose = Vec::new();
    let mut seen: indexmap::IndexMap<PacketId, u32, crate::FxBuild> = indexmap::IndexMap::default();
    for e in events {
        if e.packet.0 == 0 {
            loose.push(event(w, e, false));
            continue;
        }
        let changed = e.snap != 0 && seen.insert(e.packet, e.snap) != Some(e.snap);
        packets.entry(e.packet).or_default().push(event(w, e, changed));
    }
    let packets: Vec<Value> = packets
        .into_iter()
        .map(|(id, events)| {
            let birth = w.session.kernel.rec.birth(id);
            json!({
                "id": id.0,
                "parent": birth.and_then(|b| b.0).map(|p| p.0),
                "birth": birth.map(|b| format!("{:?}", b.1).to_lowercase()),
                "events": events,
            })
        })
        .collect();
    json!({
        "index": r.index,
        "place": r.place,
        "command": r.command,
        "probe": r.probe,
        "exit": r.exit,
        "stdout": r.stdout,
        "stderr": r.stderr,
        "outcome": r.outcome(),
        "seen_source": r.report.as_ref().and_then(|x| x.seen.clone()),
        "report": r.report,
        "refused": r.refusal.as_ref().map(|(x, col)| json!({"what": x.what, "column": col + 1})),
        "started_ns": r.started_ns,
        "finished_ns": r.finished_ns,
        "storm": r.storm,
        "reaches": r.aside.cells.iter().map(cell).collect::<Vec<_>>(),
        "packets": packets,
        "events": loose,
    })
}

fn cell(c: &Cell) -> Value {
    json!({
        "from": c.from, "to": c.to, "expected": c.want, "address": c.address, "outcome": c.outcome,
        "answered": c.answered, "holds": c.holds(),
    })
}

fn event(w: &Walk, e: &Event, with_packet: bool) -> Value {
    let s = &w.session;
    let (kind, text, _) = clause(s, &e.kind);
    let mut m = Map::new();
    m.insert("at_ns".into(), json!(e.at));
    m.insert("place".into(), json!(names(s, e.ns, e.dev)[0]));
    m.insert("kind".into(), json!(kind));
    m.insert("text".into(), json!(text));
    match &e.kind {
        EventKind::Drop { reason, func } => {
            m.insert("reason".into(), json!(reason.name()));
            m.insert("func".into(), json!(func));
        }
        EventKind::Fib { key, result } => {
            m.insert("dst".into(), json!(key.dst));
            m.insert("src".into(), json!(key.src));
            if let FibResult::Route { pref, route } = result {
                m.insert("rule".into(), json!(pref));
                m.insert("route".into(), json!(route_text(s, route)));
            }
        }
        EventKind::Neigh { ip, nud, lladdr } => {
            m.insert("ip".into(), json!(ip));
            m.insert("state".into(), json!(nud.as_str()));
            m.insert("lladdr".into(), json!(lladdr));
        }
        EventKind::NeighState { ip, old, new, lladdr } => {
            m.insert("ip".into(), json!(ip));
            m.insert("old".into(), json!(old.as_str()));
            m.insert("new".into(), json!(new.as_str()));
            m.insert("lladdr".into(), json!(lladdr));
        }
        EventKind::Expired { what: Expired::Bridge { mac, port } } => {
            m.insert("mac".into(), json!(mac.to_string()));
            m.insert("port".into(), json!(s.kernel.dev(*port).name.as_str()));
        }
        EventKind::Expired { what: Expired::Vxlan { mac, remote } } => {
            m.insert("mac".into(), json!(mac.to_string()));
            m.insert("remote".into(), json!(remote));
        }
        EventKind::BrForward { port } | EventKind::BrSkip { port, .. } | EventKind::BrLearn { port, .. } => {
            m.insert("port".into(), json!(s.kernel.dev(*port).name.as_str()));
        }
        EventKind::IcmpError { ty, code } | EventKind::IcmpLimited { ty, code } => {
            m.insert("icmp".into(), json!([ty, code]));
        }
        EventKind::SocketDeliver { port, process, .. } => {
            m.insert("port".into(), json!(port));
            m.insert("pid".into(), json!(process));
        }
        EventKind::Encap { vni, remote, outer } => {
            m.insert("vni".into(), json!(vni));
            m.insert("remote".into(), json!(remote));
            m.insert("outer".into(), json!(outer.0));
        }
        EventKind::Decap { vni, dev, inner } => {
            m.insert("vni".into(), json!(vni));
            m.insert("dev".into(), json!(s.kernel.dev(*dev).name.as_str()));
            m.insert("inner".into(), json!(inner.0));
        }
        EventKind::VxlanLearn { remote, moved_from } => {
            m.insert("remote".into(), json!(remote));
            m.insert("moved_from".into(), json!(moved_from));
        }
        EventKind::PmtuLearned { dst, mtu } => {
            m.insert("dst".into(), json!(dst));
            m.insert("mtu".into(), json!(mtu));
        }
        _ => {}
    }
    if with_packet && let Some(p) = s.kernel.rec.packet_at(e) {
        m.insert("packet".into(), packet(p));
    }
    Value::Object(m)
}

fn packet(p: &Packet) -> Value {
    let mut m = Map::new();
    m.insert("text".into(), json!(words::packet(p)));
    m.insert("eth".into(), json!({"src": p.src, "dst": p.dst, "type": p.ethertype(), "len": p.frame_len()}));
    if p.mark != 0 {
        m.insert("mark".into(), json!(p.mark));
    }
    match &p.body {
        Body::Arp(a) => {
            m.insert("arp".into(), json!({"op": a.op, "sha": a.sha, "spa": a.spa, "tha": a.tha, "tpa": a.tpa}));
        }
        Body::Ipv4(ip) => {
            let v = json!({
                "src": ip.src, "dst": ip.dst, "ttl": ip.ttl, "tos": ip.tos, "id": ip.id, "df": ip.df, "mf": ip.mf,
                "frag_off": ip.frag_off, "len": ip.total_len(), "proto": ip.proto(),
            });
            m.insert("ip".into(), v);
            let l4 = match &ip.l4 {
                L4::Icmp(i) => Some(("icmp", json!({"type": i.ty, "code": i.code, "rest": i.rest}))),
                L4::Udp(u) => Some(("udp", json!({"sport": u.sport, "dport": u.dport, "len": u.payload.len()}))),
                L4::Tcp(t) => Some((
                    "tcp",
                    json!({"sport": t.sport, "dport": t.dport, "seq": t.seq, "ack": t.ack, "flags": t.flags.bits(),
                        "len": t.payload.len(), "window": t.window}),
                )),
                L4::Raw(..) => None,
            };
            if let Some((k, v)) = l4 {
                m.insert(k.into(), v);
            }
        }
        Body::Other(..) => {}
    }
    Value::Object(m)
}
