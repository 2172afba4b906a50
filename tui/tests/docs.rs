//! `docs/walks`: walks as screens, 80×24. Fails where they are not up to date;
//! `PACKETWALK_DOCS=write cargo test -p packetwalk-tui --test docs` writes them.

mod common;

use std::path::Path;

use common::{FULL, Screen};
use packetwalk_tui::Key;

/// A page: keys to press, and what the reader is told to look at.
struct Page {
    file: &'static str,
    title: &'static str,
    intro: &'static str,
    scenario: &'static str,
    shots: &'static [(&'static str, &'static str)],
}

const PAGES: [Page; 3] = [
    Page {
        file: "bridge.md",
        title: "A bridge, by hand",
        intro: "Two namespaces are joined by a bridge. Watch it learn who is where, and ARP ask for an address.",
        scenario: "bridge",
        shots: &[
            ("", "The world before the first step: its hosts, and what the scenario is about."),
            ("ssss", "`s` goes on by whole steps. Here the two are plugged in, and one is going to ping the other."),
            ("  ", "The receiver's Ethernet address is not known: ARP asks everybody on the cable."),
            ("n", "`n` goes to the next hop. The question is for everybody, so the bridge floods it."),
            ("/fdb\n  ", "`/` and `fdb` leave the bridge's decisions only. By now it has learnt who is where."),
            ("g", "`g` explains the words."),
        ],
    },
    Page {
        file: "published-port.md",
        title: "A published port",
        intro: "A client reaches a container by its host's address. The destination is rewritten on the way in, and a rule \
                of the administrator's stops the second attempt.",
        scenario: "bridge-publish",
        shots: &[
            ("", "The world: two hosts on a LAN, a container behind docker0."),
            (" ", "A step begins with what is said, what is run, and what is asked."),
            (" ", "The question comes before the packet leaves."),
            ("1\n", "The first decision: which route? Below it the table, the winner first."),
            ("n", "`n` goes hop by hop: the host answers ARP."),
            ("r", "`r` goes to the next rewrite: DNAT."),
            ("p", "`p` shows the packet's layers. What changed has a star."),
            ("px", "`x` goes to the next drop, here two steps later: the chain, and the rule that did it."),
            ("d", "`d` shows the place: devices, routes, neighbours, and what this step changed there."),
        ],
    },
    Page {
        file: "overlay.md",
        title: "A tunnel between hosts",
        intro: "Two namespaces on two hosts share an Ethernet over VXLAN. The frame travels inside a UDP datagram.",
        scenario: "vxlan-by-hand",
        shots: &[
            ("", "The world before anything is built."),
            (
                "sssssr",
                "`r` finds where the frame goes into the tunnel. It is the ARP question, for the two share one Ethernet.",
            ),
            ("p", "`p`: outer and inner headers side by side."),
            ("pr", "The next rewrite is at the other host: the frame is taken out."),
        ],
    },
];

fn page(p: &Page) -> String {
    let mut s = Screen::open(p.scenario, (80, 24), FULL);
    let mut out = format!(
        "# {}\n\n<!-- Written by tui/tests/docs.rs; do not edit. -->\n\n{}\n\n    packetwalk tui {}\n",
        p.title, p.intro, p.scenario
    );
    for (keys, text) in p.shots {
        s.typed(keys);
        out.push_str(&format!("\n{text}\n\n```text\n{}```\n", s.shot()));
    }
    s.press(&[Key::Esc]);
    out
}

#[test]
fn walks_are_up_to_date() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/walks");
    let write = std::env::var_os("PACKETWALK_DOCS").is_some_and(|v| v == "write");
    let mut stale = Vec::new();
    for p in &PAGES {
        let (file, text) = (dir.join(p.file), page(p));
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if write {
            std::fs::create_dir_all(&dir).expect("a folder for the pages");
            std::fs::write(&file, text).expect("a page");
        } else {
            stale.push(p.file);
        }
    }
    assert!(
        stale.is_empty(),
        "not up to date: {}; write them with PACKETWALK_DOCS=write cargo test -p packetwalk-tui --test docs",
        stale.join(", ")
    );
}

/// The screen in the README is the one that its keys lead to.
#[test]
fn the_screen_of_the_readme_is_real() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let (head, rest) = readme.split_once("<!-- screen:").expect("its screen");
    let (note, rest) = rest.split_once("```text\n").expect("a block");
    let (_, tail) = rest.split_once("```\n<!-- /screen -->").expect("its end");
    let mut s = Screen::open("bridge-publish", (80, 24), FULL);
    let shot = s.typed("  1\nr").shot();
    let now = format!("{head}<!-- screen:{note}```text\n{shot}```\n<!-- /screen -->{tail}");
    assert!(readme == now, "the screen is to be:\n{shot}");
}
