//! Socket.IO: what happens in a room and in the list of rooms, as it happens.

mod lobby;
mod room_feed;
mod rules;
mod socket;

pub use lobby::LobbyFeed;
pub use room_feed::RoomFeed;
pub use rules::Rules;
