//! What was said in a room, as far back as it is kept.

use std::collections::VecDeque;

use shared::api::CommentPage;
use shared::events::Comment;
use shared::limits::{COMMENT_HISTORY, COMMENT_PAGE};

/// The newest comments of a room, numbered from 1.
#[derive(Debug, Default)]
pub struct History {
    comments: VecDeque<Comment>,
    last_id: u64,
}

impl History {
    /// Numbers a comment, keeps it, and forgets the oldest if there are too many.
    pub fn add(&mut self, mut comment: Comment) -> Comment {
        self.last_id += 1;
        comment.id = self.last_id;
        if self.comments.len() == COMMENT_HISTORY {
            self.comments.pop_front();
        }
        self.comments.push_back(comment.clone());
        comment
    }

    /// What was said before; `last_id` is the highest number that was ever given.
    pub(crate) fn restored(comments: impl Iterator<Item = Comment>, last_id: u64) -> Self {
        Self {
            comments: comments.collect(),
            last_id,
        }
    }

    /// The newest comments, or the newest of those before number `before`.
    #[must_use]
    pub fn page(&self, before: Option<u64>) -> CommentPage {
        let end = before.map_or(self.comments.len(), |before| {
            // Numbers rise, but there may be gaps.
            self.comments.partition_point(|comment| comment.id < before)
        });
        let start = end.saturating_sub(COMMENT_PAGE);
        let comments: Vec<_> = self.comments.range(start..end).cloned().collect();
        let before = comments
            .first()
            .map(|oldest| oldest.id)
            .filter(|_| start > 0);
        CommentPage { comments, before }
    }
}

#[cfg(test)]
mod tests {
    use shared::events::Extra;

    use super::*;

    fn history(count: usize) -> History {
        let mut history = History::default();
        for _ in 0..count {
            history.add(Comment {
                id: 0,
                room_key: "r".parse().unwrap(),
                name: "Ann".into(),
                text: "hi".into(),
                at: 0,
                host: false,
                extra: Extra::new(),
            });
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
}
