//! The tracepoints, while a scenario runs.

use std::net::Ipv4Addr;
use std::thread::{self, JoinHandle};

use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::fib::RouteType;
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::trace::Trace;
use serde_json::{Map, Value};

use crate::compare::{drops, lookups, neighbours};
use crate::watch::tracepoints::{Watch, WatchError};

/// The tracepoints, or why they cannot be watched. They are opened while the first scenario is built.
pub(crate) struct Watched {
    opening: Option<JoinHandle<Result<Watch, WatchError>>>,
    open: Result<Watch, String>,
}

impl Watched {
    /// Begins to open them.
    pub(crate) fn begin() -> Watched {
        Watched { opening: Some(thread::spawn(Watch::start)), open: Err("they were not opened".into()) }
    }

    fn open(&mut self) -> Result<&mut Watch, &str> {
        if let Some(o) = self.opening.take() {
            self.open = match o.join() {
                Ok(opened) => opened.map_err(|e| e.to_string()),
                // A panic ends the whole lab before anybody could join.
                Err(p) => std::panic::resume_unwind(p),
            };
        }
        self.open.as_mut().map_err(|e| e.as_str())
    }

    /// Forgets what was watched so far.
    ///
    /// # Errors
    /// Why nothing is watched.
    pub(crate) fn forget(&mut self) -> Result<(), String> {
        self.open()?.drain();
        Ok(())
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
        let Ok(w) = self.open() else { return };
        let (before, events) = (w.lost(), w.drain());
        drops::record(&events, captured, |at| w.function(at), fields);
        drops::lost(w.lost() - before, fields);
        let ours = |a: Ipv4Addr| nets.clone().any(|n| k.inet_addr_type(n, a) == RouteType::Local);
        lookups::record(&events, ours, fields);
        neighbours::record(&events, |dev| k.devs.iter().any(|d| d.name.as_str() == dev), fields);
    }
}
