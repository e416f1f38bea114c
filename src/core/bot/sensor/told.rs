//! What a sensor writes: each line is an event, or is refused, counted and told of once.

use super::super::{Bot, Moment, Step, answer};
use crate::core::effect::Answer;
use crate::core::id::{RequestId, SensorRef, TriggerInstanceId, TriggerRef};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, SensorTold};
use crate::core::message::markdown;
use crate::core::rule::trigger::{Source, TriggerInstance};
use crate::core::sensor::line::{self, Said};
use crate::core::sensor::{Heard, masked};
use serde_json::Map;
use sha2::{Digest, Sha256};

/// Of how many kinds of mistakes of one sensor it is told.
const TOLD: usize = 20;
/// The longest name of an event that is kept as it is.
const LONGEST_ID: usize = 200;

/// Why a line is refused.
struct Refused {
    /// The kind of mistake, which is told once.
    kind: String,
    why: String,
    line: String,
}

impl Bot {
    /// A sensor has written a line. It is answered in any case, since it waits for that with the next one.
    pub(super) fn sensor_said(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        (sensor, run): (&SensorRef, u64),
        request: Option<RequestId>,
        heard: Heard,
    ) -> Result<(), Contradiction> {
        let told = if self.stopping {
            Answer::Failed { text: markdown::bare(&self.sentences.say(&Card::Stopping)) }
        } else if self.sensors.each.get(sensor).is_some_and(|one| one.supervised.is_run(run)) {
            match understood(heard) {
                Ok(None) => Answer::Done { text: String::new() },
                Ok(Some((said, line))) => self.sensor_event(step, moment, sensor, said, line)?,
                Err(refused) => self.refuse_line(step, moment, sensor, refused)?,
            }
        } else {
            Answer::Done { text: String::new() }
        };
        if let Some(request) = request {
            answer::answer(step, request, told);
        }
        Ok(())
    }

    fn sensor_event(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        sensor: &SensorRef,
        said: Said,
        line: String,
    ) -> Result<Answer, Contradiction> {
        let Said { trigger, payload, trace_tag, id } = said;
        let id = match id {
            Some(id) => format!("sensor:{sensor}:{id}"),
            None => format!("sensor:{sensor}:{:016x}{:016x}", moment.bits(), moment.bits()),
        };
        let id = TriggerInstanceId::new(plain(id));
        if self.memory.events.has_taken(&id) {
            return Ok(Answer::Event { id, new: false, executions: Vec::new() });
        }
        let instance = TriggerInstance {
            id: id.clone(),
            trigger: TriggerRef::new(trigger),
            parameters: Map::new(),
            payload,
            occurred: moment.at,
            trace_tag,
            source: Source::Sensor { name: sensor.to_string() },
            chain: Vec::new(),
        };
        if let Err(why) = self.is_sound(&instance) {
            let kind = format!("event {}", instance.trigger);
            return self.refuse_line(step, moment, sensor, Refused { kind, why, line });
        }
        let executions = self.consider(step, moment, instance)?;
        if let Some(one) = self.sensors.each.get_mut(sensor) {
            one.events += 1;
        }
        Ok(Answer::Event { id, new: true, executions })
    }

    /// Counts a line that says nothing, and tells of it where it is the first of its kind.
    fn refuse_line(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        sensor: &SensorRef,
        Refused { kind, why, line }: Refused,
    ) -> Result<Answer, Contradiction> {
        let Some(one) = self.sensors.each.get_mut(sensor) else { return Ok(Answer::Refused { text: why }) };
        one.refused += 1;
        let (why, line) = (masked(&why, &one.hidden), masked(&line, &one.hidden));
        one.complaint = Some((moment.at, why.clone()));
        if one.told.len() < TOLD && one.told.insert(kind) {
            let (sensor, why) = (sensor.to_string(), markdown::prose(&why));
            let card = SensorTold { sensor, what: "refused", why, line, ..SensorTold::default() };
            self.tell_admins(step, moment, "sensor", &Card::SensorTold(card))?;
        }
        Ok(Answer::Refused { text: why })
    }
}

/// What a line says, with the line; nothing where it is empty.
fn understood(heard: Heard) -> Result<Option<(Said, String)>, Refused> {
    let refused = |kind: &str, why: String, line: String| Refused { kind: kind.to_owned(), why, line };
    match heard {
        Heard::Line(line) => match line::read(&line) {
            Ok(said) => Ok(said.map(|said| (said, line))),
            Err(problem) => Err(refused(problem.word(), problem.to_string(), line)),
        },
        Heard::TooLong(line) => {
            let problem = line::Unreadable::TooLong;
            Err(refused(problem.word(), problem.to_string(), line))
        }
        Heard::NotText(line) => {
            let problem = line::Unreadable::NotText;
            Err(refused(problem.word(), problem.to_string(), line))
        }
    }
}

/// A name that events can have; one that cannot be is known by its digest.
fn plain(id: String) -> String {
    if id.len() <= LONGEST_ID && id.chars().all(|letter| letter.is_ascii_graphic()) {
        return id;
    }
    let digest = Sha256::digest(id.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sensor:{digest}")
}
