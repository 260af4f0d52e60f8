//! Whether those who watch need each sound at once.

use std::sync::Arc;

use crate::media::stage::Stage;
use crate::webrtc::burst::Sounds;
use crate::webrtc::feed::Feeds;

/// The stage that a publisher is for, and who watches it by WebRTC.
///
/// Where many do, each sound waits for a picture on its way out. Then, and where nobody does, it may as well
/// wait on its way in: players of everything else have buffers.
pub(in crate::webrtc) struct Audience {
    pub(super) stage: Arc<Stage>,
    feeds: Arc<Feeds>,
}

impl Audience {
    pub(in crate::webrtc) fn new(stage: Arc<Stage>, feeds: Arc<Feeds>) -> Self {
        Self { stage, feeds }
    }

    /// Whether sound may wait for pictures now.
    pub(super) fn is_patient(&self) -> bool {
        let feed = self.feeds.existing(&self.stage);
        feed.is_none_or(|feed| feed.seats().sounds() != Sounds::AtOnce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sound_may_wait_while_nobody_or_many_watch() {
        let (stage, feeds) = (Arc::<Stage>::default(), Arc::<Feeds>::default());
        let audience = Audience::new(Arc::clone(&stage), Arc::clone(&feeds));
        assert!(audience.is_patient());
        let feed = feeds.of(&stage);
        let one = feed.seats().take(true);
        assert!(!audience.is_patient());
        let many: Vec<_> = (0..100).map(|_| feed.seats().take(true)).collect();
        assert!(audience.is_patient());
        drop((one, many, feed));
        assert!(audience.is_patient());
    }
}
