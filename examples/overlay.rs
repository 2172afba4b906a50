//! One overlay network of a swarm with N hosts and M containers on each. Prints the containers, seconds to build it
//! all, peak memory, and what a ping from one host to another costs.
//!
//! `cargo run --release --example overlay -- HOSTS CONTAINERS PINGS`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures a wall clock")]

use std::time::Instant;

use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

/// Peak resident memory in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn line(s: &mut Session, host: &str, text: &str) -> Result<String, String> {
    let (h, ns) = s.place(host)?;
    s.marks.present = s.kernel.rec.events.len();
    let r = run_line(s, h, ns, text);
    if r.exit == 0 { Ok(r.stdout) } else { Err(format!("{host}$ {text}\n{}", r.stderr)) }
}

fn build(hosts: u32, containers: u32) -> Result<Session, String> {
    let mut s = Session::new(1);
    for i in 1..=hosts {
        let nic = NicSpec {
            name: "eth0".into(),
            lan: "lan".into(),
            address: format!("192.168.{}.{}/16", i / 200, i % 200 + 1).parse().ok(),
            mac: None,
            mtu: None,
            gateway: None,
        };
        let id = s.add_host(&HostSpec { name: format!("h{i}"), nics: vec![nic], ..HostSpec::default() })?;
        s.start_docker(id, Profile::V28, Config::default())?;
    }
    line(&mut s, "h1", "docker swarm init")?;
    let token = line(&mut s, "h1", "docker swarm join-token -q worker")?;
    for i in 2..=hosts {
        line(&mut s, &format!("h{i}"), &format!("docker swarm join --token {} 192.168.0.2:2377", token.trim()))?;
    }
    line(&mut s, "h1", "docker network create -d overlay --attachable --subnet 10.8.0.0/16 ov")?;
    for n in 1..=containers {
        for i in 1..=hosts {
            line(&mut s, &format!("h{i}"), &format!("docker run -itd --name c{i}-{n} --net ov busybox"))?;
        }
    }
    line(&mut s, "h1", "sleep 5")?;
    Ok(s)
}

fn main() -> Result<(), String> {
    let args: Vec<u32> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let [hosts, containers, pings] = args[..] else { return Err("overlay HOSTS CONTAINERS PINGS".into()) };
    let start = Instant::now();
    let mut s = build(hosts, containers)?;
    println!("{} containers", hosts * containers);
    println!("{:.2} s to build, {} events", start.elapsed().as_secs_f64(), s.kernel.rec.events.len());
    let (h, ns) = s.place("h1/c1-1")?;
    let c = s.engines.values().last().and_then(|e| e.containers.values().last()).ok_or("no container")?;
    let to = c.endpoints.values().find_map(|e| e.ip).ok_or("no address")?;
    let probe = Probe::parse(&format!("ping {to}")).map_err(|e| e.0)?;
    let start = Instant::now();
    let replies = (0..pings).filter(|_| s.probe(h, ns, &probe).ttl == Some(64)).count();
    println!("{replies} replies, {:.1} us each", start.elapsed().as_secs_f64() * 1e6 / f64::from(pings.max(1)));
    println!("{} MiB", peak_mib());
    Ok(())
}
