//! # Application: joins the configuration, the adapters and the runtime.

use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::content::Catalog;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::effect::Query;
use crate::core::id::{ActionRef, AliasRef};
use anyhow::{anyhow, bail};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::io::Write;

/// What `demo` was asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Stop after the tour.
    pub once: bool,
    /// How many nodes.
    pub nodes: u16,
    /// The port of the chat page; any that is free when absent.
    pub page_port: Option<u16>,
    /// Close the nodes' SSH ports.
    pub nodes_down: bool,
}

/// What a line of chat would start.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// The alias.
    pub alias: AliasRef,
    /// Its action.
    pub action: ActionRef,
    /// The format as help shows it.
    pub display: String,
    /// The format that matched.
    pub representation: String,
    /// What the action gets.
    pub parameters: Map<String, Value>,
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the clock's adapter is joined with the runtime")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Runs the bot until it is told to stop.
///
/// # Errors
/// When it cannot start or has to end.
pub fn serve(_config: Config) -> anyhow::Result<()> {
    bail!("the engine is not joined yet")
}

/// Runs the demo. The answer is whether the tour went as it should.
///
/// # Errors
/// When it cannot start.
pub fn demo(_options: DemoOptions, _out: &mut dyn Write) -> anyhow::Result<bool> {
    bail!("the engine is not joined yet")
}

/// Loads the packs.
pub fn catalog(_config: &Config) -> (Catalog, Vec<Diagnostic>) {
    (Catalog::default(), Vec::new())
}

/// Tells what a line of chat would start: nothing, one thing, or several among which people would be asked to choose.
///
/// # Errors
/// When the packs cannot be read.
pub fn match_line(_config: &Config, _line: &str) -> anyhow::Result<Vec<Matched>> {
    bail!("the engine is not joined yet")
}

/// Looks executions up in the store of a bot that does not run.
///
/// # Errors
/// When the store cannot be opened.
pub fn offline_find(_config: &Config, _query: Query) -> anyhow::Result<Vec<Execution>> {
    bail!("the engine is not joined yet")
}

/// Everything stored, in order, a line of JSON for each fact. The bot may be running.
pub fn export(_config: &Config) -> impl Iterator<Item = anyhow::Result<String>> + use<> {
    std::iter::once(Err(anyhow!("the engine is not joined yet")))
}
