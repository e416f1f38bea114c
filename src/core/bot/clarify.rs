//! A line that lacks one value: its author is asked for it, once, and the next line there is taken for it.
//!
//! The question stands in the thread of the line; in a direct message, where nobody looks for threads, below it. It lapses after ten minutes, or
//! when its author writes a whole command there instead of the value: what comes later belongs to that. A
//! restart does not make it forgotten, and what the value completes is judged like a line that was written whole: by the rights, the channel and
//! the content of now, and with a second question where it was said while the bot was away and can do harm.
//!
//! Where buttons are drawn, one below the question opens a form for the value; what comes out of it is taken like a line with the value.
//!
//! **Nothing is asked for that holds a secret, and no line with a secret in it is kept for an answer.**

use super::hear::{Speaker, is_there};
use super::press::Presser;
use super::start::Wish;
use super::{Bot, Moment, Step};
use crate::core::access::Asker;
use crate::core::action::params::{self, ParameterProblem, type_in_words};
use crate::core::action::spec::ParameterType;
use crate::core::alias::lacking::{Lacking, put_in};
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::Alias;
use crate::core::callback::{Button, ButtonStyle, Dialog, DialogField, FieldKind, Meaning, Reply, Subject};
use crate::core::chat::secret::hide_pairs;
use crate::core::effect::{Body, Delivery, Effect, Thread};
use crate::core::fact::{Fact, Lack};
use crate::core::id::{ChannelId, DeliveryId, PostId};
use crate::core::input::{Back, HeardPost};
use crate::core::memory::{Contradiction, answer_to};
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{Card, Lacks};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::settings::Verb;
use crate::core::template::value::written;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a question stands.
const STANDS: Duration = Duration::from_mins(10);

/// How the value that is asked for is refused.
const DROPPED: [&str; 3] = ["never mind", "nevermind", "forget it"];

/// The parameter that is all that is missing, where it may be asked for.
pub(super) fn only_lack(wish: &Wish) -> Option<String> {
    let lacks =
        wish.action.parameters.iter().any(|(name, parameter)| {
            parameter.required && parameter.default.is_none() && !wish.given.contains_key(name)
        });
    if !lacks || !wish.action.enabled {
        return None;
    }
    let problems = params::resolve(&wish.action, &wish.given).err()?;
    match problems.as_slice() {
        [ParameterProblem::Required { name }] => {
            let parameter = wish.action.parameters.get(name)?;
            (!parameter.secret && !parameter.immutable).then(|| name.clone())
        }
        _ => None,
    }
}

impl Bot {
    /// Asks for the only value that a line lacks to be understood. False where that must not be.
    pub(super) fn ask_for_the_only(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        line: &str,
        lacking: &Lacking,
    ) -> Result<bool, Contradiction> {
        let Lacking { alias, parameter, place, .. } = lacking;
        let found = self.catalog.matcher.completed(line, *place, alias, parameter, "");
        let action = self.catalog.actions.get(&alias.action).filter(|action| action.enabled);
        let declared = action.and_then(|action| action.parameters.get(parameter));
        let open = declared.is_some_and(|declared| !declared.secret && !declared.immutable);
        let fixed = alias.immutable_parameters.contains_key(parameter);
        // What only sounds like a secret is none that a format could tell of.
        let secret = hide_pairs(line, &|_| false) != line;
        if !open || fixed || secret || found.is_none_or(|found| !self.secrets_in(&found).is_empty()) {
            return Ok(false);
        }
        self.ask_for(step, moment, speaker, (line, Some(*place)), alias, parameter)?;
        Ok(true)
    }

    /// Asks for a value.
    pub(super) fn ask_for(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        (line, place): (&str, Option<usize>),
        alias: &Alias,
        parameter: &str,
    ) -> Result<(), Contradiction> {
        let Back::Chat { channel, root, post } = &speaker.back else { return Ok(()) };
        let thread = match (speaker.direct, root) {
            (true, None) => None,
            (_, root) => Some(root.clone().unwrap_or_else(|| post.clone())),
        };
        let stands = SignedDuration::try_from(STANDS).unwrap_or(SignedDuration::ZERO);
        let until = moment.at.saturating_add(stands).unwrap_or(moment.at);
        let lack = Lack {
            post: post.clone(),
            line: line.to_owned(),
            place,
            alias: alias.reference.clone(),
            parameter: parameter.to_owned(),
        };
        let asked = Fact::ValueAsked {
            user: speaker.identity.id.clone(),
            channel: channel.clone(),
            thread: thread.clone(),
            lack,
            until,
        };
        self.note(step, moment, asked)?;
        self.not_done(step, speaker, "question");
        let declared = self.catalog.actions.get(&alias.action).and_then(|action| action.parameters.get(parameter));
        let kind = declared.and_then(|declared| declared.kind).filter(|kind| *kind != ParameterType::String);
        let card = Card::Lacks(Lacks {
            line: line.to_owned(),
            parameter: parameter.to_owned(),
            description: declared.map(|declared| declared.description.trim().to_owned()).unwrap_or_default(),
            kind: kind.map(type_in_words).unwrap_or_default(),
            allowed: declared
                .and_then(|declared| declared.choices.as_ref())
                .map(|choices| choices.iter().map(written).collect())
                .unwrap_or_default(),
            thread: thread.is_some(),
            time: span(STANDS),
        });
        let root = thread.map(|post| Thread::Post { post });
        let text = self.sentences.say(&card);
        let body = if self.settings.buttons {
            let button = Button {
                id: "form".to_owned(),
                label: self.sentences.phrase(&Phrase::Form { what: "button", example: "" }),
                style: ButtonStyle::Primary,
                meaning: Meaning {
                    subject: Subject::Lack { post: post.clone() },
                    action: "fill".to_owned(),
                    value: None,
                    revision: 1,
                    until,
                },
            };
            let fallback = self.sentences.phrase(&Phrase::Form { what: "button", example: "" });
            Body::Attached {
                root,
                text,
                attachments: vec![Attachment { fallback, buttons: vec![button], ..Attachment::default() }],
            }
        } else {
            Body::Post { root, text, files: Vec::new() }
        };
        self.deliver(step, moment, Delivery { id: lacks_of(post), channel: channel.clone(), body })
    }

    /// Somebody pressed the button below a question for a value.
    pub(super) fn lack_pressed(
        &self,
        step: &mut Step,
        moment: &Moment,
        presser: &Presser,
        post: &PostId,
        trigger: &str,
    ) {
        let Some((lack, _, _)) = self.lack_of(step, moment, presser, post) else { return };
        let alias = self.catalog.aliases.iter().find(|alias| alias.reference == lack.alias);
        let action = alias.and_then(|alias| self.catalog.actions.get(&alias.action));
        let declared = action.and_then(|action| action.parameters.get(&lack.parameter));
        let choices = declared.and_then(|declared| declared.choices.clone()).unwrap_or_default();
        let kind = match declared.and_then(|declared| declared.kind) {
            _ if !choices.is_empty() => {
                FieldKind::Choice(choices.iter().map(|choice| (written(choice), written(choice))).collect())
            }
            Some(ParameterType::Integer | ParameterType::Number) => FieldKind::Number,
            Some(ParameterType::Boolean) => {
                FieldKind::Choice(["yes", "no"].into_iter().map(|word| (word.to_owned(), word.to_owned())).collect())
            }
            _ => FieldKind::Line,
        };
        let word = |what| self.sentences.phrase(&Phrase::Form { what, example: "" });
        let field = DialogField {
            name: lack.parameter.clone(),
            label: lack.parameter.clone(),
            help: declared.map(|declared| declared.description.trim().to_owned()).unwrap_or_default(),
            default: String::new(),
            optional: false,
            kind,
        };
        let dialog = Dialog {
            title: word("heading"),
            introduction: markdown::code(&lack.line),
            submit: word("submit"),
            fields: vec![field],
            meaning: presser.meaning.clone(),
            user: presser.identity.id.clone(),
            card: presser.card.clone(),
        };
        let example = self.sentences.phrase(&Phrase::Form { what: "in words", example: "" });
        step.effects.push(Effect::OpenDialog {
            request: presser.request,
            trigger: trigger.to_owned(),
            dialog: Box::new(dialog),
            otherwise: self.sentences.phrase(&Phrase::Form { what: "closed", example: &example }),
        });
    }

    /// Somebody submitted the form for a value.
    pub(super) fn lack_submitted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        post: &PostId,
        values: &BTreeMap<String, Value>,
    ) -> Result<(), Contradiction> {
        let Some((lack, channel, thread)) = self.lack_of(step, moment, presser, post) else { return Ok(()) };
        let value = values.get(&lack.parameter).map(written).unwrap_or_default();
        if value.trim().is_empty() || self.stopping {
            let text = if self.stopping { self.sentences.say(&Card::Stopping) } else { String::new() };
            let complaints = match self.stopping {
                true => BTreeMap::new(),
                false => BTreeMap::from([(
                    lack.parameter.clone(),
                    ParameterProblem::Required { name: lack.parameter.clone() }.to_string(),
                )]),
            };
            let reply = Reply { stays: true, complaints, ..Reply::text(text) };
            step.effects.push(Effect::Reply { request: presser.request, reply });
            return Ok(());
        }
        self.press_taken(step, moment, presser)?;
        let direct = !self.hears(&channel);
        let speaker = Speaker {
            identity: &presser.identity,
            rights: self.rights(Asker::Chat(&presser.identity), &self.place(&channel, direct, moment.at)),
            back: Back::Chat { channel: channel.clone(), root: thread.clone(), post: lack.post.clone() },
            here: self.names_in(&channel, direct),
            channel,
            direct,
            missed: None,
            at: moment.at,
        };
        self.value_given(step, moment, &speaker, thread.as_ref(), &lack, &value)?;
        step.effects.push(Effect::Reply { request: presser.request, reply: Reply::default() });
        Ok(())
    }

    /// What is lacked in a line, and where that was asked, for the one who was asked; others are told that it is not for them.
    fn lack_of(
        &self,
        step: &mut Step,
        moment: &Moment,
        presser: &Presser,
        post: &PostId,
    ) -> Option<(Lack, ChannelId, Option<PostId>)> {
        let asked = self.memory.asked.iter().find(|(_, asked)| asked.lack.post == *post && moment.at <= asked.until);
        let what = match asked {
            Some(((user, channel, thread), asked)) if *user == presser.identity.id => {
                return Some((asked.lack.clone(), channel.clone(), thread.clone()));
            }
            Some(_) => "theirs",
            None => "over",
        };
        let text = self.sentences.phrase(&Phrase::Form { what, example: "" });
        let reply = Reply { stays: true, ..Reply::text(text) };
        step.effects.push(Effect::Reply { request: presser.request, reply });
        None
    }

    /// Takes the button below a question away, since there is nothing to fill in any more.
    fn take_button_away(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        channel: &ChannelId,
        lack: &Lack,
        left: bool,
    ) -> Result<(), Contradiction> {
        let question = lacks_of(&lack.post);
        if self.memory.buttons.get(&question).is_none_or(|buttons| buttons.gone.is_some()) {
            return Ok(());
        }
        let card = Card::LackFilled { line: lack.line.clone(), parameter: lack.parameter.clone(), left };
        let body = Body::Edit { of: question, text: self.sentences.say(&card), attachments: Some(Vec::new()) };
        let id = answer_to(&lack.post, card.template());
        self.deliver(step, moment, Delivery { id, channel: channel.clone(), body })
    }

    /// What the author of a post was asked for, where the post is the answer: it stands where the question does, is younger, and is no
    /// command that was said to the bot.
    pub(super) fn value_of(&self, post: &HeardPost, words: &str, called: bool, now: Timestamp) -> Option<Lack> {
        if self.memory.asked.is_empty() {
            return None;
        }
        let asked = self.memory.asked.get(&(post.author.clone(), post.channel.clone(), post.root.clone()))?;
        let said = if post.missed { post.created } else { now };
        let older = self.memory.written(&asked.lack.post).is_some_and(|asked| post.created <= asked);
        let command = called && self.understands(words, post, now);
        (said <= asked.until && !older && !command).then(|| asked.lack.clone())
    }

    /// Ends a question for a value whose author has turned to something else there.
    pub(super) fn leave_question(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        speaker: &Speaker<'_>,
        post: &HeardPost,
        line: &str,
    ) -> Result<(), Contradiction> {
        let key = (post.author.clone(), post.channel.clone(), post.root.clone());
        let Some(lack) = self.memory.asked.get(&key).map(|asked| asked.lack.clone()) else { return Ok(()) };
        let older = self.memory.written(&lack.post).is_some_and(|asked| post.created <= asked);
        if older || !self.understands(line, post, moment.at) {
            return Ok(());
        }
        let (user, channel, thread) = key;
        self.note(step, moment, Fact::ValueClosed { user, channel, thread })?;
        self.take_button_away(step, moment, &speaker.channel, &lack, true)
    }

    /// A line with its value, and whether it means the same when it is said again.
    pub(super) fn completed(&self, lack: &Lack, value: &str) -> (String, bool) {
        let quoted = format!("\"{value}\"");
        let ways = [value, &quoted].map(|written| match lack.place {
            Some(place) => put_in(&lack.line, place, written),
            None => format!("{} {}={written}", lack.line.trim(), lack.parameter),
        });
        let wanted = self.whole(lack, value);
        let same = |line: &&String| {
            let read = self.catalog.matcher.select_among(line, &|alias| alias.reference == lack.alias);
            match (read, &wanted) {
                (Selection::One(read), Some(wanted)) => read.further.is_empty() && read.parameters == wanted.parameters,
                _ => false,
            }
        };
        let sound = ways.iter().find(same).cloned();
        let repeatable = sound.is_some();
        let [plain, _] = ways;
        (sound.unwrap_or(plain), repeatable)
    }

    /// What a line means with the value that it lacked.
    fn whole(&self, lack: &Lack, value: &str) -> Option<Match> {
        let is_meant = |alias: &Alias| alias.reference == lack.alias && alias.enabled;
        let alias = self.catalog.aliases.iter().find(|alias| is_meant(alias))?;
        if let Some(place) = lack.place {
            return self.catalog.matcher.completed(&lack.line, place, alias, &lack.parameter, value);
        }
        match self.catalog.matcher.select_among(&lack.line, &is_meant) {
            Selection::One(found) if found.further.is_empty() => {
                let mut found = *found;
                found.parameters.insert(lack.parameter.clone(), value.to_owned());
                Some(found)
            }
            _ => None,
        }
    }

    /// The value was given.
    pub(super) fn value_given(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        thread: Option<&PostId>,
        lack: &Lack,
        value: &str,
    ) -> Result<(), Contradiction> {
        let closed = Fact::ValueClosed {
            user: speaker.identity.id.clone(),
            channel: speaker.channel.clone(),
            thread: thread.cloned(),
        };
        self.note(step, moment, closed)?;
        self.take_button_away(step, moment, &speaker.channel, lack, false)?;
        if DROPPED.contains(&value.to_lowercase().trim_end_matches(['.', '!'])) {
            return self.say(step, moment, &speaker.back, &Card::ValueDropped { line: lack.line.clone() });
        }
        let value = unquoted(value);
        let (line, repeatable) = self.completed(lack, value);
        let eyes = self.eyes(&speaker.rights);
        let found = self.whole(lack, value).filter(|found| {
            is_there(&found.alias, &speaker.here)
                && eyes.may_use(Verb::Run, &found.alias)
                && !self.is_forbidden(speaker, found)
        });
        match found {
            Some(found) => self.run_alias(step, moment, speaker, (&line, repeatable), &found),
            // The packs are others by now, or the rights are.
            None => self.obey(step, moment, speaker, &line, None),
        }
    }
}

/// The delivery that asks for the value that a line lacks.
fn lacks_of(post: &PostId) -> DeliveryId {
    answer_to(post, "lacks")
}

/// A value without the quotes that somebody put around it, as in a line.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let pairs = [('"', '"'), ('\'', '\''), ('\u{201c}', '\u{201d}')];
    let inside = |(opening, closing): (char, char)| value.strip_prefix(opening)?.strip_suffix(closing);
    pairs.into_iter().find_map(inside).unwrap_or(value)
}
