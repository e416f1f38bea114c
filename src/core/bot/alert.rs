//! A problem that the monitoring tells of has one post, as long as it lives: it is edited with every turn, and its thread has what happened.
//!
//! - **One post a problem.** One that comes back soon after it has gone has the same; what is told once more only changes what stands there.
//! - **Nothing of an alert is a template, a mention or a command**: it is shown, escaped.
//! - What rules begin because of it is named in the post.

use super::hear::Speaker;
use super::{Bot, Moment, Step};
use crate::core::alert::life::{Alert, Posted, Remedy, Turn};
use crate::core::alert::notification::Notification;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::Fact;
use crate::core::id::{DeliveryId, TriggerInstanceId};
use crate::core::memory::Contradiction;
use crate::core::message::card::{AlertCard, AlertLine, AlertRow, Card};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::zone::{moment as shown_moment, zone};
use crate::core::rule::trigger::{Enforcement, Outcome};
use jiff::Timestamp;
use std::time::Duration;

/// How many problems a list shows.
const SHOWN: usize = 40;
/// How many of the things that were begun because of it a post names.
const SHOWN_REMEDIES: usize = 3;

impl Bot {
    /// The monitoring has told something, and rules have begun what they begin.
    pub(super) fn alerted(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        instance: &TriggerInstanceId,
        notification: &Notification,
        enforcements: &[Enforcement],
    ) -> Result<(), Contradiction> {
        let Some(mut change) = self.memory.alerts.meaning(notification, moment.at) else { return Ok(()) };
        for enforcement in enforcements {
            if let Outcome::Started { execution } = &enforcement.outcome {
                change.alert.remedied(Remedy { execution: execution.clone(), rule: enforcement.rule.clone() });
            }
        }
        let named = |what: &str| DeliveryId::new(format!("{instance}-{what}"));
        let fresh = change.alert.post.is_none();
        if fresh {
            change.alert.post = self.alert_channel().map(|channel| Posted { delivery: named("alert"), channel });
        }
        let (alert, turn, word) = (change.alert.clone(), change.turn, change.word.clone());
        self.note(step, moment, Fact::AlertChanged(Box::new(change)))?;
        let Some(Posted { delivery, channel }) = alert.post.clone() else { return Ok(()) };
        let text = self.sentences.say(&Card::Alert(Box::new(card_of(&alert, moment.at))));
        if fresh {
            let body = Body::Post { root: None, text, files: Vec::new() };
            return self.deliver(step, moment, Delivery { id: delivery, channel, body });
        }
        match turn {
            // The same as before in other words needs no promise.
            Turn::Again => {
                step.effects.push(Effect::Refresh { channel, of: delivery, text, attachments: None });
                return Ok(());
            }
            Turn::Late | Turn::Said => {}
            _ => {
                let body = Body::Edit { of: delivery.clone(), text, attachments: None };
                self.deliver(step, moment, Delivery { id: named("alert-edit"), channel: channel.clone(), body })?;
            }
        }
        let line = AlertLine {
            turn: word_of(turn),
            state: state_of(&alert),
            who: word.as_ref().and_then(|word| word.by.clone()).unwrap_or_default(),
            comment: word.and_then(|word| word.comment).unwrap_or_default(),
            output: alert.output.clone(),
            lasted: alert.recovered.map(|then| lasted(alert.since, then)).unwrap_or_default(),
        };
        let text = self.sentences.say(&Card::AlertLine(line));
        let body = Body::Post { root: Some(Thread::Delivery { of: delivery }), text, files: Vec::new() };
        self.deliver(step, moment, Delivery { id: named("alert-line"), channel, body })
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
        let mut open: Vec<&Alert> = open.collect();
        // What nobody has taken on comes first, the newest before the others.
        open.sort_by_key(|alert| {
            (alert.acknowledged.is_some() || alert.downtime.is_some(), std::cmp::Reverse(alert.since))
        });
        let rows = open.iter().take(SHOWN).map(|alert| row_of(alert, moment.at)).collect();
        let card = Card::Alerts { rows, more: open.len().saturating_sub(SHOWN), about: about.to_owned() };
        self.say(step, moment, &speaker.back, &card)
    }
}

fn card_of(alert: &Alert, now: Timestamp) -> AlertCard {
    let by = |word: &Option<crate::core::alert::life::Word>| {
        word.as_ref().map(|word| (word.by.clone().unwrap_or_default(), word.comment.clone().unwrap_or_default()))
    };
    let (acknowledged, downtime) = (by(&alert.acknowledged), by(&alert.downtime));
    AlertCard {
        state: state_of(alert),
        host: shown_host(&alert.problem.host),
        service: alert.problem.service.clone().unwrap_or_default(),
        site: alert.problem.site.clone(),
        output: alert.output.clone(),
        since: shown_moment(alert.since, now, &zone("")),
        recovered: alert.recovered.map(|then| shown_moment(then, now, &zone(""))).unwrap_or_default(),
        lasted: alert.recovered.map(|then| lasted(alert.since, then)).unwrap_or_default(),
        is_acknowledged: acknowledged.is_some(),
        acknowledged: acknowledged.unwrap_or_default(),
        in_downtime: downtime.is_some(),
        downtime: downtime.unwrap_or_default(),
        flapping: alert.flapping,
        remedies: alert
            .remedies
            .iter()
            .rev()
            .take(SHOWN_REMEDIES)
            .map(|remedy| (remedy.execution.short().to_owned(), remedy.rule.to_string()))
            .collect(),
    }
}

fn row_of(alert: &Alert, now: Timestamp) -> AlertRow {
    AlertRow {
        state: state_of(alert),
        host: shown_host(&alert.problem.host),
        service: alert.problem.service.clone().unwrap_or_default(),
        output: alert.output.clone(),
        lasts: lasted(alert.since, now),
        acknowledged: alert.acknowledged.is_some(),
        in_downtime: alert.downtime.is_some(),
        flapping: alert.flapping,
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

fn word_of(turn: Turn) -> &'static str {
    match turn {
        Turn::Opened => "opened",
        Turn::Back => "back",
        Turn::Changed => "changed",
        Turn::Again => "again",
        Turn::Recovered => "recovered",
        Turn::Acknowledged => "acknowledged",
        Turn::DowntimeBegun => "downtime_begun",
        Turn::DowntimeOver => "downtime_over",
        Turn::FlappingBegun => "flapping_begun",
        Turn::FlappingOver => "flapping_over",
        Turn::Said => "said",
        Turn::Late => "late",
    }
}

/// A name as inline code; what is no name of a machine as the text that it is.
fn shown_host(name: &str) -> String {
    let sound = name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':'));
    if sound { markdown::code(name) } else { markdown::escape(name) }
}

fn lasted(since: Timestamp, until: Timestamp) -> String {
    span(Duration::try_from(until.duration_since(since)).unwrap_or_default())
}
