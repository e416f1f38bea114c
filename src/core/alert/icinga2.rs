//! From the events of Icinga 2's stream, and from its objects, to the payloads of `icinga2.notification`. Seen with Icinga 2.13.6.
//!
//! The stream tells more than Icinga would notify of. **What would not be notified of is no event**: soft states, what cannot be reached because its host is
//! down, and whatever is bad while somebody has it or it is in a downtime or flapping. A recovery is told all the same, so that no post stays red.
//!
//! - **The same change has the same name**, whether it came by the stream or was found by listing what is bad after a gap.
//! - Events of downtimes and flapping say little of the state; the object is asked for beside them.

use super::notification::State;
use super::source::{Event, KIND, Source};
use super::stackstorm::text;
use super::variables;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The types of events that are listened to.
pub const TYPES: [&str; 8] = [
    "StateChange",
    "Notification",
    "AcknowledgementSet",
    "AcknowledgementCleared",
    "DowntimeStarted",
    "DowntimeTriggered",
    "DowntimeRemoved",
    "Flapping",
];

/// The attributes of an object that are read here.
pub const ATTRIBUTES: [&str; 17] = [
    "name",
    "host_name",
    "display_name",
    "address",
    "state",
    "state_type",
    "last_state",
    "last_hard_state_change",
    "last_check",
    "last_check_result",
    "last_reachable",
    "acknowledgement",
    "downtime_depth",
    "flapping",
    "groups",
    "check_command",
    "check_attempt",
];

/// A host or a service of Icinga's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// The host.
    pub host: String,
    /// The service; absent for the host itself.
    pub service: Option<String>,
}

impl Named {
    /// As Icinga's API names it: `host!service`.
    pub fn key(&self) -> String {
        match &self.service {
            Some(service) => format!("{}!{service}", self.host),
            None => self.host.clone(),
        }
    }
}

/// What an event of the stream is about.
pub fn about(event: &Value) -> Option<Named> {
    let pair = |host: &str, service: &str| {
        let host = text(event, host)?.to_owned();
        Some(Named { host, service: text(event, service).map(str::to_owned) })
    };
    pair("/host", "/service").or_else(|| pair("/downtime/host_name", "/downtime/service_name"))
}

/// Whether the object has to be asked for to know what an event means.
pub fn needs_object(event: &Value) -> bool {
    matches!(text(event, "/type"), Some("DowntimeStarted" | "DowntimeTriggered" | "DowntimeRemoved" | "Flapping"))
}

/// How something stands, from an event or from an object.
struct Stand {
    number: i64,
    output: String,
    details: String,
    since: Option<Timestamp>,
}

/// A number that is a float, or a flag, in some versions.
fn number(value: &Value, pointer: &str) -> Option<i64> {
    let value = value.pointer(pointer)?;
    let whole = || value.as_f64().filter(|number| number.is_finite()).map(|number| number as i64);
    value.as_i64().or_else(whole).or_else(|| value.as_bool().map(i64::from))
}

fn moment(value: &Value, pointer: &str) -> Option<Timestamp> {
    let seconds = value.pointer(pointer)?.as_f64().filter(|seconds| *seconds > 0.0)?;
    Timestamp::from_microsecond((seconds * 1e6) as i64).ok()
}

fn flag(value: &Value, pointer: &str) -> Option<bool> {
    match value.pointer(pointer)? {
        Value::Bool(flag) => Some(*flag),
        other => other.as_f64().map(|number| number != 0.0),
    }
}

/// The state's number as a word. Hosts know two; what is neither is down.
pub fn state(number: i64, service: bool) -> State {
    match (number, service) {
        (0, true) => State::Ok,
        (1, true) => State::Warning,
        (2, true) => State::Critical,
        (_, true) => State::Unknown,
        (0, false) => State::Up,
        (_, false) => State::Down,
    }
}

/// The lines of a check's output, the first apart from the others.
pub fn output(result: Option<&Value>) -> (String, String) {
    let whole = result.and_then(|result| text(result, "/output")).unwrap_or_default();
    let (first, rest) = whole.split_once('\n').unwrap_or((whole, ""));
    (first.trim_end().to_owned(), rest.to_owned())
}

/// What an event of the stream is for us, in order: nothing, or up to two events. `object` are the attributes of what it is about.
pub fn events(site: &str, event: &Value, object: Option<&Value>) -> Vec<Event> {
    let Some(named) = about(event) else { return Vec::new() };
    let at = moment(event, "/timestamp");
    let tell = |kind: &str, stand: &Stand, key: &str, word: (Option<&str>, Option<&str>)| {
        told(site, &named, kind, stand, at, key, word, object)
    };
    let nobody = (None, None);
    match text(event, "/type") {
        Some("StateChange") => {
            let (result, hard) = (event.pointer("/check_result"), number(event, "/state_type") == Some(1));
            let reachable = flag(event, "/check_result/vars_after/reachable").unwrap_or(true);
            let (output, details) = output(result);
            let since = moment(event, "/check_result/execution_end").or(at);
            let stand = Stand { number: number(event, "/state").unwrap_or(3), output, details, since };
            let quiet = number(event, "/downtime_depth").unwrap_or(0) > 0
                || number(event, "/acknowledgement").unwrap_or(0) > 0
                || object.and_then(|object| flag(object, "/flapping")).unwrap_or(false);
            match stand.number {
                // What was bad for a moment only was not told.
                0 if number(event, "/check_result/vars_before/state_type") == Some(0) => Vec::new(),
                0 => vec![change(site, &named, &stand, at, object)],
                _ if hard && reachable && !quiet => vec![change(site, &named, &stand, at, object)],
                _ => Vec::new(),
            }
        }
        Some("AcknowledgementSet") => {
            let stand = stand_of(event, object);
            let word = (text(event, "/author"), text(event, "/comment"));
            vec![tell("ACKNOWLEDGEMENT", &stand, &stamp(event), word)]
        }
        // It ends by itself when all is well, which is told anyway.
        Some("AcknowledgementCleared") if number(event, "/state") != Some(0) => {
            vec![tell("ACKNOWLEDGEMENTREMOVED", &stand_of(event, object), &stamp(event), nobody)]
        }
        Some("DowntimeStarted" | "DowntimeTriggered") => {
            let Some(object) = object else { return Vec::new() };
            let word = (text(event, "/downtime/author"), text(event, "/downtime/comment"));
            let name = text(event, "/downtime/__name").or_else(|| text(event, "/downtime/name")).unwrap_or_default();
            vec![tell("DOWNTIMESTART", &stand_of(object, Some(object)), name, word)]
        }
        Some("DowntimeRemoved") => {
            let Some(object) = object else { return Vec::new() };
            let name = text(event, "/downtime/__name").or_else(|| text(event, "/downtime/name")).unwrap_or_default();
            let early = flag(event, "/downtime/was_cancelled").unwrap_or(false)
                || moment(event, "/downtime/end_time").zip(at).is_some_and(|(end, at)| at < end);
            if number(object, "/downtime_depth").unwrap_or(0) > 0 {
                return Vec::new();
            }
            let stand = stand_of(object, Some(object));
            let kind = if early { "DOWNTIMECANCELLED" } else { "DOWNTIMEEND" };
            let mut events = vec![tell(kind, &stand, name, nobody)];
            // What began meanwhile, and lasts, was not told.
            if is_told(object) && stand.number != 0 {
                events.push(tell("PROBLEM", &stand, &format!("after {name}"), nobody));
            }
            events
        }
        Some("Flapping") => {
            let Some(object) = object else { return Vec::new() };
            let begins = flag(event, "/is_flapping").or_else(|| flag(object, "/flapping")).unwrap_or(false);
            let kind = if begins { "FLAPPINGSTART" } else { "FLAPPINGSTOP" };
            vec![tell(kind, &stand_of(object, Some(object)), &stamp(event), nobody)]
        }
        Some("Notification") if text(event, "/notification_type") == Some("CUSTOM") => {
            let (output, details) = output(event.pointer("/check_result"));
            let number = number(event, "/check_result/state").unwrap_or(3);
            let stand = Stand { number, output, details, since: None };
            vec![tell("CUSTOM", &stand, &stamp(event), (text(event, "/author"), text(event, "/text")))]
        }
        _ => Vec::new(),
    }
}

/// What a listed object is for us: its problem, under the name by which the stream has told it or would have; nothing where it has none that is told.
pub fn listed(site: &str, object: &Value) -> Option<Event> {
    let named = named_of(object)?;
    let stand = stand_of(object, Some(object));
    let at = moment(object, "/last_check");
    (stand.number != 0 && is_told(object)).then(|| change(site, &named, &stand, at, Some(object)))
}

/// Which host or service an object is.
pub fn named_of(object: &Value) -> Option<Named> {
    let name = text(object, "/name")?.to_owned();
    // Of a service `name` is its own, and its host stands beside it.
    Some(match text(object, "/host_name") {
        Some(host) => Named { host: host.to_owned(), service: Some(name) },
        None => Named { host: name, service: None },
    })
}

/// Whether Icinga would notify of it, if it is bad.
fn is_told(object: &Value) -> bool {
    number(object, "/state_type") == Some(1)
        && flag(object, "/last_reachable").unwrap_or(true)
        && number(object, "/downtime_depth").unwrap_or(0) == 0
        && number(object, "/acknowledgement").unwrap_or(0) == 0
        && !flag(object, "/flapping").unwrap_or(false)
}

fn stand_of(from: &Value, object: Option<&Value>) -> Stand {
    let (output, details) = output(object.and_then(|object| object.pointer("/last_check_result")));
    Stand {
        number: number(from, "/state").unwrap_or(3),
        output,
        details,
        since: object.and_then(|object| moment(object, "/last_hard_state_change")),
    }
}

/// When an event was sent, as a word for its name.
fn stamp(event: &Value) -> String {
    event.get("timestamp").map(Value::to_string).unwrap_or_default()
}

/// A state that is bad or good now. Named by the state and the second of the check that found it.
fn change(site: &str, named: &Named, stand: &Stand, at: Option<Timestamp>, object: Option<&Value>) -> Event {
    let key = stand.since.map(|since| since.as_second().to_string()).unwrap_or_default();
    let kind = if stand.number == 0 { "RECOVERY" } else { "PROBLEM" };
    told(site, named, kind, stand, at, &key, (None, None), object)
}

#[expect(clippy::too_many_arguments, reason = "all of it is one payload, made in one place")]
fn told(
    site: &str,
    about: &Named,
    kind: &str,
    stand: &Stand,
    at: Option<Timestamp>,
    key: &str,
    (author, comment): (Option<&str>, Option<&str>),
    object: Option<&Value>,
) -> Event {
    let number = stand.number.to_string();
    let mut hash = Sha256::new();
    let service = about.service.as_deref();
    for word in [&about.host, service.unwrap_or_default(), kind, key, &number] {
        hash.update(word.len().to_be_bytes());
        hash.update(word.as_bytes());
    }
    let before = if site.is_empty() { "icinga2-".to_owned() } else { format!("icinga2-{site}-") };
    let id = variables::named(&before, hash);
    let word = state(stand.number, service.is_some()).word().to_ascii_uppercase();
    let of = |is: bool| {
        json!({
            "state": is.then_some(&word),
            "output": is.then_some(&stand.output),
            "long_output": is.then_some(&stand.details),
        })
    };
    let (mut host, mut of_service) = (of(service.is_none()), of(service.is_some()));
    host["name"] = json!(about.host);
    of_service["desc"] = json!(service);
    let groups = object.filter(|_| service.is_none()).and_then(|object| object.get("groups"));
    let own = object.and_then(|object| object.get("groups"));
    Event {
        payload: json!({
            KIND: kind,
            "timestamp": at.map(Timestamp::as_second),
            "host": host,
            "service": of_service,
            "event": {
                "id": id,
                "site": (!site.is_empty()).then_some(site),
                "what": if service.is_some() { "SERVICE" } else { "HOST" },
                "microtime": at.map(Timestamp::as_microsecond),
                "since": stand.since.map(Timestamp::as_second),
                "author": author,
                "comment": comment,
                "attempt": object.and_then(|object| self::number(object, "/check_attempt")),
                "state_type": "HARD",
                "host_groups": groups.cloned().unwrap_or_else(|| json!([])),
                "service_groups": own.filter(|_| service.is_some()).cloned().unwrap_or_else(|| json!([])),
                "url": Value::Null,
            },
        }),
        id,
        source: Source::Icinga2,
    }
}

/// What StackStorm's pack `icinga2` would tell rules of this notification: its `icinga2.event.state_change`.
pub(super) fn state_change(payload: &Value) -> Option<(&'static str, Value)> {
    let service = text(payload, "/service/desc");
    let object = if service.is_some() { "service" } else { "host" };
    let state = text(payload, &format!("/{object}/state")).and_then(State::read)?;
    let number = match state {
        State::Up | State::Ok => 0,
        State::Warning | State::Down => 1,
        State::Critical | State::Unreachable => 2,
        State::Unknown => 3,
    };
    let output = text(payload, &format!("/{object}/output"));
    Some((
        "icinga2.event.state_change",
        json!({
            "service": service.unwrap_or("n/a"),
            "host": text(payload, "/host/name")?,
            "state": number,
            "state_type": 1,
            "type": "StateChange",
            "timestamp": payload.get("timestamp"),
            "check_result": {"state": number, "output": output},
        }),
    ))
}
