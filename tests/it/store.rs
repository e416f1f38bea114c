//! The store: what was acknowledged is there, whatever happens to the process, the disk and the files.

mod audited;
mod crash;
mod importing;
mod keeping;
mod power;
mod unfit;

use crate::execution::{asked, at, outcome, somebody};
use halcyon::adapters::store::{DiskStore, MemoryBlobs, MemoryStore, Opened, Options, Origin, export};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::{Captured, Exit};
use halcyon::core::datastore::Kept;
use halcyon::core::datastore::key::{Key, Scope};
use halcyon::core::effect::{Body, Delivery, Query};
use halcyon::core::fact::{Choice, Dated, Fact};
use halcyon::core::id::{AliasRef, BlobId, ChannelId, DeliveryId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::Back;
use halcyon::core::memory::Memory;
use halcyon::runtime::ports::{Blobs, Recalled, Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A directory on a real disk rather than in memory, so that syncs mean something.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Small files, so that tests see several.
const SMALL: Options = Options {
    file_bytes: 2048,
    first_file_bytes: 2048,
    keep: None,
    keep_outputs: None,
    reserve: 0,
    snapshot_facts: None,
    now: || jiff::Timestamp::UNIX_EPOCH,
    brief: false,
};

fn taken(number: u64) -> Dated {
    let post = PostId::new(format!("post{number}"));
    let fact = Fact::PostTaken { post, channel: ChannelId::new("c"), created: at(0) };
    Dated { at: at(i64::try_from(number).unwrap()), fact }
}

/// An execution's life as the batches in which it is stored; `end` how it ends, if it does.
fn life(number: u64, hosts: &[&str], end: Option<Status>) -> Vec<Vec<Dated>> {
    let start = i64::try_from(number).unwrap() * 10;
    let id = ExecutionId::generate(at(start), number);
    let request = halcyon::core::action::execution::Requested { id: id.clone(), ..asked("remote-shell-cmd", hosts) };
    let dated = |second, fact| Dated { at: at(start + second), fact };
    let delivery = Delivery {
        id: DeliveryId::new(format!("d{number}")),
        channel: ChannelId::new("c"),
        body: Body::Post { root: None, text: "läuft … \u{1f426}".to_owned(), files: vec![] },
    };
    let mut batches =
        vec![vec![dated(0, Fact::ExecutionStarted(Box::new(request))), dated(0, Fact::DeliveryIntended(delivery))]];
    for (second, host) in (1..).zip(hosts) {
        let outcome = Box::new(outcome(Exit::Code { code: 0 }, "out", ""));
        batches.push(vec![dated(second, Fact::HostFinished { id: id.clone(), host: Host::new(*host), outcome })]);
    }
    if end == Some(Status::Canceled) {
        batches.push(vec![dated(8, Fact::CancelAsked { id: id.clone(), by: somebody(), from: None })]);
    }
    if let Some(status) = end {
        batches.push(vec![dated(9, Fact::ExecutionFinished { id, status, error: None })]);
    }
    batches
}

/// One of each kind of fact, in batches of several lengths.
fn one_of_each() -> Vec<Vec<Dated>> {
    let dated = |fact| Dated { at: at(1), fact };
    let user = UserId::new("u1");
    let channel = ChannelId::new("c1");
    let delivery = DeliveryId::new("d1");
    let back = Back::Chat { channel: channel.clone(), root: Some(PostId::new("p0")), post: PostId::new("p1") };
    let lines =
        vec![Choice { line: "uptime on wn1".to_owned(), alias: Some(AliasRef::new("site.uptime")), again: false }];
    let id = ExecutionId::generate(at(50), 5);
    let request = halcyon::core::action::execution::Requested { id: id.clone(), ..asked("local-shell-cmd", &[]) };
    let blob = Captured::Blob {
        blob: BlobId::new("ab".repeat(32)),
        bytes: 9000,
        lines: 90,
        head: "first\n".to_owned(),
        tail: "last\n".to_owned(),
        dropped: 1,
    };
    let mut long = outcome(Exit::Unknown { why: "the connection was lost".to_owned() }, "", "err\r\n\u{0}\u{7f}");
    long.stdout = blob;
    let mut batches = life(1, &["wn1", "wn2"], Some(Status::Canceled));
    batches.push(vec![
        dated(Fact::PostTaken { post: PostId::new("p1"), channel: channel.clone(), created: at(0) }),
        dated(Fact::ExecutionStarted(Box::new(request))),
        dated(Fact::HostFinished { id: id.clone(), host: Host::new("localhost"), outcome: Box::new(long) }),
        dated(Fact::ExecutionFinished { id, status: Status::Unknown, error: Some("the bot died".to_owned()) }),
    ]);
    batches.push(vec![
        dated(Fact::DeliverySent { delivery: delivery.clone(), post: PostId::new("p2") }),
        dated(Fact::DeliveryRefused { delivery, why: "400 \"too long\"".to_owned() }),
    ]);
    batches.push(vec![dated(Fact::ChoiceOffered { user: user.clone(), back, lines, until: at(99) })]);
    batches.push(vec![dated(Fact::ChoiceClosed { user, channel })]);
    batches
}

/// The kinds of facts that the first recorded log has not.
fn newer_kinds() -> Vec<Dated> {
    let dated = |fact| Dated { at: at(400), fact };
    vec![
        dated(Fact::Frozen { why: "a \"storm\"".to_owned(), by: Some(somebody()), from: None }),
        dated(Fact::Unfrozen { by: somebody(), from: None }),
        dated(Fact::ValueSet {
            key: Key { scope: Scope::System, name: "site.word".into() },
            value: Box::new(Kept::Plain { text: "hello".into() }),
            expires: None,
            by: somebody(),
            from: None,
        }),
        dated(Fact::ValuesOpened {
            keys: vec![Key { scope: Scope::System, name: "site.word".into() }],
            by: somebody(),
            from: None,
        }),
        dated(Fact::ValueDeleted {
            key: Key { scope: Scope::User { user: UserId::new("u1") }, name: "word".into() },
            by: somebody(),
            from: None,
        }),
        dated(Fact::Frozen { why: "the store was damaged".to_owned(), by: None, from: None }),
    ]
}

/// Opens a store that was open a moment ago. A process that another test is starting holds everything that is open here, the lock of a store
/// that has just been dropped too, until it becomes another program.
async fn try_open(path: &Path, options: Options) -> Result<(DiskStore, Opened), StoreError> {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        match DiskStore::open_with(path, options).await {
            Err(StoreError::InUse { .. }) if tokio::time::Instant::now() < end => tokio::task::yield_now().await,
            opened => return opened,
        }
    }
}

async fn open(path: &Path) -> (DiskStore, Opened) {
    try_open(path, SMALL).await.unwrap()
}

/// A store with these batches, closed.
async fn filled(path: &Path, batches: &[Vec<Dated>]) {
    let (store, _) = open(path).await;
    for batch in batches {
        store.append(batch.clone()).await.unwrap();
    }
}

fn log_files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What `find` must say, derived in the plain way.
async fn check_index(store: &DiskStore) {
    let memory = MemoryStore::with(store.replay().await.unwrap());
    let queries = [Query::Newest(0), Query::Newest(3), Query::Newest(1000), Query::ById(String::new())]
        .into_iter()
        .chain(["0", "01", "2", "FF", "no", "ü", "6553f11a"].map(|digits| Query::ById(digits.to_owned())))
        .chain((0..20).map(|number| Query::ById(ExecutionId::generate(at(number * 10), number as u64).to_string())));
    for query in queries {
        assert_eq!(store.find(&query).await.unwrap(), memory.find(&query).await.unwrap(), "{query:?}");
    }
}

/// A store in which nothing was ever kept is not one whose index was lost.
#[tokio::test]
async fn a_fresh_store_has_nothing_to_warn_of() {
    let directory = directory();
    for _ in 0..3 {
        let (store, opened) = open(directory.path()).await;
        assert_eq!((opened.facts, opened.notices()), (0, vec![]));
        drop(store);
    }
}

#[tokio::test]
async fn what_is_appended_is_there_again() {
    let directory = directory();
    let batches = one_of_each();
    let mut expected = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let (store, opened) = open(directory.path()).await;
        assert_eq!((opened.facts, opened.cut.clone(), opened.notices()), (expected.len() as u64, None, vec![]));
        assert_eq!(store.replay().await.unwrap(), expected, "before batch {number}");
        store.append(batch.clone()).await.unwrap();
        store.append(vec![]).await.unwrap();
        expected.extend_from_slice(batch);
        assert_eq!(store.replay().await.unwrap(), expected, "after batch {number}");
        check_index(&store).await;
    }
    assert!(log_files(directory.path()).len() > 1, "the test was meant to see several files");
    let (store, _) = open(directory.path()).await;
    let long =
        Dated { at: at(0), fact: Fact::DeliveryRefused { delivery: DeliveryId::new("d"), why: "x".repeat(9000) } };
    store.append(vec![long.clone(), taken(1)]).await.unwrap();
    expected.extend([long, taken(1)]);
    assert_eq!(store.replay().await.unwrap(), expected, "a batch longer than a file");
    drop(store);
    assert_eq!(open(directory.path()).await.0.replay().await.unwrap(), expected);
}

#[tokio::test]
async fn callers_share_syncs() {
    let directory = directory();
    let (store, _) = DiskStore::open(directory.path()).await.unwrap();
    let store = Arc::new(store);
    let before = store.counters();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..64 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for number in 0..20 {
                store.append(vec![taken(caller * 100 + number)]).await.unwrap();
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let after = store.counters();
    let syncs = after.syncs - before.syncs;
    assert_eq!((after.batches, after.facts, after.refused), (1280, 1280, 0));
    assert!(syncs * 4 <= after.batches, "{syncs} syncs for {} batches", after.batches);
    assert_eq!(store.replay().await.unwrap().len(), 1280);
}

#[tokio::test]
async fn one_at_a_time_has_a_store_open() {
    let directory = directory();
    let (store, _) = open(directory.path()).await;
    let second = DiskStore::open(directory.path()).await.map(|_| ());
    let Err(error @ StoreError::InUse { .. }) = second else { panic!("{second:?}") };
    let expected =
        format!("the store {} is in use by another process (pid {})", directory.path().display(), std::process::id());
    assert_eq!(error.to_string(), expected);
    let blobs = store.blobs();
    drop(store);
    assert!(matches!(DiskStore::open(directory.path()).await, Err(StoreError::InUse { .. })), "its blobs are in use");
    drop(blobs);
    open(directory.path()).await;
}

#[tokio::test]
async fn an_export_is_every_fact_with_its_number_also_while_the_store_is_open() {
    let directory = directory();
    let nothing = export(&directory.path().join("nowhere")).count();
    assert_eq!(nothing, 0, "where nothing is stored");
    let (store, _) = open(directory.path()).await;
    for batch in one_of_each() {
        store.append(batch).await.unwrap();
        let facts = store.replay().await.unwrap();
        let lines: Vec<String> = export(directory.path()).collect::<Result<_, _>>().unwrap();
        for (number, (line, fact)) in (1_u64..).zip(lines.iter().zip(&facts)) {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line.as_object_mut().unwrap().shift_remove("sequence"), Some(number.into()));
            assert_eq!(line, serde_json::to_value(fact).unwrap());
        }
        assert_eq!(lines.len(), facts.len());
    }
}

/// A store with executions in all kinds of states, closed; and a larger one of which it is the beginning.
async fn with_executions(path: &Path, count: u64) {
    let ends = [None, Some(Status::Succeeded), Some(Status::Canceled), Some(Status::Unknown)];
    let lives = (0..count).map(|number| life(number % 20, &["wn1", "wn2"], ends[(number % 4) as usize]));
    // Batches of different executions take turns.
    let mut lives: Vec<_> = lives.map(Vec::into_iter).collect();
    let mut batches = Vec::new();
    while !lives.is_empty() {
        lives.retain_mut(|life| life.next().map(|batch| batches.push(batch)).is_some());
    }
    filled(path, &batches).await;
}

#[tokio::test]
async fn an_index_that_is_missing_broken_old_or_foreign_is_made_good() {
    type Case = (&'static str, fn(&Path, &Path), fn(&Origin) -> bool);
    let cases: [Case; 9] = [
        ("as it was", |_, _| {}, |origin| *origin == Origin::Kept { behind: 0 }),
        ("missing", |index, _| fs::remove_dir_all(index).unwrap(), |origin| *origin == Origin::Made),
        ("emptied", |index, _| spoil_files(index, |_| vec![]), |origin| *origin == Origin::Made),
        (
            "rubbish",
            |index, _| spoil_files(index, |old| vec![0xA5; old.len().max(10)]),
            |origin| matches!(origin, Origin::Rebuilt { .. }),
        ),
        (
            "zeros in the middle",
            |index, _| {
                spoil_files(index, |mut old| {
                    let middle = old.len() / 4..old.len() / 2;
                    old[middle].fill(0);
                    old
                });
            },
            |_| true,
        ),
        (
            "a file in its place",
            |index, _| {
                fs::remove_dir_all(index).unwrap();
                fs::write(index, "index").unwrap();
            },
            |origin| matches!(origin, Origin::Rebuilt { .. }),
        ),
        (
            "of the same store, but older",
            |index, other| replace(index, &other.join("older")),
            |origin| matches!(origin, Origin::Kept { behind: 1.. }),
        ),
        (
            "of another store",
            |index, other| replace(index, &other.join("foreign")),
            |origin| matches!(origin, Origin::Rebuilt { .. }),
        ),
        (
            "of the same store, but newer",
            |index, other| replace(index, &other.join("newer")),
            |origin| matches!(origin, Origin::Ahead { .. }),
        ),
    ];
    let others = directory();
    for (name, batches) in [("foreign", 3), ("newer", 40)] {
        let store = others.path().join(format!("{name}-store"));
        with_executions(&store, batches).await;
        fs::rename(store.join("index"), others.path().join(name)).unwrap();
    }
    for (name, spoil, expected) in cases {
        let directory = directory();
        with_executions(directory.path(), 6).await;
        if name.ends_with("older") {
            let older = others.path().join("older");
            fs::create_dir(&older).unwrap();
            copy(&directory.path().join("index"), &older);
            filled(directory.path(), &life(19, &["wn9"], Some(Status::Failed))).await;
        }
        spoil(&directory.path().join("index"), others.path());
        let (store, opened) = open(directory.path()).await;
        assert!(expected(&opened.index), "{name}: {:?}", opened.index);
        let harmless = matches!(opened.index, Origin::Kept { .. } | Origin::Made);
        assert_eq!(opened.notices().is_empty(), harmless, "{name}");
        check_index(&store).await;
        for batch in life(18, &["wn1"], Some(Status::Timeout)) {
            store.append(batch).await.unwrap();
            check_index(&store).await;
        }
        drop(store);
        let (store, opened) = open(directory.path()).await;
        assert_eq!(opened.index, Origin::Kept { behind: 0 }, "{name}, once more");
        check_index(&store).await;
    }
}

/// Writes every file of an index anew.
fn spoil_files(index: &Path, change: fn(Vec<u8>) -> Vec<u8>) {
    for entry in fs::read_dir(index).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
        }
    }
}

fn replace(index: &Path, other: &Path) {
    fs::remove_dir_all(index).unwrap();
    fs::create_dir(index).unwrap();
    copy(other, index);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn facts_that_concern_no_execution_do_not_stay_behind_in_the_index() {
    let directory = directory();
    let (store, _) = DiskStore::open(directory.path()).await.unwrap();
    store.append((0..1500).map(taken).collect()).await.unwrap();
    store.append((0..10).map(taken).collect()).await.unwrap();
    drop(store);
    let (_, opened) = try_open(directory.path(), Options::default()).await.unwrap();
    assert_eq!((opened.facts, opened.index), (1510, Origin::Kept { behind: 10 }));
}

/// The same promises from both.
async fn check_blobs(blobs: &dyn Blobs) {
    let long: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    for bytes in [&[], b"one line\n".as_slice(), &long] {
        let mut names = Vec::new();
        for step in [1 + bytes.len() / 7, 1 + bytes.len()] {
            let mut writer = blobs.create().await.unwrap();
            for part in bytes.chunks(step) {
                writer.write(part).await.unwrap();
            }
            names.push(writer.finish().await.unwrap());
        }
        assert_eq!(names[0], names[1], "equal bytes have one name");
        let blob = &names[0];
        assert_eq!(blob.as_str(), sha256(bytes));
        assert!(blobs.read(blob, 0, usize::MAX).await.unwrap() == bytes);
        for (offset, limit) in [(0, 4), (3, 2), (5, 1000), (bytes.len(), 1), (bytes.len() + 1, 1), (0, 0)] {
            let expected: Vec<u8> = bytes.iter().skip(offset).take(limit).copied().collect();
            assert_eq!(blobs.read(blob, offset as u64, limit).await.unwrap(), expected, "{limit} from {offset}");
        }
    }
    let absent = BlobId::new(sha256(b"never written"));
    let mut unfinished = blobs.create().await.unwrap();
    unfinished.write(b"never written").await.unwrap();
    for blob in [absent.as_str(), "", "ab", "../../lock", &format!("../{}", "a".repeat(61)), &"ü".repeat(32)] {
        let read = blobs.read(&BlobId::new(blob), 0, 10).await;
        assert!(matches!(read, Err(StoreError::Io { .. } | StoreError::NotKept)), "{blob}: {read:?}");
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn outputs_are_kept_once_and_by_their_content() {
    check_blobs(&MemoryBlobs::default()).await;
    let directory = directory();
    let (store, _) = open(directory.path()).await;
    check_blobs(&store.blobs()).await;
    let unfinished = directory.path().join("blobs/new");
    assert_eq!(fs::read_dir(&unfinished).unwrap().count(), 0, "pieces given up are gone");
    fs::write(unfinished.join("7"), "left behind by a crash").unwrap();
    drop(store);
    let (store, _) = open(directory.path()).await;
    assert!(!unfinished.exists());
    check_blobs(&store.blobs()).await;
}

/// What the start begins with is what the lines of an export come to.
async fn check_memory(store: &DiskStore, lines: &[String]) {
    let Recalled { snapshot, facts } = store.recall().await.unwrap();
    let mut recalled = snapshot.memory;
    facts.iter().for_each(|fact| recalled.apply(fact).unwrap());
    let mut folded = Memory::default();
    for line in lines {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        match line.get_mut("base") {
            Some(base) => folded = serde_json::from_value(base["memory"].take()).unwrap(),
            None => folded.apply(&serde_json::from_value(line).unwrap()).unwrap(),
        }
    }
    assert_eq!(recalled, folded);
}

/// The logs that earlier versions wrote, and what is in them.
fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs")
}

/// Records the store that a version wrote, unless that was done before.
async fn record(version: &str, batches: &[Vec<Dated>], then: impl AsyncFnOnce(&Path)) {
    let place = recorded().join(version);
    if place.exists() {
        return;
    }
    let directory = directory();
    filled(directory.path(), batches).await;
    then(directory.path()).await;
    for part in ["log", "snapshots"] {
        fs::create_dir_all(place.join(part)).unwrap();
        copy(&directory.path().join(part), &place.join(part));
    }
    let lines: Vec<String> = export(directory.path()).collect::<Result<_, _>>().unwrap();
    fs::write(place.join("facts.jsonl"), lines.join("\n") + "\n").unwrap();
}

/// Every log under `tests/data/logs` says what it always said. The current versions' are recorded with `HALCYON_REGENERATE=1` when there
/// are none; one that is there is never written again.
#[tokio::test]
async fn recorded_logs_stay_readable() {
    if std::env::var_os("HALCYON_REGENERATE").is_some() {
        record("v1", &one_of_each(), async |_| {}).await;
        record("v1-newer-kinds", &[newer_kinds()], async |_| {}).await;
        record("v1-with-base-1-and-snapshot-1", &keeping::all_in_memory(), keeping::snapshot_and_retain).await;
    }
    let mut versions = 0;
    for entry in fs::read_dir(recorded()).unwrap() {
        let version = entry.unwrap().path();
        let expected = fs::read_to_string(version.join("facts.jsonl")).unwrap();
        let lines: Vec<String> = export(&version).collect::<Result<_, _>>().unwrap();
        assert!(lines.iter().eq(expected.lines()), "{}: {lines:#?}", version.display());
        let directory = directory();
        for part in ["log", "snapshots"].into_iter().filter(|part| version.join(part).exists()) {
            fs::create_dir(directory.path().join(part)).unwrap();
            copy(&version.join(part), &directory.path().join(part));
        }
        let (store, opened) = open(directory.path()).await;
        let facts = lines.iter().filter(|line| !line.starts_with("{\"base\"")).count();
        assert_eq!((opened.cut.clone(), opened.notices()), (None, vec![]), "{}", version.display());
        assert_eq!(store.replay().await.unwrap().len(), facts);
        check_memory(&store, &lines).await;
        if facts == lines.len() {
            assert_eq!(opened.facts, facts as u64);
            check_index(&store).await;
        }
        store.append(vec![taken(1)]).await.unwrap();
        assert_eq!(store.replay().await.unwrap().len(), facts + 1);
        versions += 1;
    }
    assert!(versions >= 1);
}
