//! Durable facts a second: the store through its port, beside a plain log that has the same writers, the same bytes and the same disk.

use crate::report::{Bound, Report, median, range};
use crate::{Setting, scratch};
use halcyon::adapters::store::DiskStore;
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ChannelId, PostId};
use halcyon::runtime::ports::Store;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Bytes of a record of the plain log, as many as one of ours with its header.
const RECORD: usize = 200;

fn fact(number: u64) -> Dated {
    let post = PostId::new(format!("{number:026}"));
    // Ids have 26 characters; the rest fills the record up to its 200 bytes.
    let fact = Fact::PostTaken { post, channel: ChannelId::new("c".repeat(60)), created: Timestamp::UNIX_EPOCH };
    Dated { at: Timestamp::UNIX_EPOCH, fact }
}

/// A plain log: one thread that writes what waits and syncs once, without checksums, index or decoding.
struct Plain {
    queue: mpsc::Sender<oneshot::Sender<()>>,
}

impl Plain {
    fn start(file: File, preallocated: bool) -> Self {
        let (queue, mut waiting) = mpsc::channel::<oneshot::Sender<()>>(4096);
        std::thread::spawn(move || {
            let mut end = 0;
            let mut group = Vec::new();
            while let Some(first) = waiting.blocking_recv() {
                group.push(first);
                while let Ok(more) = waiting.try_recv() {
                    group.push(more);
                }
                let bytes = vec![b'r'; RECORD * group.len()];
                // The bench runs on a disk with room.
                file.write_all_at(&bytes, end).expect("the plain log can be written");
                file.sync_data().expect("the plain log can be synced");
                end += bytes.len() as u64;
                if preallocated && end > PREALLOCATED - (1 << 20) {
                    end = 0;
                }
                for done in group.drain(..) {
                    let _ = done.send(());
                }
            }
        });
        Self { queue }
    }

    async fn append(&self) {
        let (done, told) = oneshot::channel();
        // The thread lives as long as the queue.
        self.queue.send(done).await.expect("the writer lives");
        told.await.expect("the writer lives");
    }
}

const PREALLOCATED: u64 = 64 << 20;

fn log_file(directory: &Path, preallocated: bool) -> File {
    let path = directory.join(if preallocated { "preallocated" } else { "growing" });
    let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path);
    let file = file.expect("a file can be made in the target directory");
    if preallocated {
        let zeros = vec![0; 1 << 20];
        for at in 0..PREALLOCATED >> 20 {
            file.write_all_at(&zeros, at << 20).expect("there is room for the plain log");
        }
        file.sync_all().expect("the plain log can be synced");
    }
    file
}

/// Appends a second by so many writers, each waiting for its own.
async fn rate<W, F>(writers: usize, time: Duration, append: W) -> f64
where
    W: Fn(u64) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let (append, done) = (append.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while began.elapsed() < time {
                let number = done.fetch_add(1, Ordering::Relaxed);
                append(number).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

pub(crate) async fn run(setting: &Setting, report: &mut Report) {
    println!("\ndurable facts");
    let (passes, time) = if setting.quick { (2, Duration::from_millis(500)) } else { (5, Duration::from_millis(1500)) };
    for writers in [1, 64] {
        let (mut ours, mut growing, mut preallocated) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..passes {
            let directory = scratch();
            let (store, _) = DiskStore::open(directory.path().join("store")).await.expect("a store can be made");
            let store = Arc::new(store);
            let (warm, append) = (Duration::from_millis(100), move |number| {
                let store = Arc::clone(&store);
                async move { store.append(vec![fact(number)]).await.expect("a fact can be stored") }
            });
            rate(writers, warm, append.clone()).await;
            ours.push(rate(writers, time, append).await);
            for (kind, rates) in [(false, &mut growing), (true, &mut preallocated)] {
                let plain = Arc::new(Plain::start(log_file(directory.path(), kind), kind));
                let append = move |_| {
                    let plain = Arc::clone(&plain);
                    async move { plain.append().await }
                };
                rate(writers, warm, append.clone()).await;
                rates.push(rate(writers, time, append).await);
            }
        }
        let name = if writers == 1 { "1 writer".to_owned() } else { format!("{writers} writers") };
        let spread = [("ours", &ours), ("growing log", &growing), ("preallocated log", &preallocated)]
            .map(|(who, rates)| format!("{who} {}", range(rates)));
        let (ours, growing, preallocated) = (median(&ours), median(&growing), median(&preallocated));
        let better = growing.max(preallocated);
        let what = format!("durable facts, {name}");
        let bound = if writers == 1 { 0.8 } else { 0.6 };
        report.beside("11", &what, ours, "/s", ("plain log", better), Some(Bound::AtLeast(bound)));
        if writers == 64 {
            report.value("11", &what, ours, "/s", Some(Bound::AtLeast(40_000.0)));
        }
        report.remark(format!("{what}, least..most of {passes} passes: {}", spread.join(", ")));
    }
}
