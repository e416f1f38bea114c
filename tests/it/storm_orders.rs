//! What people have the monitoring do about a storm as a whole: one order, one answer, and what becomes of the storm, of its rules and of those who are called. Each story is played twice: by
//! one process, and by one that is killed before every step.

use crate::storms::{HEAL, check_where};
use halcyon::config::{Config, Environment};
use halcyon::core::alert::escalation::Escalation;
use std::path::Path;

const STEPS: &str = "[[escalation.steps]]\nafter = 900\nusers = ['operator']\n";

fn written(text: &str) -> Escalation {
    let config = Config::parse(Path::new("/etc/halcyon/config.toml"), text, &Environment::new());
    config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings(0).escalation
}

#[test]
fn what_is_asked_for_about_a_storm_is_one_order() {
    let begins = "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007,se01 DOWN";
    check_where(
        "storm_orders",
        &written(STEPS),
        &[
            (
                "taken on, by one order; what rules would do stays held; nobody is called; what was over in a downtime is found",
                &[("rules/heal.yaml", HEAL)],
                false,
                &[
                    begins,
                    "wait 1",
                    "say ack storm the switch is being replaced",
                    "wait 1",
                    "shows but wn003",
                    "wait 1",
                    "say ack storm",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 120",
                    "wait 1000",
                    "say ack storm",
                    "say downtime storm 2h",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "over wn001,wn002",
                    "wait 1",
                    "say downtime storm off",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "say unack storm",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 900",
                    "say storm go",
                    "wait 1",
                ],
            ),
            (
                "where nobody takes it on people are called",
                &[],
                false,
                &[
                    begins,
                    "wait 1",
                    "wait 120",
                    "wait 900",
                    "say downtime storm 2h",
                    "wait 1",
                    "shows",
                    "wait 1",
                    "wait 3000",
                ],
            ),
            (
                "an alert that is taken on stops the steps, and one that is given back, as is seen, begins them anew",
                &[],
                false,
                &[
                    "PROBLEM wn001 DOWN",
                    "wait 300",
                    "say ack wn001",
                    "shows",
                    "wait 3000",
                    "say unack wn001",
                    "shows",
                    "wait 899",
                    "wait 1",
                ],
            ),
            ("where there is no storm", &[], false, &["say ack storm", "say downtime storm 2h"]),
        ],
        true,
    );
}
