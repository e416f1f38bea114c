//! `may`: whether somebody may do something, and by which rule.

use super::arguments::May;
use super::daemon::{Daemon, odd};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::effect::Answer;
use crate::core::input::Ask;
use serde_json::json;

/// What a chat shows as pictures, as a terminal does.
const SIGNS: [(&str, &str); 4] = [
    (":white_check_mark: ", ""),
    (":no_entry: ", ""),
    (":heavy_check_mark: ", "yes: "),
    (":heavy_multiplication_x: ", "no: "),
];

/// Who is in which channel and group is known to the bot that runs alone, so nobody else is asked. Exits with 1 when they may not.
pub(crate) fn may(config: &Config, asked: May, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let May { user, channel, line, json: as_json } = asked;
    let channel = channel.map(|name| name.trim_start_matches(['~', '#']).to_owned());
    let answer = Daemon::new(config)?.ask(&Ask::May { user, channel, line: line.join(" ") })?;
    let Answer::May { allowed, action, roles, reasons, approvals, text } = &answer else { return Err(odd(&answer)) };
    if as_json {
        let shown = json!({
            "allowed": allowed, "action": action, "roles": roles, "grants": reasons, "approvals": approvals,
        });
        writeln!(surroundings.out, "{shown:#}")?;
    } else {
        let text = SIGNS.iter().fold(text.clone(), |text, (sign, word)| text.replace(sign, word));
        writeln!(surroundings.out, "{}", super::look::harmless(text.trim_end()))?;
    }
    if *allowed { Ok(()) } else { Err(Failure::Shown) }
}
