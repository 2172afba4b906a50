//! What an engine says of its networks and containers at the end, beside what was recorded.

use packetwalk_sim::session::Session;
use packetwalk_sim::shell::run_line;

use serde_json::{Map, Value, json};

use super::names::Names;
use super::values;
use crate::recording::{list, text};

/// Asks the engines of all hosts that a recording has asked.
pub fn ask(s: &mut Session, recorded: &Value) -> Map<String, Value> {
    let mut out = Map::new();
    for (host, want) in recorded.as_object().into_iter().flatten() {
        let Ok((id, ns)) = s.place(host) else { continue };
        let mut say = |line: String| run_line(s, id, ns, &line).stdout;
        let mut containers = Map::new();
        for name in want["containers"].as_object().into_iter().flat_map(|m| m.keys()) {
            let json: Value = serde_json::from_str(&say(format!("docker inspect {name}"))).unwrap_or_default();
            containers.insert(name.clone(), json[0].clone());
        }
        let quoted = |n: &Value| format!("'{}'", text(&n["Name"]));
        let names: Vec<String> = list(&want["network_inspect"]).iter().map(quoted).collect();
        let nets = say(format!("docker network inspect {}", names.join(" ")));
        let ls = say("docker network ls".to_owned());
        let nets: Value = serde_json::from_str(&nets).unwrap_or_default();
        out.insert(host.clone(), json!({"containers": containers, "network_inspect": nets, "network_ls_text": ls}));
    }
    out
}

/// What differs between what two engines said.
pub fn compare(want: &Value, got: &Map<String, Value>, names: (&Names, &Names), out: &mut Vec<String>) {
    for (host, want) in want.as_object().into_iter().flatten() {
        let none = Value::Null;
        let ours = got.get(host).unwrap_or(&none);
        let (want, ours) = (names.0.value(want), names.1.value(ours));
        let mut found = Vec::new();
        // A daemon that did not start says nothing.
        if want["network_ls_text"].is_null() {
            continue;
        }
        values::diff("network_ls", &want["network_ls_text"], &ours["network_ls_text"], &mut found);
        let nets = |v: &Value| -> Map<String, Value> {
            list(&v["network_inspect"]).iter().map(|n| (text(&n["Name"]).to_owned(), network(n))).collect()
        };
        values::diff("network", &nets(&want).into(), &nets(&ours).into(), &mut found);
        for (name, c) in want["containers"].as_object().into_iter().flatten() {
            container(name, c, &ours["containers"][name], &mut found);
        }
        if !found.is_empty() {
            out.push(format!("end  {host} docker\n      {}", found.join("\n      ")));
        }
    }
}

/// Without its time, its members by name.
fn network(n: &Value) -> Value {
    let mut n = n.clone();
    if let Some(m) = n.as_object_mut() {
        m.remove("Created");
        if let Some(Value::Object(c)) = m.get_mut("Containers") {
            // The ways out over docker_gwbridge are named after ids.
            let by_name = |v: &Value| match text(&v["Name"]) {
                way if way.starts_with("gateway_") => (format!("{way} {}", text(&v["IPv4Address"])), v.clone()),
                name => (name.to_owned(), v.clone()),
            };
            *c = c.values().map(by_name).collect();
        }
    }
    n
}

/// The recorder keeps a part of what `docker inspect` says.
fn container(name: &str, want: &Value, got: &Value, out: &mut Vec<String>) {
    let pairs = [
        ("state.Status", &want["state"]["Status"], &got["State"]["Status"]),
        ("hostname", &want["hostname"], &got["Config"]["Hostname"]),
        ("network_mode", &want["network_mode"], &got["HostConfig"]["NetworkMode"]),
        ("port_bindings", &want["port_bindings"], &got["HostConfig"]["PortBindings"]),
        ("links", &want["links"], &got["HostConfig"]["Links"]),
        ("publish_all", &want["publish_all"], &got["HostConfig"]["PublishAllPorts"]),
    ];
    for (key, a, b) in pairs {
        values::diff(&format!("{name}.{key}"), a, b, out);
    }
    for (key, a) in want["network_settings"].as_object().into_iter().flatten() {
        values::diff(&format!("{name}.{key}"), a, &got["NetworkSettings"][key], out);
    }
}
