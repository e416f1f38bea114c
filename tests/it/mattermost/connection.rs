//! The connection: what is heard, what ends it, and how it goes on.

use super::{PATIENCE, World, brisk, heard, kind, new_post, options};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, put};
use halcyon::adapters::mattermost::{Mattermost, Pace};
use halcyon::core::id::PostId;
use halcyon::core::input::Connection;
use halcyon::runtime::ports::{Chat, ChatEvent};
use halcyon::sandbox::mattermost::{Detour, Draft, Happening, Options, Server};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn everything_is_heard_with_its_marks() {
    let mut world = World::start().await;
    let first = world.say("@halcyon uptime on wn001");
    assert_eq!(world.next().await, heard("@halcyon uptime on wn001"));
    world.server.post_as("lead", "cluster", "and wn002", Some(&first)).unwrap();
    assert_eq!(world.next().await, "lead in Public: and wn002, a reply []");
    world.server.edit_as("operator", &first, "@halcyon reboot wn001").unwrap();
    assert_eq!(world.next().await, "operator in Public: @halcyon reboot wn001, edited []");
    world.server.post_as_webhook("lead", "cluster", "@halcyon reboot wn001", "operator").unwrap();
    let line = world.next().await;
    assert!(line.starts_with("lead in Public: @halcyon reboot wn001 [") && line.contains("from_webhook"), "{line}");
    let direct = world.server.direct_channel("operator", "halcyon").unwrap();
    world.server.post_as("operator", &direct, "uptime on wn001", None).unwrap();
    assert_eq!(world.next().await, "operator in Direct: uptime on wn001 []");
    let draft = |kind: &str, remote: &str, edited: bool| Draft {
        user: "guest".into(),
        channel: "cluster".into(),
        message: "hello".into(),
        kind: kind.into(),
        remote_id: remote.into(),
        edited,
        ..Draft::default()
    };
    for (draft, expected) in [
        (draft("system_join_channel", "", false), "guest in Public: hello [system_join_channel]"),
        (draft("", "elsewhere", false), "guest in Public: hello, remote []"),
        (draft("", "", true), "guest in Public: hello, edited []"),
    ] {
        world.server.inject(draft).unwrap();
        assert_eq!(world.next().await, expected);
    }
    let own = new_post(&world, "d1", "done");
    world.chat.create(&own).await.unwrap();
    assert_eq!(world.next().await, "halcyon in Public: done [from_bot]");
    world.say(r#"{"seq_reply":1}"#);
    assert_eq!(world.next().await, heard(r#"{"seq_reply":1}"#));
    world.stop.cancel();
    tokio::time::timeout(PATIENCE, world.listening).await.expect("it stops when asked").unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_nothing_is_missed() {
    let mut world = World::start().await;
    let mut happenings = world.server.subscribe();
    for round in 0..3 {
        world.say(&format!("{round} before"));
        world.faults().drop_sockets();
        world.say(&format!("{round} meanwhile"));
        world.say(&format!("{round} still"));
        let mut interrupted = false;
        for word in ["before", "meanwhile", "still"] {
            let (line, cut) = world.next_post().await;
            interrupted |= cut;
            assert_eq!(line, heard(&format!("{round} {word}")));
        }
        assert!(interrupted);
        let resumed = |happening: &Happening| matches!(happening, Happening::Connected { resumed: true, .. });
        assert!(Server::wait_for_happening(&mut happenings, resumed, PATIENCE).await.is_some());
    }
}

#[tokio::test]
async fn a_quiet_connection_is_resumed_too() {
    let mut world = World::start().await;
    world.faults().drop_sockets();
    world.expect_interruption("Connecting again").await;
    world.say("hello");
    assert_eq!(world.next().await, heard("hello"));
}

#[tokio::test]
async fn a_server_that_does_not_remember_greets_anew() {
    let mut world = World::start().await;
    world.say("one");
    assert_eq!(world.next().await, heard("one"));
    world.faults().restart();
    world.expect_interruption("Connecting again").await;
    world.faults().refuse_resume(true);
    world.faults().drop_sockets();
    world.expect_interruption("Connecting again").await;
    world.say("two");
    assert_eq!(world.next().await, heard("two"));
}

/// It works, so people are writing: the waits do not grow as they do for a server that is away.
#[tokio::test]
async fn a_server_that_greets_and_drops_is_not_waited_for_ever_longer() {
    let hour = Duration::from_secs(3600);
    let pace = Pace { slowest: hour, slowest_greeted: Duration::from_millis(40), healthy: hour, ..brisk() };
    let mut world = World::with(Options::default(), pace, 64, None).await;
    assert_eq!(world.next().await, "up as halcyon, 16383 characters");
    world.faults().refuse_resume(true);
    // Doubled each time, the last of these waits alone would be eleven minutes.
    for _ in 0..16 {
        world.faults().drop_sockets();
        world.expect_interruption("Connecting again").await;
    }
    world.say("hello");
    assert_eq!(world.next_post().await.0, heard("hello"));
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let mut world = World::start().await;
    world.faults().down(true);
    let line = world.next().await;
    assert!(line.starts_with("down: "), "{line}");
    world.faults().down(false);
    world.say("back");
    let (line, _) = world.next_post().await;
    assert_eq!(line, heard("back"));
}

#[tokio::test]
async fn a_frame_that_breaks_off_is_asked_for_again() {
    let mut world = World::start().await;
    world.faults().die_in_mid_frame();
    world.say("in two halves");
    world.expect_interruption("the connection").await;
    assert_eq!(world.next().await, heard("in two halves"));
}

#[tokio::test]
async fn a_missing_number_is_noticed() {
    let mut world = World::start().await;
    world.say("one");
    assert_eq!(world.next().await, heard("one"));
    world.faults().skip_sequence_number();
    world.say("two");
    world.expect_interruption("came; something was lost on the way").await;
    assert_eq!(world.next().await, heard("two"));
    world.say("three");
    assert_eq!(world.next().await, heard("three"));
}

#[tokio::test]
async fn a_silent_server_is_left() {
    let pace = Pace { ping: Duration::from_millis(200), silence: Duration::from_secs(2), ..brisk() };
    let mut world = World::with(Options::default(), pace, 64, None).await;
    assert_eq!(world.next().await, "up as halcyon, 16383 characters");
    world.faults().silence_sockets();
    world.expect_interruption("silent").await;
    world.say("hello");
    assert_eq!(world.next_post().await.0, heard("hello"));
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_not_trusted() {
    let pace = Pace { greeting: Duration::from_millis(400), ..brisk() };
    let mut world = World::with(Options::default(), pace, 64, None).await;
    assert_eq!(world.next().await, "up as halcyon, 16383 characters");
    let probes = |world: &World| world.server.calls_of("GET /api/v4/users/{user_id}");
    let before = probes(&world);
    world.faults().silence_new_sockets(true);
    world.faults().drop_sockets();
    assert!(world.next().await.starts_with("down: "));
    let line = world.next().await;
    assert!(line.contains("the server did not greet"), "{line}");
    let until = tokio::time::Instant::now() + PATIENCE;
    while probes(&world) < before + 2 {
        assert!(tokio::time::Instant::now() < until, "the token was not looked at");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Open, alive and without a greeting: that is how a server treats a token that it does not know.
    world.faults().silence_new_sockets(false);
    world.faults().no_hello(true);
    let before = probes(&world);
    while probes(&world) < before + 2 {
        assert!(tokio::time::Instant::now() < until, "the token was not looked at");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.faults().no_hello(false);
    loop {
        let line = world.next().await;
        if line.starts_with("up ") {
            break;
        }
        assert!(line.contains("did not greet"), "{line}");
    }
    world.say("hello");
    assert_eq!(world.next_post().await.0, heard("hello"));
}

#[tokio::test]
async fn a_wrong_token_is_said_and_makes_no_storm() {
    let mut world = World::with(Options::default(), brisk(), 64, Some("wrongwrongwrongwrongwrongw")).await;
    let line = world.next().await;
    assert!(line.starts_with("down: Mattermost does not accept the bot's token (status 401"), "{line}");
    assert!(!line.contains("wrongwrong"), "{line}");
    let began = tokio::time::Instant::now();
    let route = "GET /api/v4/users/{user_id}";
    let before = world.server.calls_of(route);
    while world.server.calls_of(route) < before + 3 {
        assert!(began.elapsed() < PATIENCE, "it gave up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() >= 2 * brisk().token, "three look-ups within {:?}", began.elapsed());
    let calls = world.server.calls();
    assert_eq!(calls.len(), 1, "nothing else is tried: {calls:?}");
    assert!(world.events.try_recv().is_err(), "it is said once");
}

#[tokio::test]
async fn an_address_where_no_mattermost_answers_is_said_and_tried_again() {
    for (detour, words) in [
        (Detour::Maintenance, "status 302 to /maintenance"),
        (Detour::Page(401), "status 401"),
        (Detour::Page(404), "status 404"),
    ] {
        let server = Server::start(Options::default()).await.unwrap();
        server.faults().detour(Some(detour));
        let chat = Mattermost::new(options(server.url(), &server.bot_token(), brisk())).unwrap();
        let (sender, mut events) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let watch = async {
            let Some(ChatEvent::Connection(Connection::Down { why })) = events.recv().await else { panic!("{words}") };
            assert!(why.contains(words) && why.contains("is mattermost.url right"), "{why}");
            server.faults().detour(None);
            loop {
                match events.recv().await.unwrap() {
                    ChatEvent::Connection(Connection::Up { .. }) => break,
                    // A word about the websocket, if the proxy went away in between.
                    ChatEvent::Connection(Connection::Down { .. }) | ChatEvent::Gap => {}
                    other => panic!("{other:?}"),
                }
            }
            stop.cancel();
        };
        tokio::time::timeout(PATIENCE, async { tokio::join!(chat.listen(sender, stop.clone()), watch) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_noticed() {
    let server = Server::start(Options::default()).await.unwrap();
    let token = server.bot_token();
    let pace = Pace { ping: Duration::from_millis(200), ..brisk() };
    let chat = Mattermost::new(options(server.url(), &token, pace)).unwrap();
    let (sender, mut events) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let listen = chat.listen(sender, stop.clone());
    let watch = async {
        let mut lines = Vec::new();
        while lines.len() < 3 {
            match events.recv().await.unwrap() {
                ChatEvent::Connection(Connection::Up { .. }) => {
                    lines.push("up".to_owned());
                    server.faults().revoke_token(&token);
                }
                ChatEvent::Connection(Connection::Down { why }) => lines.push(why),
                ChatEvent::Gap => {}
                other => lines.push(format!("{other:?}")),
            }
        }
        stop.cancel();
        lines
    };
    let ((), lines) = tokio::time::timeout(PATIENCE, async { tokio::join!(listen, watch) }).await.unwrap();
    assert!(lines[1].contains("the server refuses to answer"), "{lines:?}");
    assert!(lines[2].contains("does not accept the bot's token"), "{lines:?}");
}

#[tokio::test]
async fn a_bot_that_is_slow_loses_nothing() {
    let pace = Pace { queue: 4, ..brisk() };
    let mut world = World::with(Options::default(), pace, 1, None).await;
    assert_eq!(world.next().await, "up as halcyon, 16383 characters");
    let mut happenings = world.server.subscribe();
    for number in 0..40 {
        world.say(&number.to_string());
    }
    let gone = |happening: &Happening| matches!(happening, Happening::Disconnected { .. });
    assert!(Server::wait_for_happening(&mut happenings, gone, PATIENCE).await.is_some());
    let mut interrupted = false;
    for number in 0..40 {
        let (line, cut) = world.next_post().await;
        interrupted |= cut;
        assert_eq!(line, heard(&number.to_string()));
    }
    assert!(interrupted, "the queue of four was never full");
}

/// A server below a sub-path that speaks the websocket as a test wishes.
async fn puppet<F, Fut>(speak: F) -> String
where
    F: Fn(WebSocket, HeaderMap) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let me = || async { axum::Json(json!({"id": "bot1", "username": "halcyon", "is_bot": true, "new_in_12": []})) };
    let socket = move |headers: HeaderMap, upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(move |socket| speak(socket, headers))
    };
    let api = Router::new()
        .route("/users/me", get(me))
        .route("/websocket", get(socket))
        .route("/posts/html/patch", put(async || "<html>please wait</html>"))
        .route("/posts/moved/patch", put(async || (StatusCode::FOUND, [("location", "https://elsewhere.example/")])))
        .route("/{*rest}", any(async || StatusCode::INTERNAL_SERVER_ERROR));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/chat/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().nest("/chat/api/v4", api)).await });
    url
}

#[tokio::test]
async fn a_subpath_and_an_unusual_server_are_no_trouble() {
    let posted = |seq: u64, text: &str| {
        let post =
            json!({"id": "p1", "create_at": 1, "user_id": "u1", "channel_id": "c1", "message": text}).to_string();
        json!({"event": "posted", "data": {"post": post, "channel_type": "O"}, "seq": seq}).to_string()
    };
    let url = puppet(move |mut socket, headers| async move {
        assert_eq!(headers["authorization"], "Bearer secret-token");
        assert!(!headers.contains_key("origin"));
        let hello = r#"{"event":"hello","data":{"connection_id":"x"},"seq":0}"#;
        for message in [
            Message::Binary(vec![0x82, 0xa5].into()),
            Message::Text("no JSON at all".into()),
            Message::Text(posted(0, "before the greeting").into()),
            Message::Text(hello.into()),
            Message::Ping(b"alive?".to_vec().into()),
            Message::Text(r#"{"event":"thing_of_the_future","data":null,"seq":1}"#.into()),
            Message::Text(r#"{"event":"posted","data":{"post":"?"},"seq":2}"#.into()),
            Message::Text(r#"{"event":"typing","data":{}}"#.into()),
            Message::Text(posted(3, "heard").into()),
        ] {
            socket.send(message).await.unwrap();
        }
        let Some(Ok(Message::Pong(pong))) = socket.recv().await else { return };
        assert_eq!(pong, b"alive?".as_slice());
        socket.send(Message::Text(posted(4, "after the pong").into())).await.unwrap();
        socket.send(Message::Text(" ".repeat((16 << 20) + 1).into())).await.ok();
        socket.recv().await;
    })
    .await;
    let chat = Mattermost::new(options(url, "secret-token", brisk())).unwrap();
    let (sender, mut events) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let watch = async {
        let mut lines = Vec::new();
        while lines.len() < 4 {
            lines.push(match events.recv().await.unwrap() {
                ChatEvent::Gap => continue,
                ChatEvent::Connection(Connection::Up { username, max_post, .. }) => format!("up {username} {max_post}"),
                ChatEvent::Connection(Connection::Down { why }) => why,
                ChatEvent::Post(post) => post.message,
                ChatEvent::UserChanged(user) => user.to_string(),
                ChatEvent::Reaction(reaction) => reaction.emoji,
            });
        }
        stop.cancel();
        lines
    };
    let both = async { tokio::join!(chat.listen(sender, stop.clone()), watch) };
    let ((), lines) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    // A server that does not tell its longest message gets short ones.
    assert_eq!(lines[..3], ["up halcyon 4000", "heard", "after the pong"]);
    assert!(lines[3].contains("too long"), "{}", lines[3]);

    let busy = chat.edit(&PostId::new("html"), "x").await.unwrap_err();
    assert_eq!(kind(&busy), "later None", "{busy}");
    let moved = chat.edit(&PostId::new("moved"), "x").await.unwrap_err();
    assert!(kind(&moved) == "later None" && moved.to_string().contains("https://elsewhere.example/"), "{moved}");
}
