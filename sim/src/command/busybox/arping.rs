//! busybox `arping` (networking/arping.c): what it prints of the same work.

use super::super::{Exit, Proc, arping};

/// Runs it: on `eth0` where no device is named.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut words = argv.to_vec();
    if !argv.iter().any(|w| w.starts_with("-I")) {
        words.splice(1..1, ["-I".to_owned(), "eth0".to_owned()]);
    }
    let (out, err) = (p.out.len(), p.err.len());
    let done = arping::run(p, &words);
    let text: String = p.out.split_off(out).lines().map(|l| line(l) + "\n").collect();
    p.out.push_str(&text);
    let said: String = p.err.split_off(err).lines().map(|l| error(l) + "\n").collect();
    p.err.push_str(&said);
    done
}

/// It counts no broadcasts, not even those it sends.
fn line(l: &str) -> String {
    if let Some(n) = l.strip_prefix("Sent ").and_then(|l| l.split_once(" probes")) {
        return format!("Sent {} probe(s) (0 broadcast(s))", n.0);
    }
    if l.starts_with("Received ") {
        return format!("{l} (0 request(s), 0 broadcast(s))");
    }
    match l.split_once('[').and_then(|(a, rest)| Some((a, rest.split_once("]  ")?))) {
        Some((before, (mac, time))) => format!("{before}[{}] {time}", mac.to_lowercase()),
        None => l.to_owned(),
    }
}

fn error(l: &str) -> String {
    let device = |end: &str| l.strip_prefix("arping: Device ").and_then(|l| l.strip_suffix(end));
    match device(" not available.") {
        Some(dev) => format!("arping: interface {dev} not found: No such device"),
        None => l.to_owned(),
    }
}
