//! Executions that ask people: the question is posted, its answer ends the execution, and so does the end of its time.
//!
//! A question can be answered by a button, in a dialog, by an emoji, by a line in any channel that is heard (`answer K3QZ yes`) and by a command
//! on the bot's machine. **Whichever comes first counts**, all ways end in [`Bot::respond`], and the answer and the end of the execution are one
//! transaction. The post loses its buttons with the end.
//!
//! **Who may answer is asked of the user id**: where roles are named, one of them is needed; where users are named, they have to be one of those,
//! resolved when it was asked; where nobody is named, whoever may run the action may answer, and whoever started it. **A question waits without
//! the bot**: its end is stored, so a restart changes nothing, and one whose time came meanwhile ends at the start.

use super::hear::Speaker;
use super::press::Presser;
use super::{Bot, Moment, Step, react, unreact};
use crate::core::access::{Asker, Place, Rights};
use crate::core::action::execution::{Execution, Requested, Status};
use crate::core::action::flaw::Flaw;
use crate::core::action::inquiry::{Complaint, Form, FormField, Inquiry};
use crate::core::action::params::type_in_words;
use crate::core::action::plan::{PlanProblem, Question};
use crate::core::action::shell::unusable;
use crate::core::action::spec::ParameterType;
use crate::core::alias::pairs::{QUOTES, Tail};
use crate::core::callback::{Button, ButtonStyle, Dialog, DialogField, FieldKind, Meaning, Reply, Subject};
use crate::core::chat::code::Code;
use crate::core::effect::{Answer, Body, Delivery, Effect, OpenInquiry, Thread};
use crate::core::fact::Fact;
use crate::core::id::{ChannelId, DeliveryId, ExecutionId, PostId, RequestId};
use crate::core::input::{Back, HeardReaction, Identity, Principal};
use crate::core::memory::{Contradiction, answer_to, card_of, inquiry_of};
use crate::core::message::attachment::Attachment;
use crate::core::message::card::{Card, Told};
use crate::core::message::inquiry::{InquiryCard, InquiryEmoji, InquiryEnd, InquiryField, InquiryRow, InquiryValue};
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use crate::core::message::span::span;
use crate::core::message::verdict::{mark, shown_line, verdict};
use crate::core::message::zone;
use crate::core::settings::Verb;
use crate::core::template::value::written;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The colour of the edge beside the buttons.
const COLOR: &str = "#2f81b7";
/// Emojis that mean yes and no, the first of each being the one that the bot offers.
const YES: [&str; 5] = ["white_check_mark", "+1", "thumbsup", "heavy_check_mark", "ok_hand"];
const NO: [&str; 5] = ["x", "-1", "thumbsdown", "negative_squared_cross_mark", "no_entry_sign"];
/// Emojis that pick one of a few choices.
const NUMBERS: [&str; 9] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// A question is drawn once, so its buttons have one revision.
const REVISION: u32 = 1;
/// The field under which one bare value is given.
const MOST_SHOWN: usize = 200;

impl Bot {
    /// A code by which something that waits is named, and nothing else that does.
    pub(super) fn new_code(&self, moment: &mut Moment) -> Code {
        let known = self.memory.executions.values().filter_map(|execution| execution.approval.as_deref());
        let known = known.chain(self.memory.decided.iter().map(|(_, request)| &**request));
        let taken: BTreeSet<&str> = known.map(|request| request.code.as_str()).collect();
        let taken = |code: &Code| {
            taken.contains(code.as_str())
                || self.asking().any(|(_, inquiry)| inquiry.code == *code)
                || self.memory.alerts.offers().find(code).is_some()
        };
        Code::generate(|| moment.bits(), taken)
    }

    /// What is asked, ready to be remembered; or why it cannot be.
    pub(super) fn inquiry(
        &self,
        moment: &mut Moment,
        question: &Question,
        by: &Principal,
        back: &Back,
        zone: &str,
    ) -> Result<Inquiry, PlanProblem> {
        let Question { schema, roles, users, route, ttl } = question.clone();
        let known: Vec<&str> = self.settings.roles.iter().map(|role| role.name.as_str()).collect();
        if let Some(stranger) = roles.iter().find(|role| !known.contains(&role.as_str())) {
            return Err(unusable("roles", Flaw::NoRole { name: stranger.clone() }));
        }
        let mut user_ids = Vec::new();
        for name in &users {
            let own = match by {
                Principal::ChatUser { id, name: own } if own == name => Some(id),
                Principal::ChatUser { .. } | Principal::LocalUser { .. } | Principal::Rule { .. } => None,
            };
            let id = self.directory.users.get(&name.to_lowercase()).or(own);
            let id = id.ok_or_else(|| unusable("users", Flaw::NoUser { name: name.clone() }))?;
            user_ids.push(id.clone());
        }
        let channel =
            if route.is_empty() { self.channel_of_route("general", back) } else { self.channel_of_route(&route, back) };
        if channel.is_none() && !route.is_empty() && self.me().is_some() {
            let known = self.directory.channels.keys().cloned().collect();
            return Err(unusable("route", Flaw::NoChannel { known }));
        }
        let wait = i64::try_from(ttl).ok().filter(|minutes| *minutes > 0).map(SignedDuration::from_mins);
        let until = wait.map(|wait| moment.at.saturating_add(wait).unwrap_or(Timestamp::MAX));
        // Whoever is asked alone reads times by their own clock, others by that of who started it.
        let zone = match user_ids.as_slice() {
            [one] => self.directory.zones.get(one).map_or(zone, String::as_str),
            _ => zone,
        };
        let zone = zone.to_owned();
        Ok(Inquiry { code: self.new_code(moment), schema, roles, users, user_ids, route, ttl, until, channel, zone })
    }

    /// Posts the question of an execution that has just been started.
    pub(super) fn ask_people(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
    ) -> Result<(), Contradiction> {
        let Some(execution) = self.memory.executions.get(id).cloned() else { return Ok(()) };
        let Some(inquiry) = execution.request.inquiry.as_deref() else { return Ok(()) };
        let Some(channel) = inquiry.channel.clone() else { return Ok(()) };
        let text = self.sentences.say(&self.inquiry_card(&execution, inquiry, moment.at));
        let (root, elsewhere) = match &execution.request.back {
            Back::Chat { channel: asked_in, root, .. } if *asked_in == channel => {
                (root.clone().map(|post| Thread::Post { post }), None)
            }
            Back::Chat { channel: asked_in, root, .. } => (None, Some((asked_in.clone(), root.clone()))),
            // A rule has nobody who waits for it elsewhere.
            Back::Told { channel: Some(asked_in), root } if *asked_in == channel => (root.clone(), None),
            Back::Request { .. } | Back::Told { .. } => (None, None),
        };
        let body = if self.settings.buttons {
            Body::Attached { root, text, attachments: vec![self.inquiry_buttons(&execution, inquiry)] }
        } else {
            Body::Post { root, text, files: Vec::new() }
        };
        self.deliver(step, moment, Delivery { id: inquiry_of(id), channel: channel.clone(), body })?;
        if let Some((asked_in, root)) = elsewhere {
            let card = Card::InquiryElsewhere {
                line: shown_line(&execution),
                channel: self.channel_name(&channel),
                code: inquiry.code.to_string(),
            };
            let (root, text) = (root.map(|post| Thread::Post { post }), self.sentences.say(&card));
            let body = Body::Post { root, text, files: Vec::new() };
            self.deliver(step, moment, Delivery { id: card_of(id), channel: asked_in, body })?;
        }
        Ok(())
    }

    /// How a question shows.
    pub(super) fn inquiry_card(&self, execution: &Execution, inquiry: &Inquiry, now: Timestamp) -> Card {
        let form = Form::of(&inquiry.schema).unwrap_or_else(|_| Form::default());
        let field = |field: &FormField| InquiryField {
            name: field.name.clone(),
            description: short(&field.description),
            kind: kind_of(field),
            allowed: field.choices.iter().map(written).collect(),
            default: field.default.as_ref().map(for_people).unwrap_or_default(),
            required: field.required,
        };
        let presses = form.presses();
        Card::Inquiry(InquiryCard {
            line: shown_line(execution),
            code: inquiry.code.to_string(),
            fields: form.fields.iter().map(field).collect(),
            question: question_of(&form),
            buttons: self.settings.buttons,
            form: presses.is_empty(),
            emojis: emojis(&form)
                .into_iter()
                .map(|(emoji, value)| InquiryEmoji { emoji: emoji.to_owned(), value })
                .collect(),
            example: format!("answer {} {}", inquiry.code, form.example()),
            who: self.answerers(inquiry),
            wait: inquiry.until.map(|until| span(between(now, until))).unwrap_or_default(),
            until: inquiry.until.map(|until| zone::moment(until, now, &self.clock(&inquiry.zone))).unwrap_or_default(),
        })
    }

    fn inquiry_buttons(&self, execution: &Execution, inquiry: &Inquiry) -> Attachment {
        let form = Form::of(&inquiry.schema).unwrap_or_else(|_| Form::default());
        let meaning = |action: &str, value: Option<String>| Meaning {
            subject: Subject::Inquiry { execution: execution.request.id.clone() },
            action: action.to_owned(),
            value,
            revision: REVISION,
            until: inquiry.until.unwrap_or(Timestamp::MAX),
        };
        let presses = form.presses();
        let boolean = form.only().is_some_and(|only| only.choices.is_empty());
        let mut buttons: Vec<Button> = presses
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let word = if value == "yes" { "yes" } else { "no" };
                Button {
                    id: format!("answer{place}"),
                    label: if boolean {
                        self.sentences.phrase(&Phrase::Form { what: word, example: "" })
                    } else {
                        value.clone()
                    },
                    style: if boolean && value == "yes" { ButtonStyle::Primary } else { ButtonStyle::Plain },
                    meaning: meaning("answer", Some(value.clone())),
                }
            })
            .collect();
        if buttons.is_empty() {
            buttons.push(Button {
                id: "form".to_owned(),
                label: self.sentences.phrase(&Phrase::Form { what: "button", example: "" }),
                style: ButtonStyle::Primary,
                meaning: meaning("fill", None),
            });
        }
        let fallback = format!("answer {} {}", inquiry.code, form.example());
        Attachment { fallback, color: COLOR.to_owned(), buttons, ..Attachment::default() }
    }

    /// Somebody pressed a button of a question.
    pub(super) fn inquiry_pressed(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        trigger: &str,
    ) -> Result<(), Contradiction> {
        let Some((execution, inquiry, form)) = self.open_to(step, moment, presser) else { return Ok(()) };
        match (presser.meaning.value.clone(), form.only()) {
            (Some(value), Some(only)) => {
                let given = BTreeMap::from([(only.name.clone(), Value::String(value))]);
                self.press_answers(step, moment, presser, &execution, &form, given)
            }
            _ => {
                let word = |what| self.sentences.phrase(&Phrase::Form { what, example: "" });
                let example = format!("`answer {} {}`", inquiry.code, form.example());
                let dialog = Dialog {
                    title: word("heading"),
                    introduction: markdown::escape(&question_of(&form)),
                    submit: word("submit"),
                    fields: form.fields.iter().map(dialog_field).collect(),
                    meaning: Meaning { action: "answer".to_owned(), ..presser.meaning.clone() },
                    user: presser.identity.id.clone(),
                    card: presser.card.clone(),
                };
                step.effects.push(Effect::OpenDialog {
                    request: presser.request,
                    trigger: trigger.to_owned(),
                    dialog: Box::new(dialog),
                    otherwise: self.sentences.phrase(&Phrase::Form { what: "closed", example: &example }),
                });
                Ok(())
            }
        }
    }

    /// Where a question stands.
    fn place_of(&self, inquiry: &Inquiry, at: Timestamp) -> Place {
        match &inquiry.channel {
            Some(channel) => self.place(channel, !self.hears(channel), at),
            None => Place::outside(at),
        }
    }

    /// Somebody submitted the form of a question.
    pub(super) fn inquiry_submitted(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        values: &BTreeMap<String, Value>,
    ) -> Result<(), Contradiction> {
        let Some((execution, _, form)) = self.open_to(step, moment, presser) else { return Ok(()) };
        self.press_answers(step, moment, presser, &execution, &form, values.clone())
    }

    /// The question that a press is about, where it is open and this person may answer it; otherwise they are told.
    fn open_to(&self, step: &mut Step, moment: &Moment, presser: &Presser) -> Option<(Execution, Inquiry, Form)> {
        let Subject::Inquiry { execution: id } = &presser.meaning.subject else { return None };
        let reply = |step: &mut Step, card: Card| {
            let reply = Reply { stays: true, ..Reply::text(self.sentences.say(&card)) };
            step.effects.push(Effect::Reply { request: presser.request, reply });
        };
        let execution = self.memory.executions.get(id).filter(|execution| execution.status == Status::Pending);
        let inquiry = execution.and_then(|execution| execution.request.inquiry.as_deref());
        let (Some(execution), Some(inquiry)) = (execution, inquiry) else {
            reply(step, Card::NoInquiry { code: id.short().to_owned() });
            return None;
        };
        let rights = self.rights(Asker::Chat(&presser.identity), &self.place_of(inquiry, moment.at));
        let by = principal(&presser.identity);
        if !may_answer(&execution.request, inquiry, &by, &rights) {
            reply(step, Card::NotYourInquiry { code: inquiry.code.to_string(), who: self.answerers(inquiry) });
            return None;
        }
        let form = Form::of(&inquiry.schema).ok()?;
        Some((execution.clone(), inquiry.clone(), form))
    }

    fn press_answers(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        presser: &Presser,
        execution: &Execution,
        form: &Form,
        given: BTreeMap<String, Value>,
    ) -> Result<(), Contradiction> {
        let response = match form.read(given) {
            Ok(response) => response,
            Err(complaints) => {
                let complaints = complaints.into_iter().map(|Complaint { field, why }| (field, why));
                let reply = Reply { stays: true, complaints: complaints.collect(), ..Reply::default() };
                step.effects.push(Effect::Reply { request: presser.request, reply });
                return Ok(());
            }
        };
        self.press_taken(step, moment, presser)?;
        self.respond(step, moment, &execution.request.id, principal(&presser.identity), response)?;
        step.effects.push(Effect::Reply { request: presser.request, reply: Reply::default() });
        Ok(())
    }

    /// An emoji was put on a question: it answers where there is but one thing to choose.
    pub(super) fn inquiry_reaction(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        reaction: &HeardReaction,
    ) -> Result<(), Contradiction> {
        let asked = self
            .asking()
            .find(|(execution, _)| self.memory.posts.get(&inquiry_of(&execution.request.id)) == Some(&reaction.post));
        let (Some((execution, inquiry)), Some(identity), false) = (asked, &reaction.identity, reaction.removed) else {
            return Ok(());
        };
        let rights = self.rights(Asker::Chat(identity), &self.place_of(inquiry, moment.at));
        let by = principal(identity);
        let usable = identity.active && !identity.is_bot && may_answer(&execution.request, inquiry, &by, &rights);
        let form = Form::of(&inquiry.schema).ok();
        let Some((form, value)) =
            form.and_then(|form| Some((meant(&form, &reaction.emoji)?, form))).map(|(v, f)| (f, v))
        else {
            return Ok(());
        };
        let Some(only) = form.only().filter(|_| usable) else { return Ok(()) };
        let id = execution.request.id.clone();
        match form.read(BTreeMap::from([(only.name.clone(), Value::String(value))])) {
            Ok(response) => self.respond(step, moment, &id, by, response),
            Err(_) => Ok(()),
        }
    }

    /// The posts on which an emoji answers a question.
    pub(super) fn inquiry_posts(&self) -> Vec<(ChannelId, PostId)> {
        let post = |(execution, inquiry): (&Execution, &Inquiry)| {
            let form = Form::of(&inquiry.schema).ok()?;
            let post = self.memory.posts.get(&inquiry_of(&execution.request.id)).filter(|_| !emojis(&form).is_empty());
            Some((inquiry.channel.clone()?, post?.clone()))
        };
        self.asking().filter_map(post).collect()
    }

    /// A question stands. Where there are no buttons, the emojis that answer it are put there to be pressed.
    pub(super) fn inquiry_stands(&self, step: &mut Step, stands: &PostId) {
        if self.settings.buttons {
            return;
        }
        for (execution, inquiry) in self.asking() {
            let (Some(channel), Ok(form)) = (&inquiry.channel, Form::of(&inquiry.schema)) else { continue };
            if self.memory.posts.get(&inquiry_of(&execution.request.id)) == Some(stands) {
                emojis(&form).iter().for_each(|(emoji, _)| react(step, channel, stands, emoji));
            }
        }
    }

    /// `answer K3QZ …`
    pub(super) fn answer_inquiry(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        speaker: &Speaker<'_>,
        code: &Code,
        words: &str,
    ) -> Result<(), Contradiction> {
        let asked = self.asking().find(|(_, inquiry)| inquiry.code == *code);
        let Some((execution, inquiry)) = asked else {
            self.not_done(step, speaker, "question");
            return self.say(step, moment, &speaker.back, &Card::NoInquiry { code: code.to_string() });
        };
        let by = speaker.principal();
        if !may_answer(&execution.request, inquiry, &by, &speaker.rights) {
            let card = Card::NotYourInquiry { code: code.to_string(), who: self.answerers(inquiry) };
            self.not_done(step, speaker, "no_entry");
            return self.say(step, moment, &speaker.back, &card);
        }
        let Ok(form) = Form::of(&inquiry.schema) else { return Ok(()) };
        let id = execution.request.id.clone();
        match form.read(given_in(&form, words)) {
            Ok(response) => {
                self.respond(step, moment, &id, by, response)?;
                if let Back::Chat { channel, post, .. } = &speaker.back {
                    unreact(step, channel, post, "eyes");
                    // The question shows the answer; the mark is all that the line gets, so it is promised.
                    let body = Body::Mark { post: post.clone(), emoji: "white_check_mark".to_owned() };
                    let delivery = Delivery { id: answer_to(post, "answered"), channel: channel.clone(), body };
                    self.deliver(step, moment, delivery)?;
                }
                Ok(())
            }
            Err(complaints) => {
                let card = Card::AnswerUnfit {
                    code: code.to_string(),
                    problems: complaints.iter().map(|complaint| markdown::prose(&complaint.why)).collect(),
                    example: format!("answer {code} {}", form.example()),
                };
                self.not_done(step, speaker, "question");
                self.say(step, moment, &speaker.back, &card)
            }
        }
    }

    /// `inquiries`
    pub(super) fn inquiries(&self, speaker: &Speaker<'_>, now: Timestamp) -> Card {
        let by = speaker.principal();
        let seen = self.asking().filter(|(execution, inquiry)| sees(execution, inquiry, &by, &speaker.rights));
        let row = |(execution, inquiry): (&Execution, &Inquiry)| {
            let form = Form::of(&inquiry.schema).unwrap_or_else(|_| Form::default());
            let names = || form.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
            let question = Some(question_of(&form)).filter(|question| !question.is_empty()).unwrap_or_else(names);
            InquiryRow {
                code: inquiry.code.to_string(),
                line: shown_line(execution),
                question,
                who: self.answerers(inquiry),
                wait: inquiry.until.map(|until| span(between(now, until))).unwrap_or_default(),
            }
        };
        Card::Inquiries { rows: seen.map(row).collect() }
    }

    /// The questions that are open, for a command on the bot's machine.
    pub(super) fn asked_for_inquiries(
        &self,
        step: &mut Step,
        request: RequestId,
        from: &Principal,
        rights: &Rights,
        wanted: Option<&str>,
    ) {
        let named = |execution: &Execution, inquiry: &Inquiry| {
            wanted.is_none_or(|wanted| {
                execution.request.id.as_str().ends_with(&wanted.to_lowercase())
                    || inquiry.code.as_str() == wanted.to_uppercase()
            })
        };
        let seen = self
            .asking()
            .filter(|(execution, inquiry)| sees(execution, inquiry, from, rights) && named(execution, inquiry));
        let inquiries: Vec<OpenInquiry> = seen
            .map(|(execution, inquiry)| OpenInquiry {
                id: execution.request.id.clone(),
                code: inquiry.code.to_string(),
                action: execution.request.action.clone(),
                result: inquiry.result(),
                until: inquiry.until,
            })
            .collect();
        let answer = match (wanted, inquiries.len()) {
            (Some(wanted), 0) => self.no_inquiry(wanted),
            _ => Answer::Inquiries { inquiries },
        };
        step.effects.push(Effect::Answer { request, answer: Box::new(answer) });
    }

    /// An answer from a command on the bot's machine.
    pub(super) fn asked_to_respond(
        &mut self,
        step: &mut Step,
        moment: &mut Moment,
        request: RequestId,
        (from, rights): (&Principal, &Rights),
        (wanted, response): (&str, BTreeMap<String, Value>),
    ) -> Result<(), Contradiction> {
        let found: Vec<(ExecutionId, Inquiry, bool)> = self
            .asking()
            .filter(|(execution, inquiry)| sees(execution, inquiry, from, rights))
            .filter(|(execution, inquiry)| {
                execution.request.id.as_str().ends_with(&wanted.to_lowercase())
                    || inquiry.code.as_str() == wanted.to_uppercase()
            })
            .map(|(execution, inquiry)| {
                let may = may_answer(&execution.request, inquiry, from, rights);
                (execution.request.id.clone(), inquiry.clone(), may)
            })
            .collect();
        let answer = match found.as_slice() {
            [(_, inquiry, false)] => {
                let card = Card::NotYourInquiry { code: inquiry.code.to_string(), who: self.answerers(inquiry) };
                Answer::Refused { text: markdown::bare(&self.sentences.say(&card)) }
            }
            [(id, inquiry, true)] => match Form::of(&inquiry.schema).map(|form| (form.read(response), form)) {
                Ok((Ok(response), _)) => {
                    self.respond(step, moment, id, from.clone(), response)?;
                    Answer::Started { id: id.clone() }
                }
                Ok((Err(complaints), form)) => {
                    let card = Card::AnswerUnfit {
                        code: inquiry.code.to_string(),
                        problems: complaints.iter().map(|complaint| markdown::prose(&complaint.why)).collect(),
                        example: form.example(),
                    };
                    Answer::Refused { text: markdown::bare(&self.sentences.say(&card)) }
                }
                Err(flaw) => Answer::Refused { text: flaw.to_string() },
            },
            _ => self.no_inquiry(wanted),
        };
        step.effects.push(Effect::Answer { request, answer: Box::new(answer) });
        Ok(())
    }

    fn no_inquiry(&self, wanted: &str) -> Answer {
        let card = Card::NoInquiry { code: wanted.to_owned() };
        Answer::Refused { text: markdown::bare(&self.sentences.say(&card)) }
    }

    /// The answer, and the end of the execution that asked.
    fn respond(
        &mut self,
        step: &mut Step,
        moment: &Moment,
        id: &ExecutionId,
        by: Principal,
        response: Map<String, Value>,
    ) -> Result<(), Contradiction> {
        self.note(step, moment, Fact::InquiryAnswered { id: id.clone(), by, response })?;
        self.finish(step, moment, id, Status::Succeeded, None)
    }

    /// Questions whose time is over.
    pub(super) fn unanswered(&self, now: Timestamp) -> Vec<ExecutionId> {
        let over = self.asking().filter(|(_, inquiry)| inquiry.until.is_some_and(|until| until <= now));
        over.map(|(execution, _)| execution.request.id.clone()).collect()
    }

    /// When the next question's time is over.
    pub(super) fn next_unanswered(&self) -> Option<Timestamp> {
        self.asking().filter_map(|(_, inquiry)| inquiry.until).min()
    }

    /// The last words of an execution that asked.
    pub(super) fn inquiry_ended(&self, execution: &Execution, now: Timestamp) -> Vec<Delivery> {
        let Some(inquiry) = execution.request.inquiry.as_deref() else { return Vec::new() };
        let id = &execution.request.id;
        let text = self.sentences.say(&self.inquiry_end(execution, now));
        let mut deliveries = Vec::new();
        if let Some(channel) = inquiry.channel.clone() {
            let question = inquiry_of(id);
            let drawn = self.memory.buttons.contains_key(&question);
            let body = Body::Edit { of: question.clone(), text: text.clone(), attachments: drawn.then(Vec::new) };
            deliveries.push(Delivery { id: DeliveryId::new(format!("{id}-end")), channel: channel.clone(), body });
            if let (Back::Chat { channel: asked_in, .. }, true) =
                (&execution.request.back, asked_elsewhere(&execution.request))
            {
                let body = Body::Edit { of: card_of(id), text, attachments: None };
                deliveries.push(Delivery {
                    id: DeliveryId::new(format!("{id}-end-here")),
                    channel: asked_in.clone(),
                    body,
                });
            }
        }
        if let (Back::Chat { channel, root, .. }, Principal::ChatUser { name, .. }, true) = (
            &execution.request.back,
            &execution.request.by,
            execution.elapsed(now) > self.settings.mention_after && !answered_by_asker(execution),
        ) {
            let card = Card::Told(Told {
                who: markdown::mention(name),
                mark: mark(execution.status),
                line: shown_line(execution),
                verdict: verdict(execution, &self.sentences),
                took: span(execution.elapsed(now)),
                attached: false,
            });
            let of = if asked_elsewhere(&execution.request) { card_of(id) } else { inquiry_of(id) };
            let root = root.clone().map_or(Thread::Delivery { of }, |post| Thread::Post { post });
            let body = Body::Post { root: Some(root), text: self.sentences.say(&card), files: Vec::new() };
            deliveries.push(Delivery { id: DeliveryId::new(format!("{id}-told")), channel: channel.clone(), body });
        }
        deliveries
    }

    /// How a question ended.
    pub(super) fn inquiry_end(&self, execution: &Execution, now: Timestamp) -> Card {
        let Some(inquiry) = execution.request.inquiry.as_deref() else {
            return Card::NoInquiry { code: String::new() };
        };
        let form = Form::of(&inquiry.schema).unwrap_or_else(|_| Form::default());
        let (how, by) = match (&execution.answered, &execution.canceled_by) {
            (Some(answered), _) => ("answered", Some(&answered.by)),
            (None, Some(by)) => ("canceled", Some(by)),
            (None, None) => ("expired", None),
        };
        let response = execution.answered.as_deref().map(|answered| answered.response.clone()).unwrap_or_default();
        let value = |(name, value): (String, Value)| InquiryValue {
            name,
            value: markdown::shorten(&for_people(&value), MOST_SHOWN),
        };
        Card::InquiryEnd(InquiryEnd {
            line: shown_line(execution),
            code: inquiry.code.to_string(),
            question: question_of(&form),
            how,
            by: by.map(|by| super::answer::name_of(by).to_owned()).unwrap_or_default(),
            values: response.into_iter().map(value).collect(),
            took: span(execution.elapsed(now)),
        })
    }

    fn asking(&self) -> impl Iterator<Item = (&Execution, &Inquiry)> {
        let pending = self.memory.executions.values().filter(|execution| execution.status == Status::Pending);
        pending.filter_map(|execution| Some((execution, execution.request.inquiry.as_deref()?)))
    }

    /// Who may answer, in words.
    fn answerers(&self, inquiry: &Inquiry) -> String {
        let (roles, users) = (inquiry.roles.as_slice(), inquiry.users.as_slice());
        let both = !roles.is_empty() && !users.is_empty();
        self.sentences.phrase(&Phrase::Answerers { roles, users, both })
    }
}

/// Whether somebody may answer.
fn may_answer(request: &Requested, inquiry: &Inquiry, by: &Principal, rights: &Rights) -> bool {
    if let Principal::LocalUser { .. } = by
        && rights.administers()
    {
        return true;
    }
    let role = inquiry.roles.is_empty() || inquiry.roles.iter().any(|role| rights.roles.contains(role));
    let user =
        inquiry.users.is_empty() || matches!(by, Principal::ChatUser { id, .. } if inquiry.user_ids.contains(id));
    let named = !inquiry.roles.is_empty() || !inquiry.users.is_empty();
    let own = match (by, &request.by) {
        (Principal::ChatUser { id, .. }, Principal::ChatUser { id: asker, .. }) => id == asker,
        (Principal::LocalUser { uid, .. }, Principal::LocalUser { uid: asker, .. }) => uid == asker,
        _ => false,
    };
    role && user && (named || own || rights.may(Verb::Run, &request.action))
}

fn sees(execution: &Execution, inquiry: &Inquiry, by: &Principal, rights: &Rights) -> bool {
    rights.may(Verb::View, &execution.request.action) || may_answer(&execution.request, inquiry, by, rights)
}

/// The question stands in another channel than the one in which the execution was asked for.
fn asked_elsewhere(request: &Requested) -> bool {
    let asks_in = request.inquiry.as_deref().and_then(|inquiry| inquiry.channel.as_ref());
    matches!(&request.back, Back::Chat { channel, .. } if asks_in.is_some_and(|asks_in| asks_in != channel))
}

fn answered_by_asker(execution: &Execution) -> bool {
    execution.answered.as_deref().is_some_and(|answered| answered.by == execution.request.by)
}

fn principal(identity: &Identity) -> Principal {
    Principal::ChatUser { id: identity.id.clone(), name: identity.username.clone() }
}

/// What is asked, where that is one thing; empty otherwise.
fn question_of(form: &Form) -> String {
    let Some(only) = form.only() else { return String::new() };
    let question = if only.description.is_empty() { only.name.as_str() } else { only.description.as_str() };
    let question = short(question);
    if question.ends_with(['?', '.', '!', ':', '…']) { question } else { format!("{question}?") }
}

/// A value as people say it.
fn for_people(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => written(other),
    }
}

fn short(text: &str) -> String {
    markdown::shorten(text, MOST_SHOWN)
}

fn kind_of(field: &FormField) -> &'static str {
    match field.kind {
        Some(ParameterType::String) | None => "",
        Some(_) if !field.choices.is_empty() => "",
        Some(kind) => type_in_words(kind),
    }
}

fn dialog_field(field: &FormField) -> DialogField {
    let kind = match field.kind {
        _ if !field.choices.is_empty() => {
            FieldKind::Choice(field.choices.iter().map(|choice| (written(choice), written(choice))).collect())
        }
        // A switch that is not touched says no, and could not be left out; two choices can.
        Some(ParameterType::Boolean) => {
            FieldKind::Choice(["yes", "no"].into_iter().map(|word| (word.to_owned(), word.to_owned())).collect())
        }
        Some(ParameterType::Integer | ParameterType::Number) => FieldKind::Number,
        Some(ParameterType::Object) => FieldKind::Lines,
        _ => FieldKind::Line,
    };
    let default = field.default.as_ref().map(for_people).unwrap_or_default();
    DialogField {
        name: field.name.clone(),
        label: field.name.clone(),
        help: field.description.clone(),
        default,
        optional: !field.required || field.default.is_some(),
        kind,
    }
}

/// The emojis that answer, each with the answer.
fn emojis(form: &Form) -> Vec<(&'static str, String)> {
    let presses = form.presses();
    let boolean = form.only().is_some_and(|only| only.choices.is_empty());
    let offered: Vec<&'static str> = if boolean { vec![YES[0], NO[0]] } else { NUMBERS.to_vec() };
    offered.into_iter().zip(presses).collect()
}

/// The answer that an emoji gives.
fn meant(form: &Form, emoji: &str) -> Option<String> {
    let boolean = form.only().is_some_and(|only| only.choices.is_empty());
    if boolean && !form.presses().is_empty() {
        return match emoji {
            yes if YES.contains(&yes) => Some("yes".to_owned()),
            no if NO.contains(&no) => Some("no".to_owned()),
            _ => None,
        };
    }
    emojis(form).into_iter().find(|(offered, _)| *offered == emoji).map(|(_, value)| value)
}

/// What a line gives: pairs, or where one thing is asked for, that.
fn given_in(form: &Form, words: &str) -> BTreeMap<String, Value> {
    let words = words.trim();
    let pairs = Tail::of(words).pairs;
    let whole = pairs.first().is_some_and(|first| first.start == 0);
    if whole {
        return pairs.iter().map(|pair| (pair.key.to_owned(), json!(pair.value))).collect();
    }
    match form.only() {
        Some(only) if !words.is_empty() => BTreeMap::from([(only.name.clone(), json!(unquoted(words)))]),
        // Words that are no pair belong to nothing that is asked for.
        _ => words.split_whitespace().next().map(|word| (word.to_owned(), json!(words))).into_iter().collect(),
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |(opening, closing): (char, char)| value.strip_prefix(opening)?.strip_suffix(closing);
    QUOTES.into_iter().find_map(inside).unwrap_or(value)
}

fn between(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
