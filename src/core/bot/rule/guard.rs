//! Rules that act on problems of the monitoring: whether one may now, what became of what it began, and when it rests.
//!
//! Every remedy is known by a fact as what it is ([`Remedies`](crate::core::rule::guard::Remedies)), so a restart changes nothing of this.
//!
//! - **The state is asked for again when a remedy really begins**: after an approval, after it has waited for its turn, before another try.
//! - **Each refusal is said in the thread of the problem, once**: the same is not said again for every notification.
//! - **That something runs, and how it ended, stands in the post of the problem**, promised in the step in which it began or ended.

use super::super::alert::Concern;
use super::super::{Bot, Moment, Step};
use crate::core::action::execution::Status;
use crate::core::alert::life::{Alert, as_told};
use crate::core::alert::notification::{Kind, Problem};
use crate::core::alert::offer::Origin;
use crate::core::fact::Fact;
use crate::core::id::{DeliveryId, ExecutionId, RuleRef};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, RuleTold};
use crate::core::message::phrase::Phrase;
use crate::core::message::zone::moment as shown_moment;
use crate::core::rule::guard::{Also, Guard, Hindrance, Open};
use crate::core::rule::spec::Rule;
use jiff::Timestamp;

/// A remedy that has begun or ended in this step.
#[derive(Debug)]
pub(in crate::core::bot) struct Turned {
    execution: ExecutionId,
    open: Open,
    /// How it ended; absent where it has begun.
    ended: Option<Status>,
    /// Its rule rested before that.
    rested: bool,
}

impl Bot {
    /// What guards a rule.
    fn guard_of(&self, rule: &RuleRef) -> Guard {
        let own = self.catalog.rules.get(rule).map(|rule| &rule.guard);
        own.map_or(self.settings.guard, |own| own.over(self.settings.guard))
    }

    /// How many remedies of a rule failed, where it rests for that.
    pub(super) fn rests(&self, rule: &RuleRef) -> Option<u32> {
        let rests = self.memory.remedies.rests(rule, self.guard_of(rule));
        rests.then(|| self.memory.remedies.failures(rule))
    }

    /// Why a rule may not act on a problem now.
    pub(super) fn hindered(&self, rule: &Rule, concern: &Concern, now: Timestamp) -> Option<String> {
        let heals = concern.kind == Kind::Problem;
        if let Some(execution) = self.held_by(&concern.problem).filter(|_| heals) {
            return Some(self.words_of(&rule.reference, &Hindrance::Held(execution), now));
        }
        let alert = self.memory.alerts.find(&concern.problem).filter(|_| heals);
        let is = alert.and_then(|alert| unlike(alert, &rule.guard.also)).map(Hindrance::Is);
        let hindrance = is.or_else(|| {
            let guard = rule.guard.over(self.settings.guard);
            self.memory.remedies.hindrance(&rule.reference, &concern.problem, guard, heals, now)
        });
        hindrance.map(|hindrance| self.words_of(&rule.reference, &hindrance, now))
    }

    /// Why an execution that waited is for nothing: it is a remedy, and the problem is not as its rule wants it any more, or somebody else is at work on it.
    pub(in crate::core::bot) fn not_needed(&self, id: &ExecutionId, now: Timestamp) -> Option<String> {
        let open = self.memory.remedies.open(id).filter(|open| open.heals)?;
        let Some(rule) = open.origin.rule() else {
            // A person may act on what somebody has taken on.
            let over = self.memory.alerts.find(&open.problem).is_none_or(|alert| alert.recovered.is_some());
            return over.then(|| self.sentences.phrase(&Phrase::Event { what: "over", name: "", why: "" }));
        };
        if let Some(execution) = self.held_by(&open.problem) {
            return Some(self.words_of(rule, &Hindrance::Held(execution), now));
        }
        if self.waits_for_storm(self.memory.executions.get(id), &open.problem) {
            return Some(self.held_by_storm(rule));
        }
        let also = self.catalog.rules.get(rule).map(|rule| rule.guard.also.clone()).unwrap_or_default();
        let is = match self.memory.alerts.find(&open.problem) {
            Some(alert) => unlike(alert, &also)?,
            // It has been over for so long that it is forgotten.
            None if also.contains(&Also::Recovered) => return None,
            None => Also::Recovered,
        };
        Some(self.words_of(rule, &Hindrance::Is(is), now))
    }

    /// Why a rule leaves alone what broke in a storm.
    pub(super) fn held_by_storm(&self, rule: &RuleRef) -> String {
        self.sentences.phrase(&Phrase::Event { what: "storm", name: rule.as_str(), why: "" })
    }

    fn words_of(&self, rule: &RuleRef, hindrance: &Hindrance, now: Timestamp) -> String {
        let (what, why) = match hindrance {
            Hindrance::Held(execution) => ("out_of_service", execution.short().to_owned()),
            Hindrance::Rests(failures) => ("rests", failures.to_string()),
            Hindrance::Runs(execution) => ("runs", execution.short().to_owned()),
            Hindrance::Cooldown(until) => ("cooldown", shown_moment(*until, now, &self.clock(""))),
            Hindrance::PerHour(most) => ("per_hour", most.to_string()),
            Hindrance::Is(Also::Recovered) => ("over", String::new()),
            Hindrance::Is(Also::Acknowledged) => ("taken_on", String::new()),
            Hindrance::Is(Also::Downtime) => ("in_downtime", String::new()),
        };
        self.sentences.phrase(&Phrase::Event { what, name: rule.as_str(), why: &why })
    }

    /// A rule has begun something because of a problem.
    pub(super) fn remedy_begun(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        rule: &Rule,
        concern: &Concern,
        execution: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let heals = concern.kind == Kind::Problem;
        let origin = Origin::Rule { rule: rule.reference.clone() };
        let open = Open { origin, problem: concern.problem.clone(), heals };
        self.note(step, moment, Fact::RemedyBegun { execution: execution.clone(), open })
    }

    /// Sees in a fact that a remedy begins or ends, before the memory takes it in.
    pub(in crate::core::bot) fn watch_remedies(&mut self, fact: &Fact) {
        let (id, ended) = match fact {
            Fact::ExecutionStarted(request) => (&request.id, None),
            Fact::ExecutionFinished { id, status, .. } => (id, Some(*status)),
            _ => return,
        };
        let remedies = &self.memory.remedies;
        let open = remedies.open(id).or_else(|| {
            let next = self.memory.executions.get(id)?.retried.as_ref()?;
            remedies.open(&next.id)
        });
        let Some(open) = open.cloned() else { return };
        let rested = open.origin.rule().is_some_and(|rule| self.rests(rule).is_some());
        self.turned_remedies.push(Turned { execution: id.clone(), open, ended, rested });
    }

    /// Tells of the remedies that began or ended: in the post of the problem, and the administrators of a rule that rests from now on.
    pub(in crate::core::bot) fn tell_of_remedies(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
    ) -> Result<(), Contradiction> {
        for Turned { execution, open, ended, rested } in std::mem::take(&mut self.turned_remedies) {
            let what = if ended.is_some() { "over" } else { "begun" };
            self.show_alert(step, moment, &open.problem, DeliveryId::new(format!("{execution}-alert-{what}")))?;
            let Some(rule) = open.origin.rule() else { continue };
            if let (false, Some(_), Some(failures)) = (rested, ended, self.rests(rule)) {
                let (rule, why) = (rule.to_string(), failures.to_string());
                let card = Card::RuleTold(RuleTold { rule, what: "rests", why, ..RuleTold::default() });
                self.tell_admins(step, moment, "rule-rests", &card)?;
            }
        }
        Ok(())
    }

    /// Whether what came of a rule has still to be told in the thread of a problem; it is noted that it is.
    pub(in crate::core::bot) fn is_news(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        problem: &Problem,
        rule: &RuleRef,
        what: &str,
    ) -> Result<bool, Contradiction> {
        if self.memory.alerts.find(problem).is_none_or(|alert| alert.was_told_of(rule, what)) {
            return Ok(false);
        }
        let (problem, rule, what) = (problem.clone(), rule.clone(), as_told(what));
        self.note(step, moment, Fact::ToldOfRule { problem, rule, what })?;
        Ok(true)
    }
}

/// How a problem is that a rule which acts on those does not act on.
fn unlike(alert: &Alert, also: &[Also]) -> Option<Also> {
    let is = [
        (alert.recovered.is_some(), Also::Recovered),
        (alert.acknowledged.is_some(), Also::Acknowledged),
        (alert.downtime.is_some(), Also::Downtime),
    ];
    is.into_iter().find(|(is, how)| *is && !also.contains(how)).map(|(_, how)| how)
}
