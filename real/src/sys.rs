//! The few system calls that no safe wrapper has.
#![expect(
    unsafe_code,
    reason = "socket options and addresses that nix does not know; each call passes a value of the type the kernel reads"
)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `IP_MTU_DISCOVER` (ip(7)): 0 never sets DF, 1 as routes say, 2 always.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn mtu_discover(fd: &impl AsRawFd, how: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the option is an int, and the pointer is to one that outlives the call.
    let r = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, (&raw const how).cast(), len)
    };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A packet socket (packet(7)) for one protocol; interface 0 is all of the namespace's.
///
/// # Errors
/// As `socket(2)` and `bind(2)`.
pub fn packet_socket(protocol: u16, ifindex: i32) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // One that is bound says only then what it listens to: to change it takes a grace period (`packet_do_bind`).
    let at_once = if ifindex == 0 { protocol } else { 0 };
    // SAFETY: no pointers are passed; the descriptor that comes back is nobody else's.
    let fd = unsafe {
        let fd = libc::socket(libc::AF_PACKET, flags, i32::from(at_once.to_be()));
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    if ifindex != 0 {
        let to = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: protocol.to_be(),
            sll_ifindex: ifindex,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is a sockaddr_ll of the length given.
        if unsafe { libc::bind(fd.as_raw_fd(), (&raw const to).cast(), len) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(fd)
}

/// Packets that a packet socket had to drop since it was last asked (`PACKET_STATISTICS`).
///
/// # Errors
/// As `getsockopt(2)`.
pub fn packet_drops(fd: &impl AsRawFd) -> io::Result<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into the struct that the option is defined with.
    let r = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(stats.tp_drops) }
}

/// The Ethernet address of the device that a packet socket is bound to; the kernel gives an address shorter than the
/// struct, which nix takes for none.
///
/// # Errors
/// As `getsockname(2)`.
pub fn packet_address(fd: &impl AsRawFd) -> io::Result<[u8; 6]> {
    let mut at = libc::sockaddr_ll {
        sll_family: 0,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into the struct.
    if unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut at).cast(), &raw mut len) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let a = at.sll_addr;
    Ok([a[0], a[1], a[2], a[3], a[4], a[5]])
}

/// From now on this thread runs only where nobody else wants to (`SCHED_IDLE`, sched(7)).
///
/// # Errors
/// As `sched_setscheduler(2)`.
pub fn only_when_idle() -> io::Result<()> {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: the struct outlives the call, which reads it.
    let r = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `struct mount_attr` (`include/uapi/linux/mount.h`).
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `MOUNT_ATTR_RDONLY`.
const RDONLY: u64 = 1;

/// Makes a tree of mounts read-only (`mount_setattr(2)`), with all that is mounted below.
///
/// # Errors
/// As the call.
pub fn read_only(tree: &std::ffi::CStr) -> io::Result<()> {
    let attr = MountAttr { set: RDONLY, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path ends in a zero, and the struct is of the size that is told.
    let r = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            tree.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
