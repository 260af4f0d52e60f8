//! The chat as one page shows it.

use std::collections::VecDeque;

use shared::events::Comment;

/// Comments in the order of their ids, each once, the oldest forgotten first.
#[derive(Clone, Debug)]
pub struct ChatLog {
    comments: VecDeque<Comment>,
    following: bool,
    unseen: usize,
}

impl Default for ChatLog {
    fn default() -> Self {
        Self {
            comments: VecDeque::new(),
            following: true,
            unseen: 0,
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

    /// The reader scrolled: to the newest comment (`true`), or away from it.
    pub fn scrolled(&mut self, at_the_end: bool) {
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
    use super::*;

    fn comment(id: u64) -> Comment {
        Comment {
            id,
            room_key: "r".parse().unwrap(),
            name: "Ann".into(),
            text: format!("comment {id}"),
            at: id,
            host: false,
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
}
