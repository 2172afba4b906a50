//! `nft` (nftables 1.0.6): the tables that iptables-nft made, by name. What is in them iptables prints.

use super::{Exit, Proc, Refusal};
use crate::kernel::xtables::Variant;

const VERSION: &str = "nftables v1.0.6 (Lester Gooch #5)\n";

/// Runs `nft`.
///
/// # Errors
/// Everything but `nft list tables [ip]`.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words: Vec<&str> = argv[1..].iter().flat_map(|w| w.split_whitespace()).collect();
    match words.as_slice() {
        [] => {
            p.err.push_str("nft: no command specified\n");
            Ok(1)
        }
        ["-v" | "--version"] => {
            p.out.push_str(VERSION);
            Ok(0)
        }
        // ebtables has a table there too, whose place in the order is not kept.
        ["list", "tables"] if !p.sess.kernel.ns(p.ns).nf.ebt.chains.is_empty() => {
            Err(Refusal::new("nft list tables beside ebtables: nft list tables ip", 1))
        }
        ["list", "tables"] | ["list", "tables", "ip"] => {
            tables(p);
            Ok(0)
        }
        _ => {
            let what = format!("nft {}: use iptables, which wrote the rules", words.join(" "));
            Err(Refusal::new(what, argv.len().min(2) - 1))
        }
    }
}

/// In the order in which they were made.
fn tables(p: &mut Proc<'_>) {
    let made = &p.sess.kernel.ns(p.ns).nf.xt.of(Variant::Nft).order;
    for t in made {
        p.out.push_str(&format!("table ip {}\n", t.name()));
    }
}
