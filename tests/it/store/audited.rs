//! The audit on disk: for every prefix of a log it is right after the store is opened again, whatever of its own files was lost meanwhile.

use super::crash::{CHILD, child};
use super::{SMALL, directory, filled, keeping, life, open, try_open};
use crate::audit::deeds;
use crate::execution::at;
use halcyon::adapters::store::{DiskStore, Opened, cut_audit, cut_audit_at, export_audit, verify_audit};
use halcyon::core::action::execution::Status;
use halcyon::core::audit::chain::{Head, Parts, Verdict};
use halcyon::core::audit::question::{Question, Told, answer, derive};
use halcyon::core::audit::{Event, Filter};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::input::Principal;
use halcyon::core::memory::Memory;
use halcyon::runtime::ports::{Snapshot, Store, StoreError};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn exported(path: &Path) -> Vec<String> {
    export_audit(path, 1).collect::<Result<_, _>>().unwrap()
}

fn verified(path: &Path) -> Verdict {
    verify_audit(path, vec![]).unwrap()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path.join("audit")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What the store says to this question.
async fn ask(store: &DiskStore, question: Question) -> Told {
    store.audit(&question).await.unwrap()
}

async fn head(store: &DiskStore) -> Head {
    match ask(store, Question::Head).await {
        Told::Head { head } => head,
        other => panic!("{other:?}"),
    }
}

fn head_of(line: &str) -> Head {
    Parts::of(line).unwrap().head().unwrap()
}

/// Batches of all kinds of deeds between executions.
fn batches() -> Vec<Vec<Dated>> {
    let deeds = deeds().into_iter().map(|dated| vec![dated]);
    life(1, &["wn1", "wn2"], Some(Status::Canceled))
        .into_iter()
        .chain(deeds)
        .chain(life(2, &["wn1"], Some(Status::Succeeded)))
        .collect()
}

#[tokio::test]
async fn after_every_batch_the_audit_is_what_the_facts_say() {
    let directory = directory();
    let mut facts = Vec::new();
    for batch in batches() {
        let (store, opened) = open(directory.path()).await;
        assert_eq!((opened.audit.clone(), opened.audit_aside), (None, None));
        store.append(batch.clone()).await.unwrap();
        facts.extend(batch);
        let lines = derive(&facts);
        assert_eq!(head(&store).await, lines.last().map(|line| head_of(line)).unwrap_or_default());
        assert_eq!(exported(directory.path()), lines);
        for question in [
            Question::Newest { most: 3, filter: Filter::default() },
            Question::Newest { most: 100, filter: Filter { who: Some("lead".into()), ..Filter::default() } },
            Question::Verify { known: vec![] },
        ] {
            assert_eq!(ask(&store, question.clone()).await, answer(&lines, &question), "{question:?}");
        }
    }
    assert!(verified(directory.path()).is_sound());
    assert_eq!(export_audit(directory.path(), 9).count(), derive(&facts).len() - 8);
}

/// What may be left of the audit's file by a crash: any beginning of it, also with the room behind it.
#[tokio::test]
async fn what_a_crash_takes_of_it_is_made_again() {
    let original = directory();
    let batches = batches();
    let facts: Vec<Dated> = batches.iter().flatten().cloned().collect();
    filled(original.path(), &batches).await;
    let lines = derive(&facts);
    assert_eq!(exported(original.path()), lines);
    let [file] = &files(original.path())[..] else { panic!("it is one file") };
    let mut bytes = fs::read(file).unwrap();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let name = file.file_name().unwrap();
    let cuts = (0..bytes.len()).step_by(97).chain([1, 31, 32, 33, bytes.len() - 1, bytes.len()]);
    for cut in cuts {
        for zeros in [0, 4096] {
            let copy = directory();
            for part in ["log", "audit"] {
                fs::create_dir(copy.path().join(part)).unwrap();
            }
            super::copy(&original.path().join("log"), &copy.path().join("log"));
            let mut left = bytes[..cut].to_vec();
            left.resize(cut + zeros, 0);
            fs::write(copy.path().join("audit").join(name), left).unwrap();
            let (store, opened) = open(copy.path()).await;
            assert_eq!((opened.audit, opened.audit_aside), (None, None), "cut at {cut}");
            assert_eq!(head(&store).await, head_of(&lines[lines.len() - 1]), "cut at {cut}");
            assert_eq!(exported(copy.path()), lines, "cut at {cut}");
            drop(store);
            assert!(verified(copy.path()).is_sound());
        }
    }
    // All of it gone: nothing says that there was any.
    let copy = directory();
    fs::create_dir(copy.path().join("log")).unwrap();
    super::copy(&original.path().join("log"), &copy.path().join("log"));
    drop(open(copy.path()).await);
    assert_eq!(exported(copy.path()), lines);
}

#[tokio::test]
async fn a_changed_byte_in_the_audit_is_never_a_changed_entry() {
    let original = directory();
    let batches = batches();
    let facts: Vec<Dated> = batches.iter().flatten().cloned().collect();
    filled(original.path(), &batches).await;
    let lines = derive(&facts);
    let name = files(original.path()).remove(0).file_name().unwrap().to_owned();
    let length = fs::read(original.path().join("audit").join(&name)).unwrap().iter().rposition(|byte| *byte != 0);
    for place in (0..length.unwrap()).step_by(211) {
        let copy = directory();
        for part in ["log", "audit"] {
            fs::create_dir(copy.path().join(part)).unwrap();
            super::copy(&original.path().join(part), &copy.path().join(part));
        }
        let file = copy.path().join("audit").join(&name);
        let mut bytes = fs::read(&file).unwrap();
        bytes[place] ^= 1;
        fs::write(&file, bytes).unwrap();
        let (store, _, aside) = DiskStore::open_or_set_aside(copy.path(), SMALL).await.unwrap();
        assert_eq!(aside, None, "the facts are as they were");
        head(&store).await;
        assert_eq!(exported(copy.path()), lines, "byte {place}");
    }
}

/// Hands the store the memory of these facts, and waits until it is written down.
async fn snapshot(store: &DiskStore, facts: &[Dated]) {
    let before = store.counters().snapshots;
    let mut memory = Memory::default();
    facts.iter().for_each(|fact| memory.apply(fact).unwrap());
    store.snapshot(Snapshot { newest: facts.len() as u64, at: facts[facts.len() - 1].at, memory });
    let end = tokio::time::Instant::now() + crate::world::PATIENCE;
    while store.counters().snapshots == before {
        assert!(tokio::time::Instant::now() < end, "the snapshot is never written");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// A store whose first facts are gone, with all its facts and the lines that they make.
async fn retained(path: &Path) -> (Vec<Dated>, Vec<String>) {
    let facts: Vec<Dated> = keeping::all_in_memory().into_iter().flatten().collect();
    let (store, _) = open(path).await;
    for batch in keeping::all_in_memory() {
        store.append(batch).await.unwrap();
    }
    snapshot(&store, &facts).await;
    assert!(store.retain(at(60)).await.unwrap().facts > 0);
    let lines = derive(&facts);
    (facts, lines)
}

async fn again(path: &Path) -> (DiskStore, Opened) {
    let end = tokio::time::Instant::now() + crate::world::PATIENCE;
    loop {
        match DiskStore::open_or_set_aside(path, SMALL).await {
            Err(StoreError::InUse { .. }) if tokio::time::Instant::now() < end => tokio::task::yield_now().await,
            opened => {
                let (store, opened, aside) = opened.unwrap();
                assert_eq!(aside, None);
                return (store, opened);
            }
        }
    }
}

#[tokio::test]
async fn entries_stay_when_their_facts_go() {
    let directory = directory();
    let (facts, lines) = retained(directory.path()).await;
    assert_eq!(exported(directory.path()), lines);
    // It goes on from the snapshot, also when what was written since is lost.
    let more = life(400, &["wn9"], Some(Status::Failed));
    filled(directory.path(), &more).await;
    let all: Vec<Dated> = facts.into_iter().chain(more.into_iter().flatten()).collect();
    assert_eq!(exported(directory.path()), derive(&all));
    let (store, opened) = open(directory.path()).await;
    assert_eq!(opened.notices(), Vec::<String>::new());
    // What an end left over is taken up by the next start.
    let end = tokio::time::Instant::now() + crate::world::PATIENCE;
    while store.audit_behind() > 0 {
        assert!(tokio::time::Instant::now() < end, "{} facts behind", store.audit_behind());
        tokio::task::yield_now().await;
    }
    drop(store);
    let file = files(directory.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    let last = bytes.windows(3).rposition(|three| three == [0xFF, b'H', b'F']).unwrap();
    fs::write(&file, &bytes[..last]).unwrap();
    let (store, opened) = open(directory.path()).await;
    assert_eq!(opened.notices(), Vec::<String>::new());
    assert_eq!(head(&store).await, head_of(derive(&all).last().unwrap()));
    assert_eq!(exported(directory.path()), derive(&all));
}

#[tokio::test]
async fn what_was_on_disk_and_is_gone_is_said() {
    // What the snapshot knows is missing at the end, and can be made again of the facts.
    let directory = directory();
    let facts: Vec<Dated> = batches().into_iter().flatten().collect();
    let (store, _) = open(directory.path()).await;
    store.append(facts.clone()).await.unwrap();
    snapshot(&store, &facts).await;
    drop(store);
    let lines = derive(&facts);
    fs::remove_dir_all(directory.path().join("audit")).unwrap();
    let (store, opened) = open(directory.path()).await;
    let notice = opened.audit.unwrap();
    assert!(notice.contains(&format!("ended with entry 0 though it had come to {}", lines.len())), "{notice}");
    head(&store).await;
    assert_eq!(exported(directory.path()), lines);

    // What can be made of no fact any more: the audit is set aside, and what is left of the facts makes the same lines.
    let directory = super::directory();
    let (_, lines) = retained(directory.path()).await;
    let gone = directory.path().join("audit");
    for round in 0..2 {
        if round == 0 {
            fs::remove_dir_all(&gone).unwrap();
        } else {
            // What looks like a record of a later version is not ours to cut.
            let file = files(directory.path()).remove(0);
            let mut bytes = fs::read(&file).unwrap();
            bytes[3] = 9;
            fs::write(file, bytes).unwrap();
        }
        let Err(damaged @ StoreError::Damaged { .. }) = try_open(directory.path(), SMALL).await else {
            panic!("it opens in round {round}")
        };
        let (store, opened) = again(directory.path()).await;
        let aside = opened.audit_aside.unwrap();
        assert_eq!(aside.why, Some(damaged.to_string()));
        assert!(aside.place.exists() && aside.head.number > 0, "{aside:?}");
        assert_eq!(head(&store).await, head_of(&lines[lines.len() - 1]), "round {round}");
        let first = usize::try_from(aside.head.number).unwrap();
        assert_eq!(aside.head, head_of(&lines[first - 1]));
        assert_eq!(exported(directory.path()), lines[first..]);
        drop(store);
        // Without a word from the audit itself its beginning is missed.
        assert!(!verified(directory.path()).is_sound());
        assert!(verify_audit(directory.path(), vec![aside.head.clone()]).unwrap().is_sound());
        // The next start knows of it, and needs not to set anything aside.
        let (store, opened) = again(directory.path()).await;
        let known = opened.audit_aside.unwrap();
        assert_eq!((known.place, known.why, known.head), (aside.place.clone(), None, aside.head.clone()));
        drop(store);
        fs::remove_dir_all(aside.place).unwrap();
    }
    // The bot notes it, and from then on the audit explains itself.
    let (store, _) = again(directory.path()).await;
    let head_before = head_of(&lines[usize::try_from(files_first(directory.path()) - 2).unwrap()]);
    let fact = Fact::AuditSetAside { place: "audit.damaged-x".into(), why: String::new(), head: head_before };
    store.append(vec![Dated { at: at(9_000), fact }]).await.unwrap();
    head(&store).await;
    assert!(verified(directory.path()).is_sound());
}

/// The number of the first line that is kept.
fn files_first(path: &Path) -> u64 {
    let first = exported(path).into_iter().next().unwrap();
    head_of(&first).number
}

#[tokio::test]
async fn an_audit_of_other_facts_is_not_gone_on_with() {
    let directory = directory();
    filled(directory.path(), &batches()).await;
    // An older copy of the log in the place of this one.
    let older = super::directory();
    filled(older.path(), &batches()[..3]).await;
    fs::remove_dir_all(directory.path().join("log")).unwrap();
    fs::rename(older.path().join("log"), directory.path().join("log")).unwrap();
    let Err(StoreError::Damaged { what, .. }) = try_open(directory.path(), SMALL).await else { panic!("it opens") };
    assert!(what.contains("it knows fact"), "{what}");
}

/// Enough executions for several files of the audit.
async fn large(path: &Path) -> Vec<Dated> {
    let (store, _) = DiskStore::open(path).await.unwrap();
    let mut facts = Vec::new();
    for number in 0..600 {
        let life: Vec<Dated> = life(number, &["wn1"], Some(Status::Succeeded)).into_iter().flatten().collect();
        store.append(life.clone()).await.unwrap();
        facts.extend(life);
    }
    head(&store).await;
    facts
}

#[tokio::test]
async fn whole_files_are_cut_at_a_checkpoint_and_the_rest_stays_sound() {
    let directory = directory();
    let facts = large(directory.path()).await;
    let lines = derive(&facts);
    let count = files(directory.path()).len();
    assert!(count > 3, "{count}");
    let newest = lines.len() as u64;
    assert_eq!(cut_audit_at(directory.path(), 3).unwrap(), None, "no file lies wholly before that");
    let last = cut_audit_at(directory.path(), newest / 2).unwrap().unwrap();
    assert!(last.number <= newest / 2);
    assert_eq!(last, head_of(&lines[usize::try_from(last.number - 1).unwrap()]));
    let (store, _) = try_open(directory.path(), Default::default()).await.unwrap();
    let by = Principal::LocalUser { uid: 0, name: "root".into() };
    store.append(vec![Dated { at: at(90_000), fact: Fact::AuditCut { head: last.clone(), by } }]).await.unwrap();
    head(&store).await;
    let count = files(directory.path()).len();
    let removed = cut_audit(directory.path(), newest / 2).unwrap();
    assert_eq!(files(directory.path()).len(), count - removed);
    let verdict = verified(directory.path());
    assert_eq!((verdict.is_sound(), verdict.first), (true, last.number + 1), "{verdict:?}");
    let kept = exported(directory.path());
    assert_eq!(kept[..kept.len() - 1], lines[usize::try_from(last.number).unwrap()..]);
    // Questions do not miss what is gone, and neither does the next start.
    let Told::Lines { lines: found, .. } =
        ask(&store, Question::Newest { most: 5000, filter: Filter::default() }).await
    else {
        panic!()
    };
    assert_eq!(found, kept);
    drop(store);
    let (store, opened) = try_open(directory.path(), Default::default()).await.unwrap();
    assert_eq!(opened.notices(), Vec::<String>::new());
    store.append(life(700, &["wn1"], None).remove(0)).await.unwrap();
    assert_eq!(head(&store).await.number, newest + 2);
    assert!(verified(directory.path()).is_sound());
}

#[tokio::test]
async fn a_file_taken_out_is_missed() {
    let directory = directory();
    large(directory.path()).await;
    let all = files(directory.path());
    fs::remove_file(&all[1]).unwrap();
    let verdict = verified(directory.path());
    let words: Vec<String> = verdict.flaws.iter().map(ToString::to_string).collect();
    assert!(
        words.len() == 2 && words[0].contains("stands where entry") && words[1].ends_with("are missing"),
        "{words:?}"
    );
    // What was changed with its checksum made right is found by its hash.
    let mut bytes = fs::read(&all[2]).unwrap();
    let at = bytes.windows(9).position(|text| text == b"\"started\"").unwrap();
    let start = bytes[..at].windows(3).rposition(|three| three == [0xFF, b'H', b'F']).unwrap();
    bytes[at + 1] = b'S';
    let length = u32::from_le_bytes(bytes[start + 8..start + 12].try_into().unwrap()) as usize;
    let checksum = crc32fast::hash(&bytes[start + 8..start + 32 + length]);
    bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&all[2], bytes).unwrap();
    let words: Vec<String> = verified(directory.path()).flaws.iter().map(ToString::to_string).collect();
    assert!(words.iter().any(|said| said.contains("was changed: its hash is another")), "{words:?}");
}

/// Stores executions without end and says of each when it has been acknowledged.
async fn act_for_ever(path: &Path) {
    let (store, _) = open(path).await;
    let begun = store.newest();
    for number in begun.. {
        store.append(life(number, &["wn1"], Some(Status::Succeeded)).concat()).await.unwrap();
        if number % 7 == 0 {
            head(&store).await;
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_neither_doubles_nor_loses_an_entry() {
    if let Some(store) = std::env::var_os(CHILD) {
        return act_for_ever(Path::new(&store)).await;
    }
    let directory = directory();
    for wanted in [1, 8, 40, 3, 120] {
        let mut child = child("store::audited::kill_nine_neither_doubles_nor_loses_an_entry", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.map_while(Result::ok).filter(|line| line.starts_with("acknowledged "));
        for (count, _) in (1..).zip(acknowledged) {
            if count == wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let (store, opened) = open(directory.path()).await;
        assert_eq!((opened.audit, opened.audit_aside), (None, None));
        head(&store).await;
        let facts = store.replay().await.unwrap();
        assert_eq!(exported(directory.path()), derive(&facts));
        let ends = exported(directory.path());
        let ends = ends.iter().filter(|line| Parts::of(line).unwrap().decode().unwrap().event == Event::Ended);
        assert!(ends.count() >= wanted);
    }
}
