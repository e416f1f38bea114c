//! The store: what was acknowledged is there, whatever happens to the process, the disk and the files.

mod crash;

use crate::execution::{asked, at, outcome, somebody};
use halcyon::adapters::store::{Cut, DiskStore, MemoryBlobs, MemoryStore, Opened, Options, Origin, export};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::{Captured, Exit};
use halcyon::core::effect::{Body, Delivery, Query};
use halcyon::core::fact::{Choice, Dated, Fact};
use halcyon::core::id::{AliasRef, BlobId, ChannelId, DeliveryId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::Back;
use halcyon::runtime::ports::{BlobWriter, Blobs, Store, StoreError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A directory on a real disk rather than in memory, so that syncs mean something.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Small files, so that tests see several.
const SMALL: Options = Options { file_bytes: 2048 };

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
        let outcome = outcome(Exit::Code { code: 0 }, "out", "");
        batches.push(vec![dated(second, Fact::HostFinished { id: id.clone(), host: Host::new(*host), outcome })]);
    }
    if end == Some(Status::Canceled) {
        batches.push(vec![dated(8, Fact::CancelAsked { id: id.clone(), by: somebody() })]);
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
    let lines = vec![Choice { line: "uptime on wn1".to_owned(), alias: Some(AliasRef::new("site.uptime")) }];
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
        dated(Fact::HostFinished { id: id.clone(), host: Host::new("localhost"), outcome: long }),
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

async fn open(path: &Path) -> (DiskStore, Opened) {
    DiskStore::open_with(path, SMALL).await.unwrap()
}

/// A store with these batches, closed.
async fn filled(path: &Path, batches: &[Vec<Dated>]) {
    let (store, _) = open(path).await;
    for batch in batches {
        store.append(batch.clone()).await.unwrap();
    }
}

fn log_files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
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
