//! Go's templates, as `--format` has them (text/template, docker/cli templates): fields, variables, `range`, `if`,
//! `with`, pipelines and the usual functions.

mod eval;
mod parse;

use serde_json::Value;

use super::super::{Proc, Refusal};
use super::show::table;
use crate::docker::Profile;

/// What a template is filled with, which decides how a field that is not there is told of.
#[derive(Clone, Copy)]
pub enum Of {
    /// An object as JSON (`docker inspect`) of an engine.
    Json(Profile),
    /// A row of a list, by the type that Go's message names.
    Row(&'static str),
}

/// Why a template gives no text.
#[derive(Debug)]
pub enum Fault {
    /// The client's words, as it is filled.
    Said(String),
    /// And as it is read.
    Unread(String),
    /// What the model has not.
    Refused(Refusal),
}

impl From<Refusal> for Fault {
    fn from(r: Refusal) -> Self {
        Fault::Refused(r)
    }
}

/// Fills a template.
///
/// # Errors
/// What Go says of it, and what the model has not.
pub fn fill(text: &str, data: &Value, of: Of) -> Result<String, Fault> {
    let tree = parse::parse(&text.replace("\\t", "\t").replace("\\n", "\n"))?;
    eval::Run { text, root: data, of, vars: Vec::new(), out: String::new() }.all(&tree, data)
}

/// A list in a format of the user's (formatter/formatter.go): a line for each row, or below `table` a heading with
/// columns. Gives the exit status.
///
/// # Errors
/// What the model has not.
pub fn list(p: &mut Proc<'_>, format: &str, heads: &Value, rows: &[Value], of: Of) -> Result<i32, Refusal> {
    let (format, columns) = match format {
        // Up to 20.10 it is a template like any other.
        "json" if super::profile(p) != Profile::V20 => ("{{json .}}", false),
        "table" => return Err(Refusal::new("--format table without columns", 0)),
        f => f.strip_prefix("table ").map_or((f, false), |f| (f, true)),
    };
    let mut lines = Vec::new();
    for v in columns.then_some(heads).into_iter().chain(rows) {
        match fill(format, v, of) {
            Ok(line) => lines.push(line),
            Err(Fault::Refused(r)) => return Err(r),
            Err(Fault::Said(text) | Fault::Unread(text)) => {
                p.err.push_str(&format!("template parsing error: {text}\n"));
                return Ok(1);
            }
        }
    }
    if columns {
        let cells: Vec<Vec<String>> = lines.iter().map(|l| l.split('\t').map(str::to_owned).collect()).collect();
        p.out.push_str(&table(&cells));
    } else {
        p.out.extend(lines.into_iter().map(|l| l + "\n"));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fault, Of, Profile, fill};

    #[test]
    fn templates() {
        let v = json!({"Name": "/web", "State": {"Pid": 7, "Running": true}, "Config": {"Labels": {}},
            "NetworkSettings": {"Networks": {"b": {"IPAddress": "10.0.0.2"}, "a": {"IPAddress": "10.0.0.1"}},
                "Ports": {"80/tcp": [{"HostPort": "8080"}]}}});
        let cases = [
            ("{{.Name}} {{.State.Pid}}", "/web 7"),
            ("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "10.0.0.1 10.0.0.2 "),
            ("{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}};{{end}}", "a=10.0.0.1;b=10.0.0.2;"),
            ("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080"),
            ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            ("{{with .Config.Labels}}some{{else}}none{{end}}", "none"),
            ("{{- .Name -}}  !", "/web!"),
            ("{{len .NetworkSettings.Networks}} {{json .State}}", "2 {\"Pid\":7,\"Running\":true}"),
            ("{{.Config.Labels.role}}", "<no value>"),
            ("{{.NetworkSettings.Networks.c.IPAddress}}", "<no value>"),
            ("{{range .Peers}}{{.IP}}{{end}}", ""),
            ("{{printf \"%s|%-3d|\" .Name .State.Pid}}", "/web|7  |"),
            ("{{.Name | upper}}", "/WEB"),
            ("{{eq .State.Pid 7}} {{$.Name}}", "true /web"),
        ];
        for (t, want) in cases {
            assert_eq!(fill(t, &v, Of::Json(Profile::V28)).ok().as_deref(), Some(want), "{t}");
        }
    }

    #[test]
    fn what_is_not_there() {
        let v = json!({"State": {"Pid": 7}});
        let said = |t: &str, of| match fill(t, &v, of) {
            Err(Fault::Said(s)) => s,
            other => format!("{other:?}"),
        };
        let json = "template: :1:8: executing \"\" at <.State.Nope>: map has no entry for key \"Nope\"";
        assert_eq!(said("{{.State.Nope}}", Of::Json(Profile::V28)), json);
        let row = "template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *t";
        assert_eq!(said("{{.Nope}}", Of::Row("*t")), row);
        let of = Of::Json(Profile::V28);
        let unread = |t: &str| match fill(t, &v, of) {
            Err(Fault::Unread(s)) => s,
            other => format!("{other:?}"),
        };
        assert_eq!(unread("{{frob .State}}"), "template: :1: function \"frob\" not defined");
        assert_eq!(unread("a\n{{.State"), "template: :2: unclosed action");
        assert!(matches!(fill("{{range .State}}", &v, of), Err(Fault::Refused(_))));
    }

    #[test]
    fn structures() {
        let v = json!({"Ports": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]},
            "Config": {"ExposedPorts": {"80/tcp": {}}}});
        let cases = [
            ("{{.Ports}}", "map[80/tcp:[{ 8080}]]", "map[80/tcp:[{invalid IP 8080}]]"),
            ("{{.IPAM.Config}}", "[{10.1.0.0/24   map[]}]", "[{10.1.0.0/24 invalid Prefix invalid IP map[]}]"),
            ("{{.Config.ExposedPorts}}", "map[80/tcp:{}]", "map[80/tcp:{}]"),
        ];
        for (t, v28, v29) in cases {
            assert_eq!(fill(t, &v, Of::Json(Profile::V28)).ok().as_deref(), Some(v28), "{t}");
            assert_eq!(fill(t, &v, Of::Json(Profile::V29)).ok().as_deref(), Some(v29), "{t}");
        }
    }
}
