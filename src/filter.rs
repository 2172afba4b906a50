//! `packetwalk filter`.

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use packetwalk_sim::filter::{self, Problem, Question, State, Verdict};
use packetwalk_sim::kernel::netfilter::Hook;
use packetwalk_sim::kernel::xtables::TableKind;

use crate::{End, Format, out, problem};

/// What a dump is.
pub const DUMP: &str = "it has to be what iptables-save printed: *TABLE, :CHAIN, -A …, COMMIT";

/// Largest dump in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Arguments of `filter`.
#[derive(clap::Args)]
pub struct Args {
    /// What `iptables-save` printed; `-` reads standard input
    rules: String,
    /// Device that the packet comes in by
    #[arg(long = "in", value_name = "DEVICE")]
    input: Option<String>,
    /// Device that it leaves by; with --in it is forwarded, alone it is the host's own
    #[arg(long = "out", value_name = "DEVICE")]
    output: Option<String>,
    /// Source address
    #[arg(long, value_parser = ipv4)]
    src: Ipv4Addr,
    /// Destination address
    #[arg(long, value_parser = ipv4)]
    dst: Ipv4Addr,
    /// tcp, udp, icmp (an echo request) or a number
    #[arg(long, default_value = "tcp", value_parser = proto)]
    proto: u8,
    /// Source port
    #[arg(long, default_value_t = 40_000)]
    sport: u16,
    /// Destination port; tcp and udp want one
    #[arg(long)]
    dport: Option<u16>,
    /// State of its connection: NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED
    #[arg(long, default_value = "NEW", value_parser = state)]
    state: State,
    /// Mark that it comes with
    #[arg(long, default_value = "0", value_parser = mark)]
    mark: u32,
    /// Only these hooks instead of the whole way: PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING
    #[arg(long, value_delimiter = ',', value_parser = hook)]
    hook: Vec<Hook>,
    /// Only this table of the dump
    #[arg(long, value_parser = table)]
    table: Option<TableKind>,
    /// An address of one of the host's devices, for addrtype and MASQUERADE: eth0=192.0.2.1/24
    #[arg(long, value_name = "DEVICE=ADDRESS/PREFIX", value_parser = address)]
    address: Vec<(String, Ipv4Net)>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn ipv4(t: &str) -> Result<Ipv4Addr, String> {
    if t.parse::<Ipv6Addr>().is_ok() {
        return Err("IPv6 is not modelled".into());
    }
    t.parse().map_err(|_| "an IPv4 address, such as 192.0.2.9".into())
}

fn proto(t: &str) -> Result<u8, String> {
    match t {
        "icmp" => Ok(1),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        _ => t.parse().map_err(|_| "tcp, udp, icmp or a number from 0 to 255".into()),
    }
}

fn state(t: &str) -> Result<State, String> {
    State::by_name(t).ok_or_else(|| "NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED".into())
}

fn mark(t: &str) -> Result<u32, String> {
    let hex = t.strip_prefix("0x").map(|h| u32::from_str_radix(h, 16));
    hex.unwrap_or_else(|| t.parse()).map_err(|_| "a number of 32 bits, such as 0x1".into())
}

fn hook(t: &str) -> Result<Hook, String> {
    Hook::by_name(&t.to_ascii_uppercase()).ok_or_else(|| "PREROUTING, INPUT, FORWARD, OUTPUT or POSTROUTING".into())
}

fn table(t: &str) -> Result<TableKind, String> {
    TableKind::by_name(t).ok_or_else(|| "raw, mangle, nat, filter or security".into())
}

fn address(t: &str) -> Result<(String, Ipv4Net), String> {
    let form = "DEVICE=ADDRESS/PREFIX, such as eth0=192.0.2.1/24";
    let (dev, net) = t.split_once('=').ok_or(form)?;
    Ok((dev.to_owned(), net.parse().map_err(|_| form)?))
}

/// Runs it: 0 for a packet that goes through, 1 for one that is dropped or refused, 2 for bad input, 3 where its fate
/// depends on something that is not modelled.
pub fn run(a: &Args) -> End {
    let dump = match read(&a.rules) {
        Ok(t) => t,
        Err(e) => {
            problem::error(
                &format!("{}: {e}", a.rules),
                "name a file that iptables-save wrote, or - for standard input",
            );
            return End::Bad;
        }
    };
    if dump.trim().is_empty() {
        let help = "iptables-save prints nothing where it may not read the tables: run it as root";
        problem::error(&format!("{}: there is nothing in it", a.rules), help);
        return End::Bad;
    }
    if matches!(a.proto, 6 | 17) && a.dport.is_none() {
        problem::error("a packet of tcp or udp wants --dport", "say --dport 443, or --proto icmp");
        return End::Bad;
    }
    if !matches!(a.proto, 6 | 17) && a.dport.is_some() {
        problem::error("only tcp and udp have ports", "leave --dport out, or say --proto tcp");
        return End::Bad;
    }
    let q = Question {
        input: a.input.clone(),
        output: a.output.clone(),
        hooks: a.hook.clone(),
        table: a.table,
        src: a.src,
        dst: a.dst,
        proto: a.proto,
        sport: a.sport,
        dport: a.dport.unwrap_or(0),
        state: a.state,
        mark: a.mark,
        addresses: a.address.clone(),
    };
    match filter::walk(&dump, &q) {
        Ok(answer) => {
            out::print(&match a.format {
                Format::Text => answer.text(),
                Format::Json => format!("{:#}\n", answer.json()),
            });
            match answer.verdict {
                Verdict::Accept => End::Good,
                Verdict::Drop | Verdict::Reject => End::Failed,
                Verdict::Unmodelled => End::Missing,
            }
        }
        Err(e) => {
            match e {
                Problem::Dump(_) => problem::error(&format!("{}: {e}", a.rules), DUMP),
                Problem::Question(_) => problem::error(&e.to_string(), "packetwalk filter --help tells what to say"),
            }
            End::Bad
        }
    }
}

fn read(name: &str) -> std::io::Result<String> {
    let mut text = String::new();
    if name == "-" {
        std::io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(name)?.take(MAX_BYTES).read_to_string(&mut text)?;
    }
    if text.len() as u64 == MAX_BYTES {
        return Err(std::io::Error::other("longer than 16 MiB"));
    }
    Ok(text)
}
