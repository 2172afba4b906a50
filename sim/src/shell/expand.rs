//! Words become fields: parameters, substitutions, arithmetic, splitting, patterns.

use brush_parser::ast::{
    ArithmeticExpr as A, ArithmeticTarget, BinaryOperator as Bin, UnaryAssignmentOperator, UnaryOperator,
};

use super::ast::*;
use super::interp::{Flow, Shell};
use super::pattern::{escape, matches};
use super::vfs::normal;
use super::{bound, parse};

/// A field under construction: its text, and the same with quoted characters escaped for patterns.
#[derive(Default)]
struct Field {
    text: String,
    pattern: String,
    globby: bool,
    quoted: bool,
}

impl Field {
    fn push(&mut self, text: &str, quoted: bool) {
        self.text.push_str(text);
        if quoted {
            self.quoted = true;
            self.pattern.push_str(&escape(text));
        } else {
            self.globby |= text.contains(['*', '?']) || (text.contains('[') && text.contains(']'));
            self.pattern.push_str(text);
        }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.quoted
    }
}

impl Shell<'_> {
    /// A variable or special parameter.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.last.to_string(),
            "$" => self.pid.0.to_string(),
            "!" => self.last_bg.map(|p| p.0.to_string())?,
            "#" => self.args.len().to_string(),
            "@" | "*" => self.args.join(" "),
            "0" => self.name.clone(),
            "-" => if self.errexit { "ehB" } else { "hB" }.to_owned(),
            "PWD" => self.cwd.clone(),
            "HOSTNAME" => self.sess.kernel.host(self.host).name.clone(),
            n if n.starts_with(|c: char| c.is_ascii_digit()) => {
                self.args.get(n.parse::<usize>().ok()?.checked_sub(1)?)?.clone()
            }
            n => match self.vars.get(n) {
                Some((v, _)) => v.clone(),
                None => match n {
                    "HOME" => "/root".into(),
                    "PATH" => "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
                    "USER" | "LOGNAME" => "root".into(),
                    _ => return None,
                },
            },
        })
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.vars.entry(name.to_owned()).or_default().0 = value;
    }

    /// Words as fields with their columns; `None` where the line was refused.
    pub(super) fn fields(&mut self, words: &[Word]) -> Option<Vec<(String, usize)>> {
        let mut out = Vec::new();
        for w in words {
            let mut fields = vec![Field::default()];
            self.expand(&w.pieces, false, &mut fields, w.col)?;
            for f in fields {
                if f.is_empty() {
                    continue;
                }
                if f.globby {
                    let found = self.glob(&f.pattern);
                    if !found.is_empty() {
                        out.extend(found.into_iter().map(|x| (x, w.col)));
                        continue;
                    }
                }
                out.push((f.text, w.col));
            }
            if out.len() > bound::WORDS {
                self.refuse(format!("more than {} words", bound::WORDS), w.col);
                return None;
            }
        }
        Some(out)
    }

    /// A word as one text: no splitting, no patterns.
    pub(super) fn joined(&mut self, w: &Word) -> Option<String> {
        self.pieces_text(&w.pieces)
    }

    pub(super) fn pieces_text(&mut self, pieces: &[Piece]) -> Option<String> {
        let mut fields = vec![Field::default()];
        self.expand(pieces, true, &mut fields, 0)?;
        Some(fields.into_iter().map(|f| f.text).collect::<Vec<_>>().join(" "))
    }

    /// A word as a pattern.
    pub(super) fn pattern(&mut self, pieces: &[Piece]) -> Option<String> {
        let mut out = String::new();
        for p in pieces {
            match p {
                Piece::Text(t) => out.push_str(t),
                Piece::Param(_) => out.push_str(&self.pieces_text(std::slice::from_ref(p))?),
                _ => out.push_str(&escape(&self.pieces_text(std::slice::from_ref(p))?)),
            }
        }
        Some(out)
    }

    fn expand(&mut self, pieces: &[Piece], quoted: bool, out: &mut Vec<Field>, col: usize) -> Option<()> {
        for p in pieces {
            match p {
                Piece::Text(t) => last(out).push(t, quoted),
                Piece::Quoted(t) => last(out).push(t, true),
                Piece::Double(ps) => {
                    if let [Piece::Param(pp)] = ps.as_slice()
                        && pp.name == "@"
                        && matches!(pp.op, ParamOp::Plain)
                    {
                        for (i, a) in self.args.clone().iter().enumerate() {
                            if i > 0 {
                                out.push(Field::default());
                            }
                            last(out).push(a, true);
                        }
                        continue;
                    }
                    last(out).quoted = true;
                    self.expand(ps, true, out, col)?;
                }
                Piece::Param(pp) => {
                    let text = self.param(pp, col)?;
                    add(out, &text, quoted);
                }
                Piece::Subst(s) => {
                    let text = self.capture(s)?;
                    add(out, &text, quoted);
                }
                Piece::Arith(t) => {
                    let v = self.arith(t, col)?;
                    add(out, &v.to_string(), quoted);
                }
            }
        }
        Some(())
    }

    fn param(&mut self, p: &Param, col: usize) -> Option<String> {
        let value = self.get(&p.name);
        let missing = |null: bool| value.is_none() || (null && value.as_deref() == Some(""));
        Some(match &p.op {
            ParamOp::Plain => value.unwrap_or_default(),
            ParamOp::Length => value.unwrap_or_default().chars().count().to_string(),
            ParamOp::Default(null, w) if missing(*null) => self.pieces_text(w)?,
            ParamOp::Assign(null, w) if missing(*null) => {
                let v = self.pieces_text(w)?;
                self.set(&p.name, v.clone());
                v
            }
            ParamOp::Error(null, w) if missing(*null) => {
                let mut why = self.pieces_text(w)?;
                if why.is_empty() {
                    why = "parameter null or not set".into();
                }
                let text = format!("{}: line 1: {}: {why}\n", self.name, p.name);
                self.sinks[1].push_str(&text);
                self.last = 127;
                self.flow = Flow::Exit;
                return None;
            }
            ParamOp::Alternative(null, w) => {
                if missing(*null) {
                    String::new()
                } else {
                    self.pieces_text(w)?
                }
            }
            ParamOp::Default(..) | ParamOp::Assign(..) | ParamOp::Error(..) => value.unwrap_or_default(),
            ParamOp::Strip { suffix, longest, pattern } => {
                let text = value.unwrap_or_default();
                let pattern = self.pattern(pattern)?;
                strip(&text, &pattern, *suffix, *longest)
            }
            ParamOp::Replace { all, pattern, with } => {
                let text = value.unwrap_or_default();
                let pattern = self.pattern(pattern)?;
                let with = self.pieces_text(with)?;
                replace(&text, &pattern, &with, *all)
            }
            ParamOp::Substring(off, len) => {
                let text: Vec<char> = value.unwrap_or_default().chars().collect();
                let n = text.len() as i64;
                let mut from = self.arith(off, col)?;
                if from < 0 {
                    from += n;
                }
                let from = from.clamp(0, n);
                let len = match len {
                    Some(l) => self.arith(l, col)?,
                    None => n - from,
                };
                let to = if len < 0 { n + len } else { from.saturating_add(len) }.clamp(from, n);
                text[from as usize..to as usize].iter().collect()
            }
        })
    }

    /// The value of an arithmetic expression.
    pub(super) fn arith(&mut self, text: &str, col: usize) -> Option<i64> {
        let pieces = match parse::parse(&format!("x=\"{}\"", text.replace('"', ""))) {
            Ok(s) => s.0.into_iter().flat_map(|a| a.first.commands).find_map(|c| match c.kind {
                CommandKind::Simple { assigns, .. } => assigns.into_iter().next().map(|a| a.1.pieces),
                _ => None,
            }),
            Err(_) => None,
        };
        let text = match pieces {
            Some(p) => self.pieces_text(&p)?,
            None => text.to_owned(),
        };
        let value = parse::arithmetic(&text).and_then(|e| self.eval(&e, 0));
        match value {
            Ok(v) => Some(v),
            Err(why) => {
                self.refuse(why, col);
                None
            }
        }
    }

    fn eval(&mut self, e: &A, depth: usize) -> Result<i64, String> {
        if depth > 64 {
            return Err("an arithmetic expression nested too deeply".into());
        }
        let d = depth + 1;
        Ok(match e {
            A::Literal(n) => *n,
            A::Reference(t) => {
                let text = self.get(name(t)?).unwrap_or_default();
                match text.trim() {
                    "" => 0,
                    t => match t.parse() {
                        Ok(n) => n,
                        Err(_) => {
                            let inner = parse::arithmetic(t)?;
                            self.eval(&inner, d)?
                        }
                    },
                }
            }
            A::UnaryOp(op, x) => {
                let x = self.eval(x, d)?;
                match op {
                    UnaryOperator::UnaryPlus => x,
                    UnaryOperator::UnaryMinus => x.wrapping_neg(),
                    UnaryOperator::BitwiseNot => !x,
                    UnaryOperator::LogicalNot => i64::from(x == 0),
                }
            }
            A::BinaryOp(Bin::LogicalAnd, a, b) => i64::from(self.eval(a, d)? != 0 && self.eval(b, d)? != 0),
            A::BinaryOp(Bin::LogicalOr, a, b) => i64::from(self.eval(a, d)? != 0 || self.eval(b, d)? != 0),
            A::BinaryOp(op, a, b) => {
                let (a, b) = (self.eval(a, d)?, self.eval(b, d)?);
                binary(op, a, b)?
            }
            A::Conditional(c, a, b) => {
                if self.eval(c, d)? != 0 {
                    self.eval(a, d)?
                } else {
                    self.eval(b, d)?
                }
            }
            A::Assignment(t, x) => {
                let v = self.eval(x, d)?;
                self.set(name(t)?, v.to_string());
                v
            }
            A::BinaryAssignment(op, t, x) => {
                let old = self.eval(&A::Reference(t.clone()), d)?;
                let x = self.eval(x, d)?;
                let v = binary(op, old, x)?;
                self.set(name(t)?, v.to_string());
                v
            }
            A::UnaryAssignment(op, t) => {
                let old = self.eval(&A::Reference(t.clone()), d)?;
                let (new, shown) = match op {
                    UnaryAssignmentOperator::PrefixIncrement => (old.wrapping_add(1), old.wrapping_add(1)),
                    UnaryAssignmentOperator::PrefixDecrement => (old.wrapping_sub(1), old.wrapping_sub(1)),
                    UnaryAssignmentOperator::PostfixIncrement => (old.wrapping_add(1), old),
                    UnaryAssignmentOperator::PostfixDecrement => (old.wrapping_sub(1), old),
                };
                self.set(name(t)?, new.to_string());
                shown
            }
        })
    }

    /// The paths that a pattern finds, in order.
    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let absolute = pattern.starts_with('/');
        let mut found = vec![if absolute { "/".to_owned() } else { String::new() }];
        for part in pattern.split('/').filter(|p| !p.is_empty()) {
            let mut next = Vec::new();
            let plain = !part.contains(['*', '?', '[']);
            for dir in &found {
                let full = normal(&self.cwd, if dir.is_empty() { "." } else { dir });
                let join = |n: &str| {
                    if dir.is_empty() || dir.ends_with('/') { format!("{dir}{n}") } else { format!("{dir}/{n}") }
                };
                if plain {
                    let name = part.replace('\\', "");
                    let path = join(&name);
                    if self.sess.exists(self.host, self.ns, &normal(&self.cwd, &path)) {
                        next.push(path);
                    }
                    continue;
                }
                for n in self.sess.list_dir(self.host, self.ns, &full).unwrap_or_default() {
                    if matches(part, &n) && (!n.starts_with('.') || part.starts_with('.')) && next.len() < bound::WORDS
                    {
                        next.push(join(&n));
                    }
                }
            }
            found = next;
        }
        found
    }
}

fn last(out: &mut Vec<Field>) -> &mut Field {
    if out.is_empty() {
        out.push(Field::default());
    }
    let i = out.len() - 1;
    &mut out[i]
}

/// Adds the result of an expansion: split at white space unless quoted.
fn add(out: &mut Vec<Field>, text: &str, quoted: bool) {
    if quoted {
        last(out).push(text, true);
        return;
    }
    let space = |c: char| matches!(c, ' ' | '\t' | '\n');
    if text.starts_with(space) && !last(out).is_empty() {
        out.push(Field::default());
    }
    for (i, part) in text.split(space).filter(|p| !p.is_empty()).enumerate() {
        if i > 0 {
            out.push(Field::default());
        }
        last(out).push(part, false);
    }
    if text.ends_with(space) && !last(out).is_empty() {
        out.push(Field::default());
    }
}

fn name(t: &ArithmeticTarget) -> Result<&str, String> {
    match t {
        ArithmeticTarget::Variable(n) => Ok(n),
        ArithmeticTarget::ArrayElement(..) => Err("array variables".into()),
    }
}

fn binary(op: &Bin, a: i64, b: i64) -> Result<i64, String> {
    let zero = || "division by 0".to_owned();
    Ok(match op {
        Bin::Power => a.wrapping_pow(u32::try_from(b).map_err(|_| "exponent less than 0".to_owned())?),
        Bin::Multiply => a.wrapping_mul(b),
        Bin::Divide => a.checked_div(b).ok_or_else(zero)?,
        Bin::Modulo => a.checked_rem(b).ok_or_else(zero)?,
        Bin::Comma => b,
        Bin::Add => a.wrapping_add(b),
        Bin::Subtract => a.wrapping_sub(b),
        Bin::ShiftLeft => a.wrapping_shl(b as u32),
        Bin::ShiftRight => a.wrapping_shr(b as u32),
        Bin::LessThan => i64::from(a < b),
        Bin::LessThanOrEqualTo => i64::from(a <= b),
        Bin::GreaterThan => i64::from(a > b),
        Bin::GreaterThanOrEqualTo => i64::from(a >= b),
        Bin::Equals => i64::from(a == b),
        Bin::NotEquals => i64::from(a != b),
        Bin::BitwiseAnd => a & b,
        Bin::BitwiseXor => a ^ b,
        Bin::BitwiseOr => a | b,
        Bin::LogicalAnd => i64::from(a != 0 && b != 0),
        Bin::LogicalOr => i64::from(a != 0 || b != 0),
    })
}

fn strip(text: &str, pattern: &str, suffix: bool, longest: bool) -> String {
    let mut cuts: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    if suffix != longest {
        cuts.reverse();
    }
    for at in cuts {
        let (a, b) = text.split_at(at);
        if suffix && matches(pattern, b) {
            return a.to_owned();
        }
        if !suffix && matches(pattern, a) {
            return b.to_owned();
        }
    }
    text.to_owned()
}

fn replace(text: &str, pattern: &str, with: &str, all: bool) -> String {
    let cuts: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    let (mut out, mut i, mut done) = (String::new(), 0, false);
    if pattern.is_empty() || text.len() > 4096 {
        return text.to_owned();
    }
    while i + 1 < cuts.len() {
        let hit = if done && !all {
            None
        } else {
            (i + 1..cuts.len()).rev().find(|j| matches(pattern, &text[cuts[i]..cuts[*j]]))
        };
        match hit {
            Some(j) => {
                out.push_str(with);
                i = j;
                done = true;
            }
            None => {
                out.push_str(&text[cuts[i]..cuts[i + 1]]);
                i += 1;
            }
        }
    }
    out
}
