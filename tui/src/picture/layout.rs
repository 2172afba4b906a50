//! Where everything goes: LANs above, hosts below them; in a host its network cards, then each bridge with what hangs on
//! it, then the namespaces that hang on none.

use petgraph::graph::{NodeIndex, UnGraph};
use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::kernel::types::{DevId, HostId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::topology::{DevNode, Wire, graph};

use super::block::{Block, device, title_of};
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

    fn folded(&self, id: HostId, inner: usize) -> Block {
        let host = self.s.kernel.host(id);
        let ns = host.root_ns;
        let text = format!("folded: {inner} namespaces inside");
        let w = text.chars().count().max(host.name.chars().count() + 4) + 4;
        let mut grid = Grid::new(w, 3);
        grid.frame((0, 0), (w, 3), Tag::Border(ns));
        title_of(&mut grid, ns, &host.name);
        grid.text(2, 1, &text, Tag::Border(ns));
        let plugs =
            self.cards(ns).into_iter().enumerate().map(|(i, n)| (w - 3 - 2 * i.min(4), self.g[n].dev)).collect();
        Block { grid, plugs }
    }

    /// The network cards of a host: what is plugged into a LAN.
    fn cards(&self, ns: NetnsId) -> Vec<NodeIndex> {
        let all = self.of_space.get(&ns).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(|n| self.lan(*n).is_some()).collect()
    }

    fn host(&self, id: HostId, inner: &[NetnsId]) -> Block {
        let root = self.s.kernel.host(id).root_ns;
        let devs = self.of_space.get(&root).map(Vec::as_slice).unwrap_or_default();
        let bridge = |n: &NodeIndex| self.g[*n].kind == "bridge";
        let mut parts: Vec<Grid> = Vec::new();
        let (cards, plugs) = self.card_row(root);
        parts.extend(cards);
        let mut placed: BTreeSet<NetnsId> = BTreeSet::new();
        let mut bridges = Vec::new();
        for b in devs.iter().copied().filter(bridge) {
            let ports: Vec<NodeIndex> = devs.iter().copied().filter(|p| self.master(*p) == Some(b)).collect();
            let grid = Block::stack(&self.bridge(b, &ports, inner, &mut placed));
            bridges.push(Block { grid, plugs: Vec::new() });
        }
        for row in Block::rows(bridges, self.width.saturating_sub(4), 2) {
            parts.push(side_by_side(&row, 2));
        }
        let plain = |n: &NodeIndex| !bridge(n) && self.lan(*n).is_none() && self.master(*n).is_none();
        for n in devs.iter().copied().filter(plain) {
            let about = format!("{} {}", self.about(n), self.beyond(n).unwrap_or_default());
            let name = &self.g[n].name;
            let mut g = Grid::new(name.chars().count() + about.chars().count() + 3, 1);
            device(&mut g, (0, 0), name, about.trim(), self.g[n].dev);
            parts.push(g);
        }
        let rest: Vec<Block> = inner
            .iter()
            .filter(|ns| !placed.contains(ns))
            .map(|ns| Block::space(*ns, &self.title(*ns), &self.lines(*ns, None), None))
            .collect();
        for row in Block::rows(rest, self.width.saturating_sub(6), 1) {
            parts.push(side_by_side(&row, 1));
        }
        let content = Block::stack(&parts);
        let title = &self.s.kernel.host(id).name;
        let (w, h) = (content.w.max(title.chars().count() + 4) + 2, content.h.max(1) + 2);
        let mut grid = Grid::new(w, h);
        grid.frame((0, 0), (w, h), Tag::Border(root));
        title_of(&mut grid, root, title);
        grid.paste(1, 1, &content);
        let plugs: Vec<(usize, DevId)> = plugs.into_iter().map(|(x, d)| (x + 1, d)).collect();
        for (x, d) in &plugs {
            grid.set(*x, 0, '┴', Tag::Wire(*d, *d));
        }
        Block { grid, plugs }
    }

    /// The cards of a host side by side. A cable comes in above the end of the name.
    fn card_row(&self, ns: NetnsId) -> (Option<Grid>, Vec<(usize, DevId)>) {
        let cards = self.cards(ns);
        let title = self.s.kernel.ns(ns).label.chars().count() + 3;
        let (mut row, mut plugs, mut x) = (Vec::new(), Vec::new(), 0);
        for n in &cards {
            // The first cable must not come in through the title.
            let least = if row.is_empty() { title } else { 0 };
            let (grid, column) = self.card(*n, least);
            plugs.push((x + column, self.g[*n].dev));
            x += grid.w + 1;
            row.push(Block { grid, plugs: Vec::new() });
        }
        ((!row.is_empty()).then(|| side_by_side(&row, 1)), plugs)
    }

    /// A card, its addresses below it, and the column of its cable, which is `least` or more.
    fn card(&self, n: NodeIndex, least: usize) -> (Grid, usize) {
        let node = &self.g[n];
        let mut about: Vec<String> = node.addresses.clone();
        if let Some(m) = self.master(n) {
            about.push(format!("port of {}", self.g[m].name));
        }
        if !self.s.kernel.dev(node.dev).is_up() {
            about.push("down".into());
        }
        let name = node.name.chars().count();
        let column = (name + 2).max(least);
        let w = about.iter().map(|a| a.chars().count() + 2).max().unwrap_or(0).max(column + 1);
        let mut g = Grid::new(w, about.len() + 1);
        device(&mut g, (0, 0), &node.name, "", node.dev);
        for (i, a) in about.iter().enumerate() {
            g.text(1, i + 1, a, Tag::About(node.dev));
        }
        let tag = Tag::Wire(node.dev, node.dev);
        g.across(name + 2, 0, column.saturating_sub(name + 2), '─', tag);
        g.set(column, 0, '┘', tag);
        (g, column)
    }

    /// A bridge as a bar, and below it what hangs on its ports.
    fn bridge(
        &self,
        b: NodeIndex,
        ports: &[NodeIndex],
        inner: &[NetnsId],
        placed: &mut BTreeSet<NetnsId>,
    ) -> Vec<Grid> {
        let mut hanging = Vec::new();
        for p in ports.iter().copied().filter(|p| self.lan(*p).is_none()) {
            let far = self.far(p);
            let boxed = far.map(|f| self.g[f].ns).filter(|ns| inner.contains(ns) && placed.insert(*ns));
            hanging.push(self.port(p, far, boxed));
        }
        let node = &self.g[b];
        let (name, about) = (&node.name, self.about(b));
        let label = name.chars().count() + about.chars().count() + 2;
        if hanging.is_empty() {
            let mut g = Grid::new(label + 6, 1);
            device(&mut g, (0, 0), name, &about, node.dev);
            g.across(label, 0, 4, '═', Tag::Dev(node.dev));
            return vec![g];
        }
        let mut out = Vec::new();
        for row in Block::rows(hanging, self.width.saturating_sub(6), 1) {
            let below = side_by_side(&row, 1);
            let mut bar = Grid::new(below.w.max(label), 2);
            device(&mut bar, (0, 0), name, &about, node.dev);
            bar.across(1, 1, below.w.max(label) - 1, '═', Tag::Dev(node.dev));
            let mut x = 0;
            for item in &row {
                for (col, d) in &item.plugs {
                    bar.set(x + col, 1, '╤', Tag::Wire(*d, node.dev));
                }
                x += item.grid.w + 1;
            }
            out.push(Block::stack(&[bar, below]));
        }
        out
    }

    /// A port of a bridge, and below it the namespace at the other end of its cable, or a word on that.
    fn port(&self, p: NodeIndex, far: Option<NodeIndex>, boxed: Option<NetnsId>) -> Block {
        let node = &self.g[p];
        let below = match (far, boxed) {
            (Some(f), Some(ns)) => Block::space(ns, &self.title(ns), &self.lines(ns, Some(f)), Some(self.g[f].dev)),
            _ => {
                let text = format!("{} {}", self.about(p), self.beyond(p).unwrap_or_default());
                let mut grid = Grid::new(text.trim().chars().count() + 3, 1);
                grid.text(2, 0, text.trim(), Tag::About(node.dev));
                Block { grid, plugs: Vec::new() }
            }
        };
        let name = node.name.chars().count();
        let column = below.plugs.first().map_or(1, |p| p.0);
        let shift = (name + 2).saturating_sub(column);
        let column = if boxed.is_some() { column + shift } else { 1 };
        let w = (below.grid.w + if boxed.is_some() { shift } else { 0 }).max(name + 4);
        let mut grid = Grid::new(w, below.grid.h + 1);
        let other = far.map_or(node.dev, |f| self.g[f].dev);
        if boxed.is_some() {
            device(&mut grid, (column - name - 2, 0), &node.name, "", node.dev);
            grid.set(column, 0, '│', Tag::Wire(node.dev, other));
            grid.paste(shift, 1, &below.grid);
            grid.set(column, 1, '┴', Tag::Wire(node.dev, other));
        } else {
            grid.set(1, 0, '└', Tag::Wire(node.dev, node.dev));
            device(&mut grid, (2, 0), &node.name, "", node.dev);
            grid.paste(1, 1, &below.grid);
        }
        Block { grid, plugs: vec![(column, node.dev)] }
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
