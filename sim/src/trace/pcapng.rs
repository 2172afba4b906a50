//! A walk as a capture: one interface per device, and the decisions as comments of the frames.

use std::borrow::Cow;
use std::time::Duration;

use indexmap::IndexMap;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, PcapError};

use super::clause::{Weight, clause};
use super::{Event, EventKind};
use crate::FxBuild;
use crate::kernel::types::{DevId, NetnsId};
use crate::scenario::expect::names;
use crate::scenario::run::{StepResult, Walk};
use crate::wire::PacketId;
use crate::wire::encode::frame;

/// Bits of `epb_flags`: how the frame met the device.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// Resolution of the timestamps: 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// A frame at a device.
struct Seen {
    event: usize,
    comments: Vec<String>,
}

/// The frames of a walk, or of one of its steps, as a pcapng file. Virtual time begins at 1970.
///
/// # Errors
/// Where the crate cannot write it, which would be a bug of ours.
pub fn file(w: &Walk, step: Option<usize>) -> Result<Vec<u8>, PcapError> {
    let s = &w.session;
    let steps: Vec<&StepResult> = w.steps.iter().filter(|r| step.is_none_or(|n| r.index == n)).collect();
    let mut out = PcapNgWriter::new(Vec::new())?;
    let mut interfaces: IndexMap<(NetnsId, DevId), u32, FxBuild> = IndexMap::default();
    let mut blocks = Vec::new();
    for r in &steps {
        let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
        for (i, seen) in frames(w, events).into_iter().enumerate() {
            let e = &events[seen.event];
            let (Some(dev), Some(p)) = (e.dev, s.kernel.rec.packet_at(e)) else { continue };
            let next = interfaces.len() as u32;
            let interface = *interfaces.entry((e.ns, dev)).or_insert(next);
            let mut comments = seen.comments;
            if i == 0 {
                comments.insert(0, format!("step {}: {} {}", r.index, r.place, r.command));
            }
            blocks.push((interface, e, frame(p), comments));
        }
    }
    for (ns, dev) in interfaces.keys() {
        out.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(names(s, *ns, Some(*dev)).remove(0))),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        })?;
    }
    for (interface_id, e, data, comments) in blocks {
        let flags = if matches!(e.kind, EventKind::Rx) { INBOUND } else { OUTBOUND };
        let mut options = vec![EnhancedPacketOption::Flags(flags)];
        options.extend(comments.into_iter().map(|c| EnhancedPacketOption::Comment(Cow::Owned(c))));
        out.write_pcapng_block(EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(e.at),
            original_len: data.len() as u32,
            data: Cow::Owned(data),
            options,
        })?;
    }
    Ok(out.into_inner())
}

/// The frames among events, each with what was decided about its packet there until it was seen again. What was decided
/// before it was seen at all goes with its first frame.
fn frames(w: &Walk, events: &[Event]) -> Vec<Seen> {
    let s = &w.session;
    let mut out: Vec<Seen> = Vec::new();
    let mut last: IndexMap<PacketId, usize, FxBuild> = IndexMap::default();
    let mut early: IndexMap<PacketId, Vec<String>, FxBuild> = IndexMap::default();
    for (i, e) in events.iter().enumerate().filter(|(_, e)| e.packet.0 != 0) {
        if matches!(e.kind, EventKind::Rx | EventKind::Tx) {
            last.insert(e.packet, out.len());
            out.push(Seen { event: i, comments: early.shift_remove(&e.packet).unwrap_or_default() });
            continue;
        }
        let (_, text, weight) = clause(s, &e.kind);
        if weight == Weight::Detail {
            continue;
        }
        let line = format!("{}: {text}", names(s, e.ns, e.dev)[0]);
        match last.get(&e.packet) {
            Some(at) => out[*at].comments.push(line),
            None => early.entry(e.packet).or_default().push(line),
        }
    }
    out
}
