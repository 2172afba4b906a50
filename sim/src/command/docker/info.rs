//! `docker info -f`: what of an engine the model has.

use serde_json::{Value, json};

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::{docker, profile, template};
use crate::docker::Profile;
use crate::docker::types::State;

/// Prints what a template asks for.
///
/// # Errors
/// All at once, and what is not here.
pub fn info(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["format"], switches: &[], short: &[('f', "format")] };
    let g = read("info", args, &K, true)?;
    let refuse = |f: &str| Refusal::new(format!("docker info --format {f}"), 0);
    let Some(f) = g.get("format").filter(|f| *f != "json") else { return Err(Refusal::new("docker info", 0)) };
    let squeezed = f.replace(' ', "");
    // Of these the model has a part alone.
    if ["json.}}", "json.Swarm}}", "json.Plugins}}", "{{.}}", "{{.Swarm}}", "{{.Plugins}}"]
        .iter()
        .any(|t| squeezed.contains(t))
    {
        return Err(refuse(f));
    }
    match template::fill(f, &known(p), template::Of::Json(profile(p))) {
        Ok(line) => p.out.push_str(&format!("{line}\n")),
        Err(template::Fault::Refused(r)) => return Err(r),
        Err(template::Fault::Said(_)) => return Err(refuse(f)),
        Err(template::Fault::Unread(text)) => {
            p.err.push_str(&format!("template parsing error: {text}\n"));
            return Ok(64);
        }
    }
    Ok(0)
}

fn known(p: &mut Proc<'_>) -> Value {
    let d = docker(p);
    let count = |of: &[State]| d.e().containers.values().filter(|c| of.contains(&c.state)).count();
    let (id, addr, manager) = match d.member().filter(|(c, _)| c.is_swarm()) {
        Some((c, me)) => (c.nodes[me].id.clone(), c.nodes[me].addr.to_string(), c.nodes[me].manager),
        None => (String::new(), String::new(), false),
    };
    let on = |name: &str| d.s.kernel.sysctl_get(d.ns(), name).is_ok_and(|v| v == "1");
    // 28 asks once, when it starts.
    let forwards = if d.profile() == Profile::V20 { on("net.ipv4.ip_forward") } else { d.e().forwarded };
    let mut v = json!({
        "Containers": d.e().containers.len(), "ContainersRunning": count(&[State::Running]),
        "ContainersPaused": count(&[State::Paused]), "ContainersStopped": count(&[State::Created, State::Exited]),
        "IPv4Forwarding": forwards, "Name": d.s.kernel.host(d.host).name, "OSType": "linux",
        "Plugins": {"Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"]},
        "ServerVersion": d.profile().version(),
        "Swarm": {"NodeID": id, "NodeAddr": addr, "LocalNodeState": if id.is_empty() { "inactive" } else { "active" },
            "ControlAvailable": manager},
    });
    if d.profile() == Profile::V20 {
        v["BridgeNfIptables"] = on("net.bridge.bridge-nf-call-iptables").into();
        v["BridgeNfIP6tables"] = on("net.bridge.bridge-nf-call-ip6tables").into();
    }
    v
}
