//! `nft list tables`, as nftables 1.0.6 tells of tables that iptables-nft made; the rest is refused by name.

use packetwalk_sim::scenario::parse;
use packetwalk_sim::scenario::run::walk;

const HEAD: &str = "name: t\ntitle: t\nhosts: {a: 10.0.0.1/24}\nsteps:\n";

#[test]
fn tables_in_the_order_they_were_made() {
    let line = "iptables -t nat -A POSTROUTING -j ACCEPT; iptables -A FORWARD -j DROP; nft list tables";
    let s = parse(&format!("{HEAD}  - run: a$ {line}\n  - run: a$ nft list ruleset\n")).expect("a scenario");
    let w = walk(&s).expect("a walk");
    assert_eq!(w.steps[0].stdout, "table ip nat\ntable ip filter\n");
    let (refusal, _) = w.steps[1].refusal.as_ref().expect("a refusal");
    assert!(refusal.what.starts_with("nft list ruleset"), "{}", refusal.what);
}
