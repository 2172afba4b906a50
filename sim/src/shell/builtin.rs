//! What a shell does itself.

use super::interp::{Flow, Shell};
use super::io::Io;
use super::parse;
use super::vfs::{Kind, normal};
use crate::kernel::types::Pid;
use crate::session::watch::Signal;

/// Names of the builtins.
pub(crate) const NAMES: &[&str] = &[
    ":", "break", "cd", "command", "continue", "eval", "exec", "exit", "export", "kill", "local", "pwd", "read",
    "return", "set", "shift", "trap", "type", "umask", "unset", "wait",
];

/// The shell does it itself.
pub(crate) fn is_builtin(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Shell<'_> {
    /// Runs a builtin; false where the name is none.
    pub(super) fn builtin(&mut self, argv: &[String], cols: &[usize], env: &[(String, String)], io: &Io) -> bool {
        let name = argv[0].as_str();
        if !is_builtin(name) {
            return false;
        }
        let args = &argv[1..];
        let number = |default: i32| args.first().and_then(|a| a.parse::<i32>().ok()).unwrap_or(default);
        let col = |i: usize| cols.get(i).copied().unwrap_or(0);
        let mut status = 0;
        match name {
            ":" | "trap" | "umask" => {
                if name == "trap" && args.len() > 1 && !args[0].is_empty() && args[0] != "-" {
                    self.refuse("trap", col(0));
                    return true;
                }
            }
            "break" => self.flow = Flow::Break(number(1).max(1) as u32),
            "continue" => self.flow = Flow::Continue(number(1).max(1) as u32),
            "return" => {
                status = number(self.last);
                self.flow = Flow::Return;
            }
            "exit" => {
                status = number(self.last) & 0xff;
                self.flow = Flow::Exit;
            }
            "cd" => {
                let to = normal(&self.cwd, args.first().map_or("/root", String::as_str));
                match self.sess.kind_of(self.host, self.ns, &to) {
                    Some(Kind::Dir) => self.cwd = to,
                    other => {
                        let why = if other.is_some() { "Not a directory" } else { "No such file or directory" };
                        let text = format!("{}: line 1: cd: {}: {why}\n", self.name, args.first().map_or("", |x| x));
                        self.write(&io.err, &text);
                        status = 1;
                    }
                }
            }
            "pwd" => {
                let text = format!("{}\n", self.cwd);
                self.write(&io.out, &text);
            }
            "export" | "local" => {
                for a in args.iter().filter(|a| !a.starts_with('-')) {
                    let (n, v) = a.split_once('=').map_or((a.as_str(), None), |(n, v)| (n, Some(v)));
                    let old = self.get(n).unwrap_or_default();
                    let keep = name == "local" && v.is_none();
                    let value = if keep { String::new() } else { v.map_or(old, str::to_owned) };
                    self.vars.insert(n.to_owned(), (value, name == "export"));
                }
            }
            "unset" => {
                for a in args {
                    self.vars.shift_remove(a.as_str());
                    self.functions.shift_remove(a.as_str());
                }
            }
            "set" => {
                for (i, a) in args.iter().enumerate() {
                    match a.as_str() {
                        "--" => {
                            self.args = args[i + 1..].to_vec();
                            break;
                        }
                        "-e" => self.errexit = true,
                        "+e" => self.errexit = false,
                        "-u" | "-x" | "+x" | "+u" | "-o" | "pipefail" => {
                            self.refuse(format!("set {a}"), col(i + 1));
                            return true;
                        }
                        a if a.starts_with(['-', '+']) => {
                            self.refuse(format!("set {a}"), col(i + 1));
                            return true;
                        }
                        _ => {
                            self.args = args[i..].to_vec();
                            break;
                        }
                    }
                }
            }
            "shift" => {
                let n = number(1).max(0) as usize;
                if n > self.args.len() {
                    status = 1;
                } else {
                    self.args.drain(..n);
                }
            }
            "read" => {
                let vars: Vec<String> = args.iter().filter(|a| !a.starts_with('-')).cloned().collect();
                if let Some(i) = args.iter().position(|a| a.starts_with('-') && a != "-r") {
                    self.refuse(format!("read {}", args[i]), col(i + 1));
                    return true;
                }
                let text = std::mem::take(&mut self.inputs[io.stdin]);
                let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
                status = i32::from(text.is_empty());
                let (line, rest) = (line.trim().to_owned(), rest.to_owned());
                self.inputs[io.stdin] = rest;
                let vars = if vars.is_empty() { vec!["REPLY".to_owned()] } else { vars };
                let mut left = line.as_str();
                for (i, v) in vars.iter().enumerate() {
                    let (word, rest) = if i + 1 == vars.len() {
                        (left, "")
                    } else {
                        left.split_once(char::is_whitespace).unwrap_or((left, ""))
                    };
                    self.set(v, word.to_owned());
                    left = rest.trim_start();
                }
            }
            "eval" => {
                match parse::parse(&args.join(" ")) {
                    Ok(script) => {
                        self.depth += 1;
                        if self.depth > super::bound::DEPTH {
                            self.refuse("eval nested too deeply", col(0));
                        } else {
                            self.script(&script, io);
                        }
                        self.depth -= 1;
                    }
                    Err(p) => self.refuse(p.first().map_or_else(String::new, |p| p.what.clone()), col(1)),
                }
                return true;
            }
            "exec" | "command" => {
                let skip = args.iter().take_while(|a| a.starts_with('-')).count();
                if let Some(a) = args[..skip].iter().find(|a| name != "command" || a.as_str() != "-p") {
                    if name == "command" && a == "-v" {
                        return self.which(args, io);
                    }
                    self.refuse(format!("{name} {a}"), col(1));
                    return true;
                }
                if args.len() == skip {
                    self.last = 0;
                    return true;
                }
                let (rest, cols) = (&argv[1 + skip..], &cols[1 + skip..]);
                if !(is_builtin(&rest[0]) && self.builtin(rest, cols, env, io)) {
                    self.tool(rest, cols, env.to_vec(), io);
                }
                if name == "exec" && self.flow == Flow::Next {
                    self.flow = Flow::Exit;
                }
                return true;
            }
            "type" => return self.which(args, io),
            "wait" => {
                let pids: Vec<Pid> = if args.is_empty() {
                    std::mem::take(&mut self.jobs)
                } else {
                    args.iter().filter_map(|a| self.job(a)).collect()
                };
                for p in pids {
                    match self.sess.wait(p) {
                        Some(code) if !args.is_empty() => status = code,
                        Some(_) => {}
                        None => {
                            self.refuse("wait for a program that never ends: kill it first", col(0));
                            return true;
                        }
                    }
                }
                self.terminal();
            }
            "kill" => {
                let mut signal = Signal::Term;
                for (i, a) in args.iter().enumerate() {
                    if let Some(name) = a.strip_prefix('-') {
                        let Some(s) = Signal::read(name) else {
                            self.refuse(format!("kill {a}"), col(i + 1));
                            return true;
                        };
                        signal = s;
                        continue;
                    }
                    match self.job(a) {
                        Some(p) if self.sess.kill(p, signal) => {}
                        _ => {
                            let text = format!("{}: line 1: kill: ({a}) - No such process\n", self.name);
                            self.write(&io.err, &text);
                            status = 1;
                        }
                    }
                }
                self.terminal();
            }
            _ => return false,
        }
        if self.flow != Flow::Abort {
            self.last = status;
        }
        true
    }

    /// A process by number or by `%N`.
    fn job(&self, text: &str) -> Option<Pid> {
        match text.strip_prefix('%') {
            Some(n) => self.jobs.get(n.parse::<usize>().ok()?.checked_sub(1)?).copied(),
            None => text.parse().ok().map(Pid),
        }
    }

    fn which(&mut self, args: &[String], io: &Io) -> bool {
        self.last = 0;
        for a in args.iter().filter(|a| !a.starts_with('-')) {
            let text = if self.functions.contains_key(a.as_str()) || is_builtin(a) {
                format!("{a}\n")
            } else if crate::command::is_tool(a) {
                format!("/usr/bin/{a}\n")
            } else {
                self.last = 1;
                continue;
            };
            self.write(&io.out, &text);
        }
        true
    }
}
