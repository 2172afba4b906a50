//! Four verdicts on a recording: output, outcomes, state, frames.

mod buffers;
pub mod drops;
mod engine;
pub mod frames;
pub mod inspected;
pub mod lookups;
mod names;
pub mod neighbours;
pub mod normalise;
mod patterns;
pub mod report;
pub mod rules;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::command::tcpdump;
use packetwalk_sim::wire::parse;
use serde_json::{Map, Value};

use self::frames::Frame;

use self::names::{Names, network_ids};
use self::normalise::{Normal, Own, SETS};
use crate::recording::{Recording, list, text};
use crate::replay::{Did, Played};

/// Names of the verdicts.
pub const VERDICTS: [&str; 4] = ["output", "outcomes", "state", "frames"];

/// The differences of each verdict, as text to show, and how many things were compared.
#[derive(Clone, Default)]
pub struct Verdicts(pub [Vec<String>; 4], pub [usize; 4]);

/// Fields of a probe's step that say what was asked, or that [`normalise::RULES`] leaves out.
const ASKED: &[&str] = &[
    "n",
    "op",
    "from",
    "what",
    "to",
    "kind",
    "ms",
    "cap",
    "sport",
    "local",
    "ns",
    "lost",
    "macs",
    "settle_ns",
    "mono_ns",
    "rules",
    "rules_untold",
    "drops",
    "drops_nobodys",
    "drops_lost",
    "lookups",
    "neighbours",
];

/// Holds what the model did against what was recorded.
pub fn compare(r: &Recording, p: &Played) -> Verdicts {
    // What a placeholder stood for was nobody's choice.
    let written = |s: &Value| s["tmpl"].as_str().unwrap_or(text(&s["cmd"])).to_lowercase() + " ";
    let commands: String = list(&r.json["steps"]).iter().map(written).collect();
    let recorded = r.json["state"].as_object().into_iter().flatten();
    let mut theirs = Names::of(recorded.clone().filter_map(|(_, s)| s["ns"].as_object()), &commands);
    let mut ours = Names::of(p.states.iter().map(|(_, m)| m), &commands);
    let steps = list(&r.json["steps"]);
    // The kernel's own cases have IPv6 switched off and look at more.
    let engine = !text(&r.json["topic"]).starts_with("kernel-");
    if engine {
        let states = recorded.clone().filter_map(|(_, s)| s["ns"].as_object());
        theirs.docker(steps.iter().map(|s| (text(&s["cmd"]), text(&s["out"]))), states);
        // The engine of a recording of ours is the plan: it rolled the same dice.
        theirs.networks(&if r.is_ours() { p.networks.clone() } else { network_ids(&r.json["state"]) });
        let out = |d: &'_ Did| d.fields.get("out").map_or("", |v| text(v)).to_owned();
        let outs: Vec<String> = p.steps.iter().map(out).collect();
        let pairs = steps.iter().zip(&outs).map(|(s, o)| (text(&s["cmd"]), o.as_str()));
        ours.docker(pairs, p.states.iter().map(|(_, m)| m));
        // The predefined ones have other ids after each start of a daemon: those that the end knows are named.
        let inspected = p.docker.values().flat_map(|h| list(&h["network_inspect"]));
        let last: Vec<&str> = inspected.map(|n| text(&n["Id"])).collect();
        let predefined = |n: &str| matches!(n, "bridge" | "host" | "none");
        let named = |(id, n): &&(String, String)| {
            r.is_ours() || !predefined(n) || last.is_empty() || last.contains(&id.as_str())
        };
        ours.networks(&p.networks.iter().filter(named).cloned().collect::<Vec<_>>());
    }
    let renamed = |frames: &[Frame], n: &Names| -> Vec<Frame> {
        frames.iter().map(|f| Frame { dev: if engine { n.name(&f.dev) } else { f.dev.clone() }, ..f.clone() }).collect()
    };
    let cluster = r.is_ours() && r.json["cluster"] == true;
    let heard = |frames: Vec<Frame>| -> Vec<Frame> {
        let kept = |f: &Frame| {
            let nameless = r.is_ours() && frames::nameless(f);
            let late = r.is_ours() && engine && frames::others_announcement(f);
            !(nameless || late || cluster && frames::engines_talk(f))
        };
        frames.into_iter().filter(kept).collect()
    };
    let got: Vec<Vec<Frame>> = p.steps.iter().map(|d| heard(renamed(&d.frames, &ours))).collect();
    let mut v = Verdicts::default();
    let mut taken: Vec<(String, Lists<'_>, Lists<'_>)> = Vec::new();
    let caps: Vec<Vec<Frame>> =
        list(&r.json["steps"]).iter().map(|s| heard(renamed(&frames::recorded(&r.json, s), &theirs))).collect();
    let lossy = list(&r.json["steps"]).iter().any(|s| {
        matches!(text(&s["kind"]), "tcp" | "http" | "bulk") && matches!(text(&s["outcome"]), "timeout" | "stall")
    });
    for (((s, d), cap), got) in list(&r.json["steps"]).iter().zip(&p.steps).zip(&caps).zip(&got) {
        let head = head(s);
        match text(&s["op"]) {
            "cmd" => v.1[0] += 1,
            "probe" => v.1[1] += 1,
            _ => {}
        }
        match text(&s["op"]) {
            "cmd" => output(&head, s, d, (&theirs, &ours), lossy, &mut v.0[0]),
            "probe" => outcome(&head, s, d, (&theirs, &ours), &mut v.0[1]),
            _ => v.0[0].extend(d.refused.iter().map(|w| format!("{head}\n      refused: {w}"))),
        }
        let own = match text(&s["op"]) {
            "cmd" => Own::Command,
            _ if engine => Own::Docker(40_000 + 20 * s["n"].as_u64().unwrap_or(0) as u16),
            _ => Own::Probe,
        };
        taken.push((head, normalise::frames(cap, own, &theirs), normalise::frames(got, own, &ours)));
    }
    v.1[3] = taken.iter().map(|(_, w, g)| w.keys().chain(g.keys()).collect::<BTreeSet<_>>().len()).sum();
    frames_of(&mut taken, &mut v.0[3]);
    for (label, s) in recorded {
        let got = p.states.iter().find(|(l, _)| l == label).map(|(_, m)| m.clone()).unwrap_or_default();
        let want = theirs.value(&s["ns"]);
        let probes = engine.then_some(steps.len() as u16);
        let how = (lossy, probes, r.is_ours(), r.json["cluster"] == true);
        let mut found = Vec::new();
        state(label, &want, &ours.value(&Value::Object(got)), how, (&mut found, &mut v.1[2]));
        if let Some(late) = p.late.as_ref().filter(|_| label == "end") {
            // To look at all takes a moment, in which a timer fired: each part was seen before it or after.
            let mut still = Vec::new();
            state(label, &want, &ours.value(&Value::Object(late.clone())), how, (&mut still, &mut 0));
            found.retain(|f| still.iter().any(|s| s.lines().next() == f.lines().next()));
        }
        v.0[2].extend(found);
    }
    inspected::compare(&r.json["state"]["end"]["docker"], &p.docker, (&theirs, &ours), &mut v.0[2]);
    v
}

fn head(s: &Value) -> String {
    let n = &s["n"];
    match text(&s["op"]) {
        "cmd" => format!("step {n}  {}$ {}", text(&s["host"]), text(&s["cmd"])),
        "probe" => format!("step {n}  {}> {}", text(&s["from"]), text(&s["what"])),
        op => format!("step {n}  {op}"),
    }
}

fn output(head: &str, s: &Value, d: &Did, names: (&Names, &Names), lossy: bool, out: &mut Vec<String>) {
    let mut found = Vec::new();
    if let Some(w) = &d.refused {
        found.push(format!("refused: {w}"));
    }
    if s["rc"] != d.fields.get("rc").cloned().unwrap_or_default() {
        found.push(format!("rc   expected {}  got {}", s["rc"], d.fields.get("rc").unwrap_or(&Value::Null)));
    }
    for key in ["out", "err"] {
        let form = |v: &Value, n: &Names| {
            let (named, cmd) = (n.value(v), text(&s["cmd"]));
            if !n.engine {
                return normalise::text(text(&named), cmd, lossy);
            }
            let t = engine::text(&normalise::docker_text(text(&named)), cmd);
            normalise::text(&t, cmd, lossy)
        };
        let want = form(&s[key], names.0);
        let got = form(d.fields.get(key).unwrap_or(&Value::Null), names.1);
        if want != got {
            found.extend(lines(key, &want, &got));
        }
    }
    if !found.is_empty() {
        out.push(format!("{head}\n      {}", found.join("\n      ")));
    }
}

/// The lines that two texts do not share, in order.
fn lines(key: &str, want: &str, got: &str) -> Vec<String> {
    let split = |t: &str| t.split('\n').map(str::to_owned).collect::<Vec<_>>();
    let mut out = Vec::new();
    for (a, b) in changes(&split(want), &split(got), |x| x.clone()) {
        out.extend(a.map(|l| format!("{key}  expected |{l}|")));
        out.extend(b.map(|l| format!("{key}       got |{l}|")));
    }
    out
}

fn outcome(head: &str, s: &Value, d: &Did, names: (&Names, &Names), out: &mut Vec<String>) {
    let mut found = Vec::new();
    if let Some(w) = &d.refused {
        found.push(format!("refused: {w}"));
    }
    let empty = Map::new();
    let want = s.as_object().unwrap_or(&empty);
    let asked = |k: &&String| !ASKED.contains(&k.as_str());
    let keys: BTreeSet<&String> = want.keys().filter(asked).chain(d.fields.keys().filter(asked)).collect();
    for k in keys {
        let mut w = want.get(k).cloned().unwrap_or_default();
        if k == "notes" {
            w = list(&w).iter().map(note).collect();
        }
        let mut g = d.fields.get(k).cloned().unwrap_or_default();
        if names.0.engine {
            (w, g) = (names.0.value(&w), names.1.value(&g));
            (w, g) = match k.as_str() {
                "seen" => (normalise::seen(&w, &s["sport"]), normalise::seen(&g, &s["sport"])),
                "hits" => (normalise::resolver_ports(&w), normalise::resolver_ports(&g)),
                "how" => (normalise::any_order(w), normalise::any_order(g)),
                _ => (w, g),
            };
        }
        if w != g {
            found.push(format!("{k:<12} expected {w}  got {g}"));
        }
    }
    if !found.is_empty() {
        out.push(format!("{head}\n      {}", found.join("\n      ")));
    }
}

/// A redirect that came along: gateway and sender, whichever recorder wrote it.
fn note(n: &Value) -> Value {
    if n.is_array() { n.clone() } else { vec![n["redirect"].clone(), n["from"].clone()].into() }
}

/// Frames by device and direction.
type Lists<'a> = BTreeMap<&'a str, Vec<Normal<'a>>>;
/// A pair of frames at one place: expected and got.
type Pair<'a> = (Option<Normal<'a>>, Option<Normal<'a>>);

fn frames_of(steps: &mut [(String, Lists<'_>, Lists<'_>)], out: &mut Vec<String>) {
    let mut all: Vec<Vec<(String, Vec<Pair<'_>>)>> = Vec::new();
    for (_, want, got) in steps.iter() {
        let devs: BTreeSet<&str> = want.keys().chain(got.keys()).copied().collect();
        let none = Vec::new();
        let pairs = |d: &&str| {
            let c = changes(want.get(d).unwrap_or(&none), got.get(d).unwrap_or(&none), |f| f.0.clone());
            ((*d).to_owned(), c)
        };
        all.push(devs.iter().map(pairs).filter(|(_, c)| !c.is_empty()).collect());
    }
    late(&mut all, |f| f.bytes.get(12..14) == Some(&[8, 6]) && f.bytes.get(21) == Some(&2));
    announced(&mut all, steps);
    if steps.iter().any(|s| s.0.contains("docker swarm")) {
        late(&mut all, |f| f.bytes.get(12..14) == Some(&[8, 6]));
    }
    for ((head, ..), devs) in steps.iter().zip(&all) {
        for (dev, pairs) in devs.iter().filter(|(_, p)| !p.is_empty()) {
            let shown: Vec<String> = pairs.iter().map(show_pair).collect();
            out.push(format!("{head}\n    {dev}\n      {}", shown.join("\n      ")));
        }
    }
}

/// A gratuitous ARP that a device sees on both sides, whenever and however often; in a cluster, whose engines make
/// namespaces behind the commands' backs, that any device sees.
fn announced(all: &mut [Vec<(String, Vec<Pair<'_>>)>], steps: &[(String, Lists<'_>, Lists<'_>)]) {
    let cluster = steps.iter().any(|s| s.0.contains("docker swarm"));
    let seen = |dev: &str, key: &str, want: bool| {
        let of = |s: &(String, Lists<'_>, Lists<'_>)| {
            let mut lists = if want { s.1.iter() } else { s.2.iter() };
            lists.any(|(d, l)| (cluster || *d == dev) && l.iter().any(|f| f.0 == key))
        };
        steps.iter().any(of)
    };
    for (dev, pairs) in all.iter_mut().flatten() {
        let list = std::mem::take(pairs).into_iter().map(|(a, b)| {
            let a = a.filter(|f| f.1.flag != "garp" || !seen(dev, &f.0, false));
            (a, b.filter(|f| f.1.flag != "garp" || !seen(dev, &f.0, true)))
        });
        *pairs = list.filter(|(a, b)| a.is_some() || b.is_some()).collect();
    }
}

/// What a timer sends (a proxied ARP answer, a repeated announcement) may come one step later on one side.
fn late(all: &mut [Vec<(String, Vec<Pair<'_>>)>], timed: impl Fn(&Frame) -> bool) {
    for i in 1..all.len() {
        let (before, after) = all.split_at_mut(i);
        let Some(before) = before.last_mut() else { continue };
        for (dev, late) in after[0].iter_mut() {
            let Some((_, early)) = before.iter_mut().find(|(d, _)| d == dev) else { continue };
            early.retain(|e| {
                let (Some(f), side) = (e.0.as_ref().or(e.1.as_ref()), e.0.is_some()) else { return true };
                if e.0.is_some() == e.1.is_some() || !timed(f.1) {
                    return true;
                }
                let at = late.iter().position(|l| {
                    let other = if side { &l.1 } else { &l.0 };
                    (l.0.is_none() || l.1.is_none()) && other.as_ref().is_some_and(|o| o.0 == f.0)
                });
                at.map(|at| late.remove(at)).is_none()
            });
        }
    }
}

fn show_pair(p: &Pair<'_>) -> String {
    match p {
        (Some(a), Some(b)) => {
            let (x, y) = (decode(a.1), decode(b.1));
            let at = a.0.bytes().zip(b.0.bytes()).position(|(x, y)| x != y).unwrap_or(0) & !1;
            let part = |t: &str| t.get(at..).map_or(String::new(), |t| t.chars().take(24).collect());
            let bytes = format!("at byte {}: {} / {}", at / 2, part(&a.0), part(&b.0));
            format!("expected {x}\n           got {y}\n               {bytes}")
        }
        (Some(a), None) => format!(" missing {}", decode(a.1)),
        (None, Some(b)) => format!("   extra {}", decode(b.1)),
        (None, None) => String::new(),
    }
}

fn decode(f: &Frame) -> String {
    let mac = |b: &[u8]| b.iter().map(|x| format!("{x:02x}")).collect::<Vec<_>>().join(":");
    let text = parse::frame(&f.bytes.clone().into()).map_or_else(|| "(unreadable)".to_owned(), |p| tcpdump::text(&p));
    let ends = f.bytes.get(..12).map_or(String::new(), |b| format!("{} > {} ", mac(&b[6..]), mac(&b[..6])));
    let ttl = match f.bytes.get(12..23) {
        Some([8, 0, .., ttl]) => format!(" ttl {ttl}"),
        _ => String::new(),
    };
    let flag = if f.flag.is_empty() { String::new() } else { format!(" [{}]", f.flag) };
    format!("{ends}{text}{ttl}{flag}")
}

/// What two lists do not share, as pairs: both where one stands in the other's place.
fn changes<T: Clone>(a: &[T], b: &[T], key: impl Fn(&T) -> String) -> Vec<(Option<T>, Option<T>)> {
    let (ka, kb): (Vec<_>, Vec<_>) = (a.iter().map(&key).collect(), b.iter().map(&key).collect());
    // Longest common subsequence from each place on.
    let mut len = vec![vec![0usize; kb.len() + 1]; ka.len() + 1];
    for i in (0..ka.len()).rev() {
        for j in (0..kb.len()).rev() {
            len[i][j] = if ka[i] == kb[j] { len[i + 1][j + 1] + 1 } else { len[i + 1][j].max(len[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    let (mut gone, mut come): (Vec<T>, Vec<T>) = (Vec::new(), Vec::new());
    let flush = |gone: &mut Vec<T>, come: &mut Vec<T>, out: &mut Vec<_>| {
        let (mut g, mut c) = (std::mem::take(gone).into_iter(), std::mem::take(come).into_iter());
        loop {
            match (g.next(), c.next()) {
                (None, None) => break,
                pair => out.push(pair),
            }
        }
    };
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && ka[i] == kb[j] {
            flush(&mut gone, &mut come, &mut out);
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && len[i + 1][j] >= len[i][j + 1]) {
            gone.push(a[i].clone());
            i += 1;
        } else {
            come.push(b[j].clone());
            j += 1;
        }
    }
    flush(&mut gone, &mut come, &mut out);
    out
}

fn state(
    label: &str,
    want: &Value,
    got: &Value,
    (lossy, engine, ours, cluster): (bool, Option<u16>, bool, bool),
    (out, compared): (&mut Vec<String>, &mut usize),
) {
    let keys = |v: &Value| v.as_object().into_iter().flat_map(|m| m.keys().cloned()).collect::<Vec<_>>();
    let all: BTreeSet<String> = keys(want).into_iter().chain(keys(got)).collect();
    for ns in all {
        let at = format!("{label}  {ns}");
        if want[&ns].is_null() || got[&ns].is_null() {
            let which = if want[&ns].is_null() { "extra" } else { "missing" };
            out.push(format!("{at}\n      the namespace is {which}"));
            continue;
        }
        let (mut w, mut g) = (normalise::state(&ns, &want[&ns], lossy), normalise::state(&ns, &got[&ns], lossy));
        if let Some(probes) = engine {
            for side in [&mut w, &mut g] {
                normalise::docker_state(side, probes);
                engine::state(side, probes);
            }
            if w.get("nstat").is_none() {
                g.remove("nstat");
            }
            for side in [&mut w, &mut g] {
                normalise::docker_nstat(side);
            }
        }
        if ours {
            for side in [&mut w, &mut g] {
                normalise::our_state(side);
                if cluster {
                    normalise::our_cluster(side);
                }
            }
        }
        let parts: BTreeSet<&String> = w.keys().chain(g.keys()).collect();
        *compared += parts.len();
        for part in parts {
            let none = Value::Null;
            let (a, b) = (w.get(part).unwrap_or(&none), g.get(part).unwrap_or(&none));
            let mut found = Vec::new();
            if SETS.contains(&part.as_str()) {
                let gone = |e: &Value| ours && part == "neigh" && normalise::collected(e);
                values::sets(a, b, &gone, &mut found);
                if engine.is_some() && part == "fdb" && w.get("kind") == Some(&"switch".into()) {
                    // IPv6 teaches it more than the model has.
                    found.retain(|f| f.starts_with("  extra"));
                }
            } else {
                values::diff("", a, b, &mut found);
            }
            if !found.is_empty() {
                out.push(format!("{at} {part}\n      {}", found.join("\n      ")));
            }
        }
    }
}
