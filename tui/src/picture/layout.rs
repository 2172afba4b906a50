//! Where everything goes: LANs above, hosts below them; in a host its network cards, then each bridge with what hangs on
//! it, then the namespaces that hang on none.

mod bridge;
mod host;

use petgraph::graph::{NodeIndex, UnGraph};
use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::kernel::types::{DevId, HostId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::topology::{DevNode, Wire, graph};

use super::block::Block;
use super::grid::{Grid, Tag};
use super::{Picture, Spot};

/// The graph with what the layout asks of it.
struct Plan<'s> {
    s: &'s Session,
    g: UnGraph<DevNode, Wire>,
    of_space: BTreeMap<NetnsId, Vec<NodeIndex>>,
    width: usize,
}

/// Draws.
pub(super) fn draw(s: &Session, width: usize, folded: &BTreeSet<HostId>) -> Picture {
    let g = graph(s);
    let mut of_space: BTreeMap<NetnsId, Vec<NodeIndex>> = BTreeMap::new();
    for n in g.node_indices() {
        of_space.entry(g[n].ns).or_default().push(n);
    }
    let mut spaces: BTreeMap<HostId, Vec<NetnsId>> = BTreeMap::new();
    for (i, ns) in s.kernel.netns.iter().enumerate() {
        let id = NetnsId(i as u32);
        if ns.alive && !ns.is_switch && s.kernel.hosts.get(ns.host.ix()).is_some_and(|h| h.root_ns != id) {
            spaces.entry(ns.host).or_default().push(id);
        }
    }
    let plan = Plan { s, g, of_space, width };
    let hosts: Vec<Block> = (0..s.kernel.hosts.len())
        .map(|i| {
            let id = HostId(i as u32);
            let inner = spaces.remove(&id).unwrap_or_default();
            if folded.contains(&id) { plan.folded(id, inner.len()) } else { plan.host(id, &inner) }
        })
        .collect();
    let mut rows = Vec::new();
    for row in Block::rows(hosts, width, 1) {
        rows.push(plan.lans(row));
    }
    find(Block::stack(&rows))
}

/// Where each device and namespace came to lie.
fn find(grid: Grid) -> Picture {
    let mut p = Picture::default();
    for y in 0..grid.h {
        for (x, c) in grid.row(y).iter().enumerate() {
            match c.tag {
                Tag::Dev(d) | Tag::Mark(d) => {
                    let s = p.devs.entry(d).or_insert(Spot { x, y, w: 0, h: 1 });
                    if s.y == y {
                        s.w = s.w.max(x + 1 - s.x);
                    }
                }
                Tag::Border(n) | Tag::Space(n) | Tag::SpaceMark(n) => {
                    let s = p.spaces.entry(n).or_insert(Spot { x, y, w: 0, h: 0 });
                    s.w = s.w.max((x + 1).saturating_sub(s.x));
                    s.h = s.h.max(y + 1 - s.y);
                }
                _ => {}
            }
        }
    }
    p.grid = grid;
    p
}

impl Plan<'_> {
    fn peers(&self, n: NodeIndex, wire: Wire) -> impl Iterator<Item = NodeIndex> + '_ {
        self.g.edges(n).filter(move |e| *e.weight() == wire).map(move |e| {
            use petgraph::visit::EdgeRef;
            if e.source() == n { e.target() } else { e.source() }
        })
    }

    fn far(&self, n: NodeIndex) -> Option<NodeIndex> {
        self.peers(n, Wire::Veth).next()
    }

    fn is_switch(&self, n: NodeIndex) -> bool {
        self.s.kernel.ns(self.g[n].ns).is_switch
    }

    /// The LAN that a card is plugged into: the bridge of the switches' namespace.
    fn lan(&self, n: NodeIndex) -> Option<NodeIndex> {
        let far = self.far(n).filter(|f| self.is_switch(*f))?;
        self.peers(far, Wire::Port).find(|b| self.g[*b].kind == "bridge")
    }

    /// The bridge that a device is a port of.
    fn master(&self, n: NodeIndex) -> Option<NodeIndex> {
        let m = self.s.kernel.dev(self.g[n].dev).master?;
        self.peers(n, Wire::Port).find(|b| self.g[*b].dev == m)
    }

    /// What is said of a device beside its name.
    fn about(&self, n: NodeIndex) -> String {
        let node = &self.g[n];
        let mut out = node.addresses.join(" ");
        let mut add = |t: &str| {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(t);
        };
        match node.kind {
            "vxlan" => {
                let vni = self.s.kernel.dev(node.dev).vxlan().map_or(0, |v| v.cfg.vni);
                add(&format!("vxlan {vni}"));
            }
            "macvlan" => add("macvlan"),
            _ => {}
        }
        if !self.s.kernel.dev(node.dev).is_up() {
            add("down");
        }
        out
    }

    /// The other end of a cable in words, where no line is drawn.
    fn beyond(&self, n: NodeIndex) -> Option<String> {
        let f = self.far(n).filter(|f| !self.is_switch(*f))?;
        let place = &self.g[f].place;
        let bare = place.rsplit('/').next().unwrap_or(place).trim_start_matches("ns:");
        Some(format!("↔ {bare}/{}", self.g[f].name))
    }

    /// The devices of a namespace as lines: a bridge is followed by its ports.
    fn lines(&self, ns: NetnsId, wired: Option<NodeIndex>) -> Vec<(String, String, DevId)> {
        let all = self.of_space.get(&ns).map(Vec::as_slice).unwrap_or_default();
        let mut out = Vec::new();
        let mut line = |n: NodeIndex, lead: &str| {
            let mut about = self.about(n);
            if let Some(b) = self.beyond(n).filter(|_| wired != Some(n)) {
                about = format!("{about} {b}").trim_start().to_owned();
            }
            out.push((format!("{lead}{}", self.g[n].name), about, self.g[n].dev));
        };
        for n in all.iter().copied().filter(|n| self.master(*n).is_none()) {
            line(n, "");
            if self.g[n].kind == "bridge" {
                for p in all.iter().copied().filter(|p| self.master(*p) == Some(n)) {
                    line(p, " ├ ");
                }
            }
        }
        out
    }

    fn title(&self, ns: NetnsId) -> String {
        let label = &self.s.kernel.ns(ns).label;
        label.split_once('/').map_or(label.as_str(), |x| x.1).trim_start_matches("ns:").to_owned()
    }

    /// Hosts side by side below the LANs that they are plugged into.
    fn lans(&self, hosts: Vec<Block>) -> Grid {
        let node = |d: DevId| self.g.node_indices().find(|n| self.g[*n].dev == d);
        let mut lans: Vec<NodeIndex> = Vec::new();
        let mut cables = Vec::new();
        let mut x = 0;
        let boxes = side_by_side(&hosts, 1);
        for h in &hosts {
            for (col, d) in &h.plugs {
                if let Some(lan) = node(*d).and_then(|n| self.lan(n)) {
                    if !lans.contains(&lan) {
                        lans.push(lan);
                    }
                    cables.push((x + col, *d, lan));
                }
            }
            x += h.grid.w + 1;
        }
        lans.sort();
        if lans.is_empty() {
            return boxes;
        }
        let top = lans.len();
        let mut g = Grid::new(boxes.w, boxes.h + top);
        for (y, lan) in lans.iter().enumerate() {
            let dev = self.g[*lan].dev;
            let name = format!(" {} ", self.g[*lan].name);
            g.across(0, y, boxes.w, '═', Tag::Dev(dev));
            g.set(1, y, ' ', Tag::Mark(dev));
            g.text(2, y, name.trim_start(), Tag::Dev(dev));
        }
        g.paste(0, top, &boxes);
        for (x, d, lan) in cables {
            let y = lans.iter().position(|l| *l == lan).unwrap_or(0);
            let tag = Tag::Wire(d, self.g[lan].dev);
            g.set(x, y, '╤', tag);
            g.down(x, y + 1, top - y - 1, tag);
        }
        g
    }
}

fn side_by_side(row: &[Block], gap: usize) -> Grid {
    let w = row.iter().map(|b| b.grid.w + gap).sum::<usize>().saturating_sub(gap);
    let mut out = Grid::new(w, row.iter().map(|b| b.grid.h).max().unwrap_or(0));
    let mut x = 0;
    for b in row {
        out.paste(x, 0, &b.grid);
        x += b.grid.w + gap;
    }
    out
}
