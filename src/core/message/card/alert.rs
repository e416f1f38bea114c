//! What is said of problems that the monitoring tells of.

use serde::Serialize;

/// See [`super::Card::Alert`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertCard {
    /// `down`, `unreachable`, `critical`, `warning`, `unknown`, `recovered`; also `up` and `ok` for what flaps.
    pub state: &'static str,
    /// The host, as inline code.
    pub host: String,
    /// The service; empty for the host itself.
    pub service: String,
    /// Which monitoring; empty where it does not say.
    pub site: String,
    /// What the check says.
    pub output: String,
    /// Since when, by the clock.
    pub since: String,
    /// When it was over; empty while it is not.
    pub recovered: String,
    /// How long it was a problem; empty while it is.
    pub lasted: String,
    /// Somebody has taken it on.
    pub is_acknowledged: bool,
    /// Who, and with what words; either may be empty.
    pub acknowledged: (String, String),
    /// A downtime is on.
    pub in_downtime: bool,
    /// Whose, and with what words; either may be empty.
    pub downtime: (String, String),
    /// It comes and goes.
    pub flapping: bool,
    /// What rules have begun because of it, the newest first.
    pub remedies: Vec<AlertRemedy>,
}

/// Something that a rule has begun because of a problem.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertRemedy {
    /// The short id of the execution.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// `waits` for an approval or its turn, `runs`, or how it ended: `succeeded`, `failed`, `timeout`, `canceled`, `unknown`.
    pub state: &'static str,
}

/// See [`super::Card::AlertLine`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertLine {
    /// What has happened: `back`, `changed`, `recovered`, `acknowledged`, `downtime_begun`, `downtime_over`, `flapping_begun`, `flapping_over`, `said`, `late`.
    pub turn: &'static str,
    /// As in [`AlertCard::state`].
    pub state: &'static str,
    /// Who was behind it; often empty.
    pub who: String,
    /// Their words; often empty.
    pub comment: String,
    /// What the check says.
    pub output: String,
    /// How long it was a problem; empty while it is.
    pub lasted: String,
}

/// A problem in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertRow {
    /// As in [`AlertCard::state`].
    pub state: &'static str,
    /// The host, as inline code.
    pub host: String,
    /// The service; empty for the host itself.
    pub service: String,
    /// What the check says.
    pub output: String,
    /// For how long.
    pub lasts: String,
    /// Somebody has taken it on.
    pub acknowledged: bool,
    /// A downtime is on.
    pub in_downtime: bool,
    /// It comes and goes.
    pub flapping: bool,
}
