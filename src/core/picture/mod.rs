//! # Pictures of graphs
//!
//! The tasks of a workflow, what leads to what, and how each stands, as a drawing. The life of a picture:
//!
//! ```text
//! tasks and edges → folded, so that there are few enough to be read → Picture, kept in a fact → layers → rows → places → SVG
//! ```
//!
//! In reading order: [`fold`] (what is drawn as one), `layers` (which task is above which), `rows` (who stands beside whom), `places` (where
//! exactly), [`mod@svg`] (the text of the drawing). What becomes of the SVG is not decided here: it is shown as it is, or painted.
//!
//! - **A picture is bounded**: at most [`MOST_NODES`] boxes, whatever the workflow is like. What is folded is told by its number, and what failed is folded last.
//! - **A picture is drawn from itself alone**: the same picture gives the same SVG, byte for byte, whatever has become of the workflow.
//! - **How a task stands is told by its colour and by a sign**, for those who do not see the colours.
//! - **Names are anybody's text**: they are escaped, cut, and stand nowhere but in text elements.
//! - **No words of its own**: titles, notes and the legend come with the picture, from the templates.

pub mod fold;
mod layers;
mod places;
mod rows;
pub mod svg;

use serde::{Deserialize, Serialize};

/// How many tasks a workflow may have to be drawn.
pub const MOST_TASKS: usize = 2_000;
/// How many boxes a picture has at most.
pub const MOST_NODES: usize = 60;

/// How many characters of a text are kept; fewer are shown.
const LONGEST: usize = 60;

/// What is to be drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// What stands above it.
    pub title: String,
    /// What stands below that, smaller.
    pub subtitle: String,
    /// The boxes.
    pub nodes: Vec<Node>,
    /// What leads to what.
    pub edges: Vec<Edge>,
    /// What the signs mean.
    pub legend: Vec<Meaning>,
    /// What is to be known of the drawing itself; empty when nothing.
    pub remark: String,
}

/// A box: one task, or several that stand the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What else is known of it, on a line of its own; empty when nothing.
    pub note: String,
    /// How it stands.
    pub state: State,
    /// It stands for several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub several: bool,
}

impl Node {
    /// A box, its texts cut to what may be kept.
    pub fn new(name: &str, note: &str, state: State, several: bool) -> Self {
        let cut = |text: &str| text.chars().take(LONGEST).collect();
        Self { name: cut(name), note: cut(note), state, several }
    }
}

/// An arrow between two boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The number of the box that it leaves.
    pub from: u32,
    /// The number of the box that it leads to.
    pub to: u32,
    /// It was followed.
    pub taken: bool,
}

/// A sign with what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// The sign's state.
    pub state: State,
    /// In words.
    pub text: String,
}

/// How a box stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It failed.
    Failed,
    /// It took too long.
    TimedOut,
    /// Nobody knows what became of it.
    Unknown,
    /// It is at work.
    Running,
    /// It waits for its time, its turn, or somebody.
    Waiting,
    /// It stands still.
    Paused,
    /// It ended well.
    Succeeded,
    /// Somebody stopped it.
    Canceled,
    /// It has not begun.
    Idle,
}

impl State {
    /// All, the most urgent first.
    pub const ALL: [Self; 9] = [
        Self::Failed,
        Self::TimedOut,
        Self::Unknown,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Succeeded,
        Self::Canceled,
        Self::Idle,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::TimedOut => "timeout",
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
            Self::Idle => "idle",
        }
    }

    /// Somebody will want to look at it, so it is folded last.
    pub fn matters(self) -> bool {
        !matches!(self, Self::Succeeded | Self::Canceled | Self::Idle)
    }
}
