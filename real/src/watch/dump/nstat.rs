//! `nstat -as`: those counters that say what became of a packet, where they moved.

use std::fs;
use std::io;

use serde_json::{Map, Value};

use super::put;

/// Name of a line of the file, and the counters of it that are kept.
const KEPT: [(&str, &[&str]); 5] = [
    (
        "Ip",
        &[
            "InHdrErrors",
            "InAddrErrors",
            "ForwDatagrams",
            "InUnknownProtos",
            "InDiscards",
            "OutDiscards",
            "OutNoRoutes",
            "ReasmOKs",
            "ReasmFails",
            "FragOKs",
            "FragFails",
            "FragCreates",
        ],
    ),
    (
        "Icmp",
        &[
            "InErrors",
            "InCsumErrors",
            "InDestUnreachs",
            "InTimeExcds",
            "InRedirects",
            "InEchos",
            "InEchoReps",
            "OutRateLimitGlobal",
            "OutRateLimitHost",
            "OutDestUnreachs",
            "OutTimeExcds",
            "OutParmProbs",
            "OutRedirects",
            "OutEchoReps",
        ],
    ),
    ("Tcp", &["ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "OutRsts"]),
    ("Udp", &["NoPorts", "InErrors"]),
    ("TcpExt", &["IPReversePathFilter"]),
];
/// Of the extended counters of IP.
const IP_EXT: (&str, &[&str]) = ("IpExt", &["InNoRoutes", "InTruncatedPkts"]);

/// The counters that are not zero.
pub fn counters() -> io::Result<Value> {
    let mut out = Map::new();
    for file in ["snmp", "netstat"] {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            moved(names, values, &mut out);
        }
    }
    Ok(Value::Object(out))
}

/// A line of names and one of values, both after `Ip:` or the like.
fn moved(names: &str, values: &str, out: &mut Map<String, Value>) {
    let (Some((what, names)), Some((_, values))) = (names.split_once(':'), values.split_once(':')) else { return };
    let Some((_, kept)) = KEPT.iter().chain([&IP_EXT]).find(|(line, _)| *line == what) else { return };
    for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
        let n: u64 = value.parse().unwrap_or(0);
        if n != 0 && kept.contains(&name) {
            put(out, &format!("{what}{name}"), n);
        }
    }
}
