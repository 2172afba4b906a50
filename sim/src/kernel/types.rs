//! Ids, names and small values shared by every mechanism.

use std::fmt;

use arrayvec::ArrayString;

/// Virtual time in nanoseconds since the world began.
pub type Nanos = u64;
/// One second.
pub const SEC: Nanos = 1_000_000_000;
/// One millisecond.
pub const MSEC: Nanos = 1_000_000;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// Index into the arena.
            #[inline]
            pub fn ix(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A host: one kernel.
    HostId
);
id!(
    /// A network namespace of any host.
    NetnsId
);
id!(
    /// A network device of any namespace; never reused, unlike an ifindex.
    DevId
);
id!(
    /// A socket of any namespace.
    SockId
);
id!(
    /// A process of the world: what an application is to the kernel.
    Pid
);

/// A device name: at most 15 bytes (`IFNAMSIZ` - 1).
pub type IfName = ArrayString<15>;

/// The errno of a refused system call or netlink request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub enum Errno {
    EPERM,
    ENOENT,
    ESRCH,
    EAGAIN,
    EACCES,
    EBUSY,
    EEXIST,
    EXDEV,
    ENODEV,
    EINVAL,
    ENOTDIR,
    EISDIR,
    ERANGE,
    EMSGSIZE,
    EPROTO,
    EOPNOTSUPP,
    ENOPROTOOPT,
    ENOSPC,
    EADDRINUSE,
    EADDRNOTAVAIL,
    ENETDOWN,
    ENETUNREACH,
    ECONNRESET,
    ECONNREFUSED,
    ENOBUFS,
    ENOTCONN,
    EISCONN,
    ETIMEDOUT,
    EHOSTDOWN,
    EHOSTUNREACH,
    ENOMEM,
    EPIPE,
    ELOOP,
    EMLINK,
    ENOTEMPTY,
    E2BIG,
}

impl Errno {
    /// `strerror(3)`: the sentence that tools print.
    pub fn strerror(self) -> &'static str {
        use Errno::*;
        match self {
            EPERM => "Operation not permitted",
            ENOENT => "No such file or directory",
            ESRCH => "No such process",
            EAGAIN => "Resource temporarily unavailable",
            EACCES => "Permission denied",
            EBUSY => "Device or resource busy",
            EEXIST => "File exists",
            EXDEV => "Invalid cross-device link",
            ENODEV => "No such device",
            EINVAL => "Invalid argument",
            ENOTDIR => "Not a directory",
            EISDIR => "Is a directory",
            ERANGE => "Numerical result out of range",
            EMSGSIZE => "Message too long",
            EPROTO => "Protocol error",
            EOPNOTSUPP => "Operation not supported",
            ENOPROTOOPT => "Protocol not available",
            ENOSPC => "No space left on device",
            EADDRINUSE => "Address already in use",
            EADDRNOTAVAIL => "Cannot assign requested address",
            ENETDOWN => "Network is down",
            ENETUNREACH => "Network is unreachable",
            ECONNRESET => "Connection reset by peer",
            ECONNREFUSED => "Connection refused",
            ENOBUFS => "No buffer space available",
            ENOTCONN => "Transport endpoint is not connected",
            EISCONN => "Transport endpoint is already connected",
            ETIMEDOUT => "Connection timed out",
            EHOSTDOWN => "Host is down",
            EHOSTUNREACH => "No route to host",
            ENOMEM => "Cannot allocate memory",
            EPIPE => "Broken pipe",
            ELOOP => "Too many levels of symbolic links",
            EMLINK => "Too many links",
            ENOTEMPTY => "Directory not empty",
            E2BIG => "Argument list too long",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.strerror())
    }
}
