//! `@{…}` in a recording's lines: what the recorder put in there, as the model has it.

use packetwalk_sim::session::Session;
use packetwalk_sim::shell::run_line;
use serde_json::Value;

use crate::recording::text;

/// `@{pid host1/web}` and others, as the model has them.
pub(super) fn placeholders(s: &mut Session, text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("@{") {
        let (inner, tail) = after.split_once('}').unwrap_or((after, ""));
        let words: Vec<&str> = inner.split_whitespace().collect();
        let found = match words.first() {
            Some(&"out") => command_output(s, inner),
            _ => placeholder(s, &words),
        };
        out.push_str(before);
        out.push_str(&found.unwrap_or_else(|| format!("@{{{inner}}}")));
        rest = tail;
    }
    out + rest
}

/// `@{out host1$ COMMAND}`: what it prints.
fn command_output(s: &mut Session, inner: &str) -> Option<String> {
    let (host, line) = inner.strip_prefix("out ")?.split_once("$ ")?;
    let (host, ns) = s.place(host).ok()?;
    let ran = run_line(s, host, ns, line);
    (ran.exit == 0).then(|| ran.stdout.trim().to_owned())
}

fn placeholder(s: &Session, words: &[&str]) -> Option<String> {
    let (host, name) = words.get(1)?.split_once('/').unwrap_or((words[1], ""));
    let (id, _) = s.place(host).ok()?;
    let e = s.engines.get(&id)?;
    if words[0].starts_with("netid") {
        let id = &e.network(words.get(2)?)?.id;
        return Some(if words[0] == "netid10" { id[..10].to_owned() } else { id[..12].to_owned() });
    }
    let c = e.container(name)?;
    let ep = words.get(2).map_or_else(|| c.endpoints.values().next(), |n| c.endpoints.get(*n));
    match words[0] {
        "pid" => c.pid.map(|p| p.0.to_string()),
        "id" => Some(c.id[..12].to_owned()),
        "ip" => ep?.ip.map(|a| a.to_string()),
        "mac" => ep?.mac.map(|m| m.to_string()),
        "veth" => ep?.host_dev.map(|d| s.kernel.dev(d).name.to_string()),
        "gw" => e.networks.get(&ep?.network)?.gateway().map(|g| g.to_string()),
        _ => None,
    }
}

/// The probe as written, its target expanded: `to` has the port as well.
pub(super) fn expanded(step: &Value) -> String {
    let (what, to) = (text(&step["what"]), text(&step["to"]));
    if !what.contains("@{") || to.is_empty() {
        return what.to_owned();
    }
    let begin = what.find("@{").unwrap_or(0);
    let close = what[begin..].find('}').map_or(begin, |n| begin + n);
    let end = what[close..].find(char::is_whitespace).map_or(what.len(), |n| close + n);
    format!("{}{to}{}", &what[..begin], &what[end..])
}
