//! The token in logs: nowhere, however much is logged.

use super::{PATIENCE, World, brisk, new_post};
use halcyon::adapters::mattermost::LOG_LIMITS;
use halcyon::core::id::UserId;
use halcyon::runtime::ports::Chat;
use halcyon::sandbox::mattermost::Options;
use std::process::Command;
use tracing_subscriber::EnvFilter;

/// Tells the second process, which may set a log for all its threads, that it is the one.
const INSIDE: &str = "HALCYON_TEST_LOGS_INSIDE";

#[test]
fn the_token_is_in_no_log() {
    let inside = std::env::var_os(INSIDE).is_some();
    if inside {
        let filter = LOG_LIMITS
            .iter()
            .fold(EnvFilter::new("trace"), |filter, limit| filter.add_directive(limit.parse().unwrap()));
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init();
        tokio::runtime::Runtime::new().unwrap().block_on(talk());
        return;
    }
    let name = "mattermost::logs::the_token_is_in_no_log";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", name, "--nocapture"]).env(INSIDE, "yes").output().unwrap();
    let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{log}");
    let token = log.lines().find_map(|line| line.strip_prefix("the token is ")).expect("it tells its token");
    assert!(log.contains("TRACE") && log.contains("connected to Mattermost"), "it logs: {log}");
    assert_eq!(log.matches(token).count(), 1, "{log}");
}

#[expect(clippy::print_stderr, reason = "this is how the second process talks to the first")]
async fn talk() {
    let mut world = World::with(Options::default(), brisk(), 64, None).await;
    assert_eq!(world.next().await, "up as halcyon, 16383 characters");
    world.chat.create(&new_post(&world, "d1", "hello")).await.unwrap();
    assert_eq!(world.next().await, "halcyon in Public: hello [from_bot]");
    world.chat.identify(&UserId::new(world.server.user_id("guest").unwrap()), &[]).await.unwrap();
    world.faults().drop_sockets();
    world.expect_interruption("Connecting again").await;
    world.stop.cancel();
    tokio::time::timeout(PATIENCE, &mut world.listening).await.unwrap().unwrap();
    let token = world.token;
    eprintln!("\nthe token is {token}");
}
