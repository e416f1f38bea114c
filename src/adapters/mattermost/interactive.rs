//! Buttons and dialogs as the server wants them.
//!
//! The server calls the address in a button when somebody presses, and hands back what stands in its context; clients never see that, and
//! what the API returns is without it. Of a dialog the client gets both address and state, and hands them back: there only the signature holds.
//! Button ids have letters and digits only (5.37 answers others with 404 when they are pressed); every button has a type, a name and an
//! address, since a mobile app of 2024 showed no attachment in which one was missing.

use super::{INSTANCE_PROP, KEY_PROP, Mattermost};
use crate::core::callback::signature::{CallbackKey, SIGNED};
use crate::core::callback::{Button, Dialog, DialogField, FieldKind};
use crate::core::id::DeliveryId;
use crate::core::message::attachment::Attachment;
use crate::core::message::markdown;
use crate::runtime::ports::NewPost;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// What the server takes of a title or a label, of a help text, and of all else that is short, in characters (read in 5.37).
const LONGEST_TITLE: usize = 24;
const LONGEST_HELP: usize = 150;
/// The longest line, and the longest text of several lines, that a dialog takes.
const LONGEST_LINE: u32 = 150;
const LONGEST_LINES: u32 = 3_000;

/// How the server calls us back, and the key by which we know what is ours.
#[derive(Debug, Clone)]
pub struct Callbacks {
    /// The address of `[http]` as the server reaches it, without a slash at its end.
    pub url: String,
    /// The key.
    pub key: CallbackKey,
}

/// What a post of ours carries beside its text.
pub(super) struct Props<'a> {
    key: &'a DeliveryId,
    instance: Option<&'a str>,
    attachments: Vec<Value>,
}

impl Serialize for Props<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut props = serializer.serialize_map(None)?;
        props.serialize_entry(KEY_PROP, self.key)?;
        if let Some(instance) = self.instance {
            props.serialize_entry(INSTANCE_PROP, instance)?;
        }
        if !self.attachments.is_empty() {
            props.serialize_entry("attachments", &self.attachments)?;
        }
        props.end()
    }
}

impl Mattermost {
    /// All props of a post.
    pub(super) fn props<'a>(&self, post: &'a NewPost) -> Props<'a> {
        let attachments = post.attachments.iter().map(|attachment| self.drawn(attachment)).collect();
        Props { key: &post.key, instance: post.instance.as_deref(), attachments }
    }

    fn drawn(&self, attachment: &Attachment) -> Value {
        let plain = Attachment { buttons: Vec::new(), ..attachment.clone() };
        let mut drawn = json!(plain);
        if let (Some(callbacks), false) = (&self.callbacks, attachment.buttons.is_empty()) {
            drawn["actions"] = attachment.buttons.iter().map(|button| callbacks.button(button)).collect();
        }
        drawn
    }
}

impl Callbacks {
    fn button(&self, button: &Button) -> Value {
        json!({
            "id": button.id,
            "type": "button",
            "name": button.label,
            "style": button.style.word(),
            "integration": {
                "url": format!("{}/mattermost/action", self.url),
                "context": {SIGNED: self.key.sign_button(&button.meaning)},
            },
        })
    }

    pub(super) fn dialog(&self, trigger: &str, dialog: &Dialog) -> Value {
        let elements: Vec<Value> = dialog.fields.iter().map(element).collect();
        json!({
            "trigger_id": trigger,
            "url": format!("{}/mattermost/dialog", self.url),
            "dialog": {
                "callback_id": dialog.meaning.action,
                "title": fitted(&dialog.title, LONGEST_TITLE),
                "introduction_text": dialog.introduction,
                "elements": elements,
                "submit_label": fitted(&dialog.submit, LONGEST_TITLE),
                "notify_on_cancel": false,
                "state": self.key.sign_dialog(dialog, trigger),
            },
        })
    }
}

/// At most so many characters, the mark of what is cut among them.
fn fitted(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { markdown::shorten(text, most - 1) }
}

fn element(field: &DialogField) -> Value {
    let (kind, subtype) = match &field.kind {
        FieldKind::Line => ("text", "text"),
        FieldKind::Number => ("text", "number"),
        FieldKind::Hidden => ("text", "password"),
        FieldKind::Lines => ("textarea", ""),
        FieldKind::Choice(_) => ("select", ""),
        FieldKind::Switch => ("bool", ""),
    };
    let mut element = json!({
        "display_name": fitted(&field.label, LONGEST_TITLE),
        "name": field.name,
        "type": kind,
        "subtype": subtype,
        "default": field.default,
        "help_text": fitted(&field.help, LONGEST_HELP),
        "optional": field.optional,
    });
    match &field.kind {
        FieldKind::Choice(choices) => {
            element["options"] = choices.iter().map(|(text, value)| json!({"text": text, "value": value})).collect();
        }
        FieldKind::Lines => element["max_length"] = json!(LONGEST_LINES),
        FieldKind::Line | FieldKind::Number | FieldKind::Hidden => element["max_length"] = json!(LONGEST_LINE),
        FieldKind::Switch => {}
    }
    element
}
