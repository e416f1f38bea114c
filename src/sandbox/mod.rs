//! # Sandbox: a whole cluster in one process
//!
//! What `halcyon demo`, `halcyon test` and the integration tests run against, so that nobody needs a chat server or a machine room to see
//! the program work. Three parts that know nothing of each other:
//!
//! - [`mattermost`]: a chat server (REST v4, websocket, buttons, dialogs, files) with a small web chat page to look at;
//! - [`nodes`]: SSH servers, one loopback address a node, that play a cluster's machines, with their batch system and their monitoring;
//! - [`mailbox`]: a mail server that keeps what it is given.
//!
//! ## Invariants
//! - **Written from the protocol, not from our client.** Nothing here is shared with `crate::adapters`, and no type of `crate::core` is
//!   used: a misunderstanding in an adapter cannot hide behind the same misunderstanding here.
//! - **As strict as the real thing.** What a real server refuses, this one refuses with the same status and error id.
//! - **Misbehaves only on request**, through a handle that a test holds.
//! - **Loopback only**, and unreachable from `serve`: only `demo`, `test` and the tests construct it.

pub mod mailbox;

pub mod mattermost;

pub mod nodes;
