//! The kernel's clocks: which tick it is.

use nix::time::{ClockId, clock_getres, clock_gettime};
use serde_json::{Value, json};

/// `CLOCK_MONOTONIC` in nanoseconds.
pub fn monotonic() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| (t.tv_sec() * 1_000_000_000 + t.tv_nsec()).cast_unsigned())
}

/// The timer wheel: the length of a tick, and what makes nanoseconds since the jiffies were 0 of `CLOCK_MONOTONIC`. None
/// where `/proc/timer_list` cannot be read, which takes real root; the model's timers are exact then, and may differ
/// from the kernel's by an eighth.
///
/// Ticks are at multiples of their length (`tick_init_jiffy_update`).
pub fn wheel() -> Option<Value> {
    let text = std::fs::read_to_string("/proc/timer_list").ok()?;
    let number = |key: &str, after: &str| -> Option<u64> {
        let line = text.lines().find(|l| l.trim_start().starts_with(key))?;
        line.split_once(after)?.1.split_whitespace().next()?.parse().ok()
    };
    let (now, jiffies) = (number("now at", "now at")?, number("jiffies:", "jiffies:")?);
    // The coarse clocks go with the tick.
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).ok()?.tv_nsec().cast_unsigned();
    Some(json!({"tick_ns": tick, "offset_ns": jiffies.checked_sub(now / tick)? * tick}))
}
