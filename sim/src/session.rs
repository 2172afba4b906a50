//! A world that the steps of a scenario run in, one by one.

pub mod lookup;
pub mod procs;
mod run;
pub mod topology;
pub mod watch;

use indexmap::IndexMap;

use crate::FxBuild;
use crate::app::Apps;
use crate::kernel::Kernel;
use crate::kernel::types::{HostId, NetnsId};
use crate::shell::vfs::Vfs;
use crate::trace::Trace;

/// The kernels with a full trace, the applications on them, and the files of each host.
#[derive(Clone, Debug)]
pub struct Session {
    /// Kernels, clock and trace (`kernel.rec`).
    pub kernel: Kernel<Trace>,
    /// Programs that run: servers, listeners, pings under way.
    pub apps: Apps,
    /// Files of each host.
    pub files: IndexMap<HostId, Vfs, FxBuild>,
    /// Files of containers, by their namespace.
    pub roots: IndexMap<NetnsId, Vfs, FxBuild>,
    /// Version of the engines that are started.
    pub profile: crate::docker::Profile,
    /// Release of `iptables` on hosts: messages and the heads of listings tell it.
    pub iptables: &'static str,
    /// Images of the scenario's own, by name.
    pub images: IndexMap<String, crate::docker::images::Image, FxBuild>,
    /// Docker engines, by host.
    pub engines: IndexMap<HostId, crate::docker::Engine, FxBuild>,
    /// What engines share with each other: swarms, and stores of keys and values.
    pub clusters: Vec<crate::docker::overlay::cluster::Cluster>,
    /// Processes, by number.
    pub procs: procs::Procs,
    /// Index of the first event of the present step, and of the step before (for `tcpdump`).
    pub marks: Marks,
    /// Port or ICMP id of the next probe; each probe takes twenty.
    pub next_sport: u16,
    /// Hosts have IPv6, of which only the sockets of docker-proxy are known. Off in scenarios.
    pub v6: bool,
    /// Where background programs write to.
    outputs: Vec<watch::Output>,
    /// What they wrote to the terminal of a host and no step has shown: standard output and standard error.
    terminals: IndexMap<HostId, [String; 2], FxBuild>,
    /// Programs that wait for what comes.
    watchers: Vec<watch::Watcher>,
    /// Bound on the frames of a step.
    storm: run::Storm,
}

/// Where steps begin in the trace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// First event of the step before the present one.
    pub previous: usize,
    /// First event of the present step.
    pub present: usize,
}

impl Session {
    /// A world without hosts, with its dice.
    pub fn new(seed: u64) -> Self {
        Session {
            kernel: Kernel::new(seed, Trace::default()),
            apps: Apps::default(),
            files: IndexMap::default(),
            roots: IndexMap::default(),
            profile: crate::docker::Profile::default(),
            iptables: crate::command::iptables::RELEASE,
            images: IndexMap::default(),
            engines: IndexMap::default(),
            clusters: Vec::new(),
            procs: procs::Procs::default(),
            marks: Marks::default(),
            next_sport: 40_000,
            v6: false,
            outputs: Vec::new(),
            terminals: IndexMap::default(),
            watchers: Vec::new(),
            storm: run::Storm::default(),
        }
    }

    /// Hosts that are added have another release of `iptables`.
    pub fn set_iptables(&mut self, release: &'static str) {
        self.iptables = release;
        // Measured: 1.8.9 gives new base chains no counters, 1.8.13 does.
        let number = |v: &str| v.split('.').map(|n| n.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
        self.kernel.chains_count = number(release) > number(crate::command::iptables::RELEASE);
    }

    /// The namespace that a place names: a host, `HOST/ns:NAME`, `HOST/NAME` (a namespace of `ip netns` or a
    /// container), or the bare name of one that only one host has.
    ///
    /// # Errors
    /// The sentence to show where there is none, or more than one.
    pub fn place(&self, place: &str) -> Result<(HostId, NetnsId), String> {
        let k = &self.kernel;
        let hosts = || k.hosts.iter().enumerate().map(|(i, h)| (HostId(i as u32), h));
        if let Some((h, rest)) = place.split_once('/') {
            let (id, host) = hosts().find(|(_, x)| x.name == h).ok_or_else(|| format!("there is no host \"{h}\""))?;
            let name = rest.strip_prefix("ns:").unwrap_or(rest);
            let engine = self.engines.get(&id);
            let container = engine.and_then(|e| e.container(name)).and_then(|c| c.netns);
            let sandbox = engine.and_then(|e| e.sandbox_place(name));
            let ns = host.named.get(name).copied().or(container).or(sandbox);
            return Ok((
                id,
                ns.ok_or_else(|| format!("host \"{h}\" has no namespace or running container \"{name}\""))?,
            ));
        }
        if let Some((id, h)) = hosts().find(|(_, x)| x.name == place) {
            return Ok((id, h.root_ns));
        }
        // The switch is no host: its tools are the first one's.
        if place == topology::SWITCH
            && let Some(i) = k.netns.iter().position(|n| n.is_switch)
        {
            return Ok((HostId(0), NetnsId(i as u32)));
        }
        let container = |id| self.engines.get(&id).and_then(|e| e.containers.values().find(|c| c.name == place)?.netns);
        let there =
            |(id, h): (HostId, &crate::kernel::netns::Host)| Some((id, h.named.get(place).copied().or(container(id))?));
        let all: Vec<_> = hosts().filter_map(there).collect();
        match all.as_slice() {
            [one] => Ok(*one),
            [] if hosts().any(|(id, _)| self.engines.get(&id).is_some_and(|e| e.container(place).is_some())) => {
                Err(format!("container \"{place}\" does not run"))
            }
            [] => Err(format!("there is no host, namespace or running container \"{place}\"")),
            _ => Err(format!("more than one host has a \"{place}\": say HOST/{place}")),
        }
    }
}
