//! Message attachments: what the server does to them when it saves a post and when it shows it.

use super::id::new_id;
use serde_json::{Map, Value, json};

/// The keys of an attachment that the server knows, with what it writes when one is missing. Others are dropped.
const ATTACHMENT: [(&str, Blank); 16] = [
    ("id", Blank::Zero),
    ("fallback", Blank::Text),
    ("color", Blank::Text),
    ("pretext", Blank::Text),
    ("author_name", Blank::Text),
    ("author_link", Blank::Text),
    ("author_icon", Blank::Text),
    ("title", Blank::Text),
    ("title_link", Blank::Text),
    ("text", Blank::Text),
    ("fields", Blank::Null),
    ("image_url", Blank::Text),
    ("thumb_url", Blank::Text),
    ("footer", Blank::Text),
    ("footer_icon", Blank::Text),
    ("ts", Blank::Null),
];

/// The keys of an action that clients may see. `integration` is not among them.
const ACTION: [&str; 9] =
    ["id", "type", "name", "disabled", "style", "data_source", "options", "default_option", "tooltip"];

#[derive(Clone, Copy)]
enum Blank {
    Text,
    Null,
    Zero,
}

impl Blank {
    fn value(self) -> Value {
        match self {
            Self::Text => json!(""),
            Self::Null => Value::Null,
            Self::Zero => json!(0),
        }
    }
}

/// Gives every action without an id a new one, as each save does.
pub(crate) fn complete(props: &mut Map<String, Value>) {
    let Some(Value::Array(attachments)) = props.get_mut("attachments") else { return };
    let actions = attachments.iter_mut().filter_map(|a| a.get_mut("actions")).filter_map(Value::as_array_mut).flatten();
    for action in actions.filter_map(Value::as_object_mut) {
        if action.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
            action.insert("id".into(), json!(new_id()));
        }
    }
}

/// The props as clients see them.
pub(crate) fn shown(props: &Map<String, Value>) -> Map<String, Value> {
    let mut props = props.clone();
    if let Some(Value::Array(attachments)) = props.get_mut("attachments") {
        *attachments = attachments.iter().filter_map(Value::as_object).map(shown_attachment).collect();
    }
    props
}

fn shown_attachment(kept: &Map<String, Value>) -> Value {
    let mut shown: Map<String, Value> = ATTACHMENT
        .into_iter()
        .map(|(key, blank)| (key.to_owned(), kept.get(key).cloned().unwrap_or_else(|| blank.value())))
        .collect();
    if let Some(Value::Array(actions)) = kept.get("actions") {
        let actions = actions.iter().filter_map(Value::as_object).map(|action| {
            let entries = ACTION.into_iter().filter_map(|key| Some((key.to_owned(), action.get(key)?.clone())));
            Value::Object(entries.collect())
        });
        shown.insert("actions".into(), actions.collect());
    }
    Value::Object(shown)
}

/// The action with this id.
pub(crate) fn find_action<'a>(props: &'a Map<String, Value>, id: &str) -> Option<&'a Map<String, Value>> {
    props
        .get("attachments")?
        .as_array()?
        .iter()
        .filter_map(|attachment| attachment.get("actions")?.as_array())
        .flatten()
        .filter_map(Value::as_object)
        .find(|action| action.get("id").and_then(Value::as_str) == Some(id))
}
