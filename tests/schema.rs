//! The library against the JSON Schema that `packetwalk schema` prints.

use std::path::Path;

use serde_json::Value;

/// YAML as JSON, by the reader that the scenarios go through.
fn json(n: &packetwalk_sim::scenario::node::Node) -> Value {
    use packetwalk_sim::scenario::node::Value as V;
    match &n.value {
        V::Null => Value::Null,
        V::Scalar(t) if n.typed => serde_json::from_str(t).unwrap_or_else(|_| Value::String(t.clone())),
        V::Scalar(t) => Value::String(t.clone()),
        V::List(l) => Value::Array(l.iter().map(json).collect()),
        V::Map(m) => Value::Object(m.iter().map(|(k, _, v)| (k.clone(), json(v))).collect()),
    }
}

fn each(dir: &Path, f: &mut dyn FnMut(&Path)) {
    for e in std::fs::read_dir(dir).expect("the library is there").flatten() {
        let p = e.path();
        if p.is_dir() {
            each(&p, f);
        } else if p.extension().is_some_and(|x| x == "yaml") {
            f(&p);
        }
    }
}

#[test]
fn library_is_valid() {
    let schema = packetwalk_sim::scenario::schema();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let mut n = 0;
    each(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut |p| {
        let text = std::fs::read_to_string(p).expect("readable");
        let tree = packetwalk_sim::scenario::node::parse(&text).expect("YAML");
        let errors: Vec<String> =
            validator.iter_errors(&json(&tree)).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", p.display());
        n += 1;
    });
    assert!(n > 0, "the library is empty");
}

#[test]
fn schema_refuses_unknown_keys() {
    let validator = jsonschema::validator_for(&packetwalk_sim::scenario::schema()).expect("the schema is one");
    let bad = serde_json::json!({"name": "x", "hosts": {"a": "10.0.0.1/24"}, "steps": [{"rnu": "a$ true"}]});
    assert!(!validator.is_valid(&bad));
    let good =
        serde_json::json!({"name": "x", "hosts": {"a": "10.0.0.1/24"}, "steps": [{"run": "a$ true"}, "a$ true"]});
    assert!(validator.is_valid(&good));
}
