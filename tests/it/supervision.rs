//! One sensor under supervision, and the lines that it writes.

use halcyon::core::sensor::End;
use halcyon::core::sensor::line::read;
use halcyon::core::sensor::supervision::{Ending, Order, State, Supervised, TROUBLED};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn is(sensor: &Supervised) -> &'static str {
    match sensor.state() {
        State::Off => "off",
        State::Waiting { .. } => "waiting",
        State::Running { .. } => "running",
        State::Stopping { .. } => "stopping",
    }
}

/// What is wanted runs as run 1.
fn running(now: i64) -> Supervised {
    let mut sensor = Supervised::default();
    assert_eq!(sensor.want(Some("a".into()), at(now)), Order::Nothing);
    assert!(sensor.is_due(at(now)));
    assert_eq!(sensor.start("a".into(), at(now)), 1);
    sensor
}

#[test]
fn waits_double_to_five_minutes_with_chance_in_them_and_are_never_given_up() {
    let waits = |bits: u64| {
        let mut sensor = running(0);
        let mut now = at(0);
        let mut waits = Vec::new();
        for run in 1..=12 {
            let ending = sensor.ended(run, End::Code(1), None, now, bits);
            assert_eq!(ending, Ending::Failed(u32::try_from(run).unwrap()));
            let next = sensor.next().unwrap();
            waits.push(next.duration_since(now).as_millis());
            assert!(!sensor.is_due(next - SignedDuration::from_millis(1)) && sensor.is_due(next));
            now = next;
            assert_eq!(sensor.start("a".into(), now), run + 1);
        }
        waits
    };
    let expected = |of: i128| -> Vec<i128> {
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map(|seconds| seconds * of).to_vec()
    };
    assert_eq!(waits(200), expected(1_000));
    assert_eq!(waits(0), expected(800));
    assert_eq!(waits(400), expected(1_200));
    assert_eq!(waits(401), expected(800));
}

#[test]
fn who_has_lived_a_minute_begins_anew() {
    let mut sensor = running(0);
    sensor.ended(1, End::Code(1), None, at(59), 200);
    let run = sensor.start("a".into(), at(60));
    assert_eq!(sensor.ended(run, End::Signal(9), None, at(119), 200), Ending::Failed(2));
    let run = sensor.start("a".into(), at(200));
    assert_eq!(sensor.ended(run, End::Code(1), None, at(260), 200), Ending::Failed(1));
    assert_eq!(sensor.next(), Some(at(261)));
    assert_eq!(sensor.down(), Some(at(59)), "it has not been well since");
}

#[test]
fn it_is_told_once_a_spell_and_once_that_it_is_well() {
    let mut sensor = running(0);
    let mut told = String::new();
    let mut now = 0;
    let mut end = |sensor: &mut Supervised, after: i64, code| {
        now += after;
        let State::Running { run, .. } = *sensor.state() else { panic!("{sensor:?}") };
        sensor.ended(run, End::Code(code), Some(SignedDuration::from_secs(30)), at(now), 200);
        let (recovers, tells) = (sensor.recovers(at(now)), sensor.tells_of_trouble());
        writeln!(
            told,
            "{after} s, then {code}: {}{}",
            if recovers { "well" } else { "" },
            if tells { "fails" } else { "" }
        )
        .unwrap();
        now = sensor.next().unwrap().as_second() - 1_700_000_000;
        sensor.start("a".into(), at(now));
    };
    for _ in 0..5 {
        end(&mut sensor, 2, 1);
    }
    end(&mut sensor, 2, 0);
    for _ in 0..3 {
        end(&mut sensor, 2, 1);
    }
    // The next one lives; that is seen when it has for a minute, and not told again at its end.
    let since = now;
    assert!(sensor.is_troubled());
    assert_eq!(sensor.next(), Some(at(since + 60)));
    assert!(!sensor.recovers(at(since + 59)));
    assert!(sensor.recovers(at(since + 60)));
    assert!(!sensor.recovers(at(since + 61)));
    assert_eq!((sensor.failures(), sensor.down(), sensor.next()), (0, None, None));
    assert_eq!(
        told,
        "2 s, then 1: \n2 s, then 1: \n2 s, then 1: fails\n2 s, then 1: \n2 s, then 1: \n2 s, then 0: well\n\
         2 s, then 1: \n2 s, then 1: \n2 s, then 1: fails\n"
    );
}

#[test]
fn what_was_mended_is_told_to_be_well_when_it_is() {
    let mut sensor = running(0);
    for run in 1..=u64::from(TROUBLED) {
        sensor.ended(run, End::Code(1), None, at(0), 200);
        assert_eq!(sensor.tells_of_trouble(), run == u64::from(TROUBLED));
        sensor.start("a".into(), at(0));
    }
    assert_eq!(sensor.want(Some("b".into()), at(10)), Order::Stop(4));
    sensor.ended(4, End::Signal(15), None, at(11), 200);
    assert!(sensor.is_due(at(11)) && !sensor.is_troubled() && !sensor.recovers(at(11)));
    sensor.start("b".into(), at(11));
    assert_eq!(sensor.next(), Some(at(71)));
    assert!(!sensor.recovers(at(70)) && sensor.recovers(at(71)));
    // One that is switched off is told of no more.
    let mut sensor = sensor.clone();
    for run in 5..=8 {
        sensor.ended(run, End::Code(1), None, at(72), 200);
        sensor.tells_of_trouble();
        sensor.start("b".into(), at(72));
    }
    sensor.want(None, at(80));
    assert!(!sensor.is_troubled());
    assert_eq!(sensor.ended(9, End::Signal(15), None, at(81), 200), Ending::Wanted);
    assert_eq!((is(&sensor), sensor.recovers(at(200)), sensor.next()), ("off", false, None));
}

#[test]
fn two_never_run_at_once_and_only_what_changed_is_started_anew() {
    let mut sensor = running(0);
    assert_eq!(sensor.want(Some("a".into()), at(5)), Order::Nothing);
    assert_eq!(is(&sensor), "running");
    assert_eq!(sensor.want(Some("b".into()), at(5)), Order::Stop(1));
    assert_eq!((is(&sensor), sensor.next()), ("stopping", None));
    // It changes once more before it has ended, and then is wanted no more, and then is.
    assert_eq!(sensor.want(Some("c".into()), at(6)), Order::Nothing);
    assert_eq!(sensor.want(None, at(6)), Order::Nothing);
    assert_eq!(sensor.want(Some("d".into()), at(6)), Order::Nothing);
    assert!(sensor.is_run(1) && !sensor.is_due(at(100)));
    assert_eq!(sensor.ended(2, End::Code(0), None, at(7), 0), Ending::Wanted, "nobody knows that run");
    assert_eq!(is(&sensor), "stopping");
    assert_eq!(sensor.ended(1, End::Signal(15), None, at(8), 0), Ending::Wanted);
    assert!(sensor.is_due(at(8)));
    assert_eq!(sensor.start("d".into(), at(8)), 2);
    sensor.started(1, 5);
    sensor.started(2, 6);
    assert_eq!(*sensor.state(), State::Running { run: 2, since: at(8), pid: Some(6) });
    // One that waits after a failure does not wait when it is another.
    sensor.ended(2, End::Code(1), None, at(9), 200);
    assert_eq!(sensor.want(Some("d".into()), at(9)), Order::Nothing);
    assert_eq!(sensor.next(), Some(at(10)));
    sensor.want(Some("e".into()), at(9));
    assert_eq!((sensor.next(), sensor.failures()), (Some(at(9)), 0));
}

#[test]
fn one_that_looks_and_ends_rests_for_its_interval() {
    let poll = Some(SignedDuration::from_secs(30));
    let mut sensor = running(0);
    assert_eq!(sensor.ended(1, End::Code(0), poll, at(2), 200), Ending::Polled);
    assert_eq!((sensor.next(), sensor.down(), sensor.failures()), (Some(at(32)), None, 0));
    sensor.start("a".into(), at(32));
    assert_eq!(sensor.ended(2, End::Code(3), poll, at(33), 200), Ending::Failed(1));
    assert_eq!((sensor.next(), sensor.down()), (Some(at(34)), Some(at(33))));
    // Without an interval an end is an end, whatever its exit code.
    let mut sensor = running(0);
    assert_eq!(sensor.ended(1, End::Code(0), None, at(2), 200), Ending::Failed(1));
}

#[test]
fn what_cannot_be_started_is_tried_again() {
    let mut sensor = Supervised::default();
    sensor.want(Some("a".into()), at(0));
    assert_eq!(sensor.not_started("no key".into(), at(0), 200), Ending::Failed(1));
    assert_eq!(sensor.next(), Some(at(1)));
    assert_eq!(sensor.last().unwrap().1.to_string(), "it could not be started: no key");
}

#[test]
fn lines() {
    let mut rows = String::new();
    for line in [
        r#"{"trigger": "site.down", "payload": {"host": "wn001"}, "trace_tag": "x", "id": "7"}"#,
        r#"{"trigger": "site.down", "id": 7}"#,
        r#"{"trigger": "site.down", "payload": null, "trace_tag": "", "id": ""}"#,
        r#"{"trigger": "site.down", "payload": [1]}"#,
        "",
        "  \t",
        "hello",
        "[1]",
        "{}",
        r#"{"trigger": ""}"#,
        r#"{"trigger": 5}"#,
        r#"{"trigger": "site.down", "paylod": {}}"#,
        r#"{"trigger": "site.down", "id": {}}"#,
        r#"{"trigger": "site.down", "trace_tag": []}"#,
    ] {
        match read(line) {
            Ok(Some(said)) => {
                writeln!(rows, "{line}\n  {} {} {:?} {:?}", said.trigger, said.payload, said.trace_tag, said.id)
            }
            Ok(None) => writeln!(rows, "{line:?}\n  nothing"),
            Err(problem) => writeln!(rows, "{line}\n  {}: {problem}", problem.word()),
        }
        .unwrap();
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sensor_lines.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(file, &rows).unwrap();
    }
    assert_eq!(rows, std::fs::read_to_string(file).unwrap());
}

#[test]
fn ends() {
    let words: Vec<String> =
        [0, 1, 127, 128, 129, 137, 143, 192, 193].map(|code| End::of_shell(code).to_string()).to_vec();
    assert_eq!(
        words,
        [
            "it ended by itself (exit code 0)",
            "it ended with exit code 1",
            "it ended with exit code 127",
            "it ended with exit code 128",
            "it was killed by signal 1",
            "it was killed by signal 9",
            "it was killed by signal 15",
            "it was killed by signal 64",
            "it ended with exit code 193",
        ]
    );
    assert_eq!(End::of_shell(137).code(), Some(137));
    assert_eq!(End::NotStarted { why: String::new() }.code(), None);
}
