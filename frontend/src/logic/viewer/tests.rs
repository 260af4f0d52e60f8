use super::*;

fn refused(status: u16, retry_after_ms: Option<u32>) -> Event {
    Event::Refused {
        status,
        detail: "A sentence.".into(),
        retry_after_ms,
    }
}

fn watching() -> Viewer {
    let mut viewer = Viewer::default();
    assert_eq!(
        viewer.handle(Event::Opened, 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(viewer.handle(Event::Room(RoomState::Live, None), 0.0), []);
    assert_eq!(viewer.handle(Event::Playing, 0.0), []);
    assert_eq!(viewer.phase(), &Phase::Live);
    viewer
}

#[test]
fn an_early_viewer_waits_and_connects_when_the_room_goes_live() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    assert_eq!(
        viewer.handle(refused(409, Some(2_000)), 0.0),
        [Command::Retry(2_500)]
    );
    assert_eq!(viewer.phase(), &Phase::Waiting);
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Offline, None), 0.0),
        []
    );
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Live, None), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(viewer.phase(), &Phase::Connecting);
}

#[test]
fn a_refusal_that_crossed_with_going_live_is_tried_again_soon() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(Event::Room(RoomState::Live, None), 0.0);
    assert_eq!(
        viewer.handle(refused(409, Some(5_000)), 1.0),
        [Command::Retry(600)]
    );
}

#[test]
fn a_lost_broadcaster_keeps_the_last_frame_until_it_is_back() {
    let mut viewer = watching();
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Reconnecting, None), 0.0),
        []
    );
    assert_eq!(viewer.phase(), &Phase::Reconnecting(Lost::Host));
    viewer.handle(Event::Playing, 0.0);
    assert_eq!(
        viewer.phase(),
        &Phase::Reconnecting(Lost::Host),
        "a stale frame"
    );
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Live, None), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    viewer.handle(Event::Playing, 0.0);
    assert_eq!(viewer.phase(), &Phase::Live);
}

#[test]
fn a_lost_network_backs_off_until_frames_are_back() {
    let mut viewer = watching();
    let lost = viewer.handle(Event::PeerLost, 1.0);
    assert_eq!(lost, [Command::Disconnect, Command::Retry(600)]);
    assert_eq!(viewer.phase(), &Phase::Reconnecting(Lost::Network));
    assert_eq!(
        viewer.handle(Event::RetryDue, 1.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(
        viewer.handle(Event::Unreachable, 1.0),
        [Command::Retry(1_200)]
    );
    viewer.handle(Event::RetryDue, 1.0);
    viewer.handle(Event::Playing, 1.0);
    assert_eq!(viewer.phase(), &Phase::Live);
    let lost = viewer.handle(Event::PeerLost, 1.0);
    assert_eq!(
        lost,
        [Command::Disconnect, Command::Retry(600)],
        "the back-off started over"
    );
}

#[test]
fn an_overloaded_server_is_given_the_time_it_asks_for() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    let commands = viewer.handle(refused(503, Some(3_000)), 1.0);
    assert_eq!(commands, [Command::Retry(3_600)]);
    assert_eq!(viewer.phase(), &Phase::Connecting);
}

#[test]
fn the_end_is_final() {
    let mut viewer = watching();
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Ended, None), 0.0),
        [Command::Forget]
    );
    assert_eq!(viewer.phase(), &Phase::Ended);
    assert_eq!(viewer.handle(Event::RetryDue, 0.0), []);
    assert_eq!(viewer.handle(Event::Playing, 0.0), []);
    assert_eq!(viewer.phase(), &Phase::Ended);
}

#[test]
fn a_host_who_starts_again_is_seen_again() {
    let mut viewer = watching();
    viewer.handle(Event::Room(RoomState::Ended, None), 0.0);
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Live, None), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(viewer.phase(), &Phase::Connecting);
}

#[test]
fn an_unknown_room_is_not_tried_again() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    assert_eq!(
        viewer.handle(refused(404, None), 0.0),
        [Command::Disconnect]
    );
    assert_eq!(viewer.phase(), &Phase::NotFound);
}

#[test]
fn a_room_that_ended_before_is_told_as_ended() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(refused(410, None), 0.0);
    assert_eq!(viewer.phase(), &Phase::Ended);
}

#[test]
fn what_no_retry_can_mend_is_told() {
    let mut viewer = Viewer::new(PathChoice::WebRtc);
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(refused(406, None), 0.0);
    assert_eq!(viewer.phase(), &Phase::Failed("A sentence.".into()));
}

#[test]
fn a_broadcaster_who_stops_leaves_viewers_waiting() {
    let mut viewer = watching();
    let commands = viewer.handle(Event::Room(RoomState::Offline, None), 0.0);
    assert_eq!(commands[0], Command::Forget);
    assert_eq!(viewer.phase(), &Phase::Waiting);
}

fn b_frames() -> Event {
    Event::Refused {
        status: 406,
        detail: "The encoder sends B-frames.".into(),
        retry_after_ms: Some(5_000),
    }
}

#[test]
fn a_room_with_b_frames_is_watched_by_hls_until_a_browser_publishes() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    assert_eq!(
        viewer.handle(b_frames(), 0.0),
        [Command::Connect(Path::Hls)]
    );
    let live = |ingest| Event::Room(RoomState::Live, Some(ingest));
    assert_eq!(
        viewer.handle(live(Ingest::Rtmp), 0.0),
        [],
        "the same broadcast"
    );
    viewer.handle(Event::Playing, 0.0);
    assert_eq!(viewer.phase(), &Phase::Live);
    assert_eq!(
        viewer.handle(live(Ingest::Whip), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(viewer.phase(), &Phase::Live, "HLS plays on meanwhile");
}

#[test]
fn a_room_with_b_frames_is_watched_by_webrtc_again_once_they_are_gone() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(Event::Room(RoomState::Live, Some(Ingest::Rtmp)), 0.0);
    viewer.handle(b_frames(), 0.0);
    viewer.handle(Event::Playing, 0.0);
    assert_eq!(viewer.handle(Event::WebRtcSuits(false), 0.0), []);
    assert_eq!(
        viewer.handle(Event::WebRtcSuits(true), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    assert_eq!(viewer.phase(), &Phase::Live, "HLS plays on meanwhile");
}

#[test]
fn a_broadcaster_who_comes_back_with_b_frames_is_watched_by_hls_still() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(Event::Room(RoomState::Live, Some(Ingest::Rtmp)), 0.0);
    viewer.handle(b_frames(), 0.0);
    viewer.handle(Event::WebRtcSuits(false), 0.0);
    viewer.handle(Event::Playing, 0.0);
    viewer.handle(Event::Room(RoomState::Reconnecting, None), 0.0);
    let live = Event::Room(RoomState::Live, Some(Ingest::Rtmp));
    assert_eq!(viewer.handle(live, 0.0), []);
    assert_eq!(viewer.phase(), &Phase::Live);
}

#[test]
fn what_suits_webrtc_is_of_no_interest_while_nobody_broadcasts() {
    let mut viewer = watching();
    viewer.handle(Event::WebRtcSuits(false), 0.0);
    viewer.handle(Event::Room(RoomState::Offline, None), 0.0);
    assert_eq!(viewer.handle(Event::WebRtcSuits(true), 0.0), []);
    viewer.handle(Event::Room(RoomState::Ended, None), 0.0);
    viewer.handle(Event::WebRtcSuits(false), 0.0);
    assert_eq!(viewer.handle(Event::WebRtcSuits(true), 0.0), []);
}

#[test]
fn a_viewer_who_wants_hls_stays_with_it_whatever_suits_webrtc() {
    let mut viewer = Viewer::new(PathChoice::Hls);
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(Event::Playing, 0.0);
    viewer.handle(Event::WebRtcSuits(false), 0.0);
    assert_eq!(viewer.handle(Event::WebRtcSuits(true), 0.0), []);
}

#[test]
fn hls_plays_on_when_the_broadcaster_comes_back() {
    let mut viewer = Viewer::new(PathChoice::Hls);
    assert_eq!(
        viewer.handle(Event::Opened, 0.0),
        [Command::Connect(Path::Hls)]
    );
    viewer.handle(Event::Room(RoomState::Live, None), 0.0);
    viewer.handle(Event::Playing, 0.0);
    viewer.handle(Event::Room(RoomState::Reconnecting, None), 0.0);
    assert_eq!(viewer.phase(), &Phase::Reconnecting(Lost::Host));
    assert_eq!(viewer.handle(Event::Room(RoomState::Live, None), 0.0), []);
    assert_eq!(viewer.phase(), &Phase::Live);
}

#[test]
fn a_network_without_webrtc_is_noticed_at_the_first_attempt() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    assert_eq!(
        viewer.handle(Event::Blocked, 0.0),
        [Command::Disconnect, Command::Connect(Path::Hls)]
    );
}

#[test]
fn a_path_that_the_server_found_unfit_is_left_at_once() {
    let mut viewer = watching();
    viewer.handle(Event::PeerLost, 0.0);
    assert_eq!(
        viewer.handle(Event::Unfit, 0.0),
        [Command::Disconnect, Command::Connect(Path::Hls)]
    );
    assert_eq!(
        viewer.handle(Event::Unfit, 0.0),
        [],
        "nothing is left to do"
    );
}

#[test]
fn webrtc_that_keeps_breaking_is_given_up() {
    let mut viewer = watching();
    for _ in 0..2 {
        let lost = viewer.handle(Event::PeerLost, 0.0);
        assert!(matches!(lost[..], [Command::Disconnect, Command::Retry(_)]));
        viewer.handle(Event::RetryDue, 0.0);
        viewer.handle(Event::Playing, 0.0);
    }
    assert_eq!(
        viewer.handle(Event::PeerLost, 0.0),
        [Command::Disconnect, Command::Connect(Path::Hls)]
    );
}

#[test]
fn a_lost_broadcaster_is_no_fault_of_the_path() {
    let mut viewer = watching();
    viewer.handle(Event::Room(RoomState::Reconnecting, None), 0.0);
    for _ in 0..5 {
        viewer.handle(Event::PeerLost, 0.0);
        assert_eq!(
            viewer.handle(Event::RetryDue, 0.0),
            [Command::Connect(Path::WebRtc)]
        );
    }
}

#[test]
fn a_browser_that_can_neither_is_told() {
    let mut viewer = Viewer::default();
    viewer.handle(Event::Opened, 0.0);
    let impossible = || Event::Impossible("No.".into());
    assert_eq!(
        viewer.handle(impossible(), 0.0),
        [Command::Disconnect, Command::Connect(Path::Hls)]
    );
    assert_eq!(viewer.handle(impossible(), 0.0), [Command::Disconnect]);
    assert_eq!(viewer.phase(), &Phase::Failed("No.".into()));
    assert_eq!(
        viewer.handle(Event::Choose(PathChoice::WebRtc), 0.0),
        [Command::Connect(Path::WebRtc)],
        "a choice is tried"
    );
}

#[test]
fn a_viewer_who_wants_webrtc_alone_waits_until_b_frames_are_gone() {
    let mut viewer = Viewer::new(PathChoice::WebRtc);
    viewer.handle(Event::Opened, 0.0);
    viewer.handle(Event::Room(RoomState::Live, None), 0.0);
    assert_eq!(
        viewer.handle(b_frames(), 0.0),
        [Command::Disconnect, Command::Retry(5_500)]
    );
    assert_eq!(viewer.phase(), &Phase::Unplayable);
    assert_eq!(
        viewer.handle(Event::RetryDue, 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    viewer.handle(b_frames(), 0.0);
    viewer.handle(Event::WebRtcSuits(false), 0.0);
    assert_eq!(viewer.phase(), &Phase::Unplayable);
    assert_eq!(
        viewer.handle(Event::WebRtcSuits(true), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    viewer.handle(b_frames(), 0.0);
    viewer.handle(Event::Room(RoomState::Reconnecting, None), 0.0);
    assert_eq!(
        viewer.handle(Event::Room(RoomState::Live, None), 0.0),
        [Command::Connect(Path::WebRtc)]
    );
    viewer.handle(Event::Playing, 0.0);
    assert_eq!(viewer.phase(), &Phase::Live);
}
