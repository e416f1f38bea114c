//! The sandbox's batch system, beside what a real one said, and what time does to it.

use super::sandbox_nodes::{Cluster, PATIENCE, Seen};
use crate::data;
use halcyon::sandbox::nodes::{BatchOptions, BatchState, Fault};
use std::time::{Duration, Instant};

async fn cluster(count: usize, jobs: u32, pace: f64) -> Cluster {
    cluster_of(count, pace, BatchOptions { jobs, ..BatchOptions::new("slurm01") }).await
}

async fn cluster_of(count: usize, pace: f64, batch: BatchOptions) -> Cluster {
    Cluster::start_with(count, |options| {
        options.user = "root".to_owned();
        options.pace = pace;
        options.batch = Some(batch);
    })
    .await
}

impl Cluster {
    fn batch(&self, node: &str) -> BatchState {
        self.nodes.batch_state(node).unwrap()
    }

    async fn batch_until(&self, node: &str, wanted: impl Fn(&BatchState) -> bool) -> BatchState {
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.batch(node);
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < until, "{node} stayed {state:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the batch system's daemon is there, or is not.
    async fn controller(&self, there: bool) {
        let until = Instant::now() + PATIENCE;
        while (self.ask("slurm01", "scontrol ping").await.code == 0) != there {
            assert!(Instant::now() < until, "the daemon did not come or go");
        }
    }
}

/// What was said, as the recorded session has it.
fn noted(seen: &Seen, jobs: &[u32]) -> Vec<String> {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d").unwrap();
    let plain = |text: &str| {
        let mut text = time.replace_all(text, "TIME").into_owned();
        for (at, job) in jobs.iter().enumerate() {
            text = text.replace(&job.to_string(), &format!("{{job{}}}", at + 1));
        }
        text
    };
    let (out, err) = (plain(&seen.out), plain(&seen.err));
    let out = out.lines().map(|line| format!("O|{line}"));
    let err = err.lines().map(|line| format!("E|{line}"));
    out.chain(err).chain([format!("= {}", seen.code)]).collect()
}

/// Every word of a recorded session with a real Slurm, said to the sandbox's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_as_a_real_slurm_did() {
    // A silent node is lost when the session says so, however long the commands before take.
    let batch = BatchOptions { jobs: 0, lost: Duration::from_secs(3_600), ..BatchOptions::new("slurm01") };
    let cluster = cluster_of(4, 0.0, batch).await;
    let session = std::fs::read_to_string(data("slurm/session.txt")).unwrap();
    let mut jobs: Vec<u32> = Vec::new();
    let mut wrong = Vec::new();
    let mut lines = session.lines().peekable();
    let mut told = 0;
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["!", "job", node] => jobs.push(cluster.nodes.submit_job(node).unwrap()),
            ["!", "settle"] => {
                cluster.nodes.tell_batch();
                for node in ["wn001", "wn002", "wn003", "wn004"] {
                    cluster.batch_until(node, |state| !state.state.ends_with('*') && state.state != "completing").await;
                }
            }
            ["!", "silent", node, state] => {
                assert_eq!(cluster.ask(node, "systemctl stop slurmd").await.code, 0);
                cluster.batch_until(node, |now| now.state == *state).await;
            }
            ["!", "until", node, state] => {
                cluster.nodes.give_up_on_silent();
                cluster.batch_until(node, |now| now.state == *state).await;
            }
            ["!", "answers", node] => {
                assert_eq!(cluster.ask(node, "systemctl start slurmd").await.code, 0);
                cluster.batch_until(node, |now| !now.state.ends_with('*')).await;
            }
            ["!", "no", "controller"] => {
                assert_eq!(cluster.ask("slurm01", "systemctl stop slurmctld").await.code, 0);
                cluster.controller(false).await;
            }
            ["!", "controller"] => {
                assert_eq!(cluster.ask("slurm01", "systemctl start slurmctld").await.code, 0);
                cluster.controller(true).await;
            }
            [who @ ("$" | "%"), ..] => {
                told += 1;
                let mut command = line[2..].to_owned();
                for (at, job) in jobs.iter().enumerate() {
                    command = command.replace(&format!("{{job{}}}", at + 1), &job.to_string());
                }
                if *who == "%" {
                    command = format!("sudo -u nobody {command}");
                }
                let mut expected = Vec::new();
                while let Some(answer) = lines.next_if(|next| next.starts_with(['O', 'E', '='])) {
                    expected.push(answer.to_owned());
                }
                let seen = noted(&cluster.ask("slurm01", &command).await, &jobs);
                if seen != expected {
                    wrong.push(format!(
                        "{line}\n  real: {}\n  here: {}",
                        expected.join("\n        "),
                        seen.join("\n        ")
                    ));
                }
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "{line}"),
        }
    }
    assert!(told > 100, "the session is not whole");
    assert!(wrong.is_empty(), "{} of {told} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Jobs end and others follow; on a node that drains they end and none follows, and when it is back it has jobs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_empty_after_a_while() {
    let cluster = cluster(6, 3, 0.005).await;
    let mut busy = Vec::new();
    for node in cluster.nodes.names() {
        if cluster.batch(node).jobs > 0 {
            busy.push(node.to_owned());
        }
    }
    assert!(!busy.is_empty() && busy.len() < 6, "some have jobs and some have none: {busy:?}");
    let list = |out: String| out.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let node = &busy[0];
    let jobs = format!("squeue -h -w {node} -o %i");
    let first = list(cluster.ask("slurm01", &jobs).await.out);
    let until = Instant::now() + PATIENCE;
    // All of the first have gone, and there are as many.
    while list(cluster.ask("slurm01", &jobs).await.out).iter().any(|job| first.contains(job)) {
        assert!(Instant::now() < until, "{first:?} do not end");
    }
    assert_eq!(cluster.batch(node).jobs, first.len());
    let drain = format!("scontrol update nodename={node} state=drain reason=upgrade");
    assert_eq!(cluster.ask("slurm01", &drain).await.code, 0);
    let state = cluster.batch_until(node, |state| state.jobs == 0).await;
    assert_eq!((state.state.as_str(), state.reason.as_deref()), ("drained", Some("upgrade")));
    let stuck = cluster.nodes.submit_job(node).unwrap();
    assert_eq!(cluster.batch(node).state, "draining");
    assert_eq!(cluster.ask("slurm01", &format!("scancel {stuck}")).await.code, 0);
    cluster.batch_until(node, |state| state.state == "drained").await;
    assert_eq!(cluster.ask("slurm01", &format!("scontrol update nodename={node} state=resume")).await.code, 0);
    cluster.batch_until(node, |state| state.jobs == first.len() && !state.state.ends_with('*')).await;
}

/// A node that does not come back from its reboot is away until it is healed, for everybody who looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stays_down_is_known_to_be() {
    let cluster = cluster(2, 0, 0.0).await;
    let drain = "scontrol update nodename=wn001 state=drain reason=upgrade";
    assert_eq!(cluster.ask("slurm01", drain).await.code, 0);
    assert!(cluster.nodes.fault("wn001", Fault::StaysDown).await);
    assert!(cluster.nodes.fault("wn002", Fault::StaysDown).await);
    let boot = "cat /proc/sys/kernel/random/boot_id";
    let before = cluster.ask("wn001", boot).await;
    assert_eq!(before.code, 0, "until its reboot it is well: {before:?}");
    for node in ["wn001", "wn002"] {
        assert_eq!(cluster.ask(node, "reboot").await.code, 255);
    }
    // Who has drained it has said why; of the other one it is the batch system that says it.
    let state = cluster.batch_until("wn002", |state| state.state == "down*").await;
    assert_eq!(state.reason.as_deref(), Some("Not responding"));
    let state = cluster.batch("wn001");
    assert_eq!((state.state.as_str(), state.reason.as_deref()), ("drained*", Some("upgrade")));
    assert_eq!(cluster.ask("wn001", boot).await.code, 255);
    assert!(cluster.nodes.heal("wn001").await && cluster.nodes.heal("wn002").await);
    let after = cluster.ask("wn001", boot).await;
    assert!(after.code == 0 && after.out != before.out, "{after:?}");
    cluster.batch_until("wn001", |state| state.state == "drained").await;
    cluster.batch_until("wn002", |state| state.state == "idle" && state.reason.is_none()).await;
    // The fault was for one reboot.
    assert!(cluster.nodes.reboot("wn001").await);
}

/// There is none where none is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_one_nobody_answers() {
    let cluster = Cluster::start(1).await;
    let seen = cluster.ask("wn001", "sinfo").await;
    assert_eq!((seen.code, seen.err.contains("Unable to contact slurm controller")), (1, true));
    assert_eq!(cluster.nodes.batch_state("wn001"), None);
}
