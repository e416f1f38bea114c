//! The outbox against a chat server of a few lines that misbehaves by script. Time is Tokio's and stands still while nothing waits for it.

use async_trait::async_trait;
use halcyon::core::callback::Dialog;
use halcyon::core::effect::{Body, Delivery, Thread, Upload, UploadPart};
use halcyon::core::id::{BlobId, ChannelId, DeliveryId, PostId, UserId};
use halcyon::core::input::{DeliveryOutcome, Directory, HeardReaction, Identity};
use halcyon::core::message::attachment::Attachment;
use halcyon::core::message::span::size;
use halcyon::runtime::outbox::{Outbox, OutboxHandle, OutboxOptions};
use halcyon::runtime::ports::{BlobWriter, Blobs, Chat, ChatError, ChatEvent, History, Joined, NewPost, StoreError};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// What the next call does instead of working.
#[derive(Clone)]
enum Mood {
    Works,
    Later(Option<u64>),
    /// It does what was asked and then fails to say so.
    DiesAfterCommit,
    Refuses(&'static str),
    DoesNotKnow,
    RejectsToken,
    Takes(u64),
}

#[derive(Clone)]
struct Standing {
    id: String,
    channel: String,
    root: Option<String>,
    key: String,
    text: String,
    files: Vec<String>,
    attachments: Vec<Attachment>,
}

#[derive(Default)]
struct Server {
    moods: BTreeMap<&'static str, VecDeque<Mood>>,
    posts: Vec<Standing>,
    uploads: Vec<(String, Vec<u8>)>,
    calls: Vec<(Duration, String)>,
    max_post: Option<usize>,
}

struct Scripted {
    server: Mutex<Server>,
    born: Instant,
}

impl Scripted {
    async fn call<T>(
        &self,
        what: &'static str,
        line: String,
        act: impl FnOnce(&mut Server) -> Result<T, ChatError>,
    ) -> Result<T, ChatError> {
        let mood = {
            let mut server = self.server.lock().unwrap();
            server.calls.push((self.born.elapsed(), format!("{what} {line}")));
            server.moods.get_mut(what).and_then(VecDeque::pop_front).unwrap_or(Mood::Works)
        };
        let later = |after: Option<u64>| ChatError::Later { after: after.map(Duration::from_secs), why: "busy".into() };
        if let Mood::Takes(seconds) = mood {
            sleep(Duration::from_secs(seconds)).await;
        }
        let mut server = self.server.lock().unwrap();
        match mood {
            Mood::Works | Mood::Takes(_) => act(&mut server),
            Mood::Later(after) => Err(later(after)),
            Mood::DiesAfterCommit => act(&mut server).and_then(|_| Err(later(None))),
            Mood::Refuses(why) => Err(ChatError::Refused { why: why.into() }),
            Mood::DoesNotKnow => Err(ChatError::Unknown { why: "status 404".into() }),
            Mood::RejectsToken => Err(ChatError::Token { why: "status 401".into() }),
        }
    }
}

#[async_trait]
impl Chat for Scripted {
    async fn listen(&self, _: mpsc::Sender<ChatEvent>, stop: CancellationToken) {
        stop.cancelled().await;
    }

    async fn create(&self, post: &NewPost) -> Result<PostId, ChatError> {
        let line = format!("{} {}", post.channel, post.key);
        self.call("create", line, |server| {
            if server.max_post.is_some_and(|max| post.text.chars().count() > max) {
                return Err(ChatError::Refused {
                    why: "status 400, model.post.is_valid.msg.app_error: too long".into(),
                });
            }
            let id = format!("p{}", server.posts.len() + 1);
            server.posts.push(Standing {
                id: id.clone(),
                channel: post.channel.to_string(),
                root: post.root.as_ref().map(ToString::to_string),
                key: post.key.to_string(),
                text: post.text.clone(),
                files: post.files.clone(),
                attachments: post.attachments.clone(),
            });
            Ok(PostId::new(id))
        })
        .await
    }

    async fn find(
        &self,
        channel: &ChannelId,
        root: Option<&PostId>,
        key: &DeliveryId,
        _: Duration,
    ) -> Result<Option<PostId>, ChatError> {
        self.call("find", key.to_string(), |server| {
            let here = |post: &&Standing| {
                post.channel == channel.as_str()
                    && post.key == key.as_str()
                    && root.is_none_or(|root| post.root.as_deref() == Some(root.as_str()))
            };
            Ok(server.posts.iter().find(here).map(|post| PostId::new(post.id.clone())))
        })
        .await
    }

    fn clock(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    async fn channels(&self) -> Result<Vec<Joined>, ChatError> {
        Ok(Vec::new())
    }

    async fn history(&self, _: &Joined, _: Timestamp, _: usize) -> Result<History, ChatError> {
        Ok(History { posts: Vec::new(), complete: true })
    }

    async fn redraw(&self, post: &PostId, with: &NewPost) -> Result<(), ChatError> {
        self.edit(post, &with.text).await?;
        self.call("redraw", format!("{post} {}", with.key), |server| {
            let post = server.posts.iter_mut().find(|standing| standing.id == post.as_str()).unwrap();
            post.attachments = with.attachments.clone();
            Ok(())
        })
        .await
    }

    async fn open_dialog(&self, _: &str, _: &Dialog) -> Result<(), ChatError> {
        Err(ChatError::Refused { why: "no dialogs here".into() })
    }

    async fn reactions(&self, _: &ChannelId, _: &PostId) -> Result<Vec<HeardReaction>, ChatError> {
        Ok(Vec::new())
    }

    async fn edit(&self, post: &PostId, text: &str) -> Result<(), ChatError> {
        self.call("edit", format!("{post} {}", text.chars().take(20).collect::<String>()), |server| {
            if server.max_post.is_some_and(|max| text.chars().count() > max) {
                return Err(ChatError::Refused { why: "api.post.message_length.app_error".into() });
            }
            let unknown = || ChatError::Unknown { why: "status 404".into() };
            let post = server.posts.iter_mut().find(|standing| standing.id == post.as_str()).ok_or_else(unknown)?;
            post.text = text.to_owned();
            Ok(())
        })
        .await
    }

    async fn react(&self, post: &PostId, emoji: &str, remove: bool) -> Result<(), ChatError> {
        let sign = if remove { '-' } else { '+' };
        self.call("react", format!("{post} {sign}{emoji}"), |_| Ok(())).await
    }

    async fn upload(&self, _: &ChannelId, name: &str, content: Vec<u8>) -> Result<String, ChatError> {
        self.call("upload", name.to_owned(), |server| {
            server.uploads.push((name.to_owned(), content));
            Ok(format!("f{}", server.uploads.len()))
        })
        .await
    }

    async fn identify(&self, _: &UserId, _: &[ChannelId]) -> Result<Identity, ChatError> {
        Err(ChatError::Unknown { why: "nobody is known here".into() })
    }

    fn forget(&self, _: &UserId) {}

    async fn directory(&self, _: &[String], _: &[String], _: &[String], _: &[String]) -> Result<Directory, ChatError> {
        Ok(Directory::default())
    }
}

struct Stored(BTreeMap<&'static str, Vec<u8>>);

#[async_trait]
impl Blobs for Stored {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Err(StoreError::Index("read-only".into()))
    }

    async fn read(&self, blob: &BlobId, offset: u64, limit: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.0.get(blob.as_str()).ok_or_else(|| StoreError::Index("no such piece".into()))?;
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        Ok(bytes[from..bytes.len().min(from + limit)].to_vec())
    }
}

struct World {
    chat: Arc<Scripted>,
    outbox: OutboxHandle,
    done: mpsc::Receiver<(DeliveryId, DeliveryOutcome)>,
}

impl World {
    fn new(moods: impl IntoIterator<Item = (&'static str, Vec<Mood>)>) -> Self {
        Self::with(moods, OutboxOptions::default())
    }

    fn with(moods: impl IntoIterator<Item = (&'static str, Vec<Mood>)>, options: OutboxOptions) -> Self {
        let moods = moods.into_iter().map(|(call, moods)| (call, moods.into())).collect();
        let server = Mutex::new(Server { moods, ..Server::default() });
        let chat = Arc::new(Scripted { server, born: Instant::now() });
        let blobs = Stored(BTreeMap::from([("small", b"output\n".to_vec()), ("large", vec![b'x'; 3 << 20])]));
        let (sender, done) = mpsc::channel(4);
        let outbox = Outbox::start(chat.clone(), Arc::new(blobs), sender, options);
        Self { chat, outbox, done }
    }

    /// The next outcomes, as `id=post` or `id!why`.
    async fn outcomes(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_secs(7200), self.done.recv()).await;
            lines.push(match next.expect("an outcome within two hours").expect("the outbox lives") {
                (id, DeliveryOutcome::Sent { post }) => format!("{id}={post}"),
                (id, DeliveryOutcome::Refused { why }) => format!("{id}!{why}"),
            });
        }
        lines
    }

    fn calls(&self) -> Vec<String> {
        self.chat.server.lock().unwrap().calls.iter().map(|(_, line)| line.clone()).collect()
    }

    fn times(&self, what: &str) -> Vec<Duration> {
        let server = self.chat.server.lock().unwrap();
        server.calls.iter().filter(|(_, line)| line.starts_with(what)).map(|(at, _)| *at).collect()
    }

    fn posts(&self) -> Vec<Standing> {
        self.chat.server.lock().unwrap().posts.clone()
    }
}

fn post(id: &str, channel: &str, text: &str) -> Delivery {
    full(id, channel, text, None, Vec::new())
}

fn reply(id: &str, channel: &str, to: &str, text: &str) -> Delivery {
    full(id, channel, text, Some(Thread::Delivery { of: DeliveryId::new(to) }), Vec::new())
}

fn full(id: &str, channel: &str, text: &str, root: Option<Thread>, files: Vec<Upload>) -> Delivery {
    let body = Body::Post { root, text: text.into(), files };
    Delivery { id: DeliveryId::new(id), channel: ChannelId::new(channel), body }
}

fn edit(id: &str, channel: &str, of: &str, text: &str) -> Delivery {
    let body = Body::Edit { of: DeliveryId::new(of), text: text.into(), attachments: None };
    Delivery { id: DeliveryId::new(id), channel: ChannelId::new(channel), body }
}

fn upload(name: &str, blob: &str) -> Upload {
    let parts = vec![
        UploadPart::Text { text: "wn001\n".into() },
        UploadPart::Blob { blob: BlobId::new(blob) },
        UploadPart::Text { text: "the end".into() },
    ];
    Upload { name: name.into(), parts }
}

/// One delivery under these moods: its outcome, the calls that were made, and how many posts stand.
async fn check(
    moods: Vec<(&'static str, Vec<Mood>)>,
    delivery: Delivery,
    outcome: &str,
    calls: &[&str],
    standing: usize,
) {
    let mut world = World::new(moods);
    world.outbox.deliver(delivery);
    assert_eq!(world.outcomes(1).await, [outcome]);
    assert_eq!(world.calls(), calls);
    assert_eq!(world.posts().len(), standing);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_made_once_whatever_happens() {
    use Mood::{DiesAfterCommit, DoesNotKnow, Later, Refuses, RejectsToken, Takes};
    let d1 = || post("d1", "c1", "hello");
    check(vec![], d1(), "d1=p1", &["create c1 d1"], 1).await;
    check(vec![("create", vec![Takes(60)])], d1(), "d1=p1", &["create c1 d1"], 1).await;
    let made_and_died = vec![("create", vec![DiesAfterCommit])];
    check(made_and_died, d1(), "d1=p1", &["create c1 d1", "find d1"], 1).await;
    let blind = vec![("create", vec![DiesAfterCommit]), ("find", vec![Later(None), Later(Some(3)), RejectsToken])];
    check(blind, d1(), "d1=p1", &["create c1 d1", "find d1", "find d1", "find d1", "find d1"], 1).await;
    let busy = vec![("create", vec![Later(None), Later(Some(9))])];
    let calls = ["create c1 d1", "find d1", "create c1 d1", "find d1", "create c1 d1"];
    check(busy, d1(), "d1=p1", &calls, 1).await;
    let token = vec![("create", vec![RejectsToken, RejectsToken])];
    check(token, d1(), "d1=p1", &["create c1 d1", "create c1 d1", "create c1 d1"], 1).await;
    let refused = vec![("create", vec![Refuses("status 403, no permission")])];
    check(refused, d1(), "d1!status 403, no permission", &["create c1 d1"], 0).await;
    check(vec![("create", vec![DoesNotKnow])], d1(), "d1!status 404", &["create c1 d1"], 0).await;
    let hidden = vec![("create", vec![DiesAfterCommit]), ("find", vec![Refuses("status 403")])];
    let why = "d1!the chat server refuses: status 403";
    check(hidden, d1(), why, &["create c1 d1", "find d1"], 1).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_is_waited_out_for_hours() {
    let mut world = World::new([("create", vec![Mood::Later(None); 100])]);
    world.outbox.deliver(post("d1", "c1", "hello"));
    assert_eq!(world.outcomes(1).await, ["d1=p1"]);
    assert!(world.chat.born.elapsed() > Duration::from_secs(1000), "the waits must grow");
    assert_eq!(world.outbox.status().trouble, None);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_intended_is_looked_for_first() {
    let mut world = World::new([]);
    world.outbox.deliver(post("d1", "c1", "made, not noted"));
    world.outcomes(1).await;
    let later = Outbox::start(
        world.chat.clone(),
        Arc::new(Stored(BTreeMap::new())),
        {
            let (sender, done) = mpsc::channel(4);
            world.done = done;
            sender
        },
        OutboxOptions::default(),
    );
    let intended =
        vec![post("d1", "c1", "made, not noted"), reply("d2", "c1", "d1", "not made"), edit("d3", "c1", "d0", "end")];
    world.chat.server.lock().unwrap().posts.push(Standing {
        id: "p9".into(),
        channel: "c1".into(),
        root: None,
        key: "d0".into(),
        text: "running".into(),
        files: Vec::new(),
        attachments: Vec::new(),
    });
    let intended = intended.into_iter().map(|delivery| (delivery, Duration::ZERO)).collect();
    later.restore(intended, [(DeliveryId::new("d0"), PostId::new("p9"))]);
    assert_eq!(world.outcomes(3).await, ["d1=p1", "d2=p3", "d3=p9"]);
    assert_eq!(world.calls()[1..], ["find d1", "find d2", "create c1 d2", "edit p9 end"]);
    assert_eq!(world.posts()[2].root.as_deref(), Some("p1"));
    assert_eq!(world.posts()[1].text, "end");
}

#[tokio::test(start_paused = true)]
async fn a_channel_keeps_its_order_and_waits_for_no_other() {
    let mut world = World::new([("create", vec![Mood::Later(Some(0)), Mood::Works, Mood::Later(None)])]);
    for delivery in [
        post("a1", "c1", "one"),
        reply("a2", "c1", "a1", "two"),
        edit("a3", "c1", "a1", "one, ended"),
        post("b1", "c2", "elsewhere"),
        post("a1", "c1", "one"),
    ] {
        world.outbox.deliver(delivery);
    }
    assert_eq!(world.outbox.status().queued, 4, "a delivery that is on its way is not taken twice");
    let mut outcomes = world.outcomes(4).await;
    assert_eq!(outcomes.remove(0), "b1=p1");
    assert_eq!(outcomes, ["a1=p2", "a2=p3", "a3=p2"]);
    assert_eq!(world.posts()[2].root.as_deref(), Some("p2"));
    assert_eq!(world.posts()[1].text, "one, ended");
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_came_before_its_post_does_not_block_the_channel() {
    let mut world = World::new([("create", vec![Mood::Takes(5)])]);
    let intended = [edit("e1", "c1", "d1", "end"), post("d1", "c1", "start")];
    world.outbox.restore(intended.map(|delivery| (delivery, Duration::ZERO)).into(), []);
    assert_eq!(world.outcomes(2).await, ["d1=p1", "e1=p1"]);
    assert_eq!(world.posts()[0].text, "end");
}

#[tokio::test(start_paused = true)]
async fn a_post_that_waited_is_made_with_its_newest_text() {
    let mut world = World::new([("create", vec![Mood::Takes(5)])]);
    let channel = ChannelId::new("c1");
    world.outbox.deliver(post("d1", "c1", "first"));
    // While the first is being made, the others wait, and what they say grows old.
    tokio::task::yield_now().await;
    for id in ["d2", "d3"] {
        world.outbox.deliver(post(id, "c1", "running"));
        world.outbox.refresh(&channel, &DeliveryId::new(id), format!("{id} goes on"), None);
    }
    world.outbox.deliver(edit("e3", "c1", "d3", "d3 ended"));
    assert_eq!(world.outcomes(4).await, ["d1=p1", "d2=p2", "d3=p3", "e3=p3"]);
    let texts: Vec<String> = world.posts().into_iter().map(|post| post.text).collect();
    assert_eq!(texts, ["first", "d2 goes on", "d3 ended"]);
    let calls = world.chat.server.lock().unwrap().calls.iter().filter(|(_, call)| call.starts_with("edit ")).count();
    assert_eq!(calls, 0);
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_cannot_be_made_is_said_as_a_post() {
    use Mood::{DoesNotKnow, Refuses};
    let limit = "status 400, api.post.update_post.permissions_time_limit.app_error";
    for (moods, root) in [(vec![Refuses(limit)], Some("p1")), (vec![DoesNotKnow], None)] {
        let mut world = World::new([("edit", moods)]);
        world.outbox.deliver(post("d1", "c1", "running"));
        assert_eq!(world.outcomes(1).await, ["d1=p1"]);
        world.outbox.deliver(edit("e1", "c1", "d1", "ended"));
        assert_eq!(world.outcomes(1).await, ["e1=p2"]);
        assert_eq!(world.posts()[1].text, "ended");
        assert_eq!(world.posts()[1].root.as_deref(), root);
    }
    // Neither does its post stand, nor does anybody know of it.
    let mut world = World::new([("create", vec![Refuses("no")])]);
    world.outbox.deliver(post("d1", "c1", "running"));
    world.outbox.deliver(edit("e1", "c1", "d1", "ended"));
    world.outbox.deliver(edit("e2", "c1", "unheard-of", "ended too"));
    assert_eq!(world.outcomes(3).await, ["d1!no", "e1=p1", "e2=p2"]);
    assert_eq!(world.posts()[1].text, "ended too");
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_rare_and_show_the_newest() {
    let mut world = World::new([]);
    let (channel, of) = (ChannelId::new("c1"), DeliveryId::new("d1"));
    world.outbox.refresh(&channel, &of, "of a post that nobody promised".into(), None);
    world.outbox.deliver(post("d1", "c1", "0"));
    for step in 1..=40 {
        world.outbox.refresh(&channel, &of, step.to_string(), None);
        sleep(Duration::from_millis(100)).await;
    }
    world.outcomes(1).await;
    sleep(Duration::from_secs(10)).await;
    let edits = world.times("edit");
    assert_eq!(edits.len(), 4, "one a second for four seconds, in {:?}", world.calls());
    assert!(edits.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{edits:?}");
    assert_eq!(world.posts()[0].text, "40");
}

#[tokio::test(start_paused = true)]
async fn however_many_posts_wait_for_a_refresh_each_comes_to_show_its_newest() {
    let mut world = World::new([]);
    let (channel, count) = (ChannelId::new("c1"), 600);
    for number in 0..count {
        world.outbox.deliver(post(&format!("d{number}"), "c1", "0"));
    }
    world.outcomes(count).await;
    for step in 1..=2 {
        for number in 0..count {
            world.outbox.refresh(&channel, &DeliveryId::new(format!("d{number}")), step.to_string(), None);
        }
    }
    sleep(Duration::from_secs(300)).await;
    let behind = world.posts().iter().filter(|post| post.text != "2").count();
    assert_eq!(behind, 0, "posts that do not show their newest");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_never_comes_after_the_final_text() {
    // The refresh is on its way, slowly, when the end is promised; another is waiting.
    let mut world = World::new([("edit", vec![Mood::Takes(3), Mood::Later(None), Mood::Works])]);
    let (channel, of) = (ChannelId::new("c1"), DeliveryId::new("d1"));
    world.outbox.deliver(post("d1", "c1", "start"));
    world.outcomes(1).await;
    world.outbox.refresh(&channel, &of, "half".into(), None);
    sleep(Duration::from_secs(2)).await;
    world.outbox.refresh(&channel, &of, "nearly".into(), None);
    world.outbox.deliver(edit("e1", "c1", "d1", "ended"));
    world.outbox.refresh(&channel, &of, "too late".into(), None);
    assert_eq!(world.outcomes(1).await, ["e1=p1"]);
    sleep(Duration::from_secs(20)).await;
    let edits: Vec<String> = world.calls().into_iter().filter(|call| call.starts_with("edit")).collect();
    assert_eq!(edits, ["edit p1 half", "edit p1 ended", "edit p1 ended"]);
    assert_eq!(world.posts()[0].text, "ended");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_failed_is_tried_again_with_the_newest_text() {
    let mut world = World::new([("edit", vec![Mood::Later(Some(30)), Mood::Refuses("no"), Mood::Works])]);
    let (channel, of) = (ChannelId::new("c1"), DeliveryId::new("d1"));
    world.outbox.deliver(post("d1", "c1", "start"));
    world.outcomes(1).await;
    world.outbox.refresh(&channel, &of, "one".into(), None);
    sleep(Duration::from_secs(5)).await;
    world.outbox.refresh(&channel, &of, "two".into(), None);
    sleep(Duration::from_secs(60)).await;
    world.outbox.refresh(&channel, &of, "three".into(), None);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.calls()[1..], ["edit p1 one", "edit p1 two", "edit p1 three"]);
    assert!(world.times("edit p1 two")[0] >= Duration::from_secs(30), "the server asked for thirty seconds");
}

#[tokio::test(start_paused = true)]
async fn refreshes_give_a_server_in_trouble_time() {
    let mut world = World::new([("edit", vec![Mood::Later(None); 6])]);
    let (channel, of) = (ChannelId::new("c1"), DeliveryId::new("d1"));
    world.outbox.deliver(post("d1", "c1", "start"));
    world.outcomes(1).await;
    for step in 0..100 {
        world.outbox.refresh(&channel, &of, step.to_string(), None);
        sleep(Duration::from_secs(1)).await;
    }
    let edits = world.times("edit");
    let waits: Vec<u64> = edits.windows(2).take(6).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30]);
    assert_eq!(world.posts()[0].text, "99");
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_shared_fairly() {
    let options = OutboxOptions { per_second: 5.0, burst: 2, ..OutboxOptions::default() };
    let mut world = World::with([], options);
    for number in 0..40 {
        world.outbox.deliver(post(&format!("a{number:02}"), "c1", "many"));
    }
    world.outbox.deliver(post("b", "c2", "one"));
    world.outcomes(41).await;
    let quiet = world.times("create c2 b")[0];
    assert!(quiet < Duration::from_secs(1), "the quiet channel waited {quiet:?}");
    let all = world.times("create");
    let took = all[40];
    assert!((Duration::from_millis(7700)..Duration::from_secs(9)).contains(&took), "41 calls took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn all_pause_when_the_server_asks_for_it() {
    let mut world = World::new([("create", vec![Mood::Later(Some(20))])]);
    world.outbox.deliver(post("a", "c1", "hello"));
    sleep(Duration::from_secs(1)).await;
    assert!(world.outbox.status().trouble.unwrap().contains("busy"));
    world.outbox.deliver(post("b", "c2", "hello"));
    world.outbox.react(&ChannelId::new("c2"), PostId::new("p0"), "eyes", false);
    world.outcomes(2).await;
    let late: Vec<Duration> = world.times("").into_iter().skip(1).collect();
    assert_eq!(late.len(), 4);
    assert!(late.iter().all(|at| *at >= Duration::from_secs(20)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn reactions_do_not_wait_for_posts_and_are_given_up() {
    let mut world = World::new([
        ("create", vec![Mood::Later(None); 10]),
        (
            "react",
            vec![
                Mood::Later(None),
                Mood::Works,
                Mood::Refuses("no"),
                Mood::Later(None),
                Mood::Later(None),
                Mood::Later(None),
                Mood::Later(None),
            ],
        ),
    ]);
    let channel = ChannelId::new("c1");
    world.outbox.deliver(post("d1", "c1", "hello"));
    for (emoji, remove) in [("eyes", false), ("x", false), ("eyes", true), ("tada", false)] {
        world.outbox.react(&channel, PostId::new("p0"), emoji, remove);
    }
    world.outcomes(1).await;
    let reactions: Vec<String> = world.calls().into_iter().filter(|call| call.starts_with("react")).collect();
    let again = "react p0 -eyes";
    assert_eq!(
        reactions,
        ["react p0 +eyes", "react p0 +eyes", "react p0 +x", again, again, again, again, "react p0 +tada"]
    );
    assert!(world.times("react p0 +eyes")[0] < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn files_go_with_their_post() {
    let mut world = World::new([("create", vec![Mood::Later(None), Mood::Works]), ("upload", vec![Mood::Later(None)])]);
    let files = vec![upload("out.txt", "small"), upload("big.txt", "large")];
    let options = OutboxOptions { file_limit: 1000, ..OutboxOptions::default() };
    world.outbox.deliver(full("d1", "c1", "see below", None, files.clone()));
    assert_eq!(world.outcomes(1).await, ["d1=p1"]);
    assert_eq!(world.posts()[0].files, ["f1", "f2"]);
    assert_eq!(world.posts()[0].text, "see below");
    let calls = ["upload out.txt", "upload out.txt", "upload big.txt", "create c1 d1", "find d1", "create c1 d1"];
    assert_eq!(world.calls(), calls, "what is stored is not stored again");
    assert_eq!(world.chat.server.lock().unwrap().uploads[0].1, b"wn001\noutput\nthe end");

    let mut world = World::with([], options);
    world.outbox.deliver(full("d1", "c1", "see below", None, files));
    world.outcomes(1).await;
    let server = world.chat.server.lock().unwrap();
    let big = String::from_utf8(server.uploads[1].1.clone()).unwrap();
    let left_out = (3 << 20) + 6 + 7 - 1000;
    assert!(big.starts_with("wn001\nxxx") && big.ends_with("xxxthe end"), "{big}");
    let said = format!("[... {} left out here: a file that I attach has at most 1000 bytes", size(left_out));
    assert!(big.contains(&said), "{big}");
    assert!(big.len() < 1200);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_go_is_named_in_the_post() {
    use Mood::{Later, Refuses, Works};
    let stuck = vec![Later(None); 30];
    for (moods, blob, why) in [
        (vec![("upload", vec![Refuses("status 413")])], "small", "the chat server refused it"),
        (vec![("upload", stuck)], "small", "the chat server did not take it in time"),
        (vec![], "lost", "it could not be read from my store"),
        (vec![("create", vec![Refuses("model.post.is_valid.file_ids"), Works])], "small", "the chat server refused it"),
    ] {
        let mut world = World::new(moods);
        world.outbox.deliver(full("d1", "c1", "see below", None, vec![upload("o`ut.txt", blob)]));
        assert_eq!(world.outcomes(1).await, ["d1=p1"]);
        assert_eq!(world.posts()[0].text, format!("see below\n\n_The file_ `o'ut.txt` _is not attached: {why}._"));
        assert!(world.posts()[0].files.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_into_a_thread_that_is_gone_is_said_in_the_channel() {
    let gone = Mood::Refuses("status 400, api.post.create_post.root_id.app_error: Invalid RootId");
    let mut world = World::new([("create", vec![gone])]);
    let root = Some(Thread::Post { post: PostId::new("deleted") });
    world.outbox.deliver(full("d1", "c1", "ended", root, Vec::new()));
    assert_eq!(world.outcomes(1).await, ["d1=p1"]);
    assert_eq!(world.posts()[0].root, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_is_cut_with_a_remark_and_attached_whole() {
    let long = format!("head\n```\n{}```\n", "line of output\n".repeat(2000));
    // The limit is known, or only the server knows it.
    for (told, max) in [(Some(4000), 4000), (None, 16_383), (None, 4000), (None, 1000)] {
        let mut world = World::new([]);
        world.chat.server.lock().unwrap().max_post = Some(max);
        if let Some(told) = told {
            world.outbox.set_max_post(told);
        }
        world.outbox.deliver(post("d1", "c1", &long));
        assert_eq!(world.outcomes(1).await, ["d1=p1"]);
        world.outbox.deliver(edit("e1", "c1", "d1", &long));
        world.outbox.deliver(post("d2", "c1", "short"));
        assert_eq!(world.outcomes(2).await, ["e1=p1", "d2=p3"]);
        world.outbox.refresh(&ChannelId::new("c1"), &DeliveryId::new("d2"), long.clone(), None);
        let posts = world.posts();
        let whole = |name: &str| {
            let server = world.chat.server.lock().unwrap();
            let (name_there, content) = server.uploads[name[1..].parse::<usize>().unwrap() - 1].clone();
            (name_there, String::from_utf8(content).unwrap())
        };
        assert_eq!(whole(&posts[0].files[0]), ("message.txt".to_owned(), long.clone()));
        assert!(
            posts[0].text.ends_with("line of output\n```\n\n_Cut here: the whole text is in the thread, as a file._"),
            "{}",
            posts[0].text
        );
        assert_eq!((posts[1].key.as_str(), posts[1].root.as_deref()), ("e1.rest", Some("p1")));
        assert_eq!(whole(&posts[1].files[0]), ("message.txt".to_owned(), long.clone()));
        assert!(posts[0].text.chars().count() > max / 3, "much is kept");
    }
    // The attachment fails too.
    let mut world = World::new([("upload", vec![Mood::Refuses("status 501")])]);
    world.outbox.deliver(post("d1", "c1", &long));
    world.outcomes(1).await;
    assert!(world.posts()[0].text.ends_with("and the rest could not be attached._"), "{}", world.posts()[0].text);
}

#[tokio::test(start_paused = true)]
async fn it_drains_and_stops() {
    let mut world = World::new([("create", vec![Mood::Takes(5), Mood::Takes(500)])]);
    assert!(world.outbox.drain(Duration::ZERO).await, "nothing is promised");
    world.outbox.deliver(post("d1", "c1", "hello"));
    assert!(!world.outbox.drain(Duration::from_secs(2)).await);
    assert_eq!(world.outbox.status().oldest, Some(Duration::from_secs(2)));
    assert!(world.outbox.drain(Duration::from_secs(60)).await);
    world.outcomes(1).await;
    world.outbox.deliver(post("d2", "c1", "hello"));
    sleep(Duration::from_secs(1)).await;
    world.outbox.stop();
    sleep(Duration::from_secs(1000)).await;
    assert_eq!(world.posts().len(), 1);
}
