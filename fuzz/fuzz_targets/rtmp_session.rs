//! A whole connection: handshake, chunks, commands, and what is published down to the units for the stage.
//! The first byte says how the rest arrives: in pieces of so many bytes (the lower seven bits, times 16; 0
//! for all at once), and whether the handshake has been done already (the highest bit).
#![no_main]

use golive::media::access_unit::TrackKind;
use golive::media::stage::NewUnit;
use golive::media::time::MediaTime;
use golive::rtmp::intake::{Intake, Output};
use golive::rtmp::session::{Event, ProtocolError, Session};
use libfuzzer_sys::fuzz_target;

/// C1, C2, S1 and S2.
const HANDSHAKE: usize = 1_536;

struct Connection {
    session: Session,
    intake: Intake,
    now: i64,
    /// The newest decode times, of pictures and of sound.
    decoded: [Option<MediaTime>; 2],
}

impl Connection {
    fn new() -> Self {
        Self {
            session: Session::new(),
            intake: Intake::new(),
            now: 0,
            decoded: [None; 2],
        }
    }

    fn shake_hands(&mut self) {
        let mut hello = vec![0x55; 1 + HANDSHAKE];
        hello[0] = 3;
        hello[1..9].fill(0);
        self.session.receive(&hello).expect("a handshake is read");
        let answer = self.session.take_output();
        let echo = answer.get(1..=HANDSHAKE).expect("it is answered");
        self.session.receive(echo).expect("its end is read");
    }

    /// What the shell of a session does with each piece that arrives.
    fn receive(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        self.now += 1_000;
        let received = self.session.receive(piece);
        while let Some(event) = self.session.poll_event() {
            self.obey(event)?;
        }
        let _ = self.session.take_output();
        received
    }

    fn obey(&mut self, event: Event) -> Result<(), ProtocolError> {
        let now = MediaTime::from_micros(self.now);
        let taken = match event {
            Event::Publish(request) if request.key.starts_with('!') => {
                self.session.refuse_publish("there is no such room");
                Ok(())
            }
            Event::Publish(_) => return self.session.accept_publish(),
            Event::Play(request) if request.key.starts_with('!') => {
                self.session.refuse_play("there is no such room");
                Ok(())
            }
            Event::Play(_) => return self.session.accept_play(),
            Event::Video { timestamp, body } => self.intake.video(timestamp, &body, now),
            Event::Audio { timestamp, body } => self.intake.audio(timestamp, &body, now),
            Event::Metadata(metadata) => {
                assert!(!metadata.to_bytes().is_empty());
                self.intake.metadata(&metadata);
                Ok(())
            }
            Event::Unpublish | Event::StopPlay => {
                self.intake = Intake::new();
                self.decoded = [None; 2];
                Ok(())
            }
            Event::Pong { sent_ms } => {
                self.session.ping(sent_ms);
                Ok(())
            }
        };
        if let Err(unsupported) = taken {
            self.session.refuse_publish(&unsupported.to_string());
        }
        while let Some(output) = self.intake.poll() {
            match output {
                Output::Start(tracks) => {
                    assert!(tracks.video || tracks.audio);
                    self.decoded = [None; 2];
                }
                Output::Unit(unit) => self.check(&unit),
            }
        }
        Ok(())
    }

    fn check(&mut self, unit: &NewUnit) {
        assert!(!unit.data.is_empty());
        let track = match unit.format.kind() {
            TrackKind::Video => 0,
            TrackKind::Audio => 1,
        };
        let before = self.decoded[track].replace(unit.dts);
        assert!(
            before.is_none_or(|before| before <= unit.dts),
            "time stepped back"
        );
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, bytes)) = input.split_first() else {
        return;
    };
    let mut connection = Connection::new();
    if how & 0x80 != 0 {
        connection.shake_hands();
    }
    let piece = match usize::from(how & 0x7f) * 16 {
        0 => bytes.len().max(1),
        piece => piece,
    };
    for piece in bytes.chunks(piece) {
        if connection.receive(piece).is_err() {
            break;
        }
    }
    connection.session.end_play();
    let _ = connection.session.take_output();
});
