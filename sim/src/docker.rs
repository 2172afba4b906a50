//! The Docker engine: policy. It knows daemons, networks and containers, and asks the kernel for links, addresses,
//! routes and rules by ops; it never touches a packet.
//!
//! In reading order: [`types`] (what an engine keeps), [`daemon`] (its start) with `flags` and `default_bridge`, [`rules`]
//! (iptables by version),
//! [`ipam`] (subnets and addresses), [`network`], [`container`], [`sandbox`] (a container's namespace and how it
//! joins networks), [`publish`] (ports), [`links`], [`process`] (what runs in a container), [`files`] and [`resolvconf`]
//! (`/etc/hosts` and others), [`resolver`] (rules and sockets of the embedded name server), [`images`]; [`macvlan`];
//! [`overlay`] with [`swarm`], [`service`],
//! [`kv`] (what several engines share) and [`gwbridge`]. Facts are moby's and libnetwork's, by version ([`types::Profile`]).

pub mod config_file;
mod config_network;
pub mod connect;
pub mod container;
pub mod daemon;
mod default_bridge;
pub mod files;
pub mod flags;
pub mod gwbridge;
pub mod images;
pub mod ipam;
pub mod kv;
pub mod links;
mod live_restore;
pub mod macvlan;
pub mod network;
pub mod overlay;
pub mod process;
pub mod publish;
mod refresh;
pub mod resolvconf;
pub mod resolver;
pub mod rules;
pub mod sandbox;
pub mod service;
pub mod swarm;
pub mod types;

use std::net::Ipv4Addr;

use crate::kernel::link::IfAddr;
use crate::kernel::types::{DevId, HostId, NetnsId};
use crate::op::{LinkChange, LinkSpec, Op, OpReply};
use crate::session::Session;

pub use types::{Config, Container, Endpoint, Engine, Network, Profile};

/// An engine at work: the world, and the host it runs on.
pub struct Docker<'a> {
    /// The world.
    pub s: &'a mut Session,
    /// Host of the engine.
    pub host: HostId,
}

impl<'a> Docker<'a> {
    /// The engine of a host, where one runs.
    pub fn open(s: &'a mut Session, host: HostId) -> Option<Docker<'a>> {
        s.engines.get(&host).is_some_and(|e| e.running).then_some(Docker { s, host })
    }

    /// What it keeps.
    pub fn e(&self) -> &Engine {
        &self.s.engines[&self.host]
    }

    /// What it keeps, to be changed.
    pub fn em(&mut self) -> &mut Engine {
        self.s.engines.entry(self.host).or_default()
    }

    /// Its version.
    pub fn profile(&self) -> Profile {
        self.e().profile
    }

    /// The host's namespace.
    pub fn ns(&self) -> NetnsId {
        self.s.kernel.host(self.host).root_ns
    }

    /// 64 hex digits from the scenario's dice (`stringid.GenerateRandomID`).
    pub fn new_id(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.s.kernel.rng.next_u64())).collect()
    }

    /// `02:42` and four random bytes up to 27 (`netutils.GenerateRandomMAC`), a random local address since.
    fn random_mac(&mut self) -> crate::wire::MacAddr {
        let mut m = self.s.kernel.rng.mac();
        if self.profile() == Profile::V20 {
            m.0[0] = 0x02;
            m.0[1] = 0x42;
        }
        m
    }

    /// An op whose refusal is a sentence.
    fn op(&mut self, op: &Op) -> Result<OpReply, String> {
        self.s.kernel.apply(op).map_err(|e| e.to_string())
    }

    fn change(&mut self, dev: DevId, changes: Vec<LinkChange>) -> Result<(), String> {
        self.op(&Op::LinkSet { dev, changes }).map(|_| ())
    }

    fn address(&mut self, dev: DevId, local: Ipv4Addr, prefix: u8) -> Result<(), String> {
        self.op(&Op::AddrAdd { dev, addr: IfAddr::new(local, prefix), replace: false }).map(|_| ())
    }

    fn sysctl(&mut self, netns: NetnsId, name: &str, value: &str) {
        // A setting that the kernel does not have is no reason to stop; the engine writes a warning.
        let op = Op::Sysctl { netns, name: name.to_owned(), value: value.to_owned() };
        if let Err(e) = self.op(&op) {
            self.em().log.push(format!("cannot set {name}: {e}"));
        }
    }
}

fn link(netns: NetnsId, name: &str) -> LinkSpec {
    LinkSpec { txqlen: Some(0), ..LinkSpec::named(netns, name) }
}
