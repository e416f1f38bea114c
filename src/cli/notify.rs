//! `notify checkmk` and `notify nagios`: what a monitoring calls, and the drainer that it leaves behind.

use super::arguments::{CheckmkNotify, InsteadOfNotifying, NagiosNotify};
use super::{Failure, Surroundings};
use crate::adapters::notify::settings::{IN_A_SITE, SPOOL, SPOOL_IN_A_SITE};
use crate::adapters::notify::spool::SpoolError;
use crate::adapters::notify::{Settings, Spool, drain};
use crate::app;
use crate::core::alert::checkmk::Context;
use crate::core::alert::nagios::Macros;
use crate::core::alert::source::Event;
use jiff::tz::TimeZone;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The longest that is read of a bulk; CheckMK's own limit on how many go into one keeps far below.
const LONGEST_BULK: u64 = 64 * 1024 * 1024;

/// What the drainer needs of the environment: how to find its libraries' files, and nothing of the notification.
const HANDED_ON: [&str; 7] = ["PATH", "HOME", "TZ", "OMD_ROOT", "OMD_SITE", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What differs between the monitorings.
struct Caller {
    /// The word behind `notify`.
    word: &'static str,
    /// The file of the settings.
    settings: PathBuf,
    /// Where notifications wait unless that file says otherwise; also when it cannot be read, so that nothing is lost by a mistake in it.
    spool: Option<PathBuf>,
}

pub(crate) fn checkmk(asked: CheckmkNotify, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let root = surroundings.environment.get("OMD_ROOT").or_else(|| surroundings.environment.get("NOTIFY_OMD_ROOT"));
    let root = root.filter(|root| !root.is_empty()).map(PathBuf::from);
    let settings = match (asked.settings, &root) {
        (Some(file), _) => file,
        (None, Some(root)) => root.join(IN_A_SITE),
        (None, None) => {
            let sentence = "there is no OMD_ROOT in the environment: run it as the site's user, or name the settings by --settings FILE";
            return Err(Failure::Wrong(sentence.to_owned()));
        }
    };
    let caller = Caller { word: "checkmk", settings, spool: root.map(|root| root.join(SPOOL_IN_A_SITE)) };
    notify(&caller, &asked.instead, surroundings, |_, surroundings| checkmk_events(asked.bulk, surroundings))
}

pub(crate) fn nagios(asked: NagiosNotify, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let caller = Caller { word: "nagios", settings: asked.settings, spool: Some(PathBuf::from(SPOOL)) };
    notify(&caller, &asked.instead, surroundings, |settings, surroundings| {
        let macros = Macros::from_environment(surroundings.environment.clone());
        let macros = macros.ok_or_else(|| {
            Failure::Wrong(
                "there is no notification in the environment (NAGIOS_HOSTNAME): this is for Nagios to call, with enable_environment_macros=1"
                    .to_owned(),
            )
        })?;
        Ok(vec![macros.event(settings.and_then(|settings| settings.site.as_deref()))])
    })
}

/// Takes what the monitoring tells, or does what is wanted instead.
fn notify(
    caller: &Caller,
    asked: &InsteadOfNotifying,
    surroundings: &mut Surroundings<'_>,
    events: impl FnOnce(Option<&Settings>, &mut Surroundings<'_>) -> Result<Vec<Event>, Failure>,
) -> Result<(), Failure> {
    let read = Settings::read(&caller.settings);
    let spool = match (&read, &caller.spool) {
        (Ok(settings), usual) => settings.spool(usual.as_deref()),
        (Err(_), Some(usual)) => usual.clone(),
        (Err(error), None) => return Err(Failure::Wrong(error.to_string())),
    };
    let spool = Spool::open(&spool).map_err(|error| Failure::Failed(error.to_string()))?;
    if asked.drain {
        // It is to outlive whoever started it. That fails where it leads its group already, and is not needed there.
        let _ = rustix::process::setsid();
        let key = surroundings.environment.get(Settings::key_variable()).map(String::as_str);
        return app::drain(drain(&caller.settings, &spool, key, now)).map_err(Failure::from);
    }
    if asked.status {
        let failed = |error: SpoolError| Failure::Failed(error.to_string());
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
    let events = events(read.as_ref().ok(), surroundings)?;
    let count = events.len();
    spool.add(events).map_err(|error| Failure::Failed(error.to_string()))?;
    // What is kept is never lost by what follows, which is why it is told as wrong and not as something to be tried again.
    let kept = |why: String| Failure::Wrong(format!("kept in {}, not sent yet: {why}", spool.root().display()));
    let settings = read.map_err(|error| kept(error.to_string()))?;
    let key = surroundings.environment.get(Settings::key_variable()).map(String::as_str);
    settings.key(key).map_err(|error| kept(error.to_string()))?;
    leave_behind(caller, surroundings).map_err(|error| kept(format!("cannot start what sends it: {error}")))?;
    writeln!(surroundings.out, "{count} kept for Halcyon")?;
    Ok(())
}

fn checkmk_events(bulk: bool, surroundings: &mut Surroundings<'_>) -> Result<Vec<Event>, Failure> {
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
fn leave_behind(caller: &Caller, surroundings: &Surroundings<'_>) -> std::io::Result<()> {
    let program = std::env::current_exe()?;
    let file: &Path = &caller.settings;
    let handed_on = surroundings
        .environment
        .iter()
        .filter(|(name, _)| HANDED_ON.contains(&name.as_str()) || *name == Settings::key_variable());
    Command::new(program)
        .args(["notify", caller.word, "--drain", "--settings"])
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
