//! How long a recorder takes for what, besides what it records.

use packetwalk_sim::engine::Wheel;
use packetwalk_sim::kernel::types::{MSEC, Nanos};
use serde_json::Value;

use crate::recording::{list, text};

/// What a recorder spends around the steps, which the model's clock follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// From the hosts being there to the first step.
    pub(super) before_steps_ms: u64,
    /// The recorder of engines starts a Python for each probe; the first frame follows after so long.
    probe_start_ms: u64,
    /// A command's tool is at work so long after the step's beginning, at the latest.
    command_start_ms: u64,
    /// It looks for new namespaces so long after a command.
    pub(super) after_command_ms: u64,
    /// The engine's client needs so long to reach the engine.
    pub(super) client_ms: u64,
    /// A container that a command starts is up so long before the step's end.
    pub(super) container_up_ms: u64,
    /// A manager's answer and the node's load balancer come before that, on a network of a swarm.
    pub(super) attached_ms: u64,
    /// It stops looking at frames so long after the last step.
    pub(super) before_state_ms: u64,
    /// It looks at the state of the last namespaces so long after that.
    pub(super) state_ms: u64,
    /// It looks at the counters so long after a probe.
    pub(super) counters_ms: u64,
}

/// The recorder of engines.
pub(super) const ENGINES: Pace = Pace {
    before_steps_ms: 200,
    probe_start_ms: 38,
    command_start_ms: 8,
    after_command_ms: 100,
    client_ms: 100,
    container_up_ms: 160,
    attached_ms: 460,
    before_state_ms: 215,
    state_ms: 170,
    counters_ms: 165,
};

/// Our own: nothing lies between, and the engine is the model's.
pub(super) const OURS: Pace = Pace {
    before_steps_ms: 0,
    probe_start_ms: 0,
    command_start_ms: 0,
    after_command_ms: 0,
    client_ms: 0,
    container_up_ms: 0,
    attached_ms: 0,
    before_state_ms: 0,
    state_ms: 0,
    counters_ms: 0,
};

/// How long a step took: of begun milliseconds, one half is meant.
pub(super) fn took(step: &Value) -> u64 {
    step["ns"].as_u64().unwrap_or_else(|| step["ms"].as_u64().map_or(0, |ms| ms * MSEC + MSEC / 2))
}

impl Pace {
    /// How long after a step's beginning its command does what it is for, in nanoseconds.
    pub(super) fn command_start(&self, step: &Value) -> u64 {
        took(step).saturating_sub(self.after_command_ms * MSEC).min(self.command_start_ms * MSEC)
    }

    /// How long after a step's beginning its probe does, in nanoseconds: with its first frame, where it has sent one.
    pub(super) fn probe_start(&self, json: &Value, step: &Value) -> u64 {
        let own = |row: &&Value| {
            let dev = text(&json["devs"][row[1].as_u64().unwrap_or(0) as usize]);
            row[2] == "o" && row[4].is_null() && dev.rsplit_once(':').is_some_and(|(place, _)| step["from"] == place)
        };
        let first = list(&step["cap"]).iter().find(own).and_then(|row| row[0].as_u64());
        match first {
            Some(us) if self.probe_start_ms > 0 => us * 1000,
            _ => self.probe_start_ms * MSEC,
        }
    }
}

/// The live kernel's timer wheel at a step that began so in virtual time.
pub(super) fn wheel(json: &Value, step: &Value, began: Nanos) -> Option<Wheel> {
    let (tick, offset) = (json["wheel"]["tick_ns"].as_u64()?, json["wheel"]["offset_ns"].as_u64()?);
    Some(Wheel { tick, phase: (step["mono_ns"].as_u64()? + offset).checked_sub(began)? })
}
