//! # Sensors in the bot
//!
//! Sensors of packs run under supervision: the bot says which are started and stopped, and takes up what they tell.
//!
//! [`mod@told`] is what they write, [`mod@asked`] is for people who ask about them.
//!
//! - **Nothing is started before the chat is known**, as with timers: what comes of an event could not be told.
//! - **What changed is started anew, and all else goes on**: a sensor knows nothing of packs that are read again, unless its file, its program or its
//!   configuration is another.
//! - **A configuration that cannot be had starts nothing, and ends nothing that runs.**
//! - **Nothing of this is remembered but who switched a sensor.**

mod asked;
mod told;

use super::{Bot, Moment, Step};
use crate::core::action::run::Secret;
use crate::core::content::config::ConfigContext;
use crate::core::effect::Effect;
use crate::core::id::{RequestId, SensorRef};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, SensorTold};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::rule::trigger::{SENSOR_EXIT, SENSOR_SPAWN};
use crate::core::sensor::spec::{Runs, Sensor};
use crate::core::sensor::supervision::{Ending, Order, State, Supervised};
use crate::core::sensor::{Launch, News};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The sensors, as far as they are supervised. Lost without harm.
#[derive(Debug, Default)]
pub(super) struct Sensors {
    each: BTreeMap<SensorRef, Watched>,
    /// Which are to run has to be found out anew.
    unsettled: bool,
}

impl Sensors {
    /// Something has changed that says which are to run.
    pub(super) fn unsettle(&mut self) {
        self.unsettled = true;
    }

    /// How many run, for whoever counts.
    pub(super) fn running(&self) -> usize {
        self.each.values().filter(|one| matches!(one.supervised.state(), State::Running { .. })).count()
    }

    /// How many should run and do not.
    pub(super) fn down(&self) -> usize {
        self.each.values().filter(|one| one.supervised.down().is_some()).count()
    }
}

/// One of them, with what it has told.
#[derive(Debug, Default)]
struct Watched {
    supervised: Supervised,
    /// Events that it brought.
    events: u64,
    /// Lines that were refused.
    refused: u64,
    /// Why the last of them was, and when.
    complaint: Option<(Timestamp, String)>,
    /// The kinds of mistakes that were told of.
    told: BTreeSet<String>,
    /// The last lines of its standard error.
    errors: Vec<String>,
    /// The secrets that it was told.
    hidden: Vec<Secret>,
}

/// What a sensor would be started with.
struct Prepared {
    settings: String,
    hidden: Vec<Secret>,
    /// Differs when it has to be started anew.
    fingerprint: String,
}

impl Bot {
    /// Whether a sensor is to run: as somebody said, or else as its file says.
    fn is_switched_on(&self, sensor: &Sensor) -> bool {
        self.memory.sensors.get(&sensor.reference).map_or(sensor.enabled, |switched| switched.enabled)
    }

    /// Starts what is due, and finds out what is to run where that may have changed.
    pub(super) fn look_after_sensors(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if self.sensors.unsettled && (self.stopping || self.knows_the_chat()) {
            self.sensors.unsettled = false;
            self.settle_sensors(step, moment.at);
        }
        if self.sensors.unsettled {
            return Ok(());
        }
        let due = |one: &&Watched| one.supervised.next().is_some_and(|next| next <= moment.at);
        if !self.sensors.each.values().any(|one| due(&one)) {
            return Ok(());
        }
        let due = self.sensors.each.iter().filter(|(_, one)| due(one)).map(|(sensor, _)| sensor.clone());
        for sensor in due.collect::<Vec<_>>() {
            self.look_after_sensor(step, moment, &sensor)?;
        }
        Ok(())
    }

    /// When one is to be looked after.
    pub(super) fn next_sensor(&self) -> Option<Timestamp> {
        // What is to run is found out when the chat is known, and not by waiting.
        if self.sensors.unsettled {
            return None;
        }
        self.sensors.each.values().filter_map(|one| one.supervised.next()).min()
    }

    /// Says of each whether it is to run, and with what.
    fn settle_sensors(&mut self, step: &mut Step, at: Timestamp) {
        let catalog = Arc::clone(&self.catalog);
        // With what; nothing where that cannot be had.
        let mut wanted: BTreeMap<&SensorRef, Option<String>> = BTreeMap::new();
        for (reference, sensor) in &catalog.sensors {
            let Runs::Program { path, stamp } = &sensor.runs else { continue };
            if self.stopping || !self.is_switched_on(sensor) {
                continue;
            }
            let prepared = self.prepare_sensor(sensor, path, stamp, at);
            wanted.insert(reference, prepared.ok().map(|prepared| prepared.fingerprint));
            self.sensors.each.entry(reference.clone()).or_default();
        }
        for (reference, one) in &mut self.sensors.each {
            let order = match wanted.get(reference) {
                None => one.supervised.want(None, at),
                // The start will say what is wrong with it.
                Some(None) if *one.supervised.state() == State::Off => one.supervised.want(Some(String::new()), at),
                Some(None) => Order::Nothing,
                Some(Some(fingerprint)) => one.supervised.want(Some(fingerprint.clone()), at),
            };
            if let Order::Stop(run) = order {
                step.effects.push(Effect::StopSensor { sensor: reference.clone(), run });
            }
        }
        self.sensors
            .each
            .retain(|reference, one| *one.supervised.state() != State::Off || catalog.sensors.contains_key(reference));
    }

    /// What a sensor would be told, or why that cannot be had.
    fn prepare_sensor(&self, sensor: &Sensor, path: &str, stamp: &str, at: Timestamp) -> Result<Prepared, String> {
        let config = self.catalog.configs.get(sensor.pack()).cloned().unwrap_or_default();
        let context = ConfigContext { config, values: Arc::new(self.values_of_nobody(at)) };
        let (config, secrets) = context.whole()?;
        let settings = json!({
            "sensor": sensor.reference,
            "pack": sensor.pack(),
            "poll_interval": sensor.poll_interval,
            "config": Value::Object(config),
        });
        let settings = settings.to_string();
        let mut digest = Sha256::new();
        for text in [path, stamp, &settings] {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        let fingerprint = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Prepared { settings, hidden: secrets.into_iter().map(Secret::new).collect(), fingerprint })
    }

    fn look_after_sensor(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reference: &SensorRef,
    ) -> Result<(), Contradiction> {
        let Some(sensor) = self.catalog.sensors.get(reference).cloned() else { return Ok(()) };
        let prepared = match &sensor.runs {
            Runs::Program { path, stamp } => self.prepare_sensor(&sensor, path, stamp, moment.at),
            Runs::Class { .. } => return Ok(()),
        };
        let (bits, stopping) = (moment.bits(), self.stopping);
        let Some(one) = self.sensors.each.get_mut(reference) else { return Ok(()) };
        if one.supervised.recovers(moment.at) {
            let card = SensorTold { sensor: reference.to_string(), what: "lives", ..SensorTold::default() };
            return self.tell_admins(step, moment, "sensor", &Card::SensorTold(card));
        }
        if !one.supervised.is_due(moment.at) || stopping {
            return Ok(());
        }
        match prepared {
            Ok(Prepared { settings, hidden, fingerprint }) => {
                one.hidden.clone_from(&hidden);
                let run = one.supervised.start(fingerprint, moment.at);
                let Runs::Program { path, .. } = &sensor.runs else { return Ok(()) };
                step.effects.push(Effect::StartSensor(Box::new(Launch {
                    sensor: reference.clone(),
                    run,
                    program: path.clone(),
                    settings: Secret::new(settings),
                    hidden,
                })));
                Ok(())
            }
            Err(why) => {
                one.supervised.not_started(why, moment.at, bits);
                self.tell_of_trouble(step, moment, reference)
            }
        }
    }

    /// Something is told of a sensor that was started.
    pub(super) fn sensor_news(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        (reference, run): (&SensorRef, u64),
        request: Option<RequestId>,
        news: News,
    ) -> Result<(), Contradiction> {
        match news {
            News::Said(heard) => self.sensor_said(step, moment, (reference, run), request, heard),
            News::Started { pid } => {
                let Some(one) = self.sensors.each.get_mut(reference) else { return Ok(()) };
                one.supervised.started(run, pid);
                let command = self.catalog.sensors.get(reference).map(|sensor| match &sensor.runs {
                    Runs::Program { path, .. } => path.clone(),
                    Runs::Class { name } => name.clone(),
                });
                let more = Map::from_iter([
                    ("pid".to_owned(), json!(pid)),
                    ("cmd".to_owned(), json!(command.unwrap_or_default())),
                ]);
                self.process_event(moment, SENSOR_SPAWN, reference, more);
                Ok(())
            }
            News::Errors(lines) => {
                if let Some(one) = self.sensors.each.get_mut(reference).filter(|one| one.supervised.is_run(run)) {
                    one.errors = lines;
                }
                Ok(())
            }
            News::Ended { end, errors } => {
                let poll = self.catalog.sensors.get(reference).and_then(|sensor| sensor.poll_interval);
                let poll = poll.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
                let bits = moment.bits();
                let Some(one) = self.sensors.each.get_mut(reference) else { return Ok(()) };
                if !errors.is_empty() {
                    one.errors = errors;
                }
                let code = end.code();
                let ending = one.supervised.ended(run, end, poll, moment.at, bits);
                let recovered = one.supervised.recovers(moment.at);
                if !self.catalog.sensors.contains_key(reference) {
                    self.sensors.each.remove(reference);
                }
                if ending != Ending::Wanted {
                    let more = Map::from_iter([("exit_code".to_owned(), json!(code))]);
                    self.process_event(moment, SENSOR_EXIT, reference, more);
                }
                if recovered {
                    let card = SensorTold { sensor: reference.to_string(), what: "lives", ..SensorTold::default() };
                    self.tell_admins(step, moment, "sensor", &Card::SensorTold(card))?;
                }
                self.tell_of_trouble(step, moment, reference)
            }
        }
    }

    /// Tells the admin channel, once a spell, that a sensor fails again and again.
    fn tell_of_trouble(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reference: &SensorRef,
    ) -> Result<(), Contradiction> {
        let Some(one) = self.sensors.each.get_mut(reference) else { return Ok(()) };
        if !one.supervised.tells_of_trouble() {
            return Ok(());
        }
        let (last, next) = (one.supervised.last(), one.supervised.next());
        let card = SensorTold {
            sensor: reference.to_string(),
            what: "fails",
            why: last.map(|(_, end)| markdown::prose(&end.to_string())).unwrap_or_default(),
            failures: one.supervised.failures(),
            next: next.map(|next| until(moment.at, next)).unwrap_or_default(),
            errors: if one.errors.is_empty() { String::new() } else { markdown::fence(&one.errors.join("\n")) },
            ..SensorTold::default()
        };
        self.tell_admins(step, moment, "sensor", &Card::SensorTold(card))
    }

    /// A process of a sensor has begun or ended. The keys are StackStorm's, where its documentation has them and where its code does.
    fn process_event(&mut self, moment: &mut Moment, trigger: &str, sensor: &SensorRef, more: Map<String, Value>) {
        let id = format!("{sensor}-process-{:016x}", moment.bits());
        let mut about =
            Map::from_iter([("id".to_owned(), json!(sensor)), ("timestamp".to_owned(), json!(moment.at.as_second()))]);
        about.extend(more);
        self.happens(trigger, id, moment.at, Vec::new(), |_| {
            let mut payload = about.clone();
            payload.insert("object".to_owned(), Value::Object(about));
            Value::Object(payload)
        });
    }
}

/// How long it is until then.
fn until(now: Timestamp, then: Timestamp) -> String {
    span(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

/// How long ago that was.
fn ago(then: Timestamp, now: Timestamp) -> String {
    until(then, now)
}
