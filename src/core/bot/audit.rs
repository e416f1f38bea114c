//! Somebody asks for the audit, and its newest hash is told once a day.
//!
//! The audit itself is made by the store of the facts; here it is asked for and shown. **Whoever administers the bot sees all of it**; others see
//! what was done with the actions that they may view, and only administrators have it checked or its newest hash told.
//!
//! **A checkpoint is told where the store's owner cannot take it back**: in the admin channel, a day after the last one if there is anything
//! new, and whenever somebody asks for one.

use super::answer::{answer, name_of};
use super::hear::Speaker;
use super::{Bot, Moment, Step};
use crate::core::access::Rights;
use crate::core::audit::chain::{Head, Parts, Verdict};
use crate::core::audit::question::{Asker, Question, Told};
use crate::core::audit::{Entry, Event};
use crate::core::chat::command::AuditCommand;
use crate::core::chat::pace::Passage;
use crate::core::effect::{Answer, Effect};
use crate::core::fact::Fact;
use crate::core::id::{ActionRef, ChannelId, RequestId, UserId};
use crate::core::input::{Back, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::{AuditRow, Card};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::message::verdict::{SHOWN_LINE, mark};
use crate::core::message::zone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long after a checkpoint the next one is told by itself.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How soon it is looked again whether there is anything new to tell.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How soon it is tried again while nothing can be said.
const SOON: SignedDuration = SignedDuration::from_mins(1);

impl Bot {
    /// Notes that somebody asked for what they have no right to. What it is called is for the audit alone: the answer may not know of it.
    pub(super) fn deny(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        (by, from): (&Principal, &Back),
        line: String,
        action: Option<&ActionRef>,
        needed: String,
    ) -> Result<(), Contradiction> {
        // Lines of chat are bounded already where they are taken up.
        if let Principal::LocalUser { uid, .. } = by {
            let (user, place) = (UserId::new(format!("uid {uid}")), ChannelId::new(format!("control socket of {uid}")));
            if !matches!(self.pace.take(&user, &place, moment.at, &self.settings.limits), Passage::Open) {
                return Ok(());
            }
        }
        let (by, from, action) = (by.clone(), from.clone(), action.cloned());
        self.note(step, moment, Fact::AccessDenied { by, from, line, action, needed })
    }

    /// `audit …`
    pub(super) fn hear_of_audit(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
        command: AuditCommand,
    ) -> Result<(), Contradiction> {
        let (words, question) = match command {
            AuditCommand::Show { most, filter, words } => (words, Question::Newest { most, filter }),
            AuditCommand::Verify => (String::new(), Question::Verify { known: Vec::new() }),
            AuditCommand::Checkpoint => (String::new(), Question::Head),
        };
        let by = speaker.principal();
        let Some(question) = self.audit_question(&speaker.rights, question) else {
            self.not_done(step, speaker, "no_entry");
            self.deny(step, moment, (&by, &speaker.back), line.to_owned(), None, "admin:*".to_owned())?;
            let card = Card::NotAdmin { command: line.to_owned(), who: self.administrators() };
            return self.say(step, moment, &speaker.back, &card);
        };
        if let Back::Chat { channel, root, post } = speaker.back.clone() {
            self.note(step, moment, Fact::AnswerOwed { post, channel, root, line: line.to_owned() })?;
        }
        let zone = speaker.identity.zone.clone();
        let asker = Asker { by, back: speaker.back.clone(), zone, words };
        step.effects.push(Effect::Audit { question, asker: Some(Box::new(asker)) });
        Ok(())
    }

    /// Asked over the control socket.
    pub(super) fn asked_for_audit(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        request: RequestId,
        by: Principal,
        rights: &Rights,
        question: Question,
    ) -> Result<(), Contradiction> {
        let back = Back::Request { request };
        let Some(question) = self.audit_question(rights, question) else {
            self.deny(step, moment, (&by, &back), "audit".to_owned(), None, "admin:*".to_owned())?;
            let card = Card::NotAdmin { command: "audit".to_owned(), who: self.administrators() };
            return self.say(step, moment, &back, &card);
        };
        let asker = Asker { by, back, zone: String::new(), words: String::new() };
        step.effects.push(Effect::Audit { question, asker: Some(Box::new(asker)) });
        Ok(())
    }

    /// The question as far as somebody may ask it.
    fn audit_question(&self, rights: &Rights, question: Question) -> Option<Question> {
        match question {
            Question::Newest { most, filter } => Some(Question::Newest {
                most: most.min(crate::core::audit::filter::MOST),
                filter: filter.for_rights(rights),
            }),
            Question::Verify { mut known } if rights.administers() => {
                known.extend(self.memory.checkpoints.iter().map(|checkpoint| checkpoint.head.clone()));
                Some(Question::Verify { known })
            }
            Question::Head if rights.administers() => Some(Question::Head),
            Question::Verify { .. } | Question::Head => None,
        }
    }

    /// The audit has been looked at.
    pub(super) fn audited(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        asker: Option<Asker>,
        told: Result<Told, String>,
    ) -> Result<(), Contradiction> {
        let told = match (told, &asker) {
            (Ok(told), _) => told,
            (Err(_), None) => return Ok(()),
            (Err(why), Some(asker)) => {
                if let Back::Request { request } = asker.back {
                    answer(step, request, Answer::Failed { text: why });
                    return Ok(());
                }
                return self.say(step, moment, &asker.back, &Card::LookUpFailed { why });
            }
        };
        let Some(asker) = asker else {
            let Told::Head { head } = told else { return Ok(()) };
            return self.tell_daily(step, moment, head);
        };
        if let Told::Head { head } = &told {
            self.tell_checkpoint(step, moment, head, Some(&asker))?;
        }
        if let Back::Request { request } = asker.back {
            answer(step, request, Answer::Audit { told });
            return Ok(());
        }
        let card = match told {
            Told::Head { head } => Card::Checkpoint { number: head.number, hash: head.hash, daily: false },
            Told::Verified { verdict } => verified(&verdict),
            Told::Lines { lines, since } => {
                let entries = lines.iter().filter_map(|line| Parts::of(line)?.decode());
                let rows = entries.map(|entry| self.audit_row(&entry, moment.at, &asker.zone)).collect();
                Card::Audit { rows, words: asker.words, since: since.unwrap_or_default() }
            }
        };
        self.say(step, moment, &asker.back, &card)
    }

    /// Notes a checkpoint, and tells it where the administrators are unless it was asked for there.
    fn tell_checkpoint(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        head: &Head,
        asker: Option<&Asker>,
    ) -> Result<(), Contradiction> {
        if head.number == 0 {
            return Ok(());
        }
        let (by, from) = (asker.map(|asker| asker.by.clone()), asker.map(|asker| asker.back.clone()));
        let admin = self.admin_channel();
        let there = matches!(&from, Some(Back::Chat { channel, .. }) if Some(channel) == admin.as_ref());
        self.note(step, moment, Fact::CheckpointTold { head: head.clone(), by, from })?;
        if there {
            return Ok(());
        }
        let card = Card::Checkpoint { number: head.number, hash: head.hash.clone(), daily: asker.is_none() };
        self.tell_admins(step, moment, card.template(), &card)
    }

    fn tell_daily(&mut self, step: &mut Step, moment: &mut Moment, head: Head) -> Result<(), Contradiction> {
        // The entry that a checkpoint makes of itself is nothing new.
        let told = self.memory.checkpoints.last().map_or(0, |checkpoint| checkpoint.head.number + 1);
        if head.number <= told || self.admin_channel().is_none() {
            return Ok(());
        }
        self.tell_checkpoint(step, moment, &head, None)
    }

    /// When the newest hash is told next.
    pub(super) fn next_checkpoint(&self) -> Option<Timestamp> {
        self.settings.admin_channel.as_ref()?;
        let last = self.memory.checkpoints.last().map(|checkpoint| checkpoint.at).or(self.memory.begun())?;
        let due = last.saturating_add(EVERY).unwrap_or(Timestamp::MAX);
        Some(self.checkpoint_again.map_or(due, |again| due.max(again)))
    }

    /// Has the newest hash told when that is due.
    pub(super) fn look_after_checkpoint(&mut self, step: &mut Step, moment: &Moment) {
        if self.next_checkpoint().is_none_or(|due| due > moment.at) {
            return;
        }
        let ready = self.me().is_some() && self.admin_channel().is_some() && !self.stopping;
        self.checkpoint_again = moment.at.saturating_add(if ready { AGAIN } else { SOON }).ok();
        if ready {
            step.effects.push(Effect::Audit { question: Question::Head, asker: None });
        }
    }

    /// The audit was damaged when the process started.
    pub(super) fn audit_set_aside(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        place: String,
        why: String,
        head: Head,
    ) -> Result<(), Contradiction> {
        if self.memory.audit_aside.as_ref() == Some(&place) {
            return Ok(());
        }
        let said = self.sentences.phrase(&Phrase::AuditSetAside { place: &place, why: &why });
        self.note(step, moment, Fact::AuditSetAside { place, why, head })?;
        self.note(step, moment, Fact::Frozen { why: said, by: None, from: None })
    }

    fn audit_row(&self, entry: &Entry, now: Timestamp, zone_name: &str) -> AuditRow {
        let about = match (&entry.line, &entry.action) {
            (line, _) if !line.is_empty() => line.clone(),
            (_, Some(action)) => action.to_string(),
            (_, None) => entry.names.join(", "),
        };
        let took = entry.milliseconds.map(|took| span(Duration::from_millis(took))).unwrap_or_default();
        let hosts = |hosts: &Option<crate::core::audit::entry::Hosts>| {
            hosts.as_ref().map(|hosts| markdown::code(&markdown::shorten(&hosts.names, SHOWN_LINE))).unwrap_or_default()
        };
        let sign = match (entry.event, entry.status) {
            (Event::Ended, Some(status)) => mark(status),
            (Event::Refused | Event::CallbackRefused | Event::ScheduleRefused, _) => "no_entry",
            (Event::Frozen, _) => "ice_cube",
            (Event::Checkpoint, _) => "bookmark",
            (Event::SetAside | Event::Cut | Event::Begun, _) => "warning",
            _ => "",
        };
        AuditRow {
            number: entry.number,
            at: zone::moment(entry.at, now, &self.clock(zone_name)),
            event: entry.event.word(),
            mark: sign,
            who: entry.by.as_ref().map(|by| name_of(by).to_owned()).unwrap_or_default(),
            about: if about.is_empty() { about } else { markdown::code(&markdown::shorten(&about, SHOWN_LINE)) },
            id: entry.execution.as_ref().map(|id| id.short().to_owned()).unwrap_or_default(),
            count: entry.hosts.as_ref().map_or(0, |hosts| hosts.count),
            hosts: hosts(&entry.hosts),
            status: entry.status.map_or("", crate::core::action::execution::Status::word),
            failed: hosts(&entry.failed),
            reason: markdown::shorten(&entry.reason, SHOWN_LINE),
            took,
        }
    }
}

fn verified(verdict: &Verdict) -> Card {
    Card::AuditVerified {
        sound: verdict.is_sound(),
        entries: verdict.entries,
        first: verdict.first,
        number: verdict.head.number,
        hash: verdict.head.hash.clone(),
        checkpoints: verdict.checkpoints,
        flaws: verdict.flaws.iter().map(ToString::to_string).collect(),
        more: verdict.more,
    }
}
