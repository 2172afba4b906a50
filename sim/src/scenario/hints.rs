//! Remedies for what people write who know other tools: keys that have another name here, and commands typed as probes.

/// What to write instead of an unknown key, by where it stands.
pub(super) fn key(what: &str, key: &str) -> Option<&'static str> {
    let device = ["eth", "ens", "enp", "wlan"].iter().any(|p| key.starts_with(p));
    Some(match (what, key) {
        ("a scenario", "description" | "desc" | "summary") => "write it as `about`",
        ("a scenario", "nodes" | "machines" | "vms") => "write them as `hosts`",
        ("a scenario", "tests" | "checks" | "probes") => {
            "each is a step: `steps: [{run: HOST> probe, expect: {outcome: reply}}]`"
        }
        ("a scenario", "networks" | "switches" | "lans") => {
            "interfaces name their LAN: `interfaces: {eth0: {lan: NAME, address: 10.0.0.1/24}}`"
        }
        ("a host", _) if device => "interfaces stand below `interfaces`: `interfaces: {eth0: 10.0.0.1/24}`",
        ("a host", "forwarding" | "forward" | "ip_forward" | "router") => "write `sysctl: {net.ipv4.ip_forward: 1}`",
        ("a host", "address" | "ip" | "addr" | "addresses") => {
            "write `HOST: 10.0.0.1/24`, or `interfaces: {eth0: 10.0.0.1/24}`"
        }
        ("a host", "routes" | "route") => "a route is a line of `setup`: `HOST$ ip route add 10.9.0.0/24 via 10.0.0.1`",
        ("a host", "ports" | "listen" | "services") => "write `serve: [80, 53/udp]`",
        ("a host", "rules" | "firewall" | "nftables") => "write what iptables-save printed below `iptables: |`",
        ("a host", "docker" | "containers") => {
            "containers are lines of `setup`: `HOST$ docker run -d --name web nginx`"
        }
        ("a step", "cmd" | "command" | "exec" | "probe") => "write `run: HOST$ command` or `run: HOST> probe`",
        ("a step", "name" | "title" | "description") => "write it as `say`",
        ("a step", "cause" | "outcome" | "drop" | "path" | "within" | "state") => "it belongs below `expect`",
        ("expect", "latency" | "time" | "duration") => "write `within: 250ms`",
        ("expect", "result" | "status" | "verdict") => "write `outcome: reply`, or `exit: 0` for a command",
        ("expect", "output") => "write `stdout`, with `…` for any text",
        _ => return None,
    })
}

/// What to write where a mapping is wanted, and something else stands there.
pub(super) fn mapping(what: &str) -> Option<&'static str> {
    match what {
        "a scenario" => {
            Some("write `name: NAME`, `hosts: {a: 10.0.0.1/24, b: 10.0.0.2/24}`, `steps: [a> ping 10.0.0.2]`")
        }
        "hosts" => Some("write `hosts: {a: 10.0.0.1/24, b: 10.0.0.2/24}`"),
        "expect" => Some("write `expect: {outcome: reply}`"),
        "a host" => Some("write `HOST: 10.0.0.1/24`, or `HOST: {interfaces: {eth0: 10.0.0.1/24}}`"),
        _ => None,
    }
}

/// What to do about a line after `PLACE> ` that is no probe: it may be a command.
pub(super) fn probe(place: &str, rest: &str) -> String {
    let probes = "probes: ping, tcp, udp, http, bulk, dns, arping, traceroute";
    match crate::shell::check_line(rest).is_empty() {
        true => format!("`{place}$ {rest}` types it in a shell there; {probes}"),
        false => probes.to_owned(),
    }
}

/// What to do about a line without `$` or `>` after its place.
pub(super) fn place(text: &str) -> String {
    let form = "write `HOST$ command` or `HOST> probe`, such as `node1$ ip addr`";
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match first.strip_suffix(['#', '%', ':']) {
        Some(host) if !host.is_empty() && !rest.is_empty() => {
            format!("did you mean `{host}$ {}`?", rest.trim().lines().next().unwrap_or(""))
        }
        _ => form.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_that_are_commands() {
        assert!(probe("a", "curl http://10.0.0.2/").starts_with("`a$ curl http://10.0.0.2/`"));
        assert!(probe("a", "frobnicate 10.0.0.2").starts_with("probes"));
    }

    #[test]
    fn prompts_of_root() {
        assert_eq!(place("b# ip link set eth0 down"), "did you mean `b$ ip link set eth0 down`?");
        assert!(place("ip link").starts_with("write"));
    }
}
