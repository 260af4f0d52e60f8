//! The handle of a WHIP or WHEP session.

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::media::formats::Obstacle;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// We were asked to close it.
    Closed,
    /// The peer vanished, or its connection failed.
    Lost,
    /// Another publisher took over the room.
    TakenOver,
    /// The viewer's path does not carry the stream, not even its keyframes.
    Unfit,
    /// The picture of the room has become one that browsers cannot show over WebRTC.
    Unshowable(Obstacle),
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Connecting,
    Connected,
    Ended(End),
}

/// A session that is being served. Dropping it closes it.
#[derive(Debug)]
pub struct Session {
    progress: watch::Receiver<Progress>,
    closer: Closer,
    _close_on_drop: DropGuard,
}

/// Closes its session from anywhere.
#[derive(Clone, Debug)]
pub struct Closer(CancellationToken);

impl Closer {
    /// Asks the session to end with [`End::Closed`]; it does so soon.
    pub fn close(&self) {
        self.0.cancel();
    }
}

impl Session {
    /// Waits until media flows (WHIP) or can flow (WHEP). Cancel safe.
    ///
    /// # Errors
    /// How the session ended, if it did so before.
    pub async fn connected(&mut self) -> Result<(), End> {
        match self.wait(|progress| progress != Progress::Connecting).await {
            Progress::Ended(end) => Err(end),
            _ => Ok(()),
        }
    }

    /// Waits for the session's end. Cancel safe.
    pub async fn ended(&mut self) -> End {
        match self
            .wait(|progress| matches!(progress, Progress::Ended(_)))
            .await
        {
            Progress::Ended(end) => end,
            _ => End::Lost,
        }
    }

    /// A way to close the session from elsewhere.
    #[must_use]
    pub fn closer(&self) -> Closer {
        self.closer.clone()
    }

    async fn wait(&mut self, until: impl Fn(Progress) -> bool) -> Progress {
        let reached = self.progress.wait_for(|&progress| until(progress)).await;
        // The task cannot vanish without a last word, unless it panicked.
        reached.map_or(Progress::Ended(End::Lost), |progress| *progress)
    }
}

/// The serving task's side of a [`Session`].
#[derive(Debug)]
pub(super) struct Reporter {
    progress: watch::Sender<Progress>,
    pub(super) close: CancellationToken,
}

impl Reporter {
    /// May be said again and again.
    pub(super) fn connected(&self) {
        self.progress.send_if_modified(|progress| {
            let first = *progress == Progress::Connecting;
            *progress = Progress::Connected;
            first
        });
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.progress.borrow() == Progress::Connected
    }

    pub(super) fn ended(self, end: End) {
        self.progress.send_replace(Progress::Ended(end));
    }
}

/// Both sides of a session that also ends with `server`.
pub(super) fn new(server: &CancellationToken) -> (Session, Reporter) {
    let (progress, watching) = watch::channel(Progress::Connecting);
    let close = server.child_token();
    let session = Session {
        progress: watching,
        closer: Closer(close.clone()),
        _close_on_drop: close.clone().drop_guard(),
    };
    (session, Reporter { progress, close })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_tells_how_it_goes() {
        let (mut session, reporter) = new(&CancellationToken::new());
        reporter.connected();
        assert_eq!(session.connected().await, Ok(()));
        reporter.ended(End::Lost);
        assert_eq!(session.ended().await, End::Lost);
        assert_eq!(session.connected().await, Err(End::Lost));
    }

    #[tokio::test]
    async fn dropping_a_session_closes_it() {
        let (session, reporter) = new(&CancellationToken::new());
        assert!(!reporter.close.is_cancelled());
        drop(session);
        assert!(reporter.close.is_cancelled());
    }

    #[tokio::test]
    async fn the_servers_end_is_every_sessions_end() {
        let server = CancellationToken::new();
        let (_session, reporter) = new(&server);
        server.cancel();
        assert!(reporter.close.is_cancelled());
    }

    #[tokio::test]
    async fn a_task_that_vanishes_is_a_lost_session() {
        let (mut session, reporter) = new(&CancellationToken::new());
        drop(reporter);
        assert_eq!(session.ended().await, End::Lost);
    }
}
