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
