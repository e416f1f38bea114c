//! Approvals as people meet them: through the chat server's buttons, forms, emojis and lines, and through what tries to get round them.

use crate::auditing::entries;
use crate::bot::{Machine, said, started};
use crate::callbacks::{actions, call, free_port, refused, whispered};
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::config::Http;
use halcyon::core::action::execution::Status;
use halcyon::core::approval::Verdict;
use halcyon::core::approval::request::Event;
use halcyon::core::callback::signature::CallbackKey;
use halcyon::core::callback::{Meaning, Subject};
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::effect::Answer;
use halcyon::core::fact::Fact;
use halcyon::core::id::ExecutionId;
use halcyon::core::input::{Ask, Input};
use halcyon::core::settings::{Grant, Verb};
use halcyon::sandbox::mattermost::{Happening, Post, Server};
use serde_json::{Value, json};
use std::sync::Arc;

/// Actions that do the same, each guarded in another way.
const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: guard\nname: guard\ndescription: guarded\nversion: 1.0.0\nauthor: us\n"),
    (
        "policies/plain.yaml",
        "name: plain\nresource_ref: guard.plain\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}}\n",
    ),
    (
        "policies/both.yaml",
        "name: both\nresource_ref: guard.both\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}, quorum: 2}\n",
    ),
    (
        "policies/named.yaml",
        "name: named\nresource_ref: guard.named\npolicy_type: action.approval\nparameters: {approvers: {users: [lead]}, confirm: target, reason: required}\n",
    ),
    (
        "policies/brief.yaml",
        "name: brief\nresource_ref: guard.brief\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}, expires: 2}\n",
    ),
    (
        "policies/many.yaml",
        "name: many\nresource_ref: guard.many\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}, when: '{{ hosts == \"wn[001-003]\" }}'}\n",
    ),
    (
        "policies/crowd.yaml",
        "name: crowd\nresource_ref: guard.crowd\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}, quorum: 3}\n",
    ),
];

const ROLES: &str = r#"
[[access.roles]]
name = "asker"
users = ["operator", "deputy"]
grants = ["run:guard.*"]
[[access.roles]]
name = "second"
users = ["second"]
grants = ["approve:guard.*", "run:guard.*"]
[[access.roles]]
name = "watcher"
users = ["watcher"]
grants = ["view:*"]
[access.unix_users]
root = "lead"
"#;

/// A world with that pack; the chat server calls the bot back when `buttons`. `lead` and `second` may approve, `deputy` asks, `watcher` looks.
async fn world(buttons: bool) -> World {
    let mut world = World::without_bot(ROLES).await;
    // Two people have the role that decides.
    for role in world.config.roles.iter_mut().filter(|role| role.name == "lead") {
        role.users.push("second".to_owned());
        role.grants.retain(|grant| grant.on == "*");
    }
    let pack = world.directory.path().join("guard");
    let write = |name: &str, text: &str| {
        let file = pack.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    for (name, text) in PACK {
        write(name, text);
    }
    for name in ["plain", "both", "named", "brief", "many", "crowd"] {
        write(&format!("actions/{name}.yaml"), &action(name, "wiped"));
        let formats = format!(
            "name: {name}\naction_ref: guard.{name}\ndescription: {name}\nformats: [\"{name} wipe of {{{{hosts}}}}\"]\n"
        );
        write(&format!("aliases/{name}.yaml"), &formats);
    }
    world.config.content.packs.push(pack);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    if buttons {
        world.config.mattermost.as_mut().unwrap().callback_url = Some(format!("http://{listen}"));
    }
    for user in ["second", "deputy", "watcher"] {
        world.chat.add_user(user);
        world.chat.join(user, CHANNEL).unwrap();
    }
    world.start_bot().await;
    world
}

fn action(name: &str, word: &str) -> String {
    format!(
        "name: {name}\nrunner_type: remote-shell-cmd\ndescription: wipes a scratch disk\nparameters:\n  cmd: {{immutable: true, default: \"echo {word}\"}}\n"
    )
}

/// A yes is for all that stands on the card; who means some of it is not taken for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_to_some_of_the_machines_is_none() {
    let world = world(true).await;
    let asked = card(&world, "operator", "!plain wipe of wn[001-003]").await;
    let code = code(&asked);
    for part in ["wn001", "wn[001-002]", "2", "wn003,wn004"] {
        told(&world, "lead", &format!("!approve {code} {part}"), "Nothing has changed").await;
    }
    assert_eq!(world.started(), 0);
    told(&world, "lead", &format!("!approve {code} wn001 has been seen to"), "is approved").await;
    became(&world, &asked, "done on all 3 hosts").await;
    let again = card(&world, "operator", "!plain wipe of wn[001-002]").await;
    told(&world, "lead", &format!("!approve {} wn[001-002]", self::code(&again)), "is approved").await;
    became(&world, &again, "done on all 2 hosts").await;
}

/// Writes a line that needs an approval, and gives its card.
async fn card(world: &World, user: &str, line: &str) -> Post {
    let asked = world.write(user, line);
    let card = world.answer_that(&asked, |post| post.message.starts_with(":lock:")).await;
    // Until it is noted that the post stands, a press is told to come again.
    world.settle().await;
    world.chat.post(&card.id).unwrap()
}

fn code(card: &Post) -> String {
    card.message.lines().next().unwrap().rsplit('`').nth(1).unwrap().to_owned()
}

/// Waits until a card says this.
async fn became(world: &World, card: &Post, text: &str) -> Post {
    world
        .chat
        .wait_for(CHANNEL, |post| post.id == card.id && post.message.contains(text), PATIENCE)
        .await
        .unwrap_or_else(|_| panic!("not {text:?} but {}", world.chat.post(&card.id).unwrap().message))
}

/// Checks that the bot answers a line with this.
async fn told(world: &World, user: &str, line: &str, text: &str) {
    let answer = world.say(user, line).await.message;
    assert!(answer.contains(text), "{line:?} of {user}: not {text:?} but {answer}");
}

/// The words of the audit for what happened to approvals, in order.
async fn audited(world: &World) -> Vec<&'static str> {
    let about = ["approval-asked", "approved", "denied", "revoked", "withdrawn", "expired", "void", "unseated"];
    let entries = entries(world).await;
    entries.iter().map(|entry| entry.event.word()).filter(|word| about.contains(word)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_does_not_decide_and_neither_does_an_outsider() {
    let world = world(true).await;
    let card = card(&world, "operator", "!plain wipe of wn[001-002]").await;
    let code = code(&card);
    let names: Vec<_> = actions(&card).iter().map(|action| action["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["Approve", "Deny"]);
    for part in [
        "**operator** asks",
        "`guard.plain` (destructive)",
        "on **2 hosts**",
        "wn[001-002]",
        "echo wiped",
        "the role lead",
    ] {
        assert!(card.message.contains(part), "{part}: {}", card.message);
    }
    // By each way there is.
    let asker = whispered(&world, "operator", &card.id, "approve").await;
    assert!(asker.contains("that is for the role lead"), "{asker}");
    told(&world, "operator", &format!("!approve {code}"), "that is for the role lead").await;
    let outside = whispered(&world, "watcher", &card.id, "approve").await;
    assert!(outside.contains("that is for the role lead"), "{outside}");
    told(&world, "watcher", &format!("!approve {code}"), "that is for the role lead").await;
    told(&world, "deputy", &format!("!approve {code}"), "that is for the role lead").await;
    told(&world, "deputy", &format!("!deny {code} never"), "that is for the role lead").await;
    let stranger = whispered(&world, "guest", &card.id, "approve").await;
    assert!(!stranger.contains("wipe"), "whoever may see nothing learns nothing: {stranger}");
    for user in ["operator", "watcher", "guest"] {
        world.chat.react_as(user, &card.id, "white_check_mark").unwrap();
    }
    world.settle().await;
    assert!(world.chat.post(&card.id).unwrap().message.starts_with(":lock:"));
    assert_eq!(world.started(), 0);
    // Whoever may.
    let taken = whispered(&world, "lead", &card.id, "approve").await;
    assert!(taken.contains("is approved"), "{taken}");
    let end = became(&world, &card, "done on all 2 hosts").await;
    assert!(end.message.contains("approved by lead"), "{}", end.message);
    assert_eq!(actions(&end), Vec::<Value>::new());
    assert_eq!(world.started(), 2);
    told(&world, "second", &format!("!approve {code}"), "decided already: approved by lead").await;
    assert_eq!(audited(&world).await, ["approval-asked", "approved"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_what_they_asked_for_themselves() {
    let world = world(true).await;
    let card = card(&world, "lead", "!plain wipe of wn001").await;
    let code = code(&card);
    let own = whispered(&world, "lead", &card.id, "approve").await;
    assert!(own.contains("somebody else has to approve"), "{own}");
    told(&world, "lead", &format!("!approve {code}"), "somebody else has to approve").await;
    world.chat.react_as("lead", &card.id, "+1").unwrap();
    world.settle().await;
    assert!(world.chat.post(&card.id).unwrap().message.starts_with(":lock:"));
    world.chat.react_as("second", &card.id, "+1").unwrap();
    let end = became(&world, &card, "done on wn001").await;
    assert!(end.message.contains("approved by second"), "{}", end.message);
    assert_eq!(world.started(), 1);
    assert_eq!(audited(&world).await, ["approval-asked", "approved"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_press_at_once_make_one_run() {
    let world = world(true).await;
    for round in 0..3 {
        let card = card(&world, "operator", &format!("!plain wipe of wn00{}", round + 1)).await;
        let mut happenings = world.chat.subscribe();
        let (one, other) = tokio::join!(
            world.chat.click("lead", &card.id, "approve"),
            world.chat.click("second", &card.id, "approve")
        );
        // Whoever comes when the buttons are gone finds none.
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        let mut whispers = Vec::new();
        for _ in [one, other].iter().filter(|pressed| pressed.is_ok()) {
            let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
            if let Some(Happening::Whispered { post, .. }) =
                Server::wait_for_happening(&mut happenings, told, PATIENCE).await
            {
                whispers.push(post.message);
            }
        }
        assert_eq!(whispers.iter().filter(|said| said.contains("is approved")).count(), 1, "{whispers:?}");
        let late = whispers.iter().filter(|said| !said.contains("is approved"));
        for said in late {
            assert!(said.contains("decided already") || said.contains("nothing was done"), "{said}");
        }
        became(&world, &card, "done on wn00").await;
        assert_eq!(world.started(), round + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_have_to_say_yes_and_a_yes_can_be_taken_back() {
    let world = world(false).await;
    let card = card(&world, "operator", "!both wipe of wn001").await;
    let code = code(&card);
    assert_eq!(card.props.get("attachments"), None, "nobody could press");
    assert!(card.message.contains("**0 of 2**"), "{}", card.message);
    world.chat.react_as("lead", &card.id, "white_check_mark").unwrap();
    became(&world, &card, "**1 of 2** (lead)").await;
    told(&world, "lead", &format!("!approve {code}"), "You have said yes").await;
    world.chat.unreact_as("lead", &card.id, "white_check_mark").unwrap();
    became(&world, &card, "**0 of 2**").await;
    told(&world, "lead", &format!("!revoke {code}"), "nothing to take back").await;
    told(&world, "second", &format!("!approve {}", code.to_lowercase()), "1 more").await;
    told(&world, "second", &format!("!revoke {code}"), "is taken back").await;
    told(&world, "second", &format!("!approve {code}"), "1 more").await;
    assert_eq!(world.started(), 0);
    // The other one by the command line of the machine, as the chat user that they stand for.
    let me = rustix::process::getuid();
    if me.is_root() {
        let Answer::Done { text } =
            world.ask(Ask::Decide { of: code.clone(), verdict: Verdict::Approve, words: String::new() }).await
        else {
            panic!()
        };
        assert!(text.contains("is approved"), "{text}");
    } else {
        told(&world, "lead", &format!("!approve {code}"), "is approved").await;
    }
    let end = became(&world, &card, "done on wn001").await;
    assert!(end.message.contains("approved by second, lead"), "{}", end.message);
    assert_eq!(world.started(), 1);
    let expected = ["approval-asked", "approved", "revoked", "approved", "revoked", "approved", "approved"];
    assert_eq!(audited(&world).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_taken_back_denied_and_joined() {
    let world = world(true).await;
    let first = card(&world, "operator", "!plain wipe of wn001").await;
    told(&world, "watcher", &format!("!withdraw {}", code(&first)), "only they, or whoever may run it").await;
    told(&world, "operator", &format!("!withdraw {}", code(&first)), "is withdrawn").await;
    let end = became(&world, &first, "withdrawn by operator").await;
    assert_eq!(actions(&end), Vec::<Value>::new());

    // A no needs a reason, which the form asks for.
    let second = card(&world, "operator", "!plain wipe of wn001").await;
    told(&world, "lead", &format!("!deny {}", code(&second)), "will want to know why").await;
    let mut happenings = world.chat.subscribe();
    world.chat.click("lead", &second.id, "deny").await.unwrap();
    let opened = |happening: &Happening| matches!(happening, Happening::Dialog { .. });
    let Some(Happening::Dialog { dialog, .. }) = Server::wait_for_happening(&mut happenings, opened, PATIENCE).await
    else {
        panic!("no dialog")
    };
    let submit = json!({"url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
        "channel_id": world.chat.channel_id(CHANNEL).unwrap(), "submission": {"reason": "jobs run on it"}});
    let answer = world.chat.submit_dialog("second", &submit).await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("opened by somebody else"), "{answer}");
    assert!(world.chat.post(&second.id).unwrap().message.starts_with(":lock:"));
    world.chat.submit_dialog("lead", &submit).await.unwrap();
    let end = became(&world, &second, "denied by lead").await;
    assert!(end.message.contains("jobs run on it") && end.message.contains("Nothing has been run"), "{}", end.message);
    let said =
        |post: &Post| post.message.contains("@operator") && post.message.contains("was denied by lead: jobs run on it");
    world.chat.wait_for(CHANNEL, said, PATIENCE).await.unwrap();

    // The same asked for by two is one request, and one run.
    let third = card(&world, "operator", "!plain wipe of wn003").await;
    told(&world, "deputy", "!plain wipe of wn003", "is asked for already by operator").await;
    told(&world, "operator", "!plain wipe of wn003", "is asked for already").await;
    told(&world, "lead", "!approvals", &code(&third)).await;
    told(&world, "lead", &format!("!approve {}", code(&third)), "is approved").await;
    became(&world, &third, "done on wn003").await;
    assert_eq!(world.started(), 1);

    // `cancel` with the execution's id does what `withdraw` does.
    let fourth = card(&world, "operator", "!plain wipe of wn004").await;
    let Answer::Approvals { requests } = world.ask(Ask::Approvals).await else { panic!() };
    let open = requests.iter().find(|request| request.code == code(&fourth)).unwrap();
    world.write("operator", &format!("!cancel {}", open.execution.short()));
    became(&world, &fourth, "withdrawn by operator").await;
    assert_eq!(world.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_a_no() {
    let world = world(true).await;
    let first = card(&world, "operator", "!brief wipe of wn001").await;
    let end = became(&world, &first, "not approved in time").await;
    assert_eq!(actions(&end), Vec::<Value>::new());
    let said = |post: &Post| post.message.contains("@operator") && post.message.contains("was not approved in time");
    world.chat.wait_for(CHANNEL, said, PATIENCE).await.unwrap();
    told(&world, "lead", &format!("!approve {}", code(&first)), "it expired").await;
    assert_eq!(world.started(), 0);
    assert_eq!(audited(&world).await, ["approval-asked", "expired"]);
}

#[test]
fn a_request_whose_time_was_over_while_the_bot_was_away_is_over() {
    let policy = "name: brief\nresource_ref: guard.brief\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}, allow_requester: true}\n";
    let files = [
        ("pack.yaml", "ref: guard\nname: guard\ndescription: guarded\nversion: 1.0.0\nauthor: us\n".to_owned()),
        ("policies/brief.yaml", policy.to_owned()),
        ("actions/brief.yaml", action("brief", "wiped")),
        (
            "aliases/brief.yaml",
            "name: brief\naction_ref: guard.brief\ndescription: brief\nformats: ['brief wipe of {{hosts}}']\n"
                .to_owned(),
        ),
    ];
    let file = |(inside, text): (&str, String)| SourceFile {
        shown: format!("guard/{inside}"),
        inside: inside.to_owned(),
        text: Ok(text),
    };
    let files = files.into_iter().map(file).collect();
    let pack = PackSource { directory: "guard".into(), shown: "guard".into(), files, programs: Vec::new() };
    let loaded = load(&[pack]);
    assert_eq!(loaded.diagnostics, []);
    let mut machine = Machine::new();
    machine.take(Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() });
    let mut settings = machine.bot.settings().clone();
    settings.roles[0].grants.push(Grant::new(Verb::Approve, "*"));
    machine.take(Input::Settings(Arc::new(settings)));
    let step = machine.hear("!brief wipe of wn001", None);
    assert!(started(&step).is_none(), "{}", said(&step));
    let id = machine.bot.memory().waiting.keys().next().unwrap().clone();
    let asked = machine.now;
    // It is looked at again at half time, to remind of it, and at the end.
    assert!(machine.bot.next_deadline().unwrap().0.duration_since(machine.now).as_secs() <= 450);
    let facts = machine.facts.clone();
    let reminded = |machine: &mut Machine, seconds: i64| {
        machine.wait(seconds);
        said(&machine.take(Input::Deadline)).contains("still waits for an approval")
    };
    assert!(!reminded(&mut machine, 449), "too early");
    assert!(reminded(&mut machine, 2), "half of the time is over");
    assert!(!reminded(&mut machine, 200), "once is enough");
    for (away, over) in [(60, false), (899, false), (901, true)] {
        let later = Machine::over(facts.clone(), asked + jiff::SignedDuration::from_secs(away));
        assert_eq!(!later.bot.memory().executions.contains_key(&id), over, "{away} s");
        let ended = later
            .facts
            .iter()
            .filter(|dated| matches!(&dated.fact, Fact::ExecutionFinished { status: Status::Canceled, .. }));
        assert_eq!(ended.count(), usize::from(over));
        let expired =
            later.facts.iter().filter(|dated| matches!(&dated.fact, Fact::Approval { event: Event::Expired, .. }));
        assert_eq!(expired.count(), usize::from(over));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_since_does_not_run() {
    let mut world = world(true).await;
    let first = card(&world, "operator", "!plain wipe of wn001").await;
    let file = world.directory.path().join("guard/actions/plain.yaml");
    std::fs::write(&file, action("plain", "wiped everything")).unwrap();
    told(&world, "lead", "!reload", "again").await;
    world.chat.click("lead", &first.id, "approve").await.unwrap();
    let end = became(&world, &first, "the approval is void").await;
    assert!(end.message.contains("the file of the action has changed"), "{}", end.message);
    assert_eq!(actions(&end), Vec::<Value>::new());
    assert_eq!(world.started(), 0);
    // As it is now it can be asked for, also across a restart.
    let second = card(&world, "operator", "!plain wipe of wn001").await;
    assert!(second.message.contains("echo wiped everything"), "{}", second.message);
    world.kill_bot();
    world.start_bot().await;
    world.chat.click("second", &second.id, "approve").await.unwrap();
    became(&world, &second, "done on wn001").await;
    assert_eq!(world.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_bot_begins_nothing_and_looks_again_at_who_said_yes() {
    let world = world(true).await;
    let card = card(&world, "operator", "!plain wipe of wn001").await;
    told(&world, "second", "!freeze a storm is on the way", "frozen").await;
    let taken = whispered(&world, "lead", &card.id, "approve").await;
    assert!(taken.contains("not frozen any more"), "{taken}");
    became(&world, &card, "because I am frozen: a storm is on the way").await;
    // Between the yes and the run its giver is gone.
    world.chat.set_active("lead", false).unwrap();
    told(&world, "second", "!unfreeze", "").await;
    let again = became(&world, &card, "The yes of lead does not count any more").await;
    assert!(again.message.contains("the account is not active"), "{}", again.message);
    assert_eq!(world.started(), 0);
    let taken = whispered(&world, "second", &card.id, "approve").await;
    assert!(taken.contains("is approved"), "{taken}");
    let end = became(&world, &card, "done on wn001").await;
    assert!(end.message.contains("approved by second"), "{}", end.message);
    assert_eq!(world.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_and_a_reason_have_to_be_written() {
    let world = world(true).await;
    let first = card(&world, "operator", "!named wipe of wn[001-003]").await;
    let code_ = code(&first);
    told(&world, "second", &format!("!approve {code_} 3 fine"), "that is for lead").await;
    told(&world, "lead", &format!("!approve {code_}"), "on how many hosts").await;
    told(&world, "lead", &format!("!approve {code_} 2 fine"), "not the number of hosts").await;
    told(&world, "lead", &format!("!approve {code_} 3"), "needs a reason").await;
    // An emoji can say neither.
    world.chat.react_as("lead", &first.id, "white_check_mark").unwrap();
    world.reply(&first.id, |post| post.message.contains(&format!("approve {code_} NUMBER"))).await;
    told(&world, "lead", &format!("!approve {code_} 3 the disks are empty"), "is approved").await;
    became(&world, &first, "done on all 3 hosts").await;

    let second = card(&world, "operator", "!named wipe of wn004").await;
    let mut happenings = world.chat.subscribe();
    world.chat.click("lead", &second.id, "approve").await.unwrap();
    let opened = |happening: &Happening| matches!(happening, Happening::Dialog { .. });
    let Some(Happening::Dialog { dialog, .. }) = Server::wait_for_happening(&mut happenings, opened, PATIENCE).await
    else {
        panic!("no dialog")
    };
    let submit = |target: &str| {
        json!({"url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
        "channel_id": world.chat.channel_id(CHANNEL).unwrap(), "submission": {"target": target, "reason": "it is empty"}})
    };
    let answer = world.chat.submit_dialog("lead", &submit("wn005")).await.unwrap();
    assert!(answer["errors"]["target"].as_str().unwrap().contains("not the host"), "{answer}");
    let answer = world.chat.submit_dialog("lead", &submit("wn004")).await.unwrap();
    assert!(
        answer.get("errors").is_none_or(|errors| errors.as_object().is_none_or(serde_json::Map::is_empty)),
        "{answer}"
    );
    became(&world, &second, "done on wn004").await;
    assert_eq!(world.started(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_asked_where_the_condition_holds_and_where_somebody_can_decide() {
    let world = world(true).await;
    told(&world, "operator", "!many wipe of wn001", "done on wn001").await;
    let card = card(&world, "operator", "!many wipe of wn[001-003]").await;
    assert!(card.message.contains("`guard.many`"), "{}", card.message);
    told(&world, "operator", "!plan many wipe of wn[001-003]", "It would wait for an approval").await;
    told(&world, "operator", "!may many wipe of wn[001-003]", "once that has been approved, as `guard.many` wants it")
        .await;
    told(&world, "operator", "!may many wipe of wn001", "it runs `guard.many`.").await;
    told(&world, "operator", "!crowd wipe of wn001", "only 2 people beside you could").await;
    // Nobody gets round it by another way in.
    let run = Ask::Run {
        action: halcyon::core::id::ActionRef::new("guard.plain"),
        parameters: serde_json::from_value(json!({"hosts": "wn005"})).unwrap(),
        trace_tag: None,
    };
    let Answer::Started { id } = world.ask(run).await else { panic!() };
    let asks = |post: &Post| post.message.starts_with(":lock:") && post.message.contains("guard.plain");
    let asked = world.chat.wait_for(CHANNEL, asks, PATIENCE).await.unwrap();
    let again = world.say("operator", "!in 1s plain wipe of wn006").await;
    assert!(again.message.contains("plain wipe of wn006"), "{}", again.message);
    let due = |post: &Post| post.message.starts_with(":lock:") && post.message.contains("wn006");
    world.chat.wait_for(CHANNEL, due, PATIENCE).await.unwrap();
    assert_eq!(world.started(), 1);
    world.settle().await;
    world.chat.click("lead", &asked.id, "approve").await.unwrap();
    became(&world, &asked, "done on wn005").await;
    let Answer::Execution { execution, .. } = world.ask(Ask::Execution { id: id.to_string() }).await else { panic!() };
    assert!(execution.status.is_final());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_made_up_approves_anything() {
    let world = world(true).await;
    let (one, other) = (
        card(&world, "operator", "!plain wipe of wn001").await,
        card(&world, "operator", "!named wipe of wn002").await,
    );
    let kept = |post: &Post| {
        let kept = actions(&world.chat.post(&post.id).unwrap())[0]["integration"]["context"]["halcyon"].clone();
        kept.as_str().unwrap().to_owned()
    };
    let (sealed, foreign) = (kept(&one), kept(&other));
    let lead = world.chat.user_id("lead").unwrap();
    let channel = world.chat.channel_id(CHANNEL).unwrap();
    let press = |sealed: &str, post: &str, user: &str| {
        let call = json!({"user_id": user, "user_name": "lead", "channel_id": channel, "post_id": post, "type": "button",
            "trigger_id": "t", "context": {"halcyon": sealed}});
        call.to_string().into_bytes()
    };
    let untouched = |what: &str| {
        for post in [&one, &other] {
            assert!(world.chat.post(&post.id).unwrap().message.starts_with(":lock:"), "{what} has an effect");
        }
        assert_eq!(world.started(), 0, "{what}");
    };
    let (body, _) = sealed.split_once('.').unwrap();
    let strangers = CallbackKey::new([7; 32]);
    let meaning = Meaning {
        subject: Subject::Approval { execution: ExecutionId::new("0".repeat(24)) },
        action: "approve".into(),
        value: None,
        revision: 1,
        until: jiff::Timestamp::MAX,
    };
    for (what, call_of, why) in [
        ("no hash", press(body, &one.id, &lead), "forged"),
        ("another key", press(&strangers.sign_button(&meaning), &one.id, &lead), "forged"),
        ("a right one on another post", press(&foreign, &one.id, &lead), "foreign_post"),
    ] {
        let before = refused(&world, why).await;
        let (_, answer) = call(&world, "/mattermost/action", call_of).await;
        assert!(answer["ephemeral_text"].as_str().unwrap().contains("nothing was done"), "{what}: {answer}");
        assert_eq!(refused(&world, why).await, before + 1, "{what}");
        untouched(what);
    }
    // A dialog that was opened for one, submitted in another's name.
    let mut happenings = world.chat.subscribe();
    world.chat.click("lead", &other.id, "approve").await.unwrap();
    let opened = |happening: &Happening| matches!(happening, Happening::Dialog { .. });
    let Some(Happening::Dialog { dialog, .. }) = Server::wait_for_happening(&mut happenings, opened, PATIENCE).await
    else {
        panic!("no dialog")
    };
    let submission = json!({"type": "dialog_submission", "callback_id": dialog["dialog"]["callback_id"],
        "state": dialog["dialog"]["state"], "user_id": world.chat.user_id("second").unwrap(), "channel_id": channel,
        "submission": {"target": "wn002", "reason": "why not"}});
    let before = refused(&world, "other_user").await;
    let (_, answer) = call(&world, "/mattermost/dialog", submission.to_string().into_bytes()).await;
    assert!(answer["error"].as_str().unwrap().contains("opened by somebody else"), "{answer}");
    assert_eq!(refused(&world, "other_user").await, before + 1);
    untouched("another's dialog");
    // Lines that are not a person's own words, or were something else first.
    let line = format!("@halcyon approve {}", code(&one));
    world.chat.post_as_webhook("lead", CHANNEL, &line, "lead").unwrap();
    let innocent = world.write("lead", "a word to nobody");
    world.chat.edit_as("lead", &innocent, &line).unwrap();
    let robot = world.chat.add_bot("robot");
    world.chat.join(&robot, &channel).unwrap();
    world.chat.react_as("robot", &one.id, "white_check_mark").unwrap();
    world.settle().await;
    untouched("a webhook, an edit or a bot");
    // The real thing, and the same once more.
    call(&world, "/mattermost/action", press(&sealed, &one.id, &lead)).await;
    became(&world, &one, "done on wn001").await;
    let before = refused(&world, "foreign_post").await + refused(&world, "replayed").await;
    let (_, answer) = call(&world, "/mattermost/action", press(&sealed, &one.id, &lead)).await;
    assert!(answer["ephemeral_text"].as_str().unwrap().contains("nothing was done"), "{answer}");
    assert_eq!(refused(&world, "foreign_post").await + refused(&world, "replayed").await, before + 1);
    assert_eq!(world.started(), 1);
    let entries = entries(&world).await;
    let noted = entries.iter().filter(|entry| entry.event.word() == "callback-refused").count();
    assert_eq!(noted, 5, "each is in the audit");
    let lines = entries.iter().filter(|entry| entry.event.word() == "approved").count();
    assert_eq!(lines, 1);
}
