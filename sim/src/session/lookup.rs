//! Looking names up, as the C library of the namespace's programs does it: `/etc/hosts`, then the DNS.

use std::net::Ipv4Addr;

use super::Session;
use crate::app::Program;
use crate::app::dns::{Habit, How, Lookup, ResolvConf, Resolved, in_hosts};
use crate::app::probe::{Probe, ProbeKind, ProbeReport};
use crate::kernel::types::{HostId, Nanos, NetnsId};
use crate::trace::Outcome;

/// Why a name has no address (`getaddrinfo(3)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoName {
    /// `EAI_NONAME`: every server that was asked says so.
    Unknown,
    /// `EAI_AGAIN`: no server answered.
    Again,
}

impl NoName {
    /// The sentence of `gai_strerror(3)`.
    pub fn text(self) -> &'static str {
        match self {
            NoName::Unknown => "Name or service not known",
            NoName::Again => "Temporary failure in name resolution",
        }
    }
}

impl ProbeReport {
    /// What a look-up found, as the probe that follows tells it; none where no name was looked up.
    pub(super) fn resolved(&self) -> Option<Resolved> {
        let how = self.how.as_ref()?;
        let mut all = self.addrs.clone()?;
        let addr = all.first()?.clone();
        all.sort();
        Some(Resolved { addr, all, via: how.via, server: how.queries.last().map(|q| q.server.clone()) })
    }
}

impl Session {
    /// `/etc/resolv.conf` as the programs of a namespace see it. A host without one asks itself.
    pub fn resolv_conf(&self, host: HostId, ns: NetnsId) -> ResolvConf {
        ResolvConf::parse(&self.read_file(host, ns, "/etc/resolv.conf").unwrap_or_default())
    }

    /// The same as the C library reads it: without a search list it searches the domain of the host's own name
    /// (`res_vinit`).
    fn libc_conf(&self, host: HostId, ns: NetnsId) -> ResolvConf {
        let mut conf = self.resolv_conf(host, ns);
        let text = self.read_file(host, ns, "/etc/resolv.conf").unwrap_or_default();
        if !text.lines().any(|l| matches!(l.split_whitespace().next(), Some("search" | "domain"))) {
            let name = self.read_file(host, ns, "/etc/hostname").unwrap_or_default();
            conf.search = name.trim().split_once('.').map(|(_, d)| d.to_owned()).into_iter().collect();
        }
        conf
    }

    /// What is known of a name without asking anybody: it is an address, or stands in `/etc/hosts`.
    pub fn known(&self, host: HostId, ns: NetnsId, name: &str) -> Option<Ipv4Addr> {
        if let Ok(a) = name.parse() {
            return Some(a);
        }
        in_hosts(&self.read_file(host, ns, "/etc/hosts").unwrap_or_default(), name).first().copied()
    }

    /// The address of a name, as a program of a namespace finds it. Asks name servers over the network, which takes
    /// time.
    ///
    /// # Errors
    /// The name has no address, or nobody could be asked.
    pub fn lookup(
        &mut self,
        host: HostId,
        ns: NetnsId,
        name: &str,
        deadline: Option<Nanos>,
    ) -> Result<Ipv4Addr, NoName> {
        if let Some(a) = self.known(host, ns, name) {
            return Ok(a);
        }
        let conf = self.libc_conf(host, ns);
        let r = self.ask_dns(host, ns, Lookup::name(name, &conf, Habit::Libc), deadline);
        let found = r.0.addrs.as_deref().and_then(|a| a.first()?.parse().ok());
        found.ok_or(if r.1 == 2 { NoName::Unknown } else { NoName::Again })
    }

    /// Runs a look-up to its end: its report and its exit status.
    pub fn ask_dns(
        &mut self,
        host: HostId,
        ns: NetnsId,
        lookup: Lookup,
        deadline: Option<Nanos>,
    ) -> (ProbeReport, i32) {
        self.refresh_overlay_names();
        let pid = self.new_pid(host, ns, "getaddrinfo");
        let app = self.spawn(host, ns, pid, "getaddrinfo", Program::Lookup(lookup));
        self.run_until_exit(app, deadline);
        self.pid_gone(pid);
        let a = self.apps.get(app);
        (a.report.clone(), a.exit.unwrap_or(3))
    }

    /// Two look-ups at the same time, whose answers nobody reads.
    pub(crate) fn ask_dns_twice(&mut self, host: HostId, ns: NetnsId, lookups: [Lookup; 2]) {
        self.refresh_overlay_names();
        let pid = self.new_pid(host, ns, "getaddrinfo");
        for app in lookups.map(|l| self.spawn(host, ns, pid, "getaddrinfo", Program::Lookup(l))) {
            self.run_until_exit(app, None);
        }
        self.pid_gone(pid);
    }

    /// The look-up of a probe: of its target's name, or, for a `dns` probe, of what it asks.
    pub(super) fn probe_lookup(&mut self, host: HostId, ns: NetnsId, probe: &Probe, sport: u16) -> ProbeReport {
        let found = |a: Ipv4Addr, how| ProbeReport {
            outcome: Some(Outcome::Reply),
            addrs: Some(vec![a.to_string()]),
            how,
            ..Default::default()
        };
        let conf = self.resolv_conf(host, ns);
        let habit = Habit::Probe(sport);
        let lookup = if probe.ptr {
            Lookup::reversed(&probe.target, &conf, habit)
        } else {
            if let Some(a) = self.known(host, ns, &probe.target) {
                let file = probe.target.parse::<Ipv4Addr>().is_err();
                return found(a, file.then(|| How { via: "hosts", queries: Vec::new() }));
            }
            Lookup::name(&probe.target, &conf, habit)
        };
        let mut r = self.ask_dns(host, ns, lookup, None).0;
        if probe.kind == ProbeKind::Dns {
            r.addrs.get_or_insert_default().sort();
        }
        r
    }
}
