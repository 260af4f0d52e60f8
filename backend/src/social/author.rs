//! What a room calls a person.

use sha2::{Digest, Sha256};
use shared::person::AuthorId;
use shared::room::RoomKey;

use crate::random;

/// The author that whoever has `session` is in the room: the same each time, another in each room, and
/// the way back from it to the session is as long as to guess that.
pub(super) fn author_of(room: &RoomKey, session: &str) -> AuthorId {
    // A key has no zero byte: nothing else begins like this.
    let digest = Sha256::new()
        .chain_update(room.as_str())
        .chain_update([0])
        .chain_update(session)
        .finalize();
    let text: String = digest
        .iter()
        .take(AUTHOR_CHARS)
        .copied()
        .map(random::letter)
        .collect();
    AuthorId::try_from(text).expect("letters and digits, and few of them")
}

/// 80 bits.
const AUTHOR_CHARS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_same_in_a_room_and_another_elsewhere() {
        let (here, there) = ("r1".parse().unwrap(), "r2".parse().unwrap());
        assert_eq!(author_of(&here, "session"), author_of(&here, "session"));
        assert_ne!(author_of(&here, "session"), author_of(&there, "session"));
        assert_ne!(author_of(&here, "session"), author_of(&here, "another"));
        assert_eq!(author_of(&here, "session").as_str().len(), 16);
    }
}
