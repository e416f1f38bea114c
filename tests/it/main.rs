//! The one test binary. A module an area; data under `tests/data`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod host;
mod local;
mod peers_ssh;
mod ssh;
