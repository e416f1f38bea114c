//! `api-key create|list|delete`: the keys by which programs call webhooks. A key is drawn here and printed once; the bot is told its digest and never the key.

use super::arguments::ApiKeyCommand;
use super::daemon::{Daemon, odd};
use super::look::{harmless, table};
use super::{Failure, Surroundings};
use crate::config::Config;
use crate::core::effect::Answer;
use crate::core::webhook::api_key::{ApiKeyAsk, Digest, ShownKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

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
        ApiKeyCommand::Create { name, webhook, json } => {
            let mut random = [0_u8; RANDOM];
            getrandom::fill(&mut random)
                .map_err(|error| Failure::Failed(format!("the system gives no randomness: {error}")))?;
            let key = BASE64_URL_SAFE_NO_PAD.encode(random);
            let webhooks = if webhook.is_empty() { vec!["*".to_owned()] } else { webhook };
            let made = ask(ApiKeyAsk::Create { name, digest: Digest::of(&key), webhooks })?;
            let Some(made) = made.first() else { return Err(Failure::Failed("no key was made".to_owned())) };
            if json {
                let mut value = value(made);
                value["key"] = key.into();
                writeln!(out, "{value:#}")?;
            } else {
                writeln!(out, "{key}")?;
                let webhooks = made.webhooks.join(", ");
                writeln!(surroundings.err, "This is shown once. `{}` may call the webhooks: {webhooks}", made.name)?;
            }
        }
        ApiKeyCommand::List { json } => {
            let keys = ask(ApiKeyAsk::List)?;
            if json {
                writeln!(out, "{:#}", keys.iter().map(value).collect::<Value>())?;
            } else if keys.is_empty() {
                writeln!(out, "No matching items found")?;
            } else {
                let rows: Vec<[String; 4]> = keys
                    .iter()
                    .map(|key| {
                        [key.name.clone(), harmless(&key.webhooks.join(", ")), key.made.to_string(), key.by.clone()]
                    })
                    .collect();
                writeln!(out, "{}", table(&["name", "webhooks", "made", "by"], &rows))?;
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
    json!({"name": key.name, "webhooks": key.webhooks, "made": key.made, "by": key.by})
}
