//! Mails through a real server, Exim with TLS and a password. It is called for by `./test.sh peers`, which installs it.

use super::{action, outcome, work};
use crate::data;
use crate::ssh::poll;
use halcyon::adapters::mail::{Encryption, MailOptions, MailRunner};
use halcyon::core::action::run::{Exit, Secret};
use serde_json::json;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that keeps all mails in one file.
pub(crate) struct Exim {
    server: Child,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Exim {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for name in ["spool", "log"] {
            std::fs::create_dir(place.join(name)).unwrap();
        }
        for name in ["server.pem", "server.key"] {
            std::fs::copy(data("tls").join(name), place.join(name)).unwrap();
        }
        let configuration = std::fs::read_to_string(data("runners/exim.conf")).unwrap();
        let configuration = configuration.replace("@PLACE@", &place.display().to_string());
        std::fs::write(place.join("conf"), configuration.replace("@PORT@", &port.to_string())).unwrap();
        let owned = as_root("chown").args(["-R", "Debian-exim"]).arg(place).status().unwrap();
        assert!(owned.success());
        // It believes nobody's configuration but root's.
        assert!(as_root("chown").arg("root").arg(place.join("conf")).status().unwrap().success());
        let program = ["/usr/sbin/exim4", "/usr/sbin/exim"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("exim is installed: apt-get install exim4-daemon-light");
        let mut server = as_root(program);
        server.arg("-bdf").arg("-C").arg(place.join("conf"));
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        poll("exim listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { server, folder, port }
    }

    pub(crate) fn mails(&self) -> String {
        let read = as_root("cat").arg(self.folder.path().join("spool/mail")).stderr(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&read.stdout).into_owned()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = as_root("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
        // One that delivers a mail may write for a moment longer.
        let mut remove = as_root("rm");
        remove.arg("-rf").arg(self.folder.path()).stderr(Stdio::null());
        poll("the server's folder is gone", || remove.status().is_ok_and(|status| status.success()));
    }
}

fn as_root(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_a_real_mail_server_takes_a_mail_and_refuses_a_wrong_password() {
    if std::env::var_os("HALCYON_PEERS").is_none_or(|value| value != "1") {
        // Past the harness, which keeps the output of tests that pass to itself.
        let _ = writeln!(std::io::stderr(), "peers_: not run; it meets a real mail server when HALCYON_PEERS=1 is set");
        return;
    }
    let exim = Exim::start();
    let options = |password: &str| MailOptions {
        host: "localhost".to_owned(),
        port: exim.port,
        encryption: Encryption::StartTls,
        ca_file: Some(data("tls/ca.pem")),
        from: "Halcyon <halcyon@example.org>".to_owned(),
        login: Some(("halcyon".to_owned(), Ok(Secret::new(password)))),
    };
    let sendmail = action(&[], "core.sendmail");
    let given = json!({"to": "lead@example.org", "subject": "Grüße vom Rechenzentrum", "body": "<b>läuft</b>\n.\nend"});
    let ended = outcome(&MailRunner::new(Some(options("s3cret"))), work(&sendmail, &given)).await.unwrap();
    assert_eq!(ended.exit, Exit::Code { code: 0 }, "{ended:?}");
    poll("the mail is there", || exim.mails().contains("halcyon@example.org"));
    let mail = exim.mails();
    for part in [
        "for lead@example.org",
        "with esmtpsa  (TLS1.3)",
        "From: Halcyon <halcyon@example.org>",
        "Content-Type: text/html; charset=utf-8",
        "Subject: =?utf-8?b?",
    ] {
        assert!(mail.contains(part), "{part} in {mail}");
    }
    let ended = outcome(&MailRunner::new(Some(options("wrong"))), work(&sendmail, &given)).await.unwrap();
    assert_eq!(ended.exit, Exit::Code { code: 2 }, "{ended:?}");
    let halcyon::core::action::run::Captured::Inline { text } = ended.stderr else { panic!() };
    assert!(text.contains("535") || text.to_lowercase().contains("authentication"), "{text}");
}
