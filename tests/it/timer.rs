//! When timers tick: beside APScheduler 3, when the clocks change, after an absence, and what is refused.

use crate::data;
use halcyon::core::message::zone::zone;
use halcyon::core::timer::{Kind, Timer, TimerError, Verdict};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::io::Write as _;

/// What APScheduler said of one timer, as `peers_clients/apscheduler_ticks.py` prints it.
#[derive(Debug, Deserialize)]
struct Case {
    kind: String,
    parameters: Map<String, Value>,
    zone: String,
    after: i64,
    /// Nothing: it was refused. A null: there is no further tick.
    ticks: Option<Vec<Option<i64>>>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn parameters(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

/// Whether the clocks change somewhere between two moments, or within a day of them.
fn clocks_change(zone_name: &str, from: Timestamp, to: Timestamp) -> bool {
    let from = from.checked_sub(26.hours()).unwrap();
    zone(zone_name).following(from).next().is_some_and(|change| change.timestamp() < to + 26.hours())
}

/// How many ticks were the same. Where the clocks change before a tick, APScheduler's may be another, see `cron.rs`: its steps from month to month are taken in hours
/// of UTC, and end an hour beside the first of the month. Those are few.
fn compare(lines: &str) -> usize {
    let (mut same, mut other) = (0, 0);
    for line in lines.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let kind = if case.kind == "cron" { Kind::Cron } else { Kind::Interval };
        let read = Timer::read(kind, &case.parameters, &case.zone);
        let Some(ticks) = case.ticks else {
            assert!(read.is_err(), "{line}\nwas to be refused");
            same += 1;
            continue;
        };
        let since = at(case.after);
        let mut cursor = since;
        for tick in ticks {
            let found = match &read {
                Ok(timer) => timer.next(since, cursor),
                // What never ticks is refused when it is read.
                Err(TimerError::Never) => None,
                Err(error) => panic!("{line}\n{error}"),
            };
            let expected = tick.map(at);
            let latest = found.max(expected);
            if found != expected && latest.is_some_and(|latest| clocks_change(&case.zone, cursor, latest)) {
                other += 1;
                break;
            }
            assert_eq!(found, expected, "{line}\nafter {cursor}");
            same += 1;
            let Some(next) = found else { break };
            cursor = next;
        }
    }
    // Past the harness, for whoever compares more of them by hand.
    let _ = writeln!(std::io::stderr(), "{same} ticks are the same, {other} are not where the clocks change");
    assert!(other * 50 < same, "{other} of {same}");
    same
}

#[test]
fn ticks_are_those_of_apscheduler() {
    let file = std::env::var_os("HALCYON_TICKS").map_or_else(|| data("timer/apscheduler.jsonl"), Into::into);
    let compared = compare(&std::fs::read_to_string(file).unwrap());
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn peers_apscheduler_says_the_same_of_new_timers() {
    let Some(python) = crate::peers_clients::python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/peers_clients/apscheduler_ticks.py");
    let seed = std::process::id().to_string();
    let said = std::process::Command::new(python).args([script, &seed, "1000"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let compared = compare(&String::from_utf8(said.stdout).unwrap());
    assert!(compared > 2_500, "seed {seed}: {compared}");
}

#[test]
fn clocks_that_change() {
    let check = |kind: Kind, json: &str, zone: &str, after: &str, expected: &[&str]| {
        let timer = Timer::read(kind, &parameters(json), zone).unwrap();
        let (since, mut cursor) = (moment(after), moment(after));
        for tick in expected {
            let next = timer.next(since, cursor).unwrap();
            assert_eq!(next.to_string(), *tick, "{json} after {cursor}");
            cursor = next;
        }
    };
    let (spring, autumn) = ("2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z");
    let zurich = "Europe/Zurich";
    // Named times: one left out comes an hour later, one shown twice comes once.
    check(
        Kind::Cron,
        r#"{"hour": 2, "minute": 30}"#,
        zurich,
        spring,
        &["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": 2, "minute": 30}"#,
        zurich,
        autumn,
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": "1-3", "minute": 15}"#,
        zurich,
        spring,
        &["2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z", "2026-03-29T23:15:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": "2,3", "minute": "0,30"}"#,
        zurich,
        spring,
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": "1-3", "minute": 15}"#,
        zurich,
        autumn,
        &["2026-10-24T23:15:00Z", "2026-10-25T00:15:00Z", "2026-10-25T02:15:00Z"],
    );
    // What goes with the clock follows it.
    check(
        Kind::Cron,
        r#"{"minute": 30}"#,
        zurich,
        "2026-10-24T23:45:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"minute": "*/30"}"#,
        zurich,
        "2026-03-29T00:30:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": "*/2"}"#,
        zurich,
        "2026-03-28T23:30:00Z",
        &["2026-03-29T02:00:00Z", "2026-03-29T04:00:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"hour": "2", "minute": "*/30"}"#,
        zurich,
        autumn,
        &[
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:00:00Z",
        ],
    );
    // The clocks of Lord Howe go by half an hour, and Samoa has left out a whole day.
    check(
        Kind::Cron,
        r#"{"hour": 2, "minute": 15}"#,
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"],
    );
    check(
        Kind::Cron,
        r#"{"day": 30, "hour": 12}"#,
        "Pacific/Apia",
        "2011-12-01T00:00:00Z",
        &["2011-12-30T22:00:00Z", "2012-01-29T22:00:00Z"],
    );
    // Intervals do not look at clocks, and a date is read by them.
    check(
        Kind::Interval,
        r#"{"unit": "days", "delta": 1}"#,
        zurich,
        spring,
        &["2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"],
    );
    check(Kind::Date, r#"{"date": "2026-07-01 22:00"}"#, zurich, spring, &["2026-07-01T20:00:00Z"]);
    check(Kind::Date, r#"{"date": "2026-07-01T22:00:00+00:00"}"#, zurich, spring, &["2026-07-01T22:00:00Z"]);
    check(Kind::Date, r#"{"date": "2026-07-01", "timezone": "Asia/Tokyo"}"#, zurich, spring, &["2026-06-30T15:00:00Z"]);
    // Far ahead, over thousands of changes.
    check(Kind::Cron, r#"{"year": 8996, "month": 2, "day": 29}"#, zurich, spring, &["8996-02-28T23:00:00Z"]);
}

#[test]
fn after_an_absence() {
    let check = |kind: Kind, json: &str, after: &str, now: &str, expected: Option<(&str, Verdict)>| {
        let timer = Timer::read(kind, &parameters(json), "UTC").unwrap();
        let since = moment("2026-01-01T00:00:00Z");
        let last = timer.last(since, moment(after), moment(now));
        let found = last.map(|tick| (tick.to_string(), timer.verdict(tick, moment(now))));
        assert_eq!(found, expected.map(|(tick, verdict)| (tick.to_owned(), verdict)), "{json} from {after} to {now}");
    };
    let nightly = r#"{"hour": 2}"#;
    check(Kind::Cron, nightly, "2026-01-01T02:00:00Z", "2026-01-02T01:59:59Z", None);
    check(
        Kind::Cron,
        nightly,
        "2026-01-01T02:00:00Z",
        "2026-01-02T02:00:00Z",
        Some(("2026-01-02T02:00:00Z", Verdict::Due)),
    );
    check(
        Kind::Cron,
        nightly,
        "2026-01-01T02:00:00Z",
        "2026-01-02T02:01:00Z",
        Some(("2026-01-02T02:00:00Z", Verdict::Due)),
    );
    check(
        Kind::Cron,
        nightly,
        "2026-01-01T02:00:00Z",
        "2026-03-01T02:01:01Z",
        Some(("2026-03-01T02:00:00Z", Verdict::TooLate)),
    );
    let made_up = r#"{"hour": 2, "missed": "run"}"#;
    check(
        Kind::Cron,
        made_up,
        "2026-01-01T02:00:00Z",
        "2026-03-01T22:00:00Z",
        Some(("2026-03-01T02:00:00Z", Verdict::Due)),
    );
    let patient = r#"{"hour": 2, "grace": 7200}"#;
    check(
        Kind::Cron,
        patient,
        "2026-01-01T02:00:00Z",
        "2026-03-01T03:30:00Z",
        Some(("2026-03-01T02:00:00Z", Verdict::Due)),
    );
    let every_second = "{}";
    check(
        Kind::Cron,
        every_second,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        Some(("2027-01-01T00:00:00Z", Verdict::Due)),
    );
    let over = r#"{"year": 2026, "month": 1, "second": "*"}"#;
    check(
        Kind::Cron,
        over,
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        Some(("2026-01-31T23:59:59Z", Verdict::TooLate)),
    );
    let interval = r#"{"unit": "minutes", "delta": 7}"#;
    check(Kind::Interval, interval, "2026-01-01T00:00:00Z", "2026-01-01T00:06:59.9Z", None);
    check(
        Kind::Interval,
        interval,
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00Z",
        Some(("2026-01-01T00:56:00Z", Verdict::TooLate)),
    );
    let once = r#"{"date": "2026-02-01 12:00"}"#;
    check(
        Kind::Date,
        once,
        "2026-01-01T00:00:00Z",
        "2026-02-01T12:00:10Z",
        Some(("2026-02-01T12:00:00Z", Verdict::Due)),
    );
    check(Kind::Date, once, "2026-02-01T12:00:00Z", "2026-03-01T12:00:10Z", None);
}

#[test]
fn a_splay_is_drawn_anew_for_each_tick_and_the_same_each_time() {
    let timer = |splay: u32, hour: u32| {
        Timer::read(Kind::Cron, &parameters(&format!(r#"{{"hour": {hour}, "splay": {splay}}}"#)), "UTC").unwrap()
    };
    let tick = moment("2026-01-01T02:00:00Z");
    assert_eq!(timer(0, 2).splay(tick), SignedDuration::ZERO);
    assert_eq!(timer(600, 2).splay(tick), timer(600, 2).splay(tick));
    assert_ne!(timer(600, 2).splay(tick), timer(600, 3).splay(tick));
    let drawn: Vec<_> = (0..100).map(|day| timer(600, 2).splay(tick + (day * 24).hours()).as_secs()).collect();
    assert!(drawn.iter().all(|splay| (0..600).contains(splay)), "{drawn:?}");
    assert!(drawn.iter().any(|splay| *splay < 100) && drawn.iter().any(|splay| *splay > 500), "{drawn:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_key() {
    let check = |kind: Kind, json: &str, expected: &str| {
        let error = Timer::read(kind, &parameters(json), "UTC").unwrap_err();
        assert_eq!(error.to_string(), expected, "{json}");
    };
    check(Kind::Interval, r#"{"delta": 5}"#, "`unit` is missing");
    check(Kind::Interval, r#"{"unit": "hours"}"#, "`delta` is missing");
    check(
        Kind::Interval,
        r#"{"unit": "years", "delta": 1}"#,
        "`unit` has to be one of weeks, days, hours, minutes, seconds",
    );
    for delta in ["0", "-1", "1.5", r#""5""#, "1000000", "99999999999999999999"] {
        let json = format!(r#"{{"unit": "weeks", "delta": {delta}}}"#);
        check(Kind::Interval, &json, "`delta` has to be a whole number above 0, and not more than ten years");
    }
    check(
        Kind::Interval,
        r#"{"unit": "hours", "delta": 1, "hour": 5}"#,
        "`hour` is not a parameter of this timer; it has unit, delta, timezone, missed, grace, splay",
    );
    let date = "`date` has to be a moment like 2026-12-01 22:00, or with its offset 2026-12-01T22:00:00+01:00";
    check(Kind::Date, r#"{"date": "tomorrow"}"#, date);
    check(Kind::Date, r#"{"date": 5}"#, date);
    check(
        Kind::Cron,
        r#"{"timezone": "Mars/Olympus"}"#,
        "`timezone`: there is no time zone `Mars/Olympus`; its name is like Europe/Zurich",
    );
    check(Kind::Cron, r#"{"missed": "always"}"#, "`missed` has to be `skip` or `run`");
    check(Kind::Cron, r#"{"grace": -1}"#, "`grace` has to be a number of seconds");
    check(Kind::Cron, r#"{"hour": true}"#, "`hour` has to be a text or a whole number");
    check(Kind::Cron, r#"{"hour": 24}"#, "`hour`: `24`: 24 is not within 0 to 23");
    check(Kind::Cron, r#"{"hour": "5-3"}"#, "`hour`: `5-3` begins after its end");
    check(
        Kind::Cron,
        r#"{"hour": "*/0"}"#,
        "`hour`: `*/0`: the step has to be at least 1 and not longer than the range",
    );
    check(
        Kind::Cron,
        r#"{"hour": "noon"}"#,
        "`hour`: `noon` is not understood here; it takes 5, 5-20, 5,20, */10, 5-20/3",
    );
    check(
        Kind::Cron,
        r#"{"day_of_week": "mon-fri/2"}"#,
        "`day_of_week`: `mon-fri/2` is not understood here; it takes 0 (Monday) to 6, 0-4, 0,2, */2, and names: mon, mon-fri",
    );
    check(
        Kind::Cron,
        r#"{"day": "6th mon"}"#,
        "`day`: `6th mon` is not understood here; it takes 1, 1-15, 1,15, */2, last, and weekdays of the month: 1st mon, last fri",
    );
    check(Kind::Cron, r#"{"minute": ""}"#, "`minute`: `` is not understood here; it takes 5, 5-20, 5,20, */10, 5-20/3");
    check(Kind::Cron, r#"{"month": 2, "day": 30}"#, "no day is like that, so this timer would never tick");
    check(Kind::Cron, r#"{"month": 6, "week": 50}"#, "no day is like that, so this timer would never tick");
}
