//! A busy day of a cluster of 150 nodes, scaled down to some minutes: does the bot need more and more memory, time or disk?
//!
//! `cargo bench --bench busy-day -- --minutes 20`
//!
//! The bot is the release build in a process of its own; chat server, nodes and people are in this one, so that their memory is not counted.
//! Rates do not depend on `--minutes`: 100 commands, 25 dropped websockets, 20 questions and 60 alerts of another bot a minute, and every
//! second minute one command on all nodes with an output that has to be attached. What is stored is kept for a tenth of the day.
//! The exit code is 1 when a bound is broken; in a run of few minutes the start weighs too much for the bounds to mean anything.
#![expect(clippy::print_stdout, reason = "a program whose result is what it prints")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should say where")]

#[allow(dead_code, reason = "the kill test needs more of it than this")]
#[path = "../../tests/it/fire/bot.rs"]
mod bot;
mod day;
#[path = "../../tests/it/fire/draw.rs"]
#[allow(dead_code, reason = "the kill test needs more of it than this")]
mod draw;
mod measure;

use std::process::ExitCode;

/// One bound and how it was met.
struct Bound {
    what: &'static str,
    first: f64,
    last: f64,
    most: f64,
}

impl Bound {
    fn print(&self) -> bool {
        let ratio = self.last / self.first;
        let held = ratio <= self.most;
        let word = if held { "held" } else { "BROKEN" };
        println!(
            "{:<44} {:>10.2} -> {:>10.2}   {ratio:>5.2} of at most {:.1}  {word}",
            self.what, self.first, self.last, self.most
        );
        held
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let minutes: f64 = value("--minutes").map_or(20.0, |given| given.parse().expect("--minutes takes a number"));
    let seed: u64 = value("--seed").map_or(1, |given| given.parse().expect("--seed takes a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let day = runtime.block_on(day::day(minutes, seed));

    println!("\nA busy day in {minutes} minutes (seed {seed}): 150 nodes, 20 people");
    println!(
        "lines {}, executions {}, commands on nodes {}, posts of the bot {}",
        day.lines, day.executions, day.commands, day.posts
    );
    println!("dropped websockets {}, alerts of another bot {}", day.drops, day.alerts);
    println!("CPU of the bot {:.1} s, that is {:.1} % of one core", day.cpu, day.cpu / (minutes * 0.6));
    println!("\n{:<10} {:>9} {:>26} {:>26}", "quarter", "RSS MB", "first answer p50/p99 ms", "end p50/p99 ms");
    for (number, quarter) in day.quarters.iter().enumerate() {
        let (first, end) = (&quarter.first_answer, &quarter.end);
        println!(
            "{:<10} {:>9.1} {:>12.0} / {:>11.0} {:>12.0} / {:>11.0}",
            number + 1,
            quarter.resident,
            first.share(0.5),
            first.share(0.99),
            end.share(0.5),
            end.share(0.99)
        );
    }
    println!("\nstore: {:.2} MB on disk, {:.2} MB of it live; {}", day.store.disk, day.store.live, day.store.retention);
    println!();
    let [first, second, _, last] = &day.quarters;
    let bounds = [
        Bound { what: "RSS, a quarter -> the end (MB)", first: first.resident, last: last.resident, most: 1.1 },
        Bound {
            what: "p99 of the first answer, 2nd -> last quarter",
            first: second.first_answer.share(0.99),
            last: last.first_answer.share(0.99),
            most: 1.2,
        },
        Bound {
            what: "p99 of the end, 2nd -> last quarter",
            first: second.end.share(0.99),
            last: last.end.share(0.99),
            most: 1.2,
        },
        Bound { what: "store, live -> on disk (MB)", first: day.store.live, last: day.store.disk, most: 2.0 },
    ];
    let held = bounds.iter().map(Bound::print).filter(|held| !held).count() == 0;
    println!("lost {}, doubled {}, asked back about {}", day.lost.len(), day.doubled.len(), day.away);
    for what in day.lost.iter().chain(&day.doubled).take(20) {
        println!("  {what}");
    }
    if held && day.lost.is_empty() && day.doubled.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
