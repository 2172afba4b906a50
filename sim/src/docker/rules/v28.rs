//! 28.2.2 to 28.5.2 (libnetwork drivers/bridge/setup_ip_tables_linux.go).

use super::v20::{masquerade, nat_jumps, no_nat_jumps, setup};
use super::{Call, NetRules};
use crate::kernel::xtables::TableKind::{Filter, Nat};

const STAGE1: &str = "DOCKER-ISOLATION-STAGE-1";
const STAGE2: &str = "DOCKER-ISOLATION-STAGE-2";
/// Chains of the filter table.
const CHAINS: [&str; 6] = ["DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", STAGE1, STAGE2];

/// Calls when the daemon starts.
pub fn start(proxy: bool) -> Vec<Call> {
    let mut out = vec![Call::Delete(Filter, "FORWARD", "-j DOCKER-FORWARD".into())];
    out.extend(no_nat_jumps());
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
    // `deleteLegacyTopLevelRules`.
    out.push(Call::Delete(Filter, "FORWARD", format!("-j {STAGE1}")));
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
        let mut out = vec![
            setup("DROP INCOMING", Call::Insert(Filter, STAGE1, format!("-i {br} ! -d {net} -j DROP"))),
            setup("DROP OUTGOING", Call::Insert(Filter, STAGE1, format!("-o {br} ! -s {net} -j DROP"))),
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
    if n.masquerade && n.proxy {
        out.push(setup("SKIP DNAT", Call::Insert(Nat, "DOCKER", format!("-i {br} -j RETURN"))));
    }
    if !n.proxy && !n.routed {
        out.push(local);
    }
    out.extend(forward(n));
    let apart = |c: Call| c.says("add inter-network communication rule: ".into());
    if n.routed {
        let ct = format!("-i {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        out.push(apart(Call::Insert(Filter, STAGE1, format!("-o {br} -j RETURN"))));
        out.push(apart(Call::Insert(Filter, STAGE1, ct)));
    }
    out.push(apart(Call::Append(Filter, STAGE1, format!("-i {br} ! -o {br} -j {STAGE2}"))));
    out.push(apart(Call::Insert(Filter, STAGE2, format!("-o {br} -j DROP"))));
    out
}

/// `setIcc`.
pub(super) fn icc(allowed: bool, call: Call) -> Call {
    let what = if allowed { "allow" } else { "prevent" };
    call.says(format!("Failed to Setup IP tables: Unable to {what} intercontainer communication: "))
}

/// Rules that an engine up to 28.0.0 put into FORWARD are taken away, also where somebody else wrote them.
pub(super) fn legacy_icc(br: &str) -> Vec<Call> {
    ["ACCEPT", "DROP"].map(|v| Call::Delete(Filter, "FORWARD", format!("-i {br} -o {br} -j {v}"))).into()
}

/// The same of a network that reaches the outside (`deleteLegacyFilterRules` among others).
fn legacy_forward(br: &str, icc: bool) -> Vec<Call> {
    let mut out = vec![format!("-i {br} ! -o {br} -j ACCEPT")];
    if icc {
        out.push(format!("-i {br} -j ACCEPT"));
    }
    out.push(format!("-o {br} -j DOCKER"));
    out.push(format!("-o {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
    out.into_iter().map(|r| Call::Delete(Filter, "FORWARD", r)).collect()
}

/// What 28 and 29 share: who may forward.
pub(super) fn forward(n: &NetRules) -> Vec<Call> {
    let br = &n.bridge;
    let mut out = Vec::new();
    if !n.icc {
        out.push(icc(false, Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} -o {br} -j DROP"))));
    }
    out.extend(legacy_icc(br));
    out.extend(legacy_forward(br, n.icc));
    if n.routed {
        out.push(setup("ICMP", Call::Append(Filter, "DOCKER", format!("-o {br} -p icmp -j ACCEPT"))));
    }
    let (not_out, what) =
        if n.icc { (String::new(), "ACCEPT OUTGOING") } else { (format!("! -o {br} "), "ACCEPT NON_ICC OUTGOING") };
    out.push(setup(what, Call::Append(Filter, "DOCKER-FORWARD", format!("-i {br} {not_out}-j ACCEPT"))));
    let verdict = if n.unprotected { "ACCEPT" } else { "DROP" };
    let default = Call::Append(Filter, "DOCKER", format!("! -i {br} -o {br} -j {verdict}"));
    out.push(default.says("failed to add default-drop rule: Unable to enable DEFAULT FWD rule: ".into()));
    let ct = format!("-o {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    out.push(Call::Append(Filter, "DOCKER-CT", ct).says("Unable to enable bridge ct related rule: ".into()));
    let jump = Call::Append(Filter, "DOCKER-BRIDGE", format!("-o {br} -j DOCKER"));
    out.push(jump.says("Unable to enable jump to docker rule: ".into()));
    out
}
