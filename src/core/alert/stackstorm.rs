//! What StackStorm's packs for a monitoring tell, made of what the monitoring has told us, so that rules written for those packs go on working.
//!
//! - **Changes of state only**: problems and recoveries. An acknowledgement of a critical service carries its state too, and those rules do not look for that.
//! - Changes that no notification is sent of, which those packs tell also (soft states, unchanged ones), are not told.

use super::notification::Kind;
use super::source::{KIND, Source};
use super::{icinga2, nagios};
use serde_json::Value;

/// The trigger of StackStorm's pack, and what it would be told with.
pub fn state_change(trigger: &str, payload: &Value) -> Option<(&'static str, Value)> {
    let source = Source::of(trigger)?;
    let kind = payload.get(KIND).and_then(Value::as_str).map(Kind::read);
    if !matches!(kind, Some(Kind::Problem | Kind::Recovery)) {
        return None;
    }
    match source {
        Source::Nagios => nagios::state_change(payload),
        Source::Icinga2 => icinga2::state_change(payload),
        // Of CheckMK it is the same trigger, and of Alertmanager there is none.
        Source::CheckMk | Source::Alertmanager => None,
    }
}

/// A text that is more than nothing.
pub(super) fn text<'a>(payload: &'a Value, pointer: &str) -> Option<&'a str> {
    payload.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}
