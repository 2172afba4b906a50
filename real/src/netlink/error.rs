//! What the kernel answered to a request it did not carry out.

use std::io;

use nix::errno::Errno;

use super::{Message, attr};

/// `NLM_F_ACK_TLVS`: attributes follow the acknowledgement.
const F_ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`: the reason in words.
const ATTR_MSG: u16 = 1;

/// A refusal: the error number and, where the kernel gave one, its reason in words (the extended acknowledgement).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NlError {
    /// Error number.
    pub errno: Errno,
    /// The kernel's own words, or empty.
    pub message: String,
}

impl std::fmt::Display for NlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.errno.desc(), self.errno)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl NlError {
    /// An error of our own making.
    pub(crate) fn new(errno: Errno, message: &str) -> Self {
        NlError { errno, message: message.to_owned() }
    }

    /// The error in an `NLMSG_ERROR` or `NLMSG_DONE` whose attributes begin at `tlvs`; none if it says that all went well.
    pub(super) fn of(m: &Message<'_>, tlvs: usize) -> Option<Self> {
        let code = attr::u32_at(m.body, 0).cast_signed();
        if code >= 0 {
            return None;
        }
        let tail = if m.flags & F_ACK_TLVS == 0 { &[] } else { m.body.get(tlvs..).unwrap_or_default() };
        let words = attr::find(tail, ATTR_MSG);
        let message = words.map(|a| a.str().to_owned()).unwrap_or_default();
        Some(NlError { errno: Errno::from_raw(-code), message })
    }
}

impl From<io::Error> for NlError {
    fn from(e: io::Error) -> Self {
        let errno = Errno::from_raw(e.raw_os_error().unwrap_or(0));
        NlError::new(errno, "")
    }
}

impl From<NlError> for io::Error {
    fn from(e: NlError) -> Self {
        io::Error::new(io::Error::from(e.errno).kind(), e)
    }
}
