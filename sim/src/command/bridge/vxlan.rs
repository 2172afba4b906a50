//! The forwarding databases of VXLAN devices, as `bridge fdb` shows them.

use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use crate::kernel::Kernel;
use crate::kernel::link::Device;
use crate::kernel::types::SEC;
use crate::kernel::vxlan::{Vxlan, VxlanFdbState};
use crate::trace::Recorder;
use crate::wire::MacAddr;

/// A line of the table: one destination of an entry.
#[derive(Clone, Debug)]
pub(crate) struct VxlanRow {
    mac: MacAddr,
    dev: String,
    dst: Option<Ipv4Addr>,
    port: Option<u16>,
    vni: Option<u32>,
    /// `via`: a name, or only a number where the tunnel left its namespace.
    via: Option<Result<String, u32>>,
    netnsid: Option<u32>,
    /// Seconds since it was used and updated.
    ages: (u64, u64),
    extern_learn: bool,
    /// State.
    pub(crate) state: VxlanFdbState,
}

/// The lines of a tunnel, newest entry first.
pub(crate) fn vxlan_entries<R: Recorder>(k: &Kernel<R>, d: &Device, v: &Vxlan) -> Vec<VxlanRow> {
    let now = k.now();
    let away = v.home != d.netns;
    let mut out = Vec::new();
    for (mac, e) in v.entries(now) {
        for r in &e.remotes {
            let via = r.dev.map(|x| k.dev(x)).map(|x| if away { Err(x.ifindex) } else { Ok(x.name.to_string()) });
            out.push(VxlanRow {
                mac,
                dev: d.name.to_string(),
                dst: (!r.ip.is_unspecified()).then_some(r.ip),
                port: (r.port != v.cfg.port).then_some(r.port),
                vni: (r.vni != v.cfg.vni).then_some(r.vni),
                via,
                netnsid: away.then(|| k.ns(d.netns).nsids.get(v.home)).flatten(),
                ages: (now.saturating_sub(e.used) / SEC, now.saturating_sub(e.updated) / SEC),
                extern_learn: e.extern_learn,
                state: e.state,
            });
        }
    }
    out
}

impl VxlanRow {
    fn flags(&self) -> Vec<&'static str> {
        if self.extern_learn { vec!["self", "extern_learn"] } else { vec!["self"] }
    }

    /// As `bridge fdb` prints it.
    pub(crate) fn text(&self, with_dev: bool, stats: bool) -> String {
        let mut s = format!("{} ", self.mac);
        let mut put = |name: &str, v: Option<String>| {
            if let Some(v) = v {
                s.push_str(&format!("{name} {v} "));
            }
        };
        put("dev", with_dev.then(|| self.dev.clone()));
        put("dst", self.dst.map(|a| a.to_string()));
        put("port", self.port.map(|n| n.to_string()));
        put("vni", self.vni.map(|n| n.to_string()));
        put("via", self.via.clone().map(|v| v.unwrap_or_else(|n| format!("ifindex {n}"))));
        put("link-netnsid", self.netnsid.map(|n| n.to_string()));
        put("used", stats.then(|| format!("{}/{}", self.ages.0, self.ages.1)));
        for f in self.flags() {
            s.push_str(f);
            s.push(' ');
        }
        s.push_str(self.state.as_str());
        s.push('\n');
        s
    }

    /// As `bridge -j fdb` prints it; with the ages where they are asked for.
    pub(crate) fn json(&self, with_dev: bool, stats: bool) -> Map<String, Value> {
        let mut o = Map::new();
        let mut put = |name: &str, v: Option<Value>| {
            if let Some(v) = v {
                o.insert(name.to_owned(), v);
            }
        };
        put("mac", Some(self.mac.to_string().into()));
        put("ifname", with_dev.then(|| self.dev.clone().into()));
        put("dst", self.dst.map(|a| a.to_string().into()));
        put("port", self.port.map(Into::into));
        put("vni", self.vni.map(Into::into));
        match self.via.clone() {
            Some(Ok(name)) => put("viaIf", Some(name.into())),
            Some(Err(n)) => put("viaIfIndex", Some(n.into())),
            None => {}
        }
        put("linkNetNsId", self.netnsid.map(Into::into));
        put("used", stats.then(|| self.ages.0.into()));
        put("updated", stats.then(|| self.ages.1.into()));
        put("flags", Some(self.flags().into()));
        put("state", Some(self.state.as_str().into()));
        o
    }
}
