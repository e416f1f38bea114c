//! Outputs as files named by what is in them: `blobs/ab/cdef…` for the SHA-256 `abcdef…`.
//!
//! Life of a piece: a nameless file under `blobs/new/` → bytes are hashed as they come → synced → renamed to its name → the directory is
//! synced → its name may be promised. **A name is given only to what is on disk.** Pieces that were never finished are swept away when the
//! store is opened; those that nothing refers to any more go when the log does (`retention.rs`).

use crate::adapters::store::lock::Lock;
use crate::adapters::store::log::sync_directory;
use crate::core::id::BlobId;
use crate::runtime::ports::{BlobWriter, Blobs, StoreError};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much of a piece is gathered before it goes to the disk.
const GATHER: usize = 32 << 10;
/// How long after it got its name a piece is kept though nothing refers to it.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// Outputs on disk. As long as one of these is there the store stays ours.
#[derive(Debug, Clone)]
pub struct DiskBlobs {
    directory: PathBuf,
    made: Arc<AtomicU64>,
    /// Pieces that got their names from this process, and when. Whoever asked for one may not have stored yet what it is for.
    fresh: Arc<Mutex<BTreeMap<String, Instant>>>,
    _lock: Arc<Lock>,
}

impl DiskBlobs {
    /// Opens the directory and sweeps away what was never finished there.
    pub(crate) fn open(directory: PathBuf, lock: Arc<Lock>) -> Result<Self, StoreError> {
        let unfinished = unfinished(&directory);
        match fs::remove_dir_all(&unfinished) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(StoreError::Io { doing: "sweep", path: unfinished, source })
            }
            _ => Ok(Self { directory, made: Arc::default(), fresh: Arc::default(), _lock: lock }),
        }
    }

    /// Forgets which pieces got their names long ago: what they are for has been stored by now, or never will be.
    pub(crate) fn forget_old(&self) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, at| at.elapsed() < FRESH);
    }

    /// Removes a piece that nothing refers to, unless it got its name lately. Says whether it did.
    pub(crate) fn remove(&self, name: &str, path: &Path) -> Result<bool, StoreError> {
        // Held over the removal, so that nobody finds the piece there and goes away believing it kept.
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.contains_key(name) {
            return Ok(false);
        }
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { doing: "remove", path: path.to_owned(), source }),
        }
    }
}

fn unfinished(directory: &Path) -> PathBuf {
    directory.join("new")
}

/// The file of a piece. Names come from stored facts, and a path is only made of what is surely a name.
fn place(directory: &Path, blob: &BlobId) -> Result<PathBuf, StoreError> {
    match blob.as_str().split_at_checked(2) {
        Some((start, rest))
            if blob.as_str().len() == 64 && blob.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(directory.join(start).join(rest))
        }
        _ => Err(StoreError::Io {
            doing: "look for an output in",
            path: directory.to_owned(),
            source: io::Error::new(ErrorKind::InvalidInput, format!("{:?} is not the name of one", blob.as_str())),
        }),
    }
}

#[async_trait]
impl Blobs for DiskBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let path = unfinished(&self.directory).join(self.made.fetch_add(1, Ordering::Relaxed).to_string());
        let blobs = self.clone();
        away("make", path.clone(), move || {
            let file = begin(&path)?;
            let piece = Piece { file, path: Some(path), hash: Sha256::new(), gathered: Vec::new(), blobs };
            Ok(Box::new(Writing { piece: Some(Box::new(piece)) }) as Box<dyn BlobWriter>)
        })
        .await
    }

    async fn read(&self, blob: &BlobId, offset: u64, limit: usize) -> Result<Vec<u8>, StoreError> {
        let path = place(&self.directory, blob)?;
        away("read", path.clone(), move || {
            let mut file = File::open(path)?;
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(offset))?;
            file.take(limit as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
        .map_err(not_kept)
    }
}

fn begin(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match (options.open(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            options.open(path)
        }
        (made, _) => made,
    }
}

/// Does something that may block, away from the tasks that must not.
async fn away<T: Send + 'static>(
    doing: &'static str,
    path: PathBuf,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|source| StoreError::Io { doing, path, source })
}

/// What cannot be read because it is not there, went when its time was over.
fn not_kept(error: StoreError) -> StoreError {
    match error {
        StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound => StoreError::NotKept,
        other => other,
    }
}

/// A piece in the making.
struct Writing {
    /// Absent once writing has failed: what is there has a hole then, and gets no name.
    piece: Option<Box<Piece>>,
}

struct Piece {
    file: File,
    /// Absent once it has its name.
    path: Option<PathBuf>,
    hash: Sha256,
    gathered: Vec<u8>,
    blobs: DiskBlobs,
}

impl Piece {
    fn flush(&mut self) -> io::Result<()> {
        self.hash.update(&self.gathered);
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<BlobId> {
        self.flush()?;
        let digest = std::mem::replace(&mut self.hash, Sha256::new()).finalize();
        let blob = BlobId::new(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let directory = &self.blobs.directory;
        let target = place(directory, &blob).map_err(io::Error::other)?;
        let shelf = target.parent().unwrap_or(directory);
        if !shelf.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(shelf)?;
            sync_directory(directory).map_err(io::Error::other)?;
        }
        let fresh = &self.blobs.fresh;
        fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.as_str().to_owned(), Instant::now());
        if !target.exists() {
            self.file.sync_all()?;
            if let Some(path) = &self.path {
                fs::rename(path, &target)?;
            }
            self.path = None;
        } else {
            // It counts as written again. Where the system refuses that, it goes with the older one.
            let written = self.file.metadata().and_then(|file| file.modified());
            let older = OpenOptions::new().append(true).open(&target);
            let _ = older.and_then(|older| older.set_modified(written?));
        }
        // Also when the piece was there before: whoever put it there may not have come to this line yet.
        sync_directory(shelf).map_err(io::Error::other)?;
        Ok(blob)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is swept away at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

impl Writing {
    fn lost(&mut self) -> StoreError {
        let source = io::Error::other("an earlier write to this output failed");
        StoreError::Io { doing: "write", path: PathBuf::from("an output"), source }
    }
}

#[async_trait]
impl BlobWriter for Writing {
    /// When it fails, or its caller stops waiting, the piece is given up.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(piece) = &mut self.piece else { return Err(self.lost()) };
        piece.gathered.extend_from_slice(bytes);
        if piece.gathered.len() < GATHER {
            return Ok(());
        }
        let Some(mut piece) = self.piece.take() else { return Err(self.lost()) };
        let path = piece.path.clone().unwrap_or_default();
        let piece = away("write", path, move || piece.flush().map(|()| piece)).await?;
        self.piece = Some(piece);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobId, StoreError> {
        let Some(piece) = self.piece.take() else { return Err(self.lost()) };
        let path = piece.path.clone().unwrap_or_default();
        away("store", path, move || piece.finish()).await
    }
}
