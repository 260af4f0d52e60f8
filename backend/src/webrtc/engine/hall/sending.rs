//! How a hall sends: to one viewer after the other, each borrowed while it is written for and not while the
//! kernel is waited for, so that what arrives meanwhile can be taken.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::task::yield_now;

use super::super::batch::Batch;
use super::super::member::{Behind, Member, Play};
use super::super::starting::Next;
use super::Hall;
use crate::media::fanout::Unit;
use crate::webrtc::burst::{Burst, Sounds};
use crate::webrtc::session::End;

/// Viewers that are sent a burst in one go.
const TURN: usize = 64;
/// What so many viewers of a worker send is read when it is awake anyway.
const MANY: usize = 12;

impl Hall {
    /// Sends a burst to all who are live.
    pub(super) async fn fan_out(&self, burst: &Burst, batch: &mut Batch) {
        self.newest.set(Some(burst.number));
        // Where sound waits for pictures, so may what viewers send.
        if self.feed.seats().sounds() != Sounds::AtOnce && self.load.viewers() >= MANY {
            let at = burst.picture().map(|_| burst.time());
            self.attention.burst(Instant::now(), at);
        }
        let mut from = 0;
        for served in 1.. {
            let Some((id, to)) = self.write_next(from, burst, batch) else {
                break;
            };
            from = id + 1;
            if let Some(to) = to {
                self.outlet.send(batch, to).await;
            }
            if served % TURN == 0 {
                // What arrives on this worker's socket is not kept waiting for all of them.
                yield_now().await;
            }
        }
        // What was there before the hall says nothing about how it keeps up.
        if burst.made > self.made {
            let now = Instant::now();
            let late = now.saturating_duration_since(burst.made);
            self.load.sent(now, late);
            if self.load.is_uneasy() {
                self.outlet.mux.share_out();
            }
        }
    }

    /// Writes the burst for the first live viewer from this number on who was not sent it; answers who that is
    /// and where it has to be sent to.
    fn write_next(
        &self,
        from: u64,
        burst: &Burst,
        batch: &mut Batch,
    ) -> Option<(u64, Option<SocketAddr>)> {
        let mut members = self.members.borrow_mut();
        let mut rest = members.range_mut(from..);
        let is_due =
            |member: &Member| matches!(member.play, Play::Live) && member.last < burst.number;
        let (&id, member) = rest.find(|(_, member)| is_due(member))?;
        member.last = burst.number;
        batch.clear();
        let written = member.viewer.write(burst, batch);
        if written.is_err() {
            drop(members);
            self.leave(id, End::Lost);
            return Some((id, None));
        }
        let to = member.address(batch).unwrap_or_else(|Behind| {
            self.restart(member);
            self.stage.request_keyframe();
            None
        });
        Some((id, to))
    }

    /// Brings those who start a step nearer to live; says whether some still have to go on.
    pub(super) async fn step(&self, batch: &mut Batch) -> bool {
        let now = Instant::now();
        let starts = |member: &Member| matches!(member.play, Play::Starting(_));
        let starting: Vec<_> = {
            let members = self.members.borrow();
            let starting = members.iter().filter(|(_, member)| starts(member));
            starting.map(|(&id, _)| id).collect()
        };
        for &id in &starting {
            let mut sent = 0;
            while let Some(to) = self.write_step(id, now, &mut sent, batch) {
                self.outlet.send(batch, to).await;
            }
        }
        let members = self.members.borrow();
        let mut left = starting.iter().filter_map(|id| members.get(id));
        left.any(|member| starts(member))
    }

    /// Writes what a viewer that starts is sent next in this step, of which it was `sent` so many packets;
    /// answers where that has to be sent to. `None` at the end of the step.
    fn write_step(
        &self,
        id: u64,
        now: Instant,
        sent: &mut usize,
        batch: &mut Batch,
    ) -> Option<SocketAddr> {
        let mut members = self.members.borrow_mut();
        loop {
            let member = members.get_mut(&id)?;
            let Play::Starting(starting) = &mut member.play else {
                return None;
            };
            let backlog = |burst: &Burst| self.feed.packets_since(burst);
            let (burst, packets) = match starting.next(now, *sent, self.newest.get(), backlog) {
                Next::Packets(burst, packets) => (burst, packets),
                Next::Live => {
                    member.play = Play::Live;
                    return None;
                }
                Next::NeedsKeyframe => {
                    self.stage.request_keyframe();
                    return None;
                }
                Next::Enough => return None,
            };
            batch.clear();
            *sent += packets.len();
            member.last = burst.number;
            let viewer = &mut member.viewer;
            let written = viewer.write_part(&burst, packets.clone(), batch);
            starting.wrote(burst, packets.end);
            if written.is_err() {
                drop(members);
                self.leave(id, End::Lost);
                return None;
            }
            match member.address(batch) {
                Ok(Some(to)) => return Some(to),
                Ok(None) => {}
                Err(Behind) => {
                    self.restart(member);
                    return None;
                }
            }
        }
    }
}
