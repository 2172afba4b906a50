//! `/proc/sys/net`: one table of every setting the model has, by its name with dots.
//!
//! A name that Linux has and the model does not is refused as unmodelled by the `sysctl` command;
//! nothing is stored and ignored.

mod lacking;
mod names;
mod table;
mod types;

pub use names::{SysctlError, list, segments};
pub(crate) use table::set_parm;
pub use types::{DevConf, NetSysctl};
