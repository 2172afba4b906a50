//! JSON as iproute2 writes it (lib/json_writer.c): on one line, or with `-p` indented in a way of its own.

use std::fmt::Write as _;

use serde_json::Value;

/// A value on one line, or over many with `pretty`; ends with a newline.
pub fn text(v: &Value, pretty: bool) -> String {
    let mut w = Writer { out: String::new(), pretty, depth: 0 };
    w.value(v);
    w.out.push('\n');
    w.out
}

struct Writer {
    out: String,
    pretty: bool,
    depth: usize,
}

impl Writer {
    fn line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.push_str(&"    ".repeat(self.depth));
        }
    }

    fn string(&mut self, s: &str) {
        self.out.push('"');
        for c in s.chars() {
            match c {
                '\t' => self.out.push_str("\\t"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\\' => self.out.push_str("\\\\"),
                '"' => self.out.push_str("\\\""),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn value(&mut self, v: &Value) {
        match v {
            Value::String(s) => self.string(s),
            // Timers are the only fractions that iproute2 prints.
            Value::Number(n) if n.is_f64() => {
                let _ = write!(self.out, "{:.2}", n.as_f64().unwrap_or_default());
            }
            Value::Array(a) => {
                self.out.push('[');
                self.depth += 1;
                if self.pretty {
                    self.out.push(' ');
                }
                for (i, x) in a.iter().enumerate() {
                    if i > 0 {
                        self.out.push(',');
                    }
                    self.value(x);
                }
                self.depth -= 1;
                if self.pretty && !a.is_empty() {
                    self.out.push(' ');
                }
                self.out.push(']');
            }
            Value::Object(o) => {
                self.out.push('{');
                self.depth += 1;
                for (i, (k, x)) in o.iter().enumerate() {
                    if i > 0 {
                        self.out.push(',');
                    }
                    self.line();
                    self.string(k);
                    self.out.push(':');
                    if self.pretty {
                        self.out.push(' ');
                    }
                    self.value(x);
                }
                self.depth -= 1;
                if !o.is_empty() {
                    self.line();
                }
                self.out.push('}');
            }
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }
}
