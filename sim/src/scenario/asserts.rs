//! `expect:` of a step.

use super::node::{Node, Value};
use super::read::{Reader, field};
use super::suggest::closest;
use super::{At, Expect, ExpectDrop, StateQuery};
use crate::explain::Cause;
use crate::kernel::types::{MSEC, Nanos, SEC};

const EXPECT: &[&str] = &[
    "outcome",
    "seen-source",
    "path",
    "hits",
    "drop",
    "stdout",
    "stderr",
    "exit",
    "by",
    "reply-ttl",
    "reaches",
    "state",
    "within",
    "cause",
];

impl Reader {
    pub(super) fn expect(&mut self, n: &Node) -> Option<Expect> {
        let f = self.map(n, "expect", EXPECT)?;
        let mut e = Expect { at: n.at, ..Expect::default() };
        for (key, _, x) in f {
            e.keys.push((key.to_owned(), x.at));
            match key {
                "outcome" => {
                    let Some(t) = self.text(x, "outcome") else { continue };
                    e.outcome = serde_json::from_value(serde_json::Value::String(t.clone())).ok();
                    if e.outcome.is_none() {
                        let near = closest(&t, OUTCOMES);
                        let help = near.map_or_else(
                            || format!("one of: {}", OUTCOMES.join(", ")),
                            |w| format!("did you mean `{w}`?"),
                        );
                        self.issue(x.at, format!("there is no outcome `{t}`"), help);
                    }
                }
                "hits" => {
                    e.hits = self.texts(x, "hits");
                    for (i, h) in e.hits.clone().iter().enumerate() {
                        let at = self.list(x, "hits").get(i).map_or(x.at, |y| y.at);
                        self.hit(h, at);
                    }
                }
                "seen-source" => {
                    e.seen_source = self.text(x, key);
                    let ip = e
                        .seen_source
                        .as_deref()
                        .map(|t| t.split(':').next().unwrap_or(t).parse::<std::net::Ipv4Addr>());
                    if let Some(Err(_)) = ip {
                        self.issue(x.at, "`seen-source` is no IPv4 address", "write an address such as 192.168.91.2");
                    }
                }
                "path" => {
                    e.path = self.texts(x, "path");
                    for (i, p) in e.path.clone().iter().enumerate() {
                        let at = self.list(x, "path").get(i).map_or(x.at, |y| y.at);
                        match p.rsplit_once('/') {
                            Some((place, dev)) if !dev.is_empty() => self.place(place, at),
                            _ => self.issue(
                                at,
                                format!("`{p}` is no PLACE/DEVICE"),
                                "write the place and the device, such as node1/eth0",
                            ),
                        }
                    }
                }
                "drop" => e.drop = self.drop(x),
                "reaches" => e.reaches = self.reaches(x),
                "state" => e.state = self.state(x),
                "within" => e.within = self.within_time(x),
                "cause" => e.cause = self.causes(x),
                "stdout" => e.stdout = self.text(x, key),
                "stderr" => e.stderr = self.text(x, key),
                "by" => e.by = self.text(x, key),
                "exit" => e.exit = self.number(x, "exit", "write an exit status from 0 to 255"),
                _ => e.reply_ttl = self.number(x, "reply-ttl", "write a TTL from 0 to 255"),
            }
        }
        Some(e)
    }

    fn drop(&mut self, n: &Node) -> Option<ExpectDrop> {
        let f = self.map(n, "drop", &["at", "reason", "rule"])?;
        let rule = field(&f, "rule").and_then(|x| self.text(x, "rule"));
        for k in ["at", "reason"] {
            if field(&f, k).is_none() {
                self.issue(n.at, format!("`drop` has no `{k}`"), "drop: {at: node1, reason: IP_RPFILTER}");
            }
        }
        let at = field(&f, "at").and_then(|x| self.text(x, "at"));
        let reason = field(&f, "reason").and_then(|x| {
            let t = self.text(x, "reason")?;
            let names: Vec<String> = crate::trace::DropReason::ALL.iter().map(|r| r.name()).collect();
            if !names.contains(&t) {
                let all: Vec<&str> = names.iter().map(String::as_str).collect();
                let help = closest(&t, &all)
                    .map_or_else(|| format!("one of: {}", all.join(", ")), |w| format!("did you mean `{w}`?"));
                self.issue(x.at, format!("the kernel has no drop reason `{t}`"), help);
            }
            Some(t)
        });
        Some(ExpectDrop { at: at?, reason: reason?, rule })
    }

    /// `PLACE TABLE CHAIN words`.
    fn hit(&mut self, text: &str, at: At) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let form = "write PLACE TABLE CHAIN and words of the rule: \"node1 filter FORWARD -j DROP\"";
        let [place, table, _, _, ..] = words.as_slice() else {
            return self.issue(at, format!("`{text}` names no rule"), form);
        };
        self.place(place, at);
        if crate::kernel::xtables::TableKind::by_name(table).is_none() {
            self.issue(at, format!("there is no table `{table}`"), "one of: raw, mangle, nat, filter, security");
        }
    }

    /// `state:`: command lines, each with what it must print.
    fn state(&mut self, n: &Node) -> Vec<StateQuery> {
        let Value::Map(m) = &n.value else {
            let help = "write `PLACE$ command: text`, such as `\"node1$ ip route\": \"default via 10.0.0.1…\"`";
            self.issue(n.at, format!("state is {}, not a mapping", n.kind()), help);
            return Vec::new();
        };
        let mut out = Vec::new();
        for (line, at, value) in m {
            let key = Node { at: *at, value: Value::Scalar(line.clone()), typed: false };
            let want = match &value.value {
                Value::List(_) => self.texts(value, "a text of state"),
                _ => self.text(value, "a text of state").into_iter().collect(),
            };
            if matches!(&value.value, Value::List(l) if l.is_empty()) {
                self.issue(value.at, "no text is expected of this command", "write one, or leave the line out");
            }
            let Some(action) = self.action(&key, line, None) else { continue };
            if matches!(action.what, super::What::Probe { .. }) {
                self.issue(*at, "`state` runs commands, not probes", "probes belong in `reaches` or in a step");
                continue;
            }
            out.push(StateQuery { at: *at, action, want });
        }
        out
    }

    /// `within:`: a span of virtual time.
    fn within_time(&mut self, n: &Node) -> Option<Nanos> {
        let t = self.text(n, "within")?;
        let span = span(&t);
        if span.is_none() {
            self.issue(
                n.at,
                format!("`{t}` is no span of time"),
                "write a number and us, ms or s, such as 250ms or 2s",
            );
        }
        span
    }

    /// `cause:`: one code or a list of them.
    fn causes(&mut self, n: &Node) -> Vec<String> {
        let all = match &n.value {
            Value::List(_) => self.texts(n, "cause"),
            _ => self.text(n, "cause").into_iter().collect(),
        };
        if all.is_empty() && matches!(n.value, Value::List(_)) {
            self.issue(
                n.at,
                "`cause` names no cause",
                "write one, or leave the key out; `outcome: reply` says that nothing is in the way",
            );
        }
        if let Some(bad) = all.iter().find(|c| Cause::by_code(c).is_none()) {
            let codes: Vec<&str> = Cause::ALL.iter().map(|c| c.code()).collect();
            let help = match closest(bad, &codes) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "docs/causes.md lists the codes, such as dropped-by-rule".to_owned(),
            };
            self.issue(n.at, format!("`{bad}` is no code of a cause"), help);
        }
        all
    }
}

/// A span such as `2s`, `1.5s`, `250ms`, `100us`.
fn span(t: &str) -> Option<Nanos> {
    let digits = t.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &t[digits.len()..] {
        "us" => MSEC / 1000,
        "ms" => MSEC,
        "s" => SEC,
        _ => return None,
    };
    let n: f64 = digits.trim().parse().ok()?;
    (0.0..=86_400e6).contains(&n).then(|| (n * unit as f64).round() as Nanos)
}

const OUTCOMES: &[&str] = &[
    "reply",
    "timeout",
    "refused",
    "reset",
    "closed",
    "stall",
    "unreachable-net",
    "unreachable-host",
    "unreachable-port",
    "unreachable-proto",
    "unreachable-admin",
    "unreachable-srcroute",
    "frag-needed",
    "ttl-exceeded",
    "no-route",
    "not-permitted",
    "invalid",
    "no-address",
    "no-device",
    "resolve-failed",
    "unmodelled",
    "unknown-state",
];
