//! `HostConfig` of a container: what it was asked for besides what runs in it, in the engine's order of fields
//! (api/types/container/hostconfig.go, by version). Fields of what the model has none of (storage, limits, devices) have the
//! values of a container that was asked for none of it; those of 29 are taken to be those of 28.5.

use serde_json::{Map, Value, json};

use super::list;
use crate::docker::{Container, Docker, Profile};

/// What a container that is not privileged does not see (`DefaultLinuxSpec` of oci/defaults.go).
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
/// Of them, what 20.10 does not know yet.
const MASKED_LATER: [&str; 2] = ["/proc/interrupts", "/sys/devices/virtual/powercap"];
/// What it may not write.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// 64 MiB, of `/dev/shm` (`DefaultShmSize`).
const SHM: u64 = 64 << 20;

/// All of it.
pub(super) fn host_config(d: &Docker<'_>, c: &Container) -> Value {
    let v20 = d.profile() == Profile::V20;
    let mut o = Map::new();
    let mut put = |part: Value| {
        if let Value::Object(part) = part {
            o.extend(part);
        }
    };
    put(json!({"Binds": list(&c.binds), "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}},
        "NetworkMode": c.network_mode, "PortBindings": bindings(c), "RestartPolicy": restart(&c.restart),
        "AutoRemove": c.auto_remove, "VolumeDriver": "", "VolumesFrom": null}));
    // Of a terminal that somebody sits at.
    let console = json!({"ConsoleSize": [0, 0]});
    if !v20 {
        put(console.clone());
    }
    put(json!({"CapAdd": list(&c.caps), "CapDrop": list(&c.dropped), "CgroupnsMode": "host", "Dns": c.dns,
        "DnsOptions": c.dns_opts, "DnsSearch": c.dns_search, "ExtraHosts": list(&c.extra_hosts), "GroupAdd": null,
        "IpcMode": "private", "Cgroup": "", "Links": list(&links(d, c)), "OomScoreAdj": 0, "PidMode": "",
        "Privileged": c.privileged, "PublishAllPorts": c.publish_all, "ReadonlyRootfs": false,
        "SecurityOpt": c.privileged.then(|| json!(["label=disable"])), "UTSMode": "", "UsernsMode": "", "ShmSize": SHM}));
    if !c.sysctls.is_empty() {
        let mut all: Map<_, _> = c.sysctls.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
        all.sort_keys();
        put(json!({"Sysctls": all}));
    }
    put(json!({"Runtime": "runc"}));
    if v20 {
        put(console);
    }
    put(json!({"Isolation": ""}));
    put(limits(v20));
    let masked = MASKED.iter().filter(|p| !v20 || !MASKED_LATER.contains(p)).collect::<Vec<_>>();
    let seen = |paths: Value| if c.privileged { Value::Null } else { paths };
    put(json!({"MaskedPaths": seen(json!(masked)), "ReadonlyPaths": seen(json!(READONLY))}));
    if c.init {
        put(json!({"Init": true}));
    }
    o.into()
}

/// `Resources`: none are limited.
fn limits(v20: bool) -> Value {
    // A list that nobody gave is no list to 20.10.
    let none = if v20 { Value::Null } else { json!([]) };
    let mut o = json!({"CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
        "BlkioWeightDevice": [], "BlkioDeviceReadBps": none, "BlkioDeviceWriteBps": none, "BlkioDeviceReadIOps": none,
        "BlkioDeviceWriteIOps": none, "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0,
        "CpusetCpus": "", "CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null});
    let late = json!({"MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": false,
        "PidsLimit": null, "Ulimits": none, "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0});
    if let (Value::Object(o), Value::Object(late)) = (&mut o, late) {
        if v20 {
            o.insert("KernelMemory".into(), 0.into());
            o.insert("KernelMemoryTCP".into(), 0.into());
        }
        o.extend(late);
    }
    o
}

fn bindings(c: &Container) -> Map<String, Value> {
    let mut all = Map::new();
    for p in &c.publish {
        let ports =
            p.host_ports.map_or(String::new(), |(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
        let one = json!({"HostIp": p.host_ip.map_or(String::new(), |a| a.to_string()), "HostPort": ports});
        if let Value::Array(a) = all.entry(format!("{}/{}", p.port, p.proto)).or_insert_with(|| json!([])) {
            a.push(one);
        }
    }
    all.sort_keys();
    all
}

/// `on-failure:3`.
fn restart(policy: &str) -> Value {
    let (name, most) = policy.split_once(':').unwrap_or((policy, "0"));
    json!({"Name": name, "MaximumRetryCount": most.parse::<u32>().unwrap_or(0)})
}

fn links(d: &Docker<'_>, c: &Container) -> Vec<String> {
    c.links.iter().map(|(of, alias)| format!("/{}:/{}/{alias}", d.link_name(of), c.name)).collect()
}
