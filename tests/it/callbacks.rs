//! Buttons, dialogs, emojis and lines that answer what executions ask, and what is made up by somebody else: none of it has an effect.

use crate::bot::{Machine, said, started};
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::adapters::store::DiskStore;
use halcyon::config::Http;
use halcyon::core::action::execution::Status;
use halcyon::core::bot::Step;
use halcyon::core::callback::signature::CallbackKey;
use halcyon::core::callback::{Meaning, Refusal, Reply, Subject};
use halcyon::core::chat::code::Code;
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::effect::{Answer, Effect};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ChannelId, ExecutionId, PostId, RequestId, UserId};
use halcyon::core::input::{
    Ask, DeliveryOutcome, Directory, Forgery, HeardReaction, Identity, Input, Press, Principal, Submission,
};
use halcyon::core::memory::inquiry_of;
use halcyon::runtime::ports::Store;
use halcyon::sandbox::mattermost::{Happening, Post, Server};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A pack whose actions ask.
const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: ask\nname: ask\ndescription: asks\nversion: 1.0.0\nauthor: us\n"),
    ("actions/go.yaml", "name: go\nrunner_type: inquirer\ndescription: asks whether to go on\nparameters: {}\n"),
    (
        "actions/pick.yaml",
        "name: pick\nrunner_type: inquirer\ndescription: asks which\nparameters:\n  schema:\n    default:\n      type: object\n      \
         properties: {rack: {type: string, enum: [north, south], required: true, description: Which rack}}\n",
    ),
    (
        "actions/more.yaml",
        "name: more\nrunner_type: inquirer\ndescription: asks for more\nparameters:\n  users: {default: [lead]}\n  ttl: {default: 60}\n  schema:\n    \
         default:\n      type: object\n      properties:\n        reason: {type: string, minLength: 3, required: true, description: Why}\n        \
         count: {type: integer, default: 1, minimum: 1, description: How many}\n        wait: {type: boolean}\n",
    ),
    ("aliases/go.yaml", "name: go\naction_ref: ask.go\ndescription: go\nformats: ['shall i go']\n"),
    ("aliases/pick.yaml", "name: pick\naction_ref: ask.pick\ndescription: pick\nformats: ['which rack']\n"),
    ("aliases/more.yaml", "name: more\naction_ref: ask.more\ndescription: more\nformats: ['tell me more']\n"),
];

pub(crate) fn free_port() -> u16 {
    free_on([127, 0, 0, 1].into()).port()
}

/// An address there at which nobody listens. What finds it never listens itself: a process that another test is just starting would have it,
/// and go on listening for a moment.
pub(crate) fn free_on(host: IpAddr) -> SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((host, 0).into()).unwrap();
    socket.local_addr().unwrap()
}

/// A world with that pack; the chat server calls the bot back when `buttons`.
async fn world(buttons: bool) -> World {
    let more = "[[access.roles]]\nname = \"asker\"\nusers = [\"operator\"]\ngrants = [\"run:ask.*\"]\n";
    let mut world = World::without_bot(more).await;
    world.add_pack("ask", PACK);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    if buttons {
        world.config.mattermost.as_mut().unwrap().callback_url = Some(format!("http://{listen}"));
    }
    world.start_bot().await;
    world
}

pub(crate) fn url(world: &World, path: &str) -> String {
    format!("http://{}{path}", world.config.http.as_ref().unwrap().listen)
}

pub(crate) async fn call(world: &World, path: &str, body: Vec<u8>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer =
        client.post(url(world, path)).header("Content-Type", "application/json").body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

/// How many callbacks were refused for this reason.
pub(crate) async fn refused(world: &World, why: &str) -> u64 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = client.get(url(world, "/metrics")).send().await.unwrap().text().await.unwrap();
    let name = format!("halcyon_callbacks_refused_total{{why=\"{why}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

pub(crate) fn actions(post: &Post) -> Vec<Value> {
    let attachments = post.props.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default();
    attachments.iter().flat_map(|one| one["actions"].as_array().cloned().unwrap_or_default()).collect()
}

/// Writes a line that asks, and gives the question.
async fn question(world: &World, line: &str) -> Post {
    let asked = world.write("operator", line);
    let question = world.answer_that(&asked, |post| post.message.starts_with(":speech_balloon:")).await;
    // Until it is noted that the post stands, a press is told to come again.
    world.settle().await;
    question
}

/// Waits until the question says how it ended.
async fn ended(world: &World, question: &Post) -> String {
    let over = |post: &Post| post.id == question.id && !post.message.starts_with(":speech_balloon:");
    let post = world.chat.wait_for(CHANNEL, over, PATIENCE).await.unwrap();
    assert_eq!(actions(&post), Vec::<Value>::new(), "the end takes the buttons away");
    post.message
}

fn code(question: &Post) -> String {
    let (_, rest) = question.message.split_once("answer ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// What a press says to the one who pressed.
pub(crate) async fn whispered(world: &World, user: &str, post: &str, action: &str) -> String {
    loop {
        let mut happenings = world.chat.subscribe();
        world.chat.click(user, post, action).await.unwrap();
        let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
        match Server::wait_for_happening(&mut happenings, told, PATIENCE).await {
            // The post stands, and the bot has not noted it yet.
            Some(Happening::Whispered { post, .. }) if post.message.contains("press again in a moment") => {}
            Some(Happening::Whispered { post, .. }) => return post.message,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_answers_and_only_of_whom_may() {
    let world = world(true).await;
    let asked = question(&world, "!shall i go").await;
    let names: Vec<_> = actions(&asked).iter().map(|action| action["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["Yes", "No"]);
    assert!(asked.message.contains("Would you like to continue the workflow?"), "{}", asked.message);
    let told = whispered(&world, "guest", &asked.id, "answer0").await;
    assert!(told.contains("not for you to answer"), "{told}");
    world.chat.click("operator", &asked.id, "answer0").await.unwrap();
    let end = ended(&world, &asked).await;
    assert!(end.contains("**operator** answered: `continue` is `yes`"), "{end}");

    let picked = question(&world, "!which rack").await;
    world.chat.click("lead", &picked.id, "answer1").await.unwrap();
    let end = ended(&world, &picked).await;
    assert!(end.contains("**lead** answered: `rack` is `south`"), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_up_has_no_effect_and_is_noted() {
    let mut world = world(true).await;
    let (one, other) = (question(&world, "!shall i go").await, question(&world, "!shall i go").await);
    let kept =
        |post: &Post| actions(&world.chat.post(&post.id).unwrap())[0]["integration"]["context"]["halcyon"].clone();
    let (sealed, foreign) = (kept(&one).as_str().unwrap().to_owned(), kept(&other).as_str().unwrap().to_owned());
    let operator = world.chat.user_id("operator").unwrap();
    let channel = world.chat.channel_id(CHANNEL).unwrap();
    let press = |sealed: &str, post: &str| {
        let call = json!({"user_id": operator, "user_name": "operator", "channel_id": channel, "post_id": post, "type": "button",
            "trigger_id": "t", "context": {"halcyon": sealed}});
        call.to_string().into_bytes()
    };
    let mut wrong = sealed.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'A' { 'B' } else { 'A' });
    let (body, tag) = sealed.split_once('.').unwrap();
    let strangers = CallbackKey::new([7; 32]);
    let meaning = Meaning {
        subject: Subject::Inquiry { execution: ExecutionId::new("0".repeat(24)) },
        action: "answer".into(),
        value: Some("yes".into()),
        revision: 1,
        until: jiff::Timestamp::MAX,
    };
    let untouched = |what: &str| {
        for post in [&one, &other] {
            assert!(world.chat.post(&post.id).unwrap().message.starts_with(":speech_balloon:"), "{what} has an effect");
        }
    };
    for (what, call_of, why) in [
        ("a wrong hash", press(&wrong, &one.id), "forged"),
        ("a hash cut short", press(&format!("{body}.{}", &tag[..10]), &one.id), "forged"),
        ("no hash", press(body, &one.id), "forged"),
        ("another key", press(&strangers.sign_button(&meaning), &one.id), "forged"),
        ("a right one on another post", press(&foreign, &one.id), "foreign_post"),
        ("a right one on a post of somebody", press(&foreign, &"p".repeat(26)), "foreign_post"),
        ("no JSON", b"{\"user_id\":".to_vec(), "unreadable"),
        ("an id that is none", press(&sealed, "../../x"), "unreadable"),
    ] {
        let before = refused(&world, why).await;
        let (status, answer) = call(&world, "/mattermost/action", call_of).await;
        assert_eq!(status, 200, "{what}");
        assert!(answer["ephemeral_text"].as_str().unwrap().contains("nothing was done"), "{what}: {answer}");
        assert_eq!(refused(&world, why).await, before + 1, "{what}");
        untouched(what);
    }
    let (status, _) = call(&world, "/mattermost/action", vec![b' '; 1 << 20]).await;
    assert_eq!(status, 413, "nobody reads that much");

    // A hash for a button is none for a dialog, and the other way round.
    let submit = |state: &str, user: &str| {
        let call = json!({"type": "dialog_submission", "callback_id": "answer", "state": state, "user_id": user, "channel_id": channel,
            "submission": {"continue": "yes"}});
        call.to_string().into_bytes()
    };
    let (_, answer) = call(&world, "/mattermost/dialog", submit(&sealed, &operator)).await;
    assert!(answer["error"].as_str().unwrap().contains("nothing was done"), "{answer}");
    untouched("a button's hash in a dialog");

    // Lines that are not a person's own words, or were something else first.
    let line = format!("@halcyon answer {} yes", code(&one));
    world.chat.post_as_webhook("operator", CHANNEL, &line, "lead").unwrap();
    let innocent = world.write("operator", "a word to nobody");
    world.chat.edit_as("operator", &innocent, &line).unwrap();
    world.settle().await;
    untouched("a webhook or an edit");

    // The real thing, and the same once more.
    let before = refused(&world, "foreign_post").await + refused(&world, "replayed").await;
    let (_, answer) = call(&world, "/mattermost/action", press(&sealed, &one.id)).await;
    assert_eq!(answer, json!({}));
    ended(&world, &one).await;
    let (_, answer) = call(&world, "/mattermost/action", press(&sealed, &one.id)).await;
    assert!(answer["ephemeral_text"].as_str().unwrap().contains("nothing was done"), "{answer}");
    assert_eq!(refused(&world, "foreign_post").await + refused(&world, "replayed").await, before + 1);
    assert!(world.chat.post(&other.id).unwrap().message.starts_with(":speech_balloon:"));

    world.stop_bot().await;
    let (store, _) = DiskStore::open(&world.config.store.path).await.unwrap();
    let facts = store.replay().await.unwrap();
    let noted = |why: Refusal| {
        facts
            .iter()
            .filter(move |dated| matches!(&dated.fact, Fact::CallbackRefused { why: noted, .. } if *noted == why))
    };
    assert_eq!(noted(Refusal::Forged).count(), 5);
    assert_eq!(noted(Refusal::ForeignPost).count(), 2);
    assert_eq!(noted(Refusal::Replayed).count(), 1);
    assert_eq!(noted(Refusal::Unreadable).count(), 2);
    let all: String = facts.iter().map(|dated| serde_json::to_string(dated).unwrap()).collect();
    assert!(!all.contains(tag), "no signature is stored");
    assert!(!all.contains("halcyon-callback-key"), "no key is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialog_answers_and_only_of_the_one_who_opened_it() {
    let world = world(true).await;
    let asked = question(&world, "!tell me more").await;
    assert!(asked.message.contains("`count`, a whole number: How many (otherwise `1`)"), "{}", asked.message);
    assert!(asked.message.contains("Only lead can answer"), "{}", asked.message);
    let told = whispered(&world, "operator", &asked.id, "form").await;
    assert!(told.contains("only lead can"), "{told}");
    let mut happenings = world.chat.subscribe();
    world.chat.click("lead", &asked.id, "form").await.unwrap();
    let opened = |happening: &Happening| matches!(happening, Happening::Dialog { .. });
    let Some(Happening::Dialog { user_id, dialog }) =
        Server::wait_for_happening(&mut happenings, opened, PATIENCE).await
    else {
        panic!("no dialog")
    };
    assert_eq!(user_id, world.chat.user_id("lead").unwrap());
    let names: Vec<_> =
        dialog["dialog"]["elements"].as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
    assert_eq!(names, ["reason", "count", "wait"]);
    let submit = |values: Value| {
        json!({"url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
            "channel_id": world.chat.channel_id(CHANNEL).unwrap(), "submission": values})
    };
    let right = json!({"reason": "a dead disk", "count": "2", "wait": null});
    let answer = world.chat.submit_dialog("operator", &submit(right.clone())).await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("opened by somebody else"), "{answer}");
    assert_eq!(refused(&world, "other_user").await, 1);
    let answer = world.chat.submit_dialog("lead", &submit(json!({"reason": "x", "count": "zero"}))).await.unwrap();
    let complaints = answer["errors"].as_object().unwrap();
    assert!(complaints["reason"].as_str().unwrap().contains("at least 3 characters"), "{answer}");
    assert!(complaints["count"].as_str().unwrap().contains("whole number"), "{answer}");
    assert_eq!(world.chat.submit_dialog("lead", &submit(right.clone())).await.unwrap(), json!({}));
    let end = ended(&world, &asked).await;
    assert!(end.contains("**lead** answered: `reason` is `a dead disk`, `count` is `2`"), "{end}");
    let answer = world.chat.submit_dialog("lead", &submit(right)).await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("nothing was done again"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_callback_text_and_emojis_do_everything() {
    let mut world = world(false).await;
    let asked = question(&world, "!shall i go").await;
    assert_eq!(asked.props.get("attachments"), None, "no button is drawn");
    assert!(asked.message.contains("put an emoji here: :white_check_mark: for `yes`"), "{}", asked.message);
    world.reaction(&asked.id, "white_check_mark").await;
    world.chat.react_as("guest", &asked.id, "white_check_mark").unwrap();
    world.chat.react_as("operator", &asked.id, "x").unwrap();
    let end = ended(&world, &asked).await;
    assert!(end.contains("**operator** answered: `continue` is `no`"), "{end}");

    // What is put there while nobody listens counts as well.
    let asked = question(&world, "!which rack").await;
    world.reaction(&asked.id, "two").await;
    world.kill_bot();
    world.chat.react_as("lead", &asked.id, "two").unwrap();
    world.start_bot().await;
    let end = ended(&world, &asked).await;
    assert!(end.contains("**lead** answered: `rack` is `south`"), "{end}");

    let asked = question(&world, "!tell me more").await;
    let code = code(&asked);
    let refused = world.say("operator", &format!("!answer {code} reason=\"a dead disk\"")).await;
    assert!(refused.message.contains("only lead can"), "{}", refused.message);
    for (words, complaint) in [
        ("", "`reason` is missing"),
        ("reason=x", "`reason` must have at least 3 characters"),
        ("reason=disk count=0", "`count` must be at least 1"),
        ("reason=disk colour=red", "`colour` is not asked for: it is `reason`, `count` or `wait`"),
        ("disk", "`disk` is not asked for"),
    ] {
        let answer = world.say("lead", &format!("!answer {code} {words}")).await;
        assert!(answer.message.contains(complaint), "{words}: {}", answer.message);
    }
    let listed = world.say("lead", "!inquiries").await;
    assert!(listed.message.contains(&format!("`{code}` `tell me more`")), "{}", listed.message);
    let lower = code.to_lowercase();
    world.write("lead", &format!("!answer {lower} reason=\"a dead disk\" wait=yes"));
    let end = ended(&world, &asked).await;
    assert!(end.contains("`reason` is `a dead disk`, `count` is `1`, `wait` is `yes`"), "{end}");
    let late = world.say("lead", &format!("!answer {code} reason=\"a dead disk\"")).await;
    assert!(late.message.contains("Nothing waits for an answer under the code"), "{}", late.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_answers_and_the_result_is_stackstorms() {
    let world = world(false).await;
    let asked = question(&world, "!which rack").await;
    let Answer::Inquiries { inquiries } = world.ask(Ask::Inquiries { id: None }).await else { panic!() };
    let [open] = inquiries.as_slice() else { panic!("{inquiries:?}") };
    assert_eq!(open.code, code(&asked));
    let schema = json!({"type": "object", "properties": {"rack": {"type": "string", "enum": ["north", "south"], "required": true,
        "description": "Which rack"}}});
    let asks = json!({"schema": schema, "roles": [], "users": [], "route": "", "ttl": 1440});
    assert_eq!(json!(open.result), asks);
    let respond = |rack: &str| Ask::Respond {
        id: open.code.to_lowercase(),
        response: BTreeMap::from([("rack".to_owned(), json!(rack))]),
    };
    let Answer::Refused { text } = world.ask(respond("west")).await else { panic!() };
    assert!(text.contains("`rack` must be `north` or `south`"), "{text}");
    assert_eq!(world.ask(respond("north")).await, Answer::Started { id: open.id.clone() });
    ended(&world, &asked).await;
    let Answer::Execution { execution, .. } = world.ask(Ask::Execution { id: open.id.to_string() }).await else {
        panic!()
    };
    assert_eq!(execution.status, Status::Succeeded);
    let result = halcyon::core::action::result::result(&execution, &|_| String::new());
    let mut expected = asks;
    expected["response"] = json!({"rack": "north"});
    assert_eq!(result, expected);
    let Answer::Refused { .. } = world.ask(respond("north")).await else { panic!("answered twice") };
}

fn pack() -> PackSource {
    let file = |(inside, text): &(&str, &str)| SourceFile {
        shown: format!("ask/{inside}"),
        inside: (*inside).into(),
        text: Ok((*text).to_owned()),
    };
    let files = PACK.iter().map(file).collect();
    PackSource { directory: "ask".into(), shown: "ask".into(), files, programs: Vec::new() }
}

/// A machine with that pack, and the question of a line with its post.
fn asking(line: &str) -> (Machine, ExecutionId, PostId) {
    let mut machine = Machine::new();
    content(&mut machine);
    let step = machine.hear(line, None);
    let id = started(&step).unwrap_or_else(|| panic!("{}", said(&step)));
    let post = PostId::new("question");
    let delivery = inquiry_of(&id);
    machine.take(Input::Delivered { delivery, outcome: DeliveryOutcome::Sent { post: post.clone() } });
    (machine, id, post)
}

fn content(machine: &mut Machine) {
    let loaded = load(&[pack()]);
    assert_eq!(loaded.diagnostics, []);
    machine.take(Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() });
    let settings = halcyon::core::settings::Settings { buttons: true, ..machine.bot.settings().clone() };
    machine.take(Input::Settings(Arc::new(settings)));
}

fn person(user: &str, now: jiff::Timestamp) -> Option<Identity> {
    let (id, username) = (UserId::new(user), if user == "u1" { "operator" } else { "guest" }.to_owned());
    let (member_of, zone) = (BTreeSet::new(), String::new());
    Some(Identity { id, username, is_bot: false, active: true, member_of, zone, as_of: now })
}

fn meaning(id: &ExecutionId, machine: &Machine) -> Meaning {
    machine.bot.memory().buttons[&inquiry_of(id)].meanings[0].clone()
}

fn press(machine: &mut Machine, user: &str, post: &PostId, meaning: &Meaning) -> Reply {
    let (identity, channel) = (person(user, machine.now), ChannelId::new("c1"));
    let press = Press {
        request: RequestId(9),
        user: UserId::new(user),
        identity,
        post: post.clone(),
        channel,
        meaning: meaning.clone(),
        trigger: "t".into(),
    };
    reply(&machine.take(Input::Pressed(Box::new(press))))
}

fn reply(step: &Step) -> Reply {
    let replies: Vec<_> = step
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reply { request: RequestId(9), reply } => Some(reply.clone()),
            _ => None,
        })
        .collect();
    let [reply] = replies.as_slice() else { panic!("{replies:?}") };
    reply.clone()
}

#[test]
fn the_time_of_a_question_ends_it_also_while_nobody_was_there() {
    let (mut machine, id, _) = asking("!tell me more users=operator");
    assert_eq!(machine.bot.memory().executions[&id].status, Status::Pending);
    machine.wait(59 * 60);
    assert!(machine.take(Input::Deadline).facts.is_empty());
    assert!(machine.bot.next_deadline().unwrap().0.duration_since(machine.now).as_secs() <= 60);
    let facts = machine.facts.clone();
    machine.wait(61);
    let step = machine.take(Input::Deadline);
    assert!(said(&step).contains("nobody answered within 1 h"), "{}", said(&step));

    // The same where the process was away.
    let later = Machine::over(facts, machine.now);
    assert!(!later.bot.memory().executions.contains_key(&id));
    let end = later.facts.iter().find_map(|dated| match &dated.fact {
        Fact::ExecutionFinished { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(end, Some(Status::Timeout));
}

/// The times of a question are by the clock of the only one who is asked, or else of who started it.
#[test]
fn times_of_a_question_go_by_the_clock_of_whoever_reads_them() {
    let check = |line: &str, zones: &[(&str, &str)], expected: &str| {
        let mut machine = Machine::new();
        content(&mut machine);
        let named = [("operator", "u1"), ("guest", "u2")];
        let users = named.map(|(name, id)| (name.to_owned(), UserId::new(id))).into();
        let zones = zones.iter().map(|(id, zone)| (UserId::new(*id), (*zone).to_owned())).collect();
        let channels = [("cluster".to_owned(), ChannelId::new("c1"))].into();
        machine.take(Input::Directory(Directory { users, channels, zones, ..Directory::default() }));
        let told = said(&machine.hear(line, None));
        assert!(told.contains(expected), "{line}: {told}");
    };
    check("!tell me more users=operator", &[], "until 15 Nov 00:13 CET");
    check("!tell me more users=guest", &[("u2", "America/New_York")], "until 18:13 EST");
    check("!tell me more users=guest", &[("u1", "Asia/Tokyo")], "CET");
    check("!tell me more users=guest,operator", &[("u2", "America/New_York")], "CET");
}

#[test]
fn a_press_counts_once_on_its_own_post_and_in_its_time() {
    let (mut machine, id, post) = asking("!shall i go");
    let meaning = meaning(&id, &machine);
    let refused = |machine: &mut Machine, user: &str, post: &PostId, meaning: &Meaning, why: Refusal| {
        let reply = press(machine, user, post, meaning);
        assert_eq!(reply.refused, Some(why), "{}", reply.text);
        assert!(machine.bot.memory().executions.contains_key(&id), "it has an effect");
    };
    refused(&mut machine, "u1", &PostId::new("elsewhere"), &meaning, Refusal::ForeignPost);
    let changed = Meaning { revision: 2, ..meaning.clone() };
    refused(&mut machine, "u1", &post, &changed, Refusal::ForeignPost);
    let reply = press(&mut machine, "u2", &post, &meaning);
    assert!(reply.text.contains("not for you"), "{}", reply.text);
    assert_eq!(press(&mut machine, "u1", &post, &meaning), Reply::default());
    assert!(!machine.bot.memory().executions.contains_key(&id));
    let used = |machine: &mut Machine| press(machine, "u1", &post, &meaning).refused;
    assert_eq!(used(&mut machine), Some(Refusal::Replayed));
    // Also after a restart; somebody else is told that it is over.
    let mut later = Machine::over(machine.facts.clone(), machine.now);
    content(&mut later);
    assert_eq!(used(&mut later), Some(Refusal::Replayed));
    assert!(press(&mut later, "u2", &post, &meaning).text.contains("Nothing waits"));
}

#[test]
fn a_button_pressed_before_its_post_is_known_asks_for_patience() {
    let mut machine = Machine::new();
    content(&mut machine);
    let step = machine.hear("!shall i go", None);
    let id = started(&step).unwrap();
    let meaning = meaning(&id, &machine);
    let reply = press(&mut machine, "u1", &PostId::new("question"), &meaning);
    assert_eq!(reply.refused, None);
    assert!(reply.text.contains("press again"), "{}", reply.text);
}

#[test]
fn a_flood_of_forgeries_is_noted_sparingly() {
    let mut machine = Machine::new();
    let forgery = || Forgery { why: Refusal::Forged, user: None, post: None, from: "192.0.2.1".into() };
    let flood = |machine: &mut Machine, count: usize| -> Vec<u64> {
        let steps: Vec<Step> = (0..count).map(|_| machine.take(Input::Forged(forgery()))).collect();
        let facts = steps.into_iter().flat_map(|step| step.facts);
        facts
            .filter_map(|dated| match dated.fact {
                Fact::CallbackRefused { unnoted, .. } => Some(unnoted),
                _ => None,
            })
            .collect()
    };
    assert_eq!(flood(&mut machine, 1_000).len(), 30);
    machine.wait(61);
    assert_eq!(flood(&mut machine, 1_000), [970, 0]);
}

#[test]
fn an_emoji_of_somebody_who_is_not_known_is_read_again() {
    let (mut machine, id, post) = asking("!shall i go");
    let reaction = |identity| HeardReaction {
        post: post.clone(),
        channel: None,
        user: UserId::new("u1"),
        identity,
        emoji: "+1".into(),
        removed: false,
        created: jiff::Timestamp::UNIX_EPOCH,
    };
    let step = machine.take(Input::Reacted(reaction(None)));
    assert!(
        step.effects.iter().any(|effect| matches!(effect, Effect::ReadReactions { post: read, .. } if *read == post))
    );
    let reactions = vec![reaction(person("u1", machine.now))];
    machine.take(Input::ReactionsRead { channel: ChannelId::new("c1"), post: post.clone(), reactions });
    assert!(!machine.bot.memory().executions.contains_key(&id));
}

#[test]
fn a_submission_needs_a_card_that_is_known() {
    let (mut machine, id, _) = asking("!shall i go");
    let submission = Submission {
        request: RequestId(9),
        user: UserId::new("u1"),
        identity: person("u1", machine.now),
        channel: ChannelId::new("c1"),
        card: halcyon::core::id::DeliveryId::new("none"),
        meaning: meaning(&id, &machine),
        values: BTreeMap::from([("continue".to_owned(), json!("yes"))]),
    };
    let reply = reply(&machine.take(Input::Submitted(Box::new(submission))));
    assert_eq!(reply.refused, Some(Refusal::ForeignPost));
}

#[test]
fn what_cannot_be_asked_is_refused_when_it_is_asked() {
    let mut machine = Machine::new();
    content(&mut machine);
    for (parameters, why) in [
        (json!({"users": ["nobody"]}), "names `nobody`, and I only know users"),
        (json!({"roles": ["nobody"]}), "there is no such role"),
        (json!({"route": "nowhere"}), "names none of the channels"),
        (json!({"ttl": -1}), "must be minutes"),
        (json!({"schema": {"type": "array"}}), "must be of type object"),
        (json!({"schema": {"type": "object"}}), "has no properties"),
        (
            json!({"schema": {"type": "object", "properties": {"word": {"type": "string", "secret": true}}}}),
            "asks for the secret `word`",
        ),
    ] {
        let step = machine.take(Input::Request {
            request: RequestId(7),
            from: Principal::LocalUser { uid: 1000, name: "halcyon".into() },
            ask: Ask::Run {
                action: halcyon::core::id::ActionRef::new("core.ask"),
                parameters: serde_json::from_value(parameters.clone()).unwrap(),
                trace_tag: None,
            },
        });
        let refused = step.effects.iter().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => match &**answer {
                Answer::Refused { text } => Some(text.clone()),
                _ => None,
            },
            _ => None,
        });
        let refused = refused.unwrap_or_else(|| panic!("{parameters} is asked"));
        assert!(refused.contains(why), "{parameters}: {refused}");
    }
}

#[test]
fn codes_are_no_words_and_read_in_any_case() {
    let mut seen = BTreeSet::new();
    for seed in 1..=2_000_u64 {
        let mut state = seed;
        let bits = || {
            state = state.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            state
        };
        let code = Code::generate(bits, |_| false);
        assert_eq!(Code::read(&code.as_str().to_lowercase()), Some(code.clone()));
        assert!(code.as_str().bytes().any(|letter| letter.is_ascii_digit()), "{code}");
        seen.insert(code);
    }
    assert!(seen.len() > 1_900, "{}", seen.len());
    for no in ["this", "1234", "k3q", "k3qzz", "k0qz", "kiqz", "k3-z", ""] {
        assert_eq!(Code::read(no), None, "{no}");
    }
}

#[test]
fn a_key_is_read_as_it_was_written_and_signs_for_one_purpose() {
    let key = CallbackKey::new([3; 32]);
    assert_eq!(CallbackKey::read(&format!("{}\n", key.written())).unwrap(), key);
    assert!(CallbackKey::read("halcyon-master-key-v1-x").is_err());
    assert!(!format!("{key:?}").contains(&key.written()[24..]), "a key shows itself");
    let meaning = Meaning {
        subject: Subject::Inquiry { execution: ExecutionId::new("e") },
        action: "answer".into(),
        value: None,
        revision: 1,
        until: jiff::Timestamp::UNIX_EPOCH,
    };
    let signed = key.sign_button(&meaning);
    assert_eq!(key.verify_button(&signed), Some(meaning));
    assert_eq!(key.verify_dialog(&signed), None);
    assert_eq!(CallbackKey::new([4; 32]).verify_button(&signed), None);
    for place in 0..signed.len() {
        let mut changed = signed.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        assert_eq!(key.verify_button(std::str::from_utf8(&changed).unwrap()), None, "changed at {place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_takes_the_value_that_a_line_lacks() {
    let world = world(true).await;
    let line = world.write("operator", "!wipe it times");
    let asked = world.reply(&line, |post| post.message.contains("needs one more thing")).await;
    let told = whispered(&world, "lead", &asked.id, "form").await;
    assert!(told.contains("for the one who wrote the line"), "{told}");
    let mut happenings = world.chat.subscribe();
    world.chat.click("operator", &asked.id, "form").await.unwrap();
    let opened = |happening: &Happening| matches!(happening, Happening::Dialog { .. });
    let Some(Happening::Dialog { dialog, .. }) = Server::wait_for_happening(&mut happenings, opened, PATIENCE).await
    else {
        panic!("no dialog")
    };
    let field = dialog["dialog"]["elements"][0]["name"].as_str().unwrap().to_owned();
    let submit = |value: &str| {
        json!({"url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
            "channel_id": world.chat.channel_id(CHANNEL).unwrap(), "submission": {&field: value}})
    };
    let answer = world.chat.submit_dialog("operator", &submit(" ")).await.unwrap();
    assert!(answer["errors"][&field].as_str().unwrap().contains("is missing"), "{answer}");
    assert_eq!(world.chat.submit_dialog("operator", &submit("2")).await.unwrap(), json!({}));
    let channel = world.chat.post(&line).unwrap().channel_id;
    let ran =
        |post: &Post| post.message.contains("`wipe it 2 times`") && post.message.starts_with(":white_check_mark:");
    world.chat.wait_for(&channel, ran, PATIENCE).await.unwrap();
    let settled = world.chat.post(&asked.id).unwrap();
    assert!(settled.message.contains("that is settled"), "{}", settled.message);
    assert_eq!(actions(&settled), Vec::<Value>::new());
    let answer = world.chat.submit_dialog("operator", &submit("3")).await.unwrap();
    assert!(answer["error"].is_string(), "{answer}");
}
