//! An import that dies: whatever instant that is at, the store is filled, or says that it is not.

use super::keeping::{all_in_memory, lines, snapshot_and_retain};
use super::{SMALL, check_memory, directory, try_open};
use halcyon::adapters::store::{DiskStore, ImportError, import};
use halcyon::runtime::ports::StoreError;
use std::fs;

#[tokio::test]
async fn an_import_that_is_cut_off_is_finished_or_refused_and_never_half_there() {
    let original = directory();
    super::filled(original.path(), &all_in_memory()).await;
    snapshot_and_retain(original.path()).await;
    let exported = lines(original.path());
    let text = exported.join("\n") + "\n";
    let parts = ["log", "snapshots", "audit", "index"];
    // (where the parts wait that have not come into their places, whether they are all there)
    for (place, complete) in [("importing", false), ("imported", true)] {
        for waiting in 0..1 << parts.len() {
            // The log is the first of them: once it is in its place, none of them was only begun.
            if !complete && waiting & 1 == 0 {
                continue;
            }
            let target = directory();
            let store = target.path();
            import(store, text.as_bytes()).await.unwrap();
            // What an empty store has in those places may be there yet, or not.
            for empty in [true, false] {
                fs::create_dir_all(store.join(place)).unwrap();
                for (number, part) in parts.iter().enumerate().filter(|(number, _)| waiting & (1 << number) != 0) {
                    let _ = fs::remove_dir_all(store.join(place).join(part));
                    fs::rename(store.join(part), store.join(place).join(part)).unwrap();
                    if empty && number % 2 == 0 {
                        fs::create_dir(store.join(part)).unwrap();
                    }
                }
                let opened = try_open(store, SMALL).await;
                if complete {
                    let (opened, found) = opened.unwrap();
                    assert_eq!(found.notices(), Vec::<String>::new(), "{place} {waiting:b}");
                    check_memory(&opened, &exported).await;
                    drop(opened);
                    assert!(lines(store) == exported && !store.join(place).exists(), "{place} {waiting:b}");
                } else {
                    let refused = opened.map(|_| ()).unwrap_err();
                    assert!(matches!(&refused, StoreError::Unfinished { .. }), "{place} {waiting:b}: {refused}");
                    assert!(refused.to_string().contains("import"), "{refused}");
                    let aside = DiskStore::open_or_set_aside(store, SMALL).await.map(|_| ());
                    assert!(matches!(aside, Err(StoreError::Unfinished { .. })), "{place} {waiting:b}: {aside:?}");
                    break;
                }
            }
        }
    }
    // What an earlier version has left beside a store that was filled is no reason not to open it.
    let target = directory();
    import(target.path(), text.as_bytes()).await.unwrap();
    fs::create_dir(target.path().join("importing")).unwrap();
    let (opened, _) = try_open(target.path(), SMALL).await.unwrap();
    check_memory(&opened, &exported).await;
    drop(opened);
    assert_eq!(lines(target.path()), exported);
    // What was gathered and not finished gives way to the next import; what was finished counts as what is there.
    let target = directory();
    let store = target.path();
    fs::create_dir(store.join("importing")).unwrap();
    fs::write(store.join("importing/part"), "half").unwrap();
    import(store, text.as_bytes()).await.unwrap();
    assert!(lines(store) == exported);
    fs::rename(store.join("log"), target.path().join("moved")).unwrap();
    fs::create_dir(store.join("imported")).unwrap();
    fs::rename(target.path().join("moved"), store.join("imported/log")).unwrap();
    let again = import(store, text.as_bytes()).await;
    assert!(matches!(again, Err(ImportError::NotEmpty(_))), "{again:?}");
    assert!(lines(store) == exported);
}
