//! What an action says in chat by itself: an announcement, and the notices of StackStorm's `notify` when an execution has ended.
//!
//! A route is a channel by its name. StackStorm's own routes mean the channel where the execution was asked for, or else the first of those
//! where commands are heard. **A notice is not lost**: what is meant for a route that names no channel goes to the administrators.

use super::Bot;
use crate::core::action::execution::{Execution, Status};
use crate::core::action::flaw::Flaw;
use crate::core::action::plan::{Announcement, PlanProblem};
use crate::core::action::result;
use crate::core::action::run::Captured;
use crate::core::action::shell::unusable;
use crate::core::action::spec::Notification;
use crate::core::effect::{Body, Delivery};
use crate::core::id::{ChannelId, DeliveryId};
use crate::core::input::Back;
use crate::core::message::card::{Announced, Card};
use crate::core::message::markdown;
use crate::core::message::verdict::mark;
use crate::core::template::render::{render, render_value};
use crate::core::template::value::written;
use serde_json::{Map, Value, json};

/// Routes that StackStorm's own packs use for the chat as such.
const CHAT: [&str; 4] = ["general", "chatops", "hubot", "errbot"];

/// The most characters that an announcement has.
const LONGEST: usize = 8_000;

impl Bot {
    /// Where an announcement goes, and what it is.
    pub(super) fn announcement(
        &self,
        announcement: &Announcement,
        back: &Back,
    ) -> Result<(ChannelId, Card), PlanProblem> {
        let Announcement { route, channel, user, message } = announcement;
        let (parameter, found) = match channel {
            Some(name) => ("channel", self.channel_called(name)),
            None => ("route", self.channel_of_route(route, back)),
        };
        let known: Vec<String> = self.directory.channels.keys().cloned().collect();
        let channel = found.ok_or_else(|| match known.is_empty() {
            true => unusable(parameter, Flaw::NoChat),
            false => unusable(parameter, Flaw::NoChannel { known }),
        })?;
        let (lines, values) = said(message);
        let who = user.as_deref().map(|user| markdown::mention(user.trim_start_matches('@'))).unwrap_or_default();
        let (id, route) = (String::new(), String::new());
        Ok((channel, Card::Announced(Announced { who, mark: "", lines, values, id, route })))
    }

    /// What is told of an end, and where.
    pub(super) fn notices(&self, execution: &Execution) -> Vec<Delivery> {
        let Some(notify) = &execution.request.notify else { return Vec::new() };
        let moments = [
            (&notify.on_complete, true, "completed."),
            (&notify.on_success, execution.status == Status::Succeeded, "succeeded."),
            (
                &notify.on_failure,
                matches!(execution.status, Status::Failed | Status::Timeout | Status::Unknown),
                "failed.",
            ),
        ];
        let mut notices = Vec::new();
        for (place, (notification, _, how)) in moments.into_iter().enumerate().filter(|(_, (_, due, _))| *due) {
            let Some(notification) = notification else { continue };
            let (message, data) = notice(notification, execution, how);
            for (number, route) in notification.routes.iter().enumerate() {
                let found = self.channel_of_route(route, &execution.request.back);
                let unknown = if found.is_none() { route.clone() } else { String::new() };
                let Some(channel) = found.or_else(|| self.admin_channel()) else { continue };
                let (lines, mut values) = said(&Value::String(message.clone()));
                if !data.is_empty() {
                    values = said(&Value::Object(data.clone())).1;
                }
                let card = Card::Announced(Announced {
                    who: String::new(),
                    mark: mark(execution.status),
                    lines,
                    values,
                    id: execution.request.id.short().to_owned(),
                    route: unknown,
                });
                let body = Body::Post { root: None, text: self.sentences.say(&card), files: Vec::new() };
                let id = DeliveryId::new(format!("{}-notice-{place}-{number}", execution.request.id));
                notices.push(Delivery { id, channel, body });
            }
        }
        notices
    }

    /// A channel by its name, with or without the sign before it, or by its id.
    fn channel_called(&self, name: &str) -> Option<ChannelId> {
        let name = name.trim().trim_start_matches(['#', '~']);
        let channels = &self.directory.channels;
        let by_id = || channels.values().find(|id| id.as_str() == name);
        channels.get(&name.to_lowercase()).or_else(by_id).cloned()
    }

    pub(super) fn channel_of_route(&self, route: &str, back: &Back) -> Option<ChannelId> {
        let asked_in = || match back {
            Back::Chat { channel, .. } => Some(channel.clone()),
            Back::Told { channel: Some(channel), .. } => Some(channel.clone()),
            Back::Request { .. } | Back::Told { .. } => {
                self.settings.channels.first().and_then(|name| self.channel_called(name))
            }
        };
        self.channel_called(route).or_else(|| CHAT.contains(&route).then(asked_in).flatten())
    }
}

/// A text as lines, or values as a block.
fn said(message: &Value) -> (Vec<String>, String) {
    let short = |text: &str| markdown::shorten(text, LONGEST);
    match message {
        Value::Object(map) => {
            let lines: Vec<String> = map.iter().map(|(name, value)| format!("{name}: {}", written(value))).collect();
            (Vec::new(), if lines.is_empty() { String::new() } else { markdown::fence(&short(&lines.join("\n"))) })
        }
        other => (short(&written(other)).lines().map(|line| line.trim().to_owned()).collect(), String::new()),
    }
}

/// The message and the data of a notification, rendered as StackStorm renders them. A template that fails is said as it stands, as there.
fn notice(notification: &Notification, execution: &Execution, how: &str) -> (String, Map<String, Value>) {
    let text = |captured: &Captured| match captured {
        Captured::Inline { text } => text.clone(),
        Captured::Blob { head, tail, .. } => format!("{head}\n…\n{tail}"),
    };
    let shape = result::to_stackstorm(execution, Value::Null, None);
    let mut context = execution.request.parameters.clone();
    context.insert("action_parameters".to_owned(), Value::Object(execution.request.parameters.clone()));
    context.insert("action_results".to_owned(), result::result(execution, &text));
    context.insert("action_context".to_owned(), shape.get("context").cloned().unwrap_or_default());
    context.insert("st2kv".to_owned(), json!({"system": {}, "user": {}}));
    let message = match &notification.message {
        Some(template) => render(template, &context).unwrap_or_else(|_| template.clone()),
        None => format!("Action {} {how}", execution.request.action),
    };
    let data = Value::Object(notification.data.clone());
    match render_value(&data, &context) {
        Ok(Value::Object(data)) => (message, data),
        Ok(_) | Err(_) => (message, notification.data.clone()),
    }
}
