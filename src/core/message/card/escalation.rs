//! What is said when others are called.

use super::AlertRow;
use serde::Serialize;

/// See [`super::Card::Escalated`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EscalatedCard {
    /// Those who are called, as mentions; empty where nobody of them is known in the chat.
    pub who: String,
    /// Those of them who are not.
    pub unknown: Vec<String>,
    /// For how long nobody has touched it, the longest of several.
    pub lasts: String,
    /// The quiet hours have held it back.
    pub held_back: bool,
    /// The problem, or several.
    pub rows: Vec<AlertRow>,
    /// How many more there are.
    pub more: usize,
    /// How many problems belong to the storm that it is about; 0 where it is about none.
    pub storm: usize,
    /// How many of these are open.
    pub open: usize,
}
