//! The only file that knows the grammar crate: text in, our own tree or problems out.

use std::rc::Rc;

use brush_parser::ast as b;
use brush_parser::ast::SourceLocation;
use brush_parser::{ParseError, Parser, ParserOptions, word as w};

use super::Problem;
use super::ast::*;

/// Longest command line in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// Deepest nesting of parentheses, substitutions and compound commands.
pub const MAX_NESTING: usize = 24;

/// Reads a line of shell; what is refused does not stop the reading, so that all of it is told at once.
///
/// # Errors
/// Every problem found, with its column.
pub fn parse(line: &str) -> Result<Script, Vec<Problem>> {
    let mut c = Convert { problems: Vec::new(), base: 0, depth: 0 };
    let script = c.text(line);
    if c.problems.is_empty() { Ok(script) } else { Err(c.problems) }
}

/// An arithmetic expression, read by the grammar crate.
///
/// # Errors
/// The sentence to show.
pub fn arithmetic(text: &str) -> Result<b::ArithmeticExpr, String> {
    let bad = || format!("\"{text}\" is no arithmetic expression");
    let nesting = text.chars().fold((0usize, 0usize), |(d, m), ch| match ch {
        '(' => (d + 1, m.max(d + 1)),
        ')' => (d.saturating_sub(1), m),
        _ => (d, m),
    });
    if text.len() > 512 || nesting.1 > 8 {
        return Err(bad());
    }
    if text.trim().is_empty() {
        return Ok(b::ArithmeticExpr::Literal(0));
    }
    brush_parser::arithmetic::parse(text.trim()).map_err(|_| bad())
}

struct Convert {
    problems: Vec<Problem>,
    base: usize,
    depth: usize,
}

fn options() -> ParserOptions {
    ParserOptions { enable_extended_globbing: false, tilde_expansion_at_word_start: false, ..ParserOptions::default() }
}

/// Whether a line nests deeper than the parser should follow: parentheses, braces and words that open a block.
fn too_deep(line: &str) -> bool {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for ch in line.chars() {
        match ch {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let words = |list: &[&str]| line.split(|c: char| !c.is_alphanumeric()).filter(|x| list.contains(x)).count();
    let open = words(&["if", "for", "while", "until", "case", "select", "function"]);
    let closed = words(&["fi", "done", "esac"]);
    let quotes = line.matches("$(").count() + line.matches('`').count();
    deepest > MAX_NESTING || open.saturating_sub(closed) > MAX_NESTING || quotes > 256
}

impl Convert {
    fn problem(&mut self, col: usize, what: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem { col: self.base + col, what: what.into(), help: help.into() });
    }

    fn refuse(&mut self, col: usize, what: &str) {
        self.problem(
            col,
            format!("not modelled: {what}"),
            "write it with plain commands, `if`, `for`, `while` or `case`",
        );
    }

    fn text(&mut self, line: &str) -> Script {
        if line.len() > MAX_LINE {
            self.problem(0, format!("the command line is longer than {MAX_LINE} bytes"), "split it into several steps");
            return Script::default();
        }
        if too_deep(line) || self.depth > MAX_NESTING {
            self.problem(0, format!("nested deeper than {MAX_NESTING} levels"), "split it into several steps");
            return Script::default();
        }
        if let Some(at) = line.chars().position(|c| c == '\0') {
            self.problem(at, "a zero byte in a command line", "remove it");
            return Script::default();
        }
        let mut parser = Parser::new(std::io::Cursor::new(line.as_bytes()), &options());
        match parser.parse_program() {
            Ok(program) => {
                let mut all = Vec::new();
                for list in &program.complete_commands {
                    all.extend(self.list(list).0);
                }
                Script(all)
            }
            Err(e) => {
                let end = line.chars().count();
                let (col, what) = match &e {
                    ParseError::ParsingNear(p) => (p.index.min(end), "syntax error".to_owned()),
                    ParseError::ParsingAtEndOfInput => (end, "syntax error: the line ends too early".to_owned()),
                    ParseError::Tokenizing { inner, position } => {
                        (position.as_ref().map_or(0, |p| p.index.min(end)), inner.to_string())
                    }
                };
                self.problem(col, what, "check quotes, parentheses and the words that close a block (fi, done, esac)");
                Script::default()
            }
        }
    }

    fn list(&mut self, list: &b::CompoundList) -> Script {
        let mut out = Vec::new();
        for b::CompoundListItem(and_or, sep) in &list.0 {
            let first = self.pipeline(&and_or.first);
            let mut rest = Vec::new();
            for more in &and_or.additional {
                rest.push(match more {
                    b::AndOr::And(p) => (true, self.pipeline(p)),
                    b::AndOr::Or(p) => (false, self.pipeline(p)),
                });
            }
            out.push(AndOr { first, rest, background: matches!(sep, b::SeparatorOperator::Async) });
        }
        Script(out)
    }

    fn pipeline(&mut self, p: &b::Pipeline) -> Pipeline {
        if p.timed.is_some() {
            let col = p.location().map_or(0, |l| l.start.index);
            self.refuse(col, "time");
        }
        Pipeline { bang: p.bang, commands: p.seq.iter().map(|c| self.command(c)).collect() }
    }

    fn command(&mut self, c: &b::Command) -> Command {
        let col = self.base + c.location().map_or(0, |l| l.start.index);
        match c {
            b::Command::Simple(s) => self.simple(s, col),
            b::Command::Compound(k, r) => {
                let mut redirects = Vec::new();
                for r in r.iter().flat_map(|r| &r.0) {
                    self.redirect(r, &mut redirects);
                }
                Command { kind: self.compound(k, col), redirects, col }
            }
            b::Command::Function(f) => {
                let inner = b::Command::Compound(f.body.0.clone(), f.body.1.clone());
                let body = Rc::new(self.command(&inner));
                Command {
                    kind: CommandKind::Function { name: f.fname.value.clone(), body },
                    redirects: Vec::new(),
                    col,
                }
            }
            b::Command::ExtendedTest(..) => {
                self.problem(col - self.base, "not modelled: [[ … ]]", "write [ … ]");
                Command { kind: CommandKind::Group(Script::default()), redirects: Vec::new(), col }
            }
        }
    }

    fn compound(&mut self, k: &b::CompoundCommand, col: usize) -> CommandKind {
        let at = col - self.base;
        match k {
            b::CompoundCommand::BraceGroup(g) => CommandKind::Group(self.list(&g.list)),
            b::CompoundCommand::Subshell(s) => CommandKind::Subshell(self.list(&s.list)),
            b::CompoundCommand::ForClause(f) => CommandKind::For {
                var: f.variable_name.clone(),
                words: f.values.as_ref().map(|v| v.iter().map(|x| self.word(x)).collect()),
                body: self.list(&f.body.list),
            },
            b::CompoundCommand::IfClause(i) => {
                let mut arms = vec![(self.list(&i.condition), self.list(&i.then))];
                let mut otherwise = None;
                for e in i.elses.iter().flatten() {
                    match &e.condition {
                        Some(c) => arms.push((self.list(c), self.list(&e.body))),
                        None => otherwise = Some(self.list(&e.body)),
                    }
                }
                CommandKind::If { arms, otherwise }
            }
            b::CompoundCommand::WhileClause(x) => {
                CommandKind::While { until: false, cond: self.list(&x.0), body: self.list(&x.1.list) }
            }
            b::CompoundCommand::UntilClause(x) => {
                CommandKind::While { until: true, cond: self.list(&x.0), body: self.list(&x.1.list) }
            }
            b::CompoundCommand::CaseClause(x) => {
                let word = self.word(&x.value);
                let mut arms = Vec::new();
                for item in &x.cases {
                    if !matches!(item.post_action, b::CaseItemPostAction::ExitCase) {
                        self.refuse(at, "case … ;&");
                    }
                    let body = item.cmd.as_ref().map(|c| self.list(c)).unwrap_or_default();
                    arms.push((item.patterns.iter().map(|p| self.word(p)).collect(), body));
                }
                CommandKind::Case { word, arms }
            }
            b::CompoundCommand::Arithmetic(a) => CommandKind::Arith(a.expr.value.clone()),
            b::CompoundCommand::ArithmeticForClause(_) => {
                self.problem(at, "not modelled: for ((…))", "write for i in $(seq 1 N)");
                CommandKind::Group(Script::default())
            }
            b::CompoundCommand::Coprocess(_) => {
                self.refuse(at, "coproc");
                CommandKind::Group(Script::default())
            }
        }
    }

    fn simple(&mut self, s: &b::SimpleCommand, col: usize) -> Command {
        let (mut assigns, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        let mut in_front = true;
        let prefix = s.prefix.iter().flat_map(|p| &p.0);
        for item in prefix {
            self.item(item, in_front, &mut assigns, &mut words, &mut redirects);
        }
        if let Some(name) = &s.word_or_name {
            words.push(self.word(name));
        }
        in_front = false;
        for item in s.suffix.iter().flat_map(|p| &p.0) {
            self.item(item, in_front, &mut assigns, &mut words, &mut redirects);
        }
        Command { kind: CommandKind::Simple { assigns, words }, redirects, col }
    }

    fn item(
        &mut self,
        item: &b::CommandPrefixOrSuffixItem,
        in_front: bool,
        assigns: &mut Vec<(String, Word, bool)>,
        words: &mut Vec<Word>,
        redirects: &mut Vec<Redirect>,
    ) {
        match item {
            b::CommandPrefixOrSuffixItem::IoRedirect(r) => self.redirect(r, redirects),
            b::CommandPrefixOrSuffixItem::Word(x) => words.push(self.word(x)),
            b::CommandPrefixOrSuffixItem::AssignmentWord(a, x) if in_front => match (&a.name, &a.value) {
                (b::AssignmentName::VariableName(n), b::AssignmentValue::Scalar(v)) => {
                    let mut value = self.word(v);
                    value.col = self.base + a.loc.start.index;
                    assigns.push((n.clone(), value, a.append));
                }
                _ => {
                    let col = x.loc.as_ref().map_or(0, |l| l.start.index);
                    self.refuse(col, "array variables");
                }
            },
            b::CommandPrefixOrSuffixItem::AssignmentWord(_, x) => words.push(self.word(x)),
            b::CommandPrefixOrSuffixItem::ProcessSubstitution(_, s) => {
                self.problem(s.loc.start.index, "not modelled: process substitution", "use a pipe or a file");
            }
        }
    }

    fn redirect(&mut self, r: &b::IoRedirect, out: &mut Vec<Redirect>) {
        let (fd, to) = match r {
            b::IoRedirect::File(fd, kind, target) => {
                let input = matches!(kind, b::IoFileRedirectKind::Read | b::IoFileRedirectKind::DuplicateInput);
                let fd = fd.unwrap_or(i32::from(!input));
                let to = match (kind, target) {
                    (_, b::IoFileRedirectTarget::ProcessSubstitution(_, s)) => {
                        self.problem(s.loc.start.index, "not modelled: process substitution", "use a pipe or a file");
                        return;
                    }
                    (_, b::IoFileRedirectTarget::Fd(n)) => RedirectTo::Dup(*n),
                    (k, b::IoFileRedirectTarget::Duplicate(x)) => {
                        let word = self.word(x);
                        match word.literal().as_deref() {
                            Some("-") => RedirectTo::Close,
                            Some(t) if t.parse::<i32>().is_ok() => RedirectTo::Dup(t.parse().unwrap_or(1)),
                            _ if matches!(k, b::IoFileRedirectKind::DuplicateOutput) && fd == 1 => {
                                RedirectTo::Both(word, false)
                            }
                            _ => {
                                let col = x.loc.as_ref().map_or(0, |l| l.start.index);
                                self.refuse(col, &format!("{fd}>&{}", x.value));
                                return;
                            }
                        }
                    }
                    (b::IoFileRedirectKind::Read, b::IoFileRedirectTarget::Filename(x)) => {
                        RedirectTo::Read(self.word(x))
                    }
                    (b::IoFileRedirectKind::Append, b::IoFileRedirectTarget::Filename(x)) => {
                        RedirectTo::Append(self.word(x))
                    }
                    (
                        b::IoFileRedirectKind::Write | b::IoFileRedirectKind::Clobber,
                        b::IoFileRedirectTarget::Filename(x),
                    ) => RedirectTo::Write(self.word(x)),
                    (_, b::IoFileRedirectTarget::Filename(x)) => {
                        let col = x.loc.as_ref().map_or(0, |l| l.start.index);
                        self.refuse(col, "the redirection <>");
                        return;
                    }
                };
                (fd, to)
            }
            b::IoRedirect::HereDocument(fd, doc) => {
                let col = doc.here_end.loc.as_ref().map_or(0, |l| l.start.index);
                let text = if doc.remove_tabs {
                    doc.doc.value.split_inclusive('\n').map(|l| l.trim_start_matches('\t')).collect()
                } else {
                    doc.doc.value.clone()
                };
                let pieces = if doc.requires_expansion {
                    match w::parse_heredoc(&text, &options()) {
                        Ok(p) => vec![Piece::Double(self.pieces(&p, col, false))],
                        Err(e) => {
                            self.problem(col, e.to_string(), "check the expansions in the here-document");
                            return;
                        }
                    }
                } else {
                    vec![Piece::Quoted(text)]
                };
                (fd.unwrap_or(0), RedirectTo::Here(Word { col: self.base + col, pieces }))
            }
            b::IoRedirect::HereString(fd, x) => (fd.unwrap_or(0), RedirectTo::HereString(self.word(x))),
            b::IoRedirect::OutputAndError(x, append) => (1, RedirectTo::Both(self.word(x), *append)),
        };
        if !(0..=9).contains(&fd) {
            self.refuse(0, &format!("file descriptor {fd}"));
            return;
        }
        out.push(Redirect { fd, to });
    }

    fn word(&mut self, x: &b::Word) -> Word {
        let col = x.loc.as_ref().map_or(0, |l| l.start.index);
        Word { col: self.base + col, pieces: self.parse_pieces(&x.value, col, true) }
    }

    fn parse_pieces(&mut self, text: &str, col: usize, braces: bool) -> Vec<Piece> {
        match w::parse(text, &options()) {
            Ok(p) => self.pieces(&p, col, braces),
            Err(_) => {
                self.problem(col, format!("\"{text}\" is no word of the shell"), "check quotes, braces and $");
                Vec::new()
            }
        }
    }

    fn pieces(&mut self, list: &[w::WordPieceWithSource], col: usize, top: bool) -> Vec<Piece> {
        let mut out = Vec::new();
        for p in list {
            let at = col + p.start_index;
            match &p.piece {
                w::WordPiece::Text(t) => {
                    if top && brace_expansion(t) {
                        self.problem(
                            at,
                            format!("not modelled: brace expansion {t}"),
                            "write the words out, or use for",
                        );
                    }
                    out.push(Piece::Text(t.clone()));
                }
                w::WordPiece::SingleQuotedText(t) => out.push(Piece::Quoted(t.clone())),
                w::WordPiece::AnsiCQuotedText(t) => out.push(Piece::Quoted(crate::command::text::escapes(t))),
                w::WordPiece::DoubleQuotedSequence(ps) => out.push(Piece::Double(self.pieces(ps, col, false))),
                w::WordPiece::GettextDoubleQuotedSequence(_) => self.refuse(at, "$\"…\""),
                w::WordPiece::TildeExpansion(_) => out.push(Piece::Quoted("/root".into())),
                w::WordPiece::EscapeSequence(t) => {
                    let t = t.strip_prefix('\\').unwrap_or(t);
                    if t != "\n" {
                        out.push(Piece::Quoted(t.to_owned()));
                    }
                }
                w::WordPiece::CommandSubstitution(t) => out.push(Piece::Subst(self.nested(t, at + 2))),
                w::WordPiece::BackquotedCommandSubstitution(t) => {
                    let t = t.replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
                    out.push(Piece::Subst(self.nested(&t, at + 1)));
                }
                w::WordPiece::ArithmeticExpression(e) => out.push(Piece::Arith(e.value.clone())),
                w::WordPiece::ParameterExpansion(e) => {
                    if let Some(p) = self.param(e, at) {
                        out.push(Piece::Param(Box::new(p)));
                    }
                }
            }
        }
        out
    }

    fn nested(&mut self, text: &str, col: usize) -> Script {
        let saved = self.base;
        self.base += col;
        self.depth += 1;
        let script = self.text(text);
        self.depth -= 1;
        self.base = saved;
        script
    }

    fn param(&mut self, e: &w::ParameterExpr, at: usize) -> Option<Param> {
        use w::ParameterExpr as E;
        let (parameter, indirect, op) = match e {
            E::Parameter { parameter, indirect } => (parameter, *indirect, ParamOp::Plain),
            E::UseDefaultValues { parameter, indirect, test_type, default_value } => {
                let v = self.opt(default_value.as_deref(), at);
                (parameter, *indirect, ParamOp::Default(null(test_type), v))
            }
            E::AssignDefaultValues { parameter, indirect, test_type, default_value } => {
                let v = self.opt(default_value.as_deref(), at);
                (parameter, *indirect, ParamOp::Assign(null(test_type), v))
            }
            E::IndicateErrorIfNullOrUnset { parameter, indirect, test_type, error_message } => {
                let v = self.opt(error_message.as_deref(), at);
                (parameter, *indirect, ParamOp::Error(null(test_type), v))
            }
            E::UseAlternativeValue { parameter, indirect, test_type, alternative_value } => {
                let v = self.opt(alternative_value.as_deref(), at);
                (parameter, *indirect, ParamOp::Alternative(null(test_type), v))
            }
            E::ParameterLength { parameter, indirect } => (parameter, *indirect, ParamOp::Length),
            E::RemoveSmallestSuffixPattern { parameter, indirect, pattern } => {
                (parameter, *indirect, self.strip(true, false, pattern, at))
            }
            E::RemoveLargestSuffixPattern { parameter, indirect, pattern } => {
                (parameter, *indirect, self.strip(true, true, pattern, at))
            }
            E::RemoveSmallestPrefixPattern { parameter, indirect, pattern } => {
                (parameter, *indirect, self.strip(false, false, pattern, at))
            }
            E::RemoveLargestPrefixPattern { parameter, indirect, pattern } => {
                (parameter, *indirect, self.strip(false, true, pattern, at))
            }
            E::Substring { parameter, indirect, offset, length } => {
                let op = ParamOp::Substring(offset.value.clone(), length.as_ref().map(|l| l.value.clone()));
                (parameter, *indirect, op)
            }
            E::ReplaceSubstring { parameter, indirect, pattern, replacement, match_kind } => {
                let all = match match_kind {
                    w::SubstringMatchKind::FirstOccurrence => false,
                    w::SubstringMatchKind::Anywhere => true,
                    _ => {
                        self.refuse(at, "${x/#…} and ${x/%…}");
                        return None;
                    }
                };
                let pattern = self.opt(Some(pattern), at);
                let with = self.opt(replacement.as_deref(), at);
                (parameter, *indirect, ParamOp::Replace { all, pattern, with })
            }
            _ => {
                self.refuse(at, "this form of ${…}");
                return None;
            }
        };
        if indirect {
            self.refuse(at, "${!…}");
            return None;
        }
        let name = match parameter {
            w::Parameter::Positional(n) => n.to_string(),
            w::Parameter::Special(s) => s.to_string(),
            w::Parameter::Named(n) => n.clone(),
            _ => {
                self.refuse(at, "array variables");
                return None;
            }
        };
        Some(Param { name, op })
    }

    fn strip(&mut self, suffix: bool, longest: bool, pattern: &Option<String>, at: usize) -> ParamOp {
        ParamOp::Strip { suffix, longest, pattern: self.opt(pattern.as_deref(), at) }
    }

    fn opt(&mut self, text: Option<&str>, at: usize) -> Vec<Piece> {
        self.depth += 1;
        let out = match text {
            Some(t) if self.depth <= MAX_NESTING => self.parse_pieces(t, at, false),
            _ => Vec::new(),
        };
        self.depth -= 1;
        out
    }
}

fn null(t: &w::ParameterTestType) -> bool {
    matches!(t, w::ParameterTestType::UnsetOrNull)
}

/// `{a,b}` or `{1..3}`: bash would make several words of it.
fn brace_expansion(t: &str) -> bool {
    let Some(open) = t.find('{') else { return false };
    let Some(close) = t[open..].find('}') else { return false };
    let inside = &t[open + 1..open + close];
    inside.contains(',') || inside.contains("..")
}
