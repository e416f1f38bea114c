//! The budgets: what Halcyon takes, beside what its peers take for the same work in the same run.
//!
//! `scripts/bench.sh` installs the peers and runs this. Sections can be named: `alias`, `rules`, `store`, `chat`, `fleet`, `start`,
//! `workflow`. `--quick` makes small
//! runs, to see that everything works. What a figure means and how it is read: `docs/performance.md`.

#![allow(clippy::print_stdout, reason = "the figures are this program's output")]
#![allow(clippy::print_stderr, reason = "so are its complaints")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "statistics")]

mod alias;
mod chat;
mod fleet;
mod floor;
mod peers;
mod process;
mod report;
mod rules;
mod start;
mod store;
mod tls;
mod workflow;

use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use tempfile::TempDir;

/// What is to be measured.
#[derive(Debug, Default)]
pub(crate) struct Setting {
    /// Where the peers are; without it nothing is set beside ours but what Debian has.
    pub(crate) peers: Option<PathBuf>,
    /// Small runs.
    pub(crate) quick: bool,
    sections: Vec<String>,
}

/// A directory on a real disk rather than in memory, so that syncs mean something.
pub(crate) fn scratch() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written")
}

fn main() -> ExitCode {
    let mut setting = Setting::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--quick" => setting.quick = true,
            "--peers" => setting.peers = words.next().map(PathBuf::from),
            "--floor" => {
                let (address, token) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                // The end of the connection is its ordinary end.
                let _ = floor::run(&address, &token);
                return ExitCode::SUCCESS;
            }
            "--fleet-client" => return fleet::client(&words.collect::<Vec<_>>()),
            section if ["alias", "rules", "store", "chat", "fleet", "start", "workflow"].contains(&section) => {
                setting.sections.push(section.to_owned());
            }
            other => {
                eprintln!(
                    "there is no `{other}`: sections are alias, rules, store, chat, fleet, start and workflow; options --quick and --peers DIR"
                );
                return ExitCode::from(2);
            }
        }
    }
    let wanted = |section: &str| setting.sections.is_empty() || setting.sections.iter().any(|name| name == section);
    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let mut report = Report::default();
    if wanted("alias") {
        alias::run(&setting, &mut report);
    }
    if wanted("rules") {
        rules::run(&setting, &mut report);
    }
    if wanted("store") {
        runtime.block_on(store::run(&setting, &mut report));
    }
    if wanted("chat") {
        runtime.block_on(chat::run(&setting, &mut report));
    }
    if wanted("fleet") {
        fleet::run(&setting, &mut report);
    }
    if wanted("start") {
        runtime.block_on(start::run(&setting, &mut report));
    }
    if wanted("workflow") {
        workflow::measure(&setting, &mut report);
    }
    println!("\n{}", report.table());
    ExitCode::SUCCESS
}
