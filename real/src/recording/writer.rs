//! Writing a recording: steps with their frames, in the form of the recordings of engines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use crate::compare::drops::Captured;
use crate::compare::frames::{Flags, Frame, SNAP};
use crate::lab::links::Device;
use crate::replay::syn_ack_ttl;
use crate::watch::capture::{Seen, TapId};

/// A recording that grows.
#[derive(Default)]
pub struct Writer {
    /// Names of devices, by namespace and index: the last that was seen.
    names: BTreeMap<(TapId, u32), String>,
    labels: BTreeMap<TapId, String>,
    devs: IndexSet<String>,
    frames: IndexSet<String>,
    steps: Vec<(Map<String, Value>, i64, Vec<Seen>)>,
}

impl Writer {
    /// A namespace is called so, and its devices so, with their addresses. Says which of them were not known before.
    pub fn names(&mut self, tap: TapId, label: &str, devices: Vec<Device>) -> Vec<Device> {
        self.labels.insert(tap, label.to_owned());
        let mut unknown = |d: &Device| self.names.insert((tap, d.index), d.name.clone()).is_none();
        devices.into_iter().filter(|d| unknown(d)).collect()
    }

    /// Frames as they are held against other things that were seen.
    pub fn captured<'a>(&'a self, seen: &'a [Seen]) -> Vec<Captured<'a>> {
        let of = |s: &'a Seen| Captured {
            dev: self.names.get(&(s.tap, s.ifindex)).map_or("?", String::as_str),
            received: !s.out,
            time_ns: s.at_ns.cast_unsigned(),
            len: s.bytes.len(),
        };
        seen.iter().map(of).collect()
    }

    /// A step, when it began (nanoseconds since the epoch), and the frames of its time.
    pub fn step(&mut self, fields: Map<String, Value>, since_ns: i64, seen: &[Seen]) {
        self.steps.push((fields, since_ns, seen.to_vec()));
    }

    /// All of it: `steps`, `devs` and `frames`.
    pub fn finish(mut self, into: &mut Map<String, Value>) {
        let mut steps = Vec::new();
        let mut flags = Flags::default();
        for (mut fields, since, mut seen) in std::mem::take(&mut self.steps) {
            // Sorting keeps the order of one socket, whose times do not go back.
            seen.sort_by_key(|s| s.at_ns);
            seen.retain(|s| heard(&s.bytes));
            flags.next_step();
            self.ttl(&mut fields, &seen);
            let rows: Vec<Value> = seen.iter().map(|s| self.row(s, since, &mut flags)).collect();
            if !rows.is_empty() {
                fields.insert("cap".into(), rows.into());
            }
            steps.push(Value::Object(fields));
        }
        into.insert("steps".into(), steps.into());
        into.insert("devs".into(), self.devs.iter().cloned().collect::<Vec<_>>().into());
        into.insert("frames".into(), self.frames.iter().cloned().collect::<Vec<_>>().into());
    }

    /// The TTL of the SYN-ACK of a probe that connected.
    fn ttl(&self, fields: &mut Map<String, Value>, seen: &[Seen]) {
        let (Some(from), true) = (fields.get("from").and_then(Value::as_str), fields.contains_key("connected")) else {
            return;
        };
        let frame = |s: &Seen| Frame {
            dev: format!("{} {}", self.dev(s), if s.out { "o" } else { "i" }),
            bytes: s.bytes.clone(),
            cut: 0,
            flag: String::new(),
        };
        let frames: Vec<Frame> = seen.iter().map(frame).collect();
        if let Some(ttl) = syn_ack_ttl(&frames, from, &fields["sport"]) {
            fields.insert("ttl".into(), ttl.into());
        }
    }

    fn dev(&self, s: &Seen) -> String {
        let label = self.labels.get(&s.tap).map_or("?", String::as_str);
        let dev = self.names.get(&(s.tap, s.ifindex)).map_or("?", String::as_str);
        format!("{label}:{dev}")
    }

    fn row(&mut self, s: &Seen, since: i64, flags: &mut Flags<(TapId, u32, bool)>) -> Value {
        let dev = self.devs.insert_full(self.dev(s)).0;
        let flag = flags.of(&s.bytes, (s.tap, s.ifindex, s.out));
        let frame = self.frames.insert_full(hex(&s.bytes)).0;
        let at_us = (s.at_ns - since) / 1000;
        let dir = if s.out { "o" } else { "i" };
        if flag.is_empty() { json!([at_us, dev, dir, frame]) } else { json!([at_us, dev, dir, frame, flag]) }
    }
}

/// A frame as hexadecimal digits, with what was cut off.
fn hex(b: &[u8]) -> String {
    let mut out = String::with_capacity(b.len().min(SNAP) * 2 + 6);
    for x in &b[..b.len().min(SNAP)] {
        // Writing to a string cannot fail.
        let _ = write!(out, "{x:02x}");
    }
    if b.len() > SNAP {
        let _ = write!(out, "+{}", b.len() - SNAP);
    }
    out
}

/// What goes into a recording: IPv4 and ARP. IGMP, which bridges and their addresses announce themselves with, is left
/// out, and so are IPv6 and spanning tree: the model has none of them.
fn heard(b: &[u8]) -> bool {
    match b.get(12..14) {
        Some([8, 0]) => b.get(23) != Some(&2),
        Some([8, 6]) => true,
        _ => false,
    }
}
