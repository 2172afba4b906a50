//! The one table of keys: what handles a key and what the help overlay says come from it.

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called as on the keyboard")]
pub enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    Tab,
    BackTab,
    Backspace,
}

impl Key {
    /// As a reader finds it on the keyboard.
    pub(crate) fn name(self, unicode: bool) -> String {
        let arrow = |fancy: &str, plain: &str| if unicode { fancy.to_owned() } else { plain.to_owned() };
        match self {
            Key::Char(' ') => "space".into(),
            Key::Char(c) => c.to_string(),
            Key::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Key::Enter => "Enter".into(),
            Key::Esc => "Esc".into(),
            Key::Left => arrow("←", "Left"),
            Key::Right => arrow("→", "Right"),
            Key::Up => arrow("↑", "Up"),
            Key::Down => arrow("↓", "Down"),
            Key::Home => "Home".into(),
            Key::End => "End".into(),
            Key::PageUp => "PgUp".into(),
            Key::PageDown => "PgDn".into(),
            Key::Tab => "Tab".into(),
            Key::BackTab => "Shift-Tab".into(),
            Key::Backspace => "Backspace".into(),
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Forward,
    Back,
    NextHop,
    PrevHop,
    NextRewrite,
    NextDrop,
    First,
    Last,
    NextStep,
    PrevStep,
    Play,
    Parent,
    Child,
    Packets,
    OnlyPacket,
    Details,
    Filter,
    Fold,
    FoldAll,
    FoldHost,
    NextPane,
    PrevPane,
    Zoom,
    Evidence,
    PacketPane,
    Device,
    Why,
    Glossary,
    Help,
    Run,
    Undo,
    Write,
    Up,
    Down,
    PageUp,
    PageDown,
    ScrollLeft,
    ScrollRight,
    Open,
    Number,
    Close,
    Leave,
    Quit,
}

/// Where a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// The list of scenarios.
    Browser,
    /// A scenario is open.
    Walk,
    /// A panel over it: text to scroll, or a list to choose from.
    Panel,
}

/// A line of the table.
pub(crate) struct Binding {
    pub keys: &'static [Key],
    pub contexts: &'static [Context],
    pub action: Action,
    /// Heading in the help overlay.
    pub group: &'static str,
    /// What it does, in few words.
    pub help: &'static str,
    /// One word for the bottom line; empty where it is not there.
    pub hint: &'static str,
}

const fn bind(
    keys: &'static [Key],
    contexts: &'static [Context],
    action: Action,
    (group, help, hint): (&'static str, &'static str, &'static str),
) -> Binding {
    Binding { keys, contexts, action, group, help, hint }
}

use Context::{Browser, Panel, Walk};

const W: &[Context] = &[Walk];
const B: &[Context] = &[Browser];
const P: &[Context] = &[Panel];
const ALL: &[Context] = &[Browser, Walk];
const MOVE: &[Context] = &[Browser, Walk, Panel];

/// Heading of the keys that count in a panel alone.
pub(crate) const IN_A_PANEL: &str = "In a panel";

const DIGITS: &[Key] = &[
    Key::Char('1'),
    Key::Char('2'),
    Key::Char('3'),
    Key::Char('4'),
    Key::Char('5'),
    Key::Char('6'),
    Key::Char('7'),
    Key::Char('8'),
    Key::Char('9'),
];

/// Every key.
pub(crate) const TABLE: &[Binding] = &[
    bind(&[Key::Right, Key::Char(' '), Key::Char('l')], W, Action::Forward, ("Stepping", "one decision on", "on")),
    bind(&[Key::Left, Key::Char('h')], W, Action::Back, ("Stepping", "one decision back", "back")),
    bind(
        &[Key::Char('n')],
        W,
        Action::NextHop,
        ("Stepping", "next hop: where the packet enters another namespace", "hop"),
    ),
    bind(&[Key::Char('N')], W, Action::PrevHop, ("Stepping", "the hop before", "")),
    bind(
        &[Key::Char('r')],
        W,
        Action::NextRewrite,
        ("Stepping", "next rewrite: NAT, into or out of a tunnel", "rewrite"),
    ),
    bind(&[Key::Char('x')], W, Action::NextDrop, ("Stepping", "next drop", "drop")),
    bind(&[Key::Char('s')], W, Action::NextStep, ("Stepping", "next step of the scenario", "step")),
    bind(&[Key::Char('S')], W, Action::PrevStep, ("Stepping", "the step before", "")),
    bind(&[Key::Home], W, Action::First, ("Stepping", "beginning of this step", "")),
    bind(&[Key::End], W, Action::Last, ("Stepping", "end of this step", "")),
    bind(&[Key::Char('P')], W, Action::Play, ("Stepping", "play; again to stop", "play")),
    bind(&[Key::Char('t')], W, Action::Packets, ("Packets", "list of packets: jump to one", "packets")),
    bind(&[Key::Char('o')], W, Action::OnlyPacket, ("Packets", "only this packet; again for all", "")),
    bind(&[Key::Char('[')], W, Action::Parent, ("Packets", "to the packet that caused this one", "")),
    bind(&[Key::Char(']')], W, Action::Child, ("Packets", "to the packet that this one caused", "")),
    bind(&[Key::Char('v')], W, Action::Details, ("Packets", "all decisions: missed rules and passed checks too", "")),
    bind(&[Key::Char('/')], ALL, Action::Filter, ("Packets", "filter the list by words", "filter")),
    bind(&[Key::Char('f')], W, Action::Fold, ("Packets", "fold this hop", "")),
    bind(&[Key::Char('F')], W, Action::FoldAll, ("Packets", "fold all hops, or none", "")),
    bind(
        &[Key::Char('c')],
        W,
        Action::Evidence,
        ("Views", "the evidence (chain, table, entry) on the whole screen", "evidence"),
    ),
    bind(
        &[Key::Char('p')],
        W,
        Action::PacketPane,
        ("Views", "the packet's layers and bytes, or the decision", "layers"),
    ),
    bind(&[Key::Char('d')], W, Action::Device, ("Views", "addresses, routes, neighbours, FDB of this place", "device")),
    bind(&[Key::Char('w')], W, Action::Why, ("Views", "why did it fail? cause, evidence, fix", "why")),
    bind(&[Key::Char('g')], ALL, Action::Glossary, ("Views", "glossary: veth, bridge, conntrack, DNAT …", "glossary")),
    bind(&[Key::Char('z')], W, Action::Zoom, ("Views", "the pane in focus on the whole screen", "")),
    bind(&[Key::Tab], W, Action::NextPane, ("Views", "focus on the next pane", "")),
    bind(&[Key::BackTab], W, Action::PrevPane, ("Views", "focus on the pane before", "")),
    bind(&[Key::Char('-')], W, Action::FoldHost, ("Views", "fold this host in the picture", "")),
    bind(&[Key::Char('<')], W, Action::ScrollLeft, ("Views", "scroll the picture to the left", "")),
    bind(&[Key::Char('>')], W, Action::ScrollRight, ("Views", "scroll the picture to the right", "")),
    bind(&[Key::Char(':')], W, Action::Run, ("Doing", "run a line here: PLACE$ command or PLACE> probe", "run")),
    bind(&[Key::Char('u')], W, Action::Undo, ("Doing", "undo the line you ran last", "")),
    bind(&[Key::Char('W')], W, Action::Write, ("Doing", "write what was done as a scenario file", "")),
    bind(&[Key::Up, Key::Char('k')], MOVE, Action::Up, ("Moving", "up in the list, or scroll", "")),
    bind(&[Key::Down, Key::Char('j')], MOVE, Action::Down, ("Moving", "down in the list, or scroll", "")),
    bind(&[Key::PageUp], MOVE, Action::PageUp, ("Moving", "page up", "")),
    bind(&[Key::PageDown], MOVE, Action::PageDown, ("Moving", "page down", "")),
    bind(&[Key::Home], &[Browser, Panel], Action::First, ("Moving", "to the top", "")),
    bind(&[Key::End], &[Browser, Panel], Action::Last, ("Moving", "to the bottom", "")),
    bind(&[Key::Enter], B, Action::Open, ("Moving", "open the scenario", "open")),
    bind(&[Key::Enter], P, Action::Open, (IN_A_PANEL, "choose", "choose")),
    bind(DIGITS, P, Action::Number, (IN_A_PANEL, "the answer of that number; in why: types that fix", "try a fix")),
    bind(&[Key::Enter], W, Action::Forward, ("Stepping", "one decision on", "")),
    bind(&[Key::Char('?')], MOVE, Action::Help, ("Leaving", "this help", "help")),
    bind(&[Key::Esc, Key::Char('q')], P, Action::Close, (IN_A_PANEL, "close it", "close")),
    bind(&[Key::Esc], ALL, Action::Close, ("Leaving", "close what is open: zoom, filter", "")),
    bind(&[Key::Char('q')], W, Action::Leave, ("Leaving", "back to the list of scenarios", "leave")),
    bind(&[Key::Char('q')], B, Action::Quit, ("Leaving", "quit", "quit")),
    bind(&[Key::Ctrl('c')], MOVE, Action::Quit, ("Leaving", "quit at once", "")),
];

/// What a key does in a context.
pub(crate) fn lookup(context: Context, key: Key) -> Option<Action> {
    TABLE.iter().find(|b| b.contexts.contains(&context) && b.keys.contains(&key)).map(|b| b.action)
}

/// The keys of an action, for a text that names them.
pub(crate) fn key_of(context: Context, action: Action, unicode: bool) -> String {
    let b = TABLE.iter().find(|b| b.contexts.contains(&context) && b.action == action);
    b.and_then(|b| b.keys.first()).map_or_else(String::new, |k| k.name(unicode))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No key means two things in one place.
    #[test]
    fn one_meaning_each() {
        for context in [Browser, Walk, Panel] {
            let mut seen: Vec<Key> = Vec::new();
            for b in TABLE.iter().filter(|b| b.contexts.contains(&context)) {
                for k in b.keys {
                    assert!(!seen.contains(k), "{k:?} is bound twice in {context:?}");
                    seen.push(*k);
                }
            }
        }
    }

    #[test]
    fn every_line_has_words() {
        assert!(TABLE.iter().all(|b| !b.help.is_empty() && !b.group.is_empty() && !b.keys.is_empty()));
    }
}
