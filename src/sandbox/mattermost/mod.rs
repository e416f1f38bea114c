//! # A Mattermost server in one process
//!
//! One in-memory world behind one owner (`shared::Shared`); the REST API, the websocket, the web chat page and the Rust
//! interface of [`Server`] all go through it, so that what a test sees is what a client sees.
//!
//! ## Life cycle
//! [`Server::start`] binds a loopback port and serves until [`Server::stop`] or until the [`Server`] is dropped; then all connections are cut.
//! The world starts with team `ops`, channels `cluster` and `town-square`, the users `operator`, `lead` and `guest` and the bot `halcyon`.
//!
//! ## Layers
//! - `gate`: every accepted TCP connection, so that one can be cut, silenced or broken in the middle of a frame;
//! - `rest`: requests to calls on the world; the only place that knows paths;
//! - `socket`: one task a websocket, which only moves frames; numbering, replay and queues belong to `connection` inside the world;
//! - `faults`: what shall go wrong next, at the server or at a proxy before it (`rest` has that proxy, outermost);
//! - `page`: the web chat, an ordinary client of REST and websocket with a demo user's session.
//!
//! ## Invariants
//! - **No lock is held across an await.** Operations of the world are synchronous and complete.
//! - **An event is numbered when it is taken for sending**, and kept in the replay ring from that moment: a frame lost on the wire is replayed.
//! - **Resume only for a connection that the server knows to be gone**, the same user and with a sequence number; otherwise a new `hello`.
//! - **A button's `integration` never leaves the server**, by whichever way the post is read.
//! - **Time of creation strictly rises**, unless a test stops the clock: orders by time are total.
//!
//! **What a real server answered is kept in `tests/data/real_mattermost`**, and [`Release::July2021`] answers the same, line by line. What later
//! releases do otherwise is in `release`.
//!
//! Where real servers are surprising, they are followed: a patch of an unknown post is 403, not 404; posting into an unknown channel too; a
//! wrong token on the websocket upgrade is accepted and then left in silence until the authentication deadline.

mod attachment;
mod clock;
mod connection;
mod event;
mod faults;
mod gate;
mod id;
mod integration;
mod mention;
mod model;
mod page;
mod posting;
mod refusal;
mod release;
mod rest;
mod server;
mod shared;
mod socket;
mod timeline;
mod wire;
mod world;

pub use event::Happening;
pub use faults::{Detour, Faults, PostFailure};
pub use model::{Channel, ChannelKind, FileInfo, Post, Reaction, Revision, Team, User};
pub use posting::Draft;
pub use refusal::Refusal;
pub use release::Release;
pub use server::{Beside, NotSeen, Options, RateLimit, Server};
