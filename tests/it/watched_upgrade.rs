//! Kernels of nodes that a monitoring watches: what it tells of them through its plugin while they are upgraded, and where people read that.

use crate::healing::{ACCESS, PACK, mended};
use crate::kernel_upgrade::{approve, world_without_bot};
use crate::notify::Site;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::sandbox::mattermost::Post;
use halcyon::sandbox::nodes::Fault;
use std::time::Duration;
use tokio::time::Instant;

/// The posts of problems on a machine, as they are now: those that stand in the channel and in no thread.
fn posts_of(world: &World, node: &str) -> Vec<String> {
    let of_node = format!("** `{node}`");
    let posts = world.chat.posts(CHANNEL).into_iter();
    let posts = posts.filter(|post| post.user_id == world.bot && post.root_id.is_empty());
    posts.map(|post| post.message).filter(|message| message.lines().next().unwrap().contains(&of_node)).collect()
}

async fn post_of(world: &World, node: &str, beginning: &str) -> Post {
    let of_node = format!("** `{node}`");
    let wanted =
        |post: &Post| post.root_id.is_empty() && post.message.starts_with(beginning) && post.message.contains(&of_node);
    world.chat.wait_for(CHANNEL, wanted, PATIENCE).await.unwrap()
}

async fn reached(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One node is held up by a job, and something that has nothing to do with it goes wrong there; another does not come back from its reboot; the bot dies in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_keeps_its_nodes_out_of_the_channel_and_hands_over_what_stays_broken() {
    let (mut world, _mailbox) = world_without_bot(ACCESS, |options| {
        options.administration = Some("puppet".to_owned());
    })
    .await;
    world.add_pack("st2ihep", &[("pack.yaml", PACK), ("rules/orphans.yaml", &mended())]);
    let site = Site::watch(&mut world, true).await;
    let job = world.nodes.submit_job("wn001").unwrap();
    assert!(world.nodes.fault("wn002", Fault::StaysDown).await);
    let line = world.write("operator", "!upgrade kernel on wn[001-002] at_a_time=2");
    let card = world.answer_that(&line, |post| post.message.starts_with(":lock:")).await;
    approve(&world, &card);
    reached("wn001 is taken out of service", || {
        world.nodes.batch_state("wn001").is_some_and(|node| node.state == "draining")
    })
    .await;

    // What goes wrong on a node that is being upgraded stands in the thread, and the rule that would heal it leaves it alone.
    world.nodes.abandon("wn001", "atlsqmal").unwrap();
    world
        .reply(&card.id, |post| post.message.starts_with("`wn001` · Unparent processes: :red_circle: **CRITICAL**"))
        .await;
    let refused =
        |post: &Post| post.message.contains("NodesCheckMkCheckOrphans") && post.message.contains("out of service");
    world.reply(&card.id, refused).await;
    // Of a node that is not, the channel is told as always, and the rule heals it.
    world.nodes.abandon("wn004", "atlsqmal").unwrap();
    post_of(&world, "wn004", ":white_check_mark: **OK again**").await;
    assert!(world.nodes.abandoned("wn004").is_empty());

    // A node that does not come back is told of in the thread as well, and in the channel from the end of its upgrade on.
    world.reply(&card.id, |post| post.message.starts_with("`wn002`: :red_circle: **DOWN**")).await;
    let broken = post_of(&world, "wn002", ":red_circle: **DOWN**").await;
    assert!(broken.message.contains("it began while `site.kernel_upgrade`"), "{}", broken.message);
    world
        .reply(&card.id, |post| {
            post.message.contains("`wn002`: still") && post.message.contains("in the channel from now on")
        })
        .await;
    assert!(world.nodes.abandoned("wn001").len() == 1 && posts_of(&world, "wn001").is_empty());

    world.kill_bot();
    world.start_bot().await;
    // The job ends, the node goes through its upgrade, and the reboot has taken the process away.
    world.say("lead", &format!("!run scancel {job} on slurm01")).await;
    let ended = |post: &Post| post.id == card.id && post.message.contains("verdict:");
    let ended = world.chat.wait_for(CHANNEL, ended, 4 * PATIENCE).await.unwrap();
    assert!(ended.message.contains("done, and not all upgraded"), "{}", ended.message);
    world
        .reply(&card.id, |post| post.message.starts_with("`wn001` · Unparent processes: :white_check_mark: Over"))
        .await;
    assert!(world.nodes.heal("wn002").await);
    let over = post_of(&world, "wn002", ":white_check_mark: **OK again**").await;
    assert_eq!(over.id, broken.id);
    site.delivered().await;
    world.settle().await;
    assert_eq!(posts_of(&world, "wn001"), Vec::<String>::new(), "a node that was upgraded is nobody's alert");
    assert_eq!((posts_of(&world, "wn002").len(), posts_of(&world, "wn004").len()), (1, 1));
    let healed: Vec<&str> = ["wn001", "wn002", "wn004"]
        .into_iter()
        .filter(|node| {
            world.nodes.ledger("puppet").iter().any(|entry| entry.script.contains(&format!("pdsh -w {node} ")))
        })
        .collect();
    assert_eq!(healed, ["wn004"], "what a rule ran");
}
