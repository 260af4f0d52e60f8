//! All halls, and who is in charge of which.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::hall::{Hall, INBOX, Inbound, Join};
use super::load::Share;
use super::outlet::Outlet;
use super::worker::Worker;
use crate::media::stage::Stage;
use crate::webrtc::feed::Feeds;
use crate::webrtc::paths::Paths;

/// A hall for each room and worker that has viewers.
pub(super) struct Halls {
    workers: Vec<Worker>,
    pub(super) outlet: Outlet,
    feeds: Feeds,
    /// By the addresses of stage and worker; an address is not used again while a hall holds its stage.
    doors: Mutex<HashMap<(usize, usize), mpsc::WeakSender<Inbound>>>,
}

impl Halls {
    pub(super) fn new(workers: Vec<Worker>, outlet: Outlet) -> Self {
        Self {
            workers,
            outlet,
            feeds: Feeds::default(),
            doors: Mutex::default(),
        }
    }

    /// Whether those who are there would suffer from more: nobody knows yet which worker will have them.
    pub(super) fn are_late(&self, now: Instant) -> bool {
        self.workers.iter().any(|worker| worker.load.is_late(now))
    }

    /// What the viewers of this room reported in the last seconds.
    pub(super) fn paths(&self, stage: &Arc<Stage>) -> Option<Paths> {
        let feed = self.feeds.existing(stage)?;
        feed.paths().recent(Instant::now())
    }

    /// Takes a viewer in who came to the socket of this number, or wherever there is least to do; `None`
    /// when the hall has too much to take in.
    pub(super) fn enter(
        &self,
        join: Box<Join>,
        stage: Arc<Stage>,
        socket: Option<usize>,
    ) -> Option<mpsc::Sender<Inbound>> {
        let own = socket.filter(|_| self.outlet.mux.sockets() == self.workers.len());
        let least = || {
            let workers = self.workers.iter().enumerate();
            workers.min_by_key(|(_, worker)| worker.load.viewers())
        };
        let own = own.and_then(|number| Some((number, self.workers.get(number)?)));
        let (number, worker) = own.or_else(least)?;
        let share = Share::new(&worker.load);
        let door = self.door(number, worker, stage);
        door.try_send(Inbound::Join(join, share)).ok()?;
        Some(door)
    }

    /// The way into the hall of this room on this worker.
    fn door(&self, number: usize, worker: &Worker, stage: Arc<Stage>) -> mpsc::Sender<Inbound> {
        let key = (Arc::as_ptr(&stage) as usize, number);
        let mut doors = self.doors.lock();
        if let Some(door) = doors.get(&key).and_then(mpsc::WeakSender::upgrade) {
            return door;
        }
        doors.retain(|_, door| door.strong_count() > 0);
        let (door, inbox) = mpsc::channel(INBOX);
        doors.insert(key, door.downgrade());
        let feed = self.feeds.of(&stage);
        let outlet = Outlet {
            socket: number,
            ..self.outlet.clone()
        };
        let load = Arc::clone(&worker.load);
        let hall = Hall::new((door.downgrade(), inbox), stage, feed, outlet, load);
        worker.runtime.spawn(hall.run());
        door
    }
}
