//! `iptables-restore`: a dump becomes batches, one for each table.

mod line;

use std::sync::Arc;

use line::{arguments, counters, rule_counters, words};

use super::fail::{Fail, Who};
use super::getopt::{Arg, Code, Getopt, Long};
use super::parse::{self, Cmd, cmd, opt};
use super::run::{Run, Stop, nft};
use super::save::complaint;
use crate::command::{Exit, Proc};
use crate::kernel::types::Errno;
use crate::kernel::xtables::{Counters, Draft, Policy, Rule, TableKind, Variant, XtChange};

const SHORT: &[(char, Arg)] = &[
    ('b', Arg::No),
    ('c', Arg::No),
    ('v', Arg::No),
    ('V', Arg::No),
    ('t', Arg::No),
    ('h', Arg::No),
    ('n', Arg::No),
    ('M', Arg::Yes),
    ('T', Arg::Yes),
    ('w', Arg::No),
    ('W', Arg::No),
];

const fn long(name: &'static str, arg: Arg, code: char) -> Long {
    Long { name, arg, code: Code::Short(code) }
}

const LONG: &[Long] = &[
    long("counters", Arg::No, 'c'),
    long("verbose", Arg::No, 'v'),
    long("version", Arg::No, 'V'),
    long("test", Arg::No, 't'),
    long("help", Arg::No, 'h'),
    long("noflush", Arg::No, 'n'),
    long("modprobe", Arg::Yes, 'M'),
    long("table", Arg::Yes, 'T'),
    long("wait", Arg::Maybe, 'w'),
    long("wait-interval", Arg::Maybe, 'W'),
    // Only the variant of nf_tables has these two.
    long("ipv4", Arg::No, '4'),
    long("ipv6", Arg::No, '6'),
];

/// Most bytes of a line (`buffer` of the tool).
const LINE_MAX: usize = 10239;

/// Options as given.
#[derive(Default)]
struct Opts {
    counters: bool,
    verbose: usize,
    test: bool,
    noflush: bool,
    only: Option<String>,
}

/// A step of a batch for nf_tables, told of only when the batch is made.
enum Step {
    Reset,
    /// The rules and chains of a table, told of one by one.
    Flush(Box<Cmd>),
    Chain(String),
    Policy(String, String, Counters),
    Command(Box<Cmd>, Vec<Rule>),
}

/// Reading a dump.
struct Restore<'p, 's> {
    p: &'p mut Proc<'s>,
    who: Who,
    o: Opts,
    line: usize,
    table: Option<TableKind>,
    in_table: bool,
    /// Name after the last `*`, for `-T`.
    last: String,
    /// nf_tables: what was read since the table began, with its line.
    steps: Vec<(usize, Step)>,
    /// ip_tables: the table as it will be.
    draft: Option<Draft>,
}

/// How reading ends before the end.
enum End {
    Fail(Fail),
    /// Said already; the status.
    Status(i32),
}

impl From<Fail> for End {
    fn from(f: Fail) -> Self {
        End::Fail(f)
    }
}

/// Runs `iptables-restore`.
///
/// # Errors
/// What the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String], variant: Variant) -> Exit {
    let name = match variant {
        Variant::Nft => argv[0].rsplit('/').next().unwrap_or("").to_owned(),
        Variant::Legacy => "iptables-restore".to_owned(),
    };
    let who = Who { name, variant, release: p.sess.iptables };
    let (o, file) = match options(p, argv, &who) {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    let text = match file {
        None => std::mem::take(&mut p.stdin),
        Some(f) => match p.read(&f) {
            Ok(t) => t,
            Err(e) => {
                p.err.push_str(&format!("Can't open {f}: {e}\n"));
                return Ok(1);
            }
        },
    };
    let last = String::new();
    let mut r = Restore { p, who, o, line: 0, table: None, in_table: false, last, steps: Vec::new(), draft: None };
    match r.all(&text) {
        Ok(()) => Ok(0),
        Err(End::Status(s)) => Ok(s),
        Err(End::Fail(Fail::Refused(refusal))) => Err(refusal),
        Err(End::Fail(f)) => {
            let (text, status) = f.show(&r.who, Some(r.line));
            r.p.err.push_str(&text);
            Ok(status)
        }
    }
}

fn options(p: &mut Proc<'_>, argv: &[String], who: &Who) -> Result<(Opts, Option<String>), i32> {
    let mut o = Opts::default();
    let mut files = Vec::new();
    let known = if who.variant == Variant::Nft { LONG } else { &LONG[..LONG.len() - 2] };
    let mut g = Getopt::new(argv.to_vec());
    while let Some(code) = g.next(SHORT, known) {
        match code {
            Code::Short('b') => p.err.push_str("-b/--binary option is not implemented\n"),
            Code::Short('c') => o.counters = true,
            Code::Short('v') => o.verbose += 1,
            Code::Short('t') => o.test = true,
            Code::Short('n') => o.noflush = true,
            Code::Short('T') => o.only = g.optarg.take(),
            Code::Short('V') => {
                p.out.push_str(&format!("{} {}\n", who.name, who.version()));
                return Err(0);
            }
            Code::Short('h') => {
                p.err.push_str(&usage(who));
                return Err(0);
            }
            Code::Short('w' | 'W') => {
                if g.optarg.is_none() {
                    g.take_value();
                }
            }
            Code::Short('M') => {}
            Code::Word => files.push(g.optarg.take().unwrap_or_default()),
            bad => {
                if !matches!(bad, Code::Short(_)) {
                    p.err.push_str(&complaint(&argv[0], &g, bad));
                }
                p.err.push_str(&format!("Try `{} -h' for more information.\n", who.name));
                return Err(1);
            }
        }
    }
    files.extend(argv.iter().skip(g.optind).cloned());
    if files.len() > 1 {
        p.err.push_str("Unknown arguments found on commandline\n");
        return Err(1);
    }
    Ok((o, files.pop()))
}

fn usage(who: &Who) -> String {
    let (first, wait, tail) = match who.variant {
        Variant::Nft => ("[-T table] [-M command] [-4] [-6] [file]", "", "\t   [ --ipv4 ]\n\t   [ --ipv6 ]\n"),
        Variant::Legacy => ("[-w secs] [-W usecs] [-T table] [-M command] [file]", "\t   [ --wait=<seconds>\n", ""),
    };
    format!(
        "Usage: {} [-c] [-v] [-V] [-t] [-h] [-n] {first}\n\t   [ --counters ]\n\t   [ --verbose ]\n\
         \t   [ --version]\n\t   [ --test ]\n\t   [ --help ]\n\t   [ --noflush ]\n{wait}\
         \t   [ --table=<TABLE> ]\n\t   [ --modprobe=<command> ]\n{tail}",
        who.name
    )
}

impl Restore<'_, '_> {
    fn all(&mut self, text: &str) -> Result<(), End> {
        let mut left = text;
        while !left.is_empty() {
            let mut end = left.find('\n').map_or(left.len(), |at| at + 1).min(LINE_MAX);
            while !left.is_char_boundary(end) {
                end -= 1;
            }
            let (line, rest) = left.split_at(end);
            self.line += 1;
            self.one(line)?;
            left = rest;
        }
        if self.in_table {
            let text = format!("{}: COMMIT expected at line {}\n", self.who.name, self.line + 1);
            self.p.err.push_str(&text);
            return Err(End::Status(1));
        }
        Ok(())
    }

    fn nft(&self) -> bool {
        self.who.variant == Variant::Nft
    }

    fn one(&mut self, line: &str) -> Result<(), End> {
        if line.starts_with('\n') {
            return Ok(());
        }
        if line.starts_with('#') {
            if self.o.verbose > 0 {
                self.p.out.push_str(line);
            }
            return Ok(());
        }
        let commit = line == "COMMIT\n" || (self.nft() && line == "COMMIT");
        let done = if self.in_table && commit {
            self.in_table = false;
            self.commit()?
        } else if line.starts_with('*') && !self.in_table {
            self.begin(line)?
        } else if line.starts_with(':') && self.in_table {
            self.chain(line)?;
            true
        } else if self.in_table {
            self.command(line)?
        } else {
            false
        };
        let other = |only: &String| match (self.nft(), self.table) {
            (true, t) => t.is_some_and(|t| t.name() != only),
            (false, _) => self.last != *only,
        };
        if !done && !self.o.only.as_ref().is_some_and(other) {
            self.p.err.push_str(&format!("{}: line {} failed\n", self.who.name, self.line));
            return Err(End::Status(1));
        }
        Ok(())
    }

    /// `*TABLE`.
    fn begin(&mut self, line: &str) -> Result<bool, End> {
        let (name, n) = (&self.who.name, self.line);
        let Some(word) = words(&line[1..]).next() else {
            return Err(Fail::param(format!("{name}: line {n} table name invalid")).into());
        };
        self.last = word.to_owned();
        let found = TableKind::by_name(word);
        let wanted = self.o.only.as_deref().is_none_or(|o| o == word);
        if self.nft() {
            self.table = found;
            let text = || Fail::param(format!("{name}: line {n} table name '{word}' invalid"));
            let kind = found.ok_or_else(text)?;
            if wanted {
                self.in_table = true;
                self.steps.clear();
                self.flush_step(kind);
            }
            return Ok(true);
        }
        if !wanted {
            return Ok(true);
        }
        let text = || Fail::param(format!("{name}: unable to initialize table '{word}'"));
        let kind = found.ok_or_else(text)?;
        self.table = Some(kind);
        self.in_table = true;
        self.begin_legacy(kind);
        Ok(true)
    }

    fn flush_step(&mut self, kind: TableKind) {
        if self.o.noflush {
            return;
        }
        let step = match self.o.verbose {
            0 => Step::Reset,
            _ => {
                let table = kind.name().to_owned();
                Step::Flush(Box::new(Cmd { table, options: opt::VERBOSE, ..Cmd::default() }))
            }
        };
        self.steps.push((self.line, step));
    }

    fn begin_legacy(&mut self, kind: TableKind) {
        super::touch(self.p, Variant::Legacy, kind);
        let tables = self.p.sess.kernel.ns(self.p.ns).nf.xt.of(Variant::Legacy);
        let mut draft = Draft::new(tables, Variant::Legacy);
        if !self.o.noflush {
            if self.o.verbose > 0 {
                for c in super::list::chains(tables.get(kind), kind) {
                    self.p.out.push_str(&format!("Flushing chain `{}'\n", c.name()));
                }
                let user = tables.get(kind).into_iter().flat_map(|t| t.chains()).filter(|c| c.hook.is_none());
                let mut user: Vec<_> = user.map(|c| c.name.clone()).collect();
                user.sort();
                for c in user {
                    self.p.out.push_str(&format!("Deleting chain `{c}'\n"));
                }
            }
            let _ = draft.push(XtChange::Reset { table: kind });
        }
        self.draft = Some(draft);
    }

    /// `:CHAIN POLICY [PACKETS:BYTES]`.
    fn chain(&mut self, line: &str) -> Result<(), End> {
        let (name, n) = (self.who.name.clone(), self.line);
        let mut w = words(&line[1..]);
        let chain = w.next().ok_or_else(|| Fail::param(format!("{name}: line {n} chain name invalid")))?;
        let Some(kind) = self.table else { return Ok(()) };
        let base = kind.hooks().iter().any(|h| h.name() == chain);
        if self.nft() {
            parse::valid_chain_name(chain)?;
        } else {
            self.legacy_chain(kind, chain, base)?;
        }
        let policy = w.next().ok_or_else(|| Fail::param(format!("{name}: line {n} policy invalid")))?;
        let count = |word: Option<&str>| -> Result<Counters, Fail> {
            if !self.o.counters {
                return Ok(Counters::default());
            }
            let read = word.and_then(counters);
            read.ok_or_else(|| Fail::param(format!("invalid policy counters for chain '{chain}'")))
        };
        if self.nft() {
            let step = match base {
                true => Step::Policy(chain.to_owned(), policy.to_owned(), count(w.next())?),
                false => Step::Chain(chain.to_owned()),
            };
            self.steps.push((n, step));
            return Ok(());
        }
        if policy == "-" {
            return Ok(());
        }
        let read = count(w.next())?;
        let bad = |why: &str| Fail::other(format!("Can't set policy `{policy}' on `{chain}' line {n}: {why}"));
        let policy = match policy {
            _ if !base => return Err(bad("Bad built-in chain name").into()),
            "ACCEPT" => Policy::Accept,
            "DROP" => Policy::Drop,
            _ => return Err(bad("Bad policy name").into()),
        };
        if let Some(d) = &mut self.draft {
            let change = XtChange::Policy { table: kind, chain: Arc::from(chain), policy, counters: Some(read) };
            d.push(change).map_err(|e| bad(e.strerror()))?;
        }
        Ok(())
    }

    fn legacy_chain(&mut self, kind: TableKind, chain: &str, base: bool) -> Result<(), End> {
        if chain.len() >= 29 {
            return Err(Fail::param(format!("Invalid chain name `{chain}' (28 chars max)")).into());
        }
        let Some(d) = self.draft.as_mut().filter(|_| !base) else { return Ok(()) };
        let there = d.tables().get(kind).is_some_and(|t| t.find(chain).is_some());
        let name: Arc<str> = Arc::from(chain);
        if there && self.o.noflush {
            let done = d.push(XtChange::FlushChain { table: kind, chain: name });
            let text = |e: Errno| Fail::param(format!("error flushing chain '{chain}':{e}"));
            return done.map_err(|e| text(e).into());
        }
        let text = |e: Errno| Fail::param(format!("error creating chain '{chain}':{e}"));
        if super::ext::STANDARD.contains(&chain) {
            return Err(text(Errno::EEXIST).into());
        }
        d.push(XtChange::NewChain { table: kind, chain: name }).map_err(|e| text(e).into())
    }

    /// A line with a command; false where it failed.
    fn command(&mut self, line: &str) -> Result<bool, End> {
        let Some(kind) = self.table else { return Ok(true) };
        let (given, rest) = rule_counters(line, self.line)?;
        let mut argv = vec![self.who.name.clone(), "-t".to_owned(), kind.name().to_owned()];
        if !self.o.noflush {
            argv.extend(std::iter::repeat_n("-v".to_owned(), self.o.verbose));
        }
        if let Some((packets, bytes)) = given.filter(|_| self.o.counters) {
            argv.extend(["--set-counters".to_owned(), packets.to_owned(), bytes.to_owned()]);
        }
        argv.extend(arguments(rest)?);
        let cmd = match parse::parse(&self.who, &argv, true) {
            Ok(c) => c,
            Err((f, before)) => {
                self.p.err.push_str(&before);
                return Err(f.into());
            }
        };
        self.p.err.push_str(&cmd.said);
        if let Some(text) = &cmd.done {
            self.p.out.push_str(text);
            // `-V` and `-h` end the tool; a line for IPv6 is only passed over.
            return if text.is_empty() { Ok(true) } else { Err(End::Status(0)) };
        }
        if self.nft() {
            let kind = nft::table(&cmd)?;
            debug_assert_eq!(Some(kind), self.table);
            let rules = nft::rules(&cmd)?;
            self.steps.push((self.line, Step::Command(Box::new(cmd), rules)));
            return Ok(true);
        }
        let Some(mut draft) = self.draft.take() else { return Ok(true) };
        let done = Run { draft: &mut draft, cmd: &cmd, kind, out: &mut self.p.out }.legacy();
        self.draft = Some(draft);
        match done {
            Ok(()) => Ok(true),
            Err(Stop::Fail(f)) => Err(f.into()),
            Err(Stop::Said(..)) => Ok(false),
        }
    }

    /// `COMMIT`.
    fn commit(&mut self) -> Result<bool, End> {
        if !self.nft() {
            let Some(d) = self.draft.take() else { return Ok(true) };
            return Ok(self.o.test || self.p.sess.kernel.xt_commit(self.p.ns, Variant::Legacy, &d.changes).is_ok());
        }
        let steps = std::mem::take(&mut self.steps);
        let Some(kind) = self.table.filter(|_| !self.o.test) else { return Ok(true) };
        let tables = self.p.sess.kernel.ns(self.p.ns).nf.xt.of(Variant::Nft);
        let mut draft = Draft::new(tables, Variant::Nft);
        // The line of each change.
        let mut lines = Vec::new();
        for (line, step) in steps {
            if let Err(stop) = self.step(&mut draft, kind, step) {
                return Err(self.stopped(stop, line));
            }
            lines.resize(draft.changes.len(), line);
        }
        if self.p.sess.kernel.xt_commit(self.p.ns, Variant::Nft, &draft.changes).is_ok() {
            return Ok(true);
        }
        let mut text = String::new();
        for e in self.p.sess.kernel.xt_refusals(self.p.ns, Variant::Nft, &draft.changes) {
            let what = draft.changes.get(e.at).map_or_else(String::new, |c| nft::refused(c, e.errno));
            text += &format!("\nline {}: {what}", lines.get(e.at).copied().unwrap_or(self.line));
        }
        Err(Fail::Error { status: 4, text }.into())
    }

    fn stopped(&mut self, stop: Stop, line: usize) -> End {
        match stop {
            Stop::Fail(f) => End::Fail(f),
            Stop::Said(text, _) => {
                self.p.err.push_str(&format!("{}: line {line} failed: {text}.\n", self.who.name));
                End::Status(1)
            }
        }
    }

    fn step(&mut self, draft: &mut Draft, kind: TableKind, step: Step) -> Result<(), Stop> {
        let out = &mut self.p.out;
        match step {
            Step::Reset => {
                let _ = draft.push(XtChange::Reset { table: kind });
                Ok(())
            }
            Step::Flush(mut c) => {
                for command in [cmd::FLUSH, cmd::DELETE_CHAIN] {
                    c.command = command;
                    Run { draft: &mut *draft, cmd: &c, kind, out: &mut *out }.nft(&[])?;
                }
                Ok(())
            }
            Step::Chain(name) => {
                let chain: Arc<str> = Arc::from(name.as_str());
                let there = draft.tables().get(kind).is_some_and(|t| t.find(&name).is_some());
                let change = match there {
                    true => XtChange::FlushChain { table: kind, chain },
                    false => XtChange::NewChain { table: kind, chain },
                };
                draft.push(change).map_err(super::run::plain)
            }
            Step::Policy(chain, policy, counters) => {
                let policy = match policy.as_str() {
                    "DROP" => Policy::Drop,
                    "ACCEPT" | "-" => Policy::Accept,
                    _ => return Err(super::run::said("Bad policy name", Errno::EINVAL)),
                };
                let chain = Arc::from(chain.as_str());
                let counters = Some(counters);
                draft.push(XtChange::Policy { table: kind, chain, policy, counters }).map_err(super::run::plain)
            }
            Step::Command(c, rules) => Run { draft, cmd: &c, kind, out }.nft(&rules),
        }
    }
}
