//! The machine loses its power: a file system on a loop device is shut down without its journal being flushed, as a kernel crash would leave
//! it, while a store on it is written to, snapshots are taken and what is old is removed. `scripts/power-cut.sh` runs more rounds of it.

use super::crash::{CHILD, child};
use super::{Options, export, sha256, try_open};
use crate::execution::{asked, at, outcome};
use halcyon::adapters::store::DiskStore;
use halcyon::core::action::execution::{Requested, Status};
use halcyon::core::action::run::{Captured, Exit};
use halcyon::core::effect::Query;
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{BlobId, ExecutionId, Host};
use halcyon::core::memory::Memory;
use halcyon::runtime::ports::{Blobs, Recalled, Snapshot, Store};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

const TEST: &str = "store::power::peers_a_power_cut_loses_nothing_that_was_acknowledged";
/// How many rounds; the default is for a run beside other tests.
const ROUNDS: &str = "HALCYON_POWER_CUTS";
/// Set where there is no root or no loop device, and somebody has decided to go without this test.
const WITHOUT: &str = "HALCYON_WITHOUT_POWER_CUTS";
const WRITERS: u64 = 6;
/// What is older than so many facts is removed.
const KEEP: u64 = 3_000;
/// Facts of one batch.
const BATCH: u64 = 4;

fn options() -> Options {
    Options { file_bytes: 128 << 10, first_file_bytes: 32 << 10, snapshot_facts: Some(300), ..Options::default() }
}

/// The batch whose first fact has this number.
fn batch(first: u64, output: &Captured) -> Vec<Dated> {
    let second = i64::try_from(first).unwrap();
    let dated = |fact| Dated { at: at(second), fact };
    let id = ExecutionId::generate(at(second), first);
    let request = Requested { id: id.clone(), ..asked("remote-shell-cmd", &["wn1", "wn2"]) };
    let mut long = outcome(Exit::Code { code: 0 }, "", "");
    long.stdout = output.clone();
    vec![
        super::taken(first),
        dated(Fact::ExecutionStarted(Box::new(request))),
        dated(Fact::HostFinished { id: id.clone(), host: Host::new("wn1"), outcome: Box::new(long) }),
        dated(Fact::ExecutionFinished { id, status: Status::Succeeded, error: None }),
    ]
}

/// An output and whom to tell when the batch with it is stored, and where it stands.
type Wish = (Captured, oneshot::Sender<u64>);

/// Loads a store without end and says of each batch when it was acknowledged.
async fn load(store: &Path) {
    let (store, _) = try_open(store, options()).await.unwrap();
    let store = Arc::new(store);
    let newest = Arc::new(AtomicU64::new(store.newest()));
    let (wishes, queue) = mpsc::channel::<Wish>(64);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, wishes) = (Arc::clone(&store), wishes.clone());
        tasks.spawn(async move {
            for number in 0_u64.. {
                let text = format!("output {number} of writer {writer} in process {}", std::process::id());
                let mut piece = store.blobs().create().await.unwrap();
                piece.write(text.as_bytes()).await.unwrap();
                let blob = piece.finish().await.unwrap();
                let (stored, told) = oneshot::channel();
                let bytes = text.len() as u64;
                let kept =
                    Captured::Blob { blob: blob.clone(), bytes, lines: 1, head: text, tail: String::new(), dropped: 0 };
                wishes.send((kept, stored)).await.unwrap();
                let first = told.await.unwrap();
                say(&format!("acknowledged {first} {blob}"));
            }
        });
    }
    let counter = Arc::clone(&newest);
    tasks.spawn(write(Arc::clone(&store), queue, counter));
    tasks.spawn(async move {
        loop {
            let cutoff = newest.load(Ordering::Relaxed).saturating_sub(KEEP);
            say(&format!("cutoff {cutoff}"));
            let freed = store.retain(at(i64::try_from(cutoff).unwrap())).await.unwrap();
            say(&format!("freed {} {} {}", freed.facts, freed.outputs, store.counters().snapshots));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Whatever ends first has failed, as it must when the disk is gone.
    let _ = tasks.join_next().await;
}

/// Stores as the loop does: what waits shares one flush, and now and then there is a snapshot.
async fn write(store: Arc<DiskStore>, mut queue: mpsc::Receiver<Wish>, newest: Arc<AtomicU64>) {
    let Recalled { snapshot, facts } = store.recall().await.unwrap();
    let mut memory: Memory = snapshot.memory;
    facts.iter().for_each(|fact| memory.apply(fact).unwrap());
    let mut wishes = Vec::new();
    while queue.recv_many(&mut wishes, 64).await > 0 {
        let mut facts = Vec::new();
        let mut told = Vec::new();
        let mut next = newest.load(Ordering::Relaxed) + 1;
        for (output, stored) in wishes.drain(..) {
            facts.extend(batch(next, &output));
            told.push((stored, next));
            next += BATCH;
        }
        facts.iter().for_each(|fact| memory.apply(fact).unwrap());
        store.append(facts).await.unwrap();
        newest.store(next - 1, Ordering::Relaxed);
        if store.wants_snapshot() {
            store.snapshot(Snapshot { newest: next - 1, at: at(0), memory: memory.clone() });
        }
        for (stored, first) in told {
            // A writer that has gone does not want to know.
            let _ = stored.send(first);
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody hears it any more when the test has seen enough.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A file system in a file.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
    _directory: tempfile::TempDir,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ended = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    if ended.status.success() { Ok(()) } else { Err(format!("{program} {}: {said}", arguments.join(" "))) }
}

impl Disk {
    fn make() -> Result<Self, String> {
        let directory = super::directory();
        let (image, mount) = (directory.path().join("image"), directory.path().join("mount"));
        std::fs::File::create(&image).unwrap().set_len(512 << 20).unwrap();
        std::fs::create_dir(&mount).unwrap();
        run("mkfs.ext4", &["-q", image.to_str().unwrap()])?;
        let disk = Self { image, mount, _directory: directory };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", self.image.to_str().unwrap(), self.mount.to_str().unwrap()])
    }

    /// EXT4_IOC_SHUTDOWN without flushing the journal.
    fn cut(&self) {
        let call = r#"open(my $disk, "<", $ARGV[0]) or die "open: $!"; my $how = pack("L", 2);
            ioctl($disk, 0x8004587d, $how) or die "ioctl: $!";"#;
        run("perl", &["-e", call, self.mount.to_str().unwrap()]).unwrap();
    }

    fn mount_again(&self) {
        // A process that was killed lets go of its files a moment later.
        let end = Instant::now() + crate::world::PATIENCE;
        while let Err(busy) = run("umount", &[self.mount.to_str().unwrap()]) {
            assert!(Instant::now() < end, "{busy}");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &[self.mount.to_str().unwrap_or_default()]);
    }
}

/// What was heard from all processes so far.
#[derive(Default)]
struct Heard {
    acknowledged: Vec<(u64, String)>,
    cutoff: u64,
    freed: u64,
    outputs: u64,
    snapshots: u64,
}

fn hear(line: &str, heard: &mut Heard) {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["acknowledged", first, blob] => heard.acknowledged.push((first.parse().unwrap(), (*blob).to_owned())),
        ["cutoff", cutoff] => heard.cutoff = heard.cutoff.max(cutoff.parse().unwrap()),
        ["freed", facts, outputs, snapshots] => {
            heard.freed += facts.parse::<u64>().unwrap();
            heard.outputs += outputs.parse::<u64>().unwrap();
            heard.snapshots = snapshots.parse::<u64>().unwrap();
        }
        _ => {}
    }
}

/// Everything that was acknowledged and not yet old is there, and everything fits together.
async fn check(path: &Path, heard: &Heard) -> String {
    let (store, opened) = try_open(path, options()).await.unwrap();
    let facts = store.replay().await.unwrap();
    let base = opened.facts - facts.len() as u64;
    assert!(
        base <= heard.cutoff,
        "facts up to {base} were removed, though only those before {} were old",
        heard.cutoff
    );
    assert_eq!((base % BATCH, opened.facts % BATCH), (base % BATCH, 0), "half a batch");
    for (number, fact) in (base + 1..).zip(&facts) {
        assert_eq!(fact.at, at(i64::try_from((number - 1) / BATCH * BATCH + 1).unwrap()), "fact {number} is another");
    }
    let newest = heard.acknowledged.iter().map(|(first, _)| first + BATCH - 1).max().unwrap();
    assert!(newest <= opened.facts, "fact {newest} was acknowledged, and the log ends with {}", opened.facts);
    let recent = heard.acknowledged.iter().filter(|(first, _)| *first > base);
    let mut outputs = 0;
    for (first, blob) in recent {
        let fact = &facts[usize::try_from(first + 1 - base).unwrap()].fact;
        assert!(format!("{fact:?}").contains(blob.as_str()), "fact {first} has another output than {blob}");
        let bytes = store.blobs().read(&BlobId::new(blob.as_str()), 0, usize::MAX).await.unwrap();
        assert_eq!(sha256(&bytes), *blob);
        outputs += 1;
    }
    let found = store.find(&Query::Newest(usize::MAX)).await.unwrap();
    let started = facts.iter().filter(|fact| matches!(fact.fact, Fact::ExecutionStarted(_))).count();
    assert!(found.len() >= started && found.len() <= started + 1, "{} executions, {started} starts", found.len());
    let recalled = store.recall().await.unwrap();
    let mut memory = recalled.snapshot.memory;
    recalled.facts.iter().for_each(|fact| memory.apply(fact).unwrap());
    let lines = export(path).collect::<Result<Vec<_>, _>>().unwrap().len() as u64;
    assert!(lines >= opened.facts - base);
    format!(
        "{} facts, {} kept, {outputs} outputs looked at, start from {}, {} cut, index {:?}, notices {:?}",
        opened.facts,
        facts.len(),
        opened.snapshot,
        if opened.cut.is_some() { "a tail" } else { "nothing" },
        opened.index,
        opened.snapshots,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_a_power_cut_loses_nothing_that_was_acknowledged() {
    if let Some(store) = std::env::var_os(CHILD) {
        return load(Path::new(&store)).await;
    }
    if std::env::var_os("HALCYON_PEERS").is_none_or(|value| value != "1") {
        let _ =
            writeln!(std::io::stderr(), "store::power: not run; it needs root and loop devices, and HALCYON_PEERS=1");
        return;
    }
    let disk = match Disk::make() {
        Ok(disk) => disk,
        Err(why) if std::env::var_os(WITHOUT).is_some_and(|value| value == "1") => {
            let _ = writeln!(std::io::stderr(), "store::power: NOT RUN, as {WITHOUT}=1 allows: {why}");
            return;
        }
        Err(why) => {
            panic!("no file system to crash ({why}); this needs root and a loop device. {WITHOUT}=1 goes without")
        }
    };
    let rounds = std::env::var(ROUNDS).map_or(4, |rounds| rounds.parse().unwrap());
    let store = disk.mount.join("store");
    let mut heard = Heard::default();
    for round in 0_u32..rounds {
        let mut child = child(TEST, &store).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = heard.acknowledged.len();
        // A little longer each time, in an order that is the same in every run.
        let wanted = 50 + (round * 7919 % 41) as usize * 60;
        let mut cut = false;
        for line in lines.map_while(Result::ok) {
            hear(&line, &mut heard);
            if !cut && heard.acknowledged.len() - begun >= wanted {
                cut = true;
                disk.cut();
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(cut, "round {round}: the load ended by itself after {} batches", heard.acknowledged.len() - begun);
        disk.mount_again();
        let found = check(&store, &heard).await;
        let told = format!("round {round}: {} batches acknowledged, {found}", heard.acknowledged.len() - begun);
        let _ = writeln!(std::io::stderr(), "{told}");
    }
    let _ = writeln!(
        std::io::stderr(),
        "{rounds} power cuts: {} batches acknowledged, none lost; {} facts and {} outputs removed as old",
        heard.acknowledged.len(),
        heard.freed,
        heard.outputs
    );
    assert!(heard.snapshots > 0 || rounds < 4, "no snapshot was taken");
}
