//! Orders to CheckMK: against a site that speaks its REST API and Livestatus, and misbehaves.

use crate::ssh::{MemoryBlobs, execution};
use halcyon::adapters::monitoring::checkmk::{CheckMk, CheckMkOptions, Livestatus};
use halcyon::adapters::monitoring::{MonitoringRunner, Watched};
use halcyon::core::action::run::{Attach, Begun, Captured, Exit, Run, RunNews, Secret, Work};
use halcyon::core::alert::notification::State;
use halcyon::core::alert::order::{Mark, Order, Part, Target, Wanted};
use halcyon::core::alert::standing::Reading;
use halcyon::core::id::Host;
use halcyon::runtime::ports::{Monitoring, MonitoringError, Of, Runner};
use halcyon::sandbox::nodes::{Access, MonitoringFaults, MonitoringOptions, Nodes, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long the monitoring has to show something, where it will.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same where it will not.
const IMPATIENCE: Duration = Duration::from_millis(700);
/// The same where it will for one thing, also on a busy machine, and not for another.
const SOME_PATIENCE: Duration = Duration::from_secs(5);

/// A monitoring that looks only when it is told to, with one problem.
struct Stage {
    nodes: Nodes,
    access: Access,
    faults: MonitoringFaults,
    _directory: TempDir,
}

impl Stage {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(["wn001", "wn002"], directory.path().join("nodes"));
        (options.user, options.pace) = ("root".to_owned(), 0.01);
        options.monitoring = Some(MonitoringOptions { check_every: 1e6, ..MonitoringOptions::new("mon01") });
        let nodes = Nodes::start(options).await.unwrap();
        let (access, faults) = (nodes.monitoring_access().unwrap(), nodes.monitoring_faults().unwrap());
        let stage = Self { nodes, access, faults, _directory: directory };
        stage.nodes.abandon("wn001", "atlsqmal").unwrap();
        let ended = stage.order(Wanted::Recheck, &problem(), "").await;
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        stage
    }

    fn options(&self) -> CheckMkOptions {
        CheckMkOptions {
            name: "cluster".to_owned(),
            address: self.access.address.clone(),
            site: Some("cluster".to_owned()),
            user: self.access.user.clone(),
            secret: Ok(Secret::new(self.access.secret.clone())),
            ca_file: None,
            livestatus: Some(Livestatus::Tcp(self.access.livestatus.to_string())),
            timeout: Duration::from_secs(10),
            now: halcyon::app::now,
        }
    }

    fn site(&self) -> CheckMk {
        CheckMk::new(self.options())
    }

    fn runner(options: CheckMkOptions, patience: Duration) -> MonitoringRunner {
        let monitoring = Arc::new(CheckMk::new(options));
        let blobs = Arc::new(MemoryBlobs::default());
        MonitoringRunner::new(vec![Watched { monitoring, patience }], 1 << 20, blobs, halcyon::app::now)
    }

    async fn order(&self, wanted: Wanted, about: &[Target], comment: &str) -> Ended {
        self.order_as("ab12cd", wanted, about, comment, PATIENCE).await
    }

    async fn order_as(&self, id: &str, wanted: Wanted, about: &[Target], comment: &str, patience: Duration) -> Ended {
        carry_out(&Self::runner(self.options(), patience), ordered(id, wanted, about, comment)).await
    }

    async fn reading(&self, of: &Of) -> Reading {
        self.site().read(of).await.unwrap()
    }
}

fn ordered(id: &str, wanted: Wanted, about: &[Target], comment: &str) -> Order {
    Order {
        parts: vec![Part { monitoring: String::new(), about: about.to_vec() }],
        wanted,
        mark: Mark { who: "lead".to_owned(), execution: id.to_owned() },
        comment: comment.to_owned(),
        patience: None,
    }
}

fn target(host: &str, service: &str) -> Target {
    Target { host: host.to_owned(), service: (!service.is_empty()).then(|| service.to_owned()) }
}

fn problem() -> Vec<Target> {
    vec![target("wn001", "Unparent processes")]
}

const TAKE: Wanted = Wanted::Acknowledge { sticky: true, notify: true, expires: None };

fn two_hours() -> Wanted {
    let end = halcyon::app::now().checked_add(jiff::SignedDuration::from_hours(2)).unwrap();
    Wanted::Downtime { start: None, end }
}

/// How an order ended.
#[derive(Debug)]
struct Ended {
    exit: Exit,
    result: Value,
    said: String,
    readings: usize,
}

impl Ended {
    fn code(&self) -> Option<i32> {
        match self.exit {
            Exit::Code { code } => Some(code),
            _ => None,
        }
    }

    fn ends(&self) -> Vec<&str> {
        let problems = self.result["problems"].as_array().unwrap();
        problems.iter().map(|problem| problem["end"].as_str().unwrap()).collect()
    }
}

async fn carry_out(runner: &MonitoringRunner, order: Order) -> Ended {
    let (sender, news) = mpsc::channel(64);
    let run = Run { execution: execution(), work: Work::Monitoring(Box::new(order)), attempt: 0 };
    let ((), ended) = tokio::join!(runner.run(run, sender, CancellationToken::new()), heard(news));
    ended
}

async fn heard(mut news: mpsc::Receiver<RunNews>) -> Ended {
    let mut ended = Ended { exit: Exit::Left, result: Value::Null, said: String::new(), readings: 0 };
    let text = |captured: &Captured| match captured {
        Captured::Inline { text } => text.clone(),
        // Of very many things each that was not done has a line.
        Captured::Blob { head, .. } => head.clone(),
    };
    while let Some(news) = news.recv().await {
        match news {
            RunNews::HostFinished { outcome, .. } => {
                ended.result = serde_json::from_str(&text(&outcome.stdout)).unwrap_or_default();
                (ended.said, ended.exit) = (text(&outcome.stderr), outcome.exit);
            }
            RunNews::Read(_) => ended.readings += 1,
            RunNews::Finished { error: Some(why) } => panic!("{why}"),
            RunNews::HostLost { .. } => panic!("nothing was lost"),
            RunNews::Finished { error: None } | RunNews::HostStarted { .. } | RunNews::Progress(_) => {}
        }
    }
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_confirmed_when_it_is_seen() {
    let stage = Stage::open().await;
    let about = problem();
    let comment = "replacing; the disk 100% – “now”";
    let taken = stage.order(TAKE, &about, comment).await;
    assert_eq!((taken.code(), taken.ends(), taken.readings), (Some(0), vec!["confirmed"], 1), "{taken:?}");
    let seen = stage.reading(&Of::Named(about.clone())).await;
    let seen = seen.of(&about[0]).unwrap().clone();
    assert_eq!(seen.state, Some(State::Critical));
    let said = seen.acknowledged.unwrap();
    assert_eq!(
        (said.by.as_str(), said.comment.as_str()),
        ("halcyon", format!("{comment} (lead via Halcyon, #ab12cd)").as_str())
    );
    assert_eq!(Mark::read(&said.comment).unwrap().0, comment);
    // The same once more is not sent: it stands.
    let sent = stage.faults.taken().len();
    assert_eq!(stage.order(TAKE, &about, comment).await.ends(), ["already"]);
    assert_eq!(stage.faults.taken().len(), sent);
    // Another one's is another matter.
    assert_eq!(stage.order_as("ffffff", TAKE, &about, "mine", PATIENCE).await.ends(), ["confirmed"]);
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &about, "").await.ends(), ["confirmed"]);
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &about, "").await.ends(), ["already"]);
    assert_eq!(stage.order(Wanted::Comment, &about, "look at it").await.ends(), ["confirmed"]);

    let host = [target("wn001", "")];
    let opened = stage.order(two_hours(), &host, "new disks").await;
    assert_eq!(opened.ends(), ["confirmed"], "{opened:?}");
    assert_eq!(stage.order(two_hours(), &host, "new disks").await.ends(), ["already"], "one downtime is enough");
    let seen = stage.reading(&Of::Named(vec![host[0].clone(), about[0].clone()])).await;
    assert!(seen.list.iter().all(|standing| standing.in_downtime && standing.downtimes.len() == 1), "{seen:?}");
    assert!(seen.of(&about[0]).unwrap().downtimes[0].covers);
    let id = opened.result["problems"][0]["downtimes"][0]["id"].as_str().unwrap().to_owned();
    let end = halcyon::app::now().checked_add(jiff::SignedDuration::from_hours(5)).unwrap();
    let moved = stage.order(Wanted::MoveDowntime { id: id.clone(), end }, &host, "").await;
    assert_eq!(moved.ends(), ["confirmed"], "{moved:?}");
    assert_eq!(stage.order_as("ffffff", two_hours(), &host, "mine", PATIENCE).await.ends(), ["confirmed"]);
    let off = Wanted::RemoveDowntime { id: Some(id), token: None };
    assert_eq!(stage.order(off, &host, "").await.ends(), ["confirmed"]);
    let seen = stage.reading(&Of::Named(host.to_vec())).await;
    assert!(seen.list[0].downtimes[0].said.comment.starts_with("mine"), "{seen:?}");
    // A downtime of the host is none of its service's.
    let all = || Wanted::RemoveDowntime { id: None, token: None };
    assert_eq!(stage.order(all(), &about, "").await.ends(), ["already"]);
    assert_eq!(stage.order(all(), &host, "").await.ends(), ["confirmed"]);
    let both = [target("wn001", "Memory"), about[0].clone()];
    let several = stage.order_as("cccccc", two_hours(), &both, "", PATIENCE).await;
    assert_eq!(several.ends(), ["confirmed", "confirmed"], "{several:?}");
    let token = Some("#cccccc)".to_owned());
    let off = stage.order(Wanted::RemoveDowntime { id: None, token }, &both, "").await;
    assert_eq!(off.ends(), ["confirmed", "confirmed"], "{off:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_never_seen_is_told_as_that() {
    let stage = Stage::open().await;
    let about = problem();
    let well = [target("wn002", "Memory")];
    let ended = stage.order(TAKE, &well, "").await;
    assert_eq!((ended.code(), ended.ends()), (Some(1), vec!["refused"]));
    assert_eq!(
        ended.said,
        "wn002 Memory: the monitoring refuses: This service has no problem: Service 'Memory'@'wn002' has no problem (422)"
    );
    for unknown in [target("nobody", ""), target("wn001", "Nothing")] {
        let ended = stage.order(TAKE, &[unknown], "").await;
        assert!(ended.said.contains("knows no such host or service") && ended.code() == Some(1), "{ended:?}");
    }
    stage.faults.refuse(403, "Forbidden", "You lack the permission: action.acknowledge.");
    let ended = stage.order(TAKE, &about, "").await;
    assert!(ended.said.ends_with("refuses: Forbidden: You lack the permission: action.acknowledge (403)"), "{ended:?}");
    // Of two, one.
    let ended = stage.order_as("eeeeee", TAKE, &[well[0].clone(), about[0].clone()], "", PATIENCE).await;
    assert_eq!((ended.code(), ended.ends()), (Some(1), vec!["confirmed", "refused"]), "{ended:?}");
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &about, "").await.code(), Some(0));

    stage.faults.forget(1);
    let ended = stage.order_as("ab12cd", TAKE, &about, "", IMPATIENCE).await;
    assert_eq!((ended.code(), ended.ends()), (Some(2), vec!["not_confirmed"]));
    assert!(ended.said.contains("took it, but does not show it after"), "{}", ended.said);
    // What comes late is confirmed when it comes.
    stage.faults.hold(true);
    let runner = Stage::runner(stage.options(), PATIENCE);
    let asked = tokio::spawn(async move { carry_out(&runner, ordered("ab12cd", TAKE, &problem(), "")).await });
    while stage.faults.held() == 0 {
        tokio::task::yield_now().await;
    }
    let asked_then = stage.faults.asked();
    while stage.faults.asked() < asked_then + 3 {
        tokio::task::yield_now().await;
    }
    stage.faults.hold(false);
    assert_eq!(asked.await.unwrap().ends(), ["confirmed"]);
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &about, "").await.code(), Some(0));

    // A site that is unwell for a moment is asked again, and one that stays so was never told.
    stage.faults.unwell(2);
    assert_eq!(stage.order(TAKE, &about, "").await.ends(), ["confirmed"]);
    stage.faults.unwell(1_000);
    let ended = stage.order_as("ab12cd", TAKE, &about, "", IMPATIENCE).await;
    let Exit::Unreachable { why } = &ended.exit else { panic!("{ended:?}") };
    assert_eq!(why, "the monitoring cannot be asked: Service Unavailable: The site is being restarted (503)");
    stage.faults.unwell(0);
    let wrong = CheckMkOptions { secret: Ok(Secret::new("wr0ng")), ..stage.options() };
    let ended = carry_out(&Stage::runner(wrong, PATIENCE), ordered("ab12cd", TAKE, &about, "")).await;
    assert!(ended.said.ends_with("refuses: Wrong credentials: Bearer token not valid (401)"), "{ended:?}");
    assert!(!format!("{ended:?}{:?}", stage.options()).contains(&stage.access.secret), "no secret is told");
    let none = MonitoringRunner::new(Vec::new(), 1 << 20, Arc::new(MemoryBlobs::default()), halcyon::app::now);
    let ended = carry_out(&none, ordered("ab12cd", TAKE, &about, "")).await;
    let Exit::Unreachable { why } = &ended.exit else { panic!("{ended:?}") };
    assert!(why.contains("[[monitoring]]"), "{why}");
}

/// A process that died anywhere on the way has an order begun anew: nothing is done twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_lost_is_begun_anew_and_done_once() {
    let stage = Stage::open().await;
    let host = [target("wn001", "")];
    let attach = || {
        let work = Work::Monitoring(Box::new(ordered("ab12cd", two_hours(), &host, "new disks")));
        let begun = BTreeMap::from([(Host::new("localhost"), Begun { attempt: 0, ago: Duration::from_secs(1) })]);
        Attach { execution: execution(), work, begun }
    };
    // Before it was sent, after it was sent and before it was done, and after that.
    for (hold, expected) in [(false, "confirmed"), (true, "already"), (false, "already")] {
        stage.faults.hold(hold);
        if hold {
            let removal = Wanted::RemoveDowntime { id: None, token: None };
            stage.order_as("ab12cd", removal, &host, "", IMPATIENCE).await;
        }
        stage.faults.hold(false);
        let (sender, news) = mpsc::channel(64);
        let runner = Stage::runner(stage.options(), PATIENCE);
        let ((), ended) = tokio::join!(runner.attach(attach(), sender, CancellationToken::new()), heard(news));
        assert!(ended.ends() == [expected] || (hold && ended.ends() == ["confirmed"]), "{hold} {expected}: {ended:?}");
        let seen = stage.reading(&Of::Named(host.to_vec())).await;
        assert_eq!(seen.list[0].downtimes.len(), 1, "{hold}: {seen:?}");
    }

    // It has been taken and waits there while nobody is left who knows that: it is looked for some seconds before it is sent again.
    stage.order(Wanted::RemoveDowntime { id: None, token: None }, &host, "").await;
    let opened = || stage.faults.taken().iter().filter(|(path, _)| path.starts_with("downtime/collections")).count();
    let (before, asked) = (opened(), || stage.faults.asked());
    stage.faults.hold(true);
    let lost = Stage::runner(stage.options(), PATIENCE);
    let order = ordered("ab12cd", two_hours(), &host, "new disks");
    let lost = tokio::spawn(async move { carry_out(&lost, order).await });
    while stage.faults.held() == 0 {
        tokio::task::yield_now().await;
    }
    lost.abort();
    assert!(lost.await.is_err(), "it was lost");
    let (runner, (sender, news)) = (Stage::runner(stage.options(), PATIENCE), mpsc::channel(64));
    let looked = asked() + 4;
    let shown = async {
        while asked() < looked {
            tokio::task::yield_now().await;
        }
        stage.faults.hold(false);
    };
    let ((), ended, ()) = tokio::join!(runner.attach(attach(), sender, CancellationToken::new()), heard(news), shown);
    assert_eq!((ended.ends(), opened() - before), (vec!["already"], 1), "{ended:?}");
    let seen = stage.reading(&Of::Named(host.to_vec())).await;
    assert_eq!(seen.list[0].downtimes.len(), 1, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_forced_and_what_it_found_is_told() {
    let stage = Stage::open().await;
    let about = problem();
    let pid = stage.nodes.abandoned("wn001")[0];
    let seen = stage.order(Wanted::Recheck, &about, "").await;
    assert_eq!((seen.ends(), seen.result["problems"][0]["state"].as_str()), (vec!["confirmed"], Some("critical")));
    assert!(seen.result["problems"][0]["output"].as_str().unwrap().contains(&pid.to_string()), "{seen:?}");
    let host = stage.order(Wanted::Recheck, &[target("wn002", "")], "").await;
    assert_eq!((host.ends(), host.result["problems"][0]["state"].as_str()), (vec!["confirmed"], Some("up")));
    let without = CheckMkOptions { livestatus: None, ..stage.options() };
    let ended = carry_out(&Stage::runner(without, PATIENCE), ordered("ab12cd", Wanted::Recheck, &about, "")).await;
    assert!(ended.code() == Some(1) && ended.said.contains("`livestatus`"), "{ended:?}");
    // Nobody listens there.
    let nobody = Livestatus::Tcp(crate::callbacks::free_on([127, 0, 0, 1].into()).to_string());
    let away = CheckMkOptions { livestatus: Some(nobody), ..stage.options() };
    let ended = carry_out(&Stage::runner(away, IMPATIENCE), ordered("ab12cd", Wanted::Recheck, &about, "")).await;
    assert_eq!(ended.ends(), ["not_confirmed"], "{ended:?}");
    // A program that hands its input on: as by ssh, the words are no shell's.
    let words = ["sh", "-c", "cat > \"$0\"", "given; touch no"].map(str::to_owned);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("given; touch no");
    let mut words = words.to_vec();
    words[3] = file.display().to_string();
    let by_program = CheckMkOptions { livestatus: Some(Livestatus::Command(words)), ..stage.options() };
    let order = ordered("ab12cd", Wanted::Recheck, &[target("wn002", "")], "");
    let ended = carry_out(&Stage::runner(by_program, Duration::from_secs(3)), order).await;
    assert_eq!(ended.ends(), ["not_confirmed"], "{ended:?}");
    let given = std::fs::read_to_string(file).unwrap();
    assert!(given.contains("SCHEDULE_FORCED_HOST_CHECK;wn002;") && given.contains(";Check_MK;"), "{given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_open_is_read_also_of_an_older_site() {
    let stage = Stage::open().await;
    for old in [false, true] {
        stage.faults.get_only(old);
        let open = stage.reading(&Of::Open).await;
        let names: Vec<_> =
            open.list.iter().map(|standing| (&*standing.problem.host, standing.problem.service.as_deref())).collect();
        assert_eq!(names, [("wn001", Some("Unparent processes"))], "{open:?}");
        assert!(open.all && open.list[0].hard && open.list[0].problem.site == "cluster");
        let named =
            stage.reading(&Of::Named(vec![target("wn002", "Memory"), target("wn002", ""), target("x", "")])).await;
        assert_eq!((named.list.len(), named.unknown), (2, vec![target("x", "")]));
    }
    let gone = CheckMkOptions { address: stage.access.address.replace("/cluster/", "/other/"), ..stage.options() };
    let refused = CheckMk::new(gone).read(&Of::Open).await.unwrap_err();
    assert!(matches!(refused, MonitoringError::Refused { .. }), "{refused:?}");
}

/// An address is not longer than what a web server takes, however long the names are; the sandbox refuses one that is, as Apache does.
#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_asked_for_in_several_addresses() {
    let stage = Stage::open().await;
    stage.faults.get_only(true);
    let host = |number: usize| format!("wn{number:04}.{}.example.org", "rack".repeat(50));
    let many = (0..25).map(|number| target(&host(number), &format!("Dateisystem /{}", "ü".repeat(100))));
    let many: Vec<Target> = many.chain([target("wn002", "Memory"), target("wn002", "")]).collect();
    for count in [25, 27] {
        let seen = stage.reading(&Of::Named(many[many.len() - count..].to_vec())).await;
        assert_eq!((seen.list.len(), seen.unknown.len()), (2, count - 2));
    }
}

/// Many are told of by one query, and looked at together; each has an end of its own.
#[tokio::test(flavor = "multi_thread")]
async fn many_things_are_one_command_and_each_has_its_end() {
    let stage = Stage::open().await;
    stage.nodes.abandon("wn002", "atlsqmal").unwrap();
    let both = [target("wn001", "Unparent processes"), target("wn002", "Unparent processes")];
    assert_eq!(stage.order(Wanted::Recheck, &both, "").await.code(), Some(0));
    let paths = |from: usize| {
        let taken = stage.faults.taken();
        taken.into_iter().skip(from).map(|(path, body)| (path, body["acknowledge_type"].clone())).collect::<Vec<_>>()
    };
    let before = stage.faults.taken().len();
    let ended = stage.order(TAKE, &both, "the switch").await;
    assert_eq!((ended.code(), ended.ends()), (Some(0), vec!["confirmed", "confirmed"]), "{ended:?}");
    assert_eq!((&ended.result["count"], &ended.result["counts"]["confirmed"]), (&json!(2), &json!(2)));
    assert_eq!(paths(before), [("acknowledge/collections/service".to_owned(), json!("service_by_query"))]);
    let before = stage.faults.taken().len();
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &both, "").await.code(), Some(0));
    assert_eq!(paths(before).len(), 1);
    // Hosts and services are two questions there.
    let mixed = [target("wn001", ""), target("wn002", ""), both[0].clone(), both[1].clone()];
    let before = stage.faults.taken().len();
    let ended = stage.order_as("dddddd", two_hours(), &mixed, "", PATIENCE).await;
    assert_eq!(ended.ends(), ["confirmed"; 4], "{ended:?}");
    let kinds: Vec<Value> =
        stage.faults.taken()[before..].iter().map(|(_, body)| body["downtime_type"].clone()).collect();
    assert_eq!(kinds, ["host_by_query", "service_by_query"]);
    let removal = Wanted::RemoveDowntime { id: None, token: Some("#dddddd".to_owned()) };
    assert_eq!(stage.order(removal, &mixed, "").await.code(), Some(0));

    // A site that knows no queries is told of each.
    stage.faults.no_query(true);
    let before = stage.faults.taken().len();
    assert_eq!(stage.order_as("cccccc", TAKE, &both, "", PATIENCE).await.ends(), ["confirmed", "confirmed"]);
    assert_eq!(paths(before).len(), 2);
    stage.faults.no_query(false);
    assert_eq!(stage.order(Wanted::RemoveAcknowledgement, &both, "").await.code(), Some(0));
    // What one of them does not do is its own end.
    stage.faults.deaf_to("wn002");
    let ended = stage.order_as("bbbbbb", TAKE, &both, "", SOME_PATIENCE).await;
    assert_eq!((ended.code(), ended.ends()), (Some(2), vec!["confirmed", "not_confirmed"]), "{ended:?}");

    // Of very many what was not done is named, as far as there is room; and no look costs a question for each of them.
    let many: Vec<Target> = (0..200).map(|number| target(&format!("wn{number:04}.example.org"), "")).collect();
    let asked = stage.faults.asked();
    let ended = stage.order(TAKE, &many, "").await;
    assert!(stage.faults.asked() - asked < 20, "{}", stage.faults.asked() - asked);
    let named = ended.result["problems"].as_array().unwrap().len();
    assert_eq!((&ended.result["counts"]["refused"], ended.code()), (&json!(200), Some(1)));
    assert_eq!(u64::try_from(named).unwrap() + ended.result["left_out"].as_u64().unwrap(), 200);
    assert!((10..100).contains(&named), "{named}");
}
