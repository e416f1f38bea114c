//! Workflows in the whole program: from a line of chat to commands on nodes, and over a crash.

use crate::world::{CHANNEL, World, id_of, under_way};
use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use halcyon::core::picture::State;
use halcyon::sandbox::mattermost::{Post, PostFailure};
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
    // The first task only looks, and what it wrote went with the process: it is taken again. What comes behind it ran once.
    assert_eq!(world.nodes.ledger("wn001").len(), 2);
    assert_eq!(world.nodes.ledger("wn002").len(), 1);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_paused_resumed_and_stopped_over_the_control_socket() {
    let world = world().await;
    let done = async |ask: Ask, wanted: &str| match world.ask(ask).await {
        Answer::Done { text } => assert!(text.contains(wanted), "{text}"),
        other => panic!("{other:?}"),
    };
    let relay = async || {
        let asked = world.write("operator", "!relay from wn001 to wn002");
        let wants = |post: &Post| under_way(post) && post.message.contains("**wait** · `wn001`");
        let going = world.answer_that(&asked, wants).await;
        (asked, id_of(&going))
    };
    let (asked, id) = relay().await;
    done(Ask::Pause { id: id.clone() }, "begins nothing more").await;
    world.answer_that(&asked, |post| post.message.contains("**paused") && post.message.contains("· 3.")).await;
    assert_eq!(world.started(), 1, "what follows was not begun");
    let Answer::Refused { text } = world.ask(Ask::Pause { id: id.clone() }).await else { panic!() };
    assert!(text.contains("is paused already"), "{text}");
    done(Ask::Resume { id: id.clone() }, "goes on").await;
    let ended = world.answer_that(&asked, |post| post.message.contains("**done**")).await;
    assert!(ended.message.contains("seen: wn002"), "{}", ended.message);
    let Answer::Refused { text } = world.ask(Ask::Resume { id }).await else { panic!() };
    assert!(text.contains("done"), "{text}");

    let (asked, id) = relay().await;
    done(Ask::Cancel { id: id.clone() }, "").await;
    world.answer_that(&asked, |post| post.message.starts_with(":no_entry:")).await;
    let Answer::Picture { picture } = world.ask(Ask::Graph { id }).await else { panic!() };
    let stands: Vec<(&str, State)> = picture.nodes.iter().map(|node| (node.name.as_str(), node.state)).collect();
    assert_eq!(stands, [("wait", State::Canceled), ("look", State::Idle)]);
    let Answer::Refused { text } = world.ask(Ask::Graph { id: "000000".into() }).await else { panic!() };
    assert!(text.contains("000000"), "{text}");
}

/// Width and height of a PNG.
fn size_of(png: &[u8]) -> (u32, u32) {
    assert_eq!(png.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_comes_into_the_thread_once_whatever_happens() {
    let mut world = world().await;
    let ended = world.say("operator", "!chain on wn001").await;
    let pictured = world.reply(&ended.id, |post| !post.file_ids.is_empty()).await;
    assert!(pictured.message.contains(":white_check_mark: `chain on wn001` · **done**"), "{}", pictured.message);
    let files = world.chat.files(&pictured.id);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name, format!("chain-{}.png", id_of(&ended)));
    let (width, height) = size_of(&files[0].content);
    assert!(width >= 400 && height >= 300, "{width} x {height}");

    let relay = async |world: &World| {
        let asked = world.write("operator", "!relay from wn001 to wn002");
        let wants = |post: &Post| under_way(post) && post.message.contains("**wait** · `wn001`");
        (asked.clone(), world.answer_that(&asked, wants).await)
    };
    let pictures = |world: &World, of: &Post| {
        let replies = world.chat.posts(CHANNEL).into_iter().filter(|reply| reply.root_id == of.id);
        replies.filter(|reply| !reply.file_ids.is_empty()).count()
    };
    // It is promised, and the process dies before the server has taken anything.
    let (asked, promised) = relay(&world).await;
    world.chat.faults().down(true);
    loop {
        let ask = Ask::Execution { id: id_of(&promised) };
        match world.ask(ask).await {
            Answer::Execution { execution, .. } if execution.status.is_final() => break,
            Answer::Execution { .. } => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            other => panic!("{other:?}"),
        }
    }
    world.kill_bot();
    assert_eq!(pictures(&world, &promised), 0);
    world.chat.faults().down(false);
    world.start_bot().await;
    world.answer_that(&asked, |post| post.id == promised.id && !under_way(post)).await;
    world.reply(&promised.id, |post| !post.file_ids.is_empty()).await;
    // It is made, and the process dies before it knows.
    let (asked, made) = relay(&world).await;
    world.chat.faults().fail_posts(1, PostFailure::DeadAfter);
    world.answer_that(&asked, |post| post.id == made.id && !under_way(post)).await;
    world.reply(&made.id, |post| !post.file_ids.is_empty()).await;
    world.kill_bot();
    world.start_bot().await;
    world.settle().await;
    for post in [&ended, &promised, &made] {
        assert_eq!(pictures(&world, post), 1, "{}", post.message);
    }

    // And whoever asks gets one, of what is under way too.
    let asked = world.write("operator", "!relay from wn003 to wn004");
    let going = world.answer_that(&asked, |post| under_way(post) && post.message.contains("**wait** · `wn003`")).await;
    let shown = world.say("operator", &format!("!graph {}", id_of(&going))).await;
    assert!(!world.chat.files(&shown.id).is_empty(), "{}", shown.message);
    let shown = world.say("operator", &format!("!graph {}", id_of(&ended))).await;
    assert_eq!(size_of(&world.chat.files(&shown.id)[0].content), (width, height), "the same picture as at its end");
    let row = world.say("operator", &format!("!show {}", id_of(&ended))).await;
    let child =
        row.message.lines().find(|line| line.contains("| greet")).unwrap().split(' ').next().unwrap().to_owned();
    let refused = world.say("operator", &format!("!graph {child}")).await;
    assert!(refused.message.contains("is no workflow"), "{}", refused.message);
}
