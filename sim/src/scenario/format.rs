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
    /// Commands run before the walk; they must succeed.
    pub setup: Option<Vec<String>>,
    /// The walk.
    pub steps: Vec<StepFile>,
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
    /// Firewall rules as `iptables-save` writes them.
    pub iptables: Option<String>,
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
