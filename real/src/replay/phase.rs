//! When the buckets of the recorded kernel's timer wheel ended: read off what its timers sent.
//!
//! It depends on when the machine was started, and the recorder of engines does not write it down. What is due within a
//! quarter of a second of a probe's or a step's end comes before or after it by nothing else.

use std::cmp::Reverse;

use packetwalk_sim::kernel::types::{MSEC, Nanos};
use serde_json::Value;

use super::pace::{Pace, took};
use crate::recording::{list, text};

/// A bucket of the wheel's second level, in milliseconds: repeated requests and segments wait in it.
const REPEATS: u64 = 32;
/// A bucket of its third level: a neighbour that is to be confirmed in five seconds waits in it.
const DELAYS: u64 = 256;
/// A timer's frame leaves so soon after its bucket's end, in milliseconds: a tick, as steps are timed to one.
const SOON: u64 = 4;
/// What is repeated after a second waits so long in all, in microseconds.
const SECOND: std::ops::Range<u64> = 1_000_000..1_036_000;

/// A frame that a timer sent: when, and how long its buckets are, in milliseconds.
struct Fired(u64, u64);

/// What makes the recorder's nanoseconds since the jiffies were 0 of virtual time: as most of its timers would have it.
pub(super) fn phase(json: &Value, pace: &Pace) -> Nanos {
    let fired = fired(json, pace);
    let fits = |phase: &u64| fired.iter().filter(|Fired(at, bucket)| (at + phase) % bucket < SOON).count();
    // Of equals the first.
    (0..DELAYS).min_by_key(|phase| Reverse(fits(phase))).unwrap_or_default() * MSEC
}

fn fired(json: &Value, pace: &Pace) -> Vec<Fired> {
    let (mut found, mut began) = (Vec::new(), pace.before_steps_ms * 1000);
    for step in list(&json["steps"]) {
        let rows = list(&step["cap"]);
        for (i, row) in rows.iter().enumerate() {
            let Some(us) = row[0].as_u64().filter(|_| row[2] == "o") else { continue };
            let bucket = match row[4].as_str() {
                Some("nud") if asks(text(&json["frames"][row[3].as_u64().unwrap_or(0) as usize])) => DELAYS,
                Some("rtx") if rows[..i].iter().rev().any(|r| same(r, row) && after_a_second(r, us)) => REPEATS,
                _ => continue,
            };
            found.push(Fired((began + us) / 1000, bucket));
        }
        began += took(step) / 1000;
    }
    found
}

/// An ARP request.
fn asks(frame: &str) -> bool {
    frame.get(24..28) == Some("0806") && frame.get(40..44) == Some("0001")
}

fn same(a: &Value, b: &Value) -> bool {
    (1..4).all(|i| a[i] == b[i])
}

fn after_a_second(earlier: &Value, us: u64) -> bool {
    earlier[0].as_u64().is_some_and(|e| SECOND.contains(&(us - e.min(us))))
}
