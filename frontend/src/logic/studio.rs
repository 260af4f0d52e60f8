//! What the studio shows: who is on the air.

use shared::room::{Ingest, RoomState};

use super::publisher::Phase;

/// How a person broadcasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// With this browser's camera and microphone.
    #[default]
    Camera,
    /// With streaming software, such as OBS.
    Encoder,
}

/// Who is on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Nobody yet.
    Nobody,
    /// This page, or it was and something is in its way.
    Here,
    /// Streaming software, or another browser.
    Encoder,
    /// Streaming software was, and may come back within the grace time.
    EncoderLost,
}

/// Who is on the air, as far as this page and the server know.
#[must_use]
pub fn program(phase: &Phase, has_room: bool, room: Option<RoomState>, way: Way) -> Program {
    match (phase, room) {
        // After a reload the room may still be live by what was here before.
        (Phase::Setup | Phase::TakenOver, _) if way == Way::Camera => Program::Nobody,
        (Phase::Setup | Phase::TakenOver, Some(RoomState::Live)) => Program::Encoder,
        (Phase::Setup | Phase::TakenOver, Some(RoomState::Reconnecting)) => Program::EncoderLost,
        (Phase::Setup | Phase::TakenOver | Phase::Connecting, _) => Program::Nobody,
        _ if has_room => Program::Here,
        _ => Program::Nobody,
    }
}

/// Says where a broadcast comes from that this page only shows. By WHIP may come another browser or streaming
/// software: the server cannot tell them apart.
#[must_use]
pub const fn origin(ingest: Option<Ingest>) -> &'static str {
    match ingest {
        Some(Ingest::Whip) => "Broadcasting from another device",
        Some(Ingest::Rtmp) | None => "Broadcasting from your streaming software",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_goes_on_the_air_by_itself() {
        let program = |room| program(&Phase::Setup, true, room, Way::Encoder);
        assert_eq!(program(None), Program::Nobody);
        assert_eq!(program(Some(RoomState::Offline)), Program::Nobody);
        assert_eq!(program(Some(RoomState::Live)), Program::Encoder);
        assert_eq!(program(Some(RoomState::Reconnecting)), Program::EncoderLost);
        assert_eq!(program(Some(RoomState::Ended)), Program::Nobody);
    }

    #[test]
    fn a_page_that_was_taken_over_shows_what_took_over() {
        let program = |room| program(&Phase::TakenOver, true, Some(room), Way::Encoder);
        assert_eq!(program(RoomState::Live), Program::Encoder);
        assert_eq!(program(RoomState::Offline), Program::Nobody);
    }

    #[test]
    fn a_page_that_broadcasts_shows_its_camera() {
        let program = |phase| program(&phase, true, Some(RoomState::Live), Way::Camera);
        assert_eq!(program(Phase::Live), Program::Here);
        assert_eq!(program(Phase::Reconnecting { until: 0 }), Program::Here);
        assert_eq!(program(Phase::Failed(String::new())), Program::Here);
        assert_eq!(program(Phase::Connecting), Program::Nobody);
        assert_eq!(program(Phase::Setup), Program::Nobody, "a reload");
    }

    #[test]
    fn another_browser_is_not_called_streaming_software() {
        assert!(origin(Some(Ingest::Whip)).ends_with("another device"));
        assert!(origin(Some(Ingest::Rtmp)).ends_with("your streaming software"));
    }

    #[test]
    fn a_start_that_failed_before_there_was_a_room_shows_the_set_up() {
        let failed = Phase::Failed(String::new());
        assert_eq!(program(&failed, false, None, Way::Camera), Program::Nobody);
    }
}
