//! The halls of one worker, which never leave its thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::spawn_local;

use super::hall::Hall;
use super::load::{Load, Share};
use super::member::Join;
use super::outlet::Outlet;
use super::transport::Path;
use super::worker::Order;
use crate::media::stage::Stage;
use crate::webrtc::feed::Feeds;
use crate::webrtc::mux::Attention;

/// A viewer, and the hall that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    /// The address of the stage, which is not used again while the hall holds it.
    hall: usize,
    id: u64,
}

impl Guest {
    pub(super) fn of(join: &Join, stage: &Arc<Stage>) -> Self {
        Self {
            hall: Arc::as_ptr(stage) as usize,
            id: join.id,
        }
    }
}

/// A hall for each room that has viewers on this worker.
pub(super) struct Halls {
    /// The worker's.
    pub(super) number: usize,
    outlet: Outlet,
    feeds: Arc<Feeds>,
    load: Arc<Load>,
    attention: Rc<Attention>,
    by_stage: RefCell<HashMap<usize, Rc<Hall>>>,
}

impl Halls {
    pub(super) fn new(
        number: usize,
        outlet: Outlet,
        feeds: Arc<Feeds>,
        load: Arc<Load>,
        attention: Rc<Attention>,
    ) -> Self {
        Self {
            number,
            outlet,
            feeds,
            load,
            attention,
            by_stage: RefCell::default(),
        }
    }

    /// Does what another thread wants.
    pub(super) fn follow(self: &Rc<Self>, order: Order) {
        match order {
            Order::Join(join, stage, share) => self.enter(*join, stage, share),
            Order::Datagram(guest, path, datagram) => self.handle(guest, path, &datagram),
            Order::Connected(guest, stream) => {
                if let Some(hall) = self.find(guest) {
                    hall.connect(guest.id, stream);
                }
            }
            Order::Close(guest) => {
                if let Some(hall) = self.find(guest) {
                    hall.close(guest.id);
                }
            }
        }
    }

    /// Takes a viewer in.
    pub(super) fn enter(self: &Rc<Self>, join: Join, stage: Arc<Stage>, share: Share) {
        let Guest { hall, .. } = Guest::of(&join, &stage);
        let found = self.by_stage.borrow().get(&hall).map(Rc::clone);
        let found = found.unwrap_or_else(|| self.open(hall, stage));
        found.join(join, share);
    }

    /// Takes what a viewer sent.
    pub(super) fn handle(&self, guest: Guest, path: Path, datagram: &[u8]) {
        if let Some(hall) = self.find(guest) {
            hall.handle(guest.id, path, datagram);
        }
    }

    fn find(&self, guest: Guest) -> Option<Rc<Hall>> {
        self.by_stage.borrow().get(&guest.hall).map(Rc::clone)
    }

    /// Opens a hall, which is there until it is empty.
    fn open(self: &Rc<Self>, address: usize, stage: Arc<Stage>) -> Rc<Hall> {
        let feed = self.feeds.of(&stage);
        let hall = Hall::new(
            stage,
            feed,
            self.outlet.clone(),
            Arc::clone(&self.load),
            Rc::clone(&self.attention),
        );
        let hall = Rc::new(hall);
        self.by_stage.borrow_mut().insert(address, Rc::clone(&hall));
        let (halls, served) = (Rc::clone(self), Rc::clone(&hall));
        let serving = served.serve();
        spawn_local(async move {
            serving.await;
            halls.by_stage.borrow_mut().remove(&address);
        });
        hall
    }
}
