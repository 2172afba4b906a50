//! Processors that are kept from going idle: on a machine where perf tells nothing of an idle task, what a timer does
//! is in a busy one's name instead, and is heard.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::sys;

/// Threads that do nothing but keep a processor each from going idle; they run only where nobody else wants to
/// (`SCHED_IDLE`), until this goes.
pub struct Awake {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    kept: Vec<u32>,
}

impl Awake {
    /// Keeps these processors from going idle, from now on.
    #[must_use]
    pub fn keep<'a>(cpus: impl IntoIterator<Item = &'a u32>) -> Awake {
        let stop = Arc::new(AtomicBool::new(false));
        let (begun, all) = channel();
        let threads = cpus
            .into_iter()
            .map(|&cpu| {
                let (stop, begun) = (Arc::clone(&stop), begun.clone());
                thread::spawn(move || stay(cpu, &stop, begun))
            })
            .collect();
        drop(begun);
        Awake { stop, threads, kept: all.iter().collect() }
    }

    /// Those that it could be done for: a processor may be forbidden to us (`cpuset`).
    #[must_use]
    pub fn kept(&self) -> &[u32] {
        &self.kept
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for t in self.threads.drain(..) {
            if let Err(p) = t.join() {
                std::panic::resume_unwind(p);
            }
        }
    }
}

/// Runs on a processor until told to stop; tells when it does.
fn stay(cpu: u32, stop: &AtomicBool, begun: Sender<u32>) {
    let mut only = CpuSet::new();
    let there = only.set(cpu as usize).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    if there.is_err() || sys::only_when_idle().is_err() {
        return;
    }
    // Who asked waits for it.
    let _ = begun.send(cpu);
    drop(begun);
    while !stop.load(Ordering::Acquire) {
        hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Hundredths of seconds that a processor was idle (`/proc/stat`).
    fn idle(cpu: &str) -> u64 {
        let all = std::fs::read_to_string("/proc/stat").expect("proc(5)");
        let line = all.lines().find(|l| l.split_whitespace().next() == Some(cpu)).expect("its line");
        line.split_whitespace().nth(4).and_then(|n| n.parse().ok()).expect("its idle time")
    }

    #[test]
    fn a_processor_that_is_kept_awake_is_not_idle() {
        let awake = Awake::keep(&[0, 100_000]);
        // One that we may not run on, or that there is not, is not kept.
        let can = awake.kept() == [0];
        assert!(can || awake.kept().is_empty(), "{:?}", awake.kept());
        let before = idle("cpu0");
        thread::sleep(Duration::from_millis(300));
        let was = idle("cpu0") - before;
        assert!(!can || was <= 5, "idle for {was} of 30 hundredths of a second");
    }
}
