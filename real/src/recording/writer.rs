//! Writing a recording: steps with their frames, in the form of the recordings of engines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use crate::compare::frames::{Flags, SNAP};
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
    /// A namespace is called so, and its devices so.
    pub fn names(&mut self, tap: TapId, label: &str, devices: Vec<(u32, String)>) {
        self.labels.insert(tap, label.to_owned());
        self.names.extend(devices.into_iter().map(|(i, n)| ((tap, i), n)));
    }

    /// A step, when it began (nanoseconds since the epoch), and the frames of its time.
    pub fn step(&mut self, fields: Map<String, Value>, since_ns: i64, seen: &[Seen]) {
        self.steps.push((fields, since_ns, seen.to_vec()));
    }

    /// All of it: `steps`, `devs` and `frames`.
    pub fn finish(mut self, into: &mut Map<String, Value>) {
        let mut steps = Vec::new();
        for (mut fields, since, mut seen) in std::mem::take(&mut self.steps) {
            // Sorting keeps the order of one socket, whose times do not go back.
            seen.sort_by_key(|s| s.at_ns);
            seen.retain(|s| heard(&s.bytes));
            let mut flags = Flags::default();
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

    fn row(&mut self, s: &Seen, since: i64, flags: &mut Flags<(TapId, u32, bool)>) -> Value {
        let label = self.labels.get(&s.tap).map_or("?", String::as_str);
        let dev = self.names.get(&(s.tap, s.ifindex)).map_or("?", String::as_str);
        let dev = self.devs.insert_full(format!("{label}:{dev}")).0;
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
