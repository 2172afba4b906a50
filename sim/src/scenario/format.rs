//! The keys of the file as types, from which the JSON Schema is made. [`super::read`] reads the same keys by hand, to
//! tell every problem at once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::trace::Outcome;

/// A packetwalk scenario: hosts, commands that people type, and what must come of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Unique in the library: small letters, digits and dashes.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub name: String,
    /// One line that says what is to be seen.
    pub title: Option<String>,
    /// A few sentences on what this teaches.
    pub about: Option<String>,
    /// Topics, for `packetwalk list`.
    pub topics: Option<Vec<String>>,
    /// Docker version profile.
    pub engine: Option<EngineName>,
    /// Decides wherever Linux picks at random.
    pub seed: Option<u64>,
    /// Hosts by name; each is one kernel.
    pub hosts: BTreeMap<String, HostFile>,
    /// Images of containers beside the well-known ones that are built in.
    pub images: Option<BTreeMap<String, ImageFile>>,
    /// Commands run before the walk; they must succeed.
    pub setup: Option<Vec<String>>,
    /// The walk.
    pub steps: Vec<StepFile>,
}

/// An image.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFile {
    /// Ports that its program listens on: `80`, `80/tcp`, `53/udp`. It answers with the address it saw.
    pub listen: Option<Vec<Scalar>>,
    /// Ports that it exposes beside those.
    pub expose: Option<Vec<Scalar>>,
}

/// Docker version profiles.
#[derive(Deserialize, JsonSchema)]
pub enum EngineName {
    /// Docker 20.10.
    #[serde(rename = "20.10")]
    V20,
    /// Docker 28.5, the default.
    #[serde(rename = "28.5")]
    V28,
    /// Docker 29.
    #[serde(rename = "29")]
    V29,
}

/// A host.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HostFile {
    /// Short form: the address of `eth0` on the LAN, such as `192.168.91.128/24`.
    Short(String),
    /// Long form.
    Long(HostLong),
    /// No interface but `lo`.
    Bare(()),
}

/// A host, long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostLong {
    /// Interfaces by name.
    pub interfaces: Option<BTreeMap<String, NicFile>>,
    /// Default gateway.
    pub gateway: Option<String>,
    /// Settings by name, such as `net.ipv4.ip_forward: 1`.
    pub sysctl: Option<BTreeMap<String, Scalar>>,
    /// Servers that answer with the address they saw: `80`, `53/udp`.
    pub serve: Option<Vec<Scalar>>,
    /// Names that a name server on this host answers for: `www.example.com: 203.0.113.80`.
    pub dns: Option<BTreeMap<String, String>>,
    /// Text of `/etc/resolv.conf`.
    pub resolv: Option<String>,
    /// The Docker daemon: settings as in daemon.json where they differ from the defaults, or `false` for none. A host
    /// on which lines run `docker` has one anyway.
    pub dockerd: Option<DaemonFile>,
    /// Firewall rules as `iptables-save` writes them.
    pub iptables: Option<String>,
}

/// Settings of a daemon.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DaemonFile {
    /// `true`, or `false` for no daemon.
    Switch(bool),
    /// Settings as in daemon.json.
    Settings(Box<DaemonLong>),
    /// All defaults.
    Bare(()),
}

/// Settings as in daemon.json.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct DaemonLong {
    pub allow_direct_routing: Option<bool>,
    pub bip: Option<String>,
    pub bridge: Option<String>,
    pub cluster_advertise: Option<String>,
    pub cluster_store: Option<String>,
    pub default_address_pools: Option<Vec<PoolFile>>,
    pub default_gateway: Option<String>,
    pub dns: Option<Vec<String>>,
    pub dns_opts: Option<Vec<String>>,
    pub dns_search: Option<Vec<String>>,
    pub fixed_cidr: Option<String>,
    pub hosts: Option<Vec<String>>,
    pub icc: Option<bool>,
    pub ip: Option<String>,
    pub ip_forward: Option<bool>,
    pub ip_forward_no_drop: Option<bool>,
    pub ip_masq: Option<bool>,
    pub iptables: Option<bool>,
    pub mtu: Option<u32>,
    pub userland_proxy: Option<bool>,
}

/// A pool from which networks get their subnets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolFile {
    /// All of its addresses, such as `10.10.0.0/16`.
    pub base: String,
    /// Prefix length of each subnet.
    pub size: u8,
}

/// A number or a text.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// An interface.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NicFile {
    /// Its address, on the LAN `lan`.
    Short(String),
    /// Long form.
    Long(NicLong),
}

/// An interface, long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NicLong {
    /// LAN it is plugged into, `lan` where left out.
    pub lan: Option<String>,
    /// Address with prefix length.
    pub address: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Ethernet address.
    pub mac: Option<String>,
    /// Default gateway on this interface.
    pub gateway: Option<String>,
}

/// A step: a line to run, or a line with what surrounds it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StepFile {
    /// `PLACE$ command` or `PLACE> probe`.
    Line(String),
    /// Long form.
    Long(Box<StepLong>),
}

/// A step, long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepLong {
    /// What to tell the learner.
    pub say: Option<String>,
    /// `PLACE$ command` or `PLACE> probe`.
    pub run: Option<String>,
    /// Seconds to let pass.
    pub sleep: Option<f64>,
    /// Seconds that a probe waits for its answer.
    pub timeout: Option<f64>,
    /// A question to the learner.
    pub ask: Option<AskFile>,
    /// What must be so afterwards.
    pub expect: Option<ExpectFile>,
    /// Who must reach whom; the same as under `expect`.
    pub reaches: Option<BTreeMap<String, ReachFile>>,
}

/// A question to the learner.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskFile {
    /// The question.
    pub question: String,
    /// What to choose from.
    pub choices: Vec<Scalar>,
    /// The right choice.
    pub answer: Scalar,
}

/// What must be so after a step.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExpectFile {
    /// What the application saw.
    pub outcome: Option<Outcome>,
    /// Source address that the server saw.
    pub seen_source: Option<String>,
    /// Devices that the packets visited, in order; others may lie between.
    pub path: Option<Vec<String>>,
    /// Rules that packets met, each as `PLACE TABLE CHAIN` and words of the rule in their order, or `policy DROP`.
    pub hits: Option<Vec<String>>,
    /// A packet that was dropped.
    pub drop: Option<DropFile>,
    /// Standard output: exact, or with `…` for any text.
    pub stdout: Option<String>,
    /// Standard error, likewise.
    pub stderr: Option<String>,
    /// Exit status.
    pub exit: Option<i32>,
    /// Who answered, or who sent the ICMP error.
    pub by: Option<String>,
    /// TTL of the reply as it arrived.
    pub reply_ttl: Option<u8>,
    /// Who must reach whom: a place or group, and its targets. Each is tried by a probe on a copy of the world, so none
    /// disturbs the others or what follows. A group is a network of Docker (`NETWORK`, `HOST/net:NETWORK`: every
    /// container attached to it) or a pattern (`dmz/*`, `web-?`, `*`). What is not listed is not asserted.
    pub reaches: Option<BTreeMap<String, ReachFile>>,
    /// Command lines (`PLACE$ command`), each with what it must print; run on a copy of the world.
    pub state: Option<BTreeMap<String, Texts>>,
    /// The step took no longer than this in virtual time: `2s`, `250ms`.
    pub within: Option<String>,
    /// Codes of all that is in the way, in any order, as `packetwalk why` tells them.
    pub cause: Option<Texts>,
}

/// One text, or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(Scalar),
    /// Several: each must hold.
    Several(Vec<Scalar>),
}

/// What a place must reach.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ReachFile {
    /// `none`: none of the targets and places of the other rows; or one target.
    One(String),
    /// Targets: `db:5432` (TCP), `cache:6379/udp`, `db` (ping), an address in place of a name; `not db:22` for one that
    /// must not answer.
    Several(Vec<String>),
}

/// A drop that must have happened.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropFile {
    /// Place: a host or namespace, or one of its devices.
    pub at: String,
    /// The kernel's reason, such as `IP_RPFILTER`.
    pub reason: String,
    /// The rule that did it: chain and words of the rule in their order, or chain and `policy DROP`.
    pub rule: Option<String>,
}
