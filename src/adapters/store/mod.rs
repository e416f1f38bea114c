//! # Store: remembers
//!
//! ```text
//! <path>/lock                               held while the store is open; in it the holder's process id, and whether it is a command
//! <path>/log/00000000000000000001.facts     the truth: records one after the other, named by the first one's number
//! <path>/index/                             derived by sled: executions by end of id and by time
//! <path>/index.broken-1/                    an index that would not open, kept for whoever wants to know why
//! <path>/blobs/ab/cdef…                     outputs, named by the SHA-256 of their bytes
//! <path>/snapshots/…40000.snapshot          the memory as of a fact; the two newest are kept
//! <path>/snapshots/…20000.base              the memory as of the last fact that was removed
//! <path>/audit/00000000000000000001.entries who did what, made of the facts: kept when they go
//! <path>/audit.damaged-<date>/              an audit that was damaged and set aside
//! <path>/importing/, imported/              what an import has gathered that goes on or was cut off
//! <path>/reserve                            room that is given up when the disk is full
//! <path>/damaged-<date>/                    a store that was damaged and set aside
//! ```
//!
//! Life of a batch of facts: [`DiskStore`] encodes it → where the disk is quick and nothing waits, the caller's thread writes it; else the
//! writer's thread takes whatever batches wait (`disk.rs`) → they are written behind
//! each other and synced once (`log.rs`) → the callers hear of it → the index notes where they stand (`index.rs`).
//!
//! Life of a snapshot: every 10,000 facts or 4 MiB of them the loop hands over a copy of its memory → another thread writes it down
//! (`snapshot.rs`, `upkeep.rs`). That many facts are folded in a few hundredths of a second, so more snapshots would gain nothing; and one is
//! never longer than the facts since the last, so that they at most double what is written.
//!
//! At the start: take the lock → read the newest good snapshot → check every record after it, cut a torn tail (`opening.rs`, `log.rs`) → open
//! the index, or build it again → let it catch up; what takes long of that goes on in the background.
//!
//! What is old goes in the background, soon after the start and every hour (`retention.rs`).
//!
//! **The log is the only copy of a promise.** `append` returns after `fdatasync`. sled's `flush` is no sync, so what is in sled can be
//! missing, behind or broken after a crash, and is then derived again.
//!
//! **A batch is there whole or not at all**, whatever instant the machine dies at.
//!
//! **Whatever is beside the log can be derived from it, and from the base when the beginning of the log is gone.** A bad snapshot is set aside
//! and an older one used, or the whole log.
//!
//! **What a snapshot covers is not read again at every start**, not even where it stands in the same file: a snapshot says where the record
//! of its last fact begins, and of room that was set aside only what was written to is read. So what a start reads of the log hangs on the
//! facts since the last snapshot and not on the history. Damage there would be found late, but it would harm nothing that the start needs: an
//! execution that is looked up has its records checked, and retention and `halcyon export` check all that they read.
//!
//! **Only what was never acknowledged is cut**: every record says with which write it came (`record.rs`). Where a later write than the bad
//! one's exists, the bad one had been synced, so it is damage, and damage stops the start.
//!
//! **What another version of this program wrote is no damage**: it stops the start, and nothing is set aside. Before a bot begins its facts are folded,
//! so that what is no fact, or contradicts others, is found there and counts as damage.
//!
//! **A full disk loses nothing**: the write that failed is taken back, the caller is told, and the next one may succeed.
//!
//! **The audit costs a fact nothing** (`audit.rs`): it reads what is stored, a moment later, and is there whole before anything that it is made
//! of goes.
//!
//! [`Contents`] tells what one file of the log holds without opening a store.
//!
//! Blobs are plain files and not sled's, as large values would go through sled's cache and its log twice, and could not be synced.

mod audit;
mod blobs;
mod contents;
mod disk;
mod entry;
mod export;
mod import;
mod index;
mod lock;
mod log;
mod memory;
mod opening;
mod reading;
mod record;
mod retention;
mod segment;
mod set_aside;
mod shared;
mod snapshot;
mod upkeep;

pub use crate::runtime::ports::StoreError;
pub use audit::{
    cut as cut_audit, cut_at as cut_audit_at, export_audit, verify as verify_audit, verify_lines as verify_audit_lines,
};
pub use blobs::DiskBlobs;
pub use contents::{Contents, Ending};
pub use disk::{Counters, DiskStore, Opened, Options};
pub use export::export;
pub use import::{ImportError, import};
pub use index::Origin;
pub use log::Cut;
pub use memory::{MemoryBlobs, MemoryStore};
pub use retention::Freed;
pub use set_aside::{AuditAside, SetAside, newest as newest_aside};
