//! Where everything stands: hosts side by side, their namespaces above their own devices, the LANs below. Where that is
//! too wide for a page, in several rows, each with its LANs below; the parts of one LAN are joined at the left.

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, HostId, NetnsId};
use crate::session::Session;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    /// Its middle.
    pub fn middle(&self) -> (f64, f64) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    fn moved(mut self, x: f64, y: f64) -> Rect {
        self.x += x;
        self.y += y;
        self
    }
}

/// Sizes in pixels.
const DEV_W: f64 = 140.0;
const DEV_H: f64 = 40.0;
const GAP: f64 = 16.0;
const HEAD: f64 = 26.0;
/// Room between devices of a row, where a hop has its number.
const BESIDE: f64 = 40.0;
/// Room between rows, where lines run.
const AISLE: f64 = 44.0;
/// A row of hosts that is wider goes on below.
const ROW: f64 = 1400.0;
/// Room for a line that joins the parts of a LAN.
const JOINT: f64 = 44.0;
/// Namespaces or devices beside each other.
const COLUMNS: usize = 4;

/// A box with a title.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Where.
    pub rect: Rect,
    /// Title.
    pub title: String,
}

/// The picture's places.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Hosts.
    pub hosts: Vec<Frame>,
    /// Namespaces inside hosts.
    pub spaces: Vec<Frame>,
    /// LANs; one that hosts of several rows are on has a bar below each of them.
    pub lans: Vec<Frame>,
    /// The column of each bar's line to the others of its LAN.
    pub columns: Vec<f64>,
    /// Lines between the bars of one LAN: column, and from where down to where.
    pub joints: Vec<(f64, f64, f64)>,
    /// Devices; a port of a LAN's switch and the switch are the LAN itself.
    pub devs: IndexMap<DevId, Rect, FxBuild>,
    /// Devices that are drawn as a LAN: its switch is the first bar, a port that of its host's row.
    pub of_lan: IndexMap<DevId, usize, FxBuild>,
    /// Size of it all.
    pub size: (f64, f64),
}

/// Lays a world out, below a heading of this height.
pub fn layout(s: &Session, heading: f64) -> Layout {
    let mut out = Layout::default();
    let k = &s.kernel;
    let mut hosts = Vec::new();
    for (i, h) in k.hosts.iter().enumerate() {
        let mut inner = host(s, HostId(i as u32), h.root_ns);
        let (w, height) = inner.size;
        inner.hosts.push(Frame { rect: Rect { x: 0.0, y: 0.0, w, h: height }, title: h.name.clone() });
        hosts.push(inner);
    }
    let mut y = heading;
    let mut bars: Vec<(DevId, usize)> = Vec::new();
    let rows = rows(hosts);
    let joined = rows.len() > 1;
    // Lines that join the bars of a LAN run left of everything.
    let switch = |d: &&Device| d.alive && k.ns(d.netns).is_switch && !d.is_loopback();
    let lans: Vec<DevId> = k.devs.iter().filter(switch).filter(|d| d.bridge().is_some()).map(|d| d.id).collect();
    let left = if joined { GAP + JOINT * lans.len() as f64 } else { GAP };
    let width = left + rows.iter().map(|r| wide(r)).fold(320.0 - 2.0 * GAP, f64::max) + GAP;
    for row in rows {
        // They stand on one line, close to the LANs.
        let bottom = y + row.iter().map(|l| l.size.1).fold(0.0, f64::max);
        let mut x = left;
        let mut here: Vec<DevId> = Vec::new();
        for inner in row {
            let (w, h) = inner.size;
            here.extend(inner.devs.keys());
            out.take(inner, x, bottom - h);
            x += w + 2.0 * GAP;
        }
        y = bottom + AISLE;
        for (n, lan) in lans.iter().enumerate() {
            let ports: Vec<DevId> = k.devs.iter().filter(|d| d.master == Some(*lan)).map(|d| d.id).collect();
            let near = |p: &&DevId| k.dev(**p).veth_peer().is_some_and(|e| here.contains(&e));
            let of_row: Vec<DevId> = if joined { ports.iter().filter(near).copied().collect() } else { ports };
            if joined && of_row.is_empty() {
                continue;
            }
            let bar = out.lans.len();
            let rect = Rect { x: left, y, w: width - left - GAP, h: HEAD };
            out.lans.push(Frame { rect, title: format!("LAN {}", k.dev(*lan).name) });
            out.columns.push(GAP + JOINT * (n as f64 + 0.5));
            out.of_lan.extend(of_row.into_iter().map(|p| (p, bar)));
            bars.push((*lan, bar));
            y += HEAD + GAP;
        }
        y += if joined { AISLE } else { 0.0 };
    }
    for lan in &lans {
        let mine: Vec<usize> = bars.iter().filter(|b| b.0 == *lan).map(|b| b.1).collect();
        out.of_lan.extend(mine.first().map(|b| (*lan, *b)));
        for pair in mine.windows(2) {
            let [from, to] = [pair[0], pair[1]].map(|b| out.lans[b].rect.middle().1);
            out.joints.push((out.columns[pair[0]], from, to));
        }
    }
    let height = match (joined, out.lans.is_empty()) {
        (true, _) => y - AISLE,
        (false, true) => y - AISLE + GAP,
        (false, false) => y,
    };
    out.size = (width, height);
    out
}

/// Hosts in rows of some width, in their order.
fn rows(hosts: Vec<Layout>) -> Vec<Vec<Layout>> {
    let mut all: Vec<Vec<Layout>> = Vec::new();
    for h in hosts {
        match all.last_mut().filter(|r| wide(r) + 2.0 * GAP + h.size.0 <= ROW) {
            Some(row) => row.push(h),
            None => all.push(vec![h]),
        }
    }
    all
}

/// The width of a row.
fn wide(row: &[Layout]) -> f64 {
    row.iter().map(|l| l.size.0 + 2.0 * GAP).sum::<f64>() - 2.0 * GAP
}

impl Layout {
    /// Takes a smaller layout in at a place.
    fn take(&mut self, inner: Layout, x: f64, y: f64) {
        let frames = |l: Vec<Frame>| l.into_iter().map(move |f| Frame { rect: f.rect.moved(x, y), ..f });
        self.hosts.extend(frames(inner.hosts));
        self.spaces.extend(frames(inner.spaces));
        self.devs.extend(inner.devs.into_iter().map(|(d, r)| (d, r.moved(x, y))));
    }
}

/// A host from its upper left corner: namespaces in rows, then its own devices in tiers.
fn host(s: &Session, id: HostId, root: NetnsId) -> Layout {
    let mut out = Layout::default();
    let k = &s.kernel;
    let spaces: Vec<NetnsId> = (0..k.netns.len())
        .map(|i| NetnsId(i as u32))
        .filter(|n| k.ns(*n).alive && k.ns(*n).host == id && *n != root && !k.ns(*n).is_switch)
        .collect();
    let mut y = HEAD + GAP;
    let mut width = DEV_W + 2.0 * GAP;
    for row in spaces.chunks(COLUMNS) {
        let mut x = GAP;
        let mut height: f64 = 0.0;
        for ns in row {
            let devs = devices(s, *ns);
            let h = HEAD + devs.len().max(1) as f64 * (DEV_H + GAP / 2.0) + GAP / 2.0;
            let label = &k.ns(*ns).label;
            let title = label.split_once('/').map_or(label.as_str(), |x| x.1).to_owned();
            out.spaces.push(Frame { rect: Rect { x, y, w: DEV_W + GAP, h }, title });
            for (i, d) in devs.iter().enumerate() {
                let at = y + HEAD + i as f64 * (DEV_H + GAP / 2.0);
                out.devs.insert(d.id, Rect { x: x + GAP / 2.0, y: at, w: DEV_W, h: DEV_H });
            }
            x += DEV_W + 2.0 * GAP;
            height = height.max(h);
        }
        width = width.max(x);
        y += height + AISLE;
    }
    let own = devices(s, root);
    let tier = |d: &Device| match (d.bridge().is_some() || d.vxlan().is_some(), at_switch(s, d)) {
        (true, _) => 1,
        (_, true) => 2,
        _ => 0,
    };
    for t in 0..3 {
        let row: Vec<&&Device> = own.iter().filter(|d| tier(d) == t).collect();
        for part in row.chunks(COLUMNS) {
            for (i, d) in part.iter().enumerate() {
                let x = GAP + i as f64 * (DEV_W + BESIDE);
                out.devs.insert(d.id, Rect { x, y, w: DEV_W, h: DEV_H });
                width = width.max(x + DEV_W + GAP);
            }
            y += DEV_H + AISLE;
        }
    }
    out.size = (width, (y - AISLE + GAP).max(HEAD + 2.0 * GAP));
    out
}

fn devices(s: &Session, ns: NetnsId) -> Vec<&Device> {
    s.kernel.devs.iter().filter(|d| d.alive && d.netns == ns && !d.is_loopback()).collect()
}

fn at_switch(s: &Session, d: &Device) -> bool {
    d.veth_peer().is_some_and(|p| s.kernel.ns(s.kernel.dev(p).netns).is_switch)
}
