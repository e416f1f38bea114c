//! # The demo
//!
//! A chat server and a cluster in this process, the real bot between them through its real adapters, and a short tour.
//!
//! - `site`: the configuration of the site that all of it makes;
//! - `monitoring`: how its monitoring tells the bot what it finds, and the rule that heals;
//! - `tour`: what is written in the channel, and what has to come of it.
//!
//! **The tour is a check**: the demo's answer is whether every scene went as it should.

mod monitoring;
mod site;
mod tour;

use super::engine::Engine;
use super::in_runtime;
use crate::config::Config;
use crate::sandbox::mailbox::Mailbox;
use crate::sandbox::mattermost::{self, Beside, Server};
use crate::sandbox::nodes::{self, BatchOptions, Fault, MonitoringOptions, Nodes};
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What `demo` was asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Stop after the tour.
    pub once: bool,
    /// How many nodes.
    pub nodes: u16,
    /// The port of the chat page; any that is free when absent.
    pub page_port: Option<u16>,
    /// Close the nodes' SSH ports.
    pub nodes_down: bool,
    /// Close the SSH ports of these nodes after the tour.
    pub dead: Vec<String>,
}

/// How long a line of the tour may take to be answered.
const PATIENCE: Duration = Duration::from_secs(25);
const CHANNEL: &str = "cluster";

/// Runs the demo. The answer is whether the tour went as it should.
///
/// # Errors
/// When it cannot start.
pub fn demo(options: DemoOptions, out: &mut dyn Write) -> anyhow::Result<bool> {
    in_runtime(async move {
        let directory =
            tempfile::Builder::new().prefix("halcyon-demo-").tempdir().context("cannot make a directory")?;
        if let Some(stranger) = options.dead.iter().find(|name| !names(options.nodes).any(|node| node == **name)) {
            bail!(
                "there is no node `{stranger}` that could be dead; the nodes are wn001 to wn{:03}, and several are written with commas: wn007,wn009",
                options.nodes
            );
        }
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stage = Stage::set(&options, directory.path()).await?;
        let stage_url = stage.chat.page_url();
        writeln!(
            out,
            "A chat server and {} nodes run in this process, and the real bot between them.\n",
            options.nodes
        )?;
        writeln!(out, "    {stage_url}\n")?;
        writeln!(
            out,
            "That page is the channel: write there as operator, lead or guest. Mails go nowhere but to its mailbox. The bot's configuration is {}.\n",
            directory.path().join("config.toml").display()
        )?;
        // Whoever stops it during the tour gets no directory left behind and no connections.
        let well = tokio::select! {
            well = stage.tour(&options, out) => Some(well?),
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        let Some(well) = well else {
            stage.clear().await?;
            bail!("the demo was stopped before its tour was over");
        };
        for name in &options.dead {
            if !stage.nodes.fault(name, Fault::RefuseConnections).await {
                bail!("there is no node {name}");
            }
        }
        if options.once {
            stage.clear().await?;
            return Ok(well);
        }
        writeln!(out, "The tour is over; the cluster is yours: {stage_url}")?;
        writeln!(out, "Ctrl-C ends it.")?;
        out.flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stage.clear().await?;
        Ok(well)
    })
}

/// The names of so many nodes.
fn names(count: u16) -> impl Iterator<Item = String> {
    (1..=count).map(|number| format!("wn{number:03}"))
}

/// Everything that the tour plays on.
struct Stage {
    chat: Server,
    nodes: Nodes,
    mailbox: Mailbox,
    engine: Engine,
    config: Config,
    directory: PathBuf,
}

impl Stage {
    async fn set(options: &DemoOptions, directory: &Path) -> anyhow::Result<Self> {
        let names: Vec<String> = names(options.nodes).collect();
        // Updates, reboots, jobs and checks take a third of their time, or the tour would be long.
        let cluster = nodes::Options {
            user: "root".to_owned(),
            pace: 0.33,
            batch: Some(BatchOptions { job_seconds: (6, 15), ..BatchOptions::new(site::BATCH_SERVER) }),
            monitoring: Some(MonitoringOptions { check_every: 4.0, ..MonitoringOptions::new(site::MONITORING_SERVER) }),
            ..nodes::Options::new(names, directory.join("nodes"))
        };
        let nodes = Nodes::start(cluster).await?;
        if options.nodes_down {
            nodes.close_all().await;
        }
        let port = options.page_port.unwrap_or(0);
        let mailbox = Mailbox::start().await.context("there is no free port for the mails")?;
        let beside = vec![Beside { name: "Mailbox".to_owned(), page: mailbox.pages() }];
        let chat = Server::start(mattermost::Options { port, beside, ..mattermost::Options::default() })
            .await
            .with_context(|| format!("the chat page cannot have port {port}"))?;
        let config = site::config(&chat, &nodes, &mailbox, options.nodes, directory)?;
        let engine = Engine::start(&config).await?;
        Ok(Self { chat, nodes, mailbox, engine, config, directory: directory.to_owned() })
    }

    async fn clear(self) -> anyhow::Result<()> {
        self.engine.stop().await?;
        self.nodes.close_all().await;
        self.chat.stop();
        Ok(())
    }
}
