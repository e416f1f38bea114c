//! `api-key create|list|delete`: the keys by which programs call webhooks. A key is drawn here and printed once; the bot is told its digest and never the key.

use super::arguments::ApiKeyCommand;
use super::daemon::{Daemon, odd};
use super::look::{harmless, table};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::datastore::request::Confidential;
use crate::core::effect::Answer;
use crate::core::webhook::api_key::{ApiKeyAsk, Digest, ShownKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::path::Path;

/// Bytes of randomness in a key.
const RANDOM: usize = 32;

pub(crate) fn api_key(
    config: &Config,
    command: ApiKeyCommand,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    let ask = |ask: ApiKeyAsk| match daemon.api_keys(ask)? {
        Answer::ApiKeys { keys } => Ok(keys),
        other => Err(odd(&other)),
    };
    let out = &mut *surroundings.out;
    match command {
        ApiKeyCommand::Create { name, webhook, hmac, secret_file, json } => {
            let given = secret_file.map(|file| read_secret(&file)).transpose()?;
            let mut random = [0_u8; RANDOM];
            getrandom::fill(&mut random)
                .map_err(|error| Failure::Failed(format!("the system gives no randomness: {error}")))?;
            let key = BASE64_URL_SAFE_NO_PAD.encode(random);
            let webhooks = if webhook.is_empty() { vec!["*".to_owned()] } else { webhook };
            let drawn = given.is_none();
            let key = given.unwrap_or(key);
            let wish = if hmac {
                ApiKeyAsk::Sign { name, secret: Confidential(key.clone()), webhooks }
            } else {
                ApiKeyAsk::Create { name, digest: Digest::of(&key), webhooks }
            };
            let made = ask(wish)?;
            let Some(made) = made.first() else { return Err(Failure::Failed("no key was made".to_owned())) };
            if json {
                let mut value = value(made);
                if drawn {
                    value["key"] = key.into();
                }
                writeln!(out, "{value:#}")?;
            } else {
                let once = if drawn { "This is shown once. " } else { "" };
                if drawn {
                    writeln!(out, "{key}")?;
                }
                let webhooks = made.webhooks.join(", ");
                writeln!(surroundings.err, "{once}`{}` may call the webhooks: {webhooks}", made.name)?;
            }
        }
        ApiKeyCommand::List { json } => {
            let keys = ask(ApiKeyAsk::List)?;
            if json {
                writeln!(out, "{:#}", keys.iter().map(value).collect::<Value>())?;
            } else if keys.is_empty() {
                writeln!(out, "No matching items found")?;
            } else {
                let rows: Vec<[String; 5]> = keys
                    .iter()
                    .map(|key| {
                        let webhooks = harmless(&key.webhooks.join(", "));
                        [key.name.clone(), kind(key).to_owned(), webhooks, key.made.to_string(), key.by.clone()]
                    })
                    .collect();
                writeln!(out, "{}", table(&["name", "kind", "webhooks", "made", "by"], &rows))?;
            }
        }
        ApiKeyCommand::Delete { name, json } => {
            let gone = ask(ApiKeyAsk::Delete { name })?;
            for key in &gone {
                if json {
                    writeln!(out, "{:#}", value(key))?;
                } else {
                    writeln!(out, "`{}` counts no more", key.name)?;
                }
            }
        }
    }
    Ok(())
}

fn value(key: &ShownKey) -> Value {
    json!({"name": key.name, "kind": kind(key), "webhooks": key.webhooks, "made": key.made, "by": key.by})
}

fn kind(key: &ShownKey) -> &'static str {
    if key.signs { "hmac" } else { "sent" }
}

/// The first line of a file.
fn read_secret(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Wrong(format!("cannot read {}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
