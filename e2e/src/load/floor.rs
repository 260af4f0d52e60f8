//! The least that viewers can cost: each one's packets encrypted in place and handed to the kernel, at the
//! pace and in the sizes of the real ones, and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rtc::crypto::{AeadAlgorithm, AeadCipher, default_provider};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::media::{
    FRAME_RATE, KEYFRAME_BYTES, KEYFRAME_INTERVAL, PICTURE_BYTES, SOUND_BYTES, SOUND_INTERVAL,
};

/// What is in an RTP packet at most, as the server makes them.
const MAX_PAYLOAD: usize = 1_170;
const RTP_HEADER: usize = 12;
const TAG: usize = 16;
/// The name of the thread that is measured.
const THREAD: &str = "floor";
/// Time for the loop to get going.
const WARM_UP: Duration = Duration::from_secs(1);
const SOCKET_BUFFER: usize = 4 << 20;

/// The loop and those it sends to, until it is dropped.
struct Floor {
    stopping: Arc<AtomicBool>,
    source: Option<JoinHandle<()>>,
    _sinks: JoinSet<()>,
}

/// CPU of the least that so many viewers can cost, in percent of one core.
///
/// # Errors
/// Sockets or threads cannot be had, or the kernel does not tell.
pub async fn measure(viewers: usize, time: Duration) -> Result<f64> {
    let floor = Floor::start(viewers).await?;
    tokio::time::sleep(WARM_UP).await;
    let (before, began) = (cpu()?, Instant::now());
    tokio::time::sleep(time).await;
    let spent = cpu()?.saturating_sub(before);
    let percent = spent.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    tokio::task::spawn_blocking(move || drop(floor)).await?;
    Ok(percent)
}

impl Floor {
    async fn start(viewers: usize) -> Result<Self> {
        let (mut sinks, mut addresses) = (JoinSet::new(), Vec::new());
        for _ in 0..viewers {
            let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(sink.local_addr()?);
            sinks.spawn(drain(sink));
        }
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let source = Source::new(socket, addresses)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = thread::Builder::new().name(THREAD.to_owned());
        Ok(Self {
            stopping,
            source: Some(thread.spawn(move || source.run(&stop))?),
            _sinks: sinks,
        })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(source) = self.source.take() {
            let _ = source.join();
        }
    }
}

/// Takes what arrives as synthetic viewers do: over loopback it is the sender who pays for waking them.
async fn drain(sink: UdpSocket) {
    let mut buffer = [0; 2_048];
    while sink.readable().await.is_ok() {
        while sink.try_recv(&mut buffer).is_ok() {}
    }
}

/// Everything the loop needs.
struct Source {
    socket: std::net::UdpSocket,
    state: UdpSocketState,
    viewers: Vec<(SocketAddr, Box<dyn AeadCipher>)>,
    noise: Vec<u8>,
    /// The packets of one picture, one behind the other.
    buffer: Vec<u8>,
}

impl Source {
    fn new(socket: std::net::UdpSocket, addresses: Vec<SocketAddr>) -> Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER);
        let provider = default_provider()?;
        let keyed = |address| {
            let cipher = provider
                .crypto()
                .new_aead(AeadAlgorithm::Aes128Gcm, &[7; 16])?;
            Ok((address, cipher))
        };
        Ok(Self {
            socket,
            state,
            viewers: addresses.into_iter().map(keyed).collect::<Result<_>>()?,
            noise: vec![0x55; KEYFRAME_BYTES],
            buffer: Vec::new(),
        })
    }

    fn run(mut self, stopping: &AtomicBool) {
        let began = Instant::now();
        let (mut pictures, mut sounds) = (0, 0);
        while !stopping.load(Ordering::Relaxed) {
            let picture = began + Duration::from_secs(1) * pictures / FRAME_RATE;
            let sound = began + SOUND_INTERVAL * sounds;
            let next = picture.min(sound);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let bytes = if next == picture {
                pictures += 1;
                match pictures % KEYFRAME_INTERVAL {
                    1 => KEYFRAME_BYTES,
                    _ => PICTURE_BYTES,
                }
            } else {
                sounds += 1;
                SOUND_BYTES
            };
            self.send(bytes);
        }
    }

    /// Sends a picture or a sound of so many bytes to everybody.
    fn send(&mut self, bytes: usize) {
        let size = bytes.div_ceil(bytes.div_ceil(MAX_PAYLOAD));
        let segment = RTP_HEADER + size + TAG;
        let most = self.state.max_gso_segments().min(65_507 / segment).max(1);
        for (address, cipher) in &mut self.viewers {
            self.buffer.clear();
            for (payload, number) in self.noise[..bytes].chunks(size).zip(0_u64..) {
                let start = self.buffer.len();
                self.buffer.extend_from_slice(&[0x80; RTP_HEADER]);
                self.buffer.extend_from_slice(payload);
                let (header, body) = self.buffer[start..].split_at_mut(RTP_HEADER);
                let (mut nonce, mut tag) = ([0; 12], [0; TAG]);
                nonce[4..].copy_from_slice(&number.to_be_bytes());
                let _ = cipher.seal_in_place(&nonce, header, body, &mut tag);
                self.buffer.extend_from_slice(&tag);
            }
            for run in self.buffer.chunks(segment * most) {
                let transmit = Transmit {
                    destination: *address,
                    ecn: None,
                    contents: run,
                    segment_size: (run.len() > segment).then_some(segment),
                    src_ip: None,
                };
                let _ = self
                    .state
                    .try_send(UdpSockRef::from(&self.socket), &transmit);
            }
        }
    }
}

/// Time the loop's thread has spent on a core.
fn cpu() -> Result<Duration> {
    for task in procfs::process::Process::myself()?.tasks()? {
        let task = task?;
        if task.stat()?.comm == THREAD {
            return Ok(Duration::from_nanos(task.schedstat()?.sum_exec_runtime));
        }
    }
    None.context("the floor's thread has ended")
}
