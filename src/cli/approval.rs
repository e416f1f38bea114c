//! `approval list|approve|deny|revoke|withdraw`: as the chat user that the caller stands for (`[access.unix_users]`).

use super::daemon::{Daemon, odd};
use super::look::{harmless, spoken};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::approval::Verdict;
use crate::core::effect::Answer;
use crate::core::host::fold;
use crate::core::input::Ask;
use serde_json::json;

pub(crate) fn list(config: &Config, as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let requests = match Daemon::new(config)?.ask(&Ask::Approvals)? {
        Answer::Approvals { requests } => requests,
        other => return Err(odd(&other)),
    };
    if as_json {
        writeln!(surroundings.out, "{:#}", json!(requests))?;
        return Ok(());
    }
    if requests.is_empty() {
        writeln!(surroundings.out, "No matching items found")?;
    }
    for request in requests {
        let what = if request.line.is_empty() { &request.action } else { &request.line };
        let hosts = if request.hosts.is_empty() { String::new() } else { format!(" on {}", fold(&request.hosts)) };
        let votes = format!("{} of {}", request.votes.len(), request.quorum);
        let line = format!(
            "{}  {}  {} ({}{hosts})  by {}  {votes}  until {:.0}",
            request.code, request.state, what, request.action, request.by, request.until
        );
        writeln!(surroundings.out, "{}", harmless(&line))?;
    }
    Ok(())
}

pub(crate) fn decide(
    config: &Config,
    of: &str,
    verdict: Verdict,
    words: &[String],
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let ask = Ask::Decide { of: of.to_owned(), verdict, words: words.join(" ") };
    match Daemon::new(config)?.ask(&ask)? {
        Answer::Done { text } if as_json => writeln!(surroundings.out, "{}", json!({"code": of, "message": text}))?,
        Answer::Done { text } => writeln!(surroundings.out, "{}", spoken(&text))?,
        other => return Err(odd(&other)),
    }
    Ok(())
}
