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
/// How often that is done again where a processor was too busy to be idle.
const ROUNDS: usize = 8;
/// Room for what a processor does meanwhile.
const RING: usize = 1 << 16;

/// Where every event has the number of the task that ran (`struct trace_entry`): 0 is idle.
const COMMON_PID: usize = 4;

/// Processors by what is known of their idle task.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    /// Perf does not hear it: they were seen to go idle, and were not heard to be.
    pub unheard: Vec<u32>,
    /// They had no time to be idle.
    pub unknown: Vec<u32>,
}

/// Looks whether perf hears idle tasks.
pub fn look(format: &Format) -> Idle {
    let Ok(rings) = ring::open(format.id, RING) else { return Idle::default() };
    let mut all: Vec<Processor> =
        rings.into_iter().map(|(cpu, ring)| Processor { cpu, ring, went: 0, was: 0 }).collect();
    for _ in 0..ROUNDS {
        thread::scope(|s| {
            for p in all.iter().filter(|p| !p.known()) {
                let cpu = p.cpu;
                s.spawn(move || wake(cpu));
            }
        });
        all.iter_mut().for_each(|p| p.hear(format));
        if all.iter().all(Processor::known) {
            break;
        }
    }
    let those = |which: fn(&Processor) -> bool| all.iter().filter(|p| which(p)).map(|p| p.cpu as u32).collect();
    let out = Idle { unheard: those(|p| p.known() && p.was == 0), unknown: those(|p| !p.known()) };
    ring::let_go(all.into_iter().map(|p| p.ring).collect());
    out
}

/// A processor, and what was heard of it.
struct Processor {
    cpu: usize,
    ring: Ring,
    /// How often a task left it idle.
    went: usize,
    /// How often its idle task left it.
    was: usize,
}

impl Processor {
    /// Was enough heard? It may have been idle already when the first event was.
    fn known(&self) -> bool {
        self.was > 0 || self.went > 1
    }

    fn hear(&mut self, format: &Format) {
        let (mut went, mut was) = (0, 0);
        self.ring.drain(
            0,
            |_| true,
            |s| {
                let task = s.raw.get(COMMON_PID..).and_then(|b| b.first_chunk()).map(|b| u32::from_ne_bytes(*b));
                was += usize::from(task == Some(0));
                went += usize::from(format.u32(&s, "next_pid") == 0);
            },
        );
        self.went += went;
        self.was += was;
    }
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
