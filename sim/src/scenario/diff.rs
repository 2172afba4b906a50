//! Two walks side by side: every probe whose outcome, path or seen address changed.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::expect::names;
use super::run::{StepResult, Walk};
use crate::FxBuild;
use crate::trace::EventKind;

/// What a probe came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// Outcome.
    pub outcome: String,
    /// Source address that the server saw.
    pub seen: Option<String>,
    /// Devices that its packets visited.
    pub path: Vec<String>,
}

/// A probe that came to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `PLACE> probe`, or `FROM -> TO` for a cell of `reaches`.
    pub probe: String,
    /// In the first walk, where it is there.
    pub before: Option<Came>,
    /// In the second walk, where it is there.
    pub after: Option<Came>,
}

/// A probe by what it says and how often that was said before.
type Key = (String, usize);

/// How many probes both walks have, and those that changed.
pub fn changes(a: &Walk, b: &Walk) -> (usize, Vec<Change>) {
    let (before, mut after) = (probes(a), probes(b));
    let mut out = Vec::new();
    let mut compared = 0;
    for ((probe, n), x) in before {
        let y = after.shift_remove(&(probe.clone(), n));
        compared += usize::from(y.is_some());
        if y.as_ref() != Some(&x) {
            out.push(Change { probe, before: Some(x), after: y });
        }
    }
    out.extend(after.into_iter().map(|((probe, _), y)| Change { probe, before: None, after: Some(y) }));
    (compared, out)
}

fn probes(w: &Walk) -> IndexMap<Key, Came, FxBuild> {
    let mut out: IndexMap<Key, Came, FxBuild> = IndexMap::default();
    let mut add = |probe: String, came: Came| {
        let n = (0..).find(|n| !out.contains_key(&(probe.clone(), *n))).unwrap_or_default();
        out.insert((probe, n), came);
    };
    for r in &w.steps {
        if let Some(o) = r.outcome() {
            let sign = if r.probe { '>' } else { '$' };
            let seen = r.report.as_ref().and_then(|x| x.seen.clone());
            let seen = seen.map(|t| t.split(':').next().unwrap_or(&t).to_owned());
            let came = Came { outcome: o.as_str().into(), seen, path: path(w, r) };
            add(format!("{}{sign} {}", r.place, r.command), came);
        }
        for c in &r.aside.cells {
            let outcome = c.outcome.map_or("no-address".into(), |o| o.as_str().to_owned());
            add(format!("{} -> {}", c.from, c.to), Came { outcome, ..Came::default() });
        }
    }
    out
}

/// The devices that the packets of a step visited, each where it differs from the one before. Names that an engine
/// makes up are told by their beginning.
fn path(w: &Walk, r: &StepResult) -> Vec<String> {
    let s = &w.session;
    let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    let mut out: Vec<String> = Vec::new();
    for e in events.iter().filter(|e| matches!(e.kind, EventKind::Rx | EventKind::Tx)) {
        let ip = s.kernel.rec.packet_at(e).is_some_and(|p| p.ipv4().is_some());
        if !ip || s.kernel.ns(e.ns).is_switch {
            continue;
        }
        let name = plain(&names(s, e.ns, e.dev)[0]);
        if out.last() != Some(&name) {
            out.push(name);
        }
    }
    out
}

/// `node1/vethb1a4c7d` becomes `node1/veth…`, `node1/br-0123456789ab` becomes `node1/br-…`.
fn plain(name: &str) -> String {
    let Some((place, dev)) = name.rsplit_once('/') else { return name.to_owned() };
    let hex = |t: &str, n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_hexdigit());
    for (prefix, n) in [("veth", 7), ("br-", 12)] {
        if dev.strip_prefix(prefix).is_some_and(|rest| hex(rest, n)) {
            return format!("{place}/{prefix}…");
        }
    }
    name.to_owned()
}

impl Came {
    fn text(&self) -> String {
        let seen = self.seen.as_ref().map(|s| format!(", the server saw {s}")).unwrap_or_default();
        format!("{}{seen}", self.outcome)
    }

    fn json(&self) -> Value {
        json!({"outcome": self.outcome, "seen_source": self.seen, "path": self.path})
    }
}

impl Change {
    /// In a few lines.
    pub fn text(&self, names: &[String; 2]) -> String {
        let mut out = format!("{}\n", self.probe);
        let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        let same_way = matches!((&self.before, &self.after), (Some(a), Some(b)) if a.path == b.path);
        for (name, came) in names.iter().zip([&self.before, &self.after]) {
            let text = came.as_ref().map_or("is not there".into(), Came::text);
            out.push_str(&format!("  {name:<width$}  {text}\n"));
            if let Some(c) = came.as_ref().filter(|c| !same_way && !c.path.is_empty()) {
                out.push_str(&format!("  {:<width$}  {}\n", "", c.path.join(" ")));
            }
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "probe": self.probe,
            "before": self.before.as_ref().map(Came::json),
            "after": self.after.as_ref().map(Came::json),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn made_up_names() {
        assert_eq!(plain("n/veth0a1b2c3"), "n/veth…");
        assert_eq!(plain("n/br-0123456789ab"), "n/br-…");
        assert_eq!(plain("n/br-lan"), "n/br-lan");
    }
}
