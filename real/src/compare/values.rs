//! Differences between two JSON values, as text.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::recording::list;

/// Every place where two values differ; lists are compared in order.
pub fn diff(path: &str, a: &Value, b: &Value, out: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys: BTreeSet<&String> = x.keys().chain(y.keys()).collect();
            for k in keys {
                let (a, b) = (x.get(k).unwrap_or(&Value::Null), y.get(k).unwrap_or(&Value::Null));
                diff(&format!("{path}.{k}"), a, b, out);
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            for (i, (a, b)) in x.iter().zip(y).enumerate() {
                let name = a["ifname"].as_str().map_or_else(|| i.to_string(), str::to_owned);
                diff(&format!("{path}.{name}"), a, b, out);
            }
        }
        _ if a != b => out.push(format!("{:<24} expected {a}  got {b}", path.trim_start_matches('.'))),
        _ => {}
    }
}

/// What two sets do not share; `gone`: an entry that may be on the right alone.
pub fn sets(a: &Value, b: &Value, gone: &dyn Fn(&Value) -> bool, out: &mut Vec<String>) {
    let (mut missing, mut extra): (Vec<&Value>, Vec<&Value>) = (Vec::new(), list(b).iter().collect());
    for x in list(a) {
        match extra.iter().position(|y| *y == x) {
            Some(i) => drop(extra.remove(i)),
            None => missing.push(x),
        }
    }
    for x in missing {
        // A device on both sides: only what differs about it.
        let same = |y: &&Value| x["ifname"].is_string() && x["mac"].is_null() && x["ifname"] == y["ifname"];
        match extra.iter().position(same) {
            Some(i) => diff(x["ifname"].as_str().unwrap_or(""), x, extra.remove(i), out),
            None => out.push(format!("missing {x}")),
        }
    }
    out.extend(extra.into_iter().filter(|y| !gone(y)).map(|y| format!("  extra {y}")));
}
