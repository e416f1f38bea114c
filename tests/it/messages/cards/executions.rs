//! What is said of executions: under way, ended, asked about, announced.

use crate::messages::outcome;
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::id::{BlobId, Host};
use halcyon::core::message::card::{Announced, Card, Ended, FailedPart, Following, LastLines, Question, Running, Told};
use halcyon::core::message::markdown;
use halcyon::core::message::output::{self, Detail};
use halcyon::core::message::sentences::Sentences;
use halcyon::core::message::span::span;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

fn hosts(names: &[&str]) -> Vec<Host> {
    names.iter().map(|name| Host::new(*name)).collect()
}

fn ended(verdict: &str, mark: &'static str, outcomes: &[(&str, HostOutcome)]) -> Ended {
    let outcomes: BTreeMap<Host, HostOutcome> =
        outcomes.iter().map(|(name, outcome)| (Host::new(*name), outcome.clone())).collect();
    let names: Vec<Host> = outcomes.keys().cloned().collect();
    let outputs = output::outputs(&names, &outcomes, Detail::Post, &Sentences::new());
    Ended {
        mark,
        line: markdown::code("uptime on wn[001-003]"),
        id: "5c61ab".into(),
        verdict: verdict.into(),
        took: span(Duration::from_millis(1_234)),
        error: String::new(),
        attached: outputs.attach,
        attached_here: false,
        by: String::new(),
        began: String::new(),
        part: String::new(),
        outputs,
        remarks: vec![],
        unknown: false,
    }
}

fn long_text() -> String {
    (1..=400).map(|number| format!("line {number} of a long output")).collect::<Vec<_>>().join("\n")
}

const RELEASE: &str =
    "NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"9.4\"\nPLATFORM_ID=\"platform:el9\"\nLOGO=\"fedora-logo-icon\"";

/// Names of 150 hosts.
static WN: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| (1..=150).map(|number| &*format!("wn{number:03}").leak()).collect());

/// 150 hosts that say the same, but for these.
fn crowd(but: &[(&'static str, HostOutcome)]) -> Vec<(&'static str, HostOutcome)> {
    let usual = outcome(Exit::Code { code: 0 }, "5.14.0-427.13.1.el9_4.x86_64", "");
    let said = |name: &&'static str| but.iter().find(|(host, _)| host == name).map_or(&usual, |(_, said)| said).clone();
    WN.iter().map(|name| (*name, said(name))).collect()
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let ok = |text: &str| outcome(Exit::Code { code: 0 }, text, "");
    let running = Running {
        line: markdown::code("update packages on wn[001-006]"),
        id: "5c61ab".into(),
        count: 6,
        done: 3,
        failed: vec![FailedPart { hosts: "wn003".into(), how: "could not be reached: connection refused".into() }],
        failed_more: 0,
        running: markdown::code("wn[005-006]"),
        waiting: markdown::code("wn004"),
        elapsed: "12 s".into(),
        tail: markdown::fence("wn005: (12/40): kernel-core\nwn006: (13/40): glibc"),
        lines: 120,
        canceling: false,
        restarted: false,
        remarks: vec![],
        ack: String::new(),
    };
    let question = Question {
        who: markdown::mention("operator"),
        mark: "question",
        line: markdown::code("reboot wn[001-002]"),
        id: "5c61ab".into(),
        verdict: "outcome unknown on wn001, not settled yet".into(),
        took: "12 s".into(),
        hosts: markdown::code("wn001"),
        attached: false,
    };
    let with_words = running.clone();
    vec![
        ("an execution under way", Card::Running(running.clone())),
        (
            "one that a restart has interrupted",
            Card::Running(Running {
                restarted: true,
                remarks: vec!["I was interrupted before it started on wn004, so I started it afterwards.".into()],
                tail: String::new(),
                ..running.clone()
            }),
        ),
        (
            "one where many hosts failed",
            Card::Running(Running {
                count: 150,
                done: 90,
                failed: vec![
                    FailedPart { hosts: "wn[001-040]".into(), how: "exit code 1".into() },
                    FailedPart { hosts: "wn[041,077]".into(), how: "ran out of time and was killed".into() },
                ],
                failed_more: 3,
                ..running.clone()
            }),
        ),
        (
            "one without hosts that is being stopped",
            Card::Running(Running {
                count: 0,
                done: 0,
                failed: vec![],
                running: String::new(),
                waiting: String::new(),
                tail: String::new(),
                canceling: true,
                ..running
            }),
        ),
        (
            "an execution with the pack's words",
            Card::Running(Running { ack: "*On it*, operator: `wn003`".into(), ..with_words }),
        ),
        (
            "one-line outputs",
            Card::Ended(ended(
                "done on all 3 hosts",
                "white_check_mark",
                &[("wn001", ok("up 3 days")), ("wn002", ok("up 3 days")), ("wn003", ok("up 1 day"))],
            )),
        ),
        ("the same output everywhere", Card::Ended(ended("done on all 150 hosts", "white_check_mark", &crowd(&[])))),
        (
            "many hosts, two that differ and one that is dead",
            Card::Ended(ended(
                "failed on 1 of 150 hosts (wn007)",
                "x",
                &crowd(&[
                    ("wn007", outcome(Exit::Unreachable { why: "it refuses connections on port 22".into() }, "", "")),
                    ("wn042", ok("5.14.0-362.8.1.el9_3.x86_64")),
                    ("wn099", ok("4.18.0-553.el8_10.x86_64")),
                ]),
            )),
        ),
        (
            "many hosts, small differences",
            Card::Ended(ended(
                "failed on 5 of 152 hosts (wn[001-005])",
                "x",
                &[
                    crowd(&[]).into_iter().map(|(host, _)| (host, ok(RELEASE))).collect::<Vec<_>>(),
                    ["wn001", "wn002", "wn003"].map(|host| (host, outcome(Exit::Timeout, "", ""))).to_vec(),
                    ["wn004", "wn005"]
                        .map(|host| (host, outcome(Exit::Code { code: 2 }, "", "cat: no such file\nof mine")))
                        .to_vec(),
                    vec![
                        ("wn042", ok(&RELEASE.replace("9.4", "9.3"))),
                        ("wn043", ok(&RELEASE.replace("9.4", "9.2").replace("rocky", "rocky linux"))),
                        ("wn044", ok(&format!("# changed by hand\n{RELEASE}"))),
                        ("wn045", ok(&RELEASE.replace("ID=\"rocky\"\n", ""))),
                        ("wn046", ok("cat: /etc/os-release: is a directory")),
                        ("storage1", ok(RELEASE)),
                        ("storage2", ok(RELEASE)),
                    ],
                ]
                .concat(),
            )),
        ),
        (
            "many hosts that all say something else",
            Card::Ended(ended(
                "failed on 1 of 30 hosts (wn016)",
                "x",
                &WN[..14]
                    .iter()
                    .map(|host| (*host, ok(&format!("up {} days", host.len() + host.as_bytes()[4] as usize))))
                    .chain([(WN[14], ok("")), (WN[15], outcome(Exit::Code { code: 1 }, "", "not me"))])
                    .chain(WN[16..30].iter().map(|host| (*host, ok(&format!("{host} is up")))))
                    .collect::<Vec<_>>(),
            )),
        ),
        (
            "more differences than a post can hold",
            Card::Ended(ended(
                "done on all 20 hosts",
                "white_check_mark",
                &WN[..20].iter().map(|host| (*host, ok(&format!("{host}\nis\nup")))).collect::<Vec<_>>(),
            )),
        ),
        (
            "shown",
            Card::Ended(Ended {
                by: "operator".into(),
                began: "21 Nov 14:02 CET".into(),
                part: "wn[001-002]".into(),
                attached_here: true,
                ..ended(
                    "failed on 2 of 24 hosts (wn[001-002])",
                    "x",
                    &[
                        ("wn001", outcome(Exit::Code { code: 1 }, "", "no space left on device")),
                        ("wn002", outcome(Exit::Code { code: 1 }, "", "no space left on device")),
                    ],
                )
            }),
        ),
        (
            "following the output",
            Card::Following(Following {
                line: markdown::code("update packages on wn[001-006]"),
                id: "5c61ab".into(),
                elapsed: "12 s".into(),
                tail: markdown::fence("wn005: (12/40): kernel-core\nwn006: (13/40): glibc"),
                lines: 120,
                follows: true,
            }),
        ),
        (
            "an output that has not begun, and that too many follow",
            Card::Following(Following {
                line: markdown::code("update packages on wn[001-006]"),
                id: "5c61ab".into(),
                elapsed: "12 s".into(),
                tail: String::new(),
                lines: 0,
                follows: false,
            }),
        ),
        (
            "the last lines",
            Card::LastLines({
                let outcomes = BTreeMap::from([(Host::new("wn001"), ok(&long_text()))]);
                let outputs = output::outputs(&hosts(&["wn001"]), &outcomes, Detail::Last, &Sentences::new());
                LastLines {
                    mark: "x",
                    line: markdown::code("log sshd on wn001"),
                    id: "5c61ab".into(),
                    verdict: "failed on wn001".into(),
                    took: "12 s".into(),
                    error: "the run as a whole could not be carried out".into(),
                    outputs,
                    cut: true,
                }
            }),
        ),
        (
            "hosts that took no part",
            Card::NotItsHosts { id: "5c61ab".into(), asked: "wn009".into(), hosts: "wn[001-006]".into() },
        ),
        ("no hosts took part", Card::NotItsHosts { id: "5c61ab".into(), asked: "wn009".into(), hosts: String::new() }),
        (
            "nothing failed",
            Card::NoneFailed {
                id: "5c61ab".into(),
                line: markdown::code("uptime on wn001"),
                verdict: "done on wn001".into(),
            },
        ),
        (
            "a failure among successes",
            Card::Ended(ended(
                "failed on 1 of 3 hosts (wn003)",
                "x",
                &[
                    ("wn001", ok("a\nb")),
                    ("wn002", ok("a\nb")),
                    (
                        "wn003",
                        outcome(Exit::Code { code: 3 }, "partial", "df: cannot read table\nof mounted file systems"),
                    ),
                ],
            )),
        ),
        ("no output at all", Card::Ended(ended("done on wn001", "white_check_mark", &[("wn001", ok(""))]))),
        (
            "an unreachable host",
            Card::Ended(ended(
                "failed on wn001",
                "x",
                &[("wn001", outcome(Exit::Unreachable { why: "connection refused".into() }, "", ""))],
            )),
        ),
        ("a long output", Card::Ended(ended("done on wn001", "white_check_mark", &[("wn001", ok(&long_text()))]))),
        (
            "an output in a blob, cut at its limit",
            Card::Ended(ended(
                "done on wn001",
                "white_check_mark",
                &[(
                    "wn001",
                    HostOutcome {
                        exit: Exit::Code { code: 0 },
                        stdout: Captured::Blob {
                            blob: BlobId::new("b"),
                            bytes: 9_000_000,
                            lines: 100_000,
                            head: "first\nsecond".into(),
                            tail: "last but one\nlast".into(),
                            dropped: 512,
                        },
                        stderr: Captured::empty(),
                        seconds: 1.0,
                    },
                )],
            )),
        ),
        (
            "nobody knows",
            Card::Ended(Ended {
                unknown: true,
                remarks: vec![
                    "I lost sight of it on wn001 and ran it there once more, since it may be repeated without harm."
                        .into(),
                ],
                ..ended(
                    "outcome unknown on wn001, not settled yet",
                    "question",
                    &[("wn001", outcome(Exit::Unknown { why: "the connection was lost".into() }, "", ""))],
                )
            }),
        ),
        ("a question", Card::Question(question.clone())),
        (
            "a question about something without hosts, to nobody in particular",
            Card::Question(Question { who: String::new(), hosts: String::new(), attached: true, ..question }),
        ),
        (
            "settled",
            Card::Settled {
                id: "5c61ab".into(),
                line: markdown::code("reboot wn001"),
                said: "lead says that it ran".into(),
            },
        ),
        ("settled before", Card::AlreadySettled { id: "5c61ab".into(), said: "lead says that it did not run".into() }),
        ("nothing to settle", Card::NothingToSettle { id: "5c61ab".into(), verdict: "done on wn001".into() }),
        (
            "calling the one who asked",
            Card::Told(Told {
                who: markdown::mention("operator"),
                mark: "white_check_mark",
                line: markdown::code("reboot wn001"),
                verdict: "done on wn001".into(),
                took: "3 min 20 s".into(),
                attached: false,
            }),
        ),
        (
            "with a file, calling nobody",
            Card::Told(Told {
                who: String::new(),
                mark: "white_check_mark",
                line: markdown::code("log sshd on wn001"),
                verdict: "done on wn001".into(),
                took: "0.4 s".into(),
                attached: true,
            }),
        ),
        ("no execution", Card::NoExecution { id: "abcdef".into() }),
        ("many executions", Card::ManyExecutions { id: "abcd".into() }),
        ("canceling", Card::Canceling { id: "5c61ab".into(), line: markdown::code("reboot wn001") }),
        ("already ended", Card::AlreadyEnded { id: "5c61ab".into(), verdict: "done on wn001".into() }),
        ("secrets gone", Card::SecretsGone { id: "5c61ab".into(), names: vec!["password".into()] }),
        (
            "said by an action",
            Card::Announced(Announced {
                who: "@operator".into(),
                mark: "",
                lines: vec!["the door of room *1* is open".into(), "@all look".into()],
                values: String::new(),
                id: String::new(),
                route: String::new(),
            }),
        ),
        (
            "values said by an action",
            Card::Announced(Announced {
                who: String::new(),
                mark: "",
                lines: vec![],
                values: markdown::fence("room: 1\ndoor: open"),
                id: String::new(),
                route: String::new(),
            }),
        ),
        (
            "notice of an end",
            Card::Announced(Announced {
                who: String::new(),
                mark: "white_check_mark",
                lines: vec!["Action site.scrub completed.".into()],
                values: markdown::fence("pool: tank"),
                id: "7d6855".into(),
                route: String::new(),
            }),
        ),
        (
            "notice for a route that is no channel",
            Card::Announced(Announced {
                who: String::new(),
                mark: "x",
                lines: vec!["the scrub of tank failed".into()],
                values: String::new(),
                id: "7d6855".into(),
                route: "slack".into(),
            }),
        ),
    ]
}
