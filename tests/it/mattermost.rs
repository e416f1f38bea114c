//! The Mattermost adapter: frames as recorded tables, the rest against a whole server in this process.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, put};
use halcyon::adapters::mattermost::{Event, Frame, Mattermost, MattermostOptions, Pace, decode};
use halcyon::core::action::run::Secret;
use halcyon::core::effect::{Body, Delivery, Thread, Upload, UploadPart};
use halcyon::core::id::{BlobId, ChannelId, DeliveryId, PostId, UserId};
use halcyon::core::input::{Connection, DeliveryOutcome, Identity};
use halcyon::runtime::outbox::{Outbox, OutboxOptions};
use halcyon::runtime::ports::{BlobWriter, Blobs, Chat, ChatError, ChatEvent, NewPost, StoreError};
use halcyon::sandbox::mattermost::{Draft, Faults, Happening, Options, PostFailure, Server};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn frames() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let frames = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    frames
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// A decoded frame on one line.
fn tell(frame: &Frame) -> String {
    match frame {
        Frame::Noise(why) => format!("noise: {why}"),
        Frame::Reply { to, failed: None } => format!("reply to {to}: good"),
        Frame::Reply { to, failed: Some(why) } => format!("reply to {to}: {why}"),
        Frame::Event { seq, event } => {
            let number = seq.map_or("unnumbered".to_owned(), |seq| seq.to_string());
            format!("event {number}: {}", tell_event(event))
        }
    }
}

fn tell_event(event: &Event) -> String {
    match event {
        Event::Hello { connection } => format!("hello, connection {connection:?}"),
        Event::Post(post) => {
            let root = post.root.as_ref().map(|root| format!(" under {root}")).unwrap_or_default();
            let (kind, at) = (post.channel_kind, post.created);
            let marks = &post.marks;
            let mut line = format!(
                "post {}{root} in {} ({kind:?}) by {} at {at}: {:?}",
                post.id, post.channel, post.author, post.message
            );
            if !marks.kind.is_empty() {
                line.push_str(&format!(", type {}", marks.kind));
            }
            if marks.edited {
                line.push_str(", edited");
            }
            if !marks.props.is_empty() {
                line.push_str(&format!(", props {}", marks.props.join(" ")));
            }
            if marks.remote {
                line.push_str(", remote");
            }
            line
        }
        Event::UserChanged(user) => format!("user {user} changed"),
        Event::UsersChanged => "users changed".into(),
        Event::ConfigChanged => "configuration changed".into(),
        Event::Other => "not needed".into(),
        Event::Unreadable { why } => format!("unreadable: {why}"),
    }
}

#[test]
fn frames_are_read_as_the_table_says() {
    let mut table = String::new();
    for (name, text) in frames() {
        writeln!(table, "{name}\n    {}", tell(&decode(&text))).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames/expected.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(&path).unwrap(), "set UPDATE_EXPECTED=1 to write the table anew");
}

#[test]
fn broken_frames_are_never_more_than_noise() {
    for (name, text) in frames() {
        let whole = tell(&decode(&text));
        if text.len() > 3000 {
            continue;
        }
        for (at, _) in text.char_indices() {
            // A frame that is cut anywhere is not a frame.
            assert!(matches!(decode(&text[..at]), Frame::Noise(_)), "{name} cut at {at}");
            // Whatever one other character makes of it, it is decoded to something.
            for stranger in ["\"", "}", "0"] {
                let mut changed = text.clone();
                changed.replace_range(at..at + text[at..].chars().next().unwrap().len_utf8(), stranger);
                assert!(!tell(&decode(&changed)).is_empty());
            }
        }
        if !whole.starts_with("noise") {
            assert_eq!(tell(&decode(&format!(" {text}\n"))), whole, "{name} with blanks around it");
        }
    }
}

/// Long enough for a loaded machine, short enough to be told of.
const PATIENCE: Duration = Duration::from_secs(30);

/// Timers for tests in which nothing is meant to take long.
fn brisk() -> Pace {
    Pace {
        greeting: Duration::from_secs(3),
        ping: Duration::from_secs(1),
        silence: Duration::from_secs(10),
        soonest: Duration::from_millis(20),
        slowest: Duration::from_millis(200),
        token: Duration::from_millis(300),
        ..Pace::default()
    }
}

fn options(url: String, token: &str, pace: Pace) -> MattermostOptions {
    let now = || Timestamp::from_second(1_700_000_000).unwrap();
    MattermostOptions { url, token: Secret::new(token), team: "ops".into(), ca_file: None, now, pace }
}

/// The server, the bot's adapter, and what it hears.
struct World {
    server: Server,
    chat: Arc<Mattermost>,
    events: mpsc::Receiver<ChatEvent>,
    stop: CancellationToken,
    listening: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        let mut world = Self::with(Options::default(), brisk(), 64, None).await;
        assert_eq!(world.next().await, "up as halcyon, 16383 characters");
        world
    }

    async fn with(options_of_server: Options, pace: Pace, room: usize, token: Option<&str>) -> Self {
        let server = Server::start(options_of_server).await.unwrap();
        let token = token.map_or_else(|| server.bot_token(), String::from);
        let chat = Arc::new(Mattermost::new(options(server.url(), &token, pace)).unwrap());
        let (sender, events) = mpsc::channel(room);
        let stop = CancellationToken::new();
        let listening = tokio::spawn({
            let (chat, stop) = (chat.clone(), stop.clone());
            async move { chat.listen(sender, stop).await }
        });
        Self { server, chat, events, stop, listening }
    }

    fn faults(&self) -> Faults {
        self.server.faults()
    }

    fn say(&self, text: &str) -> String {
        self.server.post_as("operator", "cluster", text, None).unwrap()
    }

    /// The next event on one line, ids replaced by names.
    async fn next(&mut self) -> String {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time");
        match event.expect("the adapter listens") {
            ChatEvent::Connection(Connection::Up { me, username, max_post }) => {
                assert_eq!(me.as_str(), self.server.user_id("halcyon").unwrap());
                format!("up as {username}, {max_post} characters")
            }
            ChatEvent::Connection(Connection::Down { why }) => format!("down: {why}"),
            ChatEvent::Post(post) => {
                let author = ["operator", "lead", "guest", "halcyon"]
                    .into_iter()
                    .find(|name| self.server.user_id(name).unwrap() == post.author.as_str());
                let root = if post.root.is_some() { ", a reply" } else { "" };
                let edited = if post.marks.edited { ", edited" } else { "" };
                let remote = if post.marks.remote { ", remote" } else { "" };
                let marks = [post.marks.kind.clone(), post.marks.props.join(" ")].concat();
                let (author, kind, text) = (author.unwrap_or("nobody"), post.channel_kind, &post.message);
                format!("{author} in {kind:?}: {text}{root}{edited}{remote} [{marks}]")
            }
            ChatEvent::UserChanged(user) => format!("user {user} changed"),
        }
    }

    /// What comes next besides words on the connection; whether there were any.
    async fn next_post(&mut self) -> (String, bool) {
        let mut interrupted = false;
        loop {
            let line = self.next().await;
            if !line.starts_with("up ") && !line.starts_with("down: ") {
                return (line, interrupted);
            }
            interrupted = true;
        }
    }

    /// Waits for the end of the connection, with a reason that holds these words, and for the next one.
    async fn expect_interruption(&mut self, words: &str) {
        let line = self.next().await;
        assert!(line.starts_with("down: ") && line.contains(words), "{line:?} instead of {words:?}");
        assert_eq!(self.next().await, "up as halcyon, 16383 characters");
    }
}

fn heard(text: &str) -> String {
    format!("operator in Public: {text} []")
}

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

fn new_post(world: &World, key: &str, text: &str) -> NewPost {
    NewPost {
        key: DeliveryId::new(key),
        channel: ChannelId::new(world.server.channel_id("cluster").unwrap()),
        root: None,
        text: text.into(),
        files: Vec::new(),
    }
}

#[tokio::test]
async fn posts_are_made_found_edited_and_marked() {
    let world = World::start().await;
    let (chat, server) = (&world.chat, &world.server);
    let post = new_post(&world, "d1", "running");
    let id = chat.create(&post).await.unwrap();
    assert_eq!(chat.create(&post).await.unwrap(), id, "the server recognises the repeat");
    assert_eq!(chat.find(&post.channel, None, &post.key).await.unwrap().as_ref(), Some(&id));
    assert_eq!(chat.find(&post.channel, None, &DeliveryId::new("d2")).await.unwrap(), None);
    chat.edit(&id, "ended").await.unwrap();
    let stored = server.post(id.as_str()).unwrap();
    assert_eq!(stored.message, "ended");
    assert_eq!(stored.props["halcyon_key"], json!("d1"), "an edit leaves the props alone");

    let file = chat.upload(&post.channel, "out put&.txt", b"all of it".to_vec()).await.unwrap();
    let reply = NewPost { root: Some(id.clone()), files: vec![file], ..new_post(&world, "d3", "see the file") };
    let reply_id = chat.create(&reply).await.unwrap();
    assert_eq!(server.replies(id.as_str())[0].id, reply_id.as_str());
    let files = server.files(reply_id.as_str());
    assert_eq!((files[0].name.as_str(), files[0].content.as_slice()), ("out put&.txt", b"all of it".as_slice()));
    assert_eq!(chat.find(&post.channel, Some(&id), &reply.key).await.unwrap(), Some(reply_id.clone()));
    assert_eq!(chat.find(&post.channel, None, &reply.key).await.unwrap(), Some(reply_id));
    let gone = PostId::new("abcdefghijklmnopqrstuvwxyz");
    assert_eq!(chat.find(&post.channel, Some(&gone), &reply.key).await.unwrap(), None);

    // Somebody else's post with our key is not ours.
    let forged = Draft {
        user: "guest".into(),
        channel: "cluster".into(),
        message: "running".into(),
        props: json!({"halcyon_key": "d9"}).as_object().unwrap().clone(),
        ..Draft::default()
    };
    server.inject(forged).unwrap();
    assert_eq!(chat.find(&post.channel, None, &DeliveryId::new("d9")).await.unwrap(), None);

    let emoji =
        |post: &PostId| server.reactions(post.as_str()).into_iter().map(|one| one.emoji_name).collect::<Vec<_>>();
    chat.react(&id, "eyes", false).await.unwrap();
    chat.react(&id, "eyes", false).await.unwrap();
    chat.react(&id, "+1", false).await.unwrap();
    assert_eq!(emoji(&id), ["eyes", "+1"]);
    chat.react(&id, "eyes", true).await.unwrap();
    assert_eq!(emoji(&id), ["+1"]);
}

fn kind(problem: &ChatError) -> String {
    match problem {
        ChatError::Later { after, .. } => format!("later {:?}", after.map(|after| after.as_secs())),
        ChatError::Refused { .. } => "refused".into(),
        ChatError::Unknown { .. } => "unknown".into(),
        ChatError::Token { .. } => "token".into(),
    }
}

#[tokio::test]
async fn failures_say_what_to_do_about_them() {
    let world = World::start().await;
    let (chat, faults) = (&world.chat, world.faults());
    let (post, somebody) = (new_post(&world, "d1", "hello"), UserId::new(world.server.user_id("guest").unwrap()));
    // Both ways, the crate's and our own, read a status alike.
    for (status, expected) in [
        (400, "refused"),
        (401, "token"),
        (403, "refused"),
        (404, "unknown"),
        (413, "refused"),
        (429, "later None"),
        (500, "later None"),
        (501, "refused"),
        (502, "later None"),
        (503, "later None"),
        (504, "later None"),
    ] {
        faults.fail_calls(1, status);
        let written = chat.create(&post).await.unwrap_err();
        assert_eq!(kind(&written), expected, "a write with status {status}");
        assert!(written.to_string().contains("sandbox.ordered.app_error"), "{written}");
        faults.fail_calls(1, status);
        let read = chat.identify(&somebody, &[]).await.unwrap_err();
        assert_eq!(kind(&read), expected, "a read with status {status}");
        assert!(read.to_string().contains("sandbox.ordered.app_error"), "{read}");
    }
    faults.limit_rate(1, Duration::from_secs(7));
    assert_eq!(kind(&chat.create(&post).await.unwrap_err()), "later Some(7)");
    faults.limit_rate(1, Duration::from_secs(7));
    assert_eq!(kind(&chat.identify(&somebody, &[]).await.unwrap_err()), "later None", "the crate hides the header");
    faults.limit_rate(1, Duration::from_secs(1 << 40));
    assert_eq!(kind(&chat.create(&post).await.unwrap_err()), "later Some(600)", "there is a limit to obedience");

    let unknown = PostId::new("abcdefghijklmnopqrstuvwxyz");
    for (what, problem) in [
        ("edit", chat.edit(&unknown, "x").await.unwrap_err()),
        ("thread", chat.create(&NewPost { root: Some(unknown.clone()), ..post.clone() }).await.unwrap_err()),
        ("length", chat.create(&NewPost { text: "x".repeat(16_384), ..post.clone() }).await.unwrap_err()),
    ] {
        assert_eq!(kind(&problem), "refused", "{what}: {problem}");
        assert!(problem.to_string().contains("(request "), "{what}: {problem}");
    }
    for wicked in ["../users/me", "", "a/b", "a?b", "a b", "ä", "..", ".", "a%2fb", "a\\b"] {
        assert_eq!(kind(&chat.edit(&PostId::new(wicked), "x").await.unwrap_err()), "unknown", "{wicked:?}");
        assert_eq!(kind(&chat.identify(&UserId::new(wicked), &[]).await.unwrap_err()), "unknown", "{wicked:?}");
    }
    world.server.stop();
    assert_eq!(kind(&chat.create(&post).await.unwrap_err()), "later None");
    assert_eq!(kind(&chat.identify(&somebody, &[]).await.unwrap_err()), "later None");
}

#[tokio::test]
async fn people_are_known_by_id_and_membership() {
    let mut world = World::start().await;
    let server = &world.server;
    let user = |name: &str| UserId::new(server.user_id(name).unwrap());
    let (guest, cluster) = (user("guest"), ChannelId::new(server.channel_id("cluster").unwrap()));
    let leads = ChannelId::new(server.add_private_channel(&team_of(server), "leads"));
    server.join("lead", leads.as_str()).unwrap();
    let nowhere = ChannelId::new("abcdefghijklmnopqrstuvwxyz");
    let channels = [cluster.clone(), leads.clone(), nowhere];

    let many = (0..10).map(|_| world.chat.identify(&guest, &channels));
    let many: Vec<Identity> = futures_util::future::try_join_all(many).await.unwrap();
    let expected = Identity {
        id: guest.clone(),
        username: "guest".into(),
        is_bot: false,
        active: true,
        member_of: [cluster.clone()].into(),
        as_of: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    assert!(many.iter().all(|one| *one == expected), "{many:?}");
    // The bot itself was asked for at the start; the guest once for all ten, and once a channel.
    assert_eq!(server.calls_of("GET /api/v4/users/{user_id}"), 2);
    assert_eq!(server.calls_of("GET /api/v4/channels/{channel_id}/members/{user_id}"), 3);

    // The bot is not in the leads' channel and is told nothing about it; nobody is a member then.
    assert!(
        !world.chat.identify(&user("lead"), std::slice::from_ref(&leads)).await.unwrap().member_of.contains(&leads)
    );
    server.join("halcyon", leads.as_str()).unwrap();
    world.chat.forget(&user("lead"));
    assert!(world.chat.identify(&user("lead"), std::slice::from_ref(&leads)).await.unwrap().member_of.contains(&leads));
    assert!(world.chat.identify(&user("halcyon"), &[]).await.unwrap().is_bot);

    server.leave("guest", "cluster").unwrap();
    let line = loop {
        let line = world.next().await;
        if line.contains(guest.as_str()) {
            break line;
        }
    };
    assert_eq!(line, format!("user {guest} changed"));
    assert!(world.chat.identify(&guest, &channels).await.unwrap().member_of.is_empty(), "forgotten without being told");
    world.server.set_active("guest", false).unwrap();
    world.chat.forget(&guest);
    assert!(!world.chat.identify(&guest, &channels).await.unwrap().active);
    let stranger = UserId::new("abcdefghijklmnopqrstuvwxyz");
    assert_eq!(kind(&world.chat.identify(&stranger, &channels).await.unwrap_err()), "unknown");
}

fn team_of(server: &Server) -> String {
    server.add_team("ops")
}

#[tokio::test]
async fn names_are_resolved_and_unknown_ones_left_out() {
    let world = World::start().await;
    let server = &world.server;
    server.add_private_channel(&team_of(server), "secret");
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let users = names(&["lead", "@Operator", "nobody", "not a name", ""]);
    let channels = names(&["cluster", "secret", "nowhere", "../../x"]);
    let directory = world.chat.directory(&users, &channels).await.unwrap();
    let user = |name: &str| (name.to_owned(), UserId::new(server.user_id(name).unwrap()));
    assert_eq!(directory.users, [user("lead"), user("operator")].into());
    let cluster = ("cluster".to_owned(), ChannelId::new(server.channel_id("cluster").unwrap()));
    assert_eq!(directory.channels, [cluster].into());
    assert_eq!(world.chat.directory(&[], &[]).await.unwrap(), Default::default());
    world.faults().fail_calls(1, 503);
    assert_eq!(kind(&world.chat.directory(&users, &channels).await.unwrap_err()), "later None");
}

struct NoBlobs;

#[async_trait::async_trait]
impl Blobs for NoBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Err(StoreError::Index("there is none".into()))
    }

    async fn read(&self, _: &BlobId, _: u64, _: usize) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Index("there is none".into()))
    }
}

#[tokio::test]
async fn the_outbox_says_everything_once_whatever_the_server_does() {
    let world = World::start().await;
    let (sender, mut done) = mpsc::channel(16);
    let quick = OutboxOptions {
        per_second: 200.0,
        burst: 50,
        refresh_every: Duration::from_millis(50),
        soonest: Duration::from_millis(20),
        slowest: Duration::from_millis(200),
        ..OutboxOptions::default()
    };
    let outbox = Outbox::start(world.chat.clone(), Arc::new(NoBlobs), sender, quick);
    let channel = ChannelId::new(world.server.channel_id("cluster").unwrap());
    let post = |id: &str, root: Option<Thread>, files: Vec<Upload>| Delivery {
        id: DeliveryId::new(id),
        channel: channel.clone(),
        body: Body::Post { root, text: format!("this is {id}"), files },
    };
    let faults = world.faults();
    for (id, trouble) in [
        ("d1", PostFailure::ErrorBefore),
        ("d2", PostFailure::ErrorAfter),
        ("d3", PostFailure::DeadBefore),
        ("d4", PostFailure::DeadAfter),
    ] {
        faults.fail_posts(1, trouble);
        outbox.deliver(post(id, None, Vec::new()));
        let (delivery, outcome) = tokio::time::timeout(PATIENCE, done.recv()).await.unwrap().unwrap();
        assert_eq!(delivery.as_str(), id);
        let DeliveryOutcome::Sent { post } = outcome else { panic!("{outcome:?}") };
        let standing: Vec<String> = world
            .server
            .posts("cluster")
            .into_iter()
            .filter(|post| post.message.ends_with(id))
            .map(|post| post.id)
            .collect();
        assert_eq!(standing, [post.to_string()], "{trouble:?}");
    }
    // A storm of refusals in which nothing gets lost.
    faults.limit_rate(5, Duration::from_secs(0));
    faults.fail_calls(5, 502);
    let file = Upload { name: "out.txt".into(), parts: vec![UploadPart::Text { text: "all of it".into() }] };
    outbox.deliver(post("d5", None, vec![file]));
    outbox.deliver(post("d6", Some(Thread::Delivery { of: DeliveryId::new("d5") }), Vec::new()));
    let body = Body::Edit { of: DeliveryId::new("d5"), text: "d5 has ended".into() };
    for step in 0..20 {
        outbox.refresh(&channel, &DeliveryId::new("d5"), format!("step {step}"));
    }
    outbox.deliver(Delivery { id: DeliveryId::new("e5"), channel: channel.clone(), body });
    let mut posts = Vec::new();
    for id in ["d5", "d6", "e5"] {
        let (delivery, outcome) = tokio::time::timeout(PATIENCE, done.recv()).await.unwrap().unwrap();
        assert_eq!(delivery.as_str(), id);
        let DeliveryOutcome::Sent { post } = outcome else { panic!("{outcome:?}") };
        posts.push(post);
    }
    assert_eq!(posts[0], posts[2]);
    let stored = world.server.post(posts[0].as_str()).unwrap();
    assert_eq!(stored.message, "d5 has ended");
    assert_eq!(stored.revisions.len(), 1, "twenty refreshes before the end are none: {:?}", stored.revisions);
    assert_eq!(world.server.files(posts[0].as_str())[0].content, b"all of it");
    assert_eq!(world.server.replies(posts[0].as_str())[0].id, posts[1].as_str());
    assert_eq!(world.server.posts("cluster").len(), 6);

    // A post that is gone cannot be edited; its end is said anew. The sandbox forbids it as a real server does.
    world.server.delete_as("halcyon", posts[0].as_str()).unwrap();
    let body = Body::Edit { of: DeliveryId::new("d5"), text: "d5 has ended again".into() };
    outbox.deliver(Delivery { id: DeliveryId::new("e6"), channel: channel.clone(), body });
    let (_, outcome) = tokio::time::timeout(PATIENCE, done.recv()).await.unwrap().unwrap();
    let DeliveryOutcome::Sent { post } = outcome else { panic!("{outcome:?}") };
    assert_eq!(world.server.post(post.as_str()).unwrap().message, "d5 has ended again");
    outbox.stop();
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
                ChatEvent::Connection(Connection::Up { username, max_post, .. }) => format!("up {username} {max_post}"),
                ChatEvent::Connection(Connection::Down { why }) => why,
                ChatEvent::Post(post) => post.message,
                ChatEvent::UserChanged(user) => user.to_string(),
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
    assert!(kind(&moved) == "refused" && moved.to_string().contains("https://elsewhere.example/"), "{moved}");
}

#[test]
fn wrong_settings_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let base = || options("https://chat.example.org".into(), "token", Pace::default());
    let with_url = |url: &str| MattermostOptions { url: url.into(), ..base() };
    let with_token = |token: &str| MattermostOptions { token: Secret::new(token), ..base() };
    let with_ca = |path: PathBuf| MattermostOptions { ca_file: Some(path), ..base() };
    for (options, words) in [
        (with_url("chat.example.org"), "mattermost.url chat.example.org"),
        (with_url("ftp://chat.example.org"), "it must begin with http:// or https://"),
        (with_url("https://chat.example.org/?x=1"), "without ? or #"),
        (with_url("https://bot:hunter2@chat.example.org"), "it must not contain a name or password"),
        (with_token(""), "the Mattermost token is empty"),
        (with_token("two words"), "contains blanks"),
        (with_token("line\n"), "contains blanks"),
        (with_ca(folder.path().join("missing.pem")), "missing.pem: cannot be read"),
        (with_ca(empty), "empty.pem: holds no certificate"),
    ] {
        assert!(!format!("{options:?}").contains("token\""), "a token in the debug text");
        let problem = Mattermost::new(options).err().expect(words).to_string();
        assert!(problem.contains(words) && !problem.contains("hunter2"), "{problem}");
    }
    for good in ["https://chat.example.org", "https://chat.example.org/", "http://[::1]:8065/chat/"] {
        assert!(Mattermost::new(with_url(good)).is_ok(), "{good}");
    }
}
