//! Many people in one room's chat.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use serde_json::json;
use shared::events::{JoinRoom, SendComment, Upvote, to_client, to_server};
use shared::room::RoomKey;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval};

use super::socket::{Incoming, Socket};
use super::statistics::Delays;

/// Member of a comment that says when it was sent, in microseconds since the crowd came together.
const SENT: &str = "sentMicros";
/// What may wait to be sent by one person.
const OUTBOX: usize = 64;

/// What a person wants to say.
enum Saying {
    /// And when it was due, as in [`SENT`].
    Comment(SendComment, u64),
    Upvote(Upvote),
}

/// What the people of a crowd have received.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// From sending a comment to its arrival at each person.
    pub comments: Delays,
    /// From sending a comment to its acknowledgement, which comes when it is kept.
    pub acks: Delays,
    /// `likes` events.
    pub likes_events: usize,
    /// Likes in these, as deltas.
    pub likes: u64,
    /// `notice` events and refusing acknowledgements: the server refused something.
    pub notices: usize,
    /// What the first of them said.
    pub first_notice: Option<String>,
}

impl Heard {
    fn hear(&mut self, event: &Incoming, since: Instant) {
        let delay = |sent| since.elapsed().saturating_sub(Duration::from_micros(sent));
        if let Some((sent, answer)) = event.acknowledgement() {
            if answer.contains("\"error\":") {
                self.refused(answer);
            } else {
                self.acks.add(delay(sent));
            }
            return;
        }
        let Some((name, payload)) = event.parts() else {
            return;
        };
        match name {
            to_client::COMMENT => {
                if let Some(sent) = number(payload, SENT) {
                    self.comments.add(delay(sent));
                }
            }
            to_client::LIKES => {
                self.likes_events += 1;
                self.likes += number(payload, "delta").unwrap_or_default();
            }
            to_client::NOTICE => self.refused(payload),
            _ => {}
        }
    }

    fn refused(&mut self, why: &str) {
        self.notices += 1;
        self.first_notice.get_or_insert_with(|| why.to_owned());
    }

    fn append(&mut self, other: Self) {
        self.comments.append(other.comments);
        self.acks.append(other.acks);
        self.likes_events += other.likes_events;
        self.likes += other.likes;
        self.notices += other.notices;
        self.first_notice = self.first_notice.take().or(other.first_notice);
    }
}

/// The number that is `member` of the object. Not parsed as JSON: at 200,000 events a second that would
/// be most of what this program does.
fn number(object: &str, member: &str) -> Option<u64> {
    let (_, rest) = object.split_once(&format!("\"{member}\":"))?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

struct Person {
    outbox: mpsc::Sender<Saying>,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<Result<()>>,
}

/// People in a room. They leave when it is dropped.
pub struct Crowd {
    key: RoomKey,
    people: Vec<Person>,
    since: Instant,
}

impl Crowd {
    /// `count` people connect and join the room, `per_second` of them each second.
    ///
    /// # Errors
    /// One of them could not.
    pub async fn gather(
        authority: &str,
        key: &RoomKey,
        count: usize,
        per_second: u32,
    ) -> Result<Self> {
        let since = Instant::now();
        let mut arrivals = interval(Duration::from_secs(1) / per_second);
        let mut joining = JoinSet::new();
        for _ in 0..count {
            arrivals.tick().await;
            joining.spawn(join(authority.to_owned(), key.clone()));
        }
        let mut people = Vec::new();
        while let Some(joined) = joining.join_next().await {
            let socket = joined?.context("somebody could not join the room")?;
            people.push(Person::new(socket, since));
        }
        let key = key.clone();
        Ok(Self { key, people, since })
    }

    /// How many people there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// `count` comments, `per_second` of them each second; everybody speaks in turn.
    ///
    /// # Errors
    /// Somebody's connection is over.
    pub async fn comment(&self, count: usize, per_second: f64) -> Result<()> {
        let mut turns = interval(Duration::from_secs_f64(1.0 / per_second));
        for person in self.people.iter().cycle().take(count) {
            // When it was due: if this program is late, that counts as delay.
            let due = turns.tick().await;
            let micros = u64::try_from((due - self.since).as_micros())?;
            let comment = SendComment {
                room_key: self.key.clone(),
                text: "What a lovely broadcast this is!".to_owned(),
                name: None,
                extra: BTreeMap::from([(SENT.to_owned(), json!(micros))]),
            };
            person.say(Saying::Comment(comment, micros)).await?;
        }
        Ok(())
    }

    /// `count` upvotes of `likes` likes each, `per_second` upvotes each second; everybody in turn.
    ///
    /// # Errors
    /// Somebody's connection is over.
    pub async fn like(&self, count: usize, likes: u32, per_second: f64) -> Result<()> {
        let mut turns = interval(Duration::from_secs_f64(1.0 / per_second));
        for person in self.people.iter().cycle().take(count) {
            turns.tick().await;
            let room_key = self.key.clone();
            let upvote = Upvote::Many {
                room_key,
                count: likes,
            };
            person.say(Saying::Upvote(upvote)).await?;
        }
        Ok(())
    }

    /// How many comments have arrived that [`Crowd::take_heard`] has not taken.
    #[must_use]
    pub fn comments_heard(&self) -> usize {
        let people = self.people.iter();
        people
            .map(|person| person.heard.lock().comments.ended())
            .sum()
    }

    /// The same of acknowledgements.
    #[must_use]
    pub fn acks_heard(&self) -> usize {
        let people = self.people.iter();
        people.map(|person| person.heard.lock().acks.ended()).sum()
    }

    /// What everybody has received since this was last asked.
    ///
    /// # Errors
    /// Somebody's connection is over.
    pub fn take_heard(&self) -> Result<Heard> {
        let lost = self
            .people
            .iter()
            .filter(|person| person.task.is_finished());
        let lost = lost.count();
        ensure!(lost == 0, "{lost} people lost their connection");
        let mut all = Heard::default();
        for person in &self.people {
            all.append(std::mem::take(&mut person.heard.lock()));
        }
        Ok(all)
    }
}

impl Person {
    fn new(socket: Socket, since: Instant) -> Self {
        let (outbox, sayings) = mpsc::channel(OUTBOX);
        let heard = Arc::<Mutex<Heard>>::default();
        let task = tokio::spawn(live(socket, sayings, Arc::clone(&heard), since));
        Self {
            outbox,
            heard,
            task,
        }
    }

    async fn say(&self, saying: Saying) -> Result<()> {
        let said = self.outbox.send(saying).await;
        said.ok().context("somebody lost the connection")
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn join(authority: String, key: RoomKey) -> Result<Socket> {
    let mut socket = Socket::connect(&authority).await?;
    socket
        .ask(to_server::JOIN_ROOM, &JoinRoom::Key(key))
        .await?;
    Ok(socket)
}

/// Listens and speaks until the connection is over.
async fn live(
    mut socket: Socket,
    mut sayings: mpsc::Receiver<Saying>,
    heard: Arc<Mutex<Heard>>,
    since: Instant,
) -> Result<()> {
    loop {
        tokio::select! {
            event = socket.event() => heard.lock().hear(&event?, since),
            saying = sayings.recv() => match saying {
                Some(Saying::Comment(comment, sent)) => {
                    socket.emit_numbered(to_server::COMMENT, sent, &comment).await?;
                }
                Some(Saying::Upvote(upvote)) => socket.emit(to_server::UPVOTE, &upvote).await?,
                None => return Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_an_object() {
        let object = r#"{"id":3,"at":1700000000000,"sentMicros":4711,"text":"x"}"#;
        assert_eq!(number(object, SENT), Some(4_711));
        assert_eq!(number(object, "at"), Some(1_700_000_000_000));
        assert_eq!(number(object, "delta"), None);
        assert_eq!(number(object, "text"), None);
    }

    #[test]
    fn a_number_may_be_the_last_member() {
        assert_eq!(number(r#"{"total":1,"delta":9}"#, "delta"), Some(9));
    }
}
