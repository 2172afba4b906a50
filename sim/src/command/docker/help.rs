//! How commands are used and what they are for, as the client says it to who misspells one.

use super::super::Proc;
use super::profile;
use crate::docker::Profile;

/// How a command is used, and what 20.10 says that it does.
pub(super) fn help(cmd: &str) -> (String, &'static str) {
    let (group, name) = match cmd.split_once(' ') {
        Some(("container", name)) => ("container ", name),
        Some(("system", name)) => ("system ", name),
        _ => ("", cmd),
    };
    let (line, about) = line(name);
    (format!("{group}{line}"), about)
}

fn line(cmd: &str) -> (&'static str, &'static str) {
    match cmd {
        "create" => ("create [OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container"),
        "exec" => ("exec [OPTIONS] CONTAINER COMMAND [ARG...]", "Run a command in a running container"),
        "info" => ("info [OPTIONS]", "Display system-wide information"),
        "inspect" => ("inspect [OPTIONS] NAME|ID [NAME|ID...]", "Return low-level information on Docker objects"),
        "kill" => ("kill [OPTIONS] CONTAINER [CONTAINER...]", "Kill one or more running containers"),
        "logs" => ("logs [OPTIONS] CONTAINER", "Fetch the logs of a container"),
        "ls" => ("ls [OPTIONS]", "List containers"),
        "network connect" => ("network connect [OPTIONS] NETWORK CONTAINER", "Connect a container to a network"),
        "network create" => ("network create [OPTIONS] NETWORK", "Create a network"),
        "network disconnect" => {
            ("network disconnect [OPTIONS] NETWORK CONTAINER", "Disconnect a container from a network")
        }
        "network inspect" => {
            ("network inspect [OPTIONS] NETWORK [NETWORK...]", "Display detailed information on one or more networks")
        }
        "network ls" => ("network ls [OPTIONS]", "List networks"),
        "network prune" => ("network prune [OPTIONS]", "Remove all unused networks"),
        "network rm" => ("network rm NETWORK [NETWORK...]", "Remove one or more networks"),
        "node inspect" => {
            ("node inspect [OPTIONS] self|NODE [NODE...]", "Display detailed information on one or more nodes")
        }
        "node ls" => ("node ls [OPTIONS]", "List nodes in the swarm"),
        "node rm" => ("node rm [OPTIONS] NODE [NODE...]", "Remove one or more nodes from the swarm"),
        "pause" => ("pause CONTAINER [CONTAINER...]", "Pause all processes within one or more containers"),
        "port" => {
            ("port CONTAINER [PRIVATE_PORT[/PROTO]]", "List port mappings or a specific mapping for the container")
        }
        "prune" => ("prune [OPTIONS]", "Remove all stopped containers"),
        "ps" => ("ps [OPTIONS]", "List containers"),
        "rename" => ("rename CONTAINER NEW_NAME", "Rename a container"),
        "restart" => ("restart [OPTIONS] CONTAINER [CONTAINER...]", "Restart one or more containers"),
        "rm" => ("rm [OPTIONS] CONTAINER [CONTAINER...]", "Remove one or more containers"),
        "run" => ("run [OPTIONS] IMAGE [COMMAND] [ARG...]", "Run a command in a new container"),
        "start" => ("start [OPTIONS] CONTAINER [CONTAINER...]", "Start one or more stopped containers"),
        "stop" => ("stop [OPTIONS] CONTAINER [CONTAINER...]", "Stop one or more running containers"),
        "swarm init" => ("swarm init [OPTIONS]", "Initialize a swarm"),
        "swarm join" => ("swarm join [OPTIONS] HOST:PORT", "Join a swarm as a node and/or manager"),
        "swarm join-token" => ("swarm join-token [OPTIONS] (worker|manager)", "Manage join tokens"),
        "swarm leave" => ("swarm leave [OPTIONS]", "Leave the swarm"),
        "top" => ("top CONTAINER [ps OPTIONS]", "Display the running processes of a container"),
        "unpause" => ("unpause CONTAINER [CONTAINER...]", "Unpause all processes within one or more containers"),
        "version" => ("version [OPTIONS]", "Show the Docker version information"),
        "wait" => {
            ("wait CONTAINER [CONTAINER...]", "Block until one or more containers stop, then print their exit codes")
        }
        _ => ("", ""),
    }
}

/// Commands that have commands of their own: what they are for, and which.
fn group(name: &str) -> Option<(&'static str, &'static [(&'static str, &'static str)])> {
    Some(match name {
        "container" => ("Manage containers", CONTAINER),
        "network" => ("Manage networks", NETWORK),
        "node" => ("Manage Swarm nodes", NODE),
        "swarm" => ("Manage Swarm", SWARM),
        _ => return None,
    })
}

const CONTAINER: &[(&str, &str)] = &[
    ("attach", "Attach local standard input, output, and error streams to a running container"),
    ("commit", "Create a new image from a container's changes"),
    ("cp", "Copy files/folders between a container and the local filesystem"),
    ("create", "Create a new container"),
    ("diff", "Inspect changes to files or directories on a container's filesystem"),
    ("exec", "Execute a command in a running container"),
    ("export", "Export a container's filesystem as a tar archive"),
    ("inspect", "Display detailed information on one or more containers"),
    ("kill", "Kill one or more running containers"),
    ("logs", "Fetch the logs of a container"),
    ("ls", "List containers"),
    ("pause", "Pause all processes within one or more containers"),
    ("port", "List port mappings or a specific mapping for the container"),
    ("prune", "Remove all stopped containers"),
    ("rename", "Rename a container"),
    ("restart", "Restart one or more containers"),
    ("rm", "Remove one or more containers"),
    ("run", "Create and run a new container from an image"),
    ("start", "Start one or more stopped containers"),
    ("stats", "Display a live stream of container(s) resource usage statistics"),
    ("stop", "Stop one or more running containers"),
    ("top", "Display the running processes of a container"),
    ("unpause", "Unpause all processes within one or more containers"),
    ("update", "Update configuration of one or more containers"),
    ("wait", "Block until one or more containers stop, then print their exit codes"),
];

const NETWORK: &[(&str, &str)] = &[
    ("connect", "Connect a container to a network"),
    ("create", "Create a network"),
    ("disconnect", "Disconnect a container from a network"),
    ("inspect", "Display detailed information on one or more networks"),
    ("ls", "List networks"),
    ("prune", "Remove all unused networks"),
    ("rm", "Remove one or more networks"),
];

const NODE: &[(&str, &str)] = &[
    ("demote", "Demote one or more nodes from manager in the swarm"),
    ("inspect", "Display detailed information on one or more nodes"),
    ("ls", "List nodes in the swarm"),
    ("promote", "Promote one or more nodes to manager in the swarm"),
    ("ps", "List tasks running on one or more nodes, defaults to current node"),
    ("rm", "Remove one or more nodes from the swarm"),
    ("update", "Update a node"),
];

const SWARM: &[(&str, &str)] = &[
    ("ca", "Display and rotate the root CA"),
    ("init", "Initialize a swarm"),
    ("join", "Join a swarm as a node and/or manager"),
    ("join-token", "Manage join tokens"),
    ("leave", "Leave the swarm"),
    ("unlock", "Unlock swarm"),
    ("unlock-key", "Manage the unlock key"),
    ("update", "Update the swarm"),
];

/// What `docker GROUP` alone prints.
fn commands(p: &Proc<'_>, name: &str) -> Option<String> {
    let (about, all) = group(name)?;
    let v20 = profile(p) == Profile::V20;
    // What this node has no use for is hidden (`hideUnsupportedFeatures`); 20.10 shows all.
    let outside = !p.sess.clusters.iter().any(|c| c.is_swarm() && c.nodes.iter().any(|n| n.host == p.host && n.member));
    let shown = |c: &str| v20 || name != "swarm" || !outside || matches!(c, "init" | "join");
    let mut t = format!("{}Usage:  docker {name} COMMAND\n\n{about}\n\nCommands:\n", if v20 { "\n" } else { "" });
    for (c, what) in all.iter().filter(|(c, _)| shown(c)) {
        let what = match (name, *c) {
            ("container", "exec" | "run") if v20 => line(c).1,
            _ => what,
        };
        t.push_str(&format!("  {c:<11} {what}\n"));
    }
    t.push_str(&format!("\nRun 'docker {name} COMMAND --help' for more information on a command.\n"));
    Some(t)
}

/// A group of commands without one, or with one that it does not have: the status to end with.
pub(super) fn of_a_group(p: &mut Proc<'_>, name: &str, sub: Option<&str>) -> Option<i32> {
    let text = commands(p, name)?;
    let Some(sub) = sub else {
        p.err.push_str(&text);
        return Some(0);
    };
    let alias = matches!((name, sub), ("network" | "node" | "container", "list") | ("network" | "node", "remove"))
        || (name, sub) == ("container", "ps")
        || (name, sub) == ("container", "remove");
    if alias || sub.starts_with('-') || group(name)?.1.iter().any(|(c, _)| *c == sub) {
        return None;
    }
    p.err.push_str(&match profile(p) {
        Profile::V20 => text,
        _ => format!(
            "docker: unknown command: docker {name} {sub}\n\nUsage:  docker {name}\n\n\
             Run 'docker {name} --help' for more information\n"
        ),
    });
    Some(1)
}

/// Commands that docker has, modelled or not.
const COMMANDS: &str = " attach build builder buildx checkpoint commit compose config container context cp create diff \
                        events exec export help history image images import info inspect kill load login logout logs \
                        manifest network node pause plugin port ps pull push rename restart rm rmi run save search \
                        secret service stack start stats stop swarm system tag top trust unpause update version volume \
                        wait ";

/// Options of `docker` itself.
const OPTIONS: &str = " --config -c --context -D --debug --help -h -H --host -l --log-level --tls --tlscacert --tlscert \
                       --tlskey --tlsverify -v --version ";

/// A command or an option that docker does not have.
pub(super) fn no_such_command(p: &mut Proc<'_>, cmd: &str) -> Option<i32> {
    let has = |all: &str, one: &str| all.split_whitespace().any(|c| c == one);
    let v20 = profile(p) == Profile::V20;
    if cmd.starts_with('-') {
        // 20.10 goes on with all that it has.
        if v20 || !cmd.starts_with("--") || has(OPTIONS, cmd.split('=').next().unwrap_or(cmd)) {
            return None;
        }
        p.err.push_str(&format!(
            "unknown flag: {cmd}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\n\
             Run 'docker --help' for more information\n"
        ));
        return Some(125);
    }
    if has(COMMANDS, cmd) {
        return None;
    }
    p.err.push_str(&match v20 {
        true => format!("docker: '{cmd}' is not a docker command.\nSee 'docker --help'\n"),
        false => format!("docker: unknown command: docker {cmd}\n\nRun 'docker --help' for more information\n"),
    });
    Some(1)
}
