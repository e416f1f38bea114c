//! `notify checkmk`: what CheckMK calls, and the drainer that it leaves behind.

use super::arguments::CheckmkNotify;
use super::{Failure, Surroundings};
use crate::adapters::checkmk::{Settings, Spool, drain, settings};
use crate::app;
use crate::core::alert::checkmk::{Context, Event};
use jiff::tz::TimeZone;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The longest that is read of a bulk; CheckMK's own limit on how many go into one keeps far below.
const LONGEST_BULK: u64 = 64 * 1024 * 1024;

/// What the drainer needs of the environment: how to find its libraries' files, and nothing of the notification.
const HANDED_ON: [&str; 7] = ["PATH", "HOME", "TZ", "OMD_ROOT", "OMD_SITE", "SSL_CERT_FILE", "SSL_CERT_DIR"];

pub(crate) fn checkmk(asked: CheckmkNotify, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let root = surroundings.environment.get("OMD_ROOT").or_else(|| surroundings.environment.get("NOTIFY_OMD_ROOT"));
    let root = root.filter(|root| !root.is_empty()).map(PathBuf::from);
    let file = match (asked.settings, &root) {
        (Some(file), _) => file,
        (None, Some(root)) => root.join(settings::PLACE),
        (None, None) => {
            let sentence = "there is no OMD_ROOT in the environment: run it as the site's user, or name the settings by --settings FILE";
            return Err(Failure::Wrong(sentence.to_owned()));
        }
    };
    let read = Settings::read(&file);
    let spool = match (&read, &root) {
        (Ok(settings), _) => settings.spool(root.as_deref()),
        // A site whose settings have a mistake loses nothing.
        (Err(_), Some(root)) => Settings::spool_without(root),
        (Err(error), None) => return Err(Failure::Wrong(error.to_string())),
    };
    let spool = Spool::open(&spool).map_err(|error| Failure::Failed(error.to_string()))?;
    if asked.drain {
        // It is to outlive whoever started it. That fails where it leads its group already, and is not needed there.
        let _ = rustix::process::setsid();
        let key = surroundings.environment.get(Settings::key_variable()).map(String::as_str);
        return app::drain(drain(&file, &spool, key, now)).map_err(Failure::from);
    }
    if asked.status {
        let failed = |error: crate::adapters::checkmk::spool::SpoolError| Failure::Failed(error.to_string());
        let (waiting, refused) = (spool.names().map_err(failed)?.len(), spool.refused_count().map_err(failed)?);
        let sending = spool.is_being_sent();
        if asked.json {
            let state = serde_json::json!({"waiting": waiting, "refused": refused, "sending": sending});
            writeln!(surroundings.out, "{state}")?;
        } else {
            writeln!(surroundings.out, "waiting  {waiting}\nrefused  {refused}\nsending  {sending}")?;
        }
        return read.map(drop).map_err(|error| Failure::Failed(error.to_string()));
    }
    let events = events(asked.bulk, surroundings)?;
    let count = events.len();
    spool.add(events).map_err(|error| Failure::Failed(error.to_string()))?;
    // What is kept is never lost by what follows, which is why it is told as wrong and not as something to be tried again.
    let kept = |why: String| Failure::Wrong(format!("kept in {}, not sent yet: {why}", spool.root().display()));
    let settings = read.map_err(|error| kept(error.to_string()))?;
    let key = surroundings.environment.get(Settings::key_variable()).map(String::as_str);
    settings.key(key).map_err(|error| kept(error.to_string()))?;
    leave_behind(&file, surroundings).map_err(|error| kept(format!("cannot start what sends it: {error}")))?;
    writeln!(surroundings.out, "{count} kept for Halcyon")?;
    Ok(())
}

fn events(bulk: bool, surroundings: &mut Surroundings<'_>) -> Result<Vec<Event>, Failure> {
    let zone = TimeZone::system();
    if !bulk {
        let context = Context::from_environment(surroundings.environment.clone());
        let context = context.ok_or_else(|| {
            Failure::Wrong(
                "there is no notification in the environment (NOTIFY_HOSTNAME): this is for CheckMK to call".to_owned(),
            )
        })?;
        return Ok(vec![context.event(&zone)]);
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LONGEST_BULK + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::Failed(format!("cannot read the notifications from standard input: {error}")))?;
    if bytes.len() as u64 > LONGEST_BULK {
        return Err(Failure::Wrong(format!(
            "more than {LONGEST_BULK} bytes at once; make the bulks of the rule smaller"
        )));
    }
    let text = String::from_utf8_lossy(&bytes);
    let site = surroundings.environment.get("OMD_SITE").map(String::as_str);
    let (contexts, unusable) = Context::from_bulk(&text, site);
    if unusable > 0 {
        writeln!(surroundings.err, "halcyon: {unusable} of the notifications have no host and are left out")?;
    }
    if contexts.is_empty() {
        return Err(Failure::Wrong("there is no notification on standard input".to_owned()));
    }
    Ok(contexts.iter().map(|context| context.event(&zone)).collect())
}

/// Starts the drainer and does not wait for it.
fn leave_behind(file: &Path, surroundings: &Surroundings<'_>) -> std::io::Result<()> {
    let program = std::env::current_exe()?;
    let handed_on = surroundings
        .environment
        .iter()
        .filter(|(name, _)| HANDED_ON.contains(&name.as_str()) || *name == Settings::key_variable());
    Command::new(program)
        .args(["notify", "checkmk", "--drain", "--settings"])
        .arg(std::path::absolute(file)?)
        .env_clear()
        .envs(handed_on)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

fn now() -> String {
    app::now().to_string()
}
