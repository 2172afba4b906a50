//! Looking at what happens.

use super::{About, Check, Group};
use crate::watch::tracepoints::{Symbols, Watch};

const ROOT: &str = "run as root of the machine";

/// What is tried in a namespace of our own.
pub fn inside() -> Vec<Check> {
    let capture = About {
        group: Group::Watching,
        what: "AF_PACKET",
        costs: "frames of every device",
        remedy: "a kernel with CONFIG_PACKET; in a container, allow CAP_NET_RAW",
    };
    // ETH_P_ALL, every device of the namespace.
    vec![capture.tried(crate::sys::packet_socket(3, 0).map(|_| String::new()))]
}

/// Tracepoints are the machine's, whatever namespace one is in. Where they can be watched at all: whether a timer that
/// fires while nothing runs is heard of.
pub fn tracepoints() -> Vec<Check> {
    let about = About {
        group: Group::Watching,
        what: "tracepoints (tracefs, perf)",
        costs: "why and where a packet was dropped; routing look-ups; neighbour changes",
        remedy: "run as root of the machine, with CONFIG_FTRACE and CONFIG_PERF_EVENTS",
    };
    let idle = About {
        group: Group::Watching,
        what: "tracepoints of idle CPUs",
        costs: "such a CPU is kept busy while a scenario runs; where we may not run on it, what a timer does there",
        remedy: "perf of this kernel has lost them: reboot the machine",
    };
    match Watch::start() {
        Err(e) => vec![about.tried(Err(e))],
        Ok(w) => {
            let cpus: Vec<String> = w.idle().unheard.iter().map(u32::to_string).collect();
            let deaf = || format!("perf tells nothing of the idle task of CPU {}", cpus.join(", "));
            let heard = if cpus.is_empty() { Ok(String::new()) } else { Err(deaf()) };
            vec![about.tried(Ok::<_, &str>(String::new())), idle.tried(heard)]
        }
    }
}

/// Addresses of functions.
pub fn symbols() -> Check {
    let about = About {
        group: Group::Watching,
        what: "kernel symbols",
        costs: "the function that dropped a packet; its reason is still compared",
        remedy: ROOT,
    };
    let known = Symbols::read().known();
    about.tried(if known { Ok(String::new()) } else { Err("/proc/kallsyms shows no addresses") })
}
