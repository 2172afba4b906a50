//! Frames, less what two runs do not share.

use std::collections::BTreeMap;

use super::super::engine;
use super::super::frames::Frame;
use super::super::names::Names;

/// Whose ports are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A probe of a recording without an engine: all.
    Probe,
    /// A command: none that is ephemeral.
    Command,
    /// A probe where docker-proxy may be at work: the probe's own only, twenty from this one on.
    Docker(u16),
    /// This one only.
    One(u16),
}

impl Own {
    fn foreign(self, port: u16) -> bool {
        match self {
            Own::Probe => false,
            Own::Command => port >= 32768,
            Own::One(base) => port >= 32768 && port != base,
            Own::Docker(base) => port >= 32768 && !(base..base.saturating_add(20)).contains(&port),
        }
    }
}

/// The port in a server's `peer=ADDRESS:PORT `, where it is not the probe's own.
fn peer(hex: &str, own: Own) -> String {
    let Some((before, after)) = hex.split_once("706565723d") else { return hex.to_owned() };
    let end = (0..after.len()).step_by(2).find(|i| after.get(*i..i + 2) == Some("20")).unwrap_or(after.len());
    let text: String = unhex(&after[..end]);
    let port = text.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or(0);
    if !own.foreign(port) {
        return hex.to_owned();
    }
    let ip = text.rsplit_once(':').map_or("", |(a, _)| a);
    format!("{before}(peer={ip}:P){}", &after[end..])
}

fn unhex(t: &str) -> String {
    let byte = |i: usize| t.get(i..i + 2).and_then(|b| u8::from_str_radix(b, 16).ok()).unwrap_or(b'?');
    (0..t.len()).step_by(2).map(|i| byte(i) as char).collect()
}

/// A frame and its normal form.
pub type Normal<'a> = (String, &'a Frame);

/// The frames of a step by device and direction; `own`: a command sent them, not a probe.
pub fn frames<'a>(all: &'a [Frame], own: Own, names: &Names) -> BTreeMap<&'a str, Vec<Normal<'a>>> {
    let mut out: BTreeMap<&str, Vec<Normal<'a>>> = BTreeMap::new();
    for f in all.iter().filter(|f| f.flag != "nud" && f.flag != "rtx" && !(names.engine && mdns(f))) {
        out.entry(&f.dev).or_default().push((normal(f, own, names), f));
    }
    for v in out.values_mut() {
        if names.engine {
            by_connection(v);
            engine::any_dns_order(v);
            announcements_last(v);
        }
        *v = closing(std::mem::take(v));
    }
    out
}

/// The recorder takes UDP 5353 for what machines say of themselves.
fn mdns(f: &Frame) -> bool {
    fn within(ip: &[u8], deep: bool) -> bool {
        let q = usize::from(ip.first().copied().unwrap_or(0) & 15) * 4;
        let port = |at: usize| ip.get(q + at..q + at + 2) == Some(&[0x14, 0xe9]);
        match ip.get(9) {
            Some(17) => port(0) || port(2),
            Some(1) if deep && matches!(ip.get(q), Some(3 | 11)) => ip.get(q + 8..).is_some_and(|b| within(b, false)),
            _ => false,
        }
    }
    f.bytes.get(12..14) == Some(&[8, 0]) && within(&f.bytes[14..], true)
}

fn normal(f: &Frame, own: Own, names: &Names) -> String {
    let mut b = f.bytes.clone();
    if names.engine {
        macs(&mut b, names);
    }
    ethernet(&mut b, own);
    if names.engine && own == Own::Command {
        engine::query_id(&mut b, f);
        engine::curl_release(&mut b);
    }
    let hex: String = b.iter().map(|x| format!("{x:02x}")).collect();
    let hex = if matches!(own, Own::Docker(_) | Own::Command) { peer(&hex, own) } else { hex };
    let mut t = Names::apply(&names.bytes, &hex);
    if f.cut > 0 {
        t.push_str(&format!("+{}", f.cut));
    }
    if !f.flag.is_empty() {
        t.push_str(&format!(" {}", f.flag));
    }
    t
}

/// Addresses of devices that went, which no state names.
fn macs(b: &mut [u8], names: &Names) {
    let arp = b.get(12..14) == Some(&[8, 6]);
    let at: &[usize] = if arp { &[0, 6, 22, 32] } else { &[0, 6] };
    for i in at {
        let Some(m) = b.get_mut(*i..*i + 6) else { continue };
        let hex: String = m.iter().map(|x| format!("{x:02x}")).collect();
        let ours = names.bytes.iter().any(|(n, _)| *n == hex);
        if m[0] & 3 == 2 && !m.starts_with(&[0x52, 0x54, 0]) && !ours {
            m.fill(0xee);
        }
    }
}

/// Gratuitous ARPs come by the clock: they say nothing among what a step sends.
fn announcements_last(all: &mut Vec<Normal<'_>>) {
    let (mut timed, rest): (Vec<_>, Vec<_>) = std::mem::take(all).into_iter().partition(|f| f.1.flag == "garp");
    timed.sort_by(|a, b| a.0.cmp(&b.0));
    all.extend(rest);
    all.append(&mut timed);
}

/// Segments of one connection after those of the other, each in its order; what is no TCP stays where it is.
fn by_connection(all: &mut [Normal<'_>]) {
    let of = |f: &Frame| -> Option<Vec<Vec<u8>>> {
        let b = &f.bytes;
        if b.get(12..14) != Some(&[8, 0]) || b.get(23) != Some(&6) || b.len() < 38 {
            return None;
        }
        let q = 14 + usize::from(b[14] & 15) * 4;
        let end = |a: usize, p: usize| [&b[26 + a..30 + a], b.get(q + p..q + p + 2).unwrap_or(&[])].concat();
        let mut ends = vec![end(0, 0), end(4, 2)];
        ends.sort();
        Some(ends)
    };
    let mut order: Vec<Vec<Vec<u8>>> = Vec::new();
    let places: Vec<usize> = (0..all.len()).filter(|i| of(all[*i].1).is_some()).collect();
    let mut segments: Vec<Normal<'_>> = places.iter().map(|i| all[*i].clone()).collect();
    // The probe's own connection first: its ports are told apart.
    for s in &segments {
        if let Some(k) = of(s.1).filter(|k| !order.contains(k)) {
            order.push(k);
        }
    }
    segments.sort_by_key(|s| of(s.1).and_then(|k| order.iter().position(|o| *o == k)));
    for (i, s) in places.into_iter().zip(segments) {
        all[i] = s;
    }
}

/// A TCP segment with neither data nor SYN: does it have a FIN?
fn bare(f: &Frame) -> Option<bool> {
    let b = &f.bytes;
    if b.len() < 54 || b[12..14] != [8, 0] || b[23] != 6 {
        return None;
    }
    let q = 14 + usize::from(b[14] & 15) * 4;
    let flags = *b.get(q + 13)?;
    let all = usize::from(u16::from_be_bytes([b[16], b[17]]));
    (flags & 2 == 0 && all == q - 14 + usize::from(b[q + 12] >> 4) * 4).then_some(flags & 1 != 0)
}

fn closing<'a>(all: Vec<Normal<'a>>) -> Vec<Normal<'a>> {
    fn flush<'a>(run: &mut Vec<Normal<'a>>, out: &mut Vec<Normal<'a>>) {
        let run = std::mem::take(run);
        if run.iter().any(|f| bare(f.1) == Some(true)) {
            let mut fins: Vec<_> = run.into_iter().filter(|f| bare(f.1) == Some(true)).collect();
            fins.sort_by(|a, b| a.0.cmp(&b.0));
            out.extend(fins);
        } else {
            out.extend(run);
        }
    }
    let (mut out, mut run) = (Vec::new(), Vec::new());
    for f in all {
        if bare(f.1).is_some() {
            run.push(f);
        } else {
            flush(&mut run, &mut out);
            out.push(f);
        }
    }
    flush(&mut run, &mut out);
    out
}

fn ethernet(b: &mut [u8], own: Own) {
    if b.len() >= 14 && b[12..14] == [8, 0] {
        ipv4(&mut b[14..], own);
    }
}

fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn ipv4(b: &mut [u8], own: Own) {
    if b.len() < 20 || b[0] >> 4 != 4 {
        return;
    }
    let (ihl, proto) = (usize::from(b[0] & 15) * 4, b[9]);
    b[4..6].fill(0);
    b[10..12].fill(0);
    if be16(b, 6) & 0x1fff != 0 || b.len() < ihl {
        // A later fragment has no header of the next layer.
        return;
    }
    let q = &mut b[ihl..];
    if matches!(proto, 6 | 17) && q.len() >= 4 {
        // A name server is asked from a port of nobody's choice, which may be among a probe's by chance.
        let own = match own {
            Own::Docker(base) if proto == 17 && (be16(q, 0) == 53 || be16(q, 2) == 53) => Own::One(base),
            other => other,
        };
        for i in [0, 2] {
            if own.foreign(be16(q, i)) {
                q[i..i + 2].fill(0xff);
            }
        }
    }
    match proto {
        1 if q.len() >= 8 => {
            if own == Own::Command && matches!(q[0], 0 | 8) && q.len() >= 24 {
                q[4..6].fill(0xff);
                q[8..24].fill(0);
            }
            q[2..4].fill(0);
            if matches!(q[0], 3 | 5 | 11 | 12) {
                ipv4(&mut q[8..], own);
            }
        }
        6 if q.len() >= 14 => tcp(q),
        17 if q.len() >= 8 => {
            q[6..8].fill(0);
            // A tunnel is known by its header: an identifier and nothing else.
            if q.len() >= 30 && q[8..12] == [8, 0, 0, 0] && q[15] == 0 {
                q[..2].fill(0);
                ethernet(&mut q[16..], own);
            }
        }
        _ => {}
    }
}

fn tcp(q: &mut [u8]) {
    q[4..12].fill(0);
    if q.len() >= 18 {
        q[14..18].fill(0);
    }
    let end = (usize::from(q[12] >> 4) * 4).min(q.len());
    let mut i = 20;
    while i < end && q[i] != 0 {
        if q[i] == 1 {
            i += 1;
            continue;
        }
        let n = q.get(i + 1).map_or(2, |n| usize::from(*n)).max(2);
        if matches!(q[i], 5 | 8) {
            let to = (i + n).min(end);
            q[(i + 2).min(to)..to].fill(0);
        }
        i += n;
    }
}
