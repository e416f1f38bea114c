//! What a notification says, and of which problem.
//!
//! ## The shape of payloads
//! **One shape for every monitoring**, that of StackStorm's `check_mk.event_handler`, so that a rule is moved from one monitoring to another by the name of its trigger:
//!
//! | key | says |
//! | --- | --- |
//! | `notification_type` | why it is sent, in the words of Nagios ([`Kind::read`]); `ACKNOWLEDGEMENTREMOVED` where that is told |
//! | `timestamp` | when, in seconds since 1970 |
//! | `host.name`, `.alias`, `.address`, `.state`, `.last_state`, `.output`, `.long_output`, `.perf_data`, `.check_command`, `.notification_number` | the host |
//! | `service.desc` and the same keys from `.state` on | the service; all of them null where it is about the host |
//! | `event.id` | the name of the event |
//! | `event.site` | which of several monitorings of its kind tells it |
//! | `event.what` | `HOST` or `SERVICE` |
//! | `event.microtime` | when it was sent, in microseconds, where that is an order |
//! | `event.since` | since when the state is as it is, in seconds |
//! | `event.author`, `.comment` | who acknowledged, set the downtime, or wrote |
//! | `event.host_groups`, `.service_groups`, `.labels`, `.url`, `.attempt`, `.state_type` | the same of all that have it |
//! | `event.parts` | Alertmanager's: the alerts that are one problem, by fingerprint, and how bad each is |
//!
//! What a monitoring does not know is null or absent. A payload may have more than this, never the same under another key.

use crate::core::alert::source::Source;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which problem: by where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind of monitoring says so, `check_mk` ([`Source::name`]).
    pub source: String,
    /// Which of several; empty where the sender does not say.
    pub site: String,
    /// The host, as the monitoring calls it.
    pub host: String,
    /// The service; absent for the host itself.
    pub service: Option<String>,
}

impl Problem {
    /// Whether both can be the same: a sender that does not know its site may mean any.
    pub fn may_be(&self, other: &Self) -> bool {
        self.source == other.source
            && self.host == other.host
            && self.service == other.service
            && (self.site == other.site || self.site.is_empty() || other.site.is_empty())
    }
}

/// Why the monitoring sends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something is bad, or worse, or still bad.
    Problem,
    /// It is good again.
    Recovery,
    /// A person has taken it on.
    Acknowledgement,
    /// Nobody has it any more.
    AcknowledgementRemoved,
    /// Its state changes too often to be told each time.
    FlappingStart,
    /// It is calm again.
    FlappingStop,
    /// It is not watched for that any more.
    FlappingDisabled,
    /// A downtime has begun.
    DowntimeStart,
    /// It has ended.
    DowntimeEnd,
    /// Somebody has taken it off.
    DowntimeCancelled,
    /// A person has sent a message by it.
    Custom,
    /// An alert handler has ended.
    AlertHandler,
    /// Some word that is not known.
    Other,
}

impl Kind {
    /// The word of Nagios and of CheckMK, of which the first part counts: `DOWNTIMESTART (…)`.
    pub fn read(word: &str) -> Self {
        let first = word.split_whitespace().next().unwrap_or_default();
        match first.to_ascii_uppercase().as_str() {
            "PROBLEM" => Self::Problem,
            "RECOVERY" => Self::Recovery,
            "ACKNOWLEDGEMENT" => Self::Acknowledgement,
            "ACKNOWLEDGEMENTREMOVED" => Self::AcknowledgementRemoved,
            "FLAPPINGSTART" => Self::FlappingStart,
            "FLAPPINGSTOP" => Self::FlappingStop,
            "FLAPPINGDISABLED" => Self::FlappingDisabled,
            "DOWNTIMESTART" => Self::DowntimeStart,
            "DOWNTIMEEND" => Self::DowntimeEnd,
            "DOWNTIMECANCELLED" | "DOWNTIMECANCELED" => Self::DowntimeCancelled,
            "CUSTOM" => Self::Custom,
            "ALERTHANDLER" => Self::AlertHandler,
            _ => Self::Other,
        }
    }
}

/// How it stands with a host or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A host that answers.
    Up,
    /// A host that does not.
    Down,
    /// A host behind one that does not.
    Unreachable,
    /// A service that is well.
    Ok,
    /// A service that will not be well for long.
    Warning,
    /// A service that is not well.
    Critical,
    /// A service of which nothing can be said.
    Unknown,
}

impl State {
    /// The words of Nagios and CheckMK, those of its programs and those of its manual.
    pub fn read(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_uppercase().as_str() {
            "UP" => Self::Up,
            "DOWN" => Self::Down,
            "UNREACHABLE" | "UNREACH" | "UNRE" => Self::Unreachable,
            "OK" => Self::Ok,
            "WARNING" | "WARN" => Self::Warning,
            "CRITICAL" | "CRIT" => Self::Critical,
            "UNKNOWN" | "UNKN" => Self::Unknown,
            _ => return None,
        })
    }

    /// The word in small letters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unreachable => "unreachable",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing is wrong.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Up | Self::Ok)
    }

    /// How bad it is; more is worse.
    pub fn weight(self) -> u8 {
        match self {
            Self::Up | Self::Ok => 0,
            Self::Warning => 1,
            Self::Unknown | Self::Unreachable => 2,
            Self::Critical | Self::Down => 3,
        }
    }
}

/// What one notification says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Of which problem.
    pub problem: Problem,
    /// Why it was sent.
    pub kind: Kind,
    /// How it stands; absent where the word is not known.
    pub state: Option<State>,
    /// What the check said, in its first line.
    pub output: String,
    /// And in the others.
    pub details: String,
    /// When it was sent, where the sender counts from 1970. Times of a clock on a wall are no order: some of them come twice.
    pub sent: Option<Timestamp>,
    /// Since when the state is as it is.
    pub since: Option<Timestamp>,
    /// Who acknowledged, set the downtime, or wrote.
    pub author: Option<String>,
    /// With what words.
    pub comment: Option<String>,
    /// The groups of the host.
    pub host_groups: Vec<String>,
    /// Its page in the monitoring, as a path.
    pub url: Option<String>,
    /// The alerts that are this problem together, by the monitoring's own names of them; empty where a problem is one.
    pub parts: BTreeMap<String, State>,
}

impl Notification {
    /// What a trigger's payload says; nothing for a trigger of another kind, and for a payload without a host.
    pub fn read(trigger: &str, payload: &Value) -> Option<Self> {
        let source = Source::of(trigger)?;
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let moment = |pointer: &str| {
            payload.pointer(pointer).and_then(Value::as_i64).and_then(|seconds| Timestamp::from_second(seconds).ok())
        };
        let service = text("/service/desc");
        let object = |key: &str| text(&format!("/{}/{key}", if service.is_some() { "service" } else { "host" }));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Self {
            problem: Problem {
                source: source.name().to_owned(),
                site: text("/event/site").unwrap_or_default().to_owned(),
                host: text("/host/name")?.to_owned(),
                service: owned(service),
            },
            kind: text("/notification_type").map_or(Kind::Other, Kind::read),
            state: object("state").and_then(State::read),
            output: object("output").and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            details: object("long_output").unwrap_or_default().to_owned(),
            sent: payload
                .pointer("/event/microtime")
                .and_then(Value::as_i64)
                .and_then(|micro| Timestamp::from_microsecond(micro).ok()),
            since: moment("/event/since"),
            author: owned(text("/event/author")),
            comment: owned(text("/event/comment")),
            host_groups: payload
                .pointer("/event/host_groups")
                .and_then(Value::as_array)
                .map(|groups| groups.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
            url: owned(text("/event/url")),
            parts: payload
                .pointer("/event/parts")
                .and_then(Value::as_object)
                .map(|parts| {
                    let part = |(name, word): (&String, &Value)| Some((name.clone(), State::read(word.as_str()?)?));
                    parts.iter().filter_map(part).collect()
                })
                .unwrap_or_default(),
        })
    }
}
