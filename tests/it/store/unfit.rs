//! Bytes that are as they were written, and of which no memory can be made all the same: those of another version, and facts that are none or
//! cannot be true one after the other.

use super::{directory, filled, life, log_files, taken};
use crate::execution::outcome;
use halcyon::adapters::store::{DiskStore, Options, export};
use halcyon::core::action::run::Exit;
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::Host;
use halcyon::runtime::ports::{Store, StoreError};
use std::fs;
use std::path::Path;

/// Writes the record with this number anew, with another version and payload and a right checksum.
fn rewrite(log: &Path, number: u64, version: u8, change: impl Fn(&str) -> String) {
    let bytes = fs::read(log).unwrap();
    let (mut rest, mut written) = (&bytes[..], Vec::new());
    while rest.len() > 32 && rest[0] == 0xFF {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (mut record, after) = (rest[..32 + length].to_vec(), &rest[32 + length..]);
        if u64::from_le_bytes(record[16..24].try_into().unwrap()) == number {
            let payload = change(std::str::from_utf8(&record[32..]).unwrap());
            record.truncate(32);
            record.extend_from_slice(payload.as_bytes());
            record[3] = version;
            record[8..12].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
            let checksum = crc32fast::hash(&record[8..]);
            record[4..8].copy_from_slice(&checksum.to_le_bytes());
        }
        written.append(&mut record);
        rest = after;
    }
    fs::write(log, written).unwrap();
}

/// Whether a file of the log has what it had, whatever room was set aside behind that.
fn is_still(file: &Path, log: &[u8]) -> bool {
    fs::read(file).unwrap().strip_prefix(log).is_some_and(|room| room.iter().all(|byte| *byte == 0))
}

/// What becomes of a store.
#[derive(Clone, Copy)]
enum Becomes {
    /// Nothing: another version can go on with it.
    Left,
    /// It is moved out of the way, and the start begins anew.
    SetAside,
}

/// Opens a store that was spoilt as a bot does, and expects this to be said of it.
async fn check(name: &str, spoil: impl Fn(&Path), becomes: Becomes, said: &str) {
    // What is derived of the facts may be there or not.
    for derived in [true, false] {
        let directory = directory();
        let path = directory.path();
        filled(path, &[vec![taken(1)], vec![taken(2)], vec![taken(3)]]).await;
        spoil(path);
        if !derived {
            fs::remove_dir_all(path.join("index")).unwrap();
            fs::remove_dir_all(path.join("audit")).unwrap();
        }
        let log = fs::read(&log_files(path)[0]).unwrap();
        let end = tokio::time::Instant::now() + crate::world::PATIENCE;
        let found = loop {
            match DiskStore::open_or_set_aside(path, Options::default()).await {
                Err(StoreError::InUse { .. }) if tokio::time::Instant::now() < end => tokio::task::yield_now().await,
                found => break found,
            }
        };
        match (becomes, found) {
            (Becomes::Left, Err(problem @ StoreError::Version { .. })) => {
                assert!(problem.to_string().contains(said), "{name}: {problem}");
                assert!(is_still(&log_files(path)[0], &log), "{name}: the log has been changed");
                let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
                let moved = entries.filter(|entry| entry.to_string_lossy().contains("damaged")).count();
                assert_eq!(moved, 0, "{name}");
                let exported = export(path).find_map(Result::err);
                assert!(matches!(exported, Some(StoreError::Version { .. })), "{name}: {exported:?}");
            }
            (Becomes::SetAside, Ok((store, opened, Some(aside)))) => {
                let why = aside.why.unwrap();
                assert!(why.contains(said) && why.contains("is damaged at byte"), "{name}: {why}");
                assert_eq!((opened.facts, store.recall().await.unwrap().facts), (0, vec![]), "{name}");
                assert!(is_still(&log_files(&aside.place)[0], &log), "{name}: it is there as it was");
            }
            (_, found) => panic!("{name}: {:?}", found.map(|(_, opened, aside)| (opened, aside))),
        }
    }
}

#[tokio::test]
async fn what_no_memory_can_be_made_of_is_set_aside_and_another_version_is_left_alone() {
    let log = |path: &Path| log_files(path).remove(0);
    let same = |payload: &str| payload.to_owned();
    check(
        "a later version",
        |path| rewrite(&log(path), 3, 2, |_| "{}".to_owned()),
        Becomes::Left,
        "record 3 has version 2",
    )
    .await;
    check(
        "all of a later version",
        |path| (1..=3).for_each(|number| rewrite(&log(path), number, 2, |_| "{}".to_owned())),
        Becomes::Left,
        "record 1 has version 2",
    )
    .await;
    let newer = |payload: &str| payload.replace("post-taken", "post-praised");
    check(
        "a later kind",
        |path| rewrite(&log(path), 2, 1, newer),
        Becomes::Left,
        "fact 2 has an unknown variant `post-praised`",
    )
    .await;
    check("a changed version", |path| rewrite(&log(path), 3, 2, same), Becomes::SetAside, "record 3 has version 2")
        .await;
    let changed = |path: &Path| rewrite(&log(path), 2, 9, |_| "{}".to_owned());
    check("a changed version before others", changed, Becomes::SetAside, "record 2 has version 9").await;
    let none = |payload: &str| payload.replace("\"post\":", "\"toast\":");
    check("no fact", |path| rewrite(&log(path), 2, 1, none), Becomes::SetAside, "fact 2 makes no sense").await;
    check("no JSON", |path| rewrite(&log(path), 3, 1, |_| "{".to_owned()), Becomes::SetAside, "fact 3 makes no sense")
        .await;

    let Fact::ExecutionStarted(request) = life(7, &["wn1"], None).remove(0).remove(0).fact else { panic!("it starts") };
    let never = Fact::HostFinished {
        id: request.id,
        host: Host::new("wn1"),
        outcome: Box::new(outcome(Exit::Code { code: 0 }, "", "")),
    };
    let text = serde_json::to_string(&Dated { fact: never, ..taken(1) }).unwrap();
    let untrue = |path: &Path| rewrite(&log(path), 2, 1, |_| text.clone());
    check("untrue", untrue, Becomes::SetAside, "fact 2 contradicts those before it").await;
}
