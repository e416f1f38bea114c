//! How an execution ended or stands, at a glance and in a few words.

use crate::core::action::execution::{Execution, Status};
use crate::core::action::run::Exit;
use crate::core::approval::request::State;
use crate::core::host::fold;
use crate::core::id::Host;
use crate::core::input::Principal;
use crate::core::message::markdown::{self, shorten};
use crate::core::message::phrase::Phrase;
use crate::core::message::sentences::Sentences;

/// How many characters of a line of chat, or of a list of hosts, a card repeats.
pub const SHOWN_LINE: usize = 120;
/// How many characters of a list of hosts a verdict repeats.
const SHOWN_HOSTS: usize = 60;

/// The line that an execution came from, or its action when there was none, as inline code.
pub fn shown_line(execution: &Execution) -> String {
    let request = &execution.request;
    let line = if request.line.is_empty() { request.action.as_str() } else { &request.line };
    markdown::code(&shorten(line, SHOWN_LINE))
}

/// Hosts the short way as inline code, cut where there are very many pieces.
pub fn shown_hosts(hosts: &[Host]) -> String {
    markdown::code(&shorten(&fold(hosts), SHOWN_LINE))
}

/// The same as plain words.
pub fn shown_names(hosts: &[Host]) -> String {
    shorten(&fold(hosts), SHOWN_HOSTS)
}

/// What a person has said of an execution that ended as unknown, or that somebody has to; empty for any other.
pub fn judged(execution: &Execution, sentences: &Sentences) -> String {
    if execution.status != Status::Unknown {
        return String::new();
    }
    let judged = execution.judged.as_ref();
    let by = judged.map_or("", |judged| match &judged.by {
        Principal::ChatUser { name, .. } | Principal::LocalUser { name, .. } => name.as_str(),
        Principal::Rule { rule, .. } => rule.as_str(),
    });
    let again = judged.and_then(|judged| judged.repeated_as.as_ref()).map_or("", |id| id.short());
    sentences.phrase(&Phrase::Judged { judgement: judged.map_or("", |judged| judged.judgement.words()), by, again })
}

/// The emoji for a status.
pub fn mark(status: Status) -> &'static str {
    match status {
        Status::Requested => "lock",
        Status::Delayed => "hourglass",
        Status::Running | Status::Canceling => "hourglass_flowing_sand",
        Status::Pending => "speech_balloon",
        Status::Pausing | Status::Paused => "double_vertical_bar",
        Status::Succeeded => "white_check_mark",
        Status::Failed => "x",
        Status::Timeout => "alarm_clock",
        Status::Canceled => "no_entry",
        Status::Unknown => "question",
    }
}

/// How an execution ended or stands, in a few words.
pub fn verdict(execution: &Execution, sentences: &Sentences) -> String {
    let hosts = &execution.request.hosts;
    let about = |wanted: &dyn Fn(Option<&Exit>) -> bool| -> Vec<Host> {
        let exit = |host: &Host| execution.outcomes.get(host).map(|outcome| &outcome.exit);
        hosts.iter().filter(|host| wanted(exit(host))).cloned().collect()
    };
    let concerned = match execution.status {
        Status::Requested
        | Status::Delayed
        | Status::Running
        | Status::Pending
        | Status::Pausing
        | Status::Paused
        | Status::Canceling
        | Status::Canceled => Vec::new(),
        Status::Succeeded => hosts.clone(),
        Status::Failed => about(&|exit| exit.is_some_and(|exit| !exit.succeeded())),
        Status::Timeout => about(&|exit| matches!(exit, Some(Exit::Timeout))),
        Status::Unknown => about(&|exit| matches!(exit, None | Some(Exit::Unknown { .. }))),
    };
    // What was never approved tells how that went.
    let request = execution.approval.as_deref().filter(|request| request.state.is_final());
    let request = request.filter(|request| request.state != State::Begun);
    let by = match request.map_or(&execution.canceled_by, |request| &request.ended_by) {
        Some(Principal::ChatUser { name, .. } | Principal::LocalUser { name, .. }) => name.as_str(),
        Some(Principal::Rule { rule, .. }) => rule.as_str(),
        None => "",
    };
    let verdict = sentences.phrase(&Phrase::Verdict {
        status: request.map_or(execution.status.word(), |request| request.state.word()),
        all: hosts.len(),
        some: concerned.len(),
        hosts: shown_names(&concerned),
        by,
    });
    let judged = judged(execution, sentences);
    if judged.is_empty() { verdict } else { format!("{verdict}, {judged}") }
}
