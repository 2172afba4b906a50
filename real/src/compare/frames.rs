//! Frames of a step: from a recording's rows and from the model's trace, in one form.

use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::kernel::types::{DevId, Nanos, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::EventKind;
use packetwalk_sim::wire::encode;
use serde_json::Value;

use super::buffers::Buffers;
use crate::recording::{list, text};

/// Bytes of a frame that the recorder keeps.
pub const SNAP: usize = 256;

/// A frame at a device.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Namespace and device, such as `h1/ns:a:eth0`, then the direction: `o` out, `i` in.
    pub dev: String,
    /// The bytes that were kept.
    pub bytes: Vec<u8>,
    /// How many were cut off.
    pub cut: usize,
    /// `garp`, `nud`, `rtx` or nothing.
    pub flag: String,
}

/// The rows of a recorded step.
pub fn recorded(json: &Value, step: &Value) -> Vec<Frame> {
    let mut out = Vec::new();
    for row in list(&step["cap"]) {
        let dev = text(&json["devs"][row[1].as_u64().unwrap_or(0) as usize]);
        let frame = text(&json["frames"][row[3].as_u64().unwrap_or(0) as usize]);
        let (hex, cut) = frame.split_once('+').unwrap_or((frame, "0"));
        out.push(Frame {
            dev: format!("{dev} {}", text(&row[2])),
            bytes: unhex(hex),
            cut: cut.parse().unwrap_or(0),
            flag: text(&row[4]).to_owned(),
        });
    }
    out
}

/// Bytes of their hexadecimal digits.
pub fn unhex(s: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap_or(0) as u8;
    s.as_bytes().chunks_exact(2).map(|c| digit(c[0]) << 4 | digit(c[1])).collect()
}

/// The recorder's captures: it opens a namespace when it first looks for namespaces and finds it, and
/// calls a device by the last name that it saw.
#[derive(Default)]
pub struct Taps {
    since: BTreeMap<NetnsId, Nanos>,
    labels: BTreeMap<NetnsId, String>,
    names: BTreeMap<(NetnsId, DevId), String>,
    steps: Vec<Vec<(NetnsId, DevId, Frame)>>,
    flags: Flags<(NetnsId, DevId, char)>,
}

impl Taps {
    /// The recorder looks for namespaces and devices.
    pub fn scan(&mut self, s: &Session) {
        let k = &s.kernel;
        let named: Vec<NetnsId> = k.hosts.iter().flat_map(|h| h.named.values().copied()).collect();
        // The nameless ones that are alive are those of containers.
        let there = |n: &NetnsId| named.contains(n) || k.ns(*n).alive && !k.ns(*n).label.contains("/ns");
        let found: Vec<NetnsId> = (0..k.netns.len() as u32).map(NetnsId).filter(there).collect();
        for ns in found {
            self.since.entry(ns).or_insert(k.now());
            self.labels.insert(ns, k.ns(ns).label.clone());
            for d in k.devs_of(ns) {
                self.names.insert((ns, d.id), d.name.to_string());
            }
        }
    }

    /// Takes the frames that the trace holds from an event on: one step's. In a recording of ours a repeat is one though
    /// a step has ended in between.
    pub fn take(&mut self, s: &Session, first: usize, ours: bool) {
        let trace = &s.kernel.rec;
        let mut flags = std::mem::take(&mut self.flags);
        if ours {
            flags.next_step();
        } else {
            flags = Flags::default();
        }
        let (mut out, mut buffers) = (Vec::new(), Buffers::default());
        for e in &trace.events[first..] {
            let (Some(dev), Some(p)) = (e.dev, trace.packet_at(e)) else { continue };
            let dir = match e.kind {
                EventKind::Tx => 'o',
                EventKind::Rx => 'i',
                EventKind::FragWait if !ours => {
                    buffers.wait(e, p);
                    continue;
                }
                _ => continue,
            };
            if let Some(written) = buffers.tap(s, e, p) {
                out.iter_mut().for_each(|(_, _, f): &mut (_, _, Frame)| written.over(&mut f.bytes));
            }
            // We listen to a namespace from its beginning; others when they find it.
            if !ours && self.since.get(&e.ns).is_none_or(|t| e.at < *t) {
                continue;
            }
            self.names.entry((e.ns, dev)).or_insert_with(|| s.kernel.dev(dev).name.to_string());
            let mut bytes = encode::frame(p);
            if cluster_talk(&bytes) {
                continue;
            }
            let cut = bytes.len().saturating_sub(SNAP);
            bytes.truncate(SNAP);
            let flag = flags.of(&bytes, (e.ns, dev, dir)).to_owned();
            out.push((e.ns, dev, Frame { dev: dir.to_string(), bytes, cut, flag }));
        }
        self.flags = flags;
        self.steps.push(out);
    }

    /// The frames of every step, their devices named.
    pub fn finish(self) -> Vec<Vec<Frame>> {
        let name = |ns: &NetnsId, dev: &DevId, dir: &str| {
            let unknown = || "?".to_owned();
            let label = self.labels.get(ns).cloned().unwrap_or_else(unknown);
            let dev = self.names.get(&(*ns, *dev)).cloned().unwrap_or_else(unknown);
            format!("{label}:{dev} {dir}")
        };
        let step = |fs: &Vec<(NetnsId, DevId, Frame)>| {
            fs.iter().map(|(ns, d, f)| Frame { dev: name(ns, d, &f.dev), ..f.clone() }).collect()
        };
        self.steps.iter().map(step).collect()
    }
}

/// A frame in a namespace without a name: nobody looks into it.
pub fn nameless(f: &Frame) -> bool {
    f.dev.starts_with("?:") || f.dev.split_once("/ns:").is_some_and(|(_, dev)| !dev.contains(':'))
}

/// A gratuitous ARP anywhere but where it is sent: whether another container is there to hear it depends on when.
pub fn others_announcement(f: &Frame) -> bool {
    f.flag == "garp" && !(f.dev.contains('/') && f.dev.ends_with(" o") && !f.dev.contains("/overlay:"))
}

/// What only the model's engines send, in a recording of ours: their talk over TCP and UDP, and the ARP that comes of it
/// on the hosts' own network.
pub fn engines_talk(f: &Frame) -> bool {
    let b = &f.bytes;
    let lan = f.dev.starts_with("sw:") || f.dev.contains(":eth0 ") && !f.dev.contains('/');
    match b.get(12..14) {
        Some([8, 6]) => lan,
        Some([8, 0]) => {
            let q = 14 + usize::from(b[14] & 15) * 4;
            let port = |at: usize| b.get(q + at..q + at + 2).map(|p| u16::from_be_bytes([p[0], p[1]]));
            let own = |p: u16| matches!(p, 2375 | 2377 | 7946 | 2379 | 2380);
            matches!(b.get(23), Some(6 | 17)) && [port(0), port(2)].into_iter().flatten().any(own)
        }
        _ => false,
    }
}

/// TCP of engines with their managers, each other and their store, which the recorder does not listen to.
fn cluster_talk(b: &[u8]) -> bool {
    if b.get(12..14) != Some(&[8, 0]) || b.get(23) != Some(&6) {
        return false;
    }
    let q = 14 + usize::from(b[14] & 15) * 4;
    let port = |at: usize| b.get(q + at..q + at + 2).map(|p| u16::from_be_bytes([p[0], p[1]]));
    [port(0), port(2)].into_iter().flatten().any(|p| matches!(p, 2377 | 7946 | 2379 | 2380))
}

/// What a repeat is told by: where, and the parts of the frame that a repeat shares.
type Seen<K> = (K, Vec<u8>);

/// The recorder's flags, which begin anew with each step.
pub struct Flags<K> {
    seen: BTreeSet<Seen<K>>,
    asked: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl<K> Default for Flags<K> {
    fn default() -> Self {
        Flags { seen: BTreeSet::new(), asked: BTreeSet::new() }
    }
}

impl<K: Ord> Flags<K> {
    /// A step ends: what it asked may be asked again, but a segment that comes again is a repeat all the same.
    pub fn next_step(&mut self) {
        self.seen.retain(|(_, key)| key.len() != 42);
    }

    /// The flag of a frame at a place.
    pub fn of(&mut self, b: &[u8], at: K) -> &'static str {
        let key = match b.get(12..14) {
            Some([8, 6]) if b.len() >= 42 => {
                let (sender, target) = (b[28..32].to_vec(), b[38..42].to_vec());
                if sender == target {
                    return "garp";
                }
                if b[21] == 1 && b[..6] != [0xff; 6] {
                    self.asked.insert((target, sender));
                    return "nud";
                }
                if b[21] == 2 && self.asked.contains(&(sender, target)) {
                    return "nud";
                }
                b[..42].to_vec()
            }
            Some([8, 0]) if b.len() >= 54 && b[23] == 6 => {
                let ihl = usize::from(b[14] & 15) * 4;
                let o = 14 + ihl;
                let Some(head) = b.get(o..o + 14) else { return "" };
                let data = i32::from(u16::from_be_bytes([b[16], b[17]])) - ihl as i32 - i32::from(b[o + 12] >> 4) * 4;
                [&b[22..24], &b[26..34], head, &data.to_be_bytes()].concat()
            }
            _ => return "",
        };
        if self.seen.insert((at, key)) { "" } else { "rtx" }
    }
}
