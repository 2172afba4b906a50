//! Drives the real program in a real terminal, which tmux plays: a walk to its end, a question, the chain at a drop, a line
//! of one's own; and the terminal is left as it was, however it ended.
//!
//! Where tmux is missing the tests are ignored; `PACKETWALK_LIVE=must` makes that a failure.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_sim::explain::Why;
use packetwalk_sim::scenario::{self, Scenario};
use packetwalk_tui::{Look, Outside, Progress, State};

fn main() {
    if std::env::args().nth(1).as_deref() == Some(PANICS) {
        return panics();
    }
    let args = Arguments::from_args();
    let there = Command::new("tmux").arg("-V").output().is_ok_and(|o| o.status.success());
    let must = std::env::var_os("PACKETWALK_LIVE").is_some_and(|v| v == "must");
    let trial = |name: &str, what: fn() -> Result<(), Failed>| {
        let run = move || if there { what() } else { Err("tmux is missing: apt install tmux".into()) };
        Trial::test(name, run).with_ignored_flag(!there && !must)
    };
    let all = vec![
        trial("a_walk_from_the_list_to_its_end", walk),
        trial("sigterm_leaves_the_terminal_as_it_was", signal),
        trial("ctrl_c_leaves_the_terminal_as_it_was", ctrl_c),
        trial("a_panic_leaves_the_terminal_as_it_was", panic),
        trial("a_terminal_that_is_gone_ends_it", gone),
        trial("without_colour_and_in_ascii", plain),
        trial("no_place_for_progress_is_told", no_place),
        trial("a_pipe_is_told_what_to_do", pipe),
    ];
    libtest_mimic::run(&args, all).exit();
}

/// How often it is looked whether the program has shown something; the machine may be busy.
const PATIENCE: usize = 1500;

/// A terminal of our own: a tmux server on a socket in a folder of its own, which goes with it.
struct Terminal {
    dir: tempfile::TempDir,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

#[expect(clippy::disallowed_methods, reason = "it waits for another program")]
fn pause() {
    std::thread::sleep(Duration::from_millis(40));
}

impl Terminal {
    /// A shell in a terminal of 80 columns and 24 rows, its state folder empty.
    fn new() -> Result<Terminal, Failed> {
        let t = Terminal { dir: tempfile::tempdir()? };
        let state = t.dir.path().join("state").display().to_string();
        let shell = ["new-session", "-d", "-x", "80", "-y", "24", "-s", "t", "env", "-i"];
        let vars = [
            format!("XDG_STATE_HOME={state}"),
            format!("PATH={}", std::env::var("PATH").unwrap_or_default()),
            "TERM=screen-256color".to_owned(),
            "LC_ALL=C.UTF-8".to_owned(),
            "PS1=ready> ".to_owned(),
        ];
        let mut c = t.command();
        c.args(["-f", "/dev/null"]).args(shell).args(vars).args(["sh"]).current_dir(t.dir.path());
        let o = c.output()?;
        if !o.status.success() {
            return Err(format!("tmux: {}", String::from_utf8_lossy(&o.stderr)).into());
        }
        t.tmux(&["set", "-g", "status", "off"])?;
        t.tmux(&["set", "-g", "escape-time", "0"])?;
        t.tmux(&["resize-window", "-t", "t", "-x", "80", "-y", "24"])?;
        Ok(t)
    }

    fn command(&self) -> Command {
        let mut c = Command::new("tmux");
        c.arg("-S").arg(self.dir.path().join("tmux"));
        c
    }

    fn tmux(&self, args: &[&str]) -> Result<Output, Failed> {
        Ok(self.command().args(args).output()?)
    }

    /// What the terminal shows.
    fn shows(&self) -> Result<String, Failed> {
        Ok(String::from_utf8_lossy(&self.tmux(&["capture-pane", "-t", "t", "-p"])?.stdout).into_owned())
    }

    /// Waits until the terminal shows a text.
    fn wait(&self, text: &str) -> Result<String, Failed> {
        for _ in 0..PATIENCE {
            let s = self.shows()?;
            if s.contains(text) {
                return Ok(s);
            }
            pause();
        }
        Err(format!("\"{text}\" does not come; the terminal shows:\n{}", self.shows()?).into())
    }

    /// Presses keys, as tmux names them.
    fn press(&self, keys: &[&str]) -> Result<(), Failed> {
        for k in keys {
            self.tmux(&["send-keys", "-t", "t", k])?;
            pause();
        }
        Ok(())
    }

    /// Types a line.
    fn line(&self, text: &str) -> Result<(), Failed> {
        self.tmux(&["send-keys", "-t", "t", "-l", text])?;
        pause();
        self.press(&["Enter"])
    }

    /// The terminal's settings, as `stty` tells them.
    fn settings(&self) -> Result<String, Failed> {
        let file = self.dir.path().join("stty");
        let _ = std::fs::remove_file(&file);
        self.line("stty -a > stty.new; mv stty.new stty; clear; echo 'settled'")?;
        self.wait("settled")?;
        Ok(std::fs::read_to_string(file)?)
    }

    /// Starts the program.
    fn start(&self, args: &str) -> Result<(), Failed> {
        self.line(&format!("clear; {} {args}", env!("CARGO_BIN_EXE_packetwalk")))
    }

    /// Starts it, ends it, and demands that the terminal is as it was.
    fn as_before(&self, end: impl FnOnce(&Terminal) -> Result<(), Failed>) -> Result<(), Failed> {
        let before = self.settings()?;
        end(self)?;
        let shown = self.wait("ready>")?;
        let after = self.settings()?;
        if before != after {
            return Err(format!("before:\n{before}\nafter:\n{after}").into());
        }
        let cursor = self.tmux(&["display", "-t", "t", "-p", "#{cursor_flag} #{alternate_on}"])?;
        let cursor = String::from_utf8_lossy(&cursor.stdout).trim().to_owned();
        if cursor != "1 0" {
            return Err(format!("cursor and alternate screen: {cursor}; it showed\n{shown}").into());
        }
        Ok(())
    }
}

fn walk() -> Result<(), Failed> {
    let t = Terminal::new()?;
    t.as_before(|t| {
        // Alone on a terminal it lists the library.
        t.start("")?;
        t.wait("choose a scenario")?;
        t.press(&["/"])?;
        t.line("bridge-publish")?;
        t.wait("scenarios with \"bridge-publish\"")?;
        t.press(&["Enter"])?;
        t.wait("begins the walk")?;
        t.press(&["Right"])?;
        t.wait("step 1/3, 0/")?;
        t.press(&["Right"])?;
        t.wait("what do you think?")?;
        t.press(&["1", "Enter"])?;
        t.wait("step 1/3, 1/")?;
        t.press(&["r"])?;
        t.wait("The destination is rewritten: 192.168.91.128:8080 becomes 172.17.0.2:80.")?;
        t.press(&["End"])?;
        t.wait("192.168.91.2: you were right.")?;
        t.press(&["x"])?;
        t.wait("The firewall drops the packet.")?;
        t.press(&["c"])?;
        t.wait("chain DOCKER-USER of table filter")?;
        t.wait("fits: dropped")?;
        t.press(&["c", "End"])?;
        t.wait("This is the end of the scenario.")?;
        // A line of one's own.
        t.press(&[":", "C-u"])?;
        t.line("node1$ iptables -F DOCKER-USER")?;
        t.wait("(yours)")?;
        t.press(&[":", "C-u"])?;
        t.line("client> tcp 192.168.91.128:8080")?;
        t.wait("step 5/5 (yours)")?;
        t.press(&["End"])?;
        t.wait("reply: an answer came back")?;
        t.press(&["W"])?;
        t.wait("write what was done")?;
        t.press(&["Enter"])?;
        t.wait("Written: bridge-publish-mine.yaml")?;
        t.press(&["q"])?;
        t.wait("1 of ")?;
        t.press(&["q"])
    })?;
    let kept = std::fs::read_to_string(t.dir.path().join("state/packetwalk/progress.tsv"))?;
    if kept != "bridge-publish\twalked\t1\t1\n" {
        return Err(format!("what is kept: {kept:?}").into());
    }
    let mine = t.dir.path().join("bridge-publish-mine.yaml");
    let o = Command::new(env!("CARGO_BIN_EXE_packetwalk")).args([Path::new("run"), &mine]).output()?;
    if !o.status.success() {
        return Err(format!("what was written does not run: {}", String::from_utf8_lossy(&o.stderr)).into());
    }
    Ok(())
}

fn signal() -> Result<(), Failed> {
    let t = Terminal::new()?;
    t.as_before(|t| {
        let pid = started(t)?;
        Command::new("kill").args(["-TERM", &pid]).status()?;
        t.wait("status 143").map(|_| ())
    })
}

fn ctrl_c() -> Result<(), Failed> {
    let t = Terminal::new()?;
    t.as_before(|t| {
        t.start("tui veth")?;
        t.wait("begins the walk")?;
        t.press(&["Right", "C-c"])
    })
}

/// Starts the program and tells its process.
/// The first argument with which this program shows the screen, with an outside that panics.
const PANICS: &str = "screen-that-panics";

/// What is outside of the screen: asked why, it panics.
struct Broken;

impl Outside for Broken {
    fn keep(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn write(&mut self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn why(&mut self, _: &Scenario, _: usize) -> Result<Why, String> {
        panic!("as the test wants it")
    }
}

fn panics() {
    let text = include_str!("../scenarios/forwarding/forwarding-off.yaml");
    let look = Look { color: true, unicode: true };
    let mut state = State::new(Vec::new(), Progress::default(), look, (80, 24));
    state.open(scenario::parse(text).expect("it is right"), text.to_owned()).expect("its world can be built");
    packetwalk_tui::run(state, &mut Broken).expect("there is a terminal");
}

fn panic() -> Result<(), Failed> {
    Terminal::new()?.as_before(|t| {
        t.line(&format!("clear; {} {PANICS}", std::env::current_exe()?.display()))?;
        t.wait("forwarding-off")?;
        t.press(&["Right", "w"])?;
        // Its message stands on the terminal that was given back, not on the one that is gone.
        t.wait("as the test wants it").map(drop)
    })
}

fn started(t: &Terminal) -> Result<String, Failed> {
    t.line(&format!(
        "clear; sh -c 'echo $$ > pid; exec \"$0\" tui veth' '{}'; echo \"status $?\"",
        env!("CARGO_BIN_EXE_packetwalk")
    ))?;
    t.wait("begins the walk")?;
    Ok(std::fs::read_to_string(t.dir.path().join("pid"))?.trim().to_owned())
}

fn gone() -> Result<(), Failed> {
    let t = Terminal::new()?;
    let pid = started(&t)?;
    t.tmux(&["kill-server"])?;
    for _ in 0..PATIENCE {
        if !Path::new("/proc").join(&pid).exists() {
            return Ok(());
        }
        pause();
    }
    Command::new("kill").args(["-KILL", &pid]).status()?;
    Err("it runs on without a terminal".into())
}

fn plain() -> Result<(), Failed> {
    let t = Terminal::new()?;
    t.line("export NO_COLOR=1 LC_ALL=C")?;
    t.start("tui bridge-publish")?;
    let s = t.wait("begins the walk")?;
    if !s.is_ascii() {
        return Err(format!("not ASCII:\n{s}").into());
    }
    let coloured = t.tmux(&["capture-pane", "-t", "t", "-p", "-e"])?;
    let text = String::from_utf8_lossy(&coloured.stdout).into_owned();
    let colour = (30..38).chain(90..98).any(|n| text.contains(&format!("[{n}m")) || text.contains(&format!(";{n}m")));
    if colour {
        return Err(format!("a colour in {text:?}").into());
    }
    // Smaller than it needs, and back.
    t.tmux(&["resize-window", "-t", "t", "-x", "40", "-y", "10"])?;
    t.wait("is small")?;
    t.tmux(&["resize-window", "-t", "t", "-x", "80", "-y", "24"])?;
    t.wait("begins the walk")?;
    t.press(&["C-c"])
}

fn no_place() -> Result<(), Failed> {
    let t = Terminal::new()?;
    t.line("export XDG_STATE_HOME=/dev/null")?;
    t.start("tui veth")?;
    t.wait("begins the walk")?;
    t.press(&["Right"])?;
    t.wait("Your progress is not kept: /dev/null/packetwalk/progress.tsv")?;
    t.press(&["Right"])?;
    t.wait("step 1/")?;
    t.press(&["C-c"])
}

fn pipe() -> Result<(), Failed> {
    let o = Command::new(env!("CARGO_BIN_EXE_packetwalk")).arg("tui").output()?;
    let text = String::from_utf8_lossy(&o.stderr);
    if o.status.code() != Some(2) || !text.contains("terminal") || !text.contains("packetwalk run SCENARIO") {
        return Err(format!("{:?}: {text}", o.status).into());
    }
    let o = Command::new(env!("CARGO_BIN_EXE_packetwalk")).output()?;
    if !o.status.success() || !String::from_utf8_lossy(&o.stdout).contains("Usage: packetwalk") {
        return Err(format!("{:?}: {}", o.status, String::from_utf8_lossy(&o.stdout)).into());
    }
    Ok(())
}
