//! Identities: 128-bit hashes of typed, length-prefixed fields, and the partition that a key belongs to.
//!
//! Not for choosing which fields make an identity: each format and the policy's `group` rules do that.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// Part of every identity hash. Raising it is a migration (PROTOCOL.md, 4).
pub const KEY_VERSION: u32 = 1;

/// Hashes typed fields so that no two different field lists can give the same bytes.
///
/// Each field is its tag byte, its length as u32 big-endian, then its bytes; the first is the domain
/// (`"case"`, `"finding"` …) with [`KEY_VERSION`], so that hashes of different kinds never meet.
#[derive(Clone)]
pub struct Identity(Sha256);

impl Identity {
    /// Starts the identity of one kind of thing.
    pub fn of(domain: &str) -> Self {
        let mut this = Self(Sha256::new());
        this.field(b'v', &KEY_VERSION.to_be_bytes());
        this.field(b'd', domain.as_bytes());
        this
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        self.field(b't', value.as_bytes());
        self
    }

    /// Adds a text under a name, so that fields can't trade places.
    #[must_use]
    pub fn named(mut self, name: &str, value: &str) -> Self {
        self.field(b'n', name.as_bytes());
        self.field(b't', value.as_bytes());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, value: i64) -> Self {
        self.field(b'i', &value.to_be_bytes());
        self
    }

    /// Adds raw bytes.
    #[must_use]
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.field(b'b', value);
        self
    }

    /// The first 128 bits of the SHA-256.
    pub fn finish(self) -> [u8; 16] {
        let full: [u8; 32] = self.0.finalize().into();
        let mut cut = [0; 16];
        cut.copy_from_slice(full.first_chunk::<16>().expect("32 bytes hold 16"));
        cut
    }

    fn field(&mut self, tag: u8, value: &[u8]) {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.0.update([tag]);
        self.0.update(length.to_be_bytes());
        self.0.update(value);
    }
}

/// A text that is not 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an identity; expected 32 hex digits")]
pub struct NotAnIdentity(String);

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// From 32 hex digits.
            pub fn parse(text: &str) -> Result<Self, NotAnIdentity> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAnIdentity(text.chars().take(64).collect()))?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Always 32 hex digits, so that responders in any language can copy it.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&hex::encode(self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

identity! {
    /// Identity of a finding; equal for every repeat of it.
    Fingerprint
}

identity! {
    /// Identity of a case: (tenant, key version, grouping key).
    CaseUid
}

/// How often a case has been opened: 1, then +1 at each reopening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The one function that says which of `partitions` a key belongs to; never Kafka's default partitioner.
///
/// The key is a hash already, so its first eight bytes are spread evenly.
pub fn partition_of(key: &[u8; 16], partitions: u32) -> i32 {
    let head = u64::from_be_bytes(*key.first_chunk::<8>().expect("16 bytes hold 8"));
    let chosen = head % u64::from(partitions.max(1));
    i32::try_from(chosen).expect("a partition count fits an i32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_run_into_each_other() {
        let one = Identity::of("x").text("ab").text("c").finish();
        let other = Identity::of("x").text("a").text("bc").finish();
        assert_ne!(one, other);
        assert_ne!(Identity::of("x").finish(), Identity::of("y").finish());
    }

    #[test]
    fn an_identity_survives_its_text() {
        let uid = CaseUid(Identity::of("case").text("a").finish());
        assert_eq!(CaseUid::parse(&uid.to_string()), Ok(uid));
        assert!(CaseUid::parse("zz").is_err());
    }
}
