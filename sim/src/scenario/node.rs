//! YAML as a tree in which every value knows its line and column. The only file that knows the YAML crate.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::{At, Issue};

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub at: At,
    /// The value.
    pub value: Value,
    /// A number or boolean: its text is what stands in the file.
    pub typed: bool,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// Text, number or boolean.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in order; a key with its place.
    Map(Vec<(String, At, Node)>),
}

impl Node {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

enum Raw {
    Null,
    Text(String),
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Raw, D::Error> {
        Raw::deserialize(d)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(v.to_string()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(x) = seq.next_element::<Spanned<Raw>>()? {
            out.push(x);
        }
        Ok(Raw::List(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(k) = map.next_key::<Spanned<String>>()? {
            out.push((k, map.next_value::<Spanned<Raw>>()?));
        }
        Ok(Raw::Map(out))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Raw, D::Error> {
        d.deserialize_any(RawVisitor)
    }
}

fn at(l: &Location) -> At {
    At { line: l.line().max(1) as usize, column: l.column().max(1) as usize }
}

fn node(src: &str, raw: Spanned<Raw>) -> Node {
    let here = at(&raw.referenced);
    let mut typed = false;
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(t) => Value::Scalar(t),
        Raw::Typed(t) => {
            typed = true;
            let span = raw.defined.span();
            let (from, len) = (span.byte_offset().unwrap_or(0) as usize, span.byte_len().unwrap_or(0) as usize);
            let text = src.get(from..from + len).map(str::trim).filter(|x| !x.is_empty());
            Value::Scalar(text.map_or(t, str::to_owned))
        }
        Raw::List(l) => Value::List(l.into_iter().map(|x| node(src, x)).collect()),
        Raw::Map(m) => Value::Map(m.into_iter().map(|(k, v)| (k.value, at(&k.referenced), node(src, v))).collect()),
    };
    Node { at: here, value, typed }
}

/// Where a text has a NUL character.
fn nul(n: &Node) -> Option<At> {
    match &n.value {
        Value::Scalar(t) => t.contains('\0').then_some(n.at),
        Value::List(l) => l.iter().find_map(nul),
        Value::Map(m) => m.iter().find_map(|(k, at, x)| if k.contains('\0') { Some(*at) } else { nul(x) }),
        Value::Null => None,
    }
}

/// Reads YAML.
///
/// # Errors
/// The first error of syntax.
pub fn parse(src: &str) -> Result<Node, Issue> {
    let raw: Result<Spanned<Raw>, _> = serde_saphyr::from_str(src);
    match raw {
        Ok(r) => {
            let n = node(src, r);
            match nul(&n) {
                Some(at) => Err(Issue {
                    line: at.line,
                    column: at.column,
                    what: "a NUL character".into(),
                    help: "no command line, name or file of text has one: leave it out".into(),
                }),
                None => Ok(n),
            }
        }
        Err(e) => {
            let place = e.location().map(|l| at(&l)).unwrap_or(At { line: 1, column: 1 });
            let text = e.without_snippet().to_string();
            let what = text.lines().next().unwrap_or("this is no YAML").trim().to_owned();
            let twice = what.strip_prefix("duplicate mapping key: ").and_then(|w| w.split_once(", set "));
            if let Some((key, _)) = twice {
                return Err(Issue {
                    line: place.line,
                    column: place.column,
                    what: format!("the key `{key}` stands there twice"),
                    help: "keep one of them, or give the other another name".into(),
                });
            }
            if what.starts_with("multiple YAML documents") {
                return Err(Issue {
                    line: place.line,
                    column: place.column,
                    what: "a second document begins: a file is one scenario".into(),
                    help: "take the line `---` out, or put what follows it into a file of its own".into(),
                });
            }
            Err(Issue {
                line: place.line,
                column: place.column,
                what: format!("this is no YAML: {what}"),
                help: "check the indentation, quotes, and that a text with \": \" or \" #\" in it stands in quotes"
                    .into(),
            })
        }
    }
}
