//! `freeze` and `unfreeze`: told to the bot that runs.

use super::daemon::{Daemon, odd};
use super::look::spoken;
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::effect::Answer;
use crate::core::input::Ask;
use serde_json::json;

/// Freezes with a reason, unfreezes without.
pub(crate) fn change(
    config: &Config,
    reason: Option<String>,
    json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let frozen = reason.is_some();
    let ask = reason.map_or(Ask::Unfreeze, |reason| Ask::Freeze { reason });
    match Daemon::new(config)?.ask(&ask)? {
        Answer::Done { text } if json => writeln!(surroundings.out, "{}", json!({"frozen": frozen, "text": text}))?,
        Answer::Done { text } => writeln!(surroundings.out, "{}", spoken(&text))?,
        other => return Err(odd(&other)),
    }
    Ok(())
}
