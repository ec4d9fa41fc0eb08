//! One installation in a temporary folder: its files, its process, and the commands run against it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use shutter::clock;

pub use crate::command::Done;
use crate::process::Process;

/// Longest wait for anything, in a debug build beside a build.
pub const PATIENCE: Duration = Duration::from_secs(90);

const KEYS: [(&str, &str, &str); 4] = [
    ("ada-1", "ada", "person"),
    ("grace-1", "grace", "person"),
    ("bot-1", "cluster-bot", "executor"),
    ("reader-1", "runtime-reader", "verifier"),
];

/// One installation.
pub struct Site {
    pub folder: tempfile::TempDir,
    pub port: u16,
    pub token: Option<&'static str>,
    /// What the `Host` of a request says.
    pub host: &'static str,
}

impl Site {
    /// With files written; nothing runs.
    pub fn new() -> Self {
        Self::with("", None)
    }

    /// With more lines of configuration, and a token.
    pub fn with(more: &str, token: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let site = Self { folder, port, token, host: "localhost" };
        let mut keys = String::new();
        for (id, actor, kind) in KEYS {
            site.secret(&format!("{id}.key"), &format!("{id:-<40}"));
            keys.push_str(&format!("  - {{id: {id}, actor: {actor}, kind: {kind}, secret_file: {id}.key}}\n"));
        }
        let mut http = format!("listen: \"127.0.0.1:{port}\"");
        if let Some(token) = token {
            site.secret("http.token", token);
            http.push_str(", token_file: http.token");
        }
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka"));
        let text = format!(
            "tenant: test\nceiling: enforce\nstart_from: earliest\nlog: {{kind: embedded, embedded: {{dir: data}}}}\n\
             policy: {}\ncatalog: {}\nhttp: {{{http}}}\nsources:\n  - {{name: falco, format: falco}}\n  \
             - {{name: suricata, format: suricata}}\n  - {{name: aws, format: asff}}\n  \
             - {{name: trivy, format: trivy}}\nfeedback_keys:\n{keys}{more}",
            here.join("policy.yaml").display(),
            here.join("catalog").display(),
        );
        site.write("shutter.yaml", &text);
        site
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn secret(&self, name: &str, text: &str) {
        let path = self.write(name, text);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Starts `shutter run`, and waits until it is ready.
    pub fn start(&self) -> Process {
        let mut process = self.begin();
        process.until_ready(4);
        process
    }

    /// Starts it; it isn't ready yet.
    pub fn begin(&self) -> Process {
        Process::start(&self.folder.path().join("shutter.yaml"), self.folder.path().join("run.log"), &[])
    }

    /// A command with `--config`, its standard input empty.
    pub fn shutter(&self, arguments: &[&str]) -> Done {
        self.with_config("shutter.yaml", arguments)
    }

    pub fn with_config(&self, config: &str, arguments: &[&str]) -> Done {
        Done::of(&self.folder.path().join(config), arguments)
    }

    /// A request; status and body.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<(u16, Value)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.host,
            body.len()
        );
        if let Some(token) = self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        // A server that refuses a large body may close before it has read all of it.
        let sent = stream.write_all(body);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => return Err(error),
            _ => {}
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            sent?;
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))))
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &[], b"").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Posts one detection.
    pub fn post(&self, source: &str, body: &[u8]) {
        let (status, body) = self.ask("POST", &format!("/v1/detections/{source}"), &[], body).unwrap();
        assert_eq!(status, 202, "{body}");
    }

    /// What `case list --all` knows, once there are so many cases.
    pub fn cases(&self, number: usize) -> Vec<Value> {
        until("cases", || {
            let done = self.shutter(&["case", "list", "--all", "--format", "json"]).with(0);
            let cases = done.json()["cases"].as_array().unwrap().clone();
            (cases.len() == number).then_some(cases)
        })
    }
}

/// Asks until there is an answer, at most [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = clock::instant() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::instant() < end, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A bucket that is open: two people are asked.
pub fn bucket(number: u64) -> Vec<u8> {
    let found = crate::input::detections(2_000, 0);
    let high = found.into_iter().filter(|input| input.source == "aws" && text(&input.value).contains("\"HIGH\""));
    let mut seen = std::collections::BTreeSet::new();
    let id = |value: &[u8]| text(value).split("\"Id\":\"").nth(1).map(str::to_owned);
    high.map(|input| input.value).filter(|value| seen.insert(id(value))).nth(usize::try_from(number).unwrap()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
