//! What ssh and a node agree on, as ssh itself tells when it is asked to talk about it.

use super::reason::explain;
use super::{HostKeys, SshOptions};
use crate::core::action::capture::showable;
use crate::core::id::Host;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// What a login agreed on; empty where ssh did not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The node's server software.
    pub server: String,
    /// How keys are exchanged.
    pub key_exchange: String,
    /// The kind of the node's key.
    pub host_key: String,
}

/// Logs in on a connection of its own and runs `true` there.
///
/// # Errors
/// Why not, in plain words.
pub async fn agreement(options: &SshOptions, host: &Host) -> Result<Agreement, String> {
    let strict = match options.host_keys {
        HostKeys::Strict => "yes",
        HostKeys::AcceptNew => "accept-new",
    };
    let mut ssh = Command::new("ssh");
    ssh.arg("-v").arg("-T");
    for option in ["BatchMode=yes", "ControlMaster=no", "ControlPath=none", "ClearAllForwardings=yes"] {
        ssh.arg("-o").arg(option);
    }
    ssh.arg("-o").arg(format!("StrictHostKeyChecking={strict}"));
    ssh.arg("-o").arg(format!("ConnectTimeout={}", options.connect_timeout.as_secs().max(1)));
    if let Some(file) = &options.known_hosts_file {
        let mut option = std::ffi::OsString::from("UserKnownHostsFile=");
        option.push(file);
        ssh.arg("-o").arg(option);
    }
    if let Some(file) = &options.config_file {
        ssh.arg("-F").arg(file);
    }
    ssh.arg("--").arg(host.as_str()).arg("true");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"HALCYON_") || name == "CREDENTIALS_DIRECTORY" {
            ssh.env_remove(name);
        }
    }
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let patience = options.connect_timeout + Duration::from_secs(10);
    let output = tokio::time::timeout(patience, ssh.output()).await;
    let output = output.map_err(|_| format!("no end within {} s", patience.as_secs()))?;
    let output = output.map_err(|error| format!("the program `ssh` cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(255) || output.status.code().is_none() {
        let said: Vec<&str> = text.lines().filter(|line| !line.starts_with("debug1:")).collect();
        return Err(explain(&said.join("\n")));
    }
    let after = |mark: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(mark));
        found.map(|rest| showable(rest.split(", compat").next().unwrap_or(rest).trim())).unwrap_or_default()
    };
    Ok(Agreement {
        server: after("debug1: Remote protocol version 2.0, remote software version "),
        key_exchange: after("debug1: kex: algorithm: "),
        host_key: after("debug1: kex: host key algorithm: "),
    })
}
