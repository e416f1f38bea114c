//! Lines that wait for their time.
//!
//! A line is checked when it is written as if it were carried out then: what nobody could start now is refused now. **Rights and content
//! are looked at again when it is due**, by who its author is then; it means the alias that it meant when it was written, and if that starts
//! something else by now, nothing is run.
//!
//! **It is carried out once at most**: that it does not wait any more and what it started are one transaction. What was due while the bot
//! was away is carried out if that is not long ago, and otherwise told; what can do harm is only offered again then.

use super::hear::{HIGHEST, Speaker, is_there};
use super::start::Wish;
use super::{Bot, Moment, Step};
use crate::core::access::{Asker, Place};
use crate::core::action::execution::EffectClass;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::Alias;
use crate::core::chat::command::Command;
use crate::core::chat::when::{self, Due, Odd, When, Wrong};
use crate::core::effect::Effect;
use crate::core::fact::{Choice, Fact};
use crate::core::id::ExecutionId;
use crate::core::input::{Back, Identifying, Identity, Principal};
use crate::core::memory::Contradiction;
use crate::core::message::card::{Card, ScheduledRow, Unfit};
use crate::core::message::markdown;
use crate::core::message::span::span;
use crate::core::message::verdict::SHOWN_LINE;
use crate::core::message::zone;
use crate::core::schedule::{ScheduleEnd, Scheduled};
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What is due for longer than this was not carried out in time, and what can do harm is asked about.
const LATE: SignedDuration = SignedDuration::from_secs(30);
/// How long it is waited for word on who somebody is before that is asked again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How many lines one list shows.
const SHOWN: usize = 30;

/// What is known of a line that is due. Lost without harm.
#[derive(Debug, Clone, Copy)]
pub(super) struct LookedAfter {
    /// When it is looked after again.
    again: Timestamp,
    /// It was tried to find out who its author is.
    asked: bool,
}

impl Bot {
    /// Tells that a line begins with no time, where one was meant to stand there.
    pub(super) fn no_time(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
    ) -> Result<bool, Contradiction> {
        if !when::seems_timed(line) {
            return Ok(false);
        }
        self.not_done(step, speaker, "question");
        let card = Card::NotScheduled { line: self.masked(Some(speaker), line), unfit: Unfit::NoTime };
        self.say(step, moment, &speaker.back, &card)?;
        Ok(true)
    }

    /// `at 22:00 …`, `in 10m …`
    pub(super) fn schedule(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        when: When,
        line: &str,
    ) -> Result<(), Contradiction> {
        let Back::Chat { post, .. } = &speaker.back else { return Ok(()) };
        let zone_name = speaker.identity.zone.clone();
        let written = self.memory.written(post).unwrap_or(moment.at);
        let due = when::resolve(when, written, &self.clock(&zone_name));
        let theirs = self.memory.scheduled.values().filter(|known| is_of(known, speaker.identity)).count();
        let most = self.settings.limits.scheduled_per_user;
        let unfit = match &due {
            Err(Wrong::Over) => Some(Unfit::Over),
            Err(Wrong::TooFar) => Some(Unfit::TooFar),
            Ok(_) if theirs >= most => Some(Unfit::TooMany { most }),
            Ok(_) => None,
        };
        let found = match unfit {
            None => {
                let then = due.as_ref().map_or(moment.at, |due| due.at);
                let place = Place { then, ..self.place(&speaker.channel, speaker.direct, moment.at) };
                let rights = self.rights(Asker::Chat(speaker.identity), &place);
                self.meant(moment.at, &Speaker { rights, ..speaker.clone() }, line)
            }
            Some(unfit) => Err(Box::new(Card::NotScheduled { line: self.masked(Some(speaker), line), unfit })),
        };
        let (found, due) = match (found, due) {
            (Ok(found), Ok(due)) => (found, due),
            (Err(card), _) => {
                if matches!(*card, Card::NotScheduled { unfit: Unfit::Unknown, .. }) {
                    self.deny_forbidden(step, moment, speaker, line)?;
                }
                self.not_done(step, speaker, "question");
                return self.say(step, moment, &speaker.back, &card);
            }
            // The first of the two is not right then.
            (Ok(_), Err(_)) => return Ok(()),
        };
        let id = ExecutionId::generate(moment.at, moment.bits());
        let Due { at, odd } = due;
        let scheduled = Scheduled {
            id: id.clone(),
            line: line.to_owned(),
            alias: found.alias.reference.clone(),
            action: found.alias.action.clone(),
            by: speaker.principal(),
            back: speaker.back.clone(),
            direct: speaker.direct,
            due: at,
            zone: zone_name.clone(),
        };
        self.note(step, moment, Fact::Scheduled(Box::new(scheduled)))?;
        let card = Card::Scheduled {
            line: shown(line),
            id: id.short().to_owned(),
            at: zone::moment(at, moment.at, &self.clock(&zone_name)),
            wait: span(between(moment.at, at)),
            left_out: odd == Some(Odd::LeftOut),
            twice: odd == Some(Odd::Twice),
            zone_known: zone::named_zone(&zone_name).is_some(),
        };
        self.say(step, moment, &speaker.back, &card)
    }

    /// What a line would start if it were said now, or why it would start nothing.
    fn meant(&self, at: Timestamp, speaker: &Speaker<'_>, line: &str) -> Result<Match, Box<Card>> {
        let unfit = |line: String, unfit| Err(Box::new(Card::NotScheduled { line, unfit }));
        if Command::read(line).is_some() {
            return unfit(self.masked(Some(speaker), line), Unfit::OwnCommand);
        }
        let found = match self.select_here(speaker, line) {
            Selection::One(found) => found,
            Selection::None | Selection::Undecided(_) => {
                return unfit(self.masked(Some(speaker), line), Unfit::Unknown);
            }
            Selection::Ambiguous(found) => {
                let formats = found.iter().map(|found| found.display.to_string()).collect();
                return unfit(self.masked(Some(speaker), line), Unfit::Ambiguous { formats });
            }
        };
        // What waits is remembered, and a secret is not.
        if !self.secrets_in(&found).is_empty() {
            return unfit(self.masked(Some(speaker), line), Unfit::Secret);
        }
        for wish in self.wishes(at, speaker, (line, true), &found)? {
            self.would_begin(at, wish).map_err(|declined| Box::new(declined.card))?;
        }
        Ok(*found)
    }

    /// `scheduled`
    pub(super) fn scheduled(&self, speaker: &Speaker<'_>, now: Timestamp) -> Card {
        let zone = self.clock(&speaker.identity.zone);
        let mut seen: Vec<&Scheduled> =
            self.memory.scheduled.values().filter(|line| self.sees(speaker, line)).collect();
        seen.sort_by_key(|line| (line.due, &line.id));
        let rows = seen.iter().take(SHOWN).map(|line| ScheduledRow {
            id: line.id.short().to_owned(),
            line: shown(&line.line),
            who: super::answer::name_of(&line.by).to_owned(),
            at: zone::moment(line.due, now, &zone),
            wait: if line.due > now { span(between(now, line.due)) } else { String::new() },
        });
        Card::ScheduledLines { rows: rows.collect(), more: seen.len().saturating_sub(SHOWN) }
    }

    /// The line that waits under this id, for somebody who may take it off.
    pub(super) fn waits(&self, speaker: &Speaker<'_>, id: &str) -> Option<&Scheduled> {
        let mut found = self.memory.scheduled.values().filter(|line| line.id.as_str().ends_with(id));
        let line = found.next().filter(|_| found.next().is_none())?;
        let may = is_of(line, speaker.identity) || self.may_with_waiting(speaker, Verb::Run, line);
        may.then_some(line)
    }

    /// `cancel` for a line that waits.
    pub(super) fn unschedule(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        id: &str,
    ) -> Result<(), Contradiction> {
        let Some(line) = self.waits(speaker, id).cloned() else { return Ok(()) };
        let by = speaker.principal();
        self.end_waiting(step, moment, &line.id, ScheduleEnd::Canceled { by })?;
        let at = zone::moment(line.due, moment.at, &self.clock(&speaker.identity.zone));
        let who = if is_of(&line, speaker.identity) {
            String::new()
        } else {
            markdown::mention(super::answer::name_of(&line.by))
        };
        let card = Card::Unscheduled { line: shown(&line.line), at, who };
        self.say(step, moment, &speaker.back, &card)
    }

    /// When a line is looked after next.
    pub(super) fn next_look(&self, line: &Scheduled) -> Timestamp {
        self.looked_after.get(&line.id).map_or(line.due, |looked| looked.again)
    }

    /// Finds out who the authors of lines are that are due.
    pub(super) fn look_after_due(&mut self, step: &mut Step, moment: &Moment) -> Result<(), Contradiction> {
        let due: Vec<Scheduled> =
            self.memory.scheduled.values().filter(|line| self.next_look(line) <= moment.at).cloned().collect();
        for line in due {
            let late = moment.at.duration_since(line.due);
            let asked = self.looked_after.get(&line.id).is_some_and(|looked| looked.asked);
            if late > SignedDuration::try_from(self.settings.limits.scheduled_late).unwrap_or(SignedDuration::MAX) {
                self.end_waiting(step, moment, &line.id, ScheduleEnd::Missed)?;
                let card = Card::DueMissed {
                    who: mention(&line.by),
                    line: shown(&line.line),
                    at: zone::moment(line.due, moment.at, &self.clock(&line.zone)),
                    away: !asked,
                };
                self.say(step, moment, &line.back, &card)?;
                continue;
            }
            let ready = self.knows_the_chat() && !self.stopping;
            let again = moment.at.saturating_add(AGAIN).unwrap_or(Timestamp::MAX);
            self.looked_after.insert(line.id.clone(), LookedAfter { again, asked: asked || ready });
            if let (true, Principal::ChatUser { id: user, .. }) = (ready, &line.by) {
                let channels = self.role_channels();
                let of = Identifying::Due(line.id.clone());
                step.effects.push(Effect::Identify { of, users: vec![user.clone()], channels });
            }
        }
        Ok(())
    }

    /// It is known who the author of a line is that is due.
    pub(super) fn identified(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        id: &ExecutionId,
        identity: Option<&Identity>,
    ) -> Result<(), Contradiction> {
        let Some(line) = self.memory.scheduled.get(id).cloned() else { return Ok(()) };
        let (Some(identity), Back::Chat { channel, .. }) = (identity, &line.back) else { return Ok(()) };
        if self.stopping || line.due > moment.at {
            return Ok(());
        }
        let rights = self.rights(Asker::Chat(identity), &self.place(channel, line.direct, moment.at));
        let speaker = Speaker {
            identity,
            rights,
            back: line.back.clone(),
            channel: channel.clone(),
            direct: line.direct,
            here: self.names_in(channel, line.direct),
            missed: None,
            at: moment.at,
        };
        let at = zone::moment(line.due, moment.at, &self.clock(&line.zone));
        let refused = |why| Card::DueRefused { who: mention(&line.by), line: shown(&line.line), at: at.clone(), why };
        let found = match self.meant_then(&speaker, &line) {
            Ok(found) => found,
            Err(why) => {
                let why = why.map(|card| self.sentences.say(&card)).unwrap_or_default();
                self.end_waiting(step, moment, id, ScheduleEnd::Refused)?;
                return self.say(step, moment, &line.back, &refused(why));
            }
        };
        let harmful =
            self.catalog.actions.get(&line.action).is_none_or(|found| found.effect == EffectClass::Destructive);
        if harmful && moment.at.duration_since(line.due) > LATE {
            return self.ask_whether_still(step, moment, &speaker, &line, at);
        }
        let ready = self.wishes(moment.at, &speaker, (&line.line, true), &found).and_then(|wishes| {
            let completed = wishes.into_iter().map(|wish| match self.held_back(&wish) {
                Some(declined) => Err(declined),
                None => self.would_begin(moment.at, wish).map(|(wish, _)| wish),
            });
            completed.collect::<Result<Vec<Wish>, _>>().map_err(|declined| Box::new(declined.card))
        });
        let (wishes, mut why) = match ready {
            Ok(wishes) => (wishes, None),
            Err(card) => (Vec::new(), Some(self.sentences.say(&card))),
        };
        let mut executions = Vec::new();
        for wish in wishes {
            match self.start(step, moment, wish)? {
                Ok(execution) => executions.push(execution),
                // The bound on executions may be reached on the way.
                Err(declined) => why = Some(self.sentences.say(&declined.card)),
            }
        }
        let end = if executions.is_empty() { ScheduleEnd::Refused } else { ScheduleEnd::Begun { executions } };
        self.end_waiting(step, moment, id, end)?;
        match why {
            Some(why) => self.say(step, moment, &line.back, &refused(why)),
            None => Ok(()),
        }
    }

    /// What a line means now that it is due. Where it means nothing that may be run, a sentence that says so, or none where what is not
    /// there and what may not be seen have to look alike.
    fn meant_then(&self, speaker: &Speaker<'_>, line: &Scheduled) -> Result<Match, Option<Box<Card>>> {
        if !speaker.rights.any() {
            return Err(Some(Box::new(Card::NoRole)));
        }
        let eyes = self.eyes(&speaker.rights);
        let wanted = |alias: &Alias| {
            alias.reference == line.alias && is_there(alias, &speaker.here) && eyes.may_use(Verb::Run, alias)
        };
        match self.select(speaker, &line.line, &wanted) {
            Selection::One(found) if found.alias.action == line.action => Ok(*found),
            _ => Err(None),
        }
    }

    /// What can do harm is not done late without a second word.
    fn ask_whether_still(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &Scheduled,
        at: String,
    ) -> Result<(), Contradiction> {
        let key = (speaker.identity.id.clone(), speaker.channel.clone());
        let open = self.memory.choices.get(&key).filter(|offer| moment.at <= offer.until);
        let mut lines = open.map(|offer| offer.lines.clone()).unwrap_or_default();
        lines.push(Choice { line: line.line.clone(), alias: Some(line.alias.clone()), again: true });
        let number = lines.len();
        let who = mention(&line.by);
        if number > HIGHEST {
            self.end_waiting(step, moment, &line.id, ScheduleEnd::Missed)?;
            let card = Card::DueMissed { who, line: shown(&line.line), at, away: true };
            return self.say(step, moment, &line.back, &card);
        }
        self.end_waiting(step, moment, &line.id, ScheduleEnd::Asked)?;
        self.offer(step, moment, speaker, lines)?;
        self.say(step, moment, &line.back, &Card::DueAsked { who, line: shown(&line.line), at, number })
    }

    /// Whether somebody sees that a line waits.
    fn sees(&self, speaker: &Speaker<'_>, line: &Scheduled) -> bool {
        is_of(line, speaker.identity) || self.may_with_waiting(speaker, Verb::View, line)
    }

    fn end_waiting(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        end: ScheduleEnd,
    ) -> Result<(), Contradiction> {
        self.looked_after.remove(id);
        self.note(step, moment, Fact::ScheduleEnded { id: id.clone(), end })
    }
}

fn is_of(line: &Scheduled, identity: &Identity) -> bool {
    matches!(&line.by, Principal::ChatUser { id, .. } if *id == identity.id)
}

fn mention(by: &Principal) -> String {
    match by {
        Principal::ChatUser { name, .. } => markdown::mention(name),
        Principal::LocalUser { .. } | Principal::Rule { .. } => String::new(),
    }
}

fn shown(line: &str) -> String {
    markdown::code(&markdown::shorten(line, SHOWN_LINE))
}

fn between(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
