//! A real Icinga 2 that watches thirty machines; the bot hears its event stream, and asks over its API.

use super::{Bot, Daemon, Port, asked_for};
use crate::callbacks::free_port;
use crate::data;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

const HOSTS: u8 = 30;
const PASSWORD: &str = "icinga-and-nobody-else";

/// An Icinga in a folder of its own.
struct Icinga {
    daemon: Option<Daemon>,
    folder: tempfile::TempDir,
    port: u16,
    hosts: Vec<Port>,
    services: Vec<Port>,
    client: reqwest::Client,
}

impl Icinga {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("halicinga").tempdir().unwrap();
        let port = |number: u8| Port::open([127, 0, 90, number].into());
        let authority = reqwest::Certificate::from_pem(&std::fs::read(data("tls/ca.pem")).unwrap()).unwrap();
        let mut icinga = Self {
            daemon: None,
            folder,
            port: free_port(),
            hosts: (1..=HOSTS).map(port).collect(),
            services: (1..=HOSTS).map(port).collect(),
            client: reqwest::Client::builder().add_root_certificate(authority).no_proxy().build().unwrap(),
        };
        for name in ["data/certs", "data/api", "log", "cache", "spool", "run", "etc"] {
            std::fs::create_dir_all(icinga.path(name)).unwrap();
        }
        // Icinga looks for its certificate under the name of its node.
        for (from, to) in [("ca.pem", "ca.crt"), ("server.pem", "127.0.0.1.crt"), ("server.key", "127.0.0.1.key")] {
            std::fs::copy(data("tls").join(from), icinga.path("data/certs").join(to)).unwrap();
        }
        std::fs::write(icinga.path("password"), PASSWORD).unwrap();
        std::fs::write(icinga.path("etc/icinga2.conf"), icinga.configuration()).unwrap();
        icinga.run().await;
        icinga
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        let link = self.path("link").display().to_string();
        std::fs::write(&link, "0").unwrap();
        let mut text = format!(
            r#"const NodeName = "127.0.0.1"
const ZoneName = NodeName
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object ApiListener "api" {{ bind_host = "127.0.0.1", bind_port = {port} }}
object ApiUser "halcyon" {{ password = "{PASSWORD}", permissions = [ "actions/*", "objects/query/*", "events/*" ] }}
object ApiUser "operator" {{ password = "{PASSWORD}", permissions = [ "*" ] }}
object CheckerComponent "checker" {{ }}
object CheckCommand "port" {{
  command = [ "/usr/lib/nagios/plugins/check_tcp", "-H", "$address$", "-p", "$port$", "-t", "5" ]
}}
object CheckCommand "link" {{ command = [ "/bin/true" ] }}
template Host "machine" {{
  check_command = "port"
  max_check_attempts = 2
  check_interval = 3s
  retry_interval = 1s
  groups = [ "workers" ]
}}
template Service "port" {{
  check_command = "port"
  max_check_attempts = 2
  check_interval = 3s
  retry_interval = 1s
}}
object HostGroup "workers" {{ }}
"#,
            port = self.port
        );
        for (number, (host, service)) in self.hosts.iter().zip(&self.services).enumerate() {
            let name = format!("wn{:03}", number + 1);
            writeln!(
                text,
                "object Host \"{name}\" {{\n  import \"machine\"\n  address = \"{}\"\n  vars.port = {}\n}}\n\
                 object Service \"Port\" {{\n  import \"port\"\n  host_name = \"{name}\"\n  vars.port = {}\n}}",
                host.address.ip(),
                host.address.port(),
                service.address.port(),
            )
            .unwrap();
        }
        text.push_str(
            "object Service \"Link\" {\n  host_name = \"wn030\"\n  check_command = \"link\"\n  enable_active_checks = false\n  \
             enable_flapping = true\n  max_check_attempts = 1\n}\n",
        );
        text
    }

    /// The daemon begins, with what it has kept.
    async fn run(&mut self) {
        let mut command = Command::new("icinga2");
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command.arg("daemon").arg("-c").arg(self.path("etc/icinga2.conf"));
        let id = |what: &str| {
            String::from_utf8(Command::new("id").arg(what).output().unwrap().stdout).unwrap().trim().to_owned()
        };
        let own = [("RunAsUser", id("-un")), ("RunAsGroup", id("-gn"))];
        let place = |name: &str| self.path(name).display().to_string();
        let places = [
            ("ConfigDir", place("etc")),
            ("DataDir", place("data")),
            ("LogDir", place("log")),
            ("CacheDir", place("cache")),
            ("SpoolDir", place("spool")),
            ("InitRunDir", place("run")),
        ];
        for (name, value) in own.into_iter().chain(places) {
            command.arg(format!("-DConfiguration.{name}={value}"));
        }
        self.daemon = Some(Daemon::start(&mut command, &self.path("log/said")));
        let end = tokio::time::Instant::now() + super::PATIENCE;
        while self.ask("GET", "/v1/status/IcingaApplication", &Value::Null).await.is_none() {
            assert!(tokio::time::Instant::now() < end, "it does not start: {}", self.said());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("log/said")).unwrap_or_default()
    }

    fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    /// As somebody at the monitoring.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let asking = self
            .client
            .request(method.parse().unwrap(), format!("https://127.0.0.1:{}{path}", self.port))
            .basic_auth("operator", Some(PASSWORD))
            .header("Accept", "application/json");
        let asking = if body.is_null() { asking } else { asking.json(body) };
        let answer = asking.send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }

    async fn act(&self, action: &str, body: Value) -> Value {
        let told = self.ask("POST", &format!("/v1/actions/{action}"), &body).await;
        let told = told.unwrap_or_else(|| panic!("{action} {body}"));
        assert!(told["results"][0]["code"].as_f64().is_some_and(|code| code < 300.0), "{action}: {told}");
        told["results"][0].clone()
    }

    /// The part of the configuration of a bot that listens to it.
    fn section(&self) -> String {
        format!(
            "[[monitoring]]\nname = \"icinga\"\nkind = \"icinga2\"\naddress = \"https://127.0.0.1:{}\"\nuser = \"halcyon\"\n\
             secret_file = {:?}\nca_file = {:?}\nconfirm = 30\n",
            self.port,
            self.path("password"),
            data("tls/ca.pem"),
        )
    }
}

fn port_of(host: &str) -> Value {
    json!({"type": "Service", "service": format!("{host}!Port")})
}

fn with(mut about: Value, more: &Value) -> Value {
    about.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    about
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_icinga_is_heard_by_its_stream() {
    if !asked_for() {
        return;
    }
    let mut icinga = Icinga::start().await;
    let mut bot = Bot::start("st2", &icinga.section()).await;
    let now = || halcyon::app::now().as_second();
    // A service: problem, somebody takes it on there and lets it go, a downtime, the end.
    icinga.services[0].close();
    let post = bot.alert("`wn001` · Port", &[":red_circle: **CRITICAL**", "onnection refused"]).await;
    let word = json!({"author": "operator", "comment": "the vendor comes", "notify": true});
    icinga.act("acknowledge-problem", with(port_of("wn001"), &word)).await;
    bot.line(&post, ":raising_hand: Taken on by operator: _the vendor comes_").await;
    let word = json!({
        "author": "operator", "comment": "a new cable", "fixed": true, "start_time": now(), "end_time": now() + 3600,
    });
    let downtime = icinga.act("schedule-downtime", with(port_of("wn001"), &word)).await;
    bot.line(&post, ":wrench: In downtime, by operator: _a new cable_").await;
    icinga.act("remove-downtime", json!({"downtime": downtime["name"]})).await;
    bot.line(&post, "The downtime is over.").await;
    icinga.services[0].reopen();
    bot.line(&post, ":white_check_mark: Over after").await;
    // A machine goes while the bot is away: it is found when it is back. Its service is not told: nobody can say how that is.
    bot.kill();
    icinga.hosts[1].close();
    icinga.services[1].close();
    let hard = "/v1/objects/hosts/wn002?attrs=state&attrs=state_type";
    let end = tokio::time::Instant::now() + super::PATIENCE;
    loop {
        let told = icinga.ask("GET", hard, &Value::Null).await.unwrap_or_default();
        let attributes = &told["results"][0]["attrs"];
        if attributes["state"].as_f64() == Some(1.0) && attributes["state_type"].as_f64() == Some(1.0) {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "{told}");
    }
    bot.serve().await;
    let host = bot.alert("`wn002`", &[":red_circle: **DOWN**"]).await;
    icinga.services[1].reopen();
    icinga.hosts[1].reopen();
    bot.line(&host, ":white_check_mark: Over after").await;
    // Icinga is gone for a moment: the stream is heard again, and what began meanwhile is found.
    icinga.kill();
    icinga.services[2].close();
    icinga.run().await;
    let third = bot.alert("`wn003` · Port", &["**CRITICAL**"]).await;
    icinga.services[2].reopen();
    bot.line(&third, ":white_check_mark: Over after").await;
    // One that comes and goes.
    let link = json!({"type": "Service", "service": "wn030!Link"});
    let result = |code: u8| with(link.clone(), &json!({"exit_status": code, "plugin_output": format!("link {code}")}));
    for turn in 0..12 {
        icinga.act("process-check-result", result(if turn % 2 == 0 { 2 } else { 0 })).await;
    }
    let flapping = bot.alert("`wn030` · Link", &["comes and goes"]).await;
    for _ in 0..25 {
        icinga.act("process-check-result", result(0)).await;
    }
    bot.line(&flapping, "It has come to rest").await;
    for of in ["`wn001` · Port", "`wn002`", "`wn003` · Port"] {
        assert_eq!(bot.posts_of(of), 1, "{of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_icinga_does_what_chat_asks() {
    if !asked_for() {
        return;
    }
    let mut icinga = Icinga::start().await;
    let bot = Bot::start("st2", &icinga.section()).await;
    icinga.services[4].close();
    let post = bot.alert("`wn005` · Port", &[":red_circle: **CRITICAL**"]).await;
    bot.asked("!ack wn005 \"Port\" the vendor comes", "taken on").await;
    bot.line(&post, ":raising_hand: Taken on by lead: _the vendor comes_").await;
    bot.asked("!downtime wn005 \"Port\" 1h a new cable", "in downtime").await;
    bot.line(&post, ":wrench: In downtime, by lead: _a new cable_").await;
    bot.asked("!downtime wn005 \"Port\" off", "no downtime any more").await;
    bot.line(&post, "The downtime is over.").await;
    bot.asked("!unack wn005 \"Port\"", "nobody has it any more").await;
    bot.asked("!comment wn005 \"Port\": nobody can say why", "written").await;
    icinga.services[4].reopen();
    bot.asked("!recheck wn005 \"Port\"", "OK").await;
    bot.line(&post, ":white_check_mark: Over after").await;
    for said in ["Taken on by lead", "In downtime, by lead", "Over after"] {
        assert_eq!(bot.lines_of(&post, said), 1, "{said}");
    }
    bot.asked("!ack wn005 \"Fan\" what is that", "knows no such host or service").await;
    // Icinga does not let somebody take on what is well, and says so.
    bot.asked("!ack wn006 \"Port\" it is well", "OK").await;
}
