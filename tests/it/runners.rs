//! The runners beside those for bare commands: scripts of packs, requests to web servers, mails.

mod chat;
mod http;
mod mail;
pub(crate) mod peers;
mod script;

use crate::ssh::{MemoryBlobs, execution};
use halcyon::core::action::params;
use halcyon::core::action::plan::{Plan, PlanProblem, plan};
use halcyon::core::action::run::{HostOutcome, Run, RunNews, Work};
use halcyon::core::action::spec::Action;
use halcyon::core::content::load::{Loaded, load};
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::host::Inventory;
use halcyon::core::id::ActionRef;
use halcyon::runtime::ports::Runner;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A pack `t` of these files, as if it lay in `shown`.
fn pack(shown: &str, files: &[(&str, &str)]) -> PackSource {
    let manifest = ("pack.yaml", "{ref: t, name: t, description: t, version: 1.0.0, author: t}");
    let file = |(inside, text): &(&str, &str)| SourceFile {
        shown: format!("{shown}/{inside}"),
        inside: (*inside).to_owned(),
        text: Ok((*text).to_owned()),
    };
    let files = std::iter::once(&manifest).chain(files).map(file).collect();
    PackSource { directory: "t".to_owned(), shown: shown.to_owned(), files, programs: Vec::new() }
}

fn told(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

/// An action that has to load without a word.
fn action(sources: &[PackSource], name: &str) -> Arc<Action> {
    let loaded = load(sources);
    assert_eq!(told(&loaded), "");
    Arc::clone(&loaded.catalog.actions[&ActionRef::new(name)])
}

fn planned(action: &Action, given: &Value) -> Result<Plan, PlanProblem> {
    let given: BTreeMap<String, Value> = serde_json::from_value(given.clone()).unwrap();
    let resolved = params::resolve(action, &given).unwrap();
    plan(action, &resolved, &Inventory::default())
}

fn work(action: &Action, given: &Value) -> Work {
    match planned(action, given) {
        Ok(Plan::Run(work)) => work,
        other => panic!("{other:?}"),
    }
}

/// Carries work out and gives its one outcome, or what was said of the run as a whole.
async fn outcome(runner: &dyn Runner, work: Work) -> Result<HostOutcome, String> {
    outcome_until(runner, work, CancellationToken::new()).await
}

async fn outcome_until(runner: &dyn Runner, work: Work, cancel: CancellationToken) -> Result<HostOutcome, String> {
    let (sender, mut news) = mpsc::channel(64);
    let run = Run { execution: execution(), work, attempt: 0 };
    let listening = async {
        let mut found = None;
        while let Some(news) = news.recv().await {
            match news {
                RunNews::HostFinished { host, outcome } => {
                    assert_eq!(host.as_str(), "localhost");
                    assert!(found.replace(*outcome).is_none());
                }
                RunNews::Finished { error: Some(why) } => return Err(why),
                RunNews::Finished { error: None } => return Ok(found.unwrap()),
                RunNews::HostLost { .. } => panic!("nothing was lost"),
                RunNews::HostStarted { .. } | RunNews::Progress(_) | RunNews::Read(_) => {}
            }
        }
        panic!("the runner ended without its last word")
    };
    let ((), heard) = tokio::join!(runner.run(run, sender, cancel), listening);
    heard
}

fn text(captured: &halcyon::core::action::run::Captured, blobs: &MemoryBlobs) -> String {
    match captured {
        halcyon::core::action::run::Captured::Inline { text } => text.clone(),
        halcyon::core::action::run::Captured::Blob { blob, .. } => String::from_utf8(blobs.get(blob)).unwrap(),
    }
}
