//! `run` and `execution list|get|graph|cancel|rerun|settle`.

use super::arguments::{Run, Settlement};
use super::daemon::{Daemon, LAST, odd};
use super::look::{self, harmless, spoken};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::action::execution::{Judgement, Status};
use crate::core::effect::Answer;
use crate::core::id::{ActionRef, ExecutionId};
use crate::core::input::Ask;
use crate::core::picture::svg::svg;
use crate::runtime::painting;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The first wait between two looks at an execution; each is twice the one before, up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// The longest wait between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(config: &Config, run: Run, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let parameters = parameters(&run.parameters)?;
    let ask = Ask::Run { action: ActionRef::new(run.action), parameters, trace_tag: run.trace_tag };
    start(config, &ask, run.detach, run.json, surroundings)
}

pub(crate) fn rerun(
    config: &Config,
    (id, from): (String, Vec<String>),
    detach: bool,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let id = if id == LAST { Daemon::new(config)?.last()? } else { id };
    let ask = match from.as_slice() {
        [] => Ask::Rerun { id },
        [failed] if failed == "failed" => Ask::RerunFrom { id, tasks: Vec::new() },
        _ => Ask::RerunFrom { id, tasks: from },
    };
    start(config, &ask, detach, as_json, surroundings)
}

/// `graph ID`: draws to a file by its ending, or SVG to the standard output.
pub(crate) fn graph(
    config: &Config,
    id: String,
    output: Option<&Path>,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let ending = output.map(|file| file.extension().and_then(|ending| ending.to_str()).unwrap_or_default());
    if let Some(file) = output
        && !matches!(ending, Some("svg" | "png"))
    {
        let file = harmless(&file.display().to_string());
        return Err(Failure::Wrong(format!("{file} ends neither in .svg nor in .png, which are the kinds of picture")));
    }
    let daemon = Daemon::new(config)?;
    let id = if id == LAST { daemon.last()? } else { id };
    let picture = match daemon.ask(&Ask::Graph { id })? {
        Answer::Picture { picture } => picture,
        other => return Err(odd(&other)),
    };
    if as_json {
        writeln!(surroundings.out, "{:#}", json!(picture))?;
        return Ok(());
    }
    let Some(file) = output else {
        write!(surroundings.out, "{}", svg(&picture).svg)?;
        return Ok(());
    };
    let bytes = match ending {
        Some("png") => painting::paint(&picture).map_err(|why| Failure::Failed(why.to_string()))?,
        _ => svg(&picture).svg.into_bytes(),
    };
    std::fs::write(file, bytes).map_err(|why| {
        Failure::Failed(format!("{} cannot be written: {why}", harmless(&file.display().to_string())))
    })?;
    Ok(())
}

/// `pause ID`, `resume ID`: says what came of it.
pub(crate) fn pause_or_resume(
    config: &Config,
    id: &str,
    pause: bool,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let ask = match pause {
        true => Ask::Pause { id: id.to_owned() },
        false => Ask::Resume { id: id.to_owned() },
    };
    match Daemon::new(config)?.ask(&ask)? {
        Answer::Done { text } if as_json => writeln!(surroundings.out, "{}", json!({"id": id, "message": text}))?,
        Answer::Done { text } => writeln!(surroundings.out, "{}", spoken(&text))?,
        other => return Err(odd(&other)),
    }
    Ok(())
}

pub(crate) fn list(
    config: &Config,
    last: usize,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let executions = Daemon::new(config)?.newest(last)?;
    let list: Vec<_> = executions.iter().map(look::stackstorm).collect();
    if as_json {
        writeln!(surroundings.out, "{:#}", Value::Array(list))?;
    } else if list.is_empty() {
        writeln!(surroundings.out, "No matching items found")?;
    } else {
        writeln!(surroundings.out, "{}", look::execution_list(&list, (surroundings.now)()))?;
    }
    Ok(())
}

pub(crate) fn get(
    config: &Config,
    id: &str,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let (execution, _) = Daemon::new(config)?.execution(id)?;
    show(&look::stackstorm(&execution), as_json, surroundings)
}

pub(crate) fn cancel(
    config: &Config,
    ids: &[String],
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    for id in ids {
        match daemon.ask(&Ask::Cancel { id: id.clone() })? {
            Answer::Done { text } if as_json => writeln!(surroundings.out, "{}", json!({"id": id, "message": text}))?,
            Answer::Done { text } => writeln!(surroundings.out, "{}", spoken(&text))?,
            other => return Err(odd(&other)),
        }
    }
    Ok(())
}

pub(crate) fn settle(
    config: &Config,
    id: &str,
    judgement: Settlement,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let judgement = match judgement {
        Settlement::Ran => Judgement::Ran,
        Settlement::NotRun => Judgement::NotRun,
        Settlement::Again => Judgement::Again,
    };
    match Daemon::new(config)?.ask(&Ask::Settle { id: id.to_owned(), judgement })? {
        Answer::Done { text } if as_json => writeln!(surroundings.out, "{}", json!({"id": id, "message": text}))?,
        Answer::Done { text } => writeln!(surroundings.out, "{}", spoken(&text))?,
        other => return Err(odd(&other)),
    }
    Ok(())
}

/// Asks for an execution and sees it to its end.
fn start(
    config: &Config,
    ask: &Ask,
    detach: bool,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let mut daemon = Daemon::new(config)?;
    // What shall outlive this command needs a bot that does too.
    let answer = if detach { daemon.ask(ask)? } else { daemon.ask_or_be_the_bot(ask)? };
    let id = match answer {
        Answer::Started { id } => id,
        other => return Err(odd(&other)),
    };
    if detach {
        let text = if as_json { json!({"id": id}).to_string() } else { id.to_string() };
        writeln!(surroundings.out, "{text}")?;
        return Ok(());
    }
    let status = wait(&daemon, &id, as_json, surroundings).map_err(|failure| match failure {
        Failure::Failed(why) => {
            Failure::Failed(format!("{why}\n{id} was started; `halcyon execution get {id}` tells how it ended"))
        }
        other => other,
    })?;
    match status {
        Status::Succeeded => Ok(()),
        Status::Failed | Status::Timeout | Status::Canceled | Status::Unknown => Err(Failure::Shown),
        Status::Requested
        | Status::Delayed
        | Status::Running
        | Status::Pending
        | Status::Pausing
        | Status::Paused
        | Status::Canceling => {
            unreachable!("waited for a final status")
        }
    }
}

fn wait(
    daemon: &Daemon<'_>,
    id: &ExecutionId,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<Status, Failure> {
    let mut pause = FIRST_LOOK;
    let mut told = false;
    loop {
        let (execution, _) = daemon.live(id)?;
        if let (false, true, Some(request)) = (told, execution.status.waits(), &execution.approval) {
            told = true;
            let (code, until) = (&request.code, request.until);
            writeln!(surroundings.err, "halcyon: {id} waits for an approval as {code}, until {until:.0}")?;
        }
        if execution.status.is_final() {
            show(&look::stackstorm(&execution), as_json, surroundings)?;
            return Ok(execution.status);
        }
        if daemon.interrupted_within(pause) {
            if !daemon.is_the_bot() {
                let id = &execution.request.id;
                let sentence = format!("{id} goes on; `halcyon execution cancel {id}` stops it");
                return Err(Failure::Failed(sentence));
            }
            writeln!(surroundings.err, "halcyon: stopping {}", execution.request.id)?;
            daemon.ask(&Ask::Cancel { id: id.to_string() })?;
        }
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

fn show(execution: &Value, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    if as_json {
        writeln!(surroundings.out, "{execution:#}")?;
    } else {
        writeln!(surroundings.out, "{}", look::execution_text(execution, (surroundings.now)()))?;
    }
    Ok(())
}

/// `key=value` as the shell gave it. Values stay text; the action's schema makes of them what they should be.
/// `key=value` words.
pub(crate) fn parameters(written: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    let mut parameters = BTreeMap::new();
    for word in written {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => (key, value),
            _ => {
                let sentence = format!("`{}` is not of the form key=value", harmless(word));
                return Err(Failure::Wrong(format!("{sentence}; a value with blanks needs quotes: cmd=\"uname -a\"")));
            }
        };
        if parameters.insert(key.to_owned(), Value::from(value)).is_some() {
            return Err(Failure::Wrong(format!("`{}` is given twice", harmless(key))));
        }
    }
    Ok(parameters)
}
