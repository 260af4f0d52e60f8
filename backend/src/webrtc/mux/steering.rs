//! Which of the sockets on the shared port takes what comes.
//!
//! Two workers with little to do cost more than one with all of it: each is woken for every picture, and finds
//! its caches cold. So while few peers are there all that comes goes to the first socket. Later the kernel
//! shares addresses out among all; whoever is there by then stays where it is, and what comes from it to
//! another socket crosses to its worker.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use socket2::Socket;

/// Peers that one worker serves by itself.
const FEW: usize = 64;
/// And how few have to be left for it to do so again: what crosses for them counts for little.
const HARDLY_ANY: usize = 8;

/// Where what comes is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// To the first socket.
    Together,
    /// To the socket that the kernel picks for each address.
    Apart,
}

/// Steers what comes to the sockets of one port.
#[derive(Debug)]
pub(super) struct Steering {
    /// Any of them.
    socket: Arc<Socket>,
    /// `None` where the kernel does not let itself be told.
    course: Option<Mutex<Course>>,
}

impl Steering {
    /// Of all sockets on the port of this one.
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        let course = match steer(&socket, Course::Together) {
            Ok(()) => Some(Mutex::new(Course::Together)),
            Err(error) => {
                tracing::debug!(%error, "the WebRTC port's sockets share from the first peer on");
                None
            }
        };
        Self { socket, course }
    }

    /// So many are there, as one more has come.
    pub(super) fn entered(&self, peers: usize) {
        if peers > FEW {
            self.share_out();
        }
    }

    /// So many are there, as one has left.
    pub(super) fn left(&self, peers: usize) {
        if peers <= HARDLY_ANY {
            self.set(Course::Together);
        }
    }

    /// One worker is not enough.
    pub(super) fn share_out(&self) {
        self.set(Course::Apart);
    }

    fn set(&self, wanted: Course) {
        let Some(course) = &self.course else {
            return;
        };
        let mut course = course.lock();
        if *course == wanted {
            return;
        }
        match steer(&self.socket, wanted) {
            Ok(()) => *course = wanted,
            Err(error) => {
                tracing::debug!(%error, ?wanted, "steering what comes to the WebRTC port");
            }
        }
    }
}

/// Tells the kernel, by a program of one instruction that it asks for each packet (`SO_ATTACH_REUSEPORT_CBPF`).
#[cfg(target_os = "linux")]
fn steer(socket: &Socket, course: Course) -> io::Result<()> {
    use nix::libc::{BPF_K, BPF_RET, sock_filter, sock_fprog};
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::AttachReusePortCbpf;

    let mut answer = sock_filter {
        code: u16::try_from(BPF_RET | BPF_K).map_err(io::Error::other)?,
        jt: 0,
        jf: 0,
        k: match course {
            Course::Together => 0,
            // No socket has this number, so the kernel goes by the addresses.
            Course::Apart => u32::MAX,
        },
    };
    let program = sock_fprog {
        len: 1,
        filter: &raw mut answer,
    };
    Ok(setsockopt(socket, AttachReusePortCbpf, &program)?)
}

/// Elsewhere there is one socket.
#[cfg(not(target_os = "linux"))]
fn steer(_: &Socket, _: Course) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::net::UdpSocket;

    use super::super::{Inbox, Mux, Port, Registration, tcp};
    use super::*;

    /// Enough to come to both sockets if they are shared out: they do not once in 2^39 times.
    const SENDERS: usize = 40;

    #[tokio::test]
    async fn few_come_to_the_first_socket() {
        let mux = mux();
        let _few = peers(&mux, FEW);
        assert_eq!(arrivals(&mux), [SENDERS, 0]);
    }

    #[tokio::test]
    async fn many_are_shared_out() {
        let mux = mux();
        let _many = peers(&mux, FEW + 1);
        assert!(arrivals(&mux).iter().all(|&count| count > 0));
    }

    #[tokio::test]
    async fn many_come_together_again_once_hardly_any_are_left() {
        let mux = mux();
        let mut many = peers(&mux, FEW + 1);
        many.truncate(HARDLY_ANY + 1);
        assert!(arrivals(&mux).iter().all(|&count| count > 0));
        many.truncate(HARDLY_ANY);
        assert_eq!(arrivals(&mux), [SENDERS, 0]);
    }

    #[tokio::test]
    async fn even_few_are_shared_out_where_one_worker_is_behind() {
        let mux = mux();
        mux.share_out();
        assert!(arrivals(&mux).iter().all(|&count| count > 0));
    }

    /// A port with two sockets.
    fn mux() -> Arc<Mux> {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        Mux::bind(listen, crypto, 2).unwrap().0
    }

    fn peers(mux: &Arc<Mux>, count: usize) -> Vec<Registration> {
        let enter = |number: usize| {
            let port = Port::Connection {
                udp: Arc::<Inbox>::default(),
                tcp: tcp::backlog().0,
            };
            mux.enter(&number.to_string(), "secret", port)
        };
        (0..count).map(enter).collect()
    }

    /// How many datagrams come to each socket, of one from each of some addresses.
    fn arrivals(mux: &Mux) -> [usize; 2] {
        for _ in 0..SENDERS {
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            sender.send_to(b"hello", mux.local()).unwrap();
        }
        let count = |number| {
            let socket = &mux.socket(number).socket;
            let mut buffer = [MaybeUninit::uninit(); 16];
            std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
        };
        [count(0), count(1)]
    }
}
