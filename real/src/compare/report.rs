//! What a comparison found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{VERDICTS, Verdicts, compare};
use crate::limits::Limit;
use crate::recording::{Recording, list, text};
use crate::replay::Played;

/// Columns that a line may have.
const WIDTH: usize = 80;
/// Differences shown of each verdict, unless all are wanted.
const SHOWN: usize = 12;

/// One kind of things that were compared.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name: `output`, `outcomes`, `state`, `frames`.
    pub name: &'static str,
    /// How many were compared.
    pub compared: usize,
    /// Those that differ, as text: the kernel's side and the model's.
    pub divergent: Vec<String>,
    /// The same for people, where it is told shorter.
    pub shown: Option<Vec<String>>,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// What it was recorded with: kernel, tools, user.
    pub versions: Vec<(String, String)>,
    /// By kind.
    pub parts: Vec<Part>,
    /// What could not be compared, with the reason: never counted as equal.
    pub not_compared: Vec<String>,
}

impl Report {
    /// Holds what the model did against a recording.
    pub fn of(r: &Recording, played: &Played) -> Report {
        let Verdicts(found, compared) = compare(r, played);
        let parts = VERDICTS.iter().zip(found).zip(compared);
        let parts = parts.map(|((name, f), n)| Part {
            name,
            compared: n,
            divergent: f.iter().map(|d| sides(d)).collect(),
            shown: None,
        });
        let mut not_compared: Vec<String> = list(&r.json["unread"]).iter().map(|u| text(u).to_owned()).collect();
        for s in list(&r.json["steps"]).iter().filter(|s| !s["lost"].is_null()) {
            not_compared.push(format!("step {}: {} frames did not fit into the socket's buffer", s["n"], s["lost"]));
        }
        if r.json["cluster"] == true {
            not_compared.push("the engines' talk with each other: only the model's engines have it".into());
        }
        let order = |d: &str| device_order(r, d);
        let (ways, walked, untold) = super::rules::compare(r, played);
        not_compared.extend(untold);
        let (ends, ended, unheard) = super::drops::compare(r, played);
        not_compared.extend(unheard);
        let (asked, lookups, unheard) = super::lookups::compare(r, played);
        not_compared.extend(unheard);
        let (changed, changes, unheard) = super::neighbours::compare(r, played);
        not_compared.extend(unheard);
        let mut report = Report {
            scenario: text(&r.json["name"]).to_owned(),
            versions: r.json["versions"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), text(v).to_owned()))
                .collect(),
            parts: parts.collect(),
            not_compared,
        };
        for p in report.parts.iter_mut().filter(|p| p.name == "frames") {
            p.shown = Some(first_places(&p.divergent, &order));
        }
        let ways: Vec<String> = ways.iter().map(|d| sides(d)).collect();
        report.parts.push(Part { name: "rules", compared: walked, divergent: ways, shown: None });
        let ends: Vec<String> = ends.iter().map(|d| sides(d)).collect();
        report.parts.push(Part { name: "drops", compared: ended, divergent: ends, shown: None });
        let asked: Vec<String> = asked.iter().map(|d| sides(d)).collect();
        report.parts.push(Part { name: "lookups", compared: lookups, divergent: asked, shown: None });
        let changed: Vec<String> = changed.iter().map(|d| sides(d)).collect();
        report.parts.push(Part { name: "neigh", compared: changes, divergent: changed, shown: None });
        // An op that the two kernels answered otherwise, or a call that only one of the shells made.
        let ops: Vec<String> = list(&r.json["refusals"]).iter().map(|o| text(o).to_owned()).collect();
        report.parts.push(Part {
            name: "ops",
            compared: r.json["ops"].as_u64().unwrap_or(0) as usize,
            divergent: ops,
            shown: None,
        });
        report
    }

    /// A scenario that no lab can build here: nothing of it is compared, and why.
    pub fn not_here(scenario: &str, limits: &[Limit]) -> Report {
        let line = |l: &Limit| match l.step {
            0 => format!("{}: {}", l.what, l.why),
            n => format!("step {n}: {}: {}", l.what, l.why),
        };
        Report {
            scenario: scenario.to_owned(),
            versions: Vec::new(),
            parts: Vec::new(),
            not_compared: limits.iter().map(line).collect(),
        }
    }

    /// How many things were compared.
    pub fn compared(&self) -> usize {
        self.parts.iter().map(|p| p.compared.max(p.divergent.len())).sum()
    }

    /// How many differ.
    pub fn divergent(&self) -> usize {
        self.parts.iter().map(|p| p.divergent.len()).sum()
    }

    /// For people, at 80 columns; `all`: every difference.
    pub fn text(&self, all: bool) -> String {
        let versions: Vec<String> = self.versions.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let mut out = format!("{}\n", self.scenario);
        if !versions.is_empty() {
            out.push_str(&wrapped(&versions.join(", "), 2, 2));
        }
        for p in &self.parts {
            let n = p.compared.max(p.divergent.len());
            // Writing to a string cannot fail.
            let _ = match p.divergent.len() {
                _ if n == 0 => Ok(()),
                0 => writeln!(out, "  {:<9} {n} compared, all equal", p.name),
                d => writeln!(out, "  {:<9} {n} compared, {d} differ", p.name),
            };
            let shown = if all { usize::MAX } else { SHOWN };
            let told = p.shown.as_ref().unwrap_or(&p.divergent);
            for d in told.iter().take(shown) {
                for line in d.lines() {
                    let indent = 4 + line.len() - line.trim_start().len();
                    out.push_str(&wrapped(line.trim_start(), indent, indent + 9));
                }
            }
            if told.len() > shown {
                let _ = writeln!(out, "    and {} more; `--all` shows them", told.len() - shown);
            }
        }
        for n in &self.not_compared {
            out.push_str(&wrapped(&format!("not compared: {n}"), 2, 16));
        }
        let _ = writeln!(out, "  {}", self.totals());
        out
    }

    /// `compared N · equal N · divergent N · not compared N`.
    pub fn totals(&self) -> String {
        totals(self.compared(), self.divergent(), self.not_compared.len())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let versions: serde_json::Map<String, Value> =
            self.versions.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
        let part =
            |p: &Part| json!({"name": p.name, "compared": p.compared.max(p.divergent.len()), "divergent": p.divergent});
        json!({
            "scenario": self.scenario,
            "versions": versions,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "not_compared": self.not_compared,
            "compared": self.compared(),
            "equal": self.compared() - self.divergent(),
            "divergent": self.divergent(),
        })
    }
}

/// Where a device stands among those of its step, by the kernel's time; one that carried nothing there comes last.
fn device_order(r: &Recording, d: &str) -> usize {
    let mut lines = d.lines();
    let n =
        lines.next().and_then(|l| l.strip_prefix("step ")?.split_whitespace().next()?.parse().ok()).unwrap_or(0usize);
    let dev = lines.next().unwrap_or("").trim();
    let step = list(&r.json["steps"]).iter().find(|s| s["n"].as_u64() == Some(n as u64));
    let rows = step.map_or(&[][..], |s| list(&s["cap"]));
    let is = |row: &Value| {
        let name = text(&r.json["devs"][row[1].as_u64().unwrap_or(0) as usize]);
        dev == format!("{name} {}", text(&row[2]))
    };
    rows.iter().position(is).unwrap_or(usize::MAX)
}

/// Of each step's differing frames those at the first device; behind it they differ for the same reason.
fn first_places(found: &[String], order: &dyn Fn(&str) -> usize) -> Vec<String> {
    let head = |d: &str| d.lines().next().unwrap_or("").to_owned();
    let mut out = Vec::new();
    let mut rest = found;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|d| head(d) == head(first)).count();
        let (step, after) = rest.split_at(same);
        rest = after;
        let mut step: Vec<&String> = step.iter().collect();
        step.sort_by_key(|d| order(d));
        let mut told = step[0].clone();
        if step.len() > 1 {
            let behind: Vec<&str> = step[1..].iter().filter_map(|d| d.lines().nth(1)).map(str::trim).collect();
            let _ = write!(told, "\n    and behind it: {}", behind.join(", "));
        }
        out.push(told);
    }
    out
}

/// The line that a report ends with.
pub fn totals(compared: usize, divergent: usize, not: usize) -> String {
    format!("compared {compared} · equal {} · divergent {divergent} · not compared {not}", compared - divergent)
}

/// A difference in words for somebody who looks at a kernel and a model.
fn sides(d: &str) -> String {
    let line = |l: &str| {
        let (indent, rest) = l.split_at(l.len() - l.trim_start().len());
        for (from, to) in
            [("expected ", "kernel "), ("got ", "model  "), ("missing ", "kernel only "), ("extra ", "model only ")]
        {
            if let Some(r) = rest.strip_prefix(from) {
                return format!("{indent}{to}{r}");
            }
        }
        l.replace(" expected ", " kernel ").replace("  got ", "  model ").replace("       got ", "     model ")
    };
    d.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A line broken at 80 columns: its first indent, and that of what follows.
fn wrapped(line: &str, first: usize, rest: usize) -> String {
    let (a, b) = (" ".repeat(first.min(40)), " ".repeat(rest.min(40)));
    textwrap::fill(line, textwrap::Options::new(WIDTH).initial_indent(&a).subsequent_indent(&b)) + "\n"
}
