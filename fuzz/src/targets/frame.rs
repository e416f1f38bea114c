//! Frames of the websocket, as a server or whoever stands in its way may write them.

use halcyon::adapters::mattermost::{Event, Frame, decode};

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let frame = decode(&text);
    assert_eq!(format!("{frame:?}"), format!("{:?}", decode(&text)), "a frame means one thing");
    match frame {
        Frame::Noise(why) | Frame::Reply { failed: Some(why), .. } => fit_for_a_log(&why),
        Frame::Event { event: Event::Unreadable { why }, .. } => fit_for_a_log(&why),
        Frame::Event { event: Event::Post(post), .. } => {
            assert!(!post.id.as_str().is_empty() && !post.channel.as_str().is_empty());
            assert!(!post.author.as_str().is_empty(), "a post has an author");
            assert!(post.root.is_none_or(|root| !root.as_str().is_empty()), "an empty root is none");
            assert!(post.identity.is_none(), "who wrote it is looked up, never believed");
        }
        Frame::Event { event: Event::UserChanged(user), .. } => drop(user),
        Frame::Event { .. } | Frame::Reply { .. } => {}
    }
}

/// What a stranger wrote goes into a log on one line and not at any length.
fn fit_for_a_log(why: &str) {
    assert!(!why.contains(char::is_control), "control characters in {why:?}");
    assert!(why.chars().count() <= 500, "{} characters for a log", why.chars().count());
}
