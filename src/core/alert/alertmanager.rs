//! From the body of Alertmanager's webhook (its version 4, as of Alertmanager 0.25) to the payloads of `alertmanager.notification`.
//!
//! Alertmanager sends a group again and again, with all of its alerts, as long as one of them fires; so each alert is compared with what is known.
//!
//! - **Each alert counts by itself**, by its fingerprint. That a group is resolved says nothing: those that are silenced have vanished from it and still fire.
//! - **What says nothing new is no event.** The name of an event holds what was known before, so the same body brought again has none.
//! - **Alerts that people call the same are one problem**: the same host, alertname and telling labels. It is as bad as the worst that fires, and over when none does.

use super::life::{Alert, Board};
use super::notification::{Problem, State};
use super::source::{Event, KIND, Source};
use super::stackstorm::text;
use super::variables::named;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The host of what concerns no machine. It is no name of one, so that nothing is ever done to it.
pub const NO_HOST: &str = "no host";
/// Where the host stands, unless the configuration names another label.
pub const INSTANCE: &str = "instance";

/// Labels that do not tell problems of a machine apart for people.
const NOT_TELLING: [&str; 14] = [
    "alertname",
    "cluster",
    "datacenter",
    "env",
    "environment",
    "instance",
    "job",
    "monitor",
    "prometheus",
    "prometheus_replica",
    "region",
    "replica",
    "severity",
    "team",
];
/// Severities that are warnings; every other one is critical.
const WARNINGS: [&str; 11] =
    ["debug", "info", "information", "informational", "low", "minor", "none", "notice", "ticket", "warn", "warning"];
/// So many alerts of a body are read.
pub const MOST: usize = 5_000;

/// One alert of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    fingerprint: String,
    firing: bool,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    generator: String,
}

/// What a body says.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Its alerts; those that fire first, so that a problem of several never seems over in between. Behind those that do not any more, they stand once more: what
    /// a problem of several says depends on the others.
    pub alerts: Vec<Told>,
    /// How many alerts of the group were left out, by `max_alerts` of the receiver.
    pub left_out: u64,
    /// The name of the group.
    pub group: String,
}

/// Why a body is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not version 4 of that format.
    Version,
    /// It has no list of alerts with labels.
    Alerts,
    /// It has more than [`MOST`].
    TooMany,
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// It is none of Alertmanager's.
    pub fn read(body: &Value) -> Result<Self, Unreadable> {
        if body.get("version").and_then(Value::as_str) != Some("4") {
            return Err(Unreadable::Version);
        }
        let list = body.get("alerts").and_then(Value::as_array).ok_or(Unreadable::Alerts)?;
        if list.len() > MOST {
            return Err(Unreadable::TooMany);
        }
        let mut alerts = list.iter().map(Told::read).collect::<Option<Vec<_>>>().ok_or(Unreadable::Alerts)?;
        alerts.sort_by_key(|told| !told.firing);
        let firing = alerts.iter().take_while(|told| told.firing).count();
        if firing < alerts.len() {
            alerts.extend_from_within(..firing);
        }
        let left_out = body.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or(0);
        let group = body.get("groupKey").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { alerts, left_out, group })
    }
}

/// Texts by name.
pub fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
}

/// The host that labels speak of; `host_label` is the label that has it.
pub fn host(labels: &BTreeMap<String, String>, host_label: &str) -> String {
    let Some(instance) = labels.get(host_label).map(|text| text.trim()).filter(|text| !text.is_empty()) else {
        return NO_HOST.to_owned();
    };
    // An exporter that looks from outside has an address there.
    let bare = instance.split_once("://").map_or(instance, |(_, rest)| rest.split('/').next().unwrap_or_default());
    let host = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => match bare.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => host,
            _ => bare,
        },
    };
    if host.is_empty() { NO_HOST.to_owned() } else { host.to_owned() }
}

/// What people call the problem on that host: the alertname, and the labels that tell it from others. `DiskFull (mountpoint=/scratch)`.
pub fn service(labels: &BTreeMap<String, String>, host_label: &str) -> String {
    let name = labels.get("alertname").map_or("alert", String::as_str);
    let looks_from_outside = labels.get(INSTANCE).is_some_and(|instance| instance.contains("://"));
    let tells =
        |label: &str| label != host_label && !NOT_TELLING.contains(&label) || label == INSTANCE && looks_from_outside;
    let telling: Vec<String> =
        labels.iter().filter(|(label, _)| tells(label)).map(|(label, value)| format!("{label}={value}")).collect();
    if telling.is_empty() { name.to_owned() } else { format!("{name} ({})", telling.join(", ")) }
}

/// How bad an alert with these labels is. One without a severity was made by somebody who wants to be told.
pub fn state(labels: &BTreeMap<String, String>) -> State {
    let severity = labels.get("severity").map(|severity| severity.trim().to_ascii_lowercase());
    match severity {
        Some(severity) if WARNINGS.contains(&severity.as_str()) => State::Warning,
        _ => State::Critical,
    }
}

/// What an alert says in one line, and in more.
pub fn output(annotations: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> (String, String) {
    let said = |names: &[&str]| {
        let text = names.iter().find_map(|name| annotations.get(*name)).map(|text| text.trim());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let summary = said(&["summary", "title", "message", "description"]);
    let description = said(&["description", "message"]).filter(|text| summary.as_ref() != Some(text));
    let line = summary.or_else(|| labels.get("alertname").cloned()).unwrap_or_default();
    (line.lines().next().unwrap_or_default().to_owned(), description.unwrap_or_default())
}

impl Told {
    fn read(alert: &Value) -> Option<Self> {
        let labels = texts(alert.get("labels"));
        if labels.is_empty() {
            return None;
        }
        let moment = |pointer: &str| text(alert, pointer).and_then(|text| text.parse::<Timestamp>().ok());
        let fingerprint = text(alert, "/fingerprint").map_or_else(|| fingerprint(&labels), str::to_owned);
        Some(Self {
            // One name goes into the name of the event.
            fingerprint: fingerprint.chars().filter(char::is_ascii_alphanumeric).take(32).collect(),
            firing: text(alert, "/status") != Some("resolved"),
            annotations: texts(alert.get("annotations")),
            starts: moment("/startsAt"),
            ends: moment("/endsAt").filter(|ends| *ends > Timestamp::UNIX_EPOCH),
            generator: text(alert, "/generatorURL").unwrap_or_default().to_owned(),
            labels,
        })
    }

    /// The problem that it is, or is a part of.
    pub fn problem(&self, site: &str, host_label: &str) -> Problem {
        Problem {
            source: Source::Alertmanager.name().to_owned(),
            site: site.to_owned(),
            host: host(&self.labels, host_label),
            service: Some(service(&self.labels, host_label)),
        }
    }

    /// The event that it is, beside what is known; nothing where that is the same.
    pub fn event(&self, site: &str, host_label: &str, board: &Board) -> Option<Event> {
        let problem = self.problem(site, host_label);
        let known = board.find(&problem);
        let open = known.filter(|known| known.recovered.is_none());
        let mut parts = open.map(|open| open.parts.clone()).unwrap_or_default();
        let (mut line, mut details) = output(&self.annotations, &self.labels);
        let here = self.firing.then(|| state(&self.labels));
        match here {
            Some(state) => {
                let before = parts.insert(self.fingerprint.clone(), state);
                if let Some(open) = open {
                    if !speaks(&parts, &self.fingerprint) {
                        (line, details) = (open.output.clone(), open.details.clone());
                    }
                    let same = before == Some(state)
                        && open.downtime.is_none()
                        && shortened_same(&open.output, &line)
                        && shortened_same(&open.details, &details);
                    if same {
                        return None;
                    }
                }
            }
            None => {
                let open = open?;
                if parts.remove(&self.fingerprint).is_none() && !parts.is_empty() {
                    return None;
                }
                if !parts.is_empty() {
                    (line, details) = (open.output.clone(), open.details.clone());
                }
            }
        }
        let worst = parts.values().copied().max_by_key(|state| state.weight());
        let id = self.id(site, known, &parts);
        // Behind what is known already, whatever the clocks say: an acknowledgement of ours may be younger than the end.
        let over = worst.is_none().then_some(self.ends).flatten();
        let newest = known.map(|known| known.read.map_or(known.told, |read| read.max(known.told)));
        let behind = newest.and_then(|newest| newest.checked_add(SignedDuration::from_micros(1)).ok());
        let sent = over.map(|over| behind.map_or(over, |behind| over.max(behind)));
        Some(Event {
            payload: self.payload(&problem, &id, (worst, sent), (&line, &details), &parts),
            id,
            source: Source::Alertmanager,
        })
    }

    fn id(&self, site: &str, known: Option<&Alert>, parts: &BTreeMap<String, State>) -> String {
        let mut hash = Sha256::new();
        let known = known.map(|known| known.told.as_microsecond().to_string()).unwrap_or_default();
        let parts: Vec<String> = parts.iter().map(|(name, state)| format!("{name}={}", state.word())).collect();
        let words = [
            known,
            parts.join(","),
            if self.firing { "firing" } else { "resolved" }.to_owned(),
            self.starts.map(|starts| starts.to_string()).unwrap_or_default(),
            serde_json::to_string(&self.annotations).unwrap_or_default(),
        ];
        for word in words {
            hash.update(word.len().to_be_bytes());
            hash.update(word.as_bytes());
        }
        let site = if site.is_empty() { String::new() } else { format!("{site}-") };
        named(&format!("alertmanager-{site}{}-", self.fingerprint), hash)
    }

    fn payload(
        &self,
        problem: &Problem,
        id: &str,
        (worst, sent): (Option<State>, Option<Timestamp>),
        (line, details): (&str, &str),
        parts: &BTreeMap<String, State>,
    ) -> Value {
        let word = worst.unwrap_or(State::Ok).word().to_ascii_uppercase();
        let parts: Map<String, Value> =
            parts.iter().map(|(name, state)| (name.clone(), state.word().to_ascii_uppercase().into())).collect();
        let at = sent.or(self.starts);
        json!({
            KIND: if worst.is_some() { "PROBLEM" } else { "RECOVERY" },
            "timestamp": at.map(Timestamp::as_second),
            "host": {
                "name": problem.host,
                "address": self.labels.get(INSTANCE),
            },
            "service": {
                "desc": problem.service,
                "state": word,
                "output": line,
                "long_output": details,
            },
            "event": {
                "id": id,
                "site": (!problem.site.is_empty()).then_some(&problem.site),
                "what": "SERVICE",
                "microtime": sent.map(Timestamp::as_microsecond),
                "since": self.starts.map(Timestamp::as_second),
                "host_groups": [],
                "url": (!self.generator.is_empty()).then_some(&self.generator),
                "labels": self.labels,
                "annotations": self.annotations,
                "fingerprint": self.fingerprint,
                "parts": parts,
            },
        })
    }
}

/// Whether this part says what the problem says: the first of the worst.
fn speaks(parts: &BTreeMap<String, State>, fingerprint: &str) -> bool {
    let worst = parts.values().map(|state| state.weight()).max().unwrap_or(0);
    parts.iter().find(|(_, state)| state.weight() == worst).is_some_and(|(name, _)| name == fingerprint)
}

/// Whether a text is the one that is remembered, of which the end may be missing.
fn shortened_same(remembered: &str, text: &str) -> bool {
    remembered == text || remembered.strip_suffix('…').is_some_and(|beginning| text.starts_with(beginning))
}

/// Where the sender gives none.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in labels {
        for text in [name, value] {
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    named("", hash)
}
