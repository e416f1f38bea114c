//! # Mails
//!
//! What `core.sendmail` sends, over SMTP to the server that the site has named. StackStorm's action is a script around `sendmail`; this one
//! says the same of how it went.
//!
//! - **A password goes over an encrypted connection only**; with `starttls` a server that does not offer it gets nothing.
//! - **What the server said is told**: who refuses a mail says why.

use crate::core::action::capture::inline;
use crate::core::action::reason::Reason;
use crate::core::action::run::{Attach, Captured, Exit, HostOutcome, Letter, Run, RunNews, Secret, Work};
use crate::runtime::capture::Live;
use crate::runtime::outward;
use crate::runtime::ports::Runner;
use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The exit code of StackStorm's script when a mail was not sent.
const NOT_SENT: i32 = 2;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From its first byte.
    Tls,
    /// After a greeting in clear.
    StartTls,
    /// Not at all.
    None,
}

/// The server that takes the mails.
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// Certificates (PEM) to trust in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The site's own address.
    pub from: String,
    /// Name and password, or why there is no password.
    pub login: Option<(String, Result<Secret, String>)>,
}

/// Sends mails.
#[derive(Debug, Clone)]
pub struct MailRunner {
    options: Option<MailOptions>,
}

impl MailRunner {
    /// A runner for this server; without one every mail is refused with the reason.
    pub fn new(options: Option<MailOptions>) -> Self {
        Self { options }
    }

    async fn send(&self, letter: &Letter) -> HostOutcome {
        let began = Instant::now();
        let told = |exit, said: &str, why: &str| {
            let captured = |text: &str| inline(text.as_bytes()).unwrap_or_else(Captured::empty);
            let seconds = began.elapsed().as_secs_f64();
            HostOutcome { exit, stdout: captured(said), stderr: captured(why), seconds }
        };
        let sent = timeout(letter.timeout, self.hand_over(letter)).await;
        let not_sent = format!("Failed to send mail to {}", letter.to);
        match sent {
            Ok(Ok(())) => told(Exit::Code { code: 0 }, &format!("Successfully sent mail to {}", letter.to), ""),
            Ok(Err(why)) => told(Exit::Code { code: NOT_SENT }, &not_sent, &why),
            Err(_) => told(Exit::Timeout, "", &Reason::MailLate.to_string()),
        }
    }

    async fn hand_over(&self, letter: &Letter) -> Result<(), String> {
        let options = self.options.as_ref();
        let options = options.ok_or_else(|| Reason::NoMailServer.to_string())?;
        let message = compose(letter, options)?;
        let server = connect(options, letter.timeout).await?;
        server.send(message).await.map_err(|error| reason(&error, options))?;
        Ok(())
    }
}

#[async_trait]
impl Runner for MailRunner {
    async fn run(&self, run: Run, news: mpsc::Sender<RunNews>, cancel: CancellationToken) {
        match &run.work {
            Work::Mail(letter) => {
                outward::carry_out(|_| self.send(letter), &Live::default(), &news, &cancel).await;
            }
            Work::Local(_) | Work::Remote(_) | Work::Http(_) | Work::Monitoring(_) => outward::misled(&news).await,
        }
    }

    async fn attach(&self, attach: Attach, news: mpsc::Sender<RunNews>, _cancel: CancellationToken) {
        outward::lost(&attach, &news).await;
    }
}

fn compose(letter: &Letter, options: &MailOptions) -> Result<Message, String> {
    let from = match letter.from.as_deref() {
        None => options.from.clone(),
        Some(whole) if whole.contains('@') => whole.to_owned(),
        // StackStorm puts the name of its machine behind a bare name.
        Some(name) => format!("{name}@{}", options.from.rsplit('@').next().unwrap_or_default().trim_end_matches('>')),
    };
    let wrong = |error: lettre::address::AddressError| {
        Reason::NotASender { address: &from, why: &error.to_string() }.to_string()
    };
    let from: Mailbox = from.parse().map_err(wrong)?;
    let wrong = |error: lettre::address::AddressError| {
        Reason::NotRecipients { addresses: &letter.to, why: &error.to_string() }.to_string()
    };
    let to: Mailboxes = letter.to.parse().map_err(wrong)?;
    let kind = if letter.content_type.eq_ignore_ascii_case("text/html") {
        ContentType::TEXT_HTML
    } else {
        ContentType::TEXT_PLAIN
    };
    let mut message = Message::builder().from(from).subject(&letter.subject).message_id(None).header(kind);
    for mailbox in to {
        message = message.to(mailbox);
    }
    let written = message.body(letter.body.reveal().to_owned());
    written.map_err(|error| Reason::MailNotWritten { why: &error.to_string() }.to_string())
}

async fn connect(options: &MailOptions, patience: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = match options.encryption {
        Encryption::None => Tls::None,
        Encryption::Tls => Tls::Wrapper(parameters(options).await?),
        Encryption::StartTls => Tls::Required(parameters(options).await?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
        .port(options.port)
        .tls(tls)
        .timeout(Some(patience));
    if let Some((name, password)) = &options.login {
        let password = password.as_ref().map_err(|why| Reason::NoMailPassword { why: &why.to_string() }.to_string())?;
        builder = builder.credentials(Credentials::new(name.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

async fn parameters(options: &MailOptions) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(file) = &options.ca_file {
        let name = file.display().to_string();
        let unread =
            |error: std::io::Error| Reason::CertificateUnread { file: &name, why: &error.to_string() }.to_string();
        let pem = tokio::fs::read(file).await.map_err(unread)?;
        let other = |error: lettre::transport::smtp::Error| {
            Reason::NotACertificate { file: &name, why: &error.to_string() }.to_string()
        };
        let certificate = Certificate::from_pem(&pem).map_err(other)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| Reason::NoEncryption { why: &error.to_string() }.to_string())
}

/// What went wrong, to the bottom of it.
fn reason(error: &lettre::transport::smtp::Error, options: &MailOptions) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        let text = deeper.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        source = deeper.source();
    }
    let server = format!("{}:{}", options.host, options.port);
    Reason::MailRefused { server: &server, why: &told }.to_string()
}
