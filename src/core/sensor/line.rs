//! A line of a sensor: one event as JSON.

use serde_json::{Map, Value, json};

/// The keys that a line can have.
const KEYS: [&str; 4] = ["trigger", "payload", "trace_tag", "id"];

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The type of triggers.
    pub trigger: String,
    /// What is known of it.
    pub payload: Value,
    /// The word under which all that comes of it is found.
    pub trace_tag: Option<String>,
    /// What the sensor calls it.
    pub id: Option<String>,
}

/// Why a line says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than a line may be.
    #[error("it is longer than {} bytes", super::LONGEST_LINE)]
    TooLong,
    /// No UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// No JSON.
    #[error("it is no JSON: {0}")]
    NoJson(String),
    /// JSON of another kind.
    #[error("it has to be a JSON object, like {{\"trigger\": \"pack.name\", \"payload\": {{…}}}}")]
    NoObject,
    /// No `trigger`.
    #[error("the key `trigger` is missing, which names what happened: \"pack.name\"")]
    NoTrigger,
    /// A key that is not known.
    #[error("the key `{0}` is not known; there are trigger, payload, trace_tag and id")]
    Key(String),
    /// A key of the wrong kind.
    #[error("`{key}` has to be {wanted}")]
    Kind {
        /// Which.
        key: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
}

impl Unreadable {
    /// A word for the kind of mistake, by which it is told once.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::NotText => "not-text",
            Self::NoJson(_) => "no-json",
            Self::NoObject => "no-object",
            Self::NoTrigger => "no-trigger",
            Self::Key(_) => "key",
            Self::Kind { .. } => "kind",
        }
    }
}

/// Reads a line; nothing for one that is empty.
///
/// # Errors
/// Why it says nothing.
pub fn read(line: &str) -> Result<Option<Said>, Unreadable> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(line).map_err(|error| Unreadable::NoJson(error.to_string()))?;
    let Value::Object(mut map) = value else { return Err(Unreadable::NoObject) };
    if let Some(odd) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Unreadable::Key(odd.clone()));
    }
    let trigger = text(&mut map, "trigger")?.filter(|trigger| !trigger.is_empty()).ok_or(Unreadable::NoTrigger)?;
    let payload = map.remove("payload").filter(|payload| !payload.is_null()).unwrap_or_else(|| json!({}));
    let trace_tag = text(&mut map, "trace_tag")?.filter(|tag| !tag.is_empty());
    let id = match map.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id).filter(|id| !id.is_empty()),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(_) => return Err(Unreadable::Kind { key: "id", wanted: "text or a number" }),
    };
    Ok(Some(Said { trigger, payload, trace_tag, id }))
}

fn text(map: &mut Map<String, Value>, key: &'static str) -> Result<Option<String>, Unreadable> {
    match map.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unreadable::Kind { key, wanted: "text" }),
    }
}
