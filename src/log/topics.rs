//! The topics of one installation: their names, and what each must be set to (PROTOCOL.md, 3).
//!
//! Shared by every log. Not for creating or checking them; each log does that in its own way.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Topic;
use crate::limits::RECORD_BYTES;
use crate::time::Span;
use crate::wire::ActionKind;

/// Room for what a dead letter adds to the input that it holds whole (PROTOCOL.md, 3).
pub const DEAD_LETTER_ROOM: usize = 64 * 1024;

/// Largest record of a topic that Shutter alone writes; a state record beyond it is a defect.
const OWN_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// Which topics must have as many partitions as which others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Partitions {
    /// What comes from outside: any number.
    Input,
    /// `case-events` and `changelog`: equal, and never changed later, since a key's partition depends on it.
    Work,
    /// Exactly one: every reader must see one order.
    One,
    /// What goes out: any number.
    Output,
}

/// How many partitions each class of topic gets when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counts {
    /// Of each input topic.
    pub input: i32,
    /// Of `case-events` and of `changelog`.
    pub work: i32,
    /// Of each output topic.
    pub output: i32,
}

/// Work for up to sixteen threads; casework's count can't be changed later without a migration.
impl Default for Counts {
    fn default() -> Self {
        Self { input: 8, work: 16, output: 4 }
    }
}

impl Counts {
    /// Partitions of a class.
    pub fn of(self, class: Partitions) -> i32 {
        match class {
            Partitions::Input => self.input,
            Partitions::Work => self.work,
            Partitions::One => 1,
            Partitions::Output => self.output,
        }
    }
}

/// What happens to old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Dropped after this time, input never before the group has read it where the log can tell.
    After(Span),
    /// Never dropped by time: purged up to the committed position (`case-events`).
    WhenCommitted,
    /// Compacted: the latest record of each key stays; tombstones stay this long.
    Compact {
        /// `delete.retention.ms`.
        tombstones: Span,
    },
}

/// Whose time a record bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The broker's, when it was appended.
    Append,
    /// The producer's.
    Create,
}

/// One topic as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Full name.
    pub name: Topic,
    /// Class of its partition count.
    pub partitions: Partitions,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// Whose time its records bear.
    pub stamp: Stamp,
    /// `max.message.bytes`.
    pub max_message_bytes: usize,
}

impl TopicSpec {
    /// The topic's settings in Kafka's words, in order of name.
    pub fn settings(&self) -> BTreeMap<&'static str, String> {
        let mut settings = BTreeMap::from([
            ("max.message.bytes", self.max_message_bytes.to_string()),
            (
                "message.timestamp.type",
                match self.stamp {
                    Stamp::Append => "LogAppendTime".to_owned(),
                    Stamp::Create => "CreateTime".to_owned(),
                },
            ),
        ]);
        match self.cleanup {
            Cleanup::After(age) => {
                settings.insert("cleanup.policy", "delete".to_owned());
                settings.insert("retention.ms", age.as_millis().to_string());
            }
            Cleanup::WhenCommitted => {
                settings.insert("cleanup.policy", "delete".to_owned());
                settings.insert("retention.ms", "-1".to_owned());
                settings.insert("retention.bytes", "-1".to_owned());
            }
            // A segment that is never rolled is never compacted, and restore reads all of it.
            Cleanup::Compact { tombstones } => {
                settings.insert("cleanup.policy", "compact".to_owned());
                settings.insert("delete.retention.ms", tombstones.as_millis().to_string());
                settings.insert("segment.bytes", (64 * 1024 * 1024).to_string());
                settings.insert("segment.ms", Span::hours(6).as_millis().to_string());
                settings.insert("max.compaction.lag.ms", Span::days(1).as_millis().to_string());
                settings.insert("min.cleanable.dirty.ratio", "0.2".to_owned());
            }
        }
        settings
    }

    /// Whether only the latest record of each key counts.
    pub fn is_compacted(&self) -> bool {
        matches!(self.cleanup, Cleanup::Compact { .. })
    }
}

/// Every topic of one installation, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// `detections.<source>`, by source.
    pub detections: BTreeMap<String, Topic>,
    /// Answers of responders and people.
    pub feedback: Topic,
    /// Versions of policy, catalog and switches.
    pub control: Topic,
    /// From intake to casework, keyed by case uid.
    pub case_events: Topic,
    /// The engine's state.
    pub changelog: Topic,
    /// `actions.<kind>`, by kind.
    pub actions: BTreeMap<ActionKind, Topic>,
    /// The public view of each case.
    pub cases: Topic,
    /// Gates: what a commit asks.
    pub gates: Topic,
    /// Receipts.
    pub audit: Topic,
    /// Every exception, in force or over, for each case that it holds or held.
    pub exceptions: Topic,
    /// Inputs that can't be processed.
    pub dead_letters: Topic,
    /// The same, of sources that bear secrets.
    pub dead_letters_restricted: Topic,
}

impl Topics {
    /// Names every topic; `prefix` is put before each as it stands (`shutter.` gives `shutter.feedback`).
    pub fn new<'a>(prefix: &str, sources: impl IntoIterator<Item = &'a str>) -> Self {
        let name = |rest: &str| Topic::from(format!("{prefix}{rest}"));
        Self {
            detections: sources.into_iter().map(|s| (s.to_owned(), name(&format!("detections.{s}")))).collect(),
            feedback: name("feedback"),
            control: name("control"),
            case_events: name("case-events"),
            changelog: name("changelog"),
            actions: ActionKind::ALL.iter().map(|kind| (*kind, name(&format!("actions.{kind}")))).collect(),
            cases: name("cases"),
            gates: name("gates"),
            audit: name("audit"),
            exceptions: name("exceptions"),
            dead_letters: name("dead-letters"),
            dead_letters_restricted: name("dead-letters.restricted"),
        }
    }

    /// What a worker reads, the most urgent first: people and the work in hand before raw input.
    pub fn inputs(&self) -> Vec<Topic> {
        let mut inputs = vec![self.feedback.clone(), self.case_events.clone()];
        inputs.extend(self.detections.values().cloned());
        inputs
    }

    /// Every topic as it must be, in order of name.
    pub fn specs(&self) -> Vec<TopicSpec> {
        let input = RECORD_BYTES + DEAD_LETTER_ROOM;
        let compact = Cleanup::Compact { tombstones: Span::days(7) };
        let keep = |days| Cleanup::After(Span::days(days));
        let spec = |name: &Topic, partitions, cleanup, stamp, max_message_bytes| TopicSpec {
            name: name.clone(),
            partitions,
            cleanup,
            stamp,
            max_message_bytes,
        };
        let mut specs = vec![
            spec(&self.feedback, Partitions::Input, keep(14), Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.control, Partitions::One, compact, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.case_events, Partitions::Work, Cleanup::WhenCommitted, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.changelog, Partitions::Work, compact, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.cases, Partitions::Output, compact, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.gates, Partitions::Output, compact, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.exceptions, Partitions::Output, compact, Stamp::Append, OWN_RECORD_BYTES),
            spec(&self.audit, Partitions::Output, keep(400), Stamp::Append, OWN_RECORD_BYTES),
        ];
        specs.extend(self.detections.values().map(|t| spec(t, Partitions::Input, keep(7), Stamp::Append, input)));
        specs.extend(
            self.actions.values().map(|t| spec(t, Partitions::Output, keep(30), Stamp::Append, OWN_RECORD_BYTES)),
        );
        specs.extend(
            [&self.dead_letters, &self.dead_letters_restricted]
                .into_iter()
                .map(|t| spec(t, Partitions::Output, keep(30), Stamp::Append, input + DEAD_LETTER_ROOM)),
        );
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        specs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_holds_the_largest_input_whole() {
        let topics = Topics::new("shutter.", ["falco", "trivy"]);
        let specs = topics.specs();
        let size = |name: &str| specs.iter().find(|s| &*s.name == name).expect(name).max_message_bytes;
        assert!(size("shutter.dead-letters") >= size("shutter.detections.trivy") + DEAD_LETTER_ROOM);
        assert!(size("shutter.dead-letters.restricted") >= size("shutter.detections.falco") + DEAD_LETTER_ROOM);
    }

    #[test]
    fn case_events_are_never_dropped_by_time() {
        let topics = Topics::new("", []);
        let specs = topics.specs();
        let events = specs.iter().find(|s| s.name == topics.case_events).expect("named");
        assert_eq!(events.settings()["retention.ms"], "-1");
        let changelog = specs.iter().find(|s| s.name == topics.changelog).expect("named");
        assert_eq!(changelog.settings()["cleanup.policy"], "compact");
        assert_eq!(changelog.partitions, events.partitions);
    }

    #[test]
    fn the_last_word_on_a_gate_is_never_dropped() {
        let topics = Topics::new("", []);
        let specs = topics.specs();
        let gates = specs.iter().find(|s| s.name == topics.gates).expect("named");
        assert_eq!((gates.settings()["cleanup.policy"].as_str(), gates.is_compacted()), ("compact", true));
        assert!(!gates.settings().contains_key("retention.ms"));
    }

    #[test]
    fn feedback_and_case_events_come_before_raw_input() {
        let topics = Topics::new("", ["falco"]);
        assert_eq!(topics.inputs(), [topics.feedback, topics.case_events, "detections.falco".into()]);
    }
}
