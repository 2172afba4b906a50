//! Names of ports and hosts, from the files a host has of them.

use std::net::Ipv4Addr;

use super::Proc;

/// The name of a port in `/etc/services`.
pub fn service(p: &Proc<'_>, port: u16, proto: &str) -> Option<String> {
    let text = p.sess.read_file(p.host, p.ns, "/etc/services").ok()?;
    let wanted = format!("{port}/{proto}");
    text.lines().find_map(|l| {
        let mut w = l.split('#').next().unwrap_or("").split_whitespace();
        let name = w.next()?;
        (w.next()? == wanted).then(|| name.to_owned())
    })
}

/// The first name of an address in `/etc/hosts`.
pub fn host(p: &Proc<'_>, addr: Ipv4Addr) -> Option<String> {
    let text = p.sess.read_file(p.host, p.ns, "/etc/hosts").ok()?;
    text.lines().find_map(|l| {
        let mut w = l.split('#').next().unwrap_or("").split_whitespace();
        let found = w.next()?.parse::<Ipv4Addr>().ok()?;
        (found == addr).then(|| w.next().map(str::to_owned)).flatten()
    })
}
