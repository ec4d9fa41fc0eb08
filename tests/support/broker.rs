//! One real Apache Kafka broker for all tests of a test binary.
//!
//! `deploy/kafka-dev/run.sh` starts it on free ports of 127.0.0.1 with its data in a temporary folder. The
//! script stops it and removes the data when its standard input ends, so the broker goes with the test process,
//! however that one ends. Not for the mock of librdkafka: that knows no isolation, and proves nothing here.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use shutter::clock;

/// The broker of this process.
pub struct Broker {
    /// `host:port`.
    pub address: String,
    child: Child,
    // Held open: its end is the broker's end.
    _input: ChildStdin,
    data: tempfile::TempDir,
    ports: (u16, u16),
    /// The scripts that have started it again. All are kept: the end of one's input removes the data.
    again: Mutex<Vec<(Child, ChildStdin)>>,
}

static BROKER: OnceLock<Result<Broker, String>> = OnceLock::new();
static NAMES: AtomicU32 = AtomicU32::new(0);

/// The broker, started at the first call; `None`, told on stderr, where this machine can't run one.
///
/// # Panics
/// Where `SHUTTER_REQUIRE_KAFKA=1` asks for a broker and there is none.
pub fn broker() -> Option<&'static Broker> {
    match BROKER.get_or_init(start) {
        Ok(broker) => Some(broker),
        Err(why) => {
            assert!(std::env::var_os("SHUTTER_REQUIRE_KAFKA").is_none_or(|v| v != "1"), "no Kafka broker: {why}");
            // Not eprintln: the harness would swallow it in a test that passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED, no Kafka broker: {why}");
            None
        }
    }
}

impl Broker {
    /// A broker that no other test uses, for what would disturb them; `None` as in [`broker`].
    pub fn alone() -> Option<Self> {
        broker()?;
        Some(start().expect("one has started just now"))
    }

    /// Stops its process from running, or lets it go on: a machine that hangs.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.data.path().join("broker/pid")).expect("run.sh wrote it");
        let status = Command::new("kill").args([name, pid.trim()]).status().expect("kill runs");
        assert!(status.success(), "kill {name} {pid}");
    }

    /// Ends its process by this signal, and starts it again on the same ports and data.
    pub fn restart(&self, signal: &str) {
        let folder = self.data.path().join("broker");
        let pid = std::fs::read_to_string(folder.join("pid")).expect("run.sh wrote it");
        self.signal(signal);
        let end = clock::instant() + Duration::from_secs(60);
        let alive = || Path::new("/proc").join(pid.trim()).join("cmdline");
        // A process that ended is a zombie until its script looks: it has no command line any more.
        while std::fs::read(alive()).is_ok_and(|line| !line.is_empty()) {
            assert!(clock::instant() < end, "the broker doesn't end");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let log = std::fs::File::create(self.data.path().join("again.log")).expect("a log");
        let mut child = script(self.ports, &folder, log).spawn().expect("run.sh starts");
        let input = child.stdin.take().expect("it is piped");
        self.again.lock().expect("unpoisoned").push((child, input));
        let asking = asking(&self.address).expect("a client");
        while !asking.fetch_metadata(None, Duration::from_millis(500)).is_ok_and(|m| !m.brokers().is_empty()) {
            assert!(clock::instant() < end, "the broker doesn't come back");
        }
    }

    /// A prefix for topics and groups that nobody else uses.
    pub fn fresh_prefix(&self) -> String {
        format!("t{}-{}.", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
    }
}

fn start() -> Result<Broker, String> {
    let mut why = String::new();
    // Ports are free when asked for and may be taken a moment later.
    for _ in 0..3 {
        match start_once() {
            Ok(broker) => return Ok(broker),
            Err((again, reason)) => {
                why = reason;
                if !again {
                    break;
                }
            }
        }
    }
    Err(why)
}

fn start_once() -> Result<Broker, (bool, String)> {
    let free = || {
        TcpListener::bind("127.0.0.1:0")
            .and_then(|l| Ok((l.local_addr()?.port(), l)))
            .map_err(|e| (false, format!("no free port: {e}")))
    };
    let (port, held) = free()?;
    let (controller, held_too) = free()?;
    let data = tempfile::tempdir().map_err(|e| (false, format!("no temporary folder: {e}")))?;
    let log = std::fs::File::create(data.path().join("start.log")).map_err(|e| (false, e.to_string()))?;
    drop((held, held_too));
    let folder = data.path().join("broker");
    let mut child = script((port, controller), &folder, log)
        .spawn()
        .map_err(|e| (false, format!("deploy/kafka-dev/run.sh does not start: {e}")))?;
    let input = child.stdin.take().expect("it is piped");
    let address = format!("127.0.0.1:{port}");
    let asking = asking(&address).map_err(|e| (false, e.to_string()))?;
    // The first start may fetch 54 MB of jars.
    let end = clock::instant() + Duration::from_secs(300);
    loop {
        if asking.fetch_metadata(None, Duration::from_millis(500)).is_ok_and(|m| !m.brokers().is_empty()) {
            let ports = (port, controller);
            return Ok(Broker { address, child, _input: input, data, ports, again: Mutex::default() });
        }
        let told = || {
            ["start.log", "broker/broker.log"]
                .map(|name| std::fs::read_to_string(data.path().join(name)).unwrap_or_default())
                .concat()
        };
        if let Ok(Some(status)) = child.try_wait() {
            // 3: Java or Maven is missing.
            return Err((status.code() != Some(3), format!("run.sh ended with {status}: {}", told())));
        }
        if clock::instant() > end {
            return Err((false, format!("no answer from {address} in 300 s: {}", told())));
        }
    }
}

fn script(ports: (u16, u16), folder: &Path, log: std::fs::File) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kafka-dev/run.sh"));
    command
        .envs([("PORT", ports.0.to_string()), ("CONTROLLER", ports.1.to_string()), ("UNTIL_EOF", "1".to_owned())])
        .env("DATA", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

fn asking(address: &str) -> rdkafka::error::KafkaResult<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("log_level", "0")
        .set("reconnect.backoff.max.ms", "200")
        .create()
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Ok(mut again) = self.again.lock() {
            for (mut child, _input) in again.drain(..) {
                let _ = Command::new("kill").arg(child.id().to_string()).status();
                let _ = child.wait();
            }
        }
        // The script kills the broker when it ends; a plain kill lets it do so.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
