//! Why an event is refused.

use std::time::Duration;

use shared::events::Refusal;
use shared::limits;
use shared::room::InvalidRoomKey;
use shared::text::TextError;

use crate::rooms::registry::NoRoom;
use crate::store::error::NotKept;

/// Why an event is refused. `Display` is a sentence for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("This server knows no such event.")]
    UnknownEvent,
    #[error("The event was not understood: {0}.")]
    Shape(&'static str),
    #[error("The message is too large: at most {0} bytes are taken.")]
    TooLarge(usize),
    #[error("Too fast: please wait a moment.")]
    TooFast(Duration),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Key(#[from] InvalidRoomKey),
    #[error("There is no room with this key: please check the link.")]
    NoSuchRoom,
    #[error("This room has ended.")]
    Ended,
    #[error("Please join the room first.")]
    NotJoined,
    #[error(
        "You are in {} rooms already: please leave one first.",
        limits::ROOMS_PER_SOCKET
    )]
    TooManyJoined,
    #[error("This is not the room's host token.")]
    NotHost,
    #[error("Too many wrong secrets came from your address: please try again in a while.")]
    WrongSecrets(Duration),
    #[error("Only the room's host may do this: please join the room with its host token.")]
    HostOnly,
    #[error("The host of this room has banned you from its chat. You can still watch.")]
    Banned,
    #[error(
        "The host of this room has banned somebody at your internet address from its chat, and all who \
         share it. You can still watch."
    )]
    NeighbourBanned,
    #[error("The host of this room has timed you out: you can write again in a while.")]
    TimedOut(Duration),
    #[error("Slow mode is on: please wait a moment between two comments.")]
    SlowMode(Duration),
    #[error(
        "The host of this room does not want one of these words: please say it in another way."
    )]
    Word,
    #[error("This comment is not there any more.")]
    NoSuchComment,
    #[error("Nobody in this room has this author id.")]
    NoSuchAuthor,
    #[error("This person is neither banned nor timed out.")]
    NotBanned,
    #[error("The room's host cannot be banned.")]
    BansHost,
    #[error(
        "There are {} people on the list already: please take somebody off it first.",
        limits::BANS
    )]
    TooManyBans,
    #[error("At most {} words can be blocked.", limits::WORDS)]
    TooManyWords,
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error(transparent)]
    NotKept(#[from] NotKept),
    #[error("Rooms are not created this way on this server: please use the page.")]
    LegacyOff,
    #[error("There is no gift with this number.")]
    UnknownGift,
    #[error(
        "The extra members are too large: at most {} bytes of JSON are taken.",
        limits::EXTRA_BYTES
    )]
    ExtraTooLarge,
}

impl Refused {
    /// Whether only a broken or hostile client gets here.
    pub(super) const fn is_abuse(self) -> bool {
        matches!(
            self,
            Self::TooLarge(_)
                | Self::TooFast(_)
                | Self::TooManyJoined
                | Self::NotHost
                | Self::WrongSecrets(_)
                | Self::HostOnly
                | Self::ExtraTooLarge
        )
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let retry_after_ms = match refused {
            // Rounded up: whoever waits that long is not refused again.
            Refused::TooFast(wait)
            | Refused::WrongSecrets(wait)
            | Refused::TimedOut(wait)
            | Refused::SlowMode(wait) => u64::try_from(wait.as_micros().div_ceil(1_000)).ok(),
            _ => None,
        };
        Self {
            error: refused.to_string(),
            retry_after_ms,
        }
    }
}
