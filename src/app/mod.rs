//! # Application: puts the parts together
//!
//! The only place that sees the whole configuration and names adapters: [`engine`] is the bot with everything around it, `demo` the same bot
//! between a chat server and nodes that live in this process. [`serve()`] runs it as a service, with its signals and its service manager. What needs no running bot is here: reading packs, looking into the store.

#[cfg(feature = "sandbox")]
mod demo;
pub mod doctor;
pub mod engine;
mod last_good;
mod monitorings;
mod rehearse;
pub mod reload;
mod rule;
mod serve;

#[cfg(feature = "sandbox")]
pub use demo::{DemoOptions, demo};
pub use rehearse::{Played, Rehearsed, Tried, TriedExample, rehearse, try_examples};
pub use rule::{TriedRule, try_rule};
pub use serve::serve;

use crate::adapters::clock::SystemClock;
use crate::adapters::content::read_packs;
use crate::adapters::control;
use crate::adapters::notify::drain::DrainError;
use crate::adapters::store::{self, DiskStore, ImportError};
use crate::config::Config;
use crate::core::action::execution::Execution;
use crate::core::alias::matcher::{Match, Selection};
use crate::core::alias::spec::Alias;
use crate::core::audit::chain::{Flaw, Head, Verdict};
use crate::core::audit::question::{self, Question, Told};
use crate::core::bot::Bot;
use crate::core::content::Catalog;
use crate::core::content::diagnostic::Diagnostic;
use crate::core::content::example;
use crate::core::content::load::load;

use crate::core::effect::{Answer, Effect, Query};
use crate::core::fact::{Dated, Fact};
use crate::core::host::{HostError, Inventory, expand};
use crate::core::id::{BlobId, RequestId};
use crate::core::input::{Ask, Event, Input, Principal};
use crate::runtime::ports::{Blobs, Clock, Recalled, Store, StoreError};
use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long threads that read or write are waited for once all else has ended.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What a line of chat would start.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// The alias.
    pub alias: Arc<Alias>,
    /// The format as help shows it.
    pub display: String,
    /// The format that matched.
    pub representation: String,
    /// What the action gets.
    pub parameters: Map<String, Value>,
    /// What it gets for each further match in the line.
    pub further: Vec<Map<String, Value>>,
}

/// The time of day.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Delivers what waits for the bot on the machine of a monitoring, until there is nothing left.
///
/// # Errors
/// The spool cannot be used.
pub fn drain(draining: impl Future<Output = Result<(), DrainError>>) -> anyhow::Result<()> {
    in_runtime(async { Ok(draining.await?) })
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
    let found = match catalog.select_among(line, &|_| true) {
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

/// Why a line that matches would be refused for its hosts. Groups whose members a command tells are taken for good: nothing is run here.
pub fn host_problem(config: &Config, found: &Matched) -> Option<HostError> {
    let (options, known) = engine::inventory_options(config);
    let (inventory, _) = Inventory::build(&options.hosts, &known);
    let hosts =
        std::iter::once(&found.parameters).chain(&found.further).filter_map(|given| given.get("hosts")?.as_str());
    hosts
        .filter_map(|hosts| expand(hosts, &inventory).err())
        .find(|problem| !matches!(problem, HostError::BrokenGroup { .. }))
}

fn matched(catalog: &Catalog, found: Match) -> Matched {
    Matched {
        alias: found.alias.clone(),
        display: found.display.to_string(),
        representation: found.representation.to_string(),
        parameters: example::parameters(catalog, &found),
        further: found.further.iter().map(|further| example::parameters(catalog, further)).collect(),
    }
}

/// The store of a bot that does not run.
async fn open_store(path: &Path) -> anyhow::Result<DiskStore> {
    let (store, _) = DiskStore::open_briefly(path).await.map_err(not_opened)?;
    Ok(store)
}

/// Why a store does not open, with what its administrator can change about that.
fn not_opened(problem: StoreError) -> anyhow::Error {
    let mended_by_path = |source: &io::Error| {
        use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
        matches!(source.kind(), AlreadyExists | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem)
    };
    if matches!(&problem, StoreError::Io { source, .. } if mended_by_path(source)) {
        let advice = "`path` under [store] in config.toml has to name a directory that belongs to the account which the bot runs as";
        return anyhow::anyhow!("{problem}; {advice}; run this as that account");
    }
    if matches!(&problem, StoreError::InUse { .. }) {
        let advice = "a bot that runs on it answers `halcyon status`; another store is named by `path` under [store] in config.toml";
        let told = format!("{problem}; {advice}");
        return anyhow::Error::new(problem).context(told);
    }
    if matches!(&problem, StoreError::Version { .. }) {
        let advice = "nothing is damaged and nothing has been changed; start that version again, or let this one begin anew with another `path` under [store] in config.toml";
        return anyhow::anyhow!("{problem}; {advice}");
    }
    problem.into()
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
        let store = open_store(&config.store.path).await?;
        Ok(store.find(&query).await?)
    })
}

/// An output in the store of a bot that does not run.
///
/// # Errors
/// When the store cannot be opened or read.
pub fn offline_output(config: &Config, blob: &BlobId) -> anyhow::Result<Vec<u8>> {
    in_runtime(async move {
        let store = open_store(&config.store.path).await?;
        Ok(store.blobs().read(blob, 0, usize::MAX).await?)
    })
}

/// Asks a bot that does not run, with the rights of the account that the store belongs to. What only reads makes no store where there is none.
///
/// # Errors
/// When the store cannot be opened or takes nothing.
pub fn offline_asked(config: &Config, ask: Ask, reads: bool) -> anyhow::Result<Answer> {
    let request = RequestId(0);
    in_runtime(async move {
        let uid = rustix::process::getuid().as_raw();
        let store = match config.store.path.exists() || !reads {
            true => Some(open_store(&config.store.path).await?),
            false => None,
        };
        let Recalled { snapshot, facts } = match &store {
            Some(store) => store.recall().await?,
            None => Recalled::default(),
        };
        let last = facts.last().map_or(snapshot.at, |fact| fact.at).max(SystemClock.now());
        let mut bot = Bot::recall(snapshot.memory, &facts, Arc::new(config.settings(uid)))?;
        let from = Principal::LocalUser { uid, name: control::account_name(uid).await };
        let asked = Input::Request { request, from, ask };
        let mut answered = None;
        for input in [engine::master_key(config), asked] {
            let step = bot.handle(Event { at: last, entropy: SystemClock.entropy(), input })?;
            if let Some(store) = store.as_ref().filter(|_| !step.facts.is_empty()) {
                store.append(step.facts).await?;
            }
            let mut answers = step.effects.into_iter().filter_map(|effect| match effect {
                Effect::Answer { answer, .. } => Some(*answer),
                _ => None,
            });
            answered = answers.next_back().or(answered);
        }
        answered.context("the question was not answered, which is a bug of mine")
    })
}

/// Looks into the audit of a bot that does not run.
///
/// # Errors
/// When the store cannot be opened.
pub fn offline_audit(config: &Config, question: Question) -> anyhow::Result<Told> {
    if !config.store.path.exists() {
        return Ok(question::answer(&[], &question));
    }
    in_runtime(async move {
        let store = open_store(&config.store.path).await?;
        Ok(store.audit(&question).await?)
    })
}

/// Checks the audit. The bot may be running.
///
/// # Errors
/// When the system refuses.
pub fn verify_audit(config: &Config, known: Vec<Head>) -> anyhow::Result<Verdict> {
    Ok(store::verify_audit(&config.store.path, known)?)
}

/// All lines of the audit from this number on. The bot may be running.
pub fn export_audit(config: &Config, from: u64) -> impl Iterator<Item = anyhow::Result<String>> + use<> {
    store::export_audit(&config.store.path, from).map(|line| Ok(line?))
}

/// Removes entries of the audit of a bot that does not run, up to the newest checkpoint that was told and that an export covers. Gives the last
/// entry that went, and how many files did.
///
/// # Errors
/// The export is not sound or not of this audit, there is no such checkpoint, nothing would go, or the store cannot be opened.
pub fn cut_audit(config: &Config, exported: &Verdict) -> anyhow::Result<(Head, usize)> {
    // Where it begins behind entries that were removed before, the audit itself says so.
    let about_beginning = |flaw: &Flaw| matches!(flaw, Flaw::Missing { first: 1, last } if *last + 1 == exported.first);
    if exported.entries == 0 || exported.more > 0 || !exported.flaws.iter().all(about_beginning) {
        bail!("the export is not sound; `halcyon audit verify FILE` tells what is wrong");
    }
    in_runtime(async move {
        let path = &config.store.path;
        // What to do about a bot that runs on it is another thing here: it has to be stopped.
        let (store, _) = DiskStore::open_briefly(path).await.map_err(|problem| match problem {
            StoreError::InUse { .. } => problem.into(),
            other => not_opened(other),
        })?;
        let Recalled { snapshot, facts } = store.recall().await?;
        let mut memory = snapshot.memory;
        facts.iter().try_for_each(|fact| memory.apply(fact))?;
        let told = memory.checkpoints.iter().rev().find(|checkpoint| checkpoint.head.number <= exported.head.number);
        let Some(checkpoint) = told.map(|checkpoint| checkpoint.head.clone()) else {
            bail!("no checkpoint was told that the export covers; say `audit checkpoint` in chat, and export again");
        };
        let known = vec![exported.head.clone(), checkpoint.clone()];
        let Told::Verified { verdict } = store.audit(&Question::Verify { known }).await? else {
            bail!("the audit gave an answer to another question, which is a bug of mine");
        };
        if let Some(flaw) = verdict.flaws.first() {
            bail!("the audit and the export do not agree, or the audit is not sound: {flaw}");
        }
        if exported.first > verdict.first {
            bail!("the export begins with entry {}, and the audit with {}", exported.first, verdict.first);
        }
        let Some(head) = store::cut_audit_at(path, checkpoint.number)? else {
            bail!("nothing goes: no file of the audit lies wholly before the checkpoint, entry {}", checkpoint.number);
        };
        let uid = rustix::process::getuid().as_raw();
        let by = Principal::LocalUser { uid, name: control::account_name(uid).await };
        let at = facts.last().map_or(snapshot.at, |fact| fact.at).max(SystemClock.now());
        store.append(vec![Dated { at, fact: Fact::AuditCut { head: head.clone(), by } }]).await?;
        store.audit(&Question::Head).await?;
        let files = store::cut_audit(path, head.number)?;
        Ok((head, files))
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
    let done = runtime.block_on(work);
    // A thread that reads from a file system which does not answer is not waited for any longer.
    runtime.shutdown_timeout(LAST_WAIT);
    done
}
