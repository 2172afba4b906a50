//! `docker service`.

use serde_json::json;

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::show::{human, table};
use super::{daemon_error, docker, template};
use crate::docker::publish;
use crate::docker::service::{Service, Task, TaskState};
use crate::docker::types::Publish;

/// Runs `docker service`.
pub fn run(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let Some(sub) = args.first() else { return Err(Refusal::new("docker service without a command", 0)) };
    let rest = &args[1..];
    match sub.as_str() {
        "create" => create(p, rest),
        "ls" | "list" => ls(p, rest),
        "ps" => ps(p, rest),
        "scale" => scale(p, rest),
        "rm" | "remove" => rm(p, rest),
        other => Err(Refusal::new(format!("docker service {other}"), 0)),
    }
}

fn create(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["name", "network", "replicas", "mode", "endpoint-mode", "publish"],
        switches: &["detach", "no-resolve-image", "quiet"],
        short: &[('d', "detach"), ('q', "quiet"), ('p', "publish")],
    };
    let g = read("service create", args, &K, false)?;
    let refuse = |what: &str| Err(Refusal::new(format!("docker service create {what}"), 0));
    let Some((image, command)) = g.words.split_first() else { return refuse("without an image") };
    if g.get("endpoint-mode") != Some("dnsrr") {
        return refuse("without --endpoint-mode dnsrr: a virtual address needs IPVS");
    }
    if !g.on("detach") {
        return refuse("without --detach");
    }
    let global = match g.get("mode") {
        None | Some("replicated") => false,
        Some("global") => true,
        Some(other) => return refuse(&format!("--mode {other}")),
    };
    if p.sess.image(image).is_none() {
        return refuse(&format!("with the image {image}"));
    }
    let Ok(replicas) = g.get("replicas").unwrap_or("1").parse() else { return refuse("with these --replicas") };
    let Some(name) = g.get("name").map(str::to_owned) else { return refuse("without --name") };
    let mut ports = Vec::new();
    for t in g.all("publish") {
        if !t.split(',').any(|f| f == "mode=host") {
            let why = "EndpointSpec: port published with ingress mode can't be used with dnsrr mode";
            return Ok(daemon_error(p, &format!("rpc error: code = InvalidArgument desc = {why}")));
        }
        match publish::parse(t) {
            Ok(l) => ports.extend(l),
            Err(_) => return refuse(&format!("--publish {t}")),
        }
    }
    let s = Service {
        name,
        image: image.clone(),
        command: command.to_vec(),
        networks: g.all("network").map(str::to_owned).collect(),
        global,
        replicas,
        ports,
        ..Service::default()
    };
    match docker(p).service_create(s) {
        Ok(id) => {
            p.out.push_str(&format!("{id}\n"));
            Ok(0)
        }
        Err(e) => Ok(daemon_error(p, &e)),
    }
}

/// `nginx` is `nginx:latest`.
fn tagged(image: &str) -> String {
    if image.contains(':') { image.to_owned() } else { format!("{image}:latest") }
}

fn ls(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["format"], switches: &["quiet"], short: &[('q', "quiet")] };
    let g = read("service ls", args, &K, true)?;
    let mut all = match docker(p).services() {
        Ok(all) => all,
        Err(e) => return Ok(daemon_error(p, &e)),
    };
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let mut formatted = Vec::new();
    let mut rows = vec![["ID", "NAME", "MODE", "REPLICAS", "IMAGE", "PORTS"].map(str::to_owned).to_vec()];
    for s in &all {
        let running = s.tasks.iter().filter(|t| t.state == TaskState::Running).count();
        let replicas = format!("{running}/{}", if s.global { s.tasks.len() } else { s.replicas as usize });
        let mode = if s.global { "global" } else { "replicated" };
        if g.get("format").is_some() {
            formatted.push(json!({"ID": s.id[..12], "Name": s.name, "Mode": mode, "Replicas": replicas,
                "Image": tagged(&s.image), "Ports": ""}));
        } else if g.on("quiet") {
            p.out.push_str(&format!("{}\n", &s.id[..12]));
        } else {
            rows.push([&s.id[..12], &s.name, mode, &replicas, &tagged(&s.image), ""].map(str::to_owned).to_vec());
        }
    }
    if let Some(f) = g.get("format") {
        let heads = json!({"ID": "ID", "Name": "NAME", "Mode": "MODE", "Replicas": "REPLICAS", "Image": "IMAGE",
            "Ports": "PORTS"});
        return template::list(p, f, &heads, &formatted, template::Of::Row("*service.serviceContext"));
    }
    if g.get("format").is_none() && !g.on("quiet") {
        p.out.push_str(&table(&rows));
    }
    Ok(0)
}

/// The ports of its node that a task has.
fn ports(s: &Service, t: &Task) -> String {
    let running = s.ports.iter().filter(|_| t.state == TaskState::Running);
    let one = |x: &Publish| Some(format!("*:{}->{}/{}", x.host_ports?.0, x.port, x.proto));
    running.filter_map(one).collect::<Vec<_>>().join(",")
}

fn ps(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["format", "filter"],
        switches: &["quiet", "no-trunc"],
        short: &[('q', "quiet"), ('f', "filter")],
    };
    let g = read("service ps", args, &K, true)?;
    if let Some(f) = g.all("filter").find(|f| *f != "desired-state=running") {
        return Err(Refusal::new(format!("docker service ps --filter {f}"), 0));
    }
    let all = match docker(p).services() {
        Ok(all) => all,
        Err(e) => return Ok(daemon_error(p, &e)),
    };
    let now = p.sess.kernel.now();
    let mut formatted = Vec::new();
    let mut rows = vec![
        ["ID", "NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR", "PORTS"].map(str::to_owned).to_vec(),
    ];
    for key in &g.words {
        let Some(s) = all.iter().find(|s| s.name == *key || s.id.starts_with(key.as_str())) else {
            p.err.push_str(&format!("no such service: {key}\n"));
            return Ok(1);
        };
        let d = docker(p);
        let Some((c, _)) = d.member() else { continue };
        let nodes = c.nodes.clone();
        let mut tasks: Vec<_> = s.tasks.iter().collect();
        tasks.sort_by_key(|t| t.slot);
        for t in tasks {
            let (name, node) = (s.task_name(t, &nodes), nodes.get(t.node).map_or("", |n| n.name.as_str()));
            let current = format!("{:?} {} ago", t.state, human(now - t.since).to_lowercase());
            if g.get("format").is_some() {
                let v = json!({"ID": t.id[..12], "Name": name, "Image": tagged(&s.image), "Node": node,
                    "DesiredState": "Running", "CurrentState": current, "Error": t.error, "Ports": ports(s, t)});
                formatted.push(v);
            } else if g.on("quiet") {
                p.out.push_str(&format!("{}\n", &t.id[..12]));
            } else {
                let image = tagged(&s.image);
                let row = [&t.id[..12], &name, &image, node, "Running", &current, &t.error, &ports(s, t)];
                rows.push(row.map(str::to_owned).to_vec());
            }
        }
    }
    if let Some(f) = g.get("format") {
        let heads = json!({"ID": "ID", "Name": "NAME", "Image": "IMAGE", "Node": "NODE",
            "DesiredState": "DESIRED STATE", "CurrentState": "CURRENT STATE", "Error": "ERROR", "Ports": "PORTS"});
        return template::list(p, f, &heads, &formatted, template::Of::Row("*task.taskContext"));
    }
    if g.get("format").is_none() && !g.on("quiet") {
        p.out.push_str(&table(&rows));
    }
    Ok(0)
}

fn scale(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["detach"], short: &[('d', "detach")] };
    let g = read("service scale", args, &K, true)?;
    if !g.on("detach") {
        return Err(Refusal::new("docker service scale without --detach", 0));
    }
    for w in &g.words {
        let Some((name, n)) = w.split_once('=').and_then(|(name, n)| Some((name, n.parse().ok()?))) else {
            return Err(Refusal::new(format!("docker service scale {w}"), 0));
        };
        match docker(p).service_scale(name, n) {
            Ok(()) => p.out.push_str(&format!("{name} scaled to {n}\n")),
            Err(e) => {
                p.err.push_str(&format!("{name}: Error response from daemon: {e}\n"));
                return Ok(1);
            }
        }
    }
    Ok(0)
}

fn rm(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let mut status = 0;
    for key in args {
        match docker(p).service_remove(key) {
            Ok(()) => p.out.push_str(&format!("{key}\n")),
            Err(e) => status = daemon_error(p, &e),
        }
    }
    Ok(status)
}
