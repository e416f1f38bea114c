//! `execution output`: all that was written on a host, byte by byte. A terminal gets it with what steers terminals escaped.

use super::daemon::Daemon;
use super::look::harmless;
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::action::run::{Captured, HostOutcome};
use crate::core::host::fold;
use crate::core::id::Host;
use crate::core::input::{Ask, OutputPart};
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(crate) fn output(
    config: &Config,
    id: &str,
    (host, stderr): (Option<String>, bool),
    file: Option<&Path>,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    let (execution, _) = daemon.execution(id)?;
    let (host, outcome) = on_host(&execution, host.as_deref())?;
    let written = if stderr { &outcome.stderr } else { &outcome.stdout };
    match file {
        Some(file) => {
            let name = harmless(&file.display().to_string());
            let failed = |why: std::io::Error| Failure::Failed(format!("{name} cannot be written: {why}"));
            let mut to = File::create(file).map_err(failed)?;
            pour(&daemon, &execution, (host, stderr, written), |piece| to.write_all(piece).map_err(failed))?;
            to.sync_all().map_err(failed)?;
        }
        None if surroundings.terminal => {
            let mut whole = Vec::new();
            pour(&daemon, &execution, (host, stderr, written), |piece| {
                whole.extend_from_slice(piece);
                Ok(())
            })?;
            write!(surroundings.out, "{}", harmless(&String::from_utf8_lossy(&whole)))?;
        }
        None => pour(&daemon, &execution, (host, stderr, written), |piece| Ok(surroundings.out.write_all(piece)?))?,
    }
    if let Captured::Blob { dropped: dropped @ 1.., .. } = written {
        writeln!(
            surroundings.err,
            "{dropped} bytes that followed were not kept: the host wrote more than is kept of one"
        )?;
    }
    Ok(())
}

/// What came of it on the host that was named, or on the only one.
fn on_host<'e>(execution: &'e Execution, wanted: Option<&str>) -> Result<(&'e Host, &'e HostOutcome), Failure> {
    let id = &execution.request.id;
    let hosts: Vec<&Host> = execution.outcomes.keys().collect();
    let told = || fold(&hosts.iter().map(|host| (*host).clone()).collect::<Vec<_>>());
    let wrong = |why: String| Err(Failure::Wrong(why));
    match (wanted, hosts.as_slice()) {
        (_, []) => wrong(format!("{id} has ended on no host yet; `halcyon execution tail {id}` follows it")),
        (None, [only]) => Ok((only, &execution.outcomes[*only])),
        (None, _) => wrong(format!("{id} ran on several hosts, name one of {}", told())),
        (Some(wanted), _) => match execution.outcomes.get_key_value(&Host::new(wanted)) {
            Some(found) => Ok(found),
            None => wrong(format!("{id} has not ended on {}, but on {}", harmless(wanted), told())),
        },
    }
}

/// Gives all of it to `take`, in order.
fn pour(
    daemon: &Daemon<'_>,
    execution: &Execution,
    (host, stderr, written): (&Host, bool, &Captured),
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (blob, bytes) = match written {
        Captured::Inline { text } => return take(text.as_bytes()),
        Captured::Blob { blob, bytes, .. } => (blob, *bytes),
    };
    let mut offset = 0;
    while offset < bytes {
        let part = OutputPart { host: host.to_string(), stderr, offset };
        let piece = daemon.piece(&Ask::Output { id: execution.request.id.to_string(), part }, blob)?;
        if piece.is_empty() {
            return Err(Failure::Failed(format!(
                "{offset} of {bytes} bytes are there, the rest of the output is gone"
            )));
        }
        take(&piece)?;
        offset += piece.len() as u64;
    }
    Ok(())
}
