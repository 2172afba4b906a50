//! What an engine keeps: its settings, networks, containers, endpoints.

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use crate::app::AppId;
use crate::kernel::types::{DevId, Nanos, NetnsId, Pid};
use crate::wire::MacAddr;

/// A version of the engine whose behaviour is modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Profile {
    /// 20.10.24, as Debian 12 has it.
    V20,
    /// 28.5.2.
    #[default]
    V28,
    /// 29.7.
    V29,
}

impl Profile {
    /// The profile of a scenario's `engine:`.
    pub fn parse(text: &str) -> Option<Profile> {
        match text {
            "20.10" => Some(Profile::V20),
            "28.5" => Some(Profile::V28),
            "29" => Some(Profile::V29),
            _ => None,
        }
    }

    /// `docker version`: the engine's number.
    pub fn version(self) -> &'static str {
        match self {
            Profile::V20 => "20.10.24",
            Profile::V28 => "28.5.2",
            Profile::V29 => "29.7.2",
        }
    }
}

/// Settings of a daemon (`daemon.json`, flags of `dockerd`), with their defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Config {
    /// `-b`, `--bridge`: a bridge made beforehand, or `none`.
    pub bridge: Option<String>,
    /// `--bip`, as written.
    pub bip: Option<String>,
    pub fixed_cidr: Option<Ipv4Net>,
    pub mtu: u32,
    pub icc: bool,
    pub iptables: bool,
    pub ip_forward: bool,
    /// `--ip-forward-no-drop` (28 and later).
    pub ip_forward_no_drop: bool,
    pub ip_masq: bool,
    /// `--ip6tables`; without it as the version has it.
    pub ip6tables: Option<bool>,
    /// `--experimental`, without which 20.10 has no `--ip6tables`.
    pub experimental: bool,
    /// `--live-restore`: containers outlive the daemon.
    pub live_restore: bool,
    pub userland_proxy: bool,
    /// `--allow-direct-routing` (28 and later).
    pub allow_direct_routing: bool,
    /// `--ip`: where ports are published by default.
    pub ip: Option<Ipv4Addr>,
    pub default_gateway: Option<Ipv4Addr>,
    /// `--default-address-pool base=…,size=…`.
    pub pools: Vec<(Ipv4Net, u8)>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_opts: Vec<String>,
    /// `--cluster-store`, `--cluster-advertise` (20.10).
    pub cluster_store: Option<String>,
    pub cluster_advertise: Option<String>,
    /// `-H`: where the API listens.
    pub hosts: Vec<String>,
    /// What the daemon finds out, when it starts, to be wrong with one of them.
    pub unread: Option<String>,
    /// The flags themselves, with their values.
    pub flags: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bridge: None,
            bip: None,
            fixed_cidr: None,
            mtu: 1500,
            icc: true,
            iptables: true,
            ip_forward: true,
            ip_forward_no_drop: false,
            ip_masq: true,
            ip6tables: None,
            experimental: false,
            live_restore: false,
            userland_proxy: true,
            allow_direct_routing: false,
            ip: None,
            default_gateway: None,
            pools: Vec::new(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_opts: Vec::new(),
            cluster_store: None,
            cluster_advertise: None,
            hosts: Vec::new(),
            unread: None,
            flags: Vec::new(),
        }
    }
}

/// One address pool of a network (`IPAM.Config`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// The subnet, host bits cleared.
    pub net: Ipv4Net,
    /// As the user wrote it, where he did.
    pub given: Option<String>,
    /// `--ip-range`.
    pub range: Option<Ipv4Net>,
    /// The gateway; none for some drivers.
    pub gateway: Option<Ipv4Addr>,
    /// The user gave the gateway.
    pub gateway_given: bool,
    /// `--aux-address`.
    pub aux: IndexMap<String, Ipv4Addr>,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// 64 hex digits.
    pub id: String,
    /// Name.
    pub name: String,
    /// `bridge`, `host`, `null`, `macvlan`, `overlay`.
    pub driver: String,
    /// `local`, `swarm`, `global`.
    pub scope: String,
    /// Address pools.
    pub subnets: Vec<Subnet>,
    /// The pool came from the defaults, not from the user.
    pub auto_subnet: bool,
    /// `--internal`.
    pub internal: bool,
    /// `--attachable`.
    pub attachable: bool,
    /// `-o`, in the order given.
    pub options: IndexMap<String, String>,
    /// `--label`.
    pub labels: IndexMap<String, String>,
    /// Virtual time of its making.
    pub created: Nanos,
    /// Bridge device on the host, for those that have one.
    pub bridge: Option<DevId>,
    /// Name of that bridge.
    pub bridge_name: String,
    /// The bridge was there before the network, and stays when it goes (`ifaceCreatedByUser`).
    pub bridge_kept: bool,
    /// It is a sheet of settings for others (`--config-only`).
    pub config: Option<Box<super::network::NetSpec>>,
    /// The sheet that its settings come from (`--config-from`).
    pub config_from: Option<String>,
}

/// A container's place on a network.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// 64 hex digits; empty while the container does not run.
    pub id: String,
    /// Id of the network.
    pub network: String,
    /// Address, while it has one.
    pub ip: Option<Ipv4Addr>,
    /// `--ip`.
    pub wanted_ip: Option<Ipv4Addr>,
    /// MAC address, while it runs.
    pub mac: Option<MacAddr>,
    /// `--mac-address`.
    pub wanted_mac: Option<MacAddr>,
    /// `--network-alias`, `--alias`.
    pub aliases: Vec<String>,
    /// `--link` on this network: container and alias.
    pub links: Vec<(String, String)>,
    /// `com.docker.network.endpoint.ifname` (28.1 and later).
    pub wanted_ifname: Option<String>,
    /// It has had an address on the network.
    pub joined: bool,
    /// Its container got another name while it was joined: since 28 it has names even on the default bridge.
    pub renamed: bool,
    /// Its container was to start while its network was there, which is when its names are made up.
    pub named: bool,
    /// It came by `network connect`.
    pub connected: bool,
    /// `--gw-priority`.
    pub gw_priority: i64,
    /// It was the first one to be told which ports the image exposes (`BuildCreateEndpointOptions`).
    pub exposes: bool,
    /// It has been the way out, and learnt the ports (`bridgeEndpoint.extConnConfig`).
    pub outside: bool,
    /// What it was told of links when it was joined (`bridgeEndpoint.containerConfig`).
    pub links_told: LinkEnds,
    /// The interface inside, such as `eth0`.
    pub ifname: String,
    /// Host end of its veth pair.
    pub host_dev: Option<DevId>,
    /// Interface inside.
    pub dev: Option<DevId>,
    /// What is told of it although it is not there: its container could not join.
    pub written: Option<Written>,
    /// What the disk has of it and the daemon's memory has not: it is told after a restart.
    pub on_disk: Option<Written>,
}

/// What the settings of a container keep of an endpoint that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its MAC address.
    pub mac: MacAddr,
}

impl Written {
    /// Of an endpoint that has both.
    pub fn of(e: &Endpoint) -> Option<Written> {
        Some(Written { id: e.id.clone(), ip: e.ip?, mac: e.mac? })
    }
}

/// The other ends of the links of an endpoint on the default bridge, by their ids (`containerConfiguration`).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LinkEnds {
    /// Of containers that have a link to it.
    pub parents: Vec<String>,
    /// Of containers that it has a link to.
    pub children: Vec<String>,
}

/// A published port as asked for (`-p`) and, while it runs, as bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publish {
    /// Host address; none for all.
    pub host_ip: Option<std::net::IpAddr>,
    /// Host ports from .. to; none lets the engine choose.
    pub host_ports: Option<(u16, u16)>,
    /// Port of the container.
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub proto: String,
}

/// A port that is bound on the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Host address as shown: `0.0.0.0`, `::`, or the one asked for.
    pub host_ip: std::net::IpAddr,
    /// Host port.
    pub host_port: u16,
    /// Port of the container.
    pub port: u16,
    /// Protocol.
    pub proto: String,
    /// The docker-proxy that holds the socket, where one does.
    pub proxy: Option<AppId>,
}

/// `--network MODE` of a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// The default bridge or networks by name: see the endpoints.
    #[default]
    Networks,
    /// The host's namespace.
    Host,
    /// A namespace with nothing but `lo`.
    None,
    /// Another container's namespace, by its id.
    Container(String),
}

/// Life of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum State {
    #[default]
    Created,
    Running,
    Paused,
    Exited,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// A process in it wrote files before it stopped.
    pub wrote: bool,
    /// Name, without the slash.
    pub name: String,
    /// The engine made the name up.
    pub name_generated: bool,
    /// Image.
    pub image: String,
    /// The image's own command.
    pub image_command: String,
    /// Words of its command; empty for the image's own.
    pub command: Vec<String>,
    /// `--hostname`; the short id where not given.
    pub hostname: String,
    /// `--ip` with a mode that has no networks, which is refused.
    pub stray_ip: bool,
    /// `--domainname`.
    pub domain: String,
    /// Its state.
    pub state: State,
    /// Exit status of the last run.
    pub exit: i32,
    /// Why it could not start.
    pub error: String,
    /// Service that it is a task of.
    pub service: Option<String>,
    /// `--network`.
    pub mode: Mode,
    /// `NetworkMode` as `docker inspect` shows it.
    pub network_mode: String,
    /// Its networks by name, in the order they were given or connected.
    pub endpoints: IndexMap<String, Endpoint>,
    /// `-p`.
    pub publish: Vec<Publish>,
    /// `-P`.
    pub publish_all: bool,
    /// `--expose` and the image's, as `80/tcp`.
    pub exposed: Vec<String>,
    /// Ports bound while it runs.
    pub bound: Vec<Bound>,
    /// The endpoint, by its id, that they are bound for.
    pub bound_for: String,
    /// `--link` on the default bridge: container id and alias.
    pub links: Vec<(String, String)>,
    /// What 20.10 found of links when it made the sandbox.
    pub linked: LinkEnds,
    /// Lines of `/etc/hosts` for links: since 28 one more each time that it joins the default bridge.
    pub link_hosts: Vec<String>,
    /// `--dns`.
    pub dns: Vec<String>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_opts: Vec<String>,
    /// `--add-host`, as `name:ip`.
    pub extra_hosts: Vec<String>,
    /// `--sysctl`.
    pub sysctls: Vec<(String, String)>,
    /// Names of its networks in the order in which the engine's map has them: what is new takes the first place that
    /// is free. A walk through such a map begins anywhere and goes round, so that this is its likeliest order.
    pub slots: Vec<String>,
    /// `--mac-address`.
    pub mac: Option<MacAddr>,
    /// `--user`.
    pub user: String,
    /// Bridge of the daemon's `-b` when it was last started there (`NetworkSettings.Bridge`).
    pub bridge: String,
    /// A container in host mode that was disconnected from `host` while it did not run: nothing connects it again.
    pub left_host: bool,
    /// It left its networks, and was connected to `none`.
    pub connected_none: bool,
    /// `--privileged`.
    pub privileged: bool,
    /// `--cap-add`.
    pub caps: Vec<String>,
    /// `--cap-drop`.
    pub dropped: Vec<String>,
    /// `--rm`.
    pub auto_remove: bool,
    /// `--entrypoint`: the program, before the words of the command.
    pub entrypoint: Option<String>,
    /// `--env`, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// `--restart` policy.
    pub restart: String,
    /// `docker stop` or `kill` ended it, and nothing has started it since (`HasBeenManuallyStopped`).
    pub stopped_by_hand: bool,
    /// `--label`.
    pub labels: IndexMap<String, String>,
    /// Its namespace while it runs (and after, while others share it).
    pub netns: Option<NetnsId>,
    /// First 12 digits name `/var/run/docker/netns/…`.
    pub sandbox: String,
    /// Its first process.
    pub pid: Option<Pid>,
    /// `--interactive`.
    pub open_stdin: bool,
    /// `--tty`.
    pub tty: bool,
    /// It runs the server of its image.
    pub serves: bool,
    /// What its programs wrote to standard output and standard error.
    pub log: (String, String),
    /// Programs of its image.
    pub apps: Vec<AppId>,
    /// Its name server, where it has one.
    pub resolver: Option<AppId>,
    /// Virtual time of its making.
    pub created: Nanos,
    /// When it was started last.
    pub started: Option<Nanos>,
    /// When it ended last.
    pub finished: Option<Nanos>,
    /// `--volume`, as it was given; what is in a volume is not modelled.
    pub binds: Vec<String>,
    /// `--init`.
    pub init: bool,
    /// It was made for the foreground (without `--detach`).
    pub attached: bool,
    /// The next number of an interface (`ethN`), for engines that only count up.
    pub next_if: u32,
}

/// Is a capability in a list by its own name?
fn one(list: &[String], name: &str) -> bool {
    list.iter().any(|c| c.to_uppercase().trim_start_matches("CAP_") == name)
}

/// Is a capability in a list, or all of them?
fn named(list: &[String], name: &str) -> bool {
    one(list, name) || one(list, "ALL")
}

impl Container {
    /// Has it CAP_NET_ADMIN?
    pub fn net_admin(&self) -> bool {
        self.privileged || (named(&self.caps, "NET_ADMIN") && !one(&self.dropped, "NET_ADMIN"))
    }

    /// Has it CAP_NET_RAW, which containers have unless it is dropped? One that is added by name outlives `ALL`.
    pub fn net_raw(&self) -> bool {
        self.privileged
            || !named(&self.dropped, "NET_RAW")
            || (one(&self.caps, "NET_RAW") && !one(&self.dropped, "NET_RAW"))
    }
}

/// An engine on a host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Engine {
    /// Version.
    pub profile: Profile,
    /// Settings.
    pub config: Config,
    /// Those of its flags, without the file's.
    pub given: Config,
    /// The host forwarded when the daemon had started (`sysinfo`, which 28 asks once).
    pub forwarded: bool,
    /// The daemon runs.
    pub running: bool,
    /// It takes containers over that it found running.
    pub taking_over: bool,
    /// Networks by id, in the order they were made.
    pub networks: IndexMap<String, Network>,
    /// Containers by id, in the order they were made.
    pub containers: IndexMap<String, Container>,
    /// Addresses in use, by network id.
    pub addresses: IndexMap<String, Vec<Ipv4Addr>>,
    /// Default pool handed out last (20.10 goes round).
    pub last_pool: Option<Ipv4Net>,
    /// Next port to be chosen, by host address and protocol.
    pub next_port: IndexMap<(std::net::IpAddr, String), u16>,
    /// Names of containers that are gone, and that others still have links to.
    pub gone: IndexMap<String, String>,
    /// Warnings and errors, as `journalctl` would show them.
    pub log: Vec<String>,
    /// The cluster that it belongs to, and its number there.
    pub member: Option<(usize, usize)>,
    /// Overlay networks that have a namespace here, by network id.
    pub overlays: IndexMap<String, super::overlay::Overlay>,
    /// How much of the log of each other member was heard.
    pub heard: IndexMap<usize, u32>,
    /// How often each overlay network got a namespace here.
    pub epochs: IndexMap<String, u32>,
    /// Names of overlay networks changed since the name servers of containers were told.
    pub names_stale: bool,
}

impl Engine {
    /// A network by name, id or beginning of an id.
    pub fn network(&self, key: &str) -> Option<&Network> {
        let named = self.networks.values().find(|n| n.name == key);
        named.or_else(|| self.networks.values().find(|n| key.len() >= 2 && n.id.starts_with(key)))
    }

    /// A container by name, id or beginning of an id.
    pub fn container(&self, key: &str) -> Option<&Container> {
        let key = key.strip_prefix('/').unwrap_or(key);
        let named = self.containers.values().find(|c| c.name == key);
        // The random part of a task's name may be left out.
        let task = |c: &&Container| c.service.is_some() && c.name.rsplit_once('.').is_some_and(|(n, _)| n == key);
        let named = named.or_else(|| self.containers.values().find(task));
        named.or_else(|| self.containers.values().find(|c| !key.is_empty() && c.id.starts_with(key)))
    }
}
