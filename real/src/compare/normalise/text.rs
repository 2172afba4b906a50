//! What commands print, less what two runs do not share.

use super::super::patterns::{pattern, replaced};

/// What two runs of an engine do not share within a text.
pub fn docker_text(t: &str) -> String {
    let rules: [(&'static str, &str); 17] = [
        (r"\b(peer=[\d.]+):(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b", "$1:P"),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d socat\[\d+\]", "TIME socat[N]"),
        (r"\bused \d+/\d+/\d+", "used T"),
        (r"(?m)^( +[RT]X packets:)\d+", "${1}N"),
        (r"(?m)^ +RX bytes:.*", " BYTES"),
        (r"Bind for (?:0\.0\.0\.0|::):", "Bind for ANY:"),
        (r"conntrack v[\d.]+ \(conntrack-tools\): \d+ flow", "conntrack V: N flow"),
        (r"(?m)^ +inet6 .*\n(?: +valid_lft .*\n)?", ""),
        (r" qlen 0\b *", " "),
        (r"(?m)^33:33:.*\n?", ""),
        (r" (?:neigh_vlan_suppress|mab) off| mcast_(?:n|max)_groups 0", ""),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"(?:\d+ seconds?|Less than a second|About a minute)( ago)? *", "AGE "),
        (r"time[= ][\d.]+ ?ms", "time"),
        (r"(reply from \S+ \[[^\]]+\]) +[\d.]+ms", "$1 RTT"),
        (r"= [\d.]+/[\d.]+/[\d.]+(/[\d.]+)? ms", "= RTT"),
        (r"\b(port|[sd]port)=(?:327(?:6[89]|[7-9]\d)|32[89]\d\d|(?:3[3-9]|[4-6]\d)\d{3})\b", "$1=P"),
    ];
    rules.iter().fold(t.to_owned(), |t, (pattern, with)| replaced(&t, pattern, with))
}

/// Counters of iptables: nothing or something.
pub(super) fn counters(t: &str) -> String {
    let mut t = t.to_owned();
    let word = |n: &str| if n == "0" { "0" } else { "N" };
    if let Some(r) = pattern(r"\[(\d+):\d+\]") {
        t = r.replace_all(&t, |c: &regex_lite::Captures<'_>| format!("[{}]", word(&c[1]))).into_owned();
    }
    if let Some(r) = pattern(r"(?m)^ +(\d+) +\d+ ") {
        t = r.replace_all(&t, |c: &regex_lite::Captures<'_>| format!(" {} ", word(&c[1]))).into_owned();
    }
    match pattern(r"(policy \w+) \d+ packets, \d+ bytes") {
        Some(r) => r.replace_all(&t, "$1").into_owned(),
        None => t,
    }
}

/// What a command printed; `lossy`: a TCP probe of the recording timed out or stalled.
pub fn text(t: &str, command: &str, lossy: bool) -> String {
    let rules: [(&'static str, &str); 9] = [
        (r"(?m)^((?:tcp|udp|icmp|unknown) +\d+) \d+ ", "$1 T "),
        (r"(expires) \d+sec", "$1"),
        (r"(?m)^# (?:Generated|Completed).*\n?", ""),
        (r"\b(lladdr \S+ )(?:REACHABLE|STALE|DELAY|PROBE)", "${1}VALID"),
        (r"@if\d+", "@ifN"),
        (r"(?m)^\d+: ", "N: "),
        (r"((?:hold|message_age|forward_delay|hello|tcn|topology_change|gc)_timer) +[\d.]+", "${1} T"),
        (r"(?m)^( +\d+\t(?:[0-9a-f:]{17}|MAC)\tno\t\t) +[\d.]+$", "${1} T"),
        (r"(type=\d+ code=\d+ id=)\d+", "${1}N"),
    ];
    let mut t = if lossy { counters(t) } else { t.to_owned() };
    for (pattern, with) in rules {
        t = replaced(&t, pattern, with);
    }
    // The kernel's tables of sockets and of neighbours go by a hash with a random key.
    let hashed = command.split_whitespace().any(|w| matches!(w, "ss" | "netstat" | "arp"));
    if hashed || ["fdb", "neigh", "conntrack"].iter().any(|w| command.contains(w)) {
        let mut lines: Vec<&str> = t.split('\n').collect();
        lines.sort_unstable();
        t = lines.join("\n");
    }
    t
}
