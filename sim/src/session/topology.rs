//! Hosts and LANs: what a world begins with.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Session;
use crate::app::Program;
use crate::app::named::Named;
use crate::app::serve::Serve;
use crate::journal::Entry;
use crate::kernel::link::IfAddr;
use crate::kernel::sysctl::SysctlError;
use crate::kernel::types::{DevId, HostId, NetnsId};
use crate::op::{BridgeSet, LinkChange, LinkSpec, NewLink, Op, OpError, OpReply, RouteSpec, RouteVerb};
use crate::wire::MacAddr;

/// A network interface of a host on a LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicSpec {
    /// Name, such as `eth0`.
    pub name: String,
    /// LAN whose switch it is plugged into.
    pub lan: String,
    /// Address with prefix length; none leaves it without.
    pub address: Option<Ipv4Net>,
    /// Ethernet address; `52:54:00` and the last three bytes of the address where left out.
    pub mac: Option<MacAddr>,
    /// MTU of both ends of the cable.
    pub mtu: Option<u32>,
    /// Default gateway.
    pub gateway: Option<Ipv4Addr>,
}

/// A server that runs on a host from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSpec {
    /// UDP instead of TCP.
    pub udp: bool,
    /// Port.
    pub port: u16,
}

/// A host to be added to a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSpec {
    /// Name.
    pub name: String,
    /// Interfaces, in order.
    pub nics: Vec<NicSpec>,
    /// Settings, by name.
    pub sysctls: Vec<(String, String)>,
    /// Servers.
    pub serve: Vec<ServeSpec>,
    /// Text of `/etc/resolv.conf`.
    pub resolv: Option<String>,
    /// `dockerd:`: flags of its daemon, or none for no daemon; nothing said leaves it to the scenario's lines.
    pub docker: Option<Option<Vec<String>>>,
    /// Names that a name server of this host knows, with their addresses; empty for no server.
    pub dns: Vec<(String, Ipv4Addr)>,
}

impl Session {
    /// Adds a host: its NICs are plugged into the switches of their LANs (bridges of the namespace
    /// `sw`, with a port `HOST-NIC` each), up and addressed, then settings and servers follow.
    ///
    /// # Errors
    /// The sentence to show: a name taken twice, a setting that does not exist.
    pub fn add_host(&mut self, spec: &HostSpec) -> Result<HostId, String> {
        if self.kernel.hosts.iter().any(|h| h.name == spec.name) || spec.name == SWITCH {
            return Err(format!("the name \"{}\" is taken", spec.name));
        }
        let host = self.kernel.add_host(&spec.name);
        let ns = self.kernel.host(host).root_ns;
        self.link_up(ns, "lo")?;
        for nic in &spec.nics {
            self.plug(host, ns, nic)?;
        }
        for nic in &spec.nics {
            if let Some(gw) = nic.gateway {
                self.default_route(ns, gw).map_err(|e| format!("gateway {gw} of {}: {e}", nic.name))?;
            }
        }
        for (name, value) in &spec.sysctls {
            self.kernel.sysctl_set(ns, name, value).map_err(|e| format!("sysctl {name}: {}", sysctl_why(&e)))?;
            let op = Op::Sysctl { netns: ns, name: name.clone(), value: value.clone() };
            self.kernel.note(Entry::Op(op, Ok(OpReply::Done), Vec::new()));
        }
        if let Some(text) = &spec.resolv {
            self.files.entry(host).or_default();
            self.write_file(host, ns, "/etc/resolv.conf", text, false)
                .map_err(|e| format!("/etc/resolv.conf: {}", e.strerror()))?;
        }
        if !spec.serve.is_empty() {
            let ports = spec.serve.iter().map(|s| (s.udp, s.port)).collect();
            let pid = self.new_pid(host, ns, "serve");
            let app = self.apps.spawn(&mut self.kernel, host, ns, pid, "serve", Program::Serve(Serve::new(ports)));
            if let Some((port, e)) = self.apps.get(app).failed_serve() {
                return Err(format!("serve: port {port}: {}", e.strerror()));
            }
        }
        if !spec.dns.is_empty() {
            self.start_named(host, spec.dns.clone())?;
        }
        Ok(host)
    }

    /// Starts a name server that knows some names.
    ///
    /// # Errors
    /// The sentence to show: its port is taken.
    pub fn start_named(&mut self, host: HostId, zone: Vec<(String, Ipv4Addr)>) -> Result<(), String> {
        let ns = self.kernel.host(host).root_ns;
        let pid = self.new_pid(host, ns, "named");
        let app = self.apps.spawn(&mut self.kernel, host, ns, pid, "named", Program::Named(Named::new(zone)));
        match self.apps.get(app).exit {
            Some(_) => Err("dns: port 53 is taken".into()),
            None => Ok(()),
        }
    }

    /// The bridge that stands for a LAN's switch, in a namespace of its own.
    fn lan(&mut self, lan: &str) -> Result<DevId, String> {
        let sw = match self.kernel.netns.iter().position(|n| n.is_switch) {
            Some(i) => NetnsId(i as u32),
            None => {
                let id = self.kernel.add_switch(SWITCH);
                self.link_up(id, "lo")?;
                id
            }
        };
        if let Some(d) = self.kernel.dev_by_name(sw, lan) {
            return Ok(d);
        }
        // A switch knows no snooping and never holds a frame back.
        let kind = NewLink::Bridge(vec![BridgeSet::McastSnooping(false)]);
        let spec = LinkSpec { up: true, ..LinkSpec::named(sw, lan) };
        match self.kernel.apply(&Op::LinkAdd { spec, kind }) {
            Ok(OpReply::Dev(d)) => Ok(d),
            Ok(_) => Err(format!("LAN {lan} was not made")),
            Err(e) => Err(format!("LAN \"{lan}\": {e}; a LAN's name has at most 15 characters")),
        }
    }

    /// Connects a NIC with its LAN by a cable.
    fn plug(&mut self, host: HostId, ns: NetnsId, nic: &NicSpec) -> Result<(), String> {
        let bridge = self.lan(&nic.lan)?;
        let sw = self.kernel.dev(bridge).netns;
        let name = self.kernel.host(host).name.clone();
        let mut port = format!("{name}-{}", nic.name);
        // The recorder cuts the name as the kernel would.
        port.truncate(15);
        let mac = nic.mac.or_else(|| nic.address.map(|a| mac_of(a.addr())));
        let peer = LinkSpec { mtu: nic.mtu, ..LinkSpec::named(sw, &port) };
        let spec = LinkSpec { mac, mtu: nic.mtu, up: true, ..LinkSpec::named(ns, &nic.name) };
        let fail = |e: OpError| format!("{}: {e}", nic.name);
        // The far end comes first, so that the host's own numbers count from 2.
        self.kernel.apply(&Op::LinkAdd { spec, kind: NewLink::Veth { peer } }).map_err(fail)?;
        let far = self.kernel.dev_by_name(sw, &port).ok_or_else(|| format!("{port} was not made"))?;
        let join = vec![LinkChange::Master(Some(bridge)), LinkChange::Up(true)];
        self.kernel.apply(&Op::LinkSet { dev: far, changes: join }).map_err(fail)?;
        let dev = self.kernel.dev_by_name(ns, &nic.name).ok_or_else(|| format!("{} was not made", nic.name))?;
        if let Some(a) = nic.address {
            let addr = IfAddr::new(a.addr(), a.prefix_len());
            self.kernel.apply(&Op::AddrAdd { dev, addr, replace: false }).map_err(fail)?;
        }
        Ok(())
    }

    fn default_route(&mut self, ns: NetnsId, gw: Ipv4Addr) -> Result<(), OpError> {
        let route = RouteSpec::default_route(Some(gw), None);
        self.kernel.apply(&Op::RouteAdd { netns: ns, verb: RouteVerb::Add, route }).map(|_| ())
    }

    fn link_up(&mut self, ns: NetnsId, name: &str) -> Result<(), String> {
        let dev = self.kernel.dev_by_name(ns, name).ok_or_else(|| format!("there is no {name}"))?;
        let changes = vec![LinkChange::Up(true)];
        self.kernel.apply(&Op::LinkSet { dev, changes }).map(|_| ()).map_err(|e| e.to_string())
    }
}

/// Name of the namespace that holds the switches.
pub const SWITCH: &str = "sw";

/// A NIC's address: `52:54:00` and the last three bytes of its IPv4 address.
pub fn mac_of(a: Ipv4Addr) -> MacAddr {
    let o = a.octets();
    MacAddr([0x52, 0x54, 0x00, o[1], o[2], o[3]])
}

fn sysctl_why(e: &SysctlError) -> String {
    match e {
        SysctlError::NotFound => "Linux has no such setting".into(),
        SysctlError::Unmodelled => "not modelled".into(),
        SysctlError::Errno(e) => e.strerror().into(),
    }
}
