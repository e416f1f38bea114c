//! Frames as a server sends them, against a table of what is made of them.

use halcyon::adapters::mattermost::{Event, Frame, decode};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn frames() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let frames = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    frames
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// A decoded frame on one line.
fn tell(frame: &Frame) -> String {
    match frame {
        Frame::Noise(why) => format!("noise: {why}"),
        Frame::Reply { to, failed: None } => format!("reply to {to}: good"),
        Frame::Reply { to, failed: Some(why) } => format!("reply to {to}: {why}"),
        Frame::Event { seq, event } => {
            let number = seq.map_or("unnumbered".to_owned(), |seq| seq.to_string());
            format!("event {number}: {}", tell_event(event))
        }
    }
}

fn tell_event(event: &Event) -> String {
    match event {
        Event::Hello { connection } => format!("hello, connection {connection:?}"),
        Event::Post(post) => {
            let root = post.root.as_ref().map(|root| format!(" under {root}")).unwrap_or_default();
            let (kind, at) = (post.channel_kind, post.created);
            let marks = &post.marks;
            let mut line = format!(
                "post {}{root} in {} ({kind:?}) by {} at {at}: {:?}",
                post.id, post.channel, post.author, post.message
            );
            if !marks.kind.is_empty() {
                line.push_str(&format!(", type {}", marks.kind));
            }
            if marks.edited {
                line.push_str(", edited");
            }
            if !marks.props.is_empty() {
                line.push_str(&format!(", props {}", marks.props.join(" ")));
            }
            if marks.remote {
                line.push_str(", remote");
            }
            line
        }
        Event::Reaction(reaction) => {
            let sign = if reaction.removed { '-' } else { '+' };
            let (user, post, at) = (&reaction.user, &reaction.post, reaction.created);
            format!("reaction {sign}{} on {post} in {:?} by {user} at {at}", reaction.emoji, reaction.channel)
        }
        Event::UserChanged(user) => format!("user {user} changed"),
        Event::UsersChanged => "users changed".into(),
        Event::ConfigChanged => "configuration changed".into(),
        Event::Other => "not needed".into(),
        Event::Unreadable { why } => format!("unreadable: {why}"),
    }
}

#[test]
fn frames_are_read_as_the_table_says() {
    let mut table = String::new();
    for (name, text) in frames() {
        writeln!(table, "{name}\n    {}", tell(&decode(&text))).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames/expected.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(&path).unwrap(), "set UPDATE_EXPECTED=1 to write the table anew");
}

#[test]
fn broken_frames_are_never_more_than_noise() {
    for (name, text) in frames() {
        let whole = tell(&decode(&text));
        if text.len() > 3000 {
            continue;
        }
        for (at, _) in text.char_indices() {
            // A frame that is cut anywhere is not a frame.
            assert!(matches!(decode(&text[..at]), Frame::Noise(_)), "{name} cut at {at}");
            // Whatever one other character makes of it, it is decoded to something.
            let stranger = ["\"", "}", "0"][at % 3];
            let mut changed = text.clone();
            changed.replace_range(at..at + text[at..].chars().next().unwrap().len_utf8(), stranger);
            assert!(!tell(&decode(&changed)).is_empty());
        }
        if !whole.starts_with("noise") {
            assert_eq!(tell(&decode(&format!(" {text}\n"))), whole, "{name} with blanks around it");
        }
    }
}
