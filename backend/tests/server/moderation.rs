//! What the host of a room does about its chat, and what the others see of it.

use reqwest::Method;
use serde_json::{Value, json};
use shared::api::CreatedRoom;

use crate::support::{Server, Socket};

const SESSION: &str = "the-session-of-ann";
/// Where Ann is, and where somebody else is.
const THERE: &str = "192.0.2.7";
const ELSEWHERE: &str = "192.0.2.9";

/// The host, Ann, who has a session and an address of her own, and Ben, who has neither.
struct Party {
    server: Server,
    made: CreatedRoom,
    host: Socket,
    ann: Socket,
    ben: Socket,
}

impl Party {
    async fn gather() -> Self {
        let server = Server::start().await;
        let made = server.create_room("r").await;
        let host = as_host(&server, &made).await;
        let ann = as_person(&server, &made, SESSION, THERE).await;
        let mut ben = Socket::connect(&server).await;
        ben.join(&made).await;
        Self {
            server,
            made,
            host,
            ann,
            ben,
        }
    }

    fn key(&self) -> &str {
        self.made.room.key.as_str()
    }

    fn comment(&self, text: &str) -> Value {
        json!({"roomKey": self.key(), "text": text})
    }

    /// The host does something, and may.
    async fn does(&mut self, action: Value) {
        let moderate = with_key(action, self.made.room.key.as_str());
        let answer = self.host.call("moderate", moderate.clone()).await;
        assert_eq!(answer, json!({"ok": true}), "{moderate}");
    }

    /// Ann says something; the comment as the host sees it.
    async fn ann_says(&mut self, text: &str) -> Value {
        let comment = self.comment(text);
        assert_eq!(self.ann.call("comment", comment).await["ok"], true);
        self.host.next("comment").await
    }

    async fn texts(&self) -> Vec<Value> {
        let page = self
            .server
            .json(&format!("/api/rooms/{}/comments", self.key()))
            .await;
        let comments = page["comments"].as_array().unwrap();
        comments
            .iter()
            .map(|comment| comment["text"].clone())
            .collect()
    }
}

fn with_key(mut action: Value, key: &str) -> Value {
    action["roomKey"] = json!(key);
    action
}

async fn as_host(server: &Server, made: &CreatedRoom) -> Socket {
    let mut host = Socket::connect(server).await;
    let join = json!({"key": made.room.key, "name": "Hanna", "host_token": made.host_token});
    assert_eq!(host.call("join_room", join).await["ok"], true);
    host
}

async fn as_person(server: &Server, made: &CreatedRoom, session: &str, from: &str) -> Socket {
    let mut person = Socket::connect_from(server, from).await;
    let join = json!({"key": made.room.key, "name": "Ann", "session": session});
    assert_eq!(person.call("join_room", join).await["ok"], true);
    person
}

#[tokio::test]
async fn a_person_is_one_author_however_they_connect_and_cannot_be_another() {
    let mut party = Party::gather().await;
    let first = party.ann_says("one").await;
    let author = first["author"].as_str().unwrap().to_owned();
    assert!(!author.is_empty() && !SESSION.contains(&author));
    party.ann = as_person(&party.server, &party.made, SESSION, "127.0.0.3").await;
    assert_eq!(party.ann_says("two").await["author"], author);
    let mut pretence = party.comment("three");
    pretence["author"] = json!(author);
    assert_eq!(party.ben.call("comment", pretence).await["ok"], true);
    let other = party.host.next("comment").await["author"].clone();
    assert!(other.is_string() && other != author);
    let elsewhere = party.server.create_room("elsewhere").await;
    let mut ann = as_person(&party.server, &elsewhere, SESSION, "127.0.0.2").await;
    let comment = json!({"roomKey": elsewhere.room.key, "text": "four"});
    ann.call("comment", comment).await;
    assert_ne!(ann.next("comment").await["author"], author);
}

#[tokio::test]
async fn a_deleted_comment_disappears_for_everybody_and_from_history() {
    let mut party = Party::gather().await;
    let mut old = Socket::connect_2016(&party.server).await;
    old.call("join_room", party.key()).await;
    let (bad, _) = (party.ann_says("bad").await, party.ann_says("good").await);
    party
        .does(json!({"action": "delete", "id": bad["id"]}))
        .await;
    let removed = json!({"roomKey": party.key(), "ids": [bad["id"]]});
    for socket in [&mut party.host, &mut party.ann, &mut party.ben, &mut old] {
        assert_eq!(socket.next("removed").await, removed);
    }
    assert_eq!(party.texts().await, ["good"]);
    let joined = Socket::connect(&party.server).await.join(&party.made).await;
    assert_eq!(joined["comments"].as_array().unwrap().len(), 1);
    // A client that does not know the event goes on as before.
    let comment = party.comment("still here");
    assert_eq!(old.call("comment", comment).await["ok"], true);
}

#[tokio::test]
async fn who_is_banned_may_watch_and_like_but_not_speak_and_is_told_why() {
    let mut party = Party::gather().await;
    let said = party.ann_says("rude").await;
    party.ann_says("ruder").await;
    let author = &said["author"];
    party.does(json!({"action": "ban", "author": author})).await;
    let notice = party.ann.next("notice").await;
    assert!(notice["error"].as_str().unwrap().contains("banned"));
    let silenced = party.ann.next("silenced").await;
    assert_eq!(silenced["silence"]["until"], Value::Null);
    let gift = json!({"roomKey": party.key(), "giftId": 1, "giftCount": 1});
    for (event, payload) in [("comment", party.comment("again")), ("gift", gift)] {
        let sentence = party.ann.refusal(event, payload).await;
        assert!(
            sentence.contains("banned") && sentence.contains("watch"),
            "{sentence}"
        );
    }
    assert_eq!(
        party.ann.call("upvote", party.made.room.key.as_str()).await["ok"],
        true
    );
    let removed = json!({"roomKey": party.key(), "author": author});
    assert_eq!(party.ben.next("removed").await, removed);
    assert_eq!(party.texts().await, [] as [Value; 0]);
    // Everybody else goes on.
    let comment = party.comment("hi");
    assert_eq!(party.ben.call("comment", comment).await["ok"], true);
    for heard in ["rude", "ruder", "hi"] {
        assert_eq!(party.ann.next("comment").await["text"], heard);
    }
}

#[tokio::test]
async fn neither_a_new_session_nor_a_new_address_ends_a_ban() {
    let mut party = Party::gather().await;
    let author = party.ann_says("rude").await["author"].clone();
    party.does(json!({"action": "ban", "author": author})).await;
    let others = [
        ("another-session-of-hers", THERE, true),
        (SESSION, ELSEWHERE, true),
        ("the-session-of-another", ELSEWHERE, false),
    ];
    for (session, from, is_banned) in others {
        let mut socket = Socket::connect_from(&party.server, from).await;
        let join = json!({"key": party.key(), "session": session});
        let joined = socket.call("join_room", join).await;
        assert_eq!(joined["silence"].is_object(), is_banned, "{session} {from}");
        let answer = socket.call("comment", party.comment("hi")).await;
        assert_eq!(answer["error"].is_string(), is_banned, "{session} {from}");
    }
    party
        .does(json!({"action": "unban", "author": author}))
        .await;
    party.ann.next("silenced").await;
    assert_eq!(party.ann.next("silenced").await["silence"], Value::Null);
    party.ann_says("sorry").await;
}

#[tokio::test]
async fn a_ban_reaches_as_far_as_an_ipv6_subscriber_has_addresses() {
    let mut party = Party::gather().await;
    party.ann = as_person(&party.server, &party.made, SESSION, "2001:db8:1:2::7").await;
    let author = party.ann_says("rude").await["author"].clone();
    party.does(json!({"action": "ban", "author": author})).await;
    for (from, is_banned) in [("2001:db8:1:2:a:b:c:d", true), ("2001:db8:1:3::7", false)] {
        let mut socket = Socket::connect_from(&party.server, from).await;
        socket.join(&party.made).await;
        let answer = socket.call("comment", party.comment("hi")).await;
        assert_eq!(answer["error"].is_string(), is_banned, "{from}: {answer}");
    }
}

#[tokio::test]
async fn a_time_out_ends_by_itself_and_says_when() {
    let mut party = Party::gather().await;
    let author = party.ann_says("rude").await["author"].clone();
    party
        .does(json!({"action": "timeout", "author": author, "seconds": 2}))
        .await;
    let refusal = party.ann.call("comment", party.comment("again")).await;
    assert!(refusal["error"].as_str().unwrap().contains("timed you out"));
    let wait = refusal["retry_after_ms"].as_u64().unwrap();
    assert!((1..=2_000).contains(&wait), "{wait}");
    let until = party.ann.next("silenced").await["silence"]["until"].clone();
    assert_eq!(
        party.host.next("moderation").await["bans"][0]["until"],
        until
    );
    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
    party.ann_says("sorry").await;
}

#[tokio::test]
async fn a_time_out_leaves_the_others_at_the_address_alone() {
    let mut party = Party::gather().await;
    let mut sister = as_person(&party.server, &party.made, "her-sisters-session", THERE).await;
    let author = party.ann_says("rude").await["author"].clone();
    party
        .does(json!({"action": "timeout", "author": author, "seconds": 600}))
        .await;
    let bans = party.host.next("moderation").await["bans"].clone();
    assert_eq!(bans[0]["coversAddress"], Value::Null, "{bans}");
    let comment = party.comment("hi");
    assert_eq!(sister.call("comment", comment.clone()).await["ok"], true);
    party.does(json!({"action": "ban", "author": author})).await;
    let bans = party.host.next("moderation").await["bans"].clone();
    assert_eq!(bans[0]["coversAddress"], true, "{bans}");
    // The first that she hears of it: nothing was said to her about the time-out.
    let silenced = sister.next("silenced").await;
    assert_eq!(silenced["silence"]["until"], Value::Null, "{silenced}");
    let refusal = sister.refusal("comment", comment.clone()).await;
    assert!(refusal.contains("share"), "{refusal}");
    party
        .does(json!({"action": "timeout", "author": author, "seconds": 600}))
        .await;
    assert_eq!(sister.next("silenced").await["silence"], Value::Null);
    assert_eq!(sister.call("comment", comment).await["ok"], true);
}

#[tokio::test]
async fn a_ban_is_for_no_address_that_a_proxy_or_this_machine_has() {
    let server = Server::start_with(&["--trusted-proxy", "127.0.0.1,192.0.2.0/24"]).await;
    let made = server.create_room("r").await;
    let mut host = as_host(&server, &made).await;
    let comment = json!({"roomKey": made.room.key, "text": "hi"});
    for (from, session) in [
        ("127.0.0.1", "the-session-of-ann"),
        ("127.0.0.5", "the-session-of-ben"),
        ("192.0.2.7", "the-session-of-cleo"),
    ] {
        let mut person = as_person(&server, &made, session, from).await;
        person.call("comment", comment.clone()).await;
        let author = host.next("comment").await["author"].clone();
        let ban = json!({"roomKey": made.room.key, "action": "ban", "author": author});
        assert_eq!(host.call("moderate", ban).await["ok"], true, "{from}");
        let moderation = host.next("moderation").await;
        let newest = moderation["bans"].as_array().unwrap().last().unwrap();
        assert_eq!(newest["coversAddress"], Value::Null, "{moderation}");
        person.refusal("comment", comment.clone()).await;
        let mut other = as_person(&server, &made, "the-session-of-another", from).await;
        let answer = other.call("comment", comment.clone()).await;
        assert_eq!(answer["ok"], true, "{from}: {answer}");
        host.next("comment").await;
    }
}

#[tokio::test]
async fn only_hosts_learn_who_is_banned_and_which_words_are_blocked() {
    let mut party = Party::gather().await;
    let author = party.ann_says("rude").await["author"].clone();
    party.does(json!({"action": "ban", "author": author})).await;
    party
        .does(json!({"action": "words", "words": ["Spam", "spam", "eggs"]}))
        .await;
    let mut second = Socket::connect(&party.server).await;
    let join = json!({"key": party.key(), "host_token": party.made.host_token});
    let moderation = second.call("join_room", join).await["moderation"].clone();
    assert_eq!(moderation["words"], json!(["Spam", "eggs"]));
    let ban = &moderation["bans"][0];
    assert_eq!((&ban["author"], &ban["name"]), (&author, &json!("Ann")));
    let told = moderation.to_string();
    assert!(
        !told.contains("127.0.0") && !told.contains(SESSION),
        "{told}"
    );
    party.host.next("moderation").await;
    assert_eq!(party.host.next("moderation").await, moderation);
    assert_eq!(
        party.ben.all_within_a_moment("moderation").await,
        [] as [Value; 0]
    );
    let mut guest = Socket::connect(&party.server).await;
    assert_eq!(guest.join(&party.made).await["moderation"], Value::Null);
    // Whoever was the host and joins as somebody else is the host no longer.
    second.call("join_room", party.key()).await;
    party.does(json!({"action": "words", "words": []})).await;
    assert_eq!(
        second.all_within_a_moment("moderation").await,
        [] as [Value; 0]
    );
}

#[tokio::test]
async fn a_pinned_comment_stays_on_top_until_it_is_taken_down_or_deleted() {
    let mut party = Party::gather().await;
    let (one, two) = (party.ann_says("one").await, party.ann_says("two").await);
    for comment in [&one, &two] {
        party
            .does(json!({"action": "pin", "id": comment["id"]}))
            .await;
        assert_eq!(party.ben.next("pinned").await["comment"], *comment);
    }
    let joined = Socket::connect(&party.server).await.join(&party.made).await;
    assert_eq!(joined["pinned"], two);
    party.does(json!({"action": "unpin"})).await;
    assert_eq!(party.ben.next("pinned").await["comment"], Value::Null);
    party.does(json!({"action": "pin", "id": one["id"]})).await;
    party
        .does(json!({"action": "delete", "id": one["id"]}))
        .await;
    party.ben.next("pinned").await;
    assert_eq!(party.ben.next("pinned").await["comment"], Value::Null);
    party.does(json!({"action": "pin", "id": two["id"]})).await;
    party
        .does(json!({"action": "ban", "author": two["author"]}))
        .await;
    let joined = Socket::connect(&party.server).await.join(&party.made).await;
    assert_eq!(joined["pinned"], Value::Null);
}

#[tokio::test]
async fn slow_mode_lets_each_person_wait_but_not_the_host() {
    let mut party = Party::gather().await;
    party
        .does(json!({"action": "slow_mode", "seconds": 300}))
        .await;
    let told = json!({"roomKey": party.key(), "seconds": 300});
    assert_eq!(party.ben.next("slow_mode").await, told);
    let joined = Socket::connect(&party.server).await.join(&party.made).await;
    assert_eq!(joined["slowMode"], 300);
    party.ann_says("one").await;
    let refusal = party.ann.call("comment", party.comment("two")).await;
    assert!(
        refusal["error"].as_str().unwrap().contains("Slow mode"),
        "{refusal}"
    );
    let wait = refusal["retry_after_ms"].as_u64().unwrap();
    assert!((1..=300_000).contains(&wait), "{wait}");
    // Nor does a second window of hers help.
    let mut again = as_person(&party.server, &party.made, SESSION, "127.0.0.2").await;
    let refusal = again.call("comment", party.comment("two")).await;
    assert!(refusal["retry_after_ms"].is_u64(), "{refusal}");
    assert_eq!(
        party.ben.call("comment", party.comment("hi")).await["ok"],
        true
    );
    for _ in 0..2 {
        let comment = party.comment("welcome");
        assert_eq!(party.host.call("comment", comment).await["ok"], true);
    }
    party
        .does(json!({"action": "slow_mode", "seconds": 0}))
        .await;
    assert_eq!(
        again.call("comment", party.comment("two")).await["ok"],
        true
    );
}

#[tokio::test]
async fn a_blocked_word_is_refused_in_words_and_not_silently_eaten() {
    let mut party = Party::gather().await;
    party
        .does(json!({"action": "words", "words": ["Straße"]}))
        .await;
    for text in ["die STRASSE", "straße!"] {
        let sentence = party.ann.refusal("comment", party.comment(text)).await;
        assert!(sentence.contains("words"), "{sentence}");
    }
    let mut named = party.comment("hi");
    named["name"] = json!("Strasse");
    party.ann.refusal("comment", named).await;
    let gift = json!({"roomKey": party.key(), "giftId": 1, "giftCount": 1, "name": "STRASSE"});
    party.ann.refusal("gift", gift).await;
    party.ann_says("die Straßen").await;
    let comment = party.comment("Straße");
    assert_eq!(party.host.call("comment", comment).await["ok"], true);
}

#[tokio::test]
async fn the_host_closes_the_room_over_the_socket_and_nobody_else() {
    let mut party = Party::gather().await;
    let key = party.made.room.key.clone();
    let sentence = party.ben.refusal("close_room", key.as_str()).await;
    assert!(sentence.contains("host"), "{sentence}");
    assert_eq!(
        party.host.call("close_room", key.as_str()).await["ok"],
        true
    );
    assert_eq!(party.ben.next("room").await["state"], "ended");
    // It can still be looked at, unlike an open room.
    let room = party.server.json(&format!("/api/rooms/{key}")).await;
    assert_eq!(room["state"], "ended");
    let moderate = json!({"roomKey": key, "action": "unpin"});
    assert!(
        party
            .host
            .refusal("moderate", moderate)
            .await
            .contains("ended")
    );
}

#[tokio::test]
async fn the_maker_of_an_open_room_moderates_it() {
    let server = Server::start().await;
    let mut maker = Socket::connect_2016(&server).await;
    maker
        .call("create_room", json!({"key": "r1", "title": "Hello"}))
        .await;
    let mut guest = Socket::connect_2016(&server).await;
    guest.emit("join_room", "r1").await;
    guest
        .emit("comment", json!({"roomKey": "r1", "text": "hi"}))
        .await;
    let id = maker.next("comment").await["id"].clone();
    let delete = json!({"roomKey": "r1", "action": "delete", "id": id});
    assert!(
        guest
            .refusal("moderate", delete.clone())
            .await
            .contains("host")
    );
    assert_eq!(maker.call("moderate", delete).await, json!({"ok": true}));
}

#[tokio::test]
async fn a_room_that_was_ended_over_http_keeps_no_deleted_comment() {
    let mut party = Party::gather().await;
    let bad = party.ann_says("bad").await;
    party
        .does(json!({"action": "delete", "id": bad["id"]}))
        .await;
    let path = format!("/api/rooms/{}", party.key());
    let end = party.server.request(Method::DELETE, &path);
    let end = end
        .bearer_auth(&party.made.host_token)
        .send()
        .await
        .unwrap();
    assert_eq!(end.status(), 200);
    assert_eq!(party.texts().await, [] as [Value; 0]);
}
