//! busybox `nslookup` (networking/nslookup.c).

use std::net::Ipv4Addr;

use super::super::opts::Opt;
use super::super::{Exit, Proc, Refusal};
use super::{options, usage};
use crate::app::dns::{Habit, Lookup, PORT};
use crate::trace::Outcome;
use crate::wire::dns::in_addr_arpa;

const USAGE: &str = "[-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n\nQuery DNS about HOST\n\n\
QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any\n";

/// Runs `nslookup`.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words = match options(p, "nslookup", argv, ("", "", "td"), USAGE) {
        Ok(w) => w,
        Err(done) => return done,
    };
    let words: Vec<String> =
        words.into_iter().filter_map(|(_, w)| if let Opt::Word(w) = w { Some(w) } else { None }).collect();
    let (name, server) = match words.as_slice() {
        [n] => (n.clone(), None),
        [n, s] => (n.clone(), Some(s.clone())),
        _ => return Ok(usage(p, "nslookup", None, USAGE)),
    };
    let mut conf = p.sess.resolv_conf(p.host, p.ns);
    // Who names a server, for him resolv.conf is not read.
    if server.is_some() {
        conf.search.clear();
    }
    if let Some(s) = server {
        let Ok(a) = p.lookup(&s) else {
            p.err.push_str(&format!("nslookup: bad address '{s}'\n"));
            return Ok(1);
        };
        conf.servers = vec![a];
    }
    // A name without a dot it asks for in the search domains alone, any other as it stands (`add_query_with_search`).
    let search = std::mem::take(&mut conf.search);
    let name = match search.as_slice() {
        [domain] if !name.contains('.') => format!("{name}.{domain}"),
        [_, _, ..] if !name.contains('.') => return Err(Refusal::new("nslookup with several search domains", 0)),
        _ => name,
    };
    let Some(first) = conf.servers.first().copied() else { return Ok(silence(p)) };
    let addr = name.parse::<Ipv4Addr>().ok();
    let lookup = match addr {
        Some(a) => Lookup::address(a, &conf, Habit::Nslookup),
        None => Lookup::name(&name, &conf, Habit::Nslookup),
    };
    let asked = addr.map_or_else(|| name.clone(), in_addr_arpa);
    let report = p.sess.ask_dns(p.host, p.ns, lookup, p.deadline).0;
    let last = report.how.as_ref().and_then(|h| h.queries.last().cloned()).unwrap_or_default();
    let server = last.server.parse().unwrap_or(first);
    p.report = Some(report);
    // An answer that is neither good, nor that the name is unknown, nor a server's failure it does not count.
    if last.answers.is_none() || last.rcode == "REFUSED" {
        return Ok(silence(p));
    }
    p.out.push_str(&format!("Server:\t\t{server}\nAddress:\t{server}:{PORT}\n\n"));
    let questions = if addr.is_some() { 1 } else { 2 };
    if last.rcode != "NOERROR" {
        for _ in 0..questions {
            p.out.push_str(&format!("** server can't find {asked}: {}\n\n", last.rcode));
        }
        return Ok(1);
    }
    if !last.authoritative {
        p.out.push_str("Non-authoritative answer:\n");
    }
    for a in last.answers.iter().flatten() {
        p.out.push_str(&match addr {
            Some(_) => format!("{asked}\tname = {a}\n"),
            None => format!("Name:\t{name}\nAddress: {a}\n"),
        });
    }
    p.out.push('\n');
    if addr.is_none() {
        // The answer to the question for an IPv6 address: empty.
        p.out.push_str(if last.authoritative { "\n" } else { "Non-authoritative answer:\n\n" });
    }
    Ok(0)
}

fn silence(p: &mut Proc<'_>) -> i32 {
    p.out.push_str(";; connection timed out; no servers could be reached\n\n");
    p.fail_report(Outcome::ResolveFailed, None);
    1
}
