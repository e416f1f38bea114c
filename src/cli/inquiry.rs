//! `inquiry list|get|respond`: what executions ask people, as StackStorm's client shows it.

use super::arguments::InquiryCommand;
use super::daemon::{Daemon, odd};
use super::look::harmless;
use super::{Failure, Surroundings, execution};
use crate::config::Config;
use crate::core::effect::{Answer, OpenInquiry};
use crate::core::input::Ask;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn inquiry(
    config: &Config,
    command: InquiryCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    match command {
        InquiryCommand::List { json } => {
            let open = open(&daemon, None)?;
            if json {
                writeln!(surroundings.out, "{:#}", open.iter().map(stackstorm).collect::<Value>())?;
            } else if open.is_empty() {
                writeln!(surroundings.out, "No matching items found")?;
            }
            for inquiry in open.iter().filter(|_| !json) {
                writeln!(surroundings.out, "{}", line(inquiry))?;
            }
        }
        InquiryCommand::Get { id, json } => match open(&daemon, Some(id))?.as_slice() {
            [inquiry] if json => writeln!(surroundings.out, "{:#}", stackstorm(inquiry))?,
            [inquiry] => {
                writeln!(surroundings.out, "{}", line(inquiry))?;
                for (name, value) in
                    stackstorm(inquiry).as_object().into_iter().flatten().filter(|(name, _)| *name != "id")
                {
                    writeln!(surroundings.out, "{name}: {}", harmless(&value.to_string()))?;
                }
            }
            _ => return Err(Failure::Wrong("several inquiries have such an id; write more of it".to_owned())),
        },
        InquiryCommand::Respond { id, response, values, json } => {
            let mut given = execution::parameters(&values)?;
            if let Some(response) = response {
                let response: BTreeMap<String, Value> = serde_json::from_str(&response)
                    .map_err(|problem| Failure::Wrong(format!("the response is no JSON object: {problem}")))?;
                given.extend(response);
            }
            match daemon.ask(&Ask::Respond { id: id.clone(), response: given })? {
                Answer::Started { id } if json => writeln!(surroundings.out, "{}", json!({"id": id}))?,
                Answer::Started { id } => writeln!(surroundings.out, "Response accepted for inquiry {id}.")?,
                other => return Err(odd(&other)),
            }
        }
    }
    Ok(())
}

fn open(daemon: &Daemon<'_>, id: Option<String>) -> Result<Vec<OpenInquiry>, Failure> {
    match daemon.ask(&Ask::Inquiries { id })? {
        Answer::Inquiries { inquiries } => Ok(inquiries),
        other => Err(odd(&other)),
    }
}

fn line(inquiry: &OpenInquiry) -> String {
    let until = inquiry.until.map_or_else(String::new, |until| format!(", until {until:.0}"));
    format!("{}  {}  {}{until}", inquiry.id, inquiry.code, harmless(inquiry.action.as_str()))
}

/// The fields of StackStorm's API, and the code.
fn stackstorm(inquiry: &OpenInquiry) -> Value {
    let mut shown = json!({"id": inquiry.id, "code": inquiry.code});
    for (name, value) in &inquiry.result {
        shown[name] = value.clone();
    }
    shown
}
