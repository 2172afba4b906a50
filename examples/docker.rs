//! What engines cost: `docker CONTAINERS NETWORKS PORTS` runs that many containers over that many networks of one host,
//! the first PORTS of them with a published port, all by the command line. `docker --engine 20.10 …` takes another
//! version.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::process::ExitCode;

use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

fn build(profile: Profile, containers: u32, networks: u32, ports: u32) -> Result<Session, String> {
    let mut s = Session::new(1);
    let nic = NicSpec {
        name: "eth0".into(),
        lan: "lan".into(),
        address: "192.168.91.128/24".parse().ok(),
        mac: None,
        mtu: None,
        gateway: None,
    };
    let host = s
        .add_host(&HostSpec { name: "node1".into(), nics: vec![nic], ..HostSpec::default() })
        .map_err(|e| e.to_string())?;
    s.start_docker(host, profile, Config::from_flags(&[], profile)?)?;
    let ns = s.kernel.host(host).root_ns;
    let mut run = |line: String| {
        let r = run_line(&mut s, host, ns, &line);
        if r.exit == 0 { Ok(()) } else { Err(format!("{line}: {}{:?}", r.stderr, r.refusal)) }
    };
    for n in 0..networks {
        run(format!("docker network create --subnet 10.{n}.0.0/16 n{n}"))?;
    }
    for c in 0..containers {
        let publish = if c < ports { format!("-p {}:80 ", 10_000 + c) } else { String::new() };
        let net = if networks == 0 { "bridge".to_owned() } else { format!("n{}", c % networks) };
        run(format!("docker run -d --name c{c} --network {net} {publish}nginx"))?;
    }
    Ok(s)
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut profile = Profile::default();
    if args.first().is_some_and(|a| a == "--engine") {
        profile = args.get(1).and_then(|e| Profile::parse(e)).unwrap_or_default();
        args.drain(..args.len().min(2));
    }
    let n = |i: usize, or: u32| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(or);
    let (containers, networks, ports) = (n(0, 1000), n(1, 20), n(2, 500));
    match build(profile, containers, networks, ports) {
        Ok(s) => {
            let events = s.kernel.rec.events.len();
            println!("{containers} containers on {networks} networks, {ports} ports: {events} events");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
