//! # Buttons, dialogs, and what comes back of them
//!
//! A button means something ([`Meaning`]): what it is about, what is wanted, on which revision of the card, until when. That is what is stored.
//! What stands in the post is the meaning **signed** ([`signature`]): the chat server keeps it, hands it back when somebody presses, and whoever
//! knows the address of the callback but not the key can make no press. A dialog ([`Dialog`]) means something in the same way, and what it
//! means is signed together with who opened it and for which press.
//!
//! ## Life cycle of a press
//! 1. The core promises a post whose attachment has [`Button`]s; the memory notes which card has which meanings.
//! 2. The chat adapter signs each meaning when it writes the post, and gives every button the address of the callback. Without an address no
//!    button is drawn.
//! 3. The HTTP interface verifies what comes back, the runtime looks up who pressed, and the core is told ([`crate::core::input::Press`]).
//! 4. `core/bot/press.rs` checks what only the memory knows: that this post is the card, that this meaning was on it, that it is not too late,
//!    that this user has not pressed on this revision before. Then whoever the subject belongs to decides.
//! 5. The answer goes out after the facts of the decision are durable.
//!
//! ## Invariants
//! - **A signature is never stored, logged or said**; it is made when the post is written.
//! - **A press proves a user, and nothing more**: what that user may do is asked of the one authoriser at that moment.
//! - **A card is known by the delivery that made it**, so a signature that is carried to another post means nothing there
//!   ([decision 13](../../../docs/decisions/0013-a-press-is-bound-by-memory.md)).
//! - **One use for each user and revision**: a repeated callback changes nothing.

pub mod signature;

use crate::core::chat::code::Code;
use crate::core::id::{DeliveryId, ExecutionId, PostId, StormId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a button or a dialog is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Subject {
    /// A request for the approval of an execution that waits.
    Approval {
        /// The execution.
        execution: ExecutionId,
    },
    /// A value that a line lacks.
    Lack {
        /// The post that the line was written in.
        post: PostId,
    },
    /// Something that is offered for a problem of the monitoring.
    Offer {
        /// The code by which people name it.
        code: Code,
    },
    /// So many problems of the monitoring that they are told as one.
    Storm {
        /// The storm.
        storm: StormId,
    },
    /// A problem of the monitoring: the one that the card tells.
    Alert,
    /// An inquiry that waits for its answer.
    Inquiry {
        /// The execution that asks.
        execution: ExecutionId,
    },
}

/// What pressing a button means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// What it is about.
    pub subject: Subject,
    /// The word for what is wanted: `approve`, `answer`.
    pub action: String,
    /// The value that goes with it, where one does: the choice that the button stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Which drawing of the card it belongs to; goes up whenever what the buttons decide about has changed.
    pub revision: u32,
    /// After this it means nothing any more.
    pub until: Timestamp,
}

/// A button below an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Its name in the post: letters and digits only, since servers refuse others without a word, and no two alike in one post.
    pub id: String,
    /// What stands on it.
    pub label: String,
    /// How it looks.
    #[serde(default, skip_serializing_if = "ButtonStyle::is_plain")]
    pub style: ButtonStyle,
    /// What pressing it means.
    pub meaning: Meaning,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ButtonStyle {
    /// As any other.
    #[default]
    Plain,
    /// What most people want.
    Primary,
    /// What lets something happen.
    Good,
    /// What destroys or refuses.
    Danger,
}

impl ButtonStyle {
    fn is_plain(&self) -> bool {
        *self == ButtonStyle::Plain
    }

    /// The word that Mattermost has for it.
    pub fn word(self) -> &'static str {
        match self {
            ButtonStyle::Plain => "default",
            ButtonStyle::Primary => "primary",
            ButtonStyle::Good => "good",
            ButtonStyle::Danger => "danger",
        }
    }
}

/// A form that opens for the one who pressed a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Its heading; at most 24 characters are shown.
    pub title: String,
    /// What stands above the fields, in Markdown.
    pub introduction: String,
    /// What stands on the button that submits it.
    pub submit: String,
    /// Its fields; without any it is a plain question.
    pub fields: Vec<DialogField>,
    /// What submitting it means.
    pub meaning: Meaning,
    /// Who may submit it.
    pub user: UserId,
    /// The delivery that made the card whose button opened it.
    pub card: DeliveryId,
}

/// One field of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogField {
    /// The name under which its value comes back.
    pub name: String,
    /// What stands beside it; at most 24 characters are shown.
    pub label: String,
    /// What it is for; at most 150 characters are shown.
    pub help: String,
    /// What it holds when it opens; empty when nothing.
    pub default: String,
    /// It may be left empty.
    pub optional: bool,
    /// What can be put in.
    pub kind: FieldKind,
}

/// What can be put into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// A line of text.
    Line,
    /// A number.
    Number,
    /// A line that is not shown while it is typed.
    Hidden,
    /// Several lines.
    Lines,
    /// One of these, each with what is shown for it and what comes back.
    Choice(Vec<(String, String)>),
    /// Yes or no.
    Switch,
}

/// What whoever pressed or submitted is told, alone and at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// What only they see; nothing when empty.
    pub text: String,
    /// Nothing was done, and the dialog stays open with `text` as the complaint about the whole.
    pub stays: bool,
    /// What is wrong with the fields of a dialog, by their names; it stays open then too.
    pub complaints: BTreeMap<String, String>,
    /// The press was refused as one that should not have come, and why; it is counted.
    pub refused: Option<Refusal>,
}

impl Reply {
    /// A text that only the one who pressed sees.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Why a callback has no effect that should not have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Its signature is not ours: somebody made it up, or the key has changed.
    Forged,
    /// It is rightly signed and came from another post than its own.
    ForeignPost,
    /// Its time is over.
    Late,
    /// The same user has pressed on this revision before.
    Replayed,
    /// A dialog that somebody else opened.
    OtherUser,
    /// It is not known who pressed, or it is no person.
    NotIdentified,
    /// It cannot be read.
    Unreadable,
}

impl Refusal {
    /// The word for it, in numbers and in the phrase that says it.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Forged => "forged",
            Refusal::ForeignPost => "foreign_post",
            Refusal::Late => "late",
            Refusal::Replayed => "replayed",
            Refusal::OtherUser => "other_user",
            Refusal::NotIdentified => "not_identified",
            Refusal::Unreadable => "unreadable",
        }
    }
}
