//! `nft` (nftables 1.0.6): the tables that iptables-nft made, by name. What is in them iptables prints.

use super::{Exit, Proc, Refusal};

const VERSION: &str = "nftables v1.0.6 (Lester Gooch #5)\n";

/// Runs `nft`.
///
/// # Errors
/// Everything but `nft list tables [ip|ip6]`.
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
        ["list", "tables"] => {
            tables(p, &["ip", "ip6"]);
            Ok(0)
        }
        ["list", "tables", family @ ("ip" | "ip6")] => {
            tables(p, &[family]);
            Ok(0)
        }
        _ => {
            let what = format!("nft {}: use iptables, which wrote the rules", words.join(" "));
            Err(Refusal::new(what, argv.len().min(2) - 1))
        }
    }
}

/// Those of some families, in the order in which they were made.
fn tables(p: &mut Proc<'_>, families: &[&str]) {
    let made = p.sess.kernel.ns(p.ns).nf.xt.nft_tables();
    for (family, name) in made.into_iter().filter(|(f, _)| families.contains(f)) {
        p.out.push_str(&format!("table {family} {name}\n"));
    }
}
