//! The answer to what is forbidden is byte for byte that to what does not exist: the same lines are said in a world where a pack and machines are
//! beyond somebody's rights, and in one where they are not there at all.

use super::settings;
use crate::world::{CHANNEL, World, id_of};
use halcyon::config::GroupSource;
use regex::Regex;
use std::path::Path;

/// What the operator may do in both worlds.
const ROLES: &str = r#"
    [[access.roles]]
    name = "operator"
    users = ["operator"]
    unix_users = []
    grants = [
        { verb = "run", on = "trial.*", arguments = { hosts = "wn[001-003]" } },
        { verb = "run", on = "words.*", arguments = { hosts = "wn[001-003]" } },
        { verb = "view", on = "site.*", arguments = { hosts = "wn[001-003]" } },
    ]
    [[access.roles]]
    name = "lead"
    users = ["lead"]
    grants = ["admin:*"]
"#;

/// A pack of which the operator knows nothing.
fn hidden_pack(directory: &Path) {
    let write = |file: &str, text: &str| {
        let file = directory.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write(
        "pack.yaml",
        "ref: hush\nname: hush\nversion: 1.0.0\ndescription: hidden\nauthor: nobody\nemail: nobody@example.org\n",
    );
    write(
        "actions/scrub.yaml",
        "name: scrub\nrunner_type: remote-shell-cmd\ndescription: scrub a disk\nparameters:\n  disk: {type: string, required: true, enum: [sda, sdb]}\n  cmd: {immutable: true, default: \"echo scrubd {{disk}}\"}\n",
    );
    write(
        "aliases/scrub.yaml",
        "name: scrub\naction_ref: hush.scrub\nformats: [\"scrub {{disk}} on {{hosts}}\", \"scrub everything\"]\n",
    );
    write(
        "actions/hide.yaml",
        "name: hide\nrunner_type: noop\ndescription: hide a thing\nparameters:\n  phrase: {type: string, secret: true, required: true}\n",
    );
    write("aliases/hide.yaml", "name: hide\naction_ref: hush.hide\nformats: [\"hide it with {{phrase}}\"]\n");
    // Of two that read one line, the operator knows one.
    write(
        "aliases/greet.yaml",
        "name: greet_too\naction_ref: hush.scrub\nformats: [\"greet {{disk}} on {{hosts}}\"]\n",
    );
    write(
        "policies/approval.yaml",
        "name: ask\nresource_ref: hush.*\npolicy_type: action.approval\nparameters:\n  approvers: {roles: [lead]}\n",
    );
}

/// What is said to the operator in one of the worlds, line by line, with the signs on each line. `hidden` are ids that only exist where there is
/// something to hide.
async fn transcript(hides: bool, hidden: Option<[String; 2]>) -> (Vec<String>, [String; 2]) {
    let mut world = World::without_bot("").await;
    let roles = settings(ROLES).roles;
    world.config.roles = roles;
    world.config.limits.lines_per_user = 10_000;
    world.config.limits.lines_per_channel = 10_000;
    let group = |hosts: &str| GroupSource::Members(vec![hosts.to_owned()]);
    if hides {
        let pack = world.directory.path().join("hush");
        hidden_pack(&pack);
        world.config.content.packs.push(pack);
        world.config.inventory.groups.insert("spare".into(), group("wn[004-006]"));
        world.config.inventory.groups.insert("mixed".into(), group("wn[003-005]"));
    } else {
        world.config.inventory.hosts = vec!["wn[001-003]".into()];
        world.config.inventory.groups.insert("mixed".into(), group("wn003"));
    }
    world.start_bot().await;
    let hidden = match hidden {
        Some(hidden) => hidden,
        None => {
            let ran = world.say("lead", "!count to 3 on wn005").await;
            let waits = world.say("lead", "!in 20h count to 3 on wn006").await;
            let id = waits.message.split("cancel ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
            [id_of(&ran), id.to_owned()]
        }
    };
    world.say("operator", "!greet you on wn001").await;
    let [ran, waits] = &hidden;
    let with_ids = [
        "show ID",
        "show ID failed",
        "show ID wn005",
        "tail ID",
        "cancel ID",
        "rerun ID",
        "settle ID ran",
        "cancel WAITS",
        "show WAITS",
        "approve WAITS",
        "deny WAITS because",
    ];
    let with_ids = with_ids.map(|line| line.replace("ID", ran).replace("WAITS", waits));
    let lines = [
        // A command.
        "scrub sda on wn001",
        "scrub everything",
        "scrub",
        "scrub sdz on wn001",
        "scurb sda on wn001",
        "scrub sda on",
        "scrub sda on wn001 x=1",
        "plan scrub sda on wn001",
        "plan scrub everything",
        "at 23:59 scrub sda on wn001",
        "in 10m scrub everything",
        "alias scrub everything",
        "may scrub sda on wn001",
        "may scrub everything",
        "may @lead scrub everything",
        "may frobnicate",
        "help scrub",
        "help hush",
        "help hide",
        "help",
        "help disk",
        "help 2",
        "hide it with hunter2",
        "hide it",
        "hide",
        "plan hide it with hunter2",
        "hide it with hunter2 password=x",
        "at 23:59 hide it with hunter2",
        "greet sda on wn001 x=1",
        "plan greet sda on wn001",
        "may greet sda on wn001",
        // Machines.
        "greet you on wn005",
        "greet you on wn[002-005]",
        "greet you on wn001,wn005",
        "greet you on !wn005",
        "greet you on @spare",
        "greet you on @spares",
        "greet you on wn05",
        "greet you on wn5",
        "greet you on wn01",
        "grete you on wn005",
        "grete you on wn001x",
        "greet you on wn005 word=x",
        "plan greet you on wn005",
        "plan greet you on @spare",
        "plan greet you on @mixed",
        "plan greet you on wn001,@spare",
        "at 23:59 greet you on wn005",
        "in 10m greet you on @spare",
        "again wn005",
        "again @spare",
        "again wn[001-006]",
        "may greet you on wn005",
        "may greet you on @spare",
        "may greet you on wn001,wn005",
        "may greet you on wn9999",
        "greet you on wn9999",
        // The bot's own commands.
        "list",
        "list 50",
        "list hush.*",
        "list on wn005",
        "list failed",
        "scheduled",
        "list scheduled",
        "pack list",
        "whoami",
        "key list",
        "key get hush.note",
        "key set hush.note x",
        "reload",
        "freeze now",
        "unfreeze",
        "audit last 20",
        "audit verify",
        "approve K3QZ",
        "deny K3QZ no",
        "answer K3QZ yes",
        "status",
        "show 0123456789",
        "cancel 0123456789",
        "rerun 0123456789",
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).chain(with_ids).collect();
    let direct = world.chat.direct_channel("operator", "halcyon").unwrap();
    let mut asked = Vec::new();
    for line in &lines {
        let post = world.write("operator", &format!("!{line}"));
        world.answer(&post).await;
        asked.push((CHANNEL.to_owned(), line.clone(), post));
    }
    for line in &lines {
        let post = world.chat.post_as("operator", &direct, line, None).unwrap();
        world.answer(&post).await;
        asked.push((direct.clone(), line.clone(), post));
    }
    // What is signed last is signed before this ends.
    world.stop_bot().await;
    let mut said = Vec::new();
    for (place, (channel, line, post)) in asked.iter().enumerate() {
        let from = world.chat.post(post).unwrap().create_at;
        let next = asked.get(place + 1).filter(|(next, ..)| next == channel);
        let until = next.map_or(i64::MAX, |(.., next)| world.chat.post(next).unwrap().create_at);
        let posts = world.chat.posts(channel);
        let answers = posts.iter().filter(|answer| {
            answer.user_id == world.bot
                && answer.create_at > from
                && answer.create_at < until
                && !answer.message.contains("I am being stopped")
        });
        let answers: Vec<String> = answers.map(|answer| answer.message.clone()).collect();
        let mut signs: Vec<String> =
            world.chat.reactions(post).iter().map(|reaction| reaction.emoji_name.clone()).collect();
        signs.sort();
        let kind = if channel == CHANNEL { "channel" } else { "direct" };
        said.push(format!("{kind}: {line}\n{signs:?}\n{}", bare(&answers.join("\n--\n"))));
    }
    (said, hidden)
}

/// Without what is another each time: ids, how long ago something was, and what happens to be on its way.
fn bare(said: &str) -> String {
    let other_each_time =
        Regex::new(r"`[0-9a-f]{6}`|`[0-9a-z]{26}`|[0-9.]+ (s|min) ago|[0-9.]+ GiB free|in [0-9.]+ s|(nothing|1 delivery|[0-9]+ deliveries) (is|are) waiting(, the oldest for [0-9.]+ s)?").unwrap();
    other_each_time.replace_all(said, "(…)").into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forbidden_is_as_if_it_were_not_there() {
    let (forbidden, hidden) = transcript(true, None).await;
    let (absent, _) = transcript(false, Some(hidden)).await;
    assert_eq!(forbidden.len(), absent.len());
    let differs: Vec<String> = forbidden
        .iter()
        .zip(&absent)
        .filter(|(one, other)| one != other)
        .map(|(one, other)| format!("forbidden {one}\n====== absent {other}\n"))
        .collect();
    assert!(differs.is_empty(), "{} of {} lines tell:\n{}", differs.len(), forbidden.len(), differs.join("\n"));
    // The comparison means something: what is there is answered by more than a shrug.
    let answered = |line: &str, with: &str| {
        let found = forbidden.iter().find(|said| said.starts_with(&format!("channel: {line}\n"))).unwrap();
        assert!(found.contains(with), "{found}");
    };
    answered("greet you on wn005", "there is no host");
    answered("plan greet you on @mixed", "wn003");
    answered("help", "greet");
    answered("scrub everything", "scrub everything");
}
