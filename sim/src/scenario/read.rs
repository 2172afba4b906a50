//! The tree becomes a [`Scenario`], or every problem of it at once.

use std::collections::BTreeSet;

use super::node::{self, Node, Value};
use super::suggest::closest;
use super::*;
use crate::app::probe::Probe;
use crate::kernel::types::SEC;

const TOP: &[&str] = &["name", "title", "about", "topics", "engine", "hosts", "images", "seed", "setup", "steps"];
const STEP: &[&str] = &["say", "run", "sleep", "timeout", "ask", "expect", "reaches"];
const ENGINES: &[&str] = &["20.10", "28.5", "29"];
/// Most problems that are told.
const MAX_ISSUES: usize = 100;

pub(super) struct Reader {
    pub(super) issues: Vec<Issue>,
    lines: Vec<String>,
    pub(super) places: BTreeSet<String>,
    /// Words that may name a network of Docker.
    pub(super) networks: BTreeSet<String>,
    /// Firewall rules given with a host: its name, where, and the dump.
    pub(super) dumps: Vec<(String, At, String)>,
}

/// Reads a scenario.
pub(super) fn read(text: &str) -> Result<Scenario, Issues> {
    if text.len() > MAX_BYTES {
        return Err(Issues(vec![Issue {
            line: 1,
            column: 1,
            what: format!("the file has {} bytes; a scenario may have {MAX_BYTES}", text.len()),
            help: "split it into several scenarios".into(),
        }]));
    }
    if let Some(issue) = too_deep(text) {
        return Err(Issues(vec![issue]));
    }
    let root = node::parse(text).map_err(|i| Issues(vec![i]))?;
    let mut r = Reader {
        issues: Vec::new(),
        lines: text.lines().map(str::to_owned).collect(),
        places: BTreeSet::new(),
        networks: BTreeSet::new(),
        dumps: Vec::new(),
    };
    let scenario = r.scenario(&root);
    r.issues.sort_by_key(|i| (i.line, i.column));
    r.issues.truncate(MAX_ISSUES);
    match scenario {
        Some(s) if r.issues.is_empty() => Ok(s),
        _ => Err(Issues(r.issues)),
    }
}

/// Flow collections nested so deeply that no reader should follow.
fn too_deep(text: &str) -> Option<Issue> {
    let mut depth = 0usize;
    for (n, line) in text.lines().enumerate() {
        let dashes = line.bytes().filter(|b| *b == b'-' || *b == b'?').count();
        for (k, c) in line.chars().enumerate() {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > 64 || (k > 200 && dashes > 200 && line.trim_start().starts_with("- - - ")) {
                return Some(Issue {
                    line: n + 1,
                    column: k + 1,
                    what: "nested deeper than 64 levels".into(),
                    help: "close the brackets opened before".into(),
                });
            }
        }
    }
    None
}

pub(super) type Fields<'n> = Vec<(&'n str, At, &'n Node)>;

pub(super) fn field<'n>(f: &Fields<'n>, key: &str) -> Option<&'n Node> {
    f.iter().find(|x| x.0 == key).map(|x| x.2)
}

impl Reader {
    pub(super) fn issue(&mut self, at: At, what: impl Into<String>, help: impl Into<String>) {
        self.issues.push(Issue { line: at.line, column: at.column, what: what.into(), help: help.into() });
    }

    pub(super) fn map<'n>(&mut self, n: &'n Node, what: &str, keys: &[&str]) -> Option<Fields<'n>> {
        let Value::Map(m) = &n.value else {
            let help = hints::mapping(what).map_or_else(|| format!("keys: {}", keys.join(", ")), str::to_owned);
            self.issue(n.at, format!("{what} is {}, not a mapping", n.kind()), help);
            return None;
        };
        let mut out = Vec::new();
        for (k, at, v) in m {
            if !keys.is_empty() && !keys.contains(&k.as_str()) {
                let help = match (hints::key(what, k), closest(k, keys)) {
                    (Some(hint), _) => hint.to_owned(),
                    (_, Some(near)) => format!("did you mean `{near}`?"),
                    _ => format!("{what} may have: {}", keys.join(", ")),
                };
                self.issue(*at, format!("unknown key `{k}` in {what}"), help);
                continue;
            }
            out.push((k.as_str(), *at, v));
        }
        Some(out)
    }

    pub(super) fn text(&mut self, n: &Node, what: &str) -> Option<String> {
        match &n.value {
            Value::Scalar(t) => Some(t.clone()),
            _ => {
                self.issue(n.at, format!("{what} is {}, not a text", n.kind()), "write a text");
                None
            }
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, n: &Node, what: &str, help: &str) -> Option<T> {
        let t = self.text(n, what)?;
        let v = t.parse().ok();
        if v.is_none() {
            self.issue(n.at, format!("{what} `{t}` is no number that fits"), help);
        }
        v
    }

    pub(super) fn list<'n>(&mut self, n: &'n Node, what: &str) -> &'n [Node] {
        match &n.value {
            Value::List(l) => l,
            _ => {
                self.issue(
                    n.at,
                    format!("{what} is {}, not a list", n.kind()),
                    "write it as `[one, two]`, or with `- ` before each",
                );
                &[]
            }
        }
    }

    pub(super) fn texts(&mut self, n: &Node, what: &str) -> Vec<String> {
        self.list(n, what).iter().filter_map(|x| self.text(x, what)).collect()
    }

    fn seconds(&mut self, n: &Node, what: &str) -> Option<u64> {
        let s: f64 = self.number(n, what, "write seconds, such as 1.5")?;
        if !(0.0..=86_400.0).contains(&s) {
            let said = if s.abs() < 1e9 { s.to_string() } else { format!("{s:e}") };
            self.issue(n.at, format!("{what} {said} is not between 0 and 86400 seconds"), "write seconds, such as 1.5");
            return None;
        }
        Some((s * SEC as f64).round() as u64)
    }

    fn scenario(&mut self, root: &Node) -> Option<Scenario> {
        let f = self.map(root, "a scenario", TOP)?;
        for key in ["name", "hosts", "steps"] {
            if field(&f, key).is_none() {
                self.issue(
                    root.at,
                    format!("the key `{key}` is missing"),
                    match key {
                        "name" => "add `name: my-scenario`",
                        "hosts" => "add `hosts: {node1: 192.168.91.128/24}`",
                        _ => "add `steps:` with at least one `- run: node1$ ip addr`",
                    },
                );
            }
        }
        let name = field(&f, "name").and_then(|n| {
            let t = self.text(n, "name")?;
            let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if t.is_empty() || t.starts_with('-') || !t.chars().all(ok) {
                self.issue(
                    n.at,
                    format!("the name `{t}` has other characters than small letters, digits and dashes"),
                    "write a name such as `bridge-publish`",
                );
            }
            Some(t)
        });
        let title = field(&f, "title").and_then(|n| self.text(n, "title"));
        let about = field(&f, "about").and_then(|n| self.text(n, "about"));
        let topics = field(&f, "topics").map(|n| self.texts(n, "topics"));
        let engine = field(&f, "engine").and_then(|n| {
            let t = self.text(n, "engine")?;
            if !ENGINES.contains(&t.as_str()) {
                self.issue(
                    n.at,
                    format!("there is no engine profile `{t}`"),
                    format!("one of: {} (in quotes)", ENGINES.join(", ")),
                );
            }
            Some(t)
        });
        let images = field(&f, "images").map(|n| self.images(n)).unwrap_or_default();
        let seed = field(&f, "seed").and_then(|n| self.number(n, "seed", "write a number from 0"));
        let mut hosts = field(&f, "hosts").map(|n| self.hosts(n)).unwrap_or_default();
        self.places.extend(hosts.iter().map(|h| h.name.clone()));
        self.places.extend(hosts.iter().flat_map(|h| h.nics.iter().map(|n| n.lan.clone())).filter(|_| false));
        for key in ["setup", "steps"] {
            if let Some(n) = field(&f, key) {
                self.namespaces_of(n);
            }
        }
        let mut setup = Vec::new();
        for (host, at, dump) in std::mem::take(&mut self.dumps) {
            // Restored as a person would: the first lines of the setup.
            let line = format!("{host}$ iptables-restore <<'END_OF_RULES'\n{}\nEND_OF_RULES", dump.trim_end());
            let node = Node { at, value: Value::Scalar(line.clone()), typed: false };
            setup.extend(self.action(&node, &line, None));
        }
        if let Some(n) = field(&f, "setup") {
            for item in self.list(n, "setup") {
                if let Some(t) = self.text(item, "a line of setup") {
                    setup.extend(self.action(item, &t, None));
                }
            }
        }
        let mut steps = Vec::new();
        if let Some(n) = field(&f, "steps") {
            let list = self.list(n, "steps");
            if list.is_empty() && matches!(n.value, Value::List(_)) {
                self.issue(n.at, "there are no steps", "add at least one `- run: HOST$ command`");
            }
            for item in list {
                steps.extend(self.step(item));
            }
        }
        let actions: Vec<&Action> = setup.iter().chain(steps.iter().map(|s: &Step| &s.action)).collect();
        for h in hosts.iter_mut().filter(|h| h.docker.is_none()) {
            h.docker = docker::implied(&h.name, &actions).then(|| Some(Vec::new()));
        }
        Some(Scenario {
            name: name?,
            title: title.unwrap_or_default(),
            about: about.unwrap_or_default(),
            topics: topics.unwrap_or_default(),
            engine: engine.unwrap_or_else(|| "28.5".into()),
            seed: seed.unwrap_or(1),
            hosts,
            images,
            setup,
            steps,
        })
    }

    /// Notes the names of namespaces that commands make, so that a place can be checked before anything runs.
    fn namespaces_of(&mut self, n: &Node) {
        match &n.value {
            Value::Scalar(t) => {
                // What printf(1) makes a line's end of, as for `ip -batch`.
                let t = t.replace("\\n", "\n");
                let words: Vec<&str> = t
                    .split(|c: char| c.is_whitespace() || matches!(c, ';' | '"' | '\'' | '&' | '|' | '(' | ')'))
                    .filter(|w| !w.is_empty())
                    .collect();
                for w in words.windows(3) {
                    if "netns".starts_with(w[0]) && w[0].len() > 2 && "add".starts_with(w[1]) {
                        self.places.insert(w[2].to_owned());
                    }
                }
                self.containers_of(&words);
                for w in words {
                    for base in ["/run/netns/", "/var/run/netns/"] {
                        self.places.extend(w.strip_prefix(base).map(str::to_owned));
                    }
                }
            }
            Value::List(l) => l.iter().for_each(|x| self.namespaces_of(x)),
            Value::Map(m) => m.iter().for_each(|(_, _, x)| self.namespaces_of(x)),
            Value::Null => {}
        }
    }

    /// A place by its parts: the host must exist, a namespace must be made somewhere in the scenario.
    pub(super) fn place(&mut self, place: &str, at: At) {
        let variable = self.places.iter().any(|p| p.contains('$'));
        for part in place.split('/') {
            let part = part.strip_prefix("ns:").unwrap_or(part);
            let there = self.places.contains(part) || place == crate::session::topology::SWITCH;
            if part.is_empty() || (!there && !variable) {
                let known: Vec<&str> = self.places.iter().map(String::as_str).collect();
                let help = match closest(part, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "add it under `hosts`".to_owned(),
                    None => format!("hosts and namespaces here: {}", known.join(", ")),
                };
                self.issue(at, format!("there is no host or namespace `{part}`"), help);
                return;
            }
        }
    }

    /// Where in the file the character `offset` of a text stands, as far as the text stands there as it is.
    fn within(&self, n: &Node, text: &str, offset: usize) -> At {
        let line = self.lines.get(n.at.line - 1).map_or("", String::as_str);
        let rest: String = line.chars().skip(n.at.column - 1).collect();
        let first = text.lines().next().unwrap_or("");
        let shift = if rest.starts_with(first) {
            0
        } else if rest.starts_with(['"', '\'']) && rest[1..].starts_with(first) {
            1
        } else {
            return n.at;
        };
        if offset > first.chars().count() { n.at } else { At { line: n.at.line, column: n.at.column + shift + offset } }
    }

    pub(super) fn action(&mut self, n: &Node, text: &str, timeout: Option<u64>) -> Option<Action> {
        let split = text.char_indices().find(|(_, c)| matches!(c, '$' | '>') || c.is_whitespace());
        let help = hints::place(text);
        let Some((i, sign)) = split.filter(|(i, c)| *i > 0 && !c.is_whitespace()) else {
            self.issue(n.at, format!("`{}` names no place", text.lines().next().unwrap_or("")), help);
            return None;
        };
        let place = text[..i].to_owned();
        let rest = text[i + 1..].trim_start();
        let lead = text.chars().count() - rest.chars().count();
        let rest = rest.trim_end().to_owned();
        self.place(&place, self.within(n, text, 0));
        if rest.is_empty() {
            self.issue(n.at, "nothing stands after the place", help);
            return None;
        }
        let at = self.within(n, text, lead);
        if sign == '>' {
            let full = match timeout {
                Some(t) if !rest.contains("-W ") => {
                    let (verb, args) = rest.split_once(char::is_whitespace).unwrap_or((&rest, ""));
                    format!("{verb} -W {} {args}", t as f64 / SEC as f64)
                }
                _ => rest.clone(),
            };
            return match Probe::parse(&full) {
                Ok(probe) => Some(Action { at, what: What::Probe { place, probe } }),
                Err((why, offset)) => {
                    let col = rest.get(..offset).map_or(0, |t| t.chars().count());
                    let at = self.within(n, text, lead + col);
                    self.issue(at, why, hints::probe(&place, &rest));
                    None
                }
            };
        }
        for p in crate::shell::check_line(&rest) {
            let at = self.within(n, text, lead + p.col);
            let what = if at == n.at && p.col > 0 {
                format!("{} (column {} of the command)", p.what, p.col + 1)
            } else {
                p.what
            };
            self.issue(at, what, p.help);
        }
        if timeout.is_some() {
            self.issue(n.at, "`timeout` is for probes", "write `timeout 5 COMMAND` in the command itself");
        }
        Some(Action { at, what: What::Command { place, line: rest } })
    }

    fn step(&mut self, n: &Node) -> Option<Step> {
        if let Value::Scalar(t) = &n.value {
            let action = self.action(n, t, None)?;
            return Some(Step { say: None, action, ask: None, expect: None });
        }
        let f = self.map(n, "a step", STEP)?;
        let say = field(&f, "say").and_then(|x| self.text(x, "say"));
        let timeout = field(&f, "timeout").and_then(|x| self.seconds(x, "timeout"));
        let action = match (field(&f, "run"), field(&f, "sleep")) {
            (Some(_), Some(s)) => {
                self.issue(s.at, "a step has either `run` or `sleep`", "make two steps of it");
                None
            }
            (Some(x), None) => {
                let t = self.text(x, "run");
                t.and_then(|t| self.action(x, &t, timeout))
            }
            (None, Some(x)) => self.seconds(x, "sleep").map(|s| Action { at: x.at, what: What::Sleep(s) }),
            (None, None) => {
                if say.is_none() && ["reaches", "expect"].iter().all(|k| field(&f, k).is_none()) {
                    self.issue(
                        n.at,
                        "the step does nothing",
                        "add `run: HOST$ command`, `sleep: SECONDS`, `reaches:` or `say: TEXT`",
                    );
                }
                Some(Action { at: n.at, what: What::Nothing })
            }
        };
        let ask = field(&f, "ask").and_then(|x| self.ask(x));
        let mut expect = field(&f, "expect").and_then(|x| self.expect(x));
        if let Some(x) = field(&f, "reaches") {
            let e = expect.get_or_insert_with(|| Expect { at: x.at, ..Expect::default() });
            if !e.reaches.is_empty() {
                self.issue(x.at, "the step says `reaches` twice", "write it once, in the step or under `expect`");
            }
            e.reaches = self.reaches(x);
        }
        if let (Some(e), Some(Action { what: What::Sleep(_) | What::Nothing, .. })) = (&expect, &action)
            && (e.outcome.is_some() || e.exit.is_some() || e.stdout.is_some() || e.within.is_some())
        {
            self.issue(
                e.at,
                "a step without `run` has no outcome, output or exit status",
                "move `expect` to the step that runs something",
            );
        }
        if let (Some(e), Some(Action { what: What::Probe { .. }, .. })) = (&expect, &action) {
            for (key, at) in e.keys.iter().filter(|(k, _)| matches!(k.as_str(), "stdout" | "stderr" | "exit")) {
                let help = "`PLACE$ command` runs a line of shell, which has one; of a probe say `outcome`";
                self.issue(*at, format!("a probe has no `{key}`"), help);
            }
        }
        Some(Step { say, action: action?, ask, expect })
    }

    fn ask(&mut self, n: &Node) -> Option<Ask> {
        let f = self.map(n, "ask", &["question", "choices", "answer"])?;
        for k in ["question", "choices", "answer"] {
            if field(&f, k).is_none() {
                self.issue(n.at, format!("`ask` has no `{k}`"), "ask: {question: …, choices: [a, b], answer: a}");
            }
        }
        let question = field(&f, "question").and_then(|x| self.text(x, "question"));
        let choices = field(&f, "choices").map(|x| self.texts(x, "choices"));
        let answer = field(&f, "answer").and_then(|x| self.text(x, "answer").map(|t| (t, x.at)));
        let (question, choices, (answer, at)) = (question?, choices?, answer?);
        if !choices.contains(&answer) {
            self.issue(
                at,
                format!("the answer `{answer}` is none of the choices"),
                format!("choices: {}", choices.join(", ")),
            );
        }
        Some(Ask { question, choices, answer })
    }
}
