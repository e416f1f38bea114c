//! Decisions by buttons, dialogs and emojis: what they mean is a [`Decision`] like that of a line.
//!
//! A yes that has to name its target or a reason, and every no, opens a dialog. An emoji can say neither, so where one is needed its author is told
//! in the thread what to write. **An emoji that is read again says nothing new**: it may have been taken back by a word since.

use super::approval_card::{stands_in, words};
use super::press::Presser;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Place, Rights};
use crate::core::action::execution::Execution;
use crate::core::approval::request::{Event, Request, State, Via, Voter};
use crate::core::approval::{Decision, Verdict};
use crate::core::callback::{Button, ButtonStyle, Dialog, DialogField, FieldKind, Meaning, Reply, Subject};
use crate::core::effect::Effect;
use crate::core::id::{ChannelId, ExecutionId, PostId, UserId};
use crate::core::input::{HeardReaction, Identity};
use crate::core::memory::{Contradiction, card_of};
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{Card, Said};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The words for what a button means.
const APPROVE: &str = "approve";
const DENY: &str = "deny";
/// The names of the fields of a dialog.
const TARGET: &str = "target";
const REASON: &str = "reason";
/// Emojis that say yes, and that say no.
const YES: [&str; 3] = ["+1", "thumbsup", "white_check_mark"];
const NO: [&str; 3] = ["-1", "thumbsdown", "x"];

impl Bot {
    /// What stands below the card of an execution that waits: buttons while it is being decided about, nothing otherwise.
    pub(super) fn decision_buttons(&self, execution: &Execution) -> Vec<Attachment> {
        let Some(request) = execution.approval.as_deref().filter(|request| request.state == State::Pending) else {
            return Vec::new();
        };
        if !self.settings.buttons {
            return Vec::new();
        }
        let button = |action: &str, style| Button {
            id: action.to_owned(),
            label: self.words(action),
            style,
            meaning: Meaning {
                subject: Subject::Approval { execution: execution.request.id.clone() },
                action: action.to_owned(),
                value: None,
                revision: request.revision,
                until: request.until,
            },
        };
        let buttons = vec![button(APPROVE, ButtonStyle::Good), button(DENY, ButtonStyle::Danger)];
        vec![Attachment { fallback: request.code.clone(), buttons, ..Attachment::default() }]
    }

    fn words(&self, of: &str) -> String {
        self.sentences.phrase(&Phrase::DecisionForm { of })
    }

    /// Somebody pressed a button of the card.
    pub(super) fn decide_by_press(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        trigger: &str,
        execution: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let approves = presser.meaning.action == APPROVE;
        if let Some(dialog) = self.dialog_for(moment.at, presser, execution, approves) {
            let (request, trigger) = (presser.request, trigger.to_owned());
            let otherwise = self.words("write");
            let dialog = Box::new(dialog);
            step.effects.push(Effect::OpenDialog { request, trigger, dialog, otherwise });
            return Ok(());
        }
        let verdict = if approves { Verdict::Approve } else { Verdict::Deny };
        let (_, text) = self.decide_for(step, moment, presser, execution, verdict, String::new())?;
        step.effects.push(Effect::Reply { request: presser.request, reply: Reply::text(text) });
        Ok(())
    }

    /// Somebody submitted the dialog of a button.
    pub(super) fn decide_by_dialog(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        execution: &ExecutionId,
        values: &BTreeMap<String, Value>,
    ) -> Result<(), Contradiction> {
        let put_in = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let verdict = if presser.meaning.action == APPROVE { Verdict::Approve } else { Verdict::Deny };
        let (target, reason) = (put_in(TARGET), put_in(REASON));
        let line = match target.split_whitespace().count() {
            // What is no single word is no target, and must not be taken for a reason.
            0 | 1 => format!("{target} {reason}"),
            _ => format!("{} {reason}", target.split_whitespace().collect::<String>()),
        };
        let (said, text) = self.decide_for(step, moment, presser, execution, verdict, line)?;
        let field = match said {
            Some(Said::Target | Said::OtherTarget) => Some(TARGET),
            Some(Said::Why | Said::DenyWhy) => Some(REASON),
            _ => None,
        };
        let reply = match field {
            Some(field) => Reply { complaints: BTreeMap::from([(field.to_owned(), bare(&text))]), ..Reply::default() },
            None => Reply::text(text),
        };
        step.effects.push(Effect::Reply { request: presser.request, reply });
        Ok(())
    }

    fn decide_for(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        execution: &ExecutionId,
        verdict: Verdict,
        words: String,
    ) -> Result<(Option<Said>, String), Contradiction> {
        let rights = self.rights_at_card(&presser.identity, execution, moment.at);
        let decision = Decision { of: execution.to_string(), verdict, words, via: Via::Button };
        let card = self.decide(step, moment, &presser.identity, &rights, decision)?;
        let said = match &card {
            Card::Decided(decided) => Some(decided.said),
            _ => None,
        };
        if said.is_some_and(Said::is_taken) {
            self.press_taken(step, moment, presser)?;
        }
        Ok((said, self.sentences.say(&card)))
    }

    /// What somebody may do who decides on the card itself.
    fn rights_at_card(&self, identity: &Identity, id: &ExecutionId, at: Timestamp) -> Rights {
        let execution = self.memory.executions.get(id);
        let place = execution.map(|execution| self.place_of_vote(execution, &Via::Button, at));
        self.rights(Asker::Chat(identity), &place.unwrap_or_else(|| Place::outside(at)))
    }

    /// What has to be filled in before a press decides; nothing where the press says it all, or decides nothing anyway.
    fn dialog_for(&self, at: Timestamp, presser: &Presser, id: &ExecutionId, approves: bool) -> Option<Dialog> {
        let execution = self.memory.executions.get(id)?;
        let request = execution.approval.as_deref().filter(|request| request.state == State::Pending)?;
        let rights = self.rights_at_card(&presser.identity, id, at);
        let counts = self.counts(&presser.identity, &rights, &request.terms, execution);
        if counts.is_empty() || request.votes.contains_key(&presser.identity.id) && approves {
            return None;
        }
        let terms = || counts.iter().map(|place| &request.terms[*place]);
        let target = if terms().any(|terms| terms.confirm_target) { super::approve::target(execution) } else { "" };
        let target = if approves { target } else { "" };
        let reason = !approves || terms().any(|terms| terms.reason_required);
        if target.is_empty() && !reason {
            return None;
        }
        let field = |name: &str, label: &str, help: &str, optional, kind| DialogField {
            name: name.to_owned(),
            label: self.words(label),
            help: if help.is_empty() { String::new() } else { self.words(help) },
            default: String::new(),
            optional,
            kind,
        };
        let mut fields = Vec::new();
        if !target.is_empty() {
            fields.push(field(TARGET, target, "look", false, FieldKind::Line));
        }
        if reason || approves {
            fields.push(field(REASON, REASON, "", !reason, FieldKind::Line));
        }
        Some(Dialog {
            title: self.words(if approves { APPROVE } else { DENY }),
            introduction: words(&self.sentences, execution, request),
            submit: self.words(if approves { APPROVE } else { DENY }),
            fields,
            meaning: presser.meaning.clone(),
            user: presser.identity.id.clone(),
            card: presser.card.clone(),
        })
    }

    /// Somebody put an emoji on a card, or took it away.
    pub(super) fn decide_by_reaction(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reaction: &HeardReaction,
    ) -> Result<(), Contradiction> {
        let Some(identity) = &reaction.identity else { return Ok(()) };
        let emoji = reaction.emoji.as_str();
        let Some((id, request)) = self.request_at(&reaction.post) else { return Ok(()) };
        let vote = request.votes.get(&identity.id);
        let verdict = if YES.contains(&emoji) {
            match (reaction.removed, vote) {
                (true, Some(vote)) if vote.via == Via::Reaction => Verdict::Revoke,
                (false, None) => Verdict::Approve,
                _ => return Ok(()),
            }
        } else if NO.contains(&emoji) && !reaction.removed {
            Verdict::Deny
        } else {
            return Ok(());
        };
        let taken_back = request.taken_back.get(&identity.id).is_some_and(|at| reaction.created <= *at);
        if verdict == Verdict::Approve && taken_back {
            return Ok(());
        }
        let rights = self.rights_at_card(identity, &id, moment.at);
        let decision = Decision { of: id.to_string(), verdict, words: String::new(), via: Via::Reaction };
        let card = self.decide(step, moment, identity, &rights, decision)?;
        let Card::Decided(decided) = &card else { return Ok(()) };
        // The card shows what has become of it; whoever had no effect is told once.
        let key = (id.clone(), identity.id.clone(), decided.said);
        if decided.said.is_taken() || decided.said == Said::Unknown || !self.told_by_emoji.insert(key) {
            return Ok(());
        }
        let Some(execution) = self.memory.executions.get(&id).cloned() else { return Ok(()) };
        let who = markdown::mention(&identity.username);
        let what = format!("emoji-{}-{}", moment.at.as_millisecond(), step.facts.len());
        self.reply_to(step, moment, &execution, &what, &card, &who)
    }

    /// All emojis of a card have been read: a yes whose emoji is gone is taken back.
    pub(super) fn without_emoji(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        post: &PostId,
        reactions: &[HeardReaction],
    ) -> Result<(), Contradiction> {
        let Some((id, request)) = self.request_at(post) else { return Ok(()) };
        let stands = |user: &UserId| {
            reactions
                .iter()
                .any(|reaction| reaction.user == *user && !reaction.removed && YES.contains(&reaction.emoji.as_str()))
        };
        let gone: Vec<_> = request
            .votes
            .iter()
            .filter(|(user, vote)| vote.via == Via::Reaction && !stands(user))
            .map(|(user, vote)| Voter { id: user.clone(), name: vote.name.clone() })
            .collect();
        let some = !gone.is_empty();
        for by in gone {
            self.hear_event(step, moment, &id, Event::Revoked { by })?;
        }
        if some { self.show_changed(step, moment, &id) } else { Ok(()) }
    }

    /// The posts on which an emoji decides something.
    pub(super) fn cards_to_decide(&self) -> Vec<(ChannelId, PostId)> {
        let pending = self.open_requests().filter(|(_, request)| request.state == State::Pending);
        pending
            .filter_map(|(execution, _)| {
                let post = self.memory.posts.get(&card_of(&execution.request.id))?;
                Some((stands_in(execution)?.0.clone(), post.clone()))
            })
            .collect()
    }

    /// The request whose card is this post, while it is being decided about.
    fn request_at(&self, post: &PostId) -> Option<(ExecutionId, Request)> {
        let pending = self.open_requests().filter(|(_, request)| request.state == State::Pending);
        let mut found = pending
            .filter(|(execution, _)| self.memory.posts.get(&card_of(&execution.request.id)) == Some(post))
            .map(|(execution, request)| (execution.request.id.clone(), request.clone()));
        found.next()
    }
}

/// A sentence as a dialog shows it beside a field.
fn bare(text: &str) -> String {
    markdown::bare(text)
}
