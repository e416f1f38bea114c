//! Every way in which a file of the log can be cut or damaged, and processes that are killed.

use super::{SMALL, check_index, directory, filled, life, log_files, open, taken, try_open};
use crate::execution::at;
use halcyon::adapters::store::{DiskStore, Origin, export};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ChannelId, UserId};
use halcyon::runtime::ports::{Store, StoreError};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// A short fact, so that a log with every byte cut off once is soon done.
fn short(number: i64) -> Dated {
    Dated { at: at(number), fact: Fact::ChoiceClosed { user: UserId::new("u"), channel: ChannelId::new("c") } }
}

/// The last one is of two records, so that damage to its first has a good record behind it.
fn batches() -> Vec<Vec<Dated>> {
    vec![vec![short(1)], vec![short(2)], vec![short(3), short(4)]]
}

/// The log of [`batches`] without the room behind its end, and where its batches end.
async fn small_log() -> (Vec<u8>, Vec<usize>) {
    let directory = directory();
    let mut ends = vec![0];
    for batch in batches() {
        filled(directory.path(), &[batch]).await;
        ends.push(content(directory.path()).len());
    }
    (content(directory.path()), ends)
}

fn content(store: &Path) -> Vec<u8> {
    let mut bytes = fs::read(&log_files(store)[0]).unwrap();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// With the room that is kept behind the end.
fn with_room(log: &[u8]) -> Vec<u8> {
    let mut bytes = log.to_vec();
    bytes.resize(usize::try_from(SMALL.file_bytes).unwrap(), 0);
    bytes
}

/// What became of a store: its facts and whether something was cut off, or that it is damaged.
type Found = Option<(Vec<Dated>, bool)>;

/// Opens a store whose log is these bytes. When it is to `go_on`, its facts must stay what they are when more are appended.
async fn reopened(bytes: Vec<u8>, go_on: bool) -> Found {
    let directory = directory();
    fs::create_dir(directory.path().join("log")).unwrap();
    let file = directory.path().join("log").join("00000000000000000001.facts");
    fs::write(&file, &bytes).unwrap();
    let exported: Result<Vec<_>, _> = export(directory.path()).collect();
    let (store, opened) = match DiskStore::open_with(directory.path(), SMALL).await {
        Ok(opened) => opened,
        Err(StoreError::Damaged { .. }) => {
            assert!(matches!(exported, Err(StoreError::Damaged { .. })), "exported from a damaged log: {exported:?}");
            assert!(fs::read(file).unwrap() == bytes, "a damaged log has been changed");
            return None;
        }
        Err(other) => panic!("{other}"),
    };
    let facts = store.replay().await.unwrap();
    assert_eq!(exported.unwrap().len(), facts.len());
    let found = Some((facts.clone(), opened.cut.is_some()));
    if !go_on {
        return found;
    }
    store.append(vec![taken(1), taken(2)]).await.unwrap();
    drop(store);
    let (store, again) = open(directory.path()).await;
    assert_eq!(again.cut, None, "the cut has not been made good");
    let more: Vec<_> = facts.iter().cloned().chain([taken(1), taken(2)]).collect();
    assert_eq!(store.replay().await.unwrap(), more);
    found
}

/// Opens a store for each case, some at a time, and compares what became of it with one of the outcomes allowed.
async fn check(cases: Vec<(String, Vec<u8>, Vec<Found>)>) {
    let mut running = tokio::task::JoinSet::new();
    for (number, (name, bytes, allowed)) in cases.into_iter().enumerate() {
        if running.len() >= 16 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(async move {
            // A prime, so that all kinds of cases are among those that go on.
            let found = reopened(bytes, number % 5 == 0).await;
            assert!(allowed.contains(&found), "{name}: {found:#?} instead of {allowed:#?}");
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

/// The facts of the first so many batches.
fn first(count: usize) -> Vec<Dated> {
    batches().into_iter().take(count).flatten().collect()
}

#[tokio::test]
async fn a_log_cut_anywhere_is_a_prefix_of_whole_batches() {
    let (log, ends) = small_log().await;
    let mut cases = Vec::new();
    for cut in 0..=log.len() {
        let whole = ends.iter().rposition(|end| *end <= cut).unwrap();
        let expected = vec![Some((first(whole), cut != ends[whole]))];
        cases.push((format!("cut at {cut}"), log[..cut].to_vec(), expected.clone()));
        cases.push((format!("nothing but zeros from {cut}"), with_room(&log[..cut]), expected));
    }
    check(cases).await;
}

#[tokio::test]
async fn a_changed_byte_is_never_a_changed_fact() {
    let (log, ends) = small_log().await;
    let last = batches().len() - 1;
    let record = (log.len() - ends[last]) / 2;
    let mut cases = Vec::new();
    for place in 0..log.len() {
        for change in [1 << (place % 8), 0xFF] {
            let mut bytes = with_room(&log);
            bytes[place] ^= change;
            let allowed = if place < ends[last] {
                // What comes later proves that this had been acknowledged.
                vec![None]
            } else if (place - ends[last]) % record == 3 {
                // It may look like a record of a later version, which is not ours to cut.
                vec![None, Some((first(last), true))]
            } else {
                vec![Some((first(last), true))]
            };
            cases.push((format!("byte {place} changed by {change:#x}"), bytes, allowed));
        }
    }
    for place in log.len()..log.len() + 40 {
        let mut bytes = with_room(&log);
        bytes[place] = 1;
        cases.push((format!("rubbish at {place} behind the end"), bytes, vec![Some((first(last + 1), true))]));
    }
    for (from, to) in [(ends[0], ends[1]), (ends[1], ends[2]), (ends[0], ends[2])] {
        let mut zeroed = log.clone();
        zeroed[from..to].fill(0);
        cases.push((format!("zeros from {from} to {to}"), zeroed, vec![None]));
        let removed = [&log[..from], &log[to..]].concat();
        cases.push((format!("nothing from {from} to {to}"), removed, vec![None]));
    }
    let twice = [log.as_slice(), &log[ends[last]..]].concat();
    cases.push(("the last batch twice".to_owned(), twice, vec![Some((first(last + 1), true))]));
    check(cases).await;
}

#[tokio::test]
async fn all_files_of_the_log_must_be_there_and_whole() {
    let batches: Vec<_> = (0..12).flat_map(|number| life(number, &["wn1"], None)).collect();
    let spoilt = |spoil: fn(&[std::path::PathBuf])| {
        let batches = batches.clone();
        async move {
            let directory = directory();
            filled(directory.path(), &batches).await;
            let files = log_files(directory.path());
            assert!(files.len() > 4, "{files:?}");
            spoil(&files);
            let exported: Result<Vec<_>, _> = export(directory.path()).collect();
            let opened = try_open(directory.path(), SMALL).await.map(|(store, opened)| (store.newest(), opened));
            (exported.map(|lines| lines.len()), opened)
        }
    };
    let count: usize = batches.iter().map(Vec::len).sum();
    let damages: [fn(&[std::path::PathBuf]); 5] = [
        |files| fs::remove_file(&files[0]).unwrap(),
        |files| fs::remove_file(&files[2]).unwrap(),
        |files| fs::write(&files[2], []).unwrap(),
        |files| fs::File::options().write(true).open(&files[2]).unwrap().set_len(300).unwrap(),
        |files| fs::rename(&files[2], files[2].with_file_name("00000000000000000003.facts")).unwrap(),
    ];
    for (number, spoil) in damages.into_iter().enumerate() {
        let (exported, opened) = spoilt(spoil).await;
        assert!(matches!(exported, Err(StoreError::Damaged { .. })), "{number}: {exported:?}");
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{number}: {opened:?}");
    }
    let (exported, opened) = spoilt(|files| {
        // Begun and not used when the process died, and what others put there.
        let next = files[0].with_file_name(format!("{:020}.facts", 37));
        fs::write(next, [0; 2048]).unwrap();
        fs::write(files[0].with_file_name("notes.txt"), "mine").unwrap();
    })
    .await;
    assert_eq!(count, 36);
    assert_eq!((exported.unwrap(), opened.unwrap().0), (36, 36));
}

/// What a child of this test binary is told to do, if this is one.
pub(super) const CHILD: &str = "HALCYON_STORE_CHILD";

/// This test binary once more, running only this test, in which [`CHILD`] is set.
pub(super) fn child(test: &str, store: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, store);
    command
}

const WRITERS: u64 = 4;

/// Appends pairs of facts without end and says of each when it has been acknowledged.
async fn append_for_ever(store: &Path) {
    let (store, _) = open(store).await;
    let store = std::sync::Arc::new(store);
    let begun = store.newest();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = std::sync::Arc::clone(&store);
        writers.spawn(async move {
            for pair in 0.. {
                let number = ((begun + pair) * WRITERS + writer) * 2;
                store.append(vec![taken(number), taken(number + 1)]).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {number}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    writers.join_next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kill_nine() {
    if let Some(store) = std::env::var_os(CHILD) {
        return append_for_ever(Path::new(&store)).await;
    }
    let directory = directory();
    let mut acknowledged = Vec::new();
    for wanted in [1, 2, 30, 5, 250, 90] {
        let mut child = child("store::crash::what_was_acknowledged_outlives_kill_nine", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged.push(number.parse::<u64>().unwrap());
                heard += 1;
                if heard == wanted {
                    // What it says before it is dead counts as well.
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(heard >= wanted, "the child ended by itself");

        let (store, _) = open(directory.path()).await;
        let facts = store.replay().await.unwrap();
        let mut numbers = Vec::new();
        for pair in facts.chunks(2) {
            let number: u64 = match &pair[0].fact {
                Fact::PostTaken { post, .. } => post.as_str()["post".len()..].parse().unwrap(),
                other => panic!("{other:?}"),
            };
            assert_eq!(pair, [taken(number), taken(number + 1)], "half a batch");
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|two| two[0] < two[1]), "a batch is there twice");
        for number in &acknowledged {
            assert!(numbers.binary_search(number).is_ok(), "{number} was acknowledged and is gone");
        }
    }
}

/// A batch of a quarter of a megabyte.
fn large(number: i64) -> Vec<Dated> {
    let delivery = halcyon::core::id::DeliveryId::new("d");
    vec![Dated { at: at(number), fact: Fact::DeliveryRefused { delivery, why: "x".repeat(256 << 10) } }, short(number)]
}

/// Lets files grow to so many bytes and no further, which is met like a full disk: in the middle of a write.
fn limit(bytes: Option<u64>) {
    let maximum = rustix::process::getrlimit(rustix::process::Resource::Fsize).maximum;
    let limit = rustix::process::Rlimit { current: bytes.or(maximum), maximum };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
}

/// What the log's files say to another process: exactly this, with nothing to be cut off.
async fn check_files(store: &Path, stored: &[Dated]) {
    let other = directory();
    fs::create_dir(other.path().join("log")).unwrap();
    for file in log_files(store) {
        fs::copy(&file, other.path().join("log").join(file.file_name().unwrap())).unwrap();
    }
    let (store, opened) = open(other.path()).await;
    assert_eq!(opened.cut, None);
    assert_eq!(store.replay().await.unwrap(), stored);
}

async fn meet_a_full_disk(path: &Path) {
    let options =
        halcyon::adapters::store::Options { file_bytes: 4 << 20, first_file_bytes: 4 << 20, ..Default::default() };
    // SIGXFSZ comes with the error and would end the process.
    let _caught = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(25)).unwrap();
    let (store, _) = DiskStore::open_with(path, options).await.unwrap();
    let mut stored = Vec::new();
    let mut refused = 0;
    // First in the middle of a file, then where the next one would begin.
    for (room, until) in [(3 << 20, 13), (3 << 20, 30)] {
        limit(Some(room));
        for number in 0.. {
            match store.append(large(number)).await {
                Ok(()) => stored.extend(large(number)),
                Err(StoreError::Io { source, .. }) => {
                    assert_eq!(source.raw_os_error(), Some(rustix::io::Errno::FBIG.raw_os_error()), "{source}");
                    break;
                }
                Err(other) => panic!("{other}"),
            }
            assert!(number < 100, "the disk never gets full");
        }
        refused += 1;
        assert_eq!(store.replay().await.unwrap(), stored);
        assert!(store.append(large(0)).await.is_err(), "it is still full");
        refused += 1;
        store.append(vec![short(7)]).await.map(|()| stored.push(short(7))).unwrap_or_else(|_| refused += 1);
        assert_eq!(store.replay().await.unwrap(), stored);
        limit(None);
        check_files(path, &stored).await;
        store.append(vec![short(8)]).await.unwrap();
        stored.push(short(8));
        check_files(path, &stored).await;
        while store.newest() < until * 2 {
            store.append(large(1)).await.unwrap();
            stored.extend(large(1));
        }
        assert_eq!(store.replay().await.unwrap(), stored);
    }
    assert_eq!(store.counters().refused, refused);
    let started = life(1, &["wn1"], None).remove(0);
    store.append(started.clone()).await.unwrap();
    stored.extend(started);
    drop(store);

    // No room for the index: the facts are there all the same, and the index comes when there is room.
    fs::remove_dir_all(path.join("index")).unwrap();
    limit(Some(0));
    let (store, opened) = DiskStore::open_with(path, options).await.unwrap();
    assert!(matches!(opened.index, Origin::Missing { .. }), "{opened:?}");
    assert_eq!(opened.notices().len(), 1);
    assert_eq!(store.replay().await.unwrap(), stored);
    let newest = halcyon::core::effect::Query::Newest(9);
    assert!(matches!(store.find(&newest).await, Err(StoreError::Index(_) | StoreError::Io { .. })));
    limit(None);
    // An index that could not be finished leaves nothing out afterwards.
    let (file, away) = (log_files(path).remove(0), path.join("away"));
    fs::rename(&file, &away).unwrap();
    assert!(matches!(store.find(&newest).await, Err(StoreError::Damaged { .. })));
    for batch in life(2, &["wn1"], None) {
        store.append(batch).await.unwrap();
    }
    fs::rename(&away, &file).unwrap();
    assert_eq!(store.find(&newest).await.unwrap().len(), 2);
    check_index(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_loses_nothing() {
    if let Some(store) = std::env::var_os(CHILD) {
        return meet_a_full_disk(Path::new(&store)).await;
    }
    let directory = directory();
    let ended = child("store::crash::a_full_disk_refuses_and_loses_nothing", directory.path()).output().unwrap();
    assert!(
        ended.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
}
