//! Everything that happens in one room besides the picture.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use shared::events::{
    Action, Comment, Commented, Extra, Gift, JoinRoom, Joined, Likes, Moderate, Nothing, Notice,
    Refusal, Removed, Restarting, SendComment, SendGift, Upvote, to_client, to_server,
};
use shared::room::{Room, RoomKey, RoomState};

use super::rules::Rules;
use super::socket::Socket;
use crate::logic::chat_log::ChatLog;
use crate::logic::gifts::GiftToasts;
use crate::logic::hearts::HeartField;
use crate::logic::likes::LikeCounter;
use crate::{browser, clock, storage};

/// The room, its chat, likes and gifts, kept right by the server's events until [`RoomFeed::leave`]
/// or the end of the component that made it.
#[derive(Clone, Copy)]
pub struct RoomFeed {
    /// The room as the server told it last.
    pub room: RwSignal<Option<Room>>,
    /// Whether the server's events arrive; `None` before the first connection.
    pub connected: RwSignal<Option<bool>>,
    /// Whether the server said that it restarts, and was not heard of since.
    pub restarting: RwSignal<bool>,
    /// What the server said last that was no answer to anything; a sentence.
    pub notice: RwSignal<Option<String>>,
    /// The comments.
    pub chat: RwSignal<ChatLog>,
    /// What the host has decided about it.
    pub rules: Rules,
    /// The likes.
    pub likes: RwSignal<LikeCounter>,
    /// The hearts that float now.
    pub hearts: RwSignal<HeartField>,
    /// The gifts that are shown now.
    pub gifts: RwSignal<GiftToasts>,
    link: StoredValue<Link, LocalStorage>,
}

/// What a [`RoomFeed`] holds of the browser; dropping it lets go of all of it.
#[derive(Default)]
struct Link {
    key: Option<RoomKey>,
    host_token: Option<String>,
    socket: Option<Rc<Socket>>,
    /// Counts joins, so that what arrives for an earlier one is ignored.
    generation: u32,
    flush_likes: Option<Timeout>,
    sweep_hearts: Option<Timeout>,
    sweep_gifts: Option<Timeout>,
}

impl RoomFeed {
    /// A feed that belongs to no room yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            room: RwSignal::new(None),
            connected: RwSignal::new(None),
            restarting: RwSignal::new(false),
            notice: RwSignal::new(None),
            chat: RwSignal::new(ChatLog::default()),
            rules: Rules::default(),
            likes: RwSignal::new(LikeCounter::default()),
            hearts: RwSignal::new(HeartField::default()),
            gifts: RwSignal::new(GiftToasts::default()),
            link: StoredValue::new_local(Link::default()),
        }
    }

    /// Joins the room, now and after every loss of the connection. The `host_token` makes this page the
    /// host's.
    pub fn join(self, key: RoomKey, host_token: Option<String>) {
        self.leave();
        let Some(generation) = self.link.try_update_value(|link| {
            link.key = Some(key);
            link.host_token = host_token;
            link.generation
        }) else {
            return;
        };
        spawn_local(async move {
            let Ok(socket) = Socket::open().await else {
                self.connected.try_set(Some(false));
                return;
            };
            let socket = Rc::new(socket);
            self.listen(&socket);
            // Left, or joined elsewhere, while the client loaded: this drops the socket.
            self.link.try_update_value(|link| {
                if link.generation == generation {
                    link.socket = Some(socket);
                }
            });
        });
    }

    /// Leaves the room and forgets what it was like.
    pub fn leave(self) {
        self.link.try_update_value(|link| {
            *link = Link {
                generation: link.generation + 1,
                ..Link::default()
            };
        });
        self.room.try_set(None);
        self.connected.try_set(None);
        self.restarting.try_set(false);
        self.notice.try_set(None);
        self.chat.try_set(ChatLog::default());
        self.rules.reset();
        self.likes.try_set(LikeCounter::default());
        self.hearts.try_set(HeartField::default());
        self.gifts.try_set(GiftToasts::default());
    }

    fn listen(self, socket: &Rc<Socket>) {
        socket.on(to_client::ROOM, move |room: Room| {
            if self.is_mine(&room.key) {
                self.room.try_set(Some(room));
            }
        });
        socket.on(to_client::RESTARTING, move |_: Restarting| {
            self.restarting.try_set(true);
        });
        socket.on(to_client::NOTICE, move |notice: Notice| {
            if notice.event.is_none() {
                self.notice.try_set(Some(notice.error));
            }
        });
        socket.on(to_client::COMMENT, move |comment: Comment| {
            if self.is_mine(&comment.room_key) {
                self.chat.try_update(|chat| chat.insert(comment));
            }
        });
        socket.on(to_client::REMOVED, move |removed: Removed| {
            if self.is_mine(&removed.room_key) {
                self.chat.try_update(|chat| chat.remove(&removed.comments));
            }
        });
        self.rules.listen(socket, move |key| self.is_mine(key));
        socket.on(to_client::LIKES, move |likes: Likes| {
            if self.is_mine(&likes.room_key) {
                self.likes_counted(&likes);
            }
        });
        socket.on(to_client::GIFT, move |gift: Gift| {
            if self.is_mine(&gift.room_key) {
                self.gifts.try_update(|gifts| gifts.add(gift, clock::now()));
                self.sweep_gifts();
            }
        });
        let weak = Rc::downgrade(socket);
        socket.on_connect(move || {
            if let Some(socket) = weak.upgrade() {
                self.announce(&socket, true);
            }
        });
        socket.on_disconnect(move || {
            self.connected.try_set(Some(false));
        });
    }

    fn announce(self, socket: &Rc<Socket>, as_host: bool) {
        let join = self.link.try_with_value(|link| {
            let (key, host_token) = (link.key.clone()?, link.host_token.clone());
            let host_token = host_token.filter(|_| as_host);
            Some(JoinRoom::Named {
                key,
                name: storage::get(storage::NAME),
                host_token,
                session: storage::session(),
            })
        });
        let Some(Some(join)) = join else { return };
        let is_token_shown = matches!(
            &join,
            JoinRoom::Named {
                host_token: Some(_),
                ..
            }
        );
        let known_to = self.chat.try_with_untracked(ChatLog::newest).unwrap_or(0);
        let joined = socket.ask::<_, Joined>(to_server::JOIN_ROOM, Some(&join));
        let weak = Rc::downgrade(socket);
        spawn_local(async move {
            // A refusal is told by the HTTP API as well, where the page asks for the picture.
            let Ok(mut joined) = joined.await else {
                // But a token that is void must not keep anybody out.
                if let Some(socket) = weak.upgrade().filter(|_| is_token_shown) {
                    self.announce(&socket, false);
                }
                return;
            };
            if !self.is_mine(&joined.room.key) {
                return;
            }
            self.connected.try_set(Some(true));
            self.restarting.try_set(false);
            self.likes
                .try_update(|likes| likes.joined(joined.room.likes));
            self.rules.joined(&mut joined);
            self.chat
                .try_update(|chat| chat.joined(joined.comments, known_to));
            self.room.try_set(Some(joined.room));
            self.schedule_flush();
        });
    }

    fn is_mine(self, key: &RoomKey) -> bool {
        self.link
            .try_with_value(|link| link.key.as_ref() == Some(key))
            .unwrap_or(false)
    }

    fn socket(self) -> Option<(Rc<Socket>, RoomKey)> {
        let both = self.link.try_with_value(|link| {
            let socket = link.socket.clone().filter(|socket| socket.connected())?;
            Some((socket, link.key.clone()?))
        });
        both.flatten()
    }

    /// The room's state, as far as it is known.
    #[must_use]
    pub fn state(self) -> Option<RoomState> {
        self.room.with(|room| room.as_ref().map(|room| room.state))
    }

    // --- Likes ---

    /// The person taps the heart: it floats at once, and is sent with the taps around it.
    pub fn like(self) {
        if self.socket().is_none() || self.likes.try_update(LikeCounter::tap) != Some(true) {
            return;
        }
        self.show_hearts(1);
        self.schedule_flush();
    }

    fn schedule_flush(self) {
        if !self
            .likes
            .try_with_untracked(LikeCounter::has_waiting)
            .unwrap_or(false)
        {
            return;
        }
        self.link.try_update_value(|link| {
            if link.flush_likes.is_none() {
                let flush = Timeout::new(LikeCounter::BATCH_MS, move || self.flush_likes());
                link.flush_likes = Some(flush);
            }
        });
    }

    fn flush_likes(self) {
        self.link.try_update_value(|link| link.flush_likes = None);
        // Without a connection the taps wait for the next one.
        let Some((socket, room_key)) = self.socket() else {
            return;
        };
        let Some(Some(count)) = self.likes.try_update(LikeCounter::take_batch) else {
            return;
        };
        let upvote = Upvote::Many { room_key, count };
        let sent = socket.ask::<_, Nothing>(to_server::UPVOTE, Some(&upvote));
        spawn_local(async move {
            if sent.await.is_err() {
                self.likes.try_update(|likes| likes.refused(count));
            }
        });
        self.schedule_flush();
    }

    fn likes_counted(self, likes: &Likes) {
        let others = self
            .likes
            .try_update(|counter| counter.counted(likes.total, likes.delta))
            .unwrap_or(0);
        if others > 0 {
            self.show_hearts(others);
        }
    }

    fn show_hearts(self, likes: u64) {
        // The counter says it all to those who asked for less motion; and hearts that nobody sees
        // would all start at once when the page is looked at again.
        if browser::prefers_reduced_motion() || !browser::page_is_visible() {
            return;
        }
        self.hearts
            .try_update(|hearts| hearts.add(likes, clock::now(), browser::random));
        self.sweep_hearts();
    }

    fn sweep_hearts(self) {
        let next = self
            .hearts
            .try_update(|hearts| hearts.sweep(clock::now()))
            .flatten();
        let timer = next.map(|at| Timeout::new(wait_until(at), move || self.sweep_hearts()));
        self.link.try_update_value(|link| link.sweep_hearts = timer);
    }

    // --- Gifts ---

    /// Gives `count` of the gift `gift_id`.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn give(self, gift_id: u32, count: u32) -> Result<(), Refusal> {
        let (socket, room_key) = self.socket().ok_or_else(not_connected)?;
        let gift = SendGift {
            room_key,
            sender_id: None,
            gift_id,
            gift_count: count,
            name: storage::get(storage::NAME),
            extra: Extra::new(),
        };
        socket
            .ask::<_, Nothing>(to_server::GIFT, Some(&gift))
            .await
            .map(|_| ())
    }

    fn sweep_gifts(self) {
        let next = self
            .gifts
            .try_update(|gifts| gifts.sweep(clock::now()))
            .flatten();
        let timer = next.map(|at| Timeout::new(wait_until(at), move || self.sweep_gifts()));
        self.link.try_update_value(|link| link.sweep_gifts = timer);
    }

    // --- Chat ---

    /// Says `text` under `name`, or under a name that the server makes up.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn say(self, text: String, name: Option<String>) -> Result<(), Refusal> {
        let (socket, room_key) = self.socket().ok_or_else(not_connected)?;
        let comment = SendComment {
            room_key,
            text,
            name,
            extra: Extra::new(),
        };
        socket
            .ask::<_, Commented>(to_server::COMMENT, Some(&comment))
            .await
            .map(|_| ())
    }

    /// Does what only the host may.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn moderate(self, action: Action) -> Result<(), Refusal> {
        let (socket, room_key) = self.socket().ok_or_else(not_connected)?;
        let moderate = Moderate { room_key, action };
        socket
            .ask::<_, Nothing>(to_server::MODERATE, Some(&moderate))
            .await
            .map(|_| ())
    }
}

impl Default for RoomFeed {
    fn default() -> Self {
        Self::new()
    }
}

fn wait_until(at: shared::UnixMillis) -> u32 {
    u32::try_from(at.saturating_sub(clock::now()))
        .unwrap_or(u32::MAX)
        .max(16)
}

fn not_connected() -> Refusal {
    Refusal {
        error: "The chat is not connected: please wait a moment and try again.".into(),
        retry_after_ms: None,
    }
}
