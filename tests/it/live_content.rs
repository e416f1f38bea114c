//! Packs that are changed while the bot works with them.

use crate::world::{CHANNEL, PATIENCE, World, under_way};
use halcyon::sandbox::mattermost::Post;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A pack of the world's own with an action that takes a while.
struct Pack(PathBuf);

impl Pack {
    fn new(directory: &Path) -> Self {
        let pack = Self(directory.to_owned());
        for folder in ["actions", "aliases"] {
            std::fs::create_dir_all(pack.0.join(folder)).unwrap();
        }
        pack.write("pack.yaml", "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n");
        pack.write("aliases/work.yaml", &alias("work"));
        pack.write("actions/work.yaml", &action("old"));
        pack
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

fn alias(word: &str) -> String {
    format!(
        "name: work\naction_ref: own.work\ndescription: works a while\nformats:\n  - \"{word} {{{{seconds}}}} on {{{{hosts}}}}\"\n"
    )
}

fn action(says: &str) -> String {
    format!(
        "name: work\nrunner_type: remote-shell-cmd\ntags: [{{name: effect, value: read-only}}]\nparameters:\n  seconds: {{type: number}}\n  cmd:\n    immutable: true\n    default: \"sleep {{{{seconds}}}}; echo {says} version\"\n"
    )
}

/// A world whose bot also works with a pack of its own.
async fn world() -> (World, Pack) {
    let mut world = World::without_bot("").await;
    let pack = Pack::new(&world.directory.path().join("own"));
    world.config.content.packs.push(pack.0.clone());
    world.start_bot().await;
    (world, pack)
}

/// Says the same line until its answer has the text: what was changed is in force. Gives how long that took.
async fn in_force(world: &World, line: &str, text: &str) -> Duration {
    let began = Instant::now();
    loop {
        let answer = world.say("lead", line).await;
        if answer.message.contains(text) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{line:?} is never answered with {text:?} but:\n{}", answer.message);
    }
}

/// Waits for a post of the bot in the channel.
async fn told(world: &World, wanted: &str) -> Post {
    let posts = world.chat.wait_for(CHANNEL, |post| post.message.contains(wanted), PATIENCE).await;
    posts.unwrap_or_else(|problem| panic!("nobody says {wanted:?}: {problem}"))
}

fn times(world: &World, wanted: &str) -> usize {
    world.chat.posts(CHANNEL).iter().filter(|post| post.message.contains(wanted)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_disturbs_nothing_that_runs_and_a_broken_file_changes_nothing() {
    let (world, pack) = world().await;
    // Twenty commands are under way.
    let asked: Vec<String> =
        (0..20).map(|number| world.write("lead", &format!("!work 4 on wn00{}", 1 + number % 6))).collect();
    for post in &asked {
        world.reaction(post, "eyes").await;
    }
    let going = || world.chat.posts(CHANNEL).iter().filter(|post| under_way(post)).count();
    let end = Instant::now() + PATIENCE;
    while going() < 20 {
        assert!(Instant::now() < end, "only {} are under way", going());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Meanwhile the alias is called something else and its action does something else.
    pack.write("aliases/work.yaml", &alias("toil"));
    pack.write("actions/work.yaml", &action("new"));
    in_force(&world, "!toil 0 on wn001", "new version").await;
    let answer = world.say("lead", "!work 0 on wn001").await;
    assert!(answer.message.contains("I do not know"), "{}", answer.message);
    // None of the twenty was disturbed.
    let end = Instant::now() + PATIENCE;
    let done = || world.chat.posts(CHANNEL).iter().filter(|post| post.message.contains("old version")).count();
    while done() < 20 {
        assert!(Instant::now() < end, "only {} have ended as they began", done());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(times(&world, "failed on"), 0);

    // A mistake: the version before stays in force, and the admin channel hears of it once, with its line.
    pack.write("aliases/work.yaml", &alias("toil").replace("formats", "formts"));
    let said = told(&world, "aliases/work.yaml:4: formts").await;
    assert!(said.message.contains("its previous version stays in force"), "{}", said.message);
    in_force(&world, "!toil 0 on wn001", "new version").await;
    // It stays so over further changes, which are in force although that file is broken.
    pack.write("actions/work.yaml", &action("newer"));
    in_force(&world, "!toil 0 on wn001", "newer version").await;
    pack.write("actions/work.yaml", "name: work\nrunner_type: remote-shell-cmd\nparamters: {}\n");
    told(&world, "actions/work.yaml:3: paramters").await;
    in_force(&world, "!toil 0 on wn001", "newer version").await;
    assert_eq!(times(&world, "aliases/work.yaml:4: formts"), 1, "it is told once");
    let answer = world.say("lead", "!pack list").await;
    assert!(
        answer.message.contains("- **own** 1.0.0 · 1 action · 1 alias · :warning: 2 mistakes"),
        "{}",
        answer.message
    );

    // Mended, that is told too.
    pack.write("aliases/work.yaml", &alias("labour"));
    told(&world, "aliases/work.yaml` is all right again").await;
    in_force(&world, "!labour 0 on wn001", "newer version").await;
    std::fs::remove_file(pack.0.join("actions/work.yaml")).unwrap();
    told(&world, "which had mistakes, is gone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_a_file_changes_it_is_noticed() {
    let (mut world, pack) = world().await;
    let place = world.directory.path().to_owned();
    // An editor puts another file in its place.
    pack.write("aliases/.work.yaml.swp", &alias("one"));
    std::fs::rename(pack.0.join("aliases/.work.yaml.swp"), pack.0.join("aliases/work.yaml")).unwrap();
    let took = in_force(&world, "!one 0 on wn001", "old version").await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    // The directory is exchanged for another.
    std::fs::rename(pack.0.join("aliases"), place.join("aside")).unwrap();
    std::fs::create_dir(pack.0.join("aliases")).unwrap();
    pack.write("aliases/work.yaml", &alias("two"));
    in_force(&world, "!two 0 on wn001", "old version").await;
    pack.write("aliases/work.yaml", &alias("three"));
    in_force(&world, "!three 0 on wn001", "old version").await;
    // A file is a link to another one of the pack.
    std::fs::create_dir(pack.0.join("shared")).unwrap();
    pack.write("shared/work", &alias("four"));
    std::fs::remove_file(pack.0.join("aliases/work.yaml")).unwrap();
    std::os::unix::fs::symlink("../shared/work", pack.0.join("aliases/work.yaml")).unwrap();
    in_force(&world, "!four 0 on wn001", "old version").await;
    pack.write("shared/work", &alias("five"));
    in_force(&world, "!five 0 on wn001", "old version").await;
    // The whole pack is a link that is turned over, as a deployment does it.
    world.kill_bot();
    Pack::new(&place.join("release-1"));
    let release = Pack::new(&place.join("release-2"));
    release.write("aliases/work.yaml", &alias("six"));
    let current = place.join("current");
    std::os::unix::fs::symlink("release-1", &current).unwrap();
    world.config.content.packs.pop();
    world.config.content.packs.push(current.clone());
    world.start_bot().await;
    in_force(&world, "!work 0 on wn001", "old version").await;
    std::os::unix::fs::symlink("release-2", place.join("next")).unwrap();
    std::fs::rename(place.join("next"), &current).unwrap();
    in_force(&world, "!six 0 on wn001", "old version").await;
    // The disk goes away and comes again: nothing is lost meanwhile.
    std::fs::rename(&current, place.join("next")).unwrap();
    told(&world, "No such file or directory").await;
    in_force(&world, "!six 0 on wn001", "old version").await;
    std::fs::rename(place.join("next"), &current).unwrap();
    told(&world, "is all right again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_being_written_alarms_nobody() {
    let (world, pack) = world().await;
    let whole = alias("toil");
    // Piece by piece, each of them closed, with mistakes until the last.
    for length in [0, 20, 45, whole.len() - 30] {
        pack.write("aliases/work.yaml", &whole[..length]);
        in_force(&world, "!whoami", "You are").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    pack.write("aliases/work.yaml", &whole);
    in_force(&world, "!toil 0 on wn001", "old version").await;
    // Whatever was wrong would be told before this is.
    pack.write("actions/work.yaml", "name: [\n");
    told(&world, "actions/work.yaml").await;
    assert_eq!(times(&world, "aliases/work.yaml:"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_a_broken_file_is_out_of_force_and_named() {
    let (mut world, pack) = world().await;
    pack.write("aliases/work.yaml", "name: work\n");
    told(&world, "its previous version stays in force").await;
    in_force(&world, "!work 0 on wn001", "old version").await;
    world.kill_bot();
    world.start_bot().await;
    let greeting = told(&world, "I am here (version 0.1.0).\n- ").await;
    assert!(greeting.message.contains("aliases/work.yaml: the key"), "{}", greeting.message);
    in_force(&world, "!work 0 on wn001", "I do not know").await;
    pack.write("aliases/work.yaml", &alias("work"));
    told(&world, "aliases/work.yaml` is all right again").await;
    in_force(&world, "!work 0 on wn001", "old version").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_is_gone_is_still_run() {
    let mut world = World::without_bot("").await;
    let pack = Pack::new(&world.directory.path().join("own"));
    let here = |word: &str| alias(word).replace(" on {{hosts}}", "");
    pack.write("aliases/work.yaml", &here("work"));
    pack.write("actions/work.yaml", "name: work\nrunner_type: local-shell-script\nentry_point: work.sh\nparameters:\n  seconds: {type: number, position: 0}\n");
    pack.write("actions/work.sh", "#!/bin/bash\necho \"worked for $1\"\n");
    world.config.content.packs.push(pack.0.clone());
    world.start_bot().await;
    in_force(&world, "!work 1", "worked for 1").await;
    std::fs::remove_file(pack.0.join("actions/work.sh")).unwrap();
    told(&world, "its previous version stays in force").await;
    in_force(&world, "!work 2", "worked for 2").await;
    // Also when something else is read meanwhile.
    pack.write("aliases/work.yaml", &here("toil"));
    in_force(&world, "!toil 3", "worked for 3").await;
    pack.write("actions/work.sh", "#!/bin/bash\necho \"laboured for $1\"\n");
    told(&world, "actions/work.yaml` is all right again").await;
    in_force(&world, "!toil 4", "laboured for 4").await;
    // With its action it goes.
    std::fs::remove_file(pack.0.join("actions/work.sh")).unwrap();
    std::fs::remove_file(pack.0.join("actions/work.yaml")).unwrap();
    in_force(&world, "!toil 5", "I do not know").await;
}
