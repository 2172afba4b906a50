//! What the screen costs: `screen frame N TURNS` draws a world of N namespaces TURNS times, `screen begin N TURNS` and
//! `screen end N TURNS` walk back and forth at the begin and at the end of a trace of at least N events, drawing each time.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::process::ExitCode;

use packetwalk_sim::scenario;
use packetwalk_tui::{Input, Key, Look, Progress, State, render};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The size of the terminal.
const SIZE: (u16, u16) = (200, 60);

/// Namespaces of a host, each on a veth pair at one bridge.
fn many(n: usize) -> String {
    let each = "ip netns add n$i; ip link add v$i type veth peer name e$i; ip link set e$i netns n$i; \
                ip link set v$i master br0; ip link set v$i up";
    format!(
        "name: many\ntitle: many\nhosts: {{h: 10.9.0.1/24}}\nsetup:\n  - h$ ip link add br0 type bridge\n  \
         - h$ for i in $(seq 1 {n}); do {each}; done\nsteps:\n  - run: h> ping -W 1 10.9.0.1\n"
    )
}

/// Two hosts and a long exchange: a ping has two dozen events.
fn long(events: usize) -> String {
    let count = events / 20;
    format!(
        "name: long\ntitle: long\nhosts: {{a: 10.9.0.1/24, b: 10.9.0.2/24}}\nsteps:\n  \
         - run: a$ ping -c {count} -i 0.2 10.9.0.2\n"
    )
}

struct Screen {
    state: State,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    fn open(text: String) -> Result<Screen, String> {
        let scenario = scenario::parse(&text).map_err(|e| e.to_string())?;
        let look = Look { color: true, unicode: true };
        let mut state = State::new(Vec::new(), Progress::default(), look, SIZE);
        state.open(scenario, text)?;
        let terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).map_err(|e| e.to_string())?;
        Ok(Screen { state, terminal })
    }

    fn press(&mut self, key: Key) -> Result<(), String> {
        self.state.update(Input::Key(key));
        self.terminal.draw(|f| render(&self.state, f)).map_err(|e| e.to_string())?;
        Ok(())
    }
}

fn run() -> Result<(), String> {
    let args: Vec<String> = std::env::args().collect();
    let [_, what, n, turns] = args.as_slice() else { return Err("screen frame|begin|end N TURNS".into()) };
    let number = |t: &str| t.parse::<usize>().map_err(|e| format!("{t}: {e}"));
    let (n, turns) = (number(n)?, number(turns)?);
    let mut s = Screen::open(if what == "frame" { many(n) } else { long(n) })?;
    s.press(Key::Right)?;
    s.press(Key::Char('v'))?;
    match what.as_str() {
        "frame" => {
            s.press(Key::Right)?;
            for _ in 0..turns {
                // It only moves what is shown: every frame is drawn whole.
                s.press(Key::Char('>'))?;
            }
        }
        "begin" | "end" => {
            if what == "end" {
                s.press(Key::End)?;
                s.press(Key::Left)?;
            } else {
                s.press(Key::Right)?;
            }
            for _ in 0..turns {
                for _ in 0..24 {
                    s.press(if what == "end" { Key::Left } else { Key::Right })?;
                }
                for _ in 0..24 {
                    s.press(if what == "end" { Key::Right } else { Key::Left })?;
                }
            }
        }
        _ => return Err(format!("{what}: frame, begin or end")),
    }
    let (_, _, pos, all) = s.state.position().ok_or("no scenario is open")?;
    println!("position {pos} of {all}");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
