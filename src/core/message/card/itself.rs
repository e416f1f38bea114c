//! What the bot says of itself: its health, its files, its coming and going.

use crate::core::access::explain::Reason;
use crate::core::access::names::Named;
use serde::Serialize;

/// One part of the path from chat to nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusPart {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub works: bool,
    /// What it says for itself.
    pub says: String,
    /// How long it has not worked; empty when it works.
    pub since: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
}

/// Something that goes on while the bot ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillRunning {
    /// The short id.
    pub id: String,
    /// What was asked for, as inline code.
    pub line: String,
    /// The hosts where it has not ended, as inline code; empty for a local command.
    pub hosts: String,
}

/// What was not read of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadPart {
    /// The channel's name, or its id where it has none for us; empty for all channels.
    pub channel: String,
    /// What was written before this was not read; empty when nothing was.
    pub before: String,
}

/// A file of a pack with mistakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenFile {
    /// Its name.
    pub file: String,
    /// The version before is in force in its place.
    pub kept: bool,
    /// The mistakes, each with its line.
    pub problems: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// A pack in a list of packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackRow {
    /// Its ref.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many actions it has.
    pub actions: usize,
    /// How many aliases.
    pub aliases: usize,
    /// How many policies.
    pub policies: usize,
    /// How many mistakes its files have; 0 also where the asker is not told.
    pub problems: usize,
}

/// Whether somebody may do something, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MayCard {
    /// The line, as inline code.
    pub line: String,
    /// Whom it is about, as inline code; empty when it is the one who asks.
    pub who: String,
    /// They may.
    pub allowed: bool,
    /// The action that the line means.
    pub action: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// What keeps anybody from it: machines that are not there, values that are not sound; Markdown, empty for nothing.
    pub problem: String,
    /// The grants that speak of the action, those that hold first.
    pub reasons: Vec<Reason>,
    /// The channels where the alias is there, where this is none of them.
    pub channels: Vec<String>,
    /// The files of the policies that want it approved.
    pub guards: Vec<String>,
}

/// A name in a role that means somebody else than it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedName {
    /// `user`, `channel` or `group`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// It is a user, whose rights stay theirs.
    pub kept: bool,
}

impl MovedName {
    /// Of this kind.
    pub fn new(kind: Named, name: &str) -> Self {
        let kind_word = match kind {
            Named::User => "user",
            Named::Channel => "channel",
            Named::Group => "group",
        };
        Self { kind: kind_word, name: name.to_owned(), kept: kind == Named::User }
    }
}
