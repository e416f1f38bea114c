//! The sandbox's monitoring: what it knows of the nodes and when, and how Livestatus answers.

use super::sandbox_nodes::{Cluster, PATIENCE};
use halcyon::sandbox::nodes::{Fault, MonitoringOptions};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn cluster() -> Cluster {
    Cluster::start_with(2, |options| {
        options.user = "root".to_owned();
        options.monitoring = Some(MonitoringOptions::new("mon01"));
    })
    .await
}

impl Cluster {
    async fn livestatus(&self, question: &str) -> String {
        let seen = self.ask("mon01", &format!("printf '{question}' | \"$HOME/bin/lq\"")).await;
        assert_eq!((seen.code, seen.err.as_str()), (0, ""), "{question}");
        seen.out
    }

    /// Services of a node: name, state, last check, state of the host.
    async fn services(&self, node: &str) -> Vec<Value> {
        let question = format!(
            r"GET services\nColumns: description state last_check host_state\nFilter: host_name = {node}\nOutputFormat: json\n\n"
        );
        serde_json::from_str(&self.livestatus(&question).await).unwrap()
    }

    async fn services_until(&self, node: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let services = self.services(node).await;
            if wanted(&services) {
                return services;
            }
            assert!(Instant::now() < until, "{node}: {services:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn of<'a>(services: &'a [Value], name: &str) -> &'a Value {
    services.iter().find(|service| service[0] == name).unwrap()
}

/// Checks go on, show what is wrong on the node, and stop where there is nothing to be reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sees_what_is_on_the_nodes() {
    let cluster = cluster().await;
    let first = cluster.services("wn001").await;
    for name in
        ["Check_MK", "CPU load", "Filesystem /", "Memory", "Process slurmd", "Systemd Service Summary", "Uptime"]
    {
        let service = of(&first, name);
        assert!(service[2].as_i64().unwrap() > 1_700_000_000 && service[3] == 0, "{service}");
    }
    assert_eq!(of(&first, "Process slurmd")[1], 0);
    let later =
        |services: &[Value]| services.iter().all(|service| service[2].as_i64() > of(&first, "Uptime")[2].as_i64());
    cluster.services_until("wn001", later).await;

    assert_eq!(cluster.ask("wn001", "systemctl stop slurmd").await.code, 0);
    cluster.services_until("wn001", |services| of(services, "Process slurmd")[1] == 2).await;

    assert!(cluster.nodes.fault("wn001", Fault::StaysDown).await);
    assert_eq!(cluster.ask("wn001", "reboot").await.code, 255);
    let down = cluster.services_until("wn001", |services| services[0][3] == 1).await;
    assert_eq!(of(&down, "Check_MK")[1], 2);
    let stale = of(&down, "Memory")[2].clone();
    // The others are as they were, however often it is tried.
    let tried = of(&down, "Check_MK")[2].as_i64().unwrap();
    let down = cluster.services_until("wn001", |services| of(services, "Check_MK")[2].as_i64().unwrap() > tried).await;
    assert_eq!((&of(&down, "Memory")[2], &of(&down, "Process slurmd")[1]), (&stale, &json!(2)));
    assert!(cluster.nodes.heal("wn001").await);
    let up = cluster.services_until("wn001", |services| services.iter().all(|service| service[3] == 0)).await;
    assert!(of(&up, "Memory")[2].as_i64() > stale.as_i64());
    assert_eq!(of(&up, "Process slurmd")[1], 0);
    assert_eq!(of(&cluster.services("wn002").await, "Check_MK")[1], 0);
}

/// Question, answer. `…` in the answer stands for anything.
const QUESTIONS: &[(&str, &str)] = &[
    (r"GET hosts\nColumns: name state\n\n", "mon01;0\nwn001;0\nwn002;0\n"),
    (r"GET hosts\nColumns: name state\nOutputFormat: json\n\n", "[[\"mon01\",0],\n[\"wn001\",0],\n[\"wn002\",0]]\n"),
    (r"GET hosts\nColumns: host_name\nFilter: name ~ ^wn\nLimit: 1\n\n", "wn001\n"),
    (r"GET hosts\nColumns: name\nColumnHeaders: on\nFilter: name = wn002\n", "name\nwn002\n"),
    (r"GET hosts\nColumns: name\nFilter: name = wn001\nFilter: name = wn002\nOr: 2\n\n", "wn001\nwn002\n"),
    (r"GET hosts\nColumns: name\nFilter: name = wn001\nNegate:\nFilter: name !~ mon\n\n", "wn002\n"),
    (r"GET hosts\nColumns: name\nFilter: state > 0\n\n", ""),
    (r"GET hosts\nColumns: name\nFilter: name = nobody\nOutputFormat: json\n\n", "[]\n"),
    (
        r"GET services\nColumns: host_name description\nFilter: description ~~ ^process\n\n",
        "wn001;Process slurmd\nwn002;Process slurmd\n",
    ),
    (r"GET status\nColumns: num_hosts\nResponseHeader: fixed16\n\n", "200           2\n3\n"),
    // Without the header there is no room for the reason.
    (r"GET hosts\nColumns: nonsense\n\n", ""),
    (
        r"GET hosts\nColumns: nonsense\nResponseHeader: fixed16\n\n",
        "400          39\nTable 'hosts' has no column 'nonsense'\n",
    ),
    (r"GET nonsense\nResponseHeader: fixed16\n\n", "404…no such table 'nonsense'\n"),
    (r"GET hosts\nNonsense: 1\nResponseHeader: fixed16\n\n", "400…Undefined request header 'Nonsense'\n"),
    (r"PUT hosts\nResponseHeader: fixed16\n\n", "400…Invalid request method 'PUT'\n"),
    (r"GET hosts\nFilter: name\nResponseHeader: fixed16\n\n", "400…missing operator in 'name'\n"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn livestatus_answers_what_it_is_asked() {
    let cluster = cluster().await;
    let mut wrong = Vec::new();
    for (question, expected) in QUESTIONS {
        let said = cluster.livestatus(question).await;
        let fits = match expected.split_once('…') {
            Some((before, after)) => said.starts_with(before) && said.ends_with(after),
            None => said == *expected,
        };
        if !fits {
            wrong.push(format!("{question}\n   wanted {expected:?}\n      saw {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Its program can be given the question as well, and only the monitoring's own machine has it.
    let asked = cluster.ask("mon01", r#"bin/lq "GET hosts\nColumns: name\nLimit: 1""#).await;
    assert_eq!(asked.out, "mon01\n", "{asked:?}");
    assert_eq!(cluster.ask("wn001", "unixcat /omd/sites/cluster/tmp/run/live").await.code, 4);
    assert_eq!(cluster.ask("mon01", "whoami; cd; pwd").await.out, "cluster\n/omd/sites/cluster\n");
}

/// A cluster whose monitoring looks only when it is told to.
async fn on_demand(attempts: u32) -> Cluster {
    let cluster = Cluster::start_with(1, |options| {
        options.user = "root".to_owned();
        options.pace = 0.01;
        options.monitoring = Some(MonitoringOptions { check_every: 1e6, attempts, ..MonitoringOptions::new("mon01") });
    });
    cluster.await
}

const SERVICE: &str = "wn001;Unparent processes";

impl Cluster {
    async fn command(&self, command: &str) {
        assert_eq!(self.livestatus(&format!(r"COMMAND [1] {command}\n\n")).await, "");
    }

    /// Has the node checked, waits until it was, and tells some columns of its service.
    async fn checked(&self, columns: &str) -> String {
        let waits = r"GET hosts\nColumns: name\nWaitTrigger: check\nWaitTimeout: 2000\nKeepAlive: on\n\n";
        let asks = format!(r"GET services\nColumns: {columns}\nFilter: description = Unparent processes\n\n");
        let said =
            self.livestatus(&format!(r"COMMAND [1] SCHEDULE_FORCED_SVC_CHECK;wn001;Check_MK;0\n\n{waits}{asks}")).await;
        said.lines().last().unwrap_or_default().to_owned()
    }

    /// What was told since it was asked last: kind, thing, state.
    fn told(&self, seen: &mut usize) -> String {
        let told = self.nodes.notified();
        let news = told[*seen..].iter().map(|one| {
            let service = one.service.as_deref().map(|service| format!("/{service}")).unwrap_or_default();
            format!("{} {}{service} {}", one.kind, one.host, one.state)
        });
        let news = news.collect::<Vec<_>>().join(", ");
        *seen = told.len();
        news
    }
}

/// A bad state is believed when it was found often enough, and not told before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_once_is_not_believed() {
    let cluster = on_demand(3).await;
    let mut seen = 0;
    cluster.told(&mut seen);
    let columns = "state hard_state state_type current_attempt";
    assert_eq!(cluster.checked(columns).await, "0;0;1;1");
    cluster.nodes.abandon("wn001", "atlsqmal").unwrap();
    assert_eq!(cluster.checked(columns).await, "2;0;0;1");
    assert_eq!(cluster.checked(columns).await, "2;0;0;2");
    // It was only a moment.
    assert_eq!(cluster.ask("wn001", "pkill -f pilot.py").await.code, 0);
    assert_eq!((cluster.checked(columns).await.as_str(), cluster.told(&mut seen).as_str()), ("0;0;1;1", ""));
    cluster.nodes.abandon("wn001", "atlsqmal").unwrap();
    for (columns_then, told) in
        [("2;0;0;1", ""), ("2;0;0;2", ""), ("2;2;1;3", "PROBLEM wn001/Unparent processes 2"), ("2;2;1;3", "")]
    {
        assert_eq!((cluster.checked(columns).await.as_str(), cluster.told(&mut seen).as_str()), (columns_then, told));
    }
}

/// What people tell the monitoring, and when it is silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_and_what_is_not() {
    let cluster = on_demand(1).await;
    let mut seen = 0;
    cluster.told(&mut seen);
    let columns = "state acknowledged scheduled_downtime_depth";
    let far = "0;4000000000;1;0;0";
    // Nothing can be taken on that is well, and what is not watched is not told of.
    cluster.command(&format!("ACKNOWLEDGE_SVC_PROBLEM;{SERVICE};1;1;0;operator;on it")).await;
    cluster.command("SEND_CUSTOM_HOST_NOTIFICATION;nobody;0;operator;hello").await;
    assert_eq!((cluster.checked(columns).await.as_str(), cluster.told(&mut seen).as_str()), ("0;0;0", ""));

    cluster.nodes.abandon("wn001", "atlsqmal").unwrap();
    assert_eq!(cluster.checked(columns).await, "2;0;0");
    assert_eq!(cluster.told(&mut seen), "PROBLEM wn001/Unparent processes 2");
    cluster.command(&format!("ACKNOWLEDGE_SVC_PROBLEM;{SERVICE};1;1;0;operator;on it; really")).await;
    cluster.command(&format!("SEND_CUSTOM_SVC_NOTIFICATION;{SERVICE};0;operator;look")).await;
    assert_eq!(cluster.checked(columns).await, "2;1;0");
    assert_eq!(
        cluster.told(&mut seen),
        "ACKNOWLEDGEMENT wn001/Unparent processes 2, CUSTOM wn001/Unparent processes 2"
    );
    cluster.command(&format!("REMOVE_SVC_ACKNOWLEDGEMENT;{SERVICE}")).await;
    assert_eq!((cluster.checked(columns).await.as_str(), cluster.told(&mut seen).as_str()), ("2;0;0", ""));

    // In a downtime: not even that it is over, and what begins in it is told at its end.
    cluster.command(&format!("SCHEDULE_SVC_DOWNTIME;{SERVICE};{far};operator;wf-17")).await;
    assert_eq!(cluster.told(&mut seen), "DOWNTIMESTART wn001/Unparent processes 2");
    cluster.command(&format!("SEND_CUSTOM_SVC_NOTIFICATION;{SERVICE};0;operator;look")).await;
    assert_eq!(cluster.ask("wn001", "pkill -f pilot.py").await.code, 0);
    assert_eq!(cluster.checked(columns).await, "0;0;1");
    cluster.nodes.abandon("wn001", "cmssgm").unwrap();
    assert_eq!((cluster.checked(columns).await.as_str(), cluster.told(&mut seen).as_str()), ("2;0;1", ""));
    // A forced one is sent whatever forbids it.
    cluster.command(&format!("SEND_CUSTOM_SVC_NOTIFICATION;{SERVICE};2;operator;look")).await;
    assert_eq!(cluster.told(&mut seen), "CUSTOM wn001/Unparent processes 2");
    let asked =
        r"GET downtimes\nColumns: id host_name service_description comment is_active\nFilter: comment = wf-17\n\n";
    assert_eq!(cluster.livestatus(asked).await, "1;wn001;Unparent processes;wf-17;1\n");
    cluster.command("DEL_HOST_DOWNTIME;1").await;
    assert_eq!(cluster.told(&mut seen), "", "that is no downtime of a host");
    cluster.command("DEL_SVC_DOWNTIME;1").await;
    assert_eq!(
        cluster.told(&mut seen),
        "DOWNTIMECANCELLED wn001/Unparent processes 2, PROBLEM wn001/Unparent processes 2"
    );

    // A host that is down is told of, and its services are not.
    assert!(cluster.nodes.fault("wn001", Fault::StaysDown).await);
    assert_eq!(cluster.ask("wn001", "reboot").await.code, 255);
    assert_eq!(cluster.checked(columns).await, "2;0;0");
    assert_eq!(cluster.told(&mut seen), "PROBLEM wn001 1");
    assert!(cluster.nodes.heal("wn001").await);
    assert_eq!(cluster.checked(columns).await, "0;0;0");
    assert_eq!(cluster.told(&mut seen), "RECOVERY wn001 0, RECOVERY wn001/Unparent processes 0");

    // A downtime of the host goes for what is on it.
    cluster.command(&format!("SCHEDULE_HOST_DOWNTIME;wn001;{far};operator;wf-18")).await;
    cluster.nodes.abandon("wn001", "atlsqmal").unwrap();
    assert_eq!(cluster.checked("state host_scheduled_downtime_depth").await, "2;1");
    assert_eq!(cluster.told(&mut seen), "DOWNTIMESTART wn001 0");
    cluster.command("DEL_HOST_DOWNTIME;2").await;
    assert_eq!(cluster.told(&mut seen), "DOWNTIMECANCELLED wn001 0, PROBLEM wn001/Unparent processes 2");
}

/// What comes and goes is told to do so, once, until it stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_and_goes() {
    let cluster = on_demand(1).await;
    let mut seen = 0;
    cluster.told(&mut seen);
    let mut story = Vec::new();
    for turn in 0..4 {
        cluster.nodes.abandon("wn001", "atlsqmal").unwrap();
        cluster.checked("state").await;
        story.push(cluster.told(&mut seen));
        assert_eq!(cluster.ask("wn001", "pkill -f pilot.py").await.code, 0, "{turn}");
        cluster.checked("state").await;
        story.push(cluster.told(&mut seen));
    }
    let (problem, recovery) = ("PROBLEM wn001/Unparent processes 2", "RECOVERY wn001/Unparent processes 0");
    assert_eq!(
        story,
        [problem, recovery, problem, recovery, problem, "FLAPPINGSTART wn001/Unparent processes 0", "", ""]
    );
    assert_eq!(cluster.checked("is_flapping").await, "1");
    let end = Instant::now() + PATIENCE;
    while cluster.checked("is_flapping").await == "1" {
        assert!(Instant::now() < end);
    }
    assert_eq!(cluster.told(&mut seen), "FLAPPINGSTOP wn001/Unparent processes 0");
}

/// The agent's plugin names what the service counts, for whoever wants to kill it; and administration reaches every node by its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_named_and_can_be_killed_from_afar() {
    let cluster = Cluster::start_with(2, |options| {
        options.user = "root".to_owned();
        options.administration = Some("puppet".to_owned());
    })
    .await;
    let pid = cluster.nodes.abandon("wn002", "atlsqmal").unwrap();
    let check = "/usr/share/check-mk-agent/plugins/check_unparent";
    let named = cluster.ask("wn002", check).await;
    assert!(named.out.contains(&format!("\natlsqmal pid={pid} age=")) && named.out.lines().count() == 2, "{named:?}");
    assert_eq!(cluster.ask("wn001", check).await.out, "<<<unparent>>>\n");
    let asked = cluster
        .ask("puppet", &format!("pdsh -w wn[001-002],wn009 \"hostname -s; {check} | egrep -o 'pid=[[:digit:]]+'\""))
        .await;
    assert_eq!(asked.out, format!("wn001: wn001\nwn002: wn002\nwn002: pid={pid}\n"), "{asked:?}");
    assert!(asked.err.contains("pdsh@puppet: wn001: ssh exited with exit code 1\n"), "{asked:?}");
    assert!(asked.err.contains("wn009: ssh: wn009: Could not resolve hostname"), "{asked:?}");
    // Only there; and a class that stands alone is refused, as by the real egrep.
    assert_eq!(cluster.ask("wn001", "pdsh -w wn002 uptime").await.code, 127);
    assert_eq!(cluster.ask("wn001", "echo pid=1 | egrep -o 'pid=[:digit:]+'").await.code, 2);
    assert_eq!(cluster.ask("wn001", "true | xargs kill").await.code, 123);
    assert_eq!(cluster.ask("wn001", "true | xargs -r kill").await.code, 0);
    assert_eq!(cluster.ask("puppet", &format!("pdsh -N -w wn002 kill {pid}")).await.err, "");
    assert!(cluster.nodes.abandoned("wn002").is_empty());
}
