//! A part of a post with a colour, a title and fields of its own, in the words that Slack and Mattermost have for it.

use crate::core::callback::{Button, Meaning};
use serde::{Deserialize, Serialize};

/// The most characters of attachments, all together, that are shown as such; with more they become text, which goes into a file when it is long.
pub const LONGEST: usize = 6_000;

/// One attachment. Texts are Markdown and made harmless; addresses are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// What is shown where attachments are not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fallback: String,
    /// The colour of its edge, `#rrggbb`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub color: String,
    /// Above it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pretext: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_name: String,
    /// Their page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_link: String,
    /// Their picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_icon: String,
    /// Its heading.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Where the heading leads.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title_link: String,
    /// Its text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Its table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// A picture below.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image_url: String,
    /// A small picture beside.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thumb_url: String,
    /// Small print.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub footer: String,
    /// A picture beside that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub footer_icon: String,
    /// What can be pressed below it. Drawn where the server can reach us.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// What the buttons of these attachments mean.
pub fn meanings(attachments: &[Attachment]) -> impl Iterator<Item = &Meaning> {
    attachments.iter().flat_map(|attachment| &attachment.buttons).map(|button| &button.meaning)
}

/// One field of its table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Field {
    /// Its name.
    pub title: String,
    /// Its value.
    pub value: String,
    /// Two of them may stand side by side.
    pub short: bool,
}

impl Attachment {
    /// How many characters it has to show.
    pub fn length(&self) -> usize {
        self.markdown().chars().count()
    }

    /// The same as text, where no attachment can be.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let mut add = |part: String| text.extend(["\n\n", &part].into_iter().filter(|_| !part.is_empty()));
        add(self.pretext.clone());
        add(self.author_name.clone());
        add(match (self.title.as_str(), self.title_link.as_str()) {
            ("", link) => link.to_owned(),
            (title, "") => format!("**{title}**"),
            (title, link) => format!("**[{title}]({link})**"),
        });
        add(self.text.clone());
        let fields = self.fields.iter().map(|field| format!("- **{}**: {}", field.title, field.value));
        add(fields.collect::<Vec<_>>().join("\n"));
        add(self.image_url.clone());
        add(self.footer.clone());
        text
    }
}
