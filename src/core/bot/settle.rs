//! Nobody knows how an execution ended: a person is asked, and answers.
//!
//! The question stands in the thread of the execution's post and is answered there by a number, by the one who asked for the execution or by
//! anybody who calls the bot; or anywhere by `settle ID …`. **It does not lapse**, and whoever may run the action may answer it. What was asked
//! for outside the chat is asked about in the admin channel.
//!
//! **The first judgement counts**; whoever comes later is told who gave it.

use super::approval_card::stands_in;
use super::{Bot, Moment, Step};
use crate::core::action::execution::{Execution, Judgement, Requested, Status};
use crate::core::effect::{Answer, Body, Delivery, Effect};
use crate::core::fact::{Choice, Fact};
use crate::core::id::{DeliveryId, ExecutionId, Host};
use crate::core::input::{Back, HeardPost, Principal, Ticket};
use crate::core::memory::{Contradiction, card_of, question_of};
use crate::core::message::card::{Card, Question};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::verdict::{judged, mark, shown_hosts, shown_line, verdict};
use serde_json::Value;

/// What the numbers of a question mean, in their order.
const ANSWERS: [Judgement; 3] = [Judgement::Ran, Judgement::NotRun, Judgement::Again];

impl Bot {
    /// The question about an execution, as it is put.
    pub(super) fn question(&self, execution: &Execution, attached: bool) -> Card {
        let who = match &execution.request.by {
            Principal::ChatUser { name, .. } => markdown::mention(name),
            Principal::LocalUser { .. } | Principal::Rule { .. } => String::new(),
        };
        let hosts = execution.unknown_hosts();
        Card::Question(Question {
            who,
            mark: mark(execution.status),
            line: shown_line(execution),
            id: execution.request.id.short().to_owned(),
            verdict: verdict(execution, &self.sentences),
            took: span(execution.elapsed(execution.ended.unwrap_or(execution.started))),
            hosts: if execution.request.hosts.is_empty() { String::new() } else { shown_hosts(&hosts) },
            attached,
        })
    }

    /// Asks where the administrators are about what nobody in chat has asked for, once it is known where that is.
    pub(super) fn ask_admins(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let Some(channel) = self.admin_channel() else { return Ok(()) };
        let unasked: Vec<_> = self.memory.questions.values().filter_map(|question| question.unasked.clone()).collect();
        for execution in unasked {
            let text = self.sentences.say(&self.question(&execution, false));
            let body = Body::Post { root: None, text, files: Vec::new() };
            let delivery = Delivery { id: question_of(&execution.request.id), channel: channel.clone(), body };
            self.deliver(step, moment, delivery)?;
        }
        Ok(())
    }

    /// The line that a number stands for, where it answers a question: in the question's thread, by the one who had asked for the execution
    /// or by somebody who calls the bot; elsewhere by the one who had asked, if there is just one such question and the bot is called.
    pub(super) fn answered(&self, post: &HeardPost, number: usize, called: bool) -> Option<Choice> {
        let judgement = ANSWERS.get(number.checked_sub(1)?)?;
        let here =
            self.memory.questions.iter().filter(|(_, question)| question.channel.as_ref() == Some(&post.channel));
        let meant: Vec<&ExecutionId> = here
            .filter(|(_, question)| {
                let theirs = question.user.as_ref() == Some(&post.author);
                match &post.root {
                    Some(root) => question.thread.as_ref() == Some(root) && (theirs || called),
                    None => theirs && called,
                }
            })
            .map(|(id, _)| id)
            .collect();
        match meant.as_slice() {
            [id] => Some(Choice { line: format!("settle {id} {}", judgement.words()), alias: None, again: false }),
            _ => None,
        }
    }

    /// A person says what became of an execution.
    pub(super) fn settle(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        ticket: Ticket,
        execution: &Execution,
        judgement: Judgement,
    ) -> Result<(), Contradiction> {
        let id = execution.request.id.clone();
        let short = id.short().to_owned();
        if execution.judged.is_some() {
            let card = Card::AlreadySettled { id: short, said: judged(execution, &self.sentences) };
            return self.say(step, moment, &ticket.back, &card);
        }
        if execution.status != Status::Unknown || !self.memory.questions.contains_key(&id) {
            let card = Card::NothingToSettle { id: short, verdict: verdict(execution, &self.sentences) };
            return self.say(step, moment, &ticket.back, &card);
        }
        let repeated_as = if judgement == Judgement::Again {
            match self.run_again(step, moment, &ticket, execution, Some(&execution.unknown_hosts()))? {
                Some(new) => Some(new),
                None => return Ok(()),
            }
        } else {
            None
        };
        let fact = Fact::Judged {
            id: id.clone(),
            by: ticket.from.clone(),
            judgement,
            repeated_as: repeated_as.clone(),
            action: Some(execution.request.action.clone()),
            from: Some(ticket.back.clone()),
        };
        let mut execution = execution.clone();
        execution.apply(moment.at, &fact)?;
        if let Some((channel, _)) = stands_in(&execution) {
            let took = span(execution.elapsed(moment.at));
            let text = self.sentences.say(&Card::Ended(self.ended_card(&execution, took)));
            let body = Body::Edit { of: card_of(&id), text, attachments: None };
            let delivery = Delivery { id: DeliveryId::new(format!("{id}-judged")), channel: channel.clone(), body };
            self.deliver(step, moment, delivery)?;
        }
        self.note(step, moment, fact)?;
        self.child_judged(step, moment, &execution, repeated_as.clone())?;
        let said = judged(&execution, &self.sentences);
        let card = Card::Settled { id: short, line: shown_line(&execution), said };
        match (&ticket.back, repeated_as) {
            (Back::Request { request }, _) => {
                let text = markdown::bare(&self.sentences.say(&card));
                step.effects.push(Effect::Answer { request: *request, answer: Box::new(Answer::Done { text }) });
                Ok(())
            }
            // The post of the new execution is the answer.
            (Back::Chat { .. }, Some(_)) | (Back::Told { .. }, _) => Ok(()),
            (back @ Back::Chat { .. }, None) => self.say(step, moment, back, &card),
        }
    }

    /// Starts an execution's action once more, on these hosts only where some are named. Where it cannot be, that is said.
    pub(super) fn run_again(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        ticket: &Ticket,
        execution: &Execution,
        only: Option<&[Host]>,
    ) -> Result<Option<ExecutionId>, Contradiction> {
        let request = &execution.request;
        let alias = self.catalog.aliases.iter().find(|alias| Some(&alias.reference) == request.alias.as_ref()).cloned();
        // What the alias sets itself can be had again.
        let fixed = match (&alias, &request.back) {
            (Some(alias), Back::Chat { channel, .. }) => self.fixed(moment.at, alias, &ticket.from, channel).ok(),
            _ => None,
        };
        let fixed = fixed.unwrap_or_default();
        let gone: Vec<String> =
            request.secrets.iter().filter(|name| !fixed.values.contains_key(*name)).cloned().collect();
        let refusal = if !gone.is_empty() {
            Some(Card::SecretsGone { id: request.id.short().to_owned(), names: gone })
        } else if self.stopping {
            Some(Card::Stopping)
        } else {
            None
        };
        if let Some(card) = refusal {
            self.say(step, moment, &ticket.back, &card)?;
            return Ok(None);
        }
        let Some(action) = self.catalog.actions.get(&request.action).cloned() else {
            let card = Card::Disabled { action: request.action.to_string() };
            self.say(step, moment, &ticket.back, &card)?;
            return Ok(None);
        };
        let mut given = super::recover::given_before(&action, execution);
        if let Some(only) = only.filter(|only| !request.hosts.is_empty() && *only != request.hosts.as_slice()) {
            given.insert("hosts".to_owned(), Value::from(written_hosts(request, only)));
        }
        let again = fixed.values.iter().filter(|(name, _)| request.secrets.contains(name));
        given.extend(again.map(|(name, value)| (name.clone(), value.clone())));
        let trusted =
            alias.as_ref().map(|alias| self.still_fixed(moment.at, alias, &action, request)).unwrap_or_default();
        let wish = super::start::Wish {
            action,
            given,
            by: ticket.from.clone(),
            back: ticket.back.clone(),
            line: request.line.clone(),
            correctable: false,
            alias,
            trusted,
            rights: ticket.rights.clone(),
            rerun_of: Some(request.id.clone()),
            trace_tag: request.trace_tag.clone(),
            zone: ticket.zone.clone(),
            takes_up: None,
            parent: request.parent.clone(),
            hidden: std::collections::BTreeSet::new(),
            settles: only.map(|_| request.id.clone()),
            again: None,
        };
        match self.start(step, moment, wish)? {
            Ok(id) => Ok(Some(id)),
            Err(declined) => {
                self.say(step, moment, &ticket.back, &declined.card)?;
                Ok(None)
            }
        }
    }
}

/// Hosts of an execution as they are given once more, with the ports that it was given.
pub(super) fn written_hosts(request: &Requested, hosts: &[Host]) -> String {
    let ports = request.reach.as_ref().map(|reach| &reach.ports);
    let written = hosts.iter().map(|host| match ports.and_then(|ports| ports.get(host)) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_string(),
    });
    written.collect::<Vec<_>>().join(",")
}
