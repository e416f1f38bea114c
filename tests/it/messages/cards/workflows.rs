//! What is said of workflows.

use halcyon::core::message::card::{Card, TaskCount, TaskFailure, TaskRow, WorkflowCard};
use halcyon::core::message::markdown;

fn row(mark: &'static str, task: &str, status: &'static str, hosts: &str, elapsed: &str) -> TaskRow {
    TaskRow {
        mark,
        task: task.into(),
        status,
        hosts: hosts.into(),
        attempt: 1,
        count: 1,
        elapsed: elapsed.into(),
        ..TaskRow::default()
    }
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let card = WorkflowCard {
        mark: "hourglass_flowing_sand",
        line: markdown::code("upgrade kernel on wn003"),
        id: "5c61ab".into(),
        verdict: "running".into(),
        elapsed: "2 min 10 s".into(),
        ..WorkflowCard::default()
    };
    let workflow = |card: WorkflowCard| Card::Workflow(Box::new(card));
    let rows = || {
        vec![
            row("white_check_mark", "offline", "succeeded", "", "1.2 s"),
            row("white_check_mark", "wait_until_free", "succeeded", "", "1 min 40 s"),
            TaskRow {
                attempt: 2,
                id: "77aa01".into(),
                ..row("hourglass_flowing_sand", "upgrade", "running", "wn003", "29 s")
            },
        ]
    };
    let pictured = Card::Pictured {
        id: "5c61ab".into(),
        line: markdown::code("upgrade kernel on wn003"),
        verdict: "running".into(),
        elapsed: "2 min 10 s".into(),
    };
    let no_picture = |why| Card::NoPicture { id: "5c61ab".into(), why, tasks: 2_500, most: 2_000 };
    let failure = TaskFailure {
        item: String::new(),
        task: "upgrade".into(),
        why: "wn003: exit code 1".into(),
        output: markdown::fence("Error: Unable to find a match: kernel-core"),
    };
    let ended = WorkflowCard {
        mark: "x",
        verdict: "failed".into(),
        over: true,
        rows: vec![
            row("white_check_mark", "offline", "succeeded", "", "1.2 s"),
            row("x", "upgrade", "failed", "", "12 s"),
            row("white_check_mark", "tell", "succeeded", "", "0.4 s"),
        ],
        failures: vec![failure.clone()],
        ..card.clone()
    };
    let many = WorkflowCard {
        line: markdown::code("upgrade kernel on wn[001-150]"),
        counts: vec![
            TaskCount { mark: "white_check_mark", status: "succeeded", count: 271 },
            TaskCount { mark: "hourglass_flowing_sand", status: "running", count: 27 },
            TaskCount { mark: "x", status: "failed", count: 2 },
        ],
        idle: 12,
        rows: (1..=8)
            .map(|number| {
                row(
                    "hourglass_flowing_sand",
                    &format!("upgrade_{number}"),
                    "running",
                    &format!("wn{number:03}"),
                    "1 min 2 s",
                )
            })
            .collect(),
        more: 19,
        failures: vec![TaskFailure { task: "UpgradeNodes".into(), item: "wn004".into(), ..failure.clone() }],
        failures_more: 1,
        ..card.clone()
    };
    let items = WorkflowCard {
        rows: vec![
            row("white_check_mark", "look", "succeeded", "", "3 s"),
            TaskRow {
                count: 150,
                done: 83,
                failed: 2,
                running: 8,
                ..row("hourglass_flowing_sand", "upgrade", "running", "", "12 min")
            },
            TaskRow {
                inner_done: 4,
                inner: "reboot, check".into(),
                ..row("hourglass_flowing_sand", "storage", "running", "", "2 min")
            },
            row("speech_balloon", "go_on", "pending", "", "5 s"),
            row("lock", "reboot", "requested", "wn001", "5 s"),
            row("hourglass", "later", "delayed", "", ""),
        ],
        ..card.clone()
    };
    let table = "id     | status    | task    | action        | start_timestamp\n\
                 77aa01 | succeeded | offline | site.offline  | 2026-11-23 09:00:00 UTC\n\
                 77aa02 | failed    | upgrade | site.upgrade  | 2026-11-23 09:00:02 UTC";
    vec![
        ("what stands above a picture", pictured),
        ("a picture of what is no workflow", no_picture("no_workflow")),
        ("a picture of what has not begun", no_picture("not_begun")),
        ("a picture of a workflow that cannot be read", no_picture("unreadable")),
        ("a picture of too many tasks", no_picture("too_many")),
        ("a workflow of a few tasks", workflow(WorkflowCard { rows: rows(), ..card.clone() })),
        ("a workflow that has just begun, with the words of its pack", {
            workflow(WorkflowCard { ack: "Off we go.".into(), elapsed: "0 s".into(), ..card.clone() })
        }),
        ("a workflow with items, a workflow in it, a question and an approval", workflow(items)),
        ("a workflow of three hundred tasks", workflow(many)),
        ("a workflow that is being stopped", workflow(WorkflowCard { canceling: true, rows: rows(), ..card.clone() })),
        ("a workflow that somebody paused", {
            workflow(WorkflowCard {
                mark: "double_vertical_bar",
                paused: true,
                paused_by: "lead".into(),
                rows: rows(),
                ..card.clone()
            })
        }),
        ("a workflow that waits for an answer", {
            workflow(WorkflowCard { mark: "double_vertical_bar", paused: true, ..card.clone() })
        }),
        ("a workflow that waits for the end of a freeze", {
            workflow(WorkflowCard { held: "storm on the way".into(), rows: rows(), ..card.clone() })
        }),
        ("a workflow that failed", workflow(ended.clone())),
        ("a workflow that ended well and gave something", {
            workflow(WorkflowCard {
                mark: "white_check_mark",
                verdict: "done".into(),
                over: true,
                rows: vec![row("white_check_mark", "look", "succeeded", "", "3 s")],
                output: markdown::fence("kernel: 5.14.0-427.13.1.el9_4.x86_64"),
                ..card.clone()
            })
        }),
        ("a workflow that failed by itself", {
            workflow(WorkflowCard {
                failures: vec![],
                rows: vec![],
                errors: vec![
                    "YaqlEvaluationException: tasks.look.next\\[0\\].publish (line 9): `<% result().x %>` gives no value".into(),
                ],
                remarks: vec!["approved by lead".into()],
                ..ended.clone()
            })
        }),
        ("a workflow as it is shown", {
            workflow(WorkflowCard {
                rows: vec![],
                by: "operator".into(),
                began: "Monday, 10:00".into(),
                table: markdown::fence(table),
                ..ended
            })
        }),
        ("a workflow is paused", asked("paused", "running")),
        ("a workflow goes on", asked("resumed", "paused")),
        ("what is no workflow cannot be paused", asked("no_workflow", "running")),
        ("a workflow is paused already", asked("paused_already", "paused")),
        ("a workflow is not paused", asked("not_paused", "running")),
        ("a workflow cannot be paused as it stands", asked("not_now", "being stopped")),
        ("what is no workflow cannot be run in part", refused("no_workflow", "")),
        ("a workflow that goes on cannot be run again", refused("under_way", "")),
        ("a workflow whose file has changed", refused("changed", "")),
        ("tasks that did not run", refused("not_run", "`reboot`")),
        ("nothing failed", refused("nothing", "")),
    ]
}

fn asked(said: &'static str, verdict: &str) -> Card {
    let line = markdown::code("upgrade kernel on wn003");
    Card::WorkflowAsked { id: "5c61ab".into(), line, said, verdict: verdict.into() }
}

fn refused(said: &'static str, names: &str) -> Card {
    Card::RerunRefused { id: "5c61ab".into(), said, names: names.into() }
}
