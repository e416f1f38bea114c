//! The status file of Nagios (and Naemon): blocks of lines `name=value`, written anew every few seconds.

use crate::core::alert::notification::{Problem, State};
use crate::core::alert::order::Target;
use crate::core::alert::source::Source;
use crate::core::alert::standing::{Downtime, Said, Standing};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The kinds of comments that are read: a person's, and the one of an acknowledgement.
const BY_A_PERSON: &str = "1";
const ACKNOWLEDGED: &str = "4";

/// What stands in it.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// When it was written, by the clock of its machine.
    pub(super) written: Option<Timestamp>,
    things: BTreeMap<Target, Thing>,
}

#[derive(Debug, Default)]
struct Thing {
    told: BTreeMap<String, String>,
    comments: Vec<Said>,
    acknowledged: Option<Said>,
    downtimes: Vec<Downtime>,
}

impl Status {
    /// Reads it. What is half there, or not known, is left out.
    pub(super) fn read(text: &str) -> Self {
        let mut status = Self::default();
        let mut block: Option<(&str, BTreeMap<String, String>)> = None;
        for line in text.lines() {
            let line = line.trim();
            match &mut block {
                None => {
                    if let Some(kind) = line.strip_suffix('{').filter(|_| !line.starts_with('#')) {
                        block = Some((kind.trim(), BTreeMap::new()));
                    }
                }
                Some((kind, lines)) if line == "}" => {
                    let (kind, lines) = (*kind, std::mem::take(lines));
                    block = None;
                    status.take(kind, lines);
                }
                Some((_, lines)) => {
                    if let Some((name, value)) = line.split_once('=') {
                        lines.insert(name.to_owned(), value.to_owned());
                    }
                }
            }
        }
        status
    }

    fn take(&mut self, kind: &str, told: BTreeMap<String, String>) {
        if kind == "info" {
            self.written = moment(&told, "created");
            return;
        }
        let Some(host) = told.get("host_name").filter(|host| !host.is_empty()) else { return };
        let service = told.get("service_description").cloned();
        let thing = self.things.entry(Target { host: host.clone(), service }).or_default();
        let text = |name: &str| told.get(name).cloned().unwrap_or_default();
        match kind {
            "hoststatus" | "servicestatus" => thing.told = told,
            "hostcomment" | "servicecomment" => {
                let said = Said { by: text("author"), comment: text("comment_data") };
                match text("entry_type").as_str() {
                    BY_A_PERSON => thing.comments.push(said),
                    ACKNOWLEDGED => thing.acknowledged = Some(said),
                    _ => {}
                }
            }
            "hostdowntime" | "servicedowntime" => thing.downtimes.push(Downtime {
                // The header of the same file has a `next_downtime_id`, which is no downtime's.
                id: text("downtime_id"),
                said: Said { by: text("author"), comment: text("comment") },
                start: moment(&told, "start_time"),
                end: moment(&told, "end_time"),
                covers: false,
            }),
            _ => {}
        }
    }

    /// How a thing stands, if it is watched.
    pub(super) fn standing(&self, site: &str, target: &Target) -> Option<Standing> {
        let thing = self.things.get(target).filter(|thing| !thing.told.is_empty())?;
        let told = &thing.told;
        let flag = |name: &str| told.get(name).is_some_and(|value| value != "0");
        let problem = Problem {
            source: Source::Nagios.name().to_owned(),
            site: site.to_owned(),
            host: target.host.clone(),
            service: target.service.clone(),
        };
        let state = told.get("current_state").and_then(|number| state(number, target.service.is_some()));
        let mut standing = Standing::new(problem, state);
        standing.hard = flag("state_type");
        standing.output = told.get("plugin_output").cloned().unwrap_or_default();
        standing.since = moment(told, "last_state_change");
        standing.checked = moment(told, "last_check");
        standing.flapping = flag("is_flapping");
        standing.comments.clone_from(&thing.comments);
        if flag("problem_has_been_acknowledged") {
            // Who has taken it on stands in a comment, which somebody may have removed.
            standing.acknowledged = Some(thing.acknowledged.clone().unwrap_or_default());
        }
        standing.downtimes.clone_from(&thing.downtimes);
        standing.in_downtime = flag("scheduled_downtime_depth");
        if target.service.is_some() {
            // Nagios notifies of no service whose host is in a downtime.
            let host = self.things.get(&Target { host: target.host.clone(), service: None });
            for downtime in host.map(|host| host.downtimes.as_slice()).unwrap_or_default() {
                standing.downtimes.push(Downtime { covers: true, ..downtime.clone() });
            }
            let depth = host.and_then(|host| host.told.get("scheduled_downtime_depth"));
            standing.in_downtime |= depth.is_some_and(|depth| depth != "0");
        }
        Some(standing)
    }

    /// What is bad now.
    pub(super) fn open<'a>(&'a self, site: &'a str) -> impl Iterator<Item = Standing> + 'a {
        let all = self.things.keys().filter_map(move |target| self.standing(site, target));
        all.filter(|standing| standing.state.is_some_and(|state| !state.is_good()))
    }
}

fn state(number: &str, service: bool) -> Option<State> {
    Some(match (number, service) {
        ("0", true) => State::Ok,
        ("1", true) => State::Warning,
        ("2", true) => State::Critical,
        ("3", true) => State::Unknown,
        ("0", false) => State::Up,
        ("1", false) => State::Down,
        ("2", false) => State::Unreachable,
        _ => return None,
    })
}

fn moment(told: &BTreeMap<String, String>, name: &str) -> Option<Timestamp> {
    let seconds = told.get(name)?.parse().ok().filter(|seconds| *seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}
