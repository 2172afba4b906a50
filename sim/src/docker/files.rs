//! `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf` of containers (libnetwork etchosts, sandbox_dns_unix.go).

use std::net::Ipv4Addr;

use super::Docker;
use super::resolvconf::{self, Overrides, Transform};
use super::types::{Container, Mode, Network, Profile};
use crate::kernel::types::NetnsId;

const HEADER: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
const RESOLV: &str = "/etc/resolv.conf";
pub(super) const HOSTS: &str = "/etc/hosts";

impl Docker<'_> {
    /// Where a container's files are seen: in its own namespace, and in those of containers that share its network,
    /// which have them mounted wherever they are.
    fn mounts(&self, id: &str) -> Vec<NetnsId> {
        let own = self.c(id).netns;
        let sharers = self.e().containers.values().filter(|c| matches!(&c.mode, Mode::Container(of) if of == id));
        let mut all: Vec<NetnsId> = own.into_iter().chain(sharers.filter_map(|c| c.netns)).collect();
        all.dedup();
        all
    }

    pub(super) fn put_file(&mut self, id: &str, path: &str, text: &str) {
        for ns in self.mounts(id) {
            // Its root is there and has /etc.
            let _ = self.s.write_file(self.host, ns, path, text, false);
        }
    }

    pub(super) fn own_file(&self, id: &str, path: &str) -> Option<String> {
        let c = self.c(id);
        let ns = c.netns.filter(|_| !matches!(c.mode, Mode::Host | Mode::Container(_)))?;
        self.s.read_file(self.host, ns, path).ok()
    }

    /// The files of a container whose namespace was just made (`setupResolutionFiles`).
    pub(super) fn files_begin(&mut self, id: &str) {
        let c = self.c(id);
        self.put_file(id, HOSTS, &self.hosts_text(&c));
        self.put_file(id, "/etc/hostname", &format!("{}\n", c.hostname));
        self.write_resolv(id, Transform::None);
    }

    /// It joined a network with an address (`updateHostsFile`, `updateDNS`).
    pub(super) fn files_joined(&mut self, id: &str, ip: Ipv4Addr) {
        let c = self.c(id);
        if let Some(mut text) = self.own_file(id, HOSTS) {
            text.push_str(&format!("{ip}\t{}\n", own_names(&c)));
            self.put_file(id, HOSTS, &text);
        }
        // With the engine's server in it the file is no longer what its hash says, and stays.
        if c.resolver.is_none() {
            self.write_resolv(id, Transform::Legacy);
        }
    }

    /// It joined the network `none`.
    pub(super) fn files_unlinked(&mut self, id: &str) {
        self.write_resolv(id, Transform::Legacy);
    }

    /// The engine's name server starts in it (`rebuildDNS`).
    pub(super) fn files_resolver(&mut self, id: &str) {
        self.write_resolv(id, Transform::Internal);
    }

    /// It leaves a network: up to 27 every line goes that ends in a name of the network, and these may be its own
    /// names with other addresses (`etchosts.Delete`); then its address on it.
    pub(super) fn files_left(&mut self, id: &str, n: &Network, ip: Ipv4Addr) {
        let Some(text) = self.own_file(id, HOSTS) else { return };
        let goes: Box<dyn Fn(&str) -> bool> = if self.profile() == Profile::V20 {
            let own = self.c(id).name;
            let names: Vec<String> = self.names_on(n).into_iter().filter(|name| *name != own).collect();
            Box::new(move |l| l.split_once('\t').is_some_and(|(_, hosts)| names.iter().any(|n| n == hosts)))
        } else {
            let ip = ip.to_string();
            Box::new(move |l| l.split_once('\t').is_some_and(|(a, _)| a == ip))
        };
        let text: String = text.split_inclusive('\n').filter(|l| !goes(l.trim_end())).collect();
        self.put_file(id, HOSTS, &text);
    }

    /// Header, `--add-host` and links.
    fn hosts_text(&self, c: &Container) -> String {
        let (local, mcast) = match self.profile() {
            Profile::V20 => ("fe00::0", "ff00::0"),
            _ => ("fe00::", "ff00::"),
        };
        let mut t = format!(
            "{HEADER}{local}\tip6-localnet\n{mcast}\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
        );
        let docker0 = self.e().network("bridge").and_then(Network::gateway);
        for h in &c.extra_hosts {
            if let Some((name, ip)) = h.split_once([':', '=']) {
                let gw = docker0.map(|a| a.to_string()).unwrap_or_default();
                let ip = if ip == "host-gateway" { gw.as_str() } else { ip };
                t.push_str(&format!("{ip}\t{name}\n"));
            }
        }
        for line in &c.link_hosts {
            t.push_str(line);
        }
        t
    }

    /// It joins the default bridge: the file is written anew, with a line for each link (`Sandbox.AddHostsEntry`).
    pub(super) fn hosts_linked(&mut self, id: &str) {
        let c = self.c(id);
        let address = |of: &String| self.e().containers.get(of).and_then(|o| o.endpoints.get("bridge")?.ip);
        let line = |(of, alias): &(String, String)| {
            let ip = address(of)?;
            let o = self.c(of);
            let name = if *alias == o.name { String::new() } else { format!(" {}", o.name) };
            Some(format!("{ip}\t{alias} {}{name}\n", o.hostname))
        };
        let lines: Vec<String> = c.links.iter().filter_map(line).collect();
        if lines.is_empty() {
            return;
        }
        self.cm(id).link_hosts.extend(lines);
        self.hosts_again(id);
    }

    /// `/etc/hosts` as it is now, with the addresses of its interfaces.
    fn hosts_again(&mut self, id: &str) {
        let c = self.c(id);
        let mut text = self.hosts_text(&c);
        for ip in c.endpoints.values().filter(|e| e.dev.is_some()).filter_map(|e| e.ip) {
            text.push_str(&format!("{ip}\t{}\n", own_names(&c)));
        }
        self.put_file(id, HOSTS, &text);
    }

    /// Containers that have a link to this one learn its address (`updateParentHosts`).
    pub(super) fn links_follow(&mut self, id: &str) {
        let Some(ip) = self.c(id).endpoints.get("bridge").and_then(|e| e.ip) else { return };
        let linked = |c: &&Container| c.links.iter().any(|(of, _)| of == id);
        let parents: Vec<Container> = self.e().containers.values().filter(linked).cloned().collect();
        for parent in parents {
            let Some(text) = self.own_file(&parent.id, HOSTS) else { continue };
            let mut aliases = parent.links.iter().filter(|(of, _)| of == id).map(|(_, alias)| alias.as_str());
            let of_link = |l: &str| {
                let first = l.split_once('\t').and_then(|(_, names)| names.split_whitespace().next());
                first.is_some_and(|n| aliases.clone().any(|a| a == n))
            };
            let lines: String = text
                .split_inclusive('\n')
                .map(|l| match l.split_once('\t').filter(|_| of_link(l)) {
                    Some((_, names)) => format!("{ip}\t{names}"),
                    None => l.to_owned(),
                })
                .collect();
            if aliases.next().is_some() && lines != text {
                self.put_file(&parent.id, HOSTS, &lines);
            }
        }
    }

    /// The file that a container's is made from: where systemd-resolved serves the host, and the engine's server does
    /// not serve the container, that of systemd-resolved (`resolvconf.Path`).
    fn resolv_source(&self, c: &Container) -> (&'static str, String) {
        const SYSTEMD: &str = "/run/systemd/resolve/resolv.conf";
        let read = |path: &str| self.s.read_file(self.host, self.ns(), path).unwrap_or_default();
        let text = read(RESOLV);
        let own = c.mode == Mode::Networks && !matches!(c.network_mode.as_str(), "bridge" | "default");
        if !own && c.mode != Mode::Host && resolvconf::servers(&text) == ["127.0.0.53"] {
            return (SYSTEMD, read(SYSTEMD));
        }
        (RESOLV, text)
    }

    /// The files that a container on the host's network has in place of the host's, where options ask for any.
    pub fn host_mode_files(&self, id: &str) -> Vec<(&'static str, String)> {
        let c = self.c(id);
        let mut out = Vec::new();
        if c.mode != Mode::Host {
            return out;
        }
        if c.hostname != self.s.kernel.host(self.host).name {
            out.push(("/etc/hostname", format!("{}\n", c.hostname)));
        }
        if !c.extra_hosts.is_empty() {
            out.push((HOSTS, self.hosts_text(&c)));
        }
        // What the daemon was told is for all of its containers.
        let d = &self.e().config;
        let own = [&c.dns, &c.dns_search, &c.dns_opts].iter().any(|l| !l.is_empty());
        if own || [&d.dns, &d.dns_search, &d.dns_opts].iter().any(|l| !l.is_empty()) {
            out.push((RESOLV, self.resolv_text(id, Transform::None)));
        }
        out
    }

    fn write_resolv(&mut self, id: &str, how: Transform) {
        let text = self.resolv_text(id, how);
        self.put_file(id, RESOLV, &text);
    }

    fn resolv_text(&self, id: &str, how: Transform) -> String {
        let c = self.c(id);
        let (path, host) = self.resolv_source(&c);
        let d = &self.e().config;
        let pick = |own: &[String], daemon: &[String]| if own.is_empty() { daemon.to_vec() } else { own.to_vec() };
        let over = Overrides {
            servers: pick(&c.dns, &d.dns),
            search: pick(&c.dns_search, &d.dns_search),
            options: pick(&c.dns_opts, &d.dns_opts),
        };
        match (self.profile(), how) {
            (Profile::V20, Transform::None) => resolvconf::filtered(&host, &over, false),
            (Profile::V20, Transform::Legacy) => resolvconf::filtered(&host, &over, true),
            (Profile::V20, Transform::Internal) => resolvconf::rebuilt(&self.own_file(id, RESOLV).unwrap_or_default()),
            _ => resolvconf::generated(path, &host, &over, how),
        }
    }
}

/// A path of a container's that its engine mounts, or the folder of those.
pub(super) fn is_mounted(path: &str) -> bool {
    matches!(path, "/etc" | HOSTS | RESOLV | "/etc/hostname")
}

/// The hostname, and where it has a domain the part before as well.
fn own_names(c: &Container) -> String {
    let full = if c.domain.is_empty() { c.hostname.clone() } else { format!("{}.{}", c.hostname, c.domain) };
    match full.split_once('.') {
        Some((first, _)) => format!("{full} {first}"),
        None => full,
    }
}
