//! The templates and the words they may use.
//!
//! `{{value}}` is escaped for Markdown; `{{{value}}}` is for what this folder has made itself (fences, inline code, mentions). Helpers:
//! `{{code value}}` inline code, `{{plural count "host" "hosts"}}`, and for lists `{{join list}}`, `{{join_code list}}` and `{{join_bold list}}`, each with the
//! word before the last one where one is wanted: `{{join_code list "or"}}`. Partials of `templates/partials/` are joined in with `{{> outputs}}`.
//!
//! A site can put its own text in the place of each template. **A text of the site's that fails is not said**: what came with the program
//! speaks instead, so that nobody is left without an answer.

use crate::core::message::card::Card;
use crate::core::message::markdown;
use crate::core::message::phrase::Phrase;
use handlebars::{Handlebars, HelperDef, RenderErrorReason};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// A longer piece of inline code is cut: what somebody wrote is repeated to be recognised, not to be read.
const LONGEST_CODE: usize = 300;

/// Room for a text as most are, in bytes.
const USUAL: usize = 512;

/// What a helper is given at a place, read so. What is not in the data is an error, as it is outside of helpers.
fn given<'h, T>(
    helper: &'h handlebars::Helper<'_>,
    place: usize,
    what: &str,
    read: impl FnOnce(&'h Value) -> Option<T>,
) -> Result<T, RenderErrorReason> {
    let wrong =
        || RenderErrorReason::Other(format!("`{}` takes {what} as its value number {}", helper.name(), place + 1));
    let parameter = helper.param(place).ok_or_else(wrong)?;
    if parameter.is_value_missing() {
        return Err(RenderErrorReason::MissingVariable(parameter.relative_path().cloned()));
    }
    read(parameter.value()).ok_or_else(wrong)
}

fn plural(
    helper: &handlebars::Helper<'_>,
    _: &Handlebars<'_>,
    _: &handlebars::Context,
    _: &mut handlebars::RenderContext<'_, '_>,
    out: &mut dyn handlebars::Output,
) -> handlebars::HelperResult {
    let count = given(helper, 0, "a number", Value::as_u64)?;
    let one = given(helper, 1, "a word for one", Value::as_str)?;
    let many = given(helper, 2, "a word for several", Value::as_str)?;
    Ok(out.write(&format!("{count} {}", if count == 1 { one } else { many }))?)
}

fn code(
    helper: &handlebars::Helper<'_>,
    _: &Handlebars<'_>,
    _: &handlebars::Context,
    _: &mut handlebars::RenderContext<'_, '_>,
    out: &mut dyn handlebars::Output,
) -> handlebars::HelperResult {
    Ok(out.write(&in_code(&said(given(helper, 0, "a text", Some)?)))?)
}

fn in_code(text: &str) -> String {
    markdown::code(&markdown::shorten(text, LONGEST_CODE))
}

fn in_bold(text: &str) -> String {
    format!("**{}**", markdown::escape(text))
}

/// A value as a text.
fn said(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A helper that says a list, each of its values dressed so: `a, b, c`, or `a, b or c` with the word that it is given.
struct Join(fn(&str) -> String);

impl HelperDef for Join {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &handlebars::Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc handlebars::Context,
        _: &mut handlebars::RenderContext<'reg, 'rc>,
        out: &mut dyn handlebars::Output,
    ) -> handlebars::HelperResult {
        let list = given(helper, 0, "a list", Value::as_array)?;
        let last = match helper.param(1) {
            Some(_) => Some(given(helper, 1, "a word", Value::as_str)?),
            None => None,
        };
        for (place, value) in list.iter().enumerate() {
            match last {
                _ if place == 0 => {}
                Some(word) if place + 1 == list.len() => out.write(&format!(" {word} "))?,
                _ => out.write(", ")?,
            }
            out.write(&(self.0)(&said(value)))?;
        }
        Ok(())
    }
}

/// Name and text of every template, as they are in `templates/`.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("running", include_str!("../../../templates/running.hbs")),
    ("ended", include_str!("../../../templates/ended.hbs")),
    ("following", include_str!("../../../templates/following.hbs")),
    ("last_lines", include_str!("../../../templates/last_lines.hbs")),
    ("workflow", include_str!("../../../templates/workflow.hbs")),
    ("pictured", include_str!("../../../templates/pictured.hbs")),
    ("no_picture", include_str!("../../../templates/no_picture.hbs")),
    ("alert", include_str!("../../../templates/alert.hbs")),
    ("alert_line", include_str!("../../../templates/alert_line.hbs")),
    ("storm", include_str!("../../../templates/storm.hbs")),
    ("escalated", include_str!("../../../templates/escalated.hbs")),
    ("storm_line", include_str!("../../../templates/storm_line.hbs")),
    ("storm_told", include_str!("../../../templates/storm_told.hbs")),
    ("alerts", include_str!("../../../templates/alerts.hbs")),
    ("rules", include_str!("../../../templates/rules.hbs")),
    ("rule", include_str!("../../../templates/rule.hbs")),
    ("rule_told", include_str!("../../../templates/rule_told.hbs")),
    ("offer_told", include_str!("../../../templates/offer_told.hbs")),
    ("monitoring_told", include_str!("../../../templates/monitoring_told.hbs")),
    ("sensors", include_str!("../../../templates/sensors.hbs")),
    ("sensor", include_str!("../../../templates/sensor.hbs")),
    ("sensor_told", include_str!("../../../templates/sensor_told.hbs")),
    ("workflow_asked", include_str!("../../../templates/workflow_asked.hbs")),
    ("rerun_refused", include_str!("../../../templates/rerun_refused.hbs")),
    ("not_its_hosts", include_str!("../../../templates/not_its_hosts.hbs")),
    ("none_failed", include_str!("../../../templates/none_failed.hbs")),
    ("told", include_str!("../../../templates/told.hbs")),
    ("question", include_str!("../../../templates/question.hbs")),
    ("settled", include_str!("../../../templates/settled.hbs")),
    ("already_settled", include_str!("../../../templates/already_settled.hbs")),
    ("nothing_to_settle", include_str!("../../../templates/nothing_to_settle.hbs")),
    ("too_fast", include_str!("../../../templates/too_fast.hbs")),
    ("too_many", include_str!("../../../templates/too_many.hbs")),
    ("no_role", include_str!("../../../templates/no_role.hbs")),
    ("not_identified", include_str!("../../../templates/not_identified.hbs")),
    ("not_understood", include_str!("../../../templates/not_understood.hbs")),
    ("ambiguous", include_str!("../../../templates/ambiguous.hbs")),
    ("undecided", include_str!("../../../templates/undecided.hbs")),
    ("lacks", include_str!("../../../templates/lacks.hbs")),
    ("value_dropped", include_str!("../../../templates/value_dropped.hbs")),
    ("nothing_to_repeat", include_str!("../../../templates/nothing_to_repeat.hbs")),
    ("cannot_repeat_on", include_str!("../../../templates/cannot_repeat_on.hbs")),
    ("too_many_matches", include_str!("../../../templates/too_many_matches.hbs")),
    ("other_channel", include_str!("../../../templates/other_channel.hbs")),
    ("no_choice", include_str!("../../../templates/no_choice.hbs")),
    ("bad_parameters", include_str!("../../../templates/bad_parameters.hbs")),
    ("bad_hosts", include_str!("../../../templates/bad_hosts.hbs")),
    ("disabled", include_str!("../../../templates/disabled.hbs")),
    ("elsewhere", include_str!("../../../templates/elsewhere.hbs")),
    ("late", include_str!("../../../templates/late.hbs")),
    ("ask_again", include_str!("../../../templates/ask_again.hbs")),
    ("restarted", include_str!("../../../templates/restarted.hbs")),
    ("other_instance", include_str!("../../../templates/other_instance.hbs")),
    ("names_moved", include_str!("../../../templates/names_moved.hbs")),
    ("may", include_str!("../../../templates/may.hbs")),
    ("no_user", include_str!("../../../templates/no_user.hbs")),
    ("unread", include_str!("../../../templates/unread.hbs")),
    ("called", include_str!("../../../templates/called.hbs")),
    ("help", include_str!("../../../templates/help.hbs")),
    ("whoami", include_str!("../../../templates/whoami.hbs")),
    ("status", include_str!("../../../templates/status.hbs")),
    ("list", include_str!("../../../templates/list.hbs")),
    ("no_execution", include_str!("../../../templates/no_execution.hbs")),
    ("many_executions", include_str!("../../../templates/many_executions.hbs")),
    ("canceling", include_str!("../../../templates/canceling.hbs")),
    ("already_ended", include_str!("../../../templates/already_ended.hbs")),
    ("secrets_gone", include_str!("../../../templates/secrets_gone.hbs")),
    ("stopping", include_str!("../../../templates/stopping.hbs")),
    ("going_away", include_str!("../../../templates/going_away.hbs")),
    ("left_running", include_str!("../../../templates/left_running.hbs")),
    ("reloaded", include_str!("../../../templates/reloaded.hbs")),
    ("packs_changed", include_str!("../../../templates/packs_changed.hbs")),
    ("packs", include_str!("../../../templates/packs.hbs")),
    ("none_listed", include_str!("../../../templates/none_listed.hbs")),
    ("plan", include_str!("../../../templates/plan.hbs")),
    ("nothing_to_plan", include_str!("../../../templates/nothing_to_plan.hbs")),
    ("scheduled", include_str!("../../../templates/scheduled.hbs")),
    ("not_scheduled", include_str!("../../../templates/not_scheduled.hbs")),
    ("scheduled_lines", include_str!("../../../templates/scheduled_lines.hbs")),
    ("unscheduled", include_str!("../../../templates/unscheduled.hbs")),
    ("due_missed", include_str!("../../../templates/due_missed.hbs")),
    ("due_asked", include_str!("../../../templates/due_asked.hbs")),
    ("due_refused", include_str!("../../../templates/due_refused.hbs")),
    ("look_up_failed", include_str!("../../../templates/look_up_failed.hbs")),
    ("little_room", include_str!("../../../templates/little_room.hbs")),
    ("store_refuses", include_str!("../../../templates/store_refuses.hbs")),
    ("store_recovered", include_str!("../../../templates/store_recovered.hbs")),
    ("frozen", include_str!("../../../templates/frozen.hbs")),
    ("freeze_changed", include_str!("../../../templates/freeze_changed.hbs")),
    ("audit", include_str!("../../../templates/audit.hbs")),
    ("audit_verified", include_str!("../../../templates/audit_verified.hbs")),
    ("checkpoint", include_str!("../../../templates/checkpoint.hbs")),
    ("not_admin", include_str!("../../../templates/not_admin.hbs")),
    ("value", include_str!("../../../templates/value.hbs")),
    ("values", include_str!("../../../templates/values.hbs")),
    ("value_set", include_str!("../../../templates/value_set.hbs")),
    ("value_deleted", include_str!("../../../templates/value_deleted.hbs")),
    ("value_refused", include_str!("../../../templates/value_refused.hbs")),
    ("inquiry", include_str!("../../../templates/inquiry.hbs")),
    ("inquiry_end", include_str!("../../../templates/inquiry_end.hbs")),
    ("inquiry_elsewhere", include_str!("../../../templates/inquiry_elsewhere.hbs")),
    ("inquiries", include_str!("../../../templates/inquiries.hbs")),
    ("answer_unfit", include_str!("../../../templates/answer_unfit.hbs")),
    ("no_inquiry", include_str!("../../../templates/no_inquiry.hbs")),
    ("not_your_inquiry", include_str!("../../../templates/not_your_inquiry.hbs")),
    ("lack_filled", include_str!("../../../templates/lack_filled.hbs")),
    ("approval", include_str!("../../../templates/approval.hbs")),
    ("delayed", include_str!("../../../templates/delayed.hbs")),
    ("decision_dialog", include_str!("../../../templates/decision_dialog.hbs")),
    ("not_begun", include_str!("../../../templates/not_begun.hbs")),
    ("no_place", include_str!("../../../templates/no_place.hbs")),
    ("too_many_wait", include_str!("../../../templates/too_many_wait.hbs")),
    ("decided", include_str!("../../../templates/decided.hbs")),
    ("reminder", include_str!("../../../templates/reminder.hbs")),
    ("vote_lost", include_str!("../../../templates/vote_lost.hbs")),
    ("approval_end", include_str!("../../../templates/approval_end.hbs")),
    ("asked_already", include_str!("../../../templates/asked_already.hbs")),
    ("asked_elsewhere", include_str!("../../../templates/asked_elsewhere.hbs")),
    ("too_many_requests", include_str!("../../../templates/too_many_requests.hbs")),
    ("nobody_decides", include_str!("../../../templates/nobody_decides.hbs")),
    ("cannot_ask", include_str!("../../../templates/cannot_ask.hbs")),
    ("secret_cannot_wait", include_str!("../../../templates/secret_cannot_wait.hbs")),
    ("approvals", include_str!("../../../templates/approvals.hbs")),
    ("announced", include_str!("../../../templates/announced.hbs")),
    ("started", include_str!("../../../templates/started.hbs")),
];

/// Name and text of every phrase, as they are in `templates/phrases/`.
pub const PHRASES: &[(&str, &str)] = &[
    ("event", include_str!("../../../templates/phrases/event.hbs")),
    ("sensor", include_str!("../../../templates/phrases/sensor.hbs")),
    ("storm", include_str!("../../../templates/phrases/storm.hbs")),
    ("webhook", include_str!("../../../templates/phrases/webhook.hbs")),
    ("verdict", include_str!("../../../templates/phrases/verdict.hbs")),
    ("deciders", include_str!("../../../templates/phrases/deciders.hbs")),
    ("changed", include_str!("../../../templates/phrases/changed.hbs")),
    ("not_approved", include_str!("../../../templates/phrases/not_approved.hbs")),
    ("no_voter", include_str!("../../../templates/phrases/no_voter.hbs")),
    ("decision_form", include_str!("../../../templates/phrases/decision_form.hbs")),
    ("approved_by", include_str!("../../../templates/phrases/approved_by.hbs")),
    ("exit", include_str!("../../../templates/phrases/exit.hbs")),
    ("left_out", include_str!("../../../templates/phrases/left_out.hbs")),
    ("workflow", include_str!("../../../templates/phrases/workflow.hbs")),
    ("picture_subtitle", include_str!("../../../templates/phrases/picture_subtitle.hbs")),
    ("picture_note", include_str!("../../../templates/phrases/picture_note.hbs")),
    ("picture_group", include_str!("../../../templates/phrases/picture_group.hbs")),
    ("picture_state", include_str!("../../../templates/phrases/picture_state.hbs")),
    ("picture_folded", include_str!("../../../templates/phrases/picture_folded.hbs")),
    ("no_output", include_str!("../../../templates/phrases/no_output.hbs")),
    ("bound", include_str!("../../../templates/phrases/bound.hbs")),
    ("locked", include_str!("../../../templates/phrases/locked.hbs")),
    ("tried", include_str!("../../../templates/phrases/tried.hbs")),
    ("tried_again", include_str!("../../../templates/phrases/tried_again.hbs")),
    ("not_tried_again", include_str!("../../../templates/phrases/not_tried_again.hbs")),
    ("waited_too_long", include_str!("../../../templates/phrases/waited_too_long.hbs")),
    ("held_back", include_str!("../../../templates/phrases/held_back.hbs")),
    ("waits_for", include_str!("../../../templates/phrases/waits_for.hbs")),
    ("summary", include_str!("../../../templates/phrases/summary.hbs")),
    ("like", include_str!("../../../templates/phrases/like.hbs")),
    ("standard_error", include_str!("../../../templates/phrases/standard_error.hbs")),
    ("file_heading", include_str!("../../../templates/phrases/file_heading.hbs")),
    ("not_kept", include_str!("../../../templates/phrases/not_kept.hbs")),
    ("file_gap", include_str!("../../../templates/phrases/file_gap.hbs")),
    ("cut", include_str!("../../../templates/phrases/cut.hbs")),
    ("whole_text", include_str!("../../../templates/phrases/whole_text.hbs")),
    ("file_not_kept", include_str!("../../../templates/phrases/file_not_kept.hbs")),
    ("file_missing", include_str!("../../../templates/phrases/file_missing.hbs")),
    ("form", include_str!("../../../templates/phrases/form.hbs")),
    ("order_form", include_str!("../../../templates/phrases/order_form.hbs")),
    ("answerers", include_str!("../../../templates/phrases/answerers.hbs")),
    ("press_refused", include_str!("../../../templates/phrases/press_refused.hbs")),
    ("no_way", include_str!("../../../templates/phrases/no_way.hbs")),
    ("lost_twice", include_str!("../../../templates/phrases/lost_twice.hbs")),
    ("again", include_str!("../../../templates/phrases/again.hbs")),
    ("judged", include_str!("../../../templates/phrases/judged.hbs")),
    ("fixed_parameter", include_str!("../../../templates/phrases/fixed_parameter.hbs")),
    ("broken_words", include_str!("../../../templates/phrases/broken_words.hbs")),
    ("no_local_role", include_str!("../../../templates/phrases/no_local_role.hbs")),
    ("no_action", include_str!("../../../templates/phrases/no_action.hbs")),
    ("health_chat", include_str!("../../../templates/phrases/health_chat.hbs")),
    ("health_other", include_str!("../../../templates/phrases/health_other.hbs")),
    ("health_outbox", include_str!("../../../templates/phrases/health_outbox.hbs")),
    ("health_sensors", include_str!("../../../templates/phrases/health_sensors.hbs")),
    ("health_ssh", include_str!("../../../templates/phrases/health_ssh.hbs")),
    ("health_stopping", include_str!("../../../templates/phrases/health_stopping.hbs")),
    ("health_advice", include_str!("../../../templates/phrases/health_advice.hbs")),
    ("health_content", include_str!("../../../templates/phrases/health_content.hbs")),
    ("health_inventory", include_str!("../../../templates/phrases/health_inventory.hbs")),
    ("health_store", include_str!("../../../templates/phrases/health_store.hbs")),
    ("set_aside", include_str!("../../../templates/phrases/set_aside.hbs")),
    ("audit_set_aside", include_str!("../../../templates/phrases/audit_set_aside.hbs")),
];

/// Name and text of every piece that templates have in common, as they are in `templates/partials/`.
pub const PARTIALS: &[(&str, &str)] = &[
    ("alert_state", include_str!("../../../templates/partials/alert_state.hbs")),
    ("remedy", include_str!("../../../templates/partials/remedy.hbs")),
    ("storm_rows", include_str!("../../../templates/partials/storm_rows.hbs")),
    ("order", include_str!("../../../templates/partials/order.hbs")),
    ("outputs", include_str!("../../../templates/partials/outputs.hbs")),
    ("awaits", include_str!("../../../templates/partials/awaits.hbs")),
    ("plan_details", include_str!("../../../templates/partials/plan_details.hbs")),
];

/// The sentences that come with the program.
static BUILT_IN: LazyLock<Voice> = LazyLock::new(|| {
    let mut voice = Voice::silent();
    for (kind, known) in [(Kind::Card, TEMPLATES), (Kind::Phrase, PHRASES), (Kind::Partial, PARTIALS)] {
        voice.learn_all(kind, known);
    }
    voice
});

/// The pieces that they have in common.
static BUILT_IN_PARTIALS: LazyLock<Voice> = LazyLock::new(|| {
    let mut voice = Voice::silent();
    voice.learn_all(Kind::Partial, PARTIALS);
    voice
});

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A post.
    Card,
    /// A piece of a sentence, plain text.
    Phrase,
    /// A piece of a post.
    Partial,
}

/// One set of templates.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    cards: Handlebars<'static>,
    phrases: Handlebars<'static>,
}

impl Voice {
    fn silent() -> Self {
        let mut cards = Handlebars::new();
        cards.register_escape_fn(markdown::escape);
        cards.register_helper("code", Box::new(code));
        cards.register_helper("join", Box::new(Join(markdown::escape)));
        cards.register_helper("join_code", Box::new(Join(in_code)));
        cards.register_helper("join_bold", Box::new(Join(in_bold)));
        let mut phrases = Handlebars::new();
        phrases.register_escape_fn(handlebars::no_escape);
        phrases.register_helper("join", Box::new(Join(str::to_owned)));
        for registry in [&mut cards, &mut phrases] {
            registry.set_strict_mode(true);
            registry.register_helper("plural", Box::new(plural));
        }
        Self { cards, phrases }
    }

    /// The voice that comes with the program, to be changed.
    pub(super) fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// Nothing but the pieces that come with the program, to be changed. Much less than [`Self::built_in`].
    pub(super) fn of_partials() -> Self {
        BUILT_IN_PARTIALS.clone()
    }

    fn learn_all(&mut self, kind: Kind, known: &[(&str, &str)]) {
        for (name, text) in known {
            self.learn(kind, name, text).expect("a test renders every template that is compiled in");
        }
    }

    /// Takes a template, in the place of one of its name if there is one.
    pub(super) fn learn(&mut self, kind: Kind, name: &str, text: &str) -> Result<(), handlebars::TemplateError> {
        match kind {
            Kind::Card => self.cards.register_template_string(name, text),
            Kind::Phrase => self.phrases.register_template_string(name, text),
            Kind::Partial => self.cards.register_partial(name, text),
        }
    }

    /// The text of a template with this data.
    pub(super) fn render(
        &self,
        kind: Kind,
        name: &str,
        data: &impl Serialize,
    ) -> Result<String, handlebars::RenderError> {
        let registry = match kind {
            Kind::Phrase => &self.phrases,
            Kind::Card | Kind::Partial => &self.cards,
        };
        // The library would take eight kilobytes for every text.
        let mut text = Vec::with_capacity(USUAL);
        registry.render_to_write(name, data, &mut text)?;
        Ok(String::from_utf8(text)?.trim().to_owned())
    }
}

/// The bot's voice: what came with the program, and what the site says otherwise. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sentences {
    /// The site's templates, and those that use a piece of the site's; absent where the site has none.
    own: Option<Arc<Voice>>,
}

impl Sentences {
    /// The sentences that come with the program.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with the site's texts in their places: `ended`, `phrases/verdict`, `partials/outputs` and so on, each sound by itself
    /// ([`super::overrides`] looks at them).
    pub(super) fn speaking(texts: &BTreeMap<String, String>) -> Self {
        if texts.is_empty() {
            return Self::new();
        }
        let pieces = texts.keys().any(|name| matches!(place(name), Some((Kind::Partial, ..))));
        let mut voice = if pieces { Voice::built_in() } else { Voice::of_partials() };
        let mut changed = false;
        for (name, text) in texts {
            let known = place(name).is_some_and(|(kind, name, _)| voice.learn(kind, name, text).is_ok());
            changed |= known;
        }
        Self { own: changed.then(|| Arc::new(voice)) }
    }

    /// Says a phrase, as plain text on one line.
    pub fn phrase(&self, phrase: &Phrase<'_>) -> String {
        self.render(Kind::Phrase, phrase.template(), phrase)
            .unwrap_or_else(|problem| format!("(the template phrases/{} is broken: {problem})", phrase.template()))
    }

    /// Says a card. A template that fails says so by its name instead of leaving somebody without an answer.
    pub fn say(&self, card: &Card) -> String {
        self.render(Kind::Card, card.template(), card).unwrap_or_else(|problem| {
            let problem = markdown::code(&problem.to_string());
            format!("I have something to say but its template `{}` is broken: {problem}", card.template())
        })
    }

    fn render(&self, kind: Kind, name: &str, data: &impl Serialize) -> Result<String, handlebars::RenderError> {
        // A phrase may be empty on purpose, a post never.
        let fits = |text: &String| kind == Kind::Phrase || !text.is_empty();
        let own = self.own.as_ref().and_then(|own| own.render(kind, name, data).ok()).filter(fits);
        own.map_or_else(|| BUILT_IN.render(kind, name, data), Ok)
    }
}

/// What a site's template of this name stands for, its name there and the text that came with the program.
pub(super) fn place(name: &str) -> Option<(Kind, &str, &'static str)> {
    let (kind, name, known) = match name.split_once('/') {
        None => (Kind::Card, name, TEMPLATES),
        Some(("phrases", name)) => (Kind::Phrase, name, PHRASES),
        Some(("partials", name)) => (Kind::Partial, name, PARTIALS),
        Some(_) => return None,
    };
    let (_, text) = known.iter().find(|(known, _)| *known == name)?;
    Some((kind, name, text))
}

/// The names of all templates, as a site names its own.
pub fn names() -> impl Iterator<Item = String> {
    let cards = TEMPLATES.iter().map(|(name, _)| (*name).to_owned());
    let phrases = PHRASES.iter().map(|(name, _)| format!("phrases/{name}"));
    let partials = PARTIALS.iter().map(|(name, _)| format!("partials/{name}"));
    cards.chain(phrases).chain(partials)
}
