//! The site of the demo: its configuration, and that of its pack.

use super::{CHANNEL, monitoring};
use crate::config::{Config, Environment};
use crate::sandbox::mailbox::Mailbox;
use crate::sandbox::mattermost::Server;
use crate::sandbox::nodes::Nodes;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The machine of the batch system.
pub(super) const BATCH_SERVER: &str = "slurm01";
/// The machine of the monitoring.
pub(super) const MONITORING_SERVER: &str = "mon01";
/// The monitoring, as the bot and people call it.
const SITE: &str = "cluster";
/// Who gets the mails.
pub(super) const MAIL_TO: &str = "cluster-admins@cluster.example";

/// What the pack is told. Nodes that boot in two seconds need not be waited for as long as real ones.
fn pack_configuration() -> String {
    format!(
        "batch_server: {BATCH_SERVER}\nmonitoring_server: {MONITORING_SERVER}\nmail_to: {MAIL_TO}\nupgrade_poll: 1\nupgrade_back_within: 6\n"
    )
}

/// The configuration of a site whose chat server and nodes these are.
pub(super) fn config(
    chat: &Server,
    nodes: &Nodes,
    mailbox: &Mailbox,
    count: u16,
    directory: &Path,
) -> anyhow::Result<Config> {
    let pack = site_pack()?;
    let configs = directory.join("configs");
    std::fs::create_dir(&configs)
        .and_then(|()| std::fs::write(configs.join("site.yaml"), pack_configuration()))
        .with_context(|| format!("cannot write into {}", configs.display()))?;
    let healing = directory.join("healing");
    monitoring::write_pack(&healing)?;
    let access = nodes.monitoring_access().context("the demo's cluster has no monitoring")?;
    // Free a moment ago; whoever takes it in between makes the start fail with a word.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let http = free.context("there is no free port for [http]")?;
    let text = format!(
        r#"
[mattermost]
url = "{url}"
team = "ops"
channels = ["{CHANNEL}"]
admin_channel = "{CHANNEL}"
address = ["mention", "prefix"]
prefix = "!"
mention_after = 4
time_zone = "Europe/Zurich"
callback_url = "http://{http}"
[http]
listen = "{http}"
[store]
path = "store"
[content]
packs = [{pack:?}, {healing:?}]
configs = "configs"
[ssh]
config_file = {ssh_config:?}
connect_timeout = 5
[inventory]
hosts = ["wn[001-{count:03}]", "{BATCH_SERVER}", "{MONITORING_SERVER}"]
[inventory.groups]
workers = ["wn[001-{count:03}]"]
[mail]
host = "127.0.0.1"
port = {mail_port}
encryption = "none"
from = "Halcyon <halcyon@cluster.example>"
[storms]
quiet = 30
[[monitoring]]
name = "{SITE}"
kind = "checkmk"
address = {address:?}
user = {user:?}
livestatus = "tcp:{livestatus}"
confirm = 20
read = 10
[[access.roles]]
name = "operator"
users = ["operator"]
grants = ["view:*", "run:site.*", "run:monitoring.*"]
[[access.roles]]
name = "healing"
rules = ["healing.*"]
grants = ["run:healing.*"]
[[access.roles]]
name = "lead"
users = ["lead"]
grants = ["admin:*"]
[serve]
grace = 2
"#,
        url = chat.url(),
        address = access.address,
        user = access.user,
        livestatus = access.livestatus,
        mail_port = mailbox.address().port(),
        pack = pack.display().to_string(),
        healing = healing.display().to_string(),
        ssh_config = nodes.ssh_config().display().to_string(),
    );
    let file = directory.join("config.toml");
    // Answers name its lines.
    std::fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    let environment = Environment::from([
        ("HALCYON_MATTERMOST_TOKEN".to_owned(), chat.bot_token()),
        (format!("HALCYON_MONITORING_{}_SECRET", SITE.to_uppercase()), access.secret),
    ]);
    Config::parse(&file, &text, &environment).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's own configuration is not sound:\n{}", lines.join("\n"))
    })
}

/// The pack in the current directory.
fn site_pack() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current directory")?;
    if !here.join("pack.yaml").is_file() {
        bail!(
            "there is no pack.yaml in {}: run the demo in the root of Halcyon's repository, or in a pack of your own",
            here.display()
        );
    }
    Ok(here)
}
