//! Turns, bounds and tries as people in chat see them: the whole program between a chat server and nodes, killed where that is the question.

use crate::world::{CHANNEL, PATIENCE, World, id_of};
use halcyon::sandbox::mattermost::Post;
use std::path::Path;

/// An action of a pack for these tests: what it runs, more of its file, and the type and parameters of a policy for it.
const ACTIONS: &[(&str, &str, &str, &str)] = &[
    ("work", "echo working; sleep {{seconds}}; echo worked", "", ""),
    ("look", "echo looking; sleep {{seconds}}; echo looked", "tags: [{name: effect, value: read-only}]", ""),
    ("narrow", "echo working; sleep {{seconds}}; echo worked", "", "action.concurrency threshold: 1"),
    ("single", "echo working; sleep {{seconds}}; echo worked", "", "action.concurrency threshold: 1, action: cancel"),
    (
        "equal",
        "echo working; sleep {{seconds}}; echo worked",
        "",
        "action.concurrency.attr threshold: 1, attributes: [seconds]",
    ),
    (
        "differ",
        "echo working; sleep {{seconds}}; echo worked",
        "",
        "action.concurrency.attr threshold: 1, attributes: [seconds], action: cancel",
    ),
    (
        "flaky",
        "test -e /tmp/tried || { touch /tmp/tried; exit 3; }; echo worked",
        "",
        "action.retry retry_on: failure, max_retry_count: 1, delay: 3",
    ),
    (
        "slow",
        "test -e /tmp/tried || { touch /tmp/tried; sleep 600; }; echo worked",
        "timeout",
        "action.retry retry_on: timeout, max_retry_count: 1, delay: 3",
    ),
    ("broken", "exit 3", "", "action.retry retry_on: failure, max_retry_count: 1"),
];

fn write_pack(pack: &Path) {
    for folder in ["actions", "aliases", "policies"] {
        std::fs::create_dir_all(pack.join(folder)).unwrap();
    }
    let write = |name: String, text: String| std::fs::write(pack.join(name), text).unwrap();
    write("pack.yaml".into(), "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n".into());
    for (name, command, more, policy) in ACTIONS {
        let (more, timeout) = if *more == "timeout" { ("", 1) } else { (*more, 700) };
        let parameters = format!(
            "parameters:\n  seconds: {{type: number, default: 600}}\n  timeout: {{default: {timeout}}}\n  cmd: {{immutable: true, default: \"{command}\"}}\n"
        );
        let action = format!("name: {name}\nrunner_type: remote-shell-cmd\n{more}\n{parameters}");
        write(format!("actions/{name}.yaml"), action);
        let formats = format!("[\"{name} on {{{{hosts}}}}\", \"{name} {{{{seconds}}}} on {{{{hosts}}}}\"]");
        write(format!("aliases/{name}.yaml"), format!("name: {name}\naction_ref: own.{name}\nformats: {formats}\n"));
        if let Some((policy_type, parameters)) = policy.split_once(' ') {
            let policy = format!(
                "name: {name}_policy\nresource_ref: own.{name}\npolicy_type: {policy_type}\nenabled: true\nparameters: {{{parameters}}}\n"
            );
            write(format!("policies/{name}.yaml"), policy);
        }
    }
}

async fn world() -> World {
    let mut world = World::without_bot("").await;
    let pack = world.directory.path().join("own");
    write_pack(&pack);
    world.config.content.packs.push(pack);
    world.start_bot().await;
    world
}

impl World {
    /// Starts something and waits until it has said this.
    async fn going(&self, line: &str, says: &str) -> Post {
        let post = self.write("lead", line);
        self.answer_that(&post, |answer| answer.message.contains(says)).await
    }

    async fn waiting(&self, line: &str) -> Post {
        let post = self.write("lead", line);
        self.answer_that(&post, |answer| answer.message.starts_with(":hourglass:")).await
    }

    /// Waits until a post has this text.
    async fn until(&self, post: &Post, says: &str) -> Post {
        let wanted = |now: &Post| now.id == post.id && now.message.contains(says);
        self.chat.wait_for(CHANNEL, wanted, PATIENCE).await.unwrap()
    }

    async fn cancel(&self, post: &Post) {
        self.say("lead", &format!("!cancel {}", id_of(post))).await;
    }

    fn ran_on(&self, host: &str) -> usize {
        self.nodes.ledger(host).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_only_look_run_side_by_side() {
    let world = world().await;
    let first = world.going("!look on wn001", "looking").await;
    let second = world.going("!look on wn001", "looking").await;
    // Who works waits for both, and is seen by who looks after it.
    let third = world.waiting("!work 0 on wn001").await;
    assert!(third.message.contains(&id_of(&first)), "{}", third.message);
    world.cancel(&first).await;
    world.cancel(&second).await;
    world.until(&third, "worked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_begin_in_the_order_in_which_they_came() {
    let world = world().await;
    let first = world.going("!work on wn001", "working").await;
    let second = world.waiting("!work 0 on wn[001-002]").await;
    let third = world.waiting("!work 1 on wn002").await;
    // Nobody passes who would take something from one that waits, and who takes nothing runs at once.
    assert!(third.message.contains(&format!("`{}`", id_of(&second))), "{}", third.message);
    assert!(world.say("lead", "!work 0 on wn003").await.message.contains("worked"));
    assert_eq!((world.ran_on("wn001"), world.ran_on("wn002")), (1, 0));
    let plan = world.say("lead", "!plan work on wn001").await;
    assert!(plan.message.contains("It would wait for its turn"), "{}", plan.message);
    world.cancel(&first).await;
    world.until(&second, "worked").await;
    world.until(&third, "worked").await;
    assert_eq!((world.ran_on("wn001"), world.ran_on("wn002")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_taken_back() {
    let world = world().await;
    let first = world.going("!work on wn001", "working").await;
    let second = world.waiting("!work 0 on wn001").await;
    let third = world.waiting("!work 1 on wn001").await;
    world.cancel(&second).await;
    world.until(&second, "not begun").await;
    world.until(&third, &format!("`{}`", id_of(&first))).await;
    world.cancel(&first).await;
    world.until(&third, "worked").await;
    assert_eq!(world.ran_on("wn001"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_holds_those_back_whose_turn_comes() {
    let mut world = world().await;
    let first = world.going("!work on wn001", "working").await;
    let second = world.waiting("!work 0 on wn001").await;
    world.say("lead", "!freeze power work").await;
    world.cancel(&first).await;
    world.until(&second, "power work").await;
    world.kill_bot();
    world.start_bot().await;
    world.settle().await;
    assert_eq!(world.ran_on("wn001"), 1);
    world.say("lead", "!unfreeze").await;
    world.until(&second, "worked").await;
    assert_eq!(world.ran_on("wn001"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_has_more_wait_or_canceled() {
    let world = world().await;
    for (delays, cancels) in [("narrow", "single"), ("equal", "differ")] {
        let first = world.going(&format!("!{delays} on wn001"), "working").await;
        let second = world.waiting(&format!("!{delays} on wn002")).await;
        assert!(second.message.contains(&format!("own.{delays}_policy")), "{}", second.message);
        let other = world.going(&format!("!{cancels} on wn003"), "working").await;
        let refused = world.say("lead", &format!("!{cancels} on wn004")).await;
        assert!(refused.message.contains(&format!("own.{cancels}_policy")), "{}", refused.message);
        assert!(refused.message.contains(&id_of(&other)), "{}", refused.message);
        world.cancel(&first).await;
        let second = world.until(&second, "working").await;
        world.cancel(&second).await;
        world.cancel(&other).await;
    }
    assert_eq!(world.ran_on("wn004"), 0);
    // Those with other values do not count.
    let first = world.going("!equal on wn001", "working").await;
    assert!(world.say("lead", "!equal 0 on wn002").await.message.contains("worked"));
    world.cancel(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_tried_again_though_the_bot_is_killed_meanwhile() {
    for (line, end) in [("!flaky on wn001", "exit code 3"), ("!slow on wn001", "time")] {
        let mut world = world().await;
        let first = world.say("lead", line).await;
        assert!(first.message.contains(end), "{}", first.message);
        assert!(first.message.contains("It is tried again in 3.0 s: try 2 of 2 is"), "{}", first.message);
        let second = world
            .chat
            .wait_for(CHANNEL, |post| post.message.contains(&format!("Try 2 of 2, after {}", id_of(&first))), PATIENCE)
            .await
            .unwrap();
        assert!(second.message.contains("waits"), "{}", second.message);
        assert_eq!(world.ran_on("wn001"), 1);
        world.kill_bot();
        world.start_bot().await;
        let ended = world.until(&second, "worked").await;
        assert!(ended.message.starts_with(":white_check_mark:"), "{}", ended.message);
        assert_eq!(world.ran_on("wn001"), 2, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tries_are_used_and_the_last_one_says_so() {
    let world = world().await;
    let first = world.say("lead", "!broken on wn001").await;
    assert!(first.message.contains("It is tried again: try 2 of 2 is"), "{}", first.message);
    let tried = format!("Try 2 of 2, after {}", id_of(&first));
    let wanted = |post: &Post| post.message.contains(&tried) && post.message.contains("exit code 3");
    let second = world.chat.wait_for(CHANNEL, wanted, PATIENCE).await.unwrap();
    assert!(!second.message.contains("tried again"), "{}", second.message);
    assert_eq!(world.ran_on("wn001"), 2);
    let told = world.say("lead", "!audit tried-again").await;
    assert!(told.message.contains(&id_of(&first)), "{}", told.message);
}
