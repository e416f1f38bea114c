//! What the server knows: users, teams, channels, posts, reactions, files.

use serde_json::{Map, Value};

/// Somebody who may have a token.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its name, without `@`.
    pub username: String,
    /// Whether it is a bot account, which cannot log in by password.
    pub is_bot: bool,
    /// System roles, separated by spaces.
    pub roles: String,
    /// The password for `users/login`; bots have none.
    pub password: Option<String>,
    /// Zero while active.
    pub delete_at: i64,
    /// The time zone that the client reported, and the one chosen instead; empty where there is none.
    pub timezone: (String, String),
    /// `online`, `away`, `dnd` or `offline`.
    pub status: String,
    /// Whether its user chose the status; such a one stays.
    pub(crate) status_manual: bool,
    /// Logins that failed since the last good one.
    pub(crate) failed_attempts: u32,
    pub(crate) create_at: i64,
}

/// A team.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its id.
    pub id: String,
    /// Its name in URLs.
    pub name: String,
    /// Its name for humans.
    pub display_name: String,
    pub(crate) create_at: i64,
}

/// A group of users.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Its id.
    pub(crate) id: String,
    /// Its name in mentions.
    pub(crate) name: String,
    /// Its name for humans.
    pub(crate) display_name: String,
    /// `ldap` when it is one of the directory service, `custom` when users made it.
    pub(crate) source: String,
    /// Its id in the directory service; empty for a custom one.
    pub(crate) remote_id: String,
    /// Who is in it, by id.
    pub(crate) members: std::collections::BTreeSet<String>,
    pub(crate) create_at: i64,
}

/// Who may find a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everybody in the team.
    Open,
    /// Its members.
    Private,
    /// Two users.
    Direct,
}

impl ChannelKind {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Open => "O",
            Self::Private => "P",
            Self::Direct => "D",
        }
    }
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Its team; empty for direct channels.
    pub team_id: String,
    /// Its name in URLs; for direct channels both user ids, sorted.
    pub name: String,
    /// Its name for humans.
    pub display_name: String,
    /// Who may find it.
    pub kind: ChannelKind,
    /// What stands above it.
    pub header: String,
    /// What it is for.
    pub purpose: String,
    /// When it was archived; zero while it is in use.
    pub delete_at: i64,
    pub(crate) create_at: i64,
    pub(crate) creator_id: String,
    pub(crate) last_post_at: i64,
    pub(crate) total_msg_count: u64,
}

/// A post as the server keeps it: with everything that clients never see.
#[derive(Debug, Clone, Default)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// When it was made, in milliseconds.
    pub create_at: i64,
    /// When anything about it changed last.
    pub update_at: i64,
    /// When its text was edited last; zero if never.
    pub edit_at: i64,
    /// When it was deleted; zero if it was not.
    pub delete_at: i64,
    /// Whether it is pinned to its channel.
    pub is_pinned: bool,
    /// Who wrote it.
    pub user_id: String,
    /// Where.
    pub channel_id: String,
    /// The first post of its thread; empty if it is one.
    pub root_id: String,
    /// Its text.
    pub message: String,
    /// Empty for what people write.
    pub kind: String,
    /// Attachments and marks, with the `integration` of every button.
    pub props: Map<String, Value>,
    /// Attached files.
    pub file_ids: Vec<String>,
    /// The client's key against duplicates.
    pub pending_post_id: String,
    /// The server it came from, for shared channels.
    pub remote_id: String,
    /// What it said before, oldest first.
    pub revisions: Vec<Revision>,
}

/// An earlier state of a post.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The text that was replaced.
    pub message: String,
    /// The props that were replaced.
    pub props: Map<String, Value>,
    /// When it was replaced.
    pub replaced_at: i64,
    /// The id under which `since` tells of it.
    pub(crate) id: String,
    pub(crate) edit_at: i64,
}

/// An emoji that a user put on a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Who.
    pub user_id: String,
    /// On which post.
    pub post_id: String,
    /// Without colons.
    pub emoji_name: String,
    /// When.
    pub create_at: i64,
}

/// An uploaded file.
#[derive(Debug, Clone, Default)]
pub struct FileInfo {
    /// Its id.
    pub id: String,
    /// Who uploaded it.
    pub user_id: String,
    /// Where it may be posted.
    pub channel_id: String,
    /// The post that shows it; empty until then.
    pub post_id: String,
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
    pub(crate) create_at: i64,
}
