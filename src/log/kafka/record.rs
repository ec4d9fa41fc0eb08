//! Messages of librdkafka as records, and records as messages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::log::{Header, Record, Send, TopicPartition};
use crate::time::WallTime;

/// A record out of a message, read from this partition.
pub(super) fn record_of(message: &BorrowedMessage<'_>, from: &TopicPartition) -> Record {
    Record {
        from: from.clone(),
        offset: message.offset(),
        timestamp: WallTime::from_millis(message.timestamp().to_millis().unwrap_or_default()),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map(headers_of).unwrap_or_default(),
    }
}

/// Bytes that count against a batch's bound.
pub(super) fn size_of(record: &Record) -> usize {
    record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len)
}

fn headers_of(headers: &BorrowedHeaders) -> Vec<Header> {
    (0..headers.count())
        .filter_map(|i| {
            // The crate panics on a header whose name is not UTF-8, and names come from outside.
            match catch_unwind(AssertUnwindSafe(|| {
                headers.try_get(i).map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec()))
            })) {
                Ok(header) => header,
                Err(_) => Some(("(name is not UTF-8)".to_owned(), Vec::new())),
            }
        })
        .collect()
}

/// What the producer wants for a record.
pub(super) fn message_of(record: &Send) -> BaseRecord<'_, [u8], [u8]> {
    let mut message = BaseRecord::to(&record.to.topic).partition(record.to.partition).key(record.key.as_slice());
    if let Some(value) = &record.value {
        message = message.payload(value.as_slice());
    }
    if !record.headers.is_empty() {
        let headers =
            record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, (k, v)| {
                all.insert(KafkaHeader { key: k, value: Some(v.as_slice()) })
            });
        message = message.headers(headers);
    }
    message
}
