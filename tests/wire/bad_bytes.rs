//! Whatever bytes come: an error, never a panic, a hang or a large allocation.

use proptest::prelude::*;
use shutter::wire::{Codec, DeadLetter, Feedback, WireError, WireRecord};

use crate::samples::{Full, Numbers, for_each_record, sample};

fn mutated<T: WireRecord>(numbers: &[u16]) {
    let codec = Codec::default();
    let mut bytes = codec.encode(&sample::<T>(&mut Numbers(numbers, 0))).expect("written");
    for pair in numbers.chunks_exact(2).take(6) {
        // The head stays, else most changes would only meet the fingerprint.
        let at = 10 + usize::from(pair[0]) % (bytes.len() - 9);
        match pair[1] % 4 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), pair[1].to_be_bytes()[1]),
            2 => bytes.splice(at.min(bytes.len()).., [0xFF; 9]).for_each(drop),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = pair[1].to_be_bytes()[1];
                }
            }
        }
        if bytes.len() <= 10 {
            break;
        }
    }
    // Any answer but a panic.
    let _read = codec.decode::<T>(&bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn changed_bytes_never_panic(numbers in prop::collection::vec(any::<u16>(), 12..200)) {
        for_each_record!(mutated, &numbers);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fn read<T: WireRecord>(bytes: &[u8]) {
            let _read = Codec::default().decode::<T>(bytes);
        }
        for_each_record!(read, &bytes);
    }
}

fn cut_short<T: WireRecord>() {
    let bytes = Codec::default().encode(&sample::<T>(&mut Full)).expect("written");
    for length in 0..bytes.len() {
        assert!(Codec::default().decode::<T>(&bytes[..length]).is_err(), "{} of {}", length, T::schemas().record);
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    let error = Codec::default().decode::<T>(&longer).map(drop).expect_err("a byte too many");
    assert!(matches!(error, WireError::Trailing { count: 1, .. }), "{error}");
}

#[test]
fn a_record_cut_anywhere_or_with_something_behind_it_is_refused() {
    for_each_record!(cut_short);
}

/// A feedback record whose `id`, the first field, is this.
fn with_id(id: &[u8]) -> Vec<u8> {
    let feedback: Feedback = sample(&mut Full);
    let bytes = Codec::default().encode(&feedback).expect("written");
    let old = feedback.id.len() + 1;
    [&bytes[..10], id, &bytes[10 + old..]].concat()
}

#[test]
fn lengths_that_lie_are_refused() {
    let giant = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let negative = [0x07];
    let endless = [0xFF; 11];
    for (name, id) in [("giant", giant.as_slice()), ("negative", &negative), ("endless", &endless)] {
        let error = Codec::default().decode::<Feedback>(&with_id(id)).expect_err(name);
        assert!(matches!(error, WireError::Malformed { encoding: "Avro", .. }), "{name}: {error}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let error = Codec::default().decode::<Feedback>(&with_id(&[4, 0xC0, 0xAF])).expect_err("not UTF-8").to_string();
    assert!(error.to_lowercase().contains("utf"), "{error}");
    let error = Codec::default().decode::<Feedback>(b"{\"skipped\": \"\xC0\xAF\"}").expect_err("not UTF-8");
    assert!(matches!(error, WireError::Malformed { encoding: "JSON", .. }), "{error}");
}

#[test]
fn a_long_array_of_nothing_ends() {
    // `observed` as a map of 2^62 entries, of which none follows.
    let feedback =
        Feedback { observed: Default::default(), evidence: Vec::new(), exception: None, ..sample(&mut Full) };
    let mut bytes = Codec::default().encode(&feedback).expect("written");
    assert_eq!(bytes.split_off(bytes.len() - 3), [0, 0, 0]);
    bytes.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    assert!(Codec::default().decode::<Feedback>(&bytes).is_err());
}

#[test]
fn deep_json_is_refused() {
    let deep = format!("{{\"id\": {}", "[".repeat(100_000));
    assert!(Codec::default().decode::<Feedback>(deep.as_bytes()).is_err());
}

#[test]
fn what_is_not_framed_says_what_was_expected() {
    for bytes in [b"".as_slice(), b"\xC3\x01\x02", b"\x00\x00", b"[1]", b"\"text\"", b"<xml/>"] {
        let error = Codec::default().decode::<Feedback>(bytes).expect_err("no framing").to_string();
        assert!(error.contains("schemas/feedback.avsc") && error.contains("JSON object"), "{error}");
    }
    let error = Codec::default().decode::<DeadLetter>(b"{}").expect_err("never JSON").to_string();
    assert!(!error.contains("JSON"), "{error}");
    let error = Codec::default().decode::<Feedback>(&[0, 0, 0, 0, 9, 1]).expect_err("no registry").to_string();
    assert!(error.contains("id 9") && error.contains("schema_registry.url"), "{error}");
}
