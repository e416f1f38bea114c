//! The monitoring of the demo tells the bot what it finds, through the plugin that a site installs, with a key of its own.

use super::Stage;
use crate::adapters::control;
use crate::config::Config;
use crate::core::effect::Answer;
use crate::core::input::Ask;
use crate::core::webhook::api_key::{ApiKeyAsk, Digest};
use crate::sandbox::nodes::Plugin;
use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The pack with the rule that heals, file by file.
const PACK: [(&str, &str); 4] = [
    ("pack.yaml", include_str!("healing/pack.yaml")),
    ("actions/kill_unparent.yaml", include_str!("healing/actions/kill_unparent.yaml")),
    ("rules/orphans.yaml", include_str!("healing/rules/orphans.yaml")),
    ("policies/ask.yaml", include_str!("healing/policies/ask.yaml")),
];

/// The service that the rule heals.
pub(super) const SERVICE: &str = "Unparent processes";
/// Whose processes it kills.
pub(super) const USER: &str = "atlsqmal";

/// Writes the pack into a directory.
pub(super) fn write_pack(pack: &Path) -> anyhow::Result<()> {
    for (inside, text) in PACK {
        let file = pack.join(inside);
        let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

impl Stage {
    /// From now on the bot is told what the monitoring finds.
    pub(super) async fn begin_to_tell(&self, config: &Config, directory: &Path) -> anyhow::Result<()> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).context("the system gives no randomness")?;
        let key = BASE64_URL_SAFE_NO_PAD.encode(random);
        let ask = ApiKeyAsk::Create {
            name: "monitoring".to_owned(),
            digest: Digest::of(&key),
            webhooks: vec!["st2".to_owned()],
        };
        match control::call(&config.control.socket, &Ask::ApiKeys(ask)).await? {
            Answer::ApiKeys { .. } => {}
            other => bail!("the bot makes no key for the monitoring: {other:?}"),
        }
        let listen = config.http.as_ref().context("the demo has no [http]")?.listen;
        let root = directory.join("omd");
        let etc = root.join("etc");
        std::fs::create_dir_all(&etc).with_context(|| format!("cannot make {}", etc.display()))?;
        let key_file = etc.join("halcyon.key");
        let settings = format!(
            "url = \"http://{listen}\"\napi_key_file = {:?}\nlongest_wait = 1\n",
            key_file.display().to_string()
        );
        for (file, text) in [(&key_file, key), (&etc.join("halcyon-notify.toml"), settings)] {
            let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            opened
                .and_then(|mut opened| std::io::Write::write_all(&mut opened, text.as_bytes()))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let arguments = vec!["notify".to_owned(), "checkmk".to_owned()];
        self.nodes.notify_by(Plugin { program, arguments, root });
        Ok(())
    }
}
