//! Netfilter's five hooks, the present one lit, and what is asked there in which order.

use packetwalk_sim::kernel::netfilter::Hook;
use ratatui::style::Style;

use crate::view::doc::Doc;
use crate::view::look::{FAINT, HEAD, HERE};

/// Draws the hooks; `step` is what is at work at the lit one: a table, or `conntrack`.
pub(super) fn diagram(at: Hook, step: &str, d: &mut Doc) {
    let hook = |h: Hook| (format!(" {} ", h.name()), if h == at { HERE.patch(HEAD) } else { Style::new() });
    let faint = |t: &str| (t.to_owned(), FAINT);
    if d.width >= 58 {
        d.spans(vec![
            faint("in →"),
            hook(Hook::Prerouting),
            faint("→ route →"),
            hook(Hook::Forward),
            faint("→"),
            hook(Hook::Postrouting),
            faint("→ out"),
        ]);
        d.spans(vec![faint("                   ↓"), faint("                       ↑")]);
        d.spans(vec![faint("                "), hook(Hook::Input), faint("→ program →"), hook(Hook::Output)]);
    } else {
        d.spans(Hook::ALL.into_iter().map(hook).collect());
    }
    let mut line = vec![(format!("at {}: ", at.name()), FAINT)];
    for (i, s) in order(at).iter().enumerate() {
        if i > 0 {
            line.push(faint(" → "));
        }
        line.push(((*s).to_owned(), if *s == step { HERE.patch(HEAD) } else { Style::new() }));
    }
    d.spans(line);
    d.gap();
}

/// What looks at a packet at a hook, by priority (`enum nf_ip_hook_priorities`).
fn order(h: Hook) -> &'static [&'static str] {
    match h {
        Hook::Prerouting => &["raw", "conntrack", "mangle", "nat"],
        Hook::Input => &["mangle", "filter", "nat", "conntrack"],
        Hook::Forward => &["mangle", "filter"],
        Hook::Output => &["raw", "conntrack", "mangle", "nat", "filter"],
        Hook::Postrouting => &["mangle", "nat", "conntrack"],
    }
}
