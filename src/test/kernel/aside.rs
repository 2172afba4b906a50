//! `state` and `reaches` on the live kernel, which cannot be copied as the model's world is: the commands of `state` run in
//! the walk, each behind its step, and the cells of `reaches` as probes in a walk of their own that ends with them.

use packetwalk_real::limits;
use packetwalk_real::recording::{list, text};
use packetwalk_sim::scenario::expect::aside::Cell;
use packetwalk_sim::scenario::expect::fits;
use packetwalk_sim::scenario::node::{self, Node, Value};
use packetwalk_sim::scenario::run::Walk;
use packetwalk_sim::scenario::{self, Expect, Scenario, What};
use serde_json::Value as Json;

use super::Checks;

/// Probes of `reaches` that one step may send: they are sent in real time, one after the other.
const MAX_PROBES: usize = 200;
/// Seconds that each waits for an answer.
const PATIENCE_S: u32 = 2;

/// Outcomes that only the target itself can cause.
const ITS_OWN: [&str; 4] = ["reply", "closed", "stall", "reset"];
/// Outcomes that the target or a firewall before it causes.
const SOMEBODY: [&str; 2] = ["refused", "unreachable-port"];

/// The scenario with the commands of `state` as steps of their own.
///
/// # Errors
/// Why they cannot be.
pub fn with_queries(text: &str, s: &Scenario) -> Result<String, String> {
    let queries = |i: usize| -> Vec<String> {
        let all = s.steps[i].expect.iter().flat_map(|e| &e.state);
        all.filter_map(|q| match &q.action.what {
            What::Command { place, line } => Some(format!("{place}$ {line}")),
            What::Probe { place, probe } => Some(format!("{place}> {}", probe.text)),
            _ => None,
        })
        .collect()
    };
    if (0..s.steps.len()).all(|i| queries(i).is_empty()) {
        return Ok(text.to_owned());
    }
    let new = derived(text, s.steps.len(), &queries)?;
    let parsed = scenario::parse(&new).map_err(|e| format!("its commands are no steps: {e}"))?;
    match limits::of(&parsed).first() {
        Some(l) => Err(format!("{}: {}", l.what, l.why)),
        None => Ok(new),
    }
}

/// Holds what the commands of `state` printed against what was expected.
pub fn state<'a>(c: &mut Checks, step: usize, e: &Expect, recorded: &mut impl Iterator<Item = &'a Json>) {
    for q in &e.state {
        let Some(did) = recorded.next() else {
            c.cannot(step, "state", "the walk ended before");
            return;
        };
        for want in &q.want {
            let got = text(&did["out"]);
            let said = if got.is_empty() { text(&did["err"]) } else { got };
            c.hold((step, q.at), "state", want.clone(), said.to_owned(), fits(want, got));
        }
    }
}

/// The scenario up to a step with the cells of its `reaches` as probes behind; none where there are none, or too many.
pub fn with_cells(text: &str, w: &Walk, i: usize, c: &mut Checks) -> Option<String> {
    let result = &w.steps[i];
    let all: Vec<String> = probes(&result.aside.cells).map(|(_, p)| p).collect();
    if all.is_empty() {
        return None;
    }
    if all.len() > MAX_PROBES {
        c.cannot(result.index, "reaches", &format!("{} probes are more than {MAX_PROBES}", all.len()));
        return None;
    }
    derived(text, i + 1, &|k| if k == i { all.clone() } else { Vec::new() }).ok()
}

/// Each cell with the probes of its addresses.
fn probes(cells: &[Cell]) -> impl Iterator<Item = (usize, String)> {
    cells.iter().enumerate().flat_map(|(n, c)| {
        let asks = |a| {
            let probe = c.by.probe(a);
            let (kind, to) = probe.split_once(' ').unwrap_or((&probe, ""));
            format!("{}> {kind} -W {PATIENCE_S} {to}", c.from)
        };
        c.addresses.iter().map(move |a| (n, asks(*a)))
    })
}

/// Holds what the probes saw against what was expected.
pub fn cells(w: &Walk, i: usize, json: &Json, c: &mut Checks) {
    let result = &w.steps[i];
    let done = list(&json["steps"]).iter().skip(w.scenario.setup.len() + i + 1);
    let mut seen: Vec<Vec<String>> = vec![Vec::new(); result.aside.cells.len()];
    for ((n, _), did) in probes(&result.aside.cells).zip(done) {
        seen[n].push(text(&did["outcome"]).to_owned());
    }
    for (cell, seen) in result.aside.cells.iter().zip(seen) {
        let (from, to, got) = (&cell.from, &cell.to, seen.join(", "));
        let any = |of: &[&str]| seen.iter().any(|o| of.contains(&o.as_str()));
        if seen.iter().all(String::is_empty) {
            c.cannot(result.index, "reaches", &format!("{from} to {to}: nothing was asked"));
        } else if cell.want {
            c.hold((result.index, cell.at), "reaches", format!("{from} reaches {to}"), got, any(&["reply"]));
        } else if any(&SOMEBODY) && !any(&ITS_OWN) {
            c.cannot(
                result.index,
                "reaches",
                &format!("{from} to {to}: {got}, and the kernel does not tell who says so"),
            );
        } else {
            c.hold((result.index, cell.at), "reaches", format!("{from} does not reach {to}"), got, !any(&ITS_OWN));
        }
    }
}

/// A scenario's text as JSON, which is YAML too: its first steps, each followed by lines of their own.
fn derived(text: &str, steps: usize, behind: &dyn Fn(usize) -> Vec<String>) -> Result<String, String> {
    let node = node::parse(text).map_err(|e| e.to_string())?;
    let Value::Map(keys) = &node.value else { return Err("it is no mapping".into()) };
    let all = keys.iter().map(|(k, _, v)| {
        let value = match &v.value {
            Value::List(l) if k == "steps" => {
                let of = |(i, n): (usize, &Node)| {
                    std::iter::once(json(n))
                        .chain(behind(i).into_iter().map(Json::from).map(|t| t.to_string()))
                        .collect::<Vec<_>>()
                };
                let lines: Vec<String> = l.iter().take(steps).enumerate().flat_map(of).collect();
                format!("[{}]", lines.join(",\n"))
            }
            _ => json(v),
        };
        format!("{}: {value}", Json::from(k.as_str()))
    });
    Ok(format!("{{{}}}\n", all.collect::<Vec<_>>().join(",\n")))
}

/// A value as JSON: a number or boolean as it stands.
fn json(n: &Node) -> String {
    match &n.value {
        Value::Null => "null".into(),
        Value::Scalar(t) if n.typed => t.clone(),
        Value::Scalar(t) => Json::from(t.as_str()).to_string(),
        Value::List(l) => format!("[{}]", l.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::Map(m) => {
            let all: Vec<String> =
                m.iter().map(|(k, _, v)| format!("{}: {}", Json::from(k.as_str()), json(v))).collect();
            format!("{{{}}}", all.join(", "))
        }
    }
}
