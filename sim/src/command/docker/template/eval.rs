//! A template at work (text/template/exec.go, funcs.go; docker/cli templates).

use serde_json::{Value, json};

use super::parse::{Node, Pipe, Term, What};
use super::{Fault, Of};
use crate::command::Refusal;
use crate::docker::Profile;

/// Maps whose keys are the user's: what is not in them is `<no value>`, and no error.
const MAPS: [&str; 7] = ["Labels", "Options", "Networks", "Ports", "ExposedPorts", "AuxiliaryAddresses", "Containers"];
/// Lists that JSON leaves out where they are empty.
const OMITTED: [&str; 2] = ["Peers", "Services"];
/// Texts that JSON leaves out where they are empty.
const BLANK: [&str; 7] = ["Gateway", "IPRange", "IPv4Address", "IPv6Address", "MacAddress", "StopSignal", "Subnet"];
/// Maps that JSON leaves out where they are empty: nil to Go.
const ABSENT: [&str; 1] = ["ExposedPorts"];
/// Fields that Go knows as lists, maps and pointers: what is printed of one that is nil.
const NIL: [(&str, &str); 30] = [
    ("Aliases", "[]"),
    ("Binds", "[]"),
    ("BlkioDeviceReadBps", "[]"),
    ("BlkioDeviceReadIOps", "[]"),
    ("BlkioDeviceWriteBps", "[]"),
    ("BlkioDeviceWriteIOps", "[]"),
    ("CapAdd", "[]"),
    ("CapDrop", "[]"),
    ("DNSNames", "[]"),
    ("Data", "map[]"),
    ("DeviceCgroupRules", "[]"),
    ("DeviceRequests", "[]"),
    ("DriverOpts", "map[]"),
    ("Entrypoint", "[]"),
    ("ExecIDs", "[]"),
    ("ExposedPorts", "map[]"),
    ("ExtraHosts", "[]"),
    ("GroupAdd", "[]"),
    ("IPAMConfig", "<nil>"),
    ("Links", "[]"),
    ("MaskedPaths", "[]"),
    ("MemorySwappiness", "<nil>"),
    ("OnBuild", "[]"),
    ("PidsLimit", "<nil>"),
    ("ReadonlyPaths", "[]"),
    ("SecurityOpt", "[]"),
    ("Sysctls", "map[]"),
    ("Ulimits", "[]"),
    ("Volumes", "map[]"),
    ("VolumesFrom", "[]"),
];
/// Fields that are structures to Go: printed without names.
const STRUCTS: [&str; 3] = ["GraphDriver", "LogConfig", "RestartPolicy"];
/// Fields that the engine has, and the model has not.
const UNMODELLED: [&str; 2] = ["Health", "StopTimeout"];

/// One run.
pub struct Run<'a> {
    /// The template, for refusals.
    pub text: &'a str,
    /// The whole that `$` stands for.
    pub root: &'a Value,
    /// What it is.
    pub of: Of,
    /// Variables, the innermost last.
    pub vars: Vec<(String, Value)>,
    /// What was written.
    pub out: String,
}

/// `{{if}}`: neither nothing, nor zero, nor empty.
fn truth(v: &Value) -> bool {
    match v {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(a) => !a.is_empty(),
        Value::Object(m) => !m.is_empty(),
    }
}

/// Structures inside others, by their fields in Go's order, each with what is printed where it is empty: up to 28, and since
/// 29, whose addresses are no texts (nat.PortBinding, network.IPAMConfig).
const INSIDE: [&[(&str, &str, &str)]; 2] = [
    &[("HostIp", "", "invalid IP"), ("HostPort", "", "")],
    &[
        ("Subnet", "", "invalid Prefix"),
        ("IPRange", "", "invalid Prefix"),
        ("Gateway", "", "invalid IP"),
        ("AuxiliaryAddresses", "map[]", "map[]"),
    ],
];

/// A value as `{{.}}` prints it, with the structures that are in it.
fn shown(v: &Value, of: Of) -> String {
    let Of::Json(profile) = of else { return plain(v) };
    let within = |v: &Value| if v.is_null() { "<nil>".into() } else { shown(v, of) };
    match v {
        Value::Array(a) => format!("[{}]", a.iter().map(within).collect::<Vec<_>>().join(" ")),
        Value::Object(m) => {
            let first = m.keys().next().map_or("", String::as_str);
            if let Some(fields) = INSIDE.iter().find(|f| f[0].0 == first) {
                let one = |(name, old, new): &(&str, &str, &str)| match m.get(*name) {
                    Some(Value::String(s)) if s.is_empty() && profile == Profile::V29 => (*new).to_owned(),
                    Some(v) => shown(v, of),
                    None if profile == Profile::V29 => (*new).to_owned(),
                    None => (*old).to_owned(),
                };
                return format!("{{{}}}", fields.iter().map(one).collect::<Vec<_>>().join(" "));
            }
            // A port is in a set, whose members are nothing.
            let ports = !m.is_empty() && m.keys().all(|k| k.contains('/')) && m.values().all(|v| *v == json!({}));
            let one = |(k, v): (&String, &Value)| format!("{k}:{}", if ports { "{}".to_owned() } else { within(v) });
            let mut pairs: Vec<String> = m.iter().map(one).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
        other => plain(other),
    }
}

/// A value as Go prints it, without its type.
pub fn plain(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        Value::Null => "<no value>".into(),
        Value::Array(a) => format!("[{}]", a.iter().map(inner).collect::<Vec<_>>().join(" ")),
        Value::Object(m) => {
            let mut pairs: Vec<String> = m.iter().map(|(k, v)| format!("{k}:{}", inner(v))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

/// A field that is nothing, or a structure, as its type prints it.
fn typed(p: &Pipe, v: &Value) -> Option<String> {
    let [terms] = p.commands.as_slice() else { return None };
    let [one] = terms.as_slice() else { return None };
    let name = one.fields.last()?;
    if let Value::Object(m) = v
        && STRUCTS.contains(&name.as_str())
    {
        let one = |(k, v): (&String, &Value)| match NIL.iter().find(|(n, _)| v.is_null() && n == k) {
            Some((_, text)) => (*text).to_owned(),
            None => inner(v),
        };
        return Some(format!("{{{}}}", m.iter().map(one).collect::<Vec<_>>().join(" ")));
    }
    NIL.iter().filter(|_| v.is_null()).find(|(n, _)| n == name).map(|(_, text)| (*text).to_owned())
}

/// A value inside another.
fn inner(v: &Value) -> String {
    if v.is_null() { "<nil>".into() } else { plain(v) }
}

impl Run<'_> {
    /// Everything that the tree writes.
    pub fn all(mut self, tree: &[Node], data: &Value) -> Result<String, Fault> {
        self.nodes(tree, data)?;
        Ok(self.out)
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), Fault> {
        nodes.iter().try_for_each(|n| self.node(n, dot))
    }

    fn node(&mut self, n: &Node, dot: &Value) -> Result<(), Fault> {
        let depth = self.vars.len();
        match n {
            Node::Text(t) => self.out.push_str(t),
            Node::Action(p) => {
                let v = self.pipe(p, dot)?;
                match p.vars.first() {
                    // It lasts to the end of what it stands in.
                    Some(name) => {
                        self.vars.push((name.clone(), v));
                        return Ok(());
                    }
                    None => self.out.push_str(&typed(p, &v).unwrap_or_else(|| shown(&v, self.of))),
                }
            }
            Node::If(p, yes, no) => {
                let v = self.bound(p, dot)?;
                self.nodes(if truth(&v) { yes } else { no }, dot)?;
            }
            Node::With(p, yes, no) => {
                let v = self.bound(p, dot)?;
                if truth(&v) { self.nodes(yes, &v)? } else { self.nodes(no, dot)? }
            }
            Node::Range(p, body, none) => self.range(p, body, none, dot)?,
        }
        self.vars.truncate(depth);
        Ok(())
    }

    fn bound(&mut self, p: &Pipe, dot: &Value) -> Result<Value, Fault> {
        let v = self.pipe(p, dot)?;
        if let Some(name) = p.vars.first() {
            self.vars.push((name.clone(), v.clone()));
        }
        Ok(v)
    }

    fn range(&mut self, p: &Pipe, body: &[Node], none: &[Node], dot: &Value) -> Result<(), Fault> {
        let mut items: Vec<(Value, Value)> = match self.pipe(p, dot)? {
            Value::Array(a) => a.into_iter().enumerate().map(|(i, v)| (i.into(), v)).collect(),
            Value::Object(m) => m.into_iter().map(|(k, v)| (k.into(), v)).collect(),
            Value::Null => Vec::new(),
            _ => return Err(self.refuse()),
        };
        // Go sorts the keys of a map.
        items.sort_by(|a, b| a.0.as_str().cmp(&b.0.as_str()));
        if items.is_empty() {
            return self.nodes(none, dot);
        }
        let depth = self.vars.len();
        for (k, v) in items {
            match p.vars.as_slice() {
                [] => {}
                [one] => self.vars.push((one.clone(), v.clone())),
                [key, value, ..] => {
                    self.vars.push((key.clone(), k));
                    self.vars.push((value.clone(), v.clone()));
                }
            }
            self.nodes(body, &v)?;
            self.vars.truncate(depth);
        }
        Ok(())
    }

    fn refuse(&self) -> Fault {
        Fault::Refused(Refusal::new(format!("the template {}", self.text), 0))
    }

    fn pipe(&mut self, p: &Pipe, dot: &Value) -> Result<Value, Fault> {
        let mut last = None;
        for c in &p.commands {
            last = Some(self.command(c, last, dot)?);
        }
        last.ok_or_else(|| self.refuse())
    }

    fn command(&mut self, terms: &[Term], last: Option<Value>, dot: &Value) -> Result<Value, Fault> {
        let Some((first, more)) = terms.split_first() else { return Err(self.refuse()) };
        let mut args = Vec::new();
        for t in more {
            args.push(self.term(t, dot)?);
        }
        args.extend(last);
        match &first.what {
            What::Word(name) => self.call(name, &args),
            // The one method that takes a word: `{{.Label "name"}}` of a row.
            What::Dot if first.fields == ["Label"] && args.len() == 1 => {
                let of = dot.get("labels").and_then(|l| l.get(plain(&args[0])));
                Ok(of.cloned().unwrap_or_else(|| "".into()))
            }
            _ if args.is_empty() => self.term(first, dot),
            _ => Err(self.refuse()),
        }
    }

    fn term(&mut self, t: &Term, dot: &Value) -> Result<Value, Fault> {
        let base = match &t.what {
            What::Dot => dot.clone(),
            What::Var(name) if name.is_empty() => self.root.clone(),
            What::Var(name) => {
                let v = self.vars.iter().rev().find(|(n, _)| n == name);
                v.map(|(_, v)| v.clone()).ok_or_else(|| self.refuse())?
            }
            What::Literal(v) => v.clone(),
            What::Word(name) => self.call(name, &[])?,
            What::Group(p) => self.pipe(p, dot)?,
        };
        self.fields(base, t)
    }

    fn fields(&self, base: Value, t: &Term) -> Result<Value, Fault> {
        let mut v = base;
        let mut inside = "";
        for name in &t.fields {
            let found = v.get(name).or_else(|| v.get("Id").filter(|_| name == "ID")).cloned();
            v = match found {
                Some(v) => v,
                // What a map has not is nothing, and so are its fields.
                None if MAPS.contains(&inside) => return Ok(Value::Null),
                None if BLANK.contains(&name.as_str()) && matches!(self.of, Of::Json(_)) => "".into(),
                None if ABSENT.contains(&name.as_str()) && matches!(self.of, Of::Json(_)) => Value::Null,
                None if OMITTED.contains(&name.as_str()) && matches!(self.of, Of::Json(_)) => Value::Array(Vec::new()),
                None => return Err(self.missing(t, name)),
            };
            inside = name;
        }
        Ok(v)
    }

    fn missing(&self, t: &Term, name: &str) -> Fault {
        if UNMODELLED.contains(&name) {
            return Fault::Refused(Refusal::new(format!("the field {name} of a template"), 0));
        }
        let var = match &t.what {
            What::Var(n) => format!("${n}"),
            _ => String::new(),
        };
        let path = format!("{var}.{}", t.fields.join("."));
        let why = match self.of {
            Of::Json(_) => format!("map has no entry for key \"{name}\""),
            Of::Row(kind) => format!("can't evaluate field {name} in type {kind}"),
        };
        Fault::Said(format!("template: :1:{}: executing \"\" at <{path}>: {why}", t.at))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, Fault> {
        let text = |i: usize| args.get(i).map(plain).unwrap_or_default();
        Ok(match (name, args) {
            // A row's `labels` are the model's own.
            ("json", [Value::Object(m)]) if matches!(self.of, Of::Row(_)) => {
                let mut m = m.clone();
                m.shift_remove("labels");
                Value::Object(m).to_string().into()
            }
            ("json", [v]) => v.to_string().into(),
            ("len", [v]) => match v {
                Value::Array(a) => a.len().into(),
                Value::Object(m) => m.len().into(),
                Value::String(s) => s.len().into(),
                _ => return Err(self.refuse()),
            },
            ("index", [v, keys @ ..]) => keys.iter().try_fold(v.clone(), |v, k| self.index(&v, k))?,
            ("not", [v]) => (!truth(v)).into(),
            ("and", [_, ..]) => args.iter().find(|v| !truth(v)).unwrap_or(&args[args.len() - 1]).clone(),
            ("or", [_, ..]) => args.iter().find(|v| truth(v)).unwrap_or(&args[args.len() - 1]).clone(),
            ("eq", [a, rest @ ..]) => rest.iter().any(|b| a == b).into(),
            ("ne", [a, b]) => (a != b).into(),
            ("lt" | "le" | "gt" | "ge", [a, b]) => self.compare(name, a, b)?,
            ("print", _) => args.iter().map(plain).collect::<String>().into(),
            ("println", _) => format!("{}\n", args.iter().map(plain).collect::<Vec<_>>().join(" ")).into(),
            ("printf", [Value::String(f), rest @ ..]) => self.printf(f, rest)?,
            ("join", [Value::Array(a), Value::String(by)]) => a.iter().map(plain).collect::<Vec<_>>().join(by).into(),
            ("split", [Value::String(s), Value::String(by)]) => {
                Value::Array(s.split(by.as_str()).map(Value::from).collect())
            }
            ("lower", [_]) => text(0).to_lowercase().into(),
            ("upper", [_]) => text(0).to_uppercase().into(),
            ("title", [_]) => {
                let mut up = true;
                let turn = |c: char| {
                    let begins = std::mem::replace(&mut up, !c.is_alphanumeric());
                    if begins { c.to_ascii_uppercase() } else { c }
                };
                text(0).chars().map(turn).collect::<String>().into()
            }
            ("truncate", [Value::String(s), Value::Number(n)]) => {
                let n = usize::try_from(n.as_u64().unwrap_or(0)).unwrap_or(0);
                s.chars().take(n).collect::<String>().into()
            }
            ("pad", [Value::String(s), Value::Number(a), Value::Number(b)]) if !s.is_empty() => {
                let many = |n: &serde_json::Number| " ".repeat(usize::try_from(n.as_u64().unwrap_or(0)).unwrap_or(0));
                format!("{}{s}{}", many(a), many(b)).into()
            }
            ("pad", [Value::String(_), ..]) => "".into(),
            _ => return Err(self.refuse()),
        })
    }

    fn index(&self, v: &Value, key: &Value) -> Result<Value, Fault> {
        match (v, key) {
            (Value::Array(a), Value::Number(n)) => {
                let i = usize::try_from(n.as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
                a.get(i).cloned().ok_or_else(|| self.refuse())
            }
            // A map gives the zero of its kind.
            (Value::Object(m), Value::String(k)) => {
                let zero = if m.values().all(Value::is_string) { "".into() } else { Value::Null };
                Ok(m.get(k).cloned().unwrap_or(zero))
            }
            _ => Err(self.refuse()),
        }
    }

    fn compare(&self, name: &str, a: &Value, b: &Value) -> Result<Value, Fault> {
        let order = match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            _ => None,
        };
        let o = order.ok_or_else(|| self.refuse())?;
        Ok(match name {
            "lt" => o.is_lt(),
            "le" => o.is_le(),
            "gt" => o.is_gt(),
            _ => o.is_ge(),
        }
        .into())
    }

    /// `%s`, `%v`, `%d` and `%q`, with a width.
    fn printf(&self, format: &str, args: &[Value]) -> Result<Value, Fault> {
        let (mut out, mut args) = (String::new(), args.iter());
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let n = after.find(|c: char| c != '-' && !c.is_ascii_digit()).ok_or_else(|| self.refuse())?;
            let (width, verb) = (&after[..n], after[n..].chars().next().unwrap_or('%'));
            rest = &after[n + verb.len_utf8()..];
            let text = match verb {
                '%' => "%".to_owned(),
                's' | 'v' | 'd' => args.next().map(plain).ok_or_else(|| self.refuse())?,
                'q' => format!("{:?}", args.next().map(plain).ok_or_else(|| self.refuse())?),
                _ => return Err(self.refuse()),
            };
            let w = width.trim_start_matches('-').parse().unwrap_or(0);
            out.push_str(&if width.starts_with('-') { format!("{text:<w$}") } else { format!("{text:>w$}") });
        }
        out.push_str(rest);
        Ok(out.into())
    }
}
