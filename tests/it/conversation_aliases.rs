//! Conversations about what an alias can do, through the whole program.

use crate::world::{CHANNEL, World};
use halcyon::sandbox::mattermost::Post;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_asked_for_and_given_across_a_restart() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!wipe it times");
    let question = world.reply(&asked, |reply| reply.message.contains("needs one more thing")).await;
    assert!(question.message.contains("`level`, a whole number (how thoroughly)"), "{}", question.message);
    world.kill_bot();
    world.start_bot().await;
    let given = world.chat.post_as("operator", CHANNEL, "2", Some(&asked)).unwrap();
    let answer = world.answer(&given).await;
    assert!(answer.message.contains("`wipe it 2 times`") && answer.message.contains("wiping 2"), "{}", answer.message);
    // The question is closed: talk goes on in its thread.
    world.chat.post_as("operator", CHANNEL, "3", Some(&asked)).unwrap();
    world.settle().await;
    assert_eq!(world.started(), 1);

    // What can do harm and was said while the bot was away is asked about again.
    let asked = world.write("operator", "!wipe it times");
    world.reply(&asked, |reply| reply.message.contains("needs one more thing")).await;
    world.kill_bot();
    world.chat.post_as("operator", CHANNEL, "3", Some(&asked)).unwrap();
    world.start_bot().await;
    let again = world.reply(&asked, |reply| reply.message.contains("while I was away")).await;
    assert!(again.message.contains("`wipe it 3 times` was written"), "{}", again.message);
    assert_eq!(world.started(), 1);
    let number = world.chat.post_as("operator", CHANNEL, "1", Some(&asked)).unwrap();
    let answer = world.answer(&number).await;
    assert!(answer.message.contains("wiping 3"), "{}", answer.message);
    assert_eq!(world.started(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_starts_one_for_each_line_and_can_be_repeated() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!paint red\npaint blue");
    world.answer_that(&asked, |post| post.message.contains("`paint red` · **done")).await;
    world.answer_that(&asked, |post| post.message.contains("`paint blue` · **done")).await;
    world.reaction(&asked, "white_check_mark").await;
    assert_eq!(world.started(), 2);
    world.kill_bot();
    world.start_bot().await;
    let again = world.write("operator", "!!");
    world.answer_that(&again, |post| post.message.contains("`paint blue` · **done")).await;
    world.answer_that(&again, |post| post.message.contains("`paint red` · **done")).await;
    assert_eq!(world.started(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pack_tells_in_its_own_way() {
    let world = World::start().await;
    let asked = world.write("operator", "!dressed report \"@all *x*\"");
    let wanted = |post: &Post| post.message.contains("Found it.");
    let answer = world.answer_that(&asked, wanted).await;
    assert!(answer.message.contains("done on wn001"), "{}", answer.message);
    let attachment = &answer.props["attachments"][0];
    assert_eq!((&attachment["color"], &attachment["title"]), (&"#042A60".into(), &"succeeded by operator".into()));
    assert!(!attachment["text"].as_str().unwrap().contains("@all"), "{attachment}");
    let asked = world.write("operator", "!quietly report");
    world.reaction(&asked, "white_check_mark").await;
    world.settle().await;
    let said = world.chat.posts(CHANNEL).iter().filter(|post| post.message.contains("quietly")).count();
    assert_eq!(said, 1, "the line, and nothing about it");
}
