//! Mattermost.
