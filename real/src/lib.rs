//! The live kernel: builds a scenario out of real kernel objects, watches it, and holds the model against it.
//!
//! In reading order:
//! - [`stage`]: the processes of a lab, and what keeps it apart from the machine;
//! - [`lab`]: hosts, LANs and namespaces, and the lines of a scenario run in them;
//! - [`netlink`]: a small client for everything that goes over netlink;
//! - [`program`]: servers that scenarios need;
//! - [`probe`]: our own probes, on real sockets;
//! - [`shim`]: tools that are ours, in place of the machine's; [`tool`]: where the machine's are;
//! - [`watch`]: what the kernel does meanwhile;
//! - [`recording`]: what came of it, as a file;
//! - [`replay`]: the same steps in the model;
//! - [`mod@compare`]: the two side by side; what may differ is [`compare::normalise`];
//! - [`limits`]: what of a scenario no lab can build here;
//! - [`doctor`]: what this machine can do of all that.

pub mod compare;
pub mod doctor;
pub mod lab;
pub mod limits;
pub mod netlink;
pub mod probe;
pub mod program;
pub mod recording;
pub mod replay;
pub mod shim;
pub mod stage;
mod sys;
pub mod tool;
pub mod watch;
