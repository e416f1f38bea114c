//! The one test binary. A module an area; data under `tests/data`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[cfg(feature = "sandbox")]
mod sandbox_nodes;
