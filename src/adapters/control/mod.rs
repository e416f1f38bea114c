//! # Control socket
//!
//! How the commands of this program reach the bot that runs: a Unix socket with a line of JSON for each question and each answer.
//!
//! Life cycle: [`bind`] makes the socket (its directory too, for the bot's account alone), [`serve`] answers until it is stopped and then
//! takes the socket away, [`call`] asks. The server speaks first: a line with the version of the protocol. Then question and answer
//! take turns as long as the caller likes.
//!
//! **Who asks is what the kernel says**: the credentials of the peer, never a word of the caller's. **A socket on which somebody listens
//! is never taken away.** **No caller waits for another**: each has a task of its own, and each line a limit in size and time.

mod account;
mod client;
mod server;
mod wire;

pub use account::name as account_name;
pub use client::{ControlError, call};
pub use server::{BindError, ControlListener, bind, serve};
