//! `resolv.conf` of containers: up to 25 filtered or built (libnetwork resolvconf, sandbox_dns_unix.go), since 26
//! parsed, changed and written with comments (libnetwork internal/resolvconf).

use std::net::IpAddr;

/// What `--dns`, `--dns-search` and `--dns-option` say, or the daemon's flags where the container has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Name servers.
    pub servers: Vec<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// Options.
    pub options: Vec<String>,
}

impl Overrides {
    fn none(&self) -> bool {
        self.servers.is_empty() && self.search.is_empty() && self.options.is_empty()
    }
}

/// What becomes of the host's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// Nothing: the container has no network yet, or the host's.
    None,
    /// A network without a name server of the engine (`TransformForLegacyNw`).
    Legacy,
    /// One with it (`TransformForIntNS`).
    Internal,
}

/// The engine's name server in a container.
const INTERNAL: &str = "127.0.0.11";
/// Servers to use where the host tells none (`defaultIPv4NSs`).
pub const DEFAULT: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// The lines of a file, as both packages read them.
#[derive(Default)]
struct Parsed {
    servers: Vec<String>,
    invalid: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
    other: Vec<String>,
}

/// `all`: options of several lines come together, and `domain` is `search`, as since 26.
fn parse(text: &str, all: bool) -> Parsed {
    let mut p = Parsed::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let rest = || fields[1..].iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        match fields.first().copied() {
            None => {}
            Some(f) if f.starts_with(['#', ';']) => {}
            Some("nameserver" | "search" | "domain" | "options") if fields.len() < 2 => {}
            Some("nameserver") if fields[1].parse::<IpAddr>().is_ok() => p.servers.push(fields[1].to_owned()),
            Some("nameserver") => p.invalid.push(fields[1].to_owned()),
            Some("search") => p.search = rest(),
            Some("domain") if all => p.search = rest(),
            Some("options") if all => p.options.extend(rest()),
            Some("options") => p.options = rest(),
            Some(_) => p.other.push(line.to_owned()),
        }
    }
    p
}

fn local(server: &str) -> bool {
    server.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// The servers that a file names.
pub fn servers(text: &str) -> Vec<String> {
    parse(text, true).servers
}

/// 20.10: the file of a container when it is made, and with `ipv4` once it joined a network without IPv6.
pub fn filtered(host: &str, over: &Overrides, ipv4: bool) -> String {
    if !over.none() {
        let p = parse(host, false);
        let pick = |own: &[String], host: Vec<String>| if own.is_empty() { host } else { own.to_vec() };
        return built(&pick(&over.servers, p.servers), &pick(&over.search, p.search), &pick(&over.options, p.options));
    }
    let server = |l: &str| l.strip_prefix("nameserver").and_then(|r| r.split_whitespace().next()).map(str::to_owned);
    let goes = |l: &str| server(l).is_some_and(|a| local(&a) || (ipv4 && a.contains(':')));
    let mut text: String = host.split_inclusive('\n').filter(|l| !goes(l)).collect();
    if parse(&text, false).servers.is_empty() {
        let lines: Vec<String> = DEFAULT.iter().map(|a| format!("nameserver {a}")).collect();
        text.push_str(&format!("\n{}", lines.join("\n")));
        if !ipv4 {
            text.push_str("\nnameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844");
        }
    }
    text
}

/// 20.10: the engine's server takes the place of the others (`rebuildDNS`); an `ndots` that was there stays.
pub fn rebuilt(file: &str) -> String {
    let p = parse(file, false);
    let mut servers = vec![INTERNAL.to_owned()];
    servers.extend(p.servers.into_iter().filter(|s| s.contains(':')));
    let mut options = p.options;
    if !options.iter().any(|o| o.starts_with("ndots:")) {
        options.push("ndots:0".into());
    }
    built(&servers, &p.search, &options)
}

/// `resolvconf.Build`: `search` first.
fn built(servers: &[String], search: &[String], options: &[String]) -> String {
    let mut t = String::new();
    if !search.is_empty() && search != ["."] {
        t.push_str(&format!("search {}\n", search.join(" ")));
    }
    t.push_str(&servers.iter().map(|s| format!("nameserver {s}\n")).collect::<String>());
    if !options.is_empty() {
        t.push_str(&format!("options {}\n", options.join(" ")));
    }
    t
}

/// Since 26: the whole file, with the comments that say where it is from.
pub fn generated(path: &str, host: &str, over: &Overrides, how: Transform) -> String {
    let mut p = parse(host, true);
    let mut ndots = has_ndots(&p.options).then_some("host");
    let (s1, s2, s3) = (!over.servers.is_empty(), !over.search.is_empty(), !over.options.is_empty());
    if s1 {
        p.servers.clone_from(&over.servers);
    }
    if s2 {
        p.search = over.search.iter().filter(|s| *s != ".").cloned().collect();
    }
    if s3 {
        p.options.clone_from(&over.options);
        ndots = has_ndots(&p.options).then_some("override");
    }
    let mut outside = Vec::new();
    let mut defaults = false;
    let default = || DEFAULT.map(str::to_owned).to_vec();
    match how {
        Transform::None => {}
        Transform::Legacy if s1 => {}
        Transform::Legacy => {
            p.servers.retain(|s| !local(s) && !s.contains(':'));
            if p.servers.is_empty() {
                (p.servers, defaults) = (default(), true);
            }
        }
        Transform::Internal => {
            let own = |s: &String| if s1 { s.clone() } else { format!("host({s})") };
            outside = p.servers.iter().map(own).collect();
            if outside.is_empty() {
                (outside, defaults) = (default(), true);
            }
            p.servers = vec![INTERNAL.into()];
            p.options.retain(|o| o.strip_prefix("ndots:").is_none_or(|n| n.parse::<u32>().is_ok()) && o != "ndots");
            if !has_ndots(&p.options) {
                p.options.push("ndots:0".into());
                ndots = Some("internal");
            }
        }
    }
    let transform = match how {
        Transform::None => "",
        Transform::Legacy => " (legacy)",
        Transform::Internal => " (internal resolver)",
    };
    let mut t = HEADER.to_owned();
    t.push_str(&p.servers.iter().map(|s| format!("nameserver {s}\n")).collect::<String>());
    let line = |word: &str, list: &[String]| {
        if list.is_empty() { String::new() } else { format!("{word}{}\n", list.join(" ")) }
    };
    t.push_str(&line("search ", &p.search));
    t.push_str(&line("options ", &p.options));
    if !p.other.is_empty() {
        t.push_str(&format!("{}\n", p.other.join("\n")));
    }
    t.push_str(&format!("\n# Based on host file: '{path}'{transform}\n"));
    if defaults {
        t.push_str("# Used default nameservers.\n");
    }
    let list = |word: &str, list: &[String]| {
        if list.is_empty() { String::new() } else { format!("# {word}: [{}]\n", list.join(" ")) }
    };
    t.push_str(&list("ExtServers", &outside));
    t.push_str(&list("Invalid nameservers", &p.invalid));
    let over = [(s1, "nameservers"), (s2, "search"), (s3, "options")];
    let over: Vec<&str> = over.into_iter().filter(|(on, _)| *on).map(|(_, w)| w).collect();
    t.push_str(&format!("# Overrides: [{}]\n", over.join(" ")));
    if let Some(from) = ndots {
        t.push_str(&format!("# Option ndots from: {from}\n"));
    }
    t
}

const HEADER: &str = "# Generated by Docker Engine.\n# This file can be edited; Docker Engine will not make further changes \
                      once it\n# has been modified.\n\n";

fn has_ndots(options: &[String]) -> bool {
    options.iter().any(|o| o.split(':').next() == Some("ndots"))
}

#[cfg(test)]
mod tests {
    use super::{Overrides, Transform, filtered, generated, rebuilt};

    #[test]
    fn host_file_keeps_its_order() {
        let host = "nameserver 10.0.0.1\nsearch corp.example\nnameserver 127.0.0.53\noptions edns0\n";
        let none = Overrides::default();
        assert_eq!(filtered(host, &none, true), "nameserver 10.0.0.1\nsearch corp.example\noptions edns0\n");
        let only = "options edns0\nnameserver 127.0.0.53\n";
        assert_eq!(filtered(only, &none, true), "options edns0\n\nnameserver 8.8.8.8\nnameserver 8.8.4.4");
        assert_eq!(rebuilt(host), "search corp.example\nnameserver 127.0.0.11\noptions edns0 ndots:0\n");
    }

    #[test]
    fn comments_say_where_it_is_from() {
        let t = generated("/etc/resolv.conf", "nameserver ::1\n", &Overrides::default(), Transform::Legacy);
        assert!(t.contains("\n\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n\n# Based on host file: '/etc/resolv.conf' (legacy)\n# Used default nameservers.\n# Overrides: []\n"), "{t}");
    }
}
