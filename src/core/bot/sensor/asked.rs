//! Somebody asks for sensors, or switches one on or off; and how they are, as `status` tells it.
//!
//! A sensor is granted as an action of its name would be: who may `view` that sees it. **Switching one takes `admin` on it**: what it tells has things
//! run without anybody asking.

use super::super::hear::Speaker;
use super::super::named::named;
use super::super::{Bot, Moment, Step, answer};
use super::{Watched, ago, until};
use crate::core::access::Rights;
use crate::core::alias::suggest::nearest;
use crate::core::effect::{Answer, ShownSensor};
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, RequestId, SensorRef};
use crate::core::input::{Back, Principal, SensorAsk};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, SensorCard, SensorDown, SensorRow, SensorTold};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::sensor::spec::{Runs, Sensor};
use crate::core::sensor::supervision::State;
use crate::core::settings::Verb;
use jiff::Timestamp;
use std::sync::Arc;

/// How many sensors a list shows in chat.
const SHOWN: usize = 40;
/// How many of those that do not run `status` names.
const NAMED: usize = 5;

impl Bot {
    /// The sensors that somebody may see.
    fn sensors_for(&self, rights: &Rights) -> Vec<Arc<Sensor>> {
        let sensors = self.catalog.sensors.values();
        sensors.filter(|sensor| rights.may(Verb::View, &granted_as(&sensor.reference))).cloned().collect()
    }

    /// One of them, or what may be meant.
    fn sensor_for(&self, rights: &Rights, name: &str) -> Result<Arc<Sensor>, String> {
        let sensors = self.sensors_for(rights);
        match named(&sensors, |sensor| sensor.reference.as_str(), name) {
            Some(sensor) => Ok(Arc::clone(sensor)),
            None => {
                let names = sensors.iter().flat_map(|sensor| {
                    let reference = sensor.reference.as_str();
                    [Some(reference), reference.split_once('.').map(|(_, own)| own)]
                });
                let similar = nearest(name, names.flatten());
                let similar = similar.unwrap_or_default();
                Err(self.sentences.phrase(&Phrase::Sensor { what: "no_sensor", name, why: similar }))
            }
        }
    }

    /// `sensor …` in chat.
    pub(in crate::core::bot) fn hear_of_sensors(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        ask: SensorAsk,
    ) -> Result<(), Contradiction> {
        let by = speaker.principal();
        match self.about_sensors(step, moment, (&by, &speaker.rights, &speaker.back), line, ask)? {
            Ok(card) => self.say(step, moment, &speaker.back, &card),
            Err(why) => {
                self.not_done(step, speaker, "question");
                let told = SensorTold { why: markdown::prose(&why), ..SensorTold::default() };
                self.say(step, moment, &speaker.back, &Card::SensorTold(told))
            }
        }
    }

    /// `sensor …` over the control socket.
    pub(in crate::core::bot) fn asked_for_sensors(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        (by, rights): (&Principal, &Rights),
        ask: SensorAsk,
    ) -> Result<(), Contradiction> {
        let back = Back::Request { request };
        let wanted = ask.clone();
        let line = ask.words();
        let told = match self.about_sensors(step, moment, (by, rights, &back), &line, ask)? {
            Err(text) => Answer::Refused { text },
            Ok(_) => {
                let sensors = match wanted {
                    SensorAsk::List => self.sensors_for(rights),
                    SensorAsk::Show { sensor } | SensorAsk::Switch { sensor, .. } => {
                        self.sensor_for(rights, &sensor).into_iter().collect()
                    }
                };
                Answer::Sensors { sensors: sensors.iter().map(|sensor| self.shown_sensor(sensor)).collect() }
            }
        };
        answer::answer(step, request, told);
        Ok(())
    }

    /// Does it. Gives what is said in chat, or why it cannot be done.
    fn about_sensors(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        (by, rights, back): (&Principal, &Rights, &Back),
        line: &str,
        ask: SensorAsk,
    ) -> Result<Result<Card, String>, Contradiction> {
        let (name, enabled) = match ask {
            SensorAsk::List => return Ok(Ok(self.sensor_list(rights, moment.at))),
            SensorAsk::Show { sensor } => {
                let found = self.sensor_for(rights, &sensor);
                return Ok(found.map(|sensor| self.sensor_card(&sensor, rights, moment.at)));
            }
            SensorAsk::Switch { sensor, enabled } => (sensor, enabled),
        };
        let sensor = match self.sensor_for(rights, &name) {
            Ok(sensor) => sensor,
            Err(why) => return Ok(Err(why)),
        };
        let name = sensor.reference.as_str();
        let action = granted_as(&sensor.reference);
        if !rights.may(Verb::Admin, &action) {
            let needed = format!("admin:{action}");
            self.deny(step, moment, (by, back), line.to_owned(), Some(&action), needed.clone())?;
            return Ok(Err(self.sentences.phrase(&Phrase::Sensor { what: "not_yours", name, why: &needed })));
        }
        if matches!(sensor.runs, Runs::Class { .. }) {
            return Ok(Err(self.sentences.phrase(&Phrase::Sensor { what: "not_built", name, why: "" })));
        }
        let already = self.is_switched_on(&sensor) == enabled;
        if !already {
            let (by, from, sensor) = (by.clone(), Some(back.clone()), sensor.reference.clone());
            self.note(step, moment, Fact::SensorSwitched { sensor, enabled, by, from })?;
            self.sensors.unsettle();
        }
        let what = match (enabled, already) {
            (true, false) => "enabled",
            (false, false) => "disabled",
            (true, true) => "enabled_already",
            (false, true) => "disabled_already",
        };
        Ok(Ok(Card::SensorTold(SensorTold { sensor: name.to_owned(), what, ..SensorTold::default() })))
    }

    fn sensor_list(&self, rights: &Rights, at: Timestamp) -> Card {
        let sensors = self.sensors_for(rights);
        let rows = sensors.iter().take(SHOWN).map(|sensor| {
            let one = self.sensors.each.get(&sensor.reference);
            let (state, since, next) = self.state_of(sensor, one);
            SensorRow {
                name: sensor.reference.to_string(),
                state,
                since: since.map(|since| ago(since, at)).unwrap_or_default(),
                next: next.map(|next| until(at, next)).unwrap_or_default(),
                why: one.map(|one| self.why_down(one)).unwrap_or_default(),
                events: one.map_or(0, |one| one.events),
                refused: one.map_or(0, |one| one.refused),
            }
        });
        Card::Sensors { rows: rows.collect(), more: sensors.len().saturating_sub(SHOWN) }
    }

    fn sensor_card(&self, sensor: &Sensor, rights: &Rights, at: Timestamp) -> Card {
        let one = self.sensors.each.get(&sensor.reference);
        let switched = self.memory.sensors.get(&sensor.reference);
        let (state, since, next) = self.state_of(sensor, one);
        let errors = one.map(|one| one.errors.join("\n")).unwrap_or_default();
        let complaint = one.and_then(|one| one.complaint.as_ref());
        let last = one.and_then(|one| one.supervised.last());
        Card::Sensor(Box::new(SensorCard {
            name: sensor.reference.to_string(),
            description: sensor.description.clone(),
            state,
            since: since.map(|since| ago(since, at)).unwrap_or_default(),
            next: next.map(|next| until(at, next)).unwrap_or_default(),
            switched_by: switched
                .map(|switched| super::super::answer::name_of(&switched.by).to_owned())
                .unwrap_or_default(),
            switched: switched.map(|switched| ago(switched.at, at)).unwrap_or_default(),
            poll: sensor.poll_interval.unwrap_or_default(),
            failures: one.map_or(0, |one| one.supervised.failures()),
            down: one.and_then(|one| one.supervised.down()).map(|down| ago(down, at)).unwrap_or_default(),
            last: last.map(|(_, end)| markdown::prose(&end.to_string())).unwrap_or_default(),
            last_ago: last.map(|(then, _)| ago(*then, at)).unwrap_or_default(),
            triggers: sensor.triggers.iter().map(ToString::to_string).collect(),
            events: one.map_or(0, |one| one.events),
            refused: one.map_or(0, |one| one.refused),
            complaint: complaint.map(|(_, why)| markdown::prose(why)).unwrap_or_default(),
            complaint_ago: complaint.map(|(then, _)| ago(*then, at)).unwrap_or_default(),
            errors: if errors.is_empty() { String::new() } else { markdown::fence(&errors) },
            file: if rights.administers() { sensor.file.clone() } else { String::new() },
        }))
    }

    /// A word for how it stands, since when where it runs, and when it is started where it waits.
    fn state_of(&self, sensor: &Sensor, one: Option<&Watched>) -> (&'static str, Option<Timestamp>, Option<Timestamp>) {
        if matches!(sensor.runs, Runs::Class { .. }) {
            return ("not-built", None, None);
        }
        let on = self.is_switched_on(sensor);
        match one.map(|one| (one.supervised.state(), one)) {
            Some((State::Running { since, .. }, _)) => ("running", Some(*since), None),
            Some((State::Stopping { .. }, _)) => ("stopping", None, None),
            Some((State::Waiting { until }, one)) => {
                let rests = one.supervised.failures() == 0 && one.supervised.last().is_some();
                (if rests { "resting" } else { "waiting" }, None, Some(*until))
            }
            Some((State::Off, _)) | None => (if on { "waiting" } else { "disabled" }, None, None),
        }
    }

    /// Why it does not run although it should; empty while it does.
    fn why_down(&self, one: &Watched) -> String {
        let failed = one.supervised.last().filter(|_| one.supervised.failures() > 0);
        failed.map(|(_, end)| end.to_string()).unwrap_or_default()
    }

    fn shown_sensor(&self, sensor: &Sensor) -> ShownSensor {
        let one = self.sensors.each.get(&sensor.reference);
        let (state, since, next) = self.state_of(sensor, one);
        ShownSensor {
            reference: sensor.reference.clone(),
            description: sensor.description.clone(),
            enabled: self.is_switched_on(sensor),
            switched_by: self.memory.sensors.get(&sensor.reference).map(|switched| switched.by.clone()),
            state: state.to_owned(),
            since,
            pid: one.and_then(|one| match one.supervised.state() {
                State::Running { pid, .. } => *pid,
                State::Off | State::Waiting { .. } | State::Stopping { .. } => None,
            }),
            poll_interval: sensor.poll_interval,
            failures: one.map_or(0, |one| one.supervised.failures()),
            down: one.and_then(|one| one.supervised.down()),
            next,
            last_end: one.and_then(|one| one.supervised.last()).map(|(_, end)| end.to_string()).unwrap_or_default(),
            events: one.map_or(0, |one| one.events),
            refused: one.map_or(0, |one| one.refused),
            complaint: one.and_then(|one| one.complaint.as_ref()).map(|(_, why)| why.clone()).unwrap_or_default(),
            errors: one.map(|one| one.errors.clone()).unwrap_or_default(),
            triggers: sensor.triggers.clone(),
            file: sensor.file.clone(),
        }
    }

    /// How the sensors are, as far as somebody with these rights may see them; nothing where there are none. One that fails again and again does not
    /// work, also in the moments in which it runs.
    pub(in crate::core::bot) fn sensor_health(
        &self,
        now: Timestamp,
        rights: Option<&Rights>,
    ) -> Option<(&'static str, bool, String)> {
        let seen =
            |sensor: &&Arc<Sensor>| rights.is_none_or(|rights| rights.may(Verb::View, &granted_as(&sensor.reference)));
        let seen: Vec<&Arc<Sensor>> = self.catalog.sensors.values().filter(seen).collect();
        if seen.is_empty() {
            return None;
        }
        let (mut all, mut run, mut not_built, mut works) = (0, 0, 0, true);
        let mut down = Vec::new();
        for sensor in seen {
            if matches!(sensor.runs, Runs::Class { .. }) {
                not_built += 1;
                continue;
            }
            if !self.is_switched_on(sensor) {
                continue;
            }
            all += 1;
            let one = self.sensors.each.get(&sensor.reference);
            works &= one.is_none_or(|one| !one.supervised.is_troubled());
            let (state, _, next) = self.state_of(sensor, one);
            run += usize::from(matches!(state, "running" | "resting"));
            let Some(one) = one.filter(|one| one.supervised.failures() > 0) else { continue };
            down.push(SensorDown {
                name: sensor.reference.to_string(),
                since: one.supervised.down().map(|down| ago(down, now)).unwrap_or_default(),
                why: self.why_down(one),
                next: next.map(|next| until(now, next)).unwrap_or_default(),
            });
        }
        let more = down.len().saturating_sub(NAMED);
        down.truncate(NAMED);
        let says = self.sentences.phrase(&Phrase::HealthSensors { run, all, not_built, down, more });
        Some(("sensors", works, says))
    }

    /// Whether one has failed and is not well yet, so that somebody should look.
    pub(in crate::core::bot) fn sensors_need_a_look(&self) -> bool {
        self.sensors.each.values().any(|one| one.supervised.failures() > 0)
    }
}

/// The action by whose name a sensor is granted.
fn granted_as(sensor: &SensorRef) -> ActionRef {
    ActionRef::new(sensor.as_str())
}
