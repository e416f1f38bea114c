//! Whose turn it is: the machine against the table `tests/data/machines/turns.txt`, and against its promises on random schedules. Run with
//! `HALCYON_REGENERATE=1` to write what the table says happens anew, and read the difference.
//!
//! In the table `a comes: wn1 wn2` is an execution that works on two machines, `looks` one that only looks, `p/2` a place in the policy `p` that
//! lets two run at once, and `p:g/2` one in a group of it. `a ends: wn1` leaves a doubt on a machine.

use halcyon::core::id::{ExecutionId, Host};
use halcyon::core::policy::turn::{Claim, Place, Turns};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

fn id(name: &str) -> ExecutionId {
    ExecutionId::new(name)
}

fn claim(words: &str) -> Claim {
    let mut claim = Claim::default();
    for word in words.split_whitespace() {
        match word.split_once('/') {
            None if word == "looks" => claim.looks = true,
            None => claim.hosts.push(Host::new(word)),
            Some((policy, threshold)) => {
                let (policy, group) = policy.split_once(':').unwrap_or((policy, ""));
                let threshold = threshold.parse().unwrap();
                claim.places.push(Place { policy: policy.to_owned(), group: group.to_owned(), threshold });
            }
        }
    }
    claim
}

/// Everybody who is there, as a bot would keep them.
#[derive(Default)]
struct World {
    turns: Turns,
    running: Vec<ExecutionId>,
    waiting: Vec<ExecutionId>,
}

impl World {
    fn comes(&mut self, id: &ExecutionId, claim: Claim) {
        self.turns.enter(id.clone(), claim);
        self.waiting.push(id.clone());
    }

    fn ends(&mut self, id: &ExecutionId, doubt: &[Host]) {
        self.running.retain(|known| known != id);
        self.waiting.retain(|known| known != id);
        self.turns.doubt(id, doubt);
    }

    /// Those begin whose turn it is.
    fn begin(&mut self) -> Vec<ExecutionId> {
        let mut begun = Vec::new();
        while let Some(next) = self.turns.next().cloned() {
            assert!(self.turns.may_begin(&next));
            self.turns.begin(&next);
            self.waiting.retain(|known| *known != next);
            self.running.push(next.clone());
            begun.push(next);
        }
        begun
    }

    fn shown(&self) -> String {
        let names = |ids: &[ExecutionId]| ids.iter().map(ExecutionId::as_str).collect::<Vec<_>>().join(" ");
        let mut text = if self.running.is_empty() { "-".to_owned() } else { format!("runs: {}", names(&self.running)) };
        for id in &self.waiting {
            let mut ways = Vec::new();
            for way in self.turns.in_the_way(id) {
                let hosts: Vec<&str> = way.hosts.iter().map(Host::as_str).collect();
                let place = way.policy.map(|place| format!("in {}", place.policy));
                let place = place.unwrap_or_else(|| format!("on {}", hosts.join(",")));
                let doubt = if way.doubt { " in doubt" } else { "" };
                let more = if way.more > 0 { format!(" and {} more", way.more) } else { String::new() };
                ways.push(format!("{}{doubt}{more} {place}", way.first));
            }
            write!(text, "; {id} waits for {}", ways.join(", ")).unwrap();
        }
        text
    }
}

#[test]
fn turns_are_taken_as_the_table_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/machines/turns.txt");
    let expected = std::fs::read_to_string(&path).unwrap();
    let mut actual = String::new();
    let mut world = World::default();
    for line in expected.lines() {
        let Some((event, _)) = line.split_once("->") else {
            world = World::default();
            writeln!(actual, "{line}").unwrap();
            continue;
        };
        let event = event.trim();
        let (name, what) = event.split_once(' ').unwrap();
        match what.split_once(':').unwrap_or((what, "")) {
            ("comes", words) => world.comes(&id(name), claim(words)),
            ("ends", hosts) => world.ends(&id(name), &claim(hosts).hosts),
            other => panic!("{other:?} is no event"),
        }
        world.begin();
        writeln!(actual, "{event:<28} -> {}", world.shown()).unwrap();
    }
    if std::env::var_os("HALCYON_REGENERATE").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    assert!(expected == actual, "HALCYON_REGENERATE=1 writes the table anew. The code does:\n{actual}");
}

/// Random numbers that are the same every time (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % most as u64).unwrap()
    }

    fn claim(&mut self) -> Claim {
        let hosts = (0..self.below(4)).map(|_| Host::new(format!("wn{}", self.below(6)))).collect();
        let place = |policy: usize, group: usize| Place {
            policy: format!("p{policy}"),
            group: format!("g{group}"),
            threshold: policy + 1,
        };
        let places = (0..self.below(3)).map(|_| place(self.below(3), self.below(2))).collect();
        Claim { hosts, looks: self.below(3) == 0, places }
    }
}

/// What the promises say, without any index: each with its claim in the order in which they came, whether it runs, and where it is in doubt.
#[derive(Default)]
struct Model(Vec<(ExecutionId, Claim, bool, BTreeSet<Host>)>);

impl Model {
    fn doubted(&self, host: &Host) -> bool {
        self.0.iter().any(|(_, _, _, doubts)| doubts.contains(host))
    }

    fn may_begin(&self, place: usize) -> bool {
        let (_, claim, runs, doubts) = &self.0[place];
        let free_host = |host: &Host| {
            let rival = |(_, other, runs, doubts): &(ExecutionId, Claim, bool, BTreeSet<Host>)| {
                doubts.is_empty() && other.hosts.contains(host) && !(claim.looks && other.looks)
                    // Who looks passes those who only wait for a doubt to be settled.
                    && (*runs || !(claim.looks && self.doubted(host)))
            };
            let before = self.0[..place].iter().any(rival);
            let passed = self.0[place..].iter().any(|other| other.2 && rival(other));
            !before && !passed && (claim.looks || !self.doubted(host))
        };
        let free_place = |wanted: &Place| {
            let same = |other: &&Place| other.policy == wanted.policy && other.group == wanted.group;
            let holds = |entry: &&(ExecutionId, Claim, bool, BTreeSet<Host>)| {
                entry.3.is_empty() && entry.1.places.iter().any(|other| same(&other))
            };
            self.0[..place].iter().filter(holds).count() < wanted.threshold
        };
        !runs && doubts.is_empty() && claim.hosts.iter().all(free_host) && claim.places.iter().all(free_place)
    }
}

#[test]
fn turns_keep_their_promises_on_random_schedules() {
    for seed in 0..300 {
        let mut chance = Chance(seed);
        let (mut world, mut model) = (World::default(), Model::default());
        for number in 0..120 {
            let live = model.0.len();
            if live == 0 || (live < 14 && chance.below(2) == 0) {
                let (id, claim) = (id(&format!("e{number}")), chance.claim());
                world.comes(&id, claim.clone());
                model.0.push((id, claim, false, BTreeSet::new()));
            } else {
                let place = chance.below(live);
                let (id, claim, runs, doubts) = model.0[place].clone();
                let doubtful = runs && doubts.is_empty() && !claim.looks && chance.below(4) == 0;
                let left: Vec<Host> =
                    claim.hosts.iter().filter(|_| doubtful && chance.below(2) == 0).cloned().collect();
                world.ends(&id, &left);
                model.0[place].3 = left.iter().cloned().collect();
                model.0[place].2 = false;
                if left.is_empty() {
                    model.0.remove(place);
                }
            }
            // Those who may begin, one after the other, as the first who came is always the next.
            loop {
                let next = (0..model.0.len()).find(|place| model.may_begin(*place));
                let expected = next.map(|place| model.0[place].0.clone());
                assert_eq!(world.turns.next(), expected.as_ref(), "seed {seed}, event {number}: {}", world.shown());
                let Some(place) = next else { break };
                let id = model.0[place].0.clone();
                world.turns.begin(&id);
                world.waiting.retain(|known| *known != id);
                world.running.push(id);
                model.0[place].2 = true;
            }
            for (id, _, runs, doubts) in &model.0 {
                let waits = !runs && doubts.is_empty();
                let ways = world.turns.in_the_way(id);
                assert_eq!(waits, !ways.is_empty(), "seed {seed}, event {number}: {id} waits for {ways:?}");
            }
            no_two_on_one_machine(&model, seed);
        }
        // Whoever is left comes to an end, and nobody waits for ever.
        while !model.0.is_empty() {
            let place = (0..model.0.len()).find(|place| model.0[*place].2 || !model.0[*place].3.is_empty());
            let place = place.unwrap_or_else(|| panic!("seed {seed}: all wait: {}", world.shown()));
            let (id, ..) = model.0.remove(place);
            world.ends(&id, &[]);
            for begun in world.begin() {
                model.0.iter_mut().find(|entry| entry.0 == begun).unwrap().2 = true;
            }
        }
        assert_eq!(world.turns.waiting(), 0);
    }
}

fn no_two_on_one_machine(model: &Model, seed: u64) {
    let running: Vec<_> = model.0.iter().filter(|(_, _, runs, _)| *runs).collect();
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (place, (id, claim, _, _)) in running.iter().enumerate() {
        for (other, theirs, _, _) in &running[..place] {
            let both = claim.hosts.iter().find(|host| theirs.hosts.contains(host));
            assert!(both.is_none() || (claim.looks && theirs.looks), "seed {seed}: {id} and {other} on {both:?}");
        }
        let groups: BTreeSet<_> = claim.places.iter().map(|place| (&*place.policy, &*place.group)).collect();
        for group in groups {
            *taken.entry(group).or_default() += 1;
        }
    }
    for ((policy, group), count) in taken {
        let threshold: usize = policy.trim_start_matches('p').parse::<usize>().unwrap() + 1;
        assert!(count <= threshold, "seed {seed}: {count} run in {policy}:{group}");
    }
}

/// When each begins, where each comes at its time and takes its time.
fn beginnings(schedule: &[(usize, usize, Claim)]) -> Vec<usize> {
    let mut world = World::default();
    let mut began = vec![usize::MAX; schedule.len()];
    let place = |id: &ExecutionId| id.as_str().parse::<usize>().unwrap();
    for now in 0.. {
        let over: Vec<ExecutionId> =
            world.running.iter().filter(|id| began[place(id)] + schedule[place(id)].1 <= now).cloned().collect();
        for id in over {
            world.ends(&id, &[]);
        }
        for (place, (_, _, claim)) in schedule.iter().enumerate().filter(|(_, (comes, _, _))| *comes == now) {
            world.comes(&id(&place.to_string()), claim.clone());
        }
        for id in world.begin() {
            began[place(&id)] = now;
        }
        if world.running.is_empty() && world.waiting.is_empty() && schedule.iter().all(|(comes, _, _)| *comes <= now) {
            return began;
        }
    }
    unreachable!()
}

#[test]
fn nobody_is_put_off_by_one_who_comes_later() {
    for seed in 0..100 {
        let mut chance = Chance(seed);
        let mut schedule: Vec<(usize, usize, Claim)> =
            (0..25).map(|_| (chance.below(30), 1 + chance.below(6), chance.claim())).collect();
        schedule.sort_by_key(|(comes, _, _)| *comes);
        let all = beginnings(&schedule);
        for number in 1..schedule.len() {
            let without = beginnings(&schedule[..number]);
            assert_eq!(without, all[..number], "seed {seed}: those after {number} changed when they began");
        }
    }
}

#[test]
fn a_coming_and_a_going_cost_no_more_among_many() {
    let hosts: Vec<Host> = (0..200).map(|number| Host::new(format!("wn{number:03}"))).collect();
    let crowd = |many: usize| {
        let mut turns = Turns::default();
        for number in 0..many {
            let host = vec![hosts[number % hosts.len()].clone()];
            turns.enter(id(&format!("e{number}")), Claim { hosts: host, ..Claim::default() });
        }
        while let Some(next) = turns.next().cloned() {
            turns.begin(&next);
        }
        turns
    };
    // One on all machines comes and goes, a hundred times; the fastest of several tries is what it costs.
    let cost = |many: usize| {
        let mut turns = crowd(many);
        let all = Claim { hosts: hosts.clone(), ..Claim::default() };
        let once = |turns: &mut Turns| {
            let begun = std::time::Instant::now();
            for _ in 0..20 {
                turns.enter(id("all"), all.clone());
                turns.leave(&id("all"));
            }
            begun.elapsed()
        };
        (0..10).map(|_| once(&mut turns)).min().unwrap()
    };
    let (few, many) = (cost(200), cost(20_000));
    assert!(many < few * 20, "{few:?} among 200, {many:?} among 20000");
}
