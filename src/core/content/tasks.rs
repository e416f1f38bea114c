//! Whether the actions that the tasks of workflows name are there.
//!
//! **That one is not there is no error**: the pack that has it may be loaded later, and what is found when the task's turn comes counts. So it is
//! told as a warning, at the line of the task, and the workflow is in force.

use super::diagnostic::Diagnostic;
use super::fields::Report;
use crate::core::action::spec::{Action, Workflow};
use crate::core::id::ActionRef;
use crate::core::workflow::expression::Tree;
use std::collections::BTreeMap;

/// Tells of tasks that name an action which is not there. What an expression comes to is known only when it runs.
pub(super) fn warnings(
    actions: &BTreeMap<ActionRef, Action>,
    known: impl Fn(&ActionRef) -> Result<(), String>,
) -> Vec<Diagnostic> {
    // Several actions can have one workflow.
    let workflows: BTreeMap<&str, &Workflow> =
        actions.values().filter_map(|action| action.workflow.as_ref()).map(|it| (it.file.as_str(), &**it)).collect();
    let mut found = Vec::new();
    for (file, workflow) in workflows {
        let mut report = Report::new(file);
        for node in &workflow.graph.nodes {
            let Some(Tree::Fixed(action)) = &node.action else { continue };
            let Some(Err(why)) = action.as_str().map(|action| known(&ActionRef::new(action))) else { continue };
            report.warning(Some(node.line), &format!("tasks.{}.action", node.name), why);
        }
        found.append(&mut report.diagnostics);
    }
    found
}
