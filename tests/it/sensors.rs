//! Sensors as programs of their own: what they tell has rules run actions, they are started again, and nothing of them is left.

use crate::operations::{Service, heard, world as service_world};
use crate::world::{PATIENCE, World};
use halcyon::core::effect::{Answer, ShownRule, ShownSensor};
use halcyon::core::input::{Ask, RuleAsk, SensorAsk};
use halcyon::core::rule::trigger::Outcome;
use halcyon::runtime::sensing::{AT_ONCE, PER_SECOND};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MANIFEST: &str = "ref: own\nname: own\ndescription: ours\nversion: 1.0.0\nauthor: us\n";
const RIGHTS: &str =
    "[[access.roles]]\nname = \"healing\"\nrules = [\"own.*\", \"site.*\"]\ngrants = [\"run:core.*\"]\n";
/// Tells one event and then nothing more. `D` is the world's directory.
const QUIET: &str =
    "#!/bin/sh\nsleep 1000 & echo $! >D/child\necho '{\"trigger\": \"own.seen\", \"id\": \"1\"}'\nwait\n";
const ON_SEEN: &str = "name: seen\nenabled: true\ntrigger: {type: own.seen}\naction: {ref: core.noop}\n";

/// A sensor's file.
fn declared(more: &str) -> String {
    format!("entry_point: watch.sh\ntrigger_types: [{{name: seen}}]\n{more}")
}

fn write(directory: &Path, files: &[(&str, &str)]) -> PathBuf {
    let pack = directory.join("own");
    for (inside, text) in files {
        let file = pack.join(inside);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        // A program is never there without being one.
        let fresh = pack.join("fresh");
        std::fs::write(&fresh, text.replace("D/", &format!("{}/", directory.display()))).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::rename(&fresh, &file).unwrap();
    }
    pack
}

/// A world whose bot has a pack with this sensor and these other files.
async fn world(program: &str, more: &str, files: &[(&str, &str)]) -> World {
    let mut world = World::without_bot(RIGHTS).await;
    let declared = declared(more);
    let sensor = [("pack.yaml", MANIFEST), ("sensors/watch.yaml", &declared), ("sensors/watch.sh", program)];
    let pack = write(world.directory.path(), &[&sensor, files].concat());
    world.config.content.packs.push(pack);
    world.start_bot().await;
    world
}

async fn sensor(world: &World) -> ShownSensor {
    match world.ask(Ask::Sensors(SensorAsk::Show { sensor: "own.watch".into() })).await {
        Answer::Sensors { mut sensors } => sensors.remove(0),
        other => panic!("{other:?}"),
    }
}

/// The sensor, once it is as wanted.
async fn sensor_that(world: &World, wanted: impl Fn(&ShownSensor) -> bool) -> ShownSensor {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = sensor(world).await;
        if wanted(&now) {
            return now;
        }
        assert!(Instant::now() < end, "{now:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn rule(world: &World, name: &str) -> ShownRule {
    match world.ask(Ask::Rules(RuleAsk::Show { rule: name.to_owned() })).await {
        Answer::Rules { mut rules } => rules.remove(0),
        other => panic!("{other:?}"),
    }
}

/// The rule, once so much has come of it.
async fn came(world: &World, name: &str, count: u64) -> ShownRule {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = rule(world, name).await;
        if now.count >= count {
            return now;
        }
        assert!(Instant::now() < end, "{now:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the newest event would have had run.
fn would_run(rule: &ShownRule) -> String {
    match &rule.last[0].outcome {
        Outcome::WouldRun { parameters } => parameters["message"].as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

async fn gone(pids: &[u32]) {
    let end = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| runs(*pid)) {
        assert!(Instant::now() < end, "they are still there: {pids:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The answer to a line; what rules have brought about is said meanwhile.
async fn said(world: &World, user: &str, line: &str, holds: &str) -> String {
    let post = world.write(user, line);
    world.answer_that(&post, |answer| answer.message.contains(holds)).await.message
}

/// The process of the sensor and its child's, both of which run.
async fn processes(world: &World) -> [u32; 2] {
    let now = sensor_that(world, |now| now.events > 0).await;
    let child = std::fs::read_to_string(world.directory.path().join("child")).unwrap();
    let processes = [now.pid.unwrap(), child.trim().parse().unwrap()];
    assert!(processes.iter().all(|pid| runs(*pid)), "{processes:?}");
    processes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_tells_has_a_rule_run_an_action() {
    let telling = "#!/bin/sh\nsettings=$(cat)\nnames=$(env | sed 's/=.*//' | tr '\\n' ' ')\n\
        echo \"{\\\"trigger\\\": \\\"own.seen\\\", \\\"payload\\\": {\\\"settings\\\": $settings, \\\"arguments\\\": $#, \\\"names\\\": \\\"$names\\\", \\\"place\\\": \\\"$PWD\\\"}}\"\n\
        exec sleep 1000\n";
    let shown = "name: shown\nenabled: true\ndry_run: true\ntrigger: {type: own.seen}\naction: {ref: core.echo, parameters: {message: \"{{ trigger | to_json_string }}\"}}\n";
    let world = world(
        telling,
        "poll_interval: 7\n",
        &[
            ("rules/seen.yaml", ON_SEEN),
            ("rules/shown.yaml", shown),
            ("config.schema.yaml", "host: {type: string, default: wn001}\n"),
        ],
    )
    .await;
    let started = came(&world, "own.seen", 1).await;
    assert!(matches!(started.last[0].outcome, Outcome::Started { .. }), "{started:?}");
    let payload: Value = serde_json::from_str(&would_run(&came(&world, "own.shown", 1).await)).unwrap();
    let settings = r#"{"sensor": "own.watch", "pack": "own", "poll_interval": 7, "config": {"host": "wn001"}}"#;
    assert_eq!(payload["settings"], serde_json::from_str::<Value>(settings).unwrap());
    assert_eq!((payload["arguments"].as_i64(), payload["place"].as_str()), (Some(0), Some("/")), "{payload}");
    let names = payload["names"].as_str().unwrap().split_whitespace();
    let allowed =
        ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"];
    let others: Vec<&str> = names.filter(|name| !allowed.contains(name) && !name.starts_with("LC_")).collect();
    assert!(others.is_empty(), "{others:?}");
    let list = said(&world, "operator", "!sensors", "own.watch").await;
    assert!(
        list.contains("- `own.watch` · running for") && list.contains("· 1 event") && !list.contains("refused"),
        "{list}"
    );
    let status = said(&world, "operator", "!status", "**sensors**").await;
    assert!(status.contains(":white_check_mark: **sensors**: 1 runs"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_is_started_again_and_what_it_repeats_is_taken_once() {
    let dying = "#!/bin/sh\necho '{\"trigger\": \"own.seen\", \"id\": \"same\"}'\necho \"the first time\" >&2\n\
        if [ -e D/before ]; then exec sleep 1000; fi\ntouch D/before\nkill -KILL $$\n";
    let exit = "name: exit\nenabled: true\ndry_run: true\ntrigger: {type: core.st2.sensor.process_exit}\naction: {ref: core.echo, parameters: {message: \"{{ trigger.id }} {{ trigger.exit_code }}\"}}\n";
    let world = world(dying, "", &[("rules/seen.yaml", ON_SEEN), ("rules/exit.yaml", exit)]).await;
    let now = sensor_that(&world, |now| now.state == "running" && now.failures == 1).await;
    assert_eq!(now.last_end, "it was killed by signal 9");
    assert_eq!(would_run(&came(&world, "own.exit", 1).await), "own.watch 137");
    let now = sensor_that(&world, |now| now.pid.is_some_and(runs) && !now.errors.is_empty()).await;
    assert_eq!((now.events, now.errors[0].as_str()), (1, "the first time"));
    world.settle().await;
    assert_eq!(rule(&world, "own.seen").await.count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_run_is_told_of() {
    let world = world("#!/no/such/interpreter\n", "", &[]).await;
    let told = heard(&world, "The sensor `own.watch` failed 3 times in a row").await;
    assert!(told.contains("it ended with exit code 127"), "{told}");
    let status = said(&world, "operator", "!status", "**sensors**").await;
    assert!(status.contains(":x: **sensors**: 0 of 1 runs; own.watch has not been well for"), "{status}");
    assert!(matches!(world.ask(Ask::Health).await, Answer::Health { healthy: false, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_told_of_and_changes_nothing() {
    let garbage = "#!/bin/sh\necho 'Hello `there` @all'\nprintf 'a\\377b\\n'\nhead -c 1100000 /dev/zero | tr '\\0' x\necho\n\
        echo 'Hello again'\necho '{\"trigger\": \"own.sene\"}'\necho '{\"trigger\": \"own.seen\"}'\nexec sleep 1000\n";
    let world = world(garbage, "", &[("rules/seen.yaml", ON_SEEN)]).await;
    came(&world, "own.seen", 1).await;
    let now = sensor(&world).await;
    assert_eq!((now.events, now.refused, now.complaint.as_str()), (1, 5, "there is no type of triggers `own.sene`"));
    let told = heard(&world, "it is no JSON").await;
    assert!(told.ends_with("\n\n`Hello ˋthereˋ @all`"), "{told}");
    heard(&world, "it is not UTF-8").await;
    heard(&world, "it is longer than 1048576 bytes").await;
    heard(&world, "there is no type of triggers").await;
    world.settle().await;
    let posts = world.chat.posts(crate::world::CHANNEL);
    assert_eq!(posts.iter().filter(|post| post.message.contains("wrote a line that I cannot take")).count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_waits_at_its_pipe() {
    let many = AT_ONCE + PER_SECOND;
    let flood = format!(
        "#!/bin/sh\ni=0\nwhile [ $i -lt {many} ]; do echo '{{\"trigger\": \"own.seen\", \"id\": '$i'}}'; i=$((i+1)); done\nexec sleep 1000\n"
    );
    let began = Instant::now();
    let world = world(&flood, "", &[]).await;
    // Whoever writes a line meanwhile is answered, and nothing is lost.
    world.settle().await;
    let now = sensor_that(&world, |now| {
        let most = f64::from(AT_ONCE) + f64::from(PER_SECOND) * began.elapsed().as_secs_f64() + 1.0;
        assert!(now.events as f64 <= most, "{} are more than {most}", now.events);
        now.events == u64::from(many)
    })
    .await;
    assert_eq!(now.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_started_anew_and_what_is_not_wanted_is_not_there() {
    let world = world(QUIET, "", &[("rules/seen.yaml", ON_SEEN)]).await;
    let first = processes(&world).await;
    let directory = world.directory.path();
    // Something else of the pack changes: it goes on.
    write(directory, &[("rules/more.yaml", &ON_SEEN.replace("name: seen", "name: more"))]);
    came_there(&world, "own.more").await;
    assert_eq!(processes(&world).await, first);
    write(directory, &[("sensors/watch.sh", &QUIET.replace("\"1\"", "\"2\""))]);
    let second = sensor_that(&world, |now| now.pid.is_some_and(|pid| pid != first[0]) && now.events == 2).await;
    gone(&first).await;
    let second = [second.pid.unwrap(), processes(&world).await[1]];
    // One of its library does, too.
    write(directory, &[("sensors/lib/names", "fresh\n")]);
    let third = sensor_that(&world, |now| now.pid.is_some_and(|pid| pid != second[0] && runs(pid))).await;
    gone(&second).await;
    let told = said(&world, "lead", "!sensor disable watch", "own.watch").await;
    assert!(told.contains("does not run any more"), "{told}");
    gone(&[third.pid.unwrap()]).await;
    sensor_that(&world, |now| now.state == "disabled").await;
    world.say("lead", "!sensor enable watch").await;
    let fourth = sensor_that(&world, |now| now.pid.is_some_and(runs)).await;
    std::fs::remove_file(directory.join("own/sensors/watch.yaml")).unwrap();
    gone(&[fourth.pid.unwrap()]).await;
}

/// Waits until there is a rule of this name.
async fn came_there(world: &World, name: &str) {
    let end = Instant::now() + PATIENCE;
    while !matches!(world.ask(Ask::Rules(RuleAsk::Show { rule: name.to_owned() })).await, Answer::Rules { .. }) {
        assert!(Instant::now() < end, "there is no {name}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_it_outlives_the_bot_that_is_stopped() {
    // It does not hear SIGTERM, and neither does its child.
    let deaf =
        QUIET.replace("#!/bin/sh\n", "#!/bin/sh\ntrap '' TERM\n").replace("\nwait\n", "\nwhile :; do wait; done\n");
    for program in [QUIET, &deaf] {
        let mut world = world(program, "", &[]).await;
        let processes = processes(&world).await;
        world.stop_bot().await;
        assert!(processes.iter().all(|pid| !runs(*pid)), "{processes:?}: they are gone when the bot is");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_it_outlives_the_bot_that_is_killed() {
    let world = service_world(RIGHTS).await;
    let pack = write(
        world.directory.path(),
        &[("pack.yaml", MANIFEST), ("sensors/watch.yaml", &declared("")), ("sensors/watch.sh", QUIET)],
    );
    let file = world.directory.path().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("packs = [", &format!("packs = [{pack:?}, "), 1)).unwrap();
    let service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let processes = processes(&world).await;
    service.signal(rustix::process::Signal::KILL);
    gone(&processes).await;
}

/// What the page shows is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_about_sensors() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sensors.md")).unwrap();
    let mut files = vec![(
        "pack.yaml".to_owned(),
        "ref: load\nname: load\ndescription: d\nversion: 1.0.0\nauthor: a\n".replace("load", "site"),
    )];
    for block in page.split("\n```").skip(1).step_by(2) {
        let (_, text) = block.split_once('\n').unwrap();
        let name = text.lines().take(2).find_map(|line| line.strip_prefix("# "));
        files.extend(name.map(|name| (name.to_owned(), format!("{text}\n"))));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["pack.yaml", "sensors/load.yaml", "sensors/load", "config.schema.yaml", "rules/load.yaml"]);
    let mut world = World::without_bot(RIGHTS).await;
    // A load that every machine has.
    let files: Vec<(&str, String)> =
        files.iter().map(|(name, text)| (name.as_str(), text.replace("default: 16", "default: 0"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    // The pack of the repository is called as the example's.
    world.config.content.packs.clear();
    world.config.content.packs.push(write(world.directory.path(), &files));
    world.start_bot().await;
    let came = came(&world, "site.load", 1).await;
    assert!(matches!(came.last[0].outcome, Outcome::Started { .. }), "{came:?}");
    heard(&world, "the load is ").await;
    let list = said(&world, "lead", "!sensors", "site.load").await;
    assert!(list.contains("- `site.load` · well, and looks again in"), "{list}");
}
