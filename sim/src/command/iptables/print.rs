//! A rule as `iptables-save` and `-S` print it, and as `-L` does.

use std::net::Ipv4Addr;

use super::ext::{self, bang};
use super::{addr, names, native};
use crate::kernel::xtables::targets::Target;
use crate::kernel::xtables::{Counters, IfMatch, IpMatch, Rule};

/// How much a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Format {
    /// `-v`.
    pub counts: bool,
    /// `-n`.
    pub numeric: bool,
    /// `-x`.
    pub exact: bool,
    /// `--line-numbers`.
    pub line_numbers: bool,
    /// Protocols have names even with `-n`, as releases after 1.8.9 have it.
    pub protocols: bool,
    /// One rule for itself (`-v` with a change), not a row of a table.
    pub single: bool,
}

/// Everything after `-A CHAIN`, with a space before each part.
pub fn spec(rule: &Rule, counters: Option<Counters>) -> String {
    let ip = &rule.ip;
    let mut out = String::new();
    for (letter, a, m, inv) in [('s', ip.src, ip.src_mask, ip.inv_src), ('d', ip.dst, ip.dst_mask, ip.inv_dst)] {
        if m != 0 || inv || a != 0 {
            out += &format!("{} -{letter} {}/{}", bang(inv), Ipv4Addr::from(a), addr::save_mask(m));
        }
    }
    for (letter, name, inv) in [('i', ip.iif, ip.inv_iif), ('o', ip.oif, ip.inv_oif)] {
        if name == native::no_device() && !inv {
            out += &format!(" ! -{letter} +");
        } else if !name.is_any() {
            out += &format!("{} -{letter} {}", bang(inv), name.text());
        }
    }
    if ip.proto != 0 {
        let name = names::protocol_name(ip.proto, true).map_or_else(|| ip.proto.to_string(), str::to_owned);
        out += &format!("{} -p {name}", bang(ip.inv_proto));
    }
    if ip.frag {
        out += &format!("{} -f", bang(ip.inv_frag));
    }
    for m in &rule.matches {
        out += &ext::save_match(m);
    }
    if let Some(c) = counters {
        out += &format!(" -c {} {}", c.packets, c.bytes);
    }
    out + &ext::save_target(&rule.target)
}

/// A count in a column: whole, or in thousands and more (`xtables_print_num`).
pub fn count(n: u64, f: Format) -> String {
    let pad = |width: usize, text: String| if f.single { format!("{text} ") } else { format!("{text:>width$} ") };
    if f.exact {
        return pad(8, n.to_string());
    }
    if n <= 99999 {
        return pad(5, n.to_string());
    }
    let mut n = n;
    for unit in ['K', 'M', 'G'] {
        n = n.saturating_add(500) / 1000;
        if n <= 9999 {
            return pad(5, format!("{n}{unit}"));
        }
    }
    pad(5, format!("{}T", n.saturating_add(500) / 1000))
}

/// Text in a column.
fn column(text: &str, width: usize, f: Format) -> String {
    if f.single { format!("{text} ") } else { format!("{text:<width$} ") }
}

/// A row of `-L`.
pub fn row(rule: &Rule, number: usize, counters: Counters, f: Format) -> String {
    let ip = &rule.ip;
    let mut out = String::new();
    if f.line_numbers {
        out += &column(&number.to_string(), 4, f);
    }
    if f.counts && !f.single {
        out += &count(counters.packets, f);
        out += &count(counters.bytes, f);
    }
    // The kernel knows NOTRACK by its real name.
    let target = if matches!(rule.target, Target::Ct(_)) { "CT" } else { ext::target_name(&rule.target) };
    out += &column(target, 9, f);
    out.push(if ip.inv_proto { '!' } else { ' ' });
    let name = names::protocol_name(ip.proto, !f.numeric).filter(|_| f.single || f.protocols || !f.numeric);
    out += &column(&name.map_or_else(|| ip.proto.to_string(), str::to_owned), 4, f);
    out += if f.single { "opt " } else { "" };
    out.push(if ip.inv_frag { '!' } else { '-' });
    out.push(if ip.frag { 'f' } else { '-' });
    out.push(' ');
    out += &devices(ip, f);
    out += &addresses(ip, f);
    if f.single {
        out += "  ";
    }
    if matches!(rule.target, Target::Goto(_)) {
        out += "[goto] ";
    }
    for m in &rule.matches {
        out += &ext::list_match(m, ip, f.numeric);
    }
    out += &ext::list_target(&rule.target, ip, f.numeric);
    out.push('\n');
    out
}

fn devices(ip: &IpMatch, f: Format) -> String {
    if !f.counts {
        return String::new();
    }
    let text = |name: IfMatch, inv: bool| {
        let any = if f.numeric { "*" } else { "any" };
        let given = name.name == IfMatch::key("+");
        let (name, inv) = match name {
            n if n == native::no_device() => ("+".to_owned(), true),
            n if n.is_any() && !given => (any.to_owned(), inv),
            n => (n.text(), inv),
        };
        format!("{}{name}", if inv { "!" } else { "" }).chars().take(17).collect::<String>()
    };
    let (i, o) = (text(ip.iif, ip.inv_iif), text(ip.oif, ip.inv_oif));
    if f.single { format!("in {i} out {o} ") } else { format!(" {i:<6} {o:<6} ") }
}

fn addresses(ip: &IpMatch, f: Format) -> String {
    let text = |a: u32, m: u32| {
        if m == 0 && !f.numeric {
            return "anywhere".to_owned();
        }
        let name = if f.numeric { Ipv4Addr::from(a).to_string() } else { addr::any_name(a) };
        name + &addr::list_mask(m)
    };
    let (s, d) = (text(ip.src, ip.src_mask), text(ip.dst, ip.dst_mask));
    let not = |inv: bool| if inv { '!' } else { ' ' };
    let (ns, nd) = (not(ip.inv_src), not(ip.inv_dst));
    if f.single { format!("{ns}{s} {nd}-> {d}") } else { format!("{ns}{s:<19} {nd}{d:<19} ") }
}

/// Heads of the columns.
pub fn header(f: Format) -> String {
    let mut out = String::new();
    if f.line_numbers {
        out += "num  ";
    }
    if f.counts && f.exact {
        out += "    pkts      bytes ";
    } else if f.counts {
        out += " pkts bytes ";
    }
    out += "target     prot opt";
    out += if f.counts { " in     out    " } else { "" };
    out + " source               destination         \n"
}
