//! The one test binary. A module an area; data under `tests/data`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::path::{Path, PathBuf};

mod access;
mod acted_on;
mod alert;
mod alias;
mod alias_lines;
mod approval;
mod approvals;
mod asking;
mod attending;
mod audit;
mod auditing;
mod bot;
mod callbacks;
mod checkmk_page;
mod cli;
mod config;
mod content;
mod control;
mod conversation;
mod conversation_aliases;
mod datastore;
mod demo;
mod docs;
mod escalating;
mod execution;
mod fire;
mod fuse;
mod fuzz_corpus;
mod guarded;
mod healing;
mod host;
mod intake;
mod kernel_upgrade;
mod live_content;
mod local;
mod mattermost;
mod messages;
mod misbehaviour;
mod monitorings;
mod notify;
mod offered;
mod operations;
mod out_of_service;
mod outbox;
mod params;
mod peers_clients;
mod peers_cluster;
mod peers_monitoring;
mod peers_ssh;
mod picture;
mod policies_in_chat;
mod prefix;
mod real_mattermost;
mod rehearsal;
mod retrying;
mod ruled;
mod rules;
mod runners;
mod sandbox_chat;
mod sandbox_mailbox;
mod sandbox_monitoring;
mod sandbox_nodes;
mod sandbox_slurm;
mod schedule;
mod sensing;
mod sensors;
mod showing;
mod signing;
mod sources;
mod ssh;
mod storage;
mod store;
mod storm_orders;
mod storming;
mod storms;
mod supervision;
mod taking_turns;
mod template;
mod ticking;
mod tidy;
mod timer;
mod turns;
mod upgrade_downtime;
mod upgrade_prefix;
mod watched_upgrade;
mod webhooks;
mod workflow;
mod workflow_chat;
mod workflow_runs;
mod world;
mod yaql;

/// A file under `tests/data`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Compares with a committed file; `HALCYON_UPDATE=1` writes it anew, for a person to look at the difference.
fn golden(name: &str, text: &str) {
    let path = data(name);
    if std::env::var_os("HALCYON_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} differs; look at it with HALCYON_UPDATE=1 and git diff:\n{text}", path.display());
}
