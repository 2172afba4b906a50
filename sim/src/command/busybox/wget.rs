//! busybox `wget` for plain http (networking/wget.c).

use super::super::opts::{Opt, seconds};
use super::super::{Exit, Proc, Refusal, http};
use super::{options, usage};
use crate::kernel::types::SEC;
use crate::trace::Outcome;

const USAGE: &str = "[-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\
\t[--post-data STR | --post-file FILE] [-Y on/off]\n\
\t[-P DIR] [-U AGENT] [-T SEC] URL...\n\nRetrieve files via HTTP or FTP\n";
/// How long it waits where nobody says otherwise (`-T`).
const TIMEOUT: u64 = 900 * SEC;

/// Runs `wget`.
///
/// # Errors
/// What the model has not: other options and schemes.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    // The one long option that people use.
    let (long, argv): (Vec<String>, Vec<String>) = argv.iter().cloned().partition(|w| w == "--spider");
    let spider = !long.is_empty();
    let opts = match options(p, "wget", &argv, ("qS", "OT", "coPUY"), USAGE) {
        Ok(o) => o,
        Err(done) => return done,
    };
    let (mut url, mut quiet, mut show, mut to, mut limit) = (None, false, false, None, TIMEOUT);
    for (at, o) in opts {
        match o {
            Opt::Word(w) if url.is_none() => url = Some((at, w)),
            Opt::Word(_) => return Err(Refusal::new("wget of several addresses", at)),
            Opt::Flag('q', _) => quiet = true,
            Opt::Flag('S', _) => show = true,
            Opt::Flag('O', v) => to = v,
            Opt::Flag('T', Some(v)) => match seconds(&v) {
                Some(t) => limit = t,
                None => return Ok(usage(p, "wget", None, USAGE)),
            },
            Opt::Flag(c, _) => return Err(Refusal::new(format!("wget -{c}"), at)),
        }
    }
    let Some((at, url)) = url else { return Ok(usage(p, "wget", None, USAGE)) };
    let http::Url { authority, host, port, path } = http::read("wget", &url, at)?;
    let Some(port) = port else { return Err(Refusal::new(format!("wget {url}"), at)) };
    let Ok(dst) = p.lookup(host) else {
        p.err.push_str(&format!("wget: bad address '{host}'\n"));
        p.fail_report(Outcome::ResolveFailed, None);
        return Ok(1);
    };
    if !quiet {
        p.err.push_str(&format!("Connecting to {authority} ({dst}:{port})\n"));
    }
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Wget\r\nConnection: close\r\n\r\n");
    let Some((report, got)) = http::ask(p, "wget", (dst, port), request, limit) else { return Ok(0) };
    let why = match report.outcome {
        Some(Outcome::Reply) => None,
        Some(Outcome::Refused) => Some("Connection refused"),
        Some(Outcome::UnreachableHost) => Some("No route to host"),
        Some(Outcome::NoRoute) => Some("Network is unreachable"),
        Some(Outcome::Timeout | Outcome::Stall) => {
            p.err.push_str("wget: download timed out\n");
            return Ok(1);
        }
        _ => {
            p.err.push_str("wget: error getting response\n");
            return Ok(1);
        }
    };
    if let Some(why) = why {
        p.err.push_str(&format!("wget: can't connect to remote host ({dst}): {why}\n"));
        return Ok(1);
    }
    let (head, body) = got.split_once("\r\n\r\n").unwrap_or(("", &got));
    if show {
        head.split("\r\n").chain([""]).for_each(|l| p.err.push_str(&format!("  {l}\n")));
    }
    if spider {
        p.err.push_str(if quiet { "" } else { "remote file exists\n" });
        return Ok(0);
    }
    let given = to.is_some();
    let to = to.unwrap_or_else(|| match path.rsplit('/').next() {
        None | Some("") => "index.html".to_owned(),
        Some(name) => name.to_owned(),
    });
    if to == "-" {
        p.out.push_str(body);
        if !quiet {
            p.err.push_str(&progress("-", "writing to stdout", body.len(), "written to stdout"));
        }
        return Ok(0);
    }
    let file = p.path(&to);
    if !given && p.sess.exists(p.host, p.ns, &file) {
        p.err.push_str(&format!("wget: can't open '{to}': File exists\n"));
        return Ok(1);
    }
    if p.sess.write_file(p.host, p.ns, &file, body, false).is_err() {
        p.err.push_str(&format!("wget: can't open '{to}'\n"));
        return Ok(1);
    }
    if !quiet {
        let name = to.rsplit('/').next().unwrap_or_default();
        p.err.push_str(&progress(name, &format!("saving to '{to}'"), body.len(), &format!("'{to}' saved")));
    }
    Ok(0)
}

/// What it says of an answer that came at once (libbb/progress.c).
fn progress(name: &str, first: &str, bytes: usize, last: &str) -> String {
    let bar = "*".repeat(32);
    format!("{first}\n{name:<20.20} 100% |{bar}|{bytes:>6}  0:00:00 ETA\n{last}\n")
}
