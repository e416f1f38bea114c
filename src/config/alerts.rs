//! `[storms]` and `[escalation]`: when many problems are told as one, and who is called when nobody touches them.

use super::document::{Section, Spot};
use super::file::{Number, Seconds, Text, Texts};
use super::judge::Judge;
use crate::core::access::arguments::Patterns;
use crate::core::access::hours::Hours;
use crate::core::alert::escalation::{self, Choice, MOST_STEPS, Step};
use crate::core::alert::notification::State;
use crate::core::alert::storm::{self, Terms};
use std::collections::BTreeSet;

/// In seconds.
const WEEK: u64 = 7 * 24 * 3600;

/// The states that are problems.
const STATES: [(&str, State); 5] = [
    ("down", State::Down),
    ("unreachable", State::Unreachable),
    ("critical", State::Critical),
    ("warning", State::Warning),
    ("unknown", State::Unknown),
];

/// As it is written.
#[derive(Debug, Default)]
pub(super) struct Storms {
    problems: Number,
    window: Seconds,
    quiet: Seconds,
    longest: Seconds,
}

/// As it is written.
#[derive(Debug, Default)]
pub(super) struct Escalation {
    quiet_hours: Text,
    urgent: WrittenChoice,
    steps: Vec<WrittenStep>,
}

#[derive(Debug, Default)]
struct WrittenChoice {
    states: Texts,
    hosts: Texts,
    host_groups: Texts,
}

#[derive(Debug)]
struct WrittenStep {
    place: Spot<()>,
    after: Seconds,
    users: Texts,
    groups: Texts,
    only: WrittenChoice,
    hours: Text,
}

pub(super) fn storms(section: Section<'_, '_>) -> Storms {
    let most = u64::try_from(storm::MOST_PROBLEMS).unwrap_or(u64::MAX);
    let storms = Storms {
        problems: section.number("problems", 0..most.saturating_add(1)),
        window: section.seconds("window", 1..storm::LONGEST_WINDOW.as_secs() + 1),
        quiet: section.seconds("quiet", 1..3601),
        longest: section.seconds("longest", 60..WEEK + 1),
    };
    section.close();
    storms
}

pub(super) fn escalation(section: Section<'_, '_>) -> Escalation {
    let escalation = Escalation {
        quiet_hours: section.string("quiet_hours"),
        urgent: section
            .section("urgent")
            .map(|urgent| {
                let written = choice(&urgent);
                urgent.close();
                written
            })
            .unwrap_or_default(),
        steps: section.sections("steps").into_iter().map(step).collect(),
    };
    section.close();
    escalation
}

fn choice(section: &Section<'_, '_>) -> WrittenChoice {
    WrittenChoice {
        states: section.strings("states"),
        hosts: section.strings("hosts"),
        host_groups: section.strings("host_groups"),
    }
}

fn step(section: Section<'_, '_>) -> WrittenStep {
    let step = WrittenStep {
        place: section.place.clone(),
        after: section.seconds("after", 1..WEEK + 1),
        users: section.strings("users"),
        groups: section.strings("groups"),
        only: choice(&section),
        hours: section.string("hours"),
    };
    section.close();
    step
}

/// Takes over what is written.
pub(super) fn take_storms(terms: &mut Terms, written: &Storms) {
    if let Some(spot) = &written.problems {
        terms.problems = usize::try_from(spot.value).unwrap_or(usize::MAX);
    }
    for (time, written) in [
        (&mut terms.window, &written.window),
        (&mut terms.quiet, &written.quiet),
        (&mut terms.longest, &written.longest),
    ] {
        if let Some(spot) = written {
            *time = spot.value;
        }
    }
}

impl Judge<'_, '_, '_> {
    /// Who is called when nobody touches a problem. `groups` are those of the inventory.
    pub(super) fn escalation(&self, written: Escalation, groups: &BTreeSet<String>) -> escalation::Escalation {
        let quiet = written.quiet_hours.as_ref().and_then(|spot| self.hours(spot));
        let mut steps: Vec<Step> = Vec::new();
        for step in written.steps {
            let lower = |names: Texts| -> Vec<String> {
                self.words(names).iter().map(|name| name.trim_start_matches('@').to_lowercase()).collect()
            };
            let (users, chat_groups) = (lower(step.users), lower(step.groups));
            let only = self.choice(step.only, groups);
            let hours = step.hours.as_ref().map(|spot| self.hours(spot));
            let Some(after) = step.after else {
                let at = Spot { key_path: format!("{}.after", step.place.key_path), ..step.place.clone() };
                if !self.document.complained(&at.key_path) {
                    let hint = Some("write how many seconds nobody has touched the problem: `after = 900`".to_owned());
                    self.document.problem(&at, "is missing", hint);
                }
                continue;
            };
            if users.is_empty() && chat_groups.is_empty() {
                let hint = Some("give it `users` or `groups`, the names by which the chat mentions them".to_owned());
                self.document.problem(&step.place, "this step calls nobody", hint);
            }
            if steps.last().is_some_and(|before| before.after > after.value) {
                let hint = Some("write the steps in the order of their times".to_owned());
                self.document.problem(&after, "comes before the step above it", hint);
            }
            // What is wrong with its hours was told.
            let hours = hours.unwrap_or_default();
            steps.push(Step { after: after.value, users, groups: chat_groups, only, hours });
            if steps.len() > MOST_STEPS {
                self.document.problem(&step.place, format!("there are more than {MOST_STEPS} steps"), None);
                break;
            }
        }
        escalation::Escalation { quiet, urgent: self.choice(written.urgent, groups), steps }
    }

    fn hours(&self, spot: &Spot<String>) -> Option<Hours> {
        match Hours::read(spot.value.trim()) {
            Ok(hours) => Some(hours),
            Err(why) => {
                self.document.problem(spot, why, None);
                None
            }
        }
    }

    fn choice(&self, written: WrittenChoice, groups: &BTreeSet<String>) -> Choice {
        let states = written.states.iter().flat_map(|list| &list.value);
        let states = states.filter_map(|spot| self.word(&spot.with(spot.value.trim().to_lowercase()), &STATES));
        let states = states.collect();
        let hosts = written.hosts.as_ref().and_then(|list| {
            match Patterns::read(list.value.iter().map(|text| text.value.as_str())) {
                Ok(patterns) => {
                    for group in patterns.groups().filter(|group| !groups.contains(*group)) {
                        let hint = Some(
                            "name it in [inventory.groups], or use `host_groups` for those of the monitoring"
                                .to_owned(),
                        );
                        self.document.warning(list, format!("there is no group `@{group}`"), hint);
                    }
                    Some(patterns)
                }
                Err(why) => {
                    let hint = Some("write it like \"wn*\", \"wn[001-050]\" or \"@storage\"".to_owned());
                    self.document.problem(list, why, hint);
                    None
                }
            }
        });
        Choice { states, hosts, host_groups: self.words(written.host_groups) }
    }
}
