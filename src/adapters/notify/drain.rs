//! Sends what waits in a spool, until there is nothing left.

use super::settings::Settings;
use super::spool::{Spool, SpoolError, Waiting};
use reqwest::{Certificate, Client, StatusCode};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

/// A machine that does not take a connection by then is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// For a whole request.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first wait after a failure; each one is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The log begins anew when it is longer.
const LONGEST_LOG: u64 = 1024 * 1024;

/// Why it ended before all was sent.
#[derive(Debug, Error)]
pub enum DrainError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The certificates, or what else a client is made of.
    #[error("cannot make a connection as the settings say: {0}")]
    Client(String),
}

/// What came of sending one.
enum Sent {
    /// It is durable there.
    Taken,
    /// It will never be taken.
    Refused(String),
    /// Not now.
    Later(String),
}

/// Sends everything, oldest first, and waits for the bot as long as it takes. Comes back at once when another one is sending.
///
/// The settings are read again before each attempt, so that a mended file or a new key counts without anybody's help. `now` writes the time for the log.
///
/// # Errors
/// The spool cannot be used any more.
pub async fn drain(file: &Path, spool: &Spool, key: Option<&str>, now: fn() -> String) -> Result<(), DrainError> {
    loop {
        {
            let Some(_turn) = spool.turn()? else { return Ok(()) };
            send_all(file, spool, key, now).await?;
        }
        // Somebody may have come after the last look, and found the lock taken.
        if spool.names()?.is_empty() {
            return Ok(());
        }
    }
}

async fn send_all(file: &Path, spool: &Spool, key: Option<&str>, now: fn() -> String) -> Result<(), DrainError> {
    let mut log = Log { spool, now };
    let mut wait = FIRST_WAIT;
    let mut longest = Duration::from_secs(30);
    let mut told = String::new();
    let mut client = None;
    loop {
        let mut delivered = 0_usize;
        let mut trouble = None;
        let names = spool.names()?;
        if names.is_empty() {
            return Ok(());
        }
        match connect(file, key, client.take()) {
            Err(why) => trouble = Some(why),
            Ok(way) => {
                longest = way.settings.longest_wait();
                for name in names {
                    let Some(waiting) = spool.read(&name)? else {
                        log.say(&format!("{name} is no notification of mine; set aside"));
                        spool.set_aside(&name)?;
                        continue;
                    };
                    match way.send(&waiting).await {
                        Sent::Taken => {
                            spool.delivered(&name)?;
                            delivered += 1;
                        }
                        Sent::Refused(why) => {
                            log.say(&format!("{name} was refused for good and set aside: {why}"));
                            spool.set_aside(&name)?;
                        }
                        Sent::Later(why) => {
                            trouble = Some(why);
                            break;
                        }
                    }
                }
                client = Some(way);
            }
        }
        if delivered > 0 {
            log.say(&format!("{delivered} delivered"));
            wait = FIRST_WAIT;
        }
        if let Some(why) = trouble {
            // Once, and not at each attempt of a long night.
            if why != told {
                log.say(&format!("not delivered, and tried again until it is: {why}"));
                told = why;
            }
            tokio::time::sleep(wait.min(longest)).await;
            wait = (wait * 2).min(longest);
        }
    }
}

/// A client as the settings say.
struct Way {
    settings: Settings,
    key: String,
    http: Client,
}

/// The client that there is, unless the settings say something else by now.
fn connect(file: &Path, key: Option<&str>, before: Option<Way>) -> Result<Way, String> {
    let settings = Settings::read(file).map_err(|error| error.to_string())?;
    let key = settings.key(key).map_err(|error| error.to_string())?;
    if let Some(before) = before
        && before.settings.url == settings.url
        && before.settings.ca_file == settings.ca_file
    {
        return Ok(Way { settings, key, http: before.http });
    }
    let http = client(&settings).map_err(|error| error.to_string())?;
    Ok(Way { settings, key, http })
}

fn client(settings: &Settings) -> Result<Client, DrainError> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("halcyon-notify/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = &settings.ca_file {
        let failed = |error: String| DrainError::Client(format!("{}: {error}", file.display()));
        let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        for authority in Certificate::from_pem_bundle(&text).map_err(|error| failed(error.to_string()))? {
            builder = builder.add_root_certificate(authority);
        }
    }
    builder.build().map_err(|error| DrainError::Client(error.to_string()))
}

impl Way {
    async fn send(&self, waiting: &Waiting) -> Sent {
        let asked = self
            .http
            .post(self.settings.address())
            .header("St2-Api-Key", &self.key)
            .header("St2-Trace-Tag", &waiting.id)
            .header("Idempotency-Key", &waiting.id)
            .json(&json!({"trigger": waiting.trigger, "payload": waiting.payload}));
        match asked.send().await {
            Err(error) => Sent::Later(reason(&error)),
            Ok(answer) => {
                let status = answer.status();
                match status {
                    _ if status.is_success() => Sent::Taken,
                    StatusCode::BAD_REQUEST
                    | StatusCode::PAYLOAD_TOO_LARGE
                    | StatusCode::UNSUPPORTED_MEDIA_TYPE
                    | StatusCode::UNPROCESSABLE_ENTITY => Sent::Refused(said(status, answer).await),
                    // A wrong key or a wrong address is the settings' fault and can be mended.
                    _ => Sent::Later(said(status, answer).await),
                }
            }
        }
    }
}

async fn said(status: StatusCode, answer: reqwest::Response) -> String {
    let text = answer.text().await.unwrap_or_default();
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(300).collect();
    format!("the bot answers {status} {text}").trim_end().to_owned()
}

/// The whole chain of causes, without the address.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::from("cannot reach the bot");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What happened, for whoever looks for an alert that did not come: `log` in the spool. That it cannot be written holds up nothing.
struct Log<'a> {
    spool: &'a Spool,
    now: fn() -> String,
}

impl Log<'_> {
    fn say(&mut self, what: &str) {
        let path = self.spool.root().join("log");
        let long = std::fs::metadata(&path).is_ok_and(|log| log.len() > LONGEST_LOG);
        let opened = OpenOptions::new().create(true).append(!long).write(true).truncate(long).mode(0o600).open(&path);
        let _ = opened.and_then(|mut log| writeln!(log, "{} {what}", (self.now)()));
    }
}
