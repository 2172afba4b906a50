//! Options and numbers of words of the commands, as docker/cli has them, whether the model knows them or not: what no
//! version has is an error of the client, in its words.

use super::super::Proc;
use super::fault::{Has, fault, plain};
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

/// The same of 20.10.
const OLD_SWITCHES: &[&str] = &[
    "detach",
    "disable-content-trust",
    "init",
    "interactive",
    "no-healthcheck",
    "oom-kill-disable",
    "privileged",
    "publish-all",
    "read-only",
    "rm",
    "sig-proxy",
    "tty",
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
    None,
    AtLeast(usize),
    Exactly(usize),
    Between(usize, usize),
}

/// Letters of `docker run` and `docker create`.
const RUN_LETTERS: &[(char, &str)] = &[
    ('a', "attach"),
    ('c', "cpu-shares"),
    ('d', "detach"),
    ('e', "env"),
    ('h', "hostname"),
    ('i', "interactive"),
    ('l', "label"),
    ('m', "memory"),
    ('p', "publish"),
    ('P', "publish-all"),
    ('q', "quiet"),
    ('t', "tty"),
    ('u', "user"),
    ('v', "volume"),
    ('w', "workdir"),
];

/// The same of 20.10.
const OLD_LETTERS: &[(char, &str)] = &[
    ('a', "attach"),
    ('c', "cpu-shares"),
    ('d', "detach"),
    ('e', "env"),
    ('h', "hostname"),
    ('i', "interactive"),
    ('l', "label"),
    ('m', "memory"),
    ('p', "publish"),
    ('P', "publish-all"),
    ('t', "tty"),
    ('u', "user"),
    ('v', "volume"),
    ('w', "workdir"),
];

/// Options of `docker swarm init` and `join`.
const SWARM: &[&str] = &[
    "advertise-addr",
    "availability",
    "cert-expiry",
    "data-path-addr",
    "data-path-port",
    "default-addr-pool",
    "default-addr-pool-mask-length",
    "dispatcher-heartbeat",
    "external-ca",
    "listen-addr",
    "max-snapshots",
    "snapshot-interval",
    "task-history-limit",
];

type Letters = &'static [(char, &'static str)];

fn has(values: &'static [&'static str], switches: &'static [&'static str], letters: Letters) -> Has {
    Has { values, switches, letters, interspersed: true }
}

/// What a command on containers has; none for those of which this does not speak.
fn of_containers(cmd: &str, v20: bool) -> Option<(Has, Words)> {
    use Words::{AtLeast, Between, Exactly};
    const FILTER: (char, &str) = ('f', "filter");
    let all = match cmd {
        "run" | "create" => {
            // `--quiet` and `--use-api-socket` are new.
            let switches = if v20 { OLD_SWITCHES } else { SWITCHES };
            let letters = if v20 { OLD_LETTERS } else { RUN_LETTERS };
            (Has { interspersed: false, ..has(OF_A_CONTAINER, switches, letters) }, AtLeast(1))
        }
        "exec" => {
            let values = &["detach-keys", "env", "env-file", "user", "workdir"];
            const LETTERS: Letters =
                &[('d', "detach"), ('e', "env"), ('i', "interactive"), ('t', "tty"), ('u', "user"), ('w', "workdir")];
            let all = has(values, &["detach", "interactive", "privileged", "tty"], LETTERS);
            (Has { interspersed: false, ..all }, AtLeast(2))
        }
        "start" => {
            let values = &["checkpoint", "checkpoint-dir", "detach-keys"];
            (has(values, &["attach", "interactive"], &[('a', "attach"), ('i', "interactive")]), AtLeast(1))
        }
        "stop" | "restart" if v20 => (has(&["time"], &[], &[('t', "time")]), AtLeast(1)),
        "stop" | "restart" => {
            (has(&["signal", "time", "timeout"], &[], &[('s', "signal"), ('t', "timeout")]), AtLeast(1))
        }
        "kill" => (has(&["signal"], &[], &[('s', "signal")]), AtLeast(1)),
        "rm" => {
            let switches = &["force", "link", "volumes"];
            (has(&[], switches, &[('f', "force"), ('l', "link"), ('v', "volumes")]), AtLeast(1))
        }
        "pause" | "unpause" | "wait" => (has(&[], &[], &[]), AtLeast(1)),
        "top" => (Has { interspersed: false, ..has(&[], &[], &[]) }, AtLeast(1)),
        "rename" => (has(&[], &[], &[]), Exactly(2)),
        "port" => (has(&[], &[], &[]), Between(1, 2)),
        "logs" => {
            let switches = &["details", "follow", "timestamps"];
            (
                has(&["since", "tail", "until"], switches, &[('f', "follow"), ('n', "tail"), ('t', "timestamps")]),
                Exactly(1),
            )
        }
        "ps" => {
            const LETTERS: Letters =
                &[('a', "all"), FILTER, ('l', "latest"), ('n', "last"), ('q', "quiet"), ('s', "size")];
            (has(&["filter", "format", "last"], &["all", "latest", "no-trunc", "quiet", "size"], LETTERS), Words::None)
        }
        "container prune" => (has(&["filter"], &["force"], &[('f', "force")]), Words::None),
        "inspect" => (has(&["format", "type"], &["size"], &[('f', "format"), ('s', "size")]), AtLeast(1)),
        "container inspect" => (has(&["format"], &["size"], &[('f', "format"), ('s', "size")]), AtLeast(1)),
        "info" | "version" => (has(&["format"], &[], &[('f', "format")]), Words::None),
        _ => return None,
    };
    Some(all)
}

/// What a command on networks, the swarm or its nodes has.
fn of_groups(cmd: &str, v20: bool) -> Option<(Has, Words)> {
    use Words::{AtLeast, Exactly};
    Some(match cmd {
        "network create" => {
            let switches: &[&str] = match v20 {
                true => &["attachable", "config-only", "ingress", "internal", "ipv6"],
                false => &["attachable", "config-only", "ingress", "internal", "ipv4", "ipv6"],
            };
            (has(NETWORK, switches, &[('d', "driver"), ('o', "opt")]), Exactly(1))
        }
        "network inspect" => (has(&["format"], &["verbose"], &[('f', "format"), ('v', "verbose")]), AtLeast(1)),
        "network ls" => {
            let values = &["filter", "format"];
            (has(values, &["no-trunc", "quiet"], &[('f', "filter"), ('q', "quiet")]), Words::None)
        }
        "network prune" => (has(&["filter"], &["force"], &[('f', "force")]), Words::None),
        "network rm" if v20 => (has(&[], &[], &[]), AtLeast(1)),
        "network rm" | "node rm" => (has(&[], &["force"], &[('f', "force")]), AtLeast(1)),
        "network connect" => {
            let values: &[&str] = match v20 {
                true => &["alias", "driver-opt", "ip", "ip6", "link", "link-local-ip"],
                false => &["alias", "driver-opt", "gw-priority", "ip", "ip6", "link", "link-local-ip"],
            };
            (has(values, &[], &[]), Exactly(2))
        }
        "network disconnect" => (has(&[], &["force"], &[('f', "force")]), Exactly(2)),
        "swarm init" => (has(SWARM, &["autolock", "force-new-cluster"], &[]), Words::None),
        "swarm join" => {
            (has(&["advertise-addr", "availability", "data-path-addr", "listen-addr", "token"], &[], &[]), Exactly(1))
        }
        "swarm leave" => (has(&[], &["force"], &[('f', "force")]), Words::None),
        "swarm join-token" => (has(&[], &["quiet", "rotate"], &[('q', "quiet")]), Exactly(1)),
        "node ls" => (has(&["filter", "format"], &["quiet"], &[('f', "filter"), ('q', "quiet")]), Words::None),
        "node inspect" => (has(&["format"], &["pretty"], &[('f', "format")]), AtLeast(1)),
        _ => return None,
    })
}

/// Says what is wrong with the options of a command, or with how many words it has: the status to end with. The client
/// names the command as it was written, `shown`.
pub(super) fn wrong(p: &mut Proc<'_>, cmd: &str, shown: &str, args: &[String]) -> Option<i32> {
    let v20 = profile(p) == Profile::V20;
    let (has, words) = of_containers(cmd, v20).or_else(|| of_groups(cmd, v20))?;
    if let Some(e) = fault(args, &has) {
        return Some(bad_flag(p, shown, &e));
    }
    if args.iter().any(|a| a == "--help") {
        return None;
    }
    let n = plain(args, &has).len();
    let many = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let text = match words {
        Words::None if n > 0 => "accepts no arguments.".to_owned(),
        Words::AtLeast(least) if n < least => format!("requires at least {least} {}.", many(least)),
        Words::Exactly(exact) if n != exact => format!("requires exactly {exact} {}.", many(exact)),
        Words::Between(a, b) if n < a || n > b => format!("requires at least {a} and at most {b} {}.", many(b)),
        _ => return None,
    };
    Some(usage(p, shown, &text))
}

/// The words of a command that are no options.
pub(super) fn words(cmd: &str, v20: bool, args: &[String]) -> Vec<String> {
    let has = of_containers(cmd, v20).or_else(|| of_groups(cmd, v20));
    has.map_or_else(Vec::new, |(has, _)| plain(args, &has))
}
