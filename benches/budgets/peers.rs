//! The programs that Halcyon is measured beside. `scripts/bench.sh` puts them into a directory outside of the repository.

use crate::Setting;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of ours that a peer runs.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(name)
}

/// The bots beside which chat is measured.
pub(crate) const BOTS: [&str; 2] = ["Hubot 14", "mmpy_bot"];

/// How a bot is started against a server; nothing when it is not there.
pub(crate) fn bot(setting: &Setting, name: &str, url: &str, token: &str) -> Option<Command> {
    let peers = setting.peers.as_ref()?;
    let mut command = match name {
        "Hubot 14" => {
            let hubot = peers.join("node_modules/hubot/bin/Hubot.mjs");
            if !hubot.exists() {
                return None;
            }
            let mut command = Command::new("node");
            command.arg(hubot).arg("--disable-httpd").arg("--file").arg(script("hubot-mattermost.mjs"));
            command.arg("--require").arg(script("hubot"));
            command.env("HUBOT_LOG_LEVEL", "error");
            command
        }
        _ => {
            let python = peers.join("python/bin/python");
            if !python.exists() {
                return None;
            }
            let mut command = Command::new(python);
            command.arg(script("mmpy.py"));
            command
        }
    };
    command.current_dir(peers).env("MATTERMOST_URL", url).env("MATTERMOST_TOKEN", token);
    Some(command)
}

/// Microseconds that a peer takes for a hit and for a miss.
pub(crate) fn alias(setting: &Setting, peer: &str, request: &Value) -> Option<(f64, f64)> {
    let peers = setting.peers.as_ref()?;
    let mut command = match peer {
        "hubot" if peers.join("node_modules/hubot").exists() => {
            let mut command = Command::new("node");
            command.arg(script("hubot-alias.mjs")).env("HUBOT_LOG_LEVEL", "silent");
            command
        }
        "python" => {
            let mut command = Command::new("python3");
            command.arg(script("alias.py"));
            command
        }
        _ => return None,
    };
    let child = command.current_dir(peers).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.ok()?;
    child.stdin.take()?.write_all(request.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    let answer: Value = serde_json::from_str(&last).ok()?;
    Some((answer["hit"].as_f64()?, answer["miss"].as_f64()?))
}

/// Microseconds of CPU that ansible-rulebook takes for an event.
pub(crate) fn rules(setting: &Setting, request: &Value) -> Option<f64> {
    let program = setting.peers.as_ref()?.join("rulebook/bin/ansible-rulebook");
    if !program.exists() {
        return None;
    }
    let mut command = Command::new("python3");
    command
        .arg(script("rulebook.py"))
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(request.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    answer["us"].as_f64()
}

/// Seconds that Orquesta takes for each of these workflows, by their names.
pub(crate) fn workflow(setting: &Setting, request: &Value) -> Option<Value> {
    let python = setting.peers.as_ref()?.join("orquesta/bin/python");
    if !python.exists() {
        return None;
    }
    let mut command = Command::new(python);
    command.arg(script("conductor.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(request.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}
