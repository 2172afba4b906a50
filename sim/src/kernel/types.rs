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

/// The errno of a refused system call or netlink request, with its number (asm-generic/errno.h).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub enum Errno {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    E2BIG = 7,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENOSPC = 28,
    EROFS = 30,
    EMLINK = 31,
    EPIPE = 32,
    ERANGE = 34,
    ENOTEMPTY = 39,
    ELOOP = 40,
    EPROTO = 71,
    EMSGSIZE = 90,
    ENOPROTOOPT = 92,
    EOPNOTSUPP = 95,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ENETUNREACH = 101,
    ECONNRESET = 104,
    ENOBUFS = 105,
    EISCONN = 106,
    ENOTCONN = 107,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
}

impl Errno {
    /// The number that a system call returns.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The errno of a number, where the model has it.
    pub fn of(number: i32) -> Option<Errno> {
        Self::ALL.iter().copied().find(|e| e.number() == number)
    }

    const ALL: &[Errno] = &[
        Errno::EPERM,
        Errno::ENOENT,
        Errno::ESRCH,
        Errno::E2BIG,
        Errno::EAGAIN,
        Errno::ENOMEM,
        Errno::EACCES,
        Errno::EBUSY,
        Errno::EEXIST,
        Errno::EXDEV,
        Errno::ENODEV,
        Errno::ENOTDIR,
        Errno::EISDIR,
        Errno::EINVAL,
        Errno::ENOSPC,
        Errno::EROFS,
        Errno::EMLINK,
        Errno::EPIPE,
        Errno::ERANGE,
        Errno::ENOTEMPTY,
        Errno::ELOOP,
        Errno::EPROTO,
        Errno::EMSGSIZE,
        Errno::ENOPROTOOPT,
        Errno::EOPNOTSUPP,
        Errno::EADDRINUSE,
        Errno::EADDRNOTAVAIL,
        Errno::ENETDOWN,
        Errno::ENETUNREACH,
        Errno::ECONNRESET,
        Errno::ENOBUFS,
        Errno::EISCONN,
        Errno::ENOTCONN,
        Errno::ETIMEDOUT,
        Errno::ECONNREFUSED,
        Errno::EHOSTDOWN,
        Errno::EHOSTUNREACH,
    ];

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
            EROFS => "Read-only file system",
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
