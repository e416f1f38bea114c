//! Other programs sign what they send to webhooks.

use crate::callbacks::{free_port, url};
use crate::world::World;
use halcyon::adapters::clock::SystemClock;
use halcyon::config::Http;
use halcyon::core::datastore::request::Confidential;
use halcyon::core::datastore::seal::MasterKey;
use halcyon::core::effect::Answer;
use halcyon::core::input::{Ask, RuleAsk};
use halcyon::core::webhook::api_key::{ApiKey, ApiKeyAsk, Digest, ShownKey};
use halcyon::core::webhook::signature::Header;
use halcyon::runtime::ports::Clock;
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::Write as _;

const SECRET: &str = "a secret of the deployment";
const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: hooks\nname: hooks\ndescription: what calls us\nversion: 1.0.0\nauthor: site\n"),
    (
        "rules/deployed.yaml",
        "name: deployed\nenabled: true\ndry_run: true\ntrigger: {type: core.st2.webhook, parameters: {url: deployed}}\n\
         action: {ref: core.echo, parameters: {message: \"{{ trigger.headers_lower.keys() | list | join(' ') }}\"}}\n",
    ),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn hash(secret: &str, text: &str) -> String {
    hex(sign(&Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes()).as_ref())
}

fn own(secret: &str, seconds: i64, name: &str, body: &str) -> String {
    format!("t={seconds},id={name},v1={}", hash(secret, &format!("{seconds}.{name}.{body}")))
}

#[test]
fn headers_are_read_in_one_way_only() {
    let v1 = format!("v1={}", "0f".repeat(32));
    let check = |text: &str, expected: bool| {
        assert_eq!(Header::Own(text.to_owned()).read().is_some(), expected, "{text}");
    };
    check(&format!("t=1,{v1}"), true);
    check(&format!("t=1, id=a-B_9:x, {v1}, v2=other"), true);
    check(&format!("t=1,{v1},{v1},{v1},{v1}"), true);
    check(&format!("t=1,{v1},{v1},{v1},{v1},{v1}"), false);
    check(&format!("{v1},t=-5"), true);
    check(&v1, false);
    check("t=1", false);
    check(&format!("t=01,{v1}"), false);
    check(&format!("t=+1,{v1}"), false);
    check(&format!("t=1,t=1,{v1}"), false);
    check(&format!("t=1,id=a,id=b,{v1}"), false);
    check(&format!("t=1,id=a.b,{v1}"), false);
    check(&format!("t=1,id={},{v1}", "a".repeat(101)), false);
    check("t=1,v1=0f", false);
    check(&format!("t=1,v1={}", "0g".repeat(32)), false);
    check(&format!("t=1,v1={}", "é".repeat(32)), false);
    check(&format!("t=1,{v1},{}", "x=1,".repeat(300)), false);
    // GitHub's own example.
    let hub = Header::Hub("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17".into());
    let signature = hub.read().unwrap();
    assert!(signature.is_by("It's a Secret to Everybody", b"Hello, World!"));
    assert!(!signature.is_by("It's a Secret to Everybody", b"Hello, World?"));
    assert!(!signature.is_by("It's a secret to Everybody", b"Hello, World!"));
    assert_eq!(signature.event_name(b"Hello, World!"), None);
    assert!(Header::Hub("sha1=757107ea0eb2509fc211221cce984b8a37570b6d".into()).read().is_none());
}

#[test]
fn a_key_of_an_older_log_is_the_key_that_it_was() {
    let written = json!({
        "name": "monitoring",
        "digest": Digest::of("key-of-the-monitoring"),
        "webhooks": ["st2"],
        "made": "2026-11-01T00:00:00Z",
        "by": {"kind": "local-user", "uid": 0, "name": "root"},
    });
    let key: ApiKey = serde_json::from_value(written.clone()).unwrap();
    assert_eq!((key.digest, key.secret.as_ref()), (Some(Digest::of("key-of-the-monitoring")), None));
    assert_eq!(serde_json::to_value(&key).unwrap(), written);
}

async fn world() -> World {
    let mut world = without_bot().await;
    world.config.datastore.key = Ok(MasterKey::new([7; 32]));
    world.start_bot().await;
    world
}

async fn without_master_key() -> World {
    let mut world = without_bot().await;
    world.start_bot().await;
    world
}

async fn without_bot() -> World {
    let more = "[[access.roles]]\nname = \"healing\"\nrules = [\"hooks.*\"]\ngrants = [\"run:core.*\"]\n";
    let mut world = World::without_bot(more).await;
    world.add_pack("hooks", PACK);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    world
}

async fn make(world: &World, name: &str, secret: &str, hook: &str) -> Result<Vec<ShownKey>, String> {
    let (name, secret, webhooks) = (name.to_owned(), Confidential(secret.to_owned()), vec![hook.to_owned()]);
    match world.ask(Ask::ApiKeys(ApiKeyAsk::Sign { name, secret, webhooks })).await {
        Answer::ApiKeys { keys } => Ok(keys),
        Answer::Refused { text } => Err(text),
        other => panic!("{other:?}"),
    }
}

async fn send(world: &World, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut asking = reqwest::Client::new().post(url(world, "/api/v1/webhooks/deployed")).body(body.to_owned());
    for (name, value) in headers {
        asking = asking.header(*name, *value);
    }
    let answer = asking.send().await.unwrap();
    let status = answer.status().as_u16();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null);
    (status, answer["faultstring"].as_str().unwrap_or_default().to_owned())
}

async fn count(world: &World) -> u64 {
    match world.ask(Ask::Rules(RuleAsk::Show { rule: "hooks.deployed".into() })).await {
        Answer::Rules { rules } => rules[0].count,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_rightly_and_now_is_heard() {
    let mut world = world().await;
    let made = make(&world, "deploy", SECRET, "deployed").await.unwrap();
    assert!(made[0].signs, "{made:?}");
    make(&world, "elsewhere", "a secret of somebody else", "github").await.unwrap();
    let now = SystemClock.now().as_second();
    let body = r#"{"version": 7}"#;
    let bad = "the signature is not one that a key for this webhook makes over this body";
    let form = "the signature cannot be read: X-Halcyon-Signature is t=SECONDS,id=NAME,v1=HEX, and X-Hub-Signature-256 is sha256=HEX";
    let stale = "the signature is right, and more than 300 s away from my clock: sign it again, and set both clocks";
    let mut rows = String::new();
    for (what, header, status, fault, heard) in [
        ("rightly", own(SECRET, now, "a", body), 202, "", 1),
        ("the same once more", own(SECRET, now, "a", body), 202, "", 1),
        ("the same event, signed again", own(SECRET, now + 1, "a", body), 202, "", 1),
        ("another event", own(SECRET, now, "b", body), 202, "", 2),
        ("without a name", own(SECRET, now, "", body), 202, "", 3),
        ("the same without a name", own(SECRET, now, "", body), 202, "", 3),
        ("at the edge", own(SECRET, now - 290, "c", body), 202, "", 4),
        ("too late", own(SECRET, now - 400, "d", body), 401, stale, 4),
        ("too early", own(SECRET, now + 400, "d", body), 401, stale, 4),
        ("too late and wrong", own("another secret of them", now - 400, "d", body), 401, bad, 4),
        ("another body", own(SECRET, now, "d", "{}"), 401, bad, 4),
        ("another name", own(SECRET, now, "d", body).replace("id=d", "id=e"), 401, bad, 4),
        (
            "another time",
            own(SECRET, now, "d", body).replacen(&now.to_string(), &(now + 1).to_string(), 1),
            401,
            bad,
            4,
        ),
        ("by a key for another webhook", own("a secret of somebody else", now, "d", body), 401, bad, 4),
        ("not at all", "hello".to_owned(), 401, form, 4),
        ("one of two", format!("{},v1={}", own(SECRET, now, "f", body), "00".repeat(32)), 202, "", 5),
    ] {
        let (got, said) = send(&world, &[("X-Halcyon-Signature", &header)], body).await;
        let now = count(&world).await;
        if (got, said.as_str(), now) != (status, fault, heard) {
            writeln!(rows, "{what}: {got} {said} {now}").unwrap();
        }
    }
    assert_eq!(rows, "");
    // What is not signed names no event, and a secret is no key.
    let header = own(SECRET, now, "a", body);
    send(&world, &[("X-Halcyon-Signature", &header), ("Idempotency-Key", "other")], body).await;
    assert_eq!(send(&world, &[("St2-Api-Key", SECRET)], body).await.0, 401);
    assert_eq!(count(&world).await, 5);
    // GitHub's form.
    let hub = format!("sha256={}", hash(SECRET, body));
    for delivery in ["1", "1", "2"] {
        let told = send(&world, &[("X-Hub-Signature-256", &hub), ("X-GitHub-Delivery", delivery)], body).await;
        assert_eq!(told, (202, String::new()));
    }
    assert_eq!(count(&world).await, 7);
    let wrong = format!("sha256={}", hash("another secret of them", body));
    assert_eq!(send(&world, &[("X-Hub-Signature-256", &wrong)], body).await, (401, bad.to_owned()));
    // Signatures are no part of the event.
    match world.ask(Ask::Rules(RuleAsk::Show { rule: "hooks.deployed".into() })).await {
        Answer::Rules { rules } => assert!(!format!("{:?}", rules[0].last).contains("signature"), "{rules:?}"),
        other => panic!("{other:?}"),
    }
    // The secret is sealed where it lies, and the next process knows it; one without the master key checks nothing.
    for key in [Ok(MasterKey::new([7; 32])), Ok(MasterKey::new([8; 32]))] {
        world.kill_bot();
        let files = std::fs::read_dir(&world.config.store.path).unwrap().flatten();
        for file in files.filter(|file| file.path().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{:?}", file.path());
        }
        let known = key == Ok(MasterKey::new([7; 32]));
        world.config.datastore.key = key;
        world.start_bot().await;
        let told = send(&world, &[("X-Halcyon-Signature", &own(SECRET, now, "g", body))], body).await;
        let unchecked = (503, "I cannot check signatures at the moment; send it again".to_owned());
        assert_eq!(told, if known { (202, String::new()) } else { unchecked });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_taken_where_senders_can_put_them() {
    let world = world().await;
    let (name, webhooks) = ("monitoring".to_owned(), vec!["deployed".to_owned()]);
    let ask = ApiKeyAsk::Create { name, digest: Digest::of("key-of-the-monitoring"), webhooks };
    assert!(matches!(world.ask(Ask::ApiKeys(ask)).await, Answer::ApiKeys { .. }));
    for (header, value, status) in [
        ("Authorization", "Bearer key-of-the-monitoring", 202),
        ("Authorization", "bearer  key-of-the-monitoring", 202),
        ("X-Gitlab-Token", "key-of-the-monitoring", 202),
        ("Authorization", "Basic key-of-the-monitoring", 401),
        ("Authorization", "key-of-the-monitoring", 401),
    ] {
        assert_eq!(send(&world, &[(header, value)], "{}").await.0, status, "{header}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn which_keys_can_be_made() {
    let world = world().await;
    let refused = "a secret to sign with has 16 to 1000 characters";
    assert_eq!(make(&world, "deploy", "fifteen letters", "*").await.unwrap_err(), refused);
    assert_eq!(make(&world, "deploy", &"x".repeat(1_001), "*").await.unwrap_err(), refused);
    make(&world, "deploy", SECRET, "*").await.unwrap();
    let taken = "there is a key `deploy` already; delete it first, or take another name";
    assert_eq!(make(&world, "deploy", SECRET, "*").await.unwrap_err(), taken);
    let world = without_master_key().await;
    let told = make(&world, "other", SECRET, "*").await.unwrap_err();
    assert!(told.starts_with("the secret would be kept sealed, and I have no master key for that: "), "{told}");
}

/// What the page shows is done, with the programs that it names.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_webhooks() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md")).unwrap();
    let blocks = page.split("\n```").skip(1).step_by(2);
    let script = blocks.filter_map(|block| block.strip_prefix("sh\n")).find(|block| block.starts_with("# sign.sh"));
    let world = world().await;
    make(&world, "deploy", SECRET, "deployed").await.unwrap();
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    writeln!(secret, "{SECRET}").unwrap();
    let mut run = tokio::process::Command::new("sh");
    let url = url(&world, "/api/v1/webhooks/deployed");
    run.args(["-c", script.unwrap(), "sign.sh", &url]).arg(secret.path()).arg(r#"{"version": "ä.7"}"#);
    let told = run.output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout).lines().last(), Some("202"), "{told:?}");
    assert_eq!(count(&world).await, 1);
}
