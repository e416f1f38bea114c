//! What is kept and what is not: snapshots, the start from them, removing what is old, export and import, a store that is set aside.

use super::{SMALL, check_memory, directory, life, log_files, newer_kinds, open, taken, try_open};
use crate::execution::{at, outcome, somebody};
use halcyon::adapters::store::{DiskStore, Freed, ImportError, MemoryStore, Options, Origin, export, import};
use halcyon::core::action::execution::{Requested, Status};
use halcyon::core::action::run::{Captured, Exit};
use halcyon::core::effect::{Body, Delivery, Query};
use halcyon::core::fact::{Choice, Dated, Fact};
use halcyon::core::id::{BlobId, ChannelId, DeliveryId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::Back;
use halcyon::core::memory::Memory;
use halcyon::runtime::ports::{Blobs, Recalled, Snapshot, Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Facts after which every part of the memory has something in it.
pub(super) fn all_in_memory() -> Vec<Vec<Dated>> {
    let dated = |fact| Dated { at: at(300), fact };
    let back = Back::Chat { channel: ChannelId::new("c"), root: None, post: PostId::new("p1") };
    let lines = vec![Choice { line: "uptime on wn1".to_owned(), alias: None, again: false }];
    let until = at(900);
    let mut batches = Vec::new();
    for number in 1..12 {
        batches.extend(life(number, &["wn1", "wn2"], Some(Status::Succeeded)));
    }
    batches.extend(life(12, &["wn1", "wn2"], None));
    batches.push(vec![taken(200), taken(201)]);
    batches.push(vec![
        dated(Fact::DeliverySent { delivery: DeliveryId::new("d3"), post: PostId::new("p3") }),
        dated(Fact::ChoiceOffered { user: UserId::new("u1"), back, lines, until }),
    ]);
    batches.push(newer_kinds());
    batches
}

/// The memory that facts come to.
fn folded<'f>(facts: impl IntoIterator<Item = &'f Dated>) -> Memory {
    let mut memory = Memory::default();
    facts.into_iter().for_each(|fact| memory.apply(fact).unwrap());
    memory
}

/// Hands a store the memory of these facts, and waits until it is written down.
async fn snapshot(store: &DiskStore, facts: &[Dated]) {
    let before = store.counters().snapshots;
    let newest = facts.len() as u64;
    store.snapshot(Snapshot { newest, at: facts[facts.len() - 1].at, memory: folded(facts) });
    let end = tokio::time::Instant::now() + crate::world::PATIENCE;
    while store.counters().snapshots == before {
        assert!(tokio::time::Instant::now() < end, "the snapshot is never written");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// For the recorded store: a snapshot of all, and a base for its beginning.
pub(super) async fn snapshot_and_retain(path: &Path) {
    let (store, _) = open(path).await;
    let facts = store.replay().await.unwrap();
    snapshot(&store, &facts).await;
    assert!(store.retain(at(60)).await.unwrap().facts > 0);
}

pub(super) fn lines(path: &Path) -> Vec<String> {
    export(path).collect::<Result<_, _>>().unwrap()
}

fn snapshots(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path.join("snapshots")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A copy of a store that nobody has open.
fn copied(store: &Path) -> tempfile::TempDir {
    let copy = directory();
    for part in ["log", "snapshots", "audit"] {
        fs::create_dir(copy.path().join(part)).unwrap();
        super::copy(&store.join(part), &copy.path().join(part));
    }
    copy
}

#[tokio::test]
async fn a_start_begins_with_the_newest_snapshot_that_is_good() {
    let original = directory();
    let batches = all_in_memory();
    let all: Vec<Dated> = batches.iter().flatten().cloned().collect();
    let (store, _) = open(original.path()).await;
    let mut marks = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        store.append(batch.clone()).await.unwrap();
        if [10, 30, 45].contains(&number) {
            let stored = store.newest();
            snapshot(&store, &all[..stored as usize]).await;
            marks.push(stored);
        }
    }
    drop(store);
    assert_eq!(snapshots(original.path()).len(), 2, "the two newest are kept");
    let (before, newest) = (marks[1], marks[2]);
    let flip = |place: usize| {
        move |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            let place = place.min(bytes.len() - 1);
            bytes[place] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    type Spoil = Box<dyn Fn(&[PathBuf])>;
    let cases: Vec<(&str, Spoil, u64, usize)> = vec![
        ("as they were", Box::new(|_| {}), newest, 0),
        (
            "the newest cut",
            Box::new(|files| fs::write(&files[1], &fs::read(&files[1]).unwrap()[..99]).unwrap()),
            before,
            1,
        ),
        ("the newest empty", Box::new(|files| fs::write(&files[1], []).unwrap()), before, 1),
        ("a bit in its header", Box::new(move |files| flip(17)(&files[1])), before, 1),
        ("a bit in its payload", Box::new(move |files| flip(usize::MAX)(&files[1])), before, 1),
        ("a later version", Box::new(|files| later_version(&files[1])), before, 1),
        ("both bad", Box::new(move |files| files.iter().for_each(|file| flip(40)(file))), 0, 2),
        ("none", Box::new(|files| files.iter().for_each(|file| fs::remove_file(file).unwrap())), 0, 0),
        (
            "one under way when the process died",
            Box::new(|files| fs::write(files[0].with_file_name("new.snapshot"), "half").unwrap()),
            newest,
            0,
        ),
        (
            "one of facts that are gone",
            Box::new(|files| {
                let later = files[1].with_file_name(format!("{:020}.snapshot", 5000));
                let mut bytes = fs::read(&files[1]).unwrap();
                bytes[16..24].copy_from_slice(&5000_u64.to_le_bytes());
                reseal(&mut bytes);
                fs::write(later, bytes).unwrap();
            }),
            newest,
            1,
        ),
        (
            "one of another log",
            Box::new(|files| {
                let mut bytes = fs::read(&files[1]).unwrap();
                bytes[24] ^= 1;
                reseal(&mut bytes);
                fs::write(&files[1], bytes).unwrap();
            }),
            before,
            1,
        ),
    ];
    let place = |word: u32| -> Spoil {
        Box::new(move |files| {
            let mut bytes = fs::read(&files[1]).unwrap();
            assert_ne!(bytes[28..32], [0; 4], "it does not say where its fact stands");
            bytes[28..32].copy_from_slice(&word.to_le_bytes());
            reseal(&mut bytes);
            fs::write(&files[1], bytes).unwrap();
        })
    };
    let cases = cases.into_iter().chain([
        ("one that does not know where its fact stands", place(0), newest, 0),
        ("one that is wrong about where its fact stands", place(777), newest, 0),
        ("one that takes it for beyond the end", place(u32::MAX), newest, 0),
    ]);
    for (name, spoil, from, notices) in cases {
        let copy = copied(original.path());
        spoil(&snapshots(copy.path()));
        for round in 0..2 {
            let (store, opened) = open(copy.path()).await;
            assert_eq!((opened.facts, opened.snapshot), (all.len() as u64, from), "{name}");
            let again = if name == "a later version" { 1 } else { 0 };
            assert_eq!(
                opened.snapshots.len(),
                if round == 0 { notices } else { again },
                "{name}: {:?}",
                opened.snapshots
            );
            let Recalled { snapshot, facts } = store.recall().await.unwrap();
            assert_eq!((snapshot.newest, facts.len() as u64), (from, all.len() as u64 - from), "{name}");
            let mut memory = snapshot.memory;
            facts.iter().for_each(|fact| memory.apply(fact).unwrap());
            assert_eq!(memory, folded(&all), "{name}");
            assert_eq!(store.replay().await.unwrap(), all, "{name}");
        }
    }
}

#[tokio::test]
async fn a_start_reads_nothing_of_the_log_that_its_snapshot_covers() {
    let original = directory();
    let all: Vec<Dated> = all_in_memory().into_iter().flatten().collect();
    let (store, _) = DiskStore::open(original.path()).await.unwrap();
    store.append(all.clone()).await.unwrap();
    snapshot(&store, &all).await;
    store.append(vec![taken(300)]).await.unwrap();
    drop(store);
    let [log] = &log_files(original.path())[..] else { panic!("the history fits into one file") };
    let mut bytes = fs::read(log).unwrap();
    bytes[..1000].fill(b'x');
    fs::write(log, bytes).unwrap();
    let (store, opened) = DiskStore::open(original.path()).await.unwrap();
    assert_eq!((opened.facts, opened.snapshot), (all.len() as u64 + 1, all.len() as u64));
    assert_eq!(store.recall().await.unwrap().facts, [taken(300)]);
    // Whoever wants all of it is told.
    assert!(matches!(store.replay().await, Err(StoreError::Damaged { offset: 0, .. })));
}

/// Puts a checksum right after a change that a program would have made, and not a disk.
fn reseal(bytes: &mut [u8]) {
    let checksum = crc32fast::hash(&bytes[8..]);
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
}

fn later_version(path: &Path) {
    let text = fs::read(path).unwrap();
    let at = text.windows(11).position(|window| window == b"\"version\":1").unwrap();
    let mut later = text;
    later[at + 10] = b'7';
    reseal(&mut later);
    fs::write(path, later).unwrap();
}

#[tokio::test]
async fn a_start_does_not_read_what_a_snapshot_covers() {
    let directory = directory();
    let (store, _) = open(directory.path()).await;
    let mut all = Vec::new();
    for number in 0..60 {
        let started = life(number, &[], None).remove(0);
        all.extend(started.clone());
        store.append(started).await.unwrap();
    }
    snapshot(&store, &all).await;
    store.append(vec![taken(300)]).await.unwrap();
    all.push(taken(300));
    drop(store);
    let files = log_files(directory.path());
    assert!(files.len() > 5);
    let mut bytes = fs::read(&files[1]).unwrap();
    bytes[40] ^= 1;
    fs::write(&files[1], &bytes).unwrap();
    let (store, opened) = open(directory.path()).await;
    assert_eq!((opened.facts, opened.snapshot, opened.notices()), (121, 120, vec![]));
    assert_eq!(store.recall().await.unwrap().facts, [taken(300)]);
    // Who looks up what is damaged is told so.
    assert!(matches!(store.find(&Query::Newest(100)).await, Err(StoreError::Damaged { .. })));
    assert_eq!(store.find(&Query::Newest(3)).await.unwrap().len(), 3);
    drop(store);
    // An index cannot be made of it, and the bot starts all the same.
    fs::rename(directory.path().join("index"), directory.path().join("away")).unwrap();
    let (store, opened) = open(directory.path()).await;
    assert!(matches!(opened.index, Origin::Missing { .. }), "{opened:?}");
    assert!(matches!(store.find(&Query::Newest(3)).await, Err(StoreError::Damaged { .. })));
    drop(store);
    // The damage is found where it matters: by an export, and by a start that needs all.
    assert!(export(directory.path()).any(|line| matches!(line, Err(StoreError::Damaged { .. }))));
    fs::remove_dir_all(directory.path().join("snapshots")).unwrap();
    assert!(matches!(try_open(directory.path(), SMALL).await, Err(StoreError::Damaged { .. })));
}

/// Stores an output, as a runner does, and gives what a fact says of it.
async fn piece(store: &DiskStore, text: &str) -> Captured {
    let mut writer = store.blobs().create().await.unwrap();
    writer.write(text.as_bytes()).await.unwrap();
    let blob = writer.finish().await.unwrap();
    Captured::Blob { blob, bytes: text.len() as u64, lines: 1, head: text.to_owned(), tail: String::new(), dropped: 0 }
}

fn blob(captured: &Captured) -> BlobId {
    match captured {
        Captured::Blob { blob, .. } => blob.clone(),
        Captured::Inline { .. } => panic!("it is kept inline"),
    }
}

/// An execution that begins at this second, with this output; one that does not end when `ends` is false.
fn with_output(number: u64, second: i64, stdout: Captured, ends: bool) -> Vec<Vec<Dated>> {
    let id = id_of(number, second);
    let request = Requested { id: id.clone(), ..crate::execution::asked("remote-shell-cmd", &["wn1", "wn2"]) };
    let dated = |fact| Dated { at: at(second), fact };
    let mut long = outcome(Exit::Code { code: 0 }, "", "");
    long.stdout = stdout;
    let mut batches = vec![
        vec![dated(Fact::ExecutionStarted(Box::new(request)))],
        vec![dated(Fact::HostFinished { id: id.clone(), host: Host::new("wn1"), outcome: Box::new(long) })],
    ];
    if ends {
        batches.push(vec![dated(Fact::ExecutionFinished { id, status: Status::Succeeded, error: None })]);
    }
    batches
}

fn id_of(number: u64, second: i64) -> ExecutionId {
    ExecutionId::generate(at(second), number)
}

async fn is_there(store: &DiskStore, output: &Captured) -> bool {
    store.blobs().read(&blob(output), 0, 1).await.is_ok()
}

/// Everything that `find` may say of a store in which these facts happened and what ended up to fact `removed` was removed.
async fn check_kept(store: &DiskStore, all: &[Dated], removed: u64) {
    let plain = MemoryStore::with(all.to_vec());
    let ended: Vec<&ExecutionId> = all[..removed as usize]
        .iter()
        .filter(|dated| matches!(dated.fact, Fact::ExecutionFinished { .. }))
        .filter_map(|dated| dated.fact.execution())
        .collect();
    for query in [
        Query::Newest(1000),
        Query::ById("6553f1".to_owned()),
        Query::Visible { limit: 1000, actions: vec!["*".to_owned()] },
    ] {
        let mut expected = plain.find(&query).await.unwrap();
        expected.retain(|execution| !ended.contains(&&execution.request.id));
        assert_eq!(store.find(&query).await.unwrap(), expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_is_old_goes_and_what_goes_on_stays() {
    let directory = directory();
    let (store, _) = open(directory.path()).await;
    let mut all: Vec<Dated> = Vec::new();
    let orphan = piece(&store, "no fact ever names this").await;
    let shared = piece(&store, "the same output twice").await;
    let live = piece(&store, "of the one that goes on").await;
    let mut old = Vec::new();
    let mut young = Vec::new();
    for number in 0..60 {
        let second = i64::try_from(number).unwrap() * 100;
        let stdout = match number {
            3 | 50 => shared.clone(),
            5 => live.clone(),
            _ => piece(&store, &format!("output {number}")).await,
        };
        if ![3, 5, 50].contains(&number) {
            if number < 29 {
                old.push(stdout.clone())
            } else if number > 31 {
                young.push(stdout.clone())
            }
        }
        for batch in with_output(number, second, stdout, number != 5) {
            all.extend(batch.clone());
            store.append(batch).await.unwrap();
        }
    }
    // What this process has just written is never swept, whatever refers to it.
    store.retain(at(0)).await.unwrap();
    assert!(is_there(&store, &orphan).await);
    drop(store);
    let (store, _) = open(directory.path()).await;
    let before = lines(directory.path());
    let files = log_files(directory.path()).len();
    let freed = store.retain(at(3_000)).await.unwrap();
    let removed = freed.facts;
    assert!(removed > 60 && log_files(directory.path()).len() < files, "{freed:?}");
    assert!(all[removed as usize - 1].at < at(3_000));
    assert!(freed.executions >= 25 && freed.outputs >= 25 && freed.bytes > 10_000, "{freed:?}");
    let check = async |store: &DiskStore| {
        check_kept(store, &all, removed).await;
        assert!(!is_there(store, &orphan).await);
        assert!(is_there(store, &shared).await, "a later execution refers to it");
        assert!(is_there(store, &live).await, "its execution goes on");
        for output in &young {
            assert!(is_there(store, output).await);
        }
    };
    check(&store).await;
    assert!(!is_there(&store, &old[0]).await && !is_there(&store, &old[20]).await);
    assert_eq!(store.retain(at(3_000)).await.unwrap(), Freed::default(), "there is nothing more to free");
    let kept = lines(directory.path());
    assert!(kept[0].starts_with("{\"base\":{\"sequence\":"), "{}", kept[0]);
    assert_eq!(kept[1..], before[removed as usize..]);
    check_memory(&store, &kept).await;

    // The one that goes on may end now.
    let end = Fact::ExecutionFinished { id: id_of(5, 500), status: Status::Succeeded, error: None };
    let mut more = all.clone();
    more.push(Dated { at: at(9_000), fact: end });
    store.append(more[all.len()..].to_vec()).await.unwrap();
    check_kept(&store, &more, removed).await;
    drop(store);
    // An index that has to be built again says the same.
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    let (store, opened) = open(directory.path()).await;
    assert_eq!((opened.facts, opened.index, opened.snapshot), (more.len() as u64, Origin::Made, removed));
    check_kept(&store, &more, removed).await;
    assert!(is_there(&store, &live).await);
    // It goes in its turn.
    let freed = store.retain(at(20_000)).await.unwrap();
    assert!(freed.facts > 0);
    let all_removed = removed + freed.facts;
    check_kept(&store, &more, all_removed).await;
}

#[tokio::test]
async fn outputs_may_go_before_their_executions() {
    let directory = directory();
    let (store, _) = open(directory.path()).await;
    let texts = ["old", "young", "old, written again", "of one that goes on"];
    let mut all = Vec::new();
    let mut outputs = Vec::new();
    for (text, number) in texts.iter().zip(0..) {
        let output = piece(&store, text).await;
        outputs.push(output.clone());
        for batch in with_output(number, i64::try_from(number).unwrap() * 100, output, number != 3) {
            all.extend(batch.clone());
            store.append(batch).await.unwrap();
        }
    }
    snapshot(&store, &all).await;
    drop(store);
    let month = Duration::from_hours(30 * 24);
    for output in [&outputs[0], &outputs[2], &outputs[3]] {
        let name = blob(output);
        let (shelf, rest) = name.as_str().split_at(2);
        let path = directory.path().join("blobs").join(shelf).join(rest);
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::from(halcyon::app::now()) - 2 * month).unwrap();
    }
    let (store, _) = open(directory.path()).await;
    assert_eq!(blob(&piece(&store, texts[2]).await), blob(&outputs[2]));
    drop(store);
    let (store, _) = open(directory.path()).await;
    let cutoff = halcyon::app::now().checked_sub(month).unwrap();
    let freed = store.shed(cutoff).await.unwrap();
    assert_eq!((freed.outputs, freed.facts, freed.executions), (1, 0, 0), "{freed:?}");
    for (output, kept) in outputs.iter().zip([false, true, true, true]) {
        assert_eq!(is_there(&store, output).await, kept, "{output:?}");
    }
    let gone = store.blobs().read(&blob(&outputs[0]), 0, 1).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotKept), "{gone}");
    check_kept(&store, &all, 0).await;
    assert_eq!(store.shed(cutoff).await.unwrap(), Freed::default());
}

#[tokio::test]
async fn removing_what_is_old_may_be_cut_off_anywhere() {
    let original = directory();
    let (store, _) = open(original.path()).await;
    let mut all: Vec<Dated> = Vec::new();
    for number in 0..30 {
        let stdout = Captured::Inline { text: format!("output {number}") };
        for batch in with_output(number, i64::try_from(number).unwrap() * 100, stdout, number % 7 != 0) {
            all.extend(batch.clone());
            store.append(batch).await.unwrap();
        }
    }
    drop(store);
    let done = copied(original.path());
    let (store, _) = open(done.path()).await;
    let removed = store.retain(at(1_500)).await.unwrap().facts;
    drop(store);
    let base = snapshots(done.path()).pop().unwrap();
    let gone: Vec<PathBuf> = log_files(original.path())
        .into_iter()
        .filter(|file| !done.path().join("log").join(file.file_name().unwrap()).exists())
        .collect();
    assert!(gone.len() > 3, "{gone:?}");
    // The base is there, and the first so many files are gone.
    for count in 0..=gone.len() {
        for index in [false, true] {
            let copy = copied(original.path());
            if index {
                // As it was before anything was removed.
                fs::create_dir(copy.path().join("index")).unwrap();
                super::copy(&original.path().join("index"), &copy.path().join("index"));
            }
            fs::copy(&base, copy.path().join("snapshots").join(base.file_name().unwrap())).unwrap();
            for file in &gone[..count] {
                fs::remove_file(copy.path().join("log").join(file.file_name().unwrap())).unwrap();
            }
            let (store, opened) = open(copy.path()).await;
            assert_eq!((opened.facts, opened.snapshot), (all.len() as u64, removed), "{count}");
            assert_eq!(opened.notices(), Vec::<String>::new());
            check_kept(&store, &all, removed).await;
            assert_eq!(lines(copy.path()), lines(done.path()));
            store.retain(at(1_500)).await.unwrap();
            assert_eq!(log_files(copy.path()).len(), log_files(done.path()).len());
            check_kept(&store, &all, removed).await;
        }
    }
    // Without the base the rest is worth nothing, and is not taken for all there was.
    fs::remove_file(done.path().join("snapshots").join(base.file_name().unwrap())).unwrap();
    assert!(matches!(try_open(done.path(), SMALL).await, Err(StoreError::Damaged { .. })));
    assert!(export(done.path()).any(|line| line.is_err()));
}

/// The bytes that a directory takes on the disk.
fn taken_on_disk(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let sizes = entries.map(|entry| match entry.metadata().unwrap() {
        file if file.is_dir() => taken_on_disk(&entry.path()),
        file => file.blocks() * 512,
    });
    sizes.sum()
}

#[tokio::test]
async fn after_removing_the_store_takes_at_most_twice_what_is_live() {
    let directory = directory();
    let (store, _) = try_open(directory.path(), Options::default()).await.unwrap();
    // As a site would: a card, output of a few hosts, an end, each its own turn.
    let text = "x".repeat(700);
    let mut facts = Vec::new();
    for number in 0..6_000 {
        let second = i64::try_from(number).unwrap() * 10;
        let stdout = Captured::Inline { text: text.clone() };
        let delivery = Delivery {
            id: DeliveryId::new(format!("d{number}")),
            channel: ChannelId::new("c"),
            body: Body::Post { root: None, text: text.clone(), files: vec![] },
        };
        facts.push(Dated { at: at(second), fact: Fact::DeliveryIntended(delivery.clone()) });
        facts.extend(with_output(number, second, stdout, true).into_iter().flatten());
        facts
            .push(Dated { at: at(second), fact: Fact::DeliverySent { delivery: delivery.id, post: PostId::new("p") } });
        if facts.len() > 50 {
            store.append(std::mem::take(&mut facts)).await.unwrap();
        }
    }
    store.append(facts).await.unwrap();
    drop(store);
    let (store, _) = try_open(directory.path(), Options::default()).await.unwrap();
    let freed = store.retain(at(40_000)).await.unwrap();
    assert!(freed.facts > 15_000, "{freed:?}");
    drop(store);
    let live: usize = lines(directory.path()).iter().map(|line| line.len() + 1).sum();
    let parts = ["log", "index", "snapshots", "blobs"].map(|part| taken_on_disk(&directory.path().join(part)));
    // The audit is kept on purpose.
    let after = taken_on_disk(directory.path()) - taken_on_disk(&directory.path().join("audit"));
    assert!(after <= 2 * live as u64, "{after} bytes for {live} live ones: log, index, snapshots, blobs {parts:?}");
}

#[tokio::test]
async fn an_export_fills_an_empty_store_and_only_that() {
    let original = directory();
    for retained in [false, true] {
        if retained {
            snapshot_and_retain(original.path()).await;
        } else {
            super::filled(original.path(), &all_in_memory()).await;
        }
        let exported = lines(original.path());
        let text = exported.join("\n") + "\n";
        let target = directory();
        let path = target.path().join("store");
        let count = import(&path, text.as_bytes()).await.unwrap();
        assert_eq!(count as usize, exported.len() - usize::from(retained));
        assert!(lines(&path) == exported, "an export of the import is another");
        let again = import(&path, text.as_bytes()).await;
        assert!(matches!(again, Err(ImportError::NotEmpty(_))), "{again:?}");
        let (store, opened) = open(&path).await;
        assert_eq!(opened.notices(), Vec::<String>::new());
        let (first, _) = open(original.path()).await;
        let newest = Query::Newest(100);
        assert_eq!(store.find(&newest).await.unwrap(), first.find(&newest).await.unwrap());
        check_memory(&store, &exported).await;
        let busy = import(&path, text.as_bytes()).await;
        assert!(matches!(busy, Err(ImportError::Store(StoreError::InUse { .. }))), "{busy:?}");
        store.append(vec![taken(1)]).await.unwrap();
        drop(store);
        assert_eq!(lines(&path).len(), exported.len() + 1);

        // A store that was opened and never used is empty; what is not an export leaves it so.
        let unused = directory();
        drop(open(unused.path()).await);
        let wrong = [
            ("not JSON", exported[1..].join("\n"), 1),
            ("a gap", [&exported[..2], &exported[3..]].concat().join("\n"), 3),
            ("cut", text[..text.len() - 20].to_owned(), exported.len() as u64),
            ("another version", text.replacen("\"version\":1", "\"version\":9", 1), u64::from(retained)),
        ];
        for (name, text, line) in wrong.into_iter().filter(|(.., line)| *line > 0) {
            let refused = import(unused.path(), text.as_bytes()).await;
            assert!(matches!(refused, Err(ImportError::Line { line: at, .. }) if at == line), "{name}: {refused:?}");
            assert_eq!(lines(unused.path()), Vec::<String>::new(), "{name}");
        }
        import(unused.path(), text.as_bytes()).await.unwrap();
        assert!(lines(unused.path()) == exported);
    }
}

#[tokio::test]
async fn a_file_that_begins_badly_is_told_of_and_what_is_before_it_goes() {
    for (what, byte) in [("its length", 0), ("its record", 40)] {
        let directory = directory();
        let (store, _) = open(directory.path()).await;
        for number in 0..60 {
            let stdout = piece(&store, &format!("output {number}")).await;
            for batch in with_output(number, i64::try_from(number).unwrap() * 100, stdout, true) {
                store.append(batch).await.unwrap();
            }
        }
        let facts = store.replay().await.unwrap();
        snapshot(&store, &facts).await;
        drop(store);
        let files = log_files(directory.path());
        let bad = files[files.len() / 2].clone();
        let mut bytes = fs::read(&bad).unwrap();
        bytes[byte..byte + 4].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(&bad, &bytes).unwrap();
        let (store, opened) = open(directory.path()).await;
        assert_eq!(opened.facts, facts.len() as u64, "{what}: the start does not need it");
        for time in ["first", "second"] {
            let told = store.retain(at(5_900)).await;
            assert!(matches!(&told, Err(StoreError::Damaged { path, .. }) if *path == bad), "{what}, {time}: {told:?}");
            assert_eq!(log_files(directory.path())[0], bad, "{what}, {time}: what is before it has gone");
        }
        // The facts after it are as they were.
        store.append(vec![taken(900)]).await.unwrap();
        drop(store);
        let (_, opened) = open(directory.path()).await;
        assert_eq!(opened.facts, facts.len() as u64 + 1, "{what}");
    }
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_nothing_else_is() {
    let directory = directory();
    super::filled(directory.path(), &all_in_memory()).await;
    let content = fs::read(&log_files(directory.path())[1]).unwrap();
    let (store, opened, aside) = again(directory.path()).await;
    assert!(opened.facts > 10 && aside.is_none(), "{aside:?}");
    // One that is in use is left alone.
    let busy = DiskStore::open_or_set_aside(directory.path(), SMALL).await.map(|_| ());
    assert!(matches!(busy, Err(StoreError::InUse { .. })), "{busy:?}");
    drop(store);

    let mut bytes = content.clone();
    bytes[50] ^= 1;
    fs::write(&log_files(directory.path())[1], &bytes).unwrap();
    let (store, opened, aside) = again(directory.path()).await;
    let aside = aside.unwrap();
    assert_eq!(opened.facts, 0);
    assert!(aside.why.as_ref().unwrap().contains("is damaged at byte"), "{aside:?}");
    assert_eq!(fs::read(&log_files(&aside.place)[1]).unwrap(), bytes, "it is there as it was");
    // Until the first fact is stored it is said again: the process may have died before it could freeze.
    drop(store);
    let (store, _, said) = again(directory.path()).await;
    let said = said.unwrap();
    assert_eq!((said.place, said.why), (aside.place, None));
    store.append(vec![Dated { at: at(0), fact: Fact::Unfrozen { by: somebody(), from: None } }]).await.unwrap();
    drop(store);
    let (_, opened, aside) = again(directory.path()).await;
    assert_eq!((opened.facts, aside), (1, None));
}

async fn again(
    path: &Path,
) -> (DiskStore, halcyon::adapters::store::Opened, Option<halcyon::adapters::store::SetAside>) {
    let end = tokio::time::Instant::now() + crate::world::PATIENCE;
    loop {
        match DiskStore::open_or_set_aside(path, SMALL).await {
            Err(StoreError::InUse { .. }) if tokio::time::Instant::now() < end => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}
