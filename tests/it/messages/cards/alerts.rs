//! What is said of problems that the monitoring tells of.

use halcyon::core::message::card::{
    AlertCard, AlertHolder, AlertLine, AlertOffer, AlertRemedy, AlertRow, Card, MonitoringTold, OfferTold, StormCard,
};
use halcyon::core::message::markdown;

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let open = AlertCard {
        state: "critical",
        host: "`wn042.example.org`".into(),
        service: "Filesystem /scratch".into(),
        site: "hep".into(),
        output: "Used: 97.10% - 1.75 TiB of 1.80 TiB (warn/crit at 80.00%/90.00% used)(!!)".into(),
        since: "13:31 UTC".into(),
        ..AlertCard::default()
    };
    let down = AlertCard {
        state: "down",
        service: String::new(),
        output: "@all *look* `here` | [now](http://x) ![](http://y)".into(),
        ..open.clone()
    };
    let taken =
        AlertCard { is_acknowledged: true, acknowledged: ("operator".into(), "I *see* to it".into()), ..open.clone() };
    let nameless = AlertCard {
        state: "warning",
        is_acknowledged: true,
        in_downtime: true,
        downtime: ("lead".into(), String::new()),
        flapping: true,
        output: String::new(),
        ..open.clone()
    };
    let remedy =
        |id: &str, state| AlertRemedy { id: id.into(), rule: "site.orphans".into(), state, ..AlertRemedy::default() };
    let wanted = |id: &str, state| AlertRemedy {
        label: "Restart the *service*".into(),
        by: "operator".into(),
        rule: String::new(),
        ..remedy(id, state)
    };
    let healing = AlertCard { remedies: vec![remedy("5c61ab", "runs"), remedy("5c61aa", "failed")], ..open.clone() };
    let tried = AlertCard {
        remedies: ["waits", "canceled", "timeout", "unknown"].map(|state| remedy("5c61ac", state)).to_vec(),
        ..open.clone()
    };
    let offer = |label: &str, code: &str| AlertOffer {
        label: label.into(),
        line: format!("heal {code}"),
        action: "site.service_restart".into(),
    };
    let offers = vec![offer("Restart the *service*", "K3QZ"), offer("Clean up", "7XWA")];
    let offered = AlertCard { offers: offers.clone(), more: 1, ask: "alerts wn042.example.org".into(), ..open.clone() };
    let taken_up = AlertCard {
        remedies: ["waits", "runs", "failed"].map(|state| wanted("5c61ad", state)).to_vec(),
        more: 2,
        ask: "alerts wn042.example.org".into(),
        ..open.clone()
    };
    let order = |order: &str, state, why: &str| AlertRemedy {
        order: order.into(),
        by: "lead".into(),
        why: why.into(),
        rule: String::new(),
        ..remedy("5c61ae", state)
    };
    let asked = AlertCard {
        remedies: vec![
            order("acknowledge", "runs", ""),
            order("downtime", "waits", ""),
            order("recheck", "runs", ""),
            order("remove_downtime", "canceled", ""),
        ],
        ..open.clone()
    };
    let not_done = AlertCard {
        remedies: vec![
            order("downtime", "failed", "the monitoring refuses: Host not found @all (400)"),
            order("acknowledge", "timeout", "the monitoring took it, but does not show it after 60 s"),
            order("remove_acknowledgement", "unknown", ""),
            order("comment", "failed", ""),
            order("move_downtime", "timeout", ""),
        ],
        ..open.clone()
    };
    let stale = AlertCard { not_asked: "13:02 UTC".into(), unknown: true, ..open.clone() };
    let silent = MonitoringTold {
        name: "hep".into(),
        silent: true,
        since: "13:02 UTC".into(),
        why: "the monitoring cannot be asked: connection refused".into(),
        left_out: 0,
    };
    let told = |what| OfferTold { what, code: "K3QZ".into(), ..OfferTold::default() };
    let named = |what| Card::OfferTold(OfferTold { id: "5c61ad".into(), ..told(what) });
    let over = AlertCard {
        state: "recovered",
        output: "Used: 41.10% - 0.74 TiB of 1.80 TiB".into(),
        recovered: "13:36 UTC".into(),
        lasted: "5 min".into(),
        remedies: vec![remedy("5c61ab", "succeeded")],
        ..open.clone()
    };
    let holder = |action: &str, who: &str, over| {
        let (id, action, who) = ("5c61ad".into(), action.into(), who.into());
        AlertCard { out_of_service: vec![AlertHolder { id, action, who, over }], ..open.clone() }
    };
    let line = |turn: &'static str, state: &'static str| AlertLine {
        turn,
        state,
        output: "it says so".into(),
        ..AlertLine::default()
    };
    let said = |turn, who: &str, comment: &str| {
        Card::AlertLine(AlertLine { who: who.into(), comment: comment.into(), ..line(turn, "critical") })
    };
    let elsewhere = |turn, service: &str| {
        let (host, service) = ("`wn042`".into(), service.into());
        Card::AlertLine(AlertLine { host, service, lasted: "5 min".into(), ..line(turn, "critical") })
    };
    let row = AlertRow {
        state: "critical",
        host: "`wn042`".into(),
        service: "Filesystem /scratch".into(),
        output: "Used: 97.10%".into(),
        lasts: "5 min".into(),
        ..AlertRow::default()
    };
    let quiet =
        AlertRow { state: "down", service: String::new(), acknowledged: true, in_downtime: true, ..row.clone() };
    let helped = AlertRow { offers, ..row.clone() };
    let odd = AlertRow { state: "unreachable", flapping: true, output: String::new(), ..quiet.clone() };
    let held = AlertRow { out_of_service: true, ..row.clone() };
    let list = |rows: Vec<AlertRow>, more, about: &str| {
        let none = rows.is_empty();
        Card::Alerts { storms: Vec::new(), rows, none, more, about: about.to_owned() }
    };
    let storms = |storm: &StormCard, rows| Card::Alerts {
        storms: vec![storm.clone()],
        rows,
        none: false,
        more: 0,
        about: String::new(),
    };
    let (rising, calm) = super::storms::told();
    let mut cards = vec![
        ("a problem", Card::Alert(Box::new(open.clone()))),
        ("a machine that is down, and says odd things", Card::Alert(Box::new(down))),
        ("a problem that somebody has taken on", Card::Alert(Box::new(taken))),
        ("a problem in downtime that comes and goes", Card::Alert(Box::new(nameless))),
        ("a problem for which rules have begun something", Card::Alert(Box::new(healing))),
        ("a problem for which a rule wants to do something", Card::Alert(Box::new(tried))),
        ("a problem for which something is offered", Card::Alert(Box::new(offered))),
        ("a problem for which somebody has begun something", Card::Alert(Box::new(taken_up))),
        ("an offer is taken", named("begun")),
        ("an offer is taken, and waits", named("waits")),
        ("an offer that has been taken", named("runs")),
        ("an offer for what is over", Card::OfferTold(told("over"))),
        ("an offer that was another", Card::OfferTold(told("old"))),
        ("an offer that is gone", Card::OfferTold(told("gone"))),
        ("an offer that is for others", Card::OfferTold(told("no_right"))),
        ("an offer that nobody makes", Card::OfferTold(told("unknown"))),
        (
            "an offer that cannot be had",
            Card::OfferTold(OfferTold { why: markdown::prose("`cmd` may not contain `;` @all"), ..told("refused") }),
        ),
        (
            "a problem on a machine that is out of service",
            Card::Alert(Box::new(holder("site.mend", "operator", false))),
        ),
        ("a problem on a machine that somebody else has", Card::Alert(Box::new(holder("", "", false)))),
        ("a problem that began out of service", Card::Alert(Box::new(holder("site.mend", "", true)))),
        ("a problem that began while somebody else had it", Card::Alert(Box::new(holder("", "", true)))),
        ("a problem that broke in a storm", Card::Alert(Box::new(AlertCard { storm_holds: true, ..open.clone() }))),
        ("a problem of which something was asked of the monitoring", Card::Alert(Box::new(asked))),
        ("a problem of which the monitoring did not do what was asked", Card::Alert(Box::new(not_done))),
        ("a problem that may be out of date", Card::Alert(Box::new(stale))),
        ("a monitoring that cannot be asked", Card::MonitoringTold(silent)),
        (
            "a monitoring that can be asked again",
            Card::MonitoringTold(MonitoringTold { name: "hep".into(), ..MonitoringTold::default() }),
        ),
        (
            "a monitoring that left alerts out",
            Card::MonitoringTold(MonitoringTold { name: "lab".into(), left_out: 12, ..MonitoringTold::default() }),
        ),
        ("a problem that is over", Card::Alert(Box::new(over))),
        ("it is back", Card::AlertLine(line("back", "critical"))),
        ("a problem in another thread", elsewhere("opened", "Filesystem /scratch")),
        ("a machine in another thread", elsewhere("opened", "")),
        ("a problem that gets its post", elsewhere("posted", "Filesystem /scratch")),
        ("it is over in another thread", elsewhere("recovered", "Filesystem /scratch")),
        ("it is worse", Card::AlertLine(line("changed", "critical"))),
        ("it is over", Card::AlertLine(AlertLine { lasted: "5 min".into(), ..line("recovered", "recovered") })),
        (
            "it was found to be over",
            Card::AlertLine(AlertLine { lasted: "5 min".into(), ..line("found_over", "recovered") }),
        ),
        ("nobody has it any more", said("given_back", "", "")),
        ("somebody has taken it on", said("acknowledged", "operator", "I *see* to it")),
        ("nobody knows who has taken it on", said("acknowledged", "", "")),
        ("a downtime begins", said("downtime_begun", "lead", "new disks")),
        ("a downtime is over", said("downtime_over", "", "")),
        ("it comes and goes", said("flapping_begun", "", "")),
        ("it has come to rest", Card::AlertLine(line("flapping_over", "warning"))),
        ("somebody says something of it", said("said", "operator", "@all look")),
        ("something is told late", said("late", "", "")),
        ("problems", list(vec![row.clone(), quiet, odd, held], 2, "")),
        ("problems, with what is offered", list(vec![helped], 0, "wn042")),
        ("problems of a storm, by their machines", list(vec![AlertRow { storm: true, ..row.clone() }], 0, "wn042")),
        ("problems of a storm, and others", storms(&rising, vec![row.clone()])),
        ("problems of a storm that is calm, and no others", storms(&calm, Vec::new())),
        ("no problems", list(Vec::new(), 0, "")),
        ("no problems on a machine", list(Vec::new(), 0, "wn042")),
    ];
    for (name, state) in [("it is unknown", "unknown"), ("it is up", "up"), ("it is well", "ok")] {
        cards.push((name, Card::AlertLine(line("flapping_over", state))));
    }
    cards
}
