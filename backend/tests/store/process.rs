//! The real program as a process of its own, which can be killed; and sockets to it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::api::{CommentPage, CreatedRoom};
use shared::events::Comment;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Long enough for anything that is going to happen, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub(crate) struct Process {
    child: Child,
    http: SocketAddr,
    log: Log,
}

/// What a server has said.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn follow(&self, output: impl AsyncRead + Send + Unpin + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = log.0.lock();
                log.push_str(&line);
                log.push('\n');
            }
        });
    }

    fn port(&self) -> Option<u16> {
        let log = self.0.lock();
        let (_, after) = log.split_once("http://localhost:")?;
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

fn command(data: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_golive"));
    let any = "127.0.0.1:0";
    command
        .args(["--http", any, "--rtmp", any, "--webrtc", any, "--data"])
        .arg(data)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts a server that is expected not to start. Its exit code and what it says.
pub(crate) async fn refusal(data: &Path) -> (Option<i32>, String) {
    let output = timeout(PATIENCE, command(data, &[]).output()).await;
    let output = output.expect("it ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

impl Process {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    pub(crate) async fn start_with(data: &Path, flags: &[&str]) -> Self {
        let mut child = command(data, flags).spawn().unwrap();
        let log = Log::default();
        log.follow(child.stdout.take().unwrap());
        log.follow(child.stderr.take().unwrap());
        let started = async {
            loop {
                if let Some(port) = log.port() {
                    return port;
                }
                assert!(child.try_wait().unwrap().is_none(), "{}", log.0.lock());
                sleep(Duration::from_millis(20)).await;
            }
        };
        let port = timeout(PATIENCE, started).await.expect("it starts");
        Self {
            child,
            http: SocketAddr::from(([127, 0, 0, 1], port)),
            log,
        }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.0.lock().clone()
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let mut kill = std::process::Command::new("kill");
        let killed = kill.args([name, &pid]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for its end. Its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        status.expect("it ends").unwrap().code()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.http);
        reqwest::Client::new()
            .request(method, url)
            .timeout(PATIENCE)
    }

    /// Sends what need not be HTTP. What is answered before the connection ends.
    pub(crate) async fn send(&self, text: &str) -> String {
        let answered = async {
            let mut stream = TcpStream::connect(self.http).await?;
            stream.write_all(text.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answer = timeout(PATIENCE, answered).await;
        answer.expect("the connection ends").unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    pub(crate) async fn create_room(&self) -> CreatedRoom {
        let request = self.request(Method::POST, "/api/rooms");
        let response = request.json(&json!({"title": "r"})).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// All comments of a room, newest page first.
    pub(crate) async fn comments(&self, room: &CreatedRoom) -> Vec<Comment> {
        let path = format!("/api/rooms/{}/comments", room.room.key);
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{query}")).await;
            let page: CommentPage = serde_json::from_value(page).unwrap();
            all.extend(page.comments);
            match page.before {
                Some(before) => query = format!("?before={before}"),
                None => return all,
            }
        }
    }

    /// A socket from an address of its own, that is in a room.
    pub(crate) async fn join(&self, room: &CreatedRoom, number: u8) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 1, number], 0).into()).unwrap();
        let stream = socket.connect(self.http).await.unwrap();
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", self.http);
        let (stream, _) = client_async(url, stream).await.unwrap();
        let mut socket = Socket { stream, calls: 0 };
        socket.send("40").await.unwrap();
        while !socket.receive().await.unwrap().starts_with("40") {}
        let joined = socket
            .call("join_room", json!(room.room.key))
            .await
            .unwrap();
        assert_eq!(joined["ok"], true, "{joined}");
        socket
    }
}

/// A Socket.IO client over a bare WebSocket.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    calls: u32,
}

impl Socket {
    async fn send(&mut self, text: &str) -> Option<()> {
        self.stream.send(Message::text(text)).await.ok()
    }

    /// Sends an event; the number that its acknowledgement will have.
    pub(crate) async fn ask(&mut self, event: &str, payload: Value) -> Option<u32> {
        self.calls += 1;
        let (call, message) = (self.calls, json!([event, payload]));
        self.send(&format!("42{call}{message}")).await?;
        Some(call)
    }

    /// The next acknowledgement; `None` when the connection is gone.
    pub(crate) async fn answer(&mut self) -> Option<(u32, Value)> {
        loop {
            let text = self.receive().await?;
            if let Some(ack) = text.strip_prefix("43") {
                let (call, answer) = ack.split_once('[').unwrap();
                let [answer]: [Value; 1] = serde_json::from_str(&format!("[{answer}")).unwrap();
                return Some((call.parse().unwrap(), answer));
            }
        }
    }

    /// Sends an event and waits for its acknowledgement.
    pub(crate) async fn call(&mut self, event: &str, payload: Value) -> Option<Value> {
        let call = self.ask(event, payload).await?;
        loop {
            let (answered, answer) = self.answer().await?;
            if answered == call {
                return Some(answer);
            }
        }
    }

    /// Everything that comes, as it comes; `None` when the connection is gone.
    pub(crate) async fn receive(&mut self) -> Option<String> {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await;
            match message.expect("something comes in time") {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3").await?,
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}
