//! Other programs bring events over HTTP, with keys; and CheckMK's plugin does, from its variables to a rule's action.

use crate::callbacks::{free_port, url};
use crate::notify::Site;
use crate::world::World;
use halcyon::config::Http;
use halcyon::core::effect::{Answer, ShownRule};
use halcyon::core::input::{Ask, RuleAsk};
use halcyon::core::webhook::api_key::{ApiKeyAsk, Digest};
use serde_json::{Value, json};

const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: hooks\nname: hooks\ndescription: what calls us\nversion: 1.0.0\nauthor: site\n"),
    (
        "rules/pushed.yaml",
        "name: pushed
enabled: true
trigger: {type: core.st2.webhook, parameters: {url: /github/}}
criteria:
  trigger.body.ref: {type: eq, pattern: main}
  trigger.headers['X-Event-Key']: {type: eq, pattern: push}
action: {ref: core.noop}
",
    ),
    (
        "rules/off.yaml",
        "name: off\nenabled: false\ntrigger: {type: core.st2.webhook, parameters: {url: nobody}}\naction: {ref: core.noop}\n",
    ),
    (
        "rules/down.yaml",
        "name: down\nenabled: true\ntrigger: {type: check_mk.event_handler}\n\
         criteria: {trigger.host.state: {type: eq, pattern: DOWN}}\naction: {ref: core.noop}\n",
    ),
];

const KEY: &str = "key-of-the-monitoring";
const NARROW: &str = "key-of-somebody-else";

async fn world() -> World {
    let more = "[[access.roles]]\nname = \"healing\"\nrules = [\"hooks.*\"]\ngrants = [\"run:core.noop\"]\n";
    let mut world = World::without_bot(more).await;
    world.add_pack("hooks", PACK);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    world.start_bot().await;
    for (name, key, hooks) in [("monitoring", KEY, ["*"]), ("narrow", NARROW, ["git*"])] {
        let webhooks = hooks.iter().map(|hook| (*hook).to_owned()).collect();
        let ask = ApiKeyAsk::Create { name: name.to_owned(), digest: Digest::of(key), webhooks };
        let answer = world.ask(Ask::ApiKeys(ask)).await;
        assert!(matches!(&answer, Answer::ApiKeys { keys } if keys.len() == 1), "{answer:?}");
    }
    world
}

async fn rule(world: &World, name: &str) -> ShownRule {
    match world.ask(Ask::Rules(RuleAsk::Show { rule: name.to_owned() })).await {
        Answer::Rules { mut rules } => rules.remove(0),
        other => panic!("{other:?}"),
    }
}

async fn send(world: &World, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, Value) {
    let mut asking = reqwest::Client::new().post(url(world, path)).body(body);
    for (name, value) in headers {
        asking = asking.header(*name, *value);
    }
    let answer = asking.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_bring_what() {
    let world = world().await;
    let sound = r#"{"trigger": "check_mk.event_handler", "payload": {"host": {"name": "wn001", "state": "UP"}}}"#;
    let mut rows = String::new();
    for (path, headers, body, status, fault) in [
        ("st2", vec![], sound, 401, "a key that I know is needed, in the header St2-Api-Key"),
        ("st2", vec![("St2-Api-Key", "wrong")], sound, 401, "a key that I know is needed, in the header St2-Api-Key"),
        (
            "no/such",
            vec![("St2-Api-Key", "wrong")],
            sound,
            401,
            "a key that I know is needed, in the header St2-Api-Key",
        ),
        ("st2", vec![("St2-Api-Key", NARROW)], sound, 403, "the key `narrow` is not for this webhook"),
        ("no/such", vec![("St2-Api-Key", KEY)], sound, 404, "no rule listens to the webhook `no/such`"),
        ("nobody", vec![("St2-Api-Key", KEY)], sound, 404, "no rule listens to the webhook `nobody`"),
        (
            "st2",
            vec![("St2-Api-Key", KEY)],
            "{",
            400,
            "the body is no JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("st2", vec![("St2-Api-Key", KEY)], "5", 400, "the body has to be a JSON object or array"),
        (
            "st2",
            vec![("St2-Api-Key", KEY)],
            "{}",
            400,
            r#"the body has to name what happened: {"trigger": "pack.name", "payload": {…}}"#,
        ),
        ("st2", vec![("St2-Api-Key", KEY)], r#"{"trigger": "no.such"}"#, 400, "there is no type of triggers `no.such`"),
        (
            "st2",
            vec![("St2-Api-Key", KEY), ("Content-Type", "text/plain")],
            sound,
            415,
            "the body has to be JSON or a form",
        ),
        ("st2", vec![("St2-Api-Key", KEY)], sound, 202, ""),
        ("st2", vec![("X-Auth-Token", KEY)], sound, 202, ""),
        ("st2/?st2-api-key=key-of-the-monitoring", vec![], sound, 202, ""),
        ("github", vec![("St2-Api-Key", NARROW)], sound, 202, ""),
        (
            "/github/",
            vec![("St2-Api-Key", NARROW), ("Content-Type", "application/x-www-form-urlencoded")],
            "a=1&a=2",
            202,
            "",
        ),
    ] {
        let (got, answer) = send(&world, &format!("/api/v1/webhooks/{path}"), &headers, body).await;
        let said = answer["faultstring"].as_str().unwrap_or_default();
        if (got, said) != (status, fault) {
            rows.push_str(&format!("{path} {headers:?} {body}: {got} {said}\n"));
        }
    }
    assert_eq!(rows, "");
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20));
    let (status, _) = send(&world, "/api/v1/webhooks/st2", &[("St2-Api-Key", KEY)], long).await;
    assert_eq!(status, 413);
    // A key that is gone counts no more.
    let gone = world.ask(Ask::ApiKeys(ApiKeyAsk::Delete { name: "monitoring".into() })).await;
    assert!(matches!(gone, Answer::ApiKeys { .. }), "{gone:?}");
    let (status, _) = send(&world, "/api/v1/webhooks/st2", &[("St2-Api-Key", KEY)], sound).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_once_and_keys_outlive_the_process() {
    let mut world = world().await;
    let headers =
        [("St2-Api-Key", NARROW), ("X-Event-Key", "push"), ("Idempotency-Key", "delivery-1"), ("Cookie", "a=b")];
    let body = r#"{"ref": "main"}"#;
    let (status, answer) = send(&world, "/api/v1/webhooks/github", &headers, body).await;
    assert_eq!((status, answer), (202, json!({"ref": "main"})));
    assert_eq!(rule(&world, "hooks.pushed").await.count, 1);
    world.kill_bot();
    world.start_bot().await;
    for _ in 0..2 {
        let (status, _) = send(&world, "/api/v1/webhooks/github", &headers, body).await;
        assert_eq!(status, 202);
    }
    assert_eq!(rule(&world, "hooks.pushed").await.count, 1, "the same event is taken once, also by the next process");
    let other = [("St2-Api-Key", NARROW), ("X-Event-Key", "push")];
    for _ in 0..2 {
        let (status, _) = send(&world, "/api/v1/webhooks/github", &other, body).await;
        assert_eq!(status, 202);
    }
    assert_eq!(rule(&world, "hooks.pushed").await.count, 3, "events without a name are events of their own");
    // Neither the log nor the socket gives a key away.
    let facts = std::fs::read_dir(&world.config.store.path).unwrap().flatten();
    for file in facts.filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        for key in [KEY, NARROW] {
            assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{:?}", file.path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_checkmk_tells_while_the_bot_is_away_reaches_the_rules() {
    let mut world = world().await;
    let address = world.config.http.as_ref().unwrap().listen;
    world.stop_bot().await;
    let site = Site::of(address, KEY);
    for host in ["wn001", "wn002", "wn003"] {
        let told = site.tell("host-down", &[("HOSTNAME", host)]);
        assert!(told.status.success(), "{told:?}");
    }
    // Once for each contact: one event.
    assert!(site.tell("host-down", &[("HOSTNAME", "wn003"), ("CONTACTNAME", "second")]).status.success());
    assert!(site.tell("host-down", &[("HOSTNAME", "wn004"), ("HOSTSTATE", "UP")]).status.success());
    world.start_bot().await;
    site.delivered().await;
    let rule = rule(&world, "hooks.down").await;
    assert_eq!(rule.count, 3, "{:?}", rule.last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_has_one_post_as_long_as_it_lives() {
    let mut world = world().await;
    let site = Site::of(world.config.http.as_ref().unwrap().listen, KEY);
    let tell = |kind: &'static str, state: &'static str, minute: u32, more: &[(&'static str, &'static str)]| {
        let micro = (1_795_350_600_u64 + u64::from(minute) * 60) * 1_000_000;
        let micro = micro.to_string();
        let mut changes = vec![("NOTIFICATIONTYPE", kind), ("SERVICESTATE", state), ("MICROTIME", micro.as_str())];
        changes.extend_from_slice(more);
        assert!(site.tell("service-critical", &changes).status.success());
    };
    let shows = |text: &'static str| move |post: &halcyon::sandbox::mattermost::Post| post.message.contains(text);
    tell("PROBLEM", "CRITICAL", 0, &[("SERVICEOUTPUT", "@all `look` $(reboot) {{ trigger }} <% ctx() %>")]);
    let post =
        world.chat.wait_for(crate::world::CHANNEL, shows(":red_circle: **CRITICAL**"), crate::world::PATIENCE).await;
    let post = post.unwrap();
    assert!(post.message.contains("`wn042.example.org` · Filesystem /scratch"), "{}", post.message);
    assert!(!post.message.contains("@all"), "{}", post.message);
    tell("ACKNOWLEDGEMENT", "CRITICAL", 1, &[("NOTIFICATIONAUTHOR", "operator"), ("NOTIFICATIONCOMMENT", "on it")]);
    world.reply(&post.id, shows(":raising_hand: Taken on by operator: _on it_")).await;
    let listed = world.say("operator", "!alerts scratch").await;
    assert!(listed.message.contains(":raising_hand: taken on"), "{}", listed.message);
    // What happened is remembered by the next process, and the post with it.
    world.kill_bot();
    world.start_bot().await;
    tell("RECOVERY", "OK", 5, &[("SERVICEOUTPUT", "Used: 41%")]);
    world.reply(&post.id, shows(":white_check_mark: Over after")).await;
    let edited = world.chat.post(&post.id).unwrap();
    assert!(edited.message.starts_with(":white_check_mark: **OK again** `wn042.example.org`"), "{}", edited.message);
    let listed = world.say("operator", "!alerts").await;
    assert_eq!(listed.message.trim(), "No problem is open.");
    let bot = world.bot.clone();
    let of_alerts = world.chat.posts(crate::world::CHANNEL).into_iter().filter(|post| {
        post.user_id == bot
            && post.root_id.is_empty()
            && post.message.contains("** `wn042.example.org`")
            && !post.message.starts_with('-')
    });
    assert_eq!(of_alerts.count(), 1);
}

/// What an Alertmanager leaves out of a group, since its receiver has a bound, is told once.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_are_left_out_are_told_of() {
    let world = world().await;
    let body = |left_out: u64| {
        json!({"version": "4", "groupKey": "{}:{job=\"node\"}", "truncatedAlerts": left_out, "status": "firing", "alerts": []})
            .to_string()
    };
    for left_out in [12, 13, 0, 1] {
        let (status, answer) =
            send(&world, "/api/v1/webhooks/alertmanager/lab", &[("St2-Api-Key", KEY)], body(left_out)).await;
        assert_eq!(status, 202, "{answer}");
    }
    world.settle().await;
    let told = world.chat.posts(crate::world::CHANNEL).into_iter().map(|post| post.message);
    let told: Vec<String> = told.filter(|text| text.contains("`max_alerts`")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("`lab`") && told[0].contains("12 alerts of it") && told[1].contains("1 alert of it"),
        "{told:?}"
    );
}

#[test]
fn keys_are_made_by_the_command_line_also_without_a_bot() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("config.toml");
    std::fs::write(&file, "[content]\npacks = []\n[store]\npath = \"store\"\n").unwrap();
    let halcyon = |arguments: &[&str]| {
        let said = std::process::Command::new(env!("CARGO_BIN_EXE_halcyon"))
            .args(["--config", file.to_str().unwrap(), "api-key"])
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (said.status.code().unwrap(), text(said.stdout), text(said.stderr))
    };
    let (code, key, told) = halcyon(&["create", "monitoring", "--webhook", "st2", "--webhook", "check*"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(key.trim().len(), 43, "{key}");
    assert_eq!(told, "This is shown once. `monitoring` may call the webhooks: st2, check*\n");
    let (_, made, _) = halcyon(&["create", "second", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["webhooks"], made["key"].as_str().unwrap().len()), (&json!(["*"]), 43));
    let (code, _, told) = halcyon(&["create", "monitoring"]);
    assert_eq!(
        (code, told.as_str()),
        (2, "halcyon: there is a key `monitoring` already; delete it first, or take another name\n")
    );
    let (code, _, told) = halcyon(&["create", "two words"]);
    assert_eq!(code, 2, "{told}");
    let (_, list, _) = halcyon(&["list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains(key.trim()), "a key is shown once");
    let (code, said, _) = halcyon(&["delete", "monitoring"]);
    assert_eq!((code, said.as_str()), (0, "`monitoring` counts no more\n"));
    let (code, _, told) = halcyon(&["delete", "monitoring"]);
    assert_eq!((code, told.as_str()), (2, "halcyon: there is no key `monitoring`\n"));
}
