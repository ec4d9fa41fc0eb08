//! Connections: how many there may be, and how long a client may take over its headers, a request and the answer.
//!
//! `axum::serve` sets none of these, and hides what would: a client that sends a byte a minute, or never reads its
//! answer, would keep its connection for ever. Not for what a request may do (`guard.rs`).

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Sleep, sleep};

/// How long a client is waited for, and how many of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the headers of a request are there, from the connection's beginning or the last answer on. Longer than
    /// clients keep an idle connection (15 s), so that it is they who close it.
    pub headers: Duration,
    /// For a request, its body included: twice the longest wait of a poll, and some room.
    pub request: Duration,
    /// Until the client takes another piece of its answer.
    pub answer: Duration,
    /// Connections at once; more wait until one is over. Of the 1 024 files that a process may often open, this leaves half
    /// to the log.
    pub connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(30),
            request: Duration::from_secs(150),
            answer: Duration::from_secs(30),
            connections: 512,
        }
    }
}

/// Serves until `stop` is done, then lets what is under way come to its end.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(patience.connections));
    // Everybody who listens to it is a connection that is still open.
    let (ending, _) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await.expect("nobody closes it");
            (place, Listener::accept(&mut listener).await.0)
        };
        let (place, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (mut end, router) = (ending.subscribe(), router.clone());
        tokio::spawn(async move {
            let mut http = Builder::new(TokioExecutor::new()).http1_only();
            http.http1().timer(TokioTimer::new()).header_read_timeout(patience.headers);
            let stream = TokioIo::new(Hurried { stream, patience: patience.answer, stuck: None });
            let mut connection = pin!(http.serve_connection(stream, TowerToHyperService::new(router)));
            let served = tokio::select! {
                served = connection.as_mut() => served,
                _ = end.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!("a connection ended: {error}");
            }
            drop((place, end));
        });
    }
    drop(listener);
    ending.send_replace(());
    ending.closed().await;
}

/// A stream whose other end must take what is written to it.
struct Hurried {
    stream: TcpStream,
    patience: Duration,
    /// Since it takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Hurried {
    fn hurry(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let patience = self.patience;
        let over = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx);
        over.map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client doesn't take its answer")))
    }
}

impl AsyncRead for Hurried {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Hurried {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.hurry(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.hurry(cx, written)
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
