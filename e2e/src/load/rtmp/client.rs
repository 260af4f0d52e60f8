//! The client's side of RTMP (Adobe's Real Time Messaging Protocol, 1.0), as far as publishing and playing
//! need it.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::amf::{self, Value};

/// Payload of a chunk that we send, in bytes: what OBS uses.
const CHUNK: usize = 4_096;
/// Payload of a chunk until somebody says otherwise (section 5.4.1).
const FIRST_CHUNK: usize = 128;
/// C1, C2, S1 and S2 (section 5.2).
const HANDSHAKE: usize = 1_536;
/// Commands answer with much less.
const MAX_ANSWER: usize = 64 << 10;
/// Answers that end an attempt.
const REFUSALS: [&[u8]; 5] = [
    b"_error",
    b"Connect.Rejected",
    b"Publish.BadName",
    b"Play.StreamNotFound",
    b"Play.Failed",
];

/// What a message is (sections 5.4 and 7.1).
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Set Chunk Size.
    ChunkSize = 1,
    /// AAC.
    Audio = 8,
    /// H.264.
    Video = 9,
    /// AMF0 data.
    Data = 18,
    /// AMF0 command.
    Command = 20,
}

impl Kind {
    /// The chunk stream that we use for it.
    const fn chunk_stream(self) -> u8 {
        match self {
            Self::ChunkSize => 2,
            Self::Command => 3,
            Self::Audio => 4,
            Self::Data => 5,
            Self::Video => 6,
        }
    }
}

/// Where a stream is: `rtmp://HOST:PORT/APP`, and its name there.
#[derive(Clone, Debug)]
pub struct Place {
    /// Host and port.
    pub server: SocketAddr,
    /// The application.
    pub app: String,
    /// The stream's name; for publishing with whatever secret belongs to it.
    pub name: String,
}

/// A connection with a stream made on it.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    stream: u32,
    chunk: usize,
}

impl Client {
    /// Shakes hands (section 5.2), connects to the application and makes a stream.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or says something else than RTMP.
    pub async fn connect(place: &Place) -> Result<Self> {
        let socket = TcpStream::connect(place.server).await?;
        socket.set_nodelay(true)?;
        let mut client = Self {
            socket,
            stream: 0,
            chunk: FIRST_CHUNK,
        };
        client.shake_hands().await.context("the handshake failed")?;
        let address = format!("rtmp://{}/{}", place.server, place.app);
        let properties = [
            ("app", Value::Text(&place.app)),
            ("type", Value::Text("nonprivate")),
            (
                "flashVer",
                Value::Text("FMLE/3.0 (compatible; golive-load)"),
            ),
            ("tcUrl", Value::Text(&address)),
        ];
        let connect = [
            Value::Text("connect"),
            Value::Number(1.0),
            Value::Object(&properties),
        ];
        client.send_chunk_size().await?;
        client.command(&connect).await?;
        client.answer(b"Connect.Success", 0).await?;
        let create = [Value::Text("createStream"), Value::Number(2.0), Value::Null];
        client.command(&create).await?;
        // Behind the name: the number of the transaction (9 bytes), null, and the stream's (9 bytes).
        let answer = client.answer(b"_result", 19).await?;
        let (_, number) = answer.split_at(11);
        let number = number.try_into().map(f64::from_be_bytes);
        client.stream = stream_id(number.context("createStream was answered wrongly")?)?;
        Ok(client)
    }

    /// Asks to publish, and waits for the server's consent.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn publish(&mut self, name: &str) -> Result<()> {
        let publish = [
            Value::Text("publish"),
            Value::Number(3.0),
            Value::Null,
            Value::Text(name),
            Value::Text("live"),
        ];
        self.command(&publish).await?;
        self.answer(b"Publish.Start", 0).await?;
        Ok(())
    }

    /// Asks to play; whatever comes from now on is left to the caller.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn play(mut self, name: &str) -> Result<TcpStream> {
        // -2: live, or else recorded (section 7.2.2.1).
        let play = [
            Value::Text("play"),
            Value::Number(3.0),
            Value::Null,
            Value::Text(name),
            Value::Number(-2.0),
        ];
        self.command(&play).await?;
        Ok(self.socket)
    }

    /// Sends a message of the stream.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, kind: Kind, timestamp: u32, body: &[u8]) -> Result<()> {
        let message = message(kind, timestamp, self.stream, self.chunk, body);
        Ok(self.socket.write_all(&message).await?)
    }

    /// Reads whatever the server says, and drops it.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn discard(&self) -> Result<()> {
        let mut buffer = [0; 4_096];
        loop {
            self.socket.readable().await?;
            match self.socket.try_read(&mut buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn shake_hands(&mut self) -> Result<()> {
        let mut c0_c1 = vec![0x55; 1 + HANDSHAKE];
        c0_c1[0] = 3;
        // Time and zero: a simple handshake, without digest.
        c0_c1[1..9].fill(0);
        self.socket.write_all(&c0_c1).await?;
        let mut s0_s1_s2 = vec![0; 1 + 2 * HANDSHAKE];
        self.socket.read_exact(&mut s0_s1_s2).await?;
        ensure!(s0_s1_s2[0] == 3, "version {}, not 3", s0_s1_s2[0]);
        self.socket.write_all(&s0_s1_s2[1..=HANDSHAKE]).await?;
        Ok(())
    }

    async fn send_chunk_size(&mut self) -> Result<()> {
        let size = u32::try_from(CHUNK)?;
        self.send(Kind::ChunkSize, 0, &size.to_be_bytes()).await?;
        self.chunk = CHUNK;
        Ok(())
    }

    async fn command(&mut self, values: &[Value<'_>]) -> Result<()> {
        self.send(Kind::Command, 0, &amf::encode(values)).await
    }

    /// Waits for these words, and answers the `more` bytes behind them.
    async fn answer(&mut self, words: &[u8], more: usize) -> Result<Bytes> {
        let mut said = BytesMut::new();
        loop {
            let at = memchr::memmem::find(&said, words).map(|at| at + words.len());
            if let Some(more) = at.and_then(|at| said.get(at..at + more)) {
                return Ok(Bytes::copy_from_slice(more));
            }
            let refused = |words: &&[u8]| memchr::memmem::find(&said, words).is_some();
            if REFUSALS.iter().any(refused) || said.len() > MAX_ANSWER {
                let said = String::from_utf8_lossy(&said);
                let said: String = said.chars().filter(|c| !c.is_control()).collect();
                bail!("the server refused: {said}");
            }
            ensure!(
                self.socket.read_buf(&mut said).await? > 0,
                "the server closed the connection"
            );
        }
    }
}

fn stream_id(number: f64) -> Result<u32> {
    ensure!(
        (1.0..65_536.0).contains(&number),
        "stream {number} is unheard of"
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within bounds"
    )]
    Ok(number as u32)
}

/// A message in chunks (section 5.3): a full header first, then as short as possible.
fn message(kind: Kind, timestamp: u32, stream: u32, chunk: usize, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(body.len() + body.len() / chunk + 16);
    // No broadcast of this program lasts the 4.6 hours after which a time stamp needs more room.
    bytes.put_u8(kind.chunk_stream());
    bytes.put_uint(timestamp.into(), 3);
    bytes.put_uint(body.len() as u64, 3);
    bytes.put_u8(kind as u8);
    // The one number of RTMP that is little-endian (section 5.3.1.2.1).
    bytes.put_u32_le(match kind {
        Kind::ChunkSize => 0,
        _ => stream,
    });
    for (index, piece) in body.chunks(chunk).enumerate() {
        if index > 0 {
            bytes.put_u8(0xc0 | kind.chunk_stream());
        }
        bytes.put_slice(piece);
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_into_chunks() {
        let bytes = message(Kind::Video, 0x0001_0203, 1, 4, b"abcdefghij");
        let header = [6, 1, 2, 3, 0, 0, 10, 9, 1, 0, 0, 0];
        assert_eq!(bytes[..12], header);
        assert_eq!(&bytes[12..], b"abcd\xc6efgh\xc6ij");
    }

    #[test]
    fn commands_go_to_no_stream_until_there_is_one() {
        let bytes = message(Kind::Command, 0, 0, 128, b"x");
        assert_eq!(&bytes[..], [3, 0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, b'x']);
    }

    #[test]
    fn a_stream_has_a_number_within_reason() {
        assert_eq!(stream_id(1.0).unwrap(), 1);
        for number in [f64::NAN, 0.0, -1.0, 1e9] {
            assert!(stream_id(number).is_err(), "{number}");
        }
    }
}
