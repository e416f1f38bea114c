//! # Doctor
//!
//! Tries every step of the way from a line in chat to a command on a node, with the parts that the bot itself works with, whether a bot runs beside
//! or not. Each finding says what was tried, how it went and what to change.
//!
//! **It is no second bot**: it takes up no line and holds no store that a bot has. **It leaves nothing behind**, in chat or on nodes. **What could
//! not be proven is said to be so**; it is not called good.

mod chat;
mod machine;
mod nodes;

use crate::adapters::control;
use crate::config::Config;
use crate::core::effect::Answer;
use crate::core::input::Ask;
use serde::Serialize;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// As it should.
    Ok,
    /// Work is possible, but something is not as it should be, or could not be proven.
    Warn,
    /// The bot cannot work like this.
    Fail,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which part of the way: `chat`, `callback`, `access`, `store`, `content`, `local`, `ssh`, `bot`, `config`.
    pub part: &'static str,
    /// How it went.
    pub verdict: Verdict,
    /// What was tried, and what came of it.
    pub tried: String,
    /// What to change; empty when nothing is to be changed.
    pub advice: String,
}

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, part: &'static str, tried: impl Into<String>) {
        self.add(part, Verdict::Ok, tried, "");
    }

    fn warn(&mut self, part: &'static str, tried: impl Into<String>, advice: impl Into<String>) {
        self.add(part, Verdict::Warn, tried, advice);
    }

    fn fail(&mut self, part: &'static str, tried: impl Into<String>, advice: impl Into<String>) {
        self.add(part, Verdict::Fail, tried, advice);
    }

    fn add(&mut self, part: &'static str, verdict: Verdict, tried: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { part, verdict, tried: tried.into(), advice: advice.into() });
    }
}

/// Examines everything; with a host, the way to that host too.
///
/// # Errors
/// When the examination itself cannot be made.
pub fn doctor(config: &Config, host: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    super::in_runtime(async {
        let mut findings = Findings::default();
        for warning in &config.warnings {
            findings.warn("config", warning.to_string(), "");
        }
        let runs = bot(config, &mut findings).await;
        machine::examine(config, runs, &mut findings).await;
        chat::examine(config, runs, &mut findings).await;
        nodes::examine(config, host, &mut findings).await;
        Ok(findings.0)
    })
}

/// Whether a bot runs, and how it says that it is.
async fn bot(config: &Config, findings: &mut Findings) -> bool {
    let socket = config.control.socket.display();
    match control::call(&config.control.socket, &Ask::Health).await {
        Ok(Answer::Health { parts, .. }) => {
            findings.ok("bot", format!("a bot runs and answers on {socket}"));
            for part in parts.into_iter().filter(|part| !part.works) {
                let tried = format!("the bot says of its part `{}`: {}", part.name, part.says);
                findings.fail("bot", tried, part.advice);
            }
            true
        }
        Ok(_) => {
            findings.fail("bot", format!("what answers on {socket} does not know how it is"), "restart the bot");
            true
        }
        Err(control::ControlError::NotRunning { .. }) => {
            findings.ok("bot", format!("no bot runs (nobody listens on {socket}); it is examined what it would meet"));
            false
        }
        Err(problem) => {
            findings.fail("bot", problem.to_string(), "restart the bot, and run this as its account");
            true
        }
    }
}
