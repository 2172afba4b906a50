//! What the tools that fetch by http share: reading an address, and asking.

use std::net::Ipv4Addr;

use super::{Proc, Refusal};
use crate::app::Program;
use crate::app::probe::ProbeReport;
use crate::app::tcp::{TcpClient, TcpSpec, Until};
use crate::kernel::types::Nanos;

/// An address of the web.
pub(super) struct Url<'a> {
    /// Host and port as they are written, for the `Host:` line.
    pub authority: &'a str,
    /// Name or address.
    pub host: &'a str,
    /// 80 where none is given, `None` where it is no number.
    pub port: Option<u16>,
    /// What follows the first slash.
    pub path: &'a str,
}

/// Reads a tool's address, the word `at` of its line.
///
/// # Errors
/// Another scheme than http.
pub(super) fn read<'a>(tool: &str, url: &'a str, at: usize) -> Result<Url<'a>, Refusal> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some((scheme, _)) => return Err(Refusal::new(format!("{tool} {scheme}://"), at)),
        None => url,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((h, n)) => (h, n.parse().ok()),
        None => (authority, Some(80)),
    };
    Ok(Url { authority, host, port, path })
}

/// Sends a request and waits for all of the answer: how it went, and what came. `None` where the tool runs on in the
/// background.
pub(super) fn ask(
    p: &mut Proc<'_>,
    tool: &str,
    (dst, port): (Ipv4Addr, u16),
    request: String,
    timeout: Nanos,
) -> Option<(ProbeReport, String)> {
    let spec = TcpSpec {
        dst,
        port,
        sport: 0,
        src: None,
        dev: None,
        ttl: None,
        request: request.into(),
        until: Until::Close,
        count: false,
        timeout,
        http: true,
    };
    let app = p.run_program(tool, Program::Tcp(TcpClient::new(spec)), None)?;
    let a = p.sess.apps.get(app);
    let report = a.report.clone();
    let got = match &a.program {
        Some(Program::Tcp(t)) => String::from_utf8_lossy(&t.got).into_owned(),
        _ => String::new(),
    };
    p.report = Some(report.clone());
    Some((report, got))
}
