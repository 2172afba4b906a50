//! An answer for programs.

use serde_json::{Value, json};

use super::{Line, Why};

/// The answer as JSON.
pub fn json(w: &Why) -> Value {
    let line = |l: &Line| json!({"place": l.place, "command": l.command});
    let blockers: Vec<Value> = w
        .blockers
        .iter()
        .map(|b| {
            let evidence: Vec<Value> =
                b.evidence.iter().map(|e| json!({"what": e.what, "show": e.show.as_ref().map(line)})).collect();
            json!({"cause": b.cause.code(), "at": b.at, "says": b.says, "evidence": evidence})
        })
        .collect();
    let fixes: Vec<Value> = w
        .fixes
        .iter()
        .map(|f| {
            let lines: Vec<Value> = f.lines.iter().map(line).collect();
            json!({"lines": lines, "opens": f.opens, "closes": f.closes, "others_tried": f.tried})
        })
        .collect();
    json!({
        "schema_version": 1,
        "step": w.step,
        "place": w.place,
        "command": w.command,
        "outcome": w.outcome.map(|o| o.as_str()),
        "blockers": blockers,
        "fixes": fixes,
        "changes_tried": w.tried,
    })
}
