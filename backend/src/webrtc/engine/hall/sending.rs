//! How a hall sends: to some viewers after the others, who are borrowed while they are written for and not while
//! the kernel is waited for, so that what arrives meanwhile can be taken.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::shared::error::Result;
use tokio::task::yield_now;

use super::super::batch::Batch;
use super::super::member::{Behind, Member, Play};
use super::super::starting::Next;
use super::super::volley::Volley;
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
    pub(super) async fn fan_out(&self, burst: &Burst, volley: &mut Volley) {
        self.newest.set(Some(burst.number));
        // Where sound waits for pictures, so may what viewers send.
        if self.feed.seats().sounds() != Sounds::AtOnce && self.load.viewers() >= MANY {
            let at = burst.picture().map(|_| burst.time());
            self.attention.burst(Instant::now(), at);
        }
        let (mut from, mut served) = (0, 0);
        while let Some((next, written)) = self.write_some(from, burst, volley) {
            from = next;
            served += written;
            self.outlet.send_all(volley).await;
            if served >= TURN {
                served = 0;
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

    /// Writes the burst for the next live viewers from this number on who were not sent it; answers behind
    /// which number to go on, and how many they were. `None` when there are no more.
    fn write_some(&self, from: u64, burst: &Burst, volley: &mut Volley) -> Option<(u64, usize)> {
        volley.clear();
        let mut members = self.members.borrow_mut();
        let (mut last, mut written) = (None, 0);
        for (&id, member) in members.range_mut(from..) {
            if !matches!(member.play, Play::Live) || member.last >= burst.number {
                continue;
            }
            member.last = burst.number;
            (last, written) = (Some(id), written + 1);
            if self.write_one(member, burst, volley).is_err() {
                drop(members);
                self.leave(id, End::Lost);
                break;
            }
            if volley.is_full() {
                break;
            }
        }
        Some((last? + 1, written))
    }

    /// Writes the burst for one viewer.
    fn write_one(&self, member: &mut Member, burst: &Burst, volley: &mut Volley) -> Result<()> {
        volley.add(|batch, from| {
            member.viewer.write(burst, batch)?;
            let parcel = batch.between(from, batch.mark());
            Ok(member.address(parcel).unwrap_or_else(|Behind| {
                self.restart(member);
                self.stage.request_keyframe();
                None
            }))
        })
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
                self.outlet.send(batch.all(), to).await;
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
            match member.address(batch.all()) {
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
