//! The viewers of one room on one worker, and the task that serves them.
//!
//! It owns them: no lock is taken and no channel is crossed for a packet on its way out. Whoever is up to
//! date is *live* and gets each burst as it comes; whoever comes late reads the feed at its own place, from
//! the newest keyframe on and faster than it plays, until it has caught up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::sleep_until;
use tracing::Span;

use super::MAX_CONNECTIONS;
use super::batch::Batch;
use super::load::{Load, Share};
use super::member::{Member, Play};
use super::metrics::Metrics;
use super::outlet::{self, Outlet};
use super::starting::{Next, Starting};
use super::transport::{Ended, Path};
use super::viewer::{Event, Viewer};
use crate::media::fanout::Subscription;
use crate::media::formats::Formats;
use crate::media::stage::{Stage, Tracks};
use crate::webrtc::burst::Burst;
use crate::webrtc::feed::Feed;
use crate::webrtc::mux::{Registration, TcpStream};
use crate::webrtc::session::{End, Reporter};

/// Messages that may wait for a hall; datagrams beyond are dropped.
pub(super) const INBOX: usize = 4_096;
/// Viewers that are sent a burst in one go.
const TURN: usize = 64;
/// How often somebody who starts is sent more.
const STEP: Duration = Duration::from_millis(5);
/// How often the viewers' clocks are looked at otherwise.
const TICK: Duration = Duration::from_millis(100);

/// What a hall is told.
pub(in crate::webrtc) enum Inbound {
    /// Somebody comes.
    Join(Box<Join>, Share),
    /// A datagram came for a viewer.
    Datagram(u64, Path, Bytes),
    /// A viewer opened a connection.
    Connected(u64, TcpStream),
    /// A connection is gone.
    Disconnected(u64, Path),
    /// A viewer is asked to leave.
    Close(u64),
}

/// Somebody who comes.
pub(in crate::webrtc) struct Join {
    pub(super) id: u64,
    pub(super) viewer: Viewer,
    /// Tracks that the viewer would take but the room did not have when it came.
    pub(super) missing: Tracks,
    pub(super) reporter: Reporter,
    pub(super) registration: Registration,
    /// The session's, for the log.
    pub(super) span: Span,
}

/// What a hall serves.
pub(super) struct Hall {
    inbox: mpsc::Receiver<Inbound>,
    door: mpsc::WeakSender<Inbound>,
    stage: Arc<Stage>,
    feed: Arc<Feed>,
    formats: watch::Receiver<Formats>,
    bursts: Subscription<Burst>,
    members: HashMap<u64, Box<Member>>,
    /// Number of the newest burst that the live viewers were sent.
    newest: Option<u64>,
    /// Somebody came or starts since the last tick.
    unsettled: bool,
    batch: Batch,
    outlet: Outlet,
    load: Arc<Load>,
    made: Instant,
}

impl Hall {
    pub(super) fn new(
        (door, inbox): (mpsc::WeakSender<Inbound>, mpsc::Receiver<Inbound>),
        stage: Arc<Stage>,
        feed: Arc<Feed>,
        outlet: Outlet,
        load: Arc<Load>,
    ) -> Self {
        Self {
            inbox,
            door,
            formats: stage.formats(),
            bursts: feed.subscribe(),
            stage,
            feed,
            members: HashMap::new(),
            newest: None,
            unsettled: false,
            batch: Batch::default(),
            outlet,
            load,
            made: Instant::now(),
        }
    }

    /// Serves until nobody can come any more.
    pub(super) async fn run(mut self) {
        let mut tick = Instant::now();
        loop {
            tokio::select! {
                inbound = self.inbox.recv() => match inbound {
                    Some(inbound) => self.take(inbound).await,
                    None => return,
                },
                delivery = self.bursts.next() => {
                    let Some(delivery) = delivery else { return self.empty().await };
                    if delivery.skipped > 0 {
                        Metrics::add(&self.outlet.metrics.jumps, self.members.len() as u64);
                    }
                    self.fan_out(&delivery.unit).await;
                }
                changed = self.formats.changed() => match changed {
                    Ok(()) => self.look_at_formats().await,
                    Err(_) => return self.empty().await,
                },
                () = sleep_until(tick.into()) => {
                    self.tick().await;
                    tick = Instant::now() + TICK;
                }
            }
            if std::mem::take(&mut self.unsettled) {
                tick = tick.min(Instant::now() + STEP);
            }
            // Not with each packet: the workers share the counters.
            self.outlet.metrics.sent(self.batch.take_appended());
        }
    }

    async fn take(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Join(join, share) => self.join(*join, share).await,
            Inbound::Datagram(id, path, datagram) => self.handle(id, path, &datagram).await,
            Inbound::Connected(id, stream) => self.connect(id, stream),
            Inbound::Disconnected(id, path) => {
                if let Some(member) = self.members.get_mut(&id) {
                    let gone = path.remote();
                    member
                        .connections
                        .retain(|connection| connection.remote != gone);
                    member.viewer.forget(path);
                }
            }
            Inbound::Close(id) => self.leave(id, End::Closed).await,
        }
    }

    async fn join(&mut self, join: Join, share: Share) {
        let id = join.id;
        let member = Member::new(join, share, &self.feed);
        // It may have changed since the offer was answered.
        let outgrown = member.outgrown(&self.formats.borrow());
        self.members.insert(id, Box::new(member));
        self.unsettled = true;
        if let Some(end) = outgrown {
            self.leave(id, end).await;
        }
    }

    /// Frees what a viewer holds, with a goodbye.
    async fn leave(&mut self, id: u64, end: End) {
        let Some(mut member) = self.members.remove(&id) else {
            return;
        };
        member.viewer.close(Instant::now());
        member.flush(&self.outlet).await;
        if !matches!(member.play, Play::Connecting) {
            self.outlet.metrics.viewers.fetch_sub(1, Ordering::Relaxed);
        }
        member.reporter.ended(end);
    }

    async fn empty(&mut self) {
        let all: Vec<_> = self.members.keys().copied().collect();
        for id in all {
            self.leave(id, End::Closed).await;
        }
    }

    fn connect(&mut self, id: u64, stream: TcpStream) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        if member.connections.len() >= MAX_CONNECTIONS {
            tracing::debug!(peer = %stream.peer, "too many ICE-TCP connections of one viewer");
            return;
        }
        let path = Path::Tcp(stream.peer);
        let (door, exit) = (self.door.clone(), self.door.clone());
        let take = move |frame| {
            let door = door.upgrade();
            async move {
                let Some(door) = door else { return false };
                let inbound = Inbound::Datagram(id, path, frame);
                door.send(inbound).await.is_ok()
            }
        };
        let gone = async move {
            if let Some(door) = exit.upgrade() {
                let _ = door.send(Inbound::Disconnected(id, path)).await;
            }
        };
        member.connections.push(outlet::serve(stream, take, gone));
    }

    async fn handle(&mut self, id: u64, path: Path, datagram: &[u8]) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let now = Instant::now();
        let metrics = &self.outlet.metrics;
        let (mut connected, mut wants_keyframe, mut end) = (false, false, None);
        let take = |event| match event {
            Event::Connected => connected = true,
            Event::NeedsKeyframe => wants_keyframe = true,
            Event::Reported(report) => {
                metrics.paths.report(now, report);
                self.feed.paths().report(now, report);
            }
            Event::Hopeless => end = Some(End::Unfit),
            Event::Ended(why) => end = Some(self::end(why)),
        };
        let (span, viewer) = (&member.span, &mut member.viewer);
        span.in_scope(|| viewer.handle(now, path, datagram, take));
        if connected && matches!(member.play, Play::Connecting) {
            Metrics::add(&metrics.viewers, 1);
            Metrics::add(&metrics.joined, 1);
            member.play = Play::Starting(Starting::boxed(self.feed.subscribe()));
            self.unsettled = true;
            member.reporter.connected();
        }
        if wants_keyframe {
            Metrics::add(&metrics.keyframe_requests, 1);
            self.stage.request_keyframe();
        }
        member.flush(&self.outlet).await;
        if member.viewer.misses() {
            self.batch.clear();
            let count = {
                let history = self.feed.history().read();
                member.viewer.retransmit(&history, &mut self.batch)
            };
            Metrics::add(&metrics.retransmissions, count as u64);
            member.send(&self.batch, &self.outlet).await;
        }
        if let Some(end) = end {
            if end == End::Unfit {
                Metrics::add(&self.outlet.metrics.hopeless, 1);
                let peer = path.remote();
                member.span.in_scope(|| {
                    tracing::info!(%peer, "a viewer's path does not carry the stream");
                });
            }
            self.leave(id, end).await;
        } else if connected {
            self.step(id, now).await;
        }
    }

    /// Sends a burst to all who are live.
    async fn fan_out(&mut self, burst: &Burst) {
        self.newest = Some(burst.number);
        let mut worn_out = Vec::new();
        for (served, (&id, member)) in (1..).zip(&mut self.members) {
            if served % TURN == 0 {
                // What arrives on this worker's socket is not kept waiting for all of them.
                yield_now().await;
            }
            if !matches!(member.play, Play::Live) || burst.number <= member.last {
                continue;
            }
            member.last = burst.number;
            self.batch.clear();
            if member.viewer.write(burst, &mut self.batch).is_err() {
                worn_out.push(id);
            } else if !member.send(&self.batch, &self.outlet).await {
                // A connection that is behind: nothing until it is through, then a keyframe.
                Metrics::add(&self.outlet.metrics.jumps, 1);
                member.play = Play::Starting(Starting::boxed(self.feed.subscribe_to_next()));
                self.unsettled = true;
                self.stage.request_keyframe();
            }
        }
        for id in worn_out {
            self.leave(id, End::Lost).await;
        }
        // What was there before the hall says nothing about how it keeps up.
        if burst.made > self.made {
            let now = Instant::now();
            let late = now.saturating_duration_since(burst.made);
            self.load.sent(now, late);
        }
    }

    /// Lets time pass for all.
    async fn tick(&mut self) {
        let now = Instant::now();
        let mut ended = Vec::new();
        let mut starting = Vec::new();
        let at = self.stage.now();
        for (&id, member) in &mut self.members {
            if let Some(Event::Ended(why)) = member.viewer.handle_timeout(now) {
                ended.push((id, end(why)));
                continue;
            }
            member.flush(&self.outlet).await;
            if member.viewer.wants_keyframe(now) {
                self.stage.request_keyframe();
            }
            if let Some(report) = member.viewer.report(now, at) {
                member.send_one(&report, &self.outlet).await;
            }
            if matches!(member.play, Play::Starting(_)) {
                starting.push(id);
            }
        }
        self.unsettled = !starting.is_empty();
        for id in starting {
            self.step(id, now).await;
        }
        for (id, end) in ended {
            self.leave(id, end).await;
        }
    }

    /// Brings a viewer that starts a step nearer to live.
    async fn step(&mut self, id: u64, now: Instant) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let mut sent = 0;
        while let Play::Starting(starting) = &mut member.play {
            let backlog = |burst: &Burst| self.feed.packets_since(burst);
            let (burst, packets) = match starting.next(now, sent, self.newest, backlog) {
                Next::Packets(burst, packets) => (burst, packets),
                Next::Live => {
                    member.play = Play::Live;
                    return;
                }
                Next::NeedsKeyframe => return self.stage.request_keyframe(),
                Next::Enough => return,
            };
            self.batch.clear();
            sent += packets.len();
            member.last = burst.number;
            let viewer = &mut member.viewer;
            let written = viewer.write_part(&burst, packets.clone(), &mut self.batch);
            starting.wrote(burst, packets.end);
            if written.is_err() {
                return self.leave(id, End::Lost).await;
            }
            if !member.send(&self.batch, &self.outlet).await {
                Metrics::add(&self.outlet.metrics.jumps, 1);
                member.play = Play::Starting(Starting::boxed(self.feed.subscribe_to_next()));
                return;
            }
        }
    }

    /// Ends the sessions that can no longer show what the room has become.
    async fn look_at_formats(&mut self) {
        let formats = self.formats.borrow_and_update().clone();
        let members = self.members.iter();
        let over: Vec<_> = members
            .filter_map(|(&id, member)| Some((id, member.outgrown(&formats)?)))
            .collect();
        for (id, end) in over {
            self.leave(id, end).await;
        }
    }
}

const fn end(why: Ended) -> End {
    match why {
        Ended::Closed | Ended::Silent | Ended::Refused => End::Lost,
    }
}
