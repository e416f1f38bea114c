//! `halcyon doctor`.
