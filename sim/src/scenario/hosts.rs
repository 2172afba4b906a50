//! `hosts:` of a scenario file.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::At;
use super::node::{Node, Value};
use super::read::{Reader, field};
use crate::session::Session;
use crate::session::topology::{HostSpec, NicSpec, ServeSpec};

const HOST: &[&str] = &["interfaces", "gateway", "sysctl", "serve", "dns", "resolv", "iptables", "dockerd"];
const NIC: &[&str] = &["lan", "address", "mtu", "mac", "gateway"];
const MAX_HOSTS: usize = 256;

impl Reader {
    pub(super) fn hosts(&mut self, n: &Node) -> Vec<HostSpec> {
        let Some(f) = self.map(n, "hosts", &[]) else { return Vec::new() };
        if f.is_empty() {
            self.issue(n.at, "there are no hosts", "add one: `hosts: {node1: 192.168.91.128/24}`");
        }
        if f.len() > MAX_HOSTS {
            self.issue(n.at, format!("{} hosts; a scenario may have {MAX_HOSTS}", f.len()), "split the scenario");
            return Vec::new();
        }
        let mut out: Vec<HostSpec> = Vec::new();
        let mut seen: Vec<(String, Ipv4Addr)> = Vec::new();
        for (name, at, x) in f {
            let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || name.len() > 63 || !name.chars().all(ok) {
                self.issue(
                    at,
                    format!("`{name}` is no host name"),
                    "letters, digits, dashes, dots; at most 63 of them",
                );
            }
            if name == "sw" {
                self.issue(at, "`sw` is the place of the LANs' switches", "call the host something else");
            }
            let host = self.host(name, x);
            for nic in &host.nics {
                if let Some(a) = nic.address {
                    let key = (nic.lan.clone(), a.addr());
                    if seen.contains(&key) {
                        self.issue(
                            at,
                            format!("the address {} is taken by two hosts of one LAN", a.addr()),
                            "give one of them another address; to show a conflict, add the second address in a step",
                        );
                    }
                    seen.push(key);
                }
            }
            // A setting that Linux or the model does not have is told with its host's place, before anything runs.
            if !host.sysctls.is_empty()
                && let Err(what) = Session::new(0).add_host(&host)
            {
                self.issue(at, format!("host {name}: {what}"), "see its `sysctl`");
            }
            out.push(host);
        }
        out
    }

    fn host(&mut self, name: &str, n: &Node) -> HostSpec {
        let mut spec = HostSpec { name: name.to_owned(), ..HostSpec::default() };
        match &n.value {
            Value::Null => return spec,
            Value::Scalar(t) => {
                let address = self.cidr(t, n.at);
                spec.nics.push(nic("eth0", address));
                return spec;
            }
            _ => {}
        }
        let problems = self.issues.len();
        let Some(f) = self.map(n, "a host", HOST) else { return spec };
        let wrong_keys = self.issues.len() > problems;
        if let Some(d) = field(&f, "dockerd") {
            spec.docker = Some(self.dockerd(d));
        }
        if let Some(x) = field(&f, "interfaces")
            && let Some(list) = self.map(x, "interfaces", &[])
        {
            for (dev, at, y) in list {
                if dev.is_empty()
                    || dev.len() > 15
                    || !dev.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':'))
                    || dev == "lo"
                {
                    self.issue(
                        at,
                        format!("`{dev}` is no name of an interface"),
                        "at most 15 ASCII characters, no slash, colon or space, not lo",
                    );
                    continue;
                }
                let nic = self.nic(dev, y);
                spec.nics.push(nic);
            }
        }
        let gateway = field(&f, "gateway").and_then(|x| self.ip(x, "gateway").map(|g| (g, x.at)));
        if let Some((gw, at)) = gateway {
            let bare = spec.nics.is_empty();
            let fits = spec.nics.iter_mut().find(|n| n.address.is_some_and(|a| a.contains(&gw)));
            match fits {
                Some(n) => n.gateway = Some(gw),
                // It may be in that of an interface under a wrong key, which has been told.
                None if bare && wrong_keys => {}
                None => self.issue(
                    at,
                    format!("the gateway {gw} is in no subnet of {name}"),
                    "choose an address of the same subnet as one of its interfaces",
                ),
            }
        }
        if let Some(x) = field(&f, "sysctl")
            && let Some(list) = self.map(x, "sysctl", &[])
        {
            for (key, at, y) in list {
                if !key.contains('.') {
                    self.issue(
                        at,
                        format!("`{key}` is no name of a setting"),
                        "write it with dots, such as net.ipv4.ip_forward",
                    );
                }
                if let Some(v) = self.text(y, key) {
                    spec.sysctls.push((key.to_owned(), v));
                }
            }
        }
        if let Some(x) = field(&f, "serve") {
            spec.serve = self.ports(x, "serve").into_iter().map(|(udp, port)| ServeSpec { udp, port }).collect();
        }
        if let Some(x) = field(&f, "dns")
            && let Some(list) = self.map(x, "dns", &[])
        {
            for (key, at, y) in list {
                match self.text(y, key).map(|t| t.parse()) {
                    Some(Ok(a)) => spec.dns.push((key.to_owned(), a)),
                    Some(Err(_)) => {
                        self.issue(
                            at,
                            format!("{key} has no IPv4 address"),
                            "write NAME: ADDRESS, such as www.example.com: 203.0.113.80",
                        );
                    }
                    None => {}
                }
            }
        }
        spec.resolv = field(&f, "resolv").and_then(|x| self.text(x, "resolv"));
        if let Some(x) = field(&f, "iptables")
            && let Some(dump) = self.text(x, "iptables")
        {
            self.dumps.push((name.to_owned(), x.at, dump));
        }
        spec
    }

    /// Ports such as `80`, `80/tcp`, `53/udp`; true for UDP.
    pub(super) fn ports(&mut self, n: &Node, what: &str) -> Vec<(bool, u16)> {
        let mut out = Vec::new();
        for y in self.list(n, what) {
            let Some(t) = self.text(y, what) else { continue };
            let (port, proto) = t.split_once('/').unwrap_or((&t, "tcp"));
            match (port.parse::<u16>(), proto) {
                (Ok(port), "tcp" | "udp") if port > 0 => out.push((proto == "udp", port)),
                _ => {
                    self.issue(y.at, format!("`{t}` is no port"), "write a port such as 80, 80/tcp or 53/udp");
                }
            }
        }
        out
    }

    fn nic(&mut self, dev: &str, n: &Node) -> NicSpec {
        if let Value::Scalar(t) = &n.value {
            let address = self.cidr(t, n.at);
            return nic(dev, address);
        }
        let mut out = nic(dev, None);
        let Some(f) = self.map(n, "an interface", NIC) else { return out };
        for (key, at, x) in f {
            match key {
                "lan" => {
                    out.lan = self.text(x, key).unwrap_or_default();
                    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                    if out.lan.is_empty() || out.lan.len() > 15 || !out.lan.chars().all(ok) {
                        self.issue(
                            x.at,
                            format!("`{}` is no name of a LAN", out.lan),
                            "letters, digits, dashes; at most 15",
                        );
                    }
                }
                "address" => {
                    if let Some(t) = self.text(x, key) {
                        out.address = self.cidr(&t, x.at);
                    }
                }
                "mtu" => {
                    out.mtu = self.number(x, "mtu", "write bytes, such as 1500");
                    if out.mtu.is_some_and(|m| !(68..=65_535).contains(&m)) {
                        self.issue(x.at, "an MTU is from 68 to 65535 bytes", "write bytes, such as 1500");
                    }
                }
                "mac" => {
                    let Some(t) = self.text(x, key) else { continue };
                    match t.parse::<crate::wire::MacAddr>() {
                        Ok(m) if m.is_valid_unicast() => out.mac = Some(m),
                        _ => self.issue(
                            x.at,
                            format!("`{t}` is no Ethernet address of a host"),
                            "six hexadecimal bytes such as 52:54:00:a8:5b:80, in quotes",
                        ),
                    }
                }
                _ => out.gateway = self.ip(x, "gateway"),
            }
            let _ = at;
        }
        out
    }

    fn ip(&mut self, n: &Node, what: &str) -> Option<Ipv4Addr> {
        let t = self.text(n, what)?;
        let ip = t.parse().ok();
        if ip.is_none() {
            let help = if t.contains(':') {
                "IPv6 is not modelled"
            } else {
                "four numbers from 0 to 255, such as 192.168.91.1"
            };
            self.issue(n.at, format!("{what} `{t}` is no IPv4 address"), help);
        }
        ip
    }

    fn cidr(&mut self, t: &str, at: At) -> Option<Ipv4Net> {
        match t.parse::<Ipv4Net>() {
            Ok(net) if !net.addr().is_multicast() && !net.addr().is_unspecified() && !net.addr().is_broadcast() => {
                Some(net)
            }
            Ok(_) => {
                self.issue(at, format!("`{t}` cannot be the address of an interface"), "choose a unicast address");
                None
            }
            Err(_) => {
                let help = match (t.contains(':'), t.parse::<Ipv4Addr>().is_ok()) {
                    (true, _) => "IPv6 is not modelled".to_owned(),
                    (_, true) => format!("add the prefix length: {t}/24"),
                    _ => "an address with prefix length, such as 192.168.91.128/24; numbers to 255, lengths to 32"
                        .to_owned(),
                };
                self.issue(at, format!("`{t}` is no address with prefix length"), help);
                None
            }
        }
    }
}

fn nic(name: &str, address: Option<Ipv4Net>) -> NicSpec {
    NicSpec { name: name.to_owned(), lan: "lan".into(), address, mac: None, mtu: None, gateway: None }
}
