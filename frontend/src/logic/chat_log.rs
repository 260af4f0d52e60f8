//! The chat as one page shows it.

use std::collections::VecDeque;

use shared::events::{Comment, RemovedComments};
use shared::limits::COMMENT_PAGE;

/// Comments in the order of their ids, each once, the oldest forgotten first.
#[derive(Clone, Debug)]
pub struct ChatLog {
    comments: VecDeque<Comment>,
    following: bool,
    unseen: usize,
    /// The newest comment when the reader began to look at older ones.
    seen_to: u64,
}

impl Default for ChatLog {
    fn default() -> Self {
        Self {
            comments: VecDeque::new(),
            following: true,
            unseen: 0,
            seen_to: 0,
        }
    }
}

impl ChatLog {
    /// Most comments that the page keeps.
    pub const CAPACITY: usize = 200;

    /// The comments, oldest first.
    pub fn comments(&self) -> impl Iterator<Item = &Comment> {
        self.comments.iter()
    }

    /// Whether nothing has been said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.comments.is_empty()
    }

    /// Adds a comment; `false` if it was there already, or is older than all that is kept.
    pub fn insert(&mut self, comment: Comment) -> bool {
        let at = self.comments.partition_point(|kept| kept.id < comment.id);
        if self
            .comments
            .get(at)
            .is_some_and(|kept| kept.id == comment.id)
        {
            return false;
        }
        if self.comments.len() == Self::CAPACITY {
            if at == 0 {
                return false;
            }
            self.comments.pop_front();
            self.comments.insert(at - 1, comment);
        } else {
            self.comments.insert(at, comment);
        }
        if !self.following {
            self.unseen += 1;
        }
        true
    }

    /// Takes out what was deleted.
    pub fn remove(&mut self, removed: &RemovedComments) {
        match removed {
            RemovedComments::Ids(ids) => self.retain(|comment| !ids.contains(&comment.id)),
            RemovedComments::Author(author) => {
                self.retain(|comment| comment.author.as_ref() != Some(author));
            }
        }
    }

    /// The room was joined, perhaps again: `newest` are its newest comments, oldest first. What is kept
    /// up to number `known_to` and not among them was deleted meanwhile.
    pub fn joined(&mut self, newest: Vec<Comment>, known_to: u64) {
        let from = match newest.first() {
            Some(oldest) if newest.len() >= COMMENT_PAGE => oldest.id,
            // These are all there are.
            _ => 0,
        };
        let is_there = |id| {
            newest
                .binary_search_by_key(&id, |comment| comment.id)
                .is_ok()
        };
        self.retain(|comment| !(from..=known_to).contains(&comment.id) || is_there(comment.id));
        for comment in newest {
            self.insert(comment);
        }
    }

    /// The number of the newest comment; 0 if there is none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.comments.back().map_or(0, |comment| comment.id)
    }

    fn retain(&mut self, wanted: impl Fn(&Comment) -> bool) {
        let unseen = |comment: &&Comment| comment.id > self.seen_to && !wanted(comment);
        let gone = self.comments.iter().filter(unseen).count();
        self.unseen = self.unseen.saturating_sub(gone);
        self.comments.retain(wanted);
    }

    /// The reader scrolled: to the newest comment (`true`), or away from it.
    pub fn scrolled(&mut self, at_the_end: bool) {
        if self.following && !at_the_end {
            self.seen_to = self.newest();
        }
        self.following = at_the_end;
        if at_the_end {
            self.unseen = 0;
        }
    }

    /// Whether the list is to be kept scrolled to its end.
    #[must_use]
    pub const fn following(&self) -> bool {
        self.following
    }

    /// Comments that came while the reader was looking at older ones.
    #[must_use]
    pub const fn unseen(&self) -> usize {
        self.unseen
    }
}

#[cfg(test)]
mod tests {
    use shared::person::AuthorId;

    use super::*;

    fn author(name: &str) -> AuthorId {
        name.parse().unwrap()
    }

    fn log(ids: impl IntoIterator<Item = u64>) -> ChatLog {
        let mut log = ChatLog::default();
        for id in ids {
            log.insert(comment(id));
        }
        log
    }

    fn comment(id: u64) -> Comment {
        Comment {
            id,
            room_key: "r".parse().unwrap(),
            name: "Ann".into(),
            text: format!("comment {id}"),
            at: id,
            host: false,
            author: Some(author(if id % 2 == 0 { "even" } else { "odd" })),
            extra: Default::default(),
        }
    }

    fn ids(log: &ChatLog) -> Vec<u64> {
        log.comments().map(|comment| comment.id).collect()
    }

    #[test]
    fn comments_that_come_again_are_shown_once() {
        let mut log = ChatLog::default();
        for id in [1, 2, 3, 2, 3, 4] {
            log.insert(comment(id));
        }
        assert_eq!(ids(&log), [1, 2, 3, 4]);
    }

    #[test]
    fn history_that_comes_late_goes_before_what_is_there() {
        let mut log = ChatLog::default();
        for id in [7, 5, 6] {
            assert!(log.insert(comment(id)));
        }
        assert_eq!(ids(&log), [5, 6, 7]);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut log = ChatLog::default();
        let newest = ChatLog::CAPACITY as u64 + 10;
        for id in 1..=newest {
            log.insert(comment(id));
        }
        assert_eq!(ids(&log), (11..=newest).collect::<Vec<_>>());
        assert!(!log.insert(comment(3)), "older than all that is kept");
        assert_eq!(ids(&log).len(), ChatLog::CAPACITY);
    }

    #[test]
    fn a_reader_of_older_comments_is_told_how_many_are_new() {
        let mut log = ChatLog::default();
        log.insert(comment(1));
        assert_eq!(log.unseen(), 0);
        log.scrolled(false);
        log.insert(comment(2));
        log.insert(comment(2));
        log.insert(comment(3));
        assert_eq!(log.unseen(), 2);
        log.scrolled(true);
        assert_eq!(log.unseen(), 0);
    }

    #[test]
    fn deleted_comments_disappear_by_number_and_by_author() {
        let mut log = log(1..=6);
        log.remove(&RemovedComments::Ids(vec![2, 99]));
        assert_eq!(ids(&log), [1, 3, 4, 5, 6]);
        log.remove(&RemovedComments::Author(author("odd")));
        assert_eq!(ids(&log), [4, 6]);
    }

    #[test]
    fn a_new_comment_that_is_deleted_is_not_new_any_more() {
        let mut log = log(1..=3);
        log.scrolled(false);
        log.insert(comment(4));
        log.insert(comment(5));
        log.remove(&RemovedComments::Ids(vec![1, 5]));
        assert_eq!(log.unseen(), 1);
    }

    #[test]
    fn what_was_deleted_while_the_connection_was_lost_is_not_shown_again() {
        let mut log = log([1, 2, 3]);
        let known_to = log.newest();
        // Told while the answer was on its way.
        log.insert(comment(5));
        log.joined(vec![comment(1), comment(3), comment(4)], known_to);
        assert_eq!(ids(&log), [1, 3, 4, 5]);
        log.joined(vec![], 4);
        assert_eq!(ids(&log), [5]);
    }

    #[test]
    fn what_is_older_than_the_newest_page_is_kept_on_joining_again() {
        let last = COMMENT_PAGE as u64 + 2;
        let mut log = log(1..=last);
        log.joined((3..=last).map(comment).collect(), last);
        assert_eq!(ids(&log), (1..=last).collect::<Vec<_>>());
    }
}
