//! Workers on a log in memory, stepped by hand; and what they have written, read as any consumer would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::traps::{Trapped, Traps};
use shutter::casework::Site;
use shutter::clock::Clock;
use shutter::formats::{Format, Redactor, Reject};
use shutter::intake::{Intake, ReadFeedback, Settings, Source};
use shutter::log::memory::{Fault, MemoryLog};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Header, TopicPartition};
use shutter::metrics::Metrics;
use shutter::policy::{Catalog, Ceiling, Policy, Rules, Sources};
use shutter::time::{Span, WallTime};
use shutter::wire::{
    Action, ActionKind, Actor, ActorKind, CaseView, Codec, DeadLetter, ExceptionRecord, Feedback, Gate, Keyring,
    Receipt, WireRecord,
};
use shutter::worker::{Announcement, Outputs, Setup, Shared, StateCodec, Trust, Worker, WorkerError};

pub const POLICY: &str = r"
language: shutter/1
ceiling: enforce
group:
  - {by: [rule, resource.id]}
owners: {order: [resource], fallback: team/ops, stale_after: 30d}
risk:
  - {id: all, sla: {acknowledge: 1h, remediate: 2d}, escalate: page}
escalation:
  page: [{after: 0m, tell: owner}, {after: 15m, tell: team/ops}]
approvals:
  urgent: {ask: [team/ops], need: 1, expires: 1h, if_rejected: ticket}
actions:
  isolate: {by: bot, irreversible: true, answer_within: 2m}
  open_ticket: {by: jira, answer_within: 5m}
playbooks:
  - id: isolate
    match: {class: runtime, severity: {at_least: high}}
    path: enforce
    act: {do: isolate, target: resource}
    approve: urgent
    verify: {by: checker, within: 1h, tries: 2, gone: {finding.status: fixed}, if_not_gone: escalate}
";

pub const CATALOG: &str = r#"
catalog: shutter/1
verified_at: 2026-01-01
people:
  ada: {identities: {email: ada@example.org}}
teams:
  ops: {members: [ada], queue: OPS}
resources:
  - {match: {id: "*"}, owner: team/ops, environment: prod}
"#;

/// Secret of the key `ada-1`.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// 2026-01-02T00:00:00Z
pub const START: i64 = 1_767_312_000_000;

pub const COUNTS: Counts = Counts { input: 2, work: 2, output: 1 };

/// Takes everybody at their word: signatures have their own tests.
#[derive(Debug)]
struct Trusting(Codec);

impl ReadFeedback for Trusting {
    fn decode(&self, bytes: &[u8]) -> Result<Feedback, Reject> {
        self.0.decode(bytes).map_err(|e| Reject::new(shutter::wire::RejectCode::Malformed, e.to_string()))
    }

    fn authenticate(&self, feedback: &Feedback, _: &[Header]) -> Result<Actor, String> {
        let id = feedback.claimed_actor.clone().unwrap_or_default();
        let kind = match id.as_str() {
            "checker" => ActorKind::Verifier,
            "nobody" => ActorKind::Unauthenticated,
            _ => ActorKind::Executor,
        };
        Ok(Actor { id: id.into(), kind })
    }
}

pub struct Rig {
    pub log: MemoryLog,
    pub topics: Arc<Topics>,
    pub now: Arc<AtomicI64>,
    pub workers: Vec<Option<Worker>>,
    /// What HTTP and metrics see of each worker.
    pub shared: Vec<Arc<Shared>>,
    pub traps: Traps,
    /// Whether all workers are threads of one process.
    pub one_process: bool,
    policy: String,
    codec: Codec,
    ids: u32,
}

impl Rig {
    /// One worker that owns everything, prepared.
    pub fn new() -> Self {
        Self::with_policy(POLICY)
    }

    pub fn with_policy(policy: &str) -> Self {
        Self::with(policy, Codec::default())
    }

    /// With the codec of a site that has a Schema Registry.
    pub fn with_codec(codec: Codec) -> Self {
        Self::with(POLICY, codec)
    }

    fn with(policy: &str, codec: Codec) -> Self {
        let topics = Arc::new(Topics::new("", ["falco"]));
        let now = Arc::new(AtomicI64::new(START));
        let clock = clock(&now);
        let log = MemoryLog::new(&topics, COUNTS, clock);
        let (workers, shared, traps) = (Vec::new(), Vec::new(), Traps::default());
        let one_process = false;
        let mut rig =
            Self { log, topics, now, workers, shared, traps, one_process, policy: policy.to_owned(), codec, ids: 0 };
        rig.start(0);
        rig.give_all_to(0);
        rig
    }

    /// Starts a worker, or starts it again after a crash (its handle fences the old one).
    pub fn start(&mut self, index: usize) {
        self.try_start(index).expect("the worker prepares");
    }

    pub fn try_start(&mut self, index: usize) -> Result<(), WorkerError> {
        let (setup, shared) = self.setup(index);
        let mut worker = Worker::new(setup);
        worker.prepare()?;
        while self.workers.len() <= index {
            self.workers.push(None);
            self.shared.push(Arc::clone(&shared));
        }
        self.workers[index] = Some(worker);
        self.shared[index] = shared;
        Ok(())
    }

    /// What a worker is made of, and what HTTP and metrics see of it.
    pub fn setup(&self, index: usize) -> (Setup, Arc<Shared>) {
        let policy = Sources::new([("policy.yaml", &self.policy)]);
        let catalog = Sources::new([("catalog.yaml", CATALOG)]);
        let rules = Rules {
            policy: Arc::new(Policy::compile(policy.clone()).expect("the policy compiles").0),
            catalog: Arc::new(Catalog::compile(catalog.clone()).expect("the catalog compiles").0),
        };
        let codec = self.codec.clone();
        let outputs = Outputs::new("test", Arc::clone(&self.topics), COUNTS, codec.clone());
        let settings = Settings {
            tenant: "test".into(),
            sources: vec![Source {
                name: "falco".into(),
                decoder: Arc::new(Format::parse("falco").expect("falco is a format")),
                secret_bearing: false,
            }],
            redactor: Redactor::new(b"key"),
            feedback: Arc::new(Trusting(codec)),
            partitions: 2,
            dead_letter_bytes: 1 << 20,
        };
        let announcement =
            Announcement { policy, catalog, stamp: rules.stamp(), grouping: rules.policy.grouping.clone() };
        let log = self.log.worker(u32::try_from(index).expect("few workers"));
        // Threads of one process, unless a test wants them apart: HTTP and metrics are the same.
        let shared = match self.shared.first() {
            Some(shared) if index > 0 && self.one_process => Arc::clone(shared),
            _ => Arc::new(Shared::new(Arc::new(Metrics::new(&rules)), false)),
        };
        let setup = Setup {
            log: Box::new(Trapped { log, traps: self.traps.clone() }),
            intake: Intake::new(settings, rules.clone()),
            outputs,
            state: StateCodec::default(),
            site: Site::new("test", Ceiling::Enforce),
            shared: Arc::clone(&shared),
            clock: clock(&self.now),
            records: 100,
            bytes: 1 << 20,
            wait: Duration::from_millis(1),
            cases_at_once: 10,
            trust: trust(),
            announce: (index == 0).then_some(announcement),
        };
        (setup, shared)
    }

    pub fn clock(&self) -> Clock {
        clock(&self.now)
    }

    /// The process dies: nothing is said to the log.
    pub fn crash(&mut self, index: usize) {
        self.workers[index] = None;
    }

    pub fn inputs(&self) -> Vec<TopicPartition> {
        let topics = self.topics.inputs();
        topics.iter().flat_map(|t| (0..2).map(move |p| TopicPartition::new(t.clone(), p))).collect()
    }

    pub fn give_all_to(&self, index: u32) {
        self.log.rebalance(&[(index, self.inputs())]);
    }

    /// Partition 0 of everything to the first, partition 1 to the second.
    pub fn share(&self, first: u32, second: u32) {
        let of = |p: i32| self.inputs().into_iter().filter(|tp| tp.partition == p).collect::<Vec<_>>();
        self.log.rebalance(&[(first, of(0)), (second, of(1))]);
    }

    pub fn inject(&self, index: u32, fault: Fault) {
        self.log.inject(index, fault);
    }

    /// Lets every live worker turn until nothing is written any more.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        let mut before = self.written();
        for _ in 0..2_000 {
            for worker in self.workers.iter_mut().flatten() {
                worker.turn().expect("the worker goes on");
            }
            let now = self.written();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
            if quiet > 6 {
                return;
            }
        }
        panic!("the workers don't come to rest");
    }

    fn written(&self) -> usize {
        self.log.partitions().iter().map(|tp| self.log.read(tp).len()).sum()
    }

    pub fn advance(&mut self, span: Span) {
        self.now.fetch_add(span.as_millis(), Ordering::SeqCst);
    }

    pub fn time(&self) -> WallTime {
        WallTime::from_millis(self.now.load(Ordering::SeqCst))
    }

    pub fn detect(&mut self, host: &str, rule: &str) {
        self.ids += 1;
        let record = format!(
            r#"{{"uuid":"{}","source":"syscall","rule":"{rule}","priority":"Critical","hostname":"{host}","time":"{}","output":"{rule} on {host}","output_fields":{{"proc.name":"bash"}}}}"#,
            self.ids,
            self.time()
        );
        let partition = i32::try_from(self.ids % 2).expect("0 or 1");
        let to = TopicPartition::new(self.topics.detections["falco"].clone(), partition);
        self.log.append(&to, None, Some(record.as_bytes()), &[]).expect("appended");
    }

    pub fn append(&self, topic: &str, partition: i32, value: &[u8]) {
        self.log.append(&TopicPartition::new(topic, partition), None, Some(value), &[]).expect("appended");
    }

    pub fn say(&mut self, feedback: &Feedback) {
        let to = TopicPartition::new(self.topics.feedback.clone(), 0);
        let bytes = serde_json::to_vec(feedback).expect("feedback is JSON");
        self.log.append(&to, None, Some(&bytes), &[]).expect("appended");
    }

    /// An answer to an action.
    pub fn answer(&mut self, action: &Action, kind: shutter::wire::FeedbackKind, actor: &str) -> Feedback {
        self.ids += 1;
        Feedback {
            id: format!("feedback-{}", self.ids),
            tenant: "test".into(),
            case_uid: action.case_uid,
            generation: action.generation,
            kind,
            command_id: Some(action.command_id.clone()),
            digest: Some(action.digest.clone()),
            claimed_actor: Some(actor.to_owned()),
            at: self.time(),
            reason: None,
            reference: None,
            assignee: None,
            healthy: None,
            observed: BTreeMap::from([("finding.status".to_owned(), "fixed".to_owned())]),
            evidence: Vec::new(),
            exception: None,
        }
    }

    fn all<T: WireRecord>(&self, topic: &str) -> Vec<T> {
        let partitions = self.log.partitions();
        let of_topic = partitions.iter().filter(|tp| &*tp.topic == topic);
        of_topic
            .flat_map(|tp| self.log.read(tp))
            .filter_map(|record| record.value)
            .map(|bytes| self.codec.decode(&bytes).expect("decodes"))
            .collect()
    }

    pub fn actions(&self, kind: ActionKind) -> Vec<Action> {
        let topic = self.topics.actions[&kind].clone();
        self.all(&topic)
    }

    pub fn receipts(&self) -> Vec<Receipt> {
        self.all(&self.topics.audit)
    }

    pub fn exceptions(&self) -> Vec<ExceptionRecord> {
        self.all(&self.topics.exceptions)
    }

    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.all(&self.topics.dead_letters)
    }

    /// Latest view of each case.
    pub fn cases(&self) -> BTreeMap<String, CaseView> {
        self.all::<CaseView>(&self.topics.cases).into_iter().map(|view| (view.uid.to_string(), view)).collect()
    }

    /// Latest record of each gate, by key; `None` is a tombstone.
    pub fn gates(&self) -> BTreeMap<String, Option<Gate>> {
        let partitions = self.log.partitions();
        let records = partitions.iter().filter(|tp| tp.topic == self.topics.gates).flat_map(|tp| self.log.read(tp));
        let read = |bytes: Vec<u8>| self.codec.decode(&bytes).expect("decodes");
        let key = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).expect("text");
        records.map(|record| (key(record.key), record.value.map(read))).collect()
    }

    /// (case, generation, action, target) of everything that enforces, sorted; and no command id twice.
    pub fn enforced(&self) -> Vec<(String, u32, String, String)> {
        let actions = self.actions(ActionKind::Enforce);
        let mut ids: Vec<_> = actions.iter().map(|a| a.command_id.clone()).collect();
        ids.sort();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "a command id twice");
        let mut told: Vec<_> = actions
            .into_iter()
            .map(|a| (a.case_uid.to_string(), a.generation.0, a.action.to_string(), a.target.canonical()))
            .collect();
        told.sort();
        told
    }
}

/// Person `ada` may throw the kill switch.
pub fn trust() -> Trust {
    let mut keyring = Keyring::default();
    keyring.insert("ada-1", "ada", ActorKind::Person, SECRET).expect("a key");
    Trust::new("test", "control", b"site key", Arc::new(keyring))
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || WallTime::from_millis(now.load(Ordering::SeqCst)))
}
