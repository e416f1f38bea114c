//! The demo, as anybody starts it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
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
