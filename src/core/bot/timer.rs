//! Timers of rules tick: a tick is an event like any other, taken up with all that comes of it in one step.
//!
//! Life cycle: a timer **begins** when a rule in force has one that was not there before, and that is remembered, since intervals count from it; it **ticks**, and the last tick is
//! remembered with what came of it; it is **forgotten** when no rule has it any more. Rules with the same parameters share one.
//!
//! - **No tick is taken up twice, and none drifts**: the next one follows from the last tick.
//! - **Of ticks that nobody was there to hear**, at most the last one counts, and only where the timer says so ([`crate::core::timer::Missed`]).
//! - **Nothing ticks before the chat is known**, for nobody could be told; how late it is by then is judged by the timer.
//! - **It costs nothing where no rule has a timer.**

use super::{Bot, Moment, Step};
use crate::core::fact::Fact;
use crate::core::id::{TriggerInstanceId, TriggerRef};
use crate::core::memory::Contradiction;
use crate::core::rule::trigger::{Source, TriggerInstance};
use crate::core::timer::{Kind, Ticked, Timer, Verdict};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A timer that rules in force have.
#[derive(Debug, Clone)]
pub(super) struct Ticking {
    timer: Timer,
    trigger: TriggerRef,
    parameters: Map<String, Value>,
    /// When the next tick is acted upon, and that tick; nothing when there is none any more.
    next: Option<(Timestamp, Timestamp)>,
}

/// By trigger and parameters.
pub(super) type Timers = BTreeMap<String, Ticking>;

impl Bot {
    /// The rules in force may be others: so may their timers be.
    pub(super) fn follow_timers(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let mut timers = Timers::new();
        for rule in self.catalog.rules.all().filter(|rule| self.memory.events.is_enabled(rule)) {
            let Some(kind) = Kind::of(rule.trigger.as_str()) else { continue };
            // What cannot be read was told when the rule was loaded.
            let Ok(timer) = Timer::read(kind, &rule.trigger_parameters, "") else { continue };
            let parameters = rule.trigger_parameters.clone();
            let key = format!("{} {}", rule.trigger, Value::Object(parameters.clone()));
            timers.insert(key, Ticking { timer, trigger: rule.trigger.clone(), parameters, next: None });
        }
        let gone = self.memory.timers.keys().filter(|key| !timers.contains_key(*key)).cloned();
        for timer in gone.collect::<Vec<_>>() {
            self.note(step, moment, Fact::TimerGone { timer })?;
        }
        for (key, ticking) in &mut timers {
            if !self.memory.timers.contains_key(key) {
                self.note(step, moment, Fact::TimerBegun { timer: key.clone() })?;
            }
            ticking.next = self.memory.timers.get(key).and_then(|known| next(&ticking.timer, known));
        }
        self.timers = timers;
        Ok(())
    }

    /// Takes up the ticks that have come.
    pub(super) fn tick(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if !self.may_tick() {
            return Ok(());
        }
        let due = |ticking: &Ticking| ticking.next.is_some_and(|(at, _)| at <= moment.at);
        let due: Vec<String> =
            self.timers.iter().filter(|(_, ticking)| due(ticking)).map(|(key, _)| key.clone()).collect();
        for key in due {
            let (Some(ticking), Some(known)) = (self.timers.get(&key).cloned(), self.memory.timers.get(&key).copied())
            else {
                continue;
            };
            let timer = &ticking.timer;
            // One that is still to be acted upon later by its splay is no reason to leave out the one that is due.
            let latest = timer.last(known.since, known.until, moment.at);
            let latest = latest.filter(|tick| acted_upon(timer, *tick) <= moment.at);
            let Some(tick) = latest.or(ticking.next.map(|(_, tick)| tick)) else { continue };
            self.note(step, moment, Fact::TimerTicked { timer: key.clone(), tick })?;
            if timer.verdict(tick, moment.at) == Verdict::Due {
                let instance = TriggerInstance {
                    id: TriggerInstanceId::new(format!("timer:{}:{}", timer.name(), tick.as_second())),
                    trigger: ticking.trigger.clone(),
                    parameters: ticking.parameters.clone(),
                    payload: json!({"executed_at": tick.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string(), "schedule": null}),
                    occurred: tick,
                    trace_tag: None,
                    source: Source::Timer,
                    chain: Vec::new(),
                };
                if !self.memory.events.has_taken(&instance.id) {
                    self.consider(step, moment, instance)?;
                }
            }
            let known = self.memory.timers.get(&key).copied();
            if let Some(ticking) = self.timers.get_mut(&key) {
                ticking.next = known.and_then(|known| next(&ticking.timer, &known));
            }
        }
        Ok(())
    }

    fn may_tick(&self) -> bool {
        self.knows_the_chat() && !self.stopping
    }

    /// When the next tick is acted upon.
    pub(super) fn next_tick(&self) -> Option<Timestamp> {
        let next = self.timers.values().filter_map(|ticking| ticking.next.map(|(at, _)| at)).min();
        next.filter(|_| self.may_tick())
    }
}

fn next(timer: &Timer, known: &Ticked) -> Option<(Timestamp, Timestamp)> {
    let tick = timer.next(known.since, known.until)?;
    Some((acted_upon(timer, tick), tick))
}

fn acted_upon(timer: &Timer, tick: Timestamp) -> Timestamp {
    tick.saturating_add(timer.splay(tick)).unwrap_or(tick)
}
