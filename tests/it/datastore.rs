//! The datastore: what seals and opens, the command line with and without a bot, chat, templates, and what may be found on the disk.

use crate::bot::Machine;
use crate::world::{CHANNEL, World};
use halcyon::cli::{self, Surroundings};
use halcyon::core::datastore::key::{Key, Scope};
use halcyon::core::datastore::keyczar::{KeyczarError, StackStormKey};
use halcyon::core::datastore::request::{Asked, Confidential, NewValue, ValueAsk};
use halcyon::core::datastore::seal::{MasterKey, OpenError};
use halcyon::core::effect::{Answer, Effect};
use halcyon::core::id::{RequestId, UserId};
use halcyon::core::input::{Ask, Input, Principal};
use halcyon::core::memory::Memory;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SECRET: &str = "hunter2!$'\"";

fn data(name: &str) -> PathBuf {
    crate::data("datastore").join(name)
}

fn system(name: &str) -> Key {
    Key { scope: Scope::System, name: name.to_owned() }
}

fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

#[test]
fn what_a_stackstorm_has_encrypted_opens() {
    // The values were encrypted by StackStorm's own code, under keys that it made.
    let sets: Vec<Value> = serde_json::from_str(include_str!("../data/datastore/stackstorm_ciphers.json")).unwrap();
    let keys: Vec<StackStormKey> =
        sets.iter().map(|set| StackStormKey::read(&set["key"].to_string()).unwrap()).collect();
    let mut opened = 0;
    for (place, set) in sets.iter().enumerate() {
        for value in set["values"].as_array().unwrap() {
            let text = value["encrypted"].as_str().unwrap();
            assert_eq!(keys[place].decrypt(text).as_deref(), Ok(value["plain"].as_str().unwrap()));
            assert_eq!(keys[place].decrypt(&text.to_lowercase()), keys[place].decrypt(text));
            assert_eq!(keys[(place + 1) % keys.len()].decrypt(text), Err(KeyczarError::Signature));
            let mut other = text.to_owned();
            other.replace_range(60..61, if &other[60..61] == "0" { "1" } else { "0" });
            assert_eq!(keys[place].decrypt(&other), Err(KeyczarError::Signature));
            opened += 1;
        }
    }
    assert_eq!(opened, 27);
    for nothing in ["", "plain text", "ABC", &"00".repeat(40)] {
        assert_eq!(keys[0].decrypt(nothing), Err(KeyczarError::Malformed), "{nothing}");
    }
    let wrong = |text: &str| StackStormKey::read(text).unwrap_err().to_string();
    assert_eq!(wrong("{}"), "this is no key file of a StackStorm: line 1 is not as it should be");
    let mut key = sets[0]["key"].clone();
    key["size"] = json!(256);
    assert_eq!(
        wrong(&key.to_string()),
        "this is no key file of a StackStorm: aesKeyString has not the size that it should have"
    );
    assert!(!format!("{:?}", keys[0]).contains(sets[0]["key"]["aesKeyString"].as_str().unwrap()));
}

#[test]
fn a_sealed_value_opens_under_its_name_and_key_only() {
    let at = Timestamp::UNIX_EPOCH;
    let (key, other) = (master(), MasterKey::new([8; 32]));
    let sealed = key.seal(&system("a"), SECRET, at, 1);
    assert!(sealed.starts_with(&format!("sealed:v1:{}:", key.digits())) && !sealed.contains("hunter"), "{sealed}");
    assert_eq!(key.open(&system("a"), &sealed).as_deref(), Ok(SECRET));
    assert_eq!(key.open(&system("b"), &sealed), Err(OpenError::Damaged));
    let user = Key { scope: Scope::User { user: UserId::new("a") }, name: String::new() };
    assert_eq!(key.open(&user, &sealed), Err(OpenError::Damaged));
    let theirs = OpenError::OtherKey { theirs: key.digits(), ours: other.digits() };
    assert_eq!(other.open(&system("a"), &sealed), Err(theirs));
    for damaged in ["", "sealed:v1:", "plain", &sealed[..sealed.len() - 4], &sealed.replace("v1", "v2")] {
        assert_eq!(key.open(&system("a"), damaged), Err(OpenError::Damaged), "{damaged}");
    }
    // Nonces differ with any of what they are made of, and the whole is a function.
    let later = at + SignedDuration::from_nanos(1);
    let others = [key.seal(&system("a"), SECRET, at, 2), key.seal(&system("a"), SECRET, later, 1)];
    assert!(!others.contains(&sealed) && others[0] != others[1]);
    assert_eq!(key.seal(&system("a"), SECRET, at, 1), sealed);
    assert_eq!(MasterKey::read(&format!("{}\n", key.written())), Ok(key.clone()));
    assert!(MasterKey::read("secret").is_err() && MasterKey::read(&key.written()[..40]).is_err());
    assert_eq!(format!("{key:?}"), format!("MasterKey({})", key.digits()));
}

/// Asks a machine as the account that owns it.
fn ask(machine: &mut Machine, ask: ValueAsk) -> Answer {
    let from = Principal::LocalUser { uid: 1000, name: "halcyon".into() };
    let step = machine.take(Input::Request { request: RequestId(1), from, ask: Ask::Values(ask) });
    let mut answers = step.effects.into_iter().filter_map(|effect| match effect {
        Effect::Answer { answer, .. } => Some(*answer),
        _ => None,
    });
    answers.next_back().unwrap()
}

fn get(machine: &mut Machine, name: &str, decrypt: bool) -> Result<String, String> {
    let found = ask(machine, ValueAsk::Get { scope: Asked::System, name: name.into(), decrypt });
    match found {
        Answer::Values { values } => Ok(values[0].text.0.clone()),
        Answer::Refused { text } | Answer::Failed { text } => Err(text),
        other => panic!("{other:?}"),
    }
}

fn value(name: &str, text: &str, secret: bool, ttl: Option<u64>) -> NewValue {
    NewValue { scope: Asked::System, name: name.into(), text: Confidential(text.into()), secret, ttl }
}

fn set(machine: &mut Machine, name: &str, text: &str, secret: bool, ttl: Option<u64>) -> Result<(), String> {
    match ask(machine, ValueAsk::Set { values: vec![value(name, text, secret, ttl)] }) {
        Answer::Values { .. } => Ok(()),
        Answer::Refused { text } | Answer::Failed { text } => Err(text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_stands_until_its_moment_and_not_after_it() {
    let mut machine = Machine::new();
    let begin = machine.now;
    set(&mut machine, "short", "one", false, Some(60)).unwrap();
    set(&mut machine, "long", "two", false, None).unwrap();
    let seconds = |seconds| SignedDuration::from_secs(seconds);
    machine.now = begin + seconds(59);
    assert_eq!(get(&mut machine, "short", false), Ok("one".into()));
    assert_eq!(machine.bot.next_deadline(), None, "nothing waits for the end of a value");
    machine.now = begin + seconds(60);
    let gone = "there is no value `short` in the scope st2kv.system";
    assert_eq!(get(&mut machine, "short", false), Err(gone.into()));
    assert_eq!(get(&mut machine, "long", false), Ok("two".into()));
    // A process that starts later, from facts or from a snapshot, sees the same.
    let memory = machine.bot.memory();
    let again: Memory = serde_json::from_str(&serde_json::to_string(memory).unwrap()).unwrap();
    assert_eq!(again, *memory);
    let mut machine = Machine::over(machine.facts, begin + seconds(3600));
    assert_eq!(get(&mut machine, "short", false), Err(gone.into()));
    // It comes again when it is set again, and with the next change what is over leaves the memory.
    set(&mut machine, "short", "three", false, Some(1)).unwrap();
    assert_eq!(get(&mut machine, "short", false), Ok("three".into()));
    machine.now += seconds(1);
    set(&mut machine, "other", "four", false, None).unwrap();
    assert!(!serde_json::to_string(machine.bot.memory()).unwrap().contains("three"));
}

#[test]
fn what_is_too_much_or_no_name_is_refused_and_said() {
    let mut machine = Machine::new();
    let mut check = |name: &str, text: &str, secret: bool, ttl: Option<u64>, expected: &str| {
        let said = set(&mut machine, name, text, secret, ttl).unwrap_err();
        assert!(said.contains(expected), "{said}");
    };
    check("", "x", false, None, "it is empty");
    check(" a", "x", false, None, "begins or ends with a blank");
    check("a\nb", "x", false, None, "control characters");
    check(&"n".repeat(257), "x", false, None, "longer than 256 bytes");
    check("a", &"x".repeat(65_537), false, None, "has 65537 bytes, and 65536 is the most");
    check("a", "x", false, Some(0), "a number of seconds from 1");
    check("a", "x", false, Some(u64::MAX), "a number of seconds from 1");
    check("a", "x", true, None, "`halcyon key create-master-key FILE` makes a master key");
    // All of a set is taken, or nothing.
    let values = vec![value("b", "x", false, None), value("", "x", false, None)];
    assert!(matches!(ask(&mut machine, ValueAsk::Set { values }), Answer::Refused { .. }));
    assert!(get(&mut machine, "b", false).is_err());
    for number in 0..255 {
        set(&mut machine, &format!("large{number:03}"), &"x".repeat(65_536), false, None).unwrap();
    }
    let said = set(&mut machine, "large255", &"x".repeat(65_536), false, None).unwrap_err();
    assert!(said.contains("all values together would have more than 16777216 bytes"), "{said}");
    set(&mut machine, "large254", &"y".repeat(65_536), false, None).unwrap();
}

#[test]
fn what_was_a_secret_stays_one() {
    let mut machine = Machine::new();
    machine.take(Input::MasterKey(Ok(master())));
    set(&mut machine, "password", "one", true, None).unwrap();
    set(&mut machine, "password", "two", false, None).unwrap();
    assert_eq!(get(&mut machine, "password", false), Ok("********".into()));
    assert_eq!(get(&mut machine, "password", true), Ok("two".into()));
    machine.take(Input::MasterKey(Ok(MasterKey::new([9; 32]))));
    let said = get(&mut machine, "password", true).unwrap_err();
    assert!(said.contains("`password` does not open: it was sealed with the master key"), "{said}");
    machine.take(Input::MasterKey(Err("there is no master key".into())));
    assert!(get(&mut machine, "password", true).unwrap_err().contains("there is no master key"));
    let facts = serde_json::to_string(&machine.facts).unwrap();
    assert!(!facts.contains("\"two\"") && facts.contains("values-opened"), "{facts}");
}

/// A place with a configuration for command lines.
struct Place(tempfile::TempDir);

impl Place {
    fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("[store]\npath = \"store\"\n[content]\npacks = []\n{more}");
        std::fs::write(directory.path().join("config.toml"), text).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, words: &[&str]) -> (u8, String, String) {
        command(&self.path("config.toml"), words)
    }

    /// Checks exit code and a piece of what is said or printed.
    fn check(&self, words: &[&str], code: u8, expected: &str) {
        let (ended, out, err) = self.run(words);
        assert_eq!(ended, code, "{words:?}\n{out}{err}");
        assert!(format!("{out}{err}").contains(expected), "{words:?}\n{out}{err}");
    }
}

fn command(config: &str, words: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = ["halcyon", "--config", config].into_iter().chain(words.iter().copied()).map(Into::into);
    let now = || "2014-12-02T20:00:00Z".parse().unwrap();
    let surroundings =
        Surroundings { out: &mut out, err: &mut err, terminal: false, environment: Default::default(), now };
    let code = cli::main(words, surroundings);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Whether a text stands in a file of a directory, as it is.
fn holds(directory: &Path, text: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let found = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if path.is_dir() { holds(&path, text) } else { std::fs::read(&path).is_ok_and(found) }
    })
}

#[test]
fn without_a_bot_the_command_works_on_the_store() {
    let place = Place::new("[datastore]\nkey_file = \"master.key\"");
    place.check(&["key", "get", "a"], 2, "there is no value `a`");
    assert!(!Path::new(&place.path("store")).exists(), "to look makes no store");
    place.check(&["key", "set", "-e", "password", SECRET], 1, "cannot read");
    place.check(&["key", "create-master-key"], 0, "Keep a copy");
    let mode = std::fs::metadata(place.path("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.check(&["key", "create-master-key"], 2, "is not written over");
    place.check(&["key", "set", "a", "-1"], 0, "value: -1");
    place.check(&["key", "set", "--encrypt", "password", SECRET], 0, "********");
    place.check(&["key", "set", "--ttl", "3600", "a.b", "x y"], 0, "expire_timestamp: ");
    place.check(&["key", "get", "password"], 0, "value: ********");
    let (code, out, _) = place.run(&["key", "get", "-d", "password", "--json"]);
    let expected =
        json!({"name": "password", "value": SECRET, "secret": true, "encrypted": false, "scope": "st2kv.system"});
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()), (0, expected));
    let (_, out, _) = place.run(&["key", "list", "--json", "-p", "a"]);
    let names = |out: &str| -> Vec<String> {
        let list: Vec<Value> = serde_json::from_str(out).unwrap();
        list.iter().map(|value| value["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&out), ["a", "a.b"]);
    place.check(&["key", "list"], 0, "| password | ******** | true   | true      | st2kv.system |");
    place.check(&["key", "list", "--prefix", "zzz"], 0, "No matching items found");
    place.check(&["key", "set", "--scope", "user", "a", "x"], 2, "say whose");
    place.check(&["key", "set", "--user", "nobody", "a", "x"], 2, "I do not know the user `nobody`");
    place.check(&["key", "set", "--user", "abcdefghijklmnopqrstuvwxyz", "mine", "x"], 0, "scope: st2kv.user");
    place.check(&["key", "get", "mine"], 2, "there is no value `mine`");
    place.check(&["key", "list", "--json"], 0, "\"user\": \"abcdefghijklmnopqrstuvwxyz\"");
    place.check(&["key", "set", "--ttl", "0", "a", "x"], 2, "must be a whole number of seconds from 1");
    place.check(&["key", "delete", "a.b", "--json"], 0, "{\"deleted\":[\"a.b\"]}");
    place.check(&["key", "delete", "a.b"], 2, "there is no value `a.b`");
    place.check(&["key", "delete-by-prefix", "-p", ""], 2, "would delete everything");
    place.check(&["key", "delete_by_prefix", "-p", "a"], 0, "Deleted 1 keys: a");
    assert!(!holds(Path::new(&place.path("store")), "hunter2"), "a secret stands on the disk in clear");
    let (_, facts, _) = place.run(&["export"]);
    assert!(facts.contains("value-set") && !facts.contains("hunter2"), "{facts}");
    std::fs::remove_file(place.path("master.key")).unwrap();
    place.check(&["key", "get", "-d", "password"], 1, "cannot read");
    place.check(&["key", "create-master-key"], 0, "The master key");
    place.check(&["key", "get", "-d", "password"], 1, "was sealed with the master key");
}

#[test]
fn files_of_a_stackstorm_are_loaded() {
    let place = Place::new("[datastore]\nkey_file = \"master.key\"");
    place.check(&["key", "create-master-key"], 0, "");
    let yaml = data("load.yaml").display().to_string();
    place.check(&["key", "load", &yaml], 2, "entry 2 (`site.ports`): the value is not text");
    place.check(&["key", "load", "--convert", &yaml], 0, "the time of `site.past` is over");
    place.check(&["key", "get", "site.ports"], 0, "value: [22, 80]");
    place.check(&["key", "get", "site.soon"], 0, "expire_timestamp");
    place.check(&["key", "get", "-d", "site.password"], 0, "value: hunter2");
    // What is listed in clear is loaded again as it was.
    let (_, listed, _) = place.run(&["key", "list", "--decrypt", "--json"]);
    std::fs::write(place.path("listed.json"), &listed).unwrap();
    place.check(&["key", "delete-by-prefix", "-p", "site."], 0, "Deleted 4 keys");
    place.check(&["key", "load", &place.path("listed.json")], 0, "site.password | ********");
    place.check(&["key", "get", "-d", "site.password"], 0, "value: hunter2");
    let (_, stars, _) = place.run(&["key", "list", "--json"]);
    std::fs::write(place.path("stars.json"), &stars).unwrap();
    place.check(&["key", "load", &place.path("stars.json")], 2, "it was listed without --decrypt");
    // What a StackStorm has encrypted needs its key, and is sealed with ours.
    let sets: Vec<Value> = serde_json::from_str(include_str!("../data/datastore/stackstorm_ciphers.json")).unwrap();
    let values = sets[2]["values"].as_array().unwrap().iter().enumerate();
    let entries = values.map(|(number, value)| {
        json!({"name": format!("st2.{number}"), "value": value["encrypted"], "secret": true, "encrypted": true, "scope": "st2kv.system"})
    });
    let entries: Value = entries.collect();
    std::fs::write(place.path("st2.json"), entries.to_string()).unwrap();
    std::fs::write(place.path("crypto.key.json"), sets[2]["key"].to_string()).unwrap();
    std::fs::write(place.path("other.key.json"), sets[1]["key"].to_string()).unwrap();
    let (file, key, other) = (place.path("st2.json"), place.path("crypto.key.json"), place.path("other.key.json"));
    place.check(&["key", "load", &file], 2, "name StackStorm's key file by --decrypt-with");
    place.check(&["key", "load", &file, "--decrypt-with", &other], 2, "`st2.0`: it was encrypted with another key");
    place.check(&["key", "load", &file, "--decrypt-with", &file], 2, "this is no key file of a StackStorm");
    place.check(&["key", "load", &file, "--decrypt-with", &key], 0, "st2.8");
    let (_, out, _) = place.run(&["key", "list", "-d", "--json", "-p", "st2."]);
    let list: Vec<Value> = serde_json::from_str(&out).unwrap();
    for (listed, value) in list.iter().zip(sets[2]["values"].as_array().unwrap()) {
        assert_eq!(listed["value"], value["plain"]);
        assert_eq!(listed["secret"], true);
    }
    assert_eq!(list.len(), 9);
    let one = sets[2]["values"][2]["encrypted"].as_str().unwrap();
    place.check(&["key", "set", "--encrypted", "one", one], 2, "--decrypt-with");
    place.check(&["key", "set", "--encrypted", "--decrypt-with", &key, "one", one], 0, "********");
    place.check(&["key", "get", "-d", "one"], 0, "value: hunter2");
    for (text, expected) in [
        ("[", "broken.yaml: EOF"),
        ("- value: x", "entry 1: `name` is missing"),
        ("- name: x", "entry 1 (`x`): `value` is missing"),
        ("- {name: x, value: y, scope: all}", "`scope` is system or user"),
        ("- {name: x, value: y, ttl: soon}", "`ttl` must be a number of seconds"),
        ("- {name: x, value: y, user: stanley}", "I do not know the user `stanley`"),
    ] {
        std::fs::write(place.path("broken.yaml"), text).unwrap();
        place.check(&["key", "load", &place.path("broken.yaml")], 2, expected);
    }
}

/// A world whose operator looks after the values of `site.`, with the pack `vault`.
async fn vault() -> World {
    let mut world = World::without_bot(
        "[[access.roles]]\nname = \"keeper\"\nusers = [\"operator\"]\ngrants = [\"view:key.*\", \"admin:key.system.site.*\", \"run:vault.*\"]",
    )
    .await;
    world.config.datastore.key = Ok(master());
    world.config.content.packs.push(data("vault"));
    world.start_bot().await;
    world
}

async fn said(world: &World, user: &str, line: &str, expected: &str) {
    let answer = world.say(user, line).await.message;
    assert!(answer.contains(expected), "{line:?} should be answered with {expected:?}, not with:\n{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_keep_values_in_chat_as_far_as_they_may() {
    let mut world = vault().await;
    said(&world, "operator", "!key list", "There is no value that you may see").await;
    said(&world, "operator", "!key set site.word \"hello there\"", "`site.word` is `hello there` now").await;
    said(&world, "operator", "!key get site.word", "`site.word`: `hello there`").await;
    said(&world, "operator", "!key set --ttl=600 site.soon x", "It expires in 10 min").await;
    said(&world, "operator", "!key set other.word x", "this needs the grant `admin:key.system.other.word`").await;
    said(&world, "lead", "!key set other.word x", "`other.word` is `x` now").await;
    said(&world, "operator", "!key get other.word", "`other.word`: `x`").await;
    said(&world, "operator", "!key delete other.word", "needs the grant").await;
    said(&world, "operator", "!key list site.", "- `site.word`: `hello there`").await;
    said(&world, "operator", "!key get site.absent", "there is no value `site.absent`").await;
    said(&world, "operator", "!key delete site.soon", "`site.soon` is deleted").await;
    // Own values are one's own, whatever the grants; those of others are for administrators.
    said(&world, "operator", "!key set --scope=user word mine", "`word` is `mine` now").await;
    said(&world, "operator", "!key get --scope=user word", "`word`: `mine`").await;
    said(&world, "lead", "!key get --scope=user word", "there is no value `word`").await;
    said(&world, "lead", "!key get —user=operator word", "`word`: `mine`").await;
    // Whose it is, is told by the name and not by the id.
    said(&world, "lead", "!key list", "- `word`: `mine` · only for `operator`").await;
    said(&world, "operator", "!key get --user=lead word", "the values of others").await;
    said(&world, "guest", "!key list", "you have no role here").await;
    // Secrets.
    let line = format!("!key set --encrypt site.password {SECRET}");
    said(&world, "operator", &line, "Everybody in this channel can read the secret").await;
    said(&world, "operator", "!key get site.password", "`site.password` is a secret").await;
    said(&world, "operator", "!key get site.password decrypt", "I show secrets in a direct message only").await;
    said(&world, "operator", "!key list", "a secret").await;
    let direct = world.chat.direct_channel("operator", "halcyon").unwrap();
    let asked = world.chat.post_as("operator", &direct, "key get site.password decrypt", None).unwrap();
    let shown = world.answer_that(&asked, |post| post.message.contains(SECRET)).await;
    assert_eq!(shown.message, format!(":unlock: `site.password`: `{SECRET}`"));
    let lead = format!("key set --encrypt other.password {SECRET}");
    let theirs = world.chat.direct_channel("lead", "halcyon").unwrap();
    let asked = world.chat.post_as("lead", &theirs, &lead, None).unwrap();
    let answer = world.answer(&asked).await.message;
    assert!(answer.contains("`other.password` is set and sealed") && !answer.contains("Everybody"), "{answer}");
    let asked = world.chat.post_as("operator", &direct, "key get --decrypt other.password", None).unwrap();
    assert!(world.answer(&asked).await.message.contains("needs the grant `admin:key.system.other.password`"));
    // Lines that are not understood are repeated, and offered again, without what may be a secret.
    said(&world, "operator", "!key sett site.password hunter2", "`key sett ********`").await;
    said(&world, "operator", "!kye set site.password hunter2", "`kye set ********`").await;
    // All of it is there after a restart, and none of the secrets is on the disk.
    world.stop_bot().await;
    let store = world.config.store.path.clone();
    assert!(!holds(&store, "hunter2"), "a secret stands on the disk in clear");
    world.start_bot().await;
    said(&world, "operator", "!key get site.word", "`site.word`: `hello there`").await;
    let asked = world.chat.post_as("operator", &direct, "key get site.password decrypt", None).unwrap();
    world.answer_that(&asked, |post| post.message.contains(SECRET)).await;
    world.kill_bot();
    assert!(!holds(&store, "hunter2"), "a secret stands on the disk in clear");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_asked_of_the_running_bot() {
    let world = vault().await;
    let file = world.directory.path().join("config.toml").display().to_string();
    let run = move |words: &'static [&'static str]| {
        let file = file.clone();
        tokio::task::spawn_blocking(move || command(&file, words))
    };
    let (code, out, err) = run(&["key", "set", "site.word", "from outside"]).await.unwrap();
    assert_eq!(code, 0, "{out}{err}");
    said(&world, "operator", "!key get site.word", "`site.word`: `from outside`").await;
    // A name that stands in a role is known to the running bot.
    let (code, out, err) = run(&["key", "set", "--user", "operator", "word", "theirs", "--json"]).await.unwrap();
    assert!(code == 0 && out.contains("\"scope\": \"st2kv.user\""), "{out}{err}");
    said(&world, "operator", "!key get --scope=user word", "`word`: `theirs`").await;
    let (code, _, err) = run(&["key", "get", "nothing"]).await.unwrap();
    assert_eq!((code, err.as_str()), (2, "halcyon: there is no value `nothing` in the scope st2kv.system\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_read_values_and_secrets_stay_secret() {
    let world = vault().await;
    said(&world, "operator", "!speak on wn001", "word= none= mine=").await;
    said(&world, "lead", "!key set vault.word one two", "now").await;
    said(&world, "operator", "!key set --scope=user word three", "now").await;
    said(&world, "operator", "!speak on wn001", "word=one two none= mine=three").await;
    said(&world, "lead", "!speak on wn001", "word=one two none= mine=").await;
    // What a person keeps is looked at as what a person types.
    said(&world, "operator", "!key set --scope=user word $(reboot)", "now").await;
    said(&world, "operator", "!speak on wn001", "may not contain").await;
    said(&world, "operator", "!enter on wn001", "there is no `st2kv.system.vault.password` in the datastore").await;
    said(&world, "lead", "!key set vault.password plain", "now").await;
    said(&world, "operator", "!enter on wn001", "which is no secret: leave it out").await;
    said(&world, "lead", "!key delete vault.password", "deleted").await;
    let set = world.ask(Ask::Values(ValueAsk::Set { values: vec![value("vault.password", SECRET, true, None)] })).await;
    assert!(matches!(set, Answer::Values { .. }), "{set:?}");
    said(&world, "operator", "!enter on wn001", &format!("it has {} letters", SECRET.len())).await;
    let Answer::Executions { executions } = world.ask(Ask::Executions { limit: 1 }).await else { panic!() };
    let parameters = serde_json::to_string(&executions[0].request.parameters).unwrap();
    assert!(
        parameters.contains("\"env\":\"********\"") && parameters.contains("\"length\":\"********\""),
        "{parameters}"
    );
    // It can be repeated: what it was made of is still there.
    let id = executions[0].request.id.short().to_owned();
    said(&world, "operator", &format!("!rerun {id}"), "letters").await;
    // An alias opens it as well, and it can be repeated like any other.
    said(&world, "operator", "!knock on wn001", &format!("knocked with {} letters", SECRET.len())).await;
    let Answer::Executions { executions } = world.ask(Ask::Executions { limit: 1 }).await else { panic!() };
    let parameters = serde_json::to_string(&executions[0].request.parameters).unwrap();
    assert!(
        parameters.contains("\"word\":\"********\"") && parameters.contains("\"env\":\"********\""),
        "{parameters}"
    );
    let id = executions[0].request.id.short().to_owned();
    said(&world, "operator", &format!("!rerun {id}"), "knocked with").await;
    // A secret that is of no use is not quoted.
    said(&world, "operator", "!shout on wn001", "the secret in it is not of the parameter's type").await;
    assert!(world.chat.posts(CHANNEL).iter().all(|post| !post.message.contains("hunter2")));
    assert!(!holds(&world.config.store.path, "hunter2"), "a secret stands on the disk in clear");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_read_the_packs_configuration() {
    let mut world = World::without_bot("").await;
    world.config.datastore.key = Ok(master());
    world.config.content.packs.extend([data("vault"), data("configs")]);
    world.start_bot().await;
    said(&world, "lead", "!key set vault.host h1", "now").await;
    let set = world.ask(Ask::Values(ValueAsk::Set { values: vec![value("vault.password", SECRET, true, None)] })).await;
    assert!(matches!(set, Answer::Values { .. }), "{set:?}");
    said(&world, "lead", "!consult on wn001", &format!("http://h1/ 443 nobody 15 3 {} 11", SECRET.len())).await;
    let Answer::Executions { executions } = world.ask(Ask::Executions { limit: 1 }).await else { panic!() };
    let parameters = serde_json::to_string(&executions[0].request.parameters).unwrap();
    assert!(parameters.contains("\"env\":\"********\"") && parameters.contains("http://h1/"), "{parameters}");
    // A pack without a configuration has an empty one.
    said(&world, "lead", "!speak on wn001", "word=").await;
    assert!(!holds(&world.config.store.path, "hunter2"), "a secret stands on the disk in clear");
}

#[test]
fn mistakes_in_a_configuration_are_told_with_their_place() {
    let (vault, wrong) = (data("vault").display().to_string(), data("wrong").display().to_string());
    let place = Place::new(&format!("configs = {wrong:?}"));
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    std::fs::write(place.path("config.toml"), config.replace("packs = []", &format!("packs = [{vault:?}]"))).unwrap();
    let (code, out, err) = place.run(&["check"]);
    let told: Vec<String> = format!("{out}{err}")
        .lines()
        .filter(|line| line.contains("wrong/"))
        .map(|line| line.replace(&wrong, "wrong"))
        .collect();
    let expected = [
        "wrong/valt.yaml: warning: there is no pack `valt` that this could configure; did you mean \"vault\"?",
        "wrong/vault.yaml: url: is missing",
        "wrong/vault.yaml:1: port: has to be of the type integer, not \"many\"",
        "wrong/vault.yaml:2: password: is secret, so it is opened by itself: `decrypt_kv` would open it twice; leave `| decrypt_kv` out",
        "wrong/vault.yaml:4: auth.usr: the schema allows no such key here; did you mean \"user\"?",
        "wrong/vault.yaml:5: auth.token: has to be of the type string",
        "wrong/vault.yaml:6: auth.kind: has to be one of \"basic\", \"digest\", not \"best\"",
        "wrong/vault.yaml:8: nodes[0].name: is missing",
        "wrong/vault.yaml:9: nodes[1]: has to be of the type object, not \"text\"",
        "wrong/vault.yaml:11: labels.x_a: has to be of the type integer, not \"three\"",
        "wrong/vault.yaml:12: labels.other: has to be of the type string, not 5",
        "wrong/vault.yaml:13: warning: urls: the schema of the pack's configuration has no such key; did you mean \"url\"?",
    ];
    assert_eq!(told, expected, "{code}");
    assert_eq!(code, 1);
}
