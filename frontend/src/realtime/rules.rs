//! What the host of a room has decided, and whether this page is the host's.

use leptos::prelude::*;
use shared::events::{Comment, Joined, Moderation, Pinned, Silence, Silenced, SlowMode, to_client};
use shared::room::RoomKey;

use super::socket::Socket;

/// The rules of a room's chat, kept right by the server's events.
#[derive(Clone, Copy, Default)]
pub struct Rules {
    /// What is on top of the chat.
    pub pinned: RwSignal<Option<Comment>>,
    /// Seconds between two comments of a person; 0 while slow mode is off.
    pub slow_mode: RwSignal<u32>,
    /// Why this person may not speak.
    pub silence: RwSignal<Option<Silence>>,
    /// What only the host knows: there is something here only if this page is the host's.
    pub moderation: RwSignal<Option<Moderation>>,
}

impl Rules {
    /// Whether this page may moderate.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.moderation.with(Option::is_some)
    }

    /// How long a person has to wait between two comments, if at all; the host does not.
    #[must_use]
    pub fn wait_seconds(self) -> Option<u32> {
        let seconds = self.slow_mode.get();
        (seconds > 0 && !self.is_host()).then_some(seconds)
    }

    pub(super) fn joined(self, joined: &mut Joined) {
        self.pinned.try_set(joined.pinned.take());
        self.slow_mode.try_set(joined.slow_mode);
        self.silence.try_set(joined.silence.take());
        self.moderation.try_set(joined.moderation.take());
    }

    pub(super) fn reset(self) {
        self.pinned.try_set(None);
        self.slow_mode.try_set(0);
        self.silence.try_set(None);
        self.moderation.try_set(None);
    }

    pub(super) fn listen(
        self,
        socket: &Socket,
        is_mine: impl Fn(&RoomKey) -> bool + Copy + 'static,
    ) {
        socket.on(to_client::PINNED, move |pinned: Pinned| {
            if is_mine(&pinned.room_key) {
                self.pinned.try_set(pinned.comment);
            }
        });
        socket.on(to_client::SLOW_MODE, move |slow_mode: SlowMode| {
            if is_mine(&slow_mode.room_key) {
                self.slow_mode.try_set(slow_mode.seconds);
            }
        });
        socket.on(to_client::SILENCED, move |silenced: Silenced| {
            if is_mine(&silenced.room_key) {
                self.silence.try_set(silenced.silence);
            }
        });
        socket.on(to_client::MODERATION, move |moderation: Moderation| {
            if is_mine(&moderation.room_key) {
                self.moderation.try_set(Some(moderation));
            }
        });
    }
}
