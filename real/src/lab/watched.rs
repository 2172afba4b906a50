//! The tracepoints, while a scenario runs.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::fib::RouteType;
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::trace::Trace;
use serde_json::{Map, Value};

use crate::compare::{drops, lookups, neighbours};
use crate::watch::awake::Awake;
use crate::watch::tracepoints::{Event, Idle, Watch, WatchError};

/// How often the rings are emptied: what all labs of a machine do in that time fits into one.
const EMPTY: Duration = Duration::from_millis(100);

/// The tracepoints, or why they cannot be watched. They are opened while the first scenario is built, and their rings
/// emptied while a step takes its time: they hold what all others do as well.
pub(crate) struct Watched {
    opening: Option<JoinHandle<Result<Watch, WatchError>>>,
    open: Result<Reader, String>,
    /// While a scenario runs.
    awake: Option<Awake>,
}

/// Empties the rings now and then.
struct Reader {
    gathered: Arc<Mutex<Gathered>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Gathered {
    watch: Watch,
    events: Vec<Event>,
}

impl Gathered {
    fn gather(&mut self) {
        self.events.extend(self.watch.drain());
    }
}

impl Reader {
    fn start(watch: Watch) -> Reader {
        let gathered = Arc::new(Mutex::new(Gathered { watch, events: Vec::new() }));
        let stop = Arc::new(AtomicBool::new(false));
        let (all, end) = (Arc::clone(&gathered), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                lock(&all).gather();
                thread::park_timeout(EMPTY);
            }
        });
        Reader { gathered, stop, thread: Some(thread) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(t) = self.thread.take() {
            t.thread().unpark();
            let _ = t.join();
        }
    }
}

fn lock(all: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Begins to open them.
    pub(crate) fn begin() -> Watched {
        Watched { opening: Some(thread::spawn(Watch::start)), open: Err("they were not opened".into()), awake: None }
    }

    fn open(&mut self) -> Result<MutexGuard<'_, Gathered>, &str> {
        if let Some(o) = self.opening.take() {
            self.open = match o.join() {
                Ok(opened) => opened.map(Reader::start).map_err(|e| e.to_string()),
                // A panic ends the whole lab before anybody could join.
                Err(p) => std::panic::resume_unwind(p),
            };
        }
        self.open.as_ref().map(|r| lock(&r.gathered)).map_err(|e| e.as_str())
    }

    /// Begins with a scenario: forgets what was watched so far, and keeps processors from going idle of which nothing
    /// would be heard then, or may not be, unless they may.
    ///
    /// # Errors
    /// Why nothing is watched.
    pub(crate) fn begin_scenario(&mut self, may_idle: bool) -> Result<(), String> {
        let mut g = self.open()?;
        let Idle { unheard, unknown } = g.watch.idle();
        let awake = Awake::keep(unheard.iter().chain(unknown).filter(|_| !may_idle));
        g.gather();
        g.events.clear();
        g.watch.take_lost();
        drop(g);
        self.awake = Some(awake);
        Ok(())
    }

    /// A scenario is over.
    pub(crate) fn end_scenario(&mut self) {
        self.awake = None;
    }

    /// The processors of whose idle task perf tells nothing, and which may be idle.
    pub(crate) fn unheard(&mut self) -> Vec<u32> {
        let kept = self.awake.as_ref().map(|a| a.kept().to_vec()).unwrap_or_default();
        let all = self.open().map(|g| g.watch.idle().unheard.clone()).unwrap_or_default();
        all.into_iter().filter(|c| !kept.contains(c)).collect()
    }

    /// Writes down what was watched during a step; `k` and `nets` are the model's kernel and those of its namespaces that
    /// are here.
    pub(crate) fn record(
        &mut self,
        captured: &[drops::Captured<'_>],
        k: &Kernel<Trace>,
        nets: impl Iterator<Item = NetnsId> + Clone,
        fields: &mut Map<String, Value>,
    ) {
        let Ok(mut g) = self.open() else { return };
        g.gather();
        let (lost, events) = (g.watch.take_lost(), std::mem::take(&mut g.events));
        drops::record(&events, captured, |at| g.watch.function(at), fields);
        drops::lost(lost, fields);
        let ours = |a: Ipv4Addr| nets.clone().any(|n| k.inet_addr_type(n, a) == RouteType::Local);
        lookups::record(&events, ours, fields);
        neighbours::record(&events, |dev| k.devs.iter().any(|d| d.name.as_str() == dev), fields);
    }
}
