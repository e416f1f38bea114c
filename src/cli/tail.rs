//! `execution tail`: the output of an execution as it comes.
//!
//! The bot keeps the newest lines only, so what comes faster than we look is missed; that is said where it happens, and the end shows what
//! was kept of it.

use super::daemon::Daemon;
use super::look::{self, harmless};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::action::run::Captured;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// The wait between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// A live line is cut to so many characters by the runner.
const LIVE_LINE: usize = 500;

pub(crate) fn tail(
    config: &Config,
    id: &str,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    let (mut execution, mut live) = daemon.execution(id)?;
    let id = execution.request.id.clone();
    let mut page = Page { out: surroundings.out, as_json, before: Vec::new(), shown: BTreeMap::new() };
    if !as_json {
        writeln!(page.out, "Execution {id} has started.\n")?;
    }
    while !execution.status.is_final() {
        page.live(&live)?;
        page.out.flush()?;
        daemon.pause(PAUSE);
        (execution, live) = daemon.live(&id)?;
    }
    page.rest(&execution)?;
    let status = execution.status.word();
    if as_json {
        writeln!(page.out, "{}", json!({"id": id, "status": status}))?;
    } else {
        writeln!(page.out, "\nExecution {id} has completed (status={status}).")?;
    }
    Ok(())
}

/// What has been printed so far.
struct Page<'o> {
    out: &'o mut dyn Write,
    as_json: bool,
    /// The lines of the look before.
    before: Vec<String>,
    /// How often each line has been printed.
    shown: BTreeMap<String, usize>,
}

impl Page<'_> {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let line = harmless(line);
        if self.as_json { writeln!(self.out, "{}", json!({"line": line})) } else { writeln!(self.out, "{line}") }
    }

    /// Prints what is new in the newest lines.
    fn live(&mut self, lines: &[String]) -> io::Result<()> {
        let known = (0..=lines.len().min(self.before.len()))
            .rev()
            .find(|known| self.before.get(self.before.len() - known..) == lines.get(..*known))
            .unwrap_or(0);
        if known == 0 && !self.before.is_empty() && !lines.is_empty() {
            self.line("[lines may be missing here: they came faster than they could be followed]")?;
        }
        for line in lines.iter().skip(known) {
            *self.shown.entry(line.clone()).or_default() += 1;
            self.line(line)?;
        }
        self.before = lines.to_vec();
        Ok(())
    }

    /// Prints what was kept of the output and has not been seen live.
    fn rest(&mut self, execution: &Execution) -> io::Result<()> {
        for (host, outcome) in &execution.outcomes {
            for captured in [&outcome.stdout, &outcome.stderr] {
                for text in look::output(captured).lines() {
                    let line = format!("{host}: {}", bare(text));
                    match self.shown.get_mut(&line) {
                        Some(count) if *count > 0 => *count -= 1,
                        _ => self.line(&format!("{host}: {text}"))?,
                    }
                }
            }
            if let Captured::Blob { lines, bytes, .. } = &outcome.stdout {
                self.line(&format!("{host}: [{}, {bytes} bytes in all]", look::counted_lines(*lines)))?;
            }
        }
        Ok(())
    }
}

/// A line as the runner shows it live.
fn bare(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(LIVE_LINE).collect()
}
