//! The sandbox's chat server beside a real one.
//!
//! One script is played on both. What the real server answered is kept in `tests/data/real_mattermost/transcript.txt`; the sandbox must answer
//! the same in every run of the tests, but for what [`NEWER`] lists. The tests with `real_mattermost` in their names need the real server:
//! `scripts/real-mattermost.sh` runs one, `HALCYON_REAL_MATTERMOST` names it, and without it they have nothing to do.

mod line;
mod script;
pub(crate) mod server;
mod stage;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_answers_as_a_real_server_did() {
    let transcript = script::play(&Stage::sandbox(None).await).await;
    std::fs::write(std::env::temp_dir().join("sandbox-transcript.txt"), &transcript).unwrap();
}
