//! An alert that heals: from a process on a node over the monitoring, its plugin and a rule to the machine that is told to end it, and back.

use crate::data;
use crate::notify::Site;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::sandbox::mattermost::{Happening, Post, Server};
use halcyon::sandbox::nodes::MonitoringOptions;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const PACK: &str = "ref: st2ihep\nname: n\ndescription: d\nversion: 1.0.0\nauthor: a\n";
const POLICY: &str =
    "name: ask\nresource_ref: core.remote\npolicy_type: action.approval\nparameters: {approvers: {roles: [lead]}}\n";
pub(crate) const ACCESS: &str = "[[access.roles]]\nname = \"healing\"\nrules = [\"st2ihep.*\"]\n\
     grants = [{ verb = \"run\", on = \"core.remote\", arguments = { hosts = \"puppet\" } }]\n";

/// A rule of a site as it was written for StackStorm, which has mistakes.
fn rule() -> String {
    let text = std::fs::read_to_string(data("content/rules.txt")).unwrap();
    let (_, rest) = text.split_once("@@ st2ihep//rules/orphans.yaml\n").unwrap();
    rest.split_once("--- said").unwrap().0.to_owned()
}

/// The same without them, as the page on rules tells to mend it.
pub(crate) fn mended() -> String {
    let page = std::fs::read_to_string(format!("{}/docs/rules.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mends: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `").and_then(|row| row.split_once("` | `")))
        .filter_map(|(wrong, rest)| Some((wrong, rest.split_once("` | ")?.0)))
        .filter(|(wrong, _)| rule().contains(*wrong))
        .collect();
    assert_eq!(mends.len(), 2, "{mends:?}");
    mends.into_iter().fold(rule(), |text, (wrong, right)| text.replace(wrong, right))
}

/// A site with that rule, whose monitoring tells the bot what it finds.
struct Place {
    world: World,
    /// What the plugin has of the monitoring's machine.
    site: Site,
}

impl Place {
    async fn with(files: &[(&str, &str)]) -> Self {
        Self::among(ACCESS, files, true).await
    }

    async fn among(access: &str, files: &[(&str, &str)], buttons: bool) -> Self {
        let mut world = World::on_nodes(access, |options| {
            options.monitoring = Some(MonitoringOptions::new("mon01"));
            options.administration = Some("puppet".to_owned());
        })
        .await;
        let mut pack = vec![("pack.yaml", PACK)];
        pack.extend_from_slice(files);
        world.add_pack("st2ihep", &pack);
        let site = Site::watch(&mut world, buttons).await;
        Self { world, site }
    }

    async fn post(&self, wanted: impl Fn(&Post) -> bool + Send + Sync) -> Post {
        let bot = self.world.bot.clone();
        let ours = |post: &Post| post.user_id == bot && wanted(post);
        self.world.chat.wait_for(CHANNEL, ours, PATIENCE).await.unwrap()
    }

    /// The post of the problem on this node, once it begins so.
    async fn alert(&self, node: &str, beginning: &str) -> Post {
        let of_node = format!("`{node}` · Unparent processes");
        self.post(|post| post.message.starts_with(beginning) && post.message.contains(&of_node)).await
    }

    /// What ran on a machine, by its last lines.
    fn ran(&self, machine: &str) -> Vec<String> {
        let ledger = self.world.nodes.ledger(machine);
        ledger.iter().filter_map(|entry| entry.script.lines().last().map(str::to_owned)).collect()
    }

    async fn ran_so_often(&self, machine: &str, count: usize) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        while self.world.nodes.ledger(machine).iter().filter(|entry| entry.ended.is_some()).count() < count {
            assert!(Instant::now() < end, "{:?}", self.ran(machine));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.ran(machine)
    }

    /// Every machine on which something ran.
    fn busy(&self) -> Vec<String> {
        let names = self.world.nodes.names().map(str::to_owned).chain(["mon01".to_owned(), "puppet".to_owned()]);
        names.filter(|name| !self.ran(name).is_empty()).collect()
    }

    fn told(&self, node: &str) -> Vec<&'static str> {
        let told = self.world.nodes.notified().into_iter().filter(|one| one.host == node);
        told.map(|one| one.kind).collect()
    }

    /// The button of an offer below a post, once it is there.
    async fn button(&self, post: &str, label: &str) -> String {
        let labels = |post: &Post| buttons(post).into_iter().find(|(known, _)| known == label);
        let found = self.post(|known| known.id == post && labels(known).is_some()).await;
        labels(&found).unwrap().1
    }

    /// Presses, and gives what only the one who pressed is told.
    async fn press(&self, who: &str, post: &str, button: &str) -> String {
        let mut happenings = self.world.chat.subscribe();
        let end = Instant::now() + PATIENCE;
        loop {
            if self.world.chat.click(who, post, button).await.is_err() {
                return "the button is gone, so nothing was done".to_owned();
            }
            let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
            match Server::wait_for_happening(&mut happenings, told, PATIENCE).await {
                // The bot has not noted yet that its post stands.
                Some(Happening::Whispered { post, .. }) if post.message.contains("press again") => {
                    assert!(Instant::now() < end);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Some(Happening::Whispered { post, .. }) => return post.message,
                _ => return String::new(),
            }
        }
    }
}

/// What can be pressed below a post: what stands on it, and its name.
fn buttons(post: &Post) -> Vec<(String, String)> {
    let attachments = post.props.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default();
    let actions = attachments.iter().filter_map(|attachment| attachment["actions"].as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    actions.flatten().map(|action| (text(&action["name"]), text(&action["id"]))).collect()
}

/// The same rule, where it offers instead of acting.
fn offering() -> String {
    mended() + "\noffer:\n  label: Kill the orphans\n"
}

/// Operators may have that machine do what the rule offers, too.
const HEALERS: &str = "[[access.roles]]\nname = \"healers\"\nusers = [\"operator\"]\n\
     grants = [{ verb = \"run\", on = \"core.remote\", arguments = { hosts = \"puppet\" } }]\n";

const AS_WRITTEN: &str = r#"pdsh -w wn002 "/usr/share/check-mk-agent/plugins/check_unparent | egrep \"(atlsqmal)\" | egrep -o \"pid=[:digit:]+\" | awk -F '{print \\$2;}' | xargs kill ""#;
const MENDED: &str = r#"pdsh -w wn002 "/usr/share/check-mk-agent/plugins/check_unparent | egrep \"(atlsqmal)\" | egrep -o \"pid=[[:digit:]]+\" | awk -F= '{print \$2;}' | xargs kill ""#;

/// It fires as it is, with the command that StackStorm would have sent; which kills nothing, since it is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_stackstorms_runs_what_it_ran_there() {
    let place = Place::with(&[("rules/orphans.yaml", &rule())]).await;
    let pid = place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    place.alert("wn002", ":red_circle: **CRITICAL**").await;
    assert_eq!(place.ran_so_often("puppet", 1).await, [AS_WRITTEN]);
    assert_eq!(place.world.nodes.abandoned("wn002"), [pid]);
    assert_eq!(place.busy(), ["wn002", "puppet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mended_it_heals_the_node() {
    let place = Place::with(&[("rules/orphans.yaml", &mended())]).await;
    place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    let healed = place.alert("wn002", ":white_check_mark: **OK again**").await;
    assert_eq!(healed.id, alert.id, "one post from the beginning to the end");
    assert_eq!(place.ran("puppet"), [MENDED]);
    assert_eq!(place.busy(), ["wn002", "puppet"]);
    assert!(place.world.nodes.abandoned("wn002").is_empty());
    assert_eq!(place.told("wn002"), ["PROBLEM", "RECOVERY"]);
    assert!(healed.message.contains("NodesCheckMkCheckOrphans"), "the post names what was done: {}", healed.message);
    place.world.reply(&alert.id, |post| post.message.contains("Over after")).await;
    place.site.delivered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_approval_it_waits_for_the_lead() {
    let files = [("rules/orphans.yaml", mended()), ("policies/ask.yaml", POLICY.to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(inside, text)| (*inside, text.as_str())).collect();
    let place = Place::with(&files).await;
    let pid = place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    let card = place.post(|post| post.message.starts_with(":lock:") && post.message.contains("core.remote")).await;
    assert!(card.message.contains("st2ihep.NodesCheckMkCheckOrphans"), "it says who asks: {}", card.message);
    assert!(card.message.contains("check_unparent"), "and what is to be run: {}", card.message);
    assert_eq!((place.world.nodes.abandoned("wn002"), place.busy()), (vec![pid], Vec::new()));
    place.press("lead", &card.id, "approve").await;
    let healed = place.alert("wn002", ":white_check_mark: **OK again**").await;
    assert_eq!((healed.id, place.ran("puppet")), (alert.id, vec![MENDED.to_owned()]));
    assert!(place.world.nodes.abandoned("wn002").is_empty());
}

/// The state of the service is critical in all of them, and the rule asks for nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_problem_heals_nothing() {
    let place = Place::with(&[("rules/orphans.yaml", &rule())]).await;
    place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    place.ran_so_often("puppet", 1).await;
    for (command, told) in [
        ("ACKNOWLEDGE_SVC_PROBLEM;wn002;Unparent processes;2;1;0;operator;i am on it", "i am on it"),
        ("SEND_CUSTOM_SVC_NOTIFICATION;wn002;Unparent processes;0;operator;look at this", "look at this"),
        ("SCHEDULE_SVC_DOWNTIME;wn002;Unparent processes;0;4000000000;1;0;0;operator;work on it", "work on it"),
    ] {
        place.world.nodes.tell_monitoring(command);
        place.world.reply(&alert.id, |post| post.message.contains(told)).await;
    }
    place.world.settle().await;
    assert_eq!(place.told("wn002"), ["PROBLEM", "ACKNOWLEDGEMENT", "CUSTOM", "DOWNTIMESTART"]);
    assert_eq!(place.ran("puppet").len(), 1);
}

/// Nobody has to give the rule a role: it is the person whose rights count.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_offers_is_begun_by_a_press() {
    let place = Place::among(HEALERS, &[("rules/orphans.yaml", &offering())], true).await;
    let pid = place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    let button = place.button(&alert.id, "Kill the orphans").await;
    let refused = place.press("guest", &alert.id, &button).await;
    assert_eq!(refused, "You may not have this done, so nothing was done.");
    assert_eq!((place.world.nodes.abandoned("wn002"), place.busy()), (vec![pid], Vec::new()));
    let told = place.press("operator", &alert.id, &button).await;
    assert!(told.contains("Begun as `"), "{told}");
    let again = place.press("lead", &alert.id, &button).await;
    assert!(again.contains("so nothing was done"), "{again}");
    let healed = place.alert("wn002", ":white_check_mark: **OK again**").await;
    assert_eq!((healed.id.as_str(), place.ran("puppet")), (alert.id.as_str(), vec![MENDED.to_owned()]));
    assert_eq!(place.busy(), ["wn002", "puppet"]);
    let over = |post: &Post| post.id == alert.id && buttons(post).is_empty() && post.message.contains("): done");
    let over = place.post(over).await;
    assert!(over.message.contains("Kill the orphans, wanted by operator"), "{}", over.message);
    place.world.reply(&alert.id, |post| post.message.contains("core.remote")).await;
    place.world.reply(&alert.id, |post| post.message.contains("Over after")).await;
    assert_eq!(place.ran("puppet").len(), 1, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_offers_waits_for_the_lead_and_survives_a_restart() {
    let files = [("rules/orphans.yaml", offering()), ("policies/ask.yaml", POLICY.to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(inside, text)| (*inside, text.as_str())).collect();
    let mut place = Place::among(HEALERS, &files, true).await;
    let pid = place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    let button = place.button(&alert.id, "Kill the orphans").await;
    place.world.kill_bot();
    place.world.start_bot().await;
    let told = place.press("operator", &alert.id, &button).await;
    assert!(told.contains("waits to begin"), "{told}");
    let card = place.post(|post| post.message.starts_with(":lock:") && post.message.contains("core.remote")).await;
    assert!(card.message.contains("operator") && card.message.contains("check_unparent"), "{}", card.message);
    place.world.kill_bot();
    place.world.start_bot().await;
    let again = place.press("operator", &alert.id, &button).await;
    assert!(again.contains("so nothing was done"), "{again}");
    assert_eq!((place.world.nodes.abandoned("wn002"), place.busy()), (vec![pid], Vec::new()));
    place.press("lead", &card.id, "approve").await;
    let healed = place.alert("wn002", ":white_check_mark: **OK again**").await;
    assert_eq!((healed.id, place.ran("puppet")), (alert.id, vec![MENDED.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_offers_is_begun_by_a_word_where_there_are_no_buttons() {
    let place = Place::among(HEALERS, &[("rules/orphans.yaml", &offering())], false).await;
    place.world.nodes.abandon("wn002", "atlsqmal").unwrap();
    let alert = place.alert("wn002", ":red_circle: **CRITICAL**").await;
    assert!(buttons(&alert).is_empty());
    let (_, line) = alert.message.split_once("write `").unwrap_or_else(|| panic!("{}", alert.message));
    let line = line.split('`').next().unwrap();
    let answer = place.world.say("guest", &format!("!{line}")).await;
    assert!(!answer.message.contains("Begun"), "{}", answer.message);
    let answer = place.world.say("operator", &format!("!{line}")).await;
    assert!(answer.message.contains("Begun as `"), "{}", answer.message);
    place.alert("wn002", ":white_check_mark: **OK again**").await;
    assert_eq!(place.ran("puppet"), [MENDED]);
}

/// What tries to get out of a name or a text: host and output. The rule would act on all but the last.
const HOSTILE: &[(&str, &str)] = &[
    ("wn001; touch /tmp/owned", "x"),
    ("wn0$(touch /tmp/owned)", "x"),
    ("wn0`touch /tmp/owned`", "x"),
    ("wn001\" \"; touch /tmp/owned #", "x"),
    ("wn001\ntouch /tmp/owned", "x"),
    ("wn0[001-006]", "x"),
    ("wn001,wn002", "x"),
    ("wn0@all", "x"),
    ("@all", "```\n@all @channel [here](http://elsewhere.example) {{ trigger }} <% ctx() %>\n# big"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alert_says_reaches_nobody_but_the_eye() {
    let place = Place::with(&[("rules/orphans.yaml", &mended())]).await;
    for (number, (host, output)) in HOSTILE.iter().enumerate() {
        let micro = (1_795_350_600_u64 + number as u64) * 1_000_000;
        let micro = micro.to_string();
        let changes = [("HOSTNAME", *host), ("SERVICEOUTPUT", *output), ("MICROTIME", micro.as_str())];
        let told = place.site.tell("service-critical", &changes);
        assert!(told.status.success(), "{told:?}");
    }
    place.site.delivered().await;
    place.world.settle().await;
    let refused = |post: &&String| post.contains("NodesCheckMkCheckOrphans") && post.contains("was not started: ");
    let refusals = texts(&place.world).iter().filter(refused).count();
    assert_eq!(refusals, HOSTILE.len() - 1, "it is said that nothing was done, and why: {:?}", texts(&place.world));
    assert_eq!((place.busy(), place.world.nodes.file("puppet", "/tmp/owned")), (Vec::new(), None));
    for post in texts(&place.world) {
        for loud in ["@all", "@channel", "\n# big", "[here](http"] {
            assert!(!post.contains(loud), "{loud}: {post}");
        }
    }
}

fn texts(world: &World) -> Vec<String> {
    let ours = world.chat.posts(CHANNEL).into_iter().filter(|post| post.user_id == world.bot);
    ours.map(|post| post.message).collect()
}
