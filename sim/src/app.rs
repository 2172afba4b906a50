//! Applications: the programs that own sockets. Each is a state machine that the kernel's wakeups and its
//! own timers drive, so that several run side by side and a world can be copied while they do.

pub mod arping;
pub mod dns;
pub mod gossip;
pub mod named;
pub mod nc;
pub mod ping;
pub mod probe;
pub mod proxy;
pub mod resolver;
pub mod serve;
pub mod socat;
pub mod tcp;
pub mod traceroute;
pub mod udp;
pub mod watch;

use indexmap::IndexMap;

use crate::FxBuild;
use crate::engine::Timer;
use crate::kernel::Kernel;
use crate::kernel::socket::SockKind;
use crate::kernel::types::{HostId, Nanos, NetnsId, Pid, SockId};
use crate::trace::Recorder;
use probe::ProbeReport;

/// Number of an application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppId(pub u32);

/// Why an application is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// It starts.
    Start,
    /// Something happened to a socket of its.
    Sock(SockId),
    /// A timer it set fired; its own word for why.
    Timer(u32),
}

/// The word of the timer with which `timeout` ends a program.
pub const TIMED_OUT: u32 = u32::MAX;

/// A program.
#[derive(Clone, Debug)]
pub enum Program {
    /// Echo requests.
    Ping(ping::Ping),
    /// One connection that asks and reads the answer.
    Tcp(tcp::TcpClient),
    /// One datagram and its answer.
    Udp(udp::UdpClient),
    /// ARP requests.
    Arping(arping::Arping),
    /// Hop by hop.
    Traceroute(traceroute::Traceroute),
    /// A server that answers with the address it saw.
    Serve(serve::Serve),
    /// netcat.
    Nc(nc::Nc),
    /// Two addresses joined.
    Socat(socat::Socat),
    /// A name being looked up.
    Lookup(dns::Lookup),
    /// A name server with names of its own.
    Named(named::Named),
    /// The engine's name server in a container.
    Resolver(Box<resolver::Resolver>),
    /// docker-proxy.
    Proxy(proxy::Proxy),
    /// An engine's talk with the others of its cluster.
    Gossip(gossip::Gossip),
    /// A tool that waits for what comes.
    Watch(watch::Watch),
}

/// A running program.
#[derive(Clone, Debug)]
pub struct App {
    /// Its number.
    pub id: AppId,
    /// Host it runs on.
    pub host: HostId,
    /// Its host's name, which a server tells.
    pub host_name: String,
    /// Namespace.
    pub ns: NetnsId,
    /// Process.
    pub pid: Pid,
    /// Command name, as `ss -p` shows it.
    pub name: String,
    /// What it does; taken out while it runs.
    pub program: Option<Program>,
    /// Exit status, once it ended.
    pub exit: Option<i32>,
    /// What it wrote.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
    /// What it found.
    pub report: ProbeReport,
    /// Sockets it holds.
    pub socks: Vec<SockId>,
    /// It stands still (the freezer cgroup); what woke it meanwhile.
    frozen: Option<Vec<Wake>>,
}

impl App {
    /// Why a server could not begin: the port, and the errno.
    pub fn failed_serve(&self) -> Option<(u16, crate::kernel::types::Errno)> {
        match &self.program {
            Some(Program::Serve(s)) => s.failed,
            _ => None,
        }
    }
}

/// The running applications.
#[derive(Clone, Debug, Default)]
pub struct Apps {
    list: Vec<App>,
    by_sock: IndexMap<SockId, AppId, FxBuild>,
    /// What engines were told by the others of their cluster and have not read.
    pub mail: std::collections::VecDeque<(AppId, gossip::Mail)>,
    /// What programs want the shell to run.
    pub commands: std::collections::VecDeque<(AppId, socat::Command)>,
}

/// What a program can do while it runs: its kernel, its own process, its sockets and timers.
pub struct Cx<'a, R> {
    /// The kernels.
    pub k: &'a mut Kernel<R>,
    /// The process.
    pub app: &'a mut App,
    by_sock: &'a mut IndexMap<SockId, AppId, FxBuild>,
    mail: &'a mut std::collections::VecDeque<(AppId, gossip::Mail)>,
    commands: &'a mut std::collections::VecDeque<(AppId, socat::Command)>,
}

impl<R: Recorder> Cx<'_, R> {
    /// `socket(2)`; wakeups come to this program.
    pub fn socket(&mut self, kind: SockKind) -> SockId {
        let id = self.k.sock_new(self.app.ns, kind, Some((self.app.pid, &self.app.name)));
        self.adopt(id);
        id
    }

    /// A socket made by `accept(2)` is this program's.
    pub fn adopt(&mut self, id: SockId) {
        self.by_sock.insert(id, self.app.id);
        self.app.socks.push(id);
    }

    /// `close(2)`.
    pub fn close(&mut self, id: SockId) {
        self.k.sock_close(id);
        self.by_sock.swap_remove(&id);
        self.app.socks.retain(|s| *s != id);
    }

    /// Tells the engine.
    pub fn mail(&mut self, mail: gossip::Mail) {
        self.mail.push_back((self.app.id, mail));
    }

    /// Has the shell run something.
    pub fn command(&mut self, c: socat::Command) {
        self.commands.push_back((self.app.id, c));
    }

    /// Wants to be called after a time.
    pub fn timer(&mut self, after: Nanos, token: u32) {
        let at = self.k.now() + after;
        self.k.queue.timer(at, Timer::App { app: self.app.id.0, token });
    }

    /// Ends; sockets are closed.
    pub fn exit(&mut self, status: i32) {
        if self.app.exit.is_none() {
            self.k.note(crate::journal::Entry::Exit(self.app.id.0));
        }
        self.app.exit.get_or_insert(status);
        for s in std::mem::take(&mut self.app.socks) {
            self.k.sock_close(s);
            self.by_sock.swap_remove(&s);
        }
        // Its sockets may have been the last that held the namespace.
        self.k.netns_put(self.app.ns);
    }
}

impl Apps {
    /// Starts a program.
    pub fn spawn<R: Recorder>(
        &mut self,
        k: &mut Kernel<R>,
        host: HostId,
        ns: NetnsId,
        pid: Pid,
        name: &str,
        program: Program,
    ) -> AppId {
        let id = AppId(self.list.len() as u32);
        k.note(crate::journal::Entry::Spawn(id.0));
        self.list.push(App {
            id,
            host,
            host_name: k.host(host).name.clone(),
            ns,
            pid,
            name: name.to_owned(),
            program: Some(program),
            exit: None,
            out: String::new(),
            err: String::new(),
            report: ProbeReport::default(),
            socks: Vec::new(),
            frozen: None,
        });
        self.wake(k, id, Wake::Start);
        id
    }

    /// An application.
    pub fn get(&self, id: AppId) -> &App {
        &self.list[id.0 as usize]
    }

    /// A name server in a container, to be told of changes.
    pub fn resolver_mut(&mut self, id: AppId) -> Option<&mut resolver::Resolver> {
        match self.list.get_mut(id.0 as usize)?.program.as_mut()? {
            Program::Resolver(r) => Some(r),
            _ => None,
        }
    }

    /// What announces an address ends when it would send again.
    pub fn end_announcing(&mut self, id: AppId) {
        if let Some(Some(Program::Arping(a))) = self.list.get_mut(id.0 as usize).map(|a| a.program.as_mut()) {
            a.ending = true;
        }
    }

    /// The UDP and the TCP port of a name server in a container.
    pub fn resolver_ports<R: Recorder>(&self, k: &Kernel<R>, id: AppId) -> Option<(u16, u16)> {
        match self.get(id).program.as_ref()? {
            Program::Resolver(r) => r.ports(k),
            _ => None,
        }
    }

    /// An engine's talk is told something new.
    pub fn gossip<R: Recorder>(&mut self, k: &mut Kernel<R>, id: AppId, say: impl FnOnce(&mut gossip::Gossip)) {
        let Some(app) = self.list.get_mut(id.0 as usize) else { return };
        let Some(mut program) = app.program.take() else { return };
        if let (Program::Gossip(g), None) = (&mut program, app.exit) {
            say(g);
            g.kick(&mut Cx { k, app, by_sock: &mut self.by_sock, mail: &mut self.mail, commands: &mut self.commands });
        }
        app.program = Some(program);
    }

    /// What a command wrote comes to the program that wanted it run.
    pub fn ran<R: Recorder>(&mut self, k: &mut Kernel<R>, id: AppId, pair: u32, text: bytes::Bytes) {
        let Some(app) = self.list.get_mut(id.0 as usize) else { return };
        let Some(mut program) = app.program.take() else { return };
        if let (Program::Socat(s), None) = (&mut program, app.exit) {
            let mut cx = Cx { k, app, by_sock: &mut self.by_sock, mail: &mut self.mail, commands: &mut self.commands };
            s.ran(&mut cx, pair, text);
        }
        app.program = Some(program);
    }

    /// What a program calls its own machine: a container's host name.
    pub fn set_host_name(&mut self, id: AppId, name: &str) {
        if let Some(a) = self.list.get_mut(id.0 as usize) {
            name.clone_into(&mut a.host_name);
        }
    }

    /// Takes what an application has written so far, to standard output and to standard error.
    pub fn take_output(&mut self, id: AppId) -> [String; 2] {
        self.list
            .get_mut(id.0 as usize)
            .map(|a| [std::mem::take(&mut a.out), std::mem::take(&mut a.err)])
            .unwrap_or_default()
    }

    /// A program that the session listens for writes.
    pub(crate) fn say(&mut self, id: AppId, out: &str, err: &str) {
        if let Some(a) = self.list.get_mut(id.0 as usize) {
            a.out.push_str(out);
            a.err.push_str(err);
        }
    }

    /// A program that watches, to see whether its timer fired.
    pub(crate) fn watch_mut(&mut self, id: AppId) -> Option<&mut watch::Watch> {
        match self.list.get_mut(id.0 as usize)?.program.as_mut()? {
            Program::Watch(w) => Some(w),
            _ => None,
        }
    }

    /// `timeout` ends it at a time.
    pub fn end_at<R: Recorder>(&self, k: &mut Kernel<R>, id: AppId, at: Nanos) {
        k.queue.timer(at, Timer::App { app: id.0, token: TIMED_OUT });
    }

    /// Applications that have not ended.
    pub fn running(&self) -> impl Iterator<Item = &App> {
        self.list.iter().filter(|a| a.exit.is_none())
    }

    /// Calls an application.
    pub fn wake<R: Recorder>(&mut self, k: &mut Kernel<R>, id: AppId, why: Wake) {
        let Some(app) = self.list.get_mut(id.0 as usize) else { return };
        if app.exit.is_some() {
            return;
        }
        if let Some(held) = &mut app.frozen {
            return held.push(why);
        }
        let Some(mut program) = app.program.take() else { return };
        let mut cx = Cx { k, app, by_sock: &mut self.by_sock, mail: &mut self.mail, commands: &mut self.commands };
        match &mut program {
            Program::Ping(p) => p.wake(&mut cx, why),
            Program::Tcp(p) => p.wake(&mut cx, why),
            Program::Udp(p) => p.wake(&mut cx, why),
            Program::Arping(p) => p.wake(&mut cx, why),
            Program::Traceroute(p) => p.wake(&mut cx, why),
            Program::Serve(p) => p.wake(&mut cx, why),
            Program::Nc(p) => p.wake(&mut cx, why),
            Program::Socat(p) => p.wake(&mut cx, why),
            Program::Lookup(p) => p.wake(&mut cx, why),
            Program::Named(p) => p.wake(&mut cx, why),
            Program::Resolver(p) => p.wake(&mut cx, why),
            Program::Proxy(p) => p.wake(&mut cx, why),
            Program::Gossip(p) => p.wake(&mut cx, why),
            Program::Watch(p) => p.wake(&mut cx, why),
        }
        app.program = Some(program);
    }

    /// A program stands still from now on, or goes on with what it missed.
    pub fn freeze<R: Recorder>(&mut self, k: &mut Kernel<R>, id: AppId, on: bool) {
        let Some(app) = self.list.get_mut(id.0 as usize) else { return };
        k.note(crate::journal::Entry::Freeze(id.0, on));
        if on {
            app.frozen.get_or_insert_default();
            return;
        }
        for why in app.frozen.take().unwrap_or_default() {
            self.wake(k, id, why);
        }
    }

    /// How many were ever started.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Those started after so many.
    pub fn since(&self, count: usize) -> impl Iterator<Item = &App> {
        self.list.iter().skip(count)
    }

    /// Hands out the kernel's wakeups.
    pub fn dispatch<R: Recorder>(&mut self, k: &mut Kernel<R>) {
        while let Some(w) = k.wakeups.pop_front() {
            if let Some(id) = self.by_sock.get(&w.sock).copied() {
                self.wake(k, id, Wake::Sock(w.sock));
            }
        }
    }

    /// Ends an application from outside (a signal): its sockets are closed.
    pub fn kill<R: Recorder>(&mut self, k: &mut Kernel<R>, id: AppId, status: i32) {
        if let Some(app) = self.list.get_mut(id.0 as usize) {
            Cx { k, app, by_sock: &mut self.by_sock, mail: &mut self.mail, commands: &mut self.commands }.exit(status);
        }
    }

    /// Applications of a process.
    pub fn of_pid(&self, pid: Pid) -> Option<AppId> {
        self.list.iter().find(|a| a.pid == pid).map(|a| a.id)
    }
}
