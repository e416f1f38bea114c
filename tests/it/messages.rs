//! Every sentence that the bot can say, in one golden file, and the escaping that keeps outside text harmless.

use crate::{data, golden};
use halcyon::adapters::ssh::reason::meanings;
use halcyon::core::action::params::ParameterProblem;
use halcyon::core::action::plan::PlanProblem;
use halcyon::core::action::reason::Reason;
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::action::spec::ParameterType;
use halcyon::core::chat::command::COMMANDS;
use halcyon::core::datastore::request::{Confidential, ShownValue, ValueProblem};
use halcyon::core::host::{HostError, Inventory, expand};
use halcyon::core::id::{ActionRef, BlobId, Host};
use halcyon::core::message::card::{
    Announced, AuditRow, BrokenFile, Card, Ended, FailedPart, Following, Help, HelpLine, HelpPack, Lacks, LastLines,
    ListRow, Numbered, PackRow, PlanCard, PlannedParameter, Question, Running, ScheduledRow, StatusPart, StillRunning,
    Told, Unfit, UnreadPart,
};
use halcyon::core::message::markdown;
use halcyon::core::message::output::{self, Detail};
use halcyon::core::message::overrides::{examine, samples};
use halcyon::core::message::phrase::Phrase;
use halcyon::core::message::sentences::{PHRASES, Sentences, TEMPLATES, names};
use halcyon::core::message::span::{size, span};
use halcyon::core::message::value::{ValueLine, ValueList};
use halcyon::core::message::zone::{moment, zone};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

fn numbered(lines: &[&str]) -> Vec<Numbered> {
    let lines = lines.iter().enumerate();
    lines
        .map(|(place, line)| Numbered { number: place + 1, line: (*line).into(), description: String::new() })
        .collect()
}

fn outcome(exit: Exit, stdout: &str, stderr: &str) -> HostOutcome {
    let inline = |text: &str| Captured::Inline { text: text.into() };
    HostOutcome { exit, stdout: inline(stdout), stderr: inline(stderr), seconds: 0.5 }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH
}

/// A value of the datastore that goes in so many seconds.
fn value(name: &str, text: &str, secret: bool, left: Option<i64>) -> ShownValue {
    ShownValue {
        name: name.into(),
        scope: "st2kv.system".into(),
        user: None,
        text: Confidential(text.into()),
        secret,
        hidden: secret,
        expires: left.map(|left| now() + jiff::SignedDuration::from_secs(left)),
    }
}

fn audit_row(number: u64, event: &'static str, about: &str) -> AuditRow {
    AuditRow {
        number,
        at: "14:02 CET".into(),
        event,
        mark: "",
        who: "operator".into(),
        about: about.into(),
        id: "5c61ab".into(),
        count: 24,
        hosts: markdown::code("wn[001-024]"),
        status: "",
        failed: String::new(),
        reason: String::new(),
        took: String::new(),
    }
}

fn audit_verified(flaws: &[&str], entries: u64, checkpoints: usize) -> Card {
    Card::AuditVerified {
        sound: flaws.is_empty(),
        entries,
        first: entries.min(1),
        number: entries,
        hash: "3f0c".repeat(16),
        checkpoints,
        flaws: flaws.iter().map(|flaw| (*flaw).to_owned()).collect(),
        more: flaws.len() / 2,
    }
}

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

fn still_running() -> Vec<StillRunning> {
    vec![
        StillRunning { id: "5c61ab".into(), line: markdown::code("reboot wn001"), hosts: markdown::code("wn001") },
        StillRunning { id: "5c61ac".into(), line: markdown::code("report"), hosts: String::new() },
    ]
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

/// Every kind of card at least once; where one template says different things, once for each.
fn cards() -> Vec<(&'static str, Card)> {
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
        ("an execution under way", Card::Running(running.clone())),
        (
            "one that a restart has interrupted",
            Card::Running(Running {
                restarted: true,
                remarks: vec!["I was interrupted before it began on wn004, so I began it afterwards.".into()],
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
        ("too fast", Card::TooFast { most: 60, channel: false }),
        ("too fast for a channel", Card::TooFast { most: 300, channel: true }),
        ("too many of one person", Card::TooMany { line: "uptime on wn001".into(), most: 50, yours: true }),
        ("too many", Card::TooMany { line: "uptime on wn001".into(), most: 500, yours: false }),
        ("undecided", Card::Undecided { line: "x".repeat(20), formats: vec![markdown::prose("`x+(?=y)` of site.x")] }),
        (
            "an execution with the pack's words",
            Card::Running(Running { ack: "*On it*, operator: `wn003`".into(), ..with_words }),
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
        ("another instance", Card::OtherInstance { other: "0123456789abcdef".into(), own: "fedcba9876543210".into() }),
        (
            "not all was read",
            Card::Unread {
                parts: vec![
                    UnreadPart { channel: String::new(), before: "2026-11-22 10:00 UTC".into() },
                    UnreadPart { channel: "cluster".into(), before: String::new() },
                ],
            },
        ),
        ("called", Card::Called),
        (
            "help",
            Card::Help(Help {
                query: String::new(),
                address: "@halcyon".into(),
                packs: vec![HelpPack {
                    name: "site".into(),
                    lines: vec![HelpLine {
                        display: "uptime on {{hosts}}".into(),
                        description: "How long the machines have been up".into(),
                    }],
                }],
                own: vec![HelpLine {
                    display: "whoami".into(),
                    description: "how I know you and what you may do".into(),
                }],
                nothing: false,
                page: 1,
                pages: 1,
                next: String::new(),
            }),
        ),
        (
            "help that finds nothing",
            Card::Help(Help {
                query: "kernel".into(),
                address: "@halcyon".into(),
                packs: vec![],
                own: vec![],
                nothing: true,
                page: 1,
                pages: 1,
                next: String::new(),
            }),
        ),
        (
            "whoami",
            Card::WhoAmI {
                name: "operator".into(),
                id: "u1".into(),
                roles: vec!["operator".into()],
                grants: vec!["view:*".into(), "run:site.*".into()],
            },
        ),
        (
            "whoami without a role",
            Card::WhoAmI { name: "guest".into(), id: "u2".into(), roles: vec![], grants: vec![] },
        ),
        (
            "status",
            Card::Status {
                healthy: false,
                parts: vec![
                    StatusPart {
                        name: "chat".into(),
                        works: true,
                        says: "connected as halcyon".into(),
                        since: String::new(),
                        advice: String::new(),
                    },
                    StatusPart {
                        name: "inventory".into(),
                        works: false,
                        says: "the members of @idle are not known: sinfo: command not found".into(),
                        since: "3 min".into(),
                        advice: "run the command of that group by hand".into(),
                    },
                ],
                running: 2,
                waiting: 1,
                frozen: String::new(),
            },
        ),
        (
            "list",
            Card::List {
                rows: vec![
                    ListRow {
                        mark: "white_check_mark",
                        id: "5c61ab".into(),
                        line: markdown::code("uptime on wn001"),
                        who: "operator".into(),
                        ago: "12 s".into(),
                        at: "14:02 CET".into(),
                        verdict: "done on wn001".into(),
                    },
                    ListRow {
                        mark: "x",
                        id: "5c61aa".into(),
                        line: markdown::code("reboot wn[001-024]"),
                        who: "lead".into(),
                        ago: String::new(),
                        at: "21 Nov 14:02 CET".into(),
                        verdict: "failed on 1 of 24 hosts (wn002)".into(),
                    },
                ],
            },
        ),
        ("an empty list", Card::List { rows: vec![] }),
        ("no execution", Card::NoExecution { id: "abcdef".into() }),
        ("many executions", Card::ManyExecutions { id: "abcd".into() }),
        ("canceling", Card::Canceling { id: "5c61ab".into(), line: markdown::code("reboot wn001") }),
        ("already ended", Card::AlreadyEnded { id: "5c61ab".into(), verdict: "done on wn001".into() }),
        ("secrets gone", Card::SecretsGone { id: "5c61ab".into(), names: vec!["password".into()] }),
        ("stopping", Card::Stopping),
        ("going away quietly", Card::GoingAway { running: vec![], more: 0, grace: "30 s".into() }),
        ("going away", Card::GoingAway { running: still_running(), more: 2, grace: "30 s".into() }),
        ("left running", Card::LeftRunning { running: still_running(), more: 0 }),
        (
            "reloaded",
            Card::Reloaded {
                in_force: true,
                changed: vec!["access.roles".into(), "packs (2 files)".into()],
                restart: vec!["store.path".into()],
                problems: vec!["aliases/uptime.yaml:3: formts: unknown key".into()],
                more: 1,
            },
        ),
        (
            "reloaded without a change",
            Card::Reloaded { in_force: true, changed: vec![], restart: vec![], problems: vec![], more: 0 },
        ),
        (
            "not reloaded",
            Card::Reloaded {
                in_force: false,
                changed: vec![],
                restart: vec![],
                problems: vec!["config.toml:6: mattermost.chanels: unknown key".into()],
                more: 0,
            },
        ),
        (
            "status while frozen",
            Card::Status {
                healthy: true,
                parts: vec![],
                running: 0,
                waiting: 0,
                frozen: "a storm is on the way".into(),
            },
        ),
        (
            "files of packs with mistakes, and without them again",
            Card::PacksChanged {
                broken: vec![
                    BrokenFile {
                        file: "aliases/uptime.yaml".into(),
                        kept: true,
                        problems: vec![
                            "aliases/uptime.yaml:3: formts: unknown key; did you mean \"formats\"?".into(),
                            "aliases/uptime.yaml:4: enabled: must be true or false, not `*perhaps*`".into(),
                        ],
                        more: 3,
                    },
                    BrokenFile {
                        file: "actions/new.yaml".into(),
                        kept: false,
                        problems: vec!["actions/new.yaml: the file is empty".into()],
                        more: 0,
                    },
                ],
                more: 2,
                mended: vec!["aliases/reboot.yaml".into(), "actions/odd`name.yaml".into()],
                gone: vec!["policies/old.yaml".into()],
            },
        ),
        (
            "a file without mistakes again",
            Card::PacksChanged { broken: vec![], more: 0, mended: vec!["aliases/x.yaml".into()], gone: vec![] },
        ),
        (
            "the packs, for an administrator",
            Card::Packs {
                packs: vec![
                    PackRow {
                        name: "core".into(),
                        version: "1.0.0".into(),
                        actions: 12,
                        aliases: 0,
                        policies: 0,
                        problems: 0,
                    },
                    PackRow {
                        name: "site".into(),
                        version: "2.1|*x*".into(),
                        actions: 30,
                        aliases: 28,
                        policies: 2,
                        problems: 11,
                    },
                ],
                problems: vec!["aliases/uptime.yaml:3: formts: unknown key; did you mean \"formats\"?".into()],
                more: 10,
            },
        ),
        ("nothing to be listed", Card::NoneListed { words: "failed since 2h".into() }),
        (
            "what a line would do",
            Card::Plan(PlanCard {
                line: markdown::code("login with ******** on wn[001-003]"),
                action: "site.login".into(),
                runner: "remote-shell-cmd".into(),
                effect: "destructive",
                parameters: vec![
                    PlannedParameter { name: "pass".into(), value: "********".into() },
                    PlannedParameter { name: "word".into(), value: "a | *b*".into() },
                ],
                count: 3,
                hosts: markdown::code("wn[001-003]"),
                user: "root".into(),
                sudo: true,
                timeout: "1 min".into(),
                command: markdown::fence("login --password ********"),
                further: 2,
                off: true,
                guards: vec!["policies/login.yaml".into()],
                frozen: "storm on the way".into(),
            }),
        ),
        (
            "what a line without a command would do",
            Card::Plan(PlanCard {
                line: markdown::code("rest"),
                action: "core.pause".into(),
                runner: "pause".into(),
                effect: "read-only",
                parameters: vec![],
                count: 0,
                hosts: String::new(),
                user: String::new(),
                sudo: false,
                timeout: String::new(),
                command: String::new(),
                further: 0,
                off: false,
                guards: vec![],
                frozen: String::new(),
            }),
        ),
        ("a command of the bot that starts nothing", Card::NothingToPlan { line: "status".into() }),
        (
            "a page of help",
            Card::Help(Help {
                query: "kernel".into(),
                address: "@halcyon".into(),
                packs: vec![HelpPack {
                    name: "site".into(),
                    lines: vec![HelpLine {
                        display: "upgrade kernel on {{hosts}}".into(),
                        description: "installs the newest kernel".into(),
                    }],
                }],
                own: vec![],
                nothing: false,
                page: 2,
                pages: 7,
                next: "help kernel 3".into(),
            }),
        ),
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
        ("a look-up that failed", Card::LookUpFailed { why: "cannot read log/1.facts: I/O error".into() }),
        (
            "little room",
            Card::LittleRoom { action: "site.uptime".into(), free: "17 MiB".into(), reserve: "64 MiB".into() },
        ),
        ("the store refuses", Card::StoreRefuses { why: "cannot write to log/1.facts: no space left".into() }),
        ("the store takes facts again", Card::StoreRecovered),
        (
            "frozen by somebody",
            Card::Frozen {
                action: "site.reboot".into(),
                why: "a storm is on the way".into(),
                by: "lead".into(),
                who: vec!["lead".into(), "chief".into()],
            },
        ),
        (
            "frozen by itself, and nobody has the right to end it in chat",
            Card::Frozen {
                action: "site.reboot".into(),
                why: "my store was damaged".into(),
                by: String::new(),
                who: vec![],
            },
        ),
        ("freeze", Card::FreezeChanged { frozen: true, before: false, why: "a storm".into() }),
        ("freeze once more", Card::FreezeChanged { frozen: true, before: true, why: "a storm".into() }),
        ("unfreeze", Card::FreezeChanged { frozen: false, before: true, why: String::new() }),
        ("unfreeze what is not frozen", Card::FreezeChanged { frozen: false, before: false, why: String::new() }),
        ("a value", Card::Value(ValueLine::new(&value("site.word", "hello", false, None), now()))),
        (
            "a long value",
            Card::Value(ValueLine::new(&value("site.text", &"a long line ".repeat(300), false, Some(90)), now())),
        ),
        ("a secret", Card::Value(ValueLine::new(&value("site.password", "********", true, None), now()))),
        (
            "a secret that was opened",
            Card::Value(ValueLine {
                hidden: false,
                ..ValueLine::new(&value("site.password", "hunter2", true, None), now())
            }),
        ),
        (
            "values",
            Card::Values(ValueList::new(
                &[
                    value("site.a|b", "x | `y`\nz", false, Some(90)),
                    value("site.password", "********", true, None),
                    ShownValue { user: Some("u1".into()), ..value("mine", &"long ".repeat(40), false, None) },
                ],
                String::new(),
                now(),
            )),
        ),
        ("many values", Card::Values(ValueList::new(&vec![value("a", "b", false, None); 52], "a".into(), now()))),
        ("no values", Card::Values(ValueList::new(&[], String::new(), now()))),
        ("no values that begin so", Card::Values(ValueList::new(&[], "site.".into(), now()))),
        (
            "a value is set",
            Card::ValueSet {
                value: ValueLine::new(&value("site.word", "hello", false, Some(3600)), now()),
                warn: false,
            },
        ),
        (
            "a secret is set",
            Card::ValueSet {
                value: ValueLine::new(&value("site.password", "********", true, None), now()),
                warn: false,
            },
        ),
        (
            "a secret is set where others read it",
            Card::ValueSet {
                value: ValueLine::new(&value("site.password", "********", true, None), now()),
                warn: true,
            },
        ),
        ("a value is deleted", Card::ValueDeleted { name: "site.word".into() }),
        (
            "a value is refused",
            Card::ValueRefused {
                problem: markdown::prose(&ValueProblem::Denied { needed: "admin:key.system.a*b".into() }.to_string()),
            },
        ),
        (
            "entries of the audit",
            Card::Audit {
                rows: vec![
                    audit_row(17, "started", "`reboot wn[001-024]`"),
                    AuditRow {
                        mark: "x",
                        count: 0,
                        status: "failed",
                        failed: markdown::code("wn007"),
                        took: "12 s".into(),
                        who: String::new(),
                        ..audit_row(18, "ended", "`reboot wn[001-024]`")
                    },
                    AuditRow {
                        mark: "no_entry",
                        id: String::new(),
                        count: 0,
                        reason: "needs run:site.reboot".into(),
                        ..audit_row(19, "refused", "`reboot wn001`")
                    },
                    AuditRow {
                        mark: "ice_cube",
                        id: String::new(),
                        count: 0,
                        reason: "a *storm*".into(),
                        ..audit_row(20, "frozen", "")
                    },
                ],
                words: "last 4".into(),
                since: 0,
            },
        ),
        (
            "entries of the audit that were looked for in a part of it",
            Card::Audit {
                rows: vec![AuditRow {
                    count: 1,
                    hosts: "`wn001`".into(),
                    ..audit_row(17, "started", "`reboot wn001`")
                }],
                words: "operator".into(),
                since: 12,
            },
        ),
        ("no entries of the audit", Card::Audit { rows: vec![], words: String::new(), since: 0 }),
        ("none that is like that", Card::Audit { rows: vec![], words: "nobody".into(), since: 0 }),
        ("a sound audit", audit_verified(&[], 4711, 2)),
        ("a sound audit without checkpoints", audit_verified(&[], 1, 0)),
        ("an audit without entries", audit_verified(&[], 0, 0)),
        (
            "an audit that was tampered with",
            audit_verified(&["entry 12 was changed: its hash is another", "entries 20 to 31 are missing"], 4711, 2),
        ),
        ("a checkpoint", Card::Checkpoint { number: 4711, hash: "3f0c".repeat(16), daily: false }),
        ("a checkpoint by itself", Card::Checkpoint { number: 4711, hash: "3f0c".repeat(16), daily: true }),
        ("no checkpoint", Card::Checkpoint { number: 0, hash: "0".repeat(64), daily: false }),
        ("not for everybody", Card::NotAdmin { command: "freeze".into(), who: vec!["lead".into()] }),
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
        (
            "started quietly",
            Card::Started { version: "0.1.0".into(), interrupted: 0, problems: vec![], more: 0, frozen: String::new() },
        ),
        (
            "started frozen",
            Card::Started {
                version: "0.1.0".into(),
                interrupted: 0,
                problems: vec![],
                more: 0,
                frozen: "my store was damaged; the old one lies in store/damaged-2026-01-01T00-00-00Z".into(),
            },
        ),
        (
            "started",
            Card::Started {
                version: "0.1.0".into(),
                interrupted: 2,
                problems: vec!["aliases/uptime.yaml:3: formts: unknown key".into()],
                more: 3,
                frozen: String::new(),
            },
        ),
    ]
}

#[test]
fn every_sentence_is_in_the_golden_file() {
    let sentences = Sentences::new();
    let mut text = String::from("# Every sentence that Halcyon says\n");
    for (title, card) in cards() {
        let said = sentences.say(&card);
        assert!(!said.contains("is broken"), "{title}: {said}");
        assert!(!said.is_empty(), "{title} says nothing");
        text.push_str(&format!("\n## {title}\n\n{said}\n"));
    }
    text.push_str("\n# The pieces that they are made of\n");
    phrases(&mut |phrase, said| {
        let said = if said.is_empty() { "(nothing)" } else { said };
        text.push_str(&format!("\n- {}: {said}", phrase.template()));
    });
    text.push_str("\n\n# Why something cannot be as asked\n");
    for said in refusals() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# Why a command did not begin, or nobody knows how it ended\n");
    for said in reasons() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# What is wrong with a connection, in plain words\n");
    for said in meanings() {
        text.push_str(&format!("\n- {said}"));
    }
    text.push_str("\n\n# The bot's own commands\n");
    for (name, said) in COMMANDS {
        text.push_str(&format!("\n- `{name}`: {said}"));
    }
    text.push('\n');
    golden("messages/all.md", &text);
}

/// What is said of parameters and hosts, each way once.
fn refusals() -> Vec<String> {
    let action = || ActionRef::new("site.log");
    let name = || "lines".to_owned();
    let value = || Some("many".to_owned());
    let parameters = [
        ParameterProblem::Unknown { name: name(), action: action(), similar: Some("line".into()) },
        ParameterProblem::Unknown { name: name(), action: action(), similar: None },
        ParameterProblem::Immutable { name: name(), action: action() },
        ParameterProblem::Required { name: name() },
        ParameterProblem::Type { name: name(), expected: ParameterType::Integer, value: value() },
        ParameterProblem::Type { name: name(), expected: ParameterType::Boolean, value: None },
        ParameterProblem::NotAllowed { name: name(), allowed: vec!["few".into(), "all".into()], value: value() },
        ParameterProblem::Limit { name: name(), limit: "be at least 1".into(), value: Some("0".into()) },
        ParameterProblem::Default {
            name: name(),
            action: action(),
            file: "actions/upgrade.yaml".into(),
            why: "`when` is not known".into(),
        },
    ];
    let hosts = [
        HostError::UnknownHost { name: "wn0001".into(), similar: vec![] },
        HostError::UnknownGroup { name: "idle".into(), similar: vec![] },
        HostError::BrokenGroup { name: "idle".into(), why: "sinfo: command not found".into() },
        HostError::TooMany,
        HostError::Empty("wn001,!wn001".into()),
    ];
    // What is wrong with an expression is found out by reading it.
    let malformed = ["wn[1-", "wn[2-1]", "wn[x]", "-wn", "wn:0", "@", "wn/1", "a,b:1,b:2", "wn[1-2/0]"];
    let known = Inventory::default();
    let malformed =
        malformed.into_iter().filter_map(|text| expand(text, &known).err()).map(|problem| problem.to_string());
    let plans = [
        PlanProblem::Tainted { parameter: name(), characters: BTreeSet::from([';', '\n']), action: action() },
        PlanProblem::Tainted { parameter: name(), characters: BTreeSet::new(), action: action() },
        PlanProblem::Password { parameter: "password".into() },
    ];
    let parameters = parameters.iter().map(ToString::to_string);
    let plans = plans.iter().map(ToString::to_string);
    parameters.chain(hosts.iter().map(ToString::to_string)).chain(malformed).chain(plans).collect()
}

/// What runners say.
fn reasons() -> Vec<String> {
    let why = "no answer for 10 s";
    let reasons = [
        Reason::NotStopped { why },
        Reason::NotKilled { seconds: 60.0, why },
        Reason::NotAsked { seconds: 300, why },
        Reason::StartedAnew,
        Reason::NotArrived,
        Reason::Forgotten,
        Reason::EndNotNoted,
        Reason::RunsAllTheSame,
        Reason::LostWhenStopped { why },
        Reason::LostRunning { how: "it has stopped answering" },
        Reason::LostBefore { how: "it closed the connection" },
        Reason::WatcherDied { why: "panic" },
        Reason::LoginHangs { seconds: 10 },
        Reason::NoSsh { why: "No such file or directory" },
        Reason::SshLost { why: "No child processes" },
        Reason::NoKeyFile { why: "No space left on device" },
        Reason::Stopping,
        Reason::WrapperKilled { signal: 9 },
        Reason::NotWaitedFor { why: "No child processes" },
        Reason::RunnerFailed { why: "it ended without a word" },
    ];
    reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn every_template_has_samples() {
    let mut samples = Vec::new();
    for (title, card) in cards() {
        samples.push(json!({"template": card.template(), "about": title, "data": card}));
    }
    phrases(&mut |phrase, said| {
        let template = format!("phrases/{}", phrase.template());
        samples.push(json!({"template": template, "about": said, "data": phrase}));
    });
    golden("../../templates/samples.json", &format!("{:#}\n", Value::Array(samples)));
}

#[test]
fn the_data_of_every_template_is_documented() {
    let mut text = fs::read_to_string(data("messages/templates-of-messages.head.md")).unwrap();
    for name in names().filter(|name| !name.starts_with("partials/")) {
        let mut fields: BTreeMap<String, (BTreeSet<&'static str>, String)> = BTreeMap::new();
        let mut about = Vec::new();
        for sample in samples().iter().filter(|sample| sample.template == name) {
            about.push(sample.about.as_str());
            describe("", &sample.data, &mut fields);
        }
        text.push_str(&format!("\n### {name}\n\n"));
        if !name.contains('/') {
            text.push_str(&format!("Said for: {}.\n", about.join("; ")));
        }
        fields.retain(|field, _| field != "card" && field != "phrase");
        if fields.is_empty() {
            text.push_str("It has no data.\n");
            continue;
        }
        text.push_str("\n| data | kind | such as |\n|---|---|---|\n");
        for (field, (kinds, example)) in fields {
            let kinds: Vec<&str> = kinds.into_iter().collect();
            text.push_str(&format!("| `{field}` | {} | {example} |\n", kinds.join(", ")));
        }
    }
    golden("../../docs/templates-of-messages.md", &text);
}

/// Collects the fields of data with their kinds and an example of each.
fn describe(path: &str, data: &Value, fields: &mut BTreeMap<String, (BTreeSet<&'static str>, String)>) {
    let kind = match data {
        Value::Object(inner) => {
            for (name, value) in inner {
                describe(&format!("{path}{}{name}", if path.is_empty() { "" } else { "." }), value, fields);
            }
            return;
        }
        Value::Array(items) => {
            fields.entry(path.to_owned()).or_default().0.insert("list");
            items.iter().for_each(|item| describe(&format!("{path}[]"), item, fields));
            return;
        }
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "yes or no",
        Value::Null => "nothing",
    };
    let entry = fields.entry(path.to_owned()).or_default();
    entry.0.insert(kind);
    let shown = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
    let shown: String =
        shown.lines().collect::<Vec<_>>().join("⏎").replace('|', "\\|").replace('`', "ˋ").chars().take(60).collect();
    if entry.1.is_empty() && !shown.is_empty() {
        entry.1 = format!("`{shown}`");
    }
}

#[test]
fn a_sites_own_text_is_examined() {
    let check =
        |name: &str, text: &str, expected: Result<(), (Option<usize>, &str)>| match (examine(name, text), expected) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err((line, said))) => {
                assert_eq!(problem.line, line, "{name}: {problem:?}");
                assert!(problem.message.contains(said), "{name}: {problem:?}");
            }
            (found, _) => panic!("{name} {text:?}: {found:?}"),
        };
    check("called", "At your service.", Ok(()));
    check("called", "At your service, {{name}}.", Err((Some(1), "name")));
    check("called", "At\nyour {{#if}} service.", Err((Some(2), "")));
    check("called", "One\ntwo {{#each x}} three.", Err((Some(2), "")));
    check("called", "  ", Err((None, "says nothing")));
    check("no_executon", "{{id}}", Err((None, "there is no message `no_executon`")));
    check("phrases/no_output", "quiet", Ok(()));
    check("phrases/no_output", "{{quiet}}", Err((Some(1), "quiet")));
    check("partials/outputs", "{{outputs.rows}}", Ok(()));
    check("partials/outputs", "\n{{outputs.row}}", Err((Some(2), "row")));
    check("mail/ended", "", Err((None, "there is no message")));
    let all = names().map(|name| fs::read_to_string(format!("templates/{name}.hbs")).map(|text| (name, text)));
    for (name, text) in all.collect::<Result<Vec<_>, _>>().unwrap() {
        check(&name, &text, Ok(()));
    }
}

#[test]
fn moments_are_told_by_the_clock_of_the_one_who_asks() {
    let check = |name: &str, then: &str, said: &str| {
        let now = "2026-11-22T12:30:00Z".parse().unwrap();
        assert_eq!(moment(then.parse().unwrap(), now, &zone(name)), said);
    };
    check("Europe/Zurich", "2026-11-22T12:02:00Z", "13:02 CET");
    check("Europe/Zurich", "2026-11-21T23:02:00Z", "00:02 CET");
    check("Europe/Zurich", "2026-11-21T12:02:00Z", "21 Nov 13:02 CET");
    check("Europe/Zurich", "2026-07-01T12:02:00Z", "1 Jul 14:02 CEST");
    check("America/New_York", "2025-12-31T12:02:00Z", "31 Dec 2025 07:02 EST");
    check("Asia/Kathmandu", "2026-11-22T12:02:00Z", "17:47 +0545");
    check("", "2026-11-22T12:02:00Z", "12:02 UTC");
    check("Middle/Earth", "2026-11-22T12:02:00Z", "12:02 UTC");
}

#[test]
fn phrases_are_said_as_they_should_be() {
    let sentences = Sentences::new();
    let mut used = BTreeSet::new();
    phrases(&mut |phrase, said| {
        used.insert(phrase.template());
        assert_eq!(sentences.phrase(&phrase), said, "{phrase:?}");
    });
    let known: BTreeSet<&str> = PHRASES.iter().map(|(name, _)| *name).collect();
    assert_eq!(used, known);
}

/// Every phrase, and how it is said.
fn phrases(check: &mut dyn FnMut(Phrase<'_>, &str)) {
    check(Phrase::Summary { same: 147, differ: 2, failed: 1 }, "147 hosts say the same, 2 differ, 1 failed.");
    check(Phrase::Summary { same: 3, differ: 1, failed: 0 }, "3 hosts say the same, 1 differs.");
    let like = |how, lines: &str, several| Phrase::Like { count: 147, how, lines: lines.into(), several };
    check(like("but", "3", false), "like 147 others, but for line 3");
    check(like("but", "3, 7", true), "like 147 others, but for lines 3, 7");
    check(like("more", "3", false), "like 147 others, with more after line 3");
    check(like("more", "0", false), "like 147 others, with more at the beginning");
    check(like("without", "3", false), "like 147 others, without line 3");
    check(like("without", "3-5", true), "like 147 others, without lines 3-5");
    check(Phrase::StandardError, "standard error");
    check(Phrase::FileHeading { hosts: "wn[001-002]".into(), how: String::new() }, "wn[001-002]");
    check(Phrase::FileHeading { hosts: "wn001".into(), how: "exit code 3".into() }, "wn001: exit code 3");
    check(
        Phrase::NotKept { bytes: 512 },
        "512 bytes more were written here and not kept: the output is longer than what I keep of one host",
    );
    check(
        Phrase::FileGap { size: "3 MiB".into(), limit: "20 MiB".into() },
        "3 MiB left out here: a file that I attach has at most 20 MiB. Ask for fewer hosts at once, or write the output to a file there.",
    );
    check(Phrase::Cut { rest: "thread" }, "Cut here: the whole text is in the thread, as a file.");
    check(Phrase::Cut { rest: "file" }, "Cut here: the whole text is in the attached file.");
    check(Phrase::Cut { rest: "end" }, "Cut here: the rest follows at the end.");
    check(
        Phrase::Cut { rest: "lost" },
        "Cut here: the message is longer than the chat server takes, and the rest could not be attached.",
    );
    check(Phrase::WholeText, "The whole text:");
    for (why, said) in [
        ("foreign_post", "This button does not belong to this post, so nothing was done."),
        ("late", "The time of this button is over, so nothing was done."),
        (
            "replayed",
            "You have pressed a button here already, so nothing was done again. The post shows how it stands.",
        ),
        ("not_identified", "I could not find out who you are, so nothing was done. Please try again."),
        ("early", "I am still writing this post down, so nothing was done yet. Please press again in a moment."),
    ] {
        check(Phrase::PressRefused { why }, said);
    }
    for (why, said) in [
        ("unreadable", "it could not be read from my store."),
        ("refused", "the chat server does not take it."),
        ("many", "a post takes no more files."),
        ("late", "the chat server did not take it in time."),
    ] {
        let name = "log-5c61ab.txt".to_owned();
        check(Phrase::FileMissing { name, why }, &format!("The file `log-5c61ab.txt` is not attached: {said}"));
    }
    let verdict = |status, all, some, hosts: &str, by| Phrase::Verdict { status, all, some, hosts: hosts.into(), by };
    check(verdict("succeeded", 0, 0, "", ""), "done");
    check(verdict("succeeded", 1, 1, "wn001", ""), "done on wn001");
    check(verdict("succeeded", 24, 24, "wn[001-024]", ""), "done on all 24 hosts");
    check(verdict("failed", 24, 2, "wn[002-003]", ""), "failed on 2 of 24 hosts (wn[002-003])");
    check(verdict("failed", 0, 0, "", ""), "failed");
    check(verdict("timeout", 3, 3, "wn[001-003]", ""), "ran out of time on all 3 hosts");
    check(verdict("canceled", 3, 0, "", "lead"), "stopped by lead");
    check(verdict("canceled", 3, 0, "", ""), "stopped");
    check(verdict("unknown", 2, 1, "wn001", ""), "outcome unknown on 1 of 2 hosts (wn001)");
    check(verdict("running", 2, 0, "", ""), "running");
    check(verdict("canceling", 2, 0, "", ""), "being stopped");
    check(Phrase::Exit(&Exit::Code { code: 0 }), "");
    check(Phrase::Exit(&Exit::Code { code: 3 }), "exit code 3");
    check(Phrase::Exit(&Exit::Timeout), "ran out of time and was killed");
    check(Phrase::Exit(&Exit::Canceled), "was stopped");
    check(Phrase::Exit(&Exit::Unreachable { why: "no <answer>".into() }), "could not be reached: no <answer>");
    check(Phrase::Exit(&Exit::Unknown { why: "gone".into() }), "nobody knows how it ended: gone");
    check(Phrase::LeftOut { lines: 1, dropped: 0 }, "1 line is not shown here");
    check(Phrase::LeftOut { lines: 0, dropped: 0 }, "part of a long line is not shown here");
    check(
        Phrase::LeftOut { lines: 9, dropped: 7 },
        "9 lines are not shown here, and 7 bytes beyond the limit were not kept",
    );
    check(Phrase::NoOutput, "no output");
    check(
        Phrase::Exit(&Exit::Unheard { code: 0 }),
        "done, as the machine told afterwards; what it wrote meanwhile is lost",
    );
    check(
        Phrase::Exit(&Exit::Unheard { code: 3 }),
        "exit code 3, as the machine told afterwards; what it wrote meanwhile is lost",
    );
    check(Phrase::Exit(&Exit::NeverBegan { why: "not there".into() }), "never began: not there");
    check(Phrase::Exit(&Exit::Answered { status: 404, headers: BTreeMap::new() }), "status 404");
    check(
        Phrase::NoWay { missing: &[] },
        "I was restarted while it was running, and the machine cannot be asked: the way to it was not noted",
    );
    check(
        Phrase::NoWay { missing: &["private_key".to_owned(), "sudo_password".to_owned()] },
        "I was restarted while it was running, and the machine cannot be asked: the way to it needs private_key and sudo_password, which I do not keep",
    );
    check(
        Phrase::LostTwice { why: "no answer" },
        "an earlier try was lost there, and when it was to be run again it could not be: no answer",
    );
    check(
        Phrase::Again { hosts: "wn001".into(), never_began: true },
        "I was interrupted before it began on wn001, so I began it afterwards.",
    );
    check(
        Phrase::Again { hosts: String::new(), never_began: false },
        "I lost sight of it and ran it there once more, since it may be repeated without harm.",
    );
    let judged = |judgement, by, again| Phrase::Judged { judgement, by, again };
    check(judged("", "", ""), "not settled yet");
    check(judged("ran", "lead", ""), "lead says that it ran");
    check(judged("not run", "lead", ""), "lead says that it did not run");
    check(judged("again", "lead", "5c61ab"), "lead says that it is to be run again (5c61ab)");
    check(
        Phrase::BrokenWords { alias: "site.uptime", key: "result.format", why: "`x` has no value" },
        "`result.format` of the alias site.uptime does not work: `x` has no value",
    );
    check(Phrase::FixedParameter { name: "cmd" }, "`cmd` is set by this command and cannot be given");
    check(Phrase::NoAction { action: "a.b", similar: "" }, "there is no action `a.b`");
    check(Phrase::NoAction { action: "a.b", similar: "a.c" }, "there is no action `a.b`; did you mean a.c?");
    check(
        Phrase::NoLocalRole { name: "guest" },
        "guest has no role here, so nothing was done; add the name to `unix_users` of a role under [[access.roles]] in config.toml",
    );
    check(Phrase::HealthChat { username: "halcyon" }, "connected as halcyon");
    check(Phrase::HealthOther { other: "0a1b" }, "another bot (0a1b) speaks with my account: stop one of us");
    let outbox = |waiting, oldest: &str, trouble| Phrase::HealthOutbox { waiting, oldest: oldest.into(), trouble };
    check(outbox(0, "", ""), "nothing is waiting");
    check(outbox(2, "", ""), "2 deliveries are waiting");
    check(outbox(1, "2 min", "status 503"), "1 delivery is waiting, the oldest for 2 min: status 503");
    check(Phrase::HealthSsh { lost: 0, host: "", why: "" }, "no node was out of reach lately");
    check(
        Phrase::HealthSsh { lost: 2, host: "wn001", why: "connection refused" },
        "2 nodes could not be reached in the last 10 minutes, such as wn001: connection refused",
    );
    check(Phrase::HealthStopping, "is being stopped and takes nothing new");
    for (part, advice) in [
        ("chat", "`halcyon doctor` on my host tries each step of the way"),
        ("outbox", "look whether the chat server is slow or refuses; what waits is not lost"),
        ("store", "make room on the disk of `store.path`, or mend it; nothing new is begun until then"),
        ("content", "`halcyon check` tells what keeps the files out of force"),
        ("inventory", "run the command of that group by hand, as the account that I run as"),
        ("ssh", "`halcyon doctor --host NAME` on my host tries each step of the way"),
        ("freeze", "see what the old store tells, then `unfreeze`"),
        ("bot", "wait for the next start"),
    ] {
        check(Phrase::HealthAdvice { part }, advice);
    }
    check(Phrase::HealthContent { aliases: 1, actions: 2, packs: 2, problems: 0 }, "1 alias, 2 actions in 2 packs");
    check(
        Phrase::HealthContent { aliases: 3, actions: 2, packs: 2, problems: 1 },
        "3 aliases, 2 actions in 2 packs; 1 problem in files, see `halcyon check`",
    );
    check(Phrase::HealthInventory { hosts: 200, groups: 1, broken: "", why: "" }, "200 hosts, 1 group");
    check(
        Phrase::HealthInventory { hosts: 200, groups: 1, broken: "idle", why: "sinfo failed" },
        "the members of @idle are not known: sinfo failed",
    );
    let store = |free, low, refused| Phrase::HealthStore { free, reserve: "64 MiB", low, refused };
    check(store("9.1 GiB", false, ""), "9.1 GiB of room");
    check(store("", false, ""), "how much room there is cannot be told");
    check(store("17 MiB", true, ""), "only 17 MiB of room is left; nothing new is begun below 64 MiB");
    check(store("0 bytes", true, "no space left"), "it takes nothing: no space left");
    check(
        Phrase::SetAside { place: "store/damaged-1", why: "" },
        "my store was damaged and I remember nothing of what was before; the old one lies in store/damaged-1",
    );
    check(
        Phrase::SetAside { place: "store/damaged-1", why: "log/1.facts is damaged at byte 9" },
        "my store was damaged and I remember nothing of what was before (log/1.facts is damaged at byte 9); the old one lies in store/damaged-1",
    );
    check(
        Phrase::AuditSetAside { place: "store/audit.damaged-1", why: "" },
        "my audit was damaged; the old one lies in store/audit.damaged-1, and I have made it again from the facts that I still have",
    );
    check(
        Phrase::AuditSetAside { place: "store/audit.damaged-1", why: "audit/1.entries is damaged at byte 9" },
        "my audit was damaged (audit/1.entries is damaged at byte 9); the old one lies in store/audit.damaged-1, and I have made it again from the facts that I still have",
    );
}

#[test]
fn every_template_is_rendered_by_a_card() {
    let used: BTreeSet<&str> = cards().iter().map(|(_, card)| card.template()).collect();
    let known: BTreeSet<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(used, known);
}

#[test]
fn outside_text_is_harmless() {
    let check = |text: &str, escaped: &str| assert_eq!(markdown::escape(text), escaped, "{text:?}");
    check("plain words, 12:30 and a.b-c", "plain words, 12:30 and a.b-c");
    check("@all look", "@\u{200b}all look");
    check("**bold** _it_ `code`", "\\*\\*bold\\*\\* \\_it\\_ \\`code\\`");
    check(":wave: http://evil", ":\u{200b}wave: http:\u{200b}//evil");
    check("[text](http://evil)", "\\[text\\]\\(http:\u{200b}//evil\\)");
    check(":100: at 12:34:56", ":\u{200b}100: at 12:34:56");
    check("fe80::8ball:1", "fe80::\u{200b}8ball:1");
    check("two\nlines\ttab", "two lines tab");
    check("bell\u{7}", "bell\u{fffd}");
}

#[test]
fn output_cannot_leave_its_fence() {
    let check =
        |text: &str, inner: &str| assert_eq!(markdown::fence(text), format!("```text\n{inner}\n```"), "{text:?}");
    check("one\ntwo\n", "one\ntwo");
    check("```\n@all", "``\u{200b}`\n@all");
    check("``````", "``\u{200b}``\u{200b}``");
    check("\u{1b}[31mred\u{1b}[0m", "red");
    check("\u{1b}]0;title\u{7}text", "text");
    check("\u{1b}]0;a\\b\u{1b}\\text", "text");
    check("\u{1b}(Bplain\u{1b}[", "plain");
    check("\u{1b}]0;cut off\nnext\u{1b}\nline\u{1b}[1\nend", "\nnext\nline\nend");
    check("10%\r50%\r100%", "100%");
    check("windows\r\nline", "windows\nline");
    check("a\u{8}b", "b");
}

#[test]
fn mentions_are_made_of_user_names_only() {
    let check = |name: &str, said: &str| assert_eq!(markdown::mention(name), said);
    check("operator", "@operator");
    check("all", "all");
    check("here", "here");
    check("x @all", "x @\u{200b}all");
    check("", "");
}

#[test]
fn times_are_said_as_people_say_them() {
    let check = |seconds: f64, said: &str| assert_eq!(span(Duration::from_secs_f64(seconds)), said);
    check(0.0, "0.1 s");
    check(1.26, "1.3 s");
    check(10.9, "10 s");
    check(60.0, "1 min");
    check(200.0, "3 min 20 s");
    check(7_500.0, "2 h 5 min");
    check(86_400.0, "1 day");
    check(100_800.0, "1 day 4 h");
    check(273_600.0, "3 days 4 h");
}

#[test]
fn sizes_are_never_overstated() {
    let check = |bytes: u64, said: &str| assert_eq!(size(bytes), said);
    check(0, "0 bytes");
    check(1023, "1023 bytes");
    check(2047, "1 KiB");
    check((64 << 20) - 1, "63 MiB");
    check(64 << 20, "64 MiB");
    check((2 << 30) - 1, "1.9 GiB");
    check(u64::MAX, "17179869183.9 GiB");
}

#[test]
fn a_crowd_of_equal_outputs_costs_no_more_than_its_hosts() {
    let text = "x".repeat(4_000);
    let order: Vec<Host> = (0..2_000).map(|number| Host::new(format!("wn{number:04}"))).collect();
    let outcomes: BTreeMap<Host, HostOutcome> =
        order.iter().map(|host| (host.clone(), outcome(Exit::Code { code: 0 }, &text, ""))).collect();
    let folded = output::outputs(&order, &outcomes, Detail::Post, &Sentences::new());
    assert_eq!(folded.groups.len(), 1);
    assert_eq!((folded.groups[0].count, folded.groups[0].hosts.as_str()), (2_000, "wn[0000-1999]"));
    let nothing = output::outputs(&order, &BTreeMap::new(), Detail::Post, &Sentences::new());
    assert_eq!(nothing.groups, vec![], "no outcomes, nothing to show");
}
