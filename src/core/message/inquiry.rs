//! What is said of inquiries, as data.

use serde::Serialize;

/// A question to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryCard {
    /// The line that asks, as inline code.
    pub line: String,
    /// The code by which it is answered.
    pub code: String,
    /// What is asked for.
    pub fields: Vec<InquiryField>,
    /// One thing is asked for, and its description is the question.
    pub question: String,
    /// Buttons stand below.
    pub buttons: bool,
    /// One of the buttons opens a form.
    pub form: bool,
    /// Emojis on the post answer too, with what each means.
    pub emojis: Vec<InquiryEmoji>,
    /// A line that answers it.
    pub example: String,
    /// Who may answer, in words; empty when everybody may who could start it.
    pub who: String,
    /// For how long it waits; empty when for ever.
    pub wait: String,
    /// Until when, in UTC; empty when for ever.
    pub until: String,
}

/// One thing that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryField {
    /// Its name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What it has to be, `a whole number`; empty for any text.
    pub kind: &'static str,
    /// The values that it can have; empty where there are no such.
    pub allowed: Vec<String>,
    /// What it is when nothing is given; empty when nothing.
    pub default: String,
    /// It has to be given.
    pub required: bool,
}

/// An emoji that answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryEmoji {
    /// Its name without colons.
    pub emoji: String,
    /// The answer.
    pub value: String,
}

/// How a question ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryEnd {
    /// The line that asked, as inline code.
    pub line: String,
    /// The code by which it could be answered.
    pub code: String,
    /// What was asked, where that was one thing.
    pub question: String,
    /// `answered`, `expired` or `canceled`.
    pub how: &'static str,
    /// Who answered or stopped it; empty when nobody did.
    pub by: String,
    /// The answer.
    pub values: Vec<InquiryValue>,
    /// How long it took, or had waited.
    pub took: String,
}

/// A part of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryValue {
    /// Its name.
    pub name: String,
    /// It.
    pub value: String,
}

/// One row of the questions that are open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InquiryRow {
    /// Its code.
    pub code: String,
    /// The line that asks, as inline code.
    pub line: String,
    /// What is asked, in a few words.
    pub question: String,
    /// Who may answer, in words; empty when everybody may who could start it.
    pub who: String,
    /// For how long it still waits; empty when for ever.
    pub wait: String,
}
