//! Who may do what, and by which rule.

use halcyon::core::access::explain::{self as access, Outcome};
use halcyon::core::access::names::Named;
use halcyon::core::message::card::{Card, MayCard, MovedName};
use halcyon::core::message::markdown;

fn reason(outcome: Outcome, argument: &str, value: &str, wanted: &str) -> access::Reason {
    access::Reason {
        role: "operator".into(),
        grant: "run:site.*".into(),
        written: "config.toml:131".into(),
        outcome,
        argument: argument.into(),
        value: value.into(),
        wanted: wanted.into(),
    }
}

fn may(allowed: bool, reasons: Vec<access::Reason>) -> MayCard {
    MayCard {
        line: markdown::code("upgrade kernel on wn001"),
        who: String::new(),
        allowed,
        action: "site.kernel_upgrade".into(),
        roles: vec!["operator".into()],
        problem: String::new(),
        reasons,
        channels: vec![],
        guards: vec![],
    }
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        (
            "names that mean somebody else",
            Card::NamesMoved {
                names: vec![MovedName::new(Named::User, "lead"), MovedName::new(Named::Channel, "leads")],
            },
        ),
        ("nobody of that name", Card::NoUser { name: "nobody".into() }),
        (
            "may, once approved",
            Card::May(MayCard {
                guards: vec!["site.kernel_upgrade_needs_a_lead".into()],
                ..may(true, vec![reason(Outcome::Holds, "", "", "")])
            }),
        ),
        (
            "may not, and why",
            Card::May(may(
                false,
                vec![
                    reason(Outcome::Argument, "hosts", "se01", "wn[001-050]"),
                    reason(Outcome::Argument, "service", "", "slurm*"),
                    reason(Outcome::Elsewhere, "", "", "cluster"),
                    reason(Outcome::AtOtherTimes, "", "", "mon-fri 08:00-20:00 Europe/Berlin"),
                    reason(Outcome::OtherVerb, "", "", ""),
                ],
            )),
        ),
        (
            "somebody else may not, without a grant",
            Card::May(MayCard { who: markdown::code("operator"), ..may(false, vec![]) }),
        ),
        (
            "may not, for what nobody could",
            Card::May(MayCard {
                problem: markdown::prose("there is no host `wn999`"),
                channels: vec!["storage".into(), "@direct".into()],
                roles: vec![],
                ..may(false, vec![])
            }),
        ),
    ]
}
