//! `packetwalk tui`, and `packetwalk` alone on a terminal.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use packetwalk_sim::explain::{self, Why};
use packetwalk_sim::scenario::{self, Scenario};
use packetwalk_tui::{Entry, Look, Outside, Progress, State};

use crate::{End, load, problem};

/// Arguments of `tui`.
#[derive(clap::Args, Default)]
pub struct Args {
    /// A file, or the name of a library scenario; without one the library is listed
    scenario: Option<String>,
    /// Draw with ASCII only; so it is too where the locale is not UTF-8
    #[arg(long)]
    ascii: bool,
}

/// Whether there is a terminal to draw on and to read keys from.
pub fn terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs it.
pub fn run(a: &Args) -> End {
    if !terminal() {
        problem::error(
            "`packetwalk tui` draws on a terminal, and standard input or output is none",
            "run it in a terminal, without a pipe; `packetwalk run SCENARIO` prints a walk anywhere",
        );
        return End::Bad;
    }
    let (store, progress) = Store::open();
    let look = Look { color: crate::out::color(), unicode: !a.ascii && utf8() };
    let mut state = State::new(library(), progress, look, (80, 24));
    if let Some(what) = &a.scenario {
        let Some(l) = load::load(what) else { return End::Bad };
        if let Err(e) = state.open(l.scenario, l.text) {
            problem::error(&format!("{}:{e}", l.file), "");
            return End::Bad;
        }
    }
    match packetwalk_tui::run(state, &mut Files { store }) {
        Ok(()) => End::Good,
        Err(e) => {
            problem::error(
                &format!("the terminal cannot be used: {e}"),
                "`packetwalk run SCENARIO` prints a walk anywhere",
            );
            End::Bad
        }
    }
}

fn library() -> Vec<Entry> {
    let one = |(topic, _, text): (String, String, &'static str)| {
        scenario::parse(text).ok().map(|scenario| Entry { topic, scenario, text: text.to_owned() })
    };
    load::library().into_iter().filter_map(one).collect()
}

/// Whether the locale says that the terminal shows more than ASCII.
fn utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let l = locale.to_ascii_lowercase();
    l.contains("utf-8") || l.contains("utf8")
}

/// Where progress is kept: `$XDG_STATE_HOME/packetwalk`, or `~/.local/state/packetwalk`.
struct Store(Result<PathBuf, String>);

impl Store {
    fn open() -> (Store, Progress) {
        let absolute = |v: std::ffi::OsString| Some(PathBuf::from(v)).filter(|p| p.is_absolute());
        let home = || std::env::var_os("HOME").and_then(absolute).map(|h| h.join(".local/state"));
        let Some(dir) = std::env::var_os("XDG_STATE_HOME").and_then(absolute).or_else(home) else {
            return (Store(Err("neither XDG_STATE_HOME nor HOME is set".into())), Progress::default());
        };
        let file = dir.join("packetwalk/progress.tsv");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (Store(Ok(file)), Progress::parse(&text))
    }

    fn write(&self, text: &str) -> Result<(), String> {
        let file = self.0.clone()?;
        let fail = |e: std::io::Error| format!("{}: {e}", file.display());
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).map_err(fail)?;
        }
        // Whole or not at all: another one may run at the same time.
        let new = file.with_extension(format!("tsv.{}", std::process::id()));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)).map_err(fail)
    }
}

/// What the screen needs from outside.
struct Files {
    store: Store,
}

impl Outside for Files {
    fn keep(&mut self, progress: &str) -> Result<(), String> {
        self.store.write(progress)
    }

    fn write(&mut self, name: &str, text: &str) -> Result<(), String> {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(name);
        let mut file = file.map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => format!("{name} is there already: choose another name"),
            _ => format!("{name}: {e}"),
        })?;
        file.write_all(text.as_bytes()).map_err(|e| format!("{name}: {e}"))
    }

    fn why(&mut self, scenario: &Scenario, step: usize) -> Result<Why, String> {
        explain::why(scenario, Some(step)).map_err(|e| e.to_string())
    }
}
