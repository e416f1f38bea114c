//! Calling the plugin: a process of the host, as a site calls its own.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::SITE;
use super::notification::Notification;

/// A program that is called with each notification. **It is no shell's command**: what stands in a notification is only ever a variable of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The program, a file of the host.
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<String>,
    /// The home of the site in the host's file system, where the plugin finds its settings: its `OMD_ROOT`.
    pub root: PathBuf,
}

/// Calls plugins, one after the other as a site does, until nothing more can come.
pub(super) async fn deliver(mut incoming: mpsc::UnboundedReceiver<(Plugin, Notification)>, stop: CancellationToken) {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = incoming.recv() => next,
        };
        let Some((plugin, notification)) = next else { return };
        call(&plugin, notification).await;
    }
}

async fn call(plugin: &Plugin, Notification(variables): Notification) {
    // A variable cannot hold what ends it.
    let variables = variables.into_iter().map(|(name, value)| (name, value.replace('\0', "")));
    let mut command = Command::new(&plugin.program);
    command.args(&plugin.arguments).env_clear().envs(variables);
    command
        .env("HOME", &plugin.root)
        .env("OMD_ROOT", &plugin.root)
        .env("OMD_SITE", SITE)
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = match command.output().await {
        Ok(output) if output.status.success() => return,
        Ok(output) => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    // As in life, the monitoring goes on and its log says why.
    tracing::warn!("the sandbox's plugin {} did not take a notification: {said}", plugin.program.display());
}
