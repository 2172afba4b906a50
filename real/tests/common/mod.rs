//! What tests on the live kernel share: everything happens in network namespaces of their own.
#![allow(dead_code, reason = "each test uses some of it")]

use std::process::Command;
use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

/// Runs `f` on a thread in a new network namespace.
pub fn in_netns<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let body = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace (needs root)");
        f()
    };
    std::thread::spawn(body).join().expect("the thread ends well")
}

/// Another namespace: a thread that has entered it and carries out what it is sent.
pub struct Place {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    /// Its thread, which `ip link set … netns` takes.
    pub tid: i32,
}

impl Place {
    /// Makes one.
    pub fn new() -> Self {
        let (jobs, todo) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace (needs root)");
            tell.send(gettid().as_raw()).unwrap();
            todo.into_iter().for_each(|job| job());
        });
        Place { jobs, tid: told.recv().unwrap() }
    }

    /// Carries `f` out there and waits for it.
    pub fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.jobs.send(Box::new(move || drop(tell.send(f())))).unwrap();
        told.recv().expect("the job ends well")
    }

    /// Runs a shell script there.
    pub fn sh(&self, script: &str) -> String {
        let script = script.to_owned();
        self.run(move || sh(&script))
    }
}

/// Runs a shell script in this thread's namespace and returns what it printed; it must succeed.
pub fn sh(script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).output().expect("a shell");
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{script}\n{err}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Runs a shell script in this thread's namespace; how it ends does not matter.
pub fn try_sh(script: &str) -> String {
    let out = Command::new("sh").args(["-c", script]).output().expect("a shell");
    String::from_utf8_lossy(&out.stdout).into_owned()
}
