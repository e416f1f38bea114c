//! From rows of the REST API to how things stand, and the questions that bring them. The columns are Livestatus's.

use super::SOURCE;
use crate::adapters::monitoring::json_api::unsound;
use crate::core::alert::notification::{Problem, State};
use crate::core::alert::order::Target;
use crate::core::alert::standing::{Downtime, Said, Standing};
use crate::runtime::ports::MonitoringError;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many are asked for by name in one question: a site before 2.3, and the list of downtimes, are asked by an address.
pub(super) const AT_ONCE: usize = 25;
/// Of the 8190 bytes that Apache takes as an address so many are for names, and the others for what stands around them.
const LONGEST_NAMES: usize = 7_000;

pub(super) const HOST_COLUMNS: &[&str] = &[
    "name",
    "state",
    "state_type",
    "plugin_output",
    "last_check",
    "last_state_change",
    "acknowledged",
    "scheduled_downtime_depth",
    "is_flapping",
    "groups",
    "comments_with_extra_info",
    "downtimes_with_info",
];
pub(super) const SERVICE_COLUMNS: &[&str] = &[
    "host_name",
    "description",
    "state",
    "state_type",
    "plugin_output",
    "last_check",
    "last_state_change",
    "acknowledged",
    "scheduled_downtime_depth",
    "host_scheduled_downtime_depth",
    "is_flapping",
    "host_groups",
    "comments_with_extra_info",
    "downtimes_with_info",
    "host_downtimes_with_info",
];
/// The kind of a comment that is the words of an acknowledgement.
const OF_ACKNOWLEDGEMENT: i64 = 4;

/// All that is a problem.
pub(super) fn open() -> Value {
    json!({"op": "!=", "left": "state", "right": "0"})
}

/// Those of these names that are a problem; all of them hosts, or all of them services.
pub(super) fn troubled(targets: &[Target]) -> Option<Value> {
    Some(json!({"op": "and", "expr": [open(), named_hosts(targets).or_else(|| named_services(targets))?]}))
}

/// The hosts among these; nothing where there are none.
pub(super) fn named_hosts(targets: &[Target]) -> Option<Value> {
    any(targets.iter().filter(|target| target.service.is_none()).map(named).collect())
}

/// The services among these; nothing where there are none.
pub(super) fn named_services(targets: &[Target]) -> Option<Value> {
    any(targets.iter().filter(|target| target.service.is_some()).map(named).collect())
}

/// One host or service by its name.
fn named(target: &Target) -> Value {
    match &target.service {
        None => equal("name", &target.host),
        Some(service) => {
            json!({"op": "and", "expr": [equal("host_name", &target.host), equal("description", service)]})
        }
    }
}

/// These in parts that one address can name.
pub(super) fn parts(targets: &[Target]) -> Vec<&[Target]> {
    let (mut parts, mut left) = (Vec::new(), targets);
    while !left.is_empty() {
        let mut length = 0;
        let fits = left.iter().take(AT_ONCE).take_while(|target| {
            length += in_address(&named(target).to_string());
            length <= LONGEST_NAMES
        });
        let (part, others) = left.split_at(fits.count().max(1));
        parts.push(part);
        left = others;
    }
    parts
}

/// How long a text is as a part of an address.
fn in_address(text: &str) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._ ".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { 1 } else { "%20".len() }).sum()
}

/// The downtimes of all hosts among these, those of their services included.
pub(super) fn downtimes_of(targets: &[Target]) -> Value {
    let mut hosts: Vec<&str> = targets.iter().map(|target| target.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    any(hosts.into_iter().map(|host| equal("host_name", host)).collect()).unwrap_or_default()
}

fn equal(column: &str, text: &str) -> Value {
    // What ends a line would end the question.
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    json!({"op": "=", "left": column, "right": text})
}

fn any(mut parts: Vec<Value>) -> Option<Value> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(json!({"op": "or", "expr": parts})),
    }
}

/// Rows of hosts.
pub(super) fn hosts(rows: &[Value], site: &str, now: Timestamp) -> Result<Vec<Standing>, MonitoringError> {
    rows.iter()
        .map(|row| {
            let row = columns(row)?;
            let state = state(row, &[State::Up, State::Down, State::Unreachable]);
            let mut standing = both(row, problem(site, required(row, "name")?, None), state, now);
            standing.host_groups = texts(row, "groups");
            Ok(standing)
        })
        .collect()
}

/// The one of these that a row has the number of.
fn state(row: &Value, all: &[State]) -> Option<State> {
    number(row, "state").and_then(|number| all.get(usize::try_from(number).ok()?).copied())
}

/// Rows of services.
pub(super) fn services(rows: &[Value], site: &str, now: Timestamp) -> Result<Vec<Standing>, MonitoringError> {
    rows.iter()
        .map(|row| {
            let row = columns(row)?;
            let state = state(row, &[State::Ok, State::Warning, State::Critical, State::Unknown]);
            let service = required(row, "description")?;
            let mut standing = both(row, problem(site, required(row, "host_name")?, Some(service)), state, now);
            standing.host_groups = texts(row, "host_groups");
            standing.in_downtime |= number(row, "host_scheduled_downtime_depth").unwrap_or_default() > 0;
            let of_host = infos(row, "host_downtimes_with_info");
            standing.downtimes.extend(of_host.map(|info| Downtime { covers: true, ..downtime(info) }));
            Ok(standing)
        })
        .collect()
}

/// What hosts and services have alike.
fn both(row: &Value, problem: Problem, state: Option<State>, now: Timestamp) -> Standing {
    let yes = |name: &str| number(row, name).unwrap_or_default() > 0;
    let moment = |name: &str| {
        let seconds = number(row, name).filter(|seconds| *seconds > 0)?;
        Timestamp::from_second(seconds).ok()
    };
    let said = |info: &Value| Said { by: at(info, 1), comment: at(info, 2) };
    let comments: Vec<&Value> = infos(row, "comments_with_extra_info").collect();
    let mut words = comments.iter().filter(|info| info.get(3).and_then(Value::as_i64) == Some(OF_ACKNOWLEDGEMENT));
    let acknowledged = yes("acknowledged").then(|| words.next_back().map(|info| said(info)).unwrap_or_default());
    Standing {
        hard: number(row, "state_type") != Some(0),
        output: text(row, "plugin_output").unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        since: moment("last_state_change").map(|since| since.min(now)),
        checked: moment("last_check"),
        acknowledged,
        downtimes: infos(row, "downtimes_with_info").map(downtime).collect(),
        in_downtime: yes("scheduled_downtime_depth"),
        flapping: yes("is_flapping"),
        comments: comments.iter().map(|info| said(info)).collect(),
        ..Standing::new(problem, state)
    }
}

/// `[id, author, comment]`; the site is not among it, so this id takes nothing off.
fn downtime(info: &Value) -> Downtime {
    let id = info.get(0).map(Value::to_string).unwrap_or_default();
    let said = Said { by: at(info, 1), comment: at(info, 2) };
    Downtime { id, said, start: None, end: None, covers: false }
}

/// Downtimes as they are listed, which tells their sites and times, in the place of those of the rows.
pub(super) fn put_downtimes(list: &mut [Standing], rows: &[Value]) -> Result<(), MonitoringError> {
    let mut of_host: BTreeMap<String, Vec<&mut Standing>> = BTreeMap::new();
    for standing in list.iter_mut() {
        standing.downtimes.clear();
        of_host.entry(standing.problem.host.clone()).or_default().push(standing);
    }
    for row in rows {
        let number = row.get("id").map(written).unwrap_or_default();
        let row = columns(row)?;
        let host = required(row, "host_name")?;
        let of_service = match row.get("is_service") {
            Some(Value::String(word)) => word == "yes",
            Some(other) => other == &json!(true) || other == &json!(1),
            None => row.get("service_description").is_some(),
        };
        let service = text(row, "service_description").filter(|_| of_service);
        let found = Downtime {
            id: format!("{}:{number}", text(row, "site_id").unwrap_or_default()),
            said: Said {
                by: text(row, "author").unwrap_or_default().to_owned(),
                comment: text(row, "comment").unwrap_or_default().to_owned(),
            },
            start: row.get("start_time").and_then(moment),
            end: row.get("end_time").and_then(moment),
            covers: false,
        };
        for standing in of_host.get_mut(host).into_iter().flatten() {
            let own = standing.problem.service.as_deref() == service;
            if own || service.is_none() {
                standing.downtimes.push(Downtime { covers: !own, ..found.clone() });
            }
        }
    }
    Ok(())
}

/// Seconds, or a text as it is written in JSON.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(seconds) => Timestamp::from_second(seconds.as_i64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn problem(site: &str, host: &str, service: Option<&str>) -> Problem {
    Problem {
        source: SOURCE.to_owned(),
        site: site.to_owned(),
        host: host.to_owned(),
        service: service.map(str::to_owned),
    }
}

/// The columns of a row.
fn columns(row: &Value) -> Result<&Value, MonitoringError> {
    row.get("extensions").ok_or_else(|| unsound("extensions"))
}

fn required<'v>(row: &'v Value, name: &str) -> Result<&'v str, MonitoringError> {
    text(row, name).ok_or_else(|| unsound(name))
}

fn text<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    row.get(name).and_then(Value::as_str)
}

/// A number, also where it is written as text or as a truth value.
fn number(row: &Value, name: &str) -> Option<i64> {
    match row.get(name)? {
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn texts(row: &Value, name: &str) -> Vec<String> {
    let items = row.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn infos<'v>(row: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    row.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn at(info: &Value, place: usize) -> String {
    info.get(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A value as text.
pub(super) fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
