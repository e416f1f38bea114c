//! From the parameters of a mail to the mail. They are those of StackStorm's `core.sendmail`.

use crate::core::action::flaw::Flaw;
use crate::core::action::plan::PlanProblem;
use crate::core::action::run::{Letter, Secret, Work};
use crate::core::action::shell::{self, text, unusable};
use serde_json::{Map, Value};

/// Makes the mail.
pub(super) fn letter(values: &Map<String, Value>) -> Result<Work, PlanProblem> {
    // A path is read by the account of the bot, which can read its secrets.
    if text(values, "attachments").is_some_and(|paths| !paths.trim().is_empty()) {
        return Err(unusable("attachments", Flaw::Attachments));
    }
    let program = text(values, "sendmail_binary").filter(|path| !path.is_empty() && path != "None");
    if program.is_some() {
        return Err(unusable("sendmail_binary", Flaw::MailProgram));
    }
    let one_line = |name: &str| match text(values, name).filter(|text| !text.trim().is_empty()) {
        Some(text) if text.chars().any(char::is_control) => Err(unusable(name, Flaw::LineBreak)),
        other => Ok(other.map(|text| text.trim().to_owned())),
    };
    let body = text(values, "body").unwrap_or_default();
    if body.trim().is_empty() && values.get("send_empty_body") == Some(&Value::Bool(false)) {
        return Err(unusable("body", Flaw::NoBody));
    }
    Ok(Work::Mail(Box::new(Letter {
        from: one_line("from")?,
        to: one_line("to")?.ok_or_else(|| unusable("to", Flaw::Nobody))?,
        subject: one_line("subject")?.unwrap_or_default(),
        content_type: one_line("content_type")?.unwrap_or_else(|| "text/plain".to_owned()),
        body: Secret::new(body),
        timeout: shell::timeout(values)?,
    })))
}
