//! What a reload puts in force, what it leaves to a restart, and what it does about mistakes.

use super::{Service, halcyon, heard, rewrite, world, write_token};
use crate::world::{World, under_way};
use std::path::PathBuf;

/// A pack of the world's own, so that its files can be changed.
fn own_pack(world: &World) -> PathBuf {
    let pack = world.directory.path().join("own");
    for folder in ["actions", "aliases"] {
        std::fs::create_dir_all(pack.join(folder)).unwrap();
    }
    std::fs::write(pack.join("pack.yaml"), "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n")
        .unwrap();
    alias(world, "ping");
    let action = "name: hello\nrunner_type: local-shell-cmd\nparameters:\n  cmd:\n    immutable: true\n    default: echo hello\n";
    std::fs::write(pack.join("actions/hello.yaml"), action).unwrap();
    pack
}

fn alias(world: &World, word: &str) {
    let text = format!("name: hello\naction_ref: own.hello\ndescription: says hello\nformats:\n  - \"{word} once\"\n");
    std::fs::write(world.directory.path().join("own/aliases/hello.yaml"), text).unwrap();
}

async fn check(world: &World, line: &str, expected: &str) {
    let answer = world.say("lead", line).await;
    assert!(answer.message.contains(expected), "{line}: {}", answer.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_change_changes_and_the_rest_is_named() {
    let world = world("").await;
    own_pack(&world);
    // Read when they are asked to be, and not before.
    rewrite(&world, "packs = [", "poll = 0\npacks = [\"own\", ");
    let _service = Service::start(&world, false);
    heard(&world, "I am here").await;
    check(&world, "!ping once", "done").await;

    let (code, said) = halcyon(&world, &["reload"]).await;
    assert_eq!((code, said.as_str()), (0, "read again; nothing that is in force has changed\n"));

    alias(&world, "pong");
    rewrite(&world, "[mattermost]\n", "[mattermost]\nprefix = \"?\"\n");
    rewrite(&world, "users = [\"operator\"]", "users = [\"guest\"]");
    rewrite(&world, "connect_timeout = 3", "connect_timeout = 4");
    rewrite(&world, "path = \"store\"", "path = \"elsewhere\"\n[control]\nsocket = \"store/control.sock\"");
    let (code, said) = halcyon(&world, &["reload"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        said,
        "changed and in force: mattermost.prefix, ssh, access.roles, 1 file of the packs\nin force only after a restart: store.path\n"
    );
    heard(&world, "only in force after a restart: `store.path`").await;
    check(&world, "?pong once", "done").await;
    check(&world, "?ping once", "I do not know").await;
    // The new runner for nodes runs, and roles are as they are now.
    check(&world, "?uptime on wn001", "done on wn001").await;
    let answer = world.say("guest", "?uptime on wn001").await;
    assert!(answer.message.contains("done on wn001"), "{}", answer.message);
    let answer = world.say("operator", "?uptime on wn001").await;
    assert!(answer.message.contains("no role"), "{}", answer.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_version_stays_in_force() {
    let world = world("").await;
    let pack = own_pack(&world);
    // Read when they are asked to be, and not before.
    rewrite(&world, "packs = [", "poll = 0\npacks = [\"own\", ");
    let _service = Service::start(&world, false);
    heard(&world, "I am here").await;

    // Mistakes in the configuration: nothing changes, and they are told with file, line and key path.
    rewrite(&world, "users = [\"operator\"]", "users = [\"nobody\"]");
    rewrite(&world, "[mattermost]\n", "[mattermost]\nchanels = [\"x\"]\n");
    alias(&world, "pong");
    let (code, said) = halcyon(&world, &["reload", "--json"]).await;
    assert_eq!(code, 1, "{said}");
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(value["in_force"], false);
    let problem = value["problems"][0].as_str().unwrap();
    assert!(problem.contains("config.toml:3: mattermost.chanels: unknown key"), "{problem}");
    let told = heard(&world, "My configuration has mistakes").await;
    assert!(told.contains("config.toml:3: mattermost.chanels"), "{told}");
    check(&world, "!ping once", "done").await;
    rewrite(&world, "chanels = [\"x\"]\n", "");

    // A mistake in a file of a pack: that file stays as it was, the others are new.
    std::fs::write(pack.join("aliases/hello.yaml"), "name: hello\naction_ref: own.hello\nformts: [x]\n").unwrap();
    let again = std::fs::read_to_string(pack.join("actions/hello.yaml")).unwrap().replace("echo hello", "echo again");
    std::fs::write(pack.join("actions/hello.yaml"), again).unwrap();
    let (code, said) = halcyon(&world, &["reload"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("aliases/hello.yaml:3: formts"), "{said}");
    check(&world, "!ping once", "again").await;
    check(&world, "!status", "1 problem in files · `halcyon check`").await;

    // The same in chat, for whom it is meant.
    alias(&world, "pong");
    check(&world, "!reload", "Changed and in force: 1 file of the packs").await;
    check(&world, "!pong once", "again").await;
    rewrite(&world, "users = [\"nobody\"]", "users = [\"operator\"]");
    check(&world, "!reload", "`access.roles`").await;
    let answer = world.say("operator", "!reload").await;
    assert!(answer.message.contains("is for those who may administer me"), "{}", answer.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_work_goes_on_over_a_reload() {
    let world = world("").await;
    let service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let asked = world.write("operator", "!wait 2 on wn001");
    world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    rewrite(&world, "connect_timeout = 3", "connect_timeout = 4");
    rewrite(&world, "users = [\"operator\"]", "users = [\"guest\"]");
    let (code, said) = halcyon(&world, &["reload"]).await;
    assert_eq!(code, 0, "{said}");
    // The notice of the reload stands between.
    let ended = world.answer_that(&asked, |post| post.message.contains("wait 2 on wn001") && !under_way(post)).await;
    assert!(ended.message.contains("done on wn001"), "{}\n{}", ended.message, service.log());
    assert!(said.contains("access.roles"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_token_is_taken() {
    let world = world("").await;
    let _service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let old = std::fs::read_to_string(world.directory.path().join("token")).unwrap();
    let new = world.chat.bot_token();
    world.chat.faults().revoke_token(&old);
    let between = world.write("operator", "!whoami");
    write_token(&world, &new);
    let (code, said) = halcyon(&world, &["reload"]).await;
    assert_eq!((code, said.as_str()), (0, "changed and in force: mattermost.token_file\n"));
    // Lines between the two connections are read once the new one stands.
    for line in [between, world.write("operator", "!whoami")] {
        let answer = world.answer_that(&line, |post| post.message.contains("You are **operator**")).await;
        assert!(answer.message.contains("operator"), "{}", answer.message);
    }
}
