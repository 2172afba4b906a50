//! The model behind `packetwalk`: Linux container networking, packet by packet, deterministically.
//!
//! In reading order:
//!
//! - [`scenario`]: the file format, read with spans;
//! - [`shell`]: a command line is a line of shell; this runs it;
//! - [`command`]: one file per tool (`ip`, `bridge`, `sysctl`, `ping` …): its parser and its output;
//! - [`op`]: the smallest changes of kernel state, what commands become;
//! - [`wire`]: packets, typed inside and bytes at the edge;
//! - [`kernel`]: one file per Linux mechanism;
//! - [`engine`]: the virtual clock and the queue of events;
//! - [`app`]: the programs that own sockets: ping, a TCP client, a server;
//! - [`session`]: a world that a scenario's steps run in, one by one;
//! - [`filter`]: one packet through a bare `iptables-save` dump;
//! - [`trace`]: what happened, as values, and the forms it is printed in;
//! - [`explain`]: why a probe failed, and what would mend it;
//! - [`etc`], [`journal`]: names that files under `/etc` give to numbers; what was done to the kernels from outside.
//!
//! Invariants: no IO, no wall clock, no threads, no randomness without a seed. `kernel` imports
//! neither `command` nor `scenario`. What is not modelled is refused by name.

pub mod app;
pub mod command;
pub mod docker;
pub mod engine;
pub mod etc;
pub mod explain;
pub mod filter;
pub mod journal;
pub mod kernel;
pub mod op;
pub mod scenario;
pub mod session;
pub mod shell;
pub mod trace;
pub mod wire;

/// The hasher of every map in the model: fast, and the same on every machine.
pub type FxBuild = rustc_hash::FxBuildHasher;
