//! `test`: whether what packs say of their workflows and aliases holds, without anything that runs.

use super::look::harmless;
use super::{Failure, Surroundings};
use crate::app::{self, Played, TriedExample};
use crate::config::Config;
use crate::core::content::diagnostic::Severity;
use crate::core::rehearsal::{Complaint, Step};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How many steps of a failed play are shown; the last ones tell why.
const STEPS: usize = 40;

pub(crate) fn test(
    paths: &[PathBuf],
    config: Option<&Config>,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let done = app::rehearse(paths, config).map_err(|why| Failure::Wrong(format!("{why:#}")))?;
    for problem in &done.problems {
        writeln!(surroundings.err, "{}", harmless(&problem.to_string()))?;
    }
    let spoilt = done.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let spoilt: BTreeSet<&str> = spoilt.map(|problem| problem.file.as_str()).collect();
    let failed_lines = done.examples.iter().filter(|tried| tried.complaint.is_some()).count();
    let failed_plays = done.plays.iter().filter(|played| !played.verdict.complaints.is_empty()).count();
    let failed = failed_lines + failed_plays;
    if as_json {
        let told: Value = done.examples.iter().map(line_value).chain(done.plays.iter().map(play_value)).collect();
        writeln!(surroundings.out, "{told:#}")?;
    } else {
        for tried in &done.examples {
            show_line(tried, surroundings)?;
        }
        for played in &done.plays {
            show_play(played, surroundings)?;
        }
        let (plays, lines) = (done.plays.len(), done.examples.len());
        let mistakes = match spoilt.len() {
            0 => String::new(),
            1 => "; 1 file has mistakes".to_owned(),
            several => format!("; {several} files have mistakes"),
        };
        writeln!(surroundings.out, "{plays} rehearsals, {lines} lines of chat, {failed} failed{mistakes}")?;
    }
    if failed > 0 || !spoilt.is_empty() {
        return Err(Failure::Shown);
    }
    if done.plays.is_empty() && done.examples.is_empty() {
        return Err(Failure::Wrong("the files hold nothing to try".to_owned()));
    }
    Ok(())
}

/// One line of chat, and what came instead.
pub(crate) fn show_line(tried: &TriedExample, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let out = &mut *surroundings.out;
    let say = harmless(&tried.say).replace('\n', "⏎");
    match &tried.complaint {
        None => writeln!(out, "ok      {say}")?,
        Some((expected, got)) => {
            writeln!(out, "FAILED  {say}    ({}:{})", tried.file, tried.line)?;
            writeln!(out, "        expected {}", harmless(expected))?;
            writeln!(out, "        got      {}", harmless(got))?;
        }
    }
    Ok(())
}

/// One line of chat in JSON.
pub(crate) fn line_value(tried: &TriedExample) -> Value {
    let (expected, got) = tried.complaint.clone().unzip();
    json!({
        "file": tried.file, "line": tried.line, "say": tried.say,
        "ok": tried.complaint.is_none(), "expected": expected, "got": got,
    })
}

fn show_play(played: &Played, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let out = &mut *surroundings.out;
    let name = harmless(&played.name).replace('\n', "⏎");
    let verdict = &played.verdict;
    if verdict.complaints.is_empty() {
        writeln!(out, "ok      {name}")?;
        return Ok(());
    }
    writeln!(out, "FAILED  {name}    ({}:{})", played.file, played.line)?;
    for complaint in &verdict.complaints {
        let place = format!("{}:{}", played.file, complaint.line());
        match complaint {
            Complaint::Differs { about, expected, got, .. } => {
                writeln!(out, "        {place}: {}", harmless(about))?;
                writeln!(out, "          expected {}", harmless(expected))?;
                writeln!(out, "          got      {}", harmless(got))?;
            }
            Complaint::Trouble { message, .. } => writeln!(out, "        {place}: {}", harmless(message))?,
        }
    }
    let before = verdict.steps.len().saturating_sub(STEPS);
    writeln!(out, "        what happened:{}", if verdict.steps.is_empty() { " nothing" } else { "" })?;
    if before > 0 {
        writeln!(out, "          … {before} steps before")?;
    }
    for step in verdict.steps.iter().skip(before) {
        writeln!(out, "          {}", harmless(&step.to_string()).replace('\n', "⏎"))?;
    }
    Ok(())
}

fn play_value(played: &Played) -> Value {
    let complaints = played.verdict.complaints.iter().map(|complaint| match complaint {
        Complaint::Differs { line, about, expected, got } => {
            json!({"line": line, "about": about, "expected": expected, "got": got})
        }
        Complaint::Trouble { line, message } => json!({"line": line, "message": message}),
    });
    json!({
        "file": played.file, "line": played.line, "name": played.name,
        "ok": played.verdict.complaints.is_empty(),
        "complaints": complaints.collect::<Value>(),
        "steps": played.verdict.steps.iter().map(step_value).collect::<Value>(),
    })
}

fn step_value(step: &Step) -> Value {
    match step {
        Step::Starts { task, route, item, action, input, delay } => json!({
            "event": "starts", "task": task, "route": route, "item": item.as_ref().map(|(number, _)| number),
            "action": action, "input": input, "delay": delay,
        }),
        Step::Ends { task, route, item, status, result } => json!({
            "event": "ends", "task": task, "route": route, "item": item, "status": status, "result": result,
        }),
        Step::Asked { what, refused } => json!({"event": "asked", "what": what, "refused": refused}),
        Step::Erred { message } => json!({"event": "error", "message": message}),
        Step::Stands { status } => json!({"event": "stands", "status": status}),
    }
}
