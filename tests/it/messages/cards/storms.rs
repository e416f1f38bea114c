//! What is said of so many problems at once that they are told as one.

use halcyon::core::message::card::{
    AlertRow, Card, EscalatedCard, StormCard, StormLine, StormOrder, StormRow, StormTold,
};

/// A storm at its height, and one that has become calm.
pub(super) fn told() -> (StormCard, StormCard) {
    let lone = StormRow {
        state: "down",
        group: "storage".into(),
        hosts: "`se01`".into(),
        count: 1,
        open: 1,
        output: "No IP packet *received* for 16.112 s @all".into(),
        ..StormRow::default()
    };
    let workers = StormRow {
        state: "down",
        group: "workers".into(),
        hosts: "`wn[001-147]`".into(),
        count: 150,
        open: 147,
        taken: 2,
        ..StormRow::default()
    };
    let rack = StormRow {
        state: "unreachable",
        group: "rack07".into(),
        hosts: "`bmc[01-24]`".into(),
        count: 24,
        open: 24,
        whole: true,
        ..StormRow::default()
    };
    let service = StormRow {
        state: "critical",
        group: String::new(),
        service: "NFS /data".into(),
        hosts: "`ui[01-03]`".into(),
        count: 3,
        open: 3,
        ..StormRow::default()
    };
    let gone = StormRow {
        state: "recovered",
        group: "login".into(),
        hosts: "`ui[01-04]`".into(),
        count: 4,
        mixed: true,
        ..StormRow::default()
    };
    let lone_gone = StormRow { state: "recovered", open: 0, output: String::new(), ..lone.clone() };
    let rising = StormCard {
        state: "rising",
        count: 182,
        open: 175,
        gone: 7,
        taken: 2,
        since: "13:31 UTC".into(),
        last: "13:34 UTC".into(),
        lasted: "3 min 12 s".into(),
        rows: vec![lone, workers.clone(), rack, service, gone, lone_gone],
        more: 5,
        rules: "held",
        held: 12,
        at_work: 1,
        who: vec!["lead".into(), "oncall".into()],
        button: true,
        ..StormCard::default()
    };
    let calm = StormCard {
        state: "calm",
        count: 150,
        open: 147,
        gone: 3,
        rows: vec![workers],
        rules: "released",
        released_by: "lead".into(),
        more: 0,
        ..rising.clone()
    };
    (rising, calm)
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let (rising, calm) = told();
    let order = |order: &str, state, count| StormOrder {
        order: order.into(),
        by: "operator".into(),
        id: "ab12cd".into(),
        state,
        count,
    };
    let words = ["remove_acknowledgement", "downtime", "move_downtime", "remove_downtime", "comment", "recheck"];
    let mut orders: Vec<StormOrder> = words.into_iter().map(|word| order(word, "runs", 1)).collect();
    orders.push(order("acknowledge", "waits", 173));
    let asked = StormCard { orders, ..rising.clone() };
    let workers = calm.rows[0].clone();
    let first = StormCard {
        count: 11,
        open: 11,
        gone: 0,
        taken: 0,
        rows: vec![StormRow { hosts: "`wn[001-011]`".into(), count: 11, open: 11, taken: 0, ..workers.clone() }],
        more: 0,
        held: 0,
        at_work: 0,
        who: Vec::new(),
        button: false,
        ..rising.clone()
    };
    let back = StormRow { state: "recovered", hosts: "`wn[001-150]`".into(), open: 0, taken: 0, ..workers.clone() };
    let all_back =
        StormCard { count: 150, open: 0, gone: 150, taken: 0, rows: vec![back.clone()], rules: "", ..first.clone() };
    let over = StormCard { state: "over", lasted: "14 min".into(), ..all_back.clone() };
    let left = StormCard {
        state: "over",
        open: 1,
        gone: 149,
        rows: vec![StormRow { hosts: "`wn042`".into(), open: 1, taken: 0, ..workers.clone() }],
        apart: "`wn042`".into(),
        apart_count: 1,
        rules: "held",
        held: 1,
        who: vec!["lead".into()],
        ..over.clone()
    };
    let two = StormCard { apart: "`wn[042-043]`".into(), apart_count: 2, open: 2, gone: 148, ..left.clone() };
    let went_on = StormCard { state: "went_on", rules: "", ..calm.clone() };
    let went_on_over = StormCard { state: "went_on", ..all_back.clone() };
    let storm = |card: &StormCard| Card::Storm(Box::new(card.clone()));
    let line = |turn: &'static str| StormLine {
        turn,
        count: 150,
        open: 1,
        gone: 149,
        hosts: "`wn042`".into(),
        time: "5 min".into(),
        ..StormLine::default()
    };
    let row = AlertRow {
        state: "critical",
        host: "`wn042`".into(),
        service: "Filesystem /scratch".into(),
        output: "Used: 97.10% @all".into(),
        lasts: "5 min".into(),
        ..AlertRow::default()
    };
    let called = EscalatedCard { who: "@operator @oncall".into(), lasts: "15 min".into(), ..EscalatedCard::default() };
    let alone = EscalatedCard { rows: vec![row.clone()], ..called.clone() };
    let several = EscalatedCard {
        rows: vec![row.clone(), AlertRow { state: "down", service: String::new(), output: String::new(), ..row }],
        more: 3,
        held_back: true,
        ..called.clone()
    };
    let nobody = EscalatedCard { who: String::new(), unknown: vec!["ghost".into()], ..alone.clone() };
    let of_storm = EscalatedCard { storm: 150, open: 147, ..called.clone() };
    let of_one = EscalatedCard { storm: 150, open: 1, held_back: true, ..called };
    let calls = |card: EscalatedCard| Card::Escalated(Box::new(card));
    let told = |what: &'static str| StormTold { what, ..StormTold::default() };
    vec![
        ("a storm begins", storm(&first)),
        ("a storm at its height", storm(&rising)),
        ("a storm of which the monitoring is asked something", storm(&asked)),
        ("a storm of which all is over by now", storm(&all_back)),
        ("after a storm", storm(&calm)),
        ("a storm is over", storm(&over)),
        ("a storm is over but for one", storm(&left)),
        ("a storm is over but for two", storm(&two)),
        ("a storm goes on in another", storm(&went_on)),
        ("a storm that was over and goes on in another", storm(&went_on_over)),
        (
            "the post of a machine in a storm",
            Card::StormLine(StormLine { link: "/_redirect/pl/p1".into(), ..line("part") }),
        ),
        (
            "the post of a service in a storm",
            Card::StormLine(StormLine { service: "NFS /data".into(), ..line("part") }),
        ),
        ("it is seen to be a storm", Card::StormLine(StormLine { count: 10, apart: 10, ..line("begun") })),
        ("it is seen to be a storm, after one", Card::StormLine(StormLine { count: 1, apart: 1, ..line("begun") })),
        ("it is seen to be a storm at once", Card::StormLine(StormLine { count: 0, ..line("begun") })),
        ("somebody lets rules act", Card::StormLine(StormLine { who: "lead".into(), ..line("released") })),
        (
            "and what comes of that",
            Card::StormLine(StormLine {
                who: "lead".into(),
                begun: 10,
                refused: 2,
                why: "it has acted 10× within an hour, which is as often as it may".into(),
                ..line("released")
            }),
        ),
        ("a storm is calm", Card::StormLine(StormLine { open: 12, gone: 138, ..line("calm") })),
        ("a storm is over, says its thread", Card::StormLine(StormLine { open: 0, gone: 150, ..line("over") })),
        ("and what is left", Card::StormLine(StormLine { apart: 1, ..line("over") })),
        ("and what is left out of service", Card::StormLine(line("over"))),
        ("rules are let go", Card::StormTold(told("released"))),
        ("rules are let go that would have acted", Card::StormTold(StormTold { held: 12, ..told("released") })),
        ("rules are to be let go and there is no storm", Card::StormTold(told("none"))),
        ("rules are to be let go and there are none", Card::StormTold(told("no_rules"))),
        ("rules have been let go", Card::StormTold(StormTold { by: "lead".into(), ..told("already") })),
        ("rules are let go by others", Card::StormTold(StormTold { who: vec!["lead".into()], ..told("not_yours") })),
        ("nobody may let rules go", Card::StormTold(told("not_yours"))),
        ("nobody has touched a problem", calls(alone)),
        ("nobody has touched problems", calls(several)),
        ("nobody has touched a problem, and nobody is there to be called", calls(nobody)),
        ("nobody has touched a storm", calls(of_storm)),
        ("nobody has touched what is left of a storm", calls(of_one)),
    ]
}
