//! `audit …`: who did what. Asked of the bot that runs, or of the store when none does; `verify` and `export` read the files themselves.

use super::arguments::AuditCommand;
use super::daemon::{Daemon, odd};
use super::look::harmless;
use super::{Failure, Surroundings};
use crate::adapters::store::{self, StoreError};
use crate::app;
use crate::config::Config;
use crate::core::audit::chain::{Head, Parts, Verdict};
use crate::core::audit::entry::{Hosts, Origin};
use crate::core::audit::question::{Question, Told};
use crate::core::audit::{Entry, Filter};
use crate::core::effect::Answer;
use crate::core::input::Principal;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(crate) fn audit(
    config: &Config,
    command: AuditCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    match command {
        AuditCommand::Last { last, who, action, execution, event, json } => {
            let filter = Filter { execution, who, action, event, visible: None };
            let Told::Lines { lines, since } = ask(config, Question::Newest { most: last, filter })? else {
                return Err(Failure::Failed("the audit gave an answer to another question; this is a bug".to_owned()));
            };
            for line in &lines {
                match Parts::of(line).and_then(|parts| parts.decode()).filter(|_| !json) {
                    Some(entry) => writeln!(surroundings.out, "{}", harmless(&shown(&entry)))?,
                    None => writeln!(surroundings.out, "{line}")?,
                }
            }
            if let Some(since) = since {
                writeln!(surroundings.err, "halcyon: looked back to entry {since} only")?;
            }
            Ok(())
        }
        AuditCommand::Verify { file, checkpoint, json } => {
            let known = checkpoint.iter().map(|text| Head::read(text).ok_or_else(|| no_checkpoint(text)));
            let known = known.collect::<Result<Vec<Head>, Failure>>()?;
            let verdict = match file {
                Some(file) => store::verify_audit_lines(opened(&file)?, known)
                    .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?,
                None => app::verify_audit(config, known)?,
            };
            told(&verdict, json, surroundings)
        }
        AuditCommand::Export { from, json: _ } => {
            for line in app::export_audit(config, from) {
                writeln!(surroundings.out, "{}", line?)?;
            }
            Ok(())
        }
        AuditCommand::Checkpoint { json } => {
            let Told::Head { head } = ask(config, Question::Head)? else {
                return Err(Failure::Failed("the audit gave an answer to another question; this is a bug".to_owned()));
            };
            match json {
                true => writeln!(surroundings.out, "{}", json!({"number": head.number, "hash": head.hash}))?,
                false => writeln!(surroundings.out, "{head}")?,
            }
            Ok(())
        }
        AuditCommand::Cut { file, json } => {
            let exported = store::verify_audit_lines(opened(&file)?, Vec::new());
            let exported =
                exported.map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?;
            let (head, files) = app::cut_audit(config, &exported).map_err(|error| match error.downcast_ref() {
                Some(StoreError::InUse { .. }) => Failure::Wrong(format!("{error}; stop the bot first")),
                Some(_) => Failure::Failed(error.to_string()),
                None => Failure::Wrong(error.to_string()),
            })?;
            match json {
                true => writeln!(
                    surroundings.out,
                    "{}",
                    json!({"files": files, "through": head.number, "hash": head.hash})
                )?,
                false => writeln!(
                    surroundings.out,
                    "{files} files were removed; the audit goes on behind entry {}, whose hash is {}",
                    head.number, head.hash
                )?,
            }
            Ok(())
        }
    }
}

fn ask(config: &Config, question: Question) -> Result<Told, Failure> {
    match Daemon::new(config)?.audit(question)? {
        Answer::Audit { told } => Ok(told),
        other => Err(odd(&other)),
    }
}

fn opened(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = File::open(file);
    let opened = opened.map_err(|error| Failure::Wrong(format!("cannot open {}: {error}", file.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn no_checkpoint(text: &str) -> Failure {
    Failure::Wrong(format!(
        "`{}` is no checkpoint; it is written as number:hash, with a hash of 64 digits",
        harmless(text)
    ))
}

/// The exit code is 1 when something is wrong.
fn told(verdict: &Verdict, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let out = &mut *surroundings.out;
    let Verdict { entries, first, head, checkpoints, passed_over, flaws, more } = verdict;
    if as_json {
        let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "{:#}",
            json!({
                "sound": verdict.is_sound(), "entries": entries, "first": first, "number": head.number, "hash": head.hash,
                "checkpoints": checkpoints, "passed_over": passed_over, "flaws": flaws, "words": words, "more": more,
            })
        )?;
    } else if verdict.is_sound() {
        match entries {
            0 => writeln!(out, "the audit has no entry yet")?,
            _ => writeln!(
                out,
                "sound: {entries} entries, {first} to {}, compared with {checkpoints} checkpoints\n{head}",
                head.number
            )?,
        }
        if *passed_over > 0 {
            writeln!(out, "{passed_over} checkpoints are about entries that were removed, and say nothing")?;
        }
    } else {
        for flaw in flaws {
            writeln!(out, "{}", harmless(&flaw.to_string()))?;
        }
        if *more > 0 {
            writeln!(out, "and {more} more flaws")?;
        }
    }
    if verdict.is_sound() { Ok(()) } else { Err(Failure::Shown) }
}

/// One entry as a line for people.
fn shown(entry: &Entry) -> String {
    let mut parts = vec![
        entry.number.to_string(),
        entry.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        entry.event.word().to_owned(),
    ];
    parts.extend(entry.status.map(|status| status.word().to_owned()));
    parts.extend(entry.by.as_ref().map(|by| match by {
        Principal::ChatUser { name, id } => format!("by @{name} ({id})"),
        Principal::LocalUser { name, uid } => format!("by {name} (uid {uid})"),
        Principal::Rule { rule, instance, .. } => format!("by the rule {rule} ({instance})"),
    }));
    parts.extend(entry.execution.as_ref().map(ToString::to_string));
    parts.extend(entry.action.as_ref().map(ToString::to_string));
    let hosts = |hosts: &Hosts| format!("{} ({})", hosts.names, hosts.count);
    parts.extend(entry.hosts.as_ref().map(|on| format!("on {}", hosts(on))));
    parts.extend(entry.failed.as_ref().map(|on| format!("not on {}", hosts(on))));
    parts.extend((!entry.names.is_empty()).then(|| entry.names.join(", ")));
    parts.extend((!entry.line.is_empty()).then(|| format!("`{}`", entry.line)));
    parts.extend((!entry.reason.is_empty()).then(|| format!("({})", entry.reason)));
    parts.extend(entry.head.as_ref().map(ToString::to_string));
    if let Some(Origin::Chat { link, .. }) = &entry.from {
        parts.push(link.clone());
    }
    parts.join(" ").replace('\n', " ")
}
