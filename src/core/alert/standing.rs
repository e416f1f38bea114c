//! How things stand, as a monitoring says when it is asked: what a reading holds, in one shape for all kinds of monitorings.

use super::notification::{Problem, State};
use super::order::Target;
use jiff::Timestamp;

/// What a monitoring has said of itself and of what it watches.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The name of the monitoring in the configuration.
    pub monitoring: String,
    /// When it was asked, before the answer: what was told later is newer.
    pub asked: Timestamp,
    /// Whether everything is among it that is a problem now. A good state of what is not among it follows from that only where the account sees all.
    pub all: bool,
    /// What was said, each thing once.
    pub list: Vec<Standing>,
    /// Of what was asked for by name: what the monitoring does not know, or does not show to us.
    pub unknown: Vec<Target>,
}

/// How one host or service stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Which.
    pub problem: Problem,
    /// Its state; absent where the monitoring used a word or number that is not known.
    pub state: Option<State>,
    /// The monitoring believes it and does not only look again.
    pub hard: bool,
    /// What the check said last.
    pub output: String,
    /// Since when the state is as it is.
    pub since: Option<Timestamp>,
    /// When it was looked at last, by the clock of the monitoring.
    pub checked: Option<Timestamp>,
    /// Somebody has taken it on.
    pub acknowledged: Option<Said>,
    /// The downtimes that it is in or will be in, those of its host among them.
    pub downtimes: Vec<Downtime>,
    /// Whether it is in one now.
    pub in_downtime: bool,
    /// It comes and goes.
    pub flapping: bool,
    /// What people have written about it.
    pub comments: Vec<Said>,
    /// The groups of the host.
    pub host_groups: Vec<String>,
}

/// Somebody's words in a monitoring. **Nothing of this can be trusted.**
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The account that they were said with; empty where that is not known.
    pub by: String,
    /// They.
    pub comment: String,
}

/// A time in which nothing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downtime {
    /// By what the monitoring knows it: enough to take it off.
    pub id: String,
    /// Who set it, and their words.
    pub said: Said,
    /// When it begins, where that is told.
    pub start: Option<Timestamp>,
    /// When it ends, where that is told.
    pub end: Option<Timestamp>,
    /// It is the host's, and goes for this service.
    pub covers: bool,
}

impl Standing {
    /// One of which nothing more is known than its state.
    pub fn new(problem: Problem, state: Option<State>) -> Self {
        Self {
            problem,
            state,
            hard: true,
            output: String::new(),
            since: None,
            checked: None,
            acknowledged: None,
            downtimes: Vec::new(),
            in_downtime: false,
            flapping: false,
            comments: Vec::new(),
            host_groups: Vec::new(),
        }
    }

    /// Which thing it is, by its names.
    pub fn is(&self, target: &Target) -> bool {
        self.problem.host == target.host && self.problem.service == target.service
    }

    /// Its names.
    pub fn target(&self) -> Target {
        Target { host: self.problem.host.clone(), service: self.problem.service.clone() }
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.state.is_some_and(State::is_good)
    }
}

impl Reading {
    /// What was said of one thing.
    pub fn of(&self, target: &Target) -> Option<&Standing> {
        self.list.iter().find(|standing| standing.is(target))
    }
}
