//! The control socket and `/healthz`: who asks, what is answered, who is in the way.

use halcyon::adapters::{api, control};
use halcyon::config::Http;
use halcyon::core::effect::{Answer, HealthPart};
use halcyon::core::input::{Ask, Principal};
use halcyon::runtime::ports::ControlCall;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A socket with somebody behind it who says `Done` with the end of the id that was to be cancelled, drops what has the id `drop`, and
/// keeps the caller with the id `wait` waiting.
struct Bot {
    directory: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    heard: mpsc::UnboundedReceiver<Principal>,
}

impl Bot {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (calls, mut called) = mpsc::channel::<ControlCall>(8);
        let (hearing, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            while let Some(call) = called.recv().await {
                let _ = hearing.send(call.from.clone());
                match call.ask {
                    Ask::Cancel { id } if id == "drop" => drop(call.reply),
                    Ask::Cancel { id } if id == "wait" => waiting.push(call.reply),
                    Ask::Cancel { id } => call.reply.send(Answer::Done { text: id }).unwrap(),
                    other => call.reply.send(Answer::Refused { text: format!("{other:?}") }).unwrap(),
                }
            }
        });
        let stop = CancellationToken::new();
        let listener = control::bind(&directory.path().join("store/control.sock")).await.unwrap();
        let serving = tokio::spawn(control::serve(listener, calls, stop.clone()));
        Bot { directory, stop, serving, heard }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("store/control.sock")
    }

    async fn ask(&self, id: &str) -> Result<Answer, control::ControlError> {
        control::call(&self.socket(), &Ask::Cancel { id: id.to_owned() }).await
    }
}

fn done(id: &str) -> Answer {
    Answer::Done { text: id.to_owned() }
}

#[tokio::test]
async fn the_kernel_says_who_asks() {
    let mut bot = Bot::start().await;
    assert_eq!(bot.ask("a").await.unwrap(), done("a"));
    let uid = std::fs::metadata(bot.directory.path()).unwrap().uid();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut accounts = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let account = accounts.find(|fields| fields.get(2) == Some(&uid.to_string().as_str()));
    let name = account.map_or(format!("#{uid}"), |fields| fields[0].to_owned());
    assert_eq!(bot.heard.recv().await, Some(Principal::LocalUser { uid, name }));
}

#[tokio::test]
async fn the_directory_is_made_for_the_bot_alone() {
    let bot = Bot::start().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(bot.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&bot.socket()), 0o666);
}

#[tokio::test]
async fn questions_and_answers_take_turns_on_one_connection() {
    let bot = Bot::start().await;
    let mut stream = BufReader::new(UnixStream::connect(bot.socket()).await.unwrap());
    let mut check = async |send: &[u8], expected: &str| {
        stream.write_all(send).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line.trim_end(), expected);
    };
    check(b"", r#"{"halcyon-control":1}"#).await;
    check(b"{\"ask\":\"cancel\",\"id\":\"x\"}\n", r#"{"answer":"done","text":"x"}"#).await;
    let refused = r#"{"answer":"refused","text":"the line is not understood: "#;
    check(b"rubbish\n", &format!("{refused}expected value at line 1 column 1\"}}")).await;
    check(b"{\"ask\":\"cancel\",\"id\":\"y\"}\n", r#"{"answer":"done","text":"y"}"#).await;
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let bot = Bot::start().await;
    let mut stream = UnixStream::connect(bot.socket()).await.unwrap();
    let long = vec![b'x'; 1024 * 1024 + 1];
    stream.write_all(&long).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("the line is longer than 1048576 bytes\"}\n"), "{said}");
}

#[tokio::test]
async fn slow_callers_keep_nobody_waiting() {
    let bot = Bot::start().await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(UnixStream::connect(bot.socket()).await.unwrap());
    }
    let socket = bot.socket();
    let waiting = tokio::spawn(async move { control::call(&socket, &Ask::Cancel { id: "wait".to_owned() }).await });
    assert_eq!(bot.ask("quick").await.unwrap(), done("quick"));
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_bot_that_is_not_there_is_told_apart_from_one_that_goes_away() {
    let bot = Bot::start().await;
    let gone = bot.ask("drop").await.unwrap_err();
    assert!(matches!(gone, control::ControlError::Gone), "{gone}");
    let socket = bot.socket();
    bot.stop.cancel();
    bot.serving.await.unwrap();
    assert!(!socket.exists(), "the socket is taken away at the end");
    let absent = control::call(&socket, &Ask::Health).await.unwrap_err();
    assert!(matches!(absent, control::ControlError::NotRunning { .. }), "{absent}");
    assert!(absent.to_string().contains("halcyon serve"), "{absent}");
}

#[tokio::test]
async fn a_socket_is_replaced_only_when_nobody_listens() {
    let bot = Bot::start().await;
    let error = control::bind(&bot.socket()).await.unwrap_err();
    assert!(matches!(error, control::BindError::InUse { .. }), "{error}");
    assert_eq!(bot.ask("still here").await.unwrap(), done("still here"));

    let abandoned = bot.directory.path().join("abandoned.sock");
    drop(std::os::unix::net::UnixListener::bind(&abandoned).unwrap());
    assert!(abandoned.exists());
    drop(control::bind(&abandoned).await.unwrap());

    let file = bot.directory.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = control::bind(&file).await.unwrap_err();
    assert!(matches!(error, control::BindError::InTheWay { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");

    let error = control::bind(&bot.directory.path().join("long".repeat(30))).await.unwrap_err();
    assert!(matches!(error, control::BindError::TooLong { .. }), "{error}");
}

/// What the interface gives on: the bot behind `calls`, and a store that is full.
fn sources(calls: mpsc::Sender<ControlCall>) -> api::Sources {
    let outside = || {
        let (name, says) = ("store".to_owned(), "it is full".to_owned());
        vec![HealthPart { name, works: false, says, since: None, advice: String::new() }]
    };
    let patience = Duration::from_millis(200);
    let metrics = Arc::new(|| "halcyon_things_total 3\n".to_owned());
    api::Sources { calls, uid: 77, metrics, outside: Arc::new(outside), patience, door: None }
}

/// Asks `/healthz` of a bot that gives this answer, or none.
async fn health(answer: Option<Answer>, allow: &[&str]) -> (u16, String) {
    let http = Http {
        listen: "127.0.0.1:0".parse().unwrap(),
        allow: allow.iter().map(|network| network.parse().unwrap()).collect(),
    };
    let (calls, mut called) = mpsc::channel::<ControlCall>(1);
    tokio::spawn(async move {
        while let Some(call) = called.recv().await {
            assert_eq!(call.ask, Ask::Health);
            assert_eq!(call.from, Principal::LocalUser { uid: 77, name: "halcyon".to_owned() });
            if let Some(answer) = answer.clone() {
                call.reply.send(answer).unwrap();
            }
        }
    });
    let listener = api::bind(&http).await.unwrap();
    let url = format!("http://{}/healthz", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(api::serve(listener, http, sources(calls), stop.clone()));
    let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    let answer = (response.status().as_u16(), response.text().await.unwrap());
    stop.cancel();
    serving.await.unwrap();
    answer
}

#[tokio::test]
async fn health_is_what_the_bot_says() {
    let part = |works| HealthPart {
        name: "chat".to_owned(),
        works,
        says: "as it is".to_owned(),
        since: None,
        advice: String::new(),
    };
    let answer = |healthy| Some(Answer::Health { healthy, parts: vec![part(healthy)] });
    let body = |healthy: bool| {
        format!(r#"{{"healthy":{healthy},"parts":[{{"name":"chat","works":{healthy},"says":"as it is"}}]}}"#)
    };
    assert_eq!(health(answer(true), &[]).await, (200, body(true)));
    assert_eq!(health(answer(false), &[]).await, (503, body(false)));
    let stopping = r#"{"healthy":false,"parts":[{"name":"bot","works":false,"says":"the bot is stopping"},{"name":"store","works":false,"says":"it is full"}]}"#;
    assert_eq!(health(None, &[]).await, (503, stopping.to_owned()));
    assert_eq!(health(answer(true), &["127.0.0.0/8"]).await.0, 200);
    assert_eq!(health(answer(true), &["10.0.0.0/8"]).await, (403, "not from there\n".to_owned()));
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_so() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let error = api::bind(&Http { listen, allow: Vec::new() }).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {listen} ([http] in the configuration): ")), "{error}");
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_end() {
    let http = Http { listen: "127.0.0.1:0".parse().unwrap(), allow: Vec::new() };
    let (calls, _called) = mpsc::channel::<ControlCall>(1);
    let listener = api::bind(&http).await.unwrap();
    let mut caller = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(api::serve(listener, http, sources(calls), stop.clone()));
    caller.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), serving).await.expect("it ends").unwrap();
}
