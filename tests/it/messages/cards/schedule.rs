//! What is said of lines that wait for their time.

use halcyon::core::message::card::{Card, ScheduledRow, Unfit};
use halcyon::core::message::markdown;

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        (
            "a line that waits for its time",
            Card::Scheduled {
                line: markdown::code("upgrade kernel on wn0189"),
                id: "5c61ab".into(),
                at: "22:00 CET".into(),
                wait: "2 h 10 min".into(),
                left_out: false,
                twice: false,
                zone_known: true,
            },
        ),
        (
            "one at a time that the clocks leave out",
            Card::Scheduled {
                line: markdown::code("uptime on wn001"),
                id: "5c61ab".into(),
                at: "28 Mar 03:30 CEST".into(),
                wait: "10 h".into(),
                left_out: true,
                twice: false,
                zone_known: true,
            },
        ),
        (
            "one at a time that the clocks show twice, of somebody whose zone is not known",
            Card::Scheduled {
                line: markdown::code("uptime on wn001"),
                id: "5c61ab".into(),
                at: "31 Oct 02:30 UTC".into(),
                wait: "10 h".into(),
                left_out: false,
                twice: true,
                zone_known: false,
            },
        ),
        ("a time that is none", Card::NotScheduled { line: "at 25:00 uptime on wn001".into(), unfit: Unfit::NoTime }),
        ("a time that is over", Card::NotScheduled { line: "uptime on wn001".into(), unfit: Unfit::Over }),
        ("a time too far away", Card::NotScheduled { line: "uptime on wn001".into(), unfit: Unfit::TooFar }),
        (
            "more lines that wait than may be",
            Card::NotScheduled { line: "uptime on wn001".into(), unfit: Unfit::TooMany { most: 20 } },
        ),
        (
            "a site where nothing can be put off",
            Card::NotScheduled { line: "uptime on wn001".into(), unfit: Unfit::TooMany { most: 0 } },
        ),
        ("a command of the bot put off", Card::NotScheduled { line: "list".into(), unfit: Unfit::OwnCommand }),
        ("nonsense put off", Card::NotScheduled { line: "make coffee".into(), unfit: Unfit::Unknown }),
        (
            "a line with several meanings put off",
            Card::NotScheduled {
                line: "sign in".into(),
                unfit: Unfit::Ambiguous { formats: vec!["sign {{name}}".into(), "sign in {{where}}".into()] },
            },
        ),
        ("a secret put off", Card::NotScheduled { line: "login with ********".into(), unfit: Unfit::Secret }),
        (
            "the lines that wait",
            Card::ScheduledLines {
                rows: vec![
                    ScheduledRow {
                        id: "5c61ab".into(),
                        line: markdown::code("uptime on wn001"),
                        who: "operator".into(),
                        at: "22:00 CET".into(),
                        wait: String::new(),
                    },
                    ScheduledRow {
                        id: "5c61ac".into(),
                        line: markdown::code("upgrade kernel on wn0189"),
                        who: "lead".into(),
                        at: "1 Dec 22:00 CET".into(),
                        wait: "8 d 2 h".into(),
                    },
                ],
                more: 1,
            },
        ),
        ("no lines that wait", Card::ScheduledLines { rows: vec![], more: 0 }),
        (
            "a line taken off",
            Card::Unscheduled {
                line: markdown::code("uptime on wn001"),
                at: "22:00 CET".into(),
                who: markdown::mention("operator"),
            },
        ),
        (
            "a line that was due while the bot was away",
            Card::DueMissed {
                who: markdown::mention("operator"),
                line: markdown::code("uptime on wn001"),
                at: "22:00 CET".into(),
                away: true,
            },
        ),
        (
            "a line whose author could not be looked up when it was due",
            Card::DueMissed {
                who: markdown::mention("operator"),
                line: markdown::code("uptime on wn001"),
                at: "22:00 CET".into(),
                away: false,
            },
        ),
        (
            "a line that can do harm and was due while the bot was away",
            Card::DueAsked {
                who: markdown::mention("operator"),
                line: markdown::code("reboot wn001"),
                at: "22:00 CET".into(),
                number: 2,
            },
        ),
        (
            "a line that is due and may not be run",
            Card::DueRefused {
                who: markdown::mention("operator"),
                line: markdown::code("reboot wn001"),
                at: "22:00 CET".into(),
                why: "`reboot` is switched off.".into(),
            },
        ),
        (
            "a line that is due and means something else",
            Card::DueRefused {
                who: markdown::mention("operator"),
                line: markdown::code("reboot wn001"),
                at: "22:00 CET".into(),
                why: String::new(),
            },
        ),
    ]
}
