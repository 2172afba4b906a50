//! Options and numbers of words of the commands, as docker/cli has them, whether the model knows them or not: what no
//! version has is an error of the client, in its words.

use super::super::Proc;
use super::flags::{Has, positional, unknown};
use super::{bad_flag, profile, usage};
use crate::docker::Profile;

/// What `docker run` and `docker create` have with a value.
const OF_A_CONTAINER: &[&str] = &[
    "add-host",
    "annotation",
    "attach",
    "blkio-weight",
    "blkio-weight-device",
    "cap-add",
    "cap-drop",
    "cgroup-parent",
    "cgroupns",
    "cidfile",
    "cpu-count",
    "cpu-percent",
    "cpu-period",
    "cpu-quota",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-shares",
    "cpus",
    "cpuset-cpus",
    "cpuset-mems",
    "detach-keys",
    "device",
    "device-cgroup-rule",
    "device-read-bps",
    "device-read-iops",
    "device-write-bps",
    "device-write-iops",
    "dns",
    "dns-opt",
    "dns-option",
    "dns-search",
    "domainname",
    "entrypoint",
    "env",
    "env-file",
    "expose",
    "gpus",
    "group-add",
    "health-cmd",
    "health-interval",
    "health-retries",
    "health-start-interval",
    "health-start-period",
    "health-timeout",
    "hostname",
    "io-maxbandwidth",
    "io-maxiops",
    "ip",
    "ip6",
    "ipc",
    "isolation",
    "kernel-memory",
    "label",
    "label-file",
    "link",
    "link-local-ip",
    "log-driver",
    "log-opt",
    "mac-address",
    "memory",
    "memory-reservation",
    "memory-swap",
    "memory-swappiness",
    "mount",
    "name",
    "net",
    "net-alias",
    "network",
    "network-alias",
    "oom-score-adj",
    "pid",
    "pids-limit",
    "platform",
    "publish",
    "pull",
    "restart",
    "runtime",
    "security-opt",
    "shm-size",
    "stop-signal",
    "stop-timeout",
    "storage-opt",
    "sysctl",
    "tmpfs",
    "ulimit",
    "user",
    "userns",
    "uts",
    "volume",
    "volume-driver",
    "volumes-from",
    "workdir",
];

/// And without.
const SWITCHES: &[&str] = &[
    "detach",
    "disable-content-trust",
    "init",
    "interactive",
    "no-healthcheck",
    "oom-kill-disable",
    "privileged",
    "publish-all",
    "quiet",
    "read-only",
    "rm",
    "sig-proxy",
    "tty",
    "use-api-socket",
];

/// Options of `docker network create`.
const NETWORK: &[&str] = &[
    "aux-address",
    "config-from",
    "driver",
    "gateway",
    "ip-range",
    "ipam-driver",
    "ipam-opt",
    "label",
    "opt",
    "scope",
    "subnet",
];

/// How many words a command takes.
enum Words {
    AtLeast(usize),
    Exactly(usize),
    Between(usize, usize),
}

/// What a command has; none for those of which this does not speak.
fn of(cmd: &str, v20: bool) -> Option<(Has, Words)> {
    use Words::{AtLeast, Between, Exactly};
    let has = |values, switches, letters| Has { values, switches, letters, interspersed: true };
    Some(match cmd {
        "run" | "create" => {
            let letters = ("acehlmpuvw", "ditPq");
            (Has { interspersed: false, ..has(OF_A_CONTAINER, SWITCHES, letters) }, AtLeast(1))
        }
        "exec" => {
            let values = &["detach-keys", "env", "env-file", "user", "workdir"];
            let all = has(values, &["detach", "interactive", "privileged", "tty"], ("euw", "dit"));
            (Has { interspersed: false, ..all }, AtLeast(2))
        }
        "start" => {
            (has(&["checkpoint", "checkpoint-dir", "detach-keys"], &["attach", "interactive"], ("", "ai")), AtLeast(1))
        }
        "stop" | "restart" if v20 => (has(&["time"], &[], ("t", "")), AtLeast(1)),
        "stop" | "restart" => (has(&["signal", "time", "timeout"], &[], ("st", "")), AtLeast(1)),
        "kill" => (has(&["signal"], &[], ("s", "")), AtLeast(1)),
        "rm" => (has(&[], &["force", "link", "volumes"], ("", "flv")), AtLeast(1)),
        "pause" | "unpause" | "wait" => (has(&[], &[], ("", "")), AtLeast(1)),
        "rename" => (has(&[], &[], ("", "")), Exactly(2)),
        "port" => (has(&[], &[], ("", "")), Between(1, 2)),
        "inspect" => (has(&["format", "type"], &["size"], ("f", "s")), AtLeast(1)),
        "network create" => {
            let switches: &[&str] = match v20 {
                true => &["attachable", "config-only", "ingress", "internal", "ipv6"],
                false => &["attachable", "config-only", "ingress", "internal", "ipv4", "ipv6"],
            };
            (has(NETWORK, switches, ("do", "")), Exactly(1))
        }
        "network inspect" => (has(&["format"], &["verbose"], ("f", "v")), AtLeast(1)),
        "network rm" if v20 => (has(&[], &[], ("", "")), AtLeast(1)),
        "network rm" => (has(&[], &["force"], ("", "f")), AtLeast(1)),
        "network connect" => {
            let values: &[&str] = match v20 {
                true => &["alias", "driver-opt", "ip", "ip6", "link", "link-local-ip"],
                false => &["alias", "driver-opt", "gw-priority", "ip", "ip6", "link", "link-local-ip"],
            };
            (has(values, &[], ("", "")), Exactly(2))
        }
        "network disconnect" => (has(&[], &["force"], ("", "f")), Exactly(2)),
        _ => return None,
    })
}

/// Says what is wrong with the options of a command, or with how many words it has: the status to end with.
pub(super) fn wrong(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> Option<i32> {
    let (has, words) = of(cmd, profile(p) == Profile::V20)?;
    if let Some(e) = unknown(args, &has) {
        return Some(bad_flag(p, cmd, &e));
    }
    if args.iter().any(|a| a == "--help") {
        return None;
    }
    let n = positional(args, &has);
    let many = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let text = match words {
        Words::AtLeast(least) if n < least => format!("requires at least {least} {}.", many(least)),
        Words::Exactly(exact) if n != exact => format!("requires exactly {exact} {}.", many(exact)),
        Words::Between(a, b) if n < a || n > b => format!("requires at least {a} and at most {b} {}.", many(b)),
        _ => return None,
    };
    Some(usage(p, cmd, &text))
}

/// How a command is used, and what 20.10 says that it does.
pub(super) fn help(cmd: &str) -> (&'static str, &'static str) {
    match cmd {
        "create" => ("create [OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container"),
        "exec" => ("exec [OPTIONS] CONTAINER COMMAND [ARG...]", "Run a command in a running container"),
        "inspect" => ("inspect [OPTIONS] NAME|ID [NAME|ID...]", "Return low-level information on Docker objects"),
        "kill" => ("kill [OPTIONS] CONTAINER [CONTAINER...]", "Kill one or more running containers"),
        "network connect" => ("network connect [OPTIONS] NETWORK CONTAINER", "Connect a container to a network"),
        "network create" => ("network create [OPTIONS] NETWORK", "Create a network"),
        "network disconnect" => {
            ("network disconnect [OPTIONS] NETWORK CONTAINER", "Disconnect a container from a network")
        }
        "network inspect" => {
            ("network inspect [OPTIONS] NETWORK [NETWORK...]", "Display detailed information on one or more networks")
        }
        "network rm" => ("network rm NETWORK [NETWORK...]", "Remove one or more networks"),
        "pause" => ("pause CONTAINER [CONTAINER...]", "Pause all processes within one or more containers"),
        "port" => {
            ("port CONTAINER [PRIVATE_PORT[/PROTO]]", "List port mappings or a specific mapping for the container")
        }
        "rename" => ("rename CONTAINER NEW_NAME", "Rename a container"),
        "restart" => ("restart [OPTIONS] CONTAINER [CONTAINER...]", "Restart one or more containers"),
        "rm" => ("rm [OPTIONS] CONTAINER [CONTAINER...]", "Remove one or more containers"),
        "run" => ("run [OPTIONS] IMAGE [COMMAND] [ARG...]", "Run a command in a new container"),
        "start" => ("start [OPTIONS] CONTAINER [CONTAINER...]", "Start one or more stopped containers"),
        "stop" => ("stop [OPTIONS] CONTAINER [CONTAINER...]", "Stop one or more running containers"),
        "swarm join" => ("swarm join [OPTIONS] HOST:PORT", "Join a swarm as a node and/or manager"),
        "swarm join-token" => ("swarm join-token [OPTIONS] (worker|manager)", "Manage join tokens"),
        "unpause" => ("unpause CONTAINER [CONTAINER...]", "Unpause all processes within one or more containers"),
        "wait" => {
            ("wait CONTAINER [CONTAINER...]", "Block until one or more containers stop, then print their exit codes")
        }
        _ => ("", ""),
    }
}

/// Commands that docker has and the model has not.
const OTHERS: &[&str] = &[
    "attach",
    "build",
    "builder",
    "buildx",
    "checkpoint",
    "commit",
    "compose",
    "config",
    "context",
    "cp",
    "diff",
    "events",
    "export",
    "help",
    "history",
    "image",
    "images",
    "import",
    "info",
    "load",
    "login",
    "logout",
    "manifest",
    "plugin",
    "pull",
    "push",
    "rmi",
    "save",
    "search",
    "secret",
    "stack",
    "stats",
    "system",
    "tag",
    "top",
    "trust",
    "update",
    "volume",
];

/// A command that docker does not have.
pub(super) fn no_such_command(p: &mut Proc<'_>, cmd: &str) -> Option<i32> {
    if OTHERS.contains(&cmd) || cmd.starts_with('-') {
        return None;
    }
    p.err.push_str(&match profile(p) {
        Profile::V20 => format!("docker: '{cmd}' is not a docker command.\nSee 'docker --help'\n"),
        _ => format!("docker: unknown command: docker {cmd}\n\nRun 'docker --help' for more information\n"),
    });
    Some(1)
}
