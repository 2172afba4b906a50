//! Probes: `PLACE> ping 10.0.0.1`, the same on both backends and free of any tool's quirks.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::Program;
use super::arping::{Arping, ArpingSpec};
use super::ping::{Ping, PingSpec};
use super::tcp::{TcpClient, TcpSpec, Until};
use super::traceroute::{Style, TraceSpec, Traceroute};
use super::udp::{UdpClient, UdpSpec};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::types::{Errno, MSEC, Nanos, SEC};
use crate::trace::Outcome;

/// Bytes that a bulk probe asks for, where it does not say.
const DEFAULT_BULK: u64 = 20_000;

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
    /// Addresses or names that a look-up found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addrs: Option<Vec<String>>,
    /// What the target's name stood for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<super::dns::Resolved>,
    /// How a name was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<super::dns::How>,
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
    /// Whom it asks: an address or a name.
    pub target: String,
    /// Port.
    pub port: u16,
    /// `-s`: bytes of data.
    pub size: Option<usize>,
    /// `-M`: `do`, `want` or `dont`.
    pub df: Option<PmtuDisc>,
    /// `-t`: time to live.
    pub ttl: Option<u8>,
    /// `-I`: device.
    pub dev: Option<String>,
    /// `-S`: source address.
    pub src: Option<Ipv4Addr>,
    /// `-W`: how long to wait; of a traceroute, for each hop.
    pub timeout: Option<Nanos>,
    /// `-m`: most hops.
    pub max: Option<u8>,
    /// `-n`: bytes to ask for.
    pub bulk: Option<u64>,
    /// `-x`: look an address up.
    pub ptr: bool,
    /// `--icmp`: echo requests.
    pub icmp: bool,
    /// `--unconnected`: takes an answer from anybody.
    pub unconnected: bool,
}

/// Wait of a probe that says nothing else.
pub const DEFAULT_TIMEOUT: Nanos = 4 * SEC;

impl Probe {
    /// Reads what stands after `PLACE> `, such as `ping -s 1472 -M do 10.0.0.1`.
    ///
    /// # Errors
    /// The sentence to show and the offset in bytes it is about.
    pub fn parse(text: &str) -> Result<Probe, (String, usize)> {
        let mut words = split(text).into_iter();
        let (at, word) = words.next().ok_or_else(|| ("a probe wants a kind, such as ping".to_owned(), 0))?;
        let kind = ProbeKind::from_word(word).ok_or_else(|| {
            let all = "ping, tcp, udp, http, bulk, dns, arping, traceroute";
            (format!("there is no probe \"{word}\"; there are {all}"), at)
        })?;
        let mut p = Probe {
            kind,
            text: text.to_owned(),
            target: String::new(),
            port: 0,
            size: None,
            df: None,
            ttl: None,
            dev: None,
            src: None,
            timeout: None,
            max: None,
            bulk: None,
            ptr: false,
            icmp: false,
            unconnected: false,
        };
        let mut target = None;
        while let Some((at, w)) = words.next() {
            match w {
                "-x" => p.ptr = true,
                "--icmp" => p.icmp = true,
                "--unconnected" => p.unconnected = true,
                "-s" | "-M" | "-t" | "-I" | "-W" | "-m" | "-S" | "-n" => {
                    let (vat, v) = words.next().ok_or_else(|| (format!("{w} wants a value"), at))?;
                    p.option(w, v).map_err(|e| (e, vat))?;
                }
                _ if w.starts_with('-') => return Err((format!("a probe has no option {w}"), at)),
                _ if target.is_some() => return Err((format!("a probe wants one target, \"{w}\" is another"), at)),
                _ => target = Some((at, w)),
            }
        }
        let (at, t) = target.ok_or_else(|| (format!("{word} wants a target"), text.len()))?;
        p.set_target(t).map_err(|e| (e, at))?;
        Ok(p)
    }

    fn option(&mut self, o: &str, v: &str) -> Result<(), String> {
        fn num<T: std::str::FromStr>(v: &str, what: &str) -> Result<T, String> {
            v.parse().map_err(|_| format!("\"{v}\" is no {what}"))
        }
        match o {
            "-s" => self.size = Some(num::<u16>(v, "size (0 to 65535)")?.into()),
            "-t" => self.ttl = Some(num(v, "TTL (0 to 255)")?),
            "-m" => self.max = Some(num(v, "number of hops (1 to 255)")?),
            "-n" => {
                let n: u64 = num(v, "number of bytes")?;
                if n > 100_000_000 {
                    return Err("a bulk probe asks for at most 100000000 bytes".into());
                }
                self.bulk = Some(n);
            }
            "-I" => self.dev = Some(v.to_owned()),
            "-S" => self.src = Some(num(v, "IPv4 address")?),
            "-W" => {
                let s: f64 = num(v, "number of seconds")?;
                if !(0.0..=86_400.0).contains(&s) {
                    return Err("a probe waits between 0 and 86400 seconds".into());
                }
                self.timeout = Some((s * SEC as f64) as Nanos);
            }
            _ => {
                self.df = Some(match v {
                    "do" => PmtuDisc::Do,
                    "want" => PmtuDisc::Want,
                    "dont" => PmtuDisc::Dont,
                    _ => return Err(format!("-M takes do, want or dont, not \"{v}\"")),
                });
            }
        }
        Ok(())
    }

    fn set_target(&mut self, t: &str) -> Result<(), String> {
        let mut t = t;
        if self.kind == ProbeKind::Http {
            t = t.strip_prefix("http://").unwrap_or(t).trim_end_matches('/');
        }
        if matches!(self.kind, ProbeKind::Tcp | ProbeKind::Udp | ProbeKind::Http | ProbeKind::Bulk) {
            match t.rsplit_once(':') {
                Some((h, p)) => {
                    self.port = p.parse().map_err(|_| format!("\"{p}\" is no port (0 to 65535)"))?;
                    t = h;
                }
                None if self.kind == ProbeKind::Http => self.port = 80,
                None => return Err(format!("\"{t}\" wants a port: HOST:PORT")),
            }
        }
        let digits = t.chars().all(|c| c.is_ascii_digit() || c == '.');
        if digits && t.parse::<Ipv4Addr>().is_err() {
            return Err(format!("\"{t}\" is no IPv4 address"));
        }
        self.target = t.to_owned();
        Ok(())
    }

    /// What a TCP probe asks its server.
    pub fn request(&self) -> String {
        match (self.kind, self.bulk) {
            (ProbeKind::Http, _) => format!("GET / HTTP/1.0\r\nHost: {}\r\n\r\n", self.target),
            (ProbeKind::Bulk, n) if n != Some(0) => format!("BULK {}\n", n.unwrap_or(DEFAULT_BULK)),
            _ => "PROBE\n".to_owned(),
        }
    }

    /// The program that asks, for an address that was looked up; `sport` is its port or ICMP id.
    pub fn program(&self, dst: Ipv4Addr, sport: u16) -> Option<Program> {
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        Some(match self.kind {
            ProbeKind::Ping => {
                let mut s = PingSpec::probe(dst, sport, timeout);
                s.size = self.size.unwrap_or(56);
                s.ttl = self.ttl;
                s.pmtudisc = self.df.unwrap_or_default();
                s.dev = self.dev.clone();
                s.src = self.src;
                Program::Ping(Ping::new(s))
            }
            ProbeKind::Tcp | ProbeKind::Http | ProbeKind::Bulk => {
                let http = self.kind == ProbeKind::Http;
                let bulk = (self.kind == ProbeKind::Bulk).then(|| self.bulk.unwrap_or(DEFAULT_BULK));
                Program::Tcp(TcpClient::new(TcpSpec {
                    dst,
                    port: self.port,
                    sport,
                    src: self.src,
                    dev: self.dev.clone(),
                    ttl: self.ttl,
                    request: self.request().into(),
                    until: if self.kind == ProbeKind::Tcp { Until::Line } else { Until::Close },
                    count: bulk.is_some_and(|n| n > 0),
                    timeout,
                    http,
                }))
            }
            ProbeKind::Udp => Program::Udp(UdpClient::new(UdpSpec {
                dst,
                port: self.port,
                sport,
                src: self.src,
                dev: self.dev.clone(),
                ttl: self.ttl,
                pmtudisc: self.df.unwrap_or_default(),
                payload: "PROBE\n".into(),
                unconnected: self.unconnected,
                timeout,
            })),
            ProbeKind::Arping => Program::Arping(Arping::new(ArpingSpec {
                zero_target: false,
                dst,
                dev: self.dev.clone().unwrap_or_else(|| "eth0".into()),
                src: self.src,
                count: 1,
                interval: SEC,
                timeout: timeout.min(SEC),
                announce: None,
                first: false,
                broadcast: true,
            })),
            ProbeKind::Traceroute => Program::Traceroute(Traceroute::new(TraceSpec {
                pmtudisc: PmtuDisc::default(),
                dst,
                icmp: self.icmp,
                max: self.max.unwrap_or(8),
                wait: self.timeout.unwrap_or(HOP_WAIT),
                sport,
                dev: self.dev.clone(),
                src: self.src,
                queries: 1,
                data: if self.icmp { (0..56u8).collect::<Vec<u8>>().into() } else { "PROBE\n".into() },
                port: 33_433,
                style: Style::Probe,
            })),
            ProbeKind::Dns => return None,
        })
    }
}

/// How long a traceroute waits for each hop.
pub const HOP_WAIT: Nanos = 1_200 * MSEC;

impl ProbeKind {
    fn from_word(w: &str) -> Option<ProbeKind> {
        Some(match w {
            "ping" => ProbeKind::Ping,
            "tcp" => ProbeKind::Tcp,
            "udp" => ProbeKind::Udp,
            "http" => ProbeKind::Http,
            "bulk" => ProbeKind::Bulk,
            "dns" => ProbeKind::Dns,
            "arping" => ProbeKind::Arping,
            "traceroute" => ProbeKind::Traceroute,
            _ => return None,
        })
    }
}

/// Words with their offsets.
fn split(text: &str) -> Vec<(usize, &str)> {
    let base = text.as_ptr() as usize;
    text.split_whitespace().map(|w| (w.as_ptr() as usize - base, w)).collect()
}

/// Outcome of an ICMP error, by type and code.
pub fn icmp_class(ty: u8, code: u8) -> Outcome {
    match (ty, code) {
        (11, _) => Outcome::TtlExceeded,
        (3, 0 | 6) => Outcome::UnreachableNet,
        (3, 1 | 7) => Outcome::UnreachableHost,
        (3, 2) => Outcome::UnreachableProto,
        (3, 3) => Outcome::UnreachablePort,
        (3, 4) => Outcome::FragNeeded,
        (3, 5) => Outcome::UnreachableSrcroute,
        (3, _) => Outcome::UnreachableAdmin,
        _ => Outcome::Invalid,
    }
}

/// Outcome of an errno of one's own kernel.
pub fn local_class(e: Errno) -> Outcome {
    match e {
        Errno::ENETUNREACH => Outcome::NoRoute,
        Errno::EHOSTUNREACH | Errno::EHOSTDOWN => Outcome::UnreachableHost,
        Errno::EPERM | Errno::EACCES => Outcome::NotPermitted,
        Errno::EMSGSIZE => Outcome::FragNeeded,
        Errno::ECONNREFUSED => Outcome::Refused,
        Errno::ETIMEDOUT => Outcome::Timeout,
        Errno::ENODEV => Outcome::NoDevice,
        Errno::EADDRNOTAVAIL => Outcome::NoAddress,
        Errno::ECONNRESET => Outcome::Reset,
        Errno::ENOPROTOOPT => Outcome::UnreachableProto,
        _ => Outcome::Invalid,
    }
}

/// Reads a server's line: who it is, whom it saw, where it was asked.
pub fn read_line(text: &str, r: &mut ProbeReport) {
    for w in text.lines().next().unwrap_or("").split_whitespace() {
        match w.split_once('=') {
            Some(("name", v)) => r.server = Some(v.to_owned()),
            Some(("peer", v)) => r.seen = Some(v.to_owned()),
            Some(("local", v)) => r.served_at = Some(v.to_owned()),
            _ => {}
        }
    }
}
