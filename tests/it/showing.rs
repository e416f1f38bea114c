//! What a person sees of an execution: parts of it, its output as it comes, in the site's own words and by their own clock.

use crate::world::{PATIENCE, World, id_of, under_way};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halcyon::config::{Config, Environment};
use halcyon::core::effect::Answer;
use halcyon::core::input::{Ask, OutputPart};
use halcyon::sandbox::mattermost::Post;
use halcyon::sandbox::nodes::Fault;
use std::fs;

/// Checks that a line is answered with all of these and with nothing of those.
async fn check(world: &World, line: &str, all: &[&str], none: &[&str]) -> Post {
    let answer = world.say("operator", line).await;
    for text in all {
        assert!(answer.message.contains(text), "{line:?} should say {text:?}:\n{}", answer.message);
    }
    for text in none {
        assert!(!answer.message.contains(text), "{line:?} should not say {text:?}:\n{}", answer.message);
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_an_execution_are_shown() {
    let world = World::start().await;
    world.nodes.fault("wn002", Fault::RefuseConnections).await;
    let told = check(
        &world,
        "!kernel on wn[001-006]",
        &[
            "failed on 1 of 6 hosts",
            "- :x: `wn002` · could not be reached",
            "**the other 5 hosts** `wn[001,003-006]` · `5.",
        ],
        &[],
    )
    .await;
    let id = id_of(&told);
    check(&world, &format!("!show {id}"), &["by operator, ", " CE", "the other 5 hosts"], &["only"]).await;
    check(&world, &format!("!show {id} failed"), &["only `wn002`", "could not be reached"], &["5.14"]).await;
    check(&world, &format!("!show {id} wn[003-004]"), &["only `wn[003-004]`", "**both hosts** · `5."], &["reached"])
        .await;
    check(&world, &format!("!show {id} @workers"), &["only `wn[001-003]`", "`wn[001,003]` (2)"], &["wn004"]).await;
    check(&world, &format!("!show {id} wn009"), &["`wn009` is not among the hosts of", "`wn[001-006]`"], &[]).await;
    check(&world, &format!("!show {id} every thing"), &["`every thing` is not among the hosts of"], &[]).await;
    check(&world, "!list", &["- :x: `", "failed on 1 of 6 hosts", "operator, ", " s ago"], &["|"]).await;
    let fine = id_of(&world.say("operator", "!kernel on wn001").await);
    check(&world, &format!("!show {fine} failed"), &["Nothing failed in `kernel on wn001`", "done on wn001"], &[])
        .await;
    // However short, as a file.
    let shown = check(&world, &format!("!show {fine} output"), &["5.", "The whole output is attached."], &[]).await;
    assert_eq!(world.chat.files(&shown.id).len(), 1);
    let shown = check(&world, &format!("!show {id} wn001 OUTPUT"), &["only `wn001`", "is attached."], &[]).await;
    let file = world.chat.files(&shown.id).pop().unwrap();
    assert!(String::from_utf8_lossy(&file.content).starts_with("===== wn001 =====\n"));
    check(&world, &format!("!show {id} wn002 output"), &["could not be reached"], &["attached"]).await;
    let long = id_of(&world.say("operator", "!count to 20000 on wn[001-002]").await);
    let shown =
        check(&world, &format!("!show {long} wn001"), &["only `wn001`", "The whole output is attached."], &[]).await;
    let file = world.chat.files(&shown.id).pop().unwrap();
    assert!(String::from_utf8_lossy(&file.content).starts_with("===== wn001 =====\n"));
    let part = |stderr, offset| OutputPart { host: "wn001".to_owned(), stderr, offset };
    for (asked, expected) in [(part(false, 0), "1\n2\n"), (part(false, 4), "3\n4\n"), (part(true, 0), "")] {
        let Answer::Output { base64 } = world.ask(Ask::Output { id: long.clone(), part: asked }).await else {
            panic!()
        };
        let piece = STANDARD.decode(base64).unwrap();
        assert!(String::from_utf8_lossy(&piece).starts_with(expected), "{expected:?}");
    }
    check(&world, &format!("!tail {long}"), &["19981\n", "20000\n", "These are the last lines"], &["19980\n"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_is_followed_to_its_end_also_over_a_restart() {
    let mut world = World::start().await;
    let asked = world.write("operator", "!wait 600 on wn[001-002]");
    let going = world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    let id = id_of(&going);
    let tail = world.write("operator", &format!("!tail {id}"));
    let followed = world.answer_that(&tail, |post| post.message.contains("keep this up to date")).await;
    assert!(under_way(&followed) && followed.message.contains("wn001: waiting"), "{}", followed.message);
    world.kill_bot();
    world.start_bot().await;
    world.say("operator", &format!("!cancel {id}")).await;
    let bot = world.bot.clone();
    let ended = |post: &Post| post.id == followed.id && post.user_id == bot && !under_way(post);
    let ended = world.chat.wait_for(crate::world::CHANNEL, ended, PATIENCE).await.unwrap();
    assert!(ended.message.contains("stopped by operator"), "{}", ended.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_says_it_in_its_own_words() {
    let mut world = World::without_bot("").await;
    let pack = world.directory.path().join("own");
    fs::create_dir_all(pack.join("templates/phrases")).unwrap();
    let manifest = "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n";
    fs::write(pack.join("pack.yaml"), manifest).unwrap();
    fs::write(pack.join("templates/called.hbs"), "At your service.\n").unwrap();
    fs::write(pack.join("templates/phrases/exit.hbs"), "{{#if (eq how \"code\")}}code {{code}}{{/if}}").unwrap();
    fs::write(pack.join("templates/no_execution.hbs"), "{{code id}}?\n{{name}}").unwrap();
    fs::write(pack.join("templates/callled.hbs"), "At your service.\n").unwrap();
    let file = world.directory.path().join("config.toml");
    let text = fs::read_to_string(&file).unwrap().replace("packs = [", "packs = [\"own\", ");
    let token = [("HALCYON_MATTERMOST_TOKEN".to_owned(), world.chat.bot_token())];
    world.config = Config::parse(&file, &text, &Environment::from(token)).unwrap();
    world.start_bot().await;
    let greeting = world.chat.posts(crate::world::CHANNEL).remove(0).message;
    assert!(greeting.contains("templates/no_execution.hbs:2: "), "{greeting}");
    assert!(greeting.contains("templates/callled.hbs: there is no message"), "{greeting}");
    check(&world, "@halcyon", &["At your service."], &["Yes?"]).await;
    check(&world, "!run false on wn001", &["code 1"], &["exit code"]).await;
    check(&world, "!show abcdef", &["I know of no execution `abcdef`"], &[]).await;
    // One that gets a mistake stays as it was, and the others change.
    fs::write(pack.join("templates/called.hbs"), "At your\n{{service}}.\n").unwrap();
    fs::write(pack.join("templates/no_execution.hbs"), "{{code id}}?").unwrap();
    let told = world.say("lead", "!reload").await.message;
    assert!(told.contains("templates/called.hbs:2: "), "{told}");
    check(&world, "@halcyon", &["At your service."], &[]).await;
    check(&world, "!show abcdef", &["`abcdef`?"], &["I know"]).await;
}
