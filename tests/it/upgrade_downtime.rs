//! The downtime that an upgrade of a kernel opens before it touches a node, and closes when it has ended: over the REST API of a monitoring that tells what it finds by its plugin, and is
//! silent about what is in a downtime.

use crate::kernel_upgrade::{approve, world_without_bot};
use crate::notify::Site;
use crate::world::{CHANNEL, PATIENCE, World};
use halcyon::config::MonitoringKind;
use halcyon::core::effect::Answer;
use halcyon::core::id::ActionRef;
use halcyon::core::input::Ask;
use halcyon::sandbox::mailbox::Mailbox;
use halcyon::sandbox::mattermost::Post;
use halcyon::sandbox::nodes::MonitoringFaults;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What the page tells a site to write where upgrades open downtimes.
const ACCESS: &str = r#"
[[access.roles]]
name = "watchers"
users = ["operator"]
grants = ["run:monitoring.*"]
[[access.roles]]
name = "upgrades"
rules = ["site.close_downtime"]
grants = ["run:monitoring.remove_downtime"]
"#;

struct Place {
    world: World,
    site: Site,
    faults: MonitoringFaults,
    mailbox: Mailbox,
}

impl Place {
    /// A world in which the monitoring has so long to show something.
    async fn open(downtime: &str, confirm: Duration) -> Self {
        Self::among(downtime, confirm, None).await
    }

    /// The same where another one can be asked as well, and the site says which opens downtimes.
    async fn among(downtime: &str, confirm: Duration, another: Option<&str>) -> Self {
        let (mut world, mailbox) = world_without_bot(ACCESS, |_| {}).await;
        let config = world.directory.path().join("configs/site.yaml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains("upgrade_downtime: none"), "{text}");
        let mut text = text.replace("upgrade_downtime: none", &format!("upgrade_downtime: {downtime}"));
        world.ask_monitoring("hep", confirm, Duration::from_secs(1));
        if let Some(name) = another {
            text.push_str("upgrade_monitoring: hep\n");
            world.ask_monitoring(name, confirm, Duration::from_secs(1));
            let other = world.config.monitorings.last_mut().unwrap();
            (other.kind, other.address, other.read) = (MonitoringKind::Alertmanager, "http://127.0.0.1:1".into(), None);
        }
        std::fs::write(&config, text).unwrap();
        let faults = world.nodes.monitoring_faults().unwrap();
        let site = Site::watch(&mut world, true).await;
        Self { world, site, faults, mailbox }
    }

    /// Somebody has one node upgraded, and the lead says yes.
    async fn begin(&self, node: &str) -> Post {
        let line = self.world.write("operator", &format!("!upgrade kernel on {node}"));
        let card = self.world.answer_that(&line, |post| post.message.starts_with(":lock:")).await;
        approve(&self.world, &card);
        card
    }

    async fn ended(&self, card: &Post) -> String {
        let ended = |post: &Post| post.id == card.id && post.message.contains("verdict:");
        self.world.chat.wait_for(CHANNEL, ended, 4 * PATIENCE).await.unwrap().message
    }

    fn taken(&self) -> Vec<(String, Value)> {
        self.faults.taken()
    }

    fn kinds(&self) -> Vec<String> {
        self.taken().into_iter().map(|(path, _)| path).collect()
    }

    async fn reached(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + 4 * PATIENCE;
        while !holds(self) {
            let posts = || self.world.chat.posts(CHANNEL).into_iter().map(|post| post.message).collect::<Vec<_>>();
            let node = || self.world.nodes.batch_state("wn001");
            assert!(Instant::now() < end, "{what}: {:?}, {:?}\n{}", self.kinds(), node(), posts().join("\n---\n"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn told(&self, node: &str) -> Vec<&'static str> {
        self.world.nodes.notified().into_iter().filter(|one| one.host == node).map(|one| one.kind).collect()
    }

    /// What stands in the channel, and in no thread, about a machine.
    fn posts_of(&self, node: &str) -> Vec<String> {
        let of_node = format!("** `{node}`");
        let posts = self.world.chat.posts(CHANNEL).into_iter();
        let posts = posts.filter(|post| post.user_id == self.world.bot && post.root_id.is_empty());
        posts.map(|post| post.message).filter(|message| message.lines().next().unwrap().contains(&of_node)).collect()
    }
}

const OPENED: &str = "downtime/collections/host";
const CLOSED: &str = "downtime/actions/delete/invoke";

/// The bot dies while its order waits at the monitoring, while the node is held up by a job, and while the downtime is being closed. A problem that has nothing to do with it is told in the
/// thread, though the monitoring tells of none.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_in_a_downtime_of_its_own() {
    let mut place = Place::open("required", Duration::from_secs(20)).await;
    let job = place.world.nodes.submit_job("wn001").unwrap();
    place.faults.hold(true);
    let card = place.begin("wn001").await;
    place.reached("it asks for a downtime", |place| place.faults.held() == 1).await;
    assert!(place.world.nodes.batch_state("wn001").is_some_and(|node| !node.state.contains("drain")), "not yet");
    place.world.kill_bot();
    place.faults.hold(false);
    place.world.start_bot().await;
    let draining = |place: &Place| place.world.nodes.batch_state("wn001").is_some_and(|node| node.state == "draining");
    place.reached("the node is taken out of service", draining).await;
    let body = place.taken()[0].1.clone();
    let comment = body["comment"].as_str().unwrap();
    assert!(comment.starts_with("kernel upgrade ") && comment.contains("via Halcyon, #"), "{comment}");
    place.reached("the monitoring tells of the downtime", |place| place.told("wn001").contains(&"DOWNTIMESTART")).await;

    place.world.nodes.abandon("wn001", "atlsqmal").unwrap();
    place.world.reply(&card.id, |post| post.message.starts_with("`wn001` · Unparent processes: :red_circle:")).await;
    place.world.kill_bot();
    place.world.start_bot().await;
    place.world.say("lead", &format!("!run scancel {job} on slurm01")).await;
    // Whatever waits in the batch system may have been put on it by then.
    let serves =
        |place: &Place| place.world.nodes.batch_state("wn001").is_some_and(|node| !node.state.contains("drain"));
    place.reached("the node is back", serves).await;
    place.world.kill_bot();
    place.world.start_bot().await;
    let ended = place.ended(&card).await;
    assert!(ended.contains("all upgraded"), "{ended}");
    let taken = place.taken();
    assert_eq!(place.kinds(), [OPENED, CLOSED], "each once");
    assert_eq!((&taken[1].1["delete_type"], &taken[1].1["site_id"]), (&json!("by_id"), &json!("cluster")));
    place
        .reached("the monitoring tells that it is over", |place| place.told("wn001").contains(&"DOWNTIMECANCELLED"))
        .await;
    place.site.delivered().await;
    place.world.settle().await;
    assert_eq!(place.posts_of("wn001"), Vec::<String>::new());
    assert!(!place.told("wn001").contains(&"PROBLEM"), "{:?}", place.told("wn001"));
    place
        .world
        .reply(&card.id, |post| post.message.starts_with("`wn001` · Unparent processes: :white_check_mark: Over"))
        .await;
}

/// An upgrade that somebody cancels has no time to close its downtime: the rule does that, by the comment.
#[tokio::test(flavor = "multi_thread")]
async fn a_downtime_of_an_upgrade_that_is_cancelled_is_taken_off() {
    let place = Place::among("wanted", Duration::from_secs(20), Some("lab")).await;
    let enabled = place.world.say("lead", "!rule enable site.close_downtime").await;
    assert!(enabled.message.contains("site.close_downtime"), "{}", enabled.message);
    place.world.nodes.submit_job("wn001").unwrap();
    let parameters = json!({"node": "wn001", "poll": 1}).as_object().unwrap().clone().into_iter().collect();
    let ask = Ask::Run { action: ActionRef::new("site.kernel_upgrade"), parameters, trace_tag: None };
    let Answer::Started { id } = place.world.ask(ask).await else { panic!("it is not started") };
    let asks = |post: &Post| post.message.starts_with(":lock:") && post.message.contains("site.kernel_upgrade");
    approve(&place.world, &place.world.chat.wait_for(CHANNEL, asks, PATIENCE).await.unwrap());
    let draining = |place: &Place| place.world.nodes.batch_state("wn001").is_some_and(|node| node.state == "draining");
    place.reached("the node is taken out of service", draining).await;
    place.world.say("lead", &format!("!cancel {}", id.short())).await;
    place.reached("it is closed", |place| place.kinds().len() == 2).await;
    assert_eq!(place.kinds(), [OPENED, CLOSED]);
    place.reached("it is over", |place| place.told("wn001").contains(&"DOWNTIMECANCELLED")).await;
}

/// A monitoring that does not answer: where a downtime is wanted it goes on and says so; where it is required nothing is touched.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_downtime_it_goes_on_or_stops_as_the_site_says() {
    for (downtime, ends, says) in [
        ("wanted", "all upgraded", "Downtime: the monitoring did not open a downtime, so it was done without one"),
        (
            "required",
            "not all upgraded",
            "What is wrong: the monitoring did not open a downtime, and the site wants one",
        ),
    ] {
        let place = Place::open(downtime, Duration::from_secs(1)).await;
        place.faults.unwell(1_000_000);
        let parameters = json!({"node": "wn001", "poll": 1}).as_object().unwrap().clone().into_iter().collect();
        let ask = Ask::Run { action: ActionRef::new("site.kernel_upgrade"), parameters, trace_tag: None };
        let Answer::Started { id } = place.world.ask(ask).await else { panic!("it is not started") };
        let asks = |post: &Post| post.message.starts_with(":lock:") && post.message.contains("site.kernel_upgrade");
        approve(&place.world, &place.world.chat.wait_for(CHANNEL, asks, PATIENCE).await.unwrap());
        let end = Instant::now() + 4 * PATIENCE;
        let status = loop {
            match place.world.ask(Ask::Execution { id: id.to_string() }).await {
                Answer::Execution { execution, .. } if execution.status.is_final() => break execution.status,
                _ => assert!(Instant::now() < end, "it does not come to an end"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(status.word() == "succeeded", ends == "all upgraded", "{downtime}");
        let mails = place.mailbox.mails();
        assert!(mails.iter().any(|mail| mail.letter().body.lines().any(|line| line == says)), "{downtime}: {mails:?}");
        let reboots = place.world.nodes.ledger("wn001").iter().filter(|entry| entry.script.contains("reboot")).count();
        assert_eq!(reboots > 0, downtime == "wanted", "{downtime}");
        assert_eq!(place.taken().len(), 0);
    }
}
