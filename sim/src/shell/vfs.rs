//! Files of a host: what is stored, and what the kernel shows live under `/proc` and `/sys`.

use std::collections::BTreeMap;

use crate::kernel::sysctl::SysctlError;
use crate::kernel::types::{Errno, HostId, NetnsId, Pid};
use crate::op::Op;
use crate::session::Session;

mod live;

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Dir,
    /// A file with its text.
    File(String),
    /// A symbolic link.
    Link(String),
}

/// Files of a host, by path.
#[derive(Clone, Debug, Default)]
pub struct Vfs {
    /// What is stored.
    pub entries: BTreeMap<String, Entry>,
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A file.
    File,
    /// A symbolic link that leads nowhere.
    DeadLink,
}

const DIRS: &[&str] =
    &["/", "/etc", "/tmp", "/root", "/run", "/var", "/var/run", "/proc", "/sys", "/dev", "/home", "/usr", "/bin"];
/// Most bytes of all stored files of a host.
const MAX_BYTES: usize = 8 << 20;

/// Makes a path absolute and free of `.`, `..` and doubled slashes; `/var/run` is `/run`.
pub fn normal(cwd: &str, path: &str) -> String {
    let full = if path.starts_with('/') { path.to_owned() } else { format!("{cwd}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for p in full.split('/') {
        match p {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            p => parts.push(p),
        }
    }
    let joined = format!("/{}", parts.join("/"));
    match joined.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}"),
        _ => joined,
    }
}

fn sysctl_errno(e: &SysctlError) -> Errno {
    match e {
        SysctlError::NotFound | SysctlError::Unmodelled => Errno::ENOENT,
        SysctlError::Errno(e) => *e,
    }
}

impl Session {
    /// Files as a process of a namespace sees them: its container's own, or the host's.
    pub(crate) fn vfs(&self, host: HostId, ns: NetnsId) -> Option<&Vfs> {
        self.roots.get(&ns).or_else(|| self.files.get(&host))
    }

    fn vfs_mut(&mut self, host: HostId, ns: NetnsId) -> &mut Vfs {
        match self.roots.get_mut(&ns) {
            Some(v) => v,
            None => self.files.entry(host).or_default(),
        }
    }

    fn entry(&self, host: HostId, ns: NetnsId, path: &str) -> Option<&Entry> {
        self.vfs(host, ns).and_then(|v| v.entries.get(path))
    }

    /// Follows symbolic links.
    fn follow(&self, host: HostId, ns: NetnsId, path: &str) -> Result<String, Errno> {
        let mut path = path.to_owned();
        for _ in 0..16 {
            match self.entry(host, ns, &path) {
                Some(Entry::Link(to)) => {
                    let dir = path.rsplit_once('/').map_or("/", |(d, _)| d).to_owned();
                    path = normal(&dir, to);
                }
                _ => return Ok(path),
            }
        }
        Err(Errno::ELOOP)
    }

    /// Reads a file as a process of that namespace sees it.
    ///
    /// # Errors
    /// As `open` and `read` would fail.
    pub fn read_file(&self, host: HostId, ns: NetnsId, path: &str) -> Result<String, Errno> {
        let path = self.follow(host, ns, &normal("/", path))?;
        if path == "/dev/null" {
            return Ok(String::new());
        }
        if let Some(name) = path.strip_prefix("/proc/sys/") {
            return match self.kernel.sysctl_get(ns, &dotted(name)) {
                Ok(v) => Ok(format!("{v}\n")),
                Err(e) if self.is_dir(host, ns, &path) => {
                    let _ = e;
                    Err(Errno::EISDIR)
                }
                Err(e) => Err(sysctl_errno(&e)),
            };
        }
        if let Some(text) = live::read(self, host, ns, &path) {
            return text;
        }
        match self.entry(host, ns, &path) {
            Some(Entry::File(t)) => Ok(t.clone()),
            Some(Entry::Dir) => Err(Errno::EISDIR),
            _ if self.is_dir(host, ns, &path) => Err(Errno::EISDIR),
            _ => Err(Errno::ENOENT),
        }
    }

    /// Settings of the kernel that a container's processes see and may not write: its `/proc/sys` is mounted read-only
    /// unless it is privileged (runc's `readonlyPaths`).
    pub fn read_only(&self, host: HostId, ns: NetnsId, path: &str) -> bool {
        let Some(e) = self.engines.get(&host).filter(|_| path.starts_with("/proc/sys/")) else { return false };
        let mut here = e.containers.values().filter(|c| c.netns == Some(ns)).peekable();
        here.peek().is_some() && !here.any(|c| c.privileged)
    }

    /// Writes a file: truncates it first, or appends.
    ///
    /// # Errors
    /// As `open` and `write` would fail.
    pub fn write_file(&mut self, host: HostId, ns: NetnsId, path: &str, text: &str, append: bool) -> Result<(), Errno> {
        let path = self.follow(host, ns, &normal("/", path))?;
        if path == "/dev/null" {
            return Ok(());
        }
        if let Some(name) = path.strip_prefix("/proc/sys/") {
            let name = dotted(name);
            if text.is_empty() {
                return self.kernel.sysctl_get(ns, &name).map(|_| ()).map_err(|e| sysctl_errno(&e));
            }
            return self.kernel.sysctl_set(ns, &name, text.trim_end()).map_err(|e| sysctl_errno(&e));
        }
        if let Some(r) = live::write(self, ns, &path, text) {
            return r;
        }
        if path.starts_with("/proc/") || path.starts_with("/sys/") || path.starts_with("/dev/") {
            return Err(if self.exists(host, ns, &path) { Errno::EACCES } else { Errno::ENOENT });
        }
        if self.is_dir(host, ns, &path) {
            return Err(Errno::EISDIR);
        }
        self.parent_ok(host, ns, &path)?;
        let files = self.vfs_mut(host, ns);
        let used: usize = files.entries.values().map(|e| if let Entry::File(t) = e { t.len() } else { 0 }).sum();
        if used + text.len() > MAX_BYTES {
            return Err(Errno::ENOBUFS);
        }
        match files.entries.get_mut(&path) {
            Some(Entry::File(t)) if append => t.push_str(text),
            _ => {
                files.entries.insert(path, Entry::File(text.to_owned()));
            }
        }
        Ok(())
    }

    fn parent_ok(&self, host: HostId, ns: NetnsId, path: &str) -> Result<(), Errno> {
        let parent = match path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((p, _)) => p,
        };
        if self.is_dir(host, ns, parent) {
            Ok(())
        } else if self.exists(host, ns, parent) {
            Err(Errno::ENOTDIR)
        } else {
            Err(Errno::ENOENT)
        }
    }

    /// Names in a directory, sorted.
    ///
    /// # Errors
    /// As `opendir` would fail.
    pub fn list_dir(&self, host: HostId, ns: NetnsId, path: &str) -> Result<Vec<String>, Errno> {
        let path = self.follow(host, ns, &normal("/", path))?;
        let mut names: Vec<String> = Vec::new();
        let mut found = DIRS.contains(&path.as_str());
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let own = self.vfs(host, ns).map(|v| &v.entries);
        for p in DIRS.iter().map(|d| (*d).to_owned()).chain(own.into_iter().flat_map(|e| e.keys().cloned())) {
            if let Some(rest) = p.strip_prefix(&prefix)
                && !rest.is_empty()
                && !rest.contains('/')
            {
                names.push(rest.to_owned());
            }
        }
        found |= matches!(self.entry(host, ns, &path), Some(Entry::Dir));
        if let Some(live) = live::list(self, host, ns, &path) {
            found = true;
            names.extend(live);
        }
        if let Some(sub) = path.strip_prefix("/proc/sys") {
            let want = dotted(sub.trim_start_matches('/'));
            let prefix = if want.is_empty() { String::new() } else { format!("{want}.") };
            for name in crate::kernel::sysctl::list(&self.kernel, ns) {
                if let Some(rest) = name.strip_prefix(&prefix) {
                    found = true;
                    names.push(rest.split('.').next().unwrap_or(rest).replace('/', "."));
                }
            }
        }
        if !found {
            return Err(if self.entry(host, ns, &path).is_some() { Errno::ENOTDIR } else { Errno::ENOENT });
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// It is a directory.
    pub fn is_dir(&self, host: HostId, ns: NetnsId, path: &str) -> bool {
        self.kind_of(host, ns, path) == Some(Kind::Dir)
    }

    /// There is such a path, and it leads somewhere.
    pub fn exists(&self, host: HostId, ns: NetnsId, path: &str) -> bool {
        matches!(self.kind_of(host, ns, path), Some(Kind::Dir | Kind::File))
    }

    /// What a path is, links followed.
    pub fn kind_of(&self, host: HostId, ns: NetnsId, path: &str) -> Option<Kind> {
        let start = normal("/", path);
        let Ok(path) = self.follow(host, ns, &start) else { return Some(Kind::DeadLink) };
        if DIRS.contains(&path.as_str()) {
            return Some(Kind::Dir);
        }
        match self.entry(host, ns, &path) {
            Some(Entry::Dir) => return Some(Kind::Dir),
            Some(Entry::File(_)) => return Some(Kind::File),
            _ => {}
        }
        if path == "/dev/null" || self.netns_at(host, ns, &path).is_some() {
            return Some(Kind::File);
        }
        if live::list(self, host, ns, &path).is_some() {
            return Some(Kind::Dir);
        }
        if live::read(self, host, ns, &path).is_some_and(|r| r.is_ok()) {
            return Some(Kind::File);
        }
        if let Some(name) = path.strip_prefix("/proc/sys/") {
            let name = dotted(name);
            if self.kernel.sysctl_get(ns, &name).is_ok() {
                return Some(Kind::File);
            }
            let prefix = format!("{name}.");
            if crate::kernel::sysctl::list(&self.kernel, ns).iter().any(|n| n.starts_with(&prefix)) {
                return Some(Kind::Dir);
            }
        }
        (path != start).then_some(Kind::DeadLink)
    }

    /// The namespace that a path names: `/run/netns/NAME`, `/proc/PID/ns/net`.
    pub fn netns_at(&self, host: HostId, ns: NetnsId, path: &str) -> Option<NetnsId> {
        let path = self.follow(host, ns, &normal("/", path)).ok()?;
        if let Some(name) = path.strip_prefix("/run/netns/") {
            return self.kernel.host(host).named.get(name).copied();
        }
        if let Some(name) = path.strip_prefix("/run/docker/netns/") {
            let root = self.kernel.host(host).root_ns;
            return self
                .engines
                .get(&host)
                .and_then(|e| if name == "default" { Some(root) } else { e.netns_file(name) });
        }
        let pid = path.strip_prefix("/proc/")?.strip_suffix("/ns/net")?;
        match pid {
            "self" | "thread-self" => Some(ns),
            "1" => Some(self.kernel.host(host).root_ns),
            n => self.ns_of_pid(host, Pid(n.parse().ok()?)),
        }
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// As `mkdir` would fail.
    pub fn mkdir(&mut self, host: HostId, ns: NetnsId, path: &str) -> Result<(), Errno> {
        let path = normal("/", path);
        if self.kind_of(host, ns, &path).is_some() {
            return Err(Errno::EEXIST);
        }
        self.parent_ok(host, ns, &path)?;
        self.vfs_mut(host, ns).entries.insert(path, Entry::Dir);
        Ok(())
    }

    /// Makes a symbolic link; one from `/run/netns` to a namespace gives that namespace a name.
    ///
    /// # Errors
    /// As `symlink` would fail.
    pub fn symlink(&mut self, host: HostId, ns: NetnsId, target: &str, path: &str) -> Result<(), Errno> {
        let path = normal("/", path);
        if self.kind_of(host, ns, &path).is_some() || self.entry(host, ns, &path).is_some() {
            return Err(Errno::EEXIST);
        }
        if let Some(name) = path.strip_prefix("/run/netns/")
            && let Some(to) = self.netns_at(host, ns, target)
        {
            self.kernel.hosts[host.ix()].named.insert(name.to_owned(), to);
            let pid = normal("/", target).strip_prefix("/proc/").and_then(|r| r.strip_suffix("/ns/net")?.parse().ok());
            if let Some(pid) = pid.filter(|n| *n != 1) {
                self.names_process(host, name, Pid(pid));
            }
            return Ok(());
        }
        self.parent_ok(host, ns, &path)?;
        self.vfs_mut(host, ns).entries.insert(path, Entry::Link(target.to_owned()));
        Ok(())
    }

    /// A name under `/run/netns` whose namespace is gone.
    pub(crate) fn dead_link(&mut self, host: HostId, name: &str, target: &str) {
        let root = self.kernel.host(host).root_ns;
        self.vfs_mut(host, root).entries.insert(format!("/run/netns/{name}"), Entry::Link(target.to_owned()));
    }

    /// Removes a file, a link, or with `tree` a directory and what is in it.
    ///
    /// # Errors
    /// As `unlink` would fail.
    pub fn remove(&mut self, host: HostId, ns: NetnsId, path: &str, tree: bool) -> Result<(), Errno> {
        let path = normal("/", path);
        if let Some(name) = path.strip_prefix("/run/netns/")
            && self.kernel.host(host).named.contains_key(name)
        {
            let op = Op::NetnsDel { host, name: name.to_owned() };
            return self.kernel.apply(&op).map(|_| ()).map_err(|e| e.errno);
        }
        match self.entry(host, ns, &path) {
            Some(Entry::Dir) if !tree => Err(Errno::EISDIR),
            Some(_) => {
                let inside = format!("{path}/");
                let files = self.vfs_mut(host, ns);
                files.entries.retain(|p, _| *p != path && !p.starts_with(&inside));
                Ok(())
            }
            None if self.is_dir(host, ns, &path) => Err(if tree { Errno::EPERM } else { Errno::EISDIR }),
            None if self.exists(host, ns, &path) => Err(Errno::EPERM),
            None => Err(Errno::ENOENT),
        }
    }
}

/// `net/ipv4/conf/eth0.1/forwarding` by its name with dots, as `sysctl` writes it.
fn dotted(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            '/' => '.',
            '.' => '/',
            c => c,
        })
        .collect()
}
