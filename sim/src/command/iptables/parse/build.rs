//! Reads the words one after the other and builds the command.

use super::options::{LONG, SHORT, add_command, set_option};
use super::{Cmd, Getopt, cmd, opt};
use crate::command::Refusal;
use crate::command::iptables::ext::opt::{self as extopt, Given, Ty};
use crate::command::iptables::ext::{self, Ctx, MatchExt, TargetExt};
use crate::command::iptables::fail::{Fail, Who};
use crate::command::iptables::getopt::{Arg, Code, Long};
use crate::command::iptables::{iface, names, number, usage};
use crate::kernel::xtables::IfMatch;

/// Longest name of a chain or extension, and one.
pub(super) const NAME_MAX: usize = 29;

/// A match that is being read.
pub(super) struct Matching {
    pub(super) ext: &'static MatchExt,
    /// Its number among the loaded extensions.
    pub(super) id: usize,
    pub(super) given: Given,
    /// A later `-m` of the same name takes the options now.
    pub(super) completed: bool,
}

/// Reads a command line; `restore` for a line of `iptables-restore`.
///
/// # Errors
/// What the tool says of the first thing that is wrong.
pub fn parse(who: &Who, argv: &[String], restore: bool) -> Result<Cmd, (Fail, String)> {
    let mut p = Parser {
        who,
        restore,
        get: Getopt::new(argv.to_vec()),
        long: LONG.to_vec(),
        loaded: 0,
        c: Cmd { table: "filter".to_owned(), ..Cmd::default() },
        matches: Vec::new(),
        target: None,
        protocol: None,
        proto_used: false,
        table_set: false,
        wait: false,
        wait_interval: false,
        goto: false,
        source: None,
        destination: None,
    };
    match p.run() {
        Ok(()) => Ok(p.c),
        Err(f) => Err((f, p.c.said)),
    }
}

pub(super) struct Parser<'w> {
    pub(super) who: &'w Who,
    pub(super) restore: bool,
    pub(super) get: Getopt,
    /// Long options: the basic ones, then those of extensions, the newest first.
    pub(super) long: Vec<Long>,
    /// Extensions loaded so far.
    pub(super) loaded: usize,
    pub(super) c: Cmd,
    pub(super) matches: Vec<Matching>,
    pub(super) target: Option<(&'static TargetExt, usize, Given)>,
    /// Word of `-p`.
    pub(super) protocol: Option<String>,
    /// The match of the protocol was loaded for an option of its own.
    pub(super) proto_used: bool,
    pub(super) table_set: bool,
    pub(super) wait: bool,
    pub(super) wait_interval: bool,
    pub(super) goto: bool,
    pub(super) source: Option<String>,
    pub(super) destination: Option<String>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), Fail> {
        let mut invert = false;
        while let Some(code) = self.get.next(SHORT, &self.long) {
            if code == Code::Word && self.get.optarg.as_deref() == Some("!") {
                if invert {
                    return Err(Fail::param("multiple consecutive ! not allowed"));
                }
                invert = true;
                continue;
            }
            let again = match code {
                Code::Short(c) => {
                    self.short(c, invert)?;
                    false
                }
                Code::Word => {
                    let word = self.get.optarg.take().unwrap_or_default();
                    return Err(Fail::TryHelp(format!("Bad argument `{word}'\n")));
                }
                other => self.extension(other, invert)?,
            };
            if self.c.done.is_some() {
                return Ok(());
            }
            // With a match loaded for the option it is read once more, still negated.
            invert = again && invert;
        }
        self.finish(invert)
    }

    fn arg(&mut self) -> String {
        self.get.optarg.take().unwrap_or_default()
    }

    fn optional_chain(&mut self) {
        if let Some(c) = self.get.optarg.take().or_else(|| self.get.take_value()) {
            self.c.chain = Some(c);
        }
    }

    fn rule_number(&mut self) -> Result<bool, Fail> {
        let Some(w) = self.get.take_value() else { return Ok(false) };
        let n = number::whole(&w, 1, 0x7fff_ffff).and_then(|n| usize::try_from(n).ok());
        self.c.rulenum = n.ok_or_else(|| Fail::param(format!("Invalid rule number `{w}'")))?;
        Ok(true)
    }

    fn command(&mut self, new: u32, with: u32, invert: bool) -> Result<(), Fail> {
        add_command(&mut self.c.command, new, with, invert)
    }

    fn option(&mut self, o: u32, invert: bool) -> Result<(), Fail> {
        set_option(&mut self.c.options, o, invert)
    }

    fn short(&mut self, c: char, invert: bool) -> Result<(), Fail> {
        match c {
            'A' | 'C' | 'D' | 'I' | 'R' | 'L' | 'S' | 'F' | 'Z' | 'N' | 'X' | 'E' | 'P' => {
                self.short_command(c, invert)
            }
            'p' | 's' | 'd' | 'i' | 'o' | 'f' | 'j' | 'g' | 'm' => self.short_rule(c, invert),
            _ => self.short_other(c, invert),
        }
    }

    fn short_command(&mut self, c: char, invert: bool) -> Result<(), Fail> {
        match c {
            'A' | 'C' | 'D' | 'I' | 'R' => {
                let new = match c {
                    'A' => cmd::APPEND,
                    'C' => cmd::CHECK,
                    'D' => cmd::DELETE,
                    'I' => cmd::INSERT,
                    _ => cmd::REPLACE,
                };
                self.command(new, 0, invert)?;
                self.c.chain = Some(self.arg());
                match c {
                    'D' if self.rule_number()? => self.c.command = cmd::DELETE_NUM,
                    'R' if !self.rule_number()? => return Err(Fail::param("-R requires a rule number")),
                    'I' if !self.rule_number()? => self.c.rulenum = 1,
                    _ => {}
                }
            }
            'L' | 'S' => {
                let new = if c == 'L' { cmd::LIST } else { cmd::LIST_RULES };
                self.command(new, cmd::ZERO | cmd::ZERO_NUM, invert)?;
                self.optional_chain();
                self.rule_number()?;
            }
            'Z' => {
                self.command(cmd::ZERO, cmd::LIST | cmd::LIST_RULES, invert)?;
                self.optional_chain();
                if self.rule_number()? {
                    self.c.command = cmd::ZERO_NUM;
                }
            }
            'F' | 'X' => {
                self.command(if c == 'F' { cmd::FLUSH } else { cmd::DELETE_CHAIN }, 0, invert)?;
                self.optional_chain();
            }
            'N' => {
                let name = self.arg();
                valid_chain_name(&name)?;
                self.command(cmd::NEW_CHAIN, 0, invert)?;
                self.c.chain = Some(name);
            }
            'E' => {
                self.command(cmd::RENAME, 0, invert)?;
                self.c.chain = Some(self.arg());
                let new = self.get.take_value();
                self.c.newname = new.ok_or_else(|| Fail::param("-E requires old-chain-name and new-chain-name"))?;
            }
            _ => {
                self.command(cmd::POLICY, 0, invert)?;
                self.c.chain = Some(self.arg());
                let policy = self.get.take_value();
                self.c.policy = policy.ok_or_else(|| Fail::param("-P requires a chain and a policy"))?;
            }
        }
        Ok(())
    }

    fn short_rule(&mut self, c: char, invert: bool) -> Result<(), Fail> {
        // The tool looks at the word before the next one, which is not the value in `-ptcp`.
        let last = self.get.last().to_owned();
        match c {
            'p' => self.set_protocol(last, invert)?,
            's' => {
                self.option(opt::SOURCE, invert)?;
                self.c.rule.ip.inv_src |= invert;
                self.source = Some(last);
            }
            'd' => {
                self.option(opt::DESTINATION, invert)?;
                self.c.rule.ip.inv_dst |= invert;
                self.destination = Some(last);
            }
            'i' | 'o' => {
                if self.get.optarg.as_deref() == Some("") {
                    return Err(Fail::param("Empty interface is likely to be undesired"));
                }
                self.option(if c == 'i' { opt::VIA_IN } else { opt::VIA_OUT }, invert)?;
                iface::check(&last)?;
                self.c.said += &iface::warning(&last);
                let mut name = IfMatch::parse(&last);
                if last == "+" {
                    // It fits everything, and ip_tables remembers that it was given.
                    name.name = IfMatch::key("+");
                }
                if c == 'i' {
                    (self.c.rule.ip.iif, self.c.rule.ip.inv_iif) = (name, invert);
                } else {
                    (self.c.rule.ip.oif, self.c.rule.ip.inv_oif) = (name, invert);
                }
            }
            'f' => {
                self.option(opt::FRAGMENT, invert)?;
                self.c.rule.ip.frag = true;
                self.c.rule.ip.inv_frag = invert;
            }
            'j' => {
                self.option(opt::JUMP, invert)?;
                self.jump(&last)?;
            }
            'g' => {
                self.option(opt::JUMP, invert)?;
                self.goto = true;
                let to = self.arg();
                self.c.jumpto = target_name(&to)?;
            }
            _ => {
                if invert {
                    return Err(Fail::param("unexpected ! flag before --match"));
                }
                let name = self.arg();
                self.load_match(&name)?;
            }
        }
        Ok(())
    }

    fn short_other(&mut self, c: char, invert: bool) -> Result<(), Fail> {
        match c {
            'v' => {
                if self.c.verbose == 0 {
                    self.option(opt::VERBOSE, invert)?;
                }
                self.c.verbose += 1;
            }
            'n' => self.option(opt::NUMERIC, invert)?,
            'x' => self.option(opt::EXPANDED, invert)?,
            '0' => self.option(opt::LINE_NUMBERS, invert)?,
            't' => {
                if invert {
                    return Err(Fail::param("unexpected ! flag before --table"));
                }
                if self.restore && self.table_set {
                    let name = &self.who.name;
                    return Err(Fail::param(format!("The -t option cannot be used in {name}.\n")));
                }
                self.c.table = self.arg();
                self.table_set = true;
            }
            'c' => self.counters(invert)?,
            'w' | 'W' => self.wait(c)?,
            'M' => {}
            'V' => {
                let (name, version) = (&self.who.name, self.who.version());
                let version = version.trim_start_matches('v');
                let text = if invert { format!("Not {version} ;-)\n") } else { format!("{name} v{version}\n") };
                self.c.done = Some(text);
            }
            'h' => {
                if !self.matches.is_empty() || self.target.is_some() || self.protocol.is_some() {
                    return Err(Refusal::new("iptables -h of an extension", 0).into());
                }
                self.c.done = Some(usage::text(self.who));
            }
            '6' => return self.other_family(),
            '4' => {}
            // `-b` is in the list of letters and nobody looks at it.
            _ => return Err(Fail::param("Unknown arg \"(null)\"")),
        }
        Ok(())
    }

    /// `-6`: an error, but a line of a dump is passed over.
    fn other_family(&mut self) -> Result<(), Fail> {
        if self.restore {
            self.c = Cmd { done: Some(String::new()), table: self.c.table.clone(), ..Cmd::default() };
            return Ok(());
        }
        Err(Fail::TryHelp(String::new()))
    }

    fn counters(&mut self, invert: bool) -> Result<(), Fail> {
        self.option(opt::COUNTERS, invert)?;
        let packets = self.arg();
        // A comma right at the start does not count as one.
        let comma = packets.char_indices().skip(1).find(|(_, c)| *c == ',').map(|(at, _)| at + 1);
        let bytes = match comma {
            Some(at) => Some(packets[at..].to_owned()),
            None => self.get.take_value(),
        };
        let bytes = bytes.ok_or_else(|| Fail::param("-c requires packet and byte counter"))?;
        self.c.counters.packets = number::scan(&packets).ok_or_else(|| Fail::param("-c packet counter not numeric"))?;
        self.c.counters.bytes = number::scan(&bytes).ok_or_else(|| Fail::param("-c byte counter not numeric"))?;
        Ok(())
    }

    fn wait(&mut self, c: char) -> Result<(), Fail> {
        if self.restore {
            return Err(Fail::param(format!("You cannot use `-{c}' from iptables-restore")));
        }
        let value = self.get.optarg.take().or_else(|| self.get.take_value());
        if c == 'w' {
            let starts =
                |v: &str| v.trim_start().trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
            if value.as_deref().is_some_and(|v| !starts(v)) {
                return Err(Fail::param("wait seconds not numeric"));
            }
            self.wait = value.as_deref().is_none_or(|v| number::atoi(v) != 0);
            return Ok(());
        }
        let Some(v) = value else { return Err(Fail::param("wait interval value required")) };
        let Some(usec) = number::scan(&v) else { return Err(Fail::param("wait interval not numeric")) };
        if usec > 999_999 {
            return Err(Fail::param(format!("too long usec wait {usec} > 999999 usec")));
        }
        self.c.said += "Ignoring deprecated --wait-interval option.\n";
        self.wait_interval = true;
        Ok(())
    }

    fn set_protocol(&mut self, word: String, invert: bool) -> Result<(), Fail> {
        self.option(opt::PROTOCOL, invert)?;
        let word = word.to_ascii_lowercase();
        let found = names::protocol(&word);
        let number = found.ok_or_else(|| Fail::param(format!("unknown protocol \"{word}\" specified")))?;
        if number == 0 && invert {
            return Err(Fail::param("rule would never match protocol"));
        }
        (self.c.rule.ip.proto, self.c.rule.ip.inv_proto) = (number, invert);
        self.protocol = Some(word);
        Ok(())
    }

    fn jump(&mut self, to: &str) -> Result<(), Fail> {
        self.c.jumpto = target_name(to)?;
        self.c.extension = ext::is_target(to);
        if let Some(e) = ext::find_target(to) {
            let id = self.load_options(e.opts);
            self.target = Some((e, id, Given::default()));
        }
        Ok(())
    }

    /// Makes the options of an extension known; gives its number.
    fn load_options(&mut self, opts: &'static [extopt::Opt]) -> usize {
        let id = self.loaded;
        self.loaded += 1;
        let new = opts.iter().map(|o| Long {
            name: o.name,
            arg: if o.ty == Ty::None { Arg::No } else { Arg::Yes },
            code: Code::Ext(id, o.id),
        });
        self.long.splice(LONG.len()..LONG.len(), new);
        id
    }

    fn load_match(&mut self, name: &str) -> Result<(), Fail> {
        if name.len() >= NAME_MAX {
            return Err(Fail::param(format!("Invalid match name \"{name}\" ({} chars max)", NAME_MAX - 1)));
        }
        let Some(ext) = ext::find_match(name) else {
            return Err(Fail::param(format!("Couldn't load match `{name}':No such file or directory\n")));
        };
        self.add_match(ext);
        Ok(())
    }

    fn add_match(&mut self, ext: &'static MatchExt) {
        let mut id = None;
        for m in self.matches.iter_mut().filter(|m| m.ext.name == ext.name) {
            m.completed = true;
            id = Some(m.id);
        }
        // A second match of a kind shares the options of the first.
        let id = id.unwrap_or_else(|| self.load_options(ext.opts));
        self.matches.push(Matching { ext, id, given: Given::default(), completed: false });
    }

    /// The match that the protocol implies, if an option may be its.
    fn implied(&mut self) -> Option<&'static MatchExt> {
        let word = self.protocol.as_deref()?;
        let name = match number::whole(word, 0, 255).and_then(|n| u8::try_from(n).ok()) {
            Some(n) => names::protocol_name(n, self.c.options & opt::NUMERIC == 0)?,
            None => word,
        };
        let there = self.matches.iter().any(|m| m.ext.name == name);
        if there && self.proto_used { None } else { ext::find_match(name) }
    }

    /// An option of an extension, or none at all; true when a match was loaded and the word is to be read again.
    fn extension(&mut self, code: Code, invert: bool) -> Result<bool, Fail> {
        if let Code::Ext(id, number) = code {
            self.extension_option(id, number, invert)?;
            return Ok(false);
        }
        if let Some(e) = self.implied() {
            self.proto_used = true;
            self.add_match(e);
            self.get.optind = self.get.optind.saturating_sub(1);
            return Ok(true);
        }
        let word = self.get.last();
        Err(Fail::param(match code {
            Code::Missing => format!("option \"{word}\" requires an argument"),
            _ => format!("unknown option \"{word}\""),
        }))
    }

    fn extension_option(&mut self, id: usize, number: u8, invert: bool) -> Result<(), Fail> {
        let arg = self.get.optarg.take();
        let ctx = Ctx { ip: &self.c.rule.ip, variant: self.who.variant };
        let find = |opts: &'static [extopt::Opt]| opts.iter().find(|o| o.id == number);
        let (name, opts, check, given) = match &mut self.target {
            Some((e, i, g)) if *i == id => (e.name, e.opts, e.check, g),
            _ => match self.matches.iter_mut().find(|m| m.id == id && !m.completed) {
                Some(m) => (m.ext.name, m.ext.opts, m.ext.check, &mut m.given),
                None => return Ok(()),
            },
        };
        let Some(o) = find(opts) else { return Ok(()) };
        let mut next = None;
        if o.ty == Ty::Two {
            next = self.get.argv.get(self.get.optind).filter(|w| !w.starts_with(['-', '!'])).cloned();
            self.get.optind += usize::from(next.is_some());
        }
        let item = extopt::read(name, o, arg.as_deref(), next.as_deref(), invert, given)?;
        if let Some(look) = check {
            look(&item, given, &ctx)?;
        }
        if name == "physdev" {
            self.c.said += &iface::warning(&item.arg);
        } else if name == "iprange" {
            self.c.said += &ext::iprange_warning(&item.arg);
        }
        given.items.push(item);
        Ok(())
    }
}

fn target_name(name: &str) -> Result<String, Fail> {
    if name.is_empty() {
        return Err(Fail::param("Invalid target name (too short)"));
    }
    if name.len() >= NAME_MAX {
        return Err(Fail::param(format!("Invalid target name `{name}' ({} chars max)", NAME_MAX - 1)));
    }
    if name.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(Fail::param(format!("Invalid target name `{name}'")));
    }
    Ok(name.to_owned())
}

pub(super) fn too_long(chain: &str) -> Fail {
    Fail::param(format!("chain name `{chain}' too long (must be under {NAME_MAX} chars)"))
}

/// A chain may be called so (`assert_valid_chain_name`).
pub fn valid_chain_name(name: &str) -> Result<(), Fail> {
    if name.len() >= NAME_MAX {
        return Err(too_long(name));
    }
    if let Some(c) = name.chars().next().filter(|c| matches!(c, '-' | '!')) {
        return Err(Fail::param(format!("chain name not allowed to start with `{c}'")));
    }
    if ext::is_target(name) {
        return Err(Fail::param("chain name may not clash with target name"));
    }
    if name.contains(|c: char| c.is_ascii_whitespace()) {
        return Err(Fail::param(format!("Invalid chain name `{name}'")));
    }
    Ok(())
}
