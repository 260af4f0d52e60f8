//! A viewer's way through a network that lets only TCP pass: between the client's UDP socket and the
//! server's ICE-TCP port (RFC 6544), framed as RFC 4571 section 2 says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ends when dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    flows: watch::Sender<bool>,
    received: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Connects to the server's port.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let udp = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = udp.local_addr().unwrap();
        let (flows, mut flowing) = watch::channel(true);
        let received = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&received);
        let task = tokio::spawn(async move {
            let mut datagram = vec![0; 2_048];
            let (length, client) = udp.recv_from(&mut datagram).await.unwrap();
            let tcp = TcpStream::connect(server).await.unwrap();
            let (mut reader, mut writer) = tcp.into_split();
            write(&mut writer, &datagram[..length]).await;
            let back = Arc::clone(&udp);
            let there = async move {
                loop {
                    let (length, _) = udp.recv_from(&mut datagram).await.unwrap();
                    write(&mut writer, &datagram[..length]).await;
                }
            };
            let back = async move {
                loop {
                    flowing.wait_for(|&flows| flows).await.unwrap();
                    let Ok(length) = reader.read_u16().await else {
                        return;
                    };
                    let mut frame = vec![0; length.into()];
                    reader.read_exact(&mut frame).await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                    back.send_to(&frame, client).await.unwrap();
                }
            };
            tokio::select! { () = there => {}, () = back => {} }
        });
        Self {
            address,
            flows,
            received,
            task,
        }
    }

    /// The answer as a client gets it that can reach nobody but the relay.
    pub(crate) fn instead_of(&self, server: SocketAddr, answer: &str) -> String {
        let (theirs, ours) = (server.port().to_string(), self.address.port().to_string());
        let lines = answer.lines().filter(|line| !line.contains(" tcp "));
        lines
            .map(|line| match line.starts_with("a=candidate:") {
                true => line.replace(&format!(" {theirs} "), &format!(" {ours} ")) + "\r\n",
                false => line.to_owned() + "\r\n",
            })
            .collect()
    }

    /// Nothing more is read from the server, until it is again.
    pub(crate) fn let_flow(&self, flows: bool) {
        self.flows.send_replace(flows);
    }

    /// Frames that came from the server.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write(writer: &mut (impl AsyncWriteExt + Unpin), datagram: &[u8]) {
    writer
        .write_u16(datagram.len().try_into().unwrap())
        .await
        .unwrap();
    writer.write_all(datagram).await.unwrap();
}
