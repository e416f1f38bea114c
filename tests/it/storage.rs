//! The bot when its store is in trouble: frozen, set aside, refusing, nearly full.

use crate::world::{CHANNEL, PATIENCE, World};
use async_trait::async_trait;
use halcyon::adapters::clock::SystemClock;
use halcyon::adapters::content::read_packs;
use halcyon::adapters::monitoring::MonitoringRunner;
use halcyon::adapters::store::{DiskStore, MemoryBlobs, MemoryStore};
use halcyon::app::engine::Engine;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::run::{Attach, Run, RunNews};
use halcyon::core::content::load::load;
use halcyon::core::effect::{Answer, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::ActionRef;
use halcyon::core::input::{Ask, Back, Input, Principal};
use halcyon::core::sensor::{Launch, News};
use halcyon::core::settings::Settings;
use halcyon::core::vitals::{OutboxVitals, Reload, Vitals};
use halcyon::runtime::dispatch::{Callers, Dispatch, Hands};
use halcyon::runtime::event_loop::EventLoop;
use halcyon::runtime::metrics::Metrics;
use halcyon::runtime::ports::{Blobs, Clock, Recalled, Room, Runner, SensorKeeper, Snapshot, Store, StoreError};
use halcyon::runtime::sensing::Sensing;
use halcyon::runtime::storage;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A store that refuses on request.
#[derive(Default)]
struct Moody {
    stored: MemoryStore,
    refusing: AtomicBool,
    refused: AtomicUsize,
    free: AtomicU64,
    snapshots: Mutex<Vec<Snapshot>>,
    /// The facts of each flush.
    flushed: Mutex<Vec<Vec<Fact>>>,
}

#[async_trait]
impl Store for Moody {
    async fn append(&self, facts: Vec<Dated>) -> Result<(), StoreError> {
        if self.refusing.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Io { doing: "write to", path: PathBuf::from("log"), source });
        }
        self.flushed.lock().unwrap().push(facts.iter().map(|dated| dated.fact.clone()).collect());
        self.stored.append(facts).await
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        self.stored.replay().await
    }

    async fn recall(&self) -> Result<Recalled, StoreError> {
        let snapshot = self.snapshots.lock().unwrap().last().cloned().unwrap_or_default();
        let facts = self.stored.facts().split_off(usize::try_from(snapshot.newest).unwrap());
        Ok(Recalled { snapshot, facts })
    }

    fn wants_snapshot(&self) -> bool {
        true
    }

    fn snapshot(&self, snapshot: Snapshot) {
        self.snapshots.lock().unwrap().push(snapshot);
    }

    async fn room(&self) -> Option<Room> {
        Some(Room { free: self.free.load(Ordering::SeqCst), reserve: 100 << 20 })
    }

    async fn find(&self, query: &Query) -> Result<Vec<Execution>, StoreError> {
        match query {
            Query::ById(id) if id == "broken" => Err(StoreError::Index("it is broken".to_owned())),
            other => self.stored.find(other).await,
        }
    }
}

/// A runner that counts what it is told to do and has done it at once.
#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl SensorKeeper for Counting {
    async fn keep(&self, _: Launch, _: mpsc::Sender<News>, _: CancellationToken) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Runner for Counting {
    async fn run(&self, _: Run, news: mpsc::Sender<RunNews>, _: CancellationToken) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _ = news.send(RunNews::Finished { error: None }).await;
    }

    async fn attach(&self, _: Attach, news: mpsc::Sender<RunNews>, _: CancellationToken) {
        let _ = news.send(RunNews::Finished { error: None }).await;
    }
}

/// The loop over a moody store, without chat.
struct Turning {
    store: Arc<Moody>,
    runner: Arc<Counting>,
    metrics: Arc<Metrics>,
    callers: Callers,
    inputs: mpsc::Sender<Input>,
    urgent: mpsc::Sender<Input>,
    ended: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

const OWN: u32 = 1000;

impl Turning {
    async fn over(store: Arc<Moody>) -> Self {
        let settings = Arc::new(Settings {
            buttons: false,
            channels: Vec::new(),
            admin_channel: None,
            alert_channel: None,
            address: Vec::new(),
            prefix: "!".into(),
            roles: Vec::new(),
            zone: String::new(),
            mention_after: Duration::from_secs(10),
            grace: Duration::from_millis(300),
            own_uid: OWN,
            chat_users: Default::default(),
            guard: Default::default(),
            settle: Default::default(),
            storms: Default::default(),
            escalation: Default::default(),
            monitorings: Vec::new(),
            limits: Default::default(),
            late_after: Duration::from_secs(120),
        });
        let (inputs, queue) = mpsc::channel(64);
        let (callers, stop) = (Callers::default(), CancellationToken::new());
        let runner = Arc::new(Counting::default());
        let (local, remote) = (Arc::clone(&runner) as _, Arc::clone(&runner) as _);
        let (http, mail) = (Arc::clone(&runner) as _, Arc::clone(&runner) as _);
        let monitoring = Arc::clone(&runner) as _;
        let no_clock = halcyon::app::now;
        let none: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
        let monitorings = Arc::new(MonitoringRunner::new(Vec::new(), 0, none, no_clock)) as _;
        let (reloads, pressers) = (mpsc::unbounded_channel().0, Callers::default());
        let blobs = Arc::new(MemoryBlobs::default()) as _;
        let sensing = Sensing::new(Arc::clone(&runner) as _, stop.clone());
        let (outbox, chat) = (None, None);
        let hands = Hands {
            blobs,
            local,
            remote,
            http,
            mail,
            monitoring,
            monitorings,
            sensing,
            outbox,
            chat,
            pressers,
            reloads,
        };
        let dispatch = Dispatch::new(&inputs, Arc::clone(&store) as _, hands, callers.clone(), stop.clone());
        let clock = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::default());
        let kept = Arc::clone(&store) as _;
        let events = EventLoop::open(kept, clock, settings, queue, dispatch, Arc::clone(&metrics)).await.unwrap();
        let loaded = load(&read_packs(&[PathBuf::from(env!("CARGO_MANIFEST_DIR"))]));
        let content = Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() };
        inputs.send(content).await.unwrap();
        inputs.send(Input::Started).await.unwrap();
        tokio::spawn(storage::watch(Arc::clone(&store) as _, inputs.clone(), stop.clone()));
        let urgent = events.urgent();
        let ended = tokio::spawn(async move { events.run().await.unwrap() });
        Self { store, runner, metrics, callers, inputs, urgent, ended, stop }
    }

    async fn asking(&self, ask: Ask) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let from = Principal::LocalUser { uid: OWN, name: "halcyon".into() };
        self.inputs.send(self.callers.ask(from, ask, reply)).await.unwrap();
        answer
    }

    async fn ask(&self, ask: Ask) -> Answer {
        let answer = self.asking(ask).await;
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer").unwrap()
    }

    /// Asks for health until the part `store` says this.
    async fn store_says(&self, expected: &str) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let Answer::Health { healthy, parts } = self.ask(Ask::Health).await else { panic!("no health") };
            let store = parts.into_iter().find(|part| part.name == "store").unwrap();
            if store.says.contains(expected) {
                assert!(store.works || !healthy);
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{expected:?}, but {store:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn refused(&self) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.store.refused.load(Ordering::SeqCst) == 0 {
            assert!(tokio::time::Instant::now() < end, "nothing was refused");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn local() -> Ask {
    let parameters = BTreeMap::from([("cmd".to_owned(), json!("true"))]);
    Ask::Run { action: ActionRef::new("core.local"), parameters, trace_tag: None }
}

fn moody() -> Arc<Moody> {
    let store = Moody::default();
    store.free.store(1 << 30, Ordering::SeqCst);
    Arc::new(store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_leaves_the_loop_hearing() {
    let turning = Turning::over(moody()).await;
    turning.store_says("1.0 GiB free").await;
    turning.store.refusing.store(true, Ordering::SeqCst);
    let mut first = turning.asking(local()).await;
    let mut second = turning.asking(Ask::Freeze { reason: "a storm".into() }).await;
    turning.refused().await;
    turning.store_says("cannot be written: cannot write to log").await;
    assert!(first.try_recv().is_err() && second.try_recv().is_err(), "somebody was told what is not stored");
    assert_eq!(turning.runner.0.load(Ordering::SeqCst), 0, "what is not stored was done");
    assert_eq!(turning.store.stored.facts().len(), 1, "the name of the store and nothing more");
    turning.store.refusing.store(false, Ordering::SeqCst);
    let first = tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap();
    let second = tokio::time::timeout(PATIENCE, second).await.unwrap().unwrap();
    assert!(matches!(first, Answer::Started { .. }), "{first:?}");
    assert!(matches!(second, Answer::Done { .. }), "{second:?}");
    turning.store_says("GiB free").await;
    let facts = turning.store.stored.facts();
    let started = facts.iter().position(|dated| matches!(dated.fact, Fact::ExecutionStarted(_))).unwrap();
    let frozen = facts.iter().position(|dated| matches!(dated.fact, Fact::Frozen { .. })).unwrap();
    assert!(started < frozen, "the order was lost");
    // Every snapshot is the fold of what was stored by then.
    for snapshot in turning.store.snapshots.lock().unwrap().iter() {
        let mut memory = halcyon::core::memory::Memory::default();
        let newest = usize::try_from(snapshot.newest).unwrap();
        turning.store.stored.facts()[..newest].iter().for_each(|fact| memory.apply(fact).unwrap());
        assert_eq!(snapshot.memory, memory);
    }
    assert!(!turning.store.snapshots.lock().unwrap().is_empty());
}

/// Time stands still but for what is waited for.
#[tokio::test(start_paused = true)]
async fn what_nothing_follows_from_goes_with_the_next_flush() {
    let turning = Turning::over(moody()).await;
    let flushes = || turning.store.flushed.lock().unwrap().clone();
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
    let first = flushes();
    // It has ended by now, which nobody waits to hear.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((flushes(), turning.runner.0.load(Ordering::SeqCst)), (first.clone(), 1));
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
    let second = flushes();
    assert_eq!(second.len(), first.len() + 1, "a flush of its own: {second:?}");
    let ended = |flush: &[Fact]| flush.iter().position(|fact| matches!(fact, Fact::ExecutionFinished { .. }));
    let started = |flush: &[Fact]| flush.iter().position(|fact| matches!(fact, Fact::ExecutionStarted(_)));
    let both = second.last().unwrap();
    assert!(ended(both).is_some() && ended(both) < started(both), "{both:?}");
    // Nothing else comes, and it is stored all the same.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let third = flushes();
    assert_eq!(third.len(), second.len() + 1, "{third:?}");
    assert!(ended(third.last().unwrap()).is_some());
    // And before the end.
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
    turning.inputs.send(Input::Stop).await.unwrap();
    turning.ended.await.unwrap();
    assert!(
        turning.store.stored.facts().iter().filter(|dated| ended(std::slice::from_ref(&dated.fact)).is_some()).count()
            == 3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_loses_no_reload_and_hides_no_pulse() {
    let turning = Turning::over(moody()).await;
    turning.store_says("GiB free").await;
    turning.store.refusing.store(true, Ordering::SeqCst);
    let held = turning.asking(local()).await;
    turning.refused().await;
    // What a reload brings: the same catalog without anything in it, and word of it.
    turning.inputs.send(Input::Content { catalog: Arc::default(), problems: Arc::default() }).await.unwrap();
    let (reply, mut told) = oneshot::channel();
    let from = Principal::LocalUser { uid: OWN, name: "halcyon".into() };
    let Input::Request { request, .. } = turning.callers.ask(from, Ask::Reload, reply) else { panic!("no request") };
    let reload = Reload { in_force: true, ..Reload::default() };
    turning.inputs.send(Input::Reloaded { by: None, back: Some(Back::Request { request }), reload }).await.unwrap();
    // The pulse goes through, proves that the loop turns, and brings news.
    let began = Instant::now();
    let outbox = OutboxVitals { waiting: 0, oldest: None, trouble: None };
    turning.inputs.send(Input::Vitals(Vitals { outbox: Some(outbox) })).await.unwrap();
    let Answer::Health { parts, .. } = turning.ask(Ask::Health).await else { panic!("no health") };
    assert!(turning.metrics.silent_for() <= began.elapsed(), "the pulse proved nothing");
    let store = parts.iter().find(|part| part.name == "store").unwrap();
    assert!(!store.works && store.since.is_some() && store.advice.contains("store.path"), "{store:?}");
    assert!(told.try_recv().is_err(), "the reload is told before what came before it is stored");
    turning.store.refusing.store(false, Ordering::SeqCst);
    assert!(matches!(tokio::time::timeout(PATIENCE, held).await.unwrap().unwrap(), Answer::Started { .. }));
    let told = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    assert!(matches!(told, Answer::Reloaded { in_force: true, .. }), "{told:?}");
    assert!(matches!(turning.ask(local()).await, Answer::Refused { .. }), "the new catalog is not in force");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_the_loop_while_the_store_refuses() {
    let turning = Turning::over(moody()).await;
    turning.store.refusing.store(true, Ordering::SeqCst);
    let held = turning.asking(local()).await;
    let waiting = turning.asking(local()).await;
    turning.refused().await;
    turning.inputs.send(Input::Stop).await.unwrap();
    tokio::time::timeout(PATIENCE, turning.ended).await.expect("it ends").unwrap();
    turning.stop.cancel();
    assert_eq!((turning.runner.0.load(Ordering::SeqCst), turning.store.stored.facts().len()), (0, 1));
    drop(turning.callers);
    drop((held, waiting));
    // The next process knows nothing of it and works.
    turning.store.refusing.store(false, Ordering::SeqCst);
    let turning = Turning::over(turning.store).await;
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded_and_health_and_a_stop_pass_it() {
    let mut turning = Turning::over(moody()).await;
    turning.store.refusing.store(true, Ordering::SeqCst);
    let mut answers = vec![turning.asking(local()).await];
    turning.refused().await;
    // So much is brought that somebody has to wait with it: nothing is taken from the channel for a second.
    let full = loop {
        let (reply, answer) = oneshot::channel();
        let from = Principal::LocalUser { uid: OWN, name: "halcyon".into() };
        let bring = turning.inputs.send(turning.callers.ask(from, local(), reply));
        if tokio::time::timeout(Duration::from_secs(1), bring).await.is_err() {
            break answers.len();
        }
        answers.push(answer);
        assert!(answers.len() < 10_000, "all of it is taken");
    };
    assert!(full > 4_000, "only {full} are taken");
    std::mem::swap(&mut turning.inputs, &mut turning.urgent);
    turning.store_says("cannot be written").await;
    std::mem::swap(&mut turning.inputs, &mut turning.urgent);
    // What was brought is done once the store takes facts again, in order; nothing of it is lost.
    turning.store.refusing.store(false, Ordering::SeqCst);
    for answer in answers {
        let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert!(matches!(answer, Answer::Started { .. } | Answer::Refused { .. }), "{answer:?}");
    }
    turning.store.refused.store(0, Ordering::SeqCst);
    turning.store.refusing.store(true, Ordering::SeqCst);
    let mut held = vec![turning.asking(local()).await];
    turning.refused().await;
    while let Ok(asking) = tokio::time::timeout(Duration::from_secs(1), turning.asking(local())).await {
        held.push(asking);
    }
    turning.urgent.send(Input::Stop).await.unwrap();
    tokio::time::timeout(PATIENCE, turning.ended).await.expect("it ends").unwrap();
    turning.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_over_a_snapshot_knows_what_the_facts_say() {
    let turning = Turning::over(moody()).await;
    turning.ask(Ask::Freeze { reason: "a storm".into() }).await;
    turning.inputs.send(Input::Stop).await.unwrap();
    turning.ended.await.unwrap();
    let store = turning.store;
    assert_eq!(store.snapshots.lock().unwrap().last().unwrap().newest, store.stored.facts().len() as u64);
    let turning = Turning::over(store).await;
    let Answer::Refused { text } = turning.ask(local()).await else { panic!("it is not frozen") };
    assert!(text.contains("a storm"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_little_room_nothing_new_is_begun() {
    let turning = Turning::over(moody()).await;
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
    turning.store.free.store(7 << 20, Ordering::SeqCst);
    turning.store_says("only 7 MiB free").await;
    let Answer::Refused { text } = turning.ask(local()).await else { panic!("it was begun") };
    for part in ["core.local", "7 MiB", "100 MiB", "administrator"] {
        assert!(text.contains(part), "{text}");
    }
    turning.store.free.store(1 << 30, Ordering::SeqCst);
    turning.store_says("1.0 GiB free").await;
    assert!(matches!(turning.ask(local()).await, Answer::Started { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_that_failed_is_not_an_empty_answer() {
    let turning = Turning::over(moody()).await;
    let Answer::Refused { text } = turning.ask(Ask::Execution { id: "broken".into() }).await else { panic!() };
    assert!(text.contains("could not look that up") && text.contains("it is broken"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_it_only_looks_until_an_administrator_says_otherwise() {
    let mut world = World::start().await;
    let check = async |world: &World, user: &str, line: &str, expected: &[&str]| {
        let answer = world.say(user, line).await.message;
        assert!(expected.iter().all(|text| answer.contains(text)), "{line}: {answer}");
    };
    check(&world, "operator", "!freeze because", &["is for those who may administer me", "`lead`"]).await;
    check(&world, "operator", "!greet you on wn001", &["done"]).await;
    check(&world, "lead", "!freeze a *storm* is coming", &["I am frozen: a \\*storm\\* is coming"]).await;
    check(&world, "operator", "!greet you on wn001", &["I did not start `trial.greet`", "by lead", "`unfreeze`"]).await;
    check(&world, "operator", "!uptime on wn001", &["done on wn001"]).await;
    check(&world, "operator", "!unfreeze", &["is for those who may administer me"]).await;
    check(&world, "operator", "!status", &["I am frozen: a \\*storm\\*"]).await;
    let started = world.started();
    world.stop_bot().await;
    world.start_bot().await;
    let greeting = world.chat.posts(CHANNEL).into_iter().rfind(|post| post.message.contains("I am here")).unwrap();
    assert!(greeting.message.contains("I am frozen: a \\*storm\\*"), "{}", greeting.message);
    check(&world, "operator", "!greet you on wn001", &["I did not start"]).await;
    assert_eq!(world.started(), started);
    assert!(matches!(world.ask(Ask::Unfreeze).await, Answer::Done { text } if text.contains("no longer frozen")));
    check(&world, "operator", "!greet you on wn001", &["done"]).await;
    check(&world, "lead", "!unfreeze", &["I am not frozen"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_set_aside_and_the_bot_says_so() {
    let mut world = World::start().await;
    let before = world.say("operator", "!greet you on wn001").await;
    assert!(before.message.contains("done"));
    world.stop_bot().await;
    let log = world.config.store.path.join("log/00000000000000000001.facts");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    // One that got no further than to give the new store its name.
    let (store, _, aside) = DiskStore::open_or_set_aside(&world.config.store.path, Default::default()).await.unwrap();
    assert!(aside.is_some());
    let named = Fact::InstanceNamed { name: "abc".into() };
    store.append(vec![Dated { at: SystemClock.now(), fact: named }]).await.unwrap();
    drop(store);
    world.start_bot().await;
    let greeting = world.chat.posts(CHANNEL).into_iter().rfind(|post| post.message.contains("I am here")).unwrap();
    assert!(
        greeting.message.contains("my store was damaged") && greeting.message.contains("/damaged-"),
        "{}",
        greeting.message
    );
    let refused = world.say("operator", "!greet you on wn001").await;
    assert!(refused.message.contains("I did not start") && refused.message.contains("my store was damaged"));
    assert!(world.say("operator", "!uptime on wn001").await.message.contains("done on wn001"));
    let Answer::Health { healthy, parts } = world.ask(Ask::Health).await else { panic!() };
    assert!(!healthy && parts.iter().any(|part| part.name == "freeze" && !part.works), "{parts:?}");
    assert!(world.say("lead", "!unfreeze").await.message.contains("no longer frozen"));
    world.stop_bot().await;
    world.start_bot().await;
    let after = world.say("operator", "!greet you on wn001").await;
    assert!(after.message.contains("done"), "{}", after.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_cannot_be_true_do_not_keep_the_bot_from_starting() {
    let mut world = World::without_bot("").await;
    let (store, _) = DiskStore::open(&world.config.store.path).await.unwrap();
    let id = crate::ssh::execution();
    let never = Fact::ExecutionFinished { id, status: Status::Succeeded, error: None };
    store.append(vec![Dated { at: SystemClock.now(), fact: never }]).await.unwrap();
    drop(store);
    world.start_bot().await;
    let greeting = world.chat.posts(CHANNEL).into_iter().rfind(|post| post.message.contains("I am here")).unwrap();
    assert!(greeting.message.contains("my store was damaged"), "{}", greeting.message);
    assert!(world.say("operator", "!uptime on wn001").await.message.contains("done on wn001"));
}

/// A small file system in memory.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path, megabytes: u64) -> Result<Self, String> {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(path).output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        if mounted.status.success() {
            Ok(Self(path.to_owned()))
        } else {
            Err(String::from_utf8_lossy(&mounted.stderr).into())
        }
    }

    /// Takes all room but so many bytes.
    fn fill(&self, but: u64) {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        let take = (disk.f_bavail * disk.f_frsize).saturating_sub(but);
        let file = std::fs::File::options().append(true).create(true).open(self.0.join("ballast")).unwrap();
        let length = file.metadata().unwrap().len();
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), length, take.max(1)) {
            // The bot was faster.
            Ok(()) | Err(rustix::io::Errno::NOSPC) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_a_full_disk_is_said_and_loses_nothing() {
    if std::env::var_os("HALCYON_PEERS").is_none_or(|value| value != "1") {
        return;
    }
    // The flood may not use up what the channel and its author may say: the answer to a refused line is small.
    let mut world = World::without_bot("[limits]\nlines_per_channel = 1000000\nlines_per_user = 1000000\n").await;
    let disk = match Small::mount(&world.directory.path().join("disk"), 24) {
        Ok(disk) => disk,
        Err(why) if std::env::var_os("HALCYON_WITHOUT_POWER_CUTS").is_some_and(|value| value == "1") => {
            let said = "storage: NOT RUN, as HALCYON_WITHOUT_POWER_CUTS=1 allows";
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{said}: {why}\n"));
            return;
        }
        Err(why) => panic!("no small file system ({why}); this needs root. HALCYON_WITHOUT_POWER_CUTS=1 goes without"),
    };
    world.config.store.path = disk.0.join("store");
    world.config.store.reserve = 8 << 20;
    world.start_bot().await;
    assert!(world.say("operator", "!greet you on wn001").await.message.contains("done"));
    // Little room: what looks and what changes are refused alike, and what is asked is answered.
    disk.fill(6 << 20);
    let end = tokio::time::Instant::now() + PATIENCE;
    while !world.say("operator", "!greet you on wn001").await.message.contains("is left on the disk of my store") {
        assert!(tokio::time::Instant::now() < end, "it goes on beginning");
    }
    let status = world.say("operator", "!status").await.message;
    assert!(status.contains("Not everything") && status.contains("nothing new starts"), "{status}");
    // None at all: what was set aside is used up, and then the store refuses.
    disk.fill(0);
    std::fs::remove_file(world.config.store.path.join("reserve")).unwrap();
    let started = world.started();
    // In a direct message, so that nobody else's answer waits behind the flood's.
    let aside = world.chat.direct_channel("lead", "halcyon").unwrap();
    let refuses = async {
        loop {
            for _ in 0..10 {
                world.chat.post_as("lead", &aside, &format!("help {}", "xyzzy ".repeat(400)), None).unwrap();
            }
            let posts = world.chat.posts(CHANNEL);
            if let Some(post) = posts.into_iter().find(|post| post.message.contains("I cannot write to my store")) {
                return post;
            }
            disk.fill(0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE * 2, refuses).await.expect("the store refuses and the bot says so");
    let Answer::Health { healthy, parts } = world.ask(Ask::Health).await else { panic!() };
    assert!(
        !healthy && parts.iter().any(|part| part.name == "store" && part.says.contains("cannot be written")),
        "{parts:?}"
    );
    let late = world.write("operator", "!greet late on wn002");
    assert_eq!(world.started(), started);
    disk.free();
    assert!(
        world.answer_that(&late, |answer| answer.message.contains("greet late")).await.message.contains("greet late")
    );
    let posts = world.chat.posts(CHANNEL);
    let told = posts.iter().filter(|post| post.message.contains("I cannot write to my store")).count();
    assert_eq!(told, 1, "it was said {told} times");
    assert!(posts.iter().any(|post| post.message.contains("My store works again")));
    // A stop is heard while the disk is full.
    let engine: Engine = world.engine.take().unwrap();
    disk.fill(0);
    tokio::time::timeout(PATIENCE, engine.stop()).await.expect("it ends within its grace").unwrap();
}
