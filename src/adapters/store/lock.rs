//! One process at a time has a store open. The kernel keeps the lock and gives it back however the process ends.
//!
//! The file holds the number of the process, and the word `brief` behind it when that is a command which ends by itself.

use crate::runtime::ports::StoreError;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The store is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// What is noted of a command that has the store only until it is done.
const BRIEF: &str = "brief";

impl Lock {
    /// Takes the store, `brief` for as long as a command takes, or says who has it.
    pub(crate) fn take(store: &Path, brief: bool) -> Result<Self, StoreError> {
        let path = store.join("lock");
        let failed = |doing, source| StoreError::Io { doing, path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| failed("open", source))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut noted = String::new();
                // It is for the message and for whether it is worth waiting, so not being able to read it is no error of its own.
                let _ = file.read_to_string(&mut noted);
                let mut words = noted.split_whitespace();
                let pid = words.next().and_then(|pid| pid.parse::<u32>().ok());
                let brief = words.next() == Some(BRIEF);
                let holder = match pid {
                    Some(pid) if brief => format!(" (pid {pid}, a command that ends by itself)"),
                    Some(pid) => format!(" (pid {pid})"),
                    None => String::new(),
                };
                return Err(StoreError::InUse { path: store.to_owned(), holder, brief });
            }
            Err(error) => return Err(failed("lock", error.into())),
        }
        // A disk too full for the number is no reason not to open the store.
        let note = format!("{}{}\n", std::process::id(), if brief { format!(" {BRIEF}") } else { String::new() });
        let noted = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
        if let Err(error) = noted {
            tracing::warn!(%error, "cannot note who we are in the lock file of the store");
        }
        Ok(Self { _file: file })
    }
}
