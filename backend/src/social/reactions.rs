//! Likes, comments and gifts.

use std::sync::Arc;
use std::time::Instant;

use shared::events::to_client;
use shared::events::{Comment, Commented, Extra, Gift, Nothing, SendComment, SendGift, Upvote};
use shared::limits::{EXTRA_BYTES, GIFTS_PER_EVENT, LIKES_PER_UPVOTE};
use shared::room::{RoomKey, RoomState};
use shared::text::{self, Field};

use super::Social;
use super::client::{Client, Membership};
use super::dispatch::Payload;
use super::gifts::Giver;
use super::refusal::Refused;
use crate::clock::unix_millis;
use crate::rooms::room::Room;
use crate::store::journal::Receipt;

const UPVOTE: &str = "upvote takes a room key, or {roomKey, count} with a count of 1 to 20";
const COMMENT: &str = "comment takes {roomKey, text}";
const GIFT: &str = "gift takes {roomKey, giftId, giftCount} with a count of 1 to 99";

/// What the server says about a comment or gift; a sender must not say it in its place.
const OURS: [&str; 5] = ["id", "at", "host", "author", "combo"];

impl Social {
    pub(super) fn upvote(&self, client: &Client, payload: Payload) -> Result<Nothing, Refused> {
        let (key, count) = match payload.read(UPVOTE)? {
            Upvote::One(key) => (key, 1),
            Upvote::Many { room_key, count } => (room_key, count),
        };
        if !(1..=LIKES_PER_UPVOTE).contains(&count) {
            return Err(Refused::Shape(UPVOTE));
        }
        let mut state = client.state.lock();
        state
            .likes
            .take(count, Instant::now())
            .map_err(Refused::TooFast)?;
        state.membership(&key)?;
        self.room(&key)?.like(count);
        Ok(Nothing {})
    }

    /// Says something; it counts as said once the receipt says so.
    pub(super) fn comment(
        &self,
        client: &Client,
        payload: Payload,
    ) -> Result<(Commented, Receipt), Refused> {
        let mut state = client.state.lock();
        let now = Instant::now();
        state.comments.take(1, now).map_err(Refused::TooFast)?;
        if let Some(address) = client.stranger() {
            let taken = self.strangers.comments.take(address, now);
            taken.map_err(Refused::TooFast)?;
        }
        let SendComment {
            room_key,
            text,
            name,
            extra,
        } = payload.read(COMMENT)?;
        let membership = state.membership(&room_key)?;
        let speaker = client.speaker(membership);
        let room = self.room(&room_key)?;
        let comment = Comment {
            id: 0,
            name: name_of(client, membership, name)?,
            text: text::check(Field::Comment, &text)?.to_owned(),
            at: unix_millis(),
            host: membership.is_host,
            author: Some(membership.author.clone()),
            extra: checked(extra)?,
            room_key,
        };
        // Told under the lock, so that comments arrive in the order of their numbers.
        let mut chat = room.chat().lock();
        let texts = [comment.text.as_str(), &comment.name];
        chat.moderation.check(speaker, &texts, comment.at)?;
        room.shelf().takes_comments()?;
        chat.moderation.pace(speaker, comment.at)?;
        let comment = chat.comments.add(comment, client.neighbour);
        self.out.room(room.key(), to_client::COMMENT, &comment);
        let receipt = room
            .shelf()
            .comment(&comment, client.neighbour.map(|from| from.to_string()));
        Ok((Commented { id: comment.id }, receipt))
    }

    pub(super) fn gift(&self, client: &Client, payload: Payload) -> Result<Nothing, Refused> {
        let mut state = client.state.lock();
        state
            .gifts
            .take(1, Instant::now())
            .map_err(Refused::TooFast)?;
        let sent: SendGift = payload.read(GIFT)?;
        if !(1..=GIFTS_PER_EVENT).contains(&sent.gift_count) {
            return Err(Refused::Shape(GIFT));
        }
        let kind = shared::gift::by_id(sent.gift_id).ok_or(Refused::UnknownGift)?;
        let membership = state.membership(&sent.room_key)?;
        let room = self.room(&sent.room_key)?;
        let sender_id = sent.sender_id.unwrap_or_else(|| client.sender_id.into());
        let giver = Giver {
            socket: client.number,
            sender_id,
        };
        let (name, extra) = (
            name_of(client, membership, sent.name)?,
            checked(sent.extra)?,
        );
        let at = unix_millis();
        let mut chat = room.chat().lock();
        chat.moderation
            .check(client.speaker(membership), &[&name], at)?;
        let combo = chat.combos.add(giver, kind.id, sent.gift_count, at);
        let gift = Gift {
            room_key: sent.room_key,
            sender_id,
            gift_id: kind.id,
            gift_count: sent.gift_count,
            name,
            combo,
            at,
            author: Some(membership.author.clone()),
            extra,
        };
        self.out.room(room.key(), to_client::GIFT, &gift);
        Ok(Nothing {})
    }

    /// A room that is not over.
    pub(super) fn room(&self, key: &RoomKey) -> Result<Arc<Room>, Refused> {
        let room = self.rooms.find(key).ok_or(Refused::NoSuchRoom)?;
        if room.state() == RoomState::Ended {
            Err(Refused::Ended)
        } else {
            Ok(room)
        }
    }
}

fn name_of(
    client: &Client,
    membership: &Membership,
    given: Option<String>,
) -> Result<String, Refused> {
    match given.or_else(|| membership.name.clone()) {
        Some(name) => Ok(text::check(Field::Name, &name)?.to_owned()),
        None => Ok(client.guest_name()),
    }
}

/// What a sender added, without what is not for it to say.
fn checked(mut extra: Extra) -> Result<Extra, Refused> {
    extra.retain(|member, _| !OURS.contains(&member.as_str()));
    let size = serde_json::to_vec(&extra).map_or(usize::MAX, |json| json.len());
    if size > EXTRA_BYTES {
        Err(Refused::ExtraTooLarge)
    } else {
        Ok(extra)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::People;

    #[test]
    fn a_sender_cannot_speak_in_the_servers_place() {
        let extra = [
            ("host", json!(true)),
            ("id", json!(1)),
            ("author", json!("ann")),
            ("colour", json!("red")),
        ];
        let extra: Extra = extra
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        let kept = checked(extra).unwrap();
        assert_eq!(
            serde_json::to_value(kept).unwrap(),
            json!({"colour": "red"})
        );
    }

    #[test]
    fn extra_members_are_limited_in_size() {
        let extra = |length| Extra::from([("x".to_owned(), json!("y".repeat(length)))]);
        assert!(checked(extra(EXTRA_BYTES - 8)).is_ok());
        assert_eq!(checked(extra(EXTRA_BYTES - 7)), Err(Refused::ExtraTooLarge));
    }

    #[test]
    fn the_name_is_the_one_with_the_comment_else_the_joined_one_else_a_guests() {
        let client = Client::new(1, None, None, false, &People::usual());
        let joined = |name: Option<&str>| Membership {
            key: "r".parse().unwrap(),
            author: "abc".parse().unwrap(),
            name: name.map(str::to_owned),
            is_host: false,
        };
        let name = |joined_as, given: Option<&str>| {
            name_of(&client, &joined(joined_as), given.map(str::to_owned)).unwrap()
        };
        assert_eq!(name(Some("Ann"), Some(" Ben ")), "Ben");
        assert_eq!(name(Some("Ann"), None), "Ann");
        assert_eq!(name(None, None), client.guest_name());
    }
}
