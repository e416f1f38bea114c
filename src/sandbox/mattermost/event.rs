//! Events: what the websocket tells clients, and what a test may listen to.

use super::model::{Post, Reaction};
use super::release::Release;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Who gets an event.
#[derive(Debug, Clone)]
pub(crate) enum Audience {
    /// The members of a channel.
    Channel(String),
    /// The members of a channel but one.
    ChannelExcept(String, String),
    /// One user.
    User(String),
    /// One user, about a channel.
    UserIn(String, String),
    /// The members of a team.
    Team(String),
    /// Whoever is connected.
    Everybody,
}

/// An event before it is numbered for a connection.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) data: Map<String, Value>,
    pub(crate) audience: Audience,
    /// Users who find themselves in `mentions`, and in older releases all the others too.
    pub(crate) mentioned: BTreeSet<String>,
}

impl Event {
    pub(crate) fn new(name: &'static str, audience: Audience, data: Value) -> Self {
        let data = match data {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self { name, data, audience, mentioned: BTreeSet::new() }
    }

    /// The frame as this user's connection sees it.
    pub(crate) fn frame(&self, release: Release, user: &str, connection_id: &str, seq: u64) -> String {
        let mut data = self.data.clone();
        if !release.is_recent() && !self.mentioned.is_empty() {
            data.insert("mentions".into(), json!(json!(self.mentioned).to_string()));
        } else if self.mentioned.contains(user) {
            data.insert("mentions".into(), json!(json!([user]).to_string()));
        }
        if self.name == "hello" {
            data.insert("connection_id".into(), json!(connection_id));
        }
        let mut broadcast = json!({ "omit_users": Value::Null, "user_id": "", "channel_id": "", "team_id": "" });
        match &self.audience {
            Audience::Channel(channel) => broadcast["channel_id"] = json!(channel),
            Audience::ChannelExcept(channel, except) => {
                broadcast["channel_id"] = json!(channel);
                broadcast["omit_users"] = json!({ except.as_str(): true });
            }
            Audience::User(user) => broadcast["user_id"] = json!(user),
            Audience::UserIn(user, channel) => {
                broadcast["user_id"] = json!(user);
                broadcast["channel_id"] = json!(channel);
            }
            Audience::Team(team) => broadcast["team_id"] = json!(team),
            Audience::Everybody => {}
        }
        if release.is_recent() {
            broadcast["connection_id"] = json!("");
            broadcast["omit_connection_id"] = json!("");
        }
        json!({ "event": self.name, "data": data, "broadcast": broadcast, "seq": seq }).to_string()
    }
}

/// What happened in the sandbox, for tests and the demo.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A post was made.
    Posted(Post),
    /// A post was changed.
    Edited(Post),
    /// A post was deleted.
    Deleted(Post),
    /// An emoji was put on a post.
    Reacted(Reaction),
    /// An emoji was taken away.
    Unreacted(Reaction),
    /// Somebody was told something that nobody else sees.
    Whispered {
        /// Who was told.
        user_id: String,
        /// The post that only they see.
        post: Post,
    },
    /// A dialog was opened for a user.
    Dialog {
        /// For whom.
        user_id: String,
        /// `{trigger_id, url, dialog}` as the client gets it.
        dialog: Value,
    },
    /// A user is typing.
    Typing {
        /// Who.
        user_id: String,
        /// Where.
        channel_id: String,
    },
    /// A websocket was authenticated.
    Connected {
        /// Whose.
        user_id: String,
        /// Whether an earlier connection was resumed.
        resumed: bool,
    },
    /// A websocket is gone.
    Disconnected {
        /// Whose.
        user_id: String,
    },
}
