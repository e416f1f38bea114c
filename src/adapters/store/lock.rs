//! One process at a time has a store open. The kernel keeps the lock and gives it back however the process ends.

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

impl Lock {
    /// Takes the store, or says who has it.
    pub(crate) fn take(store: &Path) -> Result<Self, StoreError> {
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
                let mut holder = String::new();
                // The number is for the message alone, so not being able to read it is no error of its own.
                let holder = match file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse::<u32>().ok())
                {
                    Some(pid) => format!(" (pid {pid})"),
                    None => String::new(),
                };
                return Err(StoreError::InUse { path: store.to_owned(), holder });
            }
            Err(error) => return Err(failed("lock", error.into())),
        }
        // A disk too full for the number is no reason not to open the store.
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::warn!(%error, "cannot note our process id in the lock file of the store");
        }
        Ok(Self { _file: file })
    }
}
