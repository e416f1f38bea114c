//! The page on CheckMK, followed word for word but for addresses and paths: its commands, its files and its lines, against a site that tells by its plugin and is asked over REST. What is done
//! in CheckMK's own pages, the fourth step, the sandbox does.

use crate::callbacks::free_port;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::config::{Config, Environment, Http};
use halcyon::sandbox::nodes::{MonitoringOptions, Plugin};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The first block of a page after its fence that has this in it, without its indentation.
fn block(page: &str, fence: &str, with: &str) -> String {
    let fence = format!("```{fence}\n");
    let found = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    let found = found.filter(|block| block.contains(with)).collect::<Vec<_>>();
    let block = found.first().unwrap_or_else(|| panic!("no block with {with}"));
    block.lines().map(|line| format!("{}\n", line.trim())).collect()
}

/// The same with what is otherwise here.
fn here(mut text: String, others: &[(&str, &str)]) -> String {
    for (written, here) in others {
        assert!(text.contains(written), "{written}: {text}");
        text = text.replace(written, here);
    }
    text
}

fn put(file: &Path, text: &str, mode: &str) {
    let draft = file.with_extension("draft");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&draft, text).unwrap();
    // A program that this process has written itself can be busy for a moment, while others are started.
    let done = Command::new("install").args(["-m", mode]).arg(&draft).arg(file).status().unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_checkmk_sets_up_the_way_there_and_back() {
    let page = std::fs::read_to_string(format!("{}/docs/checkmk.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut world = World::on_nodes("", |options| options.monitoring = Some(MonitoringOptions::new("mon01"))).await;
    let access = world.nodes.monitoring_access().unwrap();
    let program = env!("CARGO_BIN_EXE_halcyon");

    // 1. A key.
    let command = block(&page, "sh", "api-key create");
    let words: Vec<&str> = command.trim().strip_prefix("halcyon ").unwrap().split(' ').collect();
    let config = world.directory.path().join("config.toml");
    let made = Command::new(program).arg("--config").arg(&config).args(&words).output().unwrap();
    let key = String::from_utf8(made.stdout).unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    // 2. and 3. On the monitoring server, as the site's user.
    let site = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let (key_file, url) = (site.path().join("etc/halcyon.key"), format!("http://{listen}"));
    put(&key_file, &key, "600");
    let settings = [
        ("https://halcyon.example.org:8070", url.as_str()),
        ("/omd/sites/hep/etc/halcyon.key", key_file.to_str().unwrap()),
    ];
    put(&site.path().join("etc/halcyon-notify.toml"), &here(block(&page, "text", "api_key_file"), &settings), "644");
    std::fs::create_dir_all(site.path().join("local/bin")).unwrap();
    symlink(program, site.path().join("local/bin/halcyon")).unwrap();
    let plugin = site.path().join("local/share/check_mk/notifications/halcyon");
    let script = block(&page, "text", "notify checkmk");
    let lines: Vec<&str> = script.lines().collect();
    assert_eq!(lines[..3], ["#!/bin/sh", "# Halcyon", "# Bulk: yes"], "what CheckMK reads in them");
    put(&plugin, &script, "755");

    // 5. An account, and the configuration.
    let secret = world.directory.path().join("checkmk.secret");
    put(&secret, &access.secret, "600");
    let ssh = format!("[\"ssh\", \"-F\", {:?}, \"mon01\", \"bin/lq\"]", world.nodes.ssh_config());
    let others = [
        ("https://mon.example.org/hep/check_mk", access.address.as_str()),
        ("/etc/halcyon/checkmk.secret", secret.to_str().unwrap()),
        ("[\"ssh\", \"hep@mon.example.org\", \"lq\"]", ssh.as_str()),
    ];
    let text = here(block(&page, "toml", "[[monitoring]]"), &others);
    let read = Config::parse(&config, &text, &Environment::new()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    world.config.monitorings = read.monitorings;
    world.config.roles.extend(read.roles);
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    world.start_bot().await;
    let answer = world.say("operator", "!state of mon01").await;
    assert!(answer.message.contains("mon01: UP · Packet received"), "{}", answer.message);
    let answer = world.say("operator", "!recheck wn001").await;
    assert!(answer.message.contains("wn001: UP"), "{}", answer.message);

    // 4. The notification rule.
    world.nodes.notify_by(Plugin { program: plugin, arguments: Vec::new(), root: site.path().to_owned() });
    world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let of_it = |text: &'static str| {
        move |post: &halcyon::sandbox::mattermost::Post| {
            post.root_id.is_empty() && post.message.contains("`wn002` · Unparent") && post.message.contains(text)
        }
    };
    let post = world.chat.wait_for(CHANNEL, of_it(":red_circle: **CRITICAL**"), PATIENCE).await.unwrap();
    // And what the page tells to say.
    let answer = world.say("operator", "!ack wn002 \"Unparent processes\" replacing the disk").await;
    assert!(answer.message.contains("taken on"), "{}", answer.message);
    let taken = world.chat.wait_for(CHANNEL, of_it("taken on by operator: _replacing the disk_"), PATIENCE).await;
    assert_eq!(taken.unwrap().id, post.id);
    let waits = Command::new("sh")
        .args(["-c", &block(&page, "sh", "--drain").replace("halcyon ", "~/local/bin/halcyon ")])
        .env("HOME", site.path())
        .env("OMD_ROOT", site.path())
        .env("OMD_SITE", "cluster")
        .status()
        .unwrap();
    assert!(waits.success());
}
