//! `status` and `reload`: the running bot itself.

use super::daemon::{Daemon, odd};
use super::look::harmless;
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::effect::{Answer, HealthPart};
use crate::core::input::Ask;
use serde_json::json;

/// Tells which part of the path works. The exit code is 1 when one does not.
pub(crate) fn status(config: &Config, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let answer = Daemon::new(config)?.ask(&Ask::Health)?;
    let Answer::Health { healthy, parts } = answer else { return Err(odd(&answer)) };
    let out = &mut *surroundings.out;
    if as_json {
        writeln!(out, "{:#}", json!({"healthy": healthy, "parts": parts}))?;
    } else {
        for part in &parts {
            writeln!(out, "{}", harmless(&line(part)))?;
        }
    }
    if healthy { Ok(()) } else { Err(Failure::Shown) }
}

fn line(part: &HealthPart) -> String {
    let stands = match (part.works, part.advice.is_empty()) {
        (true, true) => "ok",
        (true, false) => "look",
        (false, _) => "FAIL",
    };
    let mut line = format!("{stands:<4}  {:<10} {}", part.name, part.says);
    if let Some(since) = part.since {
        line += &format!(" (since {})", since.strftime("%Y-%m-%d %H:%M:%S UTC"));
    }
    if !part.advice.is_empty() {
        line += &format!("\n      {:<10} {}", "", part.advice);
    }
    line
}

/// Has the running bot read its configuration and the packs again. The exit code is 1 when what it read is not in force.
pub(crate) fn reload(config: &Config, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let answer = Daemon::new(config)?.ask(&Ask::Reload)?;
    let Answer::Reloaded { in_force, changed, restart, problems, text: _ } = answer else { return Err(odd(&answer)) };
    let out = &mut *surroundings.out;
    if as_json {
        let value = json!({"in_force": in_force, "changed": changed, "restart": restart, "problems": problems});
        writeln!(out, "{value:#}")?;
    } else {
        match (in_force, changed.is_empty()) {
            (true, true) => writeln!(out, "read again; nothing that is in force has changed")?,
            (true, false) => writeln!(out, "changed and in force: {}", changed.join(", "))?,
            (false, _) => writeln!(out, "not in force, because of mistakes; nothing has changed")?,
        }
        if !restart.is_empty() {
            writeln!(out, "in force only after a restart: {}", restart.join(", "))?;
        }
        for problem in &problems {
            writeln!(out, "{}", harmless(problem))?;
        }
    }
    if in_force { Ok(()) } else { Err(Failure::Shown) }
}
