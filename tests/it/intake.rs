//! What the chat server tells, on its way to the core, against a chat server of a few lines that does what a script says.

use crate::bot::settings;
use async_trait::async_trait;
use halcyon::core::access::approvers::Approvers;
use halcyon::core::callback::Dialog;
use halcyon::core::id::{ChannelId, DeliveryId, PostId, UserId};
use halcyon::core::input::{ChannelKind, Connection, Directory, HeardPost, HeardReaction, Identity, Input, PostMarks};
use halcyon::runtime::catch_up::CatchUpOptions;
use halcyon::runtime::dispatch::Callers;
use halcyon::runtime::intake::{Beginning, Callbacks, Named, listen};
use halcyon::runtime::ports::{Chat, ChatError, ChatEvent, History, Joined, NewPost};
use halcyon::runtime::reactions::ReactionReader;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "c1";
const START: Timestamp = Timestamp::constant(1_700_000_000, 0);

struct Scripted {
    clock: Mutex<Timestamp>,
    /// Where what it tells by itself goes, once somebody listens.
    events: Mutex<Option<mpsc::Sender<ChatEvent>>>,
    written: Mutex<Vec<HeardPost>>,
    /// Hears of every reading of what was missed that begins.
    readings: mpsc::UnboundedSender<()>,
    /// How many of them may end.
    may_end: Semaphore,
    /// Whether it lets those wait who ask who somebody is.
    hangs: watch::Sender<bool>,
    /// Until then it answers nothing.
    away_until: Option<Instant>,
    /// When the emojis on posts were asked for, and how many such calls are under way, at most.
    asked: Mutex<Vec<Instant>>,
    under_way: Arc<()>,
    at_once: Mutex<usize>,
}

impl Scripted {
    fn new(away_until: Option<Instant>) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (readings, begun) = mpsc::unbounded_channel();
        let scripted = Self {
            clock: Mutex::new(START),
            events: Mutex::default(),
            written: Mutex::default(),
            readings,
            may_end: Semaphore::new(0),
            hangs: watch::Sender::new(false),
            away_until,
            asked: Mutex::default(),
            under_way: Arc::default(),
            at_once: Mutex::default(),
        };
        (Arc::new(scripted), begun)
    }

    fn tick(&self) -> Timestamp {
        let mut clock = self.clock.lock().unwrap();
        *clock = clock.checked_add(SignedDuration::from_secs(1)).unwrap();
        *clock
    }
}

fn refused<T>() -> Result<T, ChatError> {
    Err(ChatError::Refused { why: "not here".into() })
}

fn identity(user: &UserId) -> Identity {
    Identity {
        id: user.clone(),
        username: user.to_string(),
        is_bot: false,
        active: true,
        member_of: BTreeSet::new(),
        zone: String::new(),
        as_of: START,
    }
}

#[async_trait]
impl Chat for Scripted {
    async fn listen(&self, events: mpsc::Sender<ChatEvent>, stop: CancellationToken) {
        let (said, mut happens) = mpsc::channel(64);
        *self.events.lock().unwrap() = Some(said);
        let hand_on = async {
            while let Some(event) = happens.recv().await {
                events.send(event).await.unwrap();
            }
        };
        stop.run_until_cancelled(hand_on).await;
    }

    async fn create(&self, _: &NewPost) -> Result<PostId, ChatError> {
        refused()
    }

    async fn find(
        &self,
        _: &ChannelId,
        _: Option<&PostId>,
        _: &DeliveryId,
        _: Duration,
    ) -> Result<Option<PostId>, ChatError> {
        refused()
    }

    fn clock(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    async fn channels(&self) -> Result<Vec<Joined>, ChatError> {
        self.readings.send(()).unwrap();
        self.may_end.acquire().await.unwrap().forget();
        Ok(vec![Joined { channel: ChannelId::new(CHANNEL), kind: ChannelKind::Public, newest: self.clock() }])
    }

    async fn history(&self, _: &Joined, since: Timestamp, _: usize) -> Result<History, ChatError> {
        let written = self.written.lock().unwrap();
        let posts = written.iter().filter(|post| post.created >= since);
        Ok(History { posts: posts.map(|post| HeardPost { missed: true, ..post.clone() }).collect(), complete: true })
    }

    async fn redraw(&self, _: &PostId, _: &NewPost) -> Result<(), ChatError> {
        refused()
    }

    async fn open_dialog(&self, _: &str, _: &Dialog) -> Result<(), ChatError> {
        refused()
    }

    async fn reactions(&self, channel: &ChannelId, post: &PostId) -> Result<Vec<HeardReaction>, ChatError> {
        self.asked.lock().unwrap().push(Instant::now());
        let call = Arc::clone(&self.under_way);
        {
            let mut at_once = self.at_once.lock().unwrap();
            *at_once = (*at_once).max(Arc::strong_count(&call) - 1);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(call);
        if self.away_until.is_some_and(|until| Instant::now() < until) {
            return Err(ChatError::Later { after: None, why: "down".into() });
        }
        Ok(vec![HeardReaction {
            post: post.clone(),
            channel: Some(channel.clone()),
            user: UserId::new("u1"),
            identity: None,
            emoji: "+1".into(),
            removed: false,
            created: START,
        }])
    }

    async fn edit(&self, _: &PostId, _: &str) -> Result<(), ChatError> {
        refused()
    }

    async fn react(&self, _: &PostId, _: &str, _: bool) -> Result<(), ChatError> {
        refused()
    }

    async fn upload(&self, _: &ChannelId, _: &str, _: Vec<u8>) -> Result<String, ChatError> {
        refused()
    }

    async fn identify(&self, user: &UserId, _: &[ChannelId]) -> Result<Identity, ChatError> {
        self.hangs.subscribe().wait_for(|hangs| !hangs).await.unwrap();
        Ok(identity(user))
    }

    fn forget(&self, _: &UserId) {}

    async fn directory(&self, _: &[String], _: &[String], _: &[String], _: &[String]) -> Result<Directory, ChatError> {
        Ok(Directory::default())
    }
}

/// What is handed on when this happens, a word each: a post by its name, in brackets when it was missed, with a star when it is an edit of one;
/// `|` where everything before is told to have been considered.
///
/// The words: `gap`, `up` and `down` of the connection; `read` lets the reading end that goes on; `write:a`, `hear:a` and `edit:a` concern a
/// post: it is written unheard, written and heard, changed. A `+` dates it in the future, with `=` it is written in the same instant as what
/// came before.
async fn handed_on(script: &str) -> String {
    let (chat, mut begun) = Scripted::new(None);
    let (inputs, mut taken) = mpsc::channel(64);
    let (_calls, calls) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let (settings, deciders) = (watch::channel(Arc::new(settings())).1, watch::channel(Approvers::default()).1);
    let (soonest, never) = (Duration::from_millis(1), Duration::from_secs(3600));
    let beginning = Beginning {
        heard: Some(START),
        begun: Some(START.checked_sub(SignedDuration::from_hours(1)).unwrap()),
        catch_up: CatchUpOptions { soonest, slowest: soonest, again_after: never },
        groups_age: None,
    };
    let callbacks = Callbacks { calls, pressers: Callers::default() };
    let named = Named { settings, deciders };
    let intake = tokio::spawn(listen(chat.clone(), named, |_| {}, beginning, inputs, callbacks, stop.clone()));
    let events = loop {
        if let Some(events) = chat.events.lock().unwrap().clone() {
            break events;
        }
        tokio::task::yield_now().await;
    };
    let mut handed_on = Vec::new();
    for word in script.split(' ').chain(["down"]) {
        let now = if word.ends_with('=') { chat.clock() } else { chat.tick() };
        let (what, name) = word.split_once(':').unwrap_or((word, ""));
        let later = SignedDuration::from_hours(if name.ends_with('+') { 1 } else { 0 });
        let id = PostId::new(name.trim_end_matches(['+', '=']));
        let post = HeardPost {
            id: id.clone(),
            channel: ChannelId::new(CHANNEL),
            channel_kind: ChannelKind::Public,
            root: None,
            author: UserId::new("u1"),
            identity: None,
            message: String::new(),
            created: now.checked_add(later).unwrap(),
            heard: now,
            missed: false,
            instance: None,
            marks: PostMarks::default(),
        };
        let event = match what {
            "gap" => Some(ChatEvent::Gap),
            "up" => {
                let (me, username) = (UserId::new("bot"), "halcyon".to_owned());
                Some(ChatEvent::Connection(Connection::Up { me, username, max_post: 1000 }))
            }
            "down" => Some(ChatEvent::Connection(Connection::Down { why: "cut".into() })),
            "write" => {
                chat.written.lock().unwrap().push(post);
                None
            }
            "hear" => {
                chat.written.lock().unwrap().push(post.clone());
                Some(ChatEvent::Post(Box::new(post)))
            }
            "edit" => {
                let mut written = chat.written.lock().unwrap();
                let changed = written.iter_mut().find(|post| post.id == id).unwrap();
                changed.marks.edited = true;
                Some(ChatEvent::Post(Box::new(HeardPost { heard: now, ..changed.clone() })))
            }
            "hang" | "go" => {
                chat.hangs.send_replace(what == "hang");
                None
            }
            _ => {
                chat.may_end.add_permits(1);
                None
            }
        };
        if let Some(event) = event {
            events.send(event).await.unwrap();
            // What listens takes it, whatever is waited for behind it.
            let began = Instant::now();
            while events.capacity() < events.max_capacity() {
                assert!(began.elapsed() < Duration::from_secs(3), "nothing listens at {word}");
                tokio::task::yield_now().await;
            }
        }
        let mut unconsidered = None;
        // What a word leads to is over before the next: a reading has begun, one has ended, the end of the connection is told.
        match what {
            "up" => begun.recv().await.unwrap(),
            "read" | "down" => loop {
                match taken.recv().await.unwrap() {
                    Input::Post(post) => {
                        if unconsidered.is_some_and(|until| post.created <= until) {
                            handed_on.push("too late:".to_owned());
                        }
                        let star = if post.marks.edited { "*" } else { "" };
                        let (open, close) = if post.missed { ("(", ")") } else { ("", "") };
                        handed_on.push(format!("{open}{}{star}{close}", post.id));
                    }
                    Input::CaughtUp { until, .. } => {
                        unconsidered = Some(until);
                        handed_on.push("|".to_owned());
                        if what == "read" {
                            break;
                        }
                    }
                    Input::Connection(Connection::Down { .. }) if what == "down" => break,
                    _ => {}
                }
            },
            _ => {}
        }
    }
    stop.cancel();
    intake.await.unwrap();
    handed_on.join(" ")
}

#[tokio::test]
async fn what_is_read_and_what_waits_meanwhile_is_handed_on_in_the_order_of_its_writing() {
    for (script, expected) in [
        ("write:a gap up read", "(a) |"),
        ("gap up hear:a read hear:b", "| a b"),
        ("write:a gap up hear:b read", "(a) | b"),
        // The connection breaks while the reading goes on, and what it brings is missed once more.
        ("gap up hear:a down write:b gap up read", "a (b) |"),
        ("write:a gap up hear:b down write:c gap up hear:d read", "(a) b (c) | d"),
        ("gap up hear:a down up read", "a |"),
        ("gap up hear:a down write:b down gap up down up hear:c read", "a (b) | c"),
        // Within one instant the server's list has the order.
        ("gap up hear:b down write:a= gap up read", "b (a) |"),
        ("write:a gap up hear:c= hear:b= read", "(a) c b |"),
        // A date in the future holds nothing up.
        ("gap up hear:a+ down write:b gap up read", "a (b) |"),
        ("write:a+ write:b gap up hear:c read", "(b) (a) | c"),
        // An edit is no reason to leave out what it changed.
        ("write:a gap up edit:a read", "(a*) a* |"),
        ("gap up hear:a edit:a down write:b gap up read", "a a* (b) |"),
        // Who somebody is takes long to find out; what is told meanwhile is heard all the same.
        ("gap up read hang hear:a hear:b hear:c go hear:d", "| a b c d"),
    ] {
        assert_eq!(handed_on(script).await, expected, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn emojis_are_read_however_long_the_server_is_away_and_once_for_each_post() {
    // (how long it is away, how many posts wait, how often each is asked for)
    for (hours, posts) in [(0, 1), (1, 1), (30, 40)] {
        let away = Duration::from_secs(3600 * hours);
        let (chat, _begun) = Scripted::new(Some(Instant::now() + away));
        let (inputs, mut taken) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let reader = ReactionReader::new(chat.clone(), inputs.downgrade(), stop);
        let begun = Instant::now();
        // Asked for again after every gap.
        for _ in 0..3 {
            for post in 0..posts {
                reader.read(ChannelId::new(CHANNEL), PostId::new(format!("p{post}")), Vec::new());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut read = BTreeSet::new();
        while read.len() < posts {
            let input = tokio::time::timeout(away + Duration::from_secs(60), taken.recv()).await;
            let Ok(Some(Input::ReactionsRead { post, reactions, .. })) = input else {
                panic!("{hours} h: {} of {posts} are read, then {input:?}", read.len())
            };
            assert_eq!((reactions.len(), reactions[0].identity.is_some()), (1, true));
            read.insert(post);
        }
        assert!(begun.elapsed() >= away && begun.elapsed() < away + Duration::from_secs(60), "{:?}", begun.elapsed());
        let asked = chat.asked.lock().unwrap().len();
        assert!(
            asked <= posts * (10 + 180 * usize::try_from(hours).unwrap()),
            "{asked} calls in {hours} h for {posts} posts"
        );
        let at_once = *chat.at_once.lock().unwrap();
        assert!(at_once <= 8, "{at_once} calls at once");
        // It ends with the stop, and whoever takes the inputs is not waited for.
        drop(inputs);
        assert!(taken.recv().await.is_none(), "something is read twice, or held");
    }
}
