//! The devices of a world as a picture, with a packet's way on it: numbered hops, rewrites and drops.
//!
//! One file without script or link; its colours follow the reader's light or dark background.

mod layout;

use layout::{Layout, Rect, layout};

use super::topology::{Wire, graph, notes};
use super::way::{MarkKind, Way};
use crate::kernel::types::DevId;
use crate::session::Session;
use petgraph::visit::EdgeRef;

const HEADING: f64 = 64.0;
const LINE: f64 = 18.0;

const STYLE: &str = "
  text { font: 12px ui-monospace, monospace; fill: #1b1f24; }
  .title { font: bold 15px system-ui, sans-serif; }
  .small { font-size: 11px; fill: #57606a; }
  .page { fill: #ffffff; }
  .host { fill: #f6f8fa; stroke: #8c959f; }
  .space { fill: #ddf4ff; stroke: #54aeff; }
  .dev { fill: #ffffff; stroke: #57606a; }
  .lan { fill: #eaeef2; stroke: #8c959f; }
  .wire { fill: none; stroke: #8c959f; stroke-width: 1.5; }
  .port { stroke-dasharray: 4 3; }
  .joint { fill: none; stroke: #8c959f; stroke-width: 3; }
  .hop { fill: none; stroke: #0969da; stroke-width: 2.5; }
  .back { stroke: #8250df; stroke-dasharray: 7 4; }
  .number { fill: #0969da; stroke: #ffffff; }
  .number.back { fill: #8250df; stroke-dasharray: none; }
  .on { fill: #ffffff; font-weight: bold; font-size: 11px; }
  .rewrite { fill: #bf8700; }
  .drop { fill: #cf222e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .page { fill: #0d1117; }
    .host { fill: #151b23; stroke: #656c76; }
    .space { fill: #0c2d6b; stroke: #388bfd; }
    .dev { fill: #0d1117; stroke: #9198a1; }
    .lan { fill: #212830; stroke: #656c76; }
    .wire, .joint { stroke: #656c76; }
    .hop { stroke: #58a6ff; }
    .back { stroke: #bc8cff; }
    .number { fill: #1f6feb; stroke: #0d1117; }
    .number.back { fill: #8957e5; }
    .on { fill: #ffffff; }
    .rewrite { fill: #d29922; }
    .drop { fill: #f85149; }
  }
";

/// The picture. `title` says what it shows, `step` whose way it is.
pub fn svg(s: &Session, way: &Way, title: &str, step: &str) -> String {
    let l = layout(s, HEADING);
    let notes = notes(s, way);
    let longest = notes.iter().map(String::as_str).chain([title, step]).map(|n| n.chars().count()).max().unwrap_or(0);
    let width = l.size.0.max((longest as f64 * 7.8 + 40.0).min(1200.0));
    let height = l.size.1 + if notes.is_empty() { 0.0 } else { LINE * (notes.len() as f64 + 1.0) };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n",
        escape(title)
    );
    out.push_str(
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"5\" markerHeight=\"5\" \
         orient=\"auto-start-reverse\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"context-stroke\"/></marker></defs>\n",
    );
    out.push_str(&format!("<rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"));
    text(&mut out, 16.0, 26.0, "title", title);
    text(&mut out, 16.0, 46.0, "small", step);
    joints(&mut out, &l);
    frames(&mut out, &l);
    wires(s, &mut out, &l);
    devices(s, &mut out, &l);
    hops(&mut out, &l, way);
    marks(&mut out, &l, way);
    for (i, note) in notes.iter().enumerate() {
        let y = l.size.1 + LINE * (i as f64 + 0.8);
        let class = if way.marks[i].kind == MarkKind::Drop { "drop" } else { "rewrite" };
        out.push_str(&format!("<rect class=\"{class}\" x=\"16\" y=\"{:.1}\" width=\"10\" height=\"10\"/>\n", y - 10.0));
        text(&mut out, 32.0, y, "", note);
    }
    out.push_str("</svg>\n");
    out
}

fn frames(out: &mut String, l: &Layout) {
    for (class, list) in [("host", &l.hosts), ("space", &l.spaces), ("lan", &l.lans)] {
        for f in list {
            rect(out, class, &f.rect);
            text(out, f.rect.x + 8.0, f.rect.y + 17.0, "", &f.title);
        }
    }
}

/// The parts of a LAN are one: from bar to bar along the left side.
fn joints(out: &mut String, l: &Layout) {
    for (x, from, to) in &l.joints {
        let bar = l.lans.first().map_or(*x, |f| f.rect.x);
        out.push_str(&format!("<path class=\"joint\" d=\"M{bar:.1} {from:.1} H{x:.1} V{to:.1} H{bar:.1}\"/>\n"));
    }
}

fn devices(s: &Session, out: &mut String, l: &Layout) {
    for (id, r) in &l.devs {
        let d = s.kernel.dev(*id);
        rect(out, "dev", r);
        text(out, r.x + 8.0, r.y + 16.0, "", &d.name);
        let more = if d.addrs.len() > 1 { " …" } else { "" };
        if let Some(a) = d.addrs.first() {
            text(out, r.x + 8.0, r.y + 32.0, "small", &format!("{}/{}{more}", a.local, a.prefix));
        }
    }
}

/// What hangs together.
fn wires(s: &Session, out: &mut String, l: &Layout) {
    let g = graph(s);
    for e in g.edge_references() {
        let Some((a, b)) = ends(l, g[e.source()].dev, g[e.target()].dev) else { continue };
        let class = if *e.weight() == Wire::Veth { "wire" } else { "wire port" };
        out.push_str(&format!("<path class=\"{class}\" d=\"{}\"/>\n", curve(a, b)));
    }
}

type Point = (f64, f64);

/// Where a line between two devices begins and ends; none where both are the same thing in the picture.
fn ends(l: &Layout, a: DevId, b: DevId) -> Option<(Point, Point)> {
    let on_lan = |lan: usize, other: &Rect| {
        let r = l.lans[lan].rect;
        let x = other.middle().0.clamp(r.x, r.x + r.w);
        Rect { x: x - 1.0, y: r.y, w: 2.0, h: r.h }
    };
    let (ra, rb) = match (l.devs.get(&a), l.devs.get(&b), l.of_lan.get(&a), l.of_lan.get(&b)) {
        (Some(ra), Some(rb), ..) => (*ra, *rb),
        (Some(ra), _, _, Some(lan)) => (*ra, on_lan(*lan, ra)),
        (_, Some(rb), Some(lan), _) => (on_lan(*lan, rb), *rb),
        _ => return None,
    };
    let ((ax, ay), (bx, by)) = (ra.middle(), rb.middle());
    Some(if (ay - by).abs() < ra.h.min(rb.h) {
        if ax < bx { ((ra.x + ra.w, ay), (rb.x, by)) } else { ((ra.x, ay), (rb.x + rb.w, by)) }
    } else if ay < by {
        ((ax, ra.y + ra.h), (bx, rb.y))
    } else {
        ((ax, ra.y), (bx, rb.y + rb.h))
    })
}

fn curve((ax, ay): Point, (bx, by): Point) -> String {
    let m = (ay + by) / 2.0;
    format!("M{ax:.1} {ay:.1} C{ax:.1} {m:.1} {bx:.1} {m:.1} {bx:.1} {by:.1}")
}

/// The hops, each beside those that go the same way already.
fn hops(out: &mut String, l: &Layout, way: &Way) {
    let mut gone: Vec<(DevId, DevId)> = Vec::new();
    let mut drawn = Vec::new();
    for (i, h) in way.hops.iter().enumerate() {
        let line = ends(l, h.from, h.to).map(|(a, b)| (a, b, None));
        let Some((mut a, mut b, column)) = line.or_else(|| across(l, way, i)) else { continue };
        let pair = (h.from.min(h.to), h.from.max(h.to));
        let before = gone.iter().filter(|p| **p == pair).count();
        gone.push(pair);
        let aside = (before as f64 + 0.5) * 13.0 * if before.is_multiple_of(2) { 1.0 } else { -1.0 };
        // Beside each other, and the numbers too.
        let level = (a.1 - b.1).abs() < 1.0 || column.is_some();
        if level {
            (a.1, b.1) = (a.1 + aside / 2.0, b.1 + aside / 2.0);
        } else {
            (a.0, b.0) = (a.0 + aside, b.0 + aside);
        }
        let class = if h.back { "hop back" } else { "hop" };
        let path = column.map_or_else(|| curve(a, b), |x| around(a, b, x + aside));
        out.push_str(&format!("<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>\n"));
        let shift = if level { aside } else { 0.0 };
        let number =
            column.map_or(((a.0 + b.0) / 2.0 + shift, (a.1 + b.1) / 2.0), |x| (x + aside, (a.1 + b.1) / 2.0 + aside));
        drawn.push((h, number));
    }
    for (h, (x, y)) in drawn {
        let class = if h.back { "number back" } else { "number" };
        out.push_str(&format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/>\n"));
        centred(out, x, y + 4.0, &h.number.to_string());
    }
}

/// A hop from port to port of a LAN: along it, from below the device before to below the device after; and the column
/// by which it goes from one of the LAN's bars to another.
fn across(l: &Layout, way: &Way, i: usize) -> Option<(Point, Point, Option<f64>)> {
    let from = *l.of_lan.get(&way.hops[i].from)?;
    let to = l.of_lan.get(&way.hops[i].to).copied().unwrap_or(from);
    let (before, after) = (way.hops.get(i.checked_sub(1)?)?, way.hops.get(i + 1)?);
    let (a, b) = (l.devs.get(&before.from)?.middle().0, l.devs.get(&after.to)?.middle().0);
    let y = |bar: usize| l.lans[bar].rect.middle().1;
    Some(((a, y(from)), (b, y(to)), (from != to).then(|| l.columns[from])))
}

/// A line between two bars of a LAN that goes where the bars are joined, so that it crosses no host.
fn around((ax, ay): Point, (bx, by): Point, x: f64) -> String {
    format!("M{ax:.1} {ay:.1} H{x:.1} V{by:.1} H{bx:.1}")
}

/// A badge on every device where something happened: beside each other where it was more than once.
fn marks(out: &mut String, l: &Layout, way: &Way) {
    let mut at: Vec<DevId> = Vec::new();
    for m in &way.marks {
        let Some((dev, r)) = m.dev.and_then(|d| Some((d, l.devs.get(&d)?))) else { continue };
        let n = at.iter().filter(|d| **d == dev).count();
        at.push(dev);
        let (x, y) = (r.x + r.w - 12.0 - 18.0 * n as f64, r.y + 12.0);
        let (class, sign) = match m.kind {
            MarkKind::Rewrite => ("rewrite", "R"),
            MarkKind::Drop => ("drop", "\u{d7}"),
        };
        out.push_str(&format!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"><title>{}</title></circle>\n",
            escape(&m.text)
        ));
        centred(out, x, y + 4.0, sign);
    }
}

fn rect(out: &mut String, class: &str, r: &Rect) {
    let (x, y, w, h) = (r.x, r.y, r.w, r.h);
    out.push_str(&format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"5\"/>\n"
    ));
}

fn text(out: &mut String, x: f64, y: f64, class: &str, t: &str) {
    out.push_str(&format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escape(t)));
}

fn centred(out: &mut String, x: f64, y: f64, t: &str) {
    out.push_str(&format!(
        "<text class=\"on\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n",
        escape(t)
    ));
}

/// A text that XML takes: what it cannot hold is left out.
fn escape(t: &str) -> String {
    let mut out = String::new();
    for c in t.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
