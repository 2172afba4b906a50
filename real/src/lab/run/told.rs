//! What is told of a run: the ways through the rules, and the recording as a whole.

use packetwalk_sim::scenario::Scenario;
use serde_json::{Map, Value, json};

use super::super::{state, versions};
use super::Lab;
use crate::compare::drops::UNHEARD;
use crate::compare::rules;
use crate::watch::clock;
use crate::watch::dump::Tools;

impl Lab<'_> {
    /// The ways that packets went through the rules of each namespace since it was last asked.
    pub(super) fn rules(&mut self, n: usize, fields: &mut Map<String, Value>) {
        let (mut told, mut untold) = (Map::new(), Vec::new());
        for (label, space) in &mut self.world.spaces {
            let Ok(tracer) = &mut space.tracer else { continue };
            let before = tracer.lost();
            let passages = tracer.drain().unwrap_or_default();
            let (lines, hidden) = rules::live(&passages, 40_000 + 20 * n as u16);
            if hidden || tracer.lost() != before {
                untold.push(label.clone());
            }
            if !lines.is_empty() {
                told.insert(label.clone(), lines.into_iter().collect::<Vec<_>>().into());
            }
        }
        fields.insert("rules".into(), told.into());
        if !untold.is_empty() {
            fields.insert("rules_untold".into(), untold.into());
        }
    }

    /// The whole run: what came of its steps, and what is left at its end.
    pub(super) fn recording(&mut self, text: &str, scenario: &Scenario) -> Value {
        self.look();
        self.world.capture.stop();
        let (state, mut unread) = state::state(&self.world, &self.plan, &Tools::find());
        // A timer may have fired meanwhile.
        let looked = self.ended.elapsed().as_nanos() as u64;
        for (label, space) in &self.world.spaces {
            if let Err(why) = &space.tracer
                && space.host.is_some()
            {
                unread.push(format!("{label}: rules: {why}"));
            }
        }
        let mut r = Map::new();
        r.insert("format".into(), 1.into());
        r.insert("by".into(), "packetwalk".into());
        r.insert("name".into(), scenario.name.as_str().into());
        r.insert("title".into(), scenario.title.as_str().into());
        // What may differ where an engine is at work is another list.
        let topic = if self.plan.engines.is_empty() { "kernel-scenario" } else { "scenario" };
        r.insert("topic".into(), topic.into());
        if !self.plan.clusters.is_empty() {
            // Engines talk to each other in the model only.
            r.insert("cluster".into(), true.into());
        }
        r.insert("engine".into(), scenario.engine.as_str().into());
        r.insert("scenario".into(), text.into());
        r.insert("refusals".into(), self.world.refusals.clone().into());
        r.insert("versions".into(), versions::versions().into());
        r.insert("ops".into(), self.world.ops.into());
        let unheard = self.watch.unheard();
        if !unheard.is_empty() {
            r.insert(UNHEARD.into(), unheard.into());
        }
        unread.extend(self.world.unread.iter().cloned());
        if let Some(wheel) = clock::wheel() {
            r.insert("wheel".into(), wheel);
        }
        r.insert("unread".into(), unread.into());
        std::mem::take(&mut self.out).finish(&mut r);
        r.insert("state".into(), json!({"end": {"ns": state, "looked_ns": looked}}));
        Value::Object(r)
    }
}
