//! Problems that people act on from chat: what they ask of the monitoring, what it shows of that, and what stands in the post meanwhile. The monitoring is asked over its REST API
//! and tells what it finds by its plugin.

use crate::notify::Site;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::sandbox::mattermost::{Happening, Post, Server};
use halcyon::sandbox::nodes::{MonitoringFaults, MonitoringOptions};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Operators may act on the monitoring.
const ACCESS: &str = "[[access.roles]]\nname = \"watchers\"\nusers = [\"operator\"]\ngrants = [\"run:monitoring.*\"]\n";
const SERVICE: &str = "Unparent processes";

/// A world whose monitoring tells the bot what it finds, and can be asked.
struct Place {
    world: World,
    site: Site,
    faults: MonitoringFaults,
}

impl Place {
    async fn open() -> Self {
        Self::with(Duration::from_secs(20), Duration::from_secs(1)).await
    }

    /// How long the monitoring has to show something, and how often it is asked.
    async fn with(confirm: Duration, read: Duration) -> Self {
        Self::written(ACCESS, confirm, read).await
    }

    /// The same with this in its configuration.
    async fn written(more: &str, confirm: Duration, read: Duration) -> Self {
        let mut world =
            World::on_nodes(more, |options| options.monitoring = Some(MonitoringOptions::new("mon01"))).await;
        world.ask_monitoring("hep", confirm, read);
        let faults = world.nodes.monitoring_faults().unwrap();
        let site = Site::watch(&mut world, true).await;
        Self { world, site, faults }
    }

    /// Something goes wrong on a node: its post.
    async fn goes_wrong(&self, node: &str) -> Post {
        self.world.nodes.abandon(node, "atlsqmal").unwrap();
        self.post_of(node, ":red_circle: **CRITICAL**").await
    }

    async fn heal(&self, node: &str) {
        for pid in self.world.nodes.abandoned(node) {
            self.world.say("lead", &format!("!run kill {pid} on {node}")).await;
        }
    }

    async fn post_of(&self, node: &str, what: &str) -> Post {
        let of_node = format!("`{node}` · {SERVICE}");
        self.wait(|post| post.message.contains(what) && post.message.lines().next().unwrap().contains(&of_node)).await
    }

    async fn wait(&self, wanted: impl Fn(&Post) -> bool + Send + Sync) -> Post {
        let bot = self.world.bot.clone();
        let ours = |post: &Post| post.user_id == bot && post.root_id.is_empty() && wanted(post);
        self.world.chat.wait_for(CHANNEL, ours, PATIENCE).await.unwrap()
    }

    /// The lines in the thread of a post.
    fn thread(&self, root: &str) -> Vec<String> {
        let posts = self.world.chat.posts(CHANNEL).into_iter();
        posts.filter(|post| post.root_id == root).map(|post| post.message).collect()
    }

    fn told(&self, node: &str) -> Vec<&'static str> {
        let told = self.world.nodes.notified().into_iter().filter(|one| one.host == node);
        told.map(|one| one.kind).collect()
    }

    /// Commands of this kind that the monitoring has taken.
    fn taken(&self, kind: &str) -> Vec<Value> {
        let taken = self.faults.taken().into_iter().filter(|(path, _)| path.starts_with(kind));
        taken.map(|(_, body)| body).collect()
    }

    async fn quiet(&self) {
        self.site.delivered().await;
        self.world.settle().await;
    }

    /// Presses a button; gives the dialog that it opens, or what only the one who pressed is told.
    async fn press(&self, who: &str, post: &str, button: &str) -> Result<Value, String> {
        let mut happenings = self.world.chat.subscribe();
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "{button}");
            if self.world.chat.click(who, post, button).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            let comes =
                |happening: &Happening| matches!(happening, Happening::Whispered { .. } | Happening::Dialog { .. });
            match Server::wait_for_happening(&mut happenings, comes, PATIENCE).await.unwrap() {
                // The bot has not noted yet that its post stands, or it has just drawn other buttons.
                Happening::Whispered { post, .. } if post.message.contains("press again") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Happening::Whispered { post, .. } => return Err(post.message),
                Happening::Dialog { dialog, .. } => return Ok(dialog),
                _ => {}
            }
        }
    }

    async fn submit(&self, who: &str, dialog: &Value, values: Value) -> Value {
        let call = json!({
            "url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
            "channel_id": self.world.chat.channel_id(CHANNEL).unwrap(), "submission": values,
        });
        self.world.chat.submit_dialog(who, &call).await.unwrap()
    }
}

fn buttons(post: &Post) -> Vec<String> {
    let attachments = post.props.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default();
    let actions = attachments.iter().filter_map(|attachment| attachment["actions"].as_array());
    actions.flatten().map(|action| action["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// In words, from taking on to giving back; the echo of the monitoring's own notification is not told twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_problem_is_taken_on_and_given_back_in_words() {
    let place = Place::open().await;
    let alert = place.goes_wrong("wn002").await;
    let refused = place.world.say("guest", "!ack wn002").await;
    assert!(!refused.message.contains("taken on"), "{}", refused.message);
    let answer = place.world.say("operator", "!ack wn002 replacing the disk; *now*").await;
    assert!(answer.message.contains(&format!("wn002 · {SERVICE}: taken on")), "{}", answer.message);
    let taken = place.post_of("wn002", "taken on by operator: _replacing the disk; \\*now\\*_").await;
    assert_eq!(taken.id, alert.id);
    place.quiet().await;
    assert_eq!(place.told("wn002"), ["PROBLEM", "ACKNOWLEDGEMENT"]);
    let thread = place.thread(&alert.id);
    assert_eq!(thread.iter().filter(|line| line.contains("Taken on by operator")).count(), 1, "{thread:?}");
    assert!(thread.iter().all(|line| !line.contains("via Halcyon")), "{thread:?}");
    let body = &place.taken("acknowledge/collections")[0];
    let comment = body["comment"].as_str().unwrap();
    assert!(
        comment.starts_with("replacing the disk; *now* (operator via Halcyon, #") && comment.ends_with(')'),
        "{comment}"
    );
    // It stands, so it is not sent again.
    let again = place.world.say("operator", "!ack wn002").await;
    assert!(again.message.contains("taken on"), "{}", again.message);
    let answer = place.world.say("operator", "!unack wn002").await;
    assert!(answer.message.contains("nobody has it any more"), "{}", answer.message);
    place.world.reply(&alert.id, |post| post.message == "Nobody has taken it on any more.").await;
    // What somebody does in the monitoring itself edits the post as well.
    place.world.nodes.tell_monitoring(&format!(
        "ACKNOWLEDGE_SVC_PROBLEM;wn002;{SERVICE};2;1;0;cmkadmin;mine (lead via Halcyon, #ffffff)"
    ));
    place.post_of("wn002", "taken on by cmkadmin: _mine \\(lead via Halcyon, \\#ffffff\\)_").await;
}

/// Which of several problems is meant, and which time, is never guessed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_meant_is_asked_and_not_guessed() {
    let place = Place::open().await;
    place.goes_wrong("wn002").await;
    place.world.say("lead", "!run systemctl stop slurmd on wn002").await;
    place.wait(|post| post.message.contains("`wn002` · Process slurmd")).await;
    let answer = place.world.say("operator", "!ack wn002").await;
    assert!(answer.message.contains("several open problems"), "{}", answer.message);
    assert!(answer.message.contains("1. `ack wn002 \"Process slurmd\"`"), "{}", answer.message);
    assert!(place.taken("acknowledge").is_empty());
    let answer = place.world.say("operator", "1").await;
    assert!(answer.message.contains("wn002 · Process slurmd: taken on"), "{}", answer.message);
    let answer = place.world.say("operator", "!ack wn002 unparent processes: leave it to me").await;
    assert!(answer.message.contains(&format!("wn002 · {SERVICE}: taken on")), "{}", answer.message);
    assert!(place.taken("acknowledge")[1]["comment"].as_str().unwrap().starts_with("leave it to me ("));
    let answer = place.world.say("operator", "!downtime wn002 2h new disks").await;
    assert!(answer.message.contains("wn002: in downtime"), "{}", answer.message);
    let body = &place.taken("downtime/collections/host")[0];
    let moment = |key: &str| body[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lasts = moment("end_time").duration_since(moment("start_time")).as_secs();
    assert!((7_180..=7_200).contains(&lasts), "{lasts}");
    // A downtime of the host goes for what is on it.
    place.post_of("wn002", ":wrench: in downtime").await;
    let answer = place.world.say("operator", "!downtime wn002 off").await;
    assert!(answer.message.contains("no downtime any more"), "{}", answer.message);
    let answer = place.world.say("operator", "!recheck wn002 Memory").await;
    assert!(answer.message.contains("wn002 · Memory: OK · RAM:"), "{}", answer.message);
    let answer = place.world.say("operator", "!state of wn002 Memory").await;
    assert!(answer.message.contains("wn002 · Memory: OK"), "{}", answer.message);
    for several in ["wn[001-003]", "wn001,wn002", "@workers"] {
        let answer = place.world.say("operator", &format!("!downtime {several} 2h")).await;
        assert!(answer.message.contains("`host` takes one host by the name"), "{}", answer.message);
    }
    let answer = place.world.say("operator", "!downtime nobody 2h").await;
    assert!(answer.message.contains("not done") && answer.message.contains("knows no such host"), "{}", answer.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_below_a_problem_act_on_it() {
    let place = Place::open().await;
    let alert = place.goes_wrong("wn003").await;
    assert_eq!(buttons(&alert), ["Acknowledge", "Downtime", "Re-check"]);
    let refused = place.press("guest", &alert.id, "acknowledge").await.unwrap_err();
    assert_eq!(refused, "You may not ask the monitoring for this, so nothing was done.");
    let dialog = place.press("operator", &alert.id, "acknowledge").await.unwrap();
    let fields = dialog["dialog"]["elements"].as_array().unwrap();
    let names: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["comment", "sticky", "expires"]);
    let wrong = json!({"comment": "on it", "sticky": true, "expires": "soon"});
    let answer = place.submit("operator", &dialog, wrong).await;
    assert!(answer.to_string().contains("until 18:00"), "{answer}");
    let right = json!({"comment": "on it", "sticky": false, "expires": "8h"});
    assert_eq!(place.submit("operator", &dialog, right.clone()).await, json!({}));
    place.post_of("wn003", "taken on by operator: _on it_").await;
    let body = place.taken("acknowledge/collections")[0].clone();
    assert!(body["sticky"] == false && body["expire_on"].is_string(), "{body}");
    let twice = place.submit("operator", &dialog, right).await;
    assert!(twice.to_string().contains("nothing was done"), "{twice}");
    // A form that was open while the post was drawn anew still says what its reader means.
    let dialog = place.press("operator", &alert.id, "downtime").await.unwrap();
    place.world.nodes.tell_monitoring(&format!("ACKNOWLEDGE_SVC_PROBLEM;wn003;{SERVICE};2;1;0;cmkadmin;mine"));
    place.post_of("wn003", "taken on by cmkadmin: _mine_").await;
    let values = json!({"length": "30m", "duration": "", "comment": "new disks"});
    assert_eq!(place.submit("operator", &dialog, values).await, json!({}));
    let post = place.post_of("wn003", ":wrench: in downtime, by operator: _new disks_").await;
    assert_eq!(buttons(&post)[0], "Give back");
    let told = place.press("operator", &alert.id, "recheck").await.unwrap_err();
    assert_eq!(told, "I ask the monitoring to look now.");
    place.world.reply(&alert.id, |post| post.message.contains("CRITICAL · 1 process")).await;
    place.press("operator", &alert.id, "removeacknowledgement").await.unwrap_err();
    place.world.reply(&alert.id, |post| post.message == "Nobody has taken it on any more.").await;
    place.quiet().await;
    let thread = place.thread(&alert.id);
    assert_eq!(thread.iter().filter(|line| line.contains("Taken on by operator")).count(), 1, "{thread:?}");
    // In a downtime the monitoring never tells that it is over: that is found by asking.
    place.heal("wn003").await;
    let over = place.post_of("wn003", ":white_check_mark: **OK again**").await;
    assert_eq!((over.id.as_str(), buttons(&over)), (alert.id.as_str(), Vec::<String>::new()));
    place.world.reply(&alert.id, |post| post.message.contains("found by asking")).await;
    assert!(!place.told("wn003").contains(&"RECOVERY"), "{:?}", place.told("wn003"));
}

/// What the monitoring refuses, forgets or cannot be asked for is told as that, in the thread and in the post.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_is_told_honestly() {
    let place = Place::with(Duration::from_secs(2), Duration::from_secs(1)).await;
    let alert = place.goes_wrong("wn002").await;
    place.faults.refuse(403, "Forbidden", "You lack the permission action.acknowledge");
    let answer = place.world.say("operator", "!ack wn002").await;
    assert!(answer.message.contains("not done") && answer.message.contains("action.acknowledge"), "{}", answer.message);
    place.post_of("wn002", "acknowledgement asked for by operator: not done, the monitoring refuses: Forbidden").await;
    place.faults.forget(1);
    let dialog = place.press("operator", &alert.id, "acknowledge").await.unwrap();
    assert_eq!(place.submit("operator", &dialog, json!({"comment": "", "sticky": true})).await, json!({}));
    place.post_of("wn002", ":hourglass: acknowledgement asked for by operator").await;
    place.post_of("wn002", "acknowledgement asked for by operator: not confirmed").await;
    place.world.reply(&alert.id, |post| post.message.contains("does not show it after")).await;
    assert!(!place.post_of("wn002", "CRITICAL").await.message.contains("taken on"));
}

/// The bot dies before an order is sent, while it waits at the monitoring, and after it was carried out: it is done once, and confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_the_death_of_the_bot_and_is_carried_out_once() {
    let mut place = Place::open().await;
    place.goes_wrong("wn002").await;
    // It waits at the monitoring when the bot dies, and is carried out while nobody looks.
    place.faults.hold(true);
    place.world.write("operator", "!downtime wn002 \"Unparent processes\" 2h new disks");
    let end = Instant::now() + PATIENCE;
    while place.faults.held() == 0 {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.post_of("wn002", ":hourglass: downtime asked for by operator").await;
    place.world.kill_bot();
    place.faults.hold(false);
    place.world.start_bot().await;
    place.post_of("wn002", ":wrench: in downtime, by operator: _new disks_").await;
    place
        .wait(|post| post.message.contains(&format!("wn002 · {SERVICE}")) && post.message.contains("downtime already"))
        .await;
    assert_eq!(place.taken("downtime/collections").len(), 1, "once");
    // It dies before the order could be sent.
    place.faults.unwell(1_000_000);
    let line = place.world.write("operator", "!ack wn002");
    place.post_of("wn002", ":hourglass: acknowledgement asked for by operator").await;
    place.world.kill_bot();
    place.faults.unwell(0);
    place.world.start_bot().await;
    place.post_of("wn002", "taken on by operator").await;
    place.world.answer_that(&line, |post| post.message.contains("taken on")).await;
    place.quiet().await;
    assert_eq!(place.taken("acknowledge/collections").len(), 1);
    assert_eq!(place.taken("downtime/collections").len(), 1);
    // What is over while it is away is found after the start.
    place.world.kill_bot();
    let pid = place.world.nodes.abandoned("wn002")[0];
    place.world.nodes.kill("wn002", pid);
    place.world.start_bot().await;
    place.post_of("wn002", ":white_check_mark: **OK again**").await;
    assert!(!place.told("wn002").contains(&"RECOVERY"), "{:?}", place.told("wn002"));
}

/// Five nodes at once are a storm: it is taken on by one command, in words and by its button; what the monitoring does not do is told in the one answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_taken_on_as_one() {
    let more = format!("[storms]\nproblems = 2\n{ACCESS}");
    // Long enough for four of the five also on a busy machine: what comes of the fifth is waited for.
    let place = Place::written(&more, Duration::from_secs(6), Duration::from_secs(1)).await;
    place.world.say("lead", "!run systemctl stop slurmd on wn[001-005]").await;
    let storm = place.wait(|post| post.message.contains("Storm: 5 problems")).await;
    assert_eq!(buttons(&storm), ["Acknowledge", "Downtime"]);
    let refused = place.world.say("guest", "!ack storm").await;
    assert!(!refused.message.contains("taken on"), "{}", refused.message);
    assert_eq!(
        place.press("guest", &storm.id, "downtime").await.unwrap_err(),
        "You may not ask the monitoring for this, so nothing was done."
    );
    place.faults.deaf_to("wn003");
    let answer = place.world.say("operator", "!ack storm the switch is being replaced").await;
    assert!(answer.message.contains("4 of 5 taken on · **1 not confirmed**"), "{}", answer.message);
    assert!(answer.message.contains("wn003 · Process slurmd: **not done**"), "{}", answer.message);
    let taken = place.taken("acknowledge/collections");
    assert_eq!((taken.len(), &taken[0]["acknowledge_type"]), (1, &json!("service_by_query")));
    place.wait(|post| post.id == storm.id && post.message.contains("4 taken on")).await;

    let dialog = place.press("operator", &storm.id, "downtime").await.unwrap();
    assert!(dialog["dialog"]["introduction_text"].as_str().unwrap().contains("5 open problems"), "{dialog}");
    let values = json!({"length": "30m", "duration": "", "comment": "new switch"});
    assert_eq!(place.submit("operator", &dialog, values.clone()).await, json!({}));
    let twice = place.submit("operator", &dialog, values).await;
    assert!(twice.to_string().contains("nothing was done"), "{twice}");
    place.world.reply(&storm.id, |post| post.message.contains("4 of 5 in downtime · **1 not confirmed**")).await;
    assert_eq!(place.taken("downtime/collections").len(), 1);
    place.quiet().await;
    let lines = place.thread(&storm.id);
    assert!(lines.iter().all(|line| !line.contains("Taken on by")), "{lines:?}");

    // In a downtime no recovery is told: what is over is found, and counts.
    place.world.say("lead", "!run systemctl start slurmd on wn[001-005]").await;
    place.wait(|post| post.id == storm.id && post.message.contains("all over by now")).await;
    assert!(!place.told("wn001").contains(&"RECOVERY"), "{:?}", place.told("wn001"));
}
