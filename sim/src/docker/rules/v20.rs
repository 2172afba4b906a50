//! 20.10 (libnetwork drivers/bridge/setup_ip_tables.go, firewall_linux.go).

use super::{Call, NetRules};
use crate::kernel::xtables::TableKind::{Filter, Nat};

const STAGE1: &str = "DOCKER-ISOLATION-STAGE-1";
const STAGE2: &str = "DOCKER-ISOLATION-STAGE-2";

/// Calls when the daemon starts.
pub fn start() -> Vec<Call> {
    let mut out = no_nat_jumps();
    out.extend([
        Call::Drop(Nat, "DOCKER"),
        Call::Drop(Filter, "DOCKER"),
        Call::Drop(Filter, STAGE1),
        Call::Drop(Filter, STAGE2),
        Call::Chain(Nat, "DOCKER"),
        Call::Chain(Filter, "DOCKER"),
        Call::Chain(Filter, STAGE1),
        Call::Chain(Filter, STAGE2),
        Call::Append(Filter, STAGE1, "-j RETURN".into()),
        Call::Append(Filter, STAGE2, "-j RETURN".into()),
    ]);
    out
}

/// `arrangeUserFilterRule`: after the start and after each network.
pub fn user() -> Vec<Call> {
    vec![
        Call::Chain(Filter, "DOCKER-USER"),
        Call::Append(Filter, "DOCKER-USER", "-j RETURN".into()),
        Call::Jump("FORWARD", "DOCKER-USER"),
    ]
}

/// A rule that `setupIPTablesInternal` programs, by its name in errors.
pub(super) fn setup(what: &str, call: Call) -> Call {
    call.says(format!("Failed to Setup IP tables: Unable to enable {what} rule: "))
}

/// The masquerading rules of a network: of its own packets, and of the host's where no proxy serves it.
pub(super) fn masquerade(n: &NetRules) -> (Call, Call) {
    let (br, net) = (&n.bridge, n.net);
    let target = n.host_ip.map_or_else(|| "MASQUERADE".to_owned(), |a| format!("SNAT --to-source {a}"));
    (
        setup("NAT", Call::Insert(Nat, "POSTROUTING", format!("-s {net} ! -o {br} -j {target}"))),
        setup(
            "MASQ LOCAL HOST",
            Call::Insert(Nat, "POSTROUTING", format!("-m addrtype --src-type LOCAL -o {br} -j {target}")),
        ),
    )
}

/// The jumps to nat DOCKER.
pub(super) fn nat_jumps(proxy: bool) -> [Call; 2] {
    let lo = if proxy { " ! --dst 127.0.0.0/8" } else { "" };
    let jump = |chain, lo: &str| {
        Call::Append(Nat, chain, format!("-m addrtype --dst-type LOCAL -j DOCKER{lo}"))
            .says(format!("Failed to program NAT chain: Failed to inject DOCKER in {chain} chain: "))
    };
    [jump("PREROUTING", ""), jump("OUTPUT", lo)]
}

/// What goes with nat DOCKER when a daemon starts: the jumps, as either setting of the proxy writes them
/// (`ChainInfo.Remove`).
pub(super) fn no_nat_jumps() -> Vec<Call> {
    let all = [nat_jumps(true), nat_jumps(false)];
    all.iter().flatten().filter_map(Call::undo).collect()
}

/// Calls when a network is made.
pub fn network(n: &NetRules) -> Vec<Call> {
    let (br, net) = (&n.bridge, n.net);
    // `setIcc`: the other verdict goes first, whoever wrote it.
    let [accept, drop] = ["ACCEPT", "DROP"].map(|v| format!("-i {br} -o {br} -j {v}"));
    let icc = if n.icc {
        [Call::Delete(Filter, "FORWARD", drop), Call::Insert(Filter, "FORWARD", accept)]
    } else {
        [Call::Delete(Filter, "FORWARD", accept), Call::Append(Filter, "FORWARD", drop)]
    };
    if n.internal {
        let mut out = vec![
            setup("DROP INCOMING", Call::Insert(Filter, STAGE1, format!("-i {br} ! -d {net} -j DROP"))),
            setup("DROP OUTGOING", Call::Insert(Filter, STAGE1, format!("-o {br} ! -s {net} -j DROP"))),
        ];
        out.extend(icc);
        out.push(stage_jump());
        return out;
    }
    let mut out = Vec::new();
    let (own, local) = masquerade(n);
    if n.masquerade {
        out.push(own);
        if n.proxy {
            out.push(setup("SKIP DNAT", Call::Insert(Nat, "DOCKER", format!("-i {br} -j RETURN"))));
        }
    }
    if !n.proxy {
        out.push(local);
    }
    out.extend(icc);
    out.push(Call::Insert(Filter, "FORWARD", format!("-i {br} ! -o {br} -j ACCEPT")));
    out.extend(nat_jumps(n.proxy));
    let link = Call::Insert(Filter, "FORWARD", format!("-o {br} -j DOCKER"));
    out.push(link.says("Failed to program FILTER chain: ".into()));
    let ct = format!("-o {br} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    out.push(Call::Insert(Filter, "FORWARD", ct));
    out.push(stage_jump());
    let apart = |c: Call| c.says("unable to add inter-network communication rule: ".into());
    out.push(apart(Call::Insert(Filter, STAGE1, format!("-i {br} ! -o {br} -j {STAGE2}"))));
    out.push(apart(Call::Insert(Filter, STAGE2, format!("-o {br} -j DROP"))));
    out
}

/// `EnsureJumpRule`.
fn stage_jump() -> Call {
    Call::Jump("FORWARD", STAGE1).says(format!("unable to insert jump to {STAGE1} rule in FORWARD chain: "))
}
