//! What must be true when the fire is out.

use super::load::{Book, Line, key};
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{DeliveryId, ExecutionId};
use halcyon::core::input::Back;
use halcyon::core::memory::Memory;
use halcyon::sandbox::mattermost::Post;
use std::collections::{BTreeMap, BTreeSet};

/// What is not promised yet. Each becomes `false` with the work that promises it.
pub(crate) mod leniency {
    /// Lines that are written while the bot is away, or that it has not taken up when it dies, may stay without an answer. What it has taken
    /// up must be answered even so. Until the bot catches up after a gap.
    pub(crate) const LINES_MAY_BE_LOST: bool = false;
    /// A line that is answered after a look into the store may stay without an answer when the bot dies during that look. Until the bot
    /// remembers that it owes an answer.
    pub(crate) const LOOK_UPS_MAY_BE_LOST: bool = false;
}

/// Whether a line may stay without an answer, as things are.
fn may_be_lost(line: &Line, taken: bool) -> bool {
    let words = line.text.trim_start_matches("@halcyon ").trim_start_matches('!');
    let looks = ["list", "show ", "cancel ", "rerun "].iter().any(|word| words.starts_with(word));
    (leniency::LINES_MAY_BE_LOST && !taken) || (leniency::LOOK_UPS_MAY_BE_LOST && looks)
}

/// What is there to be judged.
pub(crate) struct Scene<'a> {
    pub(crate) book: &'a Book,
    /// The bot's posts in all channels.
    pub(crate) posts: Vec<Post>,
    /// Everything that the bot remembers.
    pub(crate) facts: Vec<Dated>,
    /// How often a command of which nobody knew how it ended was run again on a host, as the bot has noted it: by execution and host.
    pub(crate) repeats: BTreeMap<(String, String), usize>,
    /// How often each token stands in the file of each host.
    pub(crate) marks: BTreeMap<(String, String), usize>,
    /// Commands on nodes that have not ended.
    pub(crate) going: usize,
}

/// Numbers for the note.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) rounds: usize,
    pub(crate) lines: usize,
    pub(crate) executions: usize,
    pub(crate) away: usize,
    pub(crate) unanswered: usize,
    pub(crate) unknown: usize,
    pub(crate) posts: usize,
    pub(crate) commands: usize,
    pub(crate) repeated: usize,
    pub(crate) duplicates: usize,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.lines += other.lines;
        self.executions += other.executions;
        self.away += other.away;
        self.unanswered += other.unanswered;
        self.unknown += other.unknown;
        self.posts += other.posts;
        self.commands += other.commands;
        self.repeated += other.repeated;
        self.duplicates += other.duplicates;
    }
}

/// What is wrong. What is only not yet true may come true by waiting; the rest never will.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    pub(crate) not_yet: Vec<String>,
    pub(crate) figures: Figures,
}

/// Every execution that was ever started, as it stands.
fn executions(facts: &[Dated], verdict: &mut Verdict) -> BTreeMap<ExecutionId, Execution> {
    let mut memory = Memory::default();
    let mut all = BTreeMap::new();
    for dated in facts {
        let known = dated.fact.execution().is_some_and(|id| all.contains_key(id));
        if let (Fact::ExecutionStarted(request), false) = (&dated.fact, known) {
            all.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
        } else if let (Fact::ExecutionWaits(waits), false) = (&dated.fact, known) {
            all.insert(waits.request.id.clone(), Execution::wait(dated.at, waits));
        } else if let Some(execution) = dated.fact.execution().and_then(|id| all.get_mut(id))
            && let Err(problem) = execution.apply(dated.at, &dated.fact)
        {
            verdict.wrong.push(format!("the log lies: {problem}"));
        }
        if let Err(problem) = memory.apply(dated) {
            verdict.wrong.push(format!("the log contradicts itself: {problem}"));
        }
    }
    for delivery in &memory.unsent {
        verdict.not_yet.push(format!("{} is promised and not said", delivery.id));
    }
    all
}

/// Looks at everything.
pub(crate) fn judge(scene: &Scene<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let executions = executions(&scene.facts, &mut verdict);
    let keys = keys(scene, &mut verdict);
    let mut claimed: BTreeSet<&str> = BTreeSet::new();
    let taken = |fact: &Dated| match &fact.fact {
        Fact::PostTaken { post, .. } => Some(post.as_str().to_owned()),
        _ => None,
    };
    let taken: BTreeSet<String> = scene.facts.iter().filter_map(taken).collect();

    for line in &scene.book.lines {
        let started: Vec<&Execution> = executions.values().filter(|execution| asked_by(execution, line)).collect();
        let answers: Vec<&str> = keys.iter().filter(|key| is_answer(key, &line.post)).copied().collect();
        claimed.extend(&answers);
        let wanted = usize::from(line.meant);
        let got = started.len() + answers.len();
        let shown = || {
            let ids: Vec<&str> = started.iter().map(|execution| execution.request.id.as_str()).collect();
            format!("{:?} ({}): executions {ids:?}, answers {answers:?}", line.text, line.post)
        };
        verdict.figures.away += answers.iter().filter(|key| key.ends_with("-late")).count();
        if got > wanted {
            verdict.figures.duplicates += 1;
            verdict.wrong.push(format!("more than was asked for: {}", shown()));
        } else if got < wanted {
            verdict.figures.unanswered += 1;
            if !may_be_lost(line, taken.contains(&line.post)) {
                let awake = if line.awake { "awake" } else { "away" };
                verdict.not_yet.push(format!("no answer, written while the bot was {awake}: {}", shown()));
            }
        }
    }
    for execution in executions.values() {
        claimed.extend(about(execution, &keys, &mut verdict));
        told_once(scene, execution, &mut verdict);
    }
    let unasked = |key: &&&str| ["started-", "going_away-", "left_running-"].iter().any(|start| key.starts_with(start));
    for key in keys.iter().filter(|key| !claimed.contains(*key) && !unasked(key)) {
        verdict.wrong.push(format!("nobody has asked for the post {key}"));
    }
    marks(scene, &executions, &mut verdict);
    for dated in &scene.facts {
        if let Fact::DeliveryRefused { delivery, why } = &dated.fact {
            verdict.wrong.push(format!("{delivery} was given up: {why}"));
        }
    }
    if scene.going > 0 {
        verdict.not_yet.push(format!("{} commands still run on the nodes", scene.going));
    }
    let figures = &mut verdict.figures;
    figures.lines = scene.book.lines.len();
    figures.executions = executions.len();
    figures.posts = scene.posts.len();
    figures.commands = scene.marks.values().sum();
    figures.unknown = executions.values().filter(|execution| execution.status == Status::Unknown).count();
    verdict
}

/// The keys of all posts of the bot, each there once.
fn keys<'a>(scene: &'a Scene<'_>, verdict: &mut Verdict) -> BTreeSet<&'a str> {
    let mut keys = BTreeSet::new();
    for post in &scene.posts {
        match key(post) {
            None => verdict.wrong.push(format!("a post without a key: {:?}", post.message)),
            Some(key) if !keys.insert(key) => {
                verdict.figures.duplicates += 1;
                verdict.wrong.push(format!("posted twice: {key}: {:?}", post.message));
            }
            Some(_) => {}
        }
    }
    keys
}

fn asked_by(execution: &Execution, line: &Line) -> bool {
    matches!(&execution.request.back, Back::Chat { post, .. } if post.as_str() == line.post)
}

fn is_answer(key: &str, post: &str) -> bool {
    key.strip_prefix(post).is_some_and(|rest| rest.starts_with('-'))
}

/// The posts about an execution: one card, at most one of each other kind.
fn about<'a>(execution: &Execution, keys: &BTreeSet<&'a str>, verdict: &mut Verdict) -> Vec<&'a str> {
    let id = execution.request.id.as_str();
    let found: Vec<&str> = keys.iter().filter(|key| is_answer(key, id)).copied().collect();
    let in_chat = matches!(execution.request.back, Back::Chat { .. });
    let card = format!("{id}-card");
    if in_chat && !found.contains(&card.as_str()) {
        verdict.not_yet.push(format!("no card of {}", execution.request.line));
    }
    for key in &found {
        let kind = key.strip_prefix(id).unwrap_or_default();
        if !matches!(kind, "-card" | "-told" | "-question" | "-end.rest") {
            verdict.wrong.push(format!("an unexpected post {key} about {}", execution.request.line));
        }
    }
    found
}

/// The execution has ended, and its post says so.
fn told_once(scene: &Scene<'_>, execution: &Execution, verdict: &mut Verdict) {
    let request = &execution.request;
    let what = format!("{} {:?} {:?}", request.id, request.line, request.parameters.get("token"));
    if !execution.status.is_final() {
        verdict.not_yet.push(format!("still {}: {what}", execution.status.word()));
        return;
    }
    let card = DeliveryId::new(format!("{}-card", request.id));
    let Some(post) = scene.posts.iter().find(|post| key(post) == Some(card.as_str())) else { return };
    if post.message.starts_with(":hourglass") || !post.message.contains(request.id.short()) {
        verdict.not_yet.push(format!("the last text of {what} is not its end: {:?}", post.message));
    }
}

/// No command has run more often than it was asked for, and what is told to have succeeded has run. What may be repeated without harm may have
/// run once more where the bot says that it repeated it.
fn marks(scene: &Scene<'_>, executions: &BTreeMap<ExecutionId, Execution>, verdict: &mut Verdict) {
    let token = |execution: &Execution| execution.request.parameters.get("token")?.as_str().map(str::to_owned);
    let mut repeats: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for ((id, host), count) in &scene.repeats {
        let execution = executions.get(&ExecutionId::new(id.as_str()));
        if let Some(token) = execution.and_then(token) {
            *repeats.entry((host, token)).or_default() += count;
        }
    }
    for ((host, token), count) in &scene.marks {
        let Some(known) = scene.book.tokens.get(token) else {
            verdict.wrong.push(format!("a mark that nobody has asked for: {token} on {host}"));
            continue;
        };
        let asked = if known.hosts.contains(host) { known.asked } else { 0 };
        let repeated =
            if known.repeatable { repeats.get(&(host, token.clone())).copied().unwrap_or_default() } else { 0 };
        if *count > asked + repeated {
            verdict.figures.duplicates += 1;
            verdict.wrong.push(format!(
                "{token} ran {count} times on {host}, was asked for {asked} times and said to be repeated {repeated} times"
            ));
        }
        verdict.figures.repeated += count.saturating_sub(asked);
    }
    let mut succeeded: BTreeMap<(String, String), usize> = BTreeMap::new();
    for execution in executions.values().filter(|execution| execution.status == Status::Succeeded) {
        let Some(token) = token(execution) else { continue };
        for host in execution.places() {
            *succeeded.entry((host.as_str().to_owned(), token.clone())).or_default() += 1;
        }
    }
    for ((host, token), least) in succeeded {
        let count = scene.marks.get(&(host.clone(), token.clone())).copied().unwrap_or_default();
        if count < least {
            verdict
                .wrong
                .push(format!("{token} is told to have succeeded {least} times on {host} and ran {count} times"));
        }
    }
}
