//! What CheckMK tells: from its variables to an alert, and how the plugin delivers it through a receiver that misbehaves.

use crate::callbacks::{free_on, free_port};
use crate::data;
use crate::world::World;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use halcyon::config::Http;
use halcyon::core::alert::checkmk::{Context, TRIGGER};
use halcyon::core::alert::notification::{Kind, Notification, State as Health};
use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use halcyon::core::webhook::api_key::{ApiKeyAsk, Digest};
use halcyon::sandbox::nodes::Plugin;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const KEY: &str = "a-key-that-is-not-told-to-anybody";

fn zone() -> TimeZone {
    halcyon::core::message::zone::zone("Europe/Berlin")
}

fn environment(name: &str) -> BTreeMap<String, String> {
    serde_json::from_str(&std::fs::read_to_string(data(&format!("checkmk/{name}.json"))).unwrap()).unwrap()
}

/// What the handler of StackStorm's pack makes of the same variables, recorded.
fn stackstorm(name: &str) -> Value {
    let text = std::fs::read_to_string(data(&format!("checkmk/{name}.stackstorm.json"))).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["payload"].clone()
}

fn context(name: &str) -> Context {
    Context::from_environment(environment(name)).unwrap()
}

#[test]
fn the_payload_is_that_of_stackstorms_handler_and_more() {
    for name in ["service-critical", "host-down"] {
        let mut payload = context(name).event(&zone()).payload;
        let event = payload.as_object_mut().unwrap().remove("event").unwrap();
        assert_eq!(payload, stackstorm(name), "{name}");
        assert_eq!(event["site"], "hep", "{name}");
        assert_eq!(event["host_groups"], json!(["workers"]), "{name}");
        assert_eq!(event["labels"]["cmk/os_family"], "linux", "{name}");
    }
}

#[test]
fn every_way_in_gives_the_same_alert() {
    let bulk = std::fs::read_to_string(data("checkmk/bulk.txt")).unwrap();
    let (contexts, unusable) = Context::from_bulk(&bulk, None);
    assert_eq!((contexts.len(), unusable), (2, 0));
    // The one that happened first stands last in the file.
    for (name, from_bulk) in ["service-critical", "host-down"].into_iter().zip(contexts) {
        let event = context(name).event(&zone());
        assert_eq!(from_bulk.event(&zone()), event, "{name}");
        let ours = Notification::read(TRIGGER, &event.payload).unwrap();
        let theirs = Notification::read(TRIGGER, &stackstorm(name)).unwrap();
        assert!(ours.problem.may_be(&theirs.problem), "{name}");
        // What that handler leaves out.
        let known = Notification {
            problem: ours.problem.clone(),
            sent: ours.sent,
            since: ours.since,
            host_groups: ours.host_groups.clone(),
            url: ours.url.clone(),
            ..theirs
        };
        assert_eq!(known, ours, "{name}");
    }
    let service = Notification::read(TRIGGER, &context("service-critical").event(&zone()).payload).unwrap();
    assert_eq!((service.kind, service.state), (Kind::Problem, Some(Health::Critical)));
    assert_eq!(service.problem.service.as_deref(), Some("Filesystem /scratch"));
    assert!(service.details.contains('\n'), "lines of the long output are lines again");
    let host = Notification::read(TRIGGER, &context("host-down").event(&zone()).payload).unwrap();
    assert_eq!((host.kind, host.state, host.problem.service), (Kind::Problem, Some(Health::Down), None));
}

#[test]
fn odd_variables() {
    let check = |changes: &[(&str, Option<&str>)], expected: &[(&str, Value)]| {
        let mut variables = environment("service-critical");
        for (name, value) in changes {
            match value {
                Some(value) => variables.insert(format!("NOTIFY_{name}"), (*value).to_owned()),
                None => variables.remove(&format!("NOTIFY_{name}")),
            };
        }
        let payload = Context::from_environment(variables).unwrap().event(&zone()).payload;
        for (pointer, value) in expected {
            assert_eq!(payload.pointer(pointer).unwrap(), value, "{changes:?} {pointer}");
        }
    };
    check(&[("SHORTDATETIME", Some("2012-11-08 14:07:1"))], &[("/timestamp", json!(1_352_380_021))]);
    check(&[("SHORTDATETIME", None)], &[("/timestamp", json!(1_795_350_695))]);
    check(&[("SHORTDATETIME", Some("soon")), ("MICROTIME", None)], &[("/timestamp", Value::Null)]);
    check(&[("PARAMETERS", None)], &[("/parameters", json!([]))]);
    check(&[("LONGHOSTOUTPUT", Some("$LONGHOSTOUTPUT$"))], &[("/host/long_output", Value::Null)]);
    check(&[("HOSTOUTPUT", Some("$5 a month$"))], &[("/host/output", json!("$5 a month$"))]);
    let author = [
        ("NOTIFICATIONTYPE", Some("ACKNOWLEDGEMENT (a thing)")),
        ("NOTIFICATIONAUTHOR", Some("operator")),
        ("NOTIFICATIONCOMMENT", Some("on it")),
    ];
    check(&author, &[("/event/author", json!("operator")), ("/event/comment", json!("on it"))]);
    assert!(Context::from_environment([("NOTIFY_WHAT".to_owned(), "HOST".to_owned())]).is_none());
    let (contexts, unusable) = Context::from_bulk(
        "PARAMETER_1=x\n\nHOSTNAME=a\nMICROTIME=2\n\nWHAT=HOST\n\n\nHOSTNAME=b\nMICROTIME=1\n",
        Some("hep"),
    );
    let hosts: Vec<_> = contexts.iter().map(|context| context.event(&zone()).payload["host"]["name"].clone()).collect();
    assert_eq!((hosts, unusable), (vec![json!("b"), json!("a")], 1));
    for (word, kind) in [
        ("PROBLEM", Kind::Problem),
        ("RECOVERY", Kind::Recovery),
        ("ACKNOWLEDGEMENT", Kind::Acknowledgement),
        ("FLAPPINGSTART", Kind::FlappingStart),
        ("FLAPPINGSTOP", Kind::FlappingStop),
        ("FLAPPINGDISABLED", Kind::FlappingDisabled),
        ("DOWNTIMESTART", Kind::DowntimeStart),
        ("DOWNTIMEEND", Kind::DowntimeEnd),
        ("DOWNTIMECANCELLED", Kind::DowntimeCancelled),
        ("CUSTOM", Kind::Custom),
        ("ALERTHANDLER (OK)", Kind::AlertHandler),
        ("PROBLEMATIC", Kind::Other),
        ("", Kind::Other),
    ] {
        assert_eq!(Kind::read(word), kind, "{word}");
    }
    for (word, state) in [("CRIT", Some(Health::Critical)), ("UNREACH", Some(Health::Unreachable)), ("fine", None)] {
        assert_eq!(Health::read(word), state, "{word}");
    }
}

/// A receiver that answers as it is told, and 202 when it is told nothing.
#[derive(Clone)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    heard: mpsc::UnboundedSender<(StatusCode, HeaderMap, Value)>,
}

struct Listening {
    heard: mpsc::UnboundedReceiver<(StatusCode, HeaderMap, Value)>,
    stop: CancellationToken,
    port: u16,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Listening {
    async fn begin(address: SocketAddr, answers: &[StatusCode]) -> Self {
        let (send, heard) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router =
            Router::new().route("/api/v1/webhooks/st2", post(hear)).with_state(Receiver { answers, heard: send });
        tokio::spawn(
            axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future(),
        );
        Self { heard, stop, port }
    }

    /// The hosts of so many that were taken, in order; each with the key.
    async fn taken(&mut self, count: usize) -> Vec<String> {
        let mut hosts = Vec::new();
        while hosts.len() < count {
            let (status, headers, body) = self.heard.recv().await.unwrap();
            assert_eq!(body["trigger"], TRIGGER);
            assert_eq!(headers["idempotency-key"], body["payload"]["event"]["id"].as_str().unwrap());
            if status.is_success() {
                assert_eq!(headers["st2-api-key"], KEY);
                hosts.push(body["payload"]["host"]["name"].as_str().unwrap().to_owned());
            }
        }
        hosts
    }
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let told = receiver.answers.lock().unwrap().pop_front();
    let right = headers.get("st2-api-key").is_some_and(|key| key == KEY);
    let status = told.unwrap_or(if right { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED });
    let _ = receiver.heard.send((status, headers, body));
    status
}

/// A site of CheckMK with the plugin.
pub(crate) struct Site {
    pub(crate) root: TempDir,
    address: SocketAddr,
    /// The program that is called.
    program: PathBuf,
}

impl Site {
    /// The address is free, nobody listens there, and no other test is given it.
    fn new() -> Self {
        static GIVEN: AtomicU8 = AtomicU8::new(1);
        let host = [127, 0, 88, GIVEN.fetch_add(1, Ordering::Relaxed)];
        Self::of(free_on(host.into()), KEY)
    }

    /// A site whose notifications go to this address.
    pub(crate) fn of(address: SocketAddr, key: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let site = Self { root, address, program: env!("CARGO_BIN_EXE_halcyon").into() };
        site.sends_to(&address.to_string());
        std::fs::write(site.key_file(), key).unwrap();
        site
    }

    /// Has the monitoring of a world tell the bot what it finds, and starts that. The key is one for CheckMK's webhook and nothing else.
    pub(crate) async fn watch(world: &mut World, buttons: bool) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        world.config.http = Some(Http { listen: listen.parse().unwrap(), allow: Vec::new() });
        world.config.mattermost.as_mut().unwrap().callback_url = buttons.then(|| format!("http://{listen}"));
        world.start_bot().await;
        let webhooks = vec!["st2".to_owned()];
        let ask = ApiKeyAsk::Create { name: "monitoring".to_owned(), digest: Digest::of(KEY), webhooks };
        assert!(matches!(world.ask(Ask::ApiKeys(ask)).await, Answer::ApiKeys { .. }));
        let site = Self::of(listen.parse().unwrap(), KEY);
        world.nodes.notify_by(Plugin {
            program: env!("CARGO_BIN_EXE_halcyon").into(),
            arguments: vec!["notify".to_owned(), "checkmk".to_owned()],
            root: site.root.path().to_owned(),
        });
        site
    }

    fn sends_to(&self, address: &str) {
        let settings = format!("url = \"http://{address}/\"\napi_key_file = {:?}\nlongest_wait = 1\n", self.key_file());
        std::fs::write(self.root.path().join("etc/halcyon-notify.toml"), settings).unwrap();
    }

    fn key_file(&self) -> PathBuf {
        self.root.path().join("etc/key")
    }

    fn spool(&self) -> PathBuf {
        self.root.path().join("var/halcyon-notify")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["notify", "checkmk"])
            .args(arguments)
            .env_clear()
            .env("OMD_ROOT", self.root.path())
            .env("OMD_SITE", "hep");
        command
    }

    fn notify(&self, host: &str) -> Output {
        self.tell("host-down", &[("HOSTNAME", host)])
    }

    /// Has CheckMK tell what stands in a file, with some of it changed.
    pub(crate) fn tell(&self, name: &str, changes: &[(&str, &str)]) -> Output {
        let mut variables = environment(name);
        for (name, value) in changes {
            variables.insert(format!("NOTIFY_{name}"), (*value).to_owned());
        }
        variables.remove("OMD_ROOT");
        self.command(&[]).envs(variables).output().unwrap()
    }

    /// Comes back when nobody is sending.
    async fn calm(&self) {
        let file = File::open(self.spool().join("drainer")).unwrap();
        let locked =
            tokio::task::spawn_blocking(move || rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive));
        locked.await.unwrap().unwrap();
    }

    /// Comes back when nothing waits any more.
    pub(crate) async fn delivered(&self) {
        let end = tokio::time::Instant::now() + crate::world::PATIENCE;
        while self.status()["waiting"] != 0 {
            assert!(tokio::time::Instant::now() < end, "{}", self.log());
            tokio::task::yield_now().await;
        }
    }

    fn status(&self) -> Value {
        let output = self.command(&["--status", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Comes back when somebody has begun to send.
    fn being_sent(&self) {
        while self.status()["sending"] != true {}
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.spool().join("log")).unwrap_or_default()
    }
}

fn hosts(count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("wn{number:03}")).collect()
}

/// So many that all of it takes a few seconds; by hand, `HALCYON_NOTIFICATIONS=500 HALCYON_AWAY=600`.
fn many() -> u32 {
    std::env::var("HALCYON_NOTIFICATIONS").map_or(40, |count| count.parse().unwrap())
}

/// How long the bot is away at least: no longer than the telling takes; by hand, as many seconds.
fn away() -> Duration {
    std::env::var("HALCYON_AWAY").map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_while_the_bot_is_away_arrives_in_order_once_it_is_back() {
    let site = Site::new();
    let names = hosts(many());
    let began = Instant::now();
    for (host, number) in names.iter().zip(1_u32..) {
        std::thread::sleep((away() * number / many()).saturating_sub(began.elapsed()));
        let output = site.notify(host);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1 kept for Halcyon\n");
    }
    site.being_sent();
    assert_eq!(site.status()["waiting"], names.len());
    let mut receiver = Listening::begin(site.address, &[]).await;
    assert_eq!(receiver.taken(names.len()).await, names);
    site.calm().await;
    assert_eq!(site.status(), json!({"waiting": 0, "refused": 0, "sending": false}));
    // Nothing came twice.
    assert!(receiver.heard.try_recv().is_err());
    assert!(!site.log().contains(KEY), "{}", site.log());
    assert!(site.log().contains("tried again until it is: cannot reach the bot"), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_the_plugin_is_one_file() {
    let Some(program) = std::env::var_os("HALCYON_STATIC") else {
        let _ = writeln!(std::io::stderr(), "notify: not run; HALCYON_STATIC names what scripts/static.sh has built");
        return;
    };
    let libraries = Command::new("ldd").arg(&program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&libraries.stdout).trim(), "statically linked");
    let site = Site { program: program.into(), ..Site::new() };
    // By a name, which it finds by itself.
    let mut receiver = Listening::begin("127.0.0.1:0".parse().unwrap(), &[]).await;
    site.sends_to(&format!("localhost:{}", receiver.port));
    assert_eq!(String::from_utf8_lossy(&site.notify("wn042").stdout), "1 kept for Halcyon\n");
    assert_eq!(receiver.taken(1).await, ["wn042"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drainer_that_is_killed_leaves_the_rest_to_the_next() {
    let site = Site::new();
    let names = hosts(12);
    for host in &names {
        site.notify(host);
    }
    site.being_sent();
    // Another one finds its lock taken and goes.
    let other = site.command(&["--drain"]).output().unwrap();
    assert!(other.status.success() && other.stderr.is_empty(), "{other:?}");
    let drainer = drainer_of(&site.spool());
    rustix::process::kill_process(drainer, rustix::process::Signal::KILL).unwrap();
    site.calm().await;
    let mut receiver = Listening::begin(site.address, &[]).await;
    assert_eq!(site.status()["waiting"], 12);
    let next = site.command(&["--drain"]).output().unwrap();
    assert!(next.status.success(), "{next:?}");
    assert_eq!(receiver.taken(names.len()).await, names);
    assert_eq!(site.status()["waiting"], 0);
}

/// The process that holds the lock of a spool: the one with the file open.
fn drainer_of(spool: &Path) -> rustix::process::Pid {
    let lock = spool.join("drainer");
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(number) = process.file_name().to_string_lossy().parse() else { continue };
        let Ok(open) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if open.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|path| path == lock)) {
            return rustix::process::Pid::from_raw(number).unwrap();
        }
    }
    panic!("nobody sends what lies in {}", spool.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_misbehaves() {
    let site = Site::new();
    let answers = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::ACCEPTED,
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
    ];
    // The first of these is asked for three times, the second is refused for good, the third comes in the second attempt.
    let mut receiver = Listening::begin(site.address, &answers).await;
    let bulk = "\nHOSTNAME=wn001\nMICROTIME=1\n\nHOSTNAME=wn002\nMICROTIME=2\n\nHOSTNAME=wn003\nMICROTIME=3\n";
    let mut child = site.command(&["--bulk"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), bulk.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 kept for Halcyon\n");
    assert_eq!(receiver.taken(2).await, ["wn001", "wn003"]);
    site.calm().await;
    assert_eq!(site.status(), json!({"waiting": 0, "refused": 1, "sending": false}));
    assert!(
        site.log().contains("was refused for good and set aside: the bot answers 400 Bad Request"),
        "{}",
        site.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_settings_loses_nothing() {
    let site = Site::new();
    let mut receiver = Listening::begin(site.address, &[]).await;
    // A wrong key is mended while the drainer tries.
    std::fs::write(site.key_file(), "another-key").unwrap();
    assert!(site.notify("wn001").status.success());
    let (status, ..) = receiver.heard.recv().await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    std::fs::write(site.key_file(), KEY).unwrap();
    assert_eq!(receiver.taken(1).await, ["wn001"]);
    site.calm().await;
    // Without a key it is kept, and said as an error which is not to be tried again.
    let settings = site.root.path().join("etc/halcyon-notify.toml");
    let sound = std::fs::read_to_string(&settings).unwrap();
    for (text, said) in [
        ("url = 5\n".to_owned(), "expected a string"),
        ("url = \"ftp://x\"\n".to_owned(), "`url` has to begin with https:// or http://"),
        (sound.replace("api_key_file", "key"), "unknown field `key`"),
        (
            sound.lines().next().unwrap().to_owned(),
            "there is no key; name a file with the key by `api_key_file`, or set HALCYON_API_KEY",
        ),
    ] {
        std::fs::write(&settings, text).unwrap();
        let output = site.notify("wn002");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("kept in") && told.contains(said), "{told}");
    }
    std::fs::write(&settings, sound).unwrap();
    assert!(site.notify("wn003").status.success());
    assert_eq!(receiver.taken(5).await, ["wn002", "wn002", "wn002", "wn002", "wn003"]);
    // Outside of a site nothing is written anywhere.
    let output = site.command(&["--status"]).env("OMD_ROOT", "").current_dir(site.root.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no OMD_ROOT in the environment"));
    // Asked by a person at a terminal, it says for whom it is.
    let output = site.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("this is for CheckMK to call"));
}
