//! The rings that perf writes tracepoints into, one per tracepoint and CPU.

use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use nix::time::{ClockId, clock_gettime};
use perf_event::data::Record;
use perf_event::events::Tracepoint;
use perf_event::{Builder, Clock, SampleFlag, Sampler};

use super::At;

/// Room for some 4,000 records of the largest tracepoint.
pub const RING: usize = 1 << 20;

/// One record of a tracepoint.
pub struct Sample {
    /// When and where.
    pub at: At,
    /// Its fields.
    pub raw: Vec<u8>,
}

/// A tracepoint on a CPU.
pub struct Ring {
    sampler: Sampler,
    room: usize,
}

/// Opens a tracepoint on every CPU, with room for so many bytes each.
pub fn open(id: u64, room: usize) -> io::Result<Vec<(usize, Ring)>> {
    cpus()?.into_iter().map(|cpu| Ok((cpu, Ring { sampler: one(id, cpu, room)?, room }))).collect()
}

/// Closes rings without waiting for it. The last handle of a tracepoint waits for two grace periods when it goes
/// (`perf_trace_event_unreg`), one tracepoint after the other (`event_mutex`): 250 ms for all of ours. A handle on its way
/// through a socket that nobody can read from any more is closed by the kernel's own worker (`unix_gc`), as namespaces are.
pub fn let_go(rings: Vec<Ring>) {
    // Where it cannot be done, they are closed here, and that is waited for.
    let lost: Vec<_> = rings.chunks(AT_ONCE).filter_map(|some| lose(some).ok()).collect();
    // Ours go first, lest they be the last.
    drop(rings);
    for (from, to) in lost {
        // First the one that lives on in its own queue: the other's end has the kernel look for such.
        drop(to);
        drop(from);
    }
}

/// How many handles a message carries, and the socket's own (`SCM_MAX_FD` is 253).
const AT_ONCE: usize = 252;

/// Sends handles, and the socket's that they are sent to; the socket they are sent from, and that one.
fn lose(some: &[Ring]) -> nix::Result<(OwnedFd, OwnedFd)> {
    let (from, to) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    let mut all: Vec<RawFd> = some.iter().map(|r| r.sampler.as_raw_fd()).collect();
    all.push(to.as_raw_fd());
    sendmsg::<()>(
        from.as_raw_fd(),
        &[IoSlice::new(b"-")],
        &[ControlMessage::ScmRights(&all)],
        MsgFlags::empty(),
        None,
    )?;
    Ok((from, to))
}

/// What makes `CLOCK_REALTIME` of `CLOCK_MONOTONIC`: perf takes only clocks that are safe in an NMI
/// (`perf_event_set_clock`), a captured frame has the other one.
pub fn realtime() -> u64 {
    let ns = |c| clock_gettime(c).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec());
    (ns(ClockId::CLOCK_REALTIME) - ns(ClockId::CLOCK_MONOTONIC)).cast_unsigned()
}

fn one(id: u64, cpu: usize, room: usize) -> io::Result<Sampler> {
    let mut b = Builder::new(Tracepoint::with_id(id));
    b.any_pid().one_cpu(cpu).include_kernel().exclude_user(false).enabled(true);
    b.sample(SampleFlag::TID | SampleFlag::TIME | SampleFlag::CPU | SampleFlag::RAW);
    // Nobody waits for them: each wake-up would be an interrupt of its own.
    b.sample_period(1).wakeup_watermark(room).clockid(Clock::MONOTONIC);
    b.build()?.sampled(room)
}

/// The CPUs that run: `0-3,8`.
fn cpus() -> io::Result<Vec<usize>> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online")?;
    let range = |r: &str| {
        let (a, b) = r.split_once('-').unwrap_or((r, r));
        Some(a.parse().ok()?..=b.parse::<usize>().ok()?)
    };
    Ok(text.trim().split(',').filter_map(range).flatten().collect())
}

/// Where every event has its `common_flags`, and of them the one for what interrupted the thread
/// (`struct trace_entry`, `TRACE_FLAG_SOFTIRQ`).
const COMMON_FLAGS: usize = 2;
const SOFTIRQ: u8 = 0x10;

impl Ring {
    /// Hands over what is there and is `wanted`, its times put forward by `offset`; returns how many records may be missing.
    pub fn drain(&mut self, offset: u64, wanted: fn(&At) -> bool, mut each: impl FnMut(Sample)) -> u64 {
        let (mut lost, mut bytes) = (0, 0);
        while let Some(r) = self.sampler.next_record() {
            bytes += r.len();
            if r.ty() == PERF_RECORD_SAMPLE {
                let data = r.to_contiguous();
                match sample(&data, offset) {
                    Some((at, raw)) if wanted(&at) => each(Sample { at, raw: raw.to_vec() }),
                    Some(_) => {}
                    None => lost += 1,
                }
                continue;
            }
            match r.parse_record() {
                // Told only with the next record that found room: by then what was lost may be of an earlier step.
                Ok(Record::Lost(l)) => lost += l.lost,
                // Whatever else is told, a throttled tracepoint or what nobody can read, is at least one event less.
                Ok(Record::Throttle(_)) | Err(_) => lost += 1,
                Ok(_) => {}
            }
        }
        // A ring that was full has perhaps lost what it does not tell yet.
        lost + u64::from(bytes + LARGEST > self.room)
    }
}

/// `PERF_RECORD_SAMPLE` (linux/perf_event.h).
const PERF_RECORD_SAMPLE: u32 = 9;

/// When and where a sample was, and its fields; none where it is cut short. It has what [`one`] asks for, in the order of
/// linux/perf_event.h: process and thread, time, CPU, length of the fields. Most are of others and not looked into.
fn sample(data: &[u8], offset: u64) -> Option<(At, &[u8])> {
    let u32_at = |at: usize| Some(u32::from_ne_bytes(*data.get(at..)?.first_chunk()?));
    let time = u64::from_ne_bytes(*data.get(8..)?.first_chunk()?);
    let raw = data.get(28..)?.get(..u32_at(24)? as usize)?;
    let at = At {
        time_ns: time.wrapping_add(offset),
        cpu: u32_at(16)?,
        // Of a task that has ended, -1.
        tid: u32_at(4).filter(|t| t.cast_signed() > 0).unwrap_or(0),
        softirq: raw.get(COMMON_FLAGS).is_some_and(|f| f & SOFTIRQ != 0),
    };
    Some((at, raw))
}

/// More than the largest record takes.
const LARGEST: usize = 1 << 12;
