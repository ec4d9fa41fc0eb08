//! Clients that take their time, on real sockets: each is given up, and others are served meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::connections::{Patience, serve};
use super::guard;

/// Patience for tests: nothing takes so long that a busy machine would be given up.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);
/// No test waits longer for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl Server {
    fn new(patience: Patience) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new()
            .route("/small", get(|| async { "small" }))
            .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
            .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
            .layer(middleware::from_fn_with_state(patience.request, guard::in_time));
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(serve(listener, router, patience, async { drop(stopped.await) }));
        Self { address, runtime, stop: Some(stop), served: Some(served) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("set");
        stream
    }

    /// The whole answer to a request on a connection of its own.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered and closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn is_there(&self) {
        let answer = self.ask("GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("small"), "{answer}");
    }
}

fn patience() -> Patience {
    Patience { headers: LONG, request: LONG, answer: LONG, connections: 8 }
}

/// Sends a byte again and again until the other end closes; what came back meanwhile.
fn trickle(mut stream: TcpStream, byte: u8) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
    let begun = crate::clock::instant();
    let (mut back, mut piece) = (Vec::new(), [0; 1024]);
    while begun.elapsed() < DEADLINE {
        // Refused once the other end has closed.
        let _ = stream.write_all(&[byte]);
        match stream.read(&mut piece) {
            Ok(0) => return String::from_utf8_lossy(&back).into_owned(),
            Ok(read) => back.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return String::from_utf8_lossy(&back).into_owned(),
        }
    }
    panic!("the connection is still open after {DEADLINE:?}; it got {back:?}");
}

#[test]
fn headers_that_never_end_are_given_up() {
    let server = Server::new(Patience { headers: SHORT, ..patience() });
    let mut slow = server.connect();
    slow.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\nSlow: ").expect("sent");
    assert_eq!(trickle(slow, b'x'), "");
    server.is_there();
}

#[test]
fn a_connection_without_a_request_is_given_up_as_one_that_waits_for_the_next() {
    let server = Server::new(Patience { headers: SHORT, ..patience() });
    let mut silent = server.connect();
    let mut second = server.connect();
    second.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut answer = String::new();
    second.read_to_string(&mut answer).expect("answered, then closed");
    assert!(answer.ends_with("small"), "{answer}");
    assert_eq!(silent.read(&mut [0]).expect("closed"), 0);
}

#[test]
fn a_body_that_never_ends_is_given_up_and_told_why() {
    let server = Server::new(Patience { request: SHORT, ..patience() });
    let mut slow = server.connect();
    slow.write_all(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").expect("sent");
    let answer = trickle(slow, b'x');
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    let answer = server.ask("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");
}

#[test]
fn a_body_that_nobody_asked_for_keeps_no_connection() {
    let server = Server::new(patience());
    let mut slow = server.connect();
    slow.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").expect("sent");
    let answer = trickle(slow, b'x');
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn who_never_reads_the_answer_makes_room() {
    let server = Server::new(Patience { answer: SHORT, connections: 1, ..patience() });
    let mut deaf = server.connect();
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    // There is room for one: this is served only when that one is given up.
    server.is_there();
    let mut rest = Vec::new();
    let whole = deaf.read_to_end(&mut rest).is_ok_and(|read| read > 64 * 1024 * 1024);
    assert!(!whole, "it was given up in the middle");
}

#[test]
fn connections_beyond_the_bound_wait_for_one_to_end() {
    let server = Server::new(Patience { connections: 2, ..patience() });
    let held = [server.connect(), server.connect()];
    let mut third = server.connect();
    third.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    third.set_read_timeout(Some(SHORT)).expect("set");
    let early = third.read(&mut [0]).expect_err("nobody has looked at it yet").kind();
    assert!(matches!(early, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early:?}");
    drop(held);
    third.set_read_timeout(Some(DEADLINE)).expect("set");
    let mut answer = String::new();
    third.read_to_string(&mut answer).expect("answered");
    assert!(answer.ends_with("small"), "{answer}");
}

#[test]
fn told_to_stop_it_ends_what_waits_and_finishes_what_runs() {
    let mut server = Server::new(patience());
    let mut idle = server.connect();
    let mut running = server.connect();
    let request = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    running.write_all(request).expect("sent");
    let mut go_on = [0; 25];
    running.read_exact(&mut go_on).expect("it waits for the body");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.stop.take().expect("there once").send(()).expect("it runs");
    assert_eq!(idle.read(&mut [0]).expect("closed"), 0);
    running.write_all(b"abc").expect("sent");
    let mut answer = String::new();
    running.read_to_string(&mut answer).expect("answered");
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");
    let served = server.served.take().expect("there once");
    let ended = async { tokio::time::timeout(DEADLINE, served).await };
    server.runtime.block_on(ended).expect("in time").expect("without a panic");
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
}
