//! What monitorings say when they are asked: what nobody has told of a problem, and is so.
//!
//! A recovery inside a downtime is never told by a monitoring, and a notification can be lost. So every monitoring that watches an open problem is asked from time to time, once
//! after a start, and whenever something was asked of it: the reading that confirms an order is one as well.
//!
//! - **A problem ends only where the monitoring says that it is well**, never because it is not among the problems: the account may not see it.
//! - **What is told is newer than a reading that was asked for before**, and changes nothing twice ([`Board::reconcile`]).
//! - **What breaks in a downtime on a machine that an execution of ours has out of service is told in its thread**: no monitoring tells of it. What was bad before is not.
//! - **A monitoring that cannot be asked for long is told of**, in the posts that may be out of date and to the administrators.
//!
//! [`Board::reconcile`]: crate::core::alert::life::Board::reconcile

use super::alert::{line_of, word_of};
use super::alert_held::{named, named_line};
use super::{Bot, Moment, Step};
use crate::core::alert::life::{Alert, Posted, Seen, Turn, Word};
use crate::core::alert::notification::Problem;
use crate::core::alert::order::Target;
use crate::core::alert::standing::Reading;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, MonitoringTold};
use crate::core::message::zone::moment as shown_moment;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// An answer that has not come after this does not come any more.
const LOST: SignedDuration = SignedDuration::from_mins(10);
/// After a failure it is tried again so soon, where it is not asked more often anyway.
const AGAIN: Duration = Duration::from_secs(60);
/// For so long a monitoring may be out of reach before that is told.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// So many posts are marked as out of date, the newest first.
const MARKED: usize = 200;

/// When the monitorings are asked. Lost without harm: after a start they are asked at once.
#[derive(Debug, Default)]
pub(super) struct Looks(BTreeMap<String, Look>);

#[derive(Debug, Default)]
struct Look {
    /// It has been asked then, and has not answered.
    asked: Option<Timestamp>,
    /// When it is asked next; at once when absent.
    next: Option<Timestamp>,
    /// Since when it cannot be asked.
    failing: Option<Timestamp>,
    /// That was told.
    told: bool,
}

impl Look {
    fn due(&self) -> Timestamp {
        let answer = self.asked.map(|asked| asked.saturating_add(LOST).unwrap_or(Timestamp::MAX));
        answer.or(self.next).unwrap_or(Timestamp::MIN)
    }
}

impl Bot {
    /// Asks the monitorings whose time has come what has become of the problems that they have told of.
    pub(super) fn look_at_monitorings(&mut self, step: &mut Step, moment: &Moment) {
        if self.stopping || !self.knows_the_chat() {
            return;
        }
        let watched = self.settings.monitorings.iter().filter_map(|one| Some((one.name.clone(), one.read?)));
        let due = watched.filter(|(name, _)| self.looks.0.get(name).is_none_or(|look| look.due() <= moment.at));
        let due: Vec<(String, Duration)> = due.collect();
        let none_out = self.memory.out_of_service.is_empty();
        for (name, every) in due {
            let named = self.open_of(&name);
            let look = self.looks.0.entry(name.clone()).or_default();
            // What breaks on a machine that is out of service may be told by nobody.
            if named.is_empty() && none_out {
                (look.asked, look.next) = (None, Some(moment.at.saturating_add(every).unwrap_or(Timestamp::MAX)));
                continue;
            }
            look.asked = Some(moment.at);
            step.effects.push(Effect::ReadMonitoring { monitoring: name, named });
        }
    }

    /// Something that a monitoring told was perhaps not heard, so it is asked.
    pub(super) fn look_soon_at(&mut self, name: &str) {
        if let Some(look) = self.looks.0.get_mut(name) {
            look.next = None;
        }
    }

    /// When the next of them is asked.
    pub(super) fn next_look_at_monitorings(&self) -> Option<Timestamp> {
        if self.stopping || !self.knows_the_chat() {
            return None;
        }
        let due = |name: &String| self.looks.0.get(name).map(Look::due);
        self.settings.monitorings.iter().filter(|one| one.read.is_some()).filter_map(|one| due(&one.name)).min()
    }

    /// What is open of that which a monitoring watches.
    fn open_of(&self, name: &str) -> Vec<Target> {
        let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none());
        let its = open.filter(|alert| self.watches_over(&alert.problem).is_some_and(|one| one.name == name));
        its.map(|alert| Target { host: alert.problem.host.clone(), service: alert.problem.service.clone() }).collect()
    }

    /// A monitoring has answered, or cannot be asked.
    pub(super) fn monitoring_read(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        name: &str,
        reading: Result<Box<Reading>, String>,
    ) -> Result<(), Contradiction> {
        let every = self.settings.monitorings.iter().find(|one| one.name == name).and_then(|one| one.read);
        let Some(every) = every else {
            self.looks.0.remove(name);
            return Ok(());
        };
        let look = self.looks.0.entry(name.to_owned()).or_default();
        let wait = if reading.is_ok() { every } else { every.min(AGAIN) };
        (look.asked, look.next) = (None, Some(moment.at.saturating_add(wait).unwrap_or(Timestamp::MAX)));
        let failing = match &reading {
            Ok(_) => look.failing.take(),
            Err(_) => Some(*look.failing.get_or_insert(moment.at)),
        };
        let told = look.told;
        let long = failing.is_some_and(|since| moment.at.duration_since(since) >= PATIENCE);
        match reading {
            Ok(reading) => {
                if told {
                    look.told = false;
                    self.tell_of_silence(step, moment, name, None)?;
                }
                self.take_reading(step, moment, &reading)
            }
            Err(why) if long && !told => {
                look.told = true;
                self.tell_of_silence(step, moment, name, Some(why))
            }
            Err(_) => Ok(()),
        }
    }

    /// Tells that a monitoring cannot be asked, and why, or that it can again; and marks the posts that may be out of date.
    fn tell_of_silence(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        name: &str,
        why: Option<String>,
    ) -> Result<(), Contradiction> {
        let since = self.looks.0.get(name).and_then(|look| look.failing);
        let since = since.map(|since| shown_moment(since, moment.at, &self.clock(""))).unwrap_or_default();
        let told = MonitoringTold {
            name: name.to_owned(),
            silent: why.is_some(),
            since,
            why: why.unwrap_or_default(),
            left_out: 0,
        };
        self.tell_admins(step, moment, "monitoring", &Card::MonitoringTold(told))?;
        let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none() && alert.post.is_some());
        let mut open: Vec<&Alert> =
            open.filter(|alert| self.watches_over(&alert.problem).is_some_and(|one| one.name == name)).collect();
        open.sort_by_key(|alert| std::cmp::Reverse(alert.since));
        for alert in open.into_iter().take(MARKED) {
            if let Some(Posted { delivery, channel }) = alert.post.clone() {
                let text = self.alert_text(alert, moment.at);
                step.effects.push(Effect::Refresh { channel, of: delivery, text, attachments: None });
            }
        }
        Ok(())
    }

    /// Since when nobody knows whether a problem is still as it stands here; nothing where that is known.
    pub(super) fn not_asked_since(&self, problem: &Problem) -> Option<Timestamp> {
        let look = self.looks.0.get(&self.watches_over(problem)?.name)?;
        look.failing.filter(|_| look.told)
    }

    /// A monitoring has said how things stand.
    pub(super) fn take_reading(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reading: &Reading,
    ) -> Result<(), Contradiction> {
        let its = |problem: &Problem| self.watches_over(problem).is_some_and(|one| one.name == reading.monitoring);
        for Seen { alert, turns } in self.memory.alerts.reconcile(reading, its) {
            self.tell_seen(step, moment, alert, turns)?;
        }
        self.tell_found(step, moment, reading)
    }

    /// Tells of what has broken in a downtime on machines that executions of ours have, in their threads.
    fn tell_found(&mut self, step: &mut Step, moment: &mut Moment, reading: &Reading) -> Result<(), Contradiction> {
        if self.memory.out_of_service.is_empty() {
            return Ok(());
        }
        for standing in &reading.list {
            let its = self.watches_over(&standing.problem).is_some_and(|one| one.name == reading.monitoring);
            let Some(began) = self.out_of_service_since(&standing.problem.host).filter(|_| its) else { continue };
            let Some(Seen { mut alert, turns }) = self.memory.alerts.found(standing, reading.asked, began) else {
                continue;
            };
            let Some(holder) = self.holder(&alert.problem) else { continue };
            alert.held_by = Some(holder);
            self.tell_seen(step, moment, alert, turns)?;
        }
        Ok(())
    }

    fn tell_seen(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        alert: Alert,
        turns: Vec<(Turn, Option<Word>)>,
    ) -> Result<(), Contradiction> {
        // What is over is a part of it no more from then on.
        let of_storm = self.in_storm(&alert.problem);
        let fact =
            Fact::AlertSeen { alert: Box::new(alert.clone()), turns: turns.iter().map(|(turn, _)| *turn).collect() };
        self.note(step, moment, fact)?;
        let Some(Posted { delivery, channel }) = alert.post.clone() else {
            if of_storm {
                self.storm_view.change();
                return Ok(());
            }
            let Some(holder) = self.holder(&alert.problem) else { return Ok(()) };
            for (turn, word) in turns {
                let line = named_line(&alert, line_of(&alert, word_of(turn), word));
                let id = named(moment, "alert-line");
                self.say_to_holder(step, moment, &holder, id, line)?;
            }
            return Ok(());
        };
        if turns.is_empty() {
            let text = self.alert_text(&alert, moment.at);
            step.effects.push(Effect::Refresh { channel, of: delivery, text, attachments: None });
            return Ok(());
        }
        let id = named(moment, "alert-seen");
        self.show_alert(step, moment, &alert.problem, id)?;
        for (turn, word) in turns {
            let text = self.sentences.say(&Card::AlertLine(line_of(&alert, word_of(turn), word)));
            let root = Some(Thread::Delivery { of: delivery.clone() });
            let body = Body::Post { root, text, files: Vec::new() };
            let id = named(moment, "alert-line");
            self.deliver(step, moment, Delivery { id, channel: channel.clone(), body })?;
        }
        Ok(())
    }
}
