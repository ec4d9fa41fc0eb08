//! Errors of librdkafka, sorted by what must happen next (DESIGN.md, 11).
//!
//! Not for what a commit means: only `producer` knows how far that had come.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::config::ConfigError;
use crate::log::LogError;

impl From<ConfigError> for LogError {
    fn from(error: ConfigError) -> Self {
        Self::Fatal(error.to_string())
    }
}

/// The fate of an error met while `doing` something.
pub(super) fn fate(error: &KafkaError, doing: &str) -> LogError {
    let text = format!("{doing}: {error}");
    match error {
        KafkaError::Transaction(e) if e.is_fatal() => fatal(e.code(), text),
        KafkaError::Transaction(e) if e.txn_requires_abort() => LogError::Abort(text),
        KafkaError::Transaction(e) if e.is_retriable() => LogError::Transient(text),
        KafkaError::Transaction(e) => fatal(e.code(), text),
        KafkaError::MessageConsumptionFatal(code) => fatal(*code, text),
        KafkaError::ClientConfig(_, why, name, _) => LogError::Fatal(format!("{doing}: setting `{name}`: {why}")),
        KafkaError::ClientCreation(_) | KafkaError::AdminOpCreation(_) => LogError::Fatal(text),
        other => match other.rdkafka_error_code() {
            Some(code) if stops(code) => fatal(code, text),
            _ => LogError::Transient(text),
        },
    }
}

/// Fatal, with the next step where one is known.
fn fatal(code: Code, text: String) -> LogError {
    let step = match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId => {
            "; another process works under the same `kafka.instance`, or this one was away longer than \
             `transaction.timeout.ms`: give each process its own instance name, then start again"
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => "; the broker's access rules don't allow it to this user",
        Code::UnsupportedVersion | Code::UnsupportedFeature => "; the brokers must be Kafka 3.6 or newer",
        _ => "",
    };
    LogError::Fatal(format!("{text}{step}"))
}

/// Whether trying again can't help.
fn stops(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::FencedInstanceId
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::InconsistentGroupProtocol
            | Code::MessageSizeTooLarge
            | Code::InvalidTopic
    )
}

/// Whether nobody knows if the broker has done what was asked: no answer came.
pub(super) fn unanswered(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::BrokerTransportFailure
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::AllBrokersDown
            | Code::WaitingForCoordinator
            | Code::DestroyBroker
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fenced_producer_stops_and_a_lost_connection_waits() {
        let fenced = fate(&KafkaError::MessageProduction(Code::Fenced), "sending");
        assert!(matches!(&fenced, LogError::Fatal(text) if text.contains("instance")), "{fenced}");
        let away = fate(&KafkaError::MetadataFetch(Code::BrokerTransportFailure), "looking up ends");
        assert!(matches!(away, LogError::Transient(_)));
    }
}
