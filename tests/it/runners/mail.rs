//! Mails, against a server that speaks SMTP and misbehaves on request.

use super::{action, outcome, planned, text, work};
use crate::data;
use crate::ssh::MemoryBlobs;
use halcyon::adapters::http::HttpRunner;
use halcyon::adapters::mail::{Encryption, MailOptions, MailRunner};
use halcyon::config::{Config, Environment, MailEncryption};
use halcyon::core::action::run::{Exit, Secret};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the server does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// As it should.
    Good,
    /// It speaks TLS from the first byte.
    Wrapped,
    /// It does not offer TLS.
    Plain,
    /// It offers TLS and refuses it.
    NoTls,
    /// It knows no password.
    NoLogin,
    /// It takes no mail for anybody.
    NoRecipient,
    /// It takes the mail and then does not.
    TryLater,
    /// It greets nobody.
    Closed,
    /// It never says a word.
    Silent,
    /// It hangs up in the middle of the mail.
    HangsUp,
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

type Transcript = Arc<Mutex<Vec<String>>>;

fn tls() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(data("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data("tls/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// Serves until the process ends; a thread a connection.
fn serve(mood: Mood) -> (u16, Transcript) {
    let transcript = Transcript::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let noted = Arc::clone(&transcript);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, noted) = (stream.unwrap(), Arc::clone(&noted));
            std::thread::spawn(move || {
                let _ = converse(mood, stream, &noted);
            });
        }
    });
    (port, transcript)
}

fn converse(mood: Mood, stream: TcpStream, noted: &Transcript) -> std::io::Result<()> {
    let note = |line: &str| noted.lock().unwrap().push(line.to_owned());
    let plain = stream.try_clone()?;
    let secure = || StreamOwned::new(ServerConnection::new(tls()).unwrap(), plain.try_clone().unwrap());
    let mut secured = mood == Mood::Wrapped;
    let mut talk: BufReader<Box<dyn Both>> =
        BufReader::new(if secured { Box::new(secure()) } else { Box::new(stream) });
    match mood {
        Mood::Silent => {
            let mut nothing = String::new();
            talk.read_line(&mut nothing)?;
            return Ok(());
        }
        Mood::Closed => write!(talk.get_mut(), "554 no service here\r\n")?,
        _ => write!(talk.get_mut(), "220 mail.example.org ESMTP\r\n")?,
    }
    talk.get_mut().flush()?;
    loop {
        let mut line = String::new();
        if talk.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let word = line.split([' ', ':']).next().unwrap().to_uppercase();
        note(if word == "AUTH" { "AUTH (over a protected line: it is not kept)" } else { line });
        let answer = match word.as_str() {
            "EHLO" if secured || mood == Mood::Plain => "250-mail.example.org\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
            "EHLO" => "250-mail.example.org\r\n250-8BITMIME\r\n250 STARTTLS",
            "STARTTLS" if mood == Mood::NoTls => "454 TLS not available due to temporary reason",
            "STARTTLS" => {
                write!(talk.get_mut(), "220 go ahead\r\n")?;
                talk.get_mut().flush()?;
                talk = BufReader::new(Box::new(secure()));
                secured = true;
                continue;
            }
            // \0halcyon\0s3cret
            "AUTH" if mood == Mood::NoLogin || line != "AUTH PLAIN AGhhbGN5b24AczNjcmV0" => {
                "535 5.7.8 authentication credentials invalid"
            }
            "AUTH" => "235 2.7.0 welcome",
            "RCPT" if mood == Mood::NoRecipient => "550 5.1.1 no such user here",
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 ok",
            "DATA" => {
                write!(talk.get_mut(), "354 go on\r\n")?;
                talk.get_mut().flush()?;
                loop {
                    let mut line = String::new();
                    if talk.read_line(&mut line)? == 0 || mood == Mood::HangsUp {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    note(&format!("| {}", line.trim_end()));
                }
                if mood == Mood::TryLater { "451 4.3.0 try again later" } else { "250 2.0.0 queued" }
            }
            "QUIT" => "221 bye",
            _ => "500 what?",
        };
        write!(talk.get_mut(), "{answer}\r\n")?;
        talk.get_mut().flush()?;
    }
}

fn options(port: u16, encryption: Encryption) -> MailOptions {
    MailOptions {
        host: "localhost".to_owned(),
        port,
        encryption,
        ca_file: Some(data("tls/ca.pem")),
        from: "Halcyon <halcyon@example.org>".to_owned(),
        login: Some(("halcyon".to_owned(), Ok(Secret::new("s3cret")))),
    }
}

/// How `core.sendmail` ends: exit code, standard output and standard error.
async fn sent(options: Option<MailOptions>, given: Value) -> (Exit, String, String) {
    let mut all = json!({"to": "lead@example.org, operator@example.org", "subject": "Grüße", "body": "<b>well</b>", "timeout": 20});
    all.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    let ended = outcome(&MailRunner::new(options), work(&action(&[], "core.sendmail"), &all)).await.unwrap();
    let blobs = MemoryBlobs::default();
    (ended.exit, text(&ended.stdout, &blobs), text(&ended.stderr, &blobs))
}

const SENT: &str = "Successfully sent mail to lead@example.org, operator@example.org";

#[tokio::test]
async fn a_mail_arrives_over_a_protected_line() {
    for (mood, encryption) in [(Mood::Good, Encryption::StartTls), (Mood::Wrapped, Encryption::Tls)] {
        let (port, transcript) = serve(mood);
        let (exit, stdout, stderr) = sent(Some(options(port, encryption)), json!({})).await;
        assert_eq!((exit, stdout.as_str(), stderr.as_str()), (Exit::Code { code: 0 }, SENT, ""));
        let transcript = transcript.lock().unwrap().join("\n");
        for part in [
            "AUTH (over a protected line",
            "MAIL FROM:<halcyon@example.org>",
            "RCPT TO:<lead@example.org>\nRCPT TO:<operator@example.org>",
            "| From: Halcyon <halcyon@example.org>",
            "| Subject: =?utf-8?b?R3LDvMOfZQ==?=",
            "| Content-Type: text/html; charset=utf-8",
            "| Message-ID: <",
            "| Date: ",
            "| <b>well</b>",
        ] {
            assert!(transcript.contains(part), "{part} in {transcript}");
        }
    }
}

#[tokio::test]
async fn a_mail_says_what_it_was_told_to_say() {
    let (port, transcript) = serve(Mood::Good);
    let given =
        json!({"from": "stanley", "content_type": "text/plain", "body": ".\n.well\n", "sendmail_binary": "None"});
    let (exit, ..) = sent(Some(options(port, Encryption::StartTls)), given).await;
    assert_eq!(exit, Exit::Code { code: 0 });
    let transcript = transcript.lock().unwrap().join("\n");
    assert!(transcript.contains("MAIL FROM:<stanley@example.org>"), "{transcript}");
    assert!(transcript.contains("| Content-Type: text/plain; charset=utf-8"), "{transcript}");
    assert!(transcript.contains("| ..\n| ..well"), "a lone dot would end the mail: {transcript}");
}

#[tokio::test]
async fn a_server_that_does_not_take_a_mail_is_quoted() {
    for (mood, encryption, why) in [
        (Mood::Plain, Encryption::StartTls, "STARTTLS"),
        (Mood::NoTls, Encryption::StartTls, "TLS not available due to temporary reason"),
        (Mood::NoLogin, Encryption::StartTls, "authentication credentials invalid"),
        (Mood::NoRecipient, Encryption::StartTls, "no such user here"),
        (Mood::TryLater, Encryption::StartTls, "try again later"),
        (Mood::Closed, Encryption::StartTls, "no service here"),
        (Mood::HangsUp, Encryption::StartTls, "did not take it"),
        // One that waits for a greeting in clear, and one that gives it.
        (Mood::Good, Encryption::Tls, "did not take it"),
    ] {
        let (port, transcript) = serve(mood);
        let (exit, stdout, stderr) = sent(Some(options(port, encryption)), json!({})).await;
        assert_eq!(exit, Exit::Code { code: 2 }, "{why}");
        assert_eq!(stdout, "Failed to send mail to lead@example.org, operator@example.org");
        assert!(stderr.contains(why) && stderr.contains(&format!("localhost:{port}")), "{why} in {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
        let unprotected = matches!(mood, Mood::Plain | Mood::NoTls);
        assert!(!unprotected || !transcript.lock().unwrap().join("\n").contains("AUTH"), "no password in clear");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_or_says_nothing_gets_nothing() {
    let (port, transcript) = serve(Mood::Good);
    let strange = MailOptions { ca_file: None, ..options(port, Encryption::StartTls) };
    let (exit, _, stderr) = sent(Some(strange), json!({})).await;
    assert_eq!(exit, Exit::Code { code: 2 });
    assert!(stderr.contains("certificate"), "{stderr}");
    assert!(!transcript.lock().unwrap().join("\n").contains("AUTH"));

    let (port, _) = serve(Mood::Silent);
    let (exit, _, stderr) = sent(Some(options(port, Encryption::StartTls)), json!({"timeout": 1})).await;
    assert!(exit == Exit::Timeout || stderr.contains("timed out"), "{exit:?} {stderr}");

    let (exit, _, stderr) = sent(Some(options(1, Encryption::StartTls)), json!({})).await;
    assert_eq!(exit, Exit::Code { code: 2 });
    assert!(stderr.contains("onnection refused"), "{stderr}");

    let (exit, _, stderr) = sent(None, json!({})).await;
    assert_eq!(exit, Exit::Code { code: 2 });
    assert_eq!(stderr, "there is no mail server: name one in the section [mail] of config.toml");

    let nobody = MailOptions { login: Some(("halcyon".into(), Err("no file".into()))), ..options(1, Encryption::Tls) };
    let (_, _, stderr) = sent(Some(nobody), json!({})).await;
    assert_eq!(stderr, "there is no password for the mail server: no file");
    let (_, _, stderr) = sent(Some(options(1, Encryption::Tls)), json!({"to": "not an address"})).await;
    assert!(stderr.starts_with("`not an address` is not a list of addresses"), "{stderr}");
}

#[test]
fn what_cannot_be_a_mail_is_refused_at_once() {
    let action = action(&[], "core.sendmail");
    for (given, why) in [
        (json!({"attachments": "/etc/passwd"}), "`attachments` cannot be sent, because I read no files for a mail"),
        (json!({"subject": "a\nBcc: b@example.org"}), "`subject` must not contain line breaks"),
        (json!({"to": " "}), "`to` names nobody"),
        (json!({"body": " ", "send_empty_body": false}), "`body` is empty, and `send_empty_body` is off"),
        (
            json!({"sendmail_binary": "/usr/sbin/sendmail"}),
            "`sendmail_binary` cannot be chosen: I send mails myself, see [mail] in config.toml",
        ),
    ] {
        let mut all = json!({"to": "a@example.org", "subject": "s", "body": "b"});
        all.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        assert_eq!(planned(&action, &all).unwrap_err().to_string(), why);
    }
}

/// The same certificate over https: trusted by nobody, and taken where the action says so.
#[tokio::test]
async fn a_certificate_is_looked_at_unless_the_action_says_otherwise() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut talk = BufReader::new(StreamOwned::new(ServerConnection::new(tls()).unwrap(), stream.unwrap()));
            let mut line = String::new();
            while talk.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let _ = write!(talk.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            let _ = talk.get_mut().flush();
        }
    });
    let runner = HttpRunner::new(1 << 20, Arc::new(MemoryBlobs::default()));
    let http = action(&[], "core.http");
    let ended = outcome(&runner, work(&http, &json!({"url": url, "verify_ssl_cert": false}))).await.unwrap();
    assert!(matches!(ended.exit, Exit::Answered { status: 200, .. }), "{ended:?}");
    let ended = outcome(&runner, work(&http, &json!({"url": url}))).await.unwrap();
    let Exit::Unreachable { why } = &ended.exit else { panic!("{ended:?}") };
    assert!(why.contains("certificate"), "{why}");
}

#[test]
fn the_mail_server_is_named_in_the_configuration() {
    let config = |text: &str, password: Option<&str>| {
        let environment =
            password.map(|password| ("HALCYON_MAIL_PASSWORD".to_owned(), password.to_owned())).into_iter();
        Config::parse(Path::new("config.toml"), text, &environment.collect::<Environment>())
    };
    let whole = "[mail]\nhost = \"mail.example.org\"\nfrom = \"halcyon@example.org\"\nusername = \"halcyon\"\n";
    let mail = config(whole, Some("s3cret")).unwrap().mail.unwrap();
    assert_eq!((mail.port, mail.encryption), (587, MailEncryption::StartTls));
    assert_eq!(mail.login, Some(("halcyon".to_owned(), Ok(Secret::new("s3cret")))));
    let mail = config(&format!("{whole}encryption = \"tls\"\n"), Some("s3cret")).unwrap().mail.unwrap();
    assert_eq!(mail.port, 465);
    let without = config(whole, None).unwrap();
    let said = without.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("there is no password (no mail is sent without)"), "{said}");
    for (text, why) in [
        ("[mail]\nfrom = \"a@b\"\n", "mail.host: is missing"),
        ("[mail]\nhost = \"h\"\nfrom = \"nobody\"\n", "`nobody` is no mail address"),
        ("[mail]\nhost = \"h\"\nfrom = \"a@b\"\npassword = \"x\"\n", "a secret does not stand in this file"),
        (
            "[mail]\nhost = \"h\"\nfrom = \"a@b\"\nusername = \"u\"\nencryption = \"none\"\n",
            "through the network in clear",
        ),
        ("[mail]\nhost = \"h\"\nfrom = \"a@b\"\nencryption = \"ssl\"\n", "ssl"),
    ] {
        let said = config(text, Some("x")).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(said.contains(why), "{why} in {said}");
    }
}
