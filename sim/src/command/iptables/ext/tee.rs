//! `-j TEE` (libxt_TEE): kept in its canonical form.

use std::net::Ipv4Addr;

use super::TargetExt;
use super::kept::{opaque_target, target_args};
use super::opt::{Ty, opt};

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "TEE",
    opts: &[opt("gateway", 0, Ty::Host).mand(), opt("oif", 1, Ty::Text)],
    check: None,
    build: |g, _| {
        let gateway = Ipv4Addr::from(g.get(0).map_or(0, |i| i.masked().0));
        let oif = g.get(1).map_or_else(String::new, |i| format!(" --oif {}", i.arg));
        Ok(opaque_target("TEE", &format!(" --gateway {gateway}{oif}"), false))
    },
    save: |t| target_args(t).to_owned(),
    list: |t, _, _| format!(" TEE{}", target_args(t).replace("--gateway ", "gw:").replace("--oif ", "oif=")),
};
