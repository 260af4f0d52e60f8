//! How much of anything is allowed. The page counts down to these numbers, the server enforces them.

/// Longest title of a room, in Unicode scalar values.
pub const TITLE_CHARS: usize = 100;
/// Longest name of a person in the chat, in Unicode scalar values.
pub const NAME_CHARS: usize = 32;
/// Longest comment, in Unicode scalar values.
pub const COMMENT_CHARS: usize = 300;
/// Comments that a late joiner is given, and the size of one page of `GET /api/rooms/{key}/comments`.
pub const COMMENT_PAGE: usize = 50;
/// Comments that a room keeps; older ones are forgotten first.
pub const COMMENT_HISTORY: usize = 1_000;
/// Longest room key, in bytes. Keys that the server makes are [`crate::room::RoomKey::GENERATED_LEN`].
pub const ROOM_KEY_BYTES: usize = 64;
/// Rooms that one socket may be in at the same time.
pub const ROOMS_PER_SOCKET: usize = 8;
/// Likes that one `upvote` may carry: a page batches taps, it does not invent them.
pub const LIKES_PER_UPVOTE: u32 = 20;
/// Most gifts in one `gift` event.
pub const GIFTS_PER_EVENT: u32 = 99;
/// Gifts of one kind from one sender join into a combo when they follow each other this fast, in milliseconds.
pub const GIFT_COMBO_MS: u64 = 4_000;
/// Largest Socket.IO message, in bytes. Far above what any event of ours needs.
pub const SOCKET_MESSAGE_BYTES: usize = 16 * 1024;
/// What a sender may put into a comment or gift beyond the known fields, in bytes of JSON.
pub const EXTRA_BYTES: usize = 1_024;
/// Shortest time between two `likes` events of one room, in milliseconds; the server may take longer in a
/// crowd.
pub const LIKES_INTERVAL_MS: u64 = 100;
/// Longest slow mode: seconds between two comments of a person.
pub const SLOW_MODE_SECONDS: u32 = 300;
/// Longest time-out, in seconds: two weeks.
pub const TIMEOUT_SECONDS: u32 = 14 * 24 * 60 * 60;
/// People who are timed out or banned in one room.
pub const BANS: usize = 500;
/// Words on the list of those that nobody may say in a room.
pub const WORDS: usize = 100;
/// Longest of them, in Unicode scalar values.
pub const WORD_CHARS: usize = 32;

/// A token bucket's shape: `burst` at once, then `per_second` on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// Tokens that flow back each second.
    pub per_second: f64,
}

/// Comments from one socket.
pub const COMMENT_RATE: Rate = Rate {
    burst: 5,
    per_second: 0.5,
};
/// Likes from one socket, counted singly.
pub const LIKE_RATE: Rate = Rate {
    burst: 60,
    per_second: 15.0,
};
/// `gift` events from one socket.
pub const GIFT_RATE: Rate = Rate {
    burst: 10,
    per_second: 2.0,
};
/// Everything else a socket may ask: joining, leaving, creating, closing.
pub const COMMAND_RATE: Rate = Rate {
    burst: 20,
    per_second: 2.0,
};
/// What a host does in a room.
pub const MODERATION_RATE: Rate = Rate {
    burst: 60,
    per_second: 5.0,
};
