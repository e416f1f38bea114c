//! What the plugin is told: a small file on the machine of the monitoring.

use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Where it lies in a site of CheckMK, from the site's root.
pub const IN_A_SITE: &str = "etc/halcyon-notify.toml";
/// And the spool.
pub const SPOOL_IN_A_SITE: &str = "var/halcyon-notify";
/// The spool on a machine of Nagios.
pub const SPOOL: &str = "/var/spool/halcyon-notify";
const KEY_VARIABLE: &str = "HALCYON_API_KEY";

/// How the bot is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `https://halcyon.example.org:8070`
    pub url: String,
    /// A file with the key that `halcyon api-key create` has printed.
    api_key_file: Option<PathBuf>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The longest wait between two attempts, in seconds.
    #[serde(default = "longest_wait")]
    longest_wait: u64,
    /// Where notifications wait.
    spool: Option<PathBuf>,
    /// What this monitoring is called, where there are several of its kind. CheckMK says that itself.
    pub site: Option<String>,
    #[serde(skip)]
    file: PathBuf,
}

fn longest_wait() -> u64 {
    30
}

/// What is wrong with them.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no file, or it is not for us.
    #[error("cannot read the settings {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is not as it should be.
    #[error("{}: {what}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What.
        what: String,
    },
    /// The key cannot be had.
    #[error("{}: {what}; name a file with the key by `api_key_file`, or set {KEY_VARIABLE}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        what: String,
    },
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or has a mistake.
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| SettingsError::Unreadable { file: file.to_owned(), source })?;
        let wrong = |what: String| SettingsError::Wrong { file: file.to_owned(), what };
        let mut settings: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let url = reqwest::Url::parse(&settings.url).map_err(|error| wrong(format!("`url`: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("`url` has to begin with https:// or http://".to_owned()));
        }
        let name = |site: &String| site.len() <= 64 && site.chars().all(|letter| letter.is_ascii_graphic());
        if settings.site.as_ref().is_some_and(|site| site.is_empty() || !name(site)) {
            return Err(wrong("`site` has to be a short name without blanks".to_owned()));
        }
        file.clone_into(&mut settings.file);
        Ok(settings)
    }

    /// Where notifications wait: as the file says, else at the usual place, else beside the file.
    pub fn spool(&self, usual: Option<&Path>) -> PathBuf {
        match (&self.spool, usual) {
            (Some(spool), _) => spool.clone(),
            (None, Some(usual)) => usual.to_owned(),
            (None, None) => self.file.parent().unwrap_or(Path::new(".")).join("halcyon-notify"),
        }
    }

    /// The longest wait between two attempts.
    pub fn longest_wait(&self) -> Duration {
        Duration::from_secs(self.longest_wait.clamp(1, 3600))
    }

    /// Where to send to.
    pub fn address(&self) -> String {
        format!("{}/api/v1/webhooks/st2", self.url.trim_end_matches('/'))
    }

    /// The key: the environment first, then the file.
    ///
    /// # Errors
    /// There is none, or it cannot be read. What it says is not told.
    pub fn key(&self, environment: Option<&str>) -> Result<String, SettingsError> {
        let trouble = |what: String| SettingsError::Key { file: self.file.clone(), what };
        let text = match (environment, &self.api_key_file) {
            (Some(key), _) => key.to_owned(),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| trouble(format!("cannot read {}: {error}", file.display())))?,
            (None, None) => return Err(trouble("there is no key".to_owned())),
        };
        let key = text.trim();
        if key.is_empty() || key.contains(char::is_whitespace) || !key.is_ascii() {
            return Err(trouble("what stands there is no key".to_owned()));
        }
        Ok(key.to_owned())
    }

    /// The variable in which the key may stand.
    pub fn key_variable() -> &'static str {
        KEY_VARIABLE
    }
}
