//! What is said of questions to people, and of their answers.

use halcyon::core::message::card::Card;
use halcyon::core::message::inquiry::{InquiryCard, InquiryEmoji, InquiryEnd, InquiryField, InquiryRow, InquiryValue};

fn yes_or_no() -> InquiryCard {
    InquiryCard {
        line: "`upgrade kernel on wn003`".into(),
        code: "K3QZ".into(),
        fields: vec![InquiryField {
            name: "continue".into(),
            description: "Shall I go on?".into(),
            kind: "true or false",
            required: true,
            ..InquiryField::default()
        }],
        question: "Shall I go on?".into(),
        example: "answer K3QZ yes".into(),
        wait: "24 h".into(),
        until: "22 Nov 14:02 UTC".into(),
        ..InquiryCard::default()
    }
}

fn question_end(how: &'static str, by: &str) -> InquiryEnd {
    let values = vec![InquiryValue { name: "continue".into(), value: "true".into() }];
    InquiryEnd {
        line: "`upgrade kernel on wn003`".into(),
        code: "K3QZ".into(),
        question: "Shall I go on?".into(),
        how,
        by: by.into(),
        values: if how == "answered" { values } else { Vec::new() },
        took: "24 h".into(),
    }
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        ("a question that buttons answer", Card::Inquiry(InquiryCard { buttons: true, ..yes_or_no() })),
        (
            "a question that emojis and lines answer",
            Card::Inquiry(InquiryCard {
                emojis: vec![
                    InquiryEmoji { emoji: "white_check_mark".into(), value: "yes".into() },
                    InquiryEmoji { emoji: "x".into(), value: "no".into() },
                ],
                wait: String::new(),
                until: String::new(),
                ..yes_or_no()
            }),
        ),
        (
            "a question for several things",
            Card::Inquiry(InquiryCard {
                question: String::new(),
                buttons: true,
                form: true,
                fields: vec![
                    InquiryField {
                        name: "reason".into(),
                        description: "Why".into(),
                        required: true,
                        ..InquiryField::default()
                    },
                    InquiryField {
                        name: "rack".into(),
                        allowed: vec!["north".into(), "south".into()],
                        default: "north".into(),
                        ..InquiryField::default()
                    },
                    InquiryField { name: "count".into(), kind: "a whole number", ..InquiryField::default() },
                ],
                example: "answer K3QZ reason=\"…\"".into(),
                who: "the role lead".into(),
                ..yes_or_no()
            }),
        ),
        ("a question that was answered", Card::InquiryEnd(question_end("answered", "lead"))),
        (
            "a question for several things that was answered",
            Card::InquiryEnd(InquiryEnd {
                question: String::new(),
                values: vec![
                    InquiryValue { name: "reason".into(), value: "a dead disk".into() },
                    InquiryValue { name: "count".into(), value: "2".into() },
                ],
                ..question_end("answered", "lead")
            }),
        ),
        ("a question that nobody answered", Card::InquiryEnd(question_end("expired", ""))),
        ("a question that was stopped", Card::InquiryEnd(question_end("canceled", "operator"))),
        (
            "a question that is asked in another channel",
            Card::InquiryElsewhere {
                line: "`upgrade kernel on wn003`".into(),
                channel: "leads".into(),
                code: "K3QZ".into(),
            },
        ),
        (
            "the questions that wait",
            Card::Inquiries {
                rows: vec![
                    InquiryRow {
                        code: "K3QZ".into(),
                        line: "`upgrade kernel on wn003`".into(),
                        question: "Shall I go on?".into(),
                        who: "the role lead".into(),
                        wait: "2 h".into(),
                    },
                    InquiryRow {
                        code: "P7RW".into(),
                        line: "`tell me more`".into(),
                        question: "reason, count".into(),
                        ..InquiryRow::default()
                    },
                ],
            },
        ),
        ("no question that waits", Card::Inquiries { rows: Vec::new() }),
        (
            "an answer that does not fit",
            Card::AnswerUnfit {
                code: "K3QZ".into(),
                problems: vec!["`reason` is missing".into(), "`count` must be at least 1, not `0`".into()],
                example: "answer K3QZ reason=\"…\"".into(),
            },
        ),
        ("an answer to nothing", Card::NoInquiry { code: "K3QZ".into() }),
        ("an answer by somebody else", Card::NotYourInquiry { code: "K3QZ".into(), who: "the role lead".into() }),
        ("an answer by somebody without rights", Card::NotYourInquiry { code: "K3QZ".into(), who: String::new() }),
    ]
}
