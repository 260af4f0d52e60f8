//! What a room's host has decided about its chat.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::UnixMillis;
use shared::events::{self, Comment, Silence};
use shared::person::AuthorId;
use shared::room::RoomKey;

use super::bans::{Banned, Bans, Term};
use super::refusal::Refused;
use super::slow_mode::SlowMode;
use super::words::WordFilter;
use crate::limits::Neighbour;

/// The decisions that hold in a room.
#[derive(Debug, Default)]
pub struct Moderation {
    /// Who may not speak.
    pub bans: Bans,
    /// How long to wait between two comments.
    pub slow_mode: SlowMode,
    /// What not to say.
    pub words: WordFilter,
    /// What is on top of the chat.
    pub pinned: Option<Comment>,
}

/// The same as it is kept: what has a default may be missing.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    slow_mode: u32,
    words: Vec<String>,
    bans: Vec<Banned>,
    pinned: Option<Comment>,
}

/// Somebody who wants to speak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub(super) author: &'a AuthorId,
    pub(super) neighbour: Option<Neighbour>,
    /// The host may say anything, at any time.
    pub(super) is_host: bool,
}

impl Moderation {
    /// Everything that is to survive a restart.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        Decisions {
            slow_mode: self.slow_mode.seconds(),
            words: self.words.words().to_vec(),
            bans: self.bans.all().to_vec(),
            pinned: self.pinned.clone(),
        }
    }

    /// What was decided before the restart. Words and bans that are not allowed any more are left out.
    #[must_use]
    pub fn restored(decisions: Decisions) -> Self {
        let mut moderation = Self {
            pinned: decisions.pinned,
            words: WordFilter::new(&decisions.words).unwrap_or_default(),
            ..Self::default()
        };
        moderation.slow_mode.set(decisions.slow_mode);
        for banned in decisions.bans {
            // There were never more than there may be.
            let _ = moderation.bans.add(banned);
        }
        moderation
    }

    /// Whether `speaker` may say these texts, the rate aside.
    ///
    /// # Errors
    /// They are silenced, or one of the texts has a word that nobody may say.
    pub(super) fn check(
        &self,
        speaker: Speaker<'_>,
        texts: &[&str],
        now: UnixMillis,
    ) -> Result<(), Refused> {
        if let Some(refused) = self.silence(speaker, now) {
            return Err(refused);
        }
        if !speaker.is_host && texts.iter().any(|text| self.words.finds(text)) {
            return Err(Refused::Word);
        }
        Ok(())
    }

    /// Counts a comment of `speaker` for slow mode.
    ///
    /// # Errors
    /// It comes too early.
    pub(super) fn pace(&mut self, speaker: Speaker<'_>, now: UnixMillis) -> Result<(), Refused> {
        if speaker.is_host {
            return Ok(());
        }
        if let Some(wait) = self.slow_mode.wait(speaker.author, now) {
            return Err(Refused::SlowMode(wait));
        }
        self.slow_mode.spoken(speaker.author, now);
        Ok(())
    }

    /// Why `speaker` may not speak at all.
    pub(super) fn silence(&self, speaker: Speaker<'_>, now: UnixMillis) -> Option<Refused> {
        if speaker.is_host {
            return None;
        }
        let term = self.bans.term(speaker.author, speaker.neighbour, now)?;
        Some(match term {
            Term::ForGood => Refused::Banned,
            Term::ForNeighbours => Refused::NeighbourBanned,
            Term::Until(until) => Refused::TimedOut(Duration::from_millis(until - now)),
        })
    }

    /// The same, as it is told to them.
    pub(super) fn told_silence(&self, speaker: Speaker<'_>, now: UnixMillis) -> Option<Silence> {
        let refused = self.silence(speaker, now)?;
        let until = match refused {
            Refused::TimedOut(wait) => Some(now + millis(wait)),
            _ => None,
        };
        Some(Silence {
            reason: refused.to_string(),
            until,
        })
    }

    /// What the hosts of the room are told.
    pub(super) fn told_to_hosts(&self, room_key: &RoomKey, now: UnixMillis) -> events::Moderation {
        events::Moderation {
            room_key: room_key.clone(),
            words: self.words.words().to_vec(),
            bans: self.bans.list(now),
        }
    }
}

fn millis(duration: Duration) -> UnixMillis {
    UnixMillis::try_from(duration.as_millis()).unwrap_or(UnixMillis::MAX)
}

#[cfg(test)]
mod tests {
    use shared::events::Ban;

    use super::super::bans::Banned;
    use super::*;

    fn author(name: &str) -> AuthorId {
        name.parse().unwrap()
    }

    fn speaker(author: &AuthorId, is_host: bool) -> Speaker<'_> {
        Speaker {
            author,
            neighbour: None,
            is_host,
        }
    }

    fn timed_out(name: &str, until: UnixMillis) -> Moderation {
        let mut moderation = Moderation::default();
        let ban = Ban {
            author: author(name),
            name: name.to_owned(),
            since: 0,
            until: Some(until),
            covers_address: false,
        };
        moderation.bans.add(Banned::new(ban, None)).unwrap();
        moderation
    }

    #[test]
    fn who_is_timed_out_is_told_for_how_long() {
        let (ann, moderation) = (author("ann"), timed_out("ann", 10_000));
        let refused = moderation.check(speaker(&ann, false), &["hi"], 4_000);
        assert_eq!(refused, Err(Refused::TimedOut(Duration::from_secs(6))));
        let told = moderation
            .told_silence(speaker(&ann, false), 4_000)
            .unwrap();
        assert_eq!(told.until, Some(10_000));
        assert_eq!(moderation.told_silence(speaker(&ann, false), 10_000), None);
    }

    #[test]
    fn a_blocked_word_is_refused_in_the_text_and_in_the_name() {
        let moderation = Moderation {
            words: WordFilter::new(&["spam".to_owned()]).unwrap(),
            ..Moderation::default()
        };
        let ann = author("ann");
        let check = |texts: &[&str]| moderation.check(speaker(&ann, false), texts, 0);
        assert_eq!(check(&["fine", "Ann"]), Ok(()));
        assert_eq!(check(&["SPAM!", "Ann"]), Err(Refused::Word));
        assert_eq!(check(&["fine", "Spam"]), Err(Refused::Word));
    }

    #[test]
    fn nothing_holds_the_host_back() {
        let mut moderation = timed_out("host", 10_000);
        moderation.words = WordFilter::new(&["spam".to_owned()]).unwrap();
        moderation.slow_mode.set(30);
        let host = author("host");
        let host = speaker(&host, true);
        assert_eq!(moderation.check(host, &["spam"], 0), Ok(()));
        assert_eq!(moderation.pace(host, 0), Ok(()));
        assert_eq!(moderation.pace(host, 0), Ok(()));
    }

    #[test]
    fn a_comment_that_comes_too_early_does_not_lengthen_the_wait() {
        let mut moderation = Moderation::default();
        moderation.slow_mode.set(10);
        let ann = author("ann");
        let ann = speaker(&ann, false);
        assert_eq!(moderation.pace(ann, 0), Ok(()));
        let early = moderation.pace(ann, 9_000);
        assert_eq!(early, Err(Refused::SlowMode(Duration::from_secs(1))));
        assert_eq!(moderation.pace(ann, 10_000), Ok(()));
    }

    #[test]
    fn decisions_come_back_as_they_were() {
        let mut moderation = timed_out("ann", 10_000);
        moderation.words = WordFilter::new(&["spam".to_owned()]).unwrap();
        moderation.slow_mode.set(30);
        let document = serde_json::to_string(&moderation.decisions()).unwrap();
        let restored = Moderation::restored(serde_json::from_str(&document).unwrap());
        assert_eq!(restored.decisions(), moderation.decisions());
        let ann = author("ann");
        assert!(restored.silence(speaker(&ann, false), 0).is_some());
    }

    #[test]
    fn what_an_older_server_did_not_know_has_its_default() {
        let restored = Moderation::restored(serde_json::from_str("{}").unwrap());
        assert_eq!(restored.decisions(), Decisions::default());
    }
}
