//! What somebody may ask for.

use super::Bot;
use super::hear::{Speaker, is_there};
use crate::core::alias::help;
use crate::core::alias::spec::Alias;
use crate::core::chat::command::COMMANDS;
use crate::core::message::card::{Card, Help, HelpLine, HelpPack};
use crate::core::settings::{Address, Verb};

/// How many lines of aliases one page shows.
const PAGE: usize = 40;
/// How many words help is asked about; a line may have hundreds, and each that is left out costs a search.
const MOST_WORDS: usize = 8;

impl Bot {
    /// Help for what was asked about; where all of its words together find nothing, for what the first of them find.
    pub(super) fn help(&self, speaker: &Speaker<'_>, query: Option<String>, page: usize) -> Card {
        let whole = query.unwrap_or_default();
        let mut words: Vec<&str> = whole.split_whitespace().take(MOST_WORDS).collect();
        let (mut packs, mut own) = self.help_about(speaker, &words.join(" "));
        while packs.is_empty() && own.is_empty() && words.len() > 1 {
            words.pop();
            (packs, own) = self.help_about(speaker, &words.join(" "));
        }
        let nothing = packs.is_empty() && own.is_empty();
        let query = if nothing { whole.clone() } else { words.join(" ") };
        let lines: usize = packs.iter().map(|pack| pack.lines.len()).sum();
        let pages = lines.div_ceil(PAGE).max(1);
        let beyond = if page > pages { page } else { 0 };
        let page = page.clamp(1, pages);
        let next = if page < pages { ["help", &query, &(page + 1).to_string()].join(" ") } else { String::new() };
        Card::Help(Help {
            nothing,
            address: self.me().map_or_else(String::new, |(_, name)| format!("@{name}")),
            prefix: match self.settings.address.contains(&Address::Prefix) {
                true => format!("{}…", self.settings.prefix),
                false => String::new(),
            },
            packs: on_page(packs, page),
            // They come after all else.
            own: if page == pages { own } else { Vec::new() },
            page,
            pages,
            beyond,
            next: next.split_whitespace().collect::<Vec<_>>().join(" "),
            query,
        })
    }

    /// What this person may ask for and has to do with these words: aliases by pack, and the bot's own commands.
    pub(super) fn help_about(&self, speaker: &Speaker<'_>, words: &str) -> (Vec<HelpPack>, Vec<HelpLine>) {
        let eyes = self.eyes(&speaker.rights);
        let may = |alias: &Alias| is_there(alias, &speaker.here) && eyes.may_use(Verb::Run, alias);
        let mut packs: Vec<HelpPack> = Vec::new();
        for entry in help::help(Some(words), &self.catalog.aliases, &may) {
            let pack = entry.pack().to_owned();
            // Whoever asks about something is told what policies say of it, too.
            let bounds = if words.is_empty() { String::new() } else { self.bounds(&entry.action) };
            let description = if bounds.is_empty() {
                entry.description
            } else {
                format!("{} ({bounds})", entry.description.trim_end_matches('.'))
            };
            let line = HelpLine { display: entry.display, description };
            match packs.last_mut() {
                Some(last) if last.name == pack => last.lines.push(line),
                _ => packs.push(HelpPack { name: pack, lines: vec![line] }),
            }
        }
        let words = words.to_lowercase();
        let concerned = |name: &str, description: &str| {
            words.split_whitespace().all(|word| name.to_lowercase().contains(word) || description.contains(word))
        };
        let own = COMMANDS.iter().filter(|(name, description)| concerned(name, description));
        let line = |(name, description): &(&str, &str)| HelpLine {
            display: (*name).to_owned(),
            description: (*description).to_owned(),
        };
        (packs, own.map(line).collect())
    }
}

/// The lines of one page, each under its pack.
fn on_page(packs: Vec<HelpPack>, page: usize) -> Vec<HelpPack> {
    let mut before = 0;
    let mut shown = Vec::new();
    for HelpPack { name, lines } in packs {
        let numbered = lines.into_iter().enumerate().map(|(place, line)| (before + place, line)).collect::<Vec<_>>();
        before += numbered.len();
        let here = numbered.into_iter().filter(|(number, _)| number / PAGE + 1 == page);
        let lines: Vec<HelpLine> = here.map(|(_, line)| line).collect();
        if !lines.is_empty() {
            shown.push(HelpPack { name, lines });
        }
    }
    shown
}
