//! # Application: puts the parts together
//!
//! The only place that sees the whole configuration and names adapters: [`engine`] is the bot with everything around it, `demo` the same bot
//! between a chat server and nodes that live in this process. [`serve()`] runs it as a service, with its signals and its service manager. What needs no running bot is here: reading packs, looking into the store.

#[cfg(feature = "sandbox")]
mod demo;
pub mod doctor;
pub mod engine;
mod last_good;
pub mod reload;
mod serve;

#[cfg(feature = "sandbox")]
pub use demo::{DemoOptions, demo};
pub use serve::serve;

use crate::adapters::clock::SystemClock;
use crate::adapters::content::read_packs;
use crate::adapters::store::{self, DiskStore, ImportError};
use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::action::params;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::content::Catalog;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::content::load::load;
use crate::core::effect::Query;
use crate::core::id::{ActionRef, AliasRef};
use crate::runtime::ports::{Clock, Store};
use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::future::Future;

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
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Loads the packs.
pub fn catalog(config: &Config) -> (Catalog, Vec<Diagnostic>) {
    let loaded = load(&read_packs(&config.content.packs));
    (loaded.catalog, loaded.diagnostics)
}

/// Tells what a line of chat would start: nothing, one thing, or several among which people would be asked to choose.
///
/// # Errors
/// When a format could not be decided on the line.
pub fn match_line(config: &Config, line: &str) -> anyhow::Result<Vec<Matched>> {
    let (catalog, _) = catalog(config);
    let found = match catalog.matcher.select(line) {
        Selection::None => Vec::new(),
        Selection::One(found) => vec![*found],
        Selection::Ambiguous(found) => found,
        Selection::Undecided(formats) => {
            let names: Vec<String> = formats.iter().map(|format| format.representation.to_string()).collect();
            bail!("the line is too difficult for {}", names.join(", "))
        }
    };
    Ok(found.into_iter().map(|found| matched(&catalog, found)).collect())
}

/// The parameters as the action would get them; as they were written where the action would refuse them.
fn matched(catalog: &Catalog, found: Match) -> Matched {
    let mut given: std::collections::BTreeMap<String, Value> =
        found.parameters.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    given.extend(found.alias.immutable_parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    let resolved = catalog.actions.get(&found.alias.action).and_then(|action| params::resolve(action, &given).ok());
    let parameters = match resolved {
        Some(resolved) => resolved.masked().into_iter().filter(|(name, _)| given.contains_key(name)).collect(),
        None => given.into_iter().collect(),
    };
    Matched {
        alias: found.alias.reference.clone(),
        action: found.alias.action.clone(),
        display: found.display.to_string(),
        representation: found.representation.to_string(),
        parameters,
    }
}

/// Looks executions up in the store of a bot that does not run.
///
/// # Errors
/// When the store cannot be opened.
pub fn offline_find(config: &Config, query: Query) -> anyhow::Result<Vec<Execution>> {
    if !config.store.path.exists() {
        return Ok(Vec::new());
    }
    in_runtime(async move {
        let (store, _) = DiskStore::open(&config.store.path).await?;
        Ok(store.find(&query).await?)
    })
}

/// Everything stored, in order, a line of JSON for each fact. The bot may be running.
pub fn export(config: &Config) -> impl Iterator<Item = anyhow::Result<String>> + use<> {
    store::export(&config.store.path).map(|line| Ok(line?))
}

/// Fills the empty store with what [`export`] gave. Gives the number of facts that were taken in.
///
/// # Errors
/// The store is not empty or in use, a line is not as it must be, or the system refuses.
pub fn import(config: &Config, lines: impl std::io::BufRead) -> Result<u64, ImportError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(store::import(&config.store.path, lines))
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(work)
}
