//! The monitoring systems that tell of problems, and by which trigger each of them does.

use super::checkmk;
use serde_json::Value;

/// The key of a payload that says why it is sent.
pub const KIND: &str = "notification_type";

/// A kind of monitoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// CheckMK, by its notification plugins.
    CheckMk,
    /// Nagios 4, by its notification commands.
    Nagios,
    /// Icinga 2, by its event stream.
    Icinga2,
    /// Prometheus' Alertmanager, by its webhooks.
    Alertmanager,
}

/// An event on its way to the bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same for every copy of one notification.
    pub id: String,
    /// Which kind of monitoring tells it.
    pub source: Source,
    /// What the rules see as `trigger`.
    pub payload: Value,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CheckMk, Self::Nagios, Self::Icinga2, Self::Alertmanager];

    /// The one whose notifications are of this trigger.
    pub fn of(trigger: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.trigger() == trigger)
    }

    /// The trigger that its notifications are of.
    pub fn trigger(self) -> &'static str {
        match self {
            Self::CheckMk => checkmk::TRIGGER,
            Self::Nagios => "nagios.notification",
            Self::Icinga2 => "icinga2.notification",
            Self::Alertmanager => "alertmanager.notification",
        }
    }

    /// The name by which problems of it are known ([`super::notification::Problem::source`]); that of the pack with its trigger.
    pub fn name(self) -> &'static str {
        match self {
            Self::CheckMk => "check_mk",
            Self::Nagios => "nagios",
            Self::Icinga2 => "icinga2",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// Their triggers, for messages: `a`, `b`, `c`.
    pub fn triggers() -> String {
        Self::ALL.map(|source| format!("`{}`", source.trigger())).join(", ")
    }

    /// Whether it sends nothing of a problem that somebody has taken on. What one of these tells again is not taken on any more; of the others, only
    /// the bot knows that it is.
    pub fn knows_acknowledgements(self) -> bool {
        !matches!(self, Self::Alertmanager)
    }
}
