//! The answers to commands that only look.

use super::turns::{delayed_row, way};
use halcyon::core::message::card::{
    Card, Help, HelpLine, HelpPack, ListRow, PackRow, PlanCard, PlannedParameter, PlannedTask, StatusPart,
};
use halcyon::core::message::markdown;
use halcyon::core::message::turn::{PolicyLine, PolicyRow, Way};

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        (
            "help",
            Card::Help(Help {
                query: String::new(),
                address: "@halcyon".into(),
                prefix: "!…".into(),
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
                beyond: 0,
                next: String::new(),
            }),
        ),
        (
            "help that finds nothing",
            Card::Help(Help {
                query: "kernel".into(),
                address: "@halcyon".into(),
                prefix: String::new(),
                packs: vec![],
                own: vec![],
                nothing: true,
                page: 1,
                pages: 1,
                beyond: 0,
                next: String::new(),
            }),
        ),
        (
            "a page of help",
            Card::Help(Help {
                query: "kernel".into(),
                address: "@halcyon".into(),
                prefix: String::new(),
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
                beyond: 0,
                next: "help kernel 3".into(),
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
                        name: "ssh".into(),
                        works: true,
                        says: "wn001 could not be reached in the last 10 minutes: it refuses connections".into(),
                        since: String::new(),
                        advice: "`halcyon doctor --host NAME` on my host tries each step of the way".into(),
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
                approvals: 1,
                delayed: 2,
                turns: vec![
                    delayed_row("5c61ab", "waits for 5c61aa on wn001"),
                    delayed_row("5c61ac", "waits for 5c61aa (site.two_at_once) and 1 other"),
                ],
                waiting: 1,
                frozen: String::new(),
            },
        ),
        (
            "status while frozen",
            Card::Status {
                healthy: true,
                parts: vec![],
                running: 0,
                approvals: 0,
                delayed: 0,
                turns: vec![],
                waiting: 0,
                frozen: "a storm is on the way".into(),
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
        (
            "the packs, for an administrator",
            Card::Packs {
                in_force: vec![
                    PolicyRow {
                        policy: "site.two_at_once".into(),
                        says: "at most 2 at once".into(),
                        actions: vec!["site.reboot".into(), "site.update_packages".into()],
                        more: 2,
                    },
                    PolicyRow {
                        policy: "site.again".into(),
                        says: "tried again after a failure, up to 2 times".into(),
                        actions: vec!["core.http".into()],
                        more: 0,
                    },
                ],
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
                effect: "destructive".into(),
                parameters: vec![
                    PlannedParameter { name: "pass".into(), value: "********".into() },
                    PlannedParameter { name: "word".into(), value: "a | *b*".into() },
                ],
                defaults: vec![
                    PlannedParameter { name: "at_a_time".into(), value: "3".into() },
                    PlannedParameter { name: "deciders".into(), value: "[]".into() },
                ],
                count: 3,
                hosts: markdown::code("wn[001-003]"),
                user: "root".into(),
                sudo: true,
                timeout: "1 min".into(),
                command: markdown::fence("login --password ********"),
                tasks: vec![],
                tasks_more: 0,
                further: 2,
                off: true,
                guards: vec!["policies/login.yaml".into()],
                approvals: vec![super::approvals::wanted(0)],
                policies: vec![
                    PolicyLine { policy: "site.two_at_once".into(), threshold: 2, ..PolicyLine::default() },
                    PolicyLine {
                        policy: "site.one_per_service".into(),
                        threshold: 1,
                        attributes: vec!["service".into(), "rack".into()],
                        cancels: true,
                        ..PolicyLine::default()
                    },
                    PolicyLine {
                        policy: "site.again".into(),
                        retry_on: "failure".into(),
                        times: 2,
                        delay: "10 s".into(),
                        ..PolicyLine::default()
                    },
                ],
                ways: vec![way(), Way { doubt: true, ..way() }],
                frozen: "storm on the way".into(),
            }),
        ),
        (
            "what a line without a command would do",
            Card::Plan(PlanCard {
                line: markdown::code("rest"),
                action: "core.pause".into(),
                runner: "pause".into(),
                effect: "read-only".into(),
                parameters: vec![],
                defaults: vec![],
                count: 0,
                hosts: String::new(),
                user: String::new(),
                sudo: false,
                timeout: String::new(),
                command: String::new(),
                tasks: vec![],
                tasks_more: 0,
                further: 0,
                off: false,
                guards: vec![],
                approvals: vec![],
                policies: vec![],
                ways: vec![],
                frozen: String::new(),
            }),
        ),
        (
            "what a line would do that starts a workflow",
            Card::Plan(PlanCard {
                line: markdown::code("upgrade kernel on wn003"),
                action: "site.kernel_upgrade".into(),
                runner: "orquesta".into(),
                effect: "destructive".into(),
                tasks: vec![
                    PlannedTask { name: "offline".into(), action: "site.offline".into() },
                    PlannedTask { name: "sort_out".into(), action: String::new() },
                ],
                tasks_more: 3,
                ..PlanCard::default()
            }),
        ),
        ("a command of the bot that starts nothing", Card::NothingToPlan { line: "status".into() }),
    ]
}
