//! `shutter run` as a child process: started, asked, stopped, killed, held still.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use shutter::clock;

use crate::site::PATIENCE;

/// One instance.
pub struct Process {
    child: Child,
    /// What it has written, this life only.
    pub log: PathBuf,
    address: Option<SocketAddr>,
}

impl Process {
    /// Starts an instance; it isn't ready yet.
    pub fn start(config: &Path, log: PathBuf, variables: &[(String, String)]) -> Self {
        let file = std::fs::File::create(&log).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_shutter"))
            .args(["run", "--config"])
            .arg(config)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file)
            .spawn()
            .expect("shutter starts");
        Self { child, log, address: None }
    }

    /// What it has written so far.
    pub fn written(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The partitions that it owns and works on, as /readyz tells; none while it isn't ready.
    pub fn ready(&mut self) -> Option<Vec<i64>> {
        let told = self.ask("/readyz")?;
        let (head, body) = told.split_once("\r\n\r\n")?;
        if !head.starts_with("HTTP/1.1 200") {
            return None;
        }
        let body: serde_json::Value = serde_json::from_str(body).ok()?;
        body["partitions"].as_array()?.iter().map(|p| p["partition"].as_i64()).collect()
    }

    /// Waits until it owns `partitions` partitions, all restored.
    pub fn until_ready(&mut self, partitions: usize) {
        self.until(&format!("readiness with {partitions} partitions"), |this| {
            this.ready().is_some_and(|owned| owned.len() == partitions)
        });
    }

    /// Waits for something that this process does; it must live meanwhile.
    pub fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = clock::instant() + PATIENCE;
        while !done(self) {
            if let Some(status) = self.child.try_wait().expect("asked") {
                panic!("{what}: it ended with {status}:\n{}", self.written());
            }
            assert!(clock::instant() < end, "{what}: not within {PATIENCE:?}:\n{}", self.written());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What HTTP answers, head and body.
    pub fn ask(&mut self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.address()?, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The address that it listens on, once it has said so.
    fn address(&mut self) -> Option<SocketAddr> {
        if self.address.is_none() {
            let written = self.written();
            let line = written.lines().find(|line| line.contains("HTTP listens"))?;
            self.address = line.rsplit("address=").next()?.trim().parse().ok();
        }
        self.address
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("asked")
    }

    /// SIGTERM; it must end in good order.
    pub fn stop(mut self) {
        self.signal("-TERM");
        let status = self.wait();
        assert!(status.success(), "it ended with {status}:\n{}", self.written());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let end = clock::instant() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(clock::instant() < end, "it does not end:\n{}", self.written());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill {name}");
    }

    /// CPU time so far, of user and system.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        // Hundredths of a second, on every Linux.
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
