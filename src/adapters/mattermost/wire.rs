//! What the server sends: websocket frames and the few REST answers that are read. Everything is optional until it is needed.
//!
//! [`decode`] is pure. **It never panics and never guesses by searching the text**: the kind of a frame is decided by its parsed keys,
//! since people may write any word that also is a key.

use crate::core::id::{ChannelId, PostId, UserId};
use crate::core::input::{ChannelKind, HeardPost, HeardReaction, PostMarks};
use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Props by which a post says that it is not simply a person's own words. Any user can set them, so they only ever take trust away.
const MARKING_PROPS: [&str; 9] = [
    "from_bot",
    "from_oauth_app",
    "from_plugin",
    "from_webhook",
    "override_icon_emoji",
    "override_icon_url",
    "override_username",
    "use_user_icon",
    "webhook_display_name",
];

/// The prop by which posts of one instance of the bot are told from those of another.
pub(crate) const INSTANCE_PROP: &str = "halcyon_instance";

/// One text frame of the websocket.
#[derive(Debug)]
pub enum Frame {
    /// Something happened. Events are numbered, one by one, from the greeting on.
    Event {
        /// Its number.
        seq: Option<u64>,
        /// What happened.
        event: Event,
    },
    /// The answer to a frame of ours.
    Reply {
        /// The number of our frame.
        to: u64,
        /// Why it was refused, if it was.
        failed: Option<String>,
    },
    /// Nothing that this protocol knows; why.
    Noise(String),
}

/// What happened on the server.
#[derive(Debug)]
pub enum Event {
    /// The connection stands and the token is good.
    Hello {
        /// The name under which the server remembers this connection; absent when it does not.
        connection: Option<String>,
    },
    /// A post was written or edited.
    Post(Box<HeardPost>),
    /// An emoji was put on a post or taken away.
    Reaction(Box<HeardReaction>),
    /// A user's name, standing or memberships may have changed.
    UserChanged(UserId),
    /// The same, the server does not say whose.
    UsersChanged,
    /// The server's configuration changed, perhaps its limits too.
    ConfigChanged,
    /// Nothing that the bot needs; most events are.
    Other,
    /// An event that the bot needs, in a shape that it does not know.
    Unreadable {
        /// What was wrong with it.
        why: String,
    },
}

/// Reads one text frame.
pub fn decode(text: &str) -> Frame {
    let frame = match Object::read(text) {
        Ok(frame) => frame,
        Err(problem) if problem.is_data() => return Frame::Noise("not an object".into()),
        Err(problem) => return Frame::Noise(shorten(&format!("not JSON: {problem}"))),
    };
    if let Some(name) = frame.text("event") {
        let event =
            event(name, &frame).unwrap_or_else(|why| Event::Unreadable { why: shorten(&format!("{name}: {why}")) });
        return Frame::Event { seq: frame.read_as("seq"), event };
    }
    let Some(to) = frame.read_as("seq_reply") else {
        return Frame::Noise("neither an event nor a reply".into());
    };
    let failed = match (frame.text("status").map(Cow::as_ref), frame.read_as("error")) {
        (Some("OK"), None | Some(Value::Null)) => None,
        (_, error) => Some(error.map_or_else(|| "no reason given".into(), |error| shorten(&reason(&error)))),
    };
    Frame::Reply { to, failed }
}

fn event(name: &str, frame: &Object<'_>) -> Result<Event, String> {
    let (data, broadcast) = (frame.object("data"), frame.object("broadcast"));
    match name {
        "hello" => Ok(Event::Hello { connection: data.text("connection_id").map(|id| id.to_string()) }),
        "posted" | "post_edited" => {
            let post = data.text("post").ok_or("no post in it")?;
            let post: Post =
                serde_json::from_str(post).map_err(|problem| format!("the post is not readable: {problem}"))?;
            heard(post, data.text("channel_type").map(Cow::as_ref), name == "post_edited")
                .map(|post| Event::Post(Box::new(post)))
        }
        "reaction_added" | "reaction_removed" => {
            let reaction = data.text("reaction").ok_or("no reaction in it")?;
            let reaction: Reaction =
                serde_json::from_str(reaction).map_err(|problem| format!("the reaction is not readable: {problem}"))?;
            let channel = broadcast.text("channel_id").map(|id| ChannelId::new(id.as_ref()));
            let heard = reaction.heard(channel.as_ref(), name == "reaction_removed")?;
            Ok(Event::Reaction(Box::new(heard)))
        }
        "user_updated" => {
            // An object in the versions that were read; a string holding one would follow the custom of the other events.
            let user: Value = data.read_as("user").ok_or("no user in it")?;
            let parsed = user.as_str().and_then(|user| serde_json::from_str::<Value>(user).ok());
            let id = parsed.as_ref().unwrap_or(&user).get("id").and_then(Value::as_str).ok_or("the user has no id")?;
            Ok(Event::UserChanged(UserId::new(id)))
        }
        "user_added" | "user_removed" | "user_role_updated" | "added_to_team" | "leave_team" => {
            // Who is removed hears of it by a frame of their own that names them in the address only.
            let user = data.text("user_id").or_else(|| broadcast.text("user_id")).ok_or("it names no user")?;
            Ok(Event::UserChanged(UserId::new(user.as_ref())))
        }
        "user_activation_status_change" => Ok(Event::UsersChanged),
        "config_changed" => Ok(Event::ConfigChanged),
        _ => Ok(Event::Other),
    }
}

/// How the value of a key is read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Object,
    Raw,
}

/// The keys that anything is asked of.
const KEYS: [(&str, Kind); 14] = [
    ("broadcast", Kind::Object),
    ("channel_id", Kind::Text),
    ("channel_type", Kind::Text),
    ("connection_id", Kind::Text),
    ("data", Kind::Object),
    ("error", Kind::Raw),
    ("event", Kind::Text),
    ("post", Kind::Text),
    ("reaction", Kind::Text),
    ("seq", Kind::Raw),
    ("seq_reply", Kind::Raw),
    ("status", Kind::Text),
    ("user", Kind::Raw),
    ("user_id", Kind::Text),
];

/// An object of which only what is asked for is read, in one pass: the post of a frame is long, and JSON within JSON. All else is passed over
/// without a copy. Of a key that stands twice the last value counts.
#[derive(Default)]
struct Object<'a>(Vec<(&'static str, Part<'a>)>);

/// What an object has under a key.
enum Part<'a> {
    Text(Cow<'a, str>),
    Object(Object<'a>),
    Raw(&'a RawValue),
    /// Something else than what is to be there.
    Other,
}

impl<'a> Object<'a> {
    fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    fn get(&self, key: &str) -> Option<&Part<'a>> {
        self.0.iter().rev().find(|(known, _)| *known == key).map(|(_, part)| part)
    }

    /// A value of that kind; absent where it is of another, too.
    fn read_as<T: Deserialize<'a>>(&self, key: &str) -> Option<T> {
        match self.get(key)? {
            Part::Raw(value) => serde_json::from_str(value.get()).ok(),
            Part::Text(_) | Part::Object(_) | Part::Other => None,
        }
    }

    /// A text that is not empty.
    fn text(&self, key: &str) -> Option<&Cow<'a, str>> {
        match self.get(key)? {
            Part::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Part::Object(_) | Part::Raw(_) | Part::Other => None,
        }
    }

    /// An object; an empty one where there is none.
    fn object(&self, key: &str) -> &Self {
        const EMPTY: &Object<'static> = &Object(Vec::new());
        match self.get(key) {
            Some(Part::Object(object)) => object,
            Some(Part::Text(_) | Part::Raw(_) | Part::Other) | None => EMPTY,
        }
    }
}

/// One of the keys that anything is asked of.
struct Key(Option<(&'static str, Kind)>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key(KEYS.iter().find(|(known, _)| *known == key).copied()))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<'de>, A::Error> {
                object(map)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Object<'de>, A::Error> {
    let mut object = Object::default();
    while let Some(Key(key)) = map.next_key()? {
        let Some((key, kind)) = key else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let part = match kind {
            Kind::Raw => Part::Raw(map.next_value()?),
            Kind::Text | Kind::Object => map.next_value()?,
        };
        object.0.push((key, part));
    }
    Ok(object)
}

/// A text or an object, whatever stands there.
impl<'de> Deserialize<'de> for Part<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Part<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Part<'de>, E> {
                Ok(Part::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Part<'de>, E> {
                Ok(Part::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part<'de>, A::Error> {
                object(map).map(Part::Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Part::Other)
            }

            fn visit_unit<E>(self) -> Result<Part<'de>, E> {
                Ok(Part::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Part<'de>, E> {
                Ok(Part::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Part<'de>, E> {
                Ok(Part::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Part<'de>, E> {
                Ok(Part::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Part<'de>, E> {
                Ok(Part::Other)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A post as the runtime takes it. It knows no clock: whoever hears it dates the hearing.
pub(crate) fn heard(post: Post, channel_type: Option<&str>, edited: bool) -> Result<HeardPost, String> {
    for (value, name) in [(&post.id, "id"), (&post.user_id, "user_id"), (&post.channel_id, "channel_id")] {
        if value.is_empty() {
            return Err(format!("the post has no {name}"));
        }
    }
    let created = Timestamp::from_millisecond(post.create_at).map_err(|_| "create_at is not a time".to_owned())?;
    let props = post.props.unwrap_or_default();
    let set = |name: &&str| props.get(*name).is_some_and(|value| !value.is_null());
    Ok(HeardPost {
        id: PostId::new(post.id),
        channel: ChannelId::new(post.channel_id),
        // An edit does not say its channel's kind. A public one is the guess that lets the least through: nothing there is meant for the
        // bot unless it says so.
        channel_kind: channel_type.map_or(ChannelKind::Public, channel_kind),
        root: Some(post.root_id).filter(|root| !root.is_empty()).map(PostId::new),
        author: UserId::new(post.user_id),
        identity: None,
        message: post.message,
        created,
        heard: created,
        missed: false,
        instance: props.get(INSTANCE_PROP).and_then(Value::as_str).map(str::to_owned),
        marks: PostMarks {
            kind: post.kind,
            edited: edited || post.edit_at > 0,
            props: MARKING_PROPS.iter().filter(|name| set(name)).map(|name| (*name).to_owned()).collect(),
            remote: post.remote_id.is_some_and(|remote| !remote.is_empty()),
        },
    })
}

/// The server's letter for the kind of a channel.
pub(crate) fn channel_kind(letter: &str) -> ChannelKind {
    match letter {
        "D" => ChannelKind::Direct,
        "G" => ChannelKind::Group,
        "P" => ChannelKind::Private,
        _ => ChannelKind::Public,
    }
}

/// A post as the server writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) edit_at: i64,
    pub(crate) delete_at: i64,
    pub(crate) user_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    pub(crate) message: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) props: Option<Map<String, Value>>,
    pub(crate) remote_id: Option<String>,
}

/// An emoji on a post as the server writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reaction {
    user_id: String,
    post_id: String,
    emoji_name: String,
    create_at: i64,
}

impl Reaction {
    /// As the runtime takes it. The tone of a hand says nothing of what it means.
    pub(crate) fn heard(self, channel: Option<&ChannelId>, removed: bool) -> Result<HeardReaction, String> {
        for (value, name) in [(&self.user_id, "user_id"), (&self.post_id, "post_id"), (&self.emoji_name, "emoji_name")]
        {
            if value.is_empty() {
                return Err(format!("the reaction has no {name}"));
            }
        }
        let tones = ["_light", "_medium_light", "_medium", "_medium_dark", "_dark"];
        let bare = self.emoji_name.strip_suffix("_skin_tone");
        // The shortest of what is left, since `_medium_light` ends in `_light`.
        let bare =
            bare.and_then(|name| tones.iter().filter_map(|tone| name.strip_suffix(tone)).min_by_key(|name| name.len()));
        let emoji = bare.unwrap_or(&self.emoji_name).to_owned();
        Ok(HeardReaction {
            post: PostId::new(self.post_id),
            channel: channel.cloned(),
            user: UserId::new(self.user_id),
            identity: None,
            emoji,
            removed,
            created: Timestamp::from_millisecond(self.create_at).map_err(|_| "create_at is not a time".to_owned())?,
        })
    }
}

/// A page of posts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posts {
    order: Option<Vec<String>>,
    posts: Option<BTreeMap<String, Post>>,
}

impl Posts {
    /// What was asked for, as the server orders it, without the threads that come along.
    pub(crate) fn in_order(self) -> Vec<Post> {
        let mut posts = self.posts.unwrap_or_default();
        self.order.unwrap_or_default().iter().filter_map(|id| posts.remove(id)).collect()
    }
}

/// A channel that the bot is in.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) last_post_at: i64,
}

/// A team that the bot is in.
#[derive(Debug, Deserialize)]
pub(crate) struct Team {
    pub(crate) id: String,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) delete_at: i64,
    #[serde(default)]
    pub(crate) is_bot: bool,
    #[serde(default)]
    pub(crate) timezone: Option<Timezone>,
}

/// A user's clock. Every value is text, the truth of the switch too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Timezone {
    automatic_timezone: String,
    manual_timezone: String,
    use_automatic_timezone: String,
}

impl User {
    /// Whether nobody speaks with this account.
    pub(crate) fn is_inactive(&self) -> bool {
        self.is_bot || self.delete_at != 0
    }

    /// The name of the time zone that this user sees; empty when the server does not say.
    pub(crate) fn zone(&self) -> &str {
        match &self.timezone {
            Some(zone) if zone.use_automatic_timezone == "false" => &zone.manual_timezone,
            Some(zone) => &zone.automatic_timezone,
            None => "",
        }
    }
}

/// Anything of which only the id matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
}

/// The answer to an upload.
#[derive(Debug, Deserialize)]
pub(crate) struct Uploaded {
    #[serde(default)]
    pub(crate) file_infos: Vec<Named>,
}

/// The configuration as clients may see it: texts all.
#[derive(Debug, Deserialize)]
pub(crate) struct ClientConfig {
    #[serde(rename = "MaxPostSize", default)]
    pub(crate) max_post_size: Option<String>,
}

/// The server's explanation of a failure, on one line: `id: message (request id)`, or the text as it is.
pub(crate) fn explanation(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_str::<Value>(&text) {
        Ok(error @ Value::Object(_)) => shorten(&reason(&error)),
        _ => shorten(text.trim()),
    }
}

/// Whether an error is the server's own: it gives each a name. What comes from a proxy, or from whatever else answers at an address, has none.
pub(crate) fn is_signed(body: &[u8]) -> bool {
    let Ok(Value::Object(error)) = serde_json::from_slice(body) else { return false };
    let named = error.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    let told = |key: &str| error.get(key).is_some_and(|value| value.is_number() || value.is_string());
    named && (told("status_code") || told("message"))
}

fn reason(error: &Value) -> String {
    let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let mut reason =
        [part("id"), part("message")].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ");
    if !part("request_id").is_empty() {
        reason.push_str(&format!(" (request {})", part("request_id")));
    }
    if reason.is_empty() { "no reason given".into() } else { reason }
}

/// What a stranger sent, fit for one line of a log: no control characters, not endless.
pub(crate) fn shorten(text: &str) -> String {
    const ENOUGH: usize = 300;
    let mut line: String =
        text.chars().take(ENOUGH).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(ENOUGH).is_some() {
        line.push('…');
    }
    line
}
