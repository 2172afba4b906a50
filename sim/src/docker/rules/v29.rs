//! 29.x (libnetwork drivers/bridge/internal/iptabler).

use super::v20::{masquerade, nat_jumps, no_nat_jumps, setup};
use super::v28::{forward, icc, legacy_icc};
use super::{Call, NetRules};
use crate::kernel::xtables::TableKind::{Filter, Nat};

/// Calls when the daemon starts.
pub fn start(proxy: bool) -> Vec<Call> {
    let mut out = vec![Call::Delete(Filter, "FORWARD", "-j DOCKER-FORWARD".into())];
    out.extend(no_nat_jumps());
    out.push(Call::Drop(Nat, "DOCKER"));
    out.extend(
        ["DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-INTERNAL", "DOCKER"].map(|c| Call::Drop(Filter, c)),
    );
    out.push(Call::Chain(Nat, "DOCKER"));
    let chains = ["DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-INTERNAL"];
    out.extend(chains.map(|c| Call::Chain(Filter, c)));
    out.extend(nat_jumps(proxy));
    out.push(Call::Jump("FORWARD", "DOCKER-FORWARD"));
    out.push(Call::Jump("DOCKER-FORWARD", "DOCKER-BRIDGE"));
    out.push(Call::Jump("DOCKER-FORWARD", "DOCKER-INTERNAL"));
    out.push(Call::Jump("DOCKER-FORWARD", "DOCKER-CT"));
    out
}

/// Calls when a network is made.
pub fn network(n: &NetRules) -> Vec<Call> {
    let (br, net) = (&n.bridge, n.net);
    if n.internal {
        let verdict = if n.icc { "ACCEPT" } else { "DROP" };
        let mut out = vec![
            setup("DROP INCOMING", Call::Insert(Filter, "DOCKER-INTERNAL", format!("-i {br} ! -d {net} -j DROP"))),
            setup("DROP OUTGOING", Call::Insert(Filter, "DOCKER-INTERNAL", format!("-o {br} ! -s {net} -j DROP"))),
            icc(n.icc, Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} -o {br} -j {verdict}"))),
        ];
        out.extend(legacy_icc(br));
        return out;
    }
    let mut out = Vec::new();
    let (own, local) = masquerade(n);
    if n.masquerade && !n.routed {
        out.push(own);
    }
    if !n.proxy && !n.routed {
        out.push(local);
    }
    out.extend(forward(n));
    out
}
