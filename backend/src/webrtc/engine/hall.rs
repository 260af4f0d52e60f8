//! The viewers of one room on one worker, and the task that serves them.
//!
//! A hall never leaves its thread. No channel is crossed for a packet, be it on its way out or in: what a
//! viewer sends is taken where the socket is read; and no lock is taken, but to read what can be sent again.
//! Whoever is up to date is *live* and gets each burst as it comes; whoever comes late reads the feed at its
//! own place, from the newest keyframe on and faster than it plays, until it has caught up.

mod sending;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::MAX_CONNECTIONS;
use super::batch::Batch;
use super::connection::Connection;
use super::load::{Load, Share};
use super::member::{Join, Member, Play};
use super::metrics::Metrics;
use super::outlet::Outlet;
use super::starting::Starting;
use super::transport::{Ended, Path, is_dtls};
use super::viewer::Event;
use super::volley::Volley;
use crate::media::stage::Stage;
use crate::webrtc::feed::Feed;
use crate::webrtc::mux::{Attention, TcpStream};
use crate::webrtc::paths::Tally;
use crate::webrtc::session::End;

/// How often somebody who starts is sent more.
const STEP: Duration = Duration::from_millis(5);
/// How often the viewers' clocks are looked at.
const TICK: Duration = Duration::from_millis(100);
/// And how much later that may be: while bursts come it is done with one of them, so that nobody is woken for
/// it alone. With less than 64 ms tokio would wake the thread now and then to look at its timers.
const SLACK: Duration = Duration::from_millis(100);

/// What a hall serves.
pub(super) struct Hall {
    stage: Arc<Stage>,
    feed: Arc<Feed>,
    /// In the order in which they came, and so to be gone through while some come and go.
    members: RefCell<BTreeMap<u64, Box<Member>>>,
    /// Number of the newest burst that the live viewers were sent.
    newest: Cell<Option<u64>>,
    /// Somebody starts.
    starts: Notify,
    /// What is sent again.
    again: RefCell<Batch>,
    /// What was reported since the last tick.
    reported: Cell<Tally>,
    outlet: Outlet,
    load: Arc<Load>,
    /// How the worker's socket is read.
    attention: Rc<Attention>,
    made: Instant,
}

impl Hall {
    pub(super) fn new(
        stage: Arc<Stage>,
        feed: Arc<Feed>,
        outlet: Outlet,
        load: Arc<Load>,
        attention: Rc<Attention>,
    ) -> Self {
        Self {
            stage,
            feed,
            members: RefCell::default(),
            newest: Cell::new(None),
            starts: Notify::new(),
            again: RefCell::default(),
            reported: Cell::default(),
            outlet,
            load,
            attention,
            made: Instant::now(),
        }
    }

    /// Serves those who come, from now on and until they have left again.
    pub(super) fn serve(self: Rc<Self>) -> impl Future<Output = ()> {
        let (mut bursts, mut formats) = (self.feed.subscribe(), self.stage.formats());
        async move {
            let (mut volley, mut batch) = (Volley::new(), Batch::default());
            let (mut tick, mut step) = (Instant::now(), None);
            while !self.members.borrow().is_empty() {
                let late = tick + SLACK;
                let due = step.map_or(late, |step: Instant| step.min(late));
                tokio::select! {
                    delivery = bursts.next() => {
                        let Some(delivery) = delivery else { return self.empty() };
                        if delivery.skipped > 0 {
                            let members = self.members.borrow().len();
                            Metrics::add(&self.outlet.metrics.jumps, members as u64);
                        }
                        self.fan_out(&delivery.unit, &mut volley).await;
                    }
                    changed = formats.changed() => match changed {
                        Ok(()) => self.look_at_formats(),
                        Err(_) => return self.empty(),
                    },
                    () = self.starts.notified() => step = Some(Instant::now()),
                    () = sleep_until(due.into()) => if step == Some(due) {
                        let more = self.step(&mut batch).await;
                        step = more.then(|| Instant::now() + STEP);
                    },
                }
                let now = Instant::now();
                if now >= tick {
                    self.tick();
                    tick = now + TICK;
                }
                // Not with each packet: the workers share the counters.
                self.outlet.metrics.sent(volley.take_appended());
                self.outlet.metrics.sent(batch.take_appended());
            }
        }
    }

    /// Takes a viewer in.
    pub(super) fn join(&self, join: Join, share: Share) {
        let id = join.id;
        let member = Member::new(join, share, &self.feed);
        // It may have changed since the offer was answered.
        let outgrown = member.outgrown(&self.stage.formats().borrow());
        self.members.borrow_mut().insert(id, Box::new(member));
        if let Some(end) = outgrown {
            self.leave(id, end);
        }
    }

    /// Has a viewer leave who was asked to.
    pub(super) fn close(&self, id: u64) {
        self.leave(id, End::Closed);
    }

    /// Frees what a viewer holds, with a goodbye.
    fn leave(&self, id: u64, end: End) {
        let Some(mut member) = self.members.borrow_mut().remove(&id) else {
            return;
        };
        member.viewer.close(Instant::now());
        member.flush(&self.outlet);
        if !matches!(member.play, Play::Connecting) {
            self.outlet.metrics.viewers.fetch_sub(1, Ordering::Relaxed);
        }
        member.reporter.ended(end);
    }

    fn empty(&self) {
        let all: Vec<_> = self.members.borrow().keys().copied().collect();
        for id in all {
            self.leave(id, End::Closed);
        }
    }

    /// Gives a viewer its connection.
    pub(super) fn connect(self: &Rc<Self>, id: u64, stream: TcpStream) {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(&id) else {
            return;
        };
        let peer = stream.peer;
        if member.connections.len() >= MAX_CONNECTIONS {
            tracing::debug!(%peer, "too many ICE-TCP connections of one viewer");
            return;
        }
        let path = Path::Tcp(peer);
        let (hall, left) = (Rc::downgrade(self), Rc::downgrade(self));
        let take = move |frame: &[u8]| {
            let hall = hall.upgrade();
            hall.map(|hall| hall.handle(id, path, frame)).is_some()
        };
        let gone = move || {
            if let Some(hall) = left.upgrade() {
                hall.disconnect(id, path);
            }
        };
        match Connection::open(stream, take, gone) {
            Ok(connection) => member.connections.push(connection),
            Err(error) => tracing::debug!(%error, %peer, "a viewer's ICE-TCP connection"),
        }
    }

    fn disconnect(&self, id: u64, path: Path) {
        if let Some(member) = self.members.borrow_mut().get_mut(&id) {
            let remote = path.remote();
            member
                .connections
                .retain(|connection| connection.remote != remote);
            member.viewer.forget(path);
        }
    }

    /// Takes a datagram that came for a viewer.
    pub(super) fn handle(&self, id: u64, path: Path, datagram: &[u8]) {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(&id) else {
            return;
        };
        let metrics = &self.outlet.metrics;
        let mut end = None;
        let (mut connected, mut wants_keyframe) = (false, false);
        let take = |event| match event {
            Event::Connected => connected = true,
            Event::NeedsKeyframe => wants_keyframe = true,
            Event::Reported(report) => {
                let report = report.waited(self.attention.waited());
                self.reported.set(self.reported.get().with(report));
            }
            Event::Hopeless => end = Some(End::Unfit),
            Event::Ended(why) => end = Some(self::end(why)),
        };
        // Only of DTLS there may be something to log, and to enter a span takes as long as to read a report.
        let span = is_dtls(datagram).then(|| member.span.enter());
        let now = Instant::now();
        member.viewer.handle(now, path, datagram, take);
        drop(span);
        if connected && matches!(member.play, Play::Connecting) {
            Metrics::add(&metrics.viewers, 1);
            Metrics::add(&metrics.joined, 1);
            self.start(member);
            member.reporter.connected();
        }
        if wants_keyframe {
            Metrics::add(&metrics.keyframe_requests, 1);
            self.stage.request_keyframe();
        }
        member.flush(&self.outlet);
        let misses = member.viewer.misses();
        if misses || wants_keyframe || !matches!(member.play, Play::Live) {
            self.attention.attend(now);
        }
        if misses {
            self.retransmit(member);
        }
        if let Some(end) = end {
            if end == End::Unfit {
                Metrics::add(&metrics.hopeless, 1);
                let peer = path.remote();
                member.span.in_scope(|| {
                    tracing::info!(%peer, "a viewer's path does not carry the stream");
                });
            }
            drop(members);
            self.leave(id, end);
        }
    }

    fn start(&self, member: &mut Member) {
        member.play = Play::Starting(Starting::boxed(self.feed.subscribe()));
        self.starts.notify_one();
    }

    /// Has a viewer whose connection is behind go on at a keyframe to come, once it is through.
    fn restart(&self, member: &mut Member) {
        Metrics::add(&self.outlet.metrics.jumps, 1);
        member.play = Play::Starting(Starting::boxed(self.feed.subscribe_to_next()));
        self.starts.notify_one();
    }

    fn retransmit(&self, member: &mut Member) {
        let mut again = self.again.borrow_mut();
        again.clear();
        let count = {
            let history = self.feed.history().read();
            member.viewer.retransmit(&history, &mut again)
        };
        Metrics::add(&self.outlet.metrics.retransmissions, count as u64);
        if let Ok(Some(to)) = member.address(again.all()) {
            self.outlet.send_now(again.all(), to);
        }
    }

    /// Lets time pass for all.
    fn tick(&self) {
        let now = Instant::now();
        let mut ended = Vec::new();
        let at = self.stage.now();
        for (&id, member) in self.members.borrow_mut().iter_mut() {
            if let Some(Event::Ended(why)) = member.viewer.handle_timeout(now) {
                ended.push((id, end(why)));
                continue;
            }
            member.flush(&self.outlet);
            if member.viewer.wants_keyframe(now) {
                self.stage.request_keyframe();
            }
            if let Some(report) = member.viewer.report(now, at) {
                member.send_one(&report, &self.outlet);
            }
        }
        for (id, end) in ended {
            self.leave(id, end);
        }
        let reported = self.reported.take();
        self.feed.paths().report(now, reported);
        self.outlet.metrics.paths.report(now, reported);
        let again = self.again.borrow_mut().take_appended();
        self.outlet.metrics.sent(again);
    }

    /// Ends the sessions that can no longer show what the room has become.
    fn look_at_formats(&self) {
        let over: Vec<_> = {
            let (formats, members) = (self.stage.formats(), self.members.borrow());
            let formats = formats.borrow();
            let over = |member: &Member| member.outgrown(&formats);
            let over = members
                .iter()
                .filter_map(|(&id, member)| Some((id, over(member)?)));
            over.collect()
        };
        for (id, end) in over {
            self.leave(id, end);
        }
    }
}

const fn end(why: Ended) -> End {
    match why {
        Ended::Closed | Ended::Silent | Ended::Refused => End::Lost,
    }
}
