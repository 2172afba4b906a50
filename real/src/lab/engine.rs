//! Where a line calls `docker`: the tool of that name is ours, and asks here what the engine does.
//!
//! The model's engine has run the line already, as the plan. Each call of the line, in order, is answered with what the
//! model's printed, after what it did to its kernels was done to the live ones. A command inside a container
//! (`docker exec`) runs for real, in the container's namespace with the container's files.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::Sender;
use std::thread;

use nix::sys::socket::{Shutdown, shutdown};
use packetwalk_sim::journal::Entry;
use packetwalk_sim::kernel::types::{HostId, NetnsId};
use packetwalk_sim::session::Session;
use serde::{Deserialize, Serialize};

use super::host::{Host, Ran};
use super::world::World;

/// Where the engine's tool finds us, in a host's mount namespace.
pub const SOCKET: &str = "/run/packetwalk/engine";

/// What the tool asks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Its words.
    pub argv: Vec<String>,
}

/// What it is told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// Exit status.
    pub exit: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// A command to run in a container, in place of the output.
    pub inside: Option<Inside>,
}

/// A container from within.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inside {
    /// File of its network namespace.
    pub net: String,
    /// Its host name.
    pub hostname: String,
    /// Its files: path and text.
    pub files: Vec<(String, String)>,
    /// The command.
    pub argv: Vec<String>,
}

/// What comes while a line runs.
pub enum Heard {
    /// A call of the engine's tool.
    Call(Call),
    /// The line has ended.
    Ran(std::io::Result<Ran>),
}

/// A call that waits for its answer.
pub struct Call {
    ask: Ask,
    answer: UnixStream,
}

/// A host's calls are heard while this is there. The socket is the host's, and would keep its namespace.
pub struct Listening(UnixListener);

impl Drop for Listening {
    fn drop(&mut self) {
        // Whoever waits for the next call is told that there will be none (`unix_accept`: `EINVAL`), and ends.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

/// Listens on a host for calls.
///
/// # Errors
/// Where the socket cannot be made.
pub fn listen(host: &Host, calls: &Sender<Heard>) -> std::io::Result<Listening> {
    let listener = host.run(|| UnixListener::bind(SOCKET))??;
    let listening = Listening(listener.try_clone()?);
    let calls = calls.clone();
    thread::Builder::new().name("engine".into()).spawn(move || {
        while let Ok((s, _)) = listener.accept() {
            let mut line = String::new();
            let read = s.try_clone().map(BufReader::new).and_then(|mut r| r.read_line(&mut line));
            if let (Ok(_), Ok(ask)) = (read, serde_json::from_str(&line))
                && calls.send(Heard::Call(Call { ask, answer: s })).is_err()
            {
                return;
            }
        }
    })?;
    Ok(listening)
}

/// The tool's side: asks what the engine does.
///
/// # Errors
/// Where there is no lab around it.
pub fn ask(argv: Vec<String>) -> std::io::Result<Told> {
    let mut s = UnixStream::connect(SOCKET)?;
    let mut line = serde_json::to_string(&Ask { argv })?;
    line.push('\n');
    s.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(s).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// What the model's engine did in a line: its calls, in order, and what it did on its own.
#[derive(Default)]
pub struct Calls {
    waiting: VecDeque<(Vec<String>, Vec<Entry>)>,
    /// What engines did of their own accord meanwhile.
    own_accord: Vec<Entry>,
}

impl Calls {
    /// Sorts the journal of a line: what lies between [`Entry::Begin`] and [`Entry::End`] is a call's; the rest was done
    /// by the line's own tools, which run for real.
    pub fn of(entries: Vec<Entry>) -> Calls {
        let mut calls = Calls::default();
        let mut open: Option<(Vec<String>, Vec<Entry>)> = None;
        // A tool may call another: only the outermost is called by the line.
        let (mut of_itself, mut depth) = (false, 0);
        for e in entries {
            match (&mut open, e) {
                (_, Entry::Begin(argv)) if argv.is_empty() => of_itself = true,
                (_, Entry::End(..)) if of_itself => of_itself = false,
                // It comes before whatever the line calls next.
                (Some((_, all)), e) if of_itself => all.push(e),
                (None, e) if of_itself => calls.own_accord.push(e),
                (None, Entry::Begin(argv)) => open = Some((argv, std::mem::take(&mut calls.own_accord))),
                (Some(_), Entry::Begin(_)) => depth += 1,
                (Some(_), Entry::End(..)) if depth > 0 => depth -= 1,
                (Some(_), e @ Entry::End(..)) => {
                    if let Some((argv, mut all)) = open.take() {
                        all.push(e);
                        calls.waiting.push_back((argv, all));
                    }
                }
                (Some((_, all)), e) => all.push(e),
                (None, _) => {}
            }
        }
        calls
    }

    /// The line has ended: what engines did of their own accord, and whether every call of the model's came.
    pub fn finish(self, s: &Session, world: &mut World) {
        follow(world, s, &self.own_accord);
        for (argv, _) in self.waiting {
            world.refusals.push(format!("the model's shell called `{}`, the live one did not", argv.join(" ")));
        }
    }

    /// Answers a call.
    pub fn answer(&mut self, call: Call, s: &Session, host: HostId, world: &mut World) {
        let told = self.told(&call.ask, s, host, world);
        let mut line = serde_json::to_string(&told).unwrap_or_default();
        line.push('\n');
        let mut to = call.answer;
        // Who called may have been killed.
        let _ = to.write_all(line.as_bytes());
    }

    fn told(&mut self, ask: &Ask, s: &Session, host: HostId, world: &mut World) -> Told {
        let Some((_, entries)) = self.waiting.pop_front().filter(|(a, _)| same_words(a, &ask.argv)) else {
            let what = ask.argv.join(" ");
            world.refusals.push(format!("the live shell called `{what}`, the model's did not"));
            return Told {
                exit: 125,
                err: format!("packetwalk: the model does not call {what} here\n"),
                ..Told::default()
            };
        };
        let mut told = Told::default();
        let mut inside: Option<NetnsId> = None;
        let mut own = Vec::new();
        for e in entries {
            match e {
                Entry::Inside(ns, words) if !words.is_empty() => {
                    inside = Some(ns);
                    // What was done so far must be there before the command runs.
                    follow(world, s, &std::mem::take(&mut own));
                    told.inside = Some(within(s, host, ns, words, world));
                }
                Entry::Inside(..) => inside = None,
                Entry::End(exit, out, err) => (told.exit, told.out, told.err) = (exit, out, err),
                _ if inside.is_some() => {}
                e => own.push(e),
            }
        }
        follow(world, s, &own);
        told
    }
}

/// The same tool with the same words, whatever its path.
fn same_words(a: &[String], b: &[String]) -> bool {
    let base = |w: &String| w.rsplit('/').next().unwrap_or_default().to_owned();
    a.len() == b.len() && a.first().map(base) == b.first().map(base) && a.iter().skip(1).eq(b.iter().skip(1))
}

fn follow(world: &mut World, s: &Session, entries: &[Entry]) {
    if let Err(e) = world.follow(s, entries) {
        world.refusals.push(e.to_string());
    }
    world.follow_gone(s);
    world.follow_processes(s);
    world.follow_files(s);
}

/// A container from within, as `docker exec` enters it.
pub fn within(s: &Session, host: HostId, ns: NetnsId, argv: Vec<String>, world: &World) -> Inside {
    let net = world.places.nets.get(&ns).map_or_else(String::new, |n| format!("/proc/1/fd/{}", n.fd().as_raw_fd()));
    let read = |f: &str| Some((f.to_owned(), s.read_file(host, ns, f).ok()?));
    let files: Vec<_> = ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"].into_iter().filter_map(read).collect();
    let hostname = files.iter().find(|f| f.0 == "/etc/hostname").map_or("", |f| f.1.trim()).to_owned();
    Inside { net, hostname, files, argv }
}
