//! Which processes descend from us, and which network namespaces they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A process: number, parent, state, name.
struct Process {
    pid: u32,
    parent: u32,
    zombie: bool,
    name: String,
}

/// `/proc/PID/stat`: the name stands in brackets and may hold anything.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = (stat.find('(')?, stat.rfind(')')?);
    let mut words = stat[rest + 1..].split_whitespace();
    let zombie = words.next()? == "Z";
    Some(Process { pid, parent: words.next()?.parse().ok()?, zombie, name: stat[head + 1..rest].to_owned() })
}

fn pids() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// The processes that descend from this one, by number, with their names. Where one loses its parent it becomes a child
/// of this one (`PR_SET_CHILD_SUBREAPER`), so that none gets lost.
pub fn descendants() -> BTreeMap<u32, String> {
    let all: Vec<Process> = pids().filter_map(process).collect();
    let mut known = BTreeSet::from([std::process::id()]);
    loop {
        let more: Vec<u32> =
            all.iter().filter(|p| known.contains(&p.parent) && !known.contains(&p.pid)).map(|p| p.pid).collect();
        if more.is_empty() {
            break;
        }
        known.extend(more);
    }
    known.remove(&std::process::id());
    all.into_iter().filter(|p| known.contains(&p.pid) && !p.zombie).map(|p| (p.pid, p.name)).collect()
}

/// Names of the threads of those processes.
pub fn threads() -> Vec<String> {
    let of = |pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let all = descendants().into_keys().flat_map(of);
    all.filter_map(|t| Some(fs::read_to_string(t.path().join("comm")).ok()?.trim_end().to_owned())).collect()
}

/// The network namespaces that some processes are in or hold open, by inode number.
pub fn namespaces(of: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for pid in of {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let inside = threads.map(|t| t.path().join("ns/net"));
        let held = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|f| f.path());
        let links = inside.chain(held).filter_map(|p| fs::read_link(p).ok()?.into_os_string().into_string().ok());
        found.extend(links.filter(|l| l.starts_with("net:[")));
    }
    found
}

/// The network namespaces that any process of the machine is in or holds open.
pub fn all_namespaces() -> BTreeSet<String> {
    namespaces(pids())
}
