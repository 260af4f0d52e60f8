//! A player: what its room's feed has goes to its connection.

use std::pin::pin;

use super::Server;
use super::admission::Audience;
use super::connection::{Connection, Over};
use crate::rooms::room::over;
use crate::rtmp::session::Event;

impl Connection {
    /// Serves a player until it leaves or the broadcast is over.
    pub(super) async fn play(&mut self, server: &Server, audience: Audience) -> Result<(), Over> {
        let Audience { room, viewer } = audience;
        self.session.accept_play()?;
        tracing::debug!(room = %room.key(), peer = %self.peer, "an RTMP player");
        let feed = server.feeds.of(room.stage());
        let mut runs = feed.subscribe();
        let mut changes = room.changes();
        let mut over = pin!(over(&mut changes));
        let mut began = false;
        loop {
            self.flush().await?;
            tokio::select! {
                biased;
                () = &mut over => {
                    self.session.end_play();
                    break;
                }
                event = self.next_event() => if matches!(event?, Some(Event::StopPlay)) { break },
                delivery = runs.next() => {
                    let Some(delivery) = delivery else {
                        self.session.end_play();
                        break;
                    };
                    let run = &delivery.unit;
                    if delivery.skipped > 0 {
                        tracing::debug!(runs = delivery.skipped, "a slow player jumped ahead");
                    }
                    // Behind a gap the decoder may need other parameters.
                    if let Some(opening) = run.opening.as_ref().filter(|_| !began || delivery.skipped > 0) {
                        self.send(opening).await?;
                    }
                    began = true;
                    // Waits for this player only; if it stays behind, the feed moves it ahead.
                    self.send(&run.batch).await?;
                }
            }
        }
        drop(viewer);
        Ok(())
    }
}
