//! What only a room's host may do.

use std::time::Instant;

use shared::events::{
    Action, Ban, Comment, Moderate, Nothing, Notice, Pinned, Removed, RemovedComments, Silenced,
    SlowMode, to_client,
};
use shared::limits::{SLOW_MODE_SECONDS, TIMEOUT_SECONDS};
use shared::person::AuthorId;

use super::Social;
use super::bans::Banned;
use super::chat::Chat;
use super::client::Client;
use super::dispatch::Payload;
use super::refusal::Refused;
use super::words::WordFilter;
use crate::clock::unix_millis;
use crate::limits::Neighbour;
use crate::rooms::room::Room;
use crate::store::journal::Receipt;

const MODERATE: &str = "moderate takes {roomKey, action} and what the action needs: \
                        {id}, {author}, {author, seconds}, {seconds} or {words}";
const TIMEOUT: &str = "a time-out takes 1 to 1209600 seconds";
const SLOW_MODE: &str = "slow mode takes 0 to 300 seconds";

/// A person, as far as their sockets and comments tell.
struct Person {
    name: String,
    neighbour: Option<Neighbour>,
    is_host: bool,
}

impl Social {
    /// Carries out what a host decided; it counts as decided once the receipt says so.
    pub(super) fn moderate(
        &self,
        client: &Client,
        payload: Payload,
    ) -> Result<(Nothing, Receipt), Refused> {
        let Moderate { room_key, action } = {
            let mut state = client.state.lock();
            state
                .moderation
                .take(1, Instant::now())
                .map_err(Refused::TooFast)?;
            let moderate: Moderate = payload.read(MODERATE)?;
            if !state.membership(&moderate.room_key)?.is_host {
                return Err(Refused::HostOnly);
            }
            moderate
        };
        let room = self.room(&room_key)?;
        let done = for_log(&action);
        match action {
            Action::Delete { id } => self.delete(&room, id)?,
            Action::Timeout { author, seconds } => {
                if !(1..=TIMEOUT_SECONDS).contains(&seconds) {
                    return Err(Refused::Shape(TIMEOUT));
                }
                self.ban(&room, &author, Some(seconds))?;
            }
            Action::Ban { author } => self.ban(&room, &author, None)?,
            Action::Unban { author } => self.unban(&room, &author)?,
            Action::Pin { id } => self.pin(&room, id)?,
            Action::Unpin => self.show_pinned(&room, &mut room.chat().lock(), None),
            Action::SlowMode { seconds } => {
                if seconds > SLOW_MODE_SECONDS {
                    return Err(Refused::Shape(SLOW_MODE));
                }
                self.set_slow_mode(&room, seconds);
            }
            Action::Words { words } => {
                let words = WordFilter::new(&words)?;
                let mut chat = room.chat().lock();
                chat.moderation.words = words;
                self.tell_hosts(&room, &chat);
            }
        }
        // Under the lock, so that what is kept is in the order of the decisions.
        let receipt = {
            let chat = room.chat().lock();
            room.shelf().moderation(&chat.moderation.decisions())
        };
        tracing::info!(room = %room.key(), "moderated: {done}");
        Ok((Nothing {}, receipt))
    }

    fn delete(&self, room: &Room, id: u64) -> Result<(), Refused> {
        let mut chat = room.chat().lock();
        let is_pinned = is_pinned(&chat, |pinned| pinned.id == id);
        // A pinned comment may be older than all that is kept.
        if !chat.comments.remove(id) && !is_pinned {
            return Err(Refused::NoSuchComment);
        }
        drop(room.shelf().delete(vec![id]));
        self.tell_removed(room, RemovedComments::Ids(vec![id]));
        if is_pinned {
            self.show_pinned(room, &mut chat, None);
        }
        Ok(())
    }

    /// Silences a person, for `seconds` or for good.
    fn ban(&self, room: &Room, author: &AuthorId, seconds: Option<u32>) -> Result<(), Refused> {
        let person = self.person(room, author).ok_or(Refused::NoSuchAuthor)?;
        if person.is_host {
            return Err(Refused::BansHost);
        }
        let since = unix_millis();
        let ban = Ban {
            author: author.clone(),
            name: person.name,
            since,
            until: seconds.map(|seconds| since + u64::from(seconds) * 1_000),
            covers_address: false,
        };
        let banned = Banned::new(ban, person.neighbour);
        let neighbour = banned.neighbour;
        let mut chat = room.chat().lock();
        let before = chat.moderation.bans.lift(author);
        // A ban that becomes a time-out lets the others at the address speak again.
        let neighbour = neighbour.or(before.and_then(|before| before.neighbour));
        chat.moderation.bans.add(banned)?;
        drop(room.shelf().delete(chat.comments.remove_all_of(author)));
        self.tell_removed(room, RemovedComments::Author(author.clone()));
        if is_pinned(&chat, |pinned| pinned.author.as_ref() == Some(author)) {
            self.show_pinned(room, &mut chat, None);
        }
        self.tell_hosts(room, &chat);
        drop(chat);
        self.tell_silence(room, author, neighbour);
        Ok(())
    }

    fn unban(&self, room: &Room, author: &AuthorId) -> Result<(), Refused> {
        let mut chat = room.chat().lock();
        let lifted = chat.moderation.bans.lift(author);
        let neighbour = lifted.ok_or(Refused::NotBanned)?.neighbour;
        self.tell_hosts(room, &chat);
        drop(chat);
        self.tell_silence(room, author, neighbour);
        Ok(())
    }

    fn pin(&self, room: &Room, id: u64) -> Result<(), Refused> {
        let mut chat = room.chat().lock();
        let comment = chat.comments.find(id).ok_or(Refused::NoSuchComment)?;
        let comment = comment.clone();
        self.show_pinned(room, &mut chat, Some(comment));
        Ok(())
    }

    fn show_pinned(&self, room: &Room, chat: &mut Chat, comment: Option<Comment>) {
        chat.moderation.pinned.clone_from(&comment);
        let room_key = room.key().clone();
        let pinned = Pinned { room_key, comment };
        self.out.room(room.key(), to_client::PINNED, &pinned);
    }

    fn set_slow_mode(&self, room: &Room, seconds: u32) {
        let mut chat = room.chat().lock();
        chat.moderation.slow_mode.set(seconds);
        let room_key = room.key().clone();
        let slow_mode = SlowMode { room_key, seconds };
        self.out.room(room.key(), to_client::SLOW_MODE, &slow_mode);
    }

    fn tell_removed(&self, room: &Room, comments: RemovedComments) {
        let room_key = room.key().clone();
        let removed = Removed { room_key, comments };
        self.out.room(room.key(), to_client::REMOVED, &removed);
    }

    fn tell_hosts(&self, room: &Room, chat: &Chat) {
        let moderation = chat.moderation.told_to_hosts(room.key(), unix_millis());
        self.out
            .hosts(room.key(), to_client::MODERATION, &moderation);
    }

    /// Tells those whom a ban of `author` from `neighbour` means how they stand now.
    fn tell_silence(&self, room: &Room, author: &AuthorId, neighbour: Option<Neighbour>) {
        // No lock of one socket is held while that of another is taken.
        for member in self.out.clients(room.key()) {
            let Some(membership) = member.client.membership(room.key()) else {
                continue;
            };
            let from_there = neighbour.is_some() && member.client.neighbour == neighbour;
            if membership.author != *author && !from_there {
                continue;
            }
            let speaker = member.client.speaker(&membership);
            let silence = room
                .chat()
                .lock()
                .moderation
                .told_silence(speaker, unix_millis());
            if let Some(silence) = &silence {
                let notice = Notice {
                    event: None,
                    error: silence.reason.clone(),
                    retry_after_ms: silence
                        .until
                        .map(|until| until.saturating_sub(unix_millis())),
                };
                member.emit(to_client::NOTICE, &notice);
            }
            let room_key = room.key().clone();
            member.emit(to_client::SILENCED, &Silenced { room_key, silence });
        }
    }

    /// Who `author` is: somebody in the room, else somebody who said something there.
    fn person(&self, room: &Room, author: &AuthorId) -> Option<Person> {
        let here = self.out.clients(room.key()).into_iter().find_map(|member| {
            let membership = member.client.membership(room.key())?;
            (membership.author == *author).then(|| Person {
                name: membership
                    .name
                    .unwrap_or_else(|| member.client.guest_name()),
                neighbour: member.client.neighbour,
                is_host: membership.is_host,
            })
        });
        let chat = room.chat().lock();
        let Some((comment, neighbour)) = chat.comments.last_of(author) else {
            return here;
        };
        // The host knows people by what they said last.
        Some(Person {
            name: comment.name.clone(),
            neighbour: here.as_ref().map_or(neighbour, |here| here.neighbour),
            is_host: here.map_or(comment.host, |here| here.is_host),
        })
    }
}

/// What was done, in short: a list of words is as long as it likes, and nobody's business.
fn for_log(action: &Action) -> String {
    match action {
        Action::Words { words } => format!("{} blocked words", words.len()),
        action => format!("{action:?}"),
    }
}

fn is_pinned(chat: &Chat, wanted: impl Fn(&Comment) -> bool) -> bool {
    chat.moderation.pinned.as_ref().is_some_and(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_words_are_not_in_the_log() {
        let words = vec!["rude".to_owned(), "ruder".to_owned()];
        assert_eq!(for_log(&Action::Words { words }), "2 blocked words");
        assert_eq!(for_log(&Action::Pin { id: 3 }), "Pin { id: 3 }");
    }
}
