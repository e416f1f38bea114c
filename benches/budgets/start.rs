//! How long a start takes and how much it reads, after short and long histories: the store opened, recalled and folded into a bot.

use crate::report::Report;
use crate::{Setting, scratch};
use halcyon::adapters::store::{DiskStore, Origin};
use halcyon::core::action::execution::{EffectClass, Requested, Status};
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::bot::Bot;
use halcyon::core::effect::{Body, Delivery};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ActionRef, ChannelId, DeliveryId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::{Back, Principal};
use halcyon::core::memory::Memory;
use halcyon::core::settings::Settings;
use halcyon::runtime::ports::{Recalled, Snapshot, Store};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many facts a life has.
const LIFE: usize = 8;
/// How many lives are stored with one write; what matters here is what they leave behind.
const AT_ONCE: usize = 128;

/// Everything that a line with a command on one host leaves behind. One comes every half a minute.
fn life(number: u64) -> Vec<Dated> {
    let start = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_700_000_000 + 30 * number.cast_signed());
    let dated = |second, fact| Dated { at: start + SignedDuration::from_secs(second), fact };
    let id = ExecutionId::generate(start, number);
    let (post, channel) = (PostId::new(format!("{number:026}")), ChannelId::new("c".repeat(26)));
    let hosts = vec![Host::new(format!("wn{:03}", number % 150 + 1))];
    let back = Back::Chat { channel: channel.clone(), root: None, post: post.clone() };
    let delivery = DeliveryId::new(format!("{}-card", id.as_str()));
    let text =
        format!(":white_check_mark: `uptime on {}` · **done on {}** · 0.1 s", hosts[0].as_str(), hosts[0].as_str());
    let inline = |text: &str| Captured::Inline { text: text.to_owned() };
    let (stdout, stderr) = (inline(" 12:00:00 up 9 days\n"), inline(""));
    let outcome = HostOutcome { exit: Exit::Code { code: 0 }, stdout, stderr, seconds: 0.1 };
    let request = Requested {
        id: id.clone(),
        action: ActionRef::new("site.uptime"),
        runner: "remote-shell-cmd".to_owned(),
        effect: EffectClass::ReadOnly,
        parameters: serde_json::Map::new(),
        secrets: Vec::new(),
        by: Principal::ChatUser { id: UserId::new("u".repeat(26)), name: "operator".to_owned() },
        back,
        line: format!("uptime on {}", hosts[0].as_str()),
        hosts: hosts.clone(),
        ends_at: None,
        alias: None,
        rerun_of: None,
        content: String::new(),
        trace_tag: None,
        zone: String::new(),
        notify: None,
        reach: None,
        telling: None,
        inquiry: None,
        workflow: None,
        takes_up: None,
        parent: None,
        named: Vec::new(),
        out_of_service: Vec::new(),
        places: Vec::new(),
        tries: None,
    };
    let promised = Delivery {
        id: delivery.clone(),
        channel: channel.clone(),
        body: Body::Post { root: None, text, files: vec![] },
    };
    vec![
        dated(0, Fact::PostTaken { post, channel, created: start }),
        dated(0, Fact::ExecutionStarted(Box::new(request))),
        dated(1, Fact::HostFinished { id: id.clone(), host: hosts[0].clone(), outcome: Box::new(outcome) }),
        dated(1, Fact::ExecutionFinished { id, status: Status::Succeeded, error: None }),
        dated(1, Fact::DeliveryIntended(promised)),
        dated(2, Fact::DeliverySent { delivery, post: PostId::new(format!("{number:025}s")) }),
        dated(2, Fact::Heard { until: start }),
        dated(3, Fact::Heard { until: start + SignedDuration::from_secs(3) }),
    ]
}

/// Lives that long a history in a store, with snapshots as the loop has them written.
async fn live(store: &DiskStore, facts: usize) {
    let mut memory = Memory::default();
    let mut newest = 0;
    let mut batch = Vec::new();
    for number in 0..facts.div_ceil(LIFE) {
        batch.extend(life(number as u64));
        if batch.len() >= LIFE * AT_ONCE || number + 1 == facts.div_ceil(LIFE) {
            let at = batch.last().map_or(Timestamp::UNIX_EPOCH, |fact: &Dated| fact.at);
            batch.iter().for_each(|fact| memory.apply(fact).expect("the history makes sense"));
            newest += batch.len() as u64;
            store.append(std::mem::take(&mut batch)).await.expect("a fact can be stored");
            if store.wants_snapshot() {
                store.snapshot(Snapshot { newest, at, memory: memory.clone() });
            }
        }
    }
}

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        buttons: false,
        channels: Vec::new(),
        admin_channel: None,
        alert_channel: None,
        address: Vec::new(),
        prefix: "!".into(),
        roles: Vec::new(),
        zone: String::new(),
        mention_after: Duration::from_secs(10),
        own_uid: 0,
        chat_users: Default::default(),
        guard: halcyon::core::rule::guard::Guard::default(),
        settle: Duration::from_secs(120),
        storms: Default::default(),
        escalation: Default::default(),
        monitorings: Vec::new(),
        limits: halcyon::core::settings::Limits::default(),
        late_after: Duration::from_secs(120),
        grace: Duration::from_secs(20),
    })
}

/// What this process has read from files so far, whether from the disk or from the system's cache.
fn bytes_read() -> f64 {
    let about = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = about.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|count| count.trim().parse::<f64>().ok()).unwrap_or(f64::NAN)
}

/// One start. Gives milliseconds of opening, recalling and folding, and megabytes read.
async fn start(path: &Path) -> ([f64; 4], u64) {
    let read = bytes_read();
    let began = Instant::now();
    let (store, opened) = DiskStore::open(path).await.expect("the store opens");
    let open = began.elapsed();
    let Recalled { snapshot, facts } = store.recall().await.expect("the store is read");
    let recall = began.elapsed() - open;
    let bot = Bot::recall(snapshot.memory, &facts, settings()).expect("the facts make sense");
    let all = began.elapsed();
    assert!(bot.memory().executions.is_empty());
    let read = (bytes_read() - read) / 1e6;
    let behind = if let Origin::Kept { behind } = opened.index { behind } else { opened.facts };
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    ([milliseconds(open), milliseconds(recall), milliseconds(all - open - recall), read], behind)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("the store can be listed").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else if entry.file_name() != "lock" {
            std::fs::copy(&path, target).expect("the store can be copied");
        }
    }
}

pub(crate) async fn run(setting: &Setting, report: &mut Report) {
    println!("\na start");
    let sizes: &[usize] = if setting.quick { &[10, 20_000] } else { &[10, 100_000, 1_000_000] };
    for &facts in sizes {
        let directory = scratch();
        let (path, crashed) = (directory.path().join("store"), directory.path().join("crashed"));
        let (store, _) = DiskStore::open(&path).await.expect("a store can be made");
        live(&store, facts).await;
        // sled writes behind; what a killed process leaves is what the files say now.
        copy(&path, &crashed);
        drop(store);
        for (how, path) in [("after a stop", &path), ("after a kill", &crashed)] {
            for pass in ["first", "next"] {
                let ([open, recall, fold, read], behind) = start(path).await;
                let what = format!("start, {facts} facts, {how}, {pass}");
                report.value("-", &what, open + recall + fold, "ms", None);
                report.remark(format!(
                    "{what}: open {open:.1} ms, recall {recall:.1} ms, fold {fold:.1} ms, {read:.2} MB read, index {behind} facts behind"
                ));
            }
        }
    }
}
