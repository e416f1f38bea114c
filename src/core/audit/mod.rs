//! # Audit
//!
//! Who did what, from where, by which decision, and what came of it: a stream of its own, made from the facts, that outlives them.
//!
//! [`Trail::take`] makes an [`Entry`] of a fact, or nothing where the fact is nobody's deed (`trail.rs`); [`chain::append`] binds it to the one
//! before (`chain.rs`); the store keeps the lines (`adapters/store/audit.rs`); [`Filter`] says which of them somebody is shown (`filter.rs`).
//!
//! Life of an entry: its fact is durable → sooner or later, in the background, the store makes the entry and writes it behind the others → it
//! is synced before a snapshot is written, before the fact may be removed, and before its hash is told to anybody. An entry that a crash has
//! taken is made again from its fact.
//!
//! - **An entry is a function of the facts**: made again it is the same, byte for byte, from whichever memory the making goes on. Of one fact
//!   comes one entry at most.
//! - **An entry holds no secret**, since no fact does.
//! - **The hash of a line covers the hash of the line before it**, so that nothing can be changed, taken out or put between without a change of
//!   all that follows. What is cut off the end shows by a checkpoint: the newest hash as it was told somewhere else.

pub mod chain;
pub mod entry;
pub mod filter;
pub mod question;
pub mod trail;

pub use entry::{Entry, Event};
pub use filter::Filter;
pub use trail::Trail;
