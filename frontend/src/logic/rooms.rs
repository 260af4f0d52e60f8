//! The list of rooms on the front page.

use shared::room::{Room, RoomState};

/// Whether the room belongs on the front page: somebody is, or was a moment ago, live.
#[must_use]
pub const fn listed(room: &Room) -> bool {
    matches!(room.state, RoomState::Live | RoomState::Reconnecting)
}

/// A room changed: puts it into `rooms`, updates it there, or takes it away. The order is by
/// start, newest first: it does not change while people watch, so no card jumps away from a finger.
pub fn apply(rooms: &mut Vec<Room>, room: Room) {
    rooms.retain(|kept| kept.key != room.key);
    if listed(&room) {
        let started = |room: &Room| room.started_at.unwrap_or(room.created_at);
        let at = rooms.partition_point(|kept| started(kept) > started(&room));
        rooms.insert(at, room);
    }
}

/// The rooms to show out of all that the server told of.
#[must_use]
pub fn from_all(all: Vec<Room>) -> Vec<Room> {
    let mut rooms = Vec::new();
    for room in all {
        apply(&mut rooms, room);
    }
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(key: &str, state: RoomState, started_at: u64) -> Room {
        Room {
            key: key.parse().unwrap(),
            title: key.into(),
            state,
            viewers: 0,
            peak_viewers: 0,
            likes: 0,
            created_at: 1,
            started_at: Some(started_at),
            ingest: None,
            webrtc: true,
        }
    }

    fn keys(rooms: &[Room]) -> Vec<&str> {
        rooms.iter().map(|room| room.key.as_str()).collect()
    }

    #[test]
    fn only_live_rooms_are_listed_newest_first() {
        let rooms = from_all(vec![
            room("a", RoomState::Live, 1),
            room("b", RoomState::Offline, 2),
            room("c", RoomState::Reconnecting, 3),
            room("d", RoomState::Ended, 4),
        ]);
        assert_eq!(keys(&rooms), ["c", "a"]);
    }

    #[test]
    fn a_change_keeps_the_order() {
        let mut rooms = from_all(vec![
            room("a", RoomState::Live, 1),
            room("b", RoomState::Live, 2),
        ]);
        let mut changed = room("a", RoomState::Live, 1);
        changed.viewers = 9;
        apply(&mut rooms, changed);
        assert_eq!(keys(&rooms), ["b", "a"]);
        assert_eq!(rooms[1].viewers, 9);
    }

    #[test]
    fn an_ended_room_leaves() {
        let mut rooms = from_all(vec![room("a", RoomState::Live, 1)]);
        apply(&mut rooms, room("a", RoomState::Ended, 1));
        assert!(rooms.is_empty());
    }
}
