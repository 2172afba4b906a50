//! A tool that waits for what comes: `tcpdump`, `conntrack -E`. What it hears, the session hands it
//! ([`crate::session::watch`]); the program itself is a process that can be ended and a timer that can fire.

use super::{Cx, Wake};
use crate::kernel::types::Nanos;
use crate::trace::Recorder;

/// The program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// It is woken so often, the first time so much later.
    every: Option<(Nanos, Nanos)>,
    /// It was woken and did not look yet.
    woken: bool,
}

impl Watch {
    /// Woken by a timer too: so often, and the first time so much later.
    pub fn with_timer(every: Nanos, later: Nanos) -> Watch {
        Watch { every: Some((every, later)), woken: false }
    }

    /// Was it woken since it last looked?
    pub fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// Called at its start and by its timer.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        self.woken |= matches!(why, Wake::Timer(_));
        if let Some((every, later)) = self.every {
            let later = if why == Wake::Start { later } else { 0 };
            cx.timer(every + later, 0);
        }
    }
}
