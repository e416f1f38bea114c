//! What is said of executions that wait: their card through its states, the reminder, the word to both sides at the end.
//!
//! **The card is that of the execution**, from its asking to the end of its run, so that nobody has to look for another. What stands on it was
//! rendered when it was asked for; each change of it is promised with the fact that it tells of.

use super::{Bot, Moment, Step, react, unreact};
use crate::core::access::Rights;
use crate::core::action::execution::{EffectClass, Execution, Status};
use crate::core::approval::Terms;
use crate::core::approval::request::{Event, Lost, Request, State};
use crate::core::effect::{Answer, Body, Delivery, OpenRequest, Thread};
use crate::core::fact::Fact;
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, RequestId};
use crate::core::input::{Back, Principal};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::card::{ApprovalCard, ApprovalEnd, ApprovalRow, Card, Reminder, WantedApproval};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;
use crate::core::message::span::span;
use crate::core::message::verdict::{mark, shown_hosts, shown_line};
use crate::core::message::zone;
use crate::core::settings::Verb;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How many requests one list shows.
const SHOWN: usize = 30;

/// Where the card of an execution stands, and in which thread; nowhere when it was asked for elsewhere and needs no approval.
pub(super) fn stands_in(execution: &Execution) -> Option<(&ChannelId, Option<Thread>)> {
    let place = execution.approval.as_ref().and_then(|request| request.place.as_ref());
    match (&execution.request.back, place) {
        (back, Some(place)) => {
            let here = back.place().filter(|(channel, _)| *channel == place);
            Some(here.unwrap_or((place, None)))
        }
        // It is shown in the post of its workflow.
        (_, None) if execution.request.parent.is_some() => None,
        (back, None) => back.place(),
    }
}

/// What one policy wants, for people, with those who have said yes.
pub(super) fn wanted_approval(terms: &Terms, votes: &[String], sentences: &Sentences) -> WantedApproval {
    WantedApproval {
        policy: terms.policy.clone(),
        who: sentences.phrase(&Phrase::Deciders(&terms.approvers)),
        quorum: terms.quorum,
        votes: votes.len(),
        voters: votes.join(", "),
        requester: terms.allow_requester,
    }
}

impl Bot {
    /// The card of an execution that waits or has waited in vain.
    fn approval_card(&self, execution: &Execution, now: Timestamp) -> Card {
        let id = execution.request.id.short().to_owned();
        let line = shown_line(execution);
        let waiting = self.memory.waiting.get(&execution.request.id);
        let who = super::answer::name_of(&execution.request.by).to_owned();
        let Some(request) = execution.approval.as_deref() else {
            let error = execution.error.clone().unwrap_or_default();
            let over = execution.status.is_final();
            let remarks = super::watch::remarks(execution, &self.sentences);
            return Card::Delayed { line, id, awaits: self.awaits(execution), remarks, over, error };
        };
        let wants = request.terms.iter().enumerate().map(|(place, terms)| {
            let votes = request.votes_in_order().into_iter().filter(|vote| vote.counts.contains(&place));
            let votes: Vec<String> = votes.map(|vote| vote.name.clone()).collect();
            wanted_approval(terms, &votes, &self.sentences)
        });
        let frozen = request.state == State::Approved && execution.request.effect != EffectClass::ReadOnly;
        let turn = waiting.and_then(|waiting| waiting.turn.as_ref()).filter(|_| execution.status == Status::Delayed);
        let joined = request.joined.iter().map(|joined| super::answer::name_of(&joined.by).to_owned());
        Card::Approval(Box::new(ApprovalCard {
            state: request.state.word(),
            request: request.code.clone(),
            id,
            line,
            who,
            joined: joined.collect::<Vec<_>>().join(", "),
            wants: wants.collect(),
            plan: waiting.map(|waiting| (*waiting.shown).clone()).unwrap_or_default(),
            until: zone::moment(request.until, now, &self.clock(&request.zone)),
            by: deciders(request),
            why: request.why.clone(),
            target: super::approve::target(execution),
            reason: request.terms.iter().any(|terms| terms.reason_required),
            frozen: if frozen { self.frozen_why() } else { String::new() },
            awaits: turn.map(|_| self.awaits(execution)),
            tried: super::watch::tried(execution, &self.sentences).unwrap_or_default(),
            lost: request.lost.as_ref().map(|lost| lost.name.clone()).unwrap_or_default(),
            lost_why: request.lost.as_ref().map(|lost| lost.why.word()).unwrap_or_default(),
        }))
    }

    /// The text of the card of an execution that waits.
    pub(super) fn waiting_text(&self, execution: &Execution, now: Timestamp) -> String {
        self.sentences.say(&self.approval_card(execution, now))
    }

    /// Posts the card of an execution that begins to wait.
    pub(super) fn show_waiting(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        if let Some((channel, root)) = stands_in(&execution) {
            let text = self.waiting_text(&execution, moment.at);
            let attachments = self.decision_buttons(&execution);
            let body = match attachments.is_empty() {
                true => Body::Post { root, text, files: Vec::new() },
                false => Body::Attached { root, text, attachments },
            };
            self.deliver(step, moment, Delivery { id: card_of(id), channel: channel.clone(), body })?;
        }
        self.said_all(id, moment.at);
        if let Some((place, _)) = stands_in(&execution)
            && execution.request.back.place().is_some_and(|(channel, _)| channel != place)
        {
            let code = execution.approval.as_ref().map(|request| request.code.clone()).unwrap_or_default();
            let channel = self.name_of_channel(place);
            let card = Card::AskedElsewhere { line: shown_line(&execution), request: code, channel };
            return self.say_elsewhere(step, moment, &execution, "asked", &card);
        }
        Ok(())
    }

    /// Says something where an execution was asked for, when its card stands elsewhere: to whoever asked, or in the thread of the alert.
    fn say_elsewhere(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        what: &str,
        card: &Card,
    ) -> Result<(), Contradiction> {
        match &execution.request.back {
            Back::Told { channel: Some(channel), root: root @ Some(_) } => {
                let body = Body::Post { root: root.clone(), text: self.sentences.say(card), files: Vec::new() };
                let id = DeliveryId::new(format!("{}-{what}-elsewhere", execution.request.id));
                self.deliver(step, moment, Delivery { id, channel: channel.clone(), body })
            }
            back => self.say(step, moment, back, card),
        }
    }

    fn name_of_channel(&self, channel: &ChannelId) -> String {
        let known = self.directory.channels.iter().find(|(_, id)| *id == channel);
        known.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// Edits the card of an execution that waits, since something has changed.
    pub(super) fn show_changed(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let text = self.waiting_text(&execution, moment.at);
        self.said_all(id, moment.at);
        self.edit_card(step, moment, &execution, text)
    }

    /// The card of an execution that has waited becomes that of its run.
    pub(super) fn show_begun(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let text = self.first_card(id, moment.at);
        self.edit_card(step, moment, &execution, text)
    }

    fn edit_card(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        text: String,
    ) -> Result<(), Contradiction> {
        let Some((channel, _)) = stands_in(execution) else { return Ok(()) };
        let id = &execution.request.id;
        // A step that edits twice makes two edits.
        let name = format!("{id}-waits-{}-{}", moment.at.as_millisecond(), step.facts.len());
        // Drawn anew with every edit, so that at the end none is left.
        let attachments = Some(self.decision_buttons(execution));
        let body = Body::Edit { of: card_of(id), text, attachments };
        self.deliver(step, moment, Delivery { id: DeliveryId::new(name), channel: channel.clone(), body })
    }

    /// Says something in the thread of an execution's card.
    fn reply(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        what: &str,
        card: &Card,
    ) -> Result<(), Contradiction> {
        self.reply_to(step, moment, execution, what, card, "")
    }

    /// The same, to somebody who is mentioned before it.
    pub(super) fn reply_to(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        what: &str,
        card: &Card,
        who: &str,
    ) -> Result<(), Contradiction> {
        let Some((channel, root)) = stands_in(execution) else { return Ok(()) };
        let id = &execution.request.id;
        let root = root.unwrap_or_else(|| Thread::Delivery { of: card_of(id) });
        let text = format!("{who} {}", self.sentences.say(card)).trim_start().to_owned();
        let body = Body::Post { root: Some(root), text, files: Vec::new() };
        self.deliver(
            step,
            moment,
            Delivery { id: DeliveryId::new(format!("{id}-{what}")), channel: channel.clone(), body },
        )
    }

    /// Half of the time is over: those who may decide are called by name, and nobody else.
    pub(super) fn remind(&mut self, step: &mut Step, moment: &Moment, id: &ExecutionId) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let Some(request) = execution.approval.as_deref() else { return Ok(()) };
        let revision = request.revision;
        self.note(step, moment, Fact::Approval { id: id.clone(), revision, event: Event::Reminded })?;
        let left = Duration::try_from(request.until.duration_since(moment.at)).unwrap_or_default();
        let card = Card::Reminder(Reminder {
            who: self.named_deciders(&execution, request),
            line: shown_line(&execution),
            request: request.code.clone(),
            by: super::answer::name_of(&execution.request.by).to_owned(),
            left: span(left),
            target: super::approve::target(&execution),
        });
        self.reply(step, moment, &execution, "reminder", &card)
    }

    /// Mentions of those who are named as people who may decide, and have not. Members of a channel are not called: they are many.
    fn named_deciders(&self, execution: &Execution, request: &Request) -> String {
        let mut names: BTreeSet<&String> = BTreeSet::new();
        for terms in &request.terms {
            names.extend(&terms.approvers.users);
            for role in &self.settings.roles {
                if terms.approvers.roles.contains(&role.name) {
                    names.extend(&role.users);
                }
            }
        }
        let counts = |name: &&&String| {
            let Some(user) = self.tied.users.get(**name) else { return false };
            let asks = matches!(&execution.request.by, Principal::ChatUser { id, .. } if id == user);
            !asks && !self.directory.inactive.contains(user) && !request.votes.contains_key(user)
        };
        names.iter().filter(counts).map(|name| markdown::mention(name)).collect::<Vec<_>>().join(" ")
    }

    /// A yes does not count any more: the request waits again.
    pub(super) fn tell_lost(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        lost: Option<&Lost>,
    ) -> Result<(), Contradiction> {
        let (Some(execution), Some(lost)) = (self.memory.executions.get(id).cloned(), lost) else { return Ok(()) };
        let Some(request) = execution.approval.as_deref() else { return Ok(()) };
        let card = Card::VoteLost {
            name: lost.name.clone(),
            why: lost.why.word(),
            line: shown_line(&execution),
            request: request.code.clone(),
        };
        let what = format!("lost-{}", request.revision);
        self.reply(step, moment, &execution, &what, &card)
    }

    /// Ends an execution that has not begun: the fact, the last text of its card, and a word to those who asked.
    pub(super) fn end_unbegun(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        why: Option<String>,
    ) -> Result<(), Contradiction> {
        let Some(mut execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let error = why.or_else(|| execution.approval.as_deref().map(|request| self.sentences.phrase(&ended(request))));
        let fact = Fact::ExecutionFinished { id: id.clone(), status: Status::Canceled, error };
        execution.apply(moment.at, &fact)?;
        let text = self.waiting_text(&execution, moment.at);
        self.edit_card(step, moment, &execution, text)?;
        if let Some(request) = execution.approval.as_deref() {
            let own = request.ended_by.as_ref() == Some(&execution.request.by) && request.state == State::Withdrawn;
            if !own {
                self.tell_end(step, moment, &execution, request)?;
            }
        } else if let Some(why) = execution.error.clone() {
            let who = match &execution.request.by {
                Principal::ChatUser { name, .. } => markdown::mention(name),
                Principal::LocalUser { .. } | Principal::Rule { .. } => String::new(),
            };
            let card = Card::NotBegun { who, line: shown_line(&execution), why };
            self.reply(step, moment, &execution, "told", &card)?;
        }
        for notice in self.notices(&execution) {
            self.deliver(step, moment, notice)?;
        }
        self.note(step, moment, fact)?;
        self.ended_event(&execution, moment.at);
        if execution.request.parent.is_some() {
            self.child_ended(&execution);
            return Ok(());
        }
        if let Back::Chat { channel, post, .. } = &execution.request.back {
            react(step, channel, post, mark(Status::Canceled));
            let same = |other: &Execution| matches!(&other.request.back, Back::Chat { post: of, .. } if of == post);
            if !self.memory.executions.values().any(same) {
                unreact(step, channel, post, "eyes");
            }
        }
        Ok(())
    }

    /// Calls those who asked, and says how it was decided.
    fn tell_end(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        execution: &Execution,
        request: &Request,
    ) -> Result<(), Contradiction> {
        let all = std::iter::once(&execution.request.by).chain(request.joined.iter().map(|joined| &joined.by));
        let mentions = all.filter_map(|by| match by {
            Principal::ChatUser { name, .. } => Some(markdown::mention(name)),
            Principal::LocalUser { .. } | Principal::Rule { .. } => None,
        });
        let card = Card::ApprovalEnd(ApprovalEnd {
            who: mentions.collect::<Vec<_>>().join(" "),
            state: request.state.word(),
            line: shown_line(execution),
            by: deciders(request),
            why: request.why.clone(),
            votes: request.votes.len(),
        });
        self.reply(step, moment, execution, "decided", &card)?;
        // Where it was asked for and others do not read.
        if let Some((place, _)) = stands_in(execution)
            && execution.request.back.place().is_some_and(|(channel, _)| channel != place)
        {
            return self.say_elsewhere(step, moment, execution, "decided", &card);
        }
        Ok(())
    }

    /// Tells on the cards of what is approved that the bot is frozen, or not any more.
    pub(super) fn show_frozen(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let approved = self.open_requests().filter(|(_, request)| request.state == State::Approved);
        let approved: Vec<ExecutionId> = approved.map(|(execution, _)| execution.request.id.clone()).collect();
        for id in approved {
            self.tried.remove(&id);
            self.show_changed(step, moment, &id)?;
        }
        Ok(())
    }

    /// `approvals`: the open requests that concern somebody.
    pub(super) fn approvals(&self, speaker: &super::hear::Speaker<'_>, now: Timestamp) -> Card {
        let zone = self.clock(&speaker.identity.zone);
        let mut rows: Vec<(Timestamp, ApprovalRow)> = Vec::new();
        for (execution, request) in self.open_requests() {
            let asked = matches!(&execution.request.by, Principal::ChatUser { id, .. } if *id == speaker.identity.id);
            let decides = !self.counts(speaker.identity, &speaker.rights, &request.terms, execution).is_empty();
            if asked || decides || speaker.rights.may_with_execution(Verb::View, execution, &self.inventory) {
                let yours = decides && !request.votes.contains_key(&speaker.identity.id);
                rows.push((request.until, self.approval_row(execution, request, yours, (now, &zone))));
            }
        }
        rows.sort_by(|one, other| (one.0, &one.1.request).cmp(&(other.0, &other.1.request)));
        let more = rows.len().saturating_sub(SHOWN);
        Card::Approvals { rows: rows.into_iter().take(SHOWN).map(|(_, row)| row).collect(), more }
    }

    /// The open requests, for a caller of the control socket.
    pub(super) fn list_approvals(&self, step: &mut Step, request: RequestId, rights: &Rights) {
        let seen = |execution: &Execution| rights.may_with_execution(Verb::View, execution, &self.inventory);
        let visible = self.open_requests().filter(|(execution, _)| seen(execution));
        let row = |(execution, request): (&Execution, &Request)| OpenRequest {
            code: request.code.clone(),
            execution: execution.request.id.clone(),
            action: execution.request.action.to_string(),
            line: execution.request.line.clone(),
            by: super::answer::name_of(&execution.request.by).to_owned(),
            hosts: execution.request.hosts.clone(),
            votes: request.voters(),
            quorum: request.terms.iter().map(|terms| terms.quorum).max().unwrap_or(1),
            state: request.state.word().to_owned(),
            until: request.until,
        };
        let mut requests: Vec<OpenRequest> = visible.map(row).collect();
        requests.sort_by(|one, other| (one.until, &one.code).cmp(&(other.until, &other.code)));
        super::answer::answer(step, request, Answer::Approvals { requests });
    }

    fn approval_row(
        &self,
        execution: &Execution,
        request: &Request,
        yours: bool,
        (now, zone): (Timestamp, &jiff::tz::TimeZone),
    ) -> ApprovalRow {
        ApprovalRow {
            request: request.code.clone(),
            id: execution.request.id.short().to_owned(),
            line: shown_line(execution),
            who: super::answer::name_of(&execution.request.by).to_owned(),
            votes: request.votes.len(),
            quorum: request.terms.iter().map(|terms| terms.quorum).max().unwrap_or(1),
            approved: request.state == State::Approved,
            until: zone::moment(request.until, now, zone),
            yours,
        }
    }
}

/// What a dialog says of the request that it decides.
pub(super) fn words(sentences: &Sentences, execution: &Execution, request: &Request) -> String {
    let count = execution.request.hosts.len();
    let hosts = if count == 0 { String::new() } else { shown_hosts(&execution.request.hosts) };
    sentences.say(&Card::DecisionDialog {
        line: shown_line(execution),
        request: request.code.clone(),
        who: super::answer::name_of(&execution.request.by).to_owned(),
        action: execution.request.action.to_string(),
        count,
        hosts,
    })
}

/// Who decided a request: those who said yes, or who ended it.
fn deciders(request: &Request) -> String {
    match request.state {
        State::Approved | State::Begun | State::Pending => request.voters().join(", "),
        State::Denied | State::Withdrawn | State::Expired | State::Void => {
            request.ended_by.as_ref().map(|by| super::answer::name_of(by).to_owned()).unwrap_or_default()
        }
    }
}

/// Why an execution did not begin.
fn ended(request: &Request) -> Phrase<'_> {
    let by = request.ended_by.as_ref().map(super::answer::name_of).unwrap_or_default();
    Phrase::NotApproved { state: request.state.word(), by, why: &request.why }
}
