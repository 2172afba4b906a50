//! A walk through a dump, for people and for programs.

use serde_json::{Value, json};

use super::{Answer, Verdict};
use crate::command::iptables::rule_spec;
use crate::kernel::netfilter::Hook;
use crate::kernel::xtables::Policy;
use crate::trace::clause::{clause, miss_text};
use crate::trace::event::RuleAt;
use crate::trace::{Event, EventKind, words};

impl Answer {
    fn events(&self) -> &[Event] {
        self.session.kernel.rec.events.get(self.first..).unwrap_or_default()
    }

    /// As people read it: hook by hook, rule by rule, the packet before and after.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", words::packet(&self.packets[0]));
        let mut last = None;
        for e in self.events() {
            let hook = hook(&e.kind);
            if hook.is_some() && hook != last {
                last = hook;
                out.push_str(&format!("\n{}\n", hook.map_or("", Hook::name)));
            }
            if let Some(line) = self.line(e) {
                out.push_str(&format!("  {line}\n"));
            }
        }
        out.push('\n');
        let end = words::packet(&self.packets[1]);
        if words::packet(&self.packets[0]) != end {
            let how = if self.verdict == Verdict::Accept { "leaves as" } else { "it is by then" };
            out.push_str(&format!("{how} {end}\n"));
        }
        match self.decided().filter(|_| self.verdict != Verdict::Accept) {
            Some(by) => out.push_str(&format!("= {} by {by}\n", self.verdict.as_str())),
            None => out.push_str(&format!("= {}\n", self.verdict.as_str())),
        }
        for n in &self.notes {
            out.push_str(&format!("note: {n}\n"));
        }
        out
    }

    /// The rule or policy that was met last.
    fn decided(&self) -> Option<String> {
        self.events().iter().rev().find_map(|e| match &e.kind {
            EventKind::XtMatched { at, .. } => Some(format!("{} {} {}", at.table.name(), at.chain, at.number)),
            EventKind::XtPolicy { table, hook, .. } => Some(format!("the policy of {} {}", table.name(), hook.name())),
            _ => None,
        })
    }

    fn line(&self, e: &Event) -> Option<String> {
        let s = &self.session;
        let rule = |at: &RuleAt| format!("{} {} {}", at.table.name(), at.chain, at.number);
        Some(match &e.kind {
            EventKind::XtMissed { at, miss } => {
                format!("{:<24} missed   {}\n{:36}at {}", rule(at), rule_spec(&at.rule), "", miss_text(s, miss))
            }
            EventKind::XtMatched { at, verdict } => {
                let verdict = format!("{verdict:?}").to_lowercase();
                format!("{:<24} {verdict:<8} {}", rule(at), rule_spec(&at.rule))
            }
            EventKind::XtPolicy { table, hook, policy, .. } => {
                format!("{:<24} policy   {}", format!("{} {}", table.name(), hook.name()), policy_word(*policy))
            }
            EventKind::Ct { .. } | EventKind::Nat { .. } | EventKind::Log { .. } => clause(s, &e.kind).1,
            _ => return None,
        })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let steps: Vec<Value> = self.events().iter().filter_map(|e| self.value(e)).collect();
        let text = |i: usize| words::packet(&self.packets[i]);
        json!({
            "schema_version": 1, "verdict": self.verdict.as_str(), "packet": text(0), "leaves_as": text(1),
            "steps": steps, "notes": self.notes,
        })
    }

    fn value(&self, e: &Event) -> Option<Value> {
        let s = &self.session;
        let rule = |at: &RuleAt, what: &str| {
            json!({
                "hook": at.hook.name(), "table": at.table.name(), "chain": &*at.chain, "number": at.number,
                "rule": rule_spec(&at.rule), "result": what,
            })
        };
        Some(match &e.kind {
            EventKind::XtMissed { at, miss } => {
                let mut v = rule(at, "missed");
                v["option"] = json!(miss.option);
                v["saw"] = json!(miss_text(s, miss));
                v
            }
            EventKind::XtMatched { at, verdict } => {
                let mut v = rule(at, "matched");
                v["verdict"] = json!(format!("{verdict:?}").to_lowercase());
                v
            }
            EventKind::XtPolicy { table, hook, policy, .. } => json!({
                "hook": hook.name(), "table": table.name(), "chain": hook.name(), "result": "policy",
                "verdict": policy_word(*policy).to_lowercase(),
            }),
            EventKind::Ct { hook, .. } => {
                json!({"hook": hook.name(), "result": "conntrack", "text": clause(s, &e.kind).1})
            }
            EventKind::Nat { hook, .. } => json!({"hook": hook.name(), "result": "nat", "text": clause(s, &e.kind).1}),
            EventKind::Log { line } => json!({"result": "log", "text": line.trim_end()}),
            _ => return None,
        })
    }
}

fn policy_word(p: Policy) -> &'static str {
    match p {
        Policy::Accept => "ACCEPT",
        Policy::Drop => "DROP",
    }
}

fn hook(k: &EventKind) -> Option<Hook> {
    Some(match k {
        EventKind::XtChain { hook, .. }
        | EventKind::XtPolicy { hook, .. }
        | EventKind::Ct { hook, .. }
        | EventKind::Nat { hook, .. } => *hook,
        EventKind::XtMissed { at, .. } | EventKind::XtMatched { at, .. } => at.hook,
        _ => return None,
    })
}
