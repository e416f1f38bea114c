//! What is said of rules.

use halcyon::core::message::card::{Card, RuleCard, RuleOutcome, RuleRow, RuleTold};
use halcyon::core::message::markdown;

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let row = RuleRow {
        name: "site.orphans".into(),
        trigger: "check_mk.event_handler".into(),
        action: "site.kill_orphans".into(),
        enabled: true,
        dry_run: false,
        offer: String::new(),
        rests: false,
        count: 3,
        last: "5 min".into(),
        outcome: "started",
    };
    let never = RuleRow {
        name: "site.quiet|`odd`".into(),
        enabled: false,
        count: 0,
        last: String::new(),
        outcome: "",
        ..row.clone()
    };
    let dry = RuleRow { name: "site.careful".into(), dry_run: true, count: 1, outcome: "would-run", ..row.clone() };
    let offering = RuleRow {
        name: "site.offering".into(),
        offer: "Restart the service".into(),
        outcome: "offered",
        ..row.clone()
    };
    let tired = RuleRow { name: "site.tired".into(), rests: true, outcome: "refused", ..row.clone() };
    let card = RuleCard {
        name: "site.orphans".into(),
        description: "Kills orphan processes *at once*".into(),
        enabled: true,
        trigger: "check_mk.event_handler".into(),
        criteria: vec!["trigger.service.state equals \"CRITICAL\"".into(), "trigger.host.name regex \"^wn0\"".into()],
        action: "site.kill_orphans".into(),
        parameters: "```\nhosts: {{trigger.host.name}}\n```".into(),
        may: true,
        file: "rules/orphans.yaml".into(),
        count: 3,
        last: vec![
            RuleOutcome { ago: "5 min".into(), outcome: "started", id: "5c61ab".into(), why: String::new() },
            RuleOutcome {
                ago: "1 h".into(),
                outcome: "refused",
                id: String::new(),
                why: markdown::prose("`trigger.host.name` may not contain `;`, @all"),
            },
        ],
        ..RuleCard::default()
    };
    let bare = RuleCard {
        name: "site.back".into(),
        enabled: false,
        switched_by: "lead".into(),
        switched: "2 h".into(),
        backstop: true,
        dry_run: true,
        trigger: "t.pushed".into(),
        action: "core.noop".into(),
        ..RuleCard::default()
    };
    let offers = RuleCard { offer: "Restart the *service*".into(), ..card.clone() };
    let rehearsing = RuleCard { dry_run: true, ..offers.clone() };
    let resting = RuleCard { rests: 3, ..card.clone() };
    let told = |what: &'static str| RuleTold { rule: "site.orphans".into(), what, ..RuleTold::default() };
    let fell = |what, why: &str| {
        Card::RuleTold(RuleTold { action: "site.kill_orphans".into(), why: markdown::prose(why), ..told(what) })
    };
    vec![
        ("rules", Card::Rules { rows: vec![row, never, dry, tired, offering], more: 2 }),
        ("no rules", Card::Rules { rows: vec![], more: 0 }),
        ("a rule", Card::Rule(Box::new(card))),
        ("a rule that offers", Card::Rule(Box::new(offers))),
        ("a rule that would offer", Card::Rule(Box::new(rehearsing))),
        ("a rule that rests", Card::Rule(Box::new(resting))),
        ("a rule of which nothing came, that may do nothing", Card::Rule(Box::new(bare))),
        ("a rule switched on", Card::RuleTold(told("enabled"))),
        ("a rule switched off", Card::RuleTold(told("disabled"))),
        ("a rule that is on already", Card::RuleTold(told("enabled_already"))),
        ("a rule that acts again", Card::RuleTold(told("reset"))),
        ("a rule that did not rest", Card::RuleTold(told("reset_already"))),
        ("a rule rests from now on", Card::RuleTold(RuleTold { why: "3".into(), ..told("rests") })),
        ("a rule that is off already", Card::RuleTold(told("disabled_already"))),
        (
            "a rule that only tells",
            Card::RuleTold(RuleTold {
                action: "site.kill_orphans".into(),
                parameters: "```\nhosts: wn001\n```".into(),
                ..told("would_run")
            }),
        ),
        ("a rule that only tells what it would offer", fell("would_offer", "")),
        (
            "a rule that only tells, without parameters",
            Card::RuleTold(RuleTold { action: "core.noop".into(), ..told("would_run") }),
        ),
        ("a rule that failed", fell("failed", "`cmd` cannot be had: `trigger.no` has no value")),
        ("a rule that was refused", fell("refused", "`trigger.host.name` may not contain `;` @all")),
        (
            "a rule that is not there",
            Card::RuleTold(RuleTold { why: markdown::prose("there is no rule `orphan`"), ..RuleTold::default() }),
        ),
    ]
}
