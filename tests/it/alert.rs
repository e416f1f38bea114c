//! The life of an alert against its table: what each notification means in each state. `HALCYON_UPDATE=1` writes `tests/data/machines/alert.txt` anew.

use halcyon::core::alert::life::{Alert, Board, COMES_BACK, Turn};
use halcyon::core::alert::notification::{Kind, Notification, Problem, State};
use halcyon::core::alert::standing::{Reading, Standing};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_350_000 + seconds).unwrap()
}

fn problem(site: &str) -> Problem {
    Problem {
        source: "check_mk".to_owned(),
        site: site.to_owned(),
        host: "wn042".to_owned(),
        service: Some("Filesystem /scratch".to_owned()),
    }
}

fn notification(kind: Kind, state: State, seconds: i64) -> Notification {
    Notification {
        problem: problem("hep"),
        kind,
        state: Some(state),
        output: format!("{state:?} at {seconds}"),
        details: String::new(),
        sent: Some(at(seconds)),
        since: None,
        author: matches!(kind, Kind::Acknowledgement | Kind::DowntimeStart | Kind::Custom)
            .then(|| "operator".to_owned()),
        comment: None,
        host_groups: Vec::new(),
        url: None,
        parts: std::collections::BTreeMap::new(),
    }
}

fn hear(board: &mut Board, kind: Kind, state: State, seconds: i64) -> Option<Turn> {
    let change = board.meaning(&notification(kind, state, seconds), at(seconds))?;
    board.apply(&change.alert);
    Some(change.turn)
}

/// What was told before: kind, state and second of each notification.
type Story = Vec<(Kind, State, i64)>;

fn shown(alert: Option<&Alert>) -> String {
    let Some(alert) = alert else { return "unknown".to_owned() };
    let mut text = format!("{:?} since {}", alert.state.unwrap(), alert.since.as_second() - at(0).as_second());
    for (is, word) in [
        (alert.acknowledged.is_some(), "acknowledged"),
        (alert.downtime.is_some(), "in downtime"),
        (alert.flapping, "flapping"),
        (alert.recovered.is_some(), "recovered"),
    ] {
        if is {
            let _ = write!(text, ", {word}");
        }
    }
    text
}

#[test]
fn every_notification_in_every_state() {
    let long_after = COMES_BACK.as_secs() + 100;
    let before: [(&str, Story, i64); 8] = [
        ("unknown", vec![], 60),
        ("open", vec![(Kind::Problem, State::Warning, 0)], 60),
        ("acknowledged", vec![(Kind::Problem, State::Warning, 0), (Kind::Acknowledgement, State::Warning, 10)], 60),
        ("in downtime", vec![(Kind::Problem, State::Warning, 0), (Kind::DowntimeStart, State::Warning, 10)], 60),
        ("flapping", vec![(Kind::Problem, State::Warning, 0), (Kind::FlappingStart, State::Warning, 10)], 60),
        ("just over", vec![(Kind::Problem, State::Warning, 0), (Kind::Recovery, State::Ok, 10)], 60),
        ("long over", vec![(Kind::Problem, State::Warning, 0), (Kind::Recovery, State::Ok, 10)], long_after),
        ("told later", vec![(Kind::Problem, State::Warning, 70)], 60),
    ];
    let heard = [
        ("problem", Kind::Problem, State::Warning),
        ("problem, worse", Kind::Problem, State::Critical),
        ("problem, but well", Kind::Problem, State::Ok),
        ("recovery", Kind::Recovery, State::Ok),
        ("acknowledgement", Kind::Acknowledgement, State::Warning),
        ("acknowledgement gone", Kind::AcknowledgementRemoved, State::Warning),
        ("downtime begins", Kind::DowntimeStart, State::Warning),
        ("downtime begins, well", Kind::DowntimeStart, State::Ok),
        ("downtime ends", Kind::DowntimeEnd, State::Warning),
        ("downtime taken off", Kind::DowntimeCancelled, State::Warning),
        ("flapping begins", Kind::FlappingStart, State::Warning),
        ("flapping ends, bad", Kind::FlappingStop, State::Warning),
        ("flapping ends, well", Kind::FlappingStop, State::Ok),
        ("flapping not watched", Kind::FlappingDisabled, State::Warning),
        ("custom", Kind::Custom, State::Warning),
        ("alert handler", Kind::AlertHandler, State::Warning),
        ("word not known, bad", Kind::Other, State::Critical),
        ("word not known, well", Kind::Other, State::Ok),
    ];
    let mut table = String::new();
    for (name, story, now) in before {
        for (what, kind, state) in heard {
            let mut board = Board::default();
            for (kind, state, seconds) in &story {
                hear(&mut board, *kind, *state, *seconds);
            }
            let turn = hear(&mut board, kind, state, now);
            let turn = turn.map_or_else(|| "nothing".to_owned(), |turn| format!("{turn:?}"));
            let _ = writeln!(table, "{name:<13} + {what:<21} -> {turn:<14} {}", shown(board.find(&problem("hep"))));
            let again = serde_json::to_string(&board).unwrap();
            assert_eq!(serde_json::from_str::<Board>(&again).unwrap(), board, "what is remembered is the same");
        }
        table.push('\n');
    }
    crate::golden("machines/alert.txt", &table);
}

#[test]
fn a_sender_without_a_site_means_the_same_problem() {
    let mut board = Board::default();
    let siteless = |kind, state, seconds| Notification { problem: problem(""), ..notification(kind, state, seconds) };
    let change = board.meaning(&siteless(Kind::Problem, State::Critical, 0), at(0)).unwrap();
    board.apply(&change.alert);
    assert_eq!(hear(&mut board, Kind::Problem, State::Critical, 10), Some(Turn::Again));
    assert_eq!(board.alerts().map(|alert| alert.problem.clone()).collect::<Vec<_>>(), [problem("hep")]);
    let change = board.meaning(&siteless(Kind::Recovery, State::Ok, 20), at(20)).unwrap();
    assert_eq!((change.turn, change.alert.problem), (Turn::Recovered, problem("hep")));
    // With two sites that have it, nobody knows which is meant.
    let mut other = notification(Kind::Problem, State::Critical, 30);
    other.problem.site = "second".to_owned();
    let change = board.meaning(&other, at(30)).unwrap();
    board.apply(&change.alert);
    assert_eq!(board.alerts().count(), 2);
    assert_eq!(board.meaning(&siteless(Kind::Recovery, State::Ok, 40), at(40)), None);
}

#[test]
fn what_is_over_is_forgotten_when_it_cannot_come_back() {
    let mut board = Board::default();
    assert_eq!(board.next_past(), None);
    hear(&mut board, Kind::Problem, State::Critical, 0);
    assert_eq!(board.next_past(), None, "an open problem has no end");
    hear(&mut board, Kind::Recovery, State::Ok, 100);
    let then = board.next_past().unwrap();
    assert_eq!(board.past(then - SignedDuration::from_secs(2)), []);
    assert_eq!(board.past(then), [problem("hep")]);
    board.forget(&problem("hep"));
    assert_eq!(board, Board::default());
}

#[test]
fn times_of_other_clocks() {
    let board = Board::default();
    let mut early = notification(Kind::Problem, State::Critical, 0);
    early.since = Some(at(-600));
    let change = board.meaning(&early, at(0)).unwrap();
    assert_eq!(change.alert.since, at(-600), "the monitoring has known it for longer");
    early.sent = Some(at(9_000));
    let change = board.meaning(&early, at(0)).unwrap();
    assert_eq!(change.alert.told, at(0), "a clock that goes ahead does not make all that follows late");
}

/// Some monitorings tell by whole seconds when they have sent something: that is any moment of that second, so a reading of the same second may be older.
#[test]
fn a_time_of_whole_seconds_is_any_in_that_second() {
    let board = || {
        let mut board = Board::default();
        hear(&mut board, Kind::Problem, State::Critical, 0);
        board
    };
    let read = |board: &mut Board, state: State, asked: Timestamp, in_downtime: bool| {
        let standing =
            Standing { output: "read".to_owned(), in_downtime, ..Standing::new(problem("hep"), Some(state)) };
        let (list, unknown) = (vec![standing], Vec::new());
        let reading = Reading { monitoring: "hep".to_owned(), asked, all: true, list, unknown };
        for seen in board.reconcile(&reading, |_| true) {
            board.apply(&seen.alert);
        }
    };
    let asked = at(10) + SignedDuration::from_millis(300);
    let check = |(shown, in_downtime): (State, bool), kind, state, sent: Timestamp, expected| {
        let mut board = board();
        read(&mut board, shown, asked, in_downtime);
        let told = Notification { sent: Some(sent), ..notification(kind, state, 0) };
        let change = board.meaning(&told, at(11)).unwrap();
        assert_eq!(change.turn, expected, "{shown:?} {kind:?} {sent}");
    };
    let before = at(10) + SignedDuration::from_millis(100);
    for (sent, recovered, back) in
        [(at(10), Turn::Recovered, Turn::Back), (at(9), Turn::Late, Turn::Late), (before, Turn::Late, Turn::Late)]
    {
        check((State::Critical, false), Kind::Recovery, State::Ok, sent, recovered);
        check((State::Ok, false), Kind::Problem, State::Critical, sent, back);
        // What the reading has shown is not told once more.
        check((State::Critical, true), Kind::DowntimeStart, State::Critical, sent, Turn::Echo);
    }
}
