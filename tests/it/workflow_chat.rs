//! Workflows in the whole program: from a line of chat to commands on nodes, and over a crash.

use crate::world::{World, id_of, under_way};
use halcyon::sandbox::mattermost::Post;
use std::path::PathBuf;

/// The world with the workflows of the tests; `more` is added to its configuration.
async fn world() -> World {
    let mut world = World::without_bot(
        "[[access.roles]]\nname = \"crew\"\nusers = [\"operator\"]\ngrants = [\"run:flows.*\", \"run:core.remote\"]\n",
    )
    .await;
    let flows = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/packs/flows");
    world.config.content.packs.push(flows);
    world.start_bot().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_has_one_post_from_its_beginning_to_its_end() {
    let world = world().await;
    let ended = world.say("operator", "!chain on wn[001-002]").await;
    for text in [":white_check_mark: `chain on wn[001-002]` · **done**", "**greet**", "**look**", "said: hello"] {
        assert!(ended.message.contains(text), "{text}: {}", ended.message);
    }
    assert_eq!(world.started(), 4, "two tasks on two nodes");
    let id = id_of(&ended);
    let shown = world.say("operator", &format!("!show {id}")).await;
    for text in ["id ", "| status", "| task", "| action", "| start_timestamp", "| succeeded | greet | core.remote |"] {
        assert!(shown.message.contains(text), "{text}: {}", shown.message);
    }
    // Its tasks are in no list, and can be shown by the ids of the table.
    let listed = world.say("operator", "!list").await;
    assert!(listed.message.contains("chain on") && !listed.message.contains("core.remote"), "{}", listed.message);
    let row = shown.message.lines().find(|line| line.contains("| greet")).unwrap();
    let child = row.split_whitespace().next().unwrap();
    let child = world.say("operator", &format!("!show {child}")).await;
    assert!(child.message.contains("hello"), "{}", child.message);

    let failed = world.say("operator", "!break on wn003").await;
    for text in ["**failed**", "**bad**: wn003: exit code 1", "it went wrong"] {
        assert!(failed.message.contains(text), "{text}: {}", failed.message);
    }
    let planned = world.say("operator", "!plan chain on wn001").await;
    assert!(planned.message.contains("Its tasks: **greet** (`core.remote`), **look**"), "{}", planned.message);
    // What is longer than a fact may hold is passed on whole.
    let long = world.say("operator", "!pass much on from wn001").await;
    let size: usize = long.message.split("size: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(size > 10_000, "{}", long.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_goes_on_after_a_crash() {
    let mut world = world().await;
    let asked = world.write("operator", "!relay from wn001 to wn002");
    let wants = |post: &Post| under_way(post) && post.message.contains("**wait** · `wn001`");
    let going = world.answer_that(&asked, wants).await;
    world.kill_bot();
    world.start_bot().await;
    let ended = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    for text in ["relay from wn001 to wn002", "**done**", "seen: wn002"] {
        assert!(ended.message.contains(text), "{text}: {}", ended.message);
    }
    assert_eq!(world.started(), 2, "nothing ran twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_stopped_in_chat() {
    let world = world().await;
    let asked = world.write("operator", "!relay from wn001 to wn002");
    let wants = |post: &Post| under_way(post) && post.message.contains("**wait** · `wn001`");
    let going = world.answer_that(&asked, wants).await;
    let id = going.message.lines().last().unwrap().rsplit('`').nth(1).unwrap().trim_start_matches("cancel ").to_owned();
    world.say("operator", &format!("!cancel {id}")).await;
    let ended = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    assert!(ended.message.contains("stopped by operator"), "{}", ended.message);
    assert_eq!(world.started(), 1);
    assert!(world.nodes.ledger("wn001").iter().all(|entry| entry.ended.is_some()));
}
