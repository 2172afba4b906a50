//! Netfilter's five hooks, the present one lit, and what is asked there in which order.

use packetwalk_sim::kernel::netfilter::Hook;
use ratatui::style::Style;

use crate::view::doc::Doc;
use crate::view::look::{FAINT, HEAD, HERE};

/// Draws the hooks; `step` is what is at work at the lit one: a table, or `conntrack`.
pub(super) fn diagram(at: Hook, step: &str, d: &mut Doc) {
    let hook = |h: Hook| lit(h.name(), h == at);
    let faint = |t: &str| (t.to_owned(), FAINT);
    if d.tight || d.width < 58 {
        let mut line = Vec::new();
        for h in Hook::ALL {
            line.push(if h == at { hook(h) } else { (h.name().to_owned(), FAINT) });
            line.push(faint(" "));
        }
        if d.tight {
            let stations = tables(at, step, " ");
            let wide = |l: &[(String, Style)]| l.iter().map(|x| x.0.chars().count()).sum::<usize>();
            if wide(&line) + 1 + wide(&stations) <= d.width {
                line.push(faint(":"));
                line.extend(stations);
                d.spans(line);
                return;
            }
            d.spans(line);
            d.spans([faint(&format!("at {}:", at.name()))].into_iter().chain(stations).collect());
            return;
        }
        d.spans(line);
    } else {
        d.spans(vec![
            faint("in →"),
            hook(Hook::Prerouting),
            faint("→ route →"),
            hook(Hook::Forward),
            faint("→"),
            hook(Hook::Postrouting),
            faint("→ out"),
        ]);
        d.spans(vec![faint("                    ↓"), faint("                 ↑")]);
        d.spans(vec![faint("                "), hook(Hook::Input), faint("→ program →"), hook(Hook::Output)]);
    }
    d.spans([faint(&format!("at {}:", at.name()))].into_iter().chain(tables(at, step, " → ")).collect());
    d.gap();
}

/// A name, lit or not: brackets say so where nothing else can.
fn lit(name: &str, on: bool) -> (String, Style) {
    if on { (format!("[{name}]"), HERE.patch(HEAD)) } else { (format!(" {name} "), Style::new()) }
}

/// What looks at a packet there, one after the other.
fn tables(at: Hook, step: &str, between: &str) -> Vec<(String, Style)> {
    let mut out = Vec::new();
    for (i, s) in at.stations().enumerate() {
        out.push((if i > 0 { between } else { " " }.to_owned(), FAINT));
        out.push(if s == step { lit(s, true) } else { (s.to_owned(), Style::new()) });
    }
    out
}
