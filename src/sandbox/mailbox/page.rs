//! The mails on a page, for people.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{Mail, NAME};

/// Seconds until the page loads itself again.
const AGAIN: u32 = 10;

pub(super) fn written(mails: &[Mail]) -> String {
    let count = match mails.len() {
        0 => "no mail".to_owned(),
        1 => "1 mail".to_owned(),
        many => format!("{many} mails"),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\" data-settled=\"yes\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta http-equiv=\"refresh\" content=\"{AGAIN}\">\n<title>Sandbox mailbox ({})</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/page/style.css\">\n</head>\n<body class=\"mailbox\">\n\
         <header><h1>Mailbox</h1><p>{count} at {NAME}; nothing is passed on</p></header>\n<main>\n",
        mails.len()
    );
    if mails.is_empty() {
        page.push_str("<p class=\"empty\">Nothing has come yet.</p>\n");
    }
    for mail in mails.iter().rev() {
        let letter = mail.letter();
        let from = match letter.value("From") {
            "" => mail.from.as_str(),
            from => from,
        };
        let at = mail.received.to_zoned(TimeZone::UTC);
        let _ = write!(
            page,
            "<article>\n<h2>{}</h2>\n<p><span>{}</span> <span>to {}</span> <time>{}</time></p>\n<pre>{}</pre>\n</article>\n",
            escaped(letter.subject()),
            escaped(from),
            escaped(&mail.to.join(", ")),
            at.strftime("%H:%M:%S UTC"),
            escaped(letter.body.trim_end()),
        );
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Text as it stands, whatever is in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            character => safe.push(character),
        }
    }
    safe
}
