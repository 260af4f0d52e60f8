//! A connection that ends when nothing moves on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::metrics::METRICS;

/// A stream on which reading fails once no byte has come or gone for some time. Whatever is built on it,
/// WebSockets too, is reading all the time.
pub(super) struct Idle<S, H> {
    stream: S,
    /// What goes when the stream does.
    _held: H,
    patience: Duration,
    moved: Instant,
    wake: Pin<Box<Sleep>>,
}

impl<S, H> Idle<S, H> {
    pub(super) fn new(stream: S, held: H, patience: Duration) -> Self {
        Self {
            stream,
            _held: held,
            patience,
            moved: Instant::now(),
            wake: Box::pin(sleep(patience)),
        }
    }

    /// Ready when nothing has moved for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.wake.as_mut().poll(cx));
            let due = self.moved + self.patience;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            // Set here and not at each move: that would cost more than the move.
            self.wake.as_mut().reset(due);
        }
    }

    fn moved(&mut self, result: &Poll<io::Result<usize>>) {
        if matches!(result, Poll::Ready(Ok(1..))) {
            self.moved = Instant::now();
        }
    }
}

impl<S, H> Idle<S, H> {
    fn sent(&mut self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = result {
            METRICS.http.sent.inc_by(*count as u64);
        }
        self.moved(result);
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for Idle<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            let count = buffer.filled().len() - before;
            this.moved(&Poll::Ready(Ok(count)));
            METRICS.http.received.inc_by(count as u64);
            return Poll::Ready(read);
        }
        ready!(this.poll_idle(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin> AsyncWrite for Idle<S, H> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_stream_on_which_nothing_moves_ends() {
        let (here, _there) = duplex(64);
        let began = Instant::now();
        let read = Idle::new(here, (), PATIENCE).read_u8().await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_what_goes_keeps_it_alive() {
        let (here, mut there) = duplex(64);
        let mut here = Idle::new(here, (), PATIENCE);
        for _ in 0..3 {
            let waited = timeout(PATIENCE * 2 / 3, here.read_u8()).await;
            assert!(waited.is_err(), "it does not end");
            here.write_all(b"x").await.unwrap();
            let waited = timeout(PATIENCE * 2 / 3, here.read_u8()).await;
            assert!(waited.is_err(), "it does not end");
            there.write_all(b"y").await.unwrap();
            here.read_u8().await.unwrap();
        }
    }
}
