//! Published ports: forms of `-p`, the choice of host ports, rules, docker-proxy (libnetwork portallocator, portmapper).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Docker;
use super::rules::{self, PortRules};
use super::types::{Bound, Container, Network, Profile, Publish};
use crate::app::Program;
use crate::app::proxy::Proxy;
use crate::kernel::types::Errno;

/// The kernel's range of ports, from which the engine chooses.
const DYNAMIC: (u16, u16) = (32768, 60999);
/// How often a port of its own choice may turn out to be taken.
const TRIES: usize = 10;

/// Reads `-p` (go-connections `nat.ParsePortSpec`): ranges become one entry each.
///
/// # Errors
/// The command line's words.
pub fn parse(text: &str) -> Result<Vec<Publish>, String> {
    if text.contains('=') {
        return parse(&short_form(text)?);
    }
    let (ip, host, port) = split(text);
    // What follows a second slash is not looked at (nat.SplitProtoPort).
    let mut parts = port.split('/');
    let (port, typed) = (parts.next().unwrap_or(""), parts.next().filter(|p| !p.is_empty()).unwrap_or("tcp"));
    let proto = typed.to_lowercase();
    if port.is_empty() {
        return Err(format!("No port specified: {text}<empty>"));
    }
    if ip.contains(':') && !ip.starts_with('[') {
        // As Go's net.SplitHostPort sees it.
        return Err(format!("Invalid ip address {ip}: address {ip}:: too many colons in address"));
    }
    let host_ip = match ip.trim_matches(['[', ']']) {
        "" => None,
        a => Some(a.parse::<IpAddr>().map_err(|_| format!("Invalid ip address: {a}"))?),
    };
    let (a, b) = range(port).ok_or_else(|| format!("Invalid containerPort: {port}"))?;
    let hosts =
        if host.is_empty() { None } else { Some(range(host).ok_or_else(|| format!("Invalid hostPort: {host}"))?) };
    if !matches!(proto.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("Invalid proto: {typed}"));
    }
    let one = |port, host_ports| Publish { host_ip, host_ports, port, proto: proto.clone() };
    match hosts {
        Some((x, y)) if y - x != b - a => {
            if a != b {
                return Err(format!("Invalid ranges specified for container and host Ports: {port} and {host}"));
            }
            Ok(vec![one(a, Some((x, y)))])
        }
        // Port 0 is any.
        Some((0, 0)) => Ok(vec![one(a, None)]),
        Some((x, _)) => Ok((a..=b).map(|p| one(p, Some((x + (p - a), x + (p - a))))).collect()),
        None => Ok((a..=b).map(|p| one(p, None)).collect()),
    }
}

/// `published=8080,target=80,protocol=tcp` as `8080:80/tcp` (docker/cli `convertToStandardNotation`).
fn short_form(text: &str) -> Result<String, String> {
    let (mut published, mut target, mut protocol) = ("", "", "tcp");
    for part in text.split(',') {
        match part.split_once('=').filter(|(k, _)| !k.is_empty()) {
            Some(("published", v)) => published = v,
            Some(("target", v)) => target = v,
            Some(("protocol", v)) => protocol = v,
            Some(_) => {}
            None => return Err(format!("invalid publish opts format (should be name=value but got '{part}')")),
        }
    }
    Ok(format!("{published}:{target}/{protocol}"))
}

fn split(t: &str) -> (&str, &str, &str) {
    let (rest, port) = t.rsplit_once(':').unwrap_or(("", t));
    match rest.rsplit_once(':') {
        Some((ip, host)) => (ip, host, port),
        None => ("", rest, port),
    }
}

fn range(t: &str) -> Option<(u16, u16)> {
    let (a, b) = t.split_once('-').unwrap_or((t, t));
    let (a, b) = (a.parse().ok()?, b.parse().ok()?);
    (a <= b).then_some((a, b))
}

/// A port of a container with what is published of it: port, protocol, bindings.
pub type Ported = (u16, String, Vec<Publish>);

/// The exposed ports in the order in which an engine goes through them (go-connections `nat.SortPortMap`): by host
/// port and by port, both from high to low. That is no order where the two disagree; then the order of Go's map
/// decides, which is random: here it is the order given.
pub fn ordered(c: &Container) -> Vec<Ported> {
    let mut list: Vec<(u16, String, Option<Publish>)> = Vec::new();
    for e in &c.exposed {
        let (port, proto) = e.split_once('/').unwrap_or((e, "tcp"));
        let port = port.parse().unwrap_or(0);
        let own: Vec<&Publish> = c.publish.iter().filter(|p| p.port == port && p.proto == proto).collect();
        list.extend(own.iter().map(|p| (port, proto.to_owned(), Some((*p).clone()))));
        if own.is_empty() {
            list.push((port, proto.to_owned(), None));
        }
    }
    let host = |p: &Option<Publish>| p.as_ref().and_then(|p| p.host_ports).filter(|(a, b)| a == b).map_or(0, |h| h.0);
    let before = |a: &(u16, String, Option<Publish>), b: &(u16, String, Option<Publish>)| {
        host(&a.2) > host(&b.2) || a.0 > b.0 || (a.0 == b.0 && a.1 == "tcp")
    };
    // Go's insertion sort, whose result depends on such a comparison.
    for i in 1..list.len() {
        let mut j = i;
        while j > 0 && before(&list[j], &list[j - 1]) {
            list.swap(j, j - 1);
            j -= 1;
        }
    }
    let mut out: Vec<Ported> = Vec::new();
    for (port, proto, binding) in list {
        match out.iter_mut().find(|o| o.0 == port && o.1 == proto) {
            Some(o) => o.2.extend(binding),
            None => out.push((port, proto, binding.into_iter().collect())),
        }
    }
    out
}

/// One address to bind a port on.
struct Want {
    ip: IpAddr,
    spec: Publish,
}

impl Docker<'_> {
    /// What a container asks for: `-p`, and with `-P` all that is exposed.
    fn wanted(&self, c: &Container) -> Vec<Publish> {
        let mut out = Vec::new();
        for (port, proto, bindings) in ordered(c) {
            if c.publish_all && bindings.is_empty() {
                out.push(Publish { host_ip: None, host_ports: None, port, proto });
            } else {
                out.extend(bindings);
            }
        }
        if self.profile() != Profile::V20 {
            // Exact ports before ranges; those that differ in the host's address alone side by side
            // (`cmpPortBindingReqs`).
            let proto = |p: &Publish| ["tcp", "udp"].iter().position(|x| *x == p.proto).unwrap_or(2);
            let range = |p: &Publish| p.host_ports.is_none_or(|(a, b)| a != b);
            out.sort_by_key(|p| (range(p), p.port, proto(p), p.host_ports, p.host_ip));
        }
        out
    }

    /// Publishes a container's ports on its gateway endpoint.
    pub(super) fn publish(&mut self, id: &str, endpoint: &str, n: &Network) -> Result<(), String> {
        let c = self.c(id);
        let Some(e) = c.endpoints.get(endpoint) else { return Ok(()) };
        let Some(ip) = e.ip else { return Ok(()) };
        // They may be there already; else they move.
        self.unpublish(id);
        // Since 28 wishes that differ in the host's address alone get one port (`needSamePort`).
        let alike = |a: &Publish, b: &Publish| a.port == b.port && a.proto == b.proto && a.host_ports == b.host_ports;
        let (mut same, mut before): (Option<u16>, Option<Publish>) = (None, None);
        for p in self.wanted(&c) {
            if !before.as_ref().is_some_and(|b| alike(b, &p)) {
                same = None;
            }
            before = Some(p.clone());
            if let Err(why) = self.publish_one(id, n, ip, &p, &mut same) {
                self.unpublish(id);
                return Err(self.outside_failed(id, endpoint, &why));
            }
        }
        Ok(())
    }

    fn host_ips(&self, n: &Network, p: &Publish) -> Vec<IpAddr> {
        if let Some(ip) = p.host_ip {
            return vec![ip];
        }
        let default = n.opt("host_binding_ipv4").and_then(|v| v.parse::<Ipv4Addr>().ok());
        match default.filter(|a| !a.is_unspecified()) {
            Some(a) => vec![a.into()],
            // Only docker-proxy brings what comes by IPv6 to a container without it.
            None if !self.e().config.userland_proxy => vec![Ipv4Addr::UNSPECIFIED.into()],
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        }
    }

    fn publish_one(
        &mut self,
        id: &str,
        n: &Network,
        ip: Ipv4Addr,
        p: &Publish,
        same: &mut Option<u16>,
    ) -> Result<(), String> {
        let routed = self.net_rules(n).routed;
        if self.profile() == Profile::V20 {
            *same = None;
        }
        for host_ip in self.host_ips(n, p) {
            // The mode is of IPv4: what comes by IPv6 is docker-proxy's.
            if routed && host_ip.is_ipv4() {
                let b = Bound { host_ip, host_port: 0, port: p.port, proto: p.proto.clone(), proxy: None };
                self.cm(id).bound.push(b.clone());
                self.program(n, ip, &b)?;
                continue;
            }
            let mut spec = p.clone();
            if let Some(port) = same.filter(|_| self.profile() != Profile::V20) {
                // Two sockets may be bound to one address and port, but only one of them listens.
                let twice = |b: &Bound| b.host_ip == host_ip && b.host_port == port && b.proto == p.proto;
                if p.host_ports.is_none() && self.c(id).bound.iter().any(twice) {
                    return Err("failed to listen on TCP socket: address already in use".into());
                }
                spec.host_ports = Some((port, port));
            }
            let b = self.bind(&Want { ip: host_ip, spec }, ip)?;
            *same = Some(b.host_port);
            self.cm(id).bound.push(b.clone());
            self.program(n, ip, &b)?;
        }
        Ok(())
    }

    /// Chooses a port and takes its socket.
    fn bind(&mut self, w: &Want, ip: Ipv4Addr) -> Result<Bound, String> {
        let fixed = w.spec.host_ports.is_some_and(|(a, b)| a == b);
        let mut tries = 0;
        loop {
            let port = self.choose(w)?;
            // The kernel has no such sockets.
            if w.spec.proto == "sctp" {
                return Err(match self.profile() {
                    Profile::V20 => "Error starting userland proxy: protocol not supported".to_owned(),
                    _ => {
                        let at = w.ip;
                        format!(
                            "error starting userland proxy: failed to listen on {at}:{port}: protocol not supported"
                        )
                    }
                });
            }
            match self.take_socket(w, port, ip) {
                Ok(proxy) => {
                    let (port_in, proto) = (w.spec.port, w.spec.proto.clone());
                    return Ok(Bound { host_ip: w.ip, host_port: port, port: port_in, proto, proxy });
                }
                Err(e) => {
                    tries += 1;
                    if fixed || tries >= TRIES {
                        return Err(self.bind_error(w, port, ip, e));
                    }
                }
            }
        }
    }

    fn bind_error(&self, w: &Want, port: u16, ip: Ipv4Addr, e: Errno) -> String {
        let why = match e {
            Errno::EADDRNOTAVAIL => "cannot assign requested address",
            _ => "address already in use",
        };
        let (host, proto, to) = (w.ip, &w.spec.proto, w.spec.port);
        match self.profile() {
            Profile::V20 => {
                format!("Error starting userland proxy: listen {proto}4 {host}:{port}: bind: {why}")
            }
            Profile::V28 => format!("failed to bind host port for {host}:{port}:{ip}:{to}/{proto}: {why}"),
            Profile::V29 => format!("failed to bind host port {host}:{port}/{proto}: {why}"),
        }
    }

    /// `portallocator.RequestPortInRange`.
    fn choose(&mut self, w: &Want) -> Result<u16, String> {
        let (from, to) = w.spec.host_ports.unwrap_or(DYNAMIC);
        if from == to {
            return match self.holder(w, from) {
                None => Ok(from),
                Some(ip) => Err(format!("Bind for {ip}:{from} failed: port is already allocated")),
            };
        }
        let key = (w.ip, format!("{}/{from}-{to}", w.spec.proto));
        let start = self.e().next_port.get(&key).copied().filter(|p| (from..=to).contains(p)).unwrap_or(from);
        let free = (start..=to).chain(from..start).find(|p| self.holder(w, *p).is_none());
        let Some(p) = free else {
            return Err("all ports are allocated".to_owned());
        };
        self.em().next_port.insert(key, if p == to { from } else { p + 1 });
        Ok(p)
    }

    /// The address for which the engine itself holds a port already.
    fn holder(&self, w: &Want, port: u16) -> Option<IpAddr> {
        let all = self.e().containers.values().flat_map(|c| &c.bound);
        let mut same = all.filter(|b| b.host_port == port && b.proto == w.spec.proto);
        let cross = self.profile() != Profile::V20;
        let meets = |b: &Bound| {
            let family = b.host_ip.is_ipv4() == w.ip.is_ipv4();
            b.host_ip == w.ip || (cross && family && (b.host_ip.is_unspecified() || w.ip.is_unspecified()))
        };
        same.find(|b| meets(b)).map(|b| b.host_ip)
    }

    /// A port that was bound before the daemon went: its socket and its rules.
    pub(super) fn bind_again(&mut self, n: &Network, ip: Ipv4Addr, mut b: Bound) -> Result<Bound, String> {
        let routed = self.net_rules(n).routed && b.host_ip.is_ipv4();
        if !routed {
            let one = Some((b.host_port, b.host_port));
            let spec = Publish { host_ip: Some(b.host_ip), host_ports: one, port: b.port, proto: b.proto.clone() };
            let want = Want { ip: b.host_ip, spec };
            b.proxy =
                self.take_socket(&want, b.host_port, ip).map_err(|e| self.bind_error(&want, b.host_port, ip, e))?;
        }
        self.program(n, ip, &b)?;
        Ok(b)
    }

    /// docker-proxy, or a socket that only keeps the port. IPv6 sockets are not modelled: they are always had.
    fn take_socket(&mut self, w: &Want, port: u16, ip: Ipv4Addr) -> Result<Option<crate::app::AppId>, Errno> {
        let IpAddr::V4(host) = w.ip else { return Ok(None) };
        if w.spec.proto == "sctp" {
            return Ok(None);
        }
        let to = if self.e().config.userland_proxy { w.spec.port } else { 0 };
        let udp = w.spec.proto == "udp";
        let proxy = Proxy::new(udp, (host, port), (ip, to), self.profile() != Profile::V20);
        let ns = self.ns();
        let pid = self.s.new_pid(self.host, ns, "docker-proxy");
        let app = self.s.spawn(self.host, ns, pid, "docker-proxy", Program::Proxy(proxy));
        if self.s.apps.get(app).exit.is_none() {
            return Ok(Some(app));
        }
        self.s.pid_gone(pid);
        Err(match &self.s.apps.get(app).program {
            Some(Program::Proxy(p)) => p.failed.unwrap_or(Errno::EADDRINUSE),
            _ => Errno::EADDRINUSE,
        })
    }

    /// The rules of a port that is bound.
    fn port_calls(&self, n: &Network, ip: Ipv4Addr, b: &Bound) -> Vec<rules::Call> {
        let IpAddr::V4(host_ip) = b.host_ip else { return Vec::new() };
        if n.internal {
            return Vec::new();
        }
        let r = PortRules { proto: b.proto.clone(), host_ip, host_port: b.host_port, ip, port: b.port };
        rules::publish(self.profile(), &self.net_rules(n), &r)
    }

    fn program(&mut self, n: &Network, ip: Ipv4Addr, b: &Bound) -> Result<(), String> {
        let calls = self.port_calls(n, ip, b);
        self.calls(&calls)
    }

    /// Takes back all published ports of a container.
    pub(super) fn unpublish(&mut self, id: &str) {
        let bound = std::mem::take(&mut self.cm(id).bound);
        if bound.is_empty() {
            return;
        }
        let c = self.c(id);
        for b in bound {
            for e in c.endpoints.values() {
                if let (Some(n), Some(ip)) = (self.e().networks.get(&e.network).cloned(), e.ip) {
                    let calls = self.port_calls(&n, ip, &b);
                    self.undo(&calls);
                }
            }
            if let Some(app) = b.proxy {
                let pid = self.s.apps.get(app).pid;
                self.s.apps.kill(&mut self.s.kernel, app, 143);
                self.s.pid_gone(pid);
            }
        }
    }

    /// The ports go with the network that is left.
    pub(super) fn unpublish_at(&mut self, id: &str, network: &str) {
        let c = self.c(id);
        if c.endpoints.values().any(|e| e.network == network && !e.id.is_empty() && e.id == c.bound_for) {
            self.unpublish(id);
        }
    }
}
