//! Compares the topics on the broker with what they must be; each difference names the command that mends it.
//!
//! Not every difference counts: longer retention or a larger message size than asked for is fine, and input
//! topics belong to others. What counts would lose records, or break the order of a key.

use std::collections::BTreeMap;
use std::fmt;

use super::admin::{Admin, AdminError, Found};
use super::config::KafkaConfig;
use crate::log::topics::{Cleanup, DEAD_LETTER_ROOM, Partitions, Stamp, TopicSpec, Topics};

/// One thing that is wrong with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFinding {
    /// The topic.
    pub topic: String,
    /// What was found.
    pub found: String,
    /// What must be.
    pub expected: String,
    /// What mends it: a command, or a line of the configuration.
    pub mend: String,
}

impl fmt::Display for TopicFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}; {}", self.topic, self.found, self.expected, self.mend)
    }
}

/// What is wrong with the topics on the broker; empty when they are as they must be. `config_file` is named in
/// the commands.
///
/// # Errors
/// Where the brokers can't be reached.
pub fn check_topics(config: &KafkaConfig, topics: &Topics, config_file: &str) -> Result<Vec<TopicFinding>, AdminError> {
    let specs = topics.specs();
    let names: Vec<&str> = specs.iter().map(|s| &*s.name).collect();
    let found = Admin::open(config)?.find(&names)?;
    Ok(compare(config, topics, &specs, &found, config_file))
}

fn compare(
    config: &KafkaConfig,
    topics: &Topics,
    specs: &[TopicSpec],
    found: &BTreeMap<String, Found>,
    config_file: &str,
) -> Vec<TopicFinding> {
    let largest_input =
        topics.detections.values().filter_map(|t| number(found.get(&**t)?, "max.message.bytes")).max().unwrap_or(0);
    let room = i64::try_from(DEAD_LETTER_ROOM).unwrap_or(i64::MAX);
    let mut findings = Vec::new();
    for spec in specs {
        let Some(topic) = found.get(&*spec.name) else {
            findings.push(TopicFinding {
                topic: spec.name.to_string(),
                found: "no such topic".to_owned(),
                expected: "it to exist".to_owned(),
                mend: format!("run `shutter topics create --config {config_file}`"),
            });
            continue;
        };
        let dead = spec.name == topics.dead_letters || spec.name == topics.dead_letters_restricted;
        let is_input = topics.detections.values().any(|t| *t == spec.name);
        let least = match (dead, is_input) {
            (true, _) => Some(largest_input + room),
            // What a source may send is its owner's choice.
            (_, true) => None,
            _ => i64::try_from(spec.max_message_bytes).ok(),
        };
        findings.extend(partitions(config, spec, topic));
        for (name, value, fine) in
            demands(spec, topic, least, [&topics.feedback, &topics.control].contains(&&spec.name))
        {
            if !fine {
                findings.push(TopicFinding {
                    topic: spec.name.to_string(),
                    found: format!("{name}={}", topic.settings.get(name).map_or("?", String::as_str)),
                    expected: format!("{name}={value}"),
                    mend: format!(
                        "run `kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} \
                         --add-config {name}={value}`",
                        config.bootstrap_servers, spec.name
                    ),
                });
            }
        }
    }
    findings
}

/// Settings that must hold: name, value that mends it, whether it holds.
fn demands(spec: &TopicSpec, topic: &Found, least: Option<i64>, timed: bool) -> Vec<(&'static str, String, bool)> {
    let equal = |name: &'static str, value: &str| {
        (name, value.to_owned(), topic.settings.get(name).is_some_and(|found| found == value))
    };
    let at_least = |name: &'static str, value: i64| {
        (name, value.to_string(), number(topic, name).is_some_and(|found| found >= value || found < 0))
    };
    let mut demands = match spec.cleanup {
        Cleanup::After(_) => vec![equal("cleanup.policy", "delete")],
        // A record that time removes before it is read is lost.
        Cleanup::WhenCommitted => {
            vec![equal("cleanup.policy", "delete"), equal("retention.ms", "-1"), equal("retention.bytes", "-1")]
        }
        // A snapshot older than half of this is not used; shorter, and the dead come back.
        Cleanup::Compact { tombstones } => {
            vec![equal("cleanup.policy", "compact"), at_least("delete.retention.ms", tombstones.as_millis())]
        }
    };
    if let Some(least) = least {
        let found = number(topic, "max.message.bytes");
        demands.push(("max.message.bytes", least.to_string(), found.is_some_and(|found| found >= least)));
    }
    // Whether an answer came in time, or an old signature is sent again, is told by the broker's clock, not by the
    // sender's.
    if timed && spec.stamp == Stamp::Append {
        demands.push(equal("message.timestamp.type", "LogAppendTime"));
    }
    demands
}

fn partitions(config: &KafkaConfig, spec: &TopicSpec, topic: &Found) -> Option<TopicFinding> {
    let (expected, mend) = match spec.partitions {
        Partitions::Input | Partitions::Output => return None,
        Partitions::One => {
            (1, "a topic can't lose partitions: delete it while nothing runs, and make it anew".to_owned())
        }
        Partitions::Work => {
            let set = config.partitions.work;
            let advice = if topic.partitions < set {
                "`case-events` and `changelog` keep the count they were made with, because a key's partition depends \
                 on it"
            } else {
                "more partitions than configured would never be given work"
            };
            (
                set,
                format!(
                    "set `topics.partitions.work: {}` if every one of them has that many; {advice}",
                    topic.partitions
                ),
            )
        }
    };
    (topic.partitions != expected).then(|| TopicFinding {
        topic: spec.name.to_string(),
        found: format!("{} partitions", topic.partitions),
        expected: expected.to_string(),
        mend,
    })
}

fn number(topic: &Found, name: &str) -> Option<i64> {
    topic.settings.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_made(config: &KafkaConfig, topics: &Topics) -> BTreeMap<String, Found> {
        topics
            .specs()
            .into_iter()
            .map(|s| {
                let settings = s.settings().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                (s.name.to_string(), Found { partitions: config.partitions.of(s.partitions), settings })
            })
            .collect()
    }

    fn findings(change: impl FnOnce(&mut BTreeMap<String, Found>)) -> Vec<String> {
        let config = KafkaConfig::new("b:1");
        let topics = Topics::new("s.", ["falco"]);
        let mut found = as_made(&config, &topics);
        change(&mut found);
        compare(&config, &topics, &topics.specs(), &found, "c.yaml").iter().map(ToString::to_string).collect()
    }

    fn set(found: &mut BTreeMap<String, Found>, topic: &str, name: &str, value: &str) {
        found.get_mut(topic).expect("there").settings.insert(name.to_owned(), value.to_owned());
    }

    #[test]
    fn what_create_makes_is_right() {
        assert_eq!(findings(|_| {}), [""; 0]);
    }

    #[test]
    fn each_difference_names_what_mends_it() {
        let one = |change: &dyn Fn(&mut BTreeMap<String, Found>), want: &str| {
            let found = findings(change);
            assert!(found.len() == 1 && found[0].contains(want), "{want}: {found:?}");
        };
        one(&|f| drop(f.remove("s.audit")), "shutter topics create --config c.yaml");
        one(&|f| set(f, "s.changelog", "cleanup.policy", "delete"), "--add-config cleanup.policy=compact");
        one(&|f| set(f, "s.case-events", "retention.ms", "604800000"), "--add-config retention.ms=-1");
        one(&|f| set(f, "s.feedback", "message.timestamp.type", "CreateTime"), "message.timestamp.type=LogAppendTime");
        one(&|f| set(f, "s.control", "message.timestamp.type", "CreateTime"), "message.timestamp.type=LogAppendTime");
        one(&|f| f.get_mut("s.changelog").expect("there").partitions = 3, "topics.partitions.work: 3");
        one(&|f| set(f, "s.dead-letters", "max.message.bytes", "1048588"), "--add-config max.message.bytes=");
    }

    #[test]
    fn a_topic_of_someone_elses_may_have_its_own_size_and_retention() {
        let found = findings(|f| {
            set(f, "s.detections.falco", "max.message.bytes", "1048588");
            set(f, "s.detections.falco", "retention.ms", "-1");
            f.get_mut("s.detections.falco").expect("there").partitions = 3;
        });
        assert_eq!(found, [""; 0]);
    }
}
