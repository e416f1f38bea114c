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
    /// The execution of ours that has its machine out of service, or had it when the problem was told first; none, or one.
    pub out_of_service: Vec<AlertHolder>,
    /// It broke in a storm, and rules leave it alone until a person lets them act.
    pub storm_holds: bool,
    /// What rules and people have begun because of it, the newest first.
    pub remedies: Vec<AlertRemedy>,
    /// What people may have done about it, where no buttons are drawn.
    pub offers: Vec<AlertOffer>,
    /// Since when the monitoring cannot be asked, so that this may be out of date; empty while it can.
    pub not_asked: String,
    /// The monitoring does not know it any more.
    pub unknown: bool,
    /// How much more is offered than is shown.
    pub more: usize,
    /// The line that tells all that is offered; empty where all is shown.
    pub ask: String,
}

/// An execution that has a machine out of service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertHolder {
    /// Its short id.
    pub id: String,
    /// What it runs; empty where those who read this do not see its own post.
    pub action: String,
    /// Who asked for it; empty as the action is, and when it is over.
    pub who: String,
    /// It has ended.
    pub over: bool,
}

/// Something that people may have done about a problem.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertOffer {
    /// What it is: the site's own words.
    pub label: String,
    /// What is written to have it done.
    pub line: String,
    /// The action that it runs.
    pub action: String,
}

/// Something that was begun because of a problem.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertRemedy {
    /// The short id of the execution.
    pub id: String,
    /// What was asked of the monitoring: `acknowledge`, `remove_acknowledgement`, `downtime`, `move_downtime`, `remove_downtime`, `comment`, `recheck`; empty where it was something else.
    pub order: String,
    /// The rule that began it; empty where somebody took an offer.
    pub rule: String,
    /// What it was offered as; empty where a rule began it.
    pub label: String,
    /// Who took the offer, or asked the monitoring; empty where a rule began it.
    pub by: String,
    /// Why an order was not carried out; empty where that is not known.
    pub why: String,
    /// `waits` for an approval or its turn, `runs`, or how it ended: `succeeded`, `failed`, `timeout`, `canceled`, `unknown`.
    pub state: &'static str,
}

/// See [`super::Card::AlertLine`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertLine {
    /// The host, as inline code; empty in the thread of the problem's own post.
    pub host: String,
    /// The service; empty for the host itself, and in the thread of the problem's own post.
    pub service: String,
    /// What has happened: `opened` and `posted` in the thread of an execution that has the machine out of service; `back`, `changed`, `recovered`, `found_over`, `acknowledged`, `given_back`, `downtime_begun`, `downtime_over`, `flapping_begun`, `flapping_over`, `said`, `late`.
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
    /// An execution of ours has its machine out of service.
    pub out_of_service: bool,
    /// It is told by the post of the storm.
    pub storm: bool,
    /// What the one who asks may have done about it; empty in a list of all.
    pub offers: Vec<AlertOffer>,
}

/// See [`super::Card::OfferTold`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OfferTold {
    /// `begun`, `waits`; or why nothing was done: `over`, `old`, `gone`, `runs`, `no_right`, `refused`, `unknown`.
    pub what: &'static str,
    /// By what it is asked for.
    pub code: String,
    /// The short id of what was begun, or runs already.
    pub id: String,
    /// Why it was refused, in Markdown.
    pub why: String,
}

/// See [`super::Card::MonitoringTold`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MonitoringTold {
    /// Its name in the configuration.
    pub name: String,
    /// It cannot be asked; otherwise it can again.
    pub silent: bool,
    /// Since when it cannot; empty when it can.
    pub since: String,
    /// Why it cannot.
    pub why: String,
    /// So many alerts were not in what it told; 0 when that is not what is told.
    pub left_out: u64,
}
