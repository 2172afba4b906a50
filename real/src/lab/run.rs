//! The steps of a scenario on the live kernel.

mod told;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use packetwalk_sim::app::probe::ProbeKind;
use packetwalk_sim::journal::Entry;
use packetwalk_sim::kernel::types::{HostId, NetnsId};
use packetwalk_sim::scenario::run::begin;
use packetwalk_sim::scenario::{Scenario, What};
use packetwalk_sim::session::Session;
use packetwalk_sim::shell::run_line;
use packetwalk_sim::trace::EventKind;
use serde_json::{Map, Value, json};

use super::engine::{self, Calls, Heard};
use super::host::TOOLS;
use super::links::{Device, touched};
use super::netns::NetNs;
use super::process;
use super::switches::{self, Switches};
use super::watched::Watched;
use super::world::{Space, World};
use super::{Answer, NoRun, Request, means};
use crate::probe::{self, NameFiles};
use crate::recording::writer::Writer;
use crate::shim;
use crate::tool::LAB_PATH;
use crate::watch::clock;

/// What is under way after a command has at least this long to arrive, or after a probe that the kernel answers.
const AFTER_COMMAND: Duration = Duration::from_millis(1);
/// After a command that sends nothing in the model: what it sends all the same was sent before it ended.
const AFTER_SILENCE: Duration = Duration::from_micros(100);
/// After a command that leaves something in the background: it starts meanwhile, and listens when the next step asks.
const AFTER_BACKGROUND: Duration = Duration::from_millis(15);
/// After a probe that a program answers: both ends close.
const AFTER_PROBE: Duration = Duration::from_millis(8);
/// As long as frames go on coming, so many times longer: not for ever, for somebody may send without end.
const LONGER: usize = 8;
/// What engines of a cluster do of their own accord after a step is done within this time: they gossip every 200 ms.
const SETTLE: Duration = Duration::from_millis(300);
/// A path, lest it be looked for: what is started by its path is not forked first (`posix_spawn`).
const SH: &str = "/bin/sh";

/// Runs a scenario to its end, and tells what came of it before all of it is taken down.
///
/// # Errors
/// Why it was not run.
pub(crate) fn run(
    r: &Request,
    watch: &mut Watched,
    switches: &mut Switches,
    tell: &mut dyn FnMut(Answer),
) -> Result<(), NoRun> {
    let done = walk(r, watch, switches, tell);
    watch.end_scenario();
    end_processes();
    done
}

/// Ends what the scenario left in the background, which would keep its namespaces and their neighbours: the kernel has
/// one table of these for all. We are process 1 of the PID namespace, and one scenario runs at a time.
fn end_processes() {
    if std::process::id() == 1 && kill(Pid::from_raw(-1), Signal::SIGKILL).is_ok() {
        while waitpid(None, None).is_ok() {}
    }
}

fn walk(r: &Request, watch: &mut Watched, switches: &mut Switches, tell: &mut dyn FnMut(Answer)) -> Result<(), NoRun> {
    let scenario = packetwalk_sim::scenario::parse(&r.scenario).map_err(|i| i.to_string())?;
    means::check(&scenario).map_err(NoRun::Missing)?;
    let mut lab = Lab::build(&scenario, watch, switches)?;
    if let Err(why) = lab.watch.begin_scenario(r.may_idle) {
        lab.world.unread.insert(format!("drops, lookups, neigh: {why}"));
    }
    let actions = scenario.setup.iter().chain(scenario.steps.iter().map(|s| &s.action));
    let all = scenario.setup.len() + scenario.steps.len();
    for (i, a) in actions.enumerate() {
        lab.step(i + 1, &a.what)?;
        tell(Answer::Progress(i + 1, all));
        assert!(r.panic_after != Some(i + 1), "asked for after line {}", i + 1);
    }
    let plugged = switches::of(&lab.plan).filter(|_| switches::untouched(&scenario));
    let kept = plugged.and_then(|(ns, bridges)| Some((bridges, lab.world.places.net(ns).ok()?)));
    let recording = lab.recording(&r.scenario, &scenario);
    tell(Answer::Recording(Box::new(recording)));
    drop(lab);
    if let Some((bridges, net)) = kept {
        switches.give(bridges, net);
    }
    Ok(())
}

/// A scenario being run: the plan and the live side.
struct Lab<'a> {
    /// Goes first: it keeps hosts.
    listening: Vec<engine::Listening>,
    /// The model, which goes along.
    plan: Session,
    world: World,
    /// Calls of an engine's tool, and the end of a line.
    heard: (Sender<Heard>, Receiver<Heard>),
    /// What is dropped meanwhile.
    watch: &'a mut Watched,
    out: Writer,
    /// When the last step ended, as it is told.
    ended: Instant,
}

impl<'a> Lab<'a> {
    fn build(scenario: &Scenario, watch: &'a mut Watched, switches: &mut Switches) -> Result<Lab<'a>, String> {
        let mut plan = Session::new(scenario.seed);
        plan.kernel.igmp_reports = false;
        plan.kernel.journal = Some(Box::default());
        begin(&mut plan, scenario).map_err(|e| e.to_string())?;
        // Where numbers cannot be chosen, containers go without a process of theirs, and that is told.
        let _ = process::reserve();
        let spare = switches::of(&plan).and_then(|(_, bridges)| switches.take(&bridges));
        let world = World::new(spare).map_err(|e| e.to_string())?;
        let mut lab = Lab {
            plan,
            world,
            heard: channel(),
            watch,
            out: Writer::default(),
            listening: Vec::new(),
            ended: Instant::now(),
        };
        lab.follow()?;
        for h in lab.world.hosts.values() {
            h.settled().map_err(|e| e.to_string())?;
            lab.listening.push(engine::listen(h, &lab.heard.0).map_err(|e| e.to_string())?);
        }
        lab.look();
        // What the building itself sent belongs to no step.
        lab.rest(AFTER_COMMAND);
        lab.world.capture.take();
        Ok(lab)
    }

    /// Does what the plan did since it was last asked.
    fn follow(&mut self) -> Result<(), String> {
        let entries = self.journal();
        self.world.follow(&self.plan, &entries).map_err(|e| e.to_string())?;
        self.world.follow_gone(&self.plan);
        self.world.follow_processes(&self.plan);
        self.world.follow_files(&self.plan);
        Ok(())
    }

    /// Looks for namespaces that came or went, and for the names of devices. Tells those that are new, with their
    /// addresses.
    fn look(&mut self) -> Vec<(String, String)> {
        self.world.scan(&self.plan);
        // Each is asked, lest the next look hears of what this one saw.
        let changed: Vec<bool> = self.world.spaces.values().map(Space::changed).collect();
        if !changed.contains(&true) {
            return Vec::new();
        }
        let (mut new, mut macs) = (Vec::new(), Vec::new());
        let all = changed.into_iter().zip(self.world.spaces.values().map(Space::devices)).collect::<Vec<_>>();
        for (space, due) in self.world.spaces.values().zip(touched(&all)) {
            space.settle(&due);
        }
        for ((label, space), (_, all)) in self.world.spaces.iter().zip(all) {
            macs.extend(all.iter().map(|d| d.mac.clone()));
            new.extend(self.out.names(space.tap, label, all));
        }
        // A bridge that has a port's address by now rolled another.
        new.retain(|d: &Device| !d.bridge || macs.iter().filter(|m| **m == d.mac).count() == 1);
        new.into_iter().map(|d| (d.name, d.mac)).collect()
    }

    fn step(&mut self, n: usize, what: &What) -> Result<(), String> {
        self.look();
        // Members of a cluster learn names when somebody asks.
        self.plan.refresh_overlay_names();
        self.world.tell_resolvers(&self.plan);
        let (clock, began, virtual_ns) = (SystemTime::now(), Instant::now(), self.plan.kernel.now());
        let mut fields = Map::new();
        fields.insert("n".into(), n.into());
        fields.insert("mono_ns".into(), clock::monotonic().into());
        match what {
            What::Nothing => {
                fields.insert("op".into(), "note".into());
            }
            What::Sleep(ns) => {
                fields.insert("op".into(), "sleep".into());
                thread::sleep(Duration::from_nanos(*ns));
            }
            What::Command { place, line } => self.command(place, line, &mut fields)?,
            What::Probe { place, probe } => {
                fields.insert("op".into(), "probe".into());
                fields.insert("from".into(), place.as_str().into());
                fields.insert("what".into(), probe.text.as_str().into());
                let sport = 40_000 + 20 * n as u16;
                let (host, ns) = self.plan.place(place)?;
                let read = |f: &str| self.plan.read_file(host, ns, f).unwrap_or_default();
                let files = NameFiles { hosts: read("/etc/hosts"), resolv: read("/etc/resolv.conf") };
                fields.insert("sport".into(), sport.into());
                let net = self.space_of(ns)?;
                let report = net.run(|| probe::run(probe, sport, &files)).map_err(|e| e.to_string())?;
                if let Ok(Value::Object(m)) = serde_json::to_value(&report) {
                    fields.extend(m);
                }
                // The plan's dice must have rolled as often as they will when the model is asked.
                self.plan.next_sport = sport;
                self.plan.probe(host, ns, probe);
                let of_kernel = matches!(probe.kind, ProbeKind::Ping | ProbeKind::Arping | ProbeKind::Traceroute)
                    && report.resolved.is_none();
                self.rest(if of_kernel { AFTER_COMMAND } else { AFTER_PROBE });
            }
        }
        let new = self.look();
        if !new.is_empty() {
            // What the kernel rolled, for the model to take.
            fields.insert("macs".into(), json!(new));
        }
        let since = clock.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64);
        let seen = self.world.capture.take();
        self.rules(n, &mut fields);
        let nets = self.world.places.nets.keys().copied();
        self.watch.record(&self.out.captured(&seen), &self.plan.kernel, nets, &mut fields);
        let lost: u64 = self.world.spaces.values().map(|s| self.world.capture.lost(s.tap)).sum();
        if lost > 0 {
            fields.insert("lost".into(), lost.into());
        }
        // Engines of a cluster tell each other, which takes the plan a little.
        let settle = if self.plan.clusters.is_empty() { Duration::ZERO } else { SETTLE };
        thread::sleep(settle);
        fields.insert("settle_ns".into(), (settle.as_nanos() as u64).into());
        self.ended = Instant::now();
        let took = (self.ended - began).as_nanos() as u64;
        fields.insert("ns".into(), took.into());
        self.out.step(fields, since, &seen);
        // The plan's clock follows, so that what its engines do in time comes in time.
        let spent = self.plan.kernel.now() - virtual_ns;
        self.plan.advance(took.saturating_sub(spent).max(settle.as_nanos() as u64));
        self.follow()
    }

    fn space_of(&self, ns: NetnsId) -> Result<NetNs, String> {
        let label = &self.plan.kernel.ns(ns).label;
        let space = self.world.spaces.get(label);
        space.map(|s| s.net.clone()).ok_or_else(|| format!("{label} is not there on the live kernel"))
    }

    fn command(&mut self, place: &str, line: &str, fields: &mut Map<String, Value>) -> Result<(), String> {
        let (host, ns) = self.plan.place(place)?;
        self.space_of(ns)?;
        let before = self.plan.kernel.rec.events.len();
        run_line(&mut self.plan, host, ns, line);
        let silent = !self.plan.kernel.rec.events[before..].iter().any(|e| matches!(e.kind, EventKind::Tx));
        let mut calls = Calls::of(self.journal());
        self.world.tell_resolvers(&self.plan);
        self.shell(host, ns, line)?;
        let ran = loop {
            // The end of the line, or a call of its: whichever comes first.
            match self.heard.1.recv().map_err(|e| e.to_string())? {
                Heard::Call(call) => calls.answer(call, &self.plan, host, &mut self.world),
                Heard::Ran(ran) => break ran.map_err(|e| format!("sh: {e}"))?,
            }
        };
        calls.finish(&self.plan, &mut self.world);
        fields.insert("op".into(), "cmd".into());
        fields.insert("host".into(), place.into());
        fields.insert("cmd".into(), line.into());
        fields.insert("rc".into(), ran.rc.into());
        fields.insert("out".into(), ran.out.into());
        fields.insert("err".into(), ran.err.into());
        let background = line.split_whitespace().any(|w| w == "&");
        self.rest(match (background, silent) {
            (true, _) => AFTER_BACKGROUND,
            (false, true) => AFTER_SILENCE,
            (false, false) => AFTER_COMMAND,
        });
        Ok(())
    }

    /// Waits until no more frames come.
    fn rest(&self, least: Duration) {
        let capture = &self.world.capture;
        let mut wait = least;
        for _ in 0..LONGER {
            let before = capture.heard();
            thread::sleep(wait);
            if capture.heard() == before {
                return;
            }
            wait = AFTER_COMMAND;
        }
    }

    /// Starts a line in a place: in a container from within.
    fn shell(&mut self, host: HostId, ns: NetnsId, line: &str) -> Result<(), String> {
        let h = self.world.hosts.get(&host).ok_or("a place without a host")?;
        let container =
            self.plan.engines.get(&host).is_some_and(|e| e.containers.values().any(|c| c.netns == Some(ns)));
        let mut net = self.space_of(ns)?;
        let mut cmd = if container && ns != self.plan.kernel.host(host).root_ns {
            let words = ["sh", "-c", line].map(str::to_owned).to_vec();
            let inside = engine::within(&self.plan, host, ns, words, &self.world);
            net = h.net.clone();
            let mut cmd = Command::new("/proc/1/exe");
            cmd.arg0(shim::ENTER).arg(serde_json::to_string(&inside).unwrap_or_default());
            cmd
        } else {
            means::alone(line).unwrap_or_else(|| {
                let mut cmd = Command::new(SH);
                cmd.arg0("sh").arg("-c").arg(line);
                cmd
            })
        };
        cmd.env_clear();
        cmd.env("PATH", format!("{TOOLS}:{LAB_PATH}"));
        cmd.env("HOME", "/root").env("LC_ALL", "C").env(shim::IN_LAB, "1");
        let tell = self.heard.0.clone();
        // Where nobody listens any more, the lab is at its end.
        let ended = move |ran| drop(tell.send(Heard::Ran(ran)));
        h.start(&net, cmd, ended).map_err(|e| e.to_string())
    }

    /// What the plan did since it was last asked.
    fn journal(&mut self) -> Vec<Entry> {
        self.plan.kernel.journal.as_mut().map(|j| std::mem::take(&mut **j)).unwrap_or_default()
    }
}
