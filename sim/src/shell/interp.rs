//! Walks the tree of a line: lists, pipelines, compound commands, redirections.

use std::rc::Rc;

use indexmap::IndexMap;

use super::ast::*;
use super::io::{Io, Sink};
use super::{EXEC_NS, Ran, bound};
use crate::FxBuild;
use crate::app::probe::ProbeReport;
use crate::command::{Proc, Refusal};
use crate::kernel::types::{HostId, Nanos, NetnsId, Pid};
use crate::session::Session;
use crate::session::watch::Target;

/// How the walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// With the next command.
    Next,
    /// Out of so many loops.
    Break(u32),
    /// To the next turn of the loop so many levels up.
    Continue(u32),
    /// Out of the function.
    Return,
    /// Out of the shell.
    Exit,
    /// The line was refused or ran into a bound.
    Abort,
}

/// A shell.
pub(super) struct Shell<'s> {
    pub(super) sess: &'s mut Session,
    pub(super) host: HostId,
    pub(super) ns: NetnsId,
    pub(super) pid: Pid,
    pub(super) vars: IndexMap<String, (String, bool), FxBuild>,
    pub(super) args: Vec<String>,
    pub(super) name: String,
    pub(super) functions: IndexMap<String, Rc<Command>, FxBuild>,
    pub(super) cwd: String,
    pub(super) last: i32,
    pub(super) last_bg: Option<Pid>,
    pub(super) jobs: Vec<Pid>,
    pub(super) flow: Flow,
    pub(super) errexit: bool,
    pub(super) sinks: Vec<String>,
    pub(super) inputs: Vec<String>,
    pub(super) report: Option<ProbeReport>,
    pub(super) refusal: Option<(Refusal, usize)>,
    pub(super) steps: usize,
    pub(super) written: usize,
    pub(super) depth: usize,
    pub(super) background: bool,
    pub(super) deadline: Option<Nanos>,
    /// It runs inside a container.
    pub(super) inside: bool,
    /// Whose it is.
    pub(super) cred: crate::kernel::cred::Cred,
    /// Where its own standard output and standard error lead.
    pub(super) to: [Target; 2],
}

/// Runs a script as the login shell of a step would.
pub(super) fn run_top(sess: &mut Session, host: HostId, ns: NetnsId, script: &Script) -> Ran {
    let pid = sess.new_pid(host, ns, "bash");
    let inside = sess.roots.contains_key(&ns);
    let mut p = Proc { inside, ..Proc::new(sess, host, ns, pid) };
    let refusal = run_script_in(&mut p, script, "bash", &[], 0).err();
    let exit = p.exit;
    let (out, err, report) = (std::mem::take(&mut p.out), std::mem::take(&mut p.err), p.report.take());
    sess.pid_gone(pid);
    Ran { exit, stdout: out, stderr: err, report, refusal }
}

/// Runs a script in a process: its output goes to `p.out` and `p.err`, its exit status to `p.exit`.
///
/// # Errors
/// What was refused, with its column.
pub(crate) fn run_script_in(
    p: &mut Proc<'_>,
    script: &Script,
    name: &str,
    args: &[String],
    depth: usize,
) -> Result<(), (Refusal, usize)> {
    let stdin = std::mem::take(&mut p.stdin);
    let mut sh = Shell {
        host: p.host,
        ns: p.ns,
        pid: p.pid,
        vars: p.env.iter().map(|(k, v)| (k.clone(), (v.clone(), true))).collect(),
        args: args.to_vec(),
        name: name.to_owned(),
        functions: IndexMap::default(),
        cwd: p.cwd.clone(),
        last: 0,
        last_bg: None,
        jobs: Vec::new(),
        flow: Flow::Next,
        errexit: p.errexit,
        sinks: vec![String::new(), String::new()],
        inputs: vec![stdin],
        report: None,
        refusal: None,
        steps: 0,
        written: 0,
        depth: depth + p.depth,
        background: p.background,
        deadline: p.deadline,
        inside: p.inside,
        cred: p.cred.clone(),
        to: p.to.clone(),
        sess: &mut *p.sess,
    };
    let io = Io { stdin: 0, out: Sink::Buf(0), err: Sink::Buf(1), more: Default::default() };
    sh.script(script, &io);
    let (last, report, refusal) = (sh.last, sh.report.take(), sh.refusal.take());
    let (out, err) = (std::mem::take(&mut sh.sinks[0]), std::mem::take(&mut sh.sinks[1]));
    drop(sh);
    p.out.push_str(&out);
    p.err.push_str(&err);
    p.exit = last;
    if report.is_some() {
        p.report = report;
    }
    refusal.map_or(Ok(()), Err)
}

impl Shell<'_> {
    pub(super) fn refuse(&mut self, what: impl Into<String>, col: usize) {
        if self.refusal.is_none() {
            self.refusal = Some((Refusal::new(what, 0), col));
        }
        self.last = 2;
        self.flow = Flow::Abort;
    }

    pub(super) fn write(&mut self, to: &Sink, text: &str) {
        if text.is_empty() {
            return;
        }
        self.written += text.len();
        if self.written > bound::OUTPUT {
            self.refuse(format!("more than {} bytes of output", bound::OUTPUT), 0);
            return;
        }
        match to {
            Sink::Buf(i) => self.sinks[*i].push_str(text),
            Sink::File(path) => {
                if let Err(e) = self.sess.write_file(self.host, self.ns, path, text, true) {
                    self.sinks[1].push_str(&format!("{}: write error: {e}\n", self.name));
                    self.last = 1;
                }
            }
            Sink::Socket(sock) => {
                if let Err(e) = self.sess.kernel.udp_sendto(*sock, None, text.to_owned().into()) {
                    self.sinks[1].push_str(&format!("{}: line 1: echo: write error: {e}\n", self.name));
                    self.last = 1;
                }
            }
            Sink::Null => {}
        }
    }

    /// Where a program that goes on in the background writes to.
    fn target(&self, sink: &Sink) -> Target {
        match sink {
            Sink::Buf(i) => self.to.get(*i).cloned().unwrap_or(Target::Pipe),
            Sink::File(path) => Target::File(path.to_string()),
            Sink::Socket(_) | Sink::Null => Target::Null,
        }
    }

    /// What programs in the background wrote to the terminal meanwhile shows in the step, if it leads there.
    pub(super) fn terminal(&mut self) {
        if self.to[0] != Target::Terminal || self.to[1] != Target::Terminal {
            return;
        }
        let [out, err] = self.sess.take_terminal(self.host);
        self.write(&Sink::Buf(0), &out);
        self.write(&Sink::Buf(1), &err);
    }

    fn step(&mut self, col: usize) -> bool {
        self.steps += 1;
        if self.steps > bound::STEPS {
            self.refuse(format!("more than {} commands in one line", bound::STEPS), col);
        }
        self.flow == Flow::Next
    }

    pub(super) fn script(&mut self, s: &Script, io: &Io) {
        for item in &s.0 {
            if self.flow != Flow::Next {
                return;
            }
            if item.background {
                self.in_background(item, io);
                continue;
            }
            self.and_or(item, io);
        }
    }

    fn and_or(&mut self, item: &AndOr, io: &Io) {
        self.pipeline(&item.first, io, item.rest.is_empty());
        for (i, (and, p)) in item.rest.iter().enumerate() {
            if self.flow != Flow::Next {
                return;
            }
            if (self.last == 0) == *and {
                self.pipeline(p, io, i + 1 == item.rest.len());
            }
        }
    }

    fn in_background(&mut self, item: &AndOr, io: &Io) {
        let col = item.first.commands.first().map_or(0, |c| c.col);
        let last = item.first.commands.last();
        let single = match last.map(|c| &c.kind) {
            Some(CommandKind::Simple { .. }) => true,
            Some(CommandKind::Group(s) | CommandKind::Subshell(s)) => {
                s.0.len() == 1 && s.0[0].rest.is_empty() && !s.0[0].background
            }
            _ => false,
        };
        if !item.rest.is_empty() || !single {
            self.refuse("a list in the background: start each program with its own &", col);
            return;
        }
        let name = match last.map(|c| &c.kind) {
            Some(CommandKind::Simple { words, .. }) => words.first().and_then(Word::literal).unwrap_or_default(),
            _ => "bash".into(),
        };
        let pid = self.sess.new_pid(self.host, self.ns, super::check::tool_name(&name));
        let saved = (self.background, self.pid);
        (self.background, self.pid) = (true, pid);
        self.pipeline(&item.first, io, false);
        (self.background, self.pid) = saved;
        self.last_bg = Some(pid);
        self.jobs.push(pid);
        if self.flow != Flow::Abort {
            self.last = 0;
        }
    }

    fn pipeline(&mut self, p: &Pipeline, io: &Io, checked: bool) {
        let saved_bg = self.background;
        let mut input = io.stdin;
        let n = p.commands.len();
        for (i, c) in p.commands.iter().enumerate() {
            if !self.step(c.col) {
                break;
            }
            if i + 1 == n {
                self.background = saved_bg;
                let io = Io { stdin: input, ..io.clone() };
                if n > 1 { self.isolated(|sh| sh.command(c, &io)) } else { self.command(c, &io) }
            } else {
                self.background = false;
                self.sinks.push(String::new());
                let to = self.sinks.len() - 1;
                let io = Io { stdin: input, out: Sink::Buf(to), ..io.clone() };
                self.isolated(|sh| sh.command(c, &io));
                let text = std::mem::take(&mut self.sinks[to]);
                self.inputs.push(text);
                input = self.inputs.len() - 1;
            }
        }
        self.background = saved_bg;
        if self.flow == Flow::Abort {
            return;
        }
        if p.bang {
            self.last = i32::from(self.last == 0);
        } else if checked && self.errexit && self.last != 0 && self.flow == Flow::Next {
            self.flow = Flow::Exit;
        }
    }

    /// Runs as a subshell does: what it sets is forgotten, and `exit` ends only it.
    pub(super) fn isolated(&mut self, f: impl FnOnce(&mut Self)) {
        if self.depth >= bound::DEPTH {
            self.refuse(format!("shells nested deeper than {}", bound::DEPTH), 0);
            return;
        }
        self.depth += 1;
        let saved = (self.vars.clone(), self.functions.clone(), self.args.clone(), self.cwd.clone(), self.errexit);
        f(self);
        (self.vars, self.functions, self.args, self.cwd, self.errexit) = saved;
        self.depth -= 1;
        if self.flow != Flow::Abort {
            self.flow = Flow::Next;
        }
    }

    pub(super) fn command(&mut self, c: &Command, io: &Io) {
        let Some(inner) = self.redirects(&c.redirects, io) else { return };
        self.redirected(c, &inner);
        self.close_sockets(&inner, io);
    }

    fn redirected(&mut self, c: &Command, io: &Io) {
        match &c.kind {
            CommandKind::Simple { assigns, words } => self.simple(assigns, words, io, c.col),
            CommandKind::Group(s) => self.script(s, io),
            CommandKind::Subshell(s) => self.isolated(|sh| sh.script(s, io)),
            CommandKind::If { arms, otherwise } => {
                for (cond, body) in arms {
                    let holds = self.condition(cond, io);
                    if self.flow != Flow::Next {
                        return;
                    }
                    if holds {
                        self.last = 0;
                        return self.script(body, io);
                    }
                }
                self.last = 0;
                if let Some(o) = otherwise {
                    self.script(o, io);
                }
            }
            CommandKind::For { var, words, body } => {
                let list = match words {
                    Some(w) => match self.fields(w) {
                        Some(l) => l.into_iter().map(|(t, _)| t).collect(),
                        None => return,
                    },
                    None => self.args.clone(),
                };
                self.last = 0;
                for value in list {
                    if !self.step(c.col) {
                        return;
                    }
                    self.set(var, value);
                    self.script(body, io);
                    if self.leave_loop() {
                        return;
                    }
                }
            }
            CommandKind::While { until, cond, body } => {
                let mut status = 0;
                loop {
                    if !self.step(c.col) {
                        return;
                    }
                    let holds = self.condition(cond, io);
                    if self.flow != Flow::Next {
                        self.leave_loop();
                        return;
                    }
                    if holds == *until {
                        break;
                    }
                    self.script(body, io);
                    status = self.last;
                    if self.leave_loop() {
                        return;
                    }
                }
                self.last = status;
            }
            CommandKind::Case { word, arms } => {
                let Some(text) = self.joined(word) else { return };
                self.last = 0;
                for (patterns, body) in arms {
                    for p in patterns {
                        let Some(p) = self.pattern(&p.pieces) else { return };
                        if super::pattern::matches(&p, &text) {
                            return self.script(body, io);
                        }
                    }
                }
            }
            CommandKind::Function { name, body } => {
                self.functions.insert(name.clone(), body.clone());
                self.last = 0;
            }
            CommandKind::Arith(text) => {
                if let Some(v) = self.arith(text, c.col) {
                    self.last = i32::from(v == 0);
                }
            }
        }
    }

    fn condition(&mut self, s: &Script, io: &Io) -> bool {
        let saved = std::mem::replace(&mut self.errexit, false);
        self.script(s, io);
        self.errexit = saved;
        self.last == 0
    }

    /// After the body of a loop: whether the loop is over.
    fn leave_loop(&mut self) -> bool {
        match self.flow {
            Flow::Next => false,
            Flow::Continue(1) => {
                self.flow = Flow::Next;
                false
            }
            Flow::Break(n) => {
                self.flow = if n > 1 { Flow::Break(n - 1) } else { Flow::Next };
                true
            }
            Flow::Continue(n) => {
                self.flow = Flow::Continue(n - 1);
                true
            }
            _ => true,
        }
    }

    fn simple(&mut self, assigns: &[(String, Word, bool)], words: &[Word], io: &Io, col: usize) {
        let Some(fields) = self.fields(words) else { return };
        let mut env = Vec::new();
        let had_words = !fields.is_empty();
        if !had_words {
            self.last = 0;
        }
        for (name, w, append) in assigns {
            let Some(mut v) = self.joined(w) else { return };
            if *append {
                v = format!("{}{v}", self.get(name).unwrap_or_default());
            }
            if had_words {
                env.push((name.clone(), v));
            } else {
                self.set(name, v);
            }
        }
        if !had_words {
            return;
        }
        let (argv, cols): (Vec<String>, Vec<usize>) = fields.into_iter().unzip();
        if let Some(f) = self.functions.get(&argv[0]).cloned() {
            if self.depth >= bound::DEPTH {
                self.refuse(format!("functions nested deeper than {}", bound::DEPTH), col);
                return;
            }
            self.depth += 1;
            let saved = std::mem::replace(&mut self.args, argv[1..].to_vec());
            self.command(&f, io);
            self.args = saved;
            self.depth -= 1;
            if self.flow == Flow::Return {
                self.flow = Flow::Next;
            }
            return;
        }
        if self.builtin(&argv, &cols, &env, io) {
            return;
        }
        self.tool(&argv, &cols, env, io);
    }

    /// Runs a tool with the words as they are now.
    pub(super) fn tool(&mut self, argv: &[String], cols: &[usize], env: Vec<(String, String)>, io: &Io) {
        let base = super::check::tool_name(&argv[0]);
        if !crate::command::is_tool(base) {
            self.refuse(format!("the tool {}", argv[0]), cols.first().copied().unwrap_or(0));
            return;
        }
        let mut argv = argv.to_vec();
        base.to_owned().clone_into(&mut argv[0]);
        let consumes = crate::command::reads_stdin(&argv);
        let stdin = if consumes { std::mem::take(&mut self.inputs[io.stdin]) } else { self.inputs[io.stdin].clone() };
        let pid = if self.background { self.pid } else { self.sess.new_pid(self.host, self.ns, &argv[0]) };
        let exported = self.vars.iter().filter(|(_, (_, e))| *e).map(|(k, (v, _))| (k.clone(), v.clone()));
        let mut all: Vec<(String, String)> = exported.collect();
        all.extend(env);
        let to = [self.target(&io.out), self.target(&io.err)];
        if self.cred != Default::default() {
            self.sess.kernel.set_cred(pid, &self.cred);
        }
        let mut p = Proc::new(self.sess, self.host, self.ns, pid);
        p.cred.clone_from(&self.cred);
        p.stdin = stdin;
        p.background = self.background;
        p.env = all;
        p.cwd.clone_from(&self.cwd);
        p.depth = self.depth + 1;
        p.deadline = self.deadline;
        p.to = to;
        p.inside = self.inside;
        let exit = if p.depth > bound::DEPTH {
            Err(Refusal::new(format!("programs nested deeper than {}", bound::DEPTH), 0))
        } else {
            crate::command::run(&mut p, &argv)
        };
        // Starting a program takes a while, in which what is under way goes on.
        p.sess.advance(EXEC_NS);
        let (out, err, report) = (std::mem::take(&mut p.out), std::mem::take(&mut p.err), p.report.take());
        if !self.background {
            self.sess.pid_gone(pid);
        }
        if report.is_some() {
            self.report = report;
        }
        if let Ok(code) = exit {
            self.last = code;
        }
        self.terminal();
        self.write(&io.out, &out);
        self.write(&io.err, &err);
        if let Err(r) = exit {
            let col = cols.get(r.arg).or(cols.first()).copied().unwrap_or(0);
            if self.refusal.is_none() {
                self.refusal = Some((r, col));
            }
            self.last = 2;
            self.flow = Flow::Abort;
        }
    }

    /// Runs a script and takes its output, as `$( … )` does.
    pub(super) fn capture(&mut self, s: &Script) -> Option<String> {
        self.sinks.push(String::new());
        let to = self.sinks.len() - 1;
        self.inputs.push(String::new());
        let io = Io { stdin: self.inputs.len() - 1, out: Sink::Buf(to), err: Sink::Buf(1), more: Default::default() };
        let bg = std::mem::replace(&mut self.background, false);
        self.isolated(|sh| sh.script(s, &io));
        self.background = bg;
        let text = std::mem::take(&mut self.sinks[to]);
        (self.flow != Flow::Abort).then(|| text.trim_end_matches('\n').to_owned())
    }
}
