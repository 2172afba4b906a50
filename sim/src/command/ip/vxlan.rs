//! `type vxlan` of `ip link` (ip/iplink_vxlan.c).

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::args::{Args, Bad, expected, invarg, matches, parse_addr, parse_u64};
use crate::command::Proc;
use crate::kernel::Kernel;
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId, SEC};
use crate::kernel::vxlan::{Vxlan, VxlanCfg, VxlanDf, VxlanFixed, VxlanSet};
use crate::trace::Recorder;

/// What `ip` says about a device without a port of its own.
pub(super) const NO_PORT: &str = "vxlan: destination port not specified\n\
    Will use Linux kernel default (non-standard value)\n\
    Use 'dstport 4789' to get the IANA assigned value\n\
    Use 'dstport 0' to get default and quiet this message\n";

const USAGE: &str = "Usage: ... vxlan id VNI
		[ { group | remote } IP_ADDRESS ]
		[ local ADDR ]
		[ ttl TTL ]
		[ tos TOS ]
		[ df DF ]
		[ flowlabel LABEL ]
		[ dev PHYS_DEV ]
		[ dstport PORT ]
		[ srcport MIN MAX ]
		[ [no]learning ]
		[ [no]proxy ]
		[ [no]rsc ]
		[ [no]l2miss ]
		[ [no]l3miss ]
		[ ageing SECONDS ]
		[ maxaddress NUMBER ]
		[ [no]udpcsum ]
		[ [no]udp6zerocsumtx ]
		[ [no]udp6zerocsumrx ]
		[ [no]remcsumtx ] [ [no]remcsumrx ]
		[ [no]external ] [ gbp ] [ gpe ]
		[ [no]vnifilter ]

Where:	VNI	:= 0-16777215
	ADDR	:= { IP_ADDRESS | any }
	TOS	:= { NUMBER | inherit }
	TTL	:= { 1..255 | auto | inherit }
	DF	:= { unset | set | inherit }
	LABEL := 0-1048575
";

/// Time to live of the outer header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Ttl {
    Auto,
    Inherit,
    Value(u8),
}

/// Options as named on the command line; what was not named is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct VxlanArgs {
    pub id: Option<u32>,
    pub remote: Option<Ipv4Addr>,
    pub local: Option<Ipv4Addr>,
    pub dev: Option<String>,
    pub ttl: Option<Ttl>,
    /// 1 stands for `inherit`.
    pub tos: Option<u8>,
    pub df: Option<VxlanDf>,
    /// Seconds.
    pub ageing: Option<u32>,
    pub maxaddress: Option<u32>,
    pub srcport: Option<(u16, u16)>,
    pub dstport: Option<u16>,
    /// Flags that were named, by their place in [`FLAGS`].
    pub flags: [Option<bool>; 8],
}

/// Flags, each also with `no` before it.
pub const FLAGS: [&str; 8] =
    ["learning", "proxy", "rsc", "l2miss", "l3miss", "udpcsum", "udp6zerocsumtx", "udp6zerocsumrx"];

/// Options in the order in which `ip` compares a word with them.
const NAMES: &[&str] = &[
    "id",
    "vni",
    "group",
    "remote",
    "local",
    "dev",
    "flowlabel",
    "label",
    "ttl",
    "hoplimit",
    "tos",
    "dsfield",
    "df",
    "ageing",
    "maxaddress",
    "port",
    "srcport",
    "dstport",
    "nolearning",
    "learning",
    "noproxy",
    "proxy",
    "norsc",
    "rsc",
    "nol2miss",
    "l2miss",
    "nol3miss",
    "l3miss",
    "udpcsum",
    "noudpcsum",
    "udp6zerocsumtx",
    "noudp6zerocsumtx",
    "udp6zerocsumrx",
    "noudp6zerocsumrx",
    "remcsumtx",
    "noremcsumtx",
    "remcsumrx",
    "noremcsumrx",
    "external",
    "noexternal",
    "gbp",
    "gpe",
    "vnifilter",
    "help",
];

fn addr(a: &mut Args<'_>) -> Result<Ipv4Addr, Bad> {
    let v = a.value()?;
    if matches!(v, "any" | "all" | "default") {
        return Ok(Ipv4Addr::UNSPECIFIED);
    }
    parse_addr(v).ok_or_else(|| expected("any valid address", v))
}

/// Sets an option once.
fn once<T>(slot: &mut Option<T>, name: &str, shown: &str, v: T) -> Result<(), Bad> {
    match slot.replace(v) {
        None => Ok(()),
        Some(_) => Err(Bad::Say(format!("Error: either \"{name}\" is duplicate, or \"{shown}\" is a garbage.\n"), 255)),
    }
}

/// Reads the options to the end of the line; `set` for a device that exists.
pub(super) fn parse(a: &mut Args<'_>, set: bool) -> Result<VxlanArgs, Bad> {
    let mut o = VxlanArgs::default();
    while let Some(w) = a.next() {
        let Some(name) = NAMES.iter().find(|n| matches(w, n)) else {
            return Err(Bad::Say(format!("vxlan: unknown command \"{w}\"?\n{USAGE}"), 1));
        };
        option(a, &mut o, name)?;
    }
    if !set && o.id.is_none() && o != VxlanArgs::default() {
        return Err(Bad::Say("vxlan: missing virtual network identifier\n".into(), 1));
    }
    Ok(o)
}

fn option(a: &mut Args<'_>, o: &mut VxlanArgs, name: &str) -> Result<(), Bad> {
    let shown = a.peek().unwrap_or("").to_owned();
    match name {
        "id" | "vni" => {
            let n: u32 = a.number("invalid id")?;
            if n >= 1 << 24 {
                return Err(invarg("invalid id", &shown));
            }
            once(&mut o.id, "id", &shown, n)
        }
        "group" => {
            let g = addr(a)?;
            if !g.is_multicast() {
                return Err(invarg("invalid group address", &shown));
            }
            Err(a.refuse_last("ip link type vxlan group: multicast between hosts is not modelled"))
        }
        "remote" => {
            let r = addr(a)?;
            if r.is_multicast() {
                return Err(invarg("invalid remote address", &shown));
            }
            once(&mut o.remote, "remote", &shown, r)
        }
        "local" => {
            let l = addr(a)?;
            if l.is_multicast() {
                return Err(invarg("invalid local address", &shown));
            }
            once(&mut o.local, "local", &shown, l)
        }
        "dev" => once(&mut o.dev, "dev", &shown, a.value()?.to_owned()),
        "ttl" | "hoplimit" => {
            let t = ttl(a)?;
            once(&mut o.ttl, "ttl", &shown, t)
        }
        "tos" | "dsfield" => {
            let v = a.value()?;
            let hex = || u8::from_str_radix(v.trim_start_matches("0x"), 16).ok();
            let n = if v == "inherit" { Some(1) } else { hex() };
            once(&mut o.tos, "tos", &shown, n.ok_or_else(|| invarg("bad TOS value", v))?)
        }
        "df" => {
            let df = match a.value()? {
                "unset" => VxlanDf::Unset,
                "set" => VxlanDf::Set,
                "inherit" => VxlanDf::Inherit,
                v => return Err(invarg("DF must be 'unset', 'set' or 'inherit'", v)),
            };
            once(&mut o.df, "df", &shown, df)
        }
        "ageing" => once(&mut o.ageing, "ageing", &shown, a.number("ageing timer")?),
        "maxaddress" => {
            let v = a.value()?;
            let n = if v == "unlimited" { Some(0) } else { parse_u64(v).and_then(|n| n.try_into().ok()) };
            once(&mut o.maxaddress, "maxaddress", &shown, n.ok_or_else(|| invarg("max addresses", v))?)
        }
        "port" | "srcport" => {
            let range = (a.number("min port")?, a.number("max port")?);
            once(&mut o.srcport, "srcport", &shown, range)
        }
        "dstport" => once(&mut o.dstport, "dstport", &shown, a.number("dst port")?),
        "help" => Err(Bad::Say(USAGE.into(), 1)),
        _ => flag(a, o, name),
    }
}

fn flag(a: &Args<'_>, o: &mut VxlanArgs, name: &str) -> Result<(), Bad> {
    let of = |n: &str| FLAGS.iter().position(|f| *f == n);
    match (of(name), name.strip_prefix("no").and_then(of)) {
        (Some(i), _) => once(&mut o.flags[i], name, name, true),
        (None, Some(i)) => once(&mut o.flags[i], name, name, false),
        _ => Err(a.refuse_last(&format!("ip link type vxlan {name}"))),
    }
}

fn ttl(a: &mut Args<'_>) -> Result<Ttl, Bad> {
    match a.value()? {
        "auto" => Ok(Ttl::Auto),
        "inherit" => Ok(Ttl::Inherit),
        v => match parse_u64(v) {
            None => Err(invarg("invalid TTL", v)),
            Some(0) => Ok(Ttl::Auto),
            Some(n) => u8::try_from(n).map(Ttl::Value).map_err(|_| invarg("TTL must be <= 255", v)),
        },
    }
}

impl VxlanArgs {
    /// The options in one fixed order.
    pub fn words(&self) -> Vec<String> {
        let mut w: Vec<String> = Vec::new();
        let mut put = |name: &str, v: Option<String>| {
            if let Some(v) = v {
                w.push(name.to_owned());
                w.extend(v.split(' ').map(str::to_owned));
            }
        };
        put("id", self.id.map(|n| n.to_string()));
        put("remote", self.remote.map(|n| n.to_string()));
        put("local", self.local.map(|n| n.to_string()));
        put("dev", self.dev.clone());
        put("srcport", self.srcport.map(|(a, b)| format!("{a} {b}")));
        put("dstport", self.dstport.map(|n| n.to_string()));
        put(
            "ttl",
            self.ttl.map(|t| match t {
                Ttl::Auto => "auto".to_owned(),
                Ttl::Inherit => "inherit".to_owned(),
                Ttl::Value(n) => n.to_string(),
            }),
        );
        put("tos", self.tos.map(tos_text));
        put("df", self.df.map(|d| d.as_str().to_owned()));
        put("ageing", self.ageing.map(|n| n.to_string()));
        put("maxaddress", self.maxaddress.map(|n| n.to_string()));
        for (name, on) in FLAGS.iter().zip(self.flags) {
            if let Some(on) = on {
                w.push(format!("{}{name}", if on { "" } else { "no" }));
            }
        }
        w
    }

    fn lower(&self, p: &Proc<'_>, ns: NetnsId) -> Result<Option<DevId>, Bad> {
        let Some(name) = &self.dev else { return Ok(None) };
        let no = || Bad::Say(format!("Cannot find device \"{name}\"\n"), 255);
        p.sess.kernel.dev_by_name(ns, name).map(Some).ok_or_else(no)
    }

    /// Settings of a new device.
    pub(super) fn cfg(&self, p: &Proc<'_>) -> Result<VxlanCfg, Bad> {
        let d = VxlanCfg::default();
        let given = |a: Option<Ipv4Addr>| a.filter(|a| !a.is_unspecified());
        let flag = |i: usize, default: bool| self.flags[i].unwrap_or(default);
        let ageing = self.ageing.filter(|n| *n != 0).map_or(d.ageing, |n| u64::from(n) * SEC);
        Ok(VxlanCfg {
            vni: self.id.unwrap_or(0),
            port: self.dstport.filter(|n| *n != 0).unwrap_or(d.port),
            remote: given(self.remote),
            local: given(self.local),
            lower: self.lower(p, p.ns)?,
            ttl: if let Some(Ttl::Value(n)) = self.ttl { n } else { 0 },
            ttl_inherit: self.ttl == Some(Ttl::Inherit),
            tos: self.tos.unwrap_or(0),
            df: self.df.unwrap_or_default(),
            srcport: self.srcport.unwrap_or_default(),
            learning: flag(0, true),
            proxy: flag(1, false),
            rsc: flag(2, false),
            l2miss: flag(3, false),
            l3miss: flag(4, false),
            udp_csum: flag(5, true),
            udp6_zero_csum_tx: flag(6, false),
            udp6_zero_csum_rx: flag(7, false),
            ageing,
            maxaddress: self.maxaddress.unwrap_or(0),
        })
    }

    /// Changes of a device that exists, in the order in which the kernel reads them.
    pub(super) fn sets(&self, p: &Proc<'_>) -> Result<Vec<VxlanSet>, Bad> {
        use VxlanFixed as F;
        let mut out = Vec::new();
        let fixed = |given: bool, f: F| given.then_some(VxlanSet::Fixed(f));
        out.extend(self.id.map(VxlanSet::Vni));
        out.extend(self.remote.map(VxlanSet::Remote));
        out.extend(self.local.map(VxlanSet::Local));
        out.extend(self.lower(p, p.ns)?.map(VxlanSet::Lower));
        out.extend(self.tos.map(VxlanSet::Tos));
        out.extend(self.ttl.map(|t| match t {
            Ttl::Auto => VxlanSet::Ttl(0),
            Ttl::Value(n) => VxlanSet::Ttl(n),
            Ttl::Inherit => VxlanSet::Fixed(F::TtlInherit),
        }));
        out.extend(self.flags[0].map(VxlanSet::Learning));
        out.extend(self.ageing.map(|n| VxlanSet::Ageing(u64::from(n) * SEC)));
        let named = [(1, F::Proxy), (2, F::Rsc), (3, F::L2miss), (4, F::L3miss)];
        out.extend(named.into_iter().filter_map(|(i, f)| fixed(self.flags[i].is_some(), f)));
        out.extend(fixed(self.maxaddress.is_some(), F::Limit));
        out.extend(fixed(self.srcport.is_some(), F::PortRange));
        out.extend(fixed(self.dstport.is_some(), F::Port));
        let udp = [(5, F::UdpCsum), (6, F::UdpZeroCsum6Tx), (7, F::UdpZeroCsum6Rx)];
        out.extend(udp.into_iter().filter_map(|(i, f)| fixed(self.flags[i].is_some(), f)));
        out.extend(self.df.map(VxlanSet::Df));
        Ok(out)
    }
}

fn tos_text(n: u8) -> String {
    if n == 1 { "inherit".into() } else { format!("{n:#x}") }
}

/// The lower device as it is named in the namespace that the tunnel is in now: the number may mean another one.
fn lower_name<R: Recorder>(k: &Kernel<R>, d: &Device, v: &Vxlan) -> Option<String> {
    let ix = k.dev(v.cfg.lower?).ifindex;
    Some(match k.ns(d.netns).devs.get(&ix) {
        Some(here) => k.dev(*here).name.to_string(),
        None => format!("if{ix}"),
    })
}

/// What `ip -d link` prints of the tunnel.
pub(super) fn text<R: Recorder>(k: &Kernel<R>, d: &Device, v: &Vxlan) -> String {
    let c = &v.cfg;
    let mut s = format!("vxlan id {} ", c.vni);
    let mut put = |name: &str, v: Option<String>| {
        if let Some(v) = v {
            s.push_str(&format!("{name} {v} "));
        }
    };
    put("remote", c.remote.map(|a| a.to_string()));
    put("local", c.local.map(|a| a.to_string()));
    put("dev", lower_name(k, d, v));
    put("srcport", Some(format!("{} {}", c.srcport.0, c.srcport.1)));
    put("dstport", Some(c.port.to_string()));
    for (on, name) in
        [(!c.learning, "nolearning"), (c.proxy, "proxy"), (c.rsc, "rsc"), (c.l2miss, "l2miss"), (c.l3miss, "l3miss")]
    {
        if on {
            s.push_str(name);
            s.push(' ');
        }
    }
    if c.tos != 0 {
        s.push_str(&format!("tos {} ", tos_text(c.tos)));
    }
    s.push_str(&match (c.ttl_inherit, c.ttl) {
        (true, _) => "ttl inherit ".to_owned(),
        (_, 0) => "ttl auto ".to_owned(),
        (_, n) => format!("ttl {n} "),
    });
    if c.df != VxlanDf::Unset {
        s.push_str(&format!("df {} ", c.df.as_str()));
    }
    s.push_str(&format!("ageing {} ", c.ageing / SEC));
    if c.maxaddress != 0 {
        s.push_str(&format!("maxaddr {} ", c.maxaddress));
    }
    let no = |on: bool| if on { "" } else { "no" };
    s.push_str(&format!(
        "{}udpcsum {}udp6zerocsumtx {}udp6zerocsumrx ",
        no(c.udp_csum),
        no(c.udp6_zero_csum_tx),
        no(c.udp6_zero_csum_rx)
    ));
    s
}

/// `info_data` of `ip -j -d link`.
pub fn info_data<R: Recorder>(k: &Kernel<R>, d: &Device, v: &Vxlan) -> Value {
    let c = &v.cfg;
    let mut o = Map::new();
    let mut put = |name: &str, v: Value| {
        if v != Value::Null {
            o.insert(name.to_owned(), v);
        }
    };
    put("id", json!(c.vni));
    put("remote", json!(c.remote));
    put("local", json!(c.local));
    put("link", json!(lower_name(k, d, v)));
    put("port_range", json!({"low": c.srcport.0, "high": c.srcport.1}));
    put("port", json!(c.port));
    put("learning", json!(c.learning));
    for (on, name) in [(c.proxy, "proxy"), (c.rsc, "rsc"), (c.l2miss, "l2miss"), (c.l3miss, "l3miss")] {
        put(name, if on { json!(true) } else { Value::Null });
    }
    put("tos", if c.tos == 0 { Value::Null } else { json!(format!("{:#x}", c.tos)) });
    put("ttl", if c.ttl_inherit { Value::Null } else { json!(c.ttl) });
    put("df", json!(c.df.as_str()));
    put("ageing", json!(c.ageing / SEC));
    put("limit", if c.maxaddress == 0 { Value::Null } else { json!(c.maxaddress) });
    put("udp_csum", json!(c.udp_csum));
    put("udp_zero_csum6_tx", json!(c.udp6_zero_csum_tx));
    put("udp_zero_csum6_rx", json!(c.udp6_zero_csum_rx));
    Value::Object(o)
}
