//! Runs a recording's steps in the model and writes down what they did, in the recording's own shape.

use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::engine::Wheel;
use packetwalk_sim::kernel::types::{DevId, HostId, MSEC, NetnsId};
use packetwalk_sim::scenario::run::begin;
use packetwalk_sim::session::Session;
use packetwalk_sim::shell::run_line;
use packetwalk_sim::trace::Outcome;
use serde_json::{Map, Value};

use crate::compare::frames::{Frame, Taps};
use crate::compare::{drops, inspected, lookups, neighbours, rules};
use crate::recording::{Recording, list, text};

use ends::{dump, relabel};
use hits::{Counted, counters, hits};
use pace::{ENGINES, OURS, Pace, took};
use placeholders::{expanded, placeholders};

mod ends;
mod hits;
mod looked;
mod pace;
mod phase;
mod placeholders;

/// Most turns of a `wait` step.
const WAIT_TURNS: usize = 60;

/// What a step did.
#[derive(Default)]
pub struct Did {
    /// Fields of the step, named as in a recording.
    pub fields: Map<String, Value>,
    /// Something that is not modelled.
    pub refused: Option<String>,
    /// Frames of its time.
    pub frames: Vec<Frame>,
}

/// What a recording did in the model.
pub struct Played {
    /// Its steps.
    pub steps: Vec<Did>,
    /// Its states, by label: namespaces by name.
    pub states: Vec<(String, Map<String, Value>)>,
    /// The last of them again, where something happened by the time that it had been looked at on the other side.
    pub late: Option<Map<String, Value>>,
    /// Networks of its engines: id and name.
    pub networks: Vec<(String, String)>,
    /// What its engines say of themselves at the end, by host.
    pub docker: Map<String, Value>,
    /// How often a translation chose a port by chance, which the live kernel chose otherwise.
    pub nat_rolls: u64,
}

/// The world that a recording of ours begins with.
///
/// # Errors
/// Where its scenario cannot be read or built.
pub fn world(r: &Recording) -> Result<Session, String> {
    let text = r.json["scenario"].as_str().ok_or("the recording has no scenario")?;
    let scenario = packetwalk_sim::scenario::parse(text).map_err(|i| i.to_string())?;
    let mut s = Session::new(scenario.seed);
    s.kernel.igmp_reports = false;
    begin(&mut s, &scenario).map_err(|e| e.to_string())?;
    Ok(s)
}

/// Runs a recording in a world that has its hosts.
pub fn play(r: &Recording, mut s: Session) -> Played {
    let pace = if r.is_ours() { OURS } else { ENGINES };
    let mut taps = Taps::default();
    let mut sightings = drops::Sightings::default();
    let mut played = Played {
        steps: Vec::new(),
        states: Vec::new(),
        late: None,
        networks: Vec::new(),
        docker: Map::new(),
        nat_rolls: 0,
    };
    let usual = Wheel { phase: phase::phase(&r.json, &pace), ..Wheel::default() };
    s.kernel.queue.wheel = usual;
    s.advance(pace.before_steps_ms * MSEC);
    taps.scan(&s);
    let count = list(&r.json["steps"]).len();
    for (n, step) in list(&r.json["steps"]).iter().enumerate() {
        let began = s.kernel.now();
        s.kernel.queue.wheel = pace::wheel(&r.json, step, began).unwrap_or(usual);
        s.marks.previous = s.marks.present;
        s.marks.present = s.kernel.rec.events.len();
        let first = s.marks.present;
        let mut did = Did::default();
        if let Err(what) = one(&mut s, &mut taps, step, &mut did, &mut played.states, (&r.json, pace)) {
            did.refused = Some(what);
        }
        if pace == OURS {
            asked(&mut s);
        }
        let until = began + took(step);
        s.advance(until.saturating_sub(s.kernel.now()).max(step["settle_ns"].as_u64().unwrap_or(0)));
        if n + 1 == count {
            // What comes before the recorder stops looking belongs to the last step.
            s.advance(pace.before_state_ms * MSEC);
        }
        taps.take(&s, first, r.is_ours());
        if r.is_ours() {
            let own = 40_000 + 20 * step["n"].as_u64().unwrap_or(0) as u16;
            did.fields.insert("rules".into(), rules::modelled(&s, first, own).into());
            did.fields.insert("drops".into(), sightings.drops(&s));
            did.fields.insert("lookups".into(), lookups::modelled(&s, first));
            did.fields.insert("neighbours".into(), neighbours::modelled(&s, first));
        }
        played.steps.push(did);
        for n in s.engines.values().flat_map(|e| e.networks.values()) {
            if !played.networks.iter().any(|(id, _)| *id == n.id) {
                played.networks.push((n.id.clone(), n.name.clone()));
            }
        }
    }
    if pace != OURS {
        relabel(&mut s);
    }
    taps.scan(&s);
    s.advance(pace.state_ms * MSEC);
    played.states.push(("end".to_owned(), dump(&mut s, &r.json["state"]["end"], pace)));
    played.nat_rolls = s.kernel.nat_rolls;
    played.docker = inspected::ask(&mut s, &r.json["state"]["end"]["docker"]);
    if pace == OURS {
        let before = s.kernel.rec.events.len();
        s.advance(r.json["state"]["end"]["looked_ns"].as_u64().unwrap_or(0));
        let more = s.kernel.rec.events.len() > before;
        played.late = more.then(|| dump(&mut s, &r.json["state"]["end"], pace));
    }
    for (did, frames) in played.steps.iter_mut().zip(taps.finish()) {
        did.frames = frames;
    }
    for (did, step) in played.steps.iter_mut().zip(list(&r.json["steps"])) {
        tcp_ttl(did, step);
    }
    played
}

/// Our lab asks about every device around each step, which brings them up to date.
fn asked(s: &mut Session) {
    for i in 0..s.kernel.devs.len() as u32 {
        if s.kernel.dev(DevId(i)).alive {
            s.kernel.rtnl_getlink(DevId(i));
        }
    }
}

/// A TCP client cannot see the TTL of its SYN-ACK: it is read off the frames.
fn tcp_ttl(did: &mut Did, step: &Value) {
    if did.fields.get("connected") != Some(&Value::Bool(true)) {
        return;
    }
    if let Some(ttl) = syn_ack_ttl(&did.frames, text(&step["from"]), &step["sport"]) {
        did.fields.insert("ttl".into(), ttl.into());
    }
}

/// The TTL of the SYN-ACK that a probe at a place got, by its port.
pub fn syn_ack_ttl(frames: &[Frame], from: &str, sport: &Value) -> Option<u8> {
    let at = format!("{from}:");
    let port = (sport.as_u64()? as u16).to_be_bytes();
    frames.iter().filter(|f| f.dev.starts_with(&at) && f.dev.ends_with(" i")).find_map(|f| {
        let b = &f.bytes;
        if b.get(12..14) != Some(&[8, 0]) || b.get(23) != Some(&6) {
            return None;
        }
        let tcp = b.get(14 + usize::from(b[14] & 15) * 4..)?;
        (tcp.get(13)? & 0x12 == 0x12 && tcp[2..4] == port).then_some(b[22])
    })
}

/// `docker run` and the like, alone on their line.
fn starts_container(line: &str) -> bool {
    let alone = !line.contains([';', '&', '|']);
    let verbs = ["docker run -d", "docker run -i", "docker start ", "docker network connect "];
    alone && verbs.iter().any(|v| line.starts_with(v))
}

/// Does a command name a network of a swarm?
fn joins_swarm(s: &Session, line: &str) -> bool {
    let named = |name: &str| line.split([' ', '=']).any(|w| w == name);
    let swarms = s.clusters.iter().filter(|c| c.is_swarm());
    swarms.flat_map(|c| &c.networks).any(|n| !n.gone && named(&n.net.name))
}

fn one(
    s: &mut Session,
    taps: &mut Taps,
    step: &Value,
    did: &mut Did,
    states: &mut Vec<(String, Map<String, Value>)>,
    (json, pace): (&Value, Pace),
) -> Result<(), String> {
    if pace == OURS {
        asked(s);
    } else {
        relabel(s);
    }
    taps.scan(s);
    s.kernel.rolled_macs.clear();
    for new in list(&step["macs"]) {
        if let Ok(mac) = text(&new[1]).parse() {
            s.kernel.rolled_macs.entry(text(&new[0]).to_owned()).or_default().push_back(mac);
        }
    }
    match text(&step["op"]) {
        "cmd" => {
            let (host, ns) = s.place(text(&step["host"]))?;
            let line = match step["tmpl"].as_str() {
                Some(t) => placeholders(s, t),
                None => text(&step["cmd"]).to_owned(),
            };
            // Starting a container ends a little before its step does; all before is the engine at work.
            if pace == ENGINES && starts_container(&line) {
                let ms = took(step) / MSEC;
                let before = pace.container_up_ms + if joins_swarm(s, &line) { pace.attached_ms } else { 0 };
                s.advance(ms.saturating_sub(before) * MSEC);
            } else if line.starts_with("docker ") {
                s.advance(pace.client_ms.min(took(step) / MSEC / 2) * MSEC);
            } else {
                s.advance(pace.command_start(step));
            }
            let ran = run_line(s, host, ns, &line);
            did.refused = ran.refusal.map(|(what, col)| format!("{what} (column {})", col + 1));
            did.fields.insert("rc".into(), ran.exit.into());
            did.fields.insert("out".into(), ran.stdout.into());
            did.fields.insert("err".into(), ran.stderr.into());
            s.advance(pace.after_command_ms * MSEC);
            if pace != OURS {
                relabel(s);
            }
            taps.scan(s);
        }
        "probe" => {
            s.advance(pace.probe_start(json, step));
            let from = text(&step["from"]);
            let (host, ns) = match s.place(from) {
                // The recorder goes on without a container that does not run.
                Err(_) if pace == ENGINES && from.contains('/') => {
                    did.fields.insert("outcome".into(), "not-run".into());
                    did.fields.insert("lab_error".into(), format!("no namespace {from}").into());
                    return Ok(());
                }
                place => place?,
            };
            let line = if text(&step["what"]).contains("@{id ") {
                placeholders(s, text(&step["what"]))
            } else {
                expanded(step)
            };
            let probe = Probe::parse(&line).map_err(|(what, _)| what)?;
            s.next_sport = 40_000 + 20 * step["n"].as_u64().unwrap_or(0) as u16;
            // Only where iptables ran through Docker does the recorder look at counters.
            let counts = list(&json["steps"]).iter().any(|s| !s["hits"].is_null());
            let before = if counts { counters(s) } else { Counted::new() };
            let lent = if pace == ENGINES { lend_files(s, host, ns) } else { Vec::new() };
            let report = s.probe(host, ns, &probe);
            for (file, text) in lent {
                let _ = s.write_file(host, ns, file, &text, false);
            }
            if report.outcome == Some(Outcome::Unmodelled) {
                did.refused = Some("probe not modelled".into());
            }
            if let Ok(Value::Object(m)) = serde_json::to_value(&report) {
                did.fields = m;
            }
            if counts {
                // The recorder looks at the counters a while after the probe.
                s.advance(pace.counters_ms * MSEC);
                let hits = hits(&before, &counters(s));
                if !hits.is_empty() {
                    did.fields.insert("hits".into(), hits.into());
                }
            }
        }
        // The time that the step took passes after it.
        "sleep" | "note" => {}
        "dump" => states.push((text(&step["label"]).to_owned(), dump(s, &json["state"][text(&step["label"])], pace))),
        "wait" => {
            let (host, line) = text(&step["for"]).split_once("$ ").unwrap_or_default();
            for _ in 0..WAIT_TURNS {
                let (host, ns) = s.place(host)?;
                if run_line(s, host, ns, line).exit == 0 {
                    break;
                }
                s.advance(500 * MSEC);
            }
        }
        "stop" => {
            let (host, _) = s.place(text(&step["host"]))?;
            s.stop_docker(host);
        }
        "restart" => {
            let (host, _) = s.place(text(&step["host"]))?;
            s.restart_docker(host)?;
        }
        other => return Err(format!("step {other}")),
    }
    Ok(())
}

/// The recorder asks the engine where a container's files are. While that does not run, its names come from the
/// host's. Gives what is to be put back.
fn lend_files(s: &mut Session, host: HostId, ns: NetnsId) -> Vec<(&'static str, String)> {
    let root = s.kernel.host(host).root_ns;
    let runs = s.engines.get(&host).is_none_or(|e| e.running);
    let container = s.engines.get(&host).is_some_and(|e| e.containers.values().any(|c| c.netns == Some(ns)));
    if runs || !container || ns == root {
        return Vec::new();
    }
    ["/etc/hosts", "/etc/resolv.conf"]
        .into_iter()
        .filter_map(|file| {
            let own = s.read_file(host, ns, file).ok()?;
            let text = s.read_file(host, root, file).unwrap_or_default();
            let _ = s.write_file(host, ns, file, &text, false);
            Some((file, own))
        })
        .collect()
}
