//! Others are called since nobody touches a problem, or a storm: as the site has written it ([`crate::core::alert::escalation`]).
//!
//! - **A real mention is made of names in the settings alone**, never of what an alert says, and only of those whom the chat server knows.
//! - **One problem calls in its thread**; several at once, since quiet hours end or the bot was away, call in one post.
//! - **What is made is noted with what is said**, so each step is made once.
//! - **Nobody is called for what somebody sees to**: what is taken on, in a downtime or out of service, or while something that was begun for it runs. A word of a
//!   person in its thread begins the time anew: it may be a promise, and it may be a question.

use super::{Bot, Moment, Step};
use crate::core::alert::escalation::{Choice, Due, Step as Rung};
use crate::core::alert::life::{Alert, Posted};
use crate::core::alert::storm::{Phase, Storm};
use crate::core::chat::admission::admit;
use crate::core::effect::{Body, Delivery, Thread};
use crate::core::fact::{Concerned, Fact};
use crate::core::id::{ChannelId, DeliveryId, PostId};
use crate::core::input::HeardPost;
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, EscalatedCard};
use crate::core::message::markdown;
use crate::core::message::span::span;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many problems call in their threads before they call in one post.
const APART: usize = 2;
/// So many problems stand in such a post.
const SHOWN: usize = 20;

/// When it is looked next whether somebody is to be called. Lost without harm.
#[derive(Debug)]
pub(super) struct Outlook {
    next: Option<Timestamp>,
    stale: bool,
}

impl Default for Outlook {
    fn default() -> Self {
        Self { next: None, stale: true }
    }
}

impl Outlook {
    /// What it hangs on has changed.
    pub(super) fn doubt(&mut self) {
        self.stale = true;
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }
}

/// Something for which a step is due.
struct Calls {
    what: Concerned,
    due: Due,
    untouched: Timestamp,
}

impl Bot {
    /// Sees in a fact whether it could change who is called when.
    pub(super) fn watch_escalation(&mut self, fact: &Fact) {
        let concerns = matches!(
            fact,
            Fact::AlertChanged(_)
                | Fact::AlertSeen { .. }
                | Fact::AlertPosted { .. }
                | Fact::OrderGiven { .. }
                | Fact::OrderEnded { .. }
                | Fact::AlertSettles { .. }
                | Fact::Touched { .. }
                | Fact::Escalated { .. }
                | Fact::RemedyBegun { .. }
                | Fact::ExecutionStarted(_)
                | Fact::ExecutionFinished { .. }
                | Fact::StormBegan(_)
                | Fact::StormTurned { .. }
                | Fact::StormReleased { .. }
        );
        self.outlook.stale |= concerns;
    }

    /// Calls those who are to be called by now.
    pub(super) fn look_after_escalation(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        if self.settings.escalation.steps.is_empty() || !self.knows_the_chat() {
            (self.outlook.next, self.outlook.stale) = (None, true);
            return Ok(());
        }
        if !self.outlook.stale && self.outlook.next.is_none_or(|next| next > moment.at) {
            return Ok(());
        }
        // One step may be due behind another, when nobody was there for long.
        for _ in 0..self.settings.escalation.steps.len() {
            let mut due: BTreeMap<usize, Vec<Calls>> = BTreeMap::new();
            for calls in self.calls().filter(|calls| calls.due.at <= moment.at) {
                due.entry(calls.due.step).or_default().push(calls);
            }
            if due.is_empty() {
                break;
            }
            for (rung, calls) in due {
                self.call(step, moment, rung, calls)?;
            }
        }
        self.outlook.next = self.calls().map(|calls| calls.due.at).min();
        self.outlook.stale = false;
        Ok(())
    }

    /// For what a step is to be made next, and when.
    fn calls(&self) -> impl Iterator<Item = Calls> {
        let alerts = self.memory.alerts.alerts().filter_map(|alert| {
            let untouched = alert.untouched().filter(|_| self.is_untouched(alert))?;
            let fits = |choice: &Choice| self.fits(choice, alert);
            let due = self.settings.escalation.next(untouched, alert.escalated, &fits)?;
            Some(Calls { what: Concerned::Problem { problem: alert.problem.clone() }, due, untouched })
        });
        let storm = self.memory.storms.now().filter(|storm| storm.phase != Phase::Over).and_then(|storm| {
            let listed: Vec<&Alert> = self.listed_by(storm).filter(|alert| !alert.is_seen_to()).collect();
            if listed.is_empty() {
                return None;
            }
            let fits = |choice: &Choice| listed.iter().any(|alert| self.fits(choice, alert));
            let untouched = storm.untouched();
            let due = self.settings.escalation.next(untouched, storm.escalated, &fits)?;
            Some(Calls { what: Concerned::Storm { storm: storm.id.clone() }, due, untouched })
        });
        alerts.chain(storm)
    }

    /// The problems that the post of a storm lists.
    fn listed_by<'a>(&'a self, storm: &'a Storm) -> impl Iterator<Item = &'a Alert> {
        let listed = storm.members().filter(|(problem, _)| storm.lists(problem));
        listed.filter_map(|(problem, _)| self.memory.alerts.find(problem))
    }

    fn fits(&self, choice: &Choice, alert: &Alert) -> bool {
        choice.holds(alert.state, &alert.problem.host, &alert.host_groups, &self.inventory)
    }

    /// Whether a problem has a post of its own and nobody sees to it.
    fn is_untouched(&self, alert: &Alert) -> bool {
        let works = alert.remedies.iter().any(|remedy| remedy.ended.is_none());
        let open = alert.recovered.is_none() && alert.post.is_some();
        open && !alert.is_seen_to() && !works && self.held_by(&alert.problem).is_none()
    }

    fn call(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        rung: usize,
        calls: Vec<Calls>,
    ) -> Result<(), Contradiction> {
        let Some(rule) = self.settings.escalation.steps.get(rung).cloned() else { return Ok(()) };
        let (storms, problems): (Vec<Calls>, Vec<Calls>) =
            calls.into_iter().partition(|calls| matches!(calls.what, Concerned::Storm { .. }));
        let together = problems.len() > APART;
        let mut groups: Vec<Vec<Calls>> = storms.into_iter().map(|calls| vec![calls]).collect();
        match together {
            true => groups.push(problems),
            false => groups.extend(problems.into_iter().map(|calls| vec![calls])),
        }
        for calls in groups {
            let (called, unknown) = self.callable(&rule);
            let card = self.escalated_card(&calls, (&called, unknown), moment.at);
            let place = match calls.as_slice() {
                [one] => self.thread_of_call(&one.what),
                _ => self.alert_channel().map(|channel| (channel, None)),
            };
            let what = calls.into_iter().map(|calls| calls.what).collect();
            self.note(step, moment, Fact::Escalated { what, step: rung, called })?;
            let Some((channel, root)) = place else { continue };
            let text = self.sentences.say(&Card::Escalated(Box::new(card)));
            let id = format!("{}-{:016x}-escalated", moment.at.as_microsecond(), moment.bits());
            let body = Body::Post { root, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: DeliveryId::new(id), channel, body })?;
        }
        Ok(())
    }

    fn thread_of_call(&self, what: &Concerned) -> Option<(ChannelId, Option<Thread>)> {
        let posted = match what {
            Concerned::Problem { problem } => self.memory.alerts.find(problem)?.post.clone()?,
            Concerned::Storm { .. } => self.memory.storms.now()?.posted.clone(),
        };
        let Posted { delivery, channel } = posted;
        Some((channel, Some(Thread::Delivery { of: delivery })))
    }

    /// Whom a step calls: those whom the chat knows, and the others.
    fn callable(&self, rule: &Rung) -> (Vec<String>, Vec<String>) {
        let active = |name: &&String| {
            self.directory.users.get(*name).is_some_and(|user| !self.directory.inactive.contains(user))
        };
        let there =
            |name: &&String| self.directory.groups.contains_key(*name) || self.directory.untold.contains_key(*name);
        let (mut known, mut unknown): (Vec<String>, Vec<String>) =
            rule.users.iter().cloned().partition(|name| active(&name));
        let (groups, others): (Vec<String>, Vec<String>) = rule.groups.iter().cloned().partition(|name| there(&name));
        known.extend(groups);
        unknown.extend(others);
        (known, unknown)
    }

    fn escalated_card(
        &self,
        calls: &[Calls],
        (called, unknown): (&[String], Vec<String>),
        now: Timestamp,
    ) -> EscalatedCard {
        let lasts = calls.iter().map(|calls| calls.untouched).min().unwrap_or(now);
        let problems = calls.iter().filter_map(|calls| match &calls.what {
            Concerned::Problem { problem } => self.memory.alerts.find(problem),
            Concerned::Storm { .. } => None,
        });
        let rows = problems.take(SHOWN).map(|alert| super::alert::row_of(alert, now)).collect();
        let storm = self.memory.storms.now().filter(|_| matches!(calls, [Calls { what: Concerned::Storm { .. }, .. }]));
        EscalatedCard {
            who: called.iter().map(|name| markdown::mention(name)).collect::<Vec<_>>().join(" "),
            unknown,
            lasts: span(Duration::try_from(now.duration_since(lasts)).unwrap_or_default()),
            held_back: calls.iter().any(|calls| calls.due.held_back),
            rows,
            more: calls.len().saturating_sub(SHOWN),
            storm: storm.map_or(0, Storm::count),
            open: storm.map_or(0, Storm::listed),
        }
    }

    /// A person has written something in the thread of a problem or of a storm.
    pub(super) fn touched_by(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        post: &HeardPost,
    ) -> Result<(), Contradiction> {
        let person = post.identity.as_ref().is_some_and(|identity| identity.active && !identity.is_bot);
        let heard = person && self.me().is_some_and(|(me, _)| admit(post, me).is_ok());
        let wanted = heard && !self.settings.escalation.steps.is_empty();
        let Some(root) = post.root.as_ref().filter(|_| wanted) else { return Ok(()) };
        let Some(what) = self.told_at(root) else { return Ok(()) };
        let known = match &what {
            Concerned::Problem { problem } => self.memory.alerts.find(problem).and_then(Alert::untouched),
            Concerned::Storm { .. } => self.memory.storms.now().map(Storm::untouched),
        };
        if known.is_none_or(|known| known >= post.created) {
            return Ok(());
        }
        let (at, by) = (post.created.min(moment.at), Some(post.author.clone()));
        self.note(step, moment, Fact::Touched { what, at, by })
    }

    /// What a post of ours tells of, where it is the post of an open problem or of a storm.
    fn told_at(&self, post: &PostId) -> Option<Concerned> {
        let here = |posted: &Posted| self.memory.posts.get(&posted.delivery) == Some(post);
        let storm = self.memory.storms.now().filter(|storm| here(&storm.posted));
        let storm = storm.map(|storm| Concerned::Storm { storm: storm.id.clone() });
        storm.or_else(|| {
            let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none());
            let found = open.into_iter().find(|alert| alert.post.as_ref().is_some_and(here))?;
            Some(Concerned::Problem { problem: found.problem.clone() })
        })
    }
}
