//! What README and documentation show is tried: configurations are read, command lines are parsed, and every key is explained.

use clap::Parser;
use clap::error::ErrorKind;
use halcyon::cli::Arguments;
use halcyon::config::{Config, Environment};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README and every page under `docs`.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut waiting = vec![root().join("README.md"), root().join("docs")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            pages.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    pages
}

/// A fenced block with its language and the line where it begins.
struct Block {
    language: String,
    line: usize,
    text: String,
}

/// The fenced blocks of a page, and the page without them.
fn blocks(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut rest): (Vec<Block>, String) = (Vec::new(), String::new());
    let mut open = false;
    for (number, line) in page.lines().enumerate() {
        let trimmed = line.trim_start();
        if let Some(language) = trimmed.strip_prefix("```") {
            if !open {
                blocks.push(Block { language: language.trim().to_owned(), line: number + 1, text: String::new() });
            }
            open = !open;
        } else if let (true, Some(block)) = (open, blocks.last_mut()) {
            block.text += trimmed;
            block.text.push('\n');
        } else {
            rest += line;
            rest.push('\n');
        }
    }
    (blocks, rest)
}

/// Our own command in a line of a shell, split into words; nothing for a line that is another program's.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let rest = ["halcyon ", "./target/release/halcyon ", "cargo run --release -- ", "cargo run -- "]
        .iter()
        .find_map(|start| line.strip_prefix(start))?;
    let (mut words, mut word, mut quote) = (vec!["halcyon".to_owned()], None::<String>, None);
    for c in rest.chars() {
        match (c, quote) {
            ('#', None) if word.is_none() => break,
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Tries a command line; help and version are as good as a command. One that is only mentioned in a sentence may lack what it works on.
fn check(place: &str, line: &str, mentioned: bool) -> bool {
    let Some(words) = command(line) else { return false };
    if let Err(error) = Arguments::try_parse_from(&words) {
        let short = matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        assert!(error.exit_code() == 0 || mentioned && short, "{place}: `{line}`: {error}");
    }
    true
}

#[test]
fn command_lines_are_ours() {
    assert_eq!(command("$ halcyon run a 'b=c d' # why").unwrap(), ["halcyon", "run", "a", "b=c d"]);
    assert_eq!(command("./test.sh"), None);
    let mut tried = 0;
    for (name, page) in pages() {
        let (blocks, rest) = blocks(&page);
        for block in
            blocks.iter().filter(|block| matches!(block.language.as_str(), "sh" | "shell" | "bash" | "console"))
        {
            for line in block.text.lines() {
                tried += usize::from(check(&format!("{name}:{}", block.line), line, false));
            }
        }
        // In running text `a|b` and `…` say that something is to be chosen or filled in.
        for code in rest.split('`').skip(1).step_by(2).filter(|code| !code.contains(['|', '…', '\n'])) {
            tried += usize::from(check(&name, code, true));
        }
    }
    assert!(tried > 5, "{tried}");
}

#[test]
fn configurations_are_valid() {
    let mut tried = 0;
    for (name, page) in pages() {
        for block in blocks(&page).0.iter().filter(|block| block.language == "toml") {
            let place = format!("{name}:{}", block.line);
            if let Err(problems) = Config::parse(&root().join("config.toml"), &block.text, &Environment::new()) {
                panic!("{place}: {problems:#?}");
            }
            tried += 1;
        }
    }
    assert!(tried > 3, "{tried}");
}

/// The keys of a section, as the reader itself lists them when it meets one that it does not know.
fn keys(section: &str) -> Vec<String> {
    let text = format!("{section}\nqqqqqqqqqqqqqqqq = 1\n");
    let problems = Config::parse(&root().join("config.toml"), &text, &Environment::new()).unwrap_err();
    let known = problems.iter().find_map(|problem| problem.suggestion.as_deref()?.strip_prefix("known here: "));
    known.unwrap_or_else(|| panic!("{section}: {problems:#?}")).split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_explained_and_stands_in_the_example() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let example = std::fs::read_to_string(root().join("config.toml")).unwrap();
    for section in keys("") {
        assert!(page.contains(&format!("[{section}")), "docs/configuration.md does not explain [{section}]");
        assert!(example.contains(&format!("[{section}")), "config.toml does not show [{section}]");
        let header = match section.as_str() {
            "access" => "[[access.roles]]".to_owned(),
            "monitoring" => "[[monitoring]]".to_owned(),
            section => format!("[{section}]"),
        };
        for key in keys(&header) {
            let explained = [format!("`{key}`"), format!("`{section}.{key}`")];
            assert!(
                explained.iter().any(|key| page.contains(key)),
                "docs/configuration.md does not explain {section}.{key}"
            );
            let shown = [format!("{key} = "), format!("{section}.{key}]")];
            // The keys for TLS are known so that they can be refused with a reason.
            if !key.starts_with("tls_") {
                assert!(shown.iter().any(|key| example.contains(key)), "config.toml does not show {section}.{key}");
            }
        }
    }
}

/// The unit's settings, the last of each name.
fn unit() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/halcyon.service")).unwrap();
    let settings = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_unit_never_gives_the_bot_up() {
    let unit = unit();
    assert_eq!((unit["Restart"].as_str(), unit["StartLimitIntervalSec"].as_str()), ("on-failure", "0"));
}

/// Local commands outlive the bot and are asked after by notes in `/tmp`.
#[test]
fn the_unit_leaves_local_commands_and_their_notes_alone() {
    let unit = unit();
    assert_eq!(unit["KillMode"], "process");
    assert_eq!(unit.get("PrivateTmp").map_or("no", String::as_str), "no");
    assert!(!unit.contains_key("DynamicUser"), "it implies PrivateTmp");
}
