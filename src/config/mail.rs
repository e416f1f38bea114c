//! `[mail]`: the server that takes the mails of `core.sendmail`.

use super::document::{Section, Spot};
use super::judge::Judge;
use super::secret;
use crate::core::action::run::Secret;
use crate::core::content::diagnostic::Diagnostic;
use std::net::IpAddr;
use std::path::PathBuf;

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: MailEncryption,
    /// Certificates (PEM) to trust in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who writes, where the action does not say it.
    pub from: String,
    /// Name and password, or what to tell the one who needs it.
    pub login: Option<(String, Result<Secret, Diagnostic>)>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEncryption {
    /// From its first byte.
    Tls,
    /// After a greeting in clear; a server that does not offer it gets nothing.
    StartTls,
    /// Not at all.
    None,
}

/// The section as it is written.
#[derive(Debug)]
pub(super) struct Written {
    place: Spot<()>,
    host: Option<Spot<String>>,
    port: Option<Spot<u64>>,
    encryption: Option<Spot<String>>,
    ca_file: Option<Spot<String>>,
    from: Option<Spot<String>>,
    username: Option<Spot<String>>,
    password_file: Option<Spot<String>>,
}

pub(super) fn read(section: Section<'_, '_>) -> Written {
    section.refuse(
        "password",
        "a secret does not stand in this file",
        "put it into a file and name that by `password_file`, or set HALCYON_MAIL_PASSWORD",
    );
    let written = Written {
        place: section.place.clone(),
        host: section.string("host"),
        port: section.number("port", 1..65_536),
        encryption: section.string("encryption"),
        ca_file: section.string("ca_file"),
        from: section.string("from"),
        username: section.string("username"),
        password_file: section.string("password_file"),
    };
    section.close();
    written
}

impl Judge<'_, '_, '_> {
    /// Nothing when a key that cannot be done without is missing or useless; the problem is then reported.
    pub(super) fn mail(&self, written: Written) -> Option<Mail> {
        let Written { place, host, port, encryption, ca_file, from, username, password_file } = written;
        let host = self.required(&place, host.as_ref(), "host", "mail.example.org");
        let from = self.required(&place, from.as_ref(), "from", "halcyon@example.org");
        let known =
            [("tls", MailEncryption::Tls), ("starttls", MailEncryption::StartTls), ("none", MailEncryption::None)];
        let said = encryption.as_ref().and_then(|spot| self.word(spot, &known));
        let protection = said.unwrap_or(MailEncryption::StartTls);
        let port = port.and_then(|spot| u16::try_from(spot.value).ok()).unwrap_or(match protection {
            MailEncryption::Tls => 465,
            MailEncryption::StartTls => 587,
            MailEncryption::None => 25,
        });
        let authorities = self.path(ca_file.as_ref());
        if let (Some(spot), Some(path)) = (ca_file.as_ref(), authorities.as_deref()) {
            self.readable(spot, path);
        }
        if let Some(spot) = from.as_ref().filter(|spot| !spot.value.contains('@')) {
            self.document.problem(spot, format!("`{}` is no mail address", spot.value), None);
            return None;
        }
        let host = host?;
        let near = host.value == "localhost" || host.value.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if let (Some(spot), MailEncryption::None, false) = (&username, protection, near) {
            let hint = Some("use encryption = \"starttls\" or \"tls\"".to_owned());
            self.document.problem(spot, "a password would go through the network in clear", hint);
            return None;
        }
        if let (None, Some(spot)) = (&username, &password_file) {
            self.document.warning(spot, "means nothing without `username`", None);
        }
        let path = self.path(password_file.as_ref());
        let file = password_file.as_ref().zip(path.as_deref());
        let login = username.map(|name| {
            let password = secret::fetch(
                "password",
                self.document,
                self.environment,
                "HALCYON_MAIL_PASSWORD",
                "mail.password",
                "password_file",
                file,
                &place,
            );
            (name.value, password)
        });
        Some(Mail { host: host.value, port, encryption: protection, ca_file: authorities, from: from?.value, login })
    }
}
