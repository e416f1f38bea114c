//! A problem on a machine that an execution of ours has out of service: it is told in the thread of that execution, and nowhere else.
//!
//! ```text
//! told, no post, somebody has the machine ──> a line in their thread ──┬─ over before they end ──────────> no post
//!                                                                      ├─ they end badly ────────────────> a post
//!                                                                      └─ they end well: some time ──┬───> over: no post
//!                                                                                                    └───> a post
//! ```
//!
//! - **Who has a machine is asked in one place** ([`Bot::holder`]), when something is told of it, when a post is written and when a rule wants to act.
//! - **An open problem has a post, or somebody has its machine who has a thread, or it is given some time to end.** What does not hold any more is mended in
//!   the step in which it changes, or as soon as the chat is known.
//! - **What has a post keeps it**, and the post says who has the machine.
//! - **No rule acts on it** meanwhile ([`mod@super::rule`]).
//! - **Where nobody can read of the execution, the problem is told as always**: what nobody reads is lost.

use super::alert::{line_of, shown_host, word_of};
use super::approval_card::stands_in;
use super::offer::Gathered;
use super::telling::is_quiet;
use super::{Bot, Moment, Step};
use crate::core::action::execution::{Execution, Status};
use crate::core::alert::life::{Alert, Change, Holder, Posted, Turn};
use crate::core::alert::notification::Problem;
use crate::core::effect::{Body, Delivery, Thread};
use crate::core::fact::{Concerned, Fact};
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, TriggerInstanceId};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::card::{AlertHolder, AlertLine, Card};
use crate::core::policy::out_of_service::name_of;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Machines that somebody took out of service in this step, or gave back.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// By their names, and whether whoever gave them back has ended well.
    machines: BTreeMap<String, bool>,
}

impl Bot {
    /// The execution that has a machine out of service; of several one that is told of before others, the one that began first, and a workflow before its tasks.
    fn holder_of(&self, machine: &str) -> Option<(&Execution, Option<(ChannelId, Thread)>)> {
        let holders = self.memory.out_of_service.holders(machine);
        let holders = holders.filter_map(|id| self.memory.executions.get(id));
        let mut holders: Vec<_> = holders.map(|execution| (execution, self.thread_of(execution))).collect();
        holders.sort_by_key(|(execution, thread)| {
            (thread.is_none(), execution.began(), self.line_of_descent(execution).count())
        });
        holders.into_iter().next()
    }

    /// An execution, the workflow whose task it is, and so on.
    fn line_of_descent<'a>(&'a self, execution: &'a Execution) -> impl Iterator<Item = &'a Execution> {
        std::iter::successors(Some(execution), |execution| {
            let parent = execution.request.parent.as_ref()?;
            self.memory.executions.get(&parent.workflow)
        })
    }

    /// Where it is told what becomes of an execution: in the thread of the topmost post that it, or a workflow above it, has.
    fn thread_of(&self, execution: &Execution) -> Option<(ChannelId, Thread)> {
        let line: Vec<&Execution> = self.line_of_descent(execution).collect();
        line.into_iter().rev().find_map(|execution| {
            let (channel, thread) = stands_in(execution)?;
            let own =
                || (!is_quiet(&execution.request)).then(|| Thread::Delivery { of: card_of(&execution.request.id) });
            Some((channel.clone(), thread.or_else(own)?))
        })
    }

    /// Who has the machine of a problem, and where that is told.
    pub(super) fn holder(&self, problem: &Problem) -> Option<Holder> {
        if let Some((execution, Some((channel, thread)))) = self.holder_of(&problem.host) {
            let (execution, action) = (execution.request.id.clone(), execution.request.action.clone());
            return Some(Holder { execution, action, channel, thread });
        }
        // Who had it has ended well, and the problem may still end by itself.
        let settles = self.memory.alerts.find(problem).filter(|alert| alert.settles.is_some());
        settles.and_then(|alert| alert.held_by.clone())
    }

    /// The thread in which it is told what becomes of a problem: of its own post, or of whoever has its machine.
    pub(super) fn told_in(&self, problem: &Problem) -> Option<(ChannelId, Thread)> {
        let posted = self.memory.alerts.find(problem).and_then(|alert| alert.post.clone());
        let posted = posted.map(|Posted { delivery, channel }| (channel, Thread::Delivery { of: delivery }));
        let posted = posted.or_else(|| self.holder(problem).map(|holder| (holder.channel, holder.thread)));
        posted.or_else(|| self.storm_thread(problem))
    }

    /// Since when an execution that people can read of has a machine out of service.
    pub(super) fn out_of_service_since(&self, machine: &str) -> Option<Timestamp> {
        self.holder_of(machine).filter(|(_, thread)| thread.is_some()).map(|(execution, _)| execution.began())
    }

    /// The execution because of which rules leave a problem alone.
    pub(super) fn held_by(&self, problem: &Problem) -> Option<ExecutionId> {
        let held = self.holder_of(&problem.host).map(|(execution, _)| execution.request.id.clone());
        held.or_else(|| self.holder(problem).map(|holder| holder.execution))
    }

    /// Who has the machine of an open problem, or had it when it was told first, for the post that stands in this channel. **What it runs and for whom is
    /// told only to those who read it there anyway.**
    pub(super) fn shown_holders(&self, alert: &Alert, channel: Option<&ChannelId>) -> Vec<AlertHolder> {
        if alert.recovered.is_some() {
            return Vec::new();
        }
        let known = |at: Option<&ChannelId>| channel.is_some() && at == channel;
        if let Some((execution, thread)) = self.holder_of(&alert.problem.host) {
            let known = known(thread.as_ref().map(|(channel, _)| channel));
            let request = &execution.request;
            return vec![AlertHolder {
                id: request.id.short().to_owned(),
                action: if known { request.action.to_string() } else { String::new() },
                who: if known { super::answer::name_of(&request.by).to_owned() } else { String::new() },
                over: false,
            }];
        }
        let before = alert.held_by.iter().map(|holder| AlertHolder {
            id: holder.execution.short().to_owned(),
            action: if known(Some(&holder.channel)) { holder.action.to_string() } else { String::new() },
            who: String::new(),
            over: true,
        });
        before.collect()
    }

    /// Something is told of a problem that has no post, in the thread of whoever has its machine.
    pub(super) fn tell_holder(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        instance: &TriggerInstanceId,
        (mut change, offered): (Change, Gathered),
        holder: Holder,
    ) -> Result<(), Contradiction> {
        change.alert.held_by = Some(holder.clone());
        let line = named_line(&change.alert, line_of(&change.alert, word_of(change.turn), change.word.clone()));
        let (turn, problem) = (change.turn, change.alert.problem.clone());
        self.note(step, moment, Fact::AlertChanged(Box::new(change)))?;
        // What people may have done about it is known by its code, and stands below its post when it gets one.
        if turn.is_problem() {
            self.put_offers(step, moment, &problem, offered)?;
        }
        if matches!(turn, Turn::Again | Turn::Echo) {
            return Ok(());
        }
        self.say_to_holder(step, moment, &holder, DeliveryId::new(format!("{instance}-alert-line")), line)
    }

    pub(super) fn say_to_holder(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        holder: &Holder,
        id: DeliveryId,
        line: AlertLine,
    ) -> Result<(), Contradiction> {
        let text = self.sentences.say(&Card::AlertLine(line));
        let body = Body::Post { root: Some(holder.thread.clone()), text, files: Vec::new() };
        self.deliver(step, moment, Delivery { id, channel: holder.channel.clone(), body })
    }

    /// Sees in a fact that machines go out of service or come back, before the memory takes it in.
    pub(super) fn watch_service(&mut self, fact: &Fact) {
        let (machines, well) = match fact {
            Fact::ExecutionStarted(request) => (&request.out_of_service, true),
            Fact::ExecutionFinished { id, status, .. } => match self.memory.executions.get(id) {
                Some(execution) if !execution.status.waits() => {
                    (&execution.request.out_of_service, *status == Status::Succeeded)
                }
                _ => return,
            },
            _ => return,
        };
        for machine in machines {
            let turned = self.turned_machines.machines.entry(name_of(machine.as_str())).or_insert(true);
            *turned &= well;
        }
    }

    /// Brings the problems on machines that went out of service or came back to where they are told now.
    pub(super) fn follow_service(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        let turned = std::mem::take(&mut self.turned_machines).machines;
        if !turned.is_empty() {
            let open = self.memory.alerts.alerts().filter(|alert| alert.recovered.is_none());
            let concerned = open.filter_map(|alert| Some((alert, *turned.get(&name_of(&alert.problem.host))?)));
            let concerned: Vec<(Problem, bool, bool)> =
                concerned.map(|(alert, well)| (alert.problem.clone(), alert.post.is_some(), well)).collect();
            for (problem, posted, well) in concerned {
                if self.in_storm(&problem) && !posted {
                    self.storm_view.change();
                } else if posted {
                    let id = named(moment, "alert-edit");
                    self.show_alert(step, moment, &problem, id)?;
                    if self.held_by(&problem).is_none() {
                        // It is nobody's any more.
                        let (at, what) = (moment.at, Concerned::Problem { problem });
                        self.note(step, moment, Fact::Touched { what, at, by: None })?;
                    }
                } else if well && self.holder(&problem).is_none() && !self.settings.settle.is_zero() {
                    let until = Some(moment.at.saturating_add(self.settings.settle).unwrap_or(Timestamp::MAX));
                    self.note(step, moment, Fact::AlertSettles { problem, until })?;
                } else {
                    self.bring_to_channel(step, moment, &problem)?;
                }
            }
        }
        if self.memory.alerts.next_settled().is_some_and(|then| then <= moment.at) {
            let over = |alert: &&Alert| alert.settles.is_some_and(|then| then <= moment.at);
            let over: Vec<Problem> =
                self.memory.alerts.alerts().filter(over).map(|alert| alert.problem.clone()).collect();
            for problem in over {
                self.note(step, moment, Fact::AlertSettles { problem: problem.clone(), until: None })?;
                self.bring_to_channel(step, moment, &problem)?;
            }
        }
        Ok(())
    }

    /// Every open problem that has no post and is told nowhere else gets one, now that the chat is known.
    pub(super) fn bring_all_to_channel(&mut self, step: &mut Step, moment: &mut Moment) -> Result<(), Contradiction> {
        let without = |alert: &&Alert| alert.post.is_none() && alert.recovered.is_none();
        let without: Vec<Problem> =
            self.memory.alerts.alerts().filter(without).map(|alert| alert.problem.clone()).collect();
        for problem in without {
            self.bring_to_channel(step, moment, &problem)?;
        }
        Ok(())
    }

    /// A problem that has no post gets one, unless it is told elsewhere.
    pub(super) fn bring_to_channel(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        problem: &Problem,
    ) -> Result<(), Contradiction> {
        let Some(channel) = self.alert_channel().filter(|_| self.knows_the_chat()) else { return Ok(()) };
        if self.holder(problem).is_some() || self.in_storm(problem) {
            return Ok(());
        }
        let posted = Posted { delivery: named(moment, "alert"), channel: channel.clone() };
        self.note(step, moment, Fact::AlertPosted { problem: problem.clone(), posted: posted.clone() })?;
        let Some(alert) = self.memory.alerts.find(problem).cloned() else { return Ok(()) };
        let body = match (self.alert_text(&alert, moment.at), self.offer_buttons(&alert)) {
            (text, Some(attachments)) => Body::Attached { root: None, text, attachments },
            (text, None) => Body::Post { root: None, text, files: Vec::new() },
        };
        self.deliver(step, moment, Delivery { id: posted.delivery, channel, body })?;
        let Some(holder) = &alert.held_by else { return Ok(()) };
        let line = named_line(&alert, line_of(&alert, "posted", None));
        let id = named(moment, "alert-line");
        self.say_to_holder(step, moment, holder, id, line)
    }
}

/// A line that stands among others says what it is about.
pub(super) fn named_line(alert: &Alert, line: AlertLine) -> AlertLine {
    let service = alert.problem.service.clone().unwrap_or_default();
    AlertLine { host: shown_host(&alert.problem.host), service, ..line }
}

/// A name for what is said of a problem without a notification that would name it.
pub(super) fn named(moment: &mut Moment, what: &str) -> DeliveryId {
    DeliveryId::new(format!("{}-{:016x}-{what}", moment.at.as_microsecond(), moment.bits()))
}
