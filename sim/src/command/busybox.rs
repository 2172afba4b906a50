//! The tools of a container. Images hold busybox (1.35): its tools know fewer options than the host's and print
//! otherwise. Tools that it has in the host's form, or that scenarios use for plumbing, are the host's.

mod arping;
mod ifconfig;
mod ip;
mod nslookup;
mod ping;
mod traceroute;
mod wget;

use super::{Exit, Proc};

/// Runs a tool that busybox has in a form of its own; none if it has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Option<Exit> {
    Some(match argv[0].rsplit('/').next()? {
        "arping" => arping::run(p, argv),
        "ip" => ip::run(p, argv),
        "ping" => ping::run(p, argv),
        "traceroute" => traceroute::run(p, argv),
        "nslookup" => nslookup::run(p, argv),
        "wget" => wget::run(p, argv),
        "arp" => super::arp::busybox(p, argv),
        "ifconfig" if argv.len() <= 2 => ifconfig::show(p, argv),
        _ => return None,
    })
}

/// Does an image have the tool, though the host has none of that name?
pub fn only_inside(tool: &str) -> bool {
    matches!(tool.rsplit('/').next(), Some("nslookup" | "wget"))
}

/// What every applet says of options that it does not know.
fn usage(p: &mut Proc<'_>, applet: &str, bad: Option<char>, text: &str) -> i32 {
    if let Some(c) = bad {
        p.err.push_str(&format!("{applet}: invalid option -- '{c}'\n"));
    }
    p.err.push_str(&format!("{BANNER}\n\nUsage: {applet} {text}"));
    1
}

/// Options of `nc` as the images have it: neither a scan nor UDP.
pub(super) fn nc(p: &mut Proc<'_>, argv: &[String]) -> Result<(), Exit> {
    const TEXT: &str = "[-iN] [-wN] [-l] [-p PORT] [-f FILE|IPADDR PORT] [-e PROG]\n\nOpen a pipe to IP:PORT or FILE\n\n\
        \t-l\tListen mode, for inbound connects\n\t\t(use -ll with -e for persistent server)\n\t-p PORT\tLocal port\n\
        \t-w SEC\tConnect timeout\n\t-i SEC\tDelay interval for lines sent\n\
        \t-f FILE\tUse file (ala /dev/ttyS0) instead of network\n\t-e PROG\tRun PROG after connect\n";
    options(p, "nc", argv, ("l", "wp", "ife"), TEXT).map(|_| ())
}

const BANNER: &str = "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.";

/// Reads options with `getopt`, or answers for the applet.
fn options(
    p: &mut Proc<'_>,
    applet: &str,
    argv: &[String],
    known: (&str, &str, &str),
    text: &str,
) -> Result<Vec<(usize, super::opts::Opt)>, Exit> {
    use super::opts::{BadOpt, getopt};
    getopt(argv, known.0, known.1, known.2).map_err(|e| match e {
        BadOpt::Refused(r) => Err(r),
        BadOpt::Invalid(c) => Ok(usage(p, applet, Some(c), text)),
        BadOpt::NoValue(c) => {
            p.err.push_str(&format!("{applet}: option requires an argument -- '{c}'\n"));
            Ok(usage(p, applet, None, text))
        }
    })
}
