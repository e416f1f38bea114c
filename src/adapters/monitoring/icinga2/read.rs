//! From objects of Icinga's to how things stand.

use crate::core::alert::icinga2::{self, named_of};
use crate::core::alert::notification::Problem;
use crate::core::alert::source::Source;
use crate::core::alert::standing::{Downtime, Said, Standing};
use jiff::Timestamp;
use serde_json::Value;

/// The kinds of comments that are read: a person's, and the one of an acknowledgement.
const BY_A_PERSON: i64 = 1;
const ACKNOWLEDGED: i64 = 4;

pub(super) fn number(value: &Value, name: &str) -> Option<i64> {
    let value = value.get(name)?;
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).or_else(|| value.as_bool().map(i64::from))
}

fn moment(value: &Value, name: &str) -> Option<Timestamp> {
    let seconds = value.get(name)?.as_f64().filter(|seconds| *seconds > 0.0)?;
    Timestamp::from_microsecond((seconds * 1e6) as i64).ok()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// How an object stands; `downtimes` and `comments` are those of its host, and of services there.
pub(super) fn standing(site: &str, object: &Value, downtimes: &[Value], comments: &[Value]) -> Option<Standing> {
    let named = named_of(object)?;
    let problem = Problem {
        source: Source::Icinga2.name().to_owned(),
        site: site.to_owned(),
        host: named.host.clone(),
        service: named.service.clone(),
    };
    let state = number(object, "state").map(|state| icinga2::state(state, named.service.is_some()));
    let mut standing = Standing::new(problem, state);
    standing.hard = number(object, "state_type") == Some(1);
    standing.output = icinga2::output(object.get("last_check_result")).0;
    standing.since = moment(object, "last_hard_state_change");
    standing.checked = moment(object, "last_check");
    standing.flapping = number(object, "flapping").is_some_and(|flag| flag != 0);
    standing.in_downtime = number(object, "downtime_depth").is_some_and(|depth| depth > 0);
    let groups = object.get("groups").and_then(Value::as_array).filter(|_| named.service.is_none());
    standing.host_groups = groups.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let own = |value: &&Value| {
        text(value, "host_name") == Some(named.host.as_str()) && text(value, "service_name") == named.service.as_deref()
    };
    let said = |value: &Value, words: &str| Said {
        by: text(value, "author").unwrap_or_default().to_owned(),
        comment: text(value, words).unwrap_or_default().to_owned(),
    };
    for comment in comments.iter().filter(own) {
        match number(comment, "entry_type") {
            Some(BY_A_PERSON) => standing.comments.push(said(comment, "text")),
            Some(ACKNOWLEDGED) => standing.acknowledged = Some(said(comment, "text")),
            _ => {}
        }
    }
    // The comment may have been removed, and may outlast what it is about.
    match number(object, "acknowledgement") {
        Some(0) | None => standing.acknowledged = None,
        Some(_) => standing.acknowledged = Some(standing.acknowledged.unwrap_or_default()),
    }
    standing.downtimes = downtimes
        .iter()
        .filter(own)
        .filter_map(|downtime| {
            Some(Downtime {
                id: text(downtime, "__name")?.to_owned(),
                said: said(downtime, "comment"),
                start: moment(downtime, "start_time"),
                end: moment(downtime, "end_time"),
                covers: false,
            })
        })
        .collect();
    Some(standing)
}
