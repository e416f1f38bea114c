//! What Nagios, Alertmanager and Icinga tell, in one shape with what CheckMK does: from their own words to alerts, and by the door to posts.

mod icinga;
mod nagios;

use crate::callbacks::{free_port, url};
use crate::data;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::config::{Config, Environment, Http};
use halcyon::core::alert::alertmanager::{self, Body, INSTANCE};
use halcyon::core::alert::life::Board;
use halcyon::core::alert::nagios::Macros;
use halcyon::core::alert::notification::{Kind, Notification, State};
use halcyon::core::alert::source::{Event, Source};
use halcyon::core::alert::stackstorm;
use halcyon::core::effect::{Answer, ShownRule};
use halcyon::core::input::{Ask, RuleAsk};
use halcyon::core::webhook::api_key::{ApiKeyAsk, Digest};
use halcyon::sandbox::mattermost::Post;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const KEY: &str = "key-of-the-alertmanager";

/// What an event says, as the bot reads it.
fn read(event: &Event) -> Notification {
    Notification::read(event.source.trigger(), &event.payload).unwrap()
}

fn macros(name: &str, changes: &[(&str, &str)]) -> Option<Macros> {
    let text = std::fs::read_to_string(data(&format!("nagios/{name}.json"))).unwrap();
    let mut variables: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    for (name, value) in changes {
        variables.insert(format!("NAGIOS_{name}"), (*value).to_owned());
    }
    Macros::from_environment(variables)
}

#[test]
fn what_nagios_says_in_its_environment() {
    let event = macros("service-problem", &[]).unwrap().event(Some("mon01"));
    let told = read(&event);
    assert_eq!((told.problem.source.as_str(), told.problem.site.as_str()), ("nagios", "mon01"));
    assert_eq!((told.problem.host.as_str(), told.problem.service.as_deref()), ("wn001", Some("Filesystem /scratch")));
    assert_eq!((told.kind, told.state), (Kind::Problem, Some(State::Critical)));
    assert_eq!(
        told.output, r#"97% used: `$HOME` ~ & 'it' "is" <full>"#,
        "nothing that a shell may take for its own is lost"
    );
    assert_eq!(told.details, "/scratch/a 50%\n/scratch/b\\c 47%", "lines are lines again, and backslashes stay");
    assert!(told.sent.is_some() && told.since.is_some());
    assert_eq!(event.payload["event"]["id"], json!(event.id));
    // For every contact the same, and another one for another notification or another Nagios.
    for (changes, site, same) in [
        (vec![("CONTACTNAME", "second"), ("TIMET", "1795999999")], Some("mon01"), true),
        (vec![("SERVICENOTIFICATIONID", "4711")], Some("mon01"), false),
        (vec![("NOTIFICATIONTYPE", "RECOVERY")], Some("mon01"), false),
        (vec![("LASTSERVICESTATECHANGE", "1")], Some("mon01"), false),
        (vec![], Some("mon02"), false),
    ] {
        let id = macros("service-problem", &changes).unwrap().event(site).id;
        assert_eq!(id == event.id, same, "{changes:?} {site:?}");
    }
    let host = macros("host-down", &[]).unwrap().event(None);
    let told = read(&host);
    assert_eq!((told.problem.host.as_str(), told.problem.service), ("wn002", None));
    assert_eq!((told.kind, told.state), (Kind::Problem, Some(State::Down)));
    assert!(host.payload["service"].as_object().unwrap().values().all(Value::is_null), "{}", host.payload);
    let word =
        [("NOTIFICATIONTYPE", "ACKNOWLEDGEMENT"), ("NOTIFICATIONAUTHOR", "operator"), ("NOTIFICATIONCOMMENT", "on it")];
    let told = read(&macros("host-down", &word).unwrap().event(None));
    assert_eq!(
        (told.kind, told.author.as_deref(), told.comment.as_deref()),
        (Kind::Acknowledgement, Some("operator"), Some("on it"))
    );
    assert!(Macros::from_environment([("NAGIOS_HOSTNAME".to_owned(), "wn001".to_owned())]).is_none());
    assert!(macros("host-down", &[("HOSTNAME", "$HOSTNAME$")]).is_none());
}

#[test]
fn what_rules_of_stackstorms_packs_are_told() {
    let service = macros("service-problem", &[]).unwrap().event(None);
    let (trigger, payload) = stackstorm::state_change(Source::Nagios.trigger(), &service.payload).unwrap();
    assert_eq!(trigger, "nagios.service_state_change");
    let flat = payload.as_object().unwrap();
    assert_eq!(
        flat.keys().map(String::as_str).collect::<Vec<_>>(),
        ["host", "service", "event_id", "state", "state_id", "state_type", "attempt", "msg"]
    );
    assert!(flat.values().all(Value::is_string), "{payload}");
    assert_eq!(
        (&payload["host"], &payload["state"], &payload["state_id"]),
        (&json!("wn001"), &json!("CRITICAL"), &json!("2"))
    );
    for (name, changes) in [("host-down", vec![]), ("service-problem", vec![("NOTIFICATIONTYPE", "ACKNOWLEDGEMENT")])] {
        let event = macros(name, &changes).unwrap().event(None);
        assert_eq!(stackstorm::state_change(Source::Nagios.trigger(), &event.payload), None, "{name} {changes:?}");
    }
}

#[test]
fn what_people_call_an_alert() {
    for (labels, host, service, state) in [
        (
            json!({"alertname": "DiskFull", "instance": "wn001:9100", "severity": "warning"}),
            "wn001",
            "DiskFull",
            State::Warning,
        ),
        (
            json!({"alertname": "DiskFull", "instance": "wn001.example.org:9100", "mountpoint": "/scratch", "job": "node"}),
            "wn001.example.org",
            "DiskFull (mountpoint=/scratch)",
            State::Critical,
        ),
        (
            json!({"alertname": "Down", "instance": "[2001:db8::1]:9100", "severity": "page"}),
            "2001:db8::1",
            "Down",
            State::Critical,
        ),
        (json!({"alertname": "Down", "instance": "2001:db8::1"}), "2001:db8::1", "Down", State::Critical),
        (
            json!({"alertname": "Slow", "instance": "https://www.example.org:8443/login", "severity": "Info"}),
            "www.example.org",
            "Slow (instance=https://www.example.org:8443/login)",
            State::Warning,
        ),
        (json!({"alertname": "Watchdog", "severity": "none"}), "no host", "Watchdog", State::Warning),
        (json!({"instance": "wn001"}), "wn001", "alert", State::Critical),
    ] {
        let labels = alertmanager::texts(Some(&labels));
        let named = (alertmanager::host(&labels, INSTANCE), alertmanager::service(&labels, INSTANCE));
        assert_eq!((named.0.as_str(), named.1.as_str()), (host, service), "{labels:?}");
        assert_eq!(alertmanager::state(&labels), state, "{labels:?}");
    }
    let labels = alertmanager::texts(Some(&json!({"alertname": "A", "node": "wn007", "instance": "exporter:9100"})));
    assert_eq!(alertmanager::host(&labels, "node"), "wn007");
    assert_eq!(alertmanager::service(&labels, "node"), "A");
}

/// An alert as it stands in a body. `at` are minutes.
fn alert(fingerprint: &str, severity: &str, status: &str, at: u32, summary: &str) -> Value {
    let moment = |minute: u32| format!("2026-11-22T13:{minute:02}:00Z");
    json!({
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "wn001:9100", "severity": severity},
        "annotations": {"summary": summary},
        "startsAt": moment(0),
        "endsAt": if status == "firing" { "0001-01-01T00:00:00Z".to_owned() } else { moment(at) },
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    })
}

fn body(alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "halcyon",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "alerts": alerts,
    })
}

/// Lets a board hear a body; gives the turns that came of it.
fn hear(board: &mut Board, body: &Value, now: Timestamp) -> Vec<String> {
    let mut turns = Vec::new();
    for told in Body::read(body).unwrap().alerts {
        let Some(event) = told.event("", INSTANCE, board) else { continue };
        let told = read(&event);
        if let Some(change) = board.meaning(&told, now) {
            board.apply(&change.alert);
            let state = change.alert.state.map(State::word).unwrap_or_default();
            turns.push(format!("{:?} {state}: {}", change.turn, change.alert.output));
        }
    }
    turns
}

#[test]
fn an_alert_from_body_to_body() {
    let mut board = Board::default();
    let (warning, critical) = (
        |status, at| alert("aa", "warning", status, at, "90%"),
        |status, at| alert("bb", "critical", status, at, "99%"),
    );
    let mut minute = 0;
    let mut check = |what: &str, alerts: &[Value], expected: &[&str]| {
        minute += 1;
        let now: Timestamp = format!("2026-11-22T13:{minute:02}:30Z").parse().unwrap();
        assert_eq!(hear(&mut board, &body(alerts), now), expected, "{what}");
        assert_eq!(hear(&mut board, &body(alerts), now), [""; 0], "{what}, and brought once more");
    };
    check("what was never told is not over", &[warning("resolved", 1)], &[]);
    check("it begins", &[warning("firing", 0)], &["Opened warning: 90%"]);
    check("the group comes again", &[warning("firing", 0)], &[]);
    check("another value", &[alert("aa", "warning", "firing", 0, "91%")], &["Again warning: 91%"]);
    check(
        "worse by a second alert",
        &[alert("aa", "warning", "firing", 0, "91%"), critical("firing", 0)],
        &["Changed critical: 99%"],
    );
    check("the critical one is over", &[critical("resolved", 6)], &["Changed warning: 99%"]);
    check("what is silenced is missing, and still fires", &[critical("resolved", 6)], &[]);
    let other = alert("aa", "warning", "firing", 0, "91%");
    check("its text", std::slice::from_ref(&other), &["Again warning: 91%"]);
    check("both are told", &[other.clone(), critical("firing", 0)], &["Changed critical: 99%"]);
    check("one of both", &[other, critical("resolved", 6)], &["Changed warning: 99%", "Again warning: 91%"]);
    check("the other one, too", &[warning("resolved", 8), critical("resolved", 6)], &["Recovered ok: 90%"]);
    check("it fires again from where it began", &[warning("firing", 0)], &["Back warning: 90%"]);
}

#[test]
fn bodies_that_are_none() {
    for (body, why) in [
        (json!({"version": "3", "alerts": []}), alertmanager::Unreadable::Version),
        (json!({"version": "4"}), alertmanager::Unreadable::Alerts),
        (json!({"version": "4", "alerts": [{"labels": {}}]}), alertmanager::Unreadable::Alerts),
        (json!({"version": "4", "alerts": vec![json!({}); alertmanager::MOST + 1]}), alertmanager::Unreadable::TooMany),
    ] {
        assert_eq!(Body::read(&body).unwrap_err(), why);
    }
}

const PACK: &[(&str, &str)] = &[
    ("pack.yaml", "ref: heals\nname: heals\ndescription: what heals\nversion: 1.0.0\nauthor: site\n"),
    (
        "rules/disk.yaml",
        "name: disk\nenabled: true\ntrigger: {type: alertmanager.notification}\n\
         criteria: {trigger.service.state: {type: eq, pattern: CRITICAL}}\naction: {ref: core.noop}\n",
    ),
    (
        "rules/theirs.yaml",
        "name: theirs\nenabled: true\ntrigger: {type: nagios.service_state_change}\n\
         criteria: {trigger.state: {type: eq, pattern: CRITICAL}}\naction: {ref: core.noop}\n",
    ),
];

async fn world() -> World {
    let more = "[[access.roles]]\nname = \"healing\"\nrules = [\"heals.*\"]\ngrants = [\"run:core.noop\"]\n";
    let mut world = World::without_bot(more).await;
    world.add_pack("heals", PACK);
    let listen = format!("127.0.0.1:{}", free_port());
    world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
    world.start_bot().await;
    let webhooks = vec!["alertmanager*".to_owned(), "st2".to_owned()];
    let ask = ApiKeyAsk::Create { name: "alertmanager".to_owned(), digest: Digest::of(KEY), webhooks };
    assert!(matches!(world.ask(Ask::ApiKeys(ask)).await, Answer::ApiKeys { .. }));
    world
}

async fn rule(world: &World, name: &str) -> ShownRule {
    match world.ask(Ask::Rules(RuleAsk::Show { rule: name.to_owned() })).await {
        Answer::Rules { mut rules } => rules.remove(0),
        other => panic!("{other:?}"),
    }
}

async fn post(world: &World, hook: &str, body: &Value) -> (u16, Value) {
    let asking =
        reqwest::Client::new().post(url(world, &format!("/api/v1/webhooks/{hook}"))).bearer_auth(KEY).json(body);
    let answer = asking.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

fn shows(text: &str) -> impl Fn(&Post) -> bool + Send + Sync {
    let text = text.to_owned();
    move |post| post.message.contains(&text)
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_comes_by_its_own_webhook() {
    let mut world = world().await;
    let firing = alert("aa", "critical", "firing", 0, "@all `look` 99%");
    let second = json!({
        "status": "firing", "labels": {"alertname": "NodeDown", "instance": "wn002:9100", "severity": "warning"},
        "annotations": {}, "startsAt": "2026-11-22T13:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "cc",
    });
    assert_eq!(
        post(&world, "alertmanager/berlin", &body(&[firing.clone(), second])).await,
        (202, json!({"new": true}))
    );
    let told =
        world.chat.wait_for(CHANNEL, shows(":red_circle: **CRITICAL** `wn001` · DiskFull"), PATIENCE).await.unwrap();
    assert!(!told.message.contains("@all"), "{}", told.message);
    world.chat.wait_for(CHANNEL, shows("`wn002` · NodeDown"), PATIENCE).await.unwrap();
    assert_eq!(rule(&world, "heals.disk").await.count, 1);
    // Sent again, also to the next process, it is nothing new.
    world.kill_bot();
    world.start_bot().await;
    let again = post(&world, "alertmanager/berlin", &body(std::slice::from_ref(&firing))).await;
    assert_eq!(again, (202, json!({"new": false})));
    assert_eq!(rule(&world, "heals.disk").await.count, 1);
    // The same alert of another Alertmanager is another problem.
    assert_eq!(post(&world, "alertmanager/second", &body(std::slice::from_ref(&firing))).await.0, 202);
    assert_eq!(rule(&world, "heals.disk").await.count, 2);
    let over = alert("aa", "critical", "resolved", 9, "99%");
    assert_eq!(post(&world, "alertmanager/berlin", &body(&[over])).await.0, 202);
    world.reply(&told.id, shows(":white_check_mark: Over after")).await;
    for (hook, sent, status, said) in [
        (
            "alertmanager",
            json!({"version": "3"}),
            400,
            "this is no notification of Alertmanager: `version` has to be \"4\"",
        ),
        ("alertmanager/a/b", body(&[]), 404, "no rule listens to the webhook `alertmanager/a/b`"),
        ("alertmanagers", body(&[]), 404, "no rule listens to the webhook `alertmanagers`"),
    ] {
        let (code, told) = post(&world, hook, &sent).await;
        assert_eq!((code, &told["faultstring"]), (status, &json!(said)), "{hook}");
    }
    let long = "x".repeat(3 << 20);
    let long = alert("dd", "critical", "firing", 0, &long);
    assert_eq!(post(&world, "alertmanager", &body(&[long])).await.0, 202, "a whole group is read");
}

#[tokio::test(flavor = "multi_thread")]
async fn nagios_comes_as_its_plugin_sends_it_and_so_do_the_rules_of_its_old_pack() {
    let world = world().await;
    let event = macros("service-problem", &[]).unwrap().event(None);
    let sent = json!({"trigger": event.source.trigger(), "payload": event.payload});
    assert_eq!(post(&world, "st2", &sent).await.0, 202);
    let told =
        world.chat.wait_for(CHANNEL, shows("**CRITICAL** `wn001` · Filesystem /scratch"), PATIENCE).await.unwrap();
    assert_eq!(rule(&world, "heals.theirs").await.count, 1);
    let word = [("NOTIFICATIONTYPE", "ACKNOWLEDGEMENT"), ("NOTIFICATIONAUTHOR", "operator"), ("TIMET", "1795967999")];
    let event = macros("service-problem", &word).unwrap().event(None);
    let sent = json!({"trigger": event.source.trigger(), "payload": event.payload});
    assert_eq!(post(&world, "st2", &sent).await.0, 202);
    world.reply(&told.id, shows(":raising_hand: Taken on by operator")).await;
    assert_eq!(rule(&world, "heals.theirs").await.count, 1, "an acknowledgement is no change of state");
}

/// The stories of this file as a table of what each source makes of the same.
#[test]
fn every_source_has_one_shape() {
    let mut table = String::new();
    for source in Source::ALL {
        let _ = writeln!(table, "{} {}", source.name(), source.trigger());
        assert_eq!(Source::of(source.trigger()), Some(source));
        let payload = json!({
            "notification_type": "PROBLEM", "host": {"name": "wn001"}, "service": {"desc": "Load", "state": "WARNING", "output": "5"},
        });
        let told = Notification::read(source.trigger(), &payload).unwrap();
        assert_eq!(
            (told.problem.source.as_str(), told.state, told.output.as_str()),
            (source.name(), Some(State::Warning), "5")
        );
    }
    assert_eq!(
        table,
        "check_mk check_mk.event_handler\nnagios nagios.notification\nicinga2 icinga2.notification\nalertmanager alertmanager.notification\n"
    );
    assert_eq!(Notification::read("core.st2.webhook", &json!({"host": {"name": "wn001"}})), None);
}

#[test]
fn sections_of_the_configuration() {
    let check = |text: &str, wrong: &[&str]| {
        let text = format!("[content]\npacks = []\n[[monitoring]]\nname = \"mon\"\n{text}");
        let told = match Config::parse(Path::new("/etc/halcyon/config.toml"), &text, &Environment::new()) {
            Ok(config) => {
                assert_eq!(config.monitorings.len(), 1);
                Vec::new()
            }
            Err(problems) => {
                problems.iter().map(ToString::to_string).filter(|told| !told.contains("warning:")).collect()
            }
        };
        assert_eq!(told.len(), wrong.len(), "{text}: {told:#?}");
        for (told, wrong) in told.iter().zip(wrong) {
            assert!(told.contains(wrong), "{wrong}: {told}");
        }
    };
    let files = "command_file = \"/var/nagios.cmd\"\nstatus_file = \"/var/status.dat\"\n";
    check(&format!("kind = \"nagios\"\n{files}by = [\"ssh\", \"nagios@mon01\"]"), &[]);
    check("kind = \"icinga2\"\naddress = \"https://mon:5665\"\nuser = \"halcyon\"\nfilter = \"true\"", &[]);
    check("kind = \"alertmanager\"\naddress = \"http://mon:9093\"\nhost_label = \"node\"", &[]);
    check("kind = \"nagios\"\nstatus_file = \"/var/status.dat\"", &["command_file"]);
    check(
        "kind = \"nagios\"\ncommand_file = \"/a;b\"\nstatus_file = \"var\"",
        &["no path of a file", "no path of a file"],
    );
    check(&format!("kind = \"nagios\"\n{files}by = [\" \"]"), &["names no program"]);
    check(&format!("kind = \"nagios\"\n{files}user = \"x\""), &["means nothing for a monitoring of the kind `nagios`"]);
    check("kind = \"icinga2\"\naddress = \"https://mon:5665\"", &["user"]);
    check(
        "kind = \"alertmanager\"\naddress = \"http://mon:9093\"\nlivestatus = \"tcp:mon:6557\"",
        &["means nothing for a monitoring of the kind `alertmanager`"],
    );
    check("kind = \"zabbix\"\naddress = \"http://mon\"\nuser = \"x\"", &["zabbix"]);
}
