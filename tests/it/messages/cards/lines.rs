//! What is said of lines that are not carried out, or not yet.

use halcyon::core::message::card::{Card, HelpLine, Lacks, Numbered};
use halcyon::core::message::markdown;
use halcyon::core::message::span::span;
use std::time::Duration;

fn numbered(lines: &[&str]) -> Vec<Numbered> {
    let lines = lines.iter().enumerate();
    lines
        .map(|(place, line)| Numbered { number: place + 1, line: (*line).into(), description: String::new() })
        .collect()
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let lacks = Lacks {
        line: "wipe it times".into(),
        parameter: "level".into(),
        description: "how thoroughly".into(),
        kind: "a whole number",
        allowed: vec![],
        thread: true,
        time: "10 min".into(),
    };
    vec![
        ("no role", Card::NoRole),
        ("not identified", Card::NotIdentified { line: "reboot wn001".into() }),
        (
            "not understood, with corrections",
            Card::NotUnderstood {
                line: "uptme on wn001".into(),
                suggestions: numbered(&["uptime on wn001"]),
                alike: vec![],
            },
        ),
        (
            "not understood, with two corrections",
            Card::NotUnderstood {
                line: "uptme on wn001".into(),
                suggestions: numbered(&["uptime on wn001", "mount on wn001"]),
                alike: vec![],
            },
        ),
        (
            "not understood at all",
            Card::NotUnderstood { line: "what `is` *this* @all".into(), suggestions: vec![], alike: vec![] },
        ),
        (
            "not understood, something missing",
            Card::NotUnderstood {
                line: "reboot".into(),
                suggestions: vec![],
                alike: vec![HelpLine { display: "reboot {{hosts}}".into(), description: "reboot the machines".into() }],
            },
        ),
        (
            "ambiguous",
            Card::Ambiguous {
                line: "load on wn001".into(),
                choices: vec![
                    Numbered {
                        number: 1,
                        line: "load on {{hosts}}".into(),
                        description: "Load of the last minutes".into(),
                    },
                    Numbered { number: 2, line: "load {{what}}".into(), description: String::new() },
                ],
                pick: true,
            },
        ),
        (
            "ambiguous, with a secret",
            Card::Ambiguous {
                line: "login with ******** on wn001".into(),
                choices: vec![
                    Numbered { number: 1, line: "login with {{pass}} on {{hosts}}".into(), description: String::new() },
                    Numbered { number: 2, line: "login {{how}}".into(), description: String::new() },
                ],
                pick: false,
            },
        ),
        ("too fast", Card::TooFast { most: 60, channel: false, late: false }),
        ("too fast for a channel", Card::TooFast { most: 300, channel: true, late: false }),
        (
            "more lines of one person than are answered, written while I was away",
            Card::TooFast { most: 60, channel: false, late: true },
        ),
        (
            "more lines of a channel than are answered, written while I was away",
            Card::TooFast { most: 300, channel: true, late: true },
        ),
        ("too many of one person", Card::TooMany { line: "uptime on wn001".into(), most: 50, yours: true }),
        ("too many", Card::TooMany { line: "uptime on wn001".into(), most: 500, yours: false }),
        ("undecided", Card::Undecided { line: "x".repeat(20), formats: vec![markdown::prose("`x+(?=y)` of site.x")] }),
        (
            "what is left of the question once its button is gone",
            Card::LackFilled { line: "wipe it times".into(), parameter: "count".into(), left: false },
        ),
        (
            "a value that a line lacked, when its author has turned to something else",
            Card::LackFilled { line: "wipe it times".into(), parameter: "count".into(), left: true },
        ),
        ("a value that is missing", Card::Lacks(lacks.clone())),
        (
            "a value of few, missing in a direct message",
            Card::Lacks(Lacks {
                line: "mutter hi".into(),
                parameter: "tone".into(),
                description: String::new(),
                kind: "",
                allowed: vec!["calm".into(), "plain".into(), "loud".into()],
                thread: false,
                ..lacks
            }),
        ),
        ("a value that is wanted no more", Card::ValueDropped { line: "wipe it times".into() }),
        ("nothing to repeat", Card::NothingToRepeat { secret: false }),
        ("nothing to repeat, for a secret", Card::NothingToRepeat { secret: true }),
        (
            "a repetition that is not certain",
            Card::CannotRepeatOn { line: "uptime on @workers".into(), hosts: "wn002".into() },
        ),
        ("too many matches", Card::TooManyMatches { line: "ticket AB-1 ticket AB-2 …".into(), most: 20 }),
        (
            "another channel",
            Card::OtherChannel {
                line: "reboot wn001".into(),
                channels: vec!["ops".into(), "cluster".into()],
                direct: false,
            },
        ),
        (
            "another channel or a direct message",
            Card::OtherChannel { line: "reboot wn001".into(), channels: vec!["ops".into()], direct: true },
        ),
        ("direct messages only", Card::OtherChannel { line: "reboot wn001".into(), channels: vec![], direct: true }),
        ("no choice", Card::NoChoice),
        (
            "bad parameters",
            Card::BadParameters {
                line: "log sshd on wn001 many".into(),
                problems: vec![markdown::prose("`many` is not a whole number: `lines` wants one, as in `lines=3`")],
            },
        ),
        (
            "an unknown host",
            Card::BadHosts {
                problem: markdown::prose("there is no host `wn0001`"),
                suggestions: numbered(&["uptime on wn001"]),
            },
        ),
        (
            "a host expression that means nothing",
            Card::BadHosts {
                problem: markdown::prose("`wn[1-` is not a host name or range: the bracket is not closed"),
                suggestions: vec![],
            },
        ),
        ("disabled", Card::Disabled { action: "site.reboot".into() }),
        ("elsewhere", Card::Elsewhere { channels: vec!["cluster".into(), "storage".into()] }),
        ("late", Card::Late { line: "reboot wn001".into(), ago: span(Duration::from_secs(400)) }),
        ("asked again", Card::AskAgain { line: "reboot wn001".into(), ago: span(Duration::from_secs(70)), number: 2 }),
        ("restarted", Card::Restarted { line: "show 5c61ab".into() }),
        ("called", Card::Called),
    ]
}
