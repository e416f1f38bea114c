//! What Icinga's stream tells: each event of a recorded stream, and what it is for us.

use halcyon::core::alert::icinga2;
use serde_json::{Value, json};

/// The attributes of a service that stands so.
fn object(state: u8, changes: &Value) -> Value {
    let mut object = json!({
        "name": "Port", "host_name": "wn001", "state": state, "state_type": 1, "last_hard_state_change": 1_795_350_600.5,
        "last_check": 1_795_350_600.5, "last_check_result": {"output": "it is so\nline two"}, "last_reachable": true,
        "acknowledgement": 0, "downtime_depth": 0, "flapping": false, "groups": ["ports"], "check_attempt": 1,
    });
    for (key, value) in changes.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn change(state: u8, changes: &Value) -> Value {
    let mut event = json!({
        "type": "StateChange", "timestamp": 1_795_350_600.75, "host": "wn001", "service": "Port", "state": state, "state_type": 1,
        "acknowledgement": false, "downtime_depth": 0,
        "check_result": {
            "output": "it is so\nline two", "execution_end": 1_795_350_600.5, "vars_before": {"state_type": 1},
            "vars_after": {"reachable": true, "state_type": 1},
        },
    });
    for (pointer, value) in changes.as_object().unwrap() {
        *event.pointer_mut(pointer).unwrap() = value.clone();
    }
    event
}

/// The words of what comes of an event: kind, state, and who said what.
fn told(event: &Value, object: Option<&Value>) -> Vec<String> {
    let word =
        |payload: &Value, pointer: &str| payload.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let events = icinga2::events("", event, object);
    events
        .iter()
        .map(|event| {
            let state = if event.payload["event"]["what"] == "SERVICE" { "/service/state" } else { "/host/state" };
            let word = |pointer: &str| word(&event.payload, pointer);
            format!(
                "{} {} {} {}",
                word("/notification_type"),
                word(state),
                word("/event/author"),
                word("/event/comment")
            )
        })
        .collect()
}

#[test]
fn changes_of_state() {
    for (state, changes, expected) in [
        (2, json!({}), vec!["PROBLEM CRITICAL - -"]),
        (1, json!({}), vec!["PROBLEM WARNING - -"]),
        (3, json!({}), vec!["PROBLEM UNKNOWN - -"]),
        (0, json!({}), vec!["RECOVERY OK - -"]),
        // Icinga would not notify of these.
        (2, json!({"/state_type": 0}), vec![]),
        (2, json!({"/check_result/vars_after/reachable": false}), vec![]),
        (2, json!({"/downtime_depth": 1}), vec![]),
        (2, json!({"/acknowledgement": true}), vec![]),
        (2, json!({"/acknowledgement": 2.0}), vec![]),
        (0, json!({"/check_result/vars_before/state_type": 0}), vec![]),
        // An end is told all the same.
        (0, json!({"/downtime_depth": 1}), vec!["RECOVERY OK - -"]),
        // Versions differ in how they write numbers.
        (2, json!({"/state_type": 1.0, "/state": 2.0}), vec!["PROBLEM CRITICAL - -"]),
        (1, json!({"/service": null}), vec!["PROBLEM DOWN - -"]),
        (0, json!({"/service": null}), vec!["RECOVERY UP - -"]),
    ] {
        assert_eq!(told(&change(state, &changes), None), expected, "{state} {changes}");
    }
    assert!(told(&change(2, &json!({})), Some(&object(2, &json!({"flapping": true})))).is_empty());
}

#[test]
fn the_same_change_has_the_same_name() {
    let by_stream = icinga2::events("", &change(2, &json!({})), None).remove(0);
    let by_list = icinga2::listed("", &object(2, &json!({}))).unwrap();
    assert_eq!(by_stream.id, by_list.id);
    let later = change(2, &json!({"/check_result/execution_end": 1_795_350_700.5}));
    assert_ne!(icinga2::events("", &later, None).remove(0).id, by_list.id);
    assert_ne!(icinga2::listed("second", &object(2, &json!({}))).unwrap().id, by_list.id);
    for changes in [
        json!({"state": 0}),
        json!({"state_type": 0}),
        json!({"last_reachable": false}),
        json!({"acknowledgement": 1}),
        json!({"downtime_depth": 1}),
        json!({"flapping": true}),
    ] {
        assert_eq!(icinga2::listed("", &object(2, &changes)), None, "{changes}");
    }
}

#[test]
fn what_people_do_there() {
    let event = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "timestamp": 1_795_350_700.0, "host": "wn001", "service": "Port"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let downtime = json!({"downtime": {
        "__name": "wn001!Port!abc", "host_name": "wn001", "service_name": "Port", "author": "operator", "comment": "a new cable",
        "end_time": 1_795_354_300.0, "was_cancelled": false,
    }});
    let bad = object(2, &json!({}));
    let in_downtime = object(2, &json!({"downtime_depth": 1}));
    for (event, object, expected) in [
        (
            event("AcknowledgementSet", json!({"state": 2, "author": "operator", "comment": "on it"})),
            None,
            vec!["ACKNOWLEDGEMENT CRITICAL operator on it"],
        ),
        (event("AcknowledgementCleared", json!({"state": 2})), None, vec!["ACKNOWLEDGEMENTREMOVED CRITICAL - -"]),
        (event("AcknowledgementCleared", json!({"state": 0})), None, vec![]),
        (
            event("DowntimeStarted", downtime.clone()),
            Some(&in_downtime),
            vec!["DOWNTIMESTART CRITICAL operator a new cable"],
        ),
        // What is not known to stand so is not told.
        (event("DowntimeStarted", downtime.clone()), None, vec![]),
        // What is bad still, and was not told.
        (
            event("DowntimeRemoved", downtime.clone()),
            Some(&bad),
            vec!["DOWNTIMECANCELLED CRITICAL - -", "PROBLEM CRITICAL - -"],
        ),
        (event("DowntimeRemoved", downtime.clone()), Some(&in_downtime), vec![]),
        (event("Flapping", json!({"is_flapping": true})), Some(&bad), vec!["FLAPPINGSTART CRITICAL - -"]),
        (event("Flapping", json!({"is_flapping": false})), Some(&bad), vec!["FLAPPINGSTOP CRITICAL - -"]),
        (
            event(
                "Notification",
                json!({"notification_type": "CUSTOM", "author": "operator", "text": "look", "check_result": {"state": 2}}),
            ),
            None,
            vec!["CUSTOM CRITICAL operator look"],
        ),
        (event("Notification", json!({"notification_type": "PROBLEM", "check_result": {"state": 2}})), None, vec![]),
        (event("CheckResult", json!({})), None, vec![]),
        (json!({"type": "StateChange"}), None, vec![]),
        (json!([1]), None, vec![]),
    ] {
        assert_eq!(told(&event, object), expected, "{event}");
    }
}
