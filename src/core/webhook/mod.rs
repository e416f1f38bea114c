//! # Webhooks
//!
//! How other programs bring events over HTTP: `POST /api/v1/webhooks/{path}` with a key. Paths, headers and answers are StackStorm's (3.9).
//!
//! - [`api_key`]: who they are, and which webhooks are theirs;
//! - [`signature`]: how they prove it where they keep the key to themselves;
//! - `st2` is the webhook that takes an event of any trigger, as `{"trigger", "payload"}`; every other one exists as long as a rule listens to
//!   `core.st2.webhook` with its `url`.
//! - `alertmanager` takes what Alertmanager sends: many alerts at once, each an event of its own.
//!
//! - **A key is never kept**: what is kept cannot be turned back into it. Of one that signs the secret is needed, so it is kept sealed by the master key.
//! - **Nobody learns which webhooks there are** without a key for them.
//! - **The answer that an event is taken comes when the fact is on disk.** One that is brought again under its own id is taken once; a source that gives none
//!   brings a new event each time.
//! - **What proves who brought it is no part of the event**: rules do not see keys and cookies.

pub mod api_key;
pub mod signature;

use crate::core::webhook::api_key::Digest;
use crate::core::webhook::signature::Header;
use serde_json::Value;
use std::collections::BTreeMap;

/// The webhook that takes events of any trigger.
pub const GENERIC: &str = "st2";

/// The webhook that takes what Alertmanager sends, as it sends it; `alertmanager/NAME` where there are several.
pub const ALERTMANAGER: &str = "alertmanager";

/// What the Alertmanager is called whose webhook this is, empty where there is one; nothing for another webhook.
pub fn alertmanager(hook: &str) -> Option<&str> {
    let rest = hook.strip_prefix(ALERTMANAGER)?;
    let name = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (name.len() <= 64 && name.chars().all(plain)).then_some(name)
}

/// Headers that are not part of an event.
pub const PROOFS: [&str; 9] = [
    "st2-api-key",
    "x-auth-token",
    "x-gitlab-token",
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-halcyon-signature",
    "x-hub-signature-256",
    "x-hub-signature",
];

/// Headers that name an event, the first one that is there counts.
pub const EVENT_NAMES: [&str; 3] = ["idempotency-key", "x-github-delivery", "x-gitlab-event-uuid"];

/// A request to a webhook, as the door has read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The path behind `webhooks/`, without slashes around it.
    pub hook: String,
    /// Of the key; absent where none was sent.
    pub key: Option<Digest>,
    /// The signature over the body; absent where none was sent.
    pub signature: Option<Header>,
    /// The body as it came, which is what was signed.
    pub raw: Vec<u8>,
    /// The headers as they were written, those that prove something left out.
    pub headers: BTreeMap<String, String>,
    /// What was sent.
    pub body: Value,
}

impl Call {
    /// The name that the sender gives the event.
    pub fn event_name(&self) -> Option<&str> {
        EVENT_NAMES.iter().find_map(|name| self.header(name))
    }

    /// The word under which all that comes of it is found.
    pub fn trace_tag(&self) -> Option<&str> {
        self.header("st2-trace-tag")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// A path as both sides mean it: slashes around it do not count.
pub fn path(url: &str) -> &str {
    url.trim_matches('/')
}

/// Why a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Without a key that is known, or with a signature that is not one.
    NoKey,
    /// With one that is not for this webhook.
    NotThis,
    /// There is no such webhook.
    NoHook,
    /// The event is not as it should be.
    Wrong,
}
