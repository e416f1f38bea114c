//! A problem that nobody touches is told to others: who is called, when, and for what. The site's own rules.
//!
//! - **The time runs while nobody touches it.** Who takes a problem on, sets a downtime for it or works on its machine stops the time; a word in its
//!   thread, and the end of what was done about it, begin it anew, and so does what is told of it when it is nobody's any more.
//! - **Each step is made once** for each time that it begins. One that is not for a problem is passed over.
//! - **In the quiet hours only what is urgent calls anybody**, and the rest does when they end.

use super::notification::State;
use crate::core::access::arguments::Patterns;
use crate::core::access::hours::Hours;
use crate::core::host::Inventory;
use crate::core::id::Host;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A site has no more steps than this.
pub const MOST_STEPS: usize = 20;
/// How often hours may put one step off before it counts as one that never comes.
const MOST_PUT_OFF: usize = 20;

/// What the site has written of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Escalation {
    /// When nobody is to be called, but for what is urgent.
    pub quiet: Option<Hours>,
    /// What is; nothing where it names nothing.
    pub urgent: Choice,
    /// The steps, in the order of their times.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// So long nobody has touched the problem.
    pub after: Duration,
    /// The user names of those who are called.
    pub users: Vec<String>,
    /// And the groups of the chat server.
    pub groups: Vec<String>,
    /// For what; everything where it names nothing.
    pub only: Choice,
    /// When this step is made; always where absent.
    pub hours: Option<Hours>,
}

/// Some problems among all: those that fit everything that is named.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// The states.
    pub states: Vec<State>,
    /// The hosts, by their names and the groups of the inventory.
    pub hosts: Option<Patterns>,
    /// The groups of the host, as the monitoring calls them.
    pub host_groups: Vec<String>,
}

impl Choice {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.hosts.is_none() && self.host_groups.is_empty()
    }

    /// Whether a problem is among those that it names; all are where it names nothing.
    pub fn holds(&self, state: Option<State>, host: &str, host_groups: &[String], inventory: &Inventory) -> bool {
        let of_state = self.states.is_empty() || state.is_some_and(|state| self.states.contains(&state));
        let of_group = self.host_groups.is_empty() || host_groups.iter().any(|group| self.host_groups.contains(group));
        let of_host = self.hosts.as_ref().is_none_or(|patterns| {
            // What monitors a machine may know it by a longer name.
            let short = host.split('.').next().unwrap_or_default();
            [host, short].iter().any(|name| patterns.holds_host(&Host::new(*name), inventory))
        });
        of_state && of_group && of_host
    }
}

/// A step that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub step: usize,
    /// The quiet hours have held it back.
    pub held_back: bool,
}

impl Escalation {
    /// The next step for what has been untouched from then on, of which so many steps have been made or passed over; `fits` says whether a choice holds it.
    pub fn next(&self, from: Timestamp, made: usize, fits: &dyn Fn(&Choice) -> bool) -> Option<Due> {
        let urgent = !self.urgent.is_empty() && fits(&self.urgent);
        let quiet = self.quiet.as_ref().filter(|_| !urgent);
        let steps = self.steps.iter().enumerate().skip(made).filter(|(_, step)| fits(&step.only));
        steps.into_iter().find_map(|(place, step)| {
            let after = SignedDuration::try_from(step.after).ok()?;
            let (mut at, mut held_back) = (from.saturating_add(after).ok()?, false);
            for _ in 0..MOST_PUT_OFF {
                if let Some(quiet) = quiet.filter(|quiet| quiet.hold(at)) {
                    (at, held_back) = (quiet.end(at)?, true);
                } else if let Some(hours) = step.hours.as_ref().filter(|hours| !hours.hold(at)) {
                    at = hours.begin(at)?;
                } else {
                    return Some(Due { at, step: place, held_back });
                }
            }
            None
        })
    }
}
