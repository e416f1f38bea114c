//! A post was heard. It is taken up at most once, ever; every line meant for the bot is answered.

use super::clarify::only_lack;
use super::may::Question;
use super::start::{Declined, Wish, numbered};
use super::{Bot, Moment, Step, react, unreact};
use crate::core::access::{Asker, Rights};
use crate::core::action::execution::EffectClass;
use crate::core::alias::grammar::MOST_MATCHES;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::{Alias, DIRECT};
use crate::core::alias::suggest;
use crate::core::chat::address::{Meant, addressed};
use crate::core::chat::admission::admit;
use crate::core::chat::command::{self, Command};
use crate::core::chat::pace::Passage;
use crate::core::chat::secret::hide;
use crate::core::effect::{Effect, Query};
use crate::core::fact::{Choice, Fact};
use crate::core::id::{AliasRef, ChannelId, PostId};
use crate::core::input::{Back, ChannelKind, HeardPost, Identity, PostMarks, Principal, Purpose, Ticket};
use crate::core::memory::{Contradiction, answers};
use crate::core::message::card::{Card, HelpLine, Numbered};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::settings::Verb;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How many commands that begin alike are shown to somebody who left something out.
const MOST_ALIKE: usize = 5;
/// The sign on a line that was heard and is worked on.
pub(super) const HEARD: &str = "eyes";
/// How long an offered choice stands.
const OFFER: SignedDuration = SignedDuration::from_mins(10);
/// The highest number that can be chosen.
pub(super) const HIGHEST: usize = 99;

/// Who wrote a line that is being taken up, and where its answer goes.
#[derive(Debug, Clone)]
pub(super) struct Speaker<'a> {
    pub(super) identity: &'a Identity,
    pub(super) rights: Rights,
    pub(super) back: Back,
    pub(super) channel: ChannelId,
    /// Nobody else reads it.
    pub(super) direct: bool,
    /// What the channel is called where an alias is bound to some.
    pub(super) here: Vec<String>,
    /// How long ago the line was written, where that was not heard as it happened.
    pub(super) missed: Option<String>,
    /// The moment of the decision.
    pub(super) at: Timestamp,
}

impl Speaker<'_> {
    pub(super) fn principal(&self) -> Principal {
        Principal::ChatUser { id: self.identity.id.clone(), name: self.identity.username.clone() }
    }
}

impl Bot {
    pub(super) fn hear(&mut self, step: &mut Step, moment: &mut Moment, post: &HeardPost) -> Result<(), Contradiction> {
        self.considered(post);
        let Some((me, username)) = self.own.clone() else { return Ok(()) };
        let username = username.as_str();
        if post.author == me {
            return self.recognise(step, moment, post);
        }
        let changed = self.changed_unread(post);
        let original = || HeardPost { marks: PostMarks { edited: false, ..post.marks.clone() }, ..post.clone() };
        let admitted = if changed { admit(&original(), &me) } else { admit(post, &me) };
        if admitted.is_err() || self.memory.has_taken(&post.id) {
            return Ok(());
        }
        let direct = post.channel_kind == ChannelKind::Direct;
        let found = addressed(&post.message, username, direct, &self.settings);
        let words = found.map_or(post.message.trim(), |(_, line)| line);
        let value_of = self.value_of(post, words, found.is_some(), moment.at);
        let chosen = if value_of.is_some() { None } else { self.chosen(post, words, found.is_some(), moment.at) };
        let (meant, line) = match found {
            _ if chosen.is_some() || value_of.is_some() => (Meant::Surely, words),
            Some(found) => found,
            None => return Ok(()),
        };
        let line = line.to_owned();
        let called_by_name = post.message.trim_start().starts_with('@');
        let elsewhere = !direct && !self.hears(&post.channel);
        if (elsewhere && !called_by_name) || (meant == Meant::Perhaps && !self.understands(&line, post, moment.at)) {
            return Ok(());
        }

        let taken = Fact::PostTaken { post: post.id.clone(), channel: post.channel.clone(), created: post.created };
        self.note(step, moment, taken)?;
        react(step, &post.channel, &post.id, HEARD);
        let back = Back::Chat { channel: post.channel.clone(), root: post.root.clone(), post: post.id.clone() };
        let ago = span(Duration::try_from(post.heard.duration_since(post.created)).unwrap_or_default());
        let speaker = post.identity.as_ref().map(|identity| self.speaker(post, identity, moment.at));
        let late = changed || self.is_late(post);
        // Whatever it will be answered with: a program that takes every answer for a question goes on for ever. What is read of long ago has a
        // bound of its own, so that what is asked now is not kept waiting by it.
        let pace = if late { &mut self.late_pace } else { &mut self.pace };
        let passage = pace.take(&post.author, &post.channel, moment.at, &self.settings.limits);
        if passage != Passage::Open {
            return self.too_fast(step, moment, post, passage, late);
        }
        let refusal = if elsewhere {
            Some(Card::Elsewhere { channels: self.settings.channels.clone() })
        } else if self.stopping {
            Some(Card::Stopping)
        } else if late {
            let line = value_of
                .as_ref()
                .map_or_else(|| self.masked(speaker.as_ref(), &line), |lack| self.completed(lack, &line).0);
            Some(Card::Late { line, ago: ago.clone() })
        } else if line.is_empty() {
            Some(Card::Called)
        } else {
            None
        };
        if let Some(card) = refusal {
            return self.say(step, moment, &back, &card);
        }
        let Some(speaker) = speaker else {
            return self.say(step, moment, &back, &Card::NotIdentified { line: self.masked(None, &line) });
        };
        let speaker = Speaker { missed: post.missed.then_some(ago), ..speaker };
        if let Some(lack) = value_of {
            return self.value_given(step, moment, &speaker, post.root.as_ref(), &lack, &line);
        }
        if let Some((number, choice)) = chosen {
            // What answers a question leaves an offer as it stands.
            if let Some(number) = number {
                self.use_up(step, moment, &speaker, number)?;
            }
            return self.obey(step, moment, &speaker, &choice.line, choice.alias.as_ref());
        }
        self.leave_question(step, moment, &speaker, post, &line)?;
        self.obey(step, moment, &speaker, &line, None)
    }

    /// The line that a number picks from an open offer. What was offered in a thread is answered there: elsewhere a number is more
    /// likely part of another talk.
    fn chosen(&self, post: &HeardPost, words: &str, called: bool, now: Timestamp) -> Option<(Option<usize>, Choice)> {
        let Some(Command::Choose(number)) = Command::read(words) else { return None };
        let answered = self.answered(post, number, called).map(|choice| (None, choice));
        if answered.is_some() && post.root.is_some() {
            return answered;
        }
        self.offered(post, number, now).map(|choice| (Some(number), choice)).or(answered)
    }

    fn offered(&self, post: &HeardPost, number: usize, now: Timestamp) -> Option<Choice> {
        let offer = self.memory.choices.get(&(post.author.clone(), post.channel.clone()))?;
        let thread = match &offer.back {
            Back::Chat { root, .. } => root.is_none() || *root == post.root,
            Back::Request { .. } | Back::Told { .. } => false,
        };
        // A number that is older than the question belongs to another talk, and may be read late.
        let asked = match &offer.back {
            Back::Chat { post, .. } => self.memory.written(post),
            Back::Request { .. } | Back::Told { .. } => None,
        };
        if !thread || now > offer.until || asked.is_some_and(|asked| post.created < asked) {
            return None;
        }
        let choice = offer.lines.get(number - 1).filter(|choice| !choice.line.is_empty())?;
        Some(choice.clone())
    }

    /// Whether a bare line means something to the bot, said by this person. Of somebody whom the server does not tell, it means something where it
    /// would for anybody: they are owed an answer then, as with an address.
    pub(super) fn understands(&self, line: &str, post: &HeardPost, now: Timestamp) -> bool {
        match Command::read(line) {
            None => {}
            Some(Command::Choose(_)) => return false,
            Some(Command::Again(_)) => return line == "!!" && self.is_fresh(&post.author, &post.channel, now),
            Some(_) => return true,
        }
        let Some(identity) = &post.identity else {
            let here = self.names_in(&post.channel, post.channel_kind == ChannelKind::Direct);
            return !matches!(self.catalog.select_among(line, &|alias| is_there(alias, &here)), Selection::None);
        };
        let speaker = self.speaker(post, identity, now);
        !matches!(self.select_here(&speaker, line), Selection::None)
    }

    /// Who wrote a post, and what they may do there.
    fn speaker<'p>(&self, post: &HeardPost, identity: &'p Identity, at: Timestamp) -> Speaker<'p> {
        let direct = post.channel_kind == ChannelKind::Direct;
        Speaker {
            identity,
            rights: self.rights(Asker::Chat(identity), &self.place(&post.channel, direct, at)),
            back: Back::Chat { channel: post.channel.clone(), root: post.root.clone(), post: post.id.clone() },
            channel: post.channel.clone(),
            direct,
            here: self.names_in(&post.channel, direct),
            missed: None,
            at,
        }
    }

    /// An offer is good for one choice; lines that were missed keep their numbers until each is chosen.
    fn use_up(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        number: usize,
    ) -> Result<(), Contradiction> {
        let key = (speaker.identity.id.clone(), speaker.channel.clone());
        let Some(offer) = self.memory.choices.get(&key).cloned() else { return Ok(()) };
        let spent = |place: usize, choice: &Choice| place + 1 == number || !choice.again;
        let left = offer.lines.into_iter().enumerate().map(|(place, choice)| {
            if spent(place, &choice) { Choice { line: String::new(), alias: None, again: false } } else { choice }
        });
        let left: Vec<Choice> = left.collect();
        let fact = if left.iter().any(|choice| choice.again) {
            Fact::ChoiceOffered { user: key.0, back: offer.back, lines: left, until: offer.until }
        } else {
            Fact::ChoiceClosed { user: key.0, channel: key.1 }
        };
        self.note(step, moment, fact)
    }

    /// A post that was edited before anybody could read it: what it said first is not known, so it is answered and nothing more.
    fn changed_unread(&self, post: &HeardPost) -> bool {
        post.missed && post.marks.edited && self.memory.heard().is_some_and(|heard| post.created > heard)
    }

    /// Whether a line that was missed is too old to be run, or so old that it may have been taken up and forgotten.
    fn is_late(&self, post: &HeardPost) -> bool {
        let most = SignedDuration::try_from(self.settings.late_after).unwrap_or(SignedDuration::MAX);
        let forgotten = self.memory.floor().is_some_and(|floor| post.created < floor);
        post.missed && (forgotten || post.heard.duration_since(post.created) > most)
    }

    /// Does what a line says.
    pub(super) fn obey(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        meant: Option<&AliasRef>,
    ) -> Result<(), Contradiction> {
        let command = Command::read(line);
        // Who is named in a question may answer it without any role.
        let open_to_all = matches!(command, Some(Command::WhoAmI | Command::Answer(..)));
        if !speaker.rights.any() && !open_to_all {
            self.not_done(step, speaker, "no_entry");
            let (by, line) = (speaker.principal(), self.masked(Some(speaker), line));
            self.deny(step, moment, (&by, &speaker.back), line, None, "a role".to_owned())?;
            return self.say(step, moment, &speaker.back, &Card::NoRole);
        }
        match command {
            Some(Command::Help(query, page)) => {
                let card = self.help(speaker, query, page);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::WhoAmI) => {
                let card = Card::WhoAmI {
                    name: speaker.identity.username.clone(),
                    id: speaker.identity.id.to_string(),
                    roles: speaker.rights.roles.clone(),
                    grants: speaker.rights.in_words(),
                };
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Status) => {
                let card = self.status_card(moment.at, &speaker.rights);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Packs) => {
                let card = self.packs(&speaker.rights);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Reload) => {
                self.ask_reload(step, moment, speaker.principal(), &speaker.rights, speaker.back.clone())
            }
            Some(Command::Audit(command)) => self.hear_of_audit(step, moment, speaker, line, command),
            Some(Command::List(words)) => {
                let query = self.listed(&words, &speaker.rights, &speaker.principal(), moment.at);
                let asked = match words.narrows() {
                    true => line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "),
                    false => words.most.to_string(),
                };
                self.look_up(step, moment, speaker, line, (query, asked, Purpose::List))
            }
            Some(Command::Plan(line)) => {
                let card = self.plan(moment.at, speaker, &line);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::May(None, wanted)) => {
                let by = speaker.principal();
                let question = Question {
                    who: String::new(),
                    by: &by,
                    rights: &speaker.rights,
                    asker: None,
                    here: speaker.here.clone(),
                    at: speaker.at,
                };
                let card = self.may(&question, &wanted);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::May(Some(_), _)) if !speaker.rights.administers() => {
                let card = Card::NotAdmin { command: "may @user".to_owned(), who: self.administrators() };
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::May(Some(user), wanted)) => {
                let place = self.place(&speaker.channel, speaker.direct, speaker.at);
                let purpose = Purpose::May { line: wanted, here: place.here };
                let ticket = self.owe(step, moment, speaker, line, (user.clone(), purpose))?;
                self.ask_who(step, &user, ticket);
                Ok(())
            }
            Some(Command::Show(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Show)),
            Some(Command::ShowPart(id, part)) => {
                self.look_up_one(step, moment, speaker, line, (id, Purpose::ShowPart(part)))
            }
            Some(Command::Tail(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Tail)),
            Some(Command::Later(when, line)) => self.schedule(step, moment, speaker, when, &line),
            Some(Command::Answer(code, words)) => self.answer_inquiry(step, moment, speaker, &code, &words),
            Some(Command::Inquiries) => {
                let card = self.inquiries(speaker, moment.at);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Scheduled) => {
                let card = self.scheduled(speaker, moment.at);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Cancel(id)) if self.waits(speaker, &id).is_some() => {
                self.unschedule(step, moment, speaker, &id)
            }
            Some(Command::Cancel(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Cancel)),
            Some(Command::Draw(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Draw)),
            Some(Command::Pause(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Pause)),
            Some(Command::Resume(id)) => self.look_up_one(step, moment, speaker, line, (id, Purpose::Resume)),
            Some(Command::RerunFrom(id, tasks)) => {
                self.hear_of_rerun(step, moment, speaker, line, (id, Purpose::RerunFrom(tasks)))
            }
            Some(Command::Rerun(id)) => self.hear_of_rerun(step, moment, speaker, line, (id, Purpose::Rerun)),
            Some(Command::Settle(id, judgement)) => {
                self.look_up_one(step, moment, speaker, line, (id, Purpose::Settle(judgement)))
            }
            Some(Command::Approvals) => {
                let card = self.approvals(speaker, moment.at);
                self.say(step, moment, &speaker.back, &card)
            }
            Some(Command::Decide(of, verdict, words)) => self.decide_by_line(step, moment, speaker, of, verdict, words),
            Some(Command::Freeze(reason)) => {
                self.change_freeze(step, moment, speaker.principal(), &speaker.rights, Some(reason), &speaker.back)
            }
            Some(Command::Unfreeze) => {
                self.change_freeze(step, moment, speaker.principal(), &speaker.rights, None, &speaker.back)
            }
            Some(Command::Heal(code)) => self.heal(step, moment, speaker, line, &code),
            Some(Command::Alerts(about)) => self.list_alerts(step, moment, speaker, &about),
            Some(Command::Storm(go)) => self.hear_of_storm(step, moment, speaker, go),
            Some(Command::Sensors(ask)) => self.hear_of_sensors(step, moment, speaker, line, ask),
            Some(Command::Rules(ask)) => self.hear_of_rules(step, moment, speaker, line, ask),
            Some(Command::Values(ask)) => self.hear_of_values(step, moment, speaker, line, ask),
            Some(Command::Choose(_)) => self.say(step, moment, &speaker.back, &Card::NoChoice),
            Some(Command::Again(hosts)) => self.once_more(step, moment, speaker, hosts.as_deref()),
            Some(Command::Alias(line)) => self.match_alias(step, moment, speaker, &line, meant),
            None => self.match_alias(step, moment, speaker, line, meant),
        }
    }

    /// Does what a line says by one alias, whatever else it could mean.
    pub(super) fn obey_alias(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        alias: &AliasRef,
    ) -> Result<(), Contradiction> {
        self.match_alias(step, moment, speaker, line, Some(alias))
    }

    fn match_alias(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        line: &str,
        meant: Option<&AliasRef>,
    ) -> Result<(), Contradiction> {
        let catalog = Arc::clone(&self.catalog);
        let eyes = self.eyes(&speaker.rights);
        let usable = |alias: &Alias| eyes.may_use(Verb::Run, alias);
        let meant = |alias: &Alias| meant.is_none_or(|meant| alias.reference == *meant);
        let here = |alias: &Alias| is_there(alias, &speaker.here) && usable(alias);
        let mut passed = self.forbidden_among(speaker, line, &|alias| here(alias) && meant(alias));
        passed.extend(self.forbidden_among(speaker, line, &usable));
        let allowed = |alias: &Alias| !passed.contains(&alias.reference) && usable(alias);
        let may = |alias: &Alias| allowed(alias) && is_there(alias, &speaker.here);
        let wanted = |alias: &Alias| may(alias) && meant(alias);
        match catalog.select_among(line, &wanted) {
            Selection::One(found) => self.run_alias(step, moment, speaker, (line, true), &found),
            Selection::Undecided(formats) => {
                let names =
                    formats.iter().map(|format| format!("`{}` of {}", format.representation, format.alias.reference));
                let (hidden, _) = self.without_secrets(line, Vec::new(), &may);
                let card =
                    Card::Undecided { line: hidden, formats: names.map(|name| markdown::prose(&name)).collect() };
                self.not_done(step, speaker, "question");
                self.say(step, moment, &speaker.back, &card)
            }
            Selection::None => {
                if let Some(card) = self.elsewhere(line, &allowed) {
                    self.not_done(step, speaker, "question");
                    return self.say(step, moment, &speaker.back, &card);
                }
                if self.no_time(step, moment, speaker, line)? {
                    return Ok(());
                }
                self.deny_forbidden(step, moment, speaker, line)?;
                let lacking = catalog.matcher.lacking(line, &wanted);
                if let [lacking] = lacking.as_slice()
                    && self.ask_for_the_only(step, moment, speaker, line, lacking)?
                {
                    return Ok(());
                }
                let (hidden, offered) = self.without_secrets(line, self.suggest(speaker, line, &may), &may);
                let alike = if offered.is_empty() { self.beginning_alike(speaker, line) } else { Vec::new() };
                let card = Card::NotUnderstood { line: hidden, suggestions: numbered(&offered), alike };
                let choices = offered.into_iter().map(|line| Choice { line, alias: None, again: false }).collect();
                self.offer(step, moment, speaker, choices)?;
                self.not_done(step, speaker, "question");
                self.say(step, moment, &speaker.back, &card)
            }
            Selection::Ambiguous(found) => {
                let choices = found
                    .iter()
                    .map(|found| (line.to_owned(), Some(found.alias.reference.clone())))
                    .map(|(line, alias)| Choice { line, alias, again: false });
                let hidden = hide(line, found.iter().flat_map(|found| self.secrets_in(found)));
                // What is offered is remembered, so a line with a secret in it cannot be picked by a number.
                let pick = hidden == line;
                let choices: Vec<Choice> = if pick { choices.collect() } else { Vec::new() };
                let shown = found.iter().enumerate().map(|(place, found)| Numbered {
                    number: place + 1,
                    line: found.display.to_string(),
                    description: found.alias.description.clone(),
                });
                let card = Card::Ambiguous { line: hidden, choices: shown.collect(), pick };
                self.offer(step, moment, speaker, choices)?;
                self.not_done(step, speaker, "question");
                self.say(step, moment, &speaker.back, &card)
            }
        }
    }

    /// Notes that a line would have meant something that its author may not run. The answer does not tell it from one that means nothing.
    pub(super) fn deny_forbidden(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
    ) -> Result<(), Contradiction> {
        let forbidden = |alias: &Alias| !speaker.rights.may(Verb::Run, &alias.action);
        let found = match self.catalog.matcher.select_among(line, &forbidden) {
            Selection::One(found) => vec![*found],
            Selection::Ambiguous(found) => found,
            Selection::None | Selection::Undecided(_) => return Ok(()),
        };
        let hidden = hide(line, found.iter().flat_map(|found| self.secrets_in(found)));
        let Some(action) = found.first().map(|found| found.alias.action.clone()) else { return Ok(()) };
        let needed = format!("run:{action}");
        self.deny(step, moment, (&speaker.principal(), &speaker.back), hidden, Some(&action), needed)
    }

    /// Starts what a line means. `line` comes with whether it means the same when it is said again.
    pub(super) fn run_alias(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        (line, repeatable): (&str, bool),
        found: &Match,
    ) -> Result<(), Contradiction> {
        let alias = &found.alias;
        let hidden = hide(line, self.secrets_in(found));
        let repeatable = repeatable && hidden == line;
        let wishes = match self.wishes(moment.at, speaker, (line, repeatable), found) {
            Ok(wishes) => wishes,
            Err(card) => {
                if matches!(*card, Card::TooManyMatches { .. }) {
                    self.not_done(step, speaker, "question");
                }
                return self.say(step, moment, &speaker.back, &card);
            }
        };
        let harmful = wishes.iter().any(|wish| wish.action.effect == EffectClass::Destructive);
        if let [wish] = wishes.as_slice()
            && repeatable
            && let Some(parameter) = only_lack(wish)
        {
            return self.ask_for(step, moment, speaker, (line, None), alias, &parameter);
        }
        if let Some(ago) = speaker.missed.clone().filter(|_| harmful)
            && wishes.iter().all(|wish| self.prepare(moment.at, wish).is_ok())
        {
            // A line with a secret in it cannot be remembered.
            if !repeatable {
                self.not_done(step, speaker, "question");
                return self.say(step, moment, &speaker.back, &Card::Late { line: hidden, ago });
            }
            let choice = Choice { line: line.to_owned(), alias: Some(alias.reference.clone()), again: true };
            return self.ask_again(step, moment, speaker, choice, ago);
        }
        self.start_all(step, moment, speaker, wishes, repeatable.then(|| line.to_owned()))
    }

    /// Starts all of these, or none where one of them cannot be.
    fn start_all(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        wishes: Vec<Wish>,
        line: Option<String>,
    ) -> Result<(), Contradiction> {
        let alias = wishes.first().and_then(|wish| wish.alias.clone());
        let refused = if wishes.len() > 1 { self.refused_among(moment.at, &wishes) } else { None };
        let mut declined = refused;
        for wish in wishes {
            if declined.is_none() {
                declined = self.start(step, moment, wish)?.err();
            }
        }
        if let Some(declined) = declined {
            let Declined { card, offered } = *declined;
            let choices = offered.into_iter().map(|line| Choice { line, alias: None, again: false }).collect();
            self.offer(step, moment, speaker, choices)?;
            self.not_done(step, speaker, "question");
            return self.say(step, moment, &speaker.back, &card);
        }
        let (user, channel) = (speaker.identity.id.clone(), speaker.channel.clone());
        match alias.map(|alias| alias.reference.clone()) {
            Some(alias) => self.note(step, moment, Fact::LineKept { user, channel, line, alias }),
            None => Ok(()),
        }
    }

    /// What a line asks for that was read so; or why that cannot be asked for. The line comes with whether it may be said again.
    pub(super) fn wishes(
        &self,
        at: Timestamp,
        speaker: &Speaker<'_>,
        (line, repeatable): (&str, bool),
        found: &Match,
    ) -> Result<Vec<Wish>, Box<Card>> {
        let alias = &found.alias;
        let Some(action) = self.catalog.actions.get(&alias.action).cloned() else {
            return Err(Box::new(Card::Disabled { action: alias.action.to_string() }));
        };
        let hidden = hide(line, self.secrets_in(found));
        if found.all().count() > MOST_MATCHES {
            return Err(Box::new(Card::TooManyMatches { line: hidden, most: MOST_MATCHES }));
        }
        let refused = |problems: Vec<String>| {
            let problems = problems.iter().map(|said| markdown::prose(said)).collect();
            Box::new(Card::BadParameters { line: hidden.clone(), problems })
        };
        let fixed =
            self.fixed(at, alias, &speaker.principal(), &speaker.channel).map_err(|problem| refused(vec![problem]))?;
        let own = fixed.values.keys().filter(|name| !fixed.doubtful.contains(*name));
        let mut wishes = Vec::new();
        for each in found.all() {
            let overridden: Vec<String> = fixed
                .values
                .keys()
                .filter(|name| each.parameters.contains_key(*name))
                .map(|name| self.sentences.phrase(&Phrase::FixedParameter { name }))
                .collect();
            if !overridden.is_empty() {
                return Err(refused(overridden));
            }
            let given = each.parameters.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
            let piece = each.piece.as_ref().map(|piece| hide(piece, self.secrets_in(found)));
            wishes.push(Wish {
                action: action.clone(),
                given: given.chain(fixed.values.iter().map(|(name, value)| (name.clone(), value.clone()))).collect(),
                by: speaker.principal(),
                back: speaker.back.clone(),
                correctable: repeatable && found.further.is_empty(),
                line: piece.unwrap_or_else(|| hidden.clone()),
                alias: Some(alias.clone()),
                trusted: each.defaulted.iter().chain(own.clone()).cloned().collect(),
                rights: speaker.rights.clone(),
                rerun_of: None,
                trace_tag: None,
                zone: speaker.identity.zone.clone(),
                takes_up: None,
                parent: None,
                hidden: BTreeSet::new(),
                settles: None,
                again: None,
            });
        }
        Ok(wishes)
    }

    /// The names by which an alias can be bound to a channel.
    pub(super) fn names_in(&self, channel: &ChannelId, direct: bool) -> Vec<String> {
        let names = self.directory.channels.iter().filter(|(_, id)| *id == channel);
        let direct = direct.then(|| DIRECT.to_owned());
        names.map(|(name, _)| name.clone()).chain(direct).collect()
    }

    /// Where a line would mean something that its author may ask for.
    fn elsewhere(&self, line: &str, allowed: &dyn Fn(&Alias) -> bool) -> Option<Card> {
        let found = match self.catalog.select_among(line, allowed) {
            Selection::One(found) => vec![*found],
            Selection::Ambiguous(found) => found,
            Selection::None | Selection::Undecided(_) => return None,
        };
        let names: BTreeSet<&str> = found.iter().filter_map(|found| found.alias.channels()).flatten().collect();
        let direct = names.contains(DIRECT);
        let channels = names.iter().filter(|name| **name != DIRECT).map(|name| (*name).to_owned()).collect();
        let line = hide(line, found.iter().flat_map(|found| self.secrets_in(found)));
        (!names.is_empty()).then_some(Card::OtherChannel { line, channels, direct })
    }

    /// Corrections of a line: of the bot's own commands, and of what the asker may run.
    fn suggest(&self, speaker: &Speaker<'_>, line: &str, may: &dyn Fn(&Alias) -> bool) -> Vec<String> {
        let mut lines = suggest::suggest(line, &self.catalog.matcher, may, &self.hosts_for(&speaker.rights));
        // A line that would only be refused for its hosts, or for what it asks for, is no help.
        lines.retain(|line| match self.select(speaker, line, may) {
            Selection::One(found) => self.knows_hosts_of(speaker, &found),
            Selection::None | Selection::Ambiguous(_) | Selection::Undecided(_) => false,
        });
        if lines.is_empty() {
            lines.extend(command::correct(line));
        }
        lines
    }

    /// Remembers that the next number of this user in this channel picks one of these lines.
    pub(super) fn offer(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        lines: Vec<Choice>,
    ) -> Result<(), Contradiction> {
        // What offers nothing leaves an older offer as it stands.
        if lines.is_empty() {
            return Ok(());
        }
        let until = moment.at.saturating_add(OFFER).unwrap_or(moment.at);
        self.note(
            step,
            moment,
            Fact::ChoiceOffered { user: speaker.identity.id.clone(), back: speaker.back.clone(), lines, until },
        )
    }

    /// Replaces the first sign by one that says that nothing was done.
    pub(super) fn not_done(&self, step: &mut Step, speaker: &Speaker<'_>, emoji: &'static str) {
        if let Back::Chat { channel, post, .. } = &speaker.back {
            unreact(step, channel, post, HEARD);
            react(step, channel, post, emoji);
        }
    }

    /// Commands that begin with the first word of a line: their author may have left something out.
    fn beginning_alike(&self, speaker: &Speaker<'_>, line: &str) -> Vec<HelpLine> {
        let Some(first) = line.split_whitespace().next().map(str::to_lowercase) else { return Vec::new() };
        let (packs, own) = self.help_about(speaker, &first);
        let escaped = |line: HelpLine| HelpLine { description: markdown::escape(&line.description), ..line };
        let lines = packs.into_iter().flat_map(|pack| pack.lines).map(escaped).chain(own);
        let begins =
            |line: &HelpLine| line.display.split_whitespace().next().is_some_and(|word| word.to_lowercase() == first);
        lines.filter(begins).take(MOST_ALIKE).collect()
    }

    /// Asks the store.
    pub(super) fn look_up(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
        (query, asked, purpose): (Query, String, Purpose),
    ) -> Result<(), Contradiction> {
        let ticket = self.owe(step, moment, speaker, line, (asked, purpose))?;
        step.effects.push(Effect::Find { query, ticket: Box::new(ticket) });
        Ok(())
    }

    /// Remembers that an answer is owed that comes with another event.
    fn owe(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
        (asked, purpose): (String, Purpose),
    ) -> Result<Ticket, Contradiction> {
        if let Back::Chat { channel, root, post } = speaker.back.clone() {
            self.note(step, moment, Fact::AnswerOwed { post, channel, root, line: line.to_owned() })?;
        }
        Ok(Ticket {
            from: speaker.principal(),
            rights: speaker.rights.clone(),
            back: speaker.back.clone(),
            zone: speaker.identity.zone.clone(),
            asked,
            purpose,
            again: false,
        })
    }
}

/// Lets the answer go before the signs, and spares the sign of having heard where the answer itself shows it: it would be a second call to
/// the server for every line, and the server takes only so many.
pub(super) fn spare_signs(step: &mut Step, heard: &PostId) {
    let is_heard = |effect: &Effect| matches!(effect, Effect::React { post, emoji: HEARD, .. } if post == heard);
    let works = step.facts.iter().any(|dated| matches!(dated.fact, Fact::ExecutionStarted(_)));
    let answered =
        step.effects.iter().any(|effect| matches!(effect, Effect::Deliver(delivery) if answers(heard, &delivery.id)));
    let gone =
        step.effects.iter().any(|effect| is_heard(effect) && matches!(effect, Effect::React { remove: true, .. }));
    if gone || (answered && !works) {
        step.effects.retain(|effect| !is_heard(effect));
    }
    step.effects.sort_by_key(|effect| !matches!(effect, Effect::Deliver(_)));
}

/// Whether an alias is there at all in a channel of these names.
pub(super) fn is_there(alias: &Alias, here: &[String]) -> bool {
    alias.channels().is_none_or(|names| names.iter().any(|name| here.iter().any(|here| here == name)))
}
