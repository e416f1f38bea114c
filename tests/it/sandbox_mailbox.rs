//! The sandbox's mail server: what it says, what it refuses, and how its mails are read.

use halcyon::sandbox::mailbox::Mailbox;
use halcyon::sandbox::mattermost::{Beside, Options, Server};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// Says lines, one after the other's answer, and gives the code of every answer.
async fn talk(mailbox: &Mailbox, lines: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect(mailbox.address()).await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read).lines();
    let mut codes = Vec::new();
    // First it is greeted. The text of a mail is one of the lines, with its dot.
    for line in [None].into_iter().chain(lines.iter().map(Some)) {
        if let Some(line) = line {
            write.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        }
        loop {
            let said = tokio::time::timeout(PATIENCE, read.next_line()).await.unwrap().unwrap();
            let Some(said) = said else { return codes };
            if said.as_bytes().get(3) != Some(&b'-') {
                codes.push(said[..3].to_owned());
                break;
            }
        }
    }
    codes
}

#[tokio::test]
async fn it_takes_what_is_well_said_and_nothing_else() {
    let mailbox = Mailbox::start().await.unwrap();
    mailbox.refuse("nobody@example.org");
    let long = format!("NOOP {}", "x".repeat(4_000));
    let long_line = format!("Subject: x\r\n\r\n{}\r\n.", "y".repeat(20_000));
    let begin = ["EHLO client.example.org", "MAIL FROM:<halcyon@example.org>", "RCPT TO:<lead@example.org>"];
    let after = |more: &[&'static str]| begin.iter().copied().chain(more.iter().copied()).collect::<Vec<&str>>();
    for (lines, codes) in [
        (after(&["DATA", "Subject: x\r\n\r\nfirst\r\n.", "QUIT"]), "220 250 250 250 354 250 221"),
        (
            vec!["HELO client.example.org", "MAIL FROM:<>", "RCPT TO:<lead@example.org>", "RSET", "DATA"],
            "220 250 250 250 250 503",
        ),
        // Out of order.
        (vec!["MAIL FROM:<halcyon@example.org>"], "220 503"),
        (vec!["EHLO c", "RCPT TO:<lead@example.org>"], "220 250 503"),
        (vec!["EHLO c", "DATA"], "220 250 503"),
        (after(&["MAIL FROM:<other@example.org>"]), "220 250 250 250 503"),
        // Malformed.
        (vec!["EHLO"], "220 501"),
        (
            vec!["EHLO c", "MAIL FROM: nobody", "MAIL", "MAIL FROM:<no address>", "MAIL FROM:<@example.org>"],
            "220 250 501 501 553 553",
        ),
        (
            vec!["EHLO c", "MAIL FROM:<a@example.org> SIZE=99999999999", "MAIL FROM:<a@example.org> SIZE=many"],
            "220 250 552 501",
        ),
        (
            vec!["EHLO c", "MAIL FROM:<a@example.org> RET=FULL", "MAIL FROM:<a@example.org> BODY=8BITMIME SIZE=10"],
            "220 250 555 250",
        ),
        (
            vec!["EHLO c", "MAIL FROM:<a@example.org>", "RCPT TO:<>", "RCPT TO:lead@example.org", "RCPT TO:<lead>"],
            "220 250 250 553 501 553",
        ),
        (after(&["DATA now"]), "220 250 250 250 501"),
        // Refused.
        (vec!["EHLO c", "MAIL FROM:<a@example.org>", "RCPT TO:<Nobody@example.org>", "DATA"], "220 250 250 550 503"),
        (vec!["STARTTLS", "AUTH PLAIN AGhh", "FROB", "VRFY lead", "NOOP", "HELP"], "220 502 502 500 252 250 214"),
        (vec![&long, "NOOP"], "220 500 250"),
        (after(&["DATA"]).into_iter().chain([long_line.as_str(), "NOOP"]).collect(), "220 250 250 250 354 500 250"),
    ] {
        assert_eq!(talk(&mailbox, &lines).await.join(" "), codes, "{lines:?}");
    }
    assert_eq!(mailbox.mails().len(), 1, "only one was whole");
    mailbox.try_later(true);
    assert_eq!(talk(&mailbox, &after(&["DATA", "\r\n."])).await.last().unwrap(), "451");
    assert_eq!(mailbox.mails().len(), 1);
    // Whoever says nothing but nonsense is hung up on.
    let codes = talk(&mailbox, &["FROB"; 30]).await;
    assert_eq!((codes.len(), codes.last().unwrap().as_str()), (22, "421"));
}

/// What was sent, and the subject and the text that a person reads.
#[tokio::test]
async fn a_mail_is_read_as_it_was_meant() {
    let mailbox = Mailbox::start().await.unwrap();
    for (sent, subject, body) in [
        ("Subject: plain\r\n\r\n..\r\n..well\r\nend\r\n.", "plain", ".\n.well\nend\n"),
        (
            "Subject: =?utf-8?b?R3LDvMOfZQ==?= an =?utf-8?q?alle_=E2=9C=94?=\r\n =?utf-8?q?=21?=\r\n\r\nx\r\n.",
            "Grüße an alle ✔!",
            "x\n",
        ),
        (
            "Subject: long\r\n er\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=C3=\r\n=A4 =3D\r\n.",
            "long er",
            "aä =\n",
        ),
        ("Subject: =?x?\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LD\r\nvMOfZQ==\r\n.", "=?x?", "Grüße"),
        ("\r\nno header\r\n.", "", "no header\n"),
    ] {
        let before = mailbox.mails().len();
        let lines =
            ["EHLO c", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>", "DATA", sent];
        assert_eq!(talk(&mailbox, &lines).await.last().unwrap(), "250");
        let mails = mailbox.mails();
        assert_eq!(mails.len(), before + 1);
        let mail = &mails[before];
        assert_eq!(
            (mail.from.as_str(), mail.to.join(" ")),
            ("a@example.org", "b@example.org c@example.org".to_owned())
        );
        assert_eq!((mail.letter().subject(), mail.letter().body.as_str()), (subject, body), "{sent:?}");
    }
    assert!(mailbox.wait_for(|mail| mail.letter().subject() == "plain", PATIENCE).await.is_some());
    assert!(mailbox.wait_for(|mail| mail.letter().subject() == "none", Duration::from_millis(10)).await.is_none());
}

/// The page shows mails as text, to whoever has the secret of the chat page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_page_is_beside_the_chat() {
    let mailbox = Mailbox::start().await.unwrap();
    let beside = vec![Beside { name: "Mailbox".to_owned(), page: mailbox.pages() }];
    let chat = Server::start(Options { beside, ..Options::default() }).await.unwrap();
    let address = chat.beside_url("Mailbox").unwrap();
    assert_eq!(chat.beside_url("Nothing"), None);
    let get = async |address: &str| {
        let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(address).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert!(get(&address).await.1.contains("Nothing has come yet"));
    let sent =
        "Subject: <b>bold</b> & \"quoted\"\r\nFrom: <script>@example.org\r\n\r\n<img src=x onerror=alert(1)>\r\n.";
    talk(&mailbox, &["EHLO c", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "DATA", sent]).await;
    let (status, page) = get(&address).await;
    assert_eq!(status, 200);
    for shown in
        ["&lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot;", "&lt;img src=x onerror=alert(1)&gt;", "to b@example.org"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<b>") && !page.contains("<img") && !page.contains("<script"), "{page}");
    let (status, page) = get(address.split_once("?token=").unwrap().0).await;
    assert_eq!((status, page.contains("token")), (403, true));
    assert_eq!(get(&address.replace("/mailbox?", "/nothing?")).await.0, 404);
    // The chat page links to it.
    let session = address.replace("/beside/mailbox?", "/page/session?");
    assert!(get(&session).await.1.contains(r#""beside":[{"name":"Mailbox","path":"/beside/mailbox"}]"#));
}
