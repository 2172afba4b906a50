//! Every view at three sizes, without colour, in ASCII, and where the terminal is too small.
//!
//! `INSTA_UPDATE=always cargo test -p packetwalk-tui --test views` writes the snapshots anew.

mod common;

use common::{FULL, Screen};
use packetwalk_tui::{Key, Look};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn check(name: &str, shot: String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shot));
}

/// A view: scenario, and the keys that lead there.
fn view(name: &str, scenario: &str, keys: &str) {
    for (w, h) in SIZES {
        let mut s = Screen::open(scenario, (w, h), FULL);
        s.typed(keys);
        check(&format!("{name}-{w}x{h}"), s.shot());
    }
    let mut s = Screen::open(scenario, (80, 24), Look { color: false, unicode: false });
    s.typed(keys);
    let shot = s.shot();
    assert!(shot.is_ascii(), "{name}: something is not ASCII:\n{shot}");
    check(&format!("{name}-ascii"), shot);
    let plain = s.buffer();
    let colours =
        plain.content.iter().filter(|c| c.fg != ratatui::style::Color::Reset || c.bg != ratatui::style::Color::Reset);
    assert_eq!(colours.count(), 0, "{name}: a colour where there is none");
}

/// A view that another test shows at every size, with something else in it.
fn also(name: &str, scenario: &str, keys: &str) {
    let mut s = Screen::open(scenario, (80, 24), FULL);
    check(name, s.typed(keys).shot());
}

#[test]
fn browser() {
    for (w, h) in SIZES {
        let mut s = Screen::new((w, h), FULL);
        check(&format!("browser-{w}x{h}"), s.shot());
        s.typed("/mtu");
        check(&format!("browser-filter-{w}x{h}"), s.shot());
    }
}

#[test]
fn opening() {
    view("opening", "bridge-publish", "");
}

#[test]
fn begin_of_a_step() {
    view("begin", "bridge-publish", " ");
}

#[test]
fn question() {
    view("question", "bridge-publish", "  ");
}

#[test]
fn answer_told() {
    let mut s = Screen::open("bridge-publish", (80, 24), FULL);
    s.typed("  2\n").press(&[Key::End]);
    check("answer-wrong", s.shot());
    let mut s = Screen::open("bridge-publish", (80, 24), FULL);
    s.typed("  1\n").press(&[Key::End]);
    check("answer-right", s.shot());
}

#[test]
fn route() {
    view("route", "bridge-publish", "  1\n");
}

#[test]
fn rewrite() {
    view("rewrite", "bridge-publish", "  1\nr");
}

#[test]
fn chain_at_a_drop() {
    view("drop", "bridge-publish", "  1\nx");
    view("drop-evidence", "bridge-publish", "  1\nxc");
}

#[test]
fn connection() {
    view("conntrack", "bridge-publish", "  1\n/conntrack\n  ");
}

#[test]
fn bridge_table() {
    view("fdb", "bridge-publish", "  1\n/fdb\n  ");
}

#[test]
fn table_of_connections_is_full() {
    also("drop-full", "conntrack-full", "ssssx");
}

/// What a table forgets while nothing is sent.
#[test]
fn an_entry_vanishes() {
    let mut s = Screen::open("limits", (80, 24), FULL);
    while s.state.position().is_some_and(|p| p.0 < 10) {
        let before = s.state.position();
        s.press(&[Key::Char('s')]);
        if s.state.position() == before {
            // A question.
            s.press(&[Key::Esc]);
        }
    }
    check("forgotten", s.typed("/forgets\n ").shot());
}

#[test]
fn who_reaches_whom() {
    also("reaches", "dmz", "s");
}

#[test]
fn neighbours() {
    view("arp", "bridge-publish", "  1\n ");
}

#[test]
fn socket() {
    view("socket", "bridge-publish", "  1\n/socket\n ");
}

#[test]
fn packet_rewritten() {
    view("packet", "bridge-publish", "  1\nrp");
}

#[test]
fn packet_in_a_tunnel() {
    view("tunnel", "vxlan-by-hand", "ssssssssrp");
}

#[test]
fn details() {
    view("details", "bridge-publish", "  1\nv    ");
}

#[test]
fn folded() {
    view("folded", "bridge-publish", "  1\nF-");
    also("folded-router", "dmz", "sssx1\nx-");
}

#[test]
fn panels() {
    view("packets", "bridge-publish", "  1\nt");
    view("help", "bridge-publish", "?");
    view("glossary", "bridge-publish", "gd");
    view("device", "bridge-publish", "  1\nnnd");
    view("why", "bridge-publish", "  1\nxw");
}

#[test]
fn prompts() {
    view("run", "bridge-publish", " :");
    also("run-refused", "bridge-publish", " :\x15nowhere$ ls\n");
    also("run-unmodelled", "bridge-publish", " :\x15node1$ strace ls\n");
    view("write", "bridge-publish", " W");
}

#[test]
fn many_hosts() {
    view("swarm", "swarm", "sssss");
}

#[test]
fn too_small() {
    let mut s = Screen::open("bridge-publish", (50, 10), FULL);
    check("too-small", s.shot());
    s.resize(80, 24);
    assert!(s.shot().contains("picture"));
}

/// At a drop: why, a fix tried on the spot, and taken back.
#[test]
fn why_and_a_fix() {
    also("why-forwarding", "forwarding-off", "  1\nxw");
    let mut s = Screen::open("forwarding-off", (80, 24), FULL);
    s.typed("  1\nxw1").press(&[Key::End]);
    let shot = s.shot();
    assert!(shot.contains("reply"), "the fix was typed and the probe ran again:\n{shot}");
    check("why-mended", shot);
    let mended = s.state.position().map(|p| p.1);
    s.typed("uu");
    let back = s.state.position().map(|p| p.1);
    assert_eq!(back.map(|n| n + 2), mended, "u takes both lines back:\n{}", s.shot());
}
