//! How an alias wants its executions to be told: StackStorm's `ack` and `result`, and its `immutable_parameters`, which are rendered likewise.
//!
//! StackStorm says two messages, one at the start and one at the end. Here there is one post which is edited; `ack.format` stands in it while the
//! execution runs, `result.format` in the place of the outputs when it has ended. Only what brings attachments is a post of its own, because an
//! edit cannot bring them.
//!
//! - **The headline is the bot's own**: a pack's words never hide how an execution ended.
//! - **Nothing ends in silence**: what an alias wants neither announced nor told still gets its mark, and a failure its sentence.
//! - **Words that cannot be rendered are said to be broken**, and the outputs are shown as usual.

use super::Bot;
use super::start::Wish;
use crate::core::action::execution::{Execution, Requested, Status, Telling};
use crate::core::action::result::{result, to_stackstorm};
use crate::core::action::run::Captured;
use crate::core::action::spec::Action;
use crate::core::alias::spec::{Alias, Saying};
use crate::core::id::ChannelId;
use crate::core::input::{Back, Principal};
use crate::core::message::attachment::{self, Attachment, Field};
use crate::core::message::phrase::Phrase;
use crate::core::template::render::{TemplateError, holds_template, render_value_in};
use crate::core::template::said::{self, Said, Undefined};
use crate::core::template::value::cast;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What parts the words before an attachment from those in it.
const SEPARATOR: &str = "{~}";
/// Colours for an attachment that has none of its own.
const GOOD: &str = "#2eb886";
const BAD: &str = "#d0342c";

/// How the end of an execution is told.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The pack's words, instead of the outputs.
    pub(super) text: String,
    /// Attachments below them.
    pub(super) attachments: Vec<Attachment>,
    /// The outputs are not shown.
    pub(super) bare: bool,
    /// Nothing is to be told (`result.enabled: false`).
    pub(super) off: bool,
    /// What is wrong with the pack's words.
    pub(super) problem: Option<String>,
}

/// The immutable parameters of an alias, rendered.
#[derive(Debug, Default)]
pub(super) struct FixedParameters {
    /// Their values.
    pub(super) values: Map<String, Value>,
    /// Those that a secret was put into.
    pub(super) secret: BTreeSet<String>,
    /// Those that something was put into which any person may have written, so that they are not the pack's own words.
    pub(super) doubtful: BTreeSet<String>,
}

impl FixedParameters {
    /// Those that are the pack's own words.
    pub(super) fn trusted(self) -> Map<String, Value> {
        self.values.into_iter().filter(|(name, _)| !self.doubtful.contains(name)).collect()
    }
}

/// Whether nothing is said when it starts.
pub(super) fn is_quiet(request: &Requested) -> bool {
    request.telling.as_ref().is_some_and(|telling| telling.quiet)
}

impl Bot {
    /// The immutable parameters of an alias as they are for this person in this channel now, or why they cannot be had.
    pub(super) fn fixed(
        &self,
        at: Timestamp,
        alias: &Alias,
        by: &Principal,
        channel: &ChannelId,
    ) -> Result<FixedParameters, String> {
        let given = &alias.immutable_parameters;
        if !given.values().any(holds_template) {
            return Ok(FixedParameters { values: given.clone(), ..FixedParameters::default() });
        }
        let context = Map::from_iter([
            ("user".to_owned(), json!(self.me().map_or("halcyon", |(_, name)| name))),
            ("api_user".to_owned(), json!(super::answer::name_of(by))),
            ("source_channel".to_owned(), json!(self.channel_name(channel))),
            ("action_alias_ref".to_owned(), json!(alias.reference)),
        ]);
        let around = self.surroundings(at, alias.action.pack(), by);
        let mut fixed = FixedParameters::default();
        for (name, value) in given {
            let rendered = render_value_in(value, &context, &around).map_err(|why| {
                let (alias, why) = (alias.reference.as_str(), why.to_string());
                self.sentences.phrase(&Phrase::BrokenWords { alias, key: "immutable_parameters", why: &why })
            })?;
            if rendered.taken.iter().any(|taken| taken.entry.secret) {
                fixed.secret.insert(name.clone());
            }
            if rendered.taken.iter().any(|taken| !taken.entry.trusted) {
                fixed.doubtful.insert(name.clone());
            }
            fixed.values.insert(name.clone(), rendered.output);
        }
        Ok(fixed)
    }

    /// Names of the parameters of a wish that its alias puts a secret into.
    pub(super) fn secretly_fixed(&self, at: Timestamp, wish: &Wish) -> BTreeSet<String> {
        let (Some(alias), Back::Chat { channel, .. }) = (&wish.alias, &wish.back) else { return BTreeSet::new() };
        self.fixed(at, alias, &wish.by, channel).map(|fixed| fixed.secret).unwrap_or_default()
    }

    /// The parameters of an execution that its alias still sets to what they were.
    pub(super) fn still_fixed(
        &self,
        at: Timestamp,
        alias: &Alias,
        action: &Action,
        request: &Requested,
    ) -> Vec<String> {
        let Back::Chat { channel, .. } = &request.back else { return Vec::new() };
        let fixed = self.fixed(at, alias, &request.by, channel).unwrap_or_default().trusted();
        let same = |(name, value): &(String, Value)| {
            let kind = action.parameters.get(name).and_then(|parameter| parameter.kind);
            let value = kind.map_or_else(|| Some(value.clone()), |kind| cast(value, kind));
            value.as_ref() == request.parameters.get(name)
        };
        fixed.into_iter().filter(same).map(|(name, _)| name).collect()
    }

    /// Notes with an execution what its alias says of the words for it, and moves it to the thread of its line where the alias wants that.
    pub(super) fn tell_as(&self, request: &mut Requested, alias: &Alias, now: Timestamp) {
        if alias.ack.is_none() && alias.result.is_none() {
            return;
        }
        let threaded = [&alias.ack, &alias.result].into_iter().flatten().any(|saying| wants_thread(&saying.extra));
        if let Back::Chat { root, post, .. } = &mut request.back
            && threaded
        {
            root.get_or_insert_with(|| post.clone());
        }
        let mut telling = Telling {
            quiet: alias.ack.as_ref().is_some_and(|ack| !ack.enabled),
            ack: String::new(),
            result: alias.result.clone(),
            alias: shown(alias),
        };
        if let Some(format) = alias.ack.as_ref().filter(|ack| ack.enabled).and_then(|ack| ack.format.as_ref()) {
            let started = Execution::start(now, request.clone());
            let context = self.context(&started, "actionalias", &telling.alias);
            telling.ack = match said::render(format, &context, Undefined::Error) {
                Ok(said) => said.markdown().replace(SEPARATOR, ""),
                Err(why) => {
                    let (alias, why) = (alias.reference.as_str(), why.to_string());
                    let phrase = Phrase::BrokenWords { alias, key: "ack.format", why: &why };
                    crate::core::message::markdown::prose(&self.sentences.phrase(&phrase))
                }
            };
        }
        request.telling = Some(Box::new(telling));
    }

    /// How the end of an execution is told.
    pub(super) fn ending(&self, execution: &Execution) -> Ending {
        let Some(telling) = &execution.request.telling else { return Ending::default() };
        let Some(saying) = &telling.result else { return Ending::default() };
        if !saying.enabled {
            return Ending { bare: true, off: true, ..Ending::default() };
        }
        let context = self.context(execution, "alias", &telling.alias);
        match words(saying, execution.status, &context) {
            Ok(ending) => ending,
            Err((key, why)) => {
                let alias = execution.request.alias.as_ref().map_or("", |alias| alias.as_str());
                let problem = self.sentences.phrase(&Phrase::BrokenWords { alias, key, why: &why.to_string() });
                // It is shown as a remark, which is plain text.
                Ending { problem: Some(problem.replace('`', "")), ..Ending::default() }
            }
        }
    }

    /// What templates of `ack` and `result` may look at.
    fn context(&self, execution: &Execution, alias_as: &str, alias: &Value) -> Map<String, Value> {
        let outputs = result(execution, &whole_or_ends);
        let mut shown = to_stackstorm(execution, outputs, Some(""));
        if let (Some(context), Back::Chat { channel, .. }) =
            (shown.get_mut("context").and_then(Value::as_object_mut), &execution.request.back)
        {
            context.insert("source_channel".to_owned(), json!(self.channel_name(channel)));
        }
        Map::from_iter([("execution".to_owned(), shown), (alias_as.to_owned(), alias.clone())])
    }
}

/// An output, or both its ends where it is long.
fn whole_or_ends(captured: &Captured) -> String {
    match captured {
        Captured::Inline { text } => text.clone(),
        Captured::Blob { lines, head, tail, .. } => {
            format!("{}\n[... {lines} lines ...]\n{}", head.trim_end_matches('\n'), tail.trim_end_matches('\n'))
        }
    }
}

/// `extra.slack.thread_response`, or the same under `mattermost`.
fn wants_thread(extra: &Map<String, Value>) -> bool {
    ["mattermost", "slack"].iter().any(|chat| extra.get(*chat).is_some_and(|own| own["thread_response"] == true))
}

/// An alias as templates see it.
fn shown(alias: &Alias) -> Value {
    let (pack, name) = alias.reference.as_str().split_once('.').unwrap_or_default();
    json!({
        "name": name,
        "pack": pack,
        "ref": alias.reference,
        "description": alias.description,
        "action_ref": alias.action,
        "enabled": alias.enabled,
        "extra": alias.extra,
    })
}

/// The words of `result`, rendered.
fn words(
    saying: &Saying,
    status: Status,
    context: &Map<String, Value>,
) -> Result<Ending, (&'static str, TemplateError)> {
    let said = saying.format.as_ref().map(|format| said::render(format, context, Undefined::Nothing));
    let said = said.transpose().map_err(|why| ("result.format", why))?;
    let extra = extra(&saying.extra, context).map_err(|why| ("result.extra", why))?;
    let mut ending = Ending::default();
    let (text, inside) = match said.as_ref().map(|said| (said, said.split(SEPARATOR))) {
        Some((_, Some((before, behind)))) => (before.markdown(), Some(behind.markdown())),
        Some((said, None)) => (said.markdown(), None),
        None => (String::new(), None),
    };
    // A separator at the very end only says that all of it is plain text.
    let split = inside.as_ref().is_some_and(|inside| !inside.is_empty());
    let mut attachments = extra;
    if let (None, true) = (attachments.first(), split) {
        attachments.push(Attachment::default());
    }
    match (attachments.first_mut(), inside) {
        (Some(first), Some(inside)) if first.text.is_empty() => {
            first.text = inside;
            ending.text = text;
        }
        (Some(_), Some(inside)) => ending.text = format!("{text}\n{inside}").trim().to_owned(),
        _ => ending.text = text,
    }
    for attachment in &mut attachments {
        if attachment.color.is_empty() {
            attachment.color = match status {
                Status::Succeeded => GOOD.to_owned(),
                Status::Failed | Status::Timeout => BAD.to_owned(),
                _ => String::new(),
            };
        }
        attachment.fallback =
            if attachment.fallback.is_empty() { ending.text.clone() } else { attachment.fallback.clone() };
    }
    if attachments.iter().map(Attachment::length).sum::<usize>() > attachment::LONGEST {
        ending.text.extend(attachments.iter().map(Attachment::markdown));
        attachments.clear();
    }
    ending.attachments = attachments;
    // Words that come to nothing take the place of nothing.
    ending.bare = said.is_some() && !(ending.text.is_empty() && ending.attachments.is_empty());
    Ok(ending)
}

/// The attachments that `extra` describes: those of `mattermost`, or else of `slack`, with the colour beside them.
fn extra(extra: &Map<String, Value>, context: &Map<String, Value>) -> Result<Vec<Attachment>, TemplateError> {
    let own = ["mattermost", "slack"].iter().find_map(|chat| extra.get(*chat)).unwrap_or(&Value::Null);
    let described: Vec<&Value> = match own.get("attachments").and_then(Value::as_array) {
        Some(several) => several.iter().collect(),
        None => vec![own],
    };
    let mut attachments = Vec::new();
    for one in described {
        let mut attachment = attachment_of(one, context)?;
        if attachment.color.is_empty() {
            attachment.color = color(&text(extra, "color", context)?);
        }
        if attachment != Attachment::default() {
            attachments.push(attachment);
        }
    }
    Ok(attachments)
}

fn attachment_of(described: &Value, context: &Map<String, Value>) -> Result<Attachment, TemplateError> {
    let Some(keys) = described.as_object() else { return Ok(Attachment::default()) };
    let shown = |key: &str| Ok(text(keys, key, context)?.map(|said| said.markdown()).unwrap_or_default());
    let link = |key: &str| Ok(address(&text(keys, key, context)?));
    let mut fields = Vec::new();
    for field in keys.get("fields").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let part = |key: &str| Ok(text(field, key, context)?.map(|said| said.markdown()).unwrap_or_default());
        let short = field.get("short").is_some_and(|short| *short == true);
        fields.push(Field { title: part("title")?, value: part("value")?, short });
    }
    Ok(Attachment {
        buttons: Vec::new(),
        fallback: text(keys, "fallback", context)?.map(|said| said.plain()).unwrap_or_default(),
        color: color(&text(keys, "color", context)?),
        pretext: shown("pretext")?,
        author_name: shown("author_name")?,
        author_link: link("author_link")?,
        author_icon: link("author_icon")?,
        title: shown("title")?,
        title_link: link("title_link")?,
        text: shown("text")?,
        fields,
        image_url: link("image_url")?,
        thumb_url: link("thumb_url")?,
        footer: shown("footer")?,
        footer_icon: link("footer_icon")?,
    })
}

/// A text of `extra`, rendered.
fn text(keys: &Map<String, Value>, key: &str, context: &Map<String, Value>) -> Result<Option<Said>, TemplateError> {
    let written = match keys.get(key) {
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    said::render(&written, context, Undefined::Error).map(Some)
}

/// A colour as the chat knows it.
fn color(said: &Option<Said>) -> String {
    let said = said.as_ref().map(Said::plain).unwrap_or_default();
    let hex = said
        .strip_prefix('#')
        .is_some_and(|digits| matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    match said.as_str() {
        "good" => GOOD.to_owned(),
        "warning" => "#daa038".to_owned(),
        "danger" => BAD.to_owned(),
        _ if hex => said,
        _ => String::new(),
    }
}

/// An address that leads into the web and nowhere else.
fn address(said: &Option<Said>) -> String {
    let said = said.as_ref().map(Said::plain).unwrap_or_default();
    let web = said.starts_with("https://") || said.starts_with("http://");
    let sound = web && !said.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"`()[]".contains(c));
    if sound { said } else { String::new() }
}
