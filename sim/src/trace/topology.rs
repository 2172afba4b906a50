//! The devices of a world as a graph: veth pairs and bridge ports; for Graphviz and Mermaid.

use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;

use crate::kernel::types::{DevId, NetnsId};
use crate::session::Session;

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

/// For Graphviz.
pub fn dot(s: &Session) -> String {
    let g = graph(s);
    let mut out = "graph packetwalk {\n  node [shape=box];\n".to_owned();
    for (i, p) in places(&g).iter().enumerate() {
        out.push_str(&format!("  subgraph cluster_{i} {{\n    label=\"{p}\";\n"));
        for n in g.node_indices().filter(|n| g[*n].place == *p) {
            out.push_str(&format!("    d{} [label=\"{}\"];\n", n.index(), label(&g[n], "\\n")));
        }
        out.push_str("  }\n");
    }
    for e in g.edge_references() {
        let style = if *e.weight() == Wire::Veth { "" } else { " [style=dashed]" };
        out.push_str(&format!("  d{} -- d{}{style};\n", e.source().index(), e.target().index()));
    }
    out.push_str("}\n");
    out
}

/// For Mermaid.
pub fn mermaid(s: &Session) -> String {
    let g = graph(s);
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
    out
}
