//! One client, from the greeting to its goodbye.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Mail, NAME, Shared};

/// Octets of a line of a command, of a line of text, and of a mail (RFC 5321, 4.5.3.1, with room).
const COMMAND: usize = 2_048;
const TEXT: usize = 8_192;
const MAIL: usize = 4 << 20;
/// Recipients of one mail.
const RECIPIENTS: usize = 100;
/// Commands that are none, until the server hangs up.
const PATIENCE: u32 = 20;

/// What has been said of a mail so far.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

pub(super) async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    write.write_all(format!("220 {NAME} ESMTP sandbox\r\n").as_bytes()).await?;
    let (mut greeted, mut envelope, mut nonsense) = (false, Envelope::default(), 0);
    loop {
        let line = match line(&mut read, COMMAND).await? {
            Line::Whole(line) => line,
            Line::TooLong => {
                write.write_all(b"500 5.5.2 line too long\r\n").await?;
                continue;
            }
            Line::End => return Ok(()),
        };
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if rest.trim().is_empty() => "501 5.5.4 a name is needed".to_owned(),
            "EHLO" => {
                (greeted, envelope) = (true, Envelope::default());
                format!(
                    "250-{NAME} greets you\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {MAIL}"
                )
            }
            "HELO" => {
                (greeted, envelope) = (true, Envelope::default());
                format!("250 {NAME}")
            }
            "MAIL" if !greeted => "503 5.5.1 say EHLO first".to_owned(),
            "MAIL" if envelope.from.is_some() => "503 5.5.1 there is a sender already".to_owned(),
            "MAIL" => match mail(rest) {
                Ok(from) => {
                    envelope.from = Some(from);
                    "250 2.1.0 ok".to_owned()
                }
                Err(refusal) => refusal.to_owned(),
            },
            "RCPT" if envelope.from.is_none() => "503 5.5.1 say MAIL first".to_owned(),
            "RCPT" if envelope.to.len() >= RECIPIENTS => "452 4.5.3 too many recipients".to_owned(),
            "RCPT" => match recipient(rest) {
                Ok(to) if shared.manners().refused.contains(&to.to_ascii_lowercase()) => {
                    format!("550 5.1.1 <{to}>: no such mailbox here")
                }
                Ok(to) => {
                    envelope.to.push(to);
                    "250 2.1.5 ok".to_owned()
                }
                Err(refusal) => refusal.to_owned(),
            },
            "DATA" if envelope.from.is_none() || envelope.to.is_empty() => {
                "503 5.5.1 there are no recipients".to_owned()
            }
            "DATA" if !rest.trim().is_empty() => "501 5.5.4 nothing follows DATA".to_owned(),
            "DATA" => {
                write.write_all(b"354 go on, and end with a dot\r\n").await?;
                let Some(data) = data(&mut read).await? else { return Ok(()) };
                let Envelope { from, to } = std::mem::take(&mut envelope);
                taken(shared, from.unwrap_or_default(), to, data)
            }
            "RSET" => {
                envelope = Envelope::default();
                "250 2.0.0 ok".to_owned()
            }
            "NOOP" => "250 2.0.0 ok".to_owned(),
            "HELP" => "214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT".to_owned(),
            "VRFY" => "252 2.1.5 send it, and see".to_owned(),
            "QUIT" => {
                write.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            "STARTTLS" | "AUTH" | "EXPN" | "ETRN" | "BDAT" => "502 5.5.1 not offered".to_owned(),
            _ => {
                nonsense += 1;
                if nonsense > PATIENCE {
                    write.write_all(b"421 4.7.0 too much of what is no command\r\n").await?;
                    return Ok(());
                }
                "500 5.5.2 no such command".to_owned()
            }
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

/// The sender and what follows it; an error is the refusal.
fn mail(rest: &str) -> Result<String, &'static str> {
    let (from, parameters) = path(rest, "FROM:").ok_or("501 5.5.4 MAIL FROM:<address> is needed")?;
    if !from.is_empty() && !is_address(&from) {
        return Err("553 5.1.7 that is no address");
    }
    for parameter in parameters.split_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => match value.parse::<usize>() {
                Ok(size) if size > MAIL => return Err("552 5.3.4 too big for this server"),
                Ok(_) => {}
                Err(_) => return Err("501 5.5.4 SIZE is a number"),
            },
            "BODY" if matches!(value.to_ascii_uppercase().as_str(), "7BIT" | "8BITMIME") => {}
            "SMTPUTF8" if value.is_empty() => {}
            _ => return Err("555 5.5.4 no such parameter"),
        }
    }
    Ok(from)
}

fn recipient(rest: &str) -> Result<String, &'static str> {
    let (to, parameters) = path(rest, "TO:").ok_or("501 5.5.4 RCPT TO:<address> is needed")?;
    if !is_address(&to) {
        return Err("553 5.1.3 that is no address");
    }
    if !parameters.trim().is_empty() {
        return Err("555 5.5.4 no such parameter");
    }
    Ok(to)
}

/// What stands between the angle brackets after a word, and what follows.
fn path<'a>(rest: &'a str, word: &str) -> Option<(String, &'a str)> {
    let begins = rest.get(..word.len())?.eq_ignore_ascii_case(word);
    let after = rest.get(word.len()..).filter(|_| begins)?.trim_start().strip_prefix('<')?;
    let (address, parameters) = after.split_once('>')?;
    Some((address.to_owned(), parameters))
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let fits = |part: &str| {
        !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>,".contains(c))
    };
    fits(local) && fits(domain) && local.len() <= 64 && domain.len() <= 255 && !domain.starts_with('.')
}

/// Keeps a mail, unless it is too big or shall come later.
fn taken(shared: &Shared, from: String, to: Vec<String>, data: Data) -> String {
    let raw = match data {
        Data::Whole(raw) => raw,
        Data::TooBig => return "552 5.3.4 too big for this server".to_owned(),
        Data::TooLong => return "500 5.6.0 a line is too long".to_owned(),
    };
    if shared.manners().try_later {
        return "451 4.3.0 try again later".to_owned();
    }
    let received = now();
    let mut number = 0;
    shared.mails.send_modify(|mails| {
        mails.push(Mail { from, to, received, raw });
        number = mails.len();
    });
    format!("250 2.0.0 kept as number {number}")
}

#[expect(clippy::disallowed_methods, reason = "a mail server has a clock of its own, as a real one has")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// What came after DATA.
enum Data {
    Whole(String),
    TooBig,
    TooLong,
}

/// Reads to the lone dot; nothing when the client has gone before.
async fn data(read: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Data>> {
    let (mut raw, mut too_big, mut too_long) = (Vec::new(), false, false);
    loop {
        let line = match line(read, TEXT).await? {
            Line::Whole(line) => line,
            Line::TooLong => {
                too_long = true;
                continue;
            }
            Line::End => return Ok(None),
        };
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text == b"." {
            break;
        }
        too_big |= raw.len() + text.len() > MAIL;
        if !too_big {
            // A dot at the beginning was doubled on the way.
            raw.extend_from_slice(text.strip_prefix(b".").unwrap_or(text));
            raw.push(b'\n');
        }
    }
    Ok(Some(match (too_big, too_long) {
        (true, _) => Data::TooBig,
        (false, true) => Data::TooLong,
        (false, false) => Data::Whole(String::from_utf8_lossy(&raw).into_owned()),
    }))
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// One line with its end; of one that is too long nothing is kept.
async fn line(read: &mut (impl AsyncBufRead + Unpin), most: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let limit = most as u64 + 1;
    if (&mut *read).take(limit).read_until(b'\n', &mut line).await? == 0 {
        return Ok(Line::End);
    }
    if line.ends_with(b"\n") {
        return Ok(Line::Whole(line));
    }
    if line.len() <= most {
        // The client hung up in the middle of it.
        return Ok(Line::End);
    }
    loop {
        line.clear();
        let count = (&mut *read).take(limit).read_until(b'\n', &mut line).await?;
        if count == 0 {
            return Ok(Line::End);
        }
        if line.ends_with(b"\n") {
            return Ok(Line::TooLong);
        }
    }
}
