//! Samples of the cards of executions that wait for their turn.

use halcyon::core::message::card::Card;
use halcyon::core::message::markdown;
use halcyon::core::message::turn::{Awaits, DelayedRow, Way};

/// Somebody who goes first.
pub(super) fn way() -> Way {
    Way {
        id: "5c61aa".into(),
        action: "site.update_packages".into(),
        who: "lead".into(),
        hosts: markdown::code("wn001"),
        ..Way::default()
    }
}

pub(super) fn delayed_row(id: &str, waits: &str) -> DelayedRow {
    DelayedRow { id: id.into(), line: markdown::code("reboot wn001"), waits: waits.into() }
}

/// What is said of executions that wait for their turn.
pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let line = || markdown::code("reboot wn001");
    let delayed = |awaits: Awaits, remarks: &[&str]| Card::Delayed {
        line: line(),
        id: "5c61ab".into(),
        awaits: Awaits { longest: "1 h".into(), ..awaits },
        remarks: remarks.iter().map(|remark| (*remark).to_owned()).collect(),
        over: false,
        error: String::new(),
    };
    let in_policy = Way { hosts: String::new(), policy: "site.two_at_once".into(), threshold: 2, more: 1, ..way() };
    vec![
        ("waits for its turn", delayed(Awaits { ways: vec![way()], ..Awaits::default() }, &[])),
        (
            "waits for one that stands in another channel",
            delayed(
                Awaits { ways: vec![Way { action: String::new(), who: String::new(), ..way() }], ..Awaits::default() },
                &[],
            ),
        ),
        (
            "waits for several, of which one waits itself",
            delayed(
                Awaits {
                    ways: vec![Way { more: 2, ..way() }, Way { waits: true, ..way() }, in_policy],
                    more: 1,
                    ..Awaits::default()
                },
                &[],
            ),
        ),
        (
            "waits until somebody says what became of another",
            delayed(Awaits { ways: vec![Way { doubt: true, ..way() }], ..Awaits::default() }, &[]),
        ),
        (
            "its turn has come, and it is held back",
            delayed(Awaits { held: "I am frozen: storm. It begins when that ends.".into(), ..Awaits::default() }, &[]),
        ),
        (
            "waits to be tried again",
            delayed(Awaits { again_in: "10 s".into(), ..Awaits::default() }, &["Try 2 of 3, after 5c61aa."]),
        ),
        (
            "never had its turn",
            Card::Delayed {
                line: line(),
                id: "5c61ab".into(),
                awaits: Awaits::default(),
                remarks: Vec::new(),
                over: true,
                error: "the action is not there any more".into(),
            },
        ),
        (
            "called for what waited and does not begin",
            Card::NotBegun {
                who: markdown::mention("operator"),
                line: line(),
                why: "its turn did not come within 1 h".into(),
            },
        ),
        ("the same for nobody in chat", Card::NotBegun { who: String::new(), line: line(), why: "it is late".into() }),
        (
            "a policy has what is too much canceled",
            Card::NoPlace {
                line: line(),
                policy: "site.two_at_once".into(),
                threshold: 2,
                running: vec![way(), Way { waits: true, ..way() }],
            },
        ),
        ("too many of one person wait", Card::TooManyWait { line: line(), most: 50, yours: true }),
        ("too many wait", Card::TooManyWait { line: line(), most: 1, yours: false }),
    ]
}
