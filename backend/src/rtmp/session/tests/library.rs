//! The client of another implementation.

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;

use super::super::*;
use crate::flv::body::Body;
use crate::rtmp::play;

struct Library {
    client: ClientSession,
    server: Session,
}

impl Library {
    /// Through the digest handshake and connected.
    fn connected() -> Self {
        let mut server = Session::new();
        let mut handshake = Handshake::new(PeerType::Client);
        server
            .receive(&handshake.generate_outbound_p0_and_p1().unwrap())
            .unwrap();
        match handshake.process_bytes(&server.take_output()).unwrap() {
            HandshakeProcessResult::Completed { response_bytes, .. } => {
                server.receive(&response_bytes).unwrap();
            }
            HandshakeProcessResult::InProgress { .. } => panic!("not done"),
        }
        let mut config = ClientSessionConfig::new();
        config.tc_url = Some("rtmp://h/live".to_owned());
        let (mut client, _) = ClientSession::new(config).unwrap();
        let request = client.request_connection("live".to_owned()).unwrap();
        let mut library = Self { client, server };
        let events = library.exchange(request);
        assert!(events.contains(&ClientSessionEvent::ConnectionRequestAccepted));
        library
    }

    /// Sends, and hands on what comes back until nothing more does.
    fn exchange(&mut self, request: ClientSessionResult) -> Vec<ClientSessionEvent> {
        let (mut events, mut results) = (Vec::new(), vec![request]);
        while !results.is_empty() {
            for result in std::mem::take(&mut results) {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => {
                        self.server.receive(&packet.bytes).unwrap();
                    }
                    ClientSessionResult::RaisedEvent(event) => events.push(event),
                    ClientSessionResult::UnhandleableMessageReceived(_) => {}
                }
            }
            let output = self.server.take_output();
            if !output.is_empty() {
                results = self.client.handle_input(&output).unwrap();
            }
        }
        events
    }

    /// Lets it have what the server says without being asked.
    fn deliver(&mut self, more: &[u8]) -> Vec<ClientSessionEvent> {
        let bytes = [&self.server.take_output()[..], more].concat();
        let results = self.client.handle_input(&bytes).unwrap().into_iter();
        results
            .filter_map(|result| match result {
                ClientSessionResult::RaisedEvent(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn it_publishes() {
    let mut library = Library::connected();
    let kind = PublishRequestType::Live;
    let request = library
        .client
        .request_publishing("room?key=s".to_owned(), kind)
        .unwrap();
    library.exchange(request);
    assert!(matches!(
        library.server.poll_event(),
        Some(Event::Publish(_))
    ));
    library.server.accept_publish().unwrap();
    let events = library.deliver(&[]);
    assert!(events.contains(&ClientSessionEvent::PublishRequestAccepted));

    let mut metadata = StreamMetadata::new();
    metadata.video_width = Some(1_280);
    let sent = library.client.publish_metadata(&metadata).unwrap();
    library.exchange(sent);
    assert!(
        matches!(library.server.poll_event(), Some(Event::Metadata(said)) if said.width == Some(1_280))
    );

    // Times run past 24 bits, with its compressed headers.
    for timestamp in [16_777_100, 16_777_200, 16_777_300, 16_777_400] {
        let data = Bytes::from(vec![0x27; 1_000]);
        let time = RtmpTimestamp::new(timestamp);
        let sent = library
            .client
            .publish_video_data(data.clone(), time, false)
            .unwrap();
        library.exchange(sent);
        let expected = Event::Video {
            timestamp,
            body: data,
        };
        assert_eq!(library.server.poll_event(), Some(expected));
    }
}

#[test]
fn it_plays() {
    let mut library = Library::connected();
    let request = library.client.request_playback("room".to_owned()).unwrap();
    library.exchange(request);
    assert!(matches!(library.server.poll_event(), Some(Event::Play(_))));
    library.server.accept_play().unwrap();
    let body = Body::picture(true, 0, Bytes::from(vec![7; 200_000]));
    let media = [play::message(40, &body), play::message(20, &body)].concat();
    let events = library.deliver(&media);
    assert!(events.contains(&ClientSessionEvent::PlaybackRequestAccepted));
    let times: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ClientSessionEvent::VideoDataReceived { timestamp, data } => {
                assert_eq!(data[..], body.parts().concat());
                Some(timestamp.value)
            }
            _ => None,
        })
        .collect();
    assert_eq!(times, [40, 20]);
}
