//! `awk`, a small honest part of it: `PATTERN {print …}`, `BEGIN`, `END`, fields, `NR`, `NF`,
//! variables given by `-v` or assigned, comparisons, `~`, `&&`, `||`, `!`, `+ - * /`, concatenation.

use std::collections::BTreeMap;

use super::grep::regex;
use super::text::{inputs, lines};
use super::{Exit, Proc, Refusal};

#[derive(Clone, Debug, PartialEq)]
enum Tok {
    Num(f64),
    Str(String),
    Re(String),
    Name(String),
    Op(&'static str),
}

#[derive(Debug)]
enum Expr {
    Num(f64),
    Str(String),
    Re(String),
    Var(String),
    Field(Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Bin(&'static str, Box<Expr>, Box<Expr>),
    Set(&'static str, Box<Expr>, Box<Expr>),
    Length(Box<Expr>),
}

#[derive(Debug)]
enum Stmt {
    Print(Vec<Expr>),
    Printf(Vec<Expr>),
    Expr(Expr),
    Next,
    Exit,
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    Block(Vec<Stmt>),
}

enum Pattern {
    Begin,
    End,
    Always,
    When(Expr),
}

const OPS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "!~", "++", "--", "+=", "-=", "{", "}", "(", ")", "$", ",", ";", "~", "<", ">",
    "!", "+", "-", "*", "/", "%", "=",
];

fn lex(text: &str) -> Result<Vec<Tok>, String> {
    let c: Vec<char> = text.chars().collect();
    let (mut out, mut i): (Vec<Tok>, usize) = (Vec::new(), 0);
    while i < c.len() {
        let ch = c[i];
        if ch == '\n' {
            out.push(Tok::Op(";"));
            i += 1;
        } else if ch.is_whitespace() {
            i += 1;
        } else if ch.is_ascii_digit() || (ch == '.' && c.get(i + 1).is_some_and(char::is_ascii_digit)) {
            let t: String = c[i..].iter().take_while(|x| x.is_ascii_digit() || **x == '.').collect();
            i += t.len();
            out.push(Tok::Num(t.parse().map_err(|_| format!("the number {t}"))?));
        } else if ch == '"' || (ch == '/' && !matches!(out.last(), Some(Tok::Num(_) | Tok::Name(_) | Tok::Op(")")))) {
            let mut t = String::new();
            i += 1;
            while i < c.len() && c[i] != ch {
                if c[i] == '\\' && i + 1 < c.len() {
                    if c[i + 1] != '/' || ch != '/' {
                        t.push('\\');
                    }
                    i += 1;
                }
                t.push(c[i]);
                i += 1;
            }
            if i >= c.len() {
                return Err(format!("an unterminated {ch}"));
            }
            i += 1;
            out.push(if ch == '"' { Tok::Str(super::text::escapes(&t)) } else { Tok::Re(t) });
        } else if ch.is_alphabetic() || ch == '_' {
            let t: String = c[i..].iter().take_while(|x| x.is_alphanumeric() || **x == '_').collect();
            i += t.chars().count();
            out.push(Tok::Name(t));
        } else {
            let op = OPS.iter().find(|o| o.chars().enumerate().all(|(k, x)| c.get(i + k) == Some(&x)));
            let op = op.ok_or_else(|| format!("the character {ch}"))?;
            i += op.len();
            out.push(Tok::Op(op));
        }
    }
    Ok(out)
}

struct Parser {
    t: Vec<Tok>,
    i: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self, op: &str) -> bool {
        matches!(self.t.get(self.i), Some(Tok::Op(o)) if *o == op)
    }

    fn eat(&mut self, op: &str) -> bool {
        let yes = self.peek(op);
        self.i += usize::from(yes);
        yes
    }

    fn need(&mut self, op: &str) -> Result<(), String> {
        if self.eat(op) { Ok(()) } else { Err(format!("a program without the expected {op}")) }
    }

    fn word(&mut self, w: &str) -> bool {
        let yes = matches!(self.t.get(self.i), Some(Tok::Name(n)) if n == w);
        self.i += usize::from(yes);
        yes
    }

    fn program(&mut self) -> Result<Vec<(Pattern, Stmt)>, String> {
        let mut out = Vec::new();
        while self.i < self.t.len() {
            if self.eat(";") {
                continue;
            }
            let pat = if self.word("BEGIN") {
                Pattern::Begin
            } else if self.word("END") {
                Pattern::End
            } else if self.peek("{") {
                Pattern::Always
            } else {
                Pattern::When(self.expr()?)
            };
            let body = if self.peek("{") { self.block()? } else { Stmt::Print(Vec::new()) };
            out.push((pat, body));
        }
        Ok(out)
    }

    fn block(&mut self) -> Result<Stmt, String> {
        self.need("{")?;
        let mut list = Vec::new();
        while !self.eat("}") {
            if self.i >= self.t.len() {
                return Err("a program without the expected }".into());
            }
            if !self.eat(";") {
                list.push(self.stmt()?);
            }
        }
        Ok(Stmt::Block(list))
    }

    fn stmt(&mut self) -> Result<Stmt, String> {
        self.depth += 1;
        if self.depth > 40 {
            return Err("a program nested too deeply".into());
        }
        let r = self.stmt_inner();
        self.depth -= 1;
        r
    }

    fn stmt_inner(&mut self) -> Result<Stmt, String> {
        if self.peek("{") {
            return self.block();
        }
        if self.word("next") {
            return Ok(Stmt::Next);
        }
        if self.word("exit") {
            return Ok(Stmt::Exit);
        }
        if self.word("if") {
            self.need("(")?;
            let c = self.expr()?;
            self.need(")")?;
            let then = Box::new(self.stmt()?);
            let saved = self.i;
            while self.eat(";") {}
            let other = if self.word("else") {
                Some(Box::new(self.stmt()?))
            } else {
                self.i = saved;
                None
            };
            return Ok(Stmt::If(c, then, other));
        }
        for (word, f) in [("print", false), ("printf", true)] {
            if self.word(word) {
                let mut list = Vec::new();
                while !self.peek(";") && !self.peek("}") && self.i < self.t.len() {
                    list.push(self.no_redirect()?);
                    if !self.eat(",") {
                        break;
                    }
                }
                return Ok(if f { Stmt::Printf(list) } else { Stmt::Print(list) });
            }
        }
        Ok(Stmt::Expr(self.expr()?))
    }

    fn no_redirect(&mut self) -> Result<Expr, String> {
        // In `print a > b` the > would be a redirection, which is not modelled.
        let e = self.concat()?;
        if self.peek(">") { Err("print > file".into()) } else { Ok(e) }
    }

    fn expr(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > 40 {
            return Err("a program nested too deeply".into());
        }
        let left = self.or()?;
        for op in ["=", "+=", "-="] {
            if self.eat(op) {
                if !matches!(left, Expr::Var(_) | Expr::Field(_)) {
                    return Err("an assignment to something else than a variable".into());
                }
                let op = OPS.iter().find(|o| **o == op).copied().unwrap_or("=");
                let e = Expr::Set(op, Box::new(left), Box::new(self.expr()?));
                self.depth -= 1;
                return Ok(e);
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    fn chain(&mut self, ops: &[&'static str], next: fn(&mut Self) -> Result<Expr, String>) -> Result<Expr, String> {
        let mut left = next(self)?;
        'more: loop {
            for op in ops {
                if self.eat(op) {
                    left = Expr::Bin(op, Box::new(left), Box::new(next(self)?));
                    continue 'more;
                }
            }
            return Ok(left);
        }
    }

    fn or(&mut self) -> Result<Expr, String> {
        self.chain(&["||"], |s| s.chain(&["&&"], |s| s.chain(&["~", "!~"], |s| s.compare())))
    }

    fn compare(&mut self) -> Result<Expr, String> {
        self.chain(&["==", "!=", "<=", ">=", "<", ">"], Self::concat)
    }

    fn concat(&mut self) -> Result<Expr, String> {
        let mut left = self.sum()?;
        while matches!(self.t.get(self.i), Some(Tok::Num(_) | Tok::Str(_) | Tok::Op("$" | "(")))
            || matches!(self.t.get(self.i), Some(Tok::Name(n)) if !matches!(n.as_str(), "else" | "in"))
        {
            left = Expr::Bin("cat", Box::new(left), Box::new(self.sum()?));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, String> {
        self.chain(&["+", "-"], |s| s.chain(&["*", "/", "%"], Self::unary))
    }

    fn unary(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > 40 {
            return Err("a program nested too deeply".into());
        }
        let e = if self.eat("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.eat("-") {
            Expr::Neg(Box::new(self.unary()?))
        } else {
            self.atom()?
        };
        self.depth -= 1;
        Ok(e)
    }

    fn atom(&mut self) -> Result<Expr, String> {
        let t = self.t.get(self.i).cloned().ok_or("a program that ends too early")?;
        self.i += 1;
        let e = match t {
            Tok::Num(n) => Expr::Num(n),
            Tok::Str(s) => Expr::Str(s),
            Tok::Re(r) => Expr::Re(r),
            Tok::Op("(") => {
                let e = self.expr()?;
                self.need(")")?;
                e
            }
            Tok::Op("$") => Expr::Field(Box::new(self.unary()?)),
            Tok::Name(n) if n == "length" => {
                if self.eat("(") {
                    let e = if self.peek(")") { Expr::Field(Box::new(Expr::Num(0.0))) } else { self.expr()? };
                    self.need(")")?;
                    Expr::Length(Box::new(e))
                } else {
                    Expr::Length(Box::new(Expr::Field(Box::new(Expr::Num(0.0)))))
                }
            }
            Tok::Name(n)
                if self.peek("(") || ["for", "while", "do", "function", "getline", "delete"].contains(&n.as_str()) =>
            {
                return Err(n);
            }
            Tok::Name(n) => Expr::Var(n),
            Tok::Op(o) => return Err(format!("the program near {o}")),
        };
        if self.eat("++") {
            return Ok(Expr::Set("+=", Box::new(e), Box::new(Expr::Num(1.0))));
        }
        Ok(e)
    }
}

struct Run {
    vars: BTreeMap<String, String>,
    fields: Vec<String>,
    line: String,
    out: String,
}

fn num(t: &str) -> f64 {
    let t = t.trim();
    let end = t
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '-' | '+'))))
        .map_or(t.len(), |x| x.0);
    t[..end].parse().unwrap_or(0.0)
}

fn show(n: f64) -> String {
    if n == n.trunc() && n.abs() < 1e16 {
        format!("{}", n as i64)
    } else {
        format!("{n:.6}").trim_end_matches('0').to_owned()
    }
}

enum Stop {
    Next,
    Exit,
}

impl Run {
    fn text(&self, e: &Expr) -> Result<String, String> {
        Ok(match e {
            Expr::Str(s) => s.clone(),
            Expr::Var(n) => self.vars.get(n).cloned().unwrap_or_default(),
            Expr::Field(i) => {
                let i = num(&self.text(i)?) as usize;
                if i == 0 { self.line.clone() } else { self.fields.get(i - 1).cloned().unwrap_or_default() }
            }
            Expr::Num(n) => show(*n),
            Expr::Bin("cat", a, b) => format!("{}{}", self.text(a)?, self.text(b)?),
            Expr::Bin(op, a, b) if matches!(*op, "+" | "-" | "*" | "/" | "%") => {
                let (a, b) = (num(&self.text(a)?), num(&self.text(b)?));
                show(match *op {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    "/" if b == 0.0 => return Err("division by zero".into()),
                    "/" => a / b,
                    _ => a % b,
                })
            }
            Expr::Neg(a) => show(-num(&self.text(a)?)),
            Expr::Length(a) => self.text(a)?.chars().count().to_string(),
            Expr::Set(..) => return Err("an assignment inside an expression".into()),
            e => i32::from(self.truth(e)?).to_string(),
        })
    }

    fn truth(&self, e: &Expr) -> Result<bool, String> {
        Ok(match e {
            Expr::Re(r) => regex(r, true, false)?.is_match(&self.line),
            Expr::Not(a) => !self.truth(a)?,
            Expr::Bin("&&", a, b) => self.truth(a)? && self.truth(b)?,
            Expr::Bin("||", a, b) => self.truth(a)? || self.truth(b)?,
            Expr::Bin(op, a, b) if matches!(*op, "~" | "!~") => {
                let re = match b.as_ref() {
                    Expr::Re(r) => r.clone(),
                    b => self.text(b)?,
                };
                regex(&re, true, false)?.is_match(&self.text(a)?) == (*op == "~")
            }
            Expr::Bin(op, a, b) if matches!(*op, "==" | "!=" | "<" | ">" | "<=" | ">=") => {
                let (x, y) = (self.text(a)?, self.text(b)?);
                let literal = |e: &Expr| matches!(e, Expr::Str(_));
                let numeric = |t: &str| t.trim().parse::<f64>().is_ok();
                let o = if !literal(a) && !literal(b) && numeric(&x) && numeric(&y) {
                    num(&x).partial_cmp(&num(&y)).unwrap_or(std::cmp::Ordering::Equal)
                } else {
                    x.cmp(&y)
                };
                match *op {
                    "==" => o.is_eq(),
                    "!=" => o.is_ne(),
                    "<" => o.is_lt(),
                    ">" => o.is_gt(),
                    "<=" => o.is_le(),
                    _ => o.is_ge(),
                }
            }
            Expr::Str(s) => !s.is_empty(),
            e => {
                let t = self.text(e)?;
                if t.trim().parse::<f64>().is_ok() { num(&t) != 0.0 } else { !t.is_empty() }
            }
        })
    }

    fn stmt(&mut self, s: &Stmt) -> Result<Option<Stop>, String> {
        match s {
            Stmt::Print(list) => {
                let parts: Result<Vec<String>, String> = list.iter().map(|e| self.text(e)).collect();
                let sep = self.vars.get("OFS").cloned().unwrap_or_else(|| " ".into());
                let line = if list.is_empty() { self.line.clone() } else { parts?.join(&sep) };
                self.out.push_str(&line);
                self.out.push('\n');
            }
            Stmt::Printf(list) => {
                let parts: Result<Vec<String>, String> = list.iter().map(|e| self.text(e)).collect();
                let mut parts = parts?.into_iter();
                let format = parts.next().unwrap_or_default();
                let mut rest = format.as_str();
                while let Some(at) = rest.find('%') {
                    self.out.push_str(&rest[..at]);
                    match rest[at + 1..].chars().next() {
                        Some('s') => self.out.push_str(&parts.next().unwrap_or_default()),
                        Some('d' | 'i') => {
                            self.out.push_str(&(num(&parts.next().unwrap_or_default()) as i64).to_string())
                        }
                        Some('%') => self.out.push('%'),
                        other => return Err(format!("printf %{}", other.map(String::from).unwrap_or_default())),
                    }
                    rest = &rest[at + 2..];
                }
                self.out.push_str(rest);
            }
            Stmt::Expr(Expr::Set(op, to, e)) => {
                let mut v = self.text(e)?;
                if *op != "=" {
                    let old = num(&self.text(to)?);
                    v = show(if *op == "+=" { old + num(&v) } else { old - num(&v) });
                }
                match to.as_ref() {
                    Expr::Var(n) => {
                        self.vars.insert(n.clone(), v);
                    }
                    Expr::Field(i) => {
                        let i = num(&self.text(i)?) as usize;
                        if !(1..=1024).contains(&i) {
                            return Err("an assignment to this field".into());
                        }
                        if self.fields.len() < i {
                            self.fields.resize(i, String::new());
                        }
                        self.fields[i - 1] = v;
                        self.line = self.fields.join(" ");
                    }
                    _ => return Err("this assignment".into()),
                }
            }
            Stmt::Expr(e) => {
                self.text(e)?;
            }
            Stmt::Next => return Ok(Some(Stop::Next)),
            Stmt::Exit => return Ok(Some(Stop::Exit)),
            Stmt::If(c, a, b) => {
                if self.truth(c)? {
                    return self.stmt(a);
                }
                if let Some(b) = b {
                    return self.stmt(b);
                }
            }
            Stmt::Block(list) => {
                for s in list {
                    if let Some(stop) = self.stmt(s)? {
                        return Ok(Some(stop));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// Runs it.
///
/// # Errors
/// Options and parts of the language that are not modelled.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut r = Run { vars: BTreeMap::new(), fields: Vec::new(), line: String::new(), out: String::new() };
    let mut i = 1;
    while i < argv.len() && argv[i].starts_with('-') && argv[i].len() > 1 {
        let (flag, rest) = (argv[i].chars().nth(1), argv[i].chars().skip(2).collect::<String>());
        let value = if rest.is_empty() {
            i += 1;
            argv.get(i).cloned().unwrap_or_default()
        } else {
            rest
        };
        match flag {
            Some('F') => {
                r.vars.insert("FS".into(), super::text::escapes(&value));
            }
            Some('v') => {
                let (n, v) = value.split_once('=').unwrap_or((&value, ""));
                r.vars.insert(n.to_owned(), v.to_owned());
            }
            _ => return Err(Refusal::new(format!("awk {}", argv[i.min(argv.len() - 1)]), i)),
        }
        i += 1;
    }
    let Some(text) = argv.get(i) else {
        p.err.push_str("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]\n");
        return Ok(2);
    };
    let no = |what: String| Refusal::new(format!("awk: {what}"), i);
    let program = Parser { t: lex(text).map_err(no)?, i: 0, depth: 0 }.program().map_err(no)?;
    for (_, s) in program.iter().filter(|(x, _)| matches!(x, Pattern::Begin)) {
        r.stmt(s).map_err(no)?;
    }
    let (texts, status) = inputs(p, "awk", &argv[i + 1..]);
    let mut n = 0;
    let fs = r.vars.get("FS").cloned().unwrap_or_else(|| " ".into());
    let splitter = if fs.len() > 1 { Some(regex(&fs, true, false).map_err(no)?) } else { None };
    'lines: for l in texts.iter().flat_map(|(_, t)| lines(t)) {
        n += 1;
        r.fields = match &splitter {
            Some(re) => re.split(l).map(str::to_owned).collect(),
            None if fs == " " => l.split_whitespace().map(str::to_owned).collect(),
            None => l.split(&fs).map(str::to_owned).collect(),
        };
        l.clone_into(&mut r.line);
        r.vars.insert("NR".into(), n.to_string());
        r.vars.insert("NF".into(), r.fields.len().to_string());
        for (pat, s) in &program {
            let hit = match pat {
                Pattern::Always => true,
                Pattern::When(e) => r.truth(e).map_err(no)?,
                _ => false,
            };
            if hit {
                match r.stmt(s).map_err(no)? {
                    Some(Stop::Next) => break,
                    Some(Stop::Exit) => break 'lines,
                    None => {}
                }
            }
        }
    }
    for (_, s) in program.iter().filter(|(x, _)| matches!(x, Pattern::End)) {
        r.stmt(s).map_err(no)?;
    }
    p.out.push_str(&r.out);
    Ok(if status == 0 { 0 } else { 2 })
}
