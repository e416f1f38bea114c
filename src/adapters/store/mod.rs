//! # Store: remembers
//!
//! ```text
//! <path>/lock                               held while the store is open; the holder's process id stands in it
//! <path>/log/00000000000000000001.facts     the truth: records one after the other, named by the first one's number
//! <path>/index/                             derived by sled: executions by end of id and by time
//! <path>/index.broken-1/                    an index that would not open, kept for whoever wants to know why
//! <path>/blobs/ab/cdef…                     outputs, named by the SHA-256 of their bytes
//! ```
//!
//! Life of a batch of facts: [`DiskStore`] encodes it → the writer's thread takes whatever batches wait (`disk.rs`) → they are written behind
//! each other and synced once (`log.rs`) → the index takes them in (`index.rs`) → the callers hear of it.
//!
//! At the start: take the lock → check every record, cut a torn tail (`log.rs`) → open the index, or build it again → let it catch up.
//!
//! **The log is the only copy of a promise.** `append` returns after `fdatasync`. sled's `flush` is no sync, so what is in sled can be
//! missing, behind or broken after a crash, and is then derived again.
//!
//! **A batch is there whole or not at all**, whatever instant the machine dies at.
//!
//! **Only what was never acknowledged is cut**: every record says with which write it came (`record.rs`). Where a later write than the bad
//! one's exists, the bad one had been synced, so it is damage, and damage stops the start.
//!
//! **A full disk loses nothing**: the write that failed is taken back, the caller is told, and the next one may succeed.
//!
//! [`Contents`] tells what one file of the log holds without opening a store.
//!
//! Blobs are plain files and not sled's, as large values would go through sled's cache and its log twice, and could not be synced.

mod blobs;
mod contents;
mod disk;
mod export;
mod index;
mod lock;
mod log;
mod memory;
mod reading;
mod record;
mod segment;

pub use blobs::DiskBlobs;
pub use contents::{Contents, Ending};
pub use disk::{Counters, DiskStore, Opened, Options};
pub use export::export;
pub use index::Origin;
pub use log::Cut;
pub use memory::{MemoryBlobs, MemoryStore};
