//! What an action's `entry_point` names: a script with its library, or a workflow.

use super::fields::Report;
use super::parsed::Parsed;
use super::{PackSource, SourceFile};
use crate::core::action::spec::{Script, Workflow};
use crate::core::workflow::orquesta::{self, Unloadable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workflow of an action. All that is wrong with it is told under its own file, and keeps the action out of force.
pub(super) fn workflow(
    source: &PackSource,
    entry_point: &str,
    line: usize,
    report: &mut Report<'_>,
    parsed: &mut Parsed,
) -> Option<Arc<Workflow>> {
    let inside = format!("actions/{entry_point}");
    let Some(file) = source.files.iter().find(|file| file.inside == inside) else {
        report.error(Some(line), "entry_point", format!("there is no file {inside} in the pack"));
        return None;
    };
    let text = match &file.text {
        Ok(text) => text.clone(),
        Err(why) => {
            report.error(Some(line), "entry_point", format!("the workflow {} cannot be read: {why}", file.shown));
            return None;
        }
    };
    let read = |report: &mut Report<'_>| {
        let mut problems = match orquesta::read(&file.shown, &text, &orquesta::HANDED_DOWN) {
            Ok(Ok(graph)) => {
                let graph = Arc::new(graph);
                return Some(Arc::new(Workflow { file: file.shown.clone(), text: text.clone(), graph }));
            }
            Ok(Err(inspection)) => inspection.diagnostics(&file.shown),
            Err(Unloadable(diagnostics)) => diagnostics,
        };
        report.diagnostics.append(&mut problems);
        None
    };
    let workflow = parsed.workflows.read(&source.directory, file, report, read);
    if workflow.is_none() {
        let message = format!("the workflow {} has mistakes, so this action is not in force", file.shown);
        report.error(Some(line), "entry_point", message);
    }
    workflow
}

/// The script of an action with its library, out of the files of its pack.
pub(super) fn script(source: &PackSource, entry_point: &str) -> Result<Script, String> {
    /// What a script and its library may weigh together: they travel with every command.
    const MOST: usize = 2 << 20;
    let text_of = |file: &SourceFile| match &file.text {
        Ok(text) if text.contains('\0') => {
            Err(format!("the script {} holds zero bytes: it is a program and not a text", file.shown))
        }
        Ok(text) => Ok(text.clone()),
        Err(why) => Err(format!("the script {} cannot be read: {why}", file.shown)),
    };
    let inside = format!("actions/{entry_point}");
    let file = source.files.iter().find(|file| file.inside == inside);
    let text = text_of(file.ok_or_else(|| format!("there is no file {inside} in the pack"))?)?;
    let mut library = BTreeMap::new();
    for file in &source.files {
        if let Some(path) = file.inside.strip_prefix("actions/lib/") {
            library.insert(path.to_owned(), text_of(file)?);
        }
    }
    let weight = text.len() + library.values().map(String::len).sum::<usize>();
    if weight > MOST {
        return Err(format!("the script and the pack's actions/lib are longer than {MOST} bytes together"));
    }
    let pack = (!source.is_built_in()).then(|| source.shown.clone());
    Ok(Script { entry_point: entry_point.to_owned(), text, library, pack })
}
