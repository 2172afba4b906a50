//! The part of Go's templates that is used with `--format`: fields, `json`, `range`.

use serde_json::Value;

use super::super::Refusal;

/// Fills a template.
///
/// # Errors
/// What the model's templates have not.
pub fn fill(text: &str, data: &Value) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((action, tail)) = after.split_once("}}") else {
            return Err(Refusal::new(format!("the template {text}"), 0));
        };
        rest = tail;
        let action = action.trim().trim_matches('-').trim();
        if let Some(what) = action.strip_prefix("range ") {
            let Some((body, tail)) = rest.split_once("{{end}}") else {
                return Err(Refusal::new(format!("the template {text}"), 0));
            };
            rest = tail;
            let vars: Vec<&str> = what.split(":=").collect();
            let path = vars.last().map_or("", |v| v.trim());
            if vars.len() > 1 {
                return Err(Refusal::new(format!("the template {action}"), 0));
            }
            let list: Vec<&Value> = match get(data, path) {
                Some(Value::Array(a)) => a.iter().collect(),
                Some(Value::Object(m)) => m.values().collect(),
                _ => Vec::new(),
            };
            for v in list {
                out.push_str(&fill(body, v)?);
            }
            continue;
        }
        out.push_str(&value(action, data)?);
    }
    out.push_str(rest);
    Ok(out.replace("\\t", "\t").replace("\\n", "\n"))
}

fn value(action: &str, data: &Value) -> Result<String, Refusal> {
    if let Some(path) = action.strip_prefix("json ") {
        return Ok(get(data, path.trim()).map_or_else(|| "null".to_owned(), Value::to_string));
    }
    if let Some(s) = action.strip_prefix('"').and_then(|a| a.strip_suffix('"')) {
        return Ok(s.to_owned());
    }
    if let Some(args) = action.strip_prefix("index ") {
        let (path, key) = args.split_once(' ').unwrap_or((args, ""));
        let v = get(data, path).and_then(|v| v.get(key.trim().trim_matches('"')));
        return Ok(v.map(plain).unwrap_or_default());
    }
    if !action.starts_with('.') || action.contains(' ') {
        return Err(Refusal::new(format!("the template {{{{{action}}}}}"), 0));
    }
    Ok(get(data, action).map_or_else(|| "<no value>".to_owned(), plain))
}

fn get<'v>(data: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').filter(|p| !p.is_empty()).try_fold(data, |v, key| v.get(key))
}

fn plain(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        Value::Null => "<nil>".into(),
        Value::Array(a) => format!("[{}]", a.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(m) => {
            let pairs: Vec<String> = m.iter().map(|(k, v)| format!("{k}:{}", plain(v))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}
