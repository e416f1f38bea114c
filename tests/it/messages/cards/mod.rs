//! Every kind of card at least once; where one template says different things, once for each.

use halcyon::core::message::card::Card;

mod access;
mod alerts;
mod approvals;
mod audit;
mod executions;
mod inquiries;
mod itself;
mod lines;
mod looks;
mod rules;
mod schedule;
mod sensors;
mod storms;
mod turns;
mod values;
mod workflows;

/// All of them, each with what it is said for.
pub(super) fn cards() -> Vec<(&'static str, Card)> {
    let areas = [
        access::cards,
        approvals::cards,
        audit::cards,
        executions::cards,
        inquiries::cards,
        lines::cards,
        looks::cards,
        alerts::cards,
        storms::cards,
        rules::cards,
        sensors::cards,
        schedule::cards,
        itself::cards,
        turns::cards,
        values::cards,
        workflows::cards,
    ];
    areas.iter().flat_map(|cards| cards()).collect()
}
