//! # The monitoring's side
//!
//! `halcyon notify checkmk` and `halcyon notify nagios`: what runs on the monitoring server, in its account, each time the monitoring has something to tell. It is the only part of the
//! program that does not run beside the bot, and it shares no state with it.
//!
//! ## Life cycle of a notification
//! The monitoring calls the plugin. It puts what it was given into the [`spool`], synced, starts a **drainer** that nobody waits for, and ends: CheckMK may have no spooler of its own, and would stand
//! still while it waits; Nagios kills what takes half a minute. The drainer ([`drain()`]) sends what lies there, oldest first, until there is nothing left, however long the bot is away.
//!
//! ## Invariants
//! - **What was taken is delivered**, in the order in which it was taken, also after this machine was switched off, and without another notification having to come. It leaves the spool
//!   when the bot has answered that it is durable there. Something may be sent twice; the bot knows it by its id.
//! - **One drainer a spool.** It looks again after it has given up its lock, so nothing is left by one that came while it was ending.
//! - **What the bot refuses for good is set aside** with the reason and holds up nothing.
//! - **The key of the bot is never printed**, logged or handed on by the environment.

pub mod drain;
pub mod settings;
pub mod spool;

pub use drain::drain;
pub use settings::Settings;
pub use spool::Spool;
