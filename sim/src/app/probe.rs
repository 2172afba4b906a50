//! Probes: `PLACE> ping 10.0.0.1`, the same on both backends and free of any tool's quirks.

use serde::Serialize;

use crate::trace::Outcome;

/// Kinds of probes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ProbeKind {
    Ping,
    Tcp,
    Udp,
    Http,
    Bulk,
    Dns,
    Arping,
    Traceroute,
}

/// What a probe found, in the words of the recordings (what is absent is left out).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// Outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Who answered, or who sent the ICMP error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// TTL of the reply as it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    /// Type and code of the ICMP error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<(u8, u8)>,
    /// MTU that a frag-needed told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Client address and port that the server saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Server's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Address and port that the server was asked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_at: Option<String>,
    /// Status line of an HTTP answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Bytes received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Hops of a traceroute: TTL, address or `*`, outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops: Option<Vec<(u8, String, Outcome)>>,
    /// Addresses that answered an arping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macs: Option<Vec<String>>,
    /// The kernel refused at once with this errno.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_errno: Option<String>,
    /// ICMP redirects that came along: gateway, sender.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(String, String)>,
    /// TCP: the handshake succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
}

/// A probe as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Kind.
    pub kind: ProbeKind,
    /// Text after `PLACE> `.
    pub text: String,
}

impl Probe {
    /// Reads what stands after `PLACE> `, such as `ping -s 1472 -M do 10.0.0.1`.
    ///
    /// # Errors
    /// The sentence to show and the offset in bytes it is about.
    pub fn parse(text: &str) -> Result<Probe, (String, usize)> {
        Ok(Probe { kind: ProbeKind::Ping, text: text.to_owned() })
    }
}
