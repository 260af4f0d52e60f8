//! A server for a test, and clients of it.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures::{SinkExt, StreamExt};
use golive::app::App;
use golive::config::Config;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::api::{CreatedRoom, Problem};
use shared::room::{Room, RoomState};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

/// Long enough for anything that is going to happen.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(300);

/// A server on free ports.
pub(crate) struct Server {
    app: App,
    http: Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        Self {
            app: App::start(config(flags)).await.unwrap(),
            http: Client::new(),
        }
    }

    /// A server on free ports of this address.
    pub(crate) async fn start_at(ip: &str) -> Self {
        let address = format!("{ip}:0");
        let flags = [
            "golive", "--http", &address, "--rtmp", &address, "--webrtc", &address,
        ];
        Self {
            app: App::start(Config::try_parse_from(flags).unwrap())
                .await
                .unwrap(),
            http: Client::new(),
        }
    }

    /// What a server says that does not start.
    pub(crate) async fn refused_start(flags: &[&str]) -> String {
        let started = App::start(config(flags)).await;
        started.err().expect("it does not start").to_string()
    }

    pub(crate) fn authority(&self) -> String {
        let address = self.app.http();
        if address.ip().is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        }
    }

    pub(crate) fn rtmp(&self) -> SocketAddr {
        self.app.rtmp()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.app.http()
    }

    pub(crate) fn webrtc(&self) -> SocketAddr {
        self.app.webrtc().local_addr()
    }

    /// The room itself, where its API is not enough.
    pub(crate) fn inside(&self, created: &CreatedRoom) -> Arc<golive::rooms::room::Room> {
        self.app.rooms().find(&created.room.key).unwrap()
    }

    /// OBS's field "Server".
    pub(crate) fn rtmp_app(&self) -> String {
        format!("rtmp://{}/live", self.rtmp())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.authority());
        self.http.request(method, url).timeout(SOON)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path)
            .await
            .error_for_status()
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn create_room(&self, title: &str) -> CreatedRoom {
        let request = self
            .request(Method::POST, "/api/rooms")
            .json(&json!({"title": title}));
        let response = request.send().await.unwrap().error_for_status().unwrap();
        response.json().await.unwrap()
    }

    pub(crate) async fn room(&self, created: &CreatedRoom) -> Room {
        let room = self.json(&format!("/api/rooms/{}", created.room.key)).await;
        serde_json::from_value(room).unwrap()
    }

    /// Waits until the room is as it should be.
    pub(crate) async fn room_becomes(
        &self,
        created: &CreatedRoom,
        wanted: impl Fn(&Room) -> bool,
    ) -> Room {
        let becomes = async {
            loop {
                let room = self.room(created).await;
                if wanted(&room) {
                    return room;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match timeout(SOON, becomes).await {
            Ok(room) => room,
            Err(_) => panic!("the room stays {:?}", self.room(created).await),
        }
    }

    pub(crate) async fn state_becomes(&self, created: &CreatedRoom, state: RoomState) -> Room {
        self.room_becomes(created, |room| room.state == state).await
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }
}

fn config(flags: &[&str]) -> Config {
    let ports = [
        "golive",
        "--http",
        "127.0.0.1:0",
        "--webrtc",
        "127.0.0.1:0",
        "--rtmp",
        "127.0.0.1:0",
    ];
    Config::try_parse_from([&ports, flags].concat()).unwrap()
}

/// Checks a refusal: its status, its form, and that it says something. Gives its sentence.
#[track_caller]
pub(crate) fn refused(response: Response, status: u16) -> impl Future<Output = String> {
    assert_eq!(response.status(), status, "{}", response.url());
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    async move {
        let problem: Problem = response.json().await.unwrap();
        assert_eq!(problem.status, status);
        assert!(problem.detail.contains(' '), "{problem:?}");
        problem.detail
    }
}

/// A Socket.IO client over a bare WebSocket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while something else was waited for: event and first argument.
    events: VecDeque<(String, Value)>,
    calls: u32,
}

impl Socket {
    /// A client of today.
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::connect_from(server, "127.0.0.1").await
    }

    /// The same, from an address of the client's choice: one of this machine's own, or one that a
    /// proxy tells of.
    pub(crate) async fn connect_from(server: &Server, from: &str) -> Self {
        let mut socket = Self::dial(server, from).await;
        socket.opened().await;
        socket
    }

    /// The same, but whether it is let in is not known yet.
    pub(crate) async fn dial(server: &Server, from: &str) -> Self {
        let mut socket = Self::open(server, from, "EIO=4&transport=websocket").await;
        socket.send("40").await;
        socket
    }

    /// A client of 2016, which does not say what it speaks.
    pub(crate) async fn connect_2016(server: &Server) -> Self {
        let mut socket = Self::open(server, "127.0.0.1", "transport=websocket").await;
        socket.opened().await;
        socket
    }

    async fn open(server: &Server, from: &str, query: &str) -> Self {
        let url = format!("ws://{}/socket.io/?{query}", server.authority());
        let mut request = url.into_client_request().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        let address: IpAddr = from.parse().unwrap();
        if address.is_ipv4() && address.is_loopback() {
            socket.bind(SocketAddr::new(address, 0)).unwrap();
        } else {
            let headers = request.headers_mut();
            headers.insert("x-forwarded-for", from.parse().unwrap());
        }
        let stream = socket.connect(server.app.http()).await.unwrap();
        let stream = MaybeTlsStream::Plain(stream);
        let (stream, _) = client_async(request, stream).await.unwrap();
        Self {
            stream,
            events: VecDeque::new(),
            calls: 0,
        }
    }

    async fn opened(&mut self) {
        while !self.receive().await.unwrap().starts_with("40") {}
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn emit(&mut self, event: &str, payload: impl Into<Value>) {
        let message = json!([event, payload.into()]);
        self.send(&format!("42{message}")).await;
    }

    /// Sends an event and waits for its acknowledgement.
    pub(crate) async fn call(&mut self, event: &str, payload: impl Into<Value>) -> Value {
        self.calls += 1;
        let (message, call) = (json!([event, payload.into()]), self.calls);
        self.send(&format!("42{call}{message}")).await;
        let expected = format!("43{call}");
        loop {
            let text = self.receive().await.expect("the connection lives");
            if let Some(answer) = text.strip_prefix(&expected) {
                let [answer]: [Value; 1] = serde_json::from_str(answer).unwrap();
                return answer;
            }
            self.keep(&text);
        }
    }

    pub(crate) async fn join(&mut self, room: &CreatedRoom) -> Value {
        let joined = self.call("join_room", room.room.key.as_str()).await;
        assert_eq!(joined["ok"], true, "{joined}");
        joined
    }

    /// The first argument of the next event of this name.
    pub(crate) async fn next(&mut self, event: &str) -> Value {
        let found = self.events.iter().position(|(name, _)| name == event);
        if let Some(found) = found {
            return self.events.remove(found).unwrap().1;
        }
        loop {
            let text = self.receive().await.expect("the connection lives");
            self.keep(&text);
            if self.events.back().is_some_and(|(name, _)| name == event) {
                return self.events.pop_back().unwrap().1;
            }
        }
    }

    /// All events of this name that come within a moment.
    pub(crate) async fn all_within_a_moment(&mut self, event: &str) -> Vec<Value> {
        let mut found = Vec::new();
        while let Ok(payload) = timeout(A_MOMENT, self.next(event)).await {
            found.push(payload);
        }
        found
    }

    /// What was refused with an acknowledgement: the sentence.
    pub(crate) async fn refusal(&mut self, event: &str, payload: impl Into<Value>) -> String {
        let answer = self.call(event, payload).await;
        answer["error"]
            .as_str()
            .unwrap_or_else(|| panic!("not refused: {answer}"))
            .to_owned()
    }

    /// The connection is usable.
    pub(crate) async fn lives(&mut self) {
        assert_eq!(
            self.call("leave_lobby", Value::Null).await,
            json!({"ok": true})
        );
    }

    /// `None` when the server has ended the connection.
    pub(crate) async fn receive(&mut self) -> Option<String> {
        loop {
            let message = timeout(SOON, self.stream.next())
                .await
                .expect("something comes in time");
            match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3").await,
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    fn keep(&mut self, text: &str) {
        if let Some(event) = text.strip_prefix("42") {
            let arguments: Vec<Value> = serde_json::from_str(event).unwrap();
            let mut arguments = arguments.into_iter();
            let name = arguments.next().unwrap().as_str().unwrap().to_owned();
            self.events
                .push_back((name, arguments.next().unwrap_or_default()));
        }
    }
}
