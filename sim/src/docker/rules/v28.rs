//! 28.2.2 to 28.5.2 (libnetwork drivers/bridge/setup_ip_tables_linux.go).

use super::v20::{masquerade, nat_jumps};
use super::{Call, NetRules};
use crate::kernel::xtables::TableKind::{Filter, Nat};

const STAGE1: &str = "DOCKER-ISOLATION-STAGE-1";
const STAGE2: &str = "DOCKER-ISOLATION-STAGE-2";
/// Chains of the filter table.
const CHAINS: [&str; 6] = ["DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", STAGE1, STAGE2];

/// Calls when the daemon starts.
pub fn start(proxy: bool) -> Vec<Call> {
    let mut out = vec![Call::Delete(Filter, "FORWARD", "-j DOCKER-FORWARD".into())];
    out.push(Call::Drop(Nat, "DOCKER"));
    // What jumps goes before what is jumped to.
    out.extend(
        ["DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", STAGE1, STAGE2, "DOCKER"].map(|c| Call::Drop(Filter, c)),
    );
    out.push(Call::Chain(Nat, "DOCKER"));
    out.extend(CHAINS.map(|c| Call::Chain(Filter, c)));
    out.extend(nat_jumps(proxy));
    out.push(Call::Jump("FORWARD", "DOCKER-FORWARD"));
    out.push(Call::Jump("DOCKER-FORWARD", "DOCKER-BRIDGE"));
    out.push(Call::Jump("DOCKER-FORWARD", STAGE1));
    out.push(Call::Jump("DOCKER-FORWARD", "DOCKER-CT"));
    out
}

/// DOCKER-USER, empty, on top of FORWARD.
pub fn user() -> Vec<Call> {
    vec![Call::Chain(Filter, "DOCKER-USER"), Call::Jump("FORWARD", "DOCKER-USER")]
}

/// Calls when a network is made.
pub fn network(n: &NetRules) -> Vec<Call> {
    let (br, net) = (&n.bridge, n.net);
    if n.internal {
        let verdict = if n.icc { "ACCEPT" } else { "DROP" };
        return vec![
            Call::Insert(Filter, STAGE1, format!("-i {br} ! -d {net} -j DROP")),
            Call::Insert(Filter, STAGE1, format!("-o {br} ! -s {net} -j DROP")),
            Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} -o {br} -j {verdict}")),
        ];
    }
    let mut out = Vec::new();
    let (own, local) = masquerade(n);
    if n.masquerade && !n.routed {
        out.push(own);
    }
    if n.masquerade && n.proxy {
        out.push(Call::Insert(Nat, "DOCKER", format!("-i {br} -j RETURN")));
    }
    if !n.proxy && !n.routed {
        out.push(local);
    }
    out.extend(forward(n));
    if n.routed {
        let ct = format!("-i {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        out.push(Call::Insert(Filter, STAGE1, format!("-o {br} -j RETURN")));
        out.push(Call::Insert(Filter, STAGE1, ct));
    }
    out.push(Call::Append(Filter, STAGE1, format!("-i {br} ! -o {br} -j {STAGE2}")));
    out.push(Call::Insert(Filter, STAGE2, format!("-o {br} -j DROP")));
    out
}

/// What 28 and 29 share: who may forward.
pub(super) fn forward(n: &NetRules) -> Vec<Call> {
    let br = &n.bridge;
    let mut out = Vec::new();
    if !n.icc {
        out.push(Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} -o {br} -j DROP")));
    }
    if n.routed {
        out.push(Call::Append(Filter, "DOCKER", format!("-o {br} -p icmp -j ACCEPT")));
    }
    let not_out = if n.icc { String::new() } else { format!("! -o {br} ") };
    out.push(Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} {not_out}-j ACCEPT")));
    let verdict = if n.unprotected { "ACCEPT" } else { "DROP" };
    out.push(Call::Append(Filter, "DOCKER", format!("! -i {br} -o {br} -j {verdict}")));
    let ct = format!("-o {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    out.push(Call::Append(Filter, "DOCKER-CT", ct));
    out.push(Call::Append(Filter, "DOCKER-BRIDGE", format!("-o {br} -j DOCKER")));
    out
}
