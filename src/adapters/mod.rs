//! # Adapters: touch
//!
//! One folder per outside system. **Wire types never leave their folder; an adapter never names another.**

pub mod mattermost;
