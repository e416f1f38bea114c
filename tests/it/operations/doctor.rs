//! `halcyon doctor` against a server and nodes that are well, and against faults of each kind.

use super::{Service, halcyon, heard, rewrite, world, write_token};
use crate::world::World;
use halcyon::adapters::store::DiskStore;
use halcyon::core::fact::{Dated, Fact};
use halcyon::runtime::ports::Store;
use halcyon::sandbox::mattermost::Detour;
use jiff::Timestamp;
use serde_json::Value;

/// The findings, each as `part verdict: tried`, the verdict of all, and the exit code.
async fn examine(world: &World, words: &[&str]) -> (i32, Vec<String>) {
    let words: Vec<&str> = ["doctor", "--json"].iter().chain(words).copied().collect();
    let (code, said) = halcyon(world, &words).await;
    let value: Value = serde_json::from_str(&said).unwrap_or_else(|problem| panic!("{problem}: {said}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = value["findings"].as_array().unwrap().iter();
    let lines = findings.map(|finding| {
        let (part, verdict) = (text(finding, "part"), text(finding, "verdict"));
        format!("{part} {verdict}: {} > {}", text(finding, "tried"), text(finding, "advice"))
    });
    (code, lines.collect())
}

/// Checks that there is a line that begins and goes on so.
fn check(lines: &[String], beginning: &str, within: &str) {
    let found = lines.iter().any(|line| line.starts_with(beginning) && line.contains(within));
    assert!(found, "no {beginning:?} with {within:?} in\n{}", lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_well_is_proven_step_by_step() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = world(&format!("[http]\nlisten = \"127.0.0.1:{port}\"")).await;
    rewrite(&world, "[mattermost]\n", &format!("[mattermost]\ncallback_url = \"http://127.0.0.1:{port}\"\n"));
    let mut bot = None;
    for beside in [false, true] {
        if beside {
            bot = Some(Service::start(&world, false));
            heard(&world, "I am here").await;
        }
        let before = world.chat.posts(crate::world::CHANNEL).len();
        let (code, lines) = examine(&world, &["--host", "wn001"]).await;
        assert!(lines.iter().all(|line| !line.contains(" FAIL: ")) && code == 0, "{code}\n{}", lines.join("\n"));
        for (beginning, within) in [
            ("bot OK", if beside { "a bot runs" } else { "no bot runs" }),
            ("store OK", if beside { "in the hands of the bot" } else { "can be made" }),
            ("store OK", "MiB are free"),
            ("content OK", "aliases"),
            ("local WARN", "the bot's own account"),
            ("chat OK", "answers"),
            ("chat OK", "its version is"),
            ("chat OK", "bot account halcyon"),
            ("chat OK", "member of the team ops"),
            ("chat OK", "member of the channel cluster"),
            ("chat OK", "posts may have 16383"),
            ("chat OK", "a post to itself was heard"),
            ("chat OK", "an emoji on it was heard"),
            ("chat OK", "the server's clock is 0."),
            ("access OK", "all 2 users"),
            ("callback OK", "its answer comes back"),
            ("ssh OK", "logged in on wn001"),
            ("ssh OK", "by the wrapper as root"),
        ] {
            check(&lines, beginning, within);
        }
        assert_eq!(world.chat.posts(crate::world::CHANNEL).len(), before, "it posts where nobody reads");
    }
    drop(bot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_found_and_what_to_change_is_said() {
    let world = world("").await;
    let file = world.directory.path().join("config.toml");
    let sound = std::fs::read_to_string(&file).unwrap();
    for (from, to, words, beginning, within) in [
        ("team = \"ops\"", "team = \"nowhere\"", &[][..], "chat FAIL", "there is no team nowhere"),
        (
            "channels = [\"cluster\"]",
            "channels = [\"nowhere\"]",
            &[],
            "chat FAIL",
            "no channel nowhere (mattermost.channels)",
        ),
        ("users = [\"lead\"]", "users = [\"nobody\"]", &[], "access WARN", "has the name nobody"),
        ("url = \"http://127.0.0.1:", "url = \"http://127.0.0.1:1", &[], "chat FAIL", "check mattermost.url"),
        ("[store]\npath = \"store\"", "[store]\npath = \"/proc/1/store\"", &[], "store FAIL", "not writable"),
        (
            "[ssh]",
            "[local]\nrun_as = \"no-such-account\"\n[ssh]",
            &[],
            "local FAIL",
            "make the account (`useradd --system no-such-account`)",
        ),
        ("team", "team", &["--host", "wn099"], "ssh FAIL", "wn099"),
        ("team", "team", &["--host", "-oProxyCommand=x"], "ssh FAIL", "name a machine"),
    ] {
        assert!(sound.contains(from), "{from}");
        std::fs::write(&file, sound.replacen(from, to, 1)).unwrap();
        let words: Vec<&str> = match words {
            ["--host", value] if value.starts_with('-') => vec!["--host=-oProxyCommand=x"],
            words => words.to_vec(),
        };
        if to.contains("127.0.0.1:1") {
            std::fs::write(&file, replaced_port(&sound)).unwrap();
        }
        let (code, lines) = examine(&world, &words).await;
        check(&lines, beginning, within);
        assert_eq!(code, i32::from(beginning.contains("FAIL")), "{}", lines.join("\n"));
    }
    std::fs::write(&file, sound.replacen("team", "taem", 1)).unwrap();
    let (code, said) = halcyon(&world, &["doctor"]).await;
    assert!(code == 2 && said.contains("did you mean `team`"), "{code} {said}");
    std::fs::write(&file, &sound).unwrap();

    for detour in [Detour::Maintenance, Detour::Page(404)] {
        world.chat.faults().detour(Some(detour));
        let (code, lines) = examine(&world, &[]).await;
        check(&lines, "chat FAIL: reaching", "is mattermost.url right");
        assert_eq!(code, 1);
    }
    world.chat.faults().detour(None);
    world.chat.faults().no_hello(true);
    let (code, lines) = examine(&world, &[]).await;
    check(&lines, "chat FAIL", "over the websocket");
    assert_eq!(code, 1);
    world.chat.faults().no_hello(false);
    write_token(&world, "wrong");
    let (code, lines) = examine(&world, &[]).await;
    check(&lines, "chat FAIL", "does not accept the token");
    assert_eq!(code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_does_not_arrive_is_found() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = world(&format!("[http]\nlisten = \"127.0.0.1:{port}\"\nallow = [\"10.0.0.0/8\"]")).await;
    rewrite(&world, "[mattermost]\n", &format!("[mattermost]\ncallback_url = \"http://127.0.0.1:{port}\"\n"));
    let (code, lines) = examine(&world, &[]).await;
    check(&lines, "callback FAIL", "[http] allow");
    assert_eq!(code, 1);
    rewrite(&world, "allow = [\"10.0.0.0/8\"]", "allow = []");
    world.chat.faults().forbid_callbacks(true);
    let (_, lines) = examine(&world, &[]).await;
    check(&lines, "callback FAIL", "AllowedUntrustedInternalConnections");
}

/// The same with the address of a port where nobody listens.
fn replaced_port(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if line.starts_with("url = ") { "url = \"http://127.0.0.1:1\"\n".to_owned() } else { format!("{line}\n") }
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_frozen_or_damaged_is_told() {
    let world = world("").await;
    rewrite(&world, "path = \"store\"", "path = \"store\"\nreserve = 1000000000000000");
    let place = world.directory.path().join("store");
    let (store, _) = DiskStore::open(&place).await.unwrap();
    let frozen = Fact::Frozen { why: "a storm".into(), by: None, from: None };
    // Damage in what is not the end is no torn end.
    for _ in 0..2 {
        store.append(vec![Dated { at: Timestamp::UNIX_EPOCH, fact: frozen.clone() }]).await.unwrap();
    }
    drop(store);
    let (_, lines) = examine(&world, &[]).await;
    check(&lines, "store OK", "2 facts are stored");
    check(&lines, "store WARN", "the bot is frozen: a storm");
    check(&lines, "store FAIL", "with less than store.reserve nothing new is begun");

    let log = place.join("log/00000000000000000001.facts");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    std::fs::create_dir(place.join("damaged-2026-01-01T00-00-00Z")).unwrap();
    let (code, lines) = examine(&world, &[]).await;
    assert_eq!(code, 1);
    check(&lines, "store FAIL", "is damaged");
    check(&lines, "store WARN", "was set aside in");
}
