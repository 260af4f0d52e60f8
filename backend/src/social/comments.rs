//! What was said in a room, as far back as it is kept.

use std::collections::VecDeque;

use shared::api::CommentPage;
use shared::events::Comment;
use shared::limits::{COMMENT_HISTORY, COMMENT_PAGE};
use shared::person::AuthorId;

use crate::limits::Neighbour;

/// The newest comments of a room, numbered from 1; deleted ones leave gaps.
#[derive(Debug, Default)]
pub struct History {
    comments: VecDeque<Kept>,
    last_id: u64,
}

#[derive(Debug)]
struct Kept {
    comment: Comment,
    /// Where it was said from.
    neighbour: Option<Neighbour>,
}

impl History {
    /// Numbers a comment, keeps it, and forgets the oldest if there are too many.
    pub fn add(&mut self, mut comment: Comment, neighbour: Option<Neighbour>) -> Comment {
        self.last_id += 1;
        comment.id = self.last_id;
        if self.comments.len() == COMMENT_HISTORY {
            self.comments.pop_front();
        }
        self.comments.push_back(Kept {
            comment: comment.clone(),
            neighbour,
        });
        comment
    }

    /// The newest comments, or the newest of those before number `before`.
    #[must_use]
    pub fn page(&self, before: Option<u64>) -> CommentPage {
        let end = before.map_or(self.comments.len(), |before| self.position(before));
        let start = end.saturating_sub(COMMENT_PAGE);
        let page = self.comments.range(start..end);
        let comments: Vec<_> = page.map(|kept| kept.comment.clone()).collect();
        let before = comments
            .first()
            .map(|oldest| oldest.id)
            .filter(|_| start > 0);
        CommentPage { comments, before }
    }

    /// The comment with this number.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<&Comment> {
        let kept = self.comments.get(self.position(id))?;
        (kept.comment.id == id).then_some(&kept.comment)
    }

    /// The newest comment of a person, and where it was said from.
    #[must_use]
    pub fn last_of(&self, author: &AuthorId) -> Option<(&Comment, Option<Neighbour>)> {
        let kept = self
            .comments
            .iter()
            .rev()
            .find(|kept| is_by(kept, author))?;
        Some((&kept.comment, kept.neighbour))
    }

    /// Deletes the comment with this number; whether it was there.
    pub fn remove(&mut self, id: u64) -> bool {
        let is_there = self.find(id).is_some();
        if is_there {
            self.comments.remove(self.position(id));
        }
        is_there
    }

    /// Deletes all comments of a person, and tells their numbers.
    pub fn remove_all_of(&mut self, author: &AuthorId) -> Vec<u64> {
        let theirs = self.comments.iter().filter(|kept| is_by(kept, author));
        let ids = theirs.map(|kept| kept.comment.id).collect();
        self.comments.retain(|kept| !is_by(kept, author));
        ids
    }

    /// How many comments there are before the one with this number.
    fn position(&self, id: u64) -> usize {
        self.comments.partition_point(|kept| kept.comment.id < id)
    }
}

fn is_by(kept: &Kept, author: &AuthorId) -> bool {
    kept.comment.author.as_ref() == Some(author)
}

#[cfg(test)]
mod tests {
    use shared::events::Extra;

    use super::*;

    fn author(name: &str) -> AuthorId {
        name.parse().unwrap()
    }

    /// As many comments, by two people in turn.
    fn history(count: usize) -> History {
        let mut history = History::default();
        for number in 1..=count {
            let name = if number % 2 == 0 { "even" } else { "odd" };
            let comment = Comment {
                id: 0,
                room_key: "r".parse().unwrap(),
                name: name.into(),
                text: "hi".into(),
                at: 0,
                host: false,
                author: Some(author(name)),
                extra: Extra::new(),
            };
            history.add(comment, None);
        }
        history
    }

    fn ids(page: &CommentPage) -> Vec<u64> {
        page.comments.iter().map(|comment| comment.id).collect()
    }

    #[test]
    fn an_empty_history_is_an_empty_page() {
        assert_eq!(
            history(0).page(None),
            CommentPage {
                comments: vec![],
                before: None
            }
        );
        assert_eq!(
            history(0).page(Some(7)),
            CommentPage {
                comments: vec![],
                before: None
            }
        );
    }

    #[test]
    fn a_late_joiner_gets_the_newest_fifty_oldest_first() {
        let page = history(120).page(None);
        assert_eq!(ids(&page), (71..=120).collect::<Vec<_>>());
        assert_eq!(page.before, Some(71));
    }

    #[test]
    fn pages_lead_back_to_the_first_comment_and_end_there() {
        let history = history(120);
        let second = history.page(Some(71));
        assert_eq!(ids(&second), (21..=70).collect::<Vec<_>>());
        let third = history.page(second.before);
        assert_eq!(ids(&third), (1..=20).collect::<Vec<_>>());
        assert_eq!(third.before, None);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let history = history(COMMENT_HISTORY + 30);
        assert_eq!(ids(&history.page(Some(51))), (31..=50).collect::<Vec<_>>());
        assert!(history.page(Some(31)).comments.is_empty());
    }

    #[test]
    fn any_number_may_be_asked_for() {
        let history = history(3);
        assert!(history.page(Some(0)).comments.is_empty());
        assert_eq!(ids(&history.page(Some(u64::MAX))), [1, 2, 3]);
    }

    #[test]
    fn a_deleted_comment_is_on_no_page_and_its_number_is_not_given_again() {
        let mut history = history(3);
        assert!(history.remove(2));
        assert!(!history.remove(2) && !history.remove(9));
        assert_eq!(ids(&history.page(None)), [1, 3]);
        assert!(history.remove(3));
        let comment = history.find(1).unwrap().clone();
        assert_eq!(history.add(comment, None).id, 4);
        assert_eq!(ids(&history.page(Some(4))), [1]);
    }

    #[test]
    fn pages_stay_full_where_comments_were_deleted() {
        let mut history = history(120);
        for id in 100..=109 {
            history.remove(id);
        }
        let page = history.page(None);
        assert_eq!(page.comments.len(), COMMENT_PAGE);
        assert_eq!(page.before, Some(61));
    }

    #[test]
    fn all_comments_of_a_person_are_deleted_together() {
        let mut history = history(6);
        assert_eq!(history.last_of(&author("odd")).unwrap().0.id, 5);
        assert_eq!(history.remove_all_of(&author("odd")), [1, 3, 5]);
        assert_eq!(ids(&history.page(None)), [2, 4, 6]);
        assert!(history.last_of(&author("odd")).is_none());
    }
}
