//! What is said around approvals.

use halcyon::core::message::card::{
    ApprovalCard, ApprovalEnd, ApprovalRow, Card, Decided, PlanCard, PlannedParameter, Reminder, Said, WantedApproval,
};
use halcyon::core::message::markdown;
use halcyon::core::message::turn::Awaits;

/// What a policy wants, with so many votes of two.
pub(super) fn wanted(votes: usize) -> WantedApproval {
    WantedApproval {
        policy: "site.reboot_needs_a_lead".into(),
        who: "the role lead or a member of on_call".into(),
        quorum: if votes == 0 { 1 } else { 2 },
        votes,
        voters: ["lead", "second"][..votes].join(", "),
        requester: false,
    }
}

/// A request for an approval as it is asked.
fn approval() -> ApprovalCard {
    ApprovalCard {
        state: "pending",
        request: "K3QZ".into(),
        id: "5c61ab".into(),
        line: markdown::code("reboot wn[001-002]"),
        who: "operator".into(),
        joined: String::new(),
        wants: vec![wanted(0)],
        plan: PlanCard {
            action: "site.reboot".into(),
            runner: "remote-shell-cmd".into(),
            effect: "destructive".into(),
            parameters: vec![PlannedParameter { name: "hosts".into(), value: "wn[001-002]".into() }],
            count: 2,
            hosts: markdown::code("wn[001-002]"),
            sudo: true,
            timeout: "1 min".into(),
            command: markdown::fence("reboot"),
            ..PlanCard::default()
        },
        until: "14:32 CET".into(),
        by: String::new(),
        why: String::new(),
        target: "",
        reason: false,
        frozen: String::new(),
        awaits: None,
        tried: String::new(),
        lost: String::new(),
        lost_why: "",
    }
}

fn decided(said: Said) -> Card {
    Card::Decided(Decided { request: "K3QZ".into(), line: markdown::code("reboot wn001"), ..Decided::new(said) })
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let card = |card: ApprovalCard| Card::Approval(Box::new(card));
    let line = || markdown::code("reboot wn001");
    let over = |state, by: &str, why: &str| {
        Card::Decided(Decided {
            request: "K3QZ".into(),
            state,
            by: by.into(),
            why: why.into(),
            ..Decided::new(Said::Over)
        })
    };
    let targeted =
        |said, target| Card::Decided(Decided { request: "K3QZ".into(), line: line(), target, ..Decided::new(said) });
    let end = |state, by: &str, why: &str, votes| {
        Card::ApprovalEnd(ApprovalEnd {
            who: markdown::mention("operator"),
            state,
            line: line(),
            by: by.into(),
            why: why.into(),
            votes,
        })
    };
    let row = |request: &str, approved, yours| ApprovalRow {
        request: request.into(),
        id: "5c61ab".into(),
        line: line(),
        who: "operator".into(),
        votes: 1,
        quorum: 2,
        approved,
        until: "14:32 CET".into(),
        yours,
    };
    vec![
        ("an approval is asked for", card(approval())),
        (
            "one that two policies want, with a target and a reason, half decided",
            card(ApprovalCard {
                wants: vec![wanted(1), wanted(0)],
                target: "count",
                reason: true,
                joined: "second".into(),
                lost: "third".into(),
                lost_why: "account",
                ..approval()
            }),
        ),
        (
            "one host to be named",
            card(ApprovalCard { target: "host", lost: "third".into(), lost_why: "right", ..approval() }),
        ),
        ("another try", card(ApprovalCard { tried: "Try 2 of 3, after 5c61aa.".into(), ..approval() })),
        ("an action to be named", card(ApprovalCard { target: "action", ..approval() })),
        ("approved", card(ApprovalCard { state: "approved", by: "lead".into(), ..approval() })),
        (
            "approved while frozen",
            card(ApprovalCard { state: "approved", by: "lead".into(), frozen: "storm".into(), ..approval() }),
        ),
        (
            "approved, and others go first",
            card(ApprovalCard {
                state: "approved",
                by: "lead, second".into(),
                awaits: Some(Awaits { ways: vec![super::turns::way()], longest: "1 h".into(), ..Awaits::default() }),
                ..approval()
            }),
        ),
        (
            "denied",
            card(ApprovalCard { state: "denied", by: "lead".into(), why: "not during the run".into(), ..approval() }),
        ),
        ("withdrawn", card(ApprovalCard { state: "withdrawn", by: "operator".into(), ..approval() })),
        ("expired", card(ApprovalCard { state: "expired", ..approval() })),
        ("void", card(ApprovalCard { state: "void", why: "the file of the action has changed".into(), ..approval() })),
        ("no such request", Card::Decided(Decided { request: "K3QZ".into(), ..Decided::new(Said::Unknown) })),
        (
            "a dialog decides",
            Card::DecisionDialog {
                line: line(),
                request: "K3QZ".into(),
                who: "operator".into(),
                action: "site.reboot".into(),
                count: 1,
                hosts: markdown::code("wn001"),
            },
        ),
        ("the last yes", decided(Said::Approved)),
        (
            "the last yes while frozen",
            Card::Decided(Decided {
                request: "K3QZ".into(),
                line: line(),
                frozen: "storm".into(),
                ..Decided::new(Said::Approved)
            }),
        ),
        (
            "a yes of several",
            Card::Decided(Decided { request: "K3QZ".into(), line: line(), lacking: 1, ..Decided::new(Said::Counted) }),
        ),
        ("a no", decided(Said::Denied)),
        ("a yes taken back", decided(Said::Revoked)),
        ("a request taken back", decided(Said::Withdrawn)),
        ("already approved", over("approved", "lead", "")),
        ("already begun", over("begun", "lead, second", "")),
        ("already denied", over("denied", "lead", "not now")),
        ("already withdrawn", over("withdrawn", "operator", "")),
        ("already expired", over("expired", "", "")),
        ("already void", over("void", "", "it would run on wn001 now")),
        ("a second yes", decided(Said::Voted)),
        ("no yes to take back", decided(Said::NoVote)),
        (
            "somebody who may not",
            Card::Decided(Decided {
                request: "K3QZ".into(),
                line: line(),
                who: "the role lead".into(),
                ..Decided::new(Said::MayNot)
            }),
        ),
        ("one's own request", decided(Said::OwnRequest)),
        (
            "another's request",
            Card::Decided(Decided {
                request: "K3QZ".into(),
                line: line(),
                by: "operator".into(),
                ..Decided::new(Said::NotTheirs)
            }),
        ),
        ("a reason is missing", targeted(Said::Why, "host")),
        ("a no without a reason", decided(Said::DenyWhy)),
        ("a host is missing", targeted(Said::Target, "host")),
        ("a number is missing", targeted(Said::Target, "count")),
        ("an action is missing", targeted(Said::Target, "action")),
        ("another host", targeted(Said::OtherTarget, "host")),
        ("another number", targeted(Said::OtherTarget, "count")),
        (
            "a reminder",
            Card::Reminder(Reminder {
                who: markdown::mention("lead"),
                line: line(),
                request: "K3QZ".into(),
                by: "operator".into(),
                left: "7 min 30 s".into(),
                target: "host",
            }),
        ),
        ("a yes is lost", Card::VoteLost { name: "lead".into(), why: "account", line: line(), request: "K3QZ".into() }),
        ("told of a no", end("denied", "lead", "not during the run", 0)),
        ("told of a withdrawal", end("withdrawn", "lead", "", 0)),
        ("told of an expiry", end("expired", "", "", 1)),
        ("told that it is void", end("void", "", "the file of the action has changed since it was asked for", 1)),
        (
            "asked for by another",
            Card::AskedAlready { line: line(), request: "K3QZ".into(), who: "operator".into(), id: "5c61ab".into() },
        ),
        (
            "asked for before",
            Card::AskedAlready { line: line(), request: "K3QZ".into(), who: String::new(), id: "5c61ab".into() },
        ),
        ("asked elsewhere", Card::AskedElsewhere { line: line(), request: "K3QZ".into(), channel: "cluster".into() }),
        ("too many requests", Card::TooManyRequests { line: line(), most: 20 }),
        (
            "nobody decides",
            Card::NobodyDecides {
                line: line(),
                policy: "site.reboot_needs_a_lead".into(),
                who: "the role lead".into(),
                there: 0,
                quorum: 1,
            },
        ),
        (
            "not enough decide",
            Card::NobodyDecides {
                line: line(),
                policy: "site.reboot_needs_a_lead".into(),
                who: "the role lead".into(),
                there: 1,
                quorum: 2,
            },
        ),
        ("nobody can be asked", Card::CannotAsk { line: line(), turn: false }),
        ("nobody may wait without a way to the chat server", Card::CannotAsk { line: line(), turn: true }),
        (
            "a secret cannot wait",
            Card::SecretCannotWait { line: line(), names: vec!["pass".into()], why: "there is no master key".into() },
        ),
        ("open requests", Card::Approvals { rows: vec![row("K3QZ", false, true), row("M7TX", true, false)], more: 2 }),
        ("no open requests", Card::Approvals { rows: vec![], more: 0 }),
    ]
}
