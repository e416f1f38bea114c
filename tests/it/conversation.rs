//! Conversations: the whole program through its real interfaces.

use crate::world::{CHANNEL, PATIENCE, World, id_of, under_way};
use halcyon::adapters::store::DiskStore;
use halcyon::core::action::execution::Status;
use halcyon::core::effect::Answer;
use halcyon::core::id::ActionRef;
use halcyon::core::input::Ask;
use halcyon::core::memory::Memory;
use halcyon::runtime::ports::Store;
use halcyon::sandbox::mattermost::{Draft, Post};
use halcyon::sandbox::nodes::Fault;
use std::collections::BTreeMap;
use std::time::Duration;

/// Checks that a line is answered with a text that contains all of these.
async fn check(world: &World, user: &str, line: &str, expected: &[&str]) {
    let answer = world.say(user, line).await;
    for text in expected {
        assert!(
            answer.message.contains(text),
            "{line:?} should be answered with {text:?}, not with:\n{}",
            answer.message
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_answered() {
    let world = World::start().await;
    check(
        &world,
        "operator",
        "@halcyon uptime on wn[001-006]",
        &["done on all 6 hosts", "- `wn001` · `", "load average"],
    )
    .await;
    check(&world, "operator", "!uptime on @workers", &["done on all 3 hosts"]).await;
    check(&world, "operator", "@halcyon", &["Yes?"]).await;
    check(&world, "operator", "!help", &["**site**", "uptime on {{hosts}}", "page 1 of"]).await;
    check(&world, "operator", "!help whoami", &["whoami"]).await;
    check(&world, "operator", "!help reboot", &["reboot"]).await;
    check(&world, "operator", "!help uptime on wn001", &["uptime on {{hosts}}"]).await;
    check(&world, "operator", "!run", &["Is something missing?", "`run {{"]).await;
    check(&world, "operator", "!cancel", &["Is something missing?", "`cancel ID`"]).await;
    check(&world, "operator", "!greet a⏎b on wn001", &["I cannot run", "`word`"]).await;
    check(&world, "operator", "!hardware errors on wn001", &["no output"]).await;
    check(&world, "operator", "!help xyzzy", &["Nothing that you may ask for"]).await;
    check(&world, "operator", "!whoami", &["You are **operator**", "run:site.*"]).await;
    check(&world, "guest", "!whoami", &["no role"]).await;
    check(&world, "operator", "!status", &["Everything I need is working", "connected as halcyon"]).await;
    check(&world, "operator", "!uptime on wn009", &["there is no host `wn009`", "Did you mean", "1. `uptime on wn00"])
        .await;
    check(&world, "operator", "!uptime on @worker", &["there is no group", "uptime on @workers"]).await;
    check(&world, "operator", "!hlep", &["1. `help`"]).await;
    check(&world, "operator", "!hepl", &["1. `help`"]).await;
    check(&world, "operator", "!make coffee", &["I do not know what `make coffee` means"]).await;
    check(&world, "operator", "!7", &["nothing to choose from"]).await;
    check(&world, "operator", "!count to many on wn001", &["I cannot run", "`to`"]).await;
    check(&world, "operator", "!count to 0 on wn001", &["I cannot run", "`to`"]).await;
    check(&world, "operator", "!greet x;reboot on wn001", &["I cannot run", "`word`"]).await;
    check(&world, "operator", "!greet $(id) on wn001", &["I cannot run", "`word`"]).await;
    check(&world, "operator", "!greet {{hosts}} on wn001", &["I cannot run", "`word`"]).await;
    check(&world, "operator", "!show abcdef", &["I know of no execution"]).await;
    check(&world, "operator", "!rest max_pause=0", &["done"]).await;
    check(&world, "operator", "!run false on wn001", &["failed on wn001", "exit code 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_gets_one_sentence_and_nothing_runs() {
    let world = World::start().await;
    check(&world, "guest", "@halcyon reboot wn001", &["you have no role here"]).await;
    check(&world, "guest", "!no such thing", &["you have no role here"]).await;
    check(&world, "guest", "!help", &["you have no role here"]).await;
    // What may not be run is not there: the answers differ in nothing but the line.
    let forbidden = world.say("operator", "!remote").await.message;
    let unknown = world.say("operator", "!ermote").await.message;
    assert_eq!(forbidden.replace("remote", "X"), unknown.replace("ermote", "X"));
    assert_eq!(world.started(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_persons_own_words_start_anything() {
    let world = World::start().await;
    let line = "!uptime on wn001";
    let draft =
        |user: &str| Draft { user: user.into(), channel: CHANNEL.into(), message: line.into(), ..Draft::default() };
    world.chat.post_as_webhook("lead", CHANNEL, line, "lead").unwrap();
    for prop in ["from_bot", "from_plugin", "from_oauth_app", "from_webhook", "override_username"] {
        let mut marked = draft("lead");
        marked.props.insert(prop.into(), "true".into());
        world.chat.inject(marked).unwrap();
    }
    world.chat.inject(Draft { kind: "system_join_channel".into(), ..draft("lead") }).unwrap();
    world.chat.inject(Draft { kind: "custom_something".into(), ..draft("lead") }).unwrap();
    world.chat.inject(Draft { remote_id: "elsewhere".into(), ..draft("lead") }).unwrap();
    world.chat.inject(Draft { edited: true, ..draft("lead") }).unwrap();
    let chatter = world.write("lead", "good morning");
    world.chat.edit_as("lead", &chatter, line).unwrap();
    let robot = world.chat.add_bot("robot");
    let channel = world.chat.channel_id(CHANNEL).unwrap();
    world.chat.join(&robot, &channel).unwrap();
    world.chat.inject(draft("robot")).unwrap();
    world.chat.inject(draft("halcyon")).unwrap();
    world.write("lead", "uptime on wn001");
    world.write("lead", "say @halcyon, uptime on wn001");
    world.write("lead", "@halcyon2 uptime on wn001");
    world.write("lead", "!!");
    world.settle().await;
    assert_eq!(world.started(), 0);
    let answers: Vec<String> = world
        .chat
        .posts(CHANNEL)
        .into_iter()
        .filter(|post| post.user_id == world.bot)
        .map(|post| post.message)
        .collect();
    assert_eq!(answers.len(), 3, "the greeting, what was injected in its name, and the last answer: {answers:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_told_in_one_post_that_is_edited() {
    let world = World::start().await;
    world.nodes.fault("wn002", Fault::RefuseConnections).await;
    let asked = world.write("operator", "!wait 4 on wn[001-003]");
    world.reaction(&asked, "eyes").await;
    let going = world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    assert!(under_way(&going) && going.message.contains("**1 of 3 hosts done**"), "{}", going.message);
    assert!(going.message.contains(":x: `wn002`: could not be reached"), "{}", going.message);
    let answer = world.answer(&asked).await;
    assert_eq!(answer.id, going.id);
    assert!(answer.message.contains("failed on 1 of 3 hosts"), "{}", answer.message);
    world.reaction(&asked, "x").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_output_is_shown_by_its_ends_and_attached_whole() {
    let world = World::start().await;
    let answer = world.say("operator", "!count to 20000 on wn001").await;
    assert!(
        answer.message.contains("[...]") && answer.message.contains("lines are not shown here"),
        "{}",
        answer.message
    );
    assert!(answer.message.chars().count() < 4_000);
    let reply = world.reply(&answer.id, |reply| !reply.file_ids.is_empty()).await;
    let file = world.chat.files(&reply.id).pop().unwrap();
    let text = String::from_utf8(file.content.to_vec()).unwrap();
    let numbers = text.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert_eq!(numbers, 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_is_stopped_on_its_nodes() {
    let world = World::start().await;
    let asked = world.write("operator", "!wait 600 on wn[001-002]");
    let going = world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    check(&world, "operator", &format!("!cancel {}", id_of(&going)), &["Stopping"]).await;
    let answer = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    assert!(answer.message.contains("stopped by operator"), "{}", answer.message);
    for name in ["wn001", "wn002"] {
        assert!(world.nodes.ledger(name).iter().all(|entry| entry.ended.is_some()), "{name} still runs something");
    }
    check(&world, "operator", &format!("!cancel {}", id_of(&going)), &["has already ended"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_are_listed_shown_and_repeated() {
    let world = World::start().await;
    let first = world.say("operator", "!greet you on wn001").await;
    assert!(first.message.contains("hello you"), "{}", first.message);
    let id = id_of(&first);
    check(&world, "operator", "!list", &["`greet you on wn001`", &id, "operator"]).await;
    check(&world, "operator", &format!("!show {id}"), &["hello you", "done on wn001"]).await;
    let again = world.say("operator", &format!("!rerun {id}")).await;
    assert!(again.message.contains("hello you") && id_of(&again) != id, "{}", again.message);
    assert_eq!(world.nodes.ledger("wn001").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_picks_what_was_offered() {
    let world = World::start().await;
    check(&world, "operator", "!uptme on wn001", &["Did you mean", "`uptime on wn001`"]).await;
    // Somebody else's number is not an answer to this, and a bare number from them is not for the bot.
    world.write("lead", "1");
    world.settle().await;
    assert_eq!(world.started(), 0);
    check(&world, "operator", "1", &["done on wn001", "load average"]).await;
    world.write("operator", "1");
    world.settle().await;
    assert_eq!(world.started(), 1, "an offer is good for one choice");
    check(&world, "operator", "!greet officer on wn001 word=you", &["can mean more than one thing"]).await;
    check(&world, "operator", "2", &["hello"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_message_needs_no_address_and_a_thread_is_answered_in_the_thread() {
    let world = World::start().await;
    let direct = world.chat.direct_channel("operator", "halcyon").unwrap();
    let asked = world.chat.post_as("operator", &direct, "uptime on wn001", None).unwrap();
    assert!(world.answer(&asked).await.message.contains("done on wn001"));
    let root = world.write("lead", "something is odd with wn001");
    let asked = world.chat.post_as("operator", CHANNEL, "!uptime on wn001", Some(&root)).unwrap();
    let answer = world.answer(&asked).await;
    assert_eq!(answer.root_id, root);
    let elsewhere = world.chat.post_as("operator", "town-square", "@halcyon uptime on wn001", None);
    if let Ok(asked) = elsewhere {
        let answer = world.answer(&asked).await;
        assert!(answer.message.contains("I take no commands in this channel"), "{}", answer.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_seen_nowhere() {
    let world = World::start().await;
    let secret = "s3cr3t-W0rd";
    let answer = world.say("operator", &format!("!login with {secret} on wn001")).await;
    assert!(answer.message.contains("done on wn001"), "{}", answer.message);
    let id = id_of(&answer);
    check(&world, "operator", &format!("!rerun {id}"), &["secret parameters", "`pass`"]).await;
    for post in world.chat.posts(CHANNEL).iter().filter(|post| post.user_id == world.bot) {
        assert!(!post.message.contains(secret), "{}", post.message);
        assert!(post.revisions.iter().all(|revision| !revision.message.contains(secret)));
    }
    let mut files = vec![world.directory.path().join("store")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the secret stands in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_the_nodes_are_asked_and_nothing_runs_twice() {
    let mut world = World::start().await;
    let done = world.say("operator", "!greet you on wn001").await;
    let ends = world.write("operator", "!wait 3 on wn[001-002]");
    let ends_at = world.answer_that(&ends, |post| post.message.contains("waiting")).await;
    let goes_on = world.write("operator", "!wait 600 on wn003");
    let going = world.answer_that(&goes_on, |post| post.message.contains("waiting")).await;
    let started = world.started();
    world.kill_bot();
    world.start_bot().await;
    let answer = world.answer_that(&ends, |post| post.id == ends_at.id && !under_way(post)).await;
    assert!(answer.message.contains("done on all 2 hosts"), "{}", answer.message);
    assert!(answer.message.contains("as the machine reported afterwards"), "{}", answer.message);
    // What still runs is watched, and can be stopped.
    let seen = |post: &Post| post.id == going.id && post.message.contains("I was restarted in the meantime");
    world.answer_that(&goes_on, seen).await;
    check(&world, "operator", &format!("!cancel {}", id_of(&going)), &["Stopping"]).await;
    let answer = world.answer_that(&goes_on, |post| post.id == going.id && !under_way(post)).await;
    assert!(answer.message.contains("stopped by operator"), "{}", answer.message);
    assert!(world.nodes.ledger("wn003").iter().all(|entry| entry.ended.is_some()));
    assert_eq!(world.started(), started);
    check(&world, "operator", &format!("!show {}", id_of(&done)), &["hello you"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reboot_has_taken_is_asked_about_and_settled_once() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!hold 600 on wn[001-002]");
    let going = world.answer_that(&asked, |post| post.message.contains("holding")).await;
    let id = id_of(&going);
    world.kill_bot();
    world.nodes.reboot("wn002").await;
    world.start_bot().await;
    // The other host still runs; stopped there, the whole would be no question.
    let under = world.answer_that(&asked, |post| post.id == going.id && post.message.contains("nobody knows")).await;
    assert!(under_way(&under), "{}", under.message);
    world.kill_bot();
    world.nodes.reboot("wn001").await;
    world.start_bot().await;
    let question = world.reply(&going.id, |reply| reply.message.contains("@operator")).await;
    for text in ["outcome unknown on all 2 hosts", "not settled yet", "`wn[001-002]`", "not run`"] {
        assert!(question.message.contains(text), "{text}: {}", question.message);
    }
    check(&world, "operator", "!status", &["1 execution waits"]).await;
    check(&world, "operator", "!list", &["not settled yet"]).await;
    let started = world.started();
    let number = world.chat.post_as("operator", CHANNEL, "2", Some(&going.id)).unwrap();
    let noted = world.answer(&number).await;
    assert!(noted.message.contains("operator says that it did not run"), "{}", noted.message);
    let judged = world.answer_that(&asked, |post| post.id == going.id && post.message.contains("says")).await;
    assert!(judged.message.contains("outcome unknown on all 2 hosts, operator says"), "{}", judged.message);
    check(&world, "lead", &format!("!settle {id} again"), &["is already settled", "operator says"]).await;
    check(&world, "operator", "!list", &["operator says that it did not run"]).await;
    assert_eq!(world.started(), started);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_has_lost_its_note_of_is_not_run_again() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!hold 600 on wn001");
    let going = world.answer_that(&asked, |post| post.message.contains("holding")).await;
    world.kill_bot();
    assert!(world.nodes.lose_notes("wn001"));
    world.start_bot().await;
    let question = world.reply(&going.id, |reply| reply.message.contains("@operator")).await;
    assert!(question.message.contains("outcome unknown on wn001"), "{}", question.message);
    assert_eq!(world.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_is_done_when_the_machine_is_back() {
    let mut world = World::without_bot("").await;
    let pack = world.directory.path().join("own");
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(pack.join(name).parent().unwrap()).unwrap();
        std::fs::write(pack.join(name), text).unwrap();
    };
    write("pack.yaml", "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n");
    for (name, connection, command) in [
        ("restart", "reboots", "sudo reboot"),
        ("halt", "leaves", "sudo poweroff"),
        ("idle", "reboots", "echo idle"),
        ("linger", "leaves", "sleep 600"),
    ] {
        let tags = format!("tags: [{{name: connection, value: {connection}}}]");
        let file = format!(
            "name: {name}\nrunner_type: remote-shell-cmd\n{tags}\nparameters: {{cmd: {{default: {command}}}}}\n"
        );
        write(&format!("actions/{name}.yaml"), &file);
        let alias = format!("name: {name}\naction_ref: own.{name}\nformats: [\"{name} {{{{hosts}}}}\"]\n");
        write(&format!("aliases/{name}.yaml"), &alias);
    }
    world.config.content.packs.push(pack.clone());
    world.start_bot().await;
    check(&world, "lead", "!restart wn001", &["done on wn001", "rebooted"]).await;
    check(&world, "lead", "!halt wn002", &["done on wn002", "disconnected, as it should"]).await;
    // It ends well, and the machine is waited for until it has been started anew by somebody.
    let asked = world.write("lead", "!idle wn003");
    world.answer_that(&asked, |post| under_way(post) && post.message.contains("running: `wn003`")).await;
    world.nodes.reboot("wn003").await;
    let answer = world.answer_that(&asked, |post| !under_way(post)).await;
    assert!(answer.message.contains("rebooted"), "{}", answer.message);
    // Nobody was there to see the machine go away. It has been started anew since, so nobody has to be asked.
    let asked = world.write("lead", "!linger wn004");
    let going = world.answer_that(&asked, |post| under_way(post) && post.message.contains("running: `wn004`")).await;
    world.kill_bot();
    world.nodes.reboot("wn004").await;
    world.start_bot().await;
    let answer = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    assert!(answer.message.contains("disconnected, as it should"), "{}", answer.message);
    check(&world, "lead", "!status", &["Nothing is running"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_repeated_is_run_once_more_and_what_was_judged_so_too() {
    let mut world = World::start().await;
    // A read-only command, taken by a reboot while nobody looked.
    let asked = world.write("operator", "!wait 6 on wn001");
    let going = world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    let held = world.write("operator", "!hold 6 on wn[002-003]");
    let holding = world.answer_that(&held, |post| post.message.contains("holding")).await;
    world.kill_bot();
    world.nodes.reboot("wn001").await;
    world.nodes.reboot("wn002").await;
    world.start_bot().await;
    let answer = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    assert!(answer.message.contains("done on wn001"), "{}", answer.message);
    assert!(answer.message.contains("ran it there once more"), "{}", answer.message);
    assert_eq!(world.nodes.ledger("wn001").len(), 2);
    world.reply(&holding.id, |reply| reply.message.contains("`wn002`")).await;
    let again = world.say("operator", &format!("!settle {} again", id_of(&holding))).await;
    assert!(again.message.contains("done on wn002"), "{}", again.message);
    assert_eq!((world.nodes.ledger("wn002").len(), world.nodes.ledger("wn003").len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_is_made_again_and_the_node_asked() {
    let world = World::start().await;
    let asked = world.write("operator", "!hold 2 on wn[001-002]");
    world.answer_that(&asked, |post| post.message.contains("holding")).await;
    world.nodes.fault("wn001", Fault::RefuseConnections).await;
    world.nodes.heal("wn001").await;
    let answer = world.answer(&asked).await;
    assert!(answer.message.contains("done on all 2 hosts"), "{}", answer.message);
    assert!(answer.message.contains("as the machine reported afterwards"), "{}", answer.message);
    assert_eq!(world.started(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_socket_runs_and_shows() {
    let world = World::start().await;
    let run = Ask::Run {
        action: ActionRef::new("site.uptime"),
        parameters: BTreeMap::from([("hosts".to_owned(), "wn001".into())]),
        trace_tag: None,
    };
    let Answer::Started { id } = world.ask(run).await else { panic!("not started") };
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let Answer::Execution { execution, .. } = world.ask(Ask::Execution { id: id.to_string() }).await else {
            panic!("not found")
        };
        if execution.status.is_final() {
            assert_eq!(execution.status, Status::Succeeded);
            break;
        }
        assert!(tokio::time::Instant::now() < end);
    }
    let wrong = Ask::Run { action: ActionRef::new("site.uptme"), parameters: BTreeMap::new(), trace_tag: None };
    let Answer::Refused { text } = world.ask(wrong).await else { panic!("not refused") };
    assert!(text.contains("site.uptime"), "{text}");
    let Answer::Health { healthy, parts } = world.ask(Ask::Health).await else { panic!("no health") };
    assert!(healthy, "{parts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_command_runs_as_it_is_configured() {
    let world = World::start().await;
    let run = Ask::Run {
        action: ActionRef::new("core.echo"),
        parameters: BTreeMap::from([("message".to_owned(), "it's \"quoted\"; $(id) `x` & more".into())]),
        trace_tag: None,
    };
    let Answer::Started { id } = world.ask(run).await else { panic!("not started") };
    let end = tokio::time::Instant::now() + PATIENCE;
    let outcome = loop {
        let Answer::Execution { execution, .. } = world.ask(Ask::Execution { id: id.to_string() }).await else {
            panic!("not found")
        };
        if execution.status.is_final() {
            break execution;
        }
        assert!(tokio::time::Instant::now() < end);
    };
    let text = format!("{:?}", outcome.outcomes);
    assert!(text.contains("$(id) `x` & more") && outcome.status == Status::Succeeded, "{:?} {text}", outcome.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_lets_a_run_end_and_takes_nothing_new() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!wait 1 on wn001");
    world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    let pause = world.write("operator", "!rest");
    world.answer_that(&pause, under_way).await;
    let before = tokio::time::Instant::now();
    world.stop_bot().await;
    assert!(before.elapsed() < Duration::from_secs(15), "a pause is not waited for");
    let answer = world.answer(&asked).await;
    assert!(answer.message.contains("done on wn001"), "{}", answer.message);
    let (store, _) = DiskStore::open(world.directory.path().join("store")).await.unwrap();
    let mut memory = Memory::default();
    for dated in store.replay().await.unwrap() {
        memory.apply(&dated).unwrap();
    }
    assert!(memory.unsent.is_empty(), "said and not noted: {:?}", memory.unsent);
    assert_eq!(memory.executions.len(), 1, "the pause goes on after the next start");
}
