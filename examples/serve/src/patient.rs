//! A connection whose other end has to read: a write that stalls too long ends it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long nothing may be taken in by a caller to whom something was sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Runs while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            deadline: None,
        }
    }

    /// A write that got on is a fresh start; one that waits has the rest of the patience.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let end = Instant::now() + self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(end)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(written, cx)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Writes 64 MiB, more than the system takes in by itself, to a reader who waits `pause` before each MiB; how that ends.
    fn write_to(patience: Duration, pause: Duration) -> Result<(), io::ErrorKind> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let mut reader = TcpStream::connect(address).await.expect("it listens");
            let (stream, _) = listener.accept().await.expect("somebody calls");
            let mut patient = Patient::new(stream, patience);
            let reading = tokio::spawn(async move {
                let mut room = vec![0; 1 << 20];
                loop {
                    tokio::time::sleep(pause).await;
                    if !matches!(reader.read(&mut room).await, Ok(1..)) {
                        break;
                    }
                }
            });
            let written = patient.write_all(&vec![7; 64 << 20]).await;
            drop(patient);
            reading.abort();
            written.map_err(|error| error.kind())
        })
    }

    #[test]
    fn a_reader_who_stops_is_cut_and_one_who_is_slow_is_not() {
        let (short, ever) = (Duration::from_millis(200), Duration::from_secs(3600));
        assert_eq!(write_to(short, ever), Err(io::ErrorKind::TimedOut));
        // All of it takes longer than the patience, no single wait does.
        assert_eq!(
            write_to(Duration::from_millis(500), Duration::from_millis(10)),
            Ok(())
        );
    }
}
