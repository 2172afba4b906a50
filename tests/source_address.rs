//! Which address a container sees: `docs/source-address.md` is what the model says, and nothing else. After a change
//! that is meant, `UPDATE_DOCS=1 cargo test --test source_address` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use packetwalk_sim::scenario::{self, run};

const ENGINES: [&str; 3] = ["20.10", "28.5", "29"];

/// Places of clients: the title, and the probe that goes out from there.
const CLIENTS: [(&str, &str); 7] = [
    ("the container itself, by the host's address", "web> http -W 3 192.168.91.128:8080"),
    ("same network, by the host's address", "near> http -W 3 192.168.91.128:8080"),
    ("another network, by the host's address", "far> http -W 3 192.168.91.128:8080"),
    ("the host, by 127.0.0.1", "node1> http -W 3 127.0.0.1:8080"),
    ("the host, by its own address", "node1> http -W 3 192.168.91.128:8080"),
    ("the host, by the container's address", "node1> http -W 3 WEB:80"),
    ("a machine of the LAN, by the host's address", "client> http -W 3 192.168.91.128:8080"),
];

/// Where the server is: the title, its network, another network, its address.
const NETWORKS: [(&str, &str, &str, &str); 2] = [
    ("A user-defined network, 10.1.0.0/24", "one", "two", "10.1.0.2"),
    ("The default bridge, 172.17.0.0/16", "bridge", "two", "172.17.0.2"),
];

fn world(engine: &str, proxy: bool, (_, net, other, web): (&str, &str, &str, &str)) -> String {
    let mut text = format!(
        "name: matrix
title: t
engine: \"{engine}\"
hosts:
  node1: {{interfaces: {{eth0: {{lan: lan, address: 192.168.91.128/24}}}}, dockerd: {{userland-proxy: {proxy}}}}}
  client: 192.168.91.2/24
setup:
  - node1$ docker network create --subnet 10.1.0.0/24 one
  - node1$ docker network create --subnet 10.2.0.0/24 two
  - node1$ docker run -d --name web --network {net} -p 8080:80 nginx
  - node1$ docker run -itd --name near --network {net} busybox
  - node1$ docker run -itd --name far --network {other} busybox
steps:
"
    );
    for (_, probe) in CLIENTS {
        writeln!(text, "  - {}", probe.replace("WEB", web)).expect("text");
    }
    text
}

/// What the server sees of each client, or how the client fails.
fn column(engine: &str, proxy: bool, at: (&str, &str, &str, &str)) -> Vec<String> {
    let s = scenario::parse(&world(engine, proxy, at)).unwrap_or_else(|e| panic!("{e}"));
    let w = run::walk(&s).expect("it runs");
    let seen = |step: &run::StepResult| {
        let from = step.report.as_ref().and_then(|r| r.seen.as_deref()).and_then(|s| s.split(':').next());
        match from {
            Some(ip) => format!("`{ip}`"),
            None => step.outcome().map_or("?".to_owned(), |o| o.as_str().to_owned()),
        }
    };
    w.steps.iter().map(seen).collect()
}

fn table(at: (&str, &str, &str, &str)) -> String {
    let mut columns = Vec::new();
    let mut head = "| client |".to_owned();
    for engine in ENGINES {
        for proxy in [true, false] {
            columns.push(column(engine, proxy, at));
            write!(head, " {engine}{} |", if proxy { "" } else { ", no proxy" }).expect("text");
        }
    }
    let mut out = format!("\n## {}\n\n{head}\n|{}\n", at.0, "---|".repeat(columns.len() + 1));
    for (i, (title, _)) in CLIENTS.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|c| c[i].as_str()).collect();
        writeln!(out, "| {title} | {} |", cells.join(" | ")).expect("text");
    }
    out
}

fn page() -> String {
    let mut out = "\
# Which address does the server see?

A container `web` publishes port 8080 of its host, 192.168.91.128. Who asks for the page, and whose address does
`web` see? The answer depends on where the client is, on the engine's version and on `userland-proxy`. A word in place
of an address is what the client gets instead of the page.

What lies behind it: a DNAT rule leaves the client's address alone; docker-proxy calls `web` itself, from the bridge's
address; a connection that comes back to the bridge it came from is masqueraded, or its answers would go past the rule.

The simulator writes this page (`UPDATE_DOCS=1 cargo test --test source_address`), and a test compares it.
"
    .to_owned();
    for at in NETWORKS {
        out.push_str(&table(at));
    }
    out
}

#[test]
fn source_address() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/source-address.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().expect("docs")).expect("docs/");
        std::fs::write(&file, &page).expect("written");
    }
    let kept = std::fs::read_to_string(&file).expect("docs/source-address.md");
    assert!(kept == page, "docs/source-address.md differs; UPDATE_DOCS=1 writes it anew. Now:\n{page}");
}
