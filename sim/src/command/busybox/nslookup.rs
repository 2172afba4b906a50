//! busybox `nslookup` (networking/nslookup.c).

use std::net::Ipv4Addr;

use super::super::opts::Opt;
use super::super::{Exit, Proc, Refusal};
use super::{options, usage};
use crate::app::dns::{Asked, Habit, Lookup, PORT};
use crate::trace::Outcome;
use crate::wire::dns::{QType, in_addr_arpa};

const USAGE: &str = "[-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n\nQuery DNS about HOST\n\n\
QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any\n";

/// Runs `nslookup`.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (asked, argv) = match wanted(p, argv)? {
        Ok(x) => x,
        Err(status) => return Ok(status),
    };
    let argv = argv.as_slice();
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
    let name = match (asked.is_empty(), arpa(&name)) {
        (true, Some(a)) => a.to_string(),
        (true, None) => return Err(Refusal::new("nslookup -type=ptr for what is not below in-addr.arpa", 0)),
        _ => name,
    };
    let names: Vec<String> = match search.is_empty() || name.contains('.') {
        true => vec![name.clone()],
        false => search.iter().map(|domain| format!("{name}.{domain}")).collect(),
    };
    let Some(first) = conf.servers.first().copied() else { return Ok(silence(p)) };
    let addr = name.parse::<Ipv4Addr>().ok();
    let lookup = match addr {
        Some(a) => Lookup::address(a, &conf, Habit::Nslookup),
        None => Lookup::names(names.clone(), &asked, &conf),
    };
    let report = p.sess.ask_dns(p.host, p.ns, lookup, p.deadline).0;
    let queries = report.how.as_ref().map_or(Vec::new(), |h| h.queries.clone());
    let last = queries.last().cloned().unwrap_or_default();
    let server = last.server.parse().unwrap_or(first);
    p.report = Some(report);
    // An answer that is neither good, nor that the name is unknown, nor a server's failure it does not count.
    if last.answers.is_none() || last.rcode == "REFUSED" {
        return Ok(silence(p));
    }
    p.out.push_str(&format!("Server:\t\t{server}\nAddress:\t{server}:{PORT}\n\n"));
    if last.rcode == "SERVFAIL" {
        let asked: Vec<String> = addr.map_or(names, |a| vec![in_addr_arpa(a)]);
        let questions = if addr.is_some() { 1 } else { asked.len() };
        for name in (0..questions).flat_map(|_| &asked) {
            p.out.push_str(&format!("** server can't find {name}: {}\n\n", last.rcode));
        }
        return Ok(1);
    }
    // Answers as they came.
    let of_it = queries.iter().filter(|q| q.server == last.server && q.answers.is_some());
    let mut status = 0;
    for q in of_it {
        p.out.push_str(&answer(q, addr.is_some()));
        status |= i32::from(q.rcode != "NOERROR");
    }
    Ok(status)
}

/// Types of queries, and words.
type Wanted = (Vec<QType>, Vec<String>);

/// The types of `-type=`, A and AAAA without it and none for a pointer, and the other words; or the status to end with.
fn wanted(p: &mut Proc<'_>, argv: &[String]) -> Result<Result<Wanted, i32>, Refusal> {
    let (mut types, mut rest) = (vec![QType::A, QType::Aaaa], Vec::new());
    for (i, a) in argv.iter().enumerate() {
        let given = ["-type=", "-querytype=", "-q="].iter().find_map(|o| a.strip_prefix(o));
        match given.map(str::to_lowercase).as_deref() {
            None => rest.push(a.clone()),
            Some("a") => types = vec![QType::A],
            Some("aaaa") => types = vec![QType::Aaaa],
            Some("ptr") => types = Vec::new(),
            Some("soa" | "ns" | "cname" | "mx" | "txt" | "srv" | "any") => {
                return Err(Refusal::new(format!("nslookup {a}"), i));
            }
            Some(odd) => {
                p.err.push_str(&format!("nslookup: invalid query type \"{odd}\"\n"));
                return Ok(Err(1));
            }
        }
    }
    Ok(Ok((types, rest)))
}

/// The address that a name below in-addr.arpa stands for.
fn arpa(name: &str) -> Option<Ipv4Addr> {
    let mut parts: Vec<&str> = name.trim_end_matches('.').strip_suffix(".in-addr.arpa")?.split('.').collect();
    parts.reverse();
    parts.join(".").parse().ok()
}

/// One answer: none, one for an IPv6 address, or what was asked for.
fn answer(q: &Asked, reverse: bool) -> String {
    let name = &q.name;
    if q.rcode != "NOERROR" {
        return format!("** server can't find {name}: {}\n\n", q.rcode);
    }
    let mut out = if q.authoritative { String::new() } else { "Non-authoritative answer:\n".to_owned() };
    for a in q.answers.iter().flatten() {
        out.push_str(&match reverse {
            true => format!("{name}\tname = {a}\n"),
            false => format!("Name:\t{name}\nAddress: {a}\n"),
        });
    }
    out.push('\n');
    out
}

fn silence(p: &mut Proc<'_>) -> i32 {
    p.out.push_str(";; connection timed out; no servers could be reached\n\n");
    p.fail_report(Outcome::ResolveFailed, None);
    1
}
