//! `/metrics`, `/healthz` and `status`, of a whole bot.

use super::{Service, halcyon, heard, world};
use crate::world::PATIENCE;
use halcyon::adapters::clock::SystemClock;
use halcyon::core::action::execution::Execution;
use halcyon::core::effect::Query;
use halcyon::core::fact::Dated;
use halcyon::runtime::metrics::{FAMILIES, Metrics};
use halcyon::runtime::ports::{Store, StoreError};
use halcyon::runtime::pulse::WatchedStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A port that nobody has just now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn get(url: &str) -> (u16, String) {
    let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The samples of a text in Prometheus' format, by name and labels. Every line must be of the format.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut typed = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed = rest.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(&typed), "{line} stands below {typed}");
            assert_eq!(samples.insert(name.to_owned(), value.parse().unwrap()), None, "{name} twice");
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_tell_what_happened() {
    let port = free_port();
    let world = world(&format!("[http]\nlisten = \"127.0.0.1:{port}\"")).await;
    let _service = Service::start(&world, false);
    heard(&world, "I am here").await;
    world.say("operator", "!uptime on wn[001-003]").await;
    world.say("operator", "!run false on wn001").await;
    world.say("operator", "!uptme on wn001").await;
    let end = Instant::now() + PATIENCE;
    let samples = loop {
        let (status, text) = get(&format!("http://127.0.0.1:{port}/metrics")).await;
        assert_eq!(status, 200);
        for user in ["operator", "wn001", "uptime"] {
            assert!(!text.contains(user), "no label names {user}:\n{text}");
        }
        let samples = samples(&text);
        // Facts are counted once they are stored, and those that nothing follows from are stored a moment later.
        if samples["halcyon_deliveries_waiting"] == 0.0 && samples["halcyon_lines_answered_total"] >= 3.0 {
            break samples;
        }
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for (name, value) in [
        ("halcyon_lines_taken_total", 3.0),
        ("halcyon_lines_answered_total", 3.0),
        ("halcyon_executions_started_total", 2.0),
        ("halcyon_executions_ended_total{status=\"succeeded\"}", 1.0),
        ("halcyon_executions_ended_total{status=\"failed\"}", 1.0),
        ("halcyon_executions_ended_total{status=\"unknown\"}", 0.0),
        ("halcyon_commands_ended_total{exit=\"succeeded\"}", 3.0),
        ("halcyon_commands_ended_total{exit=\"failed\"}", 1.0),
        ("halcyon_executions_running", 0.0),
        ("halcyon_chat_connected", 1.0),
        ("halcyon_chat_connections_total", 1.0),
        ("halcyon_deliveries_refused_total", 0.0),
        ("halcyon_ssh_connections", 3.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}: {samples:#?}");
    }
    let over = |name: &str, least: f64| assert!(samples[name] > least, "{name} is {}", samples[name]);
    over("halcyon_posts_heard_total", 3.0);
    over("halcyon_store_facts_total", 10.0);
    over("halcyon_store_free_bytes", 1e6);
    over("halcyon_store_write_seconds_count", 3.0);
    over("halcyon_loop_turn_seconds_bucket{le=\"+Inf\"}", 3.0);
    over("process_resident_memory_bytes", 1e6);
    over("process_start_time_seconds", 1.7e9);
    for family in FAMILIES {
        assert!(samples.keys().any(|name| name.starts_with(family.name)), "{} is missing", family.name);
    }
}

/// A store that is full until told otherwise.
#[derive(Default)]
struct FullStore {
    room: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl Store for FullStore {
    async fn append(&self, _: Vec<Dated>) -> Result<(), StoreError> {
        if self.room.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        let source = std::io::Error::from_raw_os_error(28);
        Err(StoreError::Io { doing: "append to", path: "log".into(), source })
    }

    async fn replay(&self) -> Result<Vec<Dated>, StoreError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &Query) -> Result<Vec<Execution>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_is_no_stuck_loop() {
    let (store, metrics) = (Arc::new(FullStore::default()), Arc::new(Metrics::default()));
    let watched = WatchedStore::new(Arc::clone(&store) as _, Arc::clone(&metrics), Arc::new(SystemClock));
    assert_eq!(watched.trouble(), None);
    let silent = metrics.silent_for();
    watched.append(Vec::new()).await.unwrap_err();
    let (why, since) = watched.trouble().unwrap();
    assert!(why.contains("No space left"), "{why}");
    assert!(metrics.silent_for() <= silent + Duration::from_secs(1));
    watched.append(Vec::new()).await.unwrap_err();
    assert_eq!(watched.trouble().unwrap().1, since, "it is full since the first refusal");
    store.room.store(true, std::sync::atomic::Ordering::Relaxed);
    watched.append(Vec::new()).await.unwrap();
    assert_eq!(watched.trouble(), None);
}

#[test]
fn every_number_is_explained() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    for family in FAMILIES {
        assert!(page.contains(&format!("`{}`", family.name)), "docs/operations.md does not explain {}", family.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_names_the_part_that_is_broken() {
    let port = free_port();
    let world = world(&format!(
        "[http]\nlisten = \"127.0.0.1:{port}\"\n[inventory.groups.idle]\ncommand = \"echo nothing here >&2; exit 3\""
    ))
    .await;
    let url = format!("http://127.0.0.1:{port}/healthz");
    let _service = Service::start(&world, false);
    heard(&world, "I am here").await;
    let end = Instant::now() + PATIENCE;
    let part = |value: &serde_json::Value, name: &str| {
        value["parts"].as_array().unwrap().iter().find(|part| part["name"] == name).unwrap().clone()
    };
    let told = async |name: &str, works: bool| loop {
        let (status, text) = get(&url).await;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let part = part(&value, name);
        if part["works"] == works {
            break (status, part);
        }
        assert!(Instant::now() < end, "{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (status, inventory) = told("inventory", false).await;
    assert_eq!(status, 503);
    assert!(inventory["says"].as_str().unwrap().contains("nothing here"), "{inventory}");
    assert!(inventory["since"].is_string() && inventory["advice"].as_str().unwrap().contains("by hand"), "{inventory}");
    told("store", true).await;
    world.chat.faults().down(true);
    let (_, chat) = told("chat", false).await;
    assert!(chat["since"].is_string() && chat["advice"].as_str().unwrap().contains("halcyon doctor"), "{chat}");
    let (code, said) = halcyon(&world, &["status"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("FAIL  chat") && said.contains("ok    store") && said.contains("(since 20"), "{said}");
    world.chat.faults().down(false);
    told("chat", true).await;
    let answer = world.say("operator", "!status").await;
    assert!(answer.message.contains(":x: **inventory**"), "{}", answer.message);
    assert!(answer.message.contains(" · for ") && answer.message.contains("by hand"), "{}", answer.message);
}
