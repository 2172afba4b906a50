//! Whether perf tells what the idle task of a processor does: a timer that fires while nothing runs is in its name.
//!
//! A machine was seen on which perf tells nothing of one processor's (no tracepoint, in no context). What is missing
//! there is missing of the kernel's side of a comparison, so it must be known.

use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use super::format::Format;
use super::ring::{self, Ring};

/// What tells of a processor that goes idle, and of one that does so no more. Both are told by the task that leaves.
pub const SWITCH: &str = "sched/sched_switch";

/// How often each processor is woken, and how long it is left alone before.
const TIMES: usize = 8;
const ALONE: Duration = Duration::from_micros(400);
/// Room for what a processor does meanwhile.
const RING: usize = 1 << 16;

/// Where every event has the number of the task that ran (`struct trace_entry`): 0 is idle.
const COMMON_PID: usize = 4;

/// The processors whose idle task perf does not hear: they were seen to go idle, and were not heard to be. One that has
/// no time to be idle is not told of.
pub fn unheard(format: &Format) -> Vec<u32> {
    let Ok(rings) = ring::open(format.id, RING) else { return Vec::new() };
    thread::scope(|s| {
        for (cpu, _) in &rings {
            s.spawn(|| wake(*cpu));
        }
    });
    let (mut out, mut closed) = (Vec::new(), Vec::new());
    for (cpu, mut ring) in rings {
        if deaf(&mut ring, format) {
            out.push(cpu as u32);
        }
        closed.push(ring);
    }
    ring::let_go(closed);
    out
}

/// Lets this thread's processor go idle some times. One that we may not run on stays as it is.
fn wake(cpu: usize) {
    let mut only = CpuSet::new();
    if only.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only)).is_ok() {
        for _ in 0..TIMES {
            thread::sleep(ALONE);
        }
    }
}

fn deaf(ring: &mut Ring, format: &Format) -> bool {
    let (mut went, mut was) = (0, 0);
    ring.drain(
        0,
        |_| true,
        |s| {
            let task = s.raw.get(COMMON_PID..).and_then(|b| b.first_chunk()).map(|b| u32::from_ne_bytes(*b));
            was += usize::from(task == Some(0));
            went += usize::from(format.u32(&s, "next_pid") == 0);
        },
    );
    // The first of them may have begun before the ring was there.
    went > 1 && was == 0
}
