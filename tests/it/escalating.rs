//! Who is called when nobody touches a problem, and when not. Each story is played twice: by one process, and by one that is killed before every step.

use crate::storms::{HEAL, check};
use halcyon::config::{Config, Environment};
use halcyon::core::access::hours::Hours;
use halcyon::core::alert::escalation::Escalation;
use jiff::Timestamp;
use std::path::Path;

/// As a site writes it.
fn written(text: &str) -> Escalation {
    let config = Config::parse(Path::new("/etc/halcyon/config.toml"), text, &Environment::new());
    config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings(0).escalation
}

const STEPS: &str = "[[escalation.steps]]\nafter = 900\nusers = ['@Operator', 'nobody']\n\
     [[escalation.steps]]\nafter = 3600\ngroups = ['oncall']\nstates = ['down', 'critical']\n";

#[test]
fn who_is_called_when_nobody_touches_a_problem() {
    check(
        "escalation",
        &written(STEPS),
        &[
            (
                "a step after the other, each once",
                &[],
                false,
                &[
                    "PROBLEM wn001 DOWN",
                    "wait 899",
                    "wait 1",
                    "PROBLEM wn001 DOWN",
                    "wait 2699",
                    "wait 1",
                    "wait 90000",
                ],
            ),
            (
                "a step that is not for it is passed over",
                &[],
                false,
                &["PROBLEM wn001/Disk WARNING", "wait 900", "wait 90000"],
            ),
            (
                "what has become worse by then is another matter",
                &[],
                false,
                &["PROBLEM wn001/Disk WARNING", "wait 900", "PROBLEM wn001/Disk CRITICAL", "wait 2700"],
            ),
            (
                "who takes it on stops the time",
                &[],
                false,
                &["PROBLEM wn001 DOWN", "ACKNOWLEDGEMENT wn001 DOWN", "wait 90000"],
            ),
            (
                "and when it is nobody's any more it begins anew",
                &[],
                false,
                &[
                    "PROBLEM wn001 DOWN",
                    "wait 900",
                    "ACKNOWLEDGEMENT wn001 DOWN",
                    "wait 5000",
                    "PROBLEM wn001 DOWN",
                    "wait 899",
                    "wait 1",
                ],
            ),
            (
                "a downtime stops it, and what comes back by itself",
                &[],
                false,
                &["PROBLEM wn001,wn002 DOWN", "DOWNTIMESTART wn001 DOWN", "RECOVERY wn002 UP", "wait 5000"],
            ),
            (
                "a word in the thread begins it anew",
                &[],
                false,
                &[
                    "PROBLEM wn001 DOWN",
                    "wait 600",
                    "reply post-e1-alert I look at it",
                    "wait 300",
                    "wait 599",
                    "wait 1",
                    "reply elsewhere I look at it",
                    "wait 2700",
                ],
            ),
            (
                "while something works on it nobody is called",
                &[("rules/heal.yaml", HEAL)],
                false,
                &["PROBLEM wn001 DOWN", "wait 5000", "ends", "wait 899", "wait 1"],
            ),
            (
                "nor while its machine is out of service",
                &[],
                false,
                &["PROBLEM wn001 DOWN", "say mend wn001", "wait 5000", "ends", "wait 899", "wait 1"],
            ),
            ("several at once call in one post", &[], false, &["PROBLEM wn001,wn002,wn003 DOWN", "wait 10000"]),
            (
                "a storm calls as one, until all of it is taken on",
                &[],
                false,
                &[
                    "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007 DOWN",
                    "wait 900",
                    "ACKNOWLEDGEMENT wn001,wn002,wn003,wn004,wn005,wn006 DOWN",
                    "wait 2700",
                    "ACKNOWLEDGEMENT wn007 DOWN",
                    "wait 90000",
                ],
            ),
            (
                "to let rules act is to touch a storm",
                &[("rules/heal.yaml", HEAL)],
                false,
                &[
                    "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007 DOWN",
                    "wait 600",
                    "say storm go",
                    "wait 300",
                    "wait 600",
                ],
            ),
        ],
    );
}

/// The stories begin at 22:13 UTC.
#[test]
fn nobody_is_called_in_the_quiet_hours_but_for_what_is_urgent() {
    let quiet =
        "[escalation]\nquiet_hours = '22:00-07:00 UTC'\n[escalation.urgent]\nstates = ['down']\nhosts = ['wn*']\n";
    check(
        "escalation_quiet",
        &written(&format!("{quiet}{STEPS}")),
        &[
            (
                "what is held back calls when they end, and goes on from there",
                &[],
                false,
                &[
                    "PROBLEM wn001/Disk CRITICAL",
                    "PROBLEM ui01 DOWN",
                    "PROBLEM wn002 DOWN",
                    "wait 900",
                    "wait 20000",
                    "wait 10699",
                    "wait 1",
                    "wait 90000",
                ],
            ),
            (
                "what is over by then calls nobody",
                &[],
                false,
                &["PROBLEM ui01 DOWN", "wait 3000", "RECOVERY ui01 UP", "wait 90000"],
            ),
        ],
    );
    let hours = "[[escalation.steps]]\nafter = 60\nusers = ['operator']\nhours = 'mon-fri 08:00-17:00 UTC'\nhosts = ['@nowhere', 'ui*']\n";
    check(
        "escalation_hours",
        &written(hours),
        &[(
            "a step waits for its hours",
            &[],
            false,
            &["PROBLEM ui01,wn001 DOWN", "wait 34999", "wait 210", "wait 90000"],
        )],
    );
}

#[test]
fn when_hours_end_and_begin() {
    // (hours, moment, when they end that hold then, when they hold next)
    for (hours, at, end, begin) in [
        ("22:00-07:00 UTC", "2026-11-24T23:00:00Z", Some("2026-11-25T07:00:00Z"), Some("2026-11-25T22:00:00Z")),
        ("22:00-07:00 UTC", "2026-11-25T06:59:59Z", Some("2026-11-25T07:00:00Z"), Some("2026-11-25T22:00:00Z")),
        ("sat,sun UTC", "2026-11-28T12:00:00Z", Some("2026-11-30T00:00:00Z"), Some("2026-11-29T00:00:00Z")),
        ("fri 20:00-06:00 UTC", "2026-11-28T05:00:00Z", Some("2026-11-28T06:00:00Z"), Some("2026-12-04T20:00:00Z")),
        ("mon 08:00-10:00 UTC", "2026-11-23T09:00:00Z", Some("2026-11-23T10:00:00Z"), Some("2026-11-30T08:00:00Z")),
        ("00:00-24:00 UTC", "2026-11-23T09:00:00Z", None, Some("2026-11-24T00:00:00Z")),
        // In the night of the change an hour is skipped, or comes twice.
        (
            "01:00-02:30 Europe/Berlin",
            "2026-03-29T00:10:00Z",
            Some("2026-03-29T01:30:00Z"),
            Some("2026-03-29T23:00:00Z"),
        ),
        (
            "22:00-07:00 Europe/Berlin",
            "2026-10-24T21:00:00Z",
            Some("2026-10-25T06:00:00Z"),
            Some("2026-10-25T21:00:00Z"),
        ),
    ] {
        let read = Hours::read(hours).unwrap();
        let at: Timestamp = at.parse().unwrap();
        assert!(read.hold(at), "{hours} at {at}");
        assert_eq!(read.end(at), end.map(|end| end.parse().unwrap()), "{hours} end after {at}");
        assert_eq!(read.begin(at), begin.map(|begin| begin.parse().unwrap()), "{hours} begin after {at}");
    }
}
