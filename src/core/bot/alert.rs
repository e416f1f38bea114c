//! A problem that the monitoring tells of has one post, as long as it lives: it is edited with every turn, and its thread has what happened.
//!
//! - **One post a problem.** One that comes back soon after it has gone has the same; what is told once more only changes what stands there.
//! - **Nothing of an alert is a template, a mention or a command**: it is shown, escaped.
//! - **What an execution of ours has out of service is told in its thread**, and gets a post at its end at the latest ([`mod@super::alert_held`]).
//! - **What rules or people begin because of it is told in its thread**; the post says that it runs, and how it ended.
//! - **What people may have done about it stands below its post** ([`mod@super::offer`]).
//! - **Many at once are told as one** ([`mod@super::storm`]).

use super::hear::Speaker;
use super::offer::Gathered;
use super::storm::Place;
use super::{Bot, Moment, Step};
use crate::core::action::execution::Status;
use crate::core::alert::life::{Alert, Change, Posted, Remedy, Turn, Word};
use crate::core::alert::notification::{Kind, Notification, Problem};
use crate::core::alert::offer::Origin;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::host::is_name;
use crate::core::id::{ChannelId, DeliveryId, TriggerInstanceId};
use crate::core::input::Back;
use crate::core::memory::Contradiction;
use crate::core::message::card::{AlertCard, AlertLine, AlertRemedy, AlertRow, Card, StormCard};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::zone::moment as shown_moment;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// How many problems a list shows.
const SHOWN: usize = 40;
/// How many of the things that were begun because of it a post names.
const SHOWN_REMEDIES: usize = 3;

/// What an event of the monitoring is about, for the rules that hear it.
#[derive(Debug)]
pub(super) struct Concern {
    /// The problem.
    pub(super) problem: Problem,
    /// Why it was sent.
    pub(super) kind: Kind,
    /// Where the problem is told; absent where it is not.
    pub(super) told: Option<(ChannelId, Thread)>,
}

impl Concern {
    /// Where it is told what rules begin because of it.
    pub(super) fn back(&self) -> Option<Back> {
        let (channel, thread) = self.told.clone()?;
        Some(Back::Told { channel: Some(channel), root: Some(thread) })
    }
}

impl Bot {
    /// The monitoring has told something. It is told first, and rules are asked behind it: what they begin stands in its thread.
    pub(super) fn alerted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        notification: &Notification,
        mut offered: Gathered,
    ) -> Result<Concern, Contradiction> {
        let problem = match self.memory.alerts.meaning(notification, moment.at) {
            Some(change) => {
                let problem = change.alert.problem.clone();
                let lacking = std::mem::take(&mut offered.lacking);
                self.tell_of_alert(step, moment, instance, change, offered)?;
                // Of many alike it would be said many times.
                let lacking = if self.in_storm(&problem) { Vec::new() } else { lacking };
                for (alias, why) in &lacking {
                    self.tell_of_lacking(step, moment, &problem, instance, (alias, why))?;
                }
                problem
            }
            None => notification.problem.clone(),
        };
        let told = self.told_in(&problem);
        Ok(Concern { problem, kind: notification.kind, told })
    }

    fn tell_of_alert(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        mut change: Change,
        offered: Gathered,
    ) -> Result<(), Contradiction> {
        let named = |what: &str| DeliveryId::new(format!("{instance}-{what}"));
        let fresh = change.alert.post.is_none();
        if fresh && let Some(holder) = self.holder(&change.alert.problem) {
            return self.tell_holder(step, moment, instance, (change, offered), holder);
        }
        match self.goes_to_storm(step, moment, instance, &mut change)? {
            Place::Own => {}
            place => return self.tell_storm(step, moment, instance, (change, offered), place == Place::New),
        }
        // What was told elsewhere and is over gets no post for a word about it.
        let over = change.alert.recovered.is_some() && matches!(change.turn, Turn::Late | Turn::Said | Turn::Echo);
        if fresh && !over {
            change.alert.post = self.alert_channel().map(|channel| Posted { delivery: named("alert"), channel });
        }
        let (alert, turn, word) = (change.alert.clone(), change.turn, change.word.clone());
        self.note(step, moment, Fact::AlertChanged(Box::new(change)))?;
        let redrawn = turn.is_problem() && self.put_offers(step, moment, &alert.problem, offered)?;
        let Some(Posted { delivery, channel }) = alert.post.clone() else { return Ok(()) };
        let (text, attachments) = (self.alert_text(&alert, moment.at), self.offer_buttons(&alert));
        if fresh {
            let body = match attachments {
                Some(attachments) => Body::Attached { root: None, text, attachments },
                None => Body::Post { root: None, text, files: Vec::new() },
            };
            return self.deliver(step, moment, Delivery { id: delivery, channel, body });
        }
        match turn {
            Turn::Echo => return Ok(()),
            // The same as before in other words needs no promise.
            Turn::Again if !redrawn => {
                step.effects.push(Effect::Refresh { channel, of: delivery, text, attachments: None });
                return Ok(());
            }
            Turn::Late | Turn::Said => {}
            _ => {
                let body = Body::Edit { of: delivery.clone(), text, attachments };
                self.deliver(step, moment, Delivery { id: named("alert-edit"), channel: channel.clone(), body })?;
            }
        }
        if turn == Turn::Again {
            return Ok(());
        }
        let text = self.sentences.say(&Card::AlertLine(line_of(&alert, word_of(turn), word)));
        let body = Body::Post { root: Some(Thread::Delivery { of: delivery }), text, files: Vec::new() };
        self.deliver(step, moment, Delivery { id: named("alert-line"), channel, body })
    }

    pub(super) fn alert_text(&self, alert: &Alert, now: Timestamp) -> String {
        let waits = |remedy: &Remedy| {
            self.memory.executions.get(&remedy.execution).is_some_and(|execution| execution.status.waits())
        };
        let (offers, more) = self.shown_offers(alert, None);
        let ask = if more > 0 { format!("alerts {}", alert.problem.host) } else { String::new() };
        let out_of_service = self.shown_holders(alert, alert.post.as_ref().map(|posted| &posted.channel));
        let storm_holds = self.storm_holds(&alert.problem) && self.rules_act();
        let not_asked = self.not_asked_since(&alert.problem).filter(|_| alert.recovered.is_none());
        let not_asked = not_asked.map(|since| shown_moment(since, now, &self.clock(""))).unwrap_or_default();
        let card = AlertCard {
            out_of_service,
            storm_holds,
            offers,
            more,
            ask,
            not_asked,
            ..card_of(alert, (now, &self.clock("")), waits)
        };
        self.sentences.say(&Card::Alert(Box::new(card)))
    }

    /// Brings the post of a problem up to date, by this delivery.
    pub(super) fn show_alert(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        problem: &Problem,
        id: DeliveryId,
    ) -> Result<(), Contradiction> {
        let Some(alert) = self.memory.alerts.find(problem) else { return Ok(()) };
        let Some(Posted { delivery, channel }) = alert.post.clone() else {
            if self.in_storm(problem) {
                self.storm_view.change();
            }
            return Ok(());
        };
        let (text, attachments) = (self.alert_text(alert, moment.at), self.offer_buttons(alert));
        let body = Body::Edit { of: delivery, text, attachments };
        self.deliver(step, moment, Delivery { id, channel, body })
    }

    /// Forgets what has been over for long.
    pub(super) fn forget_alerts(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        if self.memory.alerts.next_past().is_none_or(|then| then > moment.at) {
            return Ok(());
        }
        for problem in self.memory.alerts.past(moment.at) {
            self.note(step, moment, Fact::AlertForgotten { problem })?;
        }
        Ok(())
    }

    /// `alerts`, `alerts wn042`: the problems that are open.
    pub(super) fn list_alerts(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        about: &str,
    ) -> Result<(), Contradiction> {
        let about_lower = about.to_lowercase();
        let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none()).filter(|alert| {
            let service = alert.problem.service.as_deref().unwrap_or_default();
            [alert.problem.host.as_str(), service].iter().any(|text| text.to_lowercase().contains(&about_lower))
        });
        let storm = self.memory.storms.now().filter(|_| about.is_empty());
        let listed = |alert: &&Alert| storm.is_some() && self.in_storm(&alert.problem);
        let (told, mut open): (Vec<&Alert>, Vec<&Alert>) = open.partition(listed);
        let storms: Vec<StormCard> = storm
            .filter(|_| !told.is_empty())
            .map(|storm| self.storm_card(storm, moment.at, &self.clock(&speaker.identity.zone)))
            .into_iter()
            .collect();
        // What nobody has taken on comes first, the newest before the others.
        open.sort_by_key(|alert| {
            (alert.acknowledged.is_some() || alert.downtime.is_some(), std::cmp::Reverse(alert.since))
        });
        let offers = |alert: &Alert| match about.is_empty() {
            true => Vec::new(),
            false => self.shown_offers(alert, Some(&speaker.rights)).0,
        };
        let row = |alert: &&Alert| AlertRow {
            out_of_service: self.held_by(&alert.problem).is_some(),
            storm: self.in_storm(&alert.problem),
            offers: offers(alert),
            ..row_of(alert, moment.at)
        };
        let rows = open.iter().take(SHOWN).map(row).collect();
        let (none, more) = (open.is_empty() && storms.is_empty(), open.len().saturating_sub(SHOWN));
        let card = Card::Alerts { storms, rows, none, more, about: about.to_owned() };
        self.say(step, moment, &speaker.back, &card)
    }
}

fn card_of(alert: &Alert, (now, clock): (Timestamp, &TimeZone), waits: impl Fn(&Remedy) -> bool) -> AlertCard {
    let by = |word: &Option<Word>| {
        word.as_ref().map(|word| (word.by.clone().unwrap_or_default(), word.comment.clone().unwrap_or_default()))
    };
    let (acknowledged, downtime) = (by(&alert.acknowledged), by(&alert.downtime));
    AlertCard {
        state: state_of(alert),
        host: shown_host(&alert.problem.host),
        service: alert.problem.service.clone().unwrap_or_default(),
        site: alert.problem.site.clone(),
        output: alert.output.clone(),
        since: shown_moment(alert.since, now, clock),
        recovered: alert.recovered.map(|then| shown_moment(then, now, clock)).unwrap_or_default(),
        lasted: alert.recovered.map(|then| lasted(alert.since, then)).unwrap_or_default(),
        is_acknowledged: acknowledged.is_some(),
        acknowledged: acknowledged.unwrap_or_default(),
        in_downtime: downtime.is_some(),
        downtime: downtime.unwrap_or_default(),
        flapping: alert.flapping,
        out_of_service: Vec::new(),
        storm_holds: false,
        remedies: alert
            .remedies
            .iter()
            .rev()
            .filter(|remedy| !is_shown_otherwise(remedy))
            .take(SHOWN_REMEDIES)
            .map(|remedy| AlertRemedy {
                id: remedy.execution.short().to_owned(),
                order: match &remedy.origin {
                    Origin::Order { order, .. } => order.clone(),
                    Origin::Rule { .. } | Origin::Offer { .. } => String::new(),
                },
                why: remedy.why.clone(),
                rule: remedy.origin.rule().map(ToString::to_string).unwrap_or_default(),
                label: match &remedy.origin {
                    Origin::Rule { .. } | Origin::Order { .. } => String::new(),
                    Origin::Offer { label, .. } => label.clone(),
                },
                by: match &remedy.origin {
                    Origin::Rule { .. } => String::new(),
                    Origin::Offer { taken_by, .. } => taken_by.clone(),
                    Origin::Order { wanted_by, .. } => wanted_by.clone(),
                },
                state: match remedy.ended {
                    None if waits(remedy) => "waits",
                    None => "runs",
                    Some(Status::Succeeded) => "succeeded",
                    Some(Status::Timeout) => "timeout",
                    Some(Status::Canceled) => "canceled",
                    Some(Status::Unknown) => "unknown",
                    Some(_) => "failed",
                },
            })
            .collect(),
        offers: Vec::new(),
        not_asked: String::new(),
        unknown: alert.unknown.is_some() && alert.recovered.is_none(),
        more: 0,
        ask: String::new(),
    }
}

/// An order that was carried out shows by how the problem stands, and one about a problem that is over shows nothing any more.
fn is_shown_otherwise(remedy: &Remedy) -> bool {
    matches!(remedy.origin, Origin::Order { .. }) && remedy.ended == Some(Status::Succeeded)
}

pub(super) fn row_of(alert: &Alert, now: Timestamp) -> AlertRow {
    AlertRow {
        state: state_of(alert),
        host: shown_host(&alert.problem.host),
        service: alert.problem.service.clone().unwrap_or_default(),
        output: alert.output.clone(),
        lasts: lasted(alert.since, now),
        acknowledged: alert.acknowledged.is_some(),
        in_downtime: alert.downtime.is_some(),
        flapping: alert.flapping,
        offers: Vec::new(),
        out_of_service: false,
        storm: false,
    }
}

/// What is said in a thread of what has happened.
pub(super) fn line_of(alert: &Alert, turn: &'static str, word: Option<Word>) -> AlertLine {
    AlertLine {
        host: String::new(),
        service: String::new(),
        turn,
        state: state_of(alert),
        who: word.as_ref().and_then(|word| word.by.clone()).unwrap_or_default(),
        comment: word.and_then(|word| word.comment).unwrap_or_default(),
        output: alert.output.clone(),
        lasted: alert.recovered.map(|then| lasted(alert.since, then)).unwrap_or_default(),
    }
}

/// The word by which templates know the state; `recovered` for what is over.
fn state_of(alert: &Alert) -> &'static str {
    match (alert.recovered, alert.state) {
        (Some(_), _) => "recovered",
        (None, Some(state)) => state.word(),
        (None, None) => "unknown",
    }
}

pub(super) fn word_of(turn: Turn) -> &'static str {
    match turn {
        Turn::Opened => "opened",
        Turn::Back => "back",
        Turn::Changed => "changed",
        Turn::Again => "again",
        Turn::Recovered => "recovered",
        Turn::FoundOver => "found_over",
        Turn::Acknowledged => "acknowledged",
        Turn::GivenBack => "given_back",
        Turn::DowntimeBegun => "downtime_begun",
        Turn::DowntimeOver => "downtime_over",
        Turn::FlappingBegun => "flapping_begun",
        Turn::FlappingOver => "flapping_over",
        Turn::Said => "said",
        Turn::Echo => "echo",
        Turn::Late => "late",
    }
}

/// A name as inline code; what is no name of a machine as the text that it is.
pub(super) fn shown_host(name: &str) -> String {
    if is_name(name) { markdown::code(name) } else { markdown::escape(name) }
}

fn lasted(since: Timestamp, until: Timestamp) -> String {
    span(Duration::try_from(until.duration_since(since)).unwrap_or_default())
}
