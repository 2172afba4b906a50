//! The devices of a world as a graph: veth pairs and bridge ports; for Graphviz and Mermaid, with a packet's way on it.

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;

use crate::kernel::types::{DevId, NetnsId};
use crate::scenario::expect::names;
use crate::session::Session;
use crate::trace::way::{MarkKind, Way};

/// A device in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevNode {
    /// The device.
    pub dev: DevId,
    /// Its namespace.
    pub ns: NetnsId,
    /// Place name of its namespace.
    pub place: String,
    /// Name.
    pub name: String,
    /// `veth`, `bridge`, `vxlan`, `macvlan`.
    pub kind: &'static str,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
}

/// How two devices hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The two ends of a veth pair.
    Veth,
    /// A port of a bridge.
    Port,
    /// A macvlan or a tunnel and the device below it.
    Lower,
}

/// The graph of all devices but `lo`.
pub fn graph(s: &Session) -> UnGraph<DevNode, Wire> {
    let mut g = UnGraph::new_undirected();
    let mut at: Vec<Option<NodeIndex>> = Vec::new();
    for d in &s.kernel.devs {
        let shown = d.alive && !d.is_loopback();
        at.push(shown.then(|| {
            g.add_node(DevNode {
                dev: d.id,
                ns: d.netns,
                place: s.kernel.ns(d.netns).label.clone(),
                name: d.name.to_string(),
                kind: d.info_kind().unwrap_or("lo"),
                addresses: d.addrs.iter().map(|a| format!("{}/{}", a.local, a.prefix)).collect(),
            })
        }));
    }
    for d in s.kernel.devs.iter().filter(|d| d.alive) {
        let node = |i: usize| at.get(i).copied().flatten();
        if let (Some(a), Some(b)) = (node(d.id.ix()), d.veth_peer().and_then(|p| node(p.ix())))
            && d.veth_peer().is_some_and(|p| d.id < p)
        {
            g.add_edge(a, b, Wire::Veth);
        }
        if let (Some(a), Some(b)) = (node(d.id.ix()), d.master.and_then(|m| node(m.ix()))) {
            g.add_edge(a, b, Wire::Port);
        }
        let lower = d.vxlan().and_then(|v| v.cfg.lower).or_else(|| s.kernel.macvlan_lower(d.id));
        if let (Some(a), Some(b)) = (node(d.id.ix()), lower.and_then(|l| node(l.ix()))) {
            g.add_edge(a, b, Wire::Lower);
        }
    }
    g
}

fn places(g: &UnGraph<DevNode, Wire>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for n in g.node_weights() {
        if !out.contains(&n.place) {
            out.push(n.place.clone());
        }
    }
    out
}

fn label(n: &DevNode, newline: &str) -> String {
    let mut t = n.name.clone();
    for a in &n.addresses {
        t.push_str(newline);
        t.push_str(a);
    }
    t.replace('"', "'")
}

/// The way between the nodes of a graph.
struct Drawn {
    /// Pairs of devices with the numbers of their hops, in the order they were first gone.
    hops: Vec<(NodeIndex, NodeIndex, Vec<String>)>,
    /// Devices where something happened: whether the packet ended there.
    marked: Vec<(NodeIndex, bool)>,
}

fn drawn(g: &UnGraph<DevNode, Wire>, way: &Way) -> Drawn {
    let node = |d: DevId| g.node_indices().find(|n| g[*n].dev == d);
    let mut out = Drawn { hops: Vec::new(), marked: Vec::new() };
    for h in &way.hops {
        let (Some(a), Some(b)) = (node(h.from), node(h.to)) else { continue };
        match out.hops.iter_mut().find(|x| (x.0, x.1) == (a, b)) {
            Some(x) => x.2.push(h.number.to_string()),
            None => out.hops.push((a, b, vec![h.number.to_string()])),
        }
    }
    for m in &way.marks {
        if let Some(n) = m.dev.and_then(node) {
            let ends = m.kind == MarkKind::Drop;
            match out.marked.iter_mut().find(|x| x.0 == n) {
                Some(x) => x.1 |= ends,
                None => out.marked.push((n, ends)),
            }
        }
    }
    out
}

/// What happened on the way, one line each: `after 3, node1/eth0: dst … becomes …`.
pub fn notes(s: &Session, way: &Way) -> Vec<String> {
    let at = |m: &crate::trace::way::Mark| names(s, m.ns, m.dev).remove(0);
    way.marks.iter().map(|m| format!("after {}, {}: {}", m.after, at(m), m.text)).collect()
}

/// For Graphviz.
pub fn dot(s: &Session, way: &Way) -> String {
    let g = graph(s);
    let d = drawn(&g, way);
    let mut out = "graph packetwalk {\n  node [shape=box];\n".to_owned();
    let notes = notes(s, way);
    if !notes.is_empty() {
        let text: Vec<String> = notes.iter().map(|n| n.replace('\\', "\\\\").replace('"', "'") + "\\l").collect();
        out.push_str(&format!("  label=\"{}\"; labeljust=l;\n", text.concat()));
    }
    for (i, p) in places(&g).iter().enumerate() {
        out.push_str(&format!("  subgraph cluster_{i} {{\n    label=\"{p}\";\n"));
        for n in g.node_indices().filter(|n| g[*n].place == *p) {
            let color = match d.marked.iter().find(|x| x.0 == n) {
                Some((_, true)) => " color=red penwidth=2",
                Some((_, false)) => " color=orange penwidth=2",
                None => "",
            };
            out.push_str(&format!("    d{} [label=\"{}\"{color}];\n", n.index(), label(&g[n], "\\n")));
        }
        out.push_str("  }\n");
    }
    for e in g.edge_references() {
        let style = if *e.weight() == Wire::Veth { "" } else { " [style=dashed]" };
        out.push_str(&format!("  d{} -- d{}{style};\n", e.source().index(), e.target().index()));
    }
    for (a, b, numbers) in &d.hops {
        let numbers = numbers.join(", ");
        let style = "color=blue fontcolor=blue dir=forward constraint=false";
        out.push_str(&format!("  d{} -- d{} [label=\"{numbers}\" {style}];\n", a.index(), b.index()));
    }
    out.push_str("}\n");
    out
}

/// For Mermaid.
pub fn mermaid(s: &Session, way: &Way) -> String {
    let g = graph(s);
    let d = drawn(&g, way);
    let mut out = "graph LR\n".to_owned();
    for (i, p) in places(&g).iter().enumerate() {
        out.push_str(&format!("  subgraph s{i}[\"{p}\"]\n"));
        for n in g.node_indices().filter(|n| g[*n].place == *p) {
            out.push_str(&format!("    d{}[\"{}\"]\n", n.index(), label(&g[n], "<br/>")));
        }
        out.push_str("  end\n");
    }
    for e in g.edge_references() {
        let link = if *e.weight() == Wire::Veth { "---" } else { "-.-" };
        out.push_str(&format!("  d{} {link} d{}\n", e.source().index(), e.target().index()));
    }
    for (a, b, numbers) in &d.hops {
        out.push_str(&format!("  d{} ==>|{}| d{}\n", a.index(), numbers.join(", "), b.index()));
    }
    for (n, ends) in &d.marked {
        let color = if *ends { "red" } else { "orange" };
        out.push_str(&format!("  style d{} stroke:{color},stroke-width:3px\n", n.index()));
    }
    for note in notes(s, way) {
        out.push_str(&format!("  %% {note}\n"));
    }
    out
}
