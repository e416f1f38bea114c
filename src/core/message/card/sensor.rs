//! What is said of sensors.

use serde::Serialize;

/// A sensor in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SensorRow {
    /// Its name.
    pub name: String,
    /// `running`, `waiting`, `resting`, `stopping`, `disabled`, `not-built`.
    pub state: &'static str,
    /// For how long it has been running; empty when it does not.
    pub since: String,
    /// In how long it is started; empty when that is not known.
    pub next: String,
    /// Why it failed; empty while it has not.
    pub why: String,
    /// Events that it has brought.
    pub events: u64,
    /// Lines that were refused.
    pub refused: u64,
}

/// See [`super::Card::Sensor`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SensorCard {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// As in [`SensorRow::state`].
    pub state: &'static str,
    /// For how long it has been running; empty when it does not.
    pub since: String,
    /// In how long it is started; empty when that is not known.
    pub next: String,
    /// Who has said whether it runs; empty when its file does.
    pub switched_by: String,
    /// How long ago they did.
    pub switched: String,
    /// Seconds between two looks; 0 when it does not look by itself.
    pub poll: u64,
    /// How often it failed in a row.
    pub failures: u32,
    /// For how long it has not been well although it should; empty while it is.
    pub down: String,
    /// How it ended last, as it is posted; empty when it never did.
    pub last: String,
    /// How long ago that was.
    pub last_ago: String,
    /// The types of triggers that it declares.
    pub triggers: Vec<String>,
    /// Events that it has brought since the bot started.
    pub events: u64,
    /// Lines that were refused since then.
    pub refused: u64,
    /// Why the last of them was, as it is posted.
    pub complaint: String,
    /// How long ago.
    pub complaint_ago: String,
    /// The last lines of its standard error, in a fence; empty when there were none.
    pub errors: String,
    /// Its file; empty for who does not administer the bot.
    pub file: String,
}

/// See [`super::Card::SensorTold`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SensorTold {
    /// The sensor; empty where none was meant.
    pub sensor: String,
    /// `enabled`, `disabled`, `enabled_already`, `disabled_already`; `fails`, `lives`; `refused`: a line that it wrote; empty for an answer that is
    /// `why`.
    pub what: &'static str,
    /// Why, or the whole answer, as it is posted.
    pub why: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// In how long it is started again.
    pub next: String,
    /// The line that was refused.
    pub line: String,
    /// The last lines of its standard error, in a fence; empty when there were none.
    pub errors: String,
}

/// A sensor that fails, in `status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SensorDown {
    /// Its name.
    pub name: String,
    /// For how long.
    pub since: String,
    /// Why.
    pub why: String,
    /// In how long it is started again; empty while it runs.
    pub next: String,
}
