//! A real Alertmanager: alerts are handed to it as Prometheus does, and it tells the bot by its webhook.

use super::{Bot, Daemon, asked_for};
use crate::callbacks::free_port;
use serde_json::{Value, json};
use std::process::Command;

/// An Alertmanager in a folder of its own.
struct Alertmanager {
    _daemon: Option<Daemon>,
    address: String,
    folder: tempfile::TempDir,
}

impl Alertmanager {
    /// Finds a place for one.
    fn prepare() -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        Self { _daemon: None, address, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts it; its only receiver is the bot.
    async fn start(&mut self, bot: &Bot) {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("key"), &bot.key).unwrap();
        let configuration = format!(
            "route:\n  receiver: halcyon\n  group_by: [alertname]\n  group_wait: 100ms\n  group_interval: 1s\n  repeat_interval: 1h\n\
             receivers:\n  - name: halcyon\n    webhook_configs:\n      - url: http://{}/api/v1/webhooks/alertmanager\n        send_resolved: true\n        \
             http_config: {{authorization: {{credentials_file: {:?}}}}}\n",
            bot.listen,
            path("key"),
        );
        std::fs::write(path("alertmanager.yml"), configuration).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", path("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", path("data").display()))
            .arg(format!("--web.listen-address={}", self.address))
            .arg("--cluster.listen-address=");
        self._daemon = Some(Daemon::start(&mut command, &path("log")));
        let end = tokio::time::Instant::now() + super::PATIENCE;
        while self.get("/-/ready").await.is_none() {
            assert!(tokio::time::Instant::now() < end, "it does not start: {}", self.log());
            tokio::task::yield_now().await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Option<String> {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::new();
        let answer = client.post(format!("http://{}{path}", self.address)).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.json().await.unwrap_or(Value::Null)
    }

    /// As Prometheus hands alerts over; those that are `over` have just ended.
    async fn alerts(&self, alerts: &[(&str, &str, &str)], said: &str, over: bool) {
        let alert = |(name, instance, severity): &(&str, &str, &str)| {
            let mut alert = json!({
                "labels": {"alertname": name, "instance": format!("{instance}:9100"), "job": "node", "severity": severity},
                "annotations": {"summary": format!("{name} is {severity}, {said}")},
                "generatorURL": "http://prometheus/graph",
            });
            if over {
                alert["endsAt"] = json!(halcyon::app::now().to_string());
            }
            alert
        };
        self.post("/api/v2/alerts", &alerts.iter().map(alert).collect()).await;
    }

    /// Somebody silences what an instance has.
    async fn silence(&self, instance: &str) -> String {
        let now = halcyon::app::now();
        let until = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
        let silence = json!({
            "matchers": [{"name": "instance", "value": format!("{instance}:9100"), "isRegex": false, "isEqual": true}],
            "startsAt": now.to_string(), "endsAt": until.to_string(), "createdBy": "operator", "comment": "the vendor is there",
        });
        self.post("/api/v2/silences", &silence).await["silenceID"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_alertmanager_tells_of_each_alert_by_itself() {
    if !asked_for() {
        return;
    }
    let mut bot = Bot::start("alertmanager", "").await;
    let mut alertmanager = Alertmanager::prepare();
    alertmanager.start(&bot).await;
    alertmanager.alerts(&[("DiskFull", "wn001", "critical"), ("DiskFull", "wn002", "warning")], "look", false).await;
    let first = bot.alert("`wn001` · DiskFull", &[":red_circle: **CRITICAL**", "DiskFull is critical, look"]).await;
    let second = bot.alert("`wn002` · DiskFull", &["**WARNING**"]).await;
    // The first is silenced and vanishes from what is told; with the second the group is over, and the first is not.
    let silence = alertmanager.silence("wn001").await;
    alertmanager.alerts(&[("DiskFull", "wn002", "warning")], "look", true).await;
    bot.line(&second, ":white_check_mark: Over after").await;
    bot.alert("`wn001` · DiskFull", &["**CRITICAL**"]).await;
    let client = reqwest::Client::new();
    let gone = client.delete(format!("http://{}/api/v2/silence/{silence}", alertmanager.address)).send().await.unwrap();
    assert!(gone.status().is_success());
    // Only now does Alertmanager know again that somebody was told of it; the end of what it believes nobody knows it tells nobody.
    alertmanager.alerts(&[("DiskFull", "wn001", "critical")], "look again", false).await;
    bot.alert("`wn001` · DiskFull", &["look again"]).await;
    // What ends while the bot is away is told when it is back: Alertmanager sends it again until it is taken.
    bot.kill();
    alertmanager.alerts(&[("NodeDown", "wn003", "critical")], "look", false).await;
    alertmanager.alerts(&[("DiskFull", "wn001", "critical")], "look", true).await;
    bot.serve().await;
    bot.line(&first, ":white_check_mark: Over after").await;
    bot.alert("`wn003` · NodeDown", &["**CRITICAL**"]).await;
    for (of, count) in [("`wn001` · DiskFull", 1), ("`wn002` · DiskFull", 1), ("`wn003` · NodeDown", 1)] {
        assert_eq!(bot.posts_of(of), count, "{of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_alertmanager_silences_what_chat_asks() {
    if !asked_for() {
        return;
    }
    let mut alertmanager = Alertmanager::prepare();
    let section = format!(
        "[[monitoring]]\nname = \"alertmanager\"\nkind = \"alertmanager\"\naddress = \"http://{}\"\nconfirm = 30\n",
        alertmanager.address
    );
    let bot = Bot::start("alertmanager", &section).await;
    alertmanager.start(&bot).await;
    alertmanager.alerts(&[("DiskFull", "wn001", "critical"), ("DiskFull", "wn002", "critical")], "look", false).await;
    let post = bot.alert("`wn001` · DiskFull", &["**CRITICAL**"]).await;
    bot.asked("!ack wn001 \"DiskFull\" the vendor comes", "taken on").await;
    bot.line(&post, ":raising_hand: Taken on by lead").await;
    bot.asked("!downtime wn001 \"DiskFull\" 1h a new disk", "in downtime").await;
    bot.line(&post, ":wrench: In downtime, by lead: _a new disk_").await;
    let silences = alertmanager.get("/api/v2/silences").await.unwrap();
    assert!(
        silences.contains("a new disk (lead via Halcyon, #") && silences.contains("ACK! the vendor comes"),
        "{silences}"
    );
    bot.asked("!downtime wn001 \"DiskFull\" off", "no downtime any more").await;
    bot.line(&post, "The downtime is over.").await;
    // A machine of which nothing fires can be silenced too, with whatever port.
    bot.asked("!downtime wn003 1h a new board", "in downtime").await;
    bot.asked("!recheck wn001 \"DiskFull\"", "checks nothing itself").await;
    bot.asked("!ack wn001 \"Fan\" what is that", "no such alert fires").await;
    alertmanager.alerts(&[("DiskFull", "wn001", "critical")], "look", true).await;
    // Its end is told by nobody, since it was silenced: it is found by asking.
    bot.asked("!state of wn001 \"DiskFull\"", "OK").await;
    bot.alert("`wn001` · DiskFull", &[":white_check_mark: **OK again**"]).await;
}
