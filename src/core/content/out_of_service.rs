//! Which parameters of an action name the machines that are out of service while it runs: said by tags of its file, or by a policy from outside of it.

use super::fields::{Report, Table, shorten};
use super::suggest::did_you_mean;
use crate::core::action::spec::{Action, Parameter, ParameterType};
use std::collections::BTreeMap;

/// A parameter that names machines, and where that is said.
pub(super) struct Machines {
    pub(super) parameter: String,
    line: Option<usize>,
    path: String,
}

impl Machines {
    /// What the value of a tag says.
    pub(super) fn of_tag(tag: &Table<'_>, report: &mut Report<'_>) -> Option<Self> {
        let parameter = tag.required_text("value", report)?.to_owned();
        Some(Self { parameter, line: tag.entry("value").map(|entry| entry.line), path: tag.path_of("value") })
    }

    /// Reports what keeps it from naming machines.
    pub(super) fn check(&self, parameters: &BTreeMap<String, Parameter>, report: &mut Report<'_>) {
        if let Err((why, suggestion)) = names_machines(&self.parameter, parameters) {
            report.error(self.line, &self.path, why).suggestion = suggestion;
        }
    }
}

/// Has a policy's word count for an action over its tags; gives what is wrong with that word.
pub(super) fn lay_over<'f>(
    action: &mut Action,
    file: &'f str,
    (name, line): &(String, Option<usize>),
) -> Option<Report<'f>> {
    let Err((why, suggestion)) = names_machines(name, &action.parameters) else {
        action.out_of_service = vec![name.clone()];
        return None;
    };
    let mut report = Report::new(file);
    let message = format!("in `{}`, {why}", action.reference);
    report.error(*line, "parameters.out_of_service", message).suggestion = suggestion;
    Some(report)
}

/// Why a parameter cannot be the one that names machines, and what may be meant instead.
fn names_machines(name: &str, parameters: &BTreeMap<String, Parameter>) -> Result<(), (String, Option<String>)> {
    let shown = shorten(name);
    let Some(parameter) = parameters.get(name) else {
        let suggestion = did_you_mean(name, parameters.keys().map(String::as_str));
        return Err((format!("there is no parameter `{shown}` to name the machines"), suggestion));
    };
    if !matches!(parameter.kind, None | Some(ParameterType::String | ParameterType::Array)) {
        return Err((format!("the parameter `{shown}` is neither text nor a list, so it cannot name machines"), None));
    }
    if parameter.secret {
        return Err((
            format!("the parameter `{shown}` is secret, and machines that are out of service are shown"),
            None,
        ));
    }
    Ok(())
}
