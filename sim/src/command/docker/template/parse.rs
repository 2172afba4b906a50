//! The text of a template as a tree (text/template/parse).

use serde_json::Value;

use super::Fault;
use crate::command::Refusal;

/// A piece of a template.
pub enum Node {
    /// Text between actions.
    Text(String),
    /// `{{pipeline}}`.
    Action(Pipe),
    /// `{{if}}` with what is done and what is done else.
    If(Pipe, Vec<Node>, Vec<Node>),
    /// `{{range}}`.
    Range(Pipe, Vec<Node>, Vec<Node>),
    /// `{{with}}`.
    With(Pipe, Vec<Node>, Vec<Node>),
}

/// `$a, $b := command | command`.
pub struct Pipe {
    /// Variables that it sets.
    pub vars: Vec<String>,
    /// Commands, each on the result of the one before.
    pub commands: Vec<Vec<Term>>,
}

/// An operand with fields of it.
pub struct Term {
    /// The operand.
    pub what: What,
    /// Fields that are taken of it.
    pub fields: Vec<String>,
    /// Column of the last of them, as Go's messages count.
    pub at: usize,
}

/// An operand.
pub enum What {
    /// `.`, with or without fields.
    Dot,
    /// `$name`; `$` alone is the whole.
    Var(String),
    /// A string, a number, `true`, `false` or `nil`.
    Literal(Value),
    /// A function.
    Word(String),
    /// A pipeline in brackets.
    Group(Pipe),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

/// Functions of Go's templates and of the client's.
const FUNCTIONS: &str = " and call eq ge gt html index join js json le len lower lt ne not or pad print printf println slice \
                         split title truncate upper urlquery ";

/// Reads a template.
///
/// # Errors
/// What the model's templates have not.
pub fn parse(text: &str) -> Result<Vec<Node>, Fault> {
    let mut p = Parser { text, at: 0 };
    let (nodes, end) = p.nodes()?;
    if end.is_some() { Err(p.refuse()) } else { Ok(nodes) }
}

impl Parser<'_> {
    fn refuse(&self) -> Fault {
        Fault::Refused(Refusal::new(format!("the template {}", self.text), 0))
    }

    /// Go's words for what cannot be read, with the line that it has come to.
    fn unread(&self, why: &str) -> Fault {
        let line = 1 + self.text.matches('\n').count();
        Fault::Unread(format!("template: :{line}: {why}"))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Nodes up to the end, or up to `end` or `else`, which is given back.
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<&'static str>), Fault> {
        let mut out = Vec::new();
        loop {
            let Some(n) = self.rest().find("{{") else {
                out.push(Node::Text(self.rest().to_owned()));
                self.at = self.text.len();
                return Ok((out, None));
            };
            let mut before = &self.rest()[..n];
            let open = self.at + n + 2;
            let trim = self.text[open..].starts_with("- ");
            if trim {
                before = before.trim_end();
            }
            out.push(Node::Text(before.to_owned()));
            if !self.text[open..].contains("}}") {
                return Err(self.unread("unclosed action"));
            }
            self.at = open + usize::from(trim);
            self.space();
            if self.word("end") {
                self.close()?;
                return Ok((out, Some("end")));
            }
            if self.word("else") {
                self.close()?;
                return Ok((out, Some("else")));
            }
            let make = [("if", Node::If as fn(_, _, _) -> _), ("range", Node::Range), ("with", Node::With)];
            let block = make.into_iter().find(|(w, _)| self.word(w));
            let pipe = self.pipe()?;
            self.close()?;
            out.push(match block {
                None => Node::Action(pipe),
                Some((_, make)) => {
                    let (body, end) = self.nodes()?;
                    let other = match end {
                        Some("else") => self.nodes()?,
                        end => (Vec::new(), end),
                    };
                    if other.1 != Some("end") {
                        return Err(self.refuse());
                    }
                    make(pipe, body, other.0)
                }
            });
        }
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// A whole word that is next.
    fn word(&mut self, w: &str) -> bool {
        let next = self.rest().strip_prefix(w);
        let found = next.is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        if found {
            self.at += w.len();
            self.space();
        }
        found
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    /// `}}`, with or without `-` before it.
    fn close(&mut self) -> Result<(), Fault> {
        self.space();
        let trim = self.rest().starts_with("-}}");
        self.at += usize::from(trim);
        if !self.rest().starts_with("}}") {
            return Err(self.refuse());
        }
        self.at += 2;
        if trim {
            self.space();
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let n = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest().len());
        let name = self.rest()[..n].to_owned();
        self.at += n;
        name
    }

    /// `$a, $b :=`, if that is next.
    fn vars(&mut self) -> Vec<String> {
        let from = self.at;
        let mut vars = Vec::new();
        while self.take('$') {
            vars.push(self.name());
            self.space();
            if self.rest().starts_with(":=") {
                self.at += 2;
                return vars;
            }
            if !self.take(',') {
                break;
            }
            self.space();
        }
        self.at = from;
        Vec::new()
    }

    fn pipe(&mut self) -> Result<Pipe, Fault> {
        self.space();
        let vars = self.vars();
        let mut commands = vec![Vec::new()];
        loop {
            self.space();
            let rest = self.rest();
            if rest.starts_with("}}") || rest.starts_with("-}}") || rest.starts_with(')') {
                break;
            }
            if self.take('|') {
                commands.push(Vec::new());
                continue;
            }
            let term = self.term()?;
            if let Some(c) = commands.last_mut() {
                c.push(term);
            }
            if self.at >= self.text.len() {
                return Err(self.refuse());
            }
            break_if_stuck(self.text, self.at)?;
        }
        if commands.iter().any(Vec::is_empty) { Err(self.refuse()) } else { Ok(Pipe { vars, commands }) }
    }

    fn term(&mut self) -> Result<Term, Fault> {
        let from = self.at;
        let what = if self.take('(') {
            let pipe = self.pipe()?;
            if !self.take(')') {
                return Err(self.refuse());
            }
            What::Group(pipe)
        } else if self.take('$') {
            What::Var(self.name())
        } else if self.rest().starts_with('"') || self.rest().starts_with('`') {
            What::Literal(self.string()?)
        } else if self.rest().starts_with('.') {
            What::Dot
        } else {
            let name = self.name();
            match name.as_str() {
                "" => return Err(self.refuse()),
                "true" | "false" => What::Literal((name == "true").into()),
                "nil" => What::Literal(Value::Null),
                n if n.chars().all(|c| c.is_ascii_digit()) => {
                    What::Literal(n.parse::<u64>().map_err(|_| self.refuse())?.into())
                }
                n if FUNCTIONS.split_whitespace().any(|f| f == n) => What::Word(name),
                n => return Err(self.unread(&format!("function \"{n}\" not defined"))),
            }
        };
        let (mut fields, mut at) = (Vec::new(), from);
        while self.rest().starts_with('.') {
            at = if fields.len() < 2 { self.at } else { at };
            self.at += 1;
            let name = self.name();
            if name.is_empty() {
                break;
            }
            fields.push(name);
        }
        Ok(Term { what, fields, at })
    }

    fn string(&mut self) -> Result<Value, Fault> {
        let raw = self.take('`');
        if raw {
            let n = self.rest().find('`').ok_or_else(|| self.refuse())?;
            let text = self.rest()[..n].to_owned();
            self.at += n + 1;
            return Ok(text.into());
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let c = self.rest().chars().next().ok_or_else(|| self.refuse())?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out.into()),
                '\\' => {
                    let e = self.rest().chars().next().ok_or_else(|| self.refuse())?;
                    self.at += e.len_utf8();
                    out.push(match e {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    });
                }
                c => out.push(c),
            }
        }
    }
}

/// What follows an operand must be something that ends it.
fn break_if_stuck(text: &str, at: usize) -> Result<(), Fault> {
    let next = text[at..].chars().next();
    if next.is_some_and(|c| c.is_whitespace() || matches!(c, ')' | '|' | '}' | '-')) {
        return Ok(());
    }
    Err(Fault::Refused(Refusal::new(format!("the template {text}"), 0)))
}
