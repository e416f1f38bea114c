//! `key …`: the values of the datastore, asked of the bot that runs, or of the store when none does.
//!
//! **What is encrypted is decrypted here and sealed there**: the key file of a StackStorm is read by this command and by nothing else.

use super::arguments::{KeyCommand, KeyScope, KeyWhere};
use super::daemon::{Daemon, odd};
use super::look::{harmless, table};
use super::{Failure, Surroundings, yaml};
use crate::config::Config;
use crate::core::action::params::MASK;
use crate::core::content::yaml as documents;
use crate::core::datastore::keyczar::StackStormKey;
use crate::core::datastore::request::{Asked, Confidential, NewValue, ShownValue, ValueAsk};
use crate::core::datastore::seal::MasterKey;
use crate::core::effect::Answer;
use crate::core::template::value;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How many bytes of values are loaded at a time; a question over the socket has a bound.
const BATCH: usize = 256 * 1024;
/// The longest file that is loaded.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;
/// The columns of `st2 key list`.
const COLUMNS: [&str; 7] = ["name", "value", "secret", "encrypted", "scope", "user", "expire_timestamp"];

pub(crate) fn key(config: &Config, command: KeyCommand, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let daemon = Daemon::new(config)?;
    let ask = |ask: ValueAsk| match daemon.values(ask)? {
        Answer::Values { values } => Ok(values),
        other => Err(odd(&other)),
    };
    match command {
        KeyCommand::Get { name, place, decrypt, json } => {
            let found = ask(ValueAsk::Get { scope: scope(&place, KeyScope::System), name, decrypt })?;
            one(&found, json, surroundings)
        }
        KeyCommand::List { prefix, place, decrypt, json } => {
            let prefix = prefix.unwrap_or_default();
            let found = ask(ValueAsk::List { scope: scope(&place, KeyScope::All), prefix, decrypt })?;
            many(&found, json, surroundings)
        }
        KeyCommand::Set { name, value, encrypt, encrypted, decrypt_with, ttl, place, json } => {
            let text = match value {
                Some(value) => value,
                None => from_input()?,
            };
            let text = match (encrypted, decrypt_with) {
                (true, Some(file)) => decrypted(&stackstorm_key(&file)?, &name, &text)?,
                (true, None) => return Err(needs_key_file(&name)),
                (false, _) => text,
            };
            let scope = scope(&place, KeyScope::System);
            let new = NewValue { scope, name, text: Confidential(text), secret: encrypt || encrypted, ttl };
            one(&ask(ValueAsk::Set { values: vec![new] })?, json, surroundings)
        }
        KeyCommand::Delete { name, place, json } => {
            let deleted = ask(ValueAsk::Delete { scope: scope(&place, KeyScope::System), name })?;
            gone(&deleted, json, surroundings)
        }
        KeyCommand::DeleteByPrefix { prefix, place, json } => {
            let deleted = ask(ValueAsk::DeleteByPrefix { scope: scope(&place, KeyScope::System), prefix })?;
            gone(&deleted, json, surroundings)
        }
        KeyCommand::Load { file, convert, encrypt, decrypt_with, json } => {
            let key = decrypt_with.as_deref().map(stackstorm_key).transpose()?;
            let items = items(&file)?;
            let reading = Reading { convert, encrypt, key, now: (surroundings.now)() };
            let mut over = Vec::new();
            let mut batches: Vec<Vec<NewValue>> = vec![Vec::new()];
            let mut size = 0;
            for (place, item) in items.iter().enumerate() {
                let Some(new) = reading.value(place, item)? else {
                    over.push(item["name"].as_str().unwrap_or_default().to_owned());
                    continue;
                };
                size += new.name.len() + new.text.0.len();
                if size > BATCH {
                    batches.push(Vec::new());
                    size = new.name.len() + new.text.0.len();
                }
                if let Some(batch) = batches.last_mut() {
                    batch.push(new);
                }
            }
            let mut loaded = Vec::new();
            for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
                let before = loaded.len();
                loaded.extend(ask(ValueAsk::Set { values: batch }).map_err(|failure| after(before, failure))?);
            }
            for name in over {
                writeln!(surroundings.err, "halcyon: the time of `{}` is over; it was left out", harmless(&name))?;
            }
            many(&loaded, json, surroundings)
        }
        KeyCommand::CreateMasterKey { file, json } => {
            let named = config.datastore.key_file.as_deref();
            let Some(file) = file.as_deref().or(named) else {
                let hint = "name a file, or write `key_file` under [datastore] in the configuration";
                return Err(Failure::Wrong(format!("where shall the master key lie? {hint}")));
            };
            create_master_key(file, json, surroundings)
        }
    }
}

/// Some values of a file are in force already.
fn after(count: usize, failure: Failure) -> Failure {
    let said = |sentence: String| match count {
        0 => sentence,
        count => format!("{sentence}\n{count} values before it were taken in"),
    };
    match failure {
        Failure::Wrong(sentence) => Failure::Wrong(said(sentence)),
        Failure::Failed(sentence) => Failure::Failed(said(sentence)),
        other => other,
    }
}

/// To name a user is to mean theirs, as in StackStorm.
fn scope(place: &KeyWhere, usual: KeyScope) -> Asked {
    match (place.scope.unwrap_or(usual), &place.user) {
        (_, Some(user)) => Asked::User { user: Some(user.clone()) },
        (KeyScope::System, None) => Asked::System,
        (KeyScope::User, None) => Asked::User { user: None },
        (KeyScope::All, None) => Asked::All,
    }
}

/// A value in StackStorm's JSON.
fn stackstorm(value: &ShownValue) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), json!(value.name));
    map.insert("value".into(), json!(value.text.0));
    map.insert("secret".into(), json!(value.secret));
    map.insert("encrypted".into(), json!(value.hidden));
    map.insert("scope".into(), json!(value.scope));
    if let Some(user) = &value.user {
        map.insert("user".into(), json!(user));
    }
    if let Some(end) = value.expires {
        map.insert("expire_timestamp".into(), json!(end.to_string()));
    }
    Value::Object(map)
}

fn one(found: &[ShownValue], as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    for value in found.iter().map(stackstorm) {
        if as_json {
            writeln!(surroundings.out, "{value:#}")?;
            continue;
        }
        for (name, attribute) in value.as_object().into_iter().flatten() {
            writeln!(surroundings.out, "{}", yaml::attribute(name, attribute))?;
        }
    }
    Ok(())
}

fn many(found: &[ShownValue], as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let list: Vec<Value> = found.iter().map(stackstorm).collect();
    if as_json {
        writeln!(surroundings.out, "{:#}", Value::Array(list))?;
    } else if list.is_empty() {
        writeln!(surroundings.out, "No matching items found")?;
    } else {
        let row = |value: &Value| {
            COLUMNS.map(|name| match &value[name] {
                Value::String(text) => harmless(text).replace('\n', " "),
                Value::Null => String::new(),
                other => other.to_string(),
            })
        };
        writeln!(surroundings.out, "{}", table(&COLUMNS, &list.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(())
}

fn gone(deleted: &[ShownValue], as_json: bool, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let names: Vec<&str> = deleted.iter().map(|value| value.name.as_str()).collect();
    if as_json {
        writeln!(surroundings.out, "{}", json!({"deleted": names}))?;
    } else {
        let names: Vec<String> = names.iter().map(|name| harmless(name)).collect();
        writeln!(
            surroundings.out,
            "Deleted {} keys{}{}",
            names.len(),
            if names.is_empty() { "" } else { ": " },
            names.join(", ")
        )?;
    }
    Ok(())
}

/// The value from the standard input, without the line end that ends it: so it stands in no list of processes.
fn from_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut text);
    read.map_err(|error| Failure::Wrong(format!("cannot read the value from the standard input: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn read_file(file: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::Wrong(format!("cannot read {}: {why}", file.display()));
    let opened = fs::File::open(file).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    opened.take(LONGEST_FILE + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(wrong(format!("it is longer than {LONGEST_FILE} bytes")));
    }
    Ok(text)
}

fn stackstorm_key(file: &Path) -> Result<StackStormKey, Failure> {
    let text = read_file(file)?;
    StackStormKey::read(&text).map_err(|problem| Failure::Wrong(format!("{}: {problem}", file.display())))
}

fn needs_key_file(name: &str) -> Failure {
    Failure::Wrong(format!(
        "`{}` is encrypted: name StackStorm's key file by --decrypt-with (there it is what `encryption_key_path` names)",
        harmless(name)
    ))
}

fn decrypted(key: &StackStormKey, name: &str, text: &str) -> Result<String, Failure> {
    key.decrypt(text).map_err(|problem| Failure::Wrong(format!("`{}`: {problem}", harmless(name))))
}

/// The entries of a file as `st2 key load` takes and `st2 key list -j` writes it: a list, or one entry.
fn items(file: &Path) -> Result<Vec<Value>, Failure> {
    let text = read_file(file)?;
    let shown = file.display().to_string();
    let whole = if text.trim_start().starts_with(['[', '{']) {
        serde_json::from_str(&text).map_err(|error| Failure::Wrong(format!("{shown}: {error}")))?
    } else {
        let (tree, problems) = documents::read(&shown, &text);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let tree = tree.filter(|_| problems.is_empty());
        tree.ok_or_else(|| Failure::Wrong(problems.join("\n")))?.json()
    };
    match whole {
        Value::Array(items) => Ok(items),
        Value::Null => Ok(Vec::new()),
        item => Ok(vec![item]),
    }
}

/// How the entries of a file are read.
struct Reading {
    convert: bool,
    encrypt: bool,
    key: Option<StackStormKey>,
    now: Timestamp,
}

impl Reading {
    /// One entry; nothing when its time is over.
    fn value(&self, place: usize, item: &Value) -> Result<Option<NewValue>, Failure> {
        let wrong = |what: &str| {
            let name = item["name"].as_str().map(|name| format!(" (`{}`)", harmless(name))).unwrap_or_default();
            Failure::Wrong(format!("entry {}{name}: {what}", place + 1))
        };
        let text_of = |key: &str| match &item[key] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(wrong(&format!("`{key}` must be text"))),
        };
        let flag = |key: &str| match &item[key] {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(wrong(&format!("`{key}` must be true or false"))),
        };
        let name = text_of("name")?.ok_or_else(|| wrong("`name` is missing"))?;
        let text = match &item["value"] {
            Value::Null if item.get("value").is_none() => return Err(wrong("`value` is missing")),
            Value::String(text) => text.clone(),
            other if self.convert => value::json(other),
            _ => return Err(wrong("the value is not text; put quotes around it, or have it made JSON by --convert")),
        };
        let (secret, encrypted) = (flag("secret")?, flag("encrypted")?);
        if (secret || encrypted) && text == MASK {
            return Err(wrong("it was listed without --decrypt, so its value is not here"));
        }
        let text = match (&self.key, encrypted) {
            (Some(key), true) => decrypted(key, &name, &text)?,
            (None, true) => return Err(needs_key_file(&name)),
            (_, false) => text,
        };
        let ttl = match (&item["ttl"], text_of("expire_timestamp")?) {
            (Value::Null, None) => None,
            (Value::Null, Some(end)) => {
                let end: Timestamp = end.parse().map_err(|_| wrong("`expire_timestamp` is not a time"))?;
                match u64::try_from(end.duration_since(self.now).as_secs()) {
                    Ok(seconds @ 1..) => Some(seconds),
                    Ok(0) | Err(_) => return Ok(None),
                }
            }
            // StackStorm takes none for no time at all.
            (ttl, _) => ttl
                .as_u64()
                .map(|ttl| (ttl > 0).then_some(ttl))
                .ok_or_else(|| wrong("`ttl` must be a number of seconds"))?,
        };
        let scope = match (text_of("scope")?.as_deref(), text_of("user")?) {
            (None | Some("system" | "st2kv.system"), None) => Asked::System,
            (None | Some("user" | "st2kv.user"), user) => Asked::User { user },
            (Some("system" | "st2kv.system"), Some(user)) if user.is_empty() => Asked::System,
            (Some("system" | "st2kv.system"), Some(_)) => return Err(wrong("the scope system has no user")),
            (Some(_), _) => return Err(wrong("`scope` is system or user")),
        };
        let secret = secret || encrypted || self.encrypt;
        Ok(Some(NewValue { scope, name, text: Confidential(text), secret, ttl }))
    }
}

/// Makes a new key in a new file that only its owner reads. A key that is there is never written over: what it sealed would be lost.
pub(super) fn create_master_key(
    file: &Path,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let why = "it is there, and what was sealed with it would be lost";
            Failure::Wrong(format!("{} is not written over: {why}", file.display()))
        }
        _ => Failure::Failed(format!("cannot write {}: {error}", file.display())),
    };
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Failed(format!("the system gives no random bytes: {error}")))?;
    let key = MasterKey::new(bytes);
    let mut written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    writeln!(written, "{}", key.written()).and_then(|()| written.sync_all()).map_err(failed)?;
    let (shown, digits) = (file.display(), key.digits());
    if as_json {
        writeln!(surroundings.out, "{}", json!({"file": shown.to_string(), "key": digits}))?;
    } else {
        writeln!(surroundings.out, "The master key {digits} lies in {shown}.")?;
        writeln!(surroundings.out, "Keep a copy apart from the store: what it seals is lost with it.")?;
    }
    Ok(())
}
