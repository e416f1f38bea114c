//! What people write while the bot is being killed.

use super::draw::Draw;
use halcyon::sandbox::mattermost::{Post, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The channels where commands are heard.
pub(crate) const CHANNELS: [&str; 2] = ["cluster", "storage"];
/// A channel where the bot is and takes no commands.
pub(crate) const ELSEWHERE: &str = "town-square";
/// Those who may run everything that the load asks for.
pub(crate) const OPERATORS: [&str; 4] = ["operator", "operator2", "operator3", "operator4"];
/// One who may do nothing.
pub(crate) const GUEST: &str = "guest";
/// How many nodes there are.
pub(crate) const NODES: u64 = 6;

/// A line that somebody wrote.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) post: String,
    pub(crate) text: String,
    /// Whether it is meant for the bot, so that it must be answered.
    pub(crate) meant: bool,
    /// Whether the bot's process was there when it was written.
    pub(crate) awake: bool,
}

/// What a token may do: its command may leave the mark so many times on each of these hosts, one for each time it was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Token {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) asked: usize,
    /// Its command may be repeated by the bot when its end is not known.
    pub(crate) repeatable: bool,
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) lines: Vec<Line>,
    pub(crate) tokens: BTreeMap<String, Token>,
}

/// The host under which marks on the bot's own machine are counted.
pub(crate) const HERE: &str = "localhost";

/// Somebody's next words.
pub(crate) struct Words {
    user: &'static str,
    text: String,
    meant: bool,
}

impl Book {
    /// A new token for a command on these hosts.
    pub(crate) fn token(&mut self, draw: &mut Draw, hosts: BTreeSet<String>, repeatable: bool) -> String {
        let token = format!("t{}-{:05x}", self.tokens.len(), draw.number(0, 1 << 20));
        self.tokens.insert(token.clone(), Token { hosts, asked: 1, repeatable });
        token
    }

    /// What is written next. The cards of the bot tell which executions there are.
    pub(crate) fn words(&mut self, draw: &mut Draw, cards: &[(String, String)], here: &Path) -> Words {
        let user = *draw.one(&OPERATORS).unwrap_or(&"operator");
        let said = |text: String| Words { user, text, meant: true };
        let known = |draw: &mut Draw| {
            let newest = &cards[cards.len().saturating_sub(12)..];
            draw.one(newest).cloned().unwrap_or_else(|| ("abcdef".into(), String::new()))
        };
        match draw.number(0, 100) {
            0..50 => said(self.command(draw)),
            50..56 => {
                let token = self.token(draw, BTreeSet::from([HERE.to_owned()]), false);
                said(format!("here {token} for {} in {}", seconds(draw), here.display()))
            }
            56..60 => said(format!("rest max_pause={}", draw.number(0, 3))),
            60..65 => said(format!("show {}", known(draw).0)),
            65..70 => said(format!("cancel {}", known(draw).0)),
            70..75 => {
                let (id, card) = known(draw);
                self.asked_again(&card);
                said(format!("rerun {id}"))
            }
            75..77 => said("list".into()),
            77..79 => {
                let (id, card) = known(draw);
                let judgement = *draw.one(&["ran", "not run", "again"]).unwrap_or(&"ran");
                if judgement == "again" {
                    self.asked_again(&card);
                }
                said(format!("settle {id} {judgement}"))
            }
            79..83 => said(format!("help{}", draw.one(&["", " mark", " nothing like it"]).unwrap_or(&""))),
            83..86 => said(draw.one(&["status", "whoami", ""]).unwrap_or(&"").to_string()),
            86..88 => said(format!("nonsense number {}", draw.number(0, 1000))),
            // Offered something and picks it, or picks what nobody has offered.
            88..90 => said(draw.one(&["uptme on wn001", "1", "1", "2"]).unwrap_or(&"1").to_string()),
            90..92 => {
                // A host that is not there, with nothing like it, so that nothing is offered.
                said(format!("mark t-none for 1 on {}", draw.one(&["xyz[001-003]", "wn[0", "@nobody"]).unwrap_or(&"")))
            }
            92..95 => Words { user: GUEST, text: format!("uptime on wn00{}", draw.number(1, 7)), meant: true },
            _ => Words { user, text: format!("let us have lunch at {}", draw.number(11, 14)), meant: false },
        }
    }

    fn command(&mut self, draw: &mut Draw) -> String {
        let (hosts, words) = hosts(draw);
        match draw.number(0, 10) {
            0..4 => format!("mark {} for {} on {words}", self.token(draw, hosts, false), seconds(draw)),
            4..6 => format!("remark {} for {} on {words}", self.token(draw, hosts, true), seconds(draw)),
            6..8 => format!("look {} for {} on {words}", self.token(draw, hosts, true), seconds(draw)),
            8 => {
                format!("flood {} with {} lines on {words}", self.token(draw, hosts, false), draw.number(2_000, 9_000))
            }
            _ => format!("fail {} with {} on {words}", self.token(draw, hosts, false), draw.number(1, 5)),
        }
    }

    /// The token in a line may leave one more mark.
    pub(crate) fn asked_again(&mut self, line: &str) {
        let token = line.split_whitespace().find(|word| self.tokens.contains_key(*word)).map(str::to_owned);
        if let Some(token) = token.and_then(|token| self.tokens.get_mut(&token)) {
            token.asked += 1;
        }
    }

    /// Has the words written somewhere; gives the post.
    pub(crate) fn write(&mut self, chat: &Server, draw: &mut Draw, words: Words, awake: bool) {
        let Words { user, text, meant } = words;
        let place = draw.number(0, 20);
        let (channel, text) = match place {
            0..4 if user != GUEST && meant => (chat.direct_channel(user, "halcyon").unwrap(), text),
            4 if meant && !text.is_empty() => (ELSEWHERE.to_owned(), format!("@halcyon {text}")),
            _ => {
                let address = *draw.one(&["!", "!", "@halcyon "]).unwrap_or(&"!");
                let address = if text.is_empty() { "@halcyon" } else { address };
                let text = if meant { format!("{address}{text}") } else { text };
                (CHANNELS[usize::try_from(place % 2).unwrap_or_default()].to_owned(), text)
            }
        };
        let text = if text.is_empty() { "whoami".to_owned() } else { text };
        let here = chat.channel_id(&channel).unwrap();
        let roots: Vec<String> = self
            .lines
            .iter()
            .filter_map(|line| chat.post(&line.post))
            .filter(|post| post.channel_id == here && post.root_id.is_empty())
            .map(|post| post.id)
            .collect();
        let root = if draw.percent(10) { draw.one(&roots).map(String::as_str) } else { None };
        let post = chat.post_as(user, &channel, &text, root).unwrap();
        self.lines.push(Line { post, text, meant, awake });
    }
}

/// How long a command takes: most are quick.
pub(crate) fn seconds(draw: &mut Draw) -> &'static str {
    draw.one(&["0", "0", "0.05", "0.2", "0.5", "1", "2.5"]).unwrap_or(&"0")
}

/// Some hosts, and how people write them.
pub(crate) fn hosts(draw: &mut Draw) -> (BTreeSet<String>, String) {
    let first = draw.number(1, NODES + 1);
    let last = if draw.percent(60) { first } else { draw.number(first, NODES + 1) };
    let hosts = (first..=last).map(|number| format!("wn{number:03}")).collect();
    (hosts, format!("wn[{first:03}-{last:03}]"))
}

/// Short ids and lines of the executions whose cards are among these posts.
pub(crate) fn cards(posts: &[Post]) -> Vec<(String, String)> {
    let id = |post: &Post| {
        let execution = key(post)?.strip_suffix("-card")?.to_owned();
        Some((execution.get(execution.len().checked_sub(6)?..)?.to_owned(), post.message.replace('`', " ")))
    };
    posts.iter().filter_map(id).collect()
}

/// The key by which the bot would find its post again.
pub(crate) fn key(post: &Post) -> Option<&str> {
    post.props.get("halcyon_key")?.as_str()
}
