//! # Runtime: joins
//!
//! Where the core and the world meet. It knows the core and the ports and no adapter by name.
//!
//! - [`ports`]: what the world must be able to do;
//! - [`event_loop`]: waits for inputs or the next deadline, asks the core, makes its facts durable, hands its effects on;
//! - [`dispatch`]: carries effects out and turns what comes of them into inputs;
//! - [`attend`]: asks a machine what has become of a command that was lost sight of;
//! - [`intake`]: from what the chat server tells to inputs, with who said it;
//! - [`catch_up`]: what was written while nobody listened;
//! - [`reactions`]: what stands on posts that wait for emojis;
//! - [`sensing`]: what sensors tell, on its way to the core;
//! - [`storage`]: tells the core how much room its store has;
//! - [`painting`]: pictures as files;
//! - [`outward`]: work that is a question to a server and no command;
//! - [`outbox`]: the one way out to the chat server;
//! - [`pulse`]: the proof that the loop turns, and what is measured around it;
//! - [`hearing`]: monitorings that tell by themselves;
//! - [`swap`]: parts that are exchanged while the bot runs;
//! - [`metrics`]: numbers about the bot; `story`: what the log tells of each line.
//!
//! Life cycle: recall the newest snapshot and fold the facts after it; take in settings, content and inventory; `Started`; then events until a stop is asked for; then nothing new
//! is begun, what runs may end within the grace period, what was promised to be said is said.
//!
//! - **Nothing is said or done before the fact behind it is durable.**
//! - **State changes in one place, without awaiting**: whatever takes time is a task that comes back as an input.

pub mod attend;
pub mod capture;
pub mod catch_up;
pub mod dispatch;
pub mod event_loop;
pub mod hearing;
pub mod intake;
pub mod metrics;
pub mod outbox;
pub mod outward;
pub mod painting;
pub mod ports;
pub mod pulse;
pub mod reactions;
pub mod sensing;
pub mod storage;
mod story;
pub mod swap;
pub mod watch;
