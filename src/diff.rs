//! `packetwalk diff`.

use std::path::Path;

use packetwalk_sim::docker::Profile;
use packetwalk_sim::filter;
use packetwalk_sim::scenario::{Action, At, What, diff};
use serde_json::{Value, json};

use crate::load::{Loaded, load};
use crate::{End, Format, out, problem};

/// Arguments of `diff`.
#[derive(clap::Args)]
pub struct Args {
    /// Two scenarios; or one, with two engines or with other rules
    #[arg(required = true, num_args = 1..=2, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Docker version profile of the first side, and again of the second
    #[arg(long, value_name = "VERSION")]
    engine: Vec<String>,
    /// Rules restored on a host before the steps: once for the second side only, twice for the first and the second
    #[arg(long, value_name = "HOST=FILE")]
    rules: Vec<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A side: its scenario and what it is called.
struct Side {
    loaded: Loaded,
    name: String,
}

/// Runs it: 0 where every probe came to the same, 1 where one changed, 2 on bad input.
pub fn run(a: &Args) -> End {
    let Some(sides) = sides(a) else { return End::Bad };
    let mut walks = Vec::new();
    for s in &sides {
        let Some(w) = crate::run::walk(&s.loaded) else { return End::Bad };
        walks.push(w);
    }
    let [x, y] = &walks[..] else { return End::Bad };
    let (compared, changes) = diff::changes(x, y);
    let names = sides.map(|s| s.name);
    if compared == 0 {
        problem::error("the two have no probe in common", "probes are matched by their place and their words");
        return End::Bad;
    }
    match a.format {
        Format::Text => {
            let mut t: String = changes.iter().map(|c| c.text(&names) + "\n").collect();
            t.push_str(&format!("{compared} probes compared, {} changed\n", changes.len()));
            out::print(&t);
        }
        Format::Json => {
            let list: Vec<Value> = changes.iter().map(diff::Change::json).collect();
            let v = json!({"schema_version": 1, "sides": names, "compared": compared, "changes": list});
            out::print(&format!("{v:#}\n"));
        }
    }
    if changes.is_empty() { End::Good } else { End::Failed }
}

/// Both sides, or none after saying what is wrong.
fn sides(a: &Args) -> Option<[Side; 2]> {
    let bad = |what: &str, help: &str| {
        problem::error(what, help);
        None
    };
    let loaded: Vec<Loaded> = a.scenarios.iter().map(|n| load(n)).collect::<Option<_>>()?;
    let mut sides: [Side; 2] = match <[Loaded; 2]>::try_from(loaded) {
        Ok(two) => two.map(|l| Side { name: l.scenario.name.clone(), loaded: l }),
        Err(_) if a.engine.is_empty() && a.rules.is_empty() => {
            return bad(
                "one scenario has no other side",
                "name another one, or say --engine twice, or --rules HOST=FILE",
            );
        }
        Err(_) => {
            let l = load(&a.scenarios[0])?;
            let again = Loaded { file: l.file.clone(), text: l.text.clone(), scenario: l.scenario.clone() };
            [Side { name: "as it is".into(), loaded: l }, Side { name: "changed".into(), loaded: again }]
        }
    };
    match a.engine.as_slice() {
        [] => {}
        [first, second] => {
            for (side, engine) in sides.iter_mut().zip([first, second]) {
                if Profile::parse(engine).is_none() {
                    return bad(&format!("there is no engine profile `{engine}`"), "one of: 20.10, 28.5, 29");
                }
                side.loaded.scenario.engine.clone_from(engine);
                side.name = format!("engine {engine}");
            }
        }
        _ => return bad("--engine is said twice or not at all", "--engine 20.10 --engine 28.5"),
    }
    rules(&a.rules, &mut sides)?;
    Some(sides)
}

/// Adds the rules to the setup of their side.
fn rules(all: &[String], sides: &mut [Side; 2]) -> Option<()> {
    let mut read: Vec<(&str, &str, String)> = Vec::new();
    for r in all {
        let Some((host, file)) = r.split_once('=') else {
            problem::error(&format!("--rules {r} names no host and file"), "--rules HOST=FILE");
            return None;
        };
        if !sides[1].loaded.scenario.hosts.iter().any(|h| h.name == host) {
            let hosts: Vec<&str> = sides[1].loaded.scenario.hosts.iter().map(|h| h.name.as_str()).collect();
            problem::error(&format!("--rules {r}: there is no host {host}"), &format!("hosts: {}", hosts.join(", ")));
            return None;
        }
        match std::fs::read_to_string(Path::new(file)) {
            Ok(text) => {
                if let Err(e) = filter::check(&text) {
                    problem::error(&format!("{file}: {e}"), crate::filter::DUMP);
                    return None;
                }
                read.push((host, file, text));
            }
            Err(e) => {
                problem::error(&format!("{file}: {e}"), "name a file that iptables-save wrote");
                return None;
            }
        }
    }
    for (i, (host, file, text)) in read.iter().enumerate() {
        let before = read[..i].iter().filter(|x| x.0 == *host).count();
        let times = read.iter().filter(|x| x.0 == *host).count();
        let side = match (times, before) {
            (1, _) | (2, 1) => &mut sides[1],
            (2, _) => &mut sides[0],
            _ => {
                problem::error(&format!("--rules of {host} are given {times} times"), "once or twice");
                return None;
            }
        };
        // As a host's own rules are restored, after everything else of the setup.
        let line = format!("iptables-restore <<'END_OF_RULES'\n{}\nEND_OF_RULES", text.trim_end());
        let what = What::Command { place: (*host).to_owned(), line };
        side.loaded.scenario.setup.push(Action { at: At { line: 1, column: 1 }, what });
        side.name = (*file).to_owned();
    }
    Some(())
}
