//! A store that is damaged is moved out of the way, so that the bot can start, and never deleted.
//!
//! It goes into a directory inside the store's own, `damaged-<date>/`: the lock stays held over it, nothing but the store has to be
//! writable, and it costs no copy. **As long as the new store has no fact but its name and such a directory is there, the bot has to start frozen**,
//! whatever instant it died at before.
//!
//! **Facts that contradict each other, or make no sense, are damage** as bad bytes are ([decision 30](../../../docs/decisions/0030-what-cannot-be-a-memory-is-damage.md)).
//! **What another version of this program wrote is none**: it is left as it is, and that version can go on with it.

use crate::adapters::store::audit;
use crate::adapters::store::disk::{self, DiskStore, Opened, Options};
use crate::adapters::store::lock::Lock;
use crate::adapters::store::log::sync_directory;
use crate::adapters::store::segment::AUDIT;
use crate::core::audit::chain::Head;
use crate::core::fact::{Dated, Fact};
use crate::runtime::ports::{Store, StoreError};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the name of a store that was set aside begins with.
const NAME: &str = "damaged-";

/// A store that was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies.
    pub place: PathBuf,
    /// What was wrong with it, where that was found out by this process.
    pub why: Option<String>,
}

/// An audit that was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditAside {
    /// Where it lies.
    pub place: PathBuf,
    /// What was wrong with it, where that was found out by this process.
    pub why: Option<String>,
    /// The line before the first of the one that was made in its place.
    pub head: Head,
}

impl DiskStore {
    /// Opens the store, or sets it aside when it is damaged and opens an empty one. What is said of an earlier one that was set aside is
    /// said again until anything but the store's name is stored.
    ///
    /// # Errors
    /// As [`Self::open`], but not for damage.
    pub async fn open_or_set_aside(
        path: impl Into<PathBuf>,
        options: Options,
    ) -> Result<(Self, Opened, Option<SetAside>), StoreError> {
        let path = path.into();
        let opened = match Self::open_with(&path, options).await {
            Err(damaged @ StoreError::Damaged { .. }) if is_of_audit(&damaged, &path) => {
                tracing::error!(%damaged, "the audit is damaged; it is set aside and made again, and the bot starts frozen");
                let (store, mut opened) = audit_anew(path.clone(), options).await?;
                if let Some(aside) = &mut opened.audit_aside {
                    aside.why = Some(damaged.to_string());
                }
                Ok((store, opened))
            }
            opened => opened,
        };
        // Bytes that are as they were written may be no facts all the same, or such as cannot be true one after the other.
        let folded = match opened {
            Ok((store, opened)) => store.fold().await.map(|()| (store, opened)),
            Err(problem) => Err(problem),
        };
        let (opened, why) = match folded {
            Err(damaged @ StoreError::Damaged { .. }) => {
                tracing::error!(%damaged, "the store is damaged; it is set aside, and the bot starts frozen");
                set_aside(&path, options)?;
                (Self::open_with(&path, options).await?, Some(damaged.to_string()))
            }
            opened => (opened?, None),
        };
        let (store, opened) = opened;
        // A store is named before anything else; one that died then has not been frozen yet.
        let begun = match opened.facts {
            0 => false,
            1 => !matches!(store.replay().await?.as_slice(), [Dated { fact: Fact::InstanceNamed { .. }, .. }]),
            _ => true,
        };
        let aside = if begun { None } else { newest(&path)?.map(|place| SetAside { place, why }) };
        Ok((store, opened, aside))
    }
}

fn is_of_audit(damaged: &StoreError, store: &Path) -> bool {
    matches!(damaged, StoreError::Damaged { path, .. } if path.starts_with(store.join(AUDIT)))
}

/// Sets the audit aside and opens the store with a new one, made of the facts that are kept.
async fn audit_anew(path: PathBuf, options: Options) -> Result<(DiskStore, Opened), StoreError> {
    let place = path.clone();
    let opening = tokio::task::spawn_blocking(move || {
        {
            let _lock = Lock::take(&path, options.brief)?;
            audit::set_aside(&path, (options.now)())?;
        }
        disk::open(path, options, true)
    });
    let failed = |error| StoreError::Io { doing: "open", path: place, source: std::io::Error::other(error) };
    opening.await.unwrap_or_else(|error| Err(failed(error)))
}

fn set_aside(store: &Path, options: Options) -> Result<(), StoreError> {
    let _lock = Lock::take(store, options.brief)?;
    let date = (options.now)().strftime("%Y-%m-%dT%H-%M-%SZ");
    let place = store.join(format!("{NAME}{date}"));
    let failed = |doing, path: &Path, source| StoreError::Io { doing, path: path.to_owned(), source };
    match fs::create_dir(&place) {
        // A start that died in the middle of this, less than a second ago.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed("make", &place, error)),
        _ => {}
    }
    // The log goes last: what is left without it is damaged as well, and is set aside by the next start.
    for directory in ["index", "blobs", "snapshots", AUDIT, "log"] {
        let from = store.join(directory);
        match fs::rename(&from, place.join(directory)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("set aside", &from, error)),
            _ => {}
        }
    }
    sync_directory(&place)?;
    sync_directory(store)
}

/// The newest of the stores that were set aside in this one.
///
/// # Errors
/// The directory cannot be read.
pub fn newest(store: &Path) -> Result<Option<PathBuf>, StoreError> {
    let entries = fs::read_dir(store);
    let entries = entries.map_err(|source| StoreError::Io { doing: "list", path: store.to_owned(), source })?;
    let places = entries.flatten().map(|entry| entry.path());
    Ok(places
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAME)))
        .max())
}
