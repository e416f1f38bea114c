//! The running bot, as a command talks to it.

use super::Failure;
use crate::adapters::control::{self, ControlError};
use crate::app;
use crate::app::engine::Engine;
use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::audit::question::Question;
use crate::core::datastore::request::ValueAsk;
use crate::core::effect::{Answer, Query};
use crate::core::id::{BlobId, ExecutionId};
use crate::core::input::Ask;
use crate::core::webhook::api_key::ApiKeyAsk;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The word that stands for the newest execution.
pub(crate) const LAST: &str = "last";

/// A way to the bot.
pub(crate) struct Daemon<'c> {
    config: &'c Config,
    socket: PathBuf,
    runtime: Runtime,
    alone: Option<Engine>,
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.alone.take() {
            // What was asked for has ended and was told; a trouble in ending concerns nobody any more.
            let _ = self.runtime.block_on(engine.stop());
        }
    }
}

impl<'c> Daemon<'c> {
    pub(crate) fn new(config: &'c Config) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
        Ok(Self { config, socket: config.control.socket.clone(), runtime, alone: None })
    }

    /// Asks; a refusal is a failure.
    pub(crate) fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        told(self.runtime.block_on(control::call(&self.socket, ask))?)
    }

    /// The same; where no bot runs, this process is the bot for as long as the command takes, without chat.
    pub(crate) fn ask_or_be_the_bot(&mut self, ask: &Ask) -> Result<Answer, Failure> {
        match self.runtime.block_on(control::call(&self.socket, ask)) {
            Err(ControlError::NotRunning { .. }) => {
                self.alone = Some(self.runtime.block_on(Engine::start_alone(self.config))?);
                self.ask(ask)
            }
            answer => told(answer?),
        }
    }

    /// Asks the bot, or without one the store.
    fn look(&self, ask: &Ask, query: Query) -> Result<Answer, Failure> {
        match self.runtime.block_on(control::call(&self.socket, ask)) {
            Err(ControlError::NotRunning { .. }) => {
                Ok(Answer::Executions { executions: app::offline_find(self.config, query)? })
            }
            answer => told(answer?),
        }
    }

    /// Asks the bot about values, or without one the store.
    pub(crate) fn values(&self, ask: ValueAsk) -> Result<Answer, Failure> {
        match self.runtime.block_on(control::call(&self.socket, &Ask::Values(ask.clone()))) {
            Err(ControlError::NotRunning { .. }) => {
                let reads = matches!(ask, ValueAsk::Get { .. } | ValueAsk::List { .. });
                told(app::offline_asked(self.config, Ask::Values(ask), reads)?)
            }
            answer => told(answer?),
        }
    }

    /// Asks the bot about the keys of programs, or without one the store.
    pub(crate) fn api_keys(&self, ask: ApiKeyAsk) -> Result<Answer, Failure> {
        match self.runtime.block_on(control::call(&self.socket, &Ask::ApiKeys(ask.clone()))) {
            Err(ControlError::NotRunning { .. }) => {
                let reads = matches!(ask, ApiKeyAsk::List);
                told(app::offline_asked(self.config, Ask::ApiKeys(ask), reads)?)
            }
            answer => told(answer?),
        }
    }

    /// Asks the bot about the audit, or without one the store.
    pub(crate) fn audit(&self, about: Question) -> Result<Answer, Failure> {
        match self.runtime.block_on(control::call(&self.socket, &Ask::Audit { about: about.clone() })) {
            Err(ControlError::NotRunning { .. }) => Ok(Answer::Audit { told: app::offline_audit(self.config, about)? }),
            answer => told(answer?),
        }
    }

    /// A piece of an output, from the bot or without one from the store; what comes from there is whole.
    pub(crate) fn piece(&self, ask: &Ask, blob: &BlobId) -> Result<Vec<u8>, Failure> {
        let answer = match self.runtime.block_on(control::call(&self.socket, ask)) {
            Err(ControlError::NotRunning { .. }) => return Ok(app::offline_output(self.config, blob)?),
            answer => told(answer?)?,
        };
        match answer {
            Answer::Output { ref base64 } => STANDARD.decode(base64).map_err(|_| odd(&answer)),
            other => Err(odd(&other)),
        }
    }

    /// The newest executions.
    pub(crate) fn newest(&self, limit: usize) -> Result<Vec<Execution>, Failure> {
        match self.look(&Ask::Executions { limit }, Query::Newest(limit))? {
            Answer::Executions { executions } => Ok(executions),
            other => Err(odd(&other)),
        }
    }

    /// One execution with its live output. `last` is the newest.
    pub(crate) fn execution(&self, id: &str) -> Result<(Execution, Vec<String>), Failure> {
        let id = if id == LAST { self.last()? } else { id.to_owned() };
        match self.look(&Ask::Execution { id: id.clone() }, Query::ById(id.clone()))? {
            Answer::Execution { execution, tail } => Ok((*execution, tail)),
            Answer::Executions { mut executions } => match (executions.pop(), executions.is_empty()) {
                (Some(execution), true) => Ok((execution, Vec::new())),
                (Some(_), false) => {
                    Err(Failure::Wrong(format!("several executions end with `{id}`; write more of the id")))
                }
                (None, _) => Err(Failure::Wrong(format!("there is no execution `{id}`"))),
            },
            other => Err(odd(&other)),
        }
    }

    /// One execution as the bot that runs knows it. The store of a bot that died would show it running for ever.
    pub(crate) fn live(&self, id: &ExecutionId) -> Result<(Execution, Vec<String>), Failure> {
        match self.ask(&Ask::Execution { id: id.to_string() })? {
            Answer::Execution { execution, tail } => Ok((*execution, tail)),
            other => Err(odd(&other)),
        }
    }

    /// The id of the newest execution.
    pub(crate) fn last(&self) -> Result<String, Failure> {
        match self.newest(1)?.first() {
            Some(execution) => Ok(execution.request.id.to_string()),
            None => Err(Failure::Wrong("there is no execution yet".to_owned())),
        }
    }

    /// Whether this process is the bot itself, so that what it runs ends with it.
    pub(crate) fn is_the_bot(&self) -> bool {
        self.alone.is_some()
    }

    /// Waits for a moment between two questions; true when the command was told to stop meanwhile (SIGINT, SIGTERM).
    pub(crate) fn interrupted_within(&self, moment: Duration) -> bool {
        self.runtime.block_on(async {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
                tokio::time::sleep(moment).await;
                return false;
            };
            tokio::select! {
                () = tokio::time::sleep(moment) => false,
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
            }
        })
    }

    /// Waits for a moment between two questions.
    pub(crate) fn pause(&self, moment: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(moment).await });
    }
}

fn told(answer: Answer) -> Result<Answer, Failure> {
    match answer {
        Answer::Refused { text } => Err(Failure::Wrong(super::look::spoken(&text))),
        Answer::Started { .. }
        | Answer::Execution { .. }
        | Answer::Executions { .. }
        | Answer::Done { .. }
        | Answer::Health { .. }
        | Answer::Reloaded { .. }
        | Answer::Inquiries { .. }
        | Answer::Values { .. }
        | Answer::May { .. }
        | Answer::Approvals { .. }
        | Answer::Picture { .. }
        | Answer::Output { .. }
        | Answer::Rules { .. }
        | Answer::Triggers { .. }
        | Answer::Sensors { .. }
        | Answer::Event { .. }
        | Answer::ApiKeys { .. }
        | Answer::Audit { .. } => Ok(answer),
        Answer::Failed { text } | Answer::CallRefused { text, .. } => Err(Failure::Failed(super::look::spoken(&text))),
    }
}

/// An answer to another question than the one that was put.
pub(crate) fn odd(answer: &Answer) -> Failure {
    let kind = match answer {
        Answer::Started { .. } => "started",
        Answer::Execution { .. } => "execution",
        Answer::Executions { .. } => "executions",
        Answer::Done { .. } => "done",
        Answer::Health { .. } => "health",
        Answer::Reloaded { .. } => "reloaded",
        Answer::Values { .. } => "values",
        Answer::Inquiries { .. } => "inquiries",
        Answer::May { .. } => "may",
        Answer::Audit { .. } => "audit",
        Answer::Picture { .. } => "picture",
        Answer::Output { .. } => "output",
        Answer::Rules { .. } => "rules",
        Answer::Sensors { .. } => "sensors",
        Answer::Triggers { .. } => "triggers",
        Answer::Event { .. } => "event",
        Answer::ApiKeys { .. } => "api-keys",
        Answer::CallRefused { .. } => "call-refused",
        Answer::Approvals { .. } => "approvals",
        Answer::Failed { .. } => "failed",
        Answer::Refused { .. } => "refused",
    };
    Failure::Failed(format!(
        "the bot gave an answer that does not belong to the question ({kind}); this is a bug in it"
    ))
}
