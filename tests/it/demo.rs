//! The demo, as anybody starts it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Its tour goes as it should: the roll-out of kernels tells what became of every node, and an alert at its end heals.
#[tokio::test]
async fn its_tour_goes_well() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_halcyon"));
    demo.args(["demo", "--once"]).current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let played = tokio::time::timeout(Duration::from_secs(400), demo.output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success(), "{out}\n{err}");
    for shown in [
        "Byte for byte what stood on the card is what ran on the node.",
        "!upgrade kernel on wn[001-006]",
        "lead      presses Approve",
        "UpgradeNodes · wn004: WaitForReboot: wn004: it refuses connections",
        "verdict: done, and not all upgraded",
        "wn004: the node has not come back from its reboot",
        "a mail    wn004: kernel upgrade failed to cluster-admins@cluster.example",
        "a mail    Kernel upgrade of wn[001-006]: done, and not all upgraded to cluster-admins@cluster.example",
        "/beside/mailbox?token=",
        "● CRITICAL wn024 · Unparent processes",
        "✔ OK again wn024 · Unparent processes",
    ] {
        assert!(out.contains(shown), "{shown}:\n{out}");
    }
    let sign = regex::Regex::new(r"(?m)(^|\s):[a-z_]{3,}:").unwrap();
    assert_eq!(sign.find(&out).map(|sign| sign.as_str()), None, "a terminal has no names of signs: {out}");
    // What went wrong is marked where it went wrong.
    assert!(!out.contains(" ^ "), "{out}");
}

/// Nobody waits for the end of the tour to hear that a name was wrong.
#[tokio::test]
async fn a_node_that_is_not_there_is_told_at_once() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_halcyon"));
    demo.args(["demo", "--once", "--nodes", "4", "--dead", "wn003,wn005"]);
    demo.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_secs(60), demo.output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!((ended.status.code(), &*out), (Some(1), ""), "{err}");
    assert!(err.contains("there is no node `wn005`") && err.contains("wn001 to wn004"), "{err}");
}

/// Whoever stops it during the tour finds nothing left behind.
#[tokio::test]
async fn stopped_in_its_tour_it_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_halcyon"));
    demo.args(["demo", "--nodes", "4"]).current_dir(env!("CARGO_MANIFEST_DIR")).env("TMPDIR", place.path());
    demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut demo = demo.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let played = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("uptime on") {
                let pid = demo.id().unwrap().to_string();
                assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), played).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), demo.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
