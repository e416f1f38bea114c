//! The bot's Mattermost adapter on a real server: every call that it makes, and its connection when the line or the server fails.

use super::server::RealServer;
use crate::world::{World, under_way};
use halcyon::adapters::mattermost::{Mattermost, MattermostOptions, Pace};
use halcyon::core::action::run::Secret;
use halcyon::core::id::{ChannelId, DeliveryId, PostId, UserId};
use halcyon::core::input::Connection;
use halcyon::runtime::ports::{Chat, ChatError, ChatEvent, NewPost};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn adapter(server: &RealServer, token: &str) -> Arc<Mattermost> {
    let pace = Pace {
        greeting: Duration::from_secs(7),
        ping: Duration::from_secs(1),
        silence: Duration::from_secs(4),
        soonest: Duration::from_millis(50),
        slowest: Duration::from_millis(500),
        token: Duration::from_secs(1),
        ..Pace::default()
    };
    let options = MattermostOptions {
        url: server.line.url(),
        token: Secret::new(token),
        team: server.team_name.clone(),
        ca_file: None,
        now: || Timestamp::UNIX_EPOCH,
        pace,
        callbacks: None,
    };
    Arc::new(Mattermost::new(options).unwrap())
}

async fn next(events: &mut mpsc::Receiver<ChatEvent>) -> String {
    let event = tokio::time::timeout(Duration::from_secs(40), events.recv()).await.expect("an event in time");
    match event.expect("the adapter listens") {
        ChatEvent::Connection(Connection::Up { username, max_post, .. }) => format!("up as {username}, {max_post}"),
        ChatEvent::Connection(Connection::Down { why }) => format!("down: {why}"),
        ChatEvent::Post(post) => {
            let marks = [post.marks.kind.clone(), post.marks.props.join(" ")].concat();
            let edited = if post.marks.edited { ", edited" } else { "" };
            format!("{:?}: {}{edited} [{marks}]", post.channel_kind, post.message)
        }
        ChatEvent::UserChanged(_) => "somebody changed".to_owned(),
        #[allow(unreachable_patterns, reason = "more kinds of events may come, and none matters here")]
        _ => "something else".to_owned(),
    }
}

/// The next line that begins so.
async fn expect(events: &mut mpsc::Receiver<ChatEvent>, words: &str) -> String {
    loop {
        let line = next(events).await;
        if line.starts_with(words) {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_is_spoken_to() {
    if !RealServer::is_named() {
        return;
    }
    let server = RealServer::start().await;
    let chat = adapter(&server, &server.client("halcyon").token);
    let cluster = ChannelId::new(server.channel("cluster"));
    let post = |key: &str, root: Option<&PostId>, files: Vec<String>| NewPost {
        key: DeliveryId::new(key),
        channel: cluster.clone(),
        root: root.cloned(),
        text: format!("this is {key}"),
        files,
        attachments: Vec::new(),
        instance: None,
    };
    let id = chat.create(&post("d1", None, Vec::new())).await.unwrap();
    assert_eq!(chat.create(&post("d1", None, Vec::new())).await.unwrap(), id, "the server recognises the repeat");
    assert_eq!(
        chat.find(&cluster, None, &DeliveryId::new("d1"), Duration::from_secs(3600)).await.unwrap().as_ref(),
        Some(&id)
    );
    assert_eq!(chat.find(&cluster, None, &DeliveryId::new("d2"), Duration::from_secs(3600)).await.unwrap(), None);
    chat.edit(&id, "ended").await.unwrap();
    let stored = server.admin.good("GET", &format!("/posts/{id}"), Value::Null).await;
    assert_eq!((&stored["message"], &stored["props"]["halcyon_key"]), (&json!("ended"), &json!("d1")));
    let file = chat.upload(&cluster, "out put&.txt", b"all of it".to_vec()).await.unwrap();
    let reply = chat.create(&post("d3", Some(&id), vec![file.clone()])).await.unwrap();
    assert_eq!(
        chat.find(&cluster, Some(&id), &DeliveryId::new("d3"), Duration::from_secs(3600)).await.unwrap(),
        Some(reply.clone())
    );
    assert_eq!(
        chat.find(&cluster, Some(&reply), &DeliveryId::new("d3"), Duration::from_secs(3600)).await.unwrap(),
        Some(reply.clone())
    );
    let info = server.admin.good("GET", &format!("/files/{file}/info"), Value::Null).await;
    assert_eq!((&info["name"], &info["size"]), (&json!("out put&.txt"), &json!(9)));
    for emoji in ["eyes", "eyes", "+1"] {
        chat.react(&id, emoji, false).await.unwrap();
    }
    chat.react(&id, "eyes", true).await.unwrap();
    let left = server.admin.good("GET", &format!("/posts/{id}/reactions"), Value::Null).await;
    assert_eq!((left.as_array().map(Vec::len), &left[0]["emoji_name"]), (Some(1), &json!("+1")));

    let lead = UserId::new(server.user("lead"));
    let identity = chat.identify(&lead, std::slice::from_ref(&cluster)).await.unwrap();
    assert!(identity.active && !identity.is_bot && identity.member_of.contains(&cluster), "{identity:?}");
    assert!(chat.identify(&UserId::new(server.user("halcyon")), &[]).await.unwrap().is_bot);
    let unknown = "z".repeat(26);
    let nowhere = ChannelId::new(unknown.as_str());
    assert!(chat.identify(&lead, &[nowhere]).await.unwrap().member_of.is_empty());
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let users = names(&["lead", "@Operator", "nobody-at-all", "not a name", ""]);
    let directory = chat.directory(&users, &names(&["cluster", "nowhere", "../../x"]), &[], &[]).await.unwrap();
    assert_eq!(directory.users.keys().collect::<Vec<_>>(), ["lead", "operator"]);
    assert_eq!(directory.channels.get("cluster"), Some(&cluster));

    let gone = PostId::new(unknown.as_str());
    for (what, problem, refused) in [
        ("an edit", chat.edit(&gone, "x").await.unwrap_err(), true),
        ("a reply", chat.create(&post("d4", Some(&gone), Vec::new())).await.unwrap_err(), true),
        ("an empty file", chat.upload(&cluster, "empty.txt", Vec::new()).await.unwrap_err(), true),
        ("a stranger", chat.identify(&UserId::new(unknown.as_str()), &[]).await.unwrap_err(), false),
    ] {
        let told = if refused {
            matches!(problem, ChatError::Refused { .. })
        } else {
            matches!(problem, ChatError::Unknown { .. })
        };
        assert!(told && problem.to_string().contains("(request "), "{what}: {problem}");
    }
    assert_eq!(
        chat.find(&cluster, Some(&gone), &DeliveryId::new("d1"), Duration::from_secs(3600)).await.unwrap(),
        None
    );
    let problem = adapter(&server, &"x".repeat(26)).create(&post("d5", None, Vec::new())).await.unwrap_err();
    assert!(matches!(problem, ChatError::Token { .. }), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_is_listened_to_whatever_the_line_does() {
    if !RealServer::is_named() {
        return;
    }
    let server = RealServer::start().await;
    let token = server.new_token(&server.user("halcyon")).await;
    let chat = adapter(&server, &token);
    let (sender, mut events) = mpsc::channel(256);
    let stop = CancellationToken::new();
    let listening = tokio::spawn({
        let (chat, stop) = (chat.clone(), stop.clone());
        async move { chat.listen(sender, stop).await }
    });
    let cluster = server.channel("cluster");
    let say = async |text: &str| {
        let body = json!({ "channel_id": cluster, "message": text });
        server.client("operator").good("POST", "/posts", body).await
    };
    expect(&mut events, "up as halcyon, 16383").await;
    let post = say("one").await;
    assert_eq!(expect(&mut events, "Public: one").await, "Public: one []");
    let path = format!("/posts/{}/patch", post["id"].as_str().unwrap());
    server.client("operator").good("PUT", &path, json!({ "message": "one more" })).await;
    assert_eq!(expect(&mut events, "Public: one more").await, "Public: one more, edited []");
    server.webhook("lead", "cluster", "outside", "root").await;
    let line = expect(&mut events, "Public: outside").await;
    assert!(line.contains("from_webhook") && line.contains("override_username"), "{line}");
    server.leave("guest", "cluster").await;
    expect(&mut events, "somebody changed").await;

    // The server knows that the socket is gone, and repeats what was said meanwhile.
    server.line.cut();
    say("two").await;
    expect(&mut events, "up as halcyon").await;
    assert_eq!(expect(&mut events, "Public: two").await, "Public: two []");

    // The server does not know: it takes the bot for a new one. What was said meanwhile is for the catch-up.
    server.line.silence();
    let unheard = say("three").await;
    let line = expect(&mut events, "down: ").await;
    assert!(line.contains("silent"), "{line}");
    expect(&mut events, "up as halcyon").await;
    say("four").await;
    assert_eq!(expect(&mut events, "Public: ").await, "Public: four []");
    let since = Timestamp::from_millisecond(unheard["create_at"].as_i64().unwrap()).unwrap();
    let joined = chat.channels().await.unwrap().into_iter().find(|joined| joined.channel.as_str() == cluster).unwrap();
    let history = chat.history(&joined, since, 100).await.unwrap();
    let missed: Vec<&str> = history.posts.iter().map(|post| post.message.as_str()).collect();
    assert_eq!((missed, history.complete), (vec!["three", "four"], true));

    // A token that is taken back is noticed by the next ping.
    let tokens = format!("/users/{}/tokens?per_page=200", server.user("halcyon"));
    for known in server.admin.good("GET", &tokens, Value::Null).await.as_array().unwrap() {
        server.admin.good("POST", "/users/tokens/revoke", json!({ "token_id": known["id"] })).await;
    }
    expect(&mut events, "down: the server refuses to answer").await;
    let line = expect(&mut events, "down: ").await;
    assert!(line.contains("does not accept the bot's token"), "{line}");
    stop.cancel();
    listening.await.unwrap();
}

/// Five lines at once, and an answer for each.
async fn five_lines(world: &World, word: &str) {
    let asked: Vec<String> =
        (1..=5).map(|number| world.write("operator", &format!("!greet {word}{number} on wn001"))).collect();
    for number in 1..=5 {
        let hello = format!("hello {word}{number}");
        let answer = world.answer_that(&asked[0], |post| post.message.contains(&hello) && !under_way(post)).await;
        let same = world.chat.posts(&answer.channel_id);
        assert_eq!(same.iter().filter(|post| post.message.contains(&hello)).count(), 1, "said once");
    }
}

/// Where `scripts/real-mattermost.sh` keeps the server's state; without it the server is not ours to restart.
fn is_ours() -> bool {
    RealServer::is_named() && std::env::var_os(super::server::STATE).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_may_be_killed_under_the_bot() {
    if !is_ours() {
        return;
    }
    let world = World::start().await;
    five_lines(&world, "before").await;
    let asked = world.write("operator", "!wait 20 on wn[001-002]");
    let going = world.answer_that(&asked, |post| post.message.contains("waiting")).await;
    tokio::task::block_in_place(|| RealServer::manage("kill"));
    tokio::task::block_in_place(|| RealServer::manage("restart"));
    let answer = world.answer_that(&asked, |post| post.id == going.id && !under_way(post)).await;
    assert!(answer.message.contains("done on all 2 hosts"), "{}", answer.message);
    five_lines(&world, "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_mattermost_may_limit_the_bot() {
    if !is_ours() {
        return;
    }
    struct Unlimited;
    impl Drop for Unlimited {
        fn drop(&mut self) {
            RealServer::manage("restart");
        }
    }
    let stage = super::stage::Stage::real().await;
    RealServer::manage("limit");
    let _unlimited = Unlimited;
    let transcript = super::script::play_limited(&stage).await;
    drop(stage);
    crate::golden("real_mattermost/limited.txt", &transcript);
    let world = World::start().await;
    five_lines(&world, "slowly").await;
}
