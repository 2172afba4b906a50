//! Every setting by its name (being written).
use crate::kernel::Kernel;
use crate::kernel::types::{Errno, NetnsId};
use crate::trace::Recorder;

/// Why a setting could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SysctlError {
    /// Linux has no such file.
    NotFound,
    /// Linux has it, the model does not.
    Unmodelled,
    /// The write was refused.
    Errno(Errno),
}

impl<R: Recorder> Kernel<R> {
    /// Reads a setting, by its name with dots; a device name may hold `/` for its own dots.
    ///
    /// # Errors
    /// Where there is none.
    pub fn sysctl_get(&self, ns: NetnsId, name: &str) -> Result<String, SysctlError> {
        let _ = (ns, name);
        Err(SysctlError::NotFound)
    }

    /// Writes a setting.
    ///
    /// # Errors
    /// Where there is none, or the value is refused.
    pub fn sysctl_set(&mut self, ns: NetnsId, name: &str, value: &str) -> Result<(), SysctlError> {
        let _ = (ns, name, value);
        Err(SysctlError::NotFound)
    }
}

/// Names of all settings of a namespace, sorted (`sysctl -a`).
pub fn list<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Vec<String> {
    let _ = (k, ns);
    Vec::new()
}
