//! The kernel upgrade that comes along, as it is, on a cluster of real programs: `./test.sh peers` calls for it.
//!
//! | real | stands for something |
//! | --- | --- |
//! | Slurm: `slurmctld`, a `slurmd` for each node, `munged`, and the commands that the pack's actions call; a job that runs | |
//! | an OpenSSH server for each machine, with an address of its own; the node wrapper | all are on one machine and one account |
//! | Exim with TLS and a password | |
//! | the pack's workflows, actions and policies | in `site.boot`, two files of the kernel's: each node has its own |
//! | what a reboot takes along: the sshd of the node, all that runs there, its `slurmd`, which reports a boot when it comes back | `reboot` itself, a program that asks the test for that |
//! | | `dnf`, `rpm` and `uname -r`: programs that know two kernels |
//! | | `lq`, the way to Livestatus: a program that looks whether the sshd of the node speaks |
//!
//! The chat is the sandbox's.

mod machines;
mod slurm;

use super::kernel_upgrade::{approve, copy_of_the_pack};
use super::runners::peers::Exim;
use super::ssh::{poll, poll_within};
use super::world::World;
use crate::data;
use halcyon::config::{Mail, MailEncryption};
use halcyon::core::action::run::Secret;
use machines::Machines;
use slurm::Slurm;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const NODES: [&str; 4] = ["wn001", "wn002", "wn003", "wn004"];
/// Why somebody has taken `wn003` out of service before.
const BEFORE: &str = "bad disk, the vendor comes on Monday";

/// The pack as it is, but for the two files of the kernel's that each node has to have for itself, and its configuration.
fn pack(directory: &Path) -> PathBuf {
    let pack = copy_of_the_pack(directory);
    let file = pack.join("actions/boot.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut ours = text.clone();
    for (kernel, node) in [
        ("< /proc/sys/kernel/random/boot_id", "< \"$HALCYON_NODE/boot_id\""),
        ("< /proc/uptime", "< \"$HALCYON_NODE/uptime\""),
    ] {
        assert_eq!(text.matches(kernel).count(), 1, "{kernel} in {text}");
        ours = ours.replace(kernel, node);
    }
    std::fs::write(file, ours).unwrap();
    let config = "batch_server: head\nmonitoring_server: mon\nmail_to: ops@example.org\n";
    std::fs::create_dir(directory.join("configs")).unwrap();
    std::fs::write(directory.join("configs/site.yaml"), config).unwrap();
    pack
}

/// A bot that can reach all of it.
async fn world(machines: &Machines, exim: &Exim) -> World {
    let mut world = World::without_bot("").await;
    let pack = pack(world.directory.path());
    world.config.content.packs = vec![pack, world.directory.path().join("configs")];
    world.config.ssh.config_file = Some(machines.ssh_config());
    world.config.inventory.hosts = vec!["wn[001-004],head,mon".to_owned()];
    world.config.inventory.groups.clear();
    world.config.mail = Some(Mail {
        host: "localhost".to_owned(),
        port: exim.port,
        encryption: MailEncryption::StartTls,
        ca_file: Some(data("tls/ca.pem")),
        from: "Halcyon <halcyon@example.org>".to_owned(),
        login: Some(("halcyon".to_owned(), Ok(Secret::new("s3cret")))),
    });
    world.start_bot().await;
    world
}

/// A node that does not come back is waited for, and all of it runs beside other tests.
const PATIENCE: Duration = Duration::from_secs(180);

fn locked(slurm: &Mutex<Slurm>) -> MutexGuard<'_, Slurm> {
    slurm.lock().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_a_kernel_upgrade_on_a_real_cluster() {
    if std::env::var_os("HALCYON_PEERS").is_none_or(|value| value != "1") {
        // Past the harness, which keeps the output of tests that pass to itself.
        let _ =
            writeln!(std::io::stderr(), "peers_cluster: not run; it meets a real Slurm when HALCYON_PEERS=1 is set");
        return;
    }
    let slurm = Arc::new(Mutex::new(Slurm::start(&NODES)));
    let exim = Exim::start();
    let machines = Machines::start(&NODES, &slurm, "wn004");
    locked(&slurm).drain("wn003", BEFORE);
    // It ends when it is let go.
    let (go, ends) = (machines.path("go"), machines.path("job-ended"));
    let script = format!("until [ -e {} ]; do sleep 0.2; done; date +%s.%N >{}", go.display(), ends.display());
    let job = locked(&slurm).submit("wn001", &script);
    poll("the job runs", || locked(&slurm).job(&job) == "RUNNING");

    let mut world = world(&machines, &exim).await;
    let line =
        world.write("operator", "!upgrade kernel on wn[001-004] poll=1 back_within=15 healthy_within=30 at_a_time=4");
    let card = world.answer_that(&line, |post| post.message.starts_with(":lock:")).await;
    approve(&world, &card);

    // The nodes are taken out, with our reason; the one with a job waits for it, and the one that was out keeps the reason that it had.
    let ours = |node: &str, state: &str| {
        let (stands, why) = locked(&slurm).node(node);
        stands.starts_with(state) && why.starts_with("halcyon: kernel upgrade ")
    };
    tokio::task::block_in_place(|| poll("the node with a job is taken out", || ours("wn001", "draining")));
    tokio::task::block_in_place(|| poll("others are upgraded meanwhile", || machines.ledger("wn002").len() == 2));
    // By now all that was to be rebooted is: of a reboot that nobody heard the end of, on a node that stays away, people would be asked.
    tokio::task::block_in_place(|| poll_within(PATIENCE, "one is back", || locked(&slurm).node("wn002").0 == "idle"));
    // The process is gone for a moment, and goes on.
    world.kill_bot();
    world.start_bot().await;
    assert_eq!(locked(&slurm).job(&job), "RUNNING");
    assert!(ours("wn001", "draining"), "{:?}", locked(&slurm).node("wn001"));
    assert_eq!(machines.ledger("wn001"), [], "nothing is done to a node with a job on it");
    assert_eq!(locked(&slurm).node("wn003"), ("drained".to_owned(), BEFORE.to_owned()));
    std::fs::write(go, "").unwrap();

    let told = world.answer_within(PATIENCE, &line, |post| post.message.contains("verdict:")).await.message;
    for shown in ["done, and not all upgraded", "wn004: the node has not come back from its reboot (offline)"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
    // The job has come to its own end, and only then was anything done.
    assert_eq!(locked(&slurm).job(&job), "COMPLETED");
    let ended: f64 = std::fs::read_to_string(&ends).unwrap().trim().parse().unwrap();
    let first = machines.ledger("wn001").first().unwrap().0;
    assert!(ended < first, "the job ended at {ended}, and dnf was called at {first}");
    for node in NODES {
        let done: Vec<String> = machines.ledger(node).into_iter().map(|(_, what)| what).collect();
        assert_eq!(done, ["dnf -y upgrade kernel*", "reboot"], "{node}");
    }
    // Back to how they were: in service and at work; out, with the reason that somebody gave; out, with ours.
    for node in ["wn001", "wn002"] {
        assert_eq!(locked(&slurm).node(node), ("idle".to_owned(), "none".to_owned()), "{node}");
        let job = locked(&slurm).submit(node, "true");
        tokio::task::block_in_place(|| poll("a job runs there", || locked(&slurm).job(&job) == "COMPLETED"));
    }
    let waits = locked(&slurm).submit("wn003", "true");
    assert_eq!(locked(&slurm).node("wn003"), ("drained".to_owned(), BEFORE.to_owned()));
    assert!(ours("wn004", "drained"), "{:?}", locked(&slurm).node("wn004"));
    assert_eq!(locked(&slurm).job(&waits), "PENDING", "nothing begins on a node that is out");

    // One mail about the node that failed, and one about all.
    tokio::task::block_in_place(|| poll("the mails are there", || exim.mails().matches("\nSubject: ").count() >= 2));
    world.stop_bot().await;
    let mails = exim.mails();
    assert_eq!(mails.matches("\nSubject: ").count(), 2, "{mails}");
    for said in [
        "for ops@example.org",
        "Subject: wn004: kernel upgrade failed",
        "What is wrong: the node has not come back from its reboot",
        "Subject: Kernel upgrade of wn[001-004]: done, and not all upgraded",
        "Upgraded: wn001, wn002, wn003",
        "Failed: wn004",
        "Asked for by: operator",
    ] {
        assert!(mails.contains(said), "{said}: {mails}");
    }
}
