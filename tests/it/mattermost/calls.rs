//! Calls: posts, people, names, failures, and the outbox on top of them.

use super::{PATIENCE, World, kind, new_post, options};
use halcyon::adapters::mattermost::{Mattermost, MattermostOptions, Pace};
use halcyon::core::action::run::Secret;
use halcyon::core::effect::{Body, Delivery, Thread, Upload, UploadPart};
use halcyon::core::id::{BlobId, ChannelId, DeliveryId, PostId, UserId};
use halcyon::core::input::{ChannelKind, DeliveryOutcome, Identity};
use halcyon::runtime::outbox::{Outbox, OutboxOptions};
use halcyon::runtime::ports::{BlobWriter, Blobs, Chat, ChatError, Joined, NewPost, StoreError};
use halcyon::sandbox::mattermost::{Detour, Draft, Options, PostFailure, Server};
use jiff::Timestamp;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How far back a post is looked for.
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn posts_are_made_found_edited_and_marked() {
    let world = World::start().await;
    let (chat, server) = (&world.chat, &world.server);
    let post = new_post(&world, "d1", "running");
    let id = chat.create(&post).await.unwrap();
    assert_eq!(chat.create(&post).await.unwrap(), id, "the server recognises the repeat");
    assert_eq!(chat.find(&post.channel, None, &post.key, WITHIN).await.unwrap().as_ref(), Some(&id));
    assert_eq!(chat.find(&post.channel, None, &DeliveryId::new("d2"), WITHIN).await.unwrap(), None);
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
    assert_eq!(chat.find(&post.channel, Some(&id), &reply.key, WITHIN).await.unwrap(), Some(reply_id.clone()));
    assert_eq!(chat.find(&post.channel, None, &reply.key, WITHIN).await.unwrap(), Some(reply_id));
    let gone = PostId::new("abcdefghijklmnopqrstuvwxyz");
    assert_eq!(chat.find(&post.channel, Some(&gone), &reply.key, WITHIN).await.unwrap(), None);

    // Somebody else's post with our key is not ours.
    let forged = Draft {
        user: "guest".into(),
        channel: "cluster".into(),
        message: "running".into(),
        props: json!({"halcyon_key": "d9"}).as_object().unwrap().clone(),
        ..Draft::default()
    };
    server.inject(forged).unwrap();
    assert_eq!(chat.find(&post.channel, None, &DeliveryId::new("d9"), WITHIN).await.unwrap(), None);

    let emoji =
        |post: &PostId| server.reactions(post.as_str()).into_iter().map(|one| one.emoji_name).collect::<Vec<_>>();
    chat.react(&id, "eyes", false).await.unwrap();
    chat.react(&id, "eyes", false).await.unwrap();
    chat.react(&id, "+1", false).await.unwrap();
    assert_eq!(emoji(&id), ["eyes", "+1"]);
    chat.react(&id, "eyes", true).await.unwrap();
    assert_eq!(emoji(&id), ["+1"]);
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
        let read = chat.reactions(&post.channel, &PostId::new("abcdefghijklmnopqrstuvwxyz")).await.unwrap_err();
        assert_eq!(kind(&read), expected, "a read with status {status}");
        assert!(read.to_string().contains("sandbox.ordered.app_error"), "{read}");
    }
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
async fn a_pause_that_one_call_is_asked_for_holds_all_calls() {
    let world = World::start().await;
    let somebody = UserId::new(world.server.user_id("guest").unwrap());
    let new = || Mattermost::new(options(world.server.url(), &world.token, Pace::default())).unwrap();
    let asked = || world.server.calls().values().sum::<u64>();
    for (seconds, reads, told) in [(7, true, 7), (7, false, 7), (1 << 40, true, 600), (1 << 40, false, 600)] {
        let (chat, post) = (new(), new_post(&world, &format!("d{seconds}{reads}"), "hello"));
        // There is a limit to obedience.
        world.faults().limit_rate(1, Duration::from_secs(seconds));
        let problem = match reads {
            true => chat.identify(&somebody, &[]).await.unwrap_err(),
            // The bot's own user is asked for first.
            false => chat.create(&post).await.unwrap_err(),
        };
        assert_eq!(kind(&problem), format!("later Some({told})"));
        let before = asked();
        for problem in [
            chat.identify(&somebody, &[]).await.unwrap_err(),
            chat.history(&joined(&world), Timestamp::UNIX_EPOCH, 1).await.unwrap_err(),
            chat.directory(&["lead".to_owned()], &[], &[], &[]).await.unwrap_err(),
            chat.reactions(&post.channel, &PostId::new("x")).await.unwrap_err(),
            chat.create(&post).await.unwrap_err(),
            chat.edit(&PostId::new("x"), "x").await.unwrap_err(),
        ] {
            let ChatError::Later { after: Some(after), .. } = problem else { panic!("{problem}") };
            assert!(after <= Duration::from_secs(told) && after + PATIENCE > Duration::from_secs(told), "{after:?}");
        }
        assert_eq!(asked(), before, "nobody asks meanwhile");
    }
    // When it is over, all goes on.
    let chat = new();
    world.faults().limit_rate(1, Duration::from_millis(1));
    let ChatError::Later { after: Some(after), .. } = chat.identify(&somebody, &[]).await.unwrap_err() else {
        panic!()
    };
    tokio::time::sleep(after).await;
    assert_eq!(chat.identify(&somebody, &[]).await.unwrap().username, "guest");
}

fn joined(world: &World) -> Joined {
    let channel = ChannelId::new(world.server.channel_id("cluster").unwrap());
    Joined { channel, kind: ChannelKind::Public, newest: Timestamp::UNIX_EPOCH }
}

/// A proxy that answers in the place of the server says nothing about what was asked for, and goes away again.
#[tokio::test]
async fn what_the_server_did_not_say_itself_is_trouble_that_passes() {
    let world = World::start().await;
    let (chat, faults) = (&world.chat, world.faults());
    let (post, somebody) = (new_post(&world, "d1", "hello"), UserId::new(world.server.user_id("guest").unwrap()));
    let id = chat.create(&post).await.unwrap();
    for (detour, named, expected) in [
        (Detour::Maintenance, "status 302 to /maintenance", "later None"),
        (Detour::Page(400), "status 400", "later None"),
        (Detour::Page(401), "status 401", "later None"),
        (Detour::Page(403), "status 403", "later None"),
        (Detour::Page(404), "status 404", "later None"),
        (Detour::Page(405), "status 405", "later None"),
        (Detour::Page(407), "status 407", "later None"),
        (Detour::Page(410), "status 410", "later None"),
        (Detour::Page(501), "status 501", "later None"),
        // What is too long for a proxy stays too long.
        (Detour::Page(413), "status 413", "refused"),
    ] {
        faults.detour(Some(detour));
        for (what, problem) in [
            ("make", chat.create(&NewPost { key: DeliveryId::new("d2"), ..post.clone() }).await.unwrap_err()),
            ("edit", chat.edit(&id, "x").await.unwrap_err()),
            ("store", chat.upload(&post.channel, "x", b"x".to_vec()).await.unwrap_err()),
            ("look up", chat.identify(&somebody, &[]).await.unwrap_err()),
            ("find", chat.find(&post.channel, Some(&id), &post.key, WITHIN).await.unwrap_err()),
            ("read", chat.reactions(&post.channel, &id).await.unwrap_err()),
            ("ask", chat.directory(&["lead".to_owned()], &[], &[], &[]).await.unwrap_err()),
        ] {
            let told = problem.to_string();
            assert_eq!(kind(&problem), expected, "{what} with {detour:?}: {told}");
            assert!(told.contains(named), "{what} with {detour:?}: {told}");
            assert_eq!(told.contains("is mattermost.url right"), expected != "refused", "{what}: {told}");
        }
        faults.detour(None);
    }
    // A path that leads nowhere is answered by the server itself, though without a number for the request.
    let dotted = ["no.name".to_owned()];
    assert_eq!(chat.directory(&[], &dotted, &[], &[]).await.unwrap(), Default::default());
}

/// A process that has just begun looks for what the last one made before its connection stands.
#[tokio::test]
async fn a_post_is_looked_for_by_the_clock_of_the_server() {
    let server = Server::start(Options { skew_ms: -86_400_000, ..Options::default() }).await.unwrap();
    let ahead = || Timestamp::from_second(4_000_000_000).unwrap();
    let new = || {
        let chat = options(server.url(), &server.bot_token(), Pace::default());
        Mattermost::new(MattermostOptions { now: ahead, ..chat }).unwrap()
    };
    let channel = ChannelId::new(server.channel_id("cluster").unwrap());
    let key = DeliveryId::new("d1");
    let post = NewPost {
        key: key.clone(),
        channel: channel.clone(),
        root: None,
        text: "done".into(),
        files: Vec::new(),
        attachments: Vec::new(),
        instance: None,
    };
    let made = new().create(&post).await.unwrap();
    assert_eq!(new().find(&channel, None, &key, WITHIN).await.unwrap(), Some(made));
}

#[tokio::test]
async fn people_are_known_by_id_and_membership() {
    let mut world = World::start().await;
    let server = &world.server;
    let user = |name: &str| UserId::new(server.user_id(name).unwrap());
    let (guest, cluster) = (user("guest"), ChannelId::new(server.channel_id("cluster").unwrap()));
    let leads = ChannelId::new(server.add_private_channel(&team_of(server), "leads"));
    server.join("lead", leads.as_str()).unwrap();
    server.set_timezone("guest", "Asia/Kathmandu", "").unwrap();
    server.set_timezone("lead", "Asia/Kathmandu", "America/New_York").unwrap();
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
        zone: "Asia/Kathmandu".into(),
        as_of: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    assert!(many.iter().all(|one| *one == expected), "{many:?}");
    // The bot itself was asked for at the start; the guest once for all ten, and once a channel.
    assert_eq!(server.calls_of("GET /api/v4/users/{user_id}"), 2);
    assert_eq!(server.calls_of("GET /api/v4/channels/{channel_id}/members/{user_id}"), 3);

    assert_eq!(world.chat.identify(&user("lead"), &[]).await.unwrap().zone, "America/New_York", "the chosen one");
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
    let directory = world.chat.directory(&users, &channels, &[], &[]).await.unwrap();
    let user = |name: &str| (name.to_owned(), UserId::new(server.user_id(name).unwrap()));
    assert_eq!(directory.users, [user("lead"), user("operator")].into());
    let cluster = ("cluster".to_owned(), ChannelId::new(server.channel_id("cluster").unwrap()));
    assert_eq!(directory.channels, [cluster].into());
    assert_eq!(world.chat.directory(&[], &[], &[], &[]).await.unwrap(), Default::default());
    world.faults().fail_calls(1, 503);
    assert_eq!(kind(&world.chat.directory(&users, &channels, &[], &[]).await.unwrap_err()), "later None");
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
    let body = Body::Edit { of: DeliveryId::new("d5"), text: "d5 has ended".into(), attachments: None };
    for step in 0..20 {
        outbox.refresh(&channel, &DeliveryId::new("d5"), format!("step {step}"), None);
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
    assert!(stored.revisions.len() <= 1, "twenty refreshes before the end are none: {:?}", stored.revisions);
    assert_eq!(world.server.files(posts[0].as_str())[0].content, b"all of it");
    assert_eq!(world.server.replies(posts[0].as_str())[0].id, posts[1].as_str());
    assert_eq!(world.server.posts("cluster").len(), 6);

    // A post that is gone cannot be edited; its end is said anew. The sandbox forbids it as a real server does.
    world.server.delete_as("halcyon", posts[0].as_str()).unwrap();
    let body = Body::Edit { of: DeliveryId::new("d5"), text: "d5 has ended again".into(), attachments: None };
    outbox.deliver(Delivery { id: DeliveryId::new("e6"), channel: channel.clone(), body });
    let (_, outcome) = tokio::time::timeout(PATIENCE, done.recv()).await.unwrap().unwrap();
    let DeliveryOutcome::Sent { post } = outcome else { panic!("{outcome:?}") };
    assert_eq!(world.server.post(post.as_str()).unwrap().message, "d5 has ended again");
    outbox.stop();
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
