//! What a probe tells, less what two runs do not share.

use serde_json::Value;

use super::super::patterns::replaced;

/// Rule hits: the ports of an engine's name server in a container are any.
pub fn resolver_ports(hits: &Value) -> Value {
    let text = replaced(&hits.to_string(), r"(127\.0\.0\.11:|127\.0\.0\.11/32 -p \w+ -m \w+ --sport )\d+", "${1}P");
    serde_json::from_str(&text).unwrap_or_default()
}

/// How a name was found: a name server tells several addresses in any order.
pub fn any_order(mut how: Value) -> Value {
    for q in how["queries"].as_array_mut().into_iter().flatten() {
        if let Some(a) = q["answers"].as_array_mut() {
            a.sort_by_key(ToString::to_string);
        }
    }
    how
}

/// A port that a server saw, where it is not the probe's own.
pub fn seen(v: &Value, sport: &Value) -> Value {
    match v.as_str().and_then(|s| s.rsplit_once(':')) {
        Some((ip, port)) if sport.as_u64().is_none_or(|s| s.to_string() != port) => format!("{ip}:P").into(),
        _ => v.clone(),
    }
}
