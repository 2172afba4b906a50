//! `curl` for plain http (curl 7.88): connect, GET, print the body.

use std::net::Ipv4Addr;

use super::opts::{BadOpt, Opt, getopt, seconds};
use super::{Exit, Proc, Refusal, http};
use crate::kernel::types::{MSEC, SEC};
use crate::trace::Outcome;

/// curl waits five minutes for a connection.
const CONNECT_TIMEOUT: u64 = 300 * SEC;

/// Runs `curl`.
///
/// # Errors
/// Options and schemes that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (argv, (long, connect)) = shorten(argv)?;
    // Nothing is encrypted here, and no server sends anybody elsewhere: -k and -L change nothing.
    let opts = match getopt(&argv, "4sSfviIkL", "mow", "6aAbBcCdDeEFgGhHjJKlMnNOpPqQrRtTuUVxXyYzZ") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => return fail(p, &format!("curl: option -{c}: is unknown\n"), 2),
        Err(BadOpt::NoValue(c)) => return fail(p, &format!("curl: option -{c}: requires parameter\n"), 2),
    };
    let (mut url, mut max, mut silent, mut show, mut head, mut out) = (None, long, false, false, false, None);
    let mut verbose = false;
    let mut written = Vec::new();
    for (at, o) in opts {
        match o {
            Opt::Word(w) => url = Some((at, w)),
            Opt::Flag('m', Some(v)) => match seconds(&v) {
                Some(t) => max = Some(t),
                None => return fail(p, "curl: option -m: expected a proper numerical parameter\n", 2),
            },
            Opt::Flag('o', v) => out = v,
            Opt::Flag('w', v) => written = write_out(&v.unwrap_or_default(), at)?,
            Opt::Flag('s', _) => silent = true,
            Opt::Flag('S', _) => show = true,
            Opt::Flag('i', _) => head = true,
            Opt::Flag('v', _) => verbose = true,
            Opt::Flag('I', _) => return Err(Refusal::new("curl -I", at)),
            Opt::Flag(..) => {}
        }
    }
    let Some((at, url)) = url else {
        return fail(p, "curl: try 'curl --help' or 'curl --manual' for more information\n", 2);
    };
    let url = http::read("curl", &url, at)?;
    let (host, path, hostport) = (url.host, url.path, url.authority);
    let Some(port) = url.port else {
        return fail(p, "curl: (3) URL using bad/illegal format or missing URL\n", 3);
    };
    let tell = !silent || show;
    let talk = Talk { on: verbose, host, port };
    let Ok(dst) = p.lookup(host) else {
        p.fail_report(Outcome::ResolveFailed, None);
        said(p, &written, 0);
        talk.failed(p, &format!("Could not resolve host: {host}"));
        let line = format!("curl: (6) Could not resolve host: {host}\n");
        return fail(p, if tell { &line } else { "" }, 6);
    };
    let began = p.sess.kernel.now();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {hostport}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n");
    if talk.on && p.background {
        return Err(Refusal::new("curl -v in the background", 0));
    }
    talk.trying(p, dst);
    let asked = http::ask(
        p,
        "curl",
        (dst, port),
        request.clone(),
        connect.or(max).map_or(CONNECT_TIMEOUT, |t| t.min(max.unwrap_or(t))),
    );
    let Some((report, got)) = asked else { return Ok(0) };
    let ms = (p.sess.kernel.now() - began) / MSEC;
    let (code, line) = match report.outcome {
        Some(Outcome::Reply) => (0, String::new()),
        // The sooner of the two limits ends it.
        Some(Outcome::Timeout) if connect.is_some_and(|c| max.is_none_or(|m| c < m)) => {
            (28, format!("curl: (28) Failed to connect to {host} port {port} after {ms} ms: Timeout was reached\n"))
        }
        Some(Outcome::Stall) if max.is_none() && connect.is_some() => {
            return Err(Refusal::new("curl --connect-timeout, and a server that says nothing: add -m", at));
        }
        Some(Outcome::Timeout) => (28, format!("curl: (28) Connection timed out after {ms} milliseconds\n")),
        Some(Outcome::Stall) => {
            (28, format!("curl: (28) Operation timed out after {ms} milliseconds with 0 bytes received\n"))
        }
        Some(Outcome::Closed) => (52, "curl: (52) Empty reply from server\n".into()),
        Some(Outcome::Reset) if report.connected == Some(true) => {
            (56, "curl: (56) Recv failure: Connection reset by peer\n".into())
        }
        _ => (
            7,
            format!("curl: (7) Failed to connect to {host} port {port} after {ms} ms: Couldn't connect to server\n"),
        ),
    };
    if report.connected == Some(true) || code == 0 {
        talk.connected(p, dst, &request);
    }
    if code != 0 {
        let why = match report.outcome {
            Some(Outcome::Refused | Outcome::UnreachablePort) => Some("Connection refused"),
            Some(Outcome::UnreachableHost | Outcome::UnreachableAdmin) => Some("No route to host"),
            Some(Outcome::UnreachableNet) => Some("Network is unreachable"),
            _ => None,
        };
        match why {
            Some(why) => talk.say(p, &format!("connect to {dst} port {port} failed: {why}")),
            None if code == 7 && talk.on => {
                return Err(Refusal::new("curl -v where the kernel refuses to send: curl alone", 0));
            }
            None => {}
        }
        let text = line.split_once(") ").map_or("", |x| x.1);
        talk.failed(p, text.trim_end());
        said(p, &written, 0);
        return fail(p, if tell { &line } else { "" }, code);
    }
    let status = got.split_ascii_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = if head { got.as_str() } else { got.split_once("\r\n\r\n").map_or(got.as_str(), |x| x.1) };
    talk.answered(p, &got);
    match out {
        Some(f) => {
            let path = p.path(&f);
            if p.sess.write_file(p.host, p.ns, &path, body, false).is_err() {
                return fail(p, "curl: (23) Failure writing output to destination\n", 23);
            }
        }
        None => p.out.push_str(body),
    }
    said(p, &written, status);
    Ok(0)
}

/// What `-v` tells on standard error.
struct Talk<'a> {
    on: bool,
    host: &'a str,
    port: u16,
}

impl Talk<'_> {
    fn say(&self, p: &mut Proc<'_>, text: &str) {
        if self.on {
            p.err.push_str(&format!("* {text}\n"));
        }
    }

    fn trying(&self, p: &mut Proc<'_>, dst: Ipv4Addr) {
        self.say(p, &format!("  Trying {dst}:{}...", self.port));
    }

    /// The connection is there, and the request went out.
    fn connected(&self, p: &mut Proc<'_>, dst: Ipv4Addr, request: &str) {
        self.say(p, &format!("Connected to {} ({dst}) port {} (#0)", self.host, self.port));
        self.lines(p, '>', request);
    }

    /// The answer: its head, and how much followed at once.
    fn answered(&self, p: &mut Proc<'_>, got: &str) {
        let (head, body) = got.split_once("\r\n\r\n").unwrap_or((got, ""));
        if head.starts_with("HTTP/1.0") {
            self.say(p, "HTTP 1.0, assume close after body");
        }
        self.lines(p, '<', &format!("{head}\r\n\r\n"));
        if self.on && !body.is_empty() {
            p.err.push_str(&format!("{{ [{} bytes data]\n", body.len()));
        }
        self.say(p, "Closing connection 0");
    }

    fn failed(&self, p: &mut Proc<'_>, why: &str) {
        self.say(p, why);
        self.say(p, "Closing connection 0");
    }

    fn lines(&self, p: &mut Proc<'_>, mark: char, text: &str) {
        for l in text.split_inclusive('\n').filter(|_| self.on) {
            p.err.push_str(&format!("{mark} {l}"));
        }
    }
}

/// A part of what `-w` writes when all is over.
enum Written {
    Text(String),
    /// `%{http_code}`: of the answer, 000 where none came.
    Status,
}

/// Reads the format of `-w`, the word `at` of the line.
fn write_out(format: &str, at: usize) -> Result<Vec<Written>, Refusal> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some((text, more)) = rest.split_once("%{") {
        let Some((name, more)) = more.split_once('}') else {
            return Err(Refusal::new(format!("curl -w %{{{more}"), at));
        };
        parts.push(Written::Text(unescape(text)));
        match name {
            "http_code" | "response_code" => parts.push(Written::Status),
            _ => return Err(Refusal::new(format!("curl -w %{{{name}}}"), at)),
        }
        rest = more;
    }
    parts.push(Written::Text(unescape(rest)));
    Ok(parts)
}

/// The escapes that `-w` knows; a percent sign is written twice.
fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r").replace("%%", "%")
}

fn said(p: &mut Proc<'_>, parts: &[Written], status: u16) {
    for part in parts {
        match part {
            Written::Text(t) => p.out.push_str(t),
            Written::Status => p.out.push_str(&format!("{status:03}")),
        }
    }
}

/// `--max-time` and `--connect-timeout`.
type Limits = (Option<u64>, Option<u64>);

/// Long options by their short names, and the two that are limits.
fn shorten(argv: &[String]) -> Result<(Vec<String>, Limits), Refusal> {
    let mut out = Vec::new();
    let mut limits = (None, None);
    let mut words = argv.iter().enumerate();
    while let Some((i, w)) = words.next() {
        match w.as_str() {
            "--silent" => out.push("-s".to_owned()),
            "--show-error" => out.push("-S".to_owned()),
            "--fail" => out.push("-f".to_owned()),
            "--output" => out.push("-o".to_owned()),
            "--write-out" => out.push("-w".to_owned()),
            "--include" => out.push("-i".to_owned()),
            "--verbose" => out.push("-v".to_owned()),
            "--insecure" => out.push("-k".to_owned()),
            "--location" => out.push("-L".to_owned()),
            "--max-time" | "--connect-timeout" => {
                let v = words.next().and_then(|(_, v)| seconds(v));
                let v = Some(v.ok_or_else(|| Refusal::new(format!("curl {w} without a number"), i))?);
                if w == "--max-time" { limits.0 = v } else { limits.1 = v }
            }
            _ => out.push(w.clone()),
        }
    }
    Ok((out, limits))
}

fn fail(p: &mut Proc<'_>, line: &str, code: i32) -> Exit {
    p.err.push_str(line);
    Ok(code)
}
