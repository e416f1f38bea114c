//! The bot's own commands. Everything else is an alias.

use super::code::Code;
use super::key;
use crate::core::action::execution::Judgement;
use crate::core::approval::Verdict;
use crate::core::audit::Filter;
use crate::core::chat::filter::ListWords;
use crate::core::chat::when::{self, When};
use crate::core::datastore::request::ValueAsk;
use crate::core::input::{RuleAsk, SensorAsk};
use std::collections::BTreeSet;

/// What the bot understands without any pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `help`, `help kernel`, `help 2`, `help kernel 2`: what is searched for, and which page of it
    Help(Option<String>, usize),
    /// `whoami`
    WhoAmI,
    /// `status`
    Status,
    /// `list`, `list 20`, `list failed since 2h`
    List(ListWords),
    /// `plan reboot wn001`
    Plan(String),
    /// `show 5c61ab`
    Show(String),
    /// `show 5c61ab wn003`, `show 5c61ab failed`, `show 5c61ab output`, `show 5c61ab wn003 output`
    ShowPart(String, String),
    /// `tail 5c61ab`
    Tail(String),
    /// `cancel 5c61ab`
    Cancel(String),
    /// `graph 5c61ab`
    Draw(String),
    /// `pause 5c61ab`
    Pause(String),
    /// `resume 5c61ab`
    Resume(String),
    /// `rerun 5c61ab`
    Rerun(String),
    /// `rerun 5c61ab from reboot`: a workflow, from these tasks on; from those that failed when none is named.
    RerunFrom(String, Vec<String>),
    /// `reload`, for administrators
    Reload,
    /// `pack list`
    Packs,
    /// `settle 5c61ab ran`, `settle 5c61ab not run`, `settle 5c61ab again`
    Settle(String, Judgement),
    /// `approve K3QZ …`, `deny K3QZ …`, `revoke K3QZ`, `withdraw K3QZ`: the code, what, and the words behind.
    Decide(String, Verdict, String),
    /// `approvals`: the open requests
    Approvals,
    /// `freeze storm on the way`
    Freeze(String),
    /// `unfreeze`
    Unfreeze,
    /// `key get NAME`, `key list`, `key set NAME VALUE`, `key delete NAME`
    Values(ValueAsk),
    /// `alerts`, `alerts wn042`
    Alerts(String),
    /// `storm`, `storm go`: what so many problems at once are told as, and whether rules are to act on them
    Storm(bool),
    /// `rules`, `rule show orphans`, `rule enable orphans`, `rule disable orphans`, `rule reset orphans`
    Rules(RuleAsk),
    /// `sensors`, `sensor show power`, `sensor enable power`, `sensor disable power`
    Sensors(SensorAsk),
    /// `at 22:00 uptime on wn001`, `in 10m uptime on wn001`
    Later(When, String),
    /// `answer K3QZ yes`, `answer K3QZ host=wn001 reason="disk"`
    Answer(Code, String),
    /// `heal K3QZ`: what is offered for a problem under this code
    Heal(Code),
    /// `inquiries`: what executions ask people
    Inquiries,
    /// `scheduled`, `list scheduled`
    Scheduled,
    /// `!!`, `again`, `again wn002`: the last line of whoever says it in this channel, perhaps on other hosts.
    Again(Option<String>),
    /// `alias status`: the line of an alias that one of these commands would otherwise be taken for.
    Alias(String),
    /// `may upgrade kernel on wn001`, `may @operator upgrade kernel on wn001`: about whom, and what.
    May(Option<String>, String),
    /// `audit last 20`, `audit verify`
    Audit(AuditCommand),
    /// A number that answers an offered choice.
    Choose(usize),
}

/// What the audit is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCommand {
    /// `audit`, `audit last 20`, `audit 5c61ab`, `audit operator site.reboot`
    Show {
        /// At most so many.
        most: usize,
        /// Which.
        filter: Filter,
        /// As it was written.
        words: String,
    },
    /// `audit verify`
    Verify,
    /// `audit checkpoint`
    Checkpoint,
}

/// Names and a sentence each, for help and did-you-mean.
pub const COMMANDS: [(&str, &str); 49] = [
    ("help", "what you can ask for; `help kernel` narrows it down"),
    ("whoami", "how I know you and what you may do"),
    ("status", "whether everything I need is working"),
    ("list", "the newest executions; `list failed`, `list mine since 2h`, `list site.* on wn003`, `list 20`"),
    (
        "show ID",
        "one execution with its output; `show ID wn003` for one host, `show ID failed` for what failed, `show ID output` for all of it in a file",
    ),
    ("tail ID", "the newest output of an execution, as it comes"),
    ("cancel ID", "stop an execution everywhere"),
    (
        "rerun ID",
        "run it again with the same parameters; `rerun ID from TASK` goes on with a workflow from there, `rerun ID from failed` with what failed",
    ),
    ("graph ID", "a picture of the tasks of a workflow, as they stand"),
    ("pause ID", "have a workflow begin nothing more; `resume ID` lets it go on"),
    ("resume ID", "let a paused workflow go on"),
    ("plan LINE", "what a line would do, without doing it"),
    ("at TIME LINE", "do it later: `at 22:00 …`, `at tomorrow 6:30 …`, `at 2026-12-01 22:00 …`"),
    ("in TIME LINE", "do it after a while: `in 10m …`, `in 2 hours …`"),
    ("scheduled", "what is scheduled; `cancel ID` calls it off"),
    ("inquiries", "what waits for an answer by people"),
    ("answer CODE …", "answer what is asked under a code: `answer K3QZ yes`, `answer K3QZ host=wn001`"),
    ("may LINE", "whether you may do it, and by which rule; leads ask about others with `may @user LINE`"),
    ("pack list", "the packs that I work with"),
    ("alerts", "the problems that are open; `alerts wn042` narrows it down, and tells what is offered for them"),
    ("storm", "what many problems at once are told as; `storm go` lets rules act on them"),
    ("heal CODE", "have done what is offered for a problem under this code"),
    ("rules", "the rules: what starts by itself, and what came of it"),
    ("rule show NAME", "one rule, and what came of it lately"),
    ("rule enable NAME", "switch a rule on, whatever its file says"),
    ("rule disable NAME", "switch it off"),
    ("rule reset NAME", "let a rule act again that rests because its remedies failed"),
    ("sensors", "the programs that tell me what happens, and how they are"),
    ("sensor show NAME", "one sensor, with what it wrote last"),
    ("sensor enable NAME", "switch a sensor on, whatever its file says"),
    ("sensor disable NAME", "switch it off"),
    ("reload", "read my configuration and the packs again"),
    (
        "settle ID …",
        "say what became of one with an unknown outcome: `ran`, `not run`, or `again` to run it there again",
    ),
    ("approvals", "what waits for an approval, and what of it is yours to decide"),
    (
        "approve CODE",
        "say yes to a request; behind the code a host's name or a number where the card asks for it, then a reason",
    ),
    ("deny CODE REASON", "say no to a request"),
    ("revoke CODE", "take your yes back while more are needed"),
    ("withdraw CODE", "take your own request back"),
    ("freeze REASON", "start nothing but read-only commands until `unfreeze`"),
    ("unfreeze", "let everything start again"),
    ("audit", "who did what, and what came of it; `audit last 20`, `audit ID`, `audit NAME`, `audit site.*`"),
    ("audit verify", "check that nothing of it was changed or taken out"),
    ("audit checkpoint", "tell its newest hash, to be kept elsewhere"),
    ("key get NAME", "a value of the datastore; `--scope=user` for one of your own"),
    ("key list", "the values of the datastore; `key list site.` for those that begin with it"),
    ("key set NAME VALUE", "set one; `--encrypt` before the name for a secret, `--ttl=60` for one that expires"),
    ("key delete NAME", "delete one"),
    ("again", "your last command in this channel once more, as `!!` does; `again HOSTS` on other hosts"),
    ("alias LINE", "run the line as an alias, where it would mean one of these commands"),
];

impl Command {
    /// Reads one of the bot's own commands; anything that is not exactly of its form is none.
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let first = words.next()?.to_lowercase();
        let rest: Vec<&str> = words.collect();
        match (first.as_str(), rest.as_slice()) {
            ("help" | "?", []) => Some(Command::Help(None, 1)),
            ("help", [words @ .., last]) => Some(match last.parse() {
                Ok(page @ 1..) => Command::Help((!words.is_empty()).then(|| words.join(" ")), page),
                _ => Command::Help(Some(rest.join(" ")), 1),
            }),
            ("whoami", []) => Some(Command::WhoAmI),
            ("status", []) => Some(Command::Status),
            ("reload", []) => Some(Command::Reload),
            ("pack", [list]) if list.eq_ignore_ascii_case("list") => Some(Command::Packs),
            ("packs", []) => Some(Command::Packs),
            ("alerts" | "alert", words) => Some(Command::Alerts(words.join(" "))),
            ("storm", []) => Some(Command::Storm(false)),
            ("storm", [go]) if go.eq_ignore_ascii_case("go") => Some(Command::Storm(true)),
            ("rules", []) => Some(Command::Rules(RuleAsk::List)),
            ("rule", words) => rule(words).map(Command::Rules),
            ("sensors", []) => Some(Command::Sensors(SensorAsk::List)),
            ("sensor", words) => sensor(words).map(Command::Sensors),
            ("inquiries", []) => Some(Command::Inquiries),
            ("answer", [code, ..]) => {
                let code = Code::read(code.trim_start_matches('#'))?;
                let rest = line.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
                let words = rest.split_once(char::is_whitespace).map_or("", |(_, words)| words.trim());
                Some(Command::Answer(code, words.to_owned()))
            }
            ("heal", [code]) => Code::read(code.trim_start_matches('#')).map(Command::Heal),
            ("scheduled", []) => Some(Command::Scheduled),
            ("list", [scheduled]) if scheduled.eq_ignore_ascii_case("scheduled") => Some(Command::Scheduled),
            ("at" | "in", [_, ..]) => when::read(line).map(|(when, line)| Command::Later(when, line.to_owned())),
            ("list", words) => ListWords::read(words).map(Command::List),
            ("plan", [_, ..]) => {
                let rest = line.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
                Some(Command::Plan(rest.to_owned()))
            }
            ("may", [user, _, ..]) if user.len() > 1 && user.starts_with('@') => {
                let (_, rest) = line.trim().split_once(char::is_whitespace)?;
                let (user, line) = rest.trim_start().split_once(char::is_whitespace)?;
                Some(Command::May(Some(user.to_owned()), line.trim().to_owned()))
            }
            ("may", [_, ..]) => {
                let rest = line.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
                Some(Command::May(None, rest.to_owned()))
            }
            ("show", [id]) => execution(id).map(Command::Show),
            ("show", [id, part @ ..]) => Some(Command::ShowPart(execution(id)?, part.join(" "))),
            ("tail", [id]) => execution(id).map(Command::Tail),
            ("approvals", []) => Some(Command::Approvals),
            ("approve" | "deny" | "revoke" | "withdraw" | "cancel", [word, words @ ..])
                if Code::read(word).is_some() && (words.is_empty() || matches!(first.as_str(), "approve" | "deny")) =>
            {
                let verdict = match first.as_str() {
                    "approve" => Verdict::Approve,
                    "deny" => Verdict::Deny,
                    "revoke" => Verdict::Revoke,
                    _ => Verdict::Withdraw,
                };
                Some(Command::Decide(Code::read(word)?.to_string(), verdict, words.join(" ")))
            }
            ("cancel", [id]) => execution(id).map(Command::Cancel),
            ("graph", [id]) => execution(id).map(Command::Draw),
            ("pause", [id]) => execution(id).map(Command::Pause),
            ("resume", [id]) => execution(id).map(Command::Resume),
            ("rerun", [id]) => execution(id).map(Command::Rerun),
            ("rerun", [id, from, tasks @ ..]) if from.eq_ignore_ascii_case("from") && !tasks.is_empty() => {
                let tasks = tasks.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty());
                let tasks: Vec<String> = tasks.map(str::to_owned).collect();
                let failed = matches!(tasks.as_slice(), [only] if only.eq_ignore_ascii_case("failed"));
                Some(Command::RerunFrom(execution(id)?, if failed { Vec::new() } else { tasks }))
            }
            ("settle", [id, judgement @ ..]) => Some(Command::Settle(execution(id)?, judgement_of(judgement)?)),
            // Written as it was said: the reason is for people.
            ("freeze", [_, ..]) => {
                let reason = line.trim().split_once(char::is_whitespace).map_or("", |(_, reason)| reason.trim());
                Some(Command::Freeze(reason.to_owned()))
            }
            ("unfreeze", []) => Some(Command::Unfreeze),
            ("audit", [verify]) if verify.eq_ignore_ascii_case("verify") => Some(Command::Audit(AuditCommand::Verify)),
            ("audit", [checkpoint]) if checkpoint.eq_ignore_ascii_case("checkpoint") => {
                Some(Command::Audit(AuditCommand::Checkpoint))
            }
            ("audit", words) => {
                let (most, filter) = Filter::read(words)?;
                Some(Command::Audit(AuditCommand::Show { most, filter, words: words.join(" ") }))
            }
            ("key", _) => key::read(line).map(Command::Values),
            ("!!" | "again", []) => Some(Command::Again(None)),
            ("!!" | "again", [hosts] | ["on", hosts]) => Some(Command::Again(Some((*hosts).to_owned()))),
            ("alias", [_, ..]) => {
                let line = line.trim().split_once(char::is_whitespace).map_or("", |(_, line)| line.trim());
                Some(Command::Alias(line.to_owned()))
            }
            (number, []) if number.len() <= 2 => number.parse().ok().filter(|n| *n > 0).map(Command::Choose),
            _ => None,
        }
    }
}

/// A misspelt command of the bot put right: `hlep` gives `help`, `cancl 5c61ab` gives `cancel 5c61ab`.
pub fn correct(line: &str) -> Option<String> {
    let (first, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let word = first.to_lowercase();
    let names = COMMANDS.iter().filter_map(|(name, _)| name.split_whitespace().next());
    let near = names.filter(|name| word.len() > 2 && strsim::osa_distance(name, &word) == 1);
    let corrected = near.map(|name| format!("{name} {}", rest.trim()).trim().to_owned());
    let meant: BTreeSet<String> = corrected.filter(|line| Command::read(line).is_some()).collect();
    let mut meant = meant.into_iter();
    // What is offered is remembered, and a value may be a secret.
    meant.next().filter(|line| meant.next().is_none() && key::hide_value(line).is_none())
}

/// What is wanted of rules.
fn rule(words: &[&str]) -> Option<RuleAsk> {
    match words {
        [list] if list.eq_ignore_ascii_case("list") => Some(RuleAsk::List),
        [verb, name] => {
            let rule = (*name).to_owned();
            match verb.to_lowercase().as_str() {
                "show" => Some(RuleAsk::Show { rule }),
                "enable" => Some(RuleAsk::Switch { rule, enabled: true }),
                "disable" => Some(RuleAsk::Switch { rule, enabled: false }),
                "reset" => Some(RuleAsk::Reset { rule }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What is wanted of sensors.
fn sensor(words: &[&str]) -> Option<SensorAsk> {
    match words {
        [list] if list.eq_ignore_ascii_case("list") => Some(SensorAsk::List),
        [verb, name] => {
            let sensor = (*name).to_owned();
            match verb.to_lowercase().as_str() {
                "show" => Some(SensorAsk::Show { sensor }),
                "enable" => Some(SensorAsk::Switch { sensor, enabled: true }),
                "disable" => Some(SensorAsk::Switch { sensor, enabled: false }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The words of a judgement, in any case of letters.
fn judgement_of(words: &[&str]) -> Option<Judgement> {
    let words = words.join(" ").to_lowercase();
    [Judgement::Ran, Judgement::NotRun, Judgement::Again].into_iter().find(|judgement| judgement.words() == words)
}

/// An execution's id or its last digits, `#` before it or not. Four digits at least: fewer name too many.
fn execution(word: &str) -> Option<String> {
    let id = word.trim_start_matches('#').to_lowercase();
    let sound = (4..=24).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    sound.then_some(id)
}
