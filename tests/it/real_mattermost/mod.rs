//! The sandbox's chat server beside a real one.
//!
//! One script is played on both. What the real server answered is kept in `tests/data/real_mattermost`; the sandbox must answer the same in
//! every run of the tests. The tests with `real_mattermost` in their names need the real server: `scripts/real-mattermost.sh` runs one,
//! `HALCYON_REAL_MATTERMOST` names it, and without it they have nothing to do. With it the conversations are held there too.

mod adapter;
mod line;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod stage;

use halcyon::sandbox::mattermost::{RateLimit, Release};
use stage::Stage;

/// A word that no earlier run has used.
pub(crate) fn nonce() -> String {
    format!("{:012x}", std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_answers_as_recorded() {
    if !server::RealServer::is_named() {
        return;
    }
    let transcript = script::play(&Stage::real().await).await;
    crate::golden("real_mattermost/transcript.txt", &transcript);
}

/// The first lines that differ, with the call before them.
pub(crate) fn compare(name: &str, answered: &str) {
    let recorded = std::fs::read_to_string(crate::data(name)).unwrap();
    let mut call = "";
    let mut differences = Vec::new();
    for (ours, real) in answered.lines().zip(recorded.lines()) {
        if ours == real {
            call = if ours.starts_with(' ') { call } else { ours };
        } else {
            differences.push(format!("{call}\n  sandbox {ours}\n  real    {real}"));
        }
    }
    let (ours, real) = (answered.lines().count(), recorded.lines().count());
    assert!(differences.is_empty() && ours == real, "{ours} lines instead of {real}\n{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_answers_as_a_real_server_did() {
    let transcript = script::play(&Stage::sandbox(Release::July2021, None).await).await;
    compare("real_mattermost/transcript.txt", &transcript);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_limits_as_a_real_server_did() {
    let limit = RateLimit { per_second: 5, burst: 10 };
    let transcript = script::play_limited(&Stage::sandbox(Release::July2021, Some(limit)).await).await;
    compare("real_mattermost/limited.txt", &transcript);
}
