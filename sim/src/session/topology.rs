//! Hosts and LANs: what a world begins with.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Session;
use crate::kernel::types::HostId;
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
}

impl Session {
    /// Adds a host: its NICs are plugged into the switches of their LANs (bridges of the namespace
    /// `sw`, with a port `HOST-NIC` each), up and addressed, then settings and servers follow.
    ///
    /// # Errors
    /// The sentence to show: a name taken twice, a setting that does not exist.
    pub fn add_host(&mut self, spec: &HostSpec) -> Result<HostId, String> {
        let _ = spec;
        Err("being written".into())
    }
}
