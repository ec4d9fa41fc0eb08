//! Every bound in one place, each with its reason. What comes from outside is checked against one
//! of these before it is allocated or kept.

/// Longest single field of a finding, in bytes: the longest ARN is 2 048, an OAuth scope list is near it.
pub const FIELD_BYTES: usize = 2_048;
/// Longest title or recommended action: a paragraph. Longer is prose that nobody reads on a phone.
pub const PROSE_BYTES: usize = 1_024;
/// Longest next step of a bottleneck that a source's advice gives: two lines on a phone, or one in a table.
pub const STEP_BYTES: usize = 240;
/// Evidence links per finding: the first few are what a person opens.
pub const EVIDENCE_LINKS: usize = 8;
/// Tags per resource: AWS allows 50, Kubernetes objects rarely carry more.
pub const TAGS: usize = 64;
/// Largest raw record that is decoded; a full Trivy or SARIF report of a monorepo is about 8 MiB.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;
/// Findings taken from one record; a report beyond it is rejected whole, not cut.
pub const FINDINGS_PER_RECORD: usize = 50_000;
/// Bytes of all findings of one record together, before each is cut to its bounds: a long text that thousands of
/// findings share is copied into each.
pub const FINDINGS_BYTES: usize = 16 * RECORD_BYTES;
/// Resources that one finding of ASFF or OCSF may name: ASFF allows 32, and each may become a finding of its own.
pub const RESOURCES_PER_FINDING: usize = 1_000;
/// Items looked at of a list that says what a finding is: types, labels, references. Real ones have a dozen.
pub const LIST_ITEMS: usize = 256;
/// Longest text that can be a word of a vocabulary, or a number.
pub const WORD_BYTES: usize = 64;
/// Levels of nesting accepted in JSON: serde_json's own bound.
pub const JSON_DEPTH: usize = 128;
/// Open findings listed in one case; beyond it they are counted only.
pub const FINDINGS_PER_CASE: usize = 10_000;
/// Findings shown in a case view or ticket.
pub const FINDINGS_SHOWN: usize = 20;
/// Timeline entries kept in a case view; the audit topic has all of them.
pub const TIMELINE_SHOWN: usize = 50;
/// Feedback ids remembered per case, so that a repeat of one is known; older ones fall to the audit topic.
pub const FEEDBACK_REMEMBERED: usize = 256;
/// Commands kept per case; beyond it the oldest requests for an answer that is there make room.
pub const COMMANDS_PER_CASE: usize = 64;
/// Persons and bots that one generation of a case remembers as its fixers; beyond it nobody new may claim a repair.
pub const FIXERS_PER_CASE: usize = 64;
/// Grants that one budget may have within its window: they are one record. A limit beyond it limits nothing.
pub const BUDGET_GRANTS: u32 = 5_000;
/// Instants that one correlation window keeps: they are one record. A condition that asks for more could never be met.
pub const WINDOW_ENTRIES: usize = 2_000;
/// Cases that one correlation window names; beyond it the one that was seen longest ago makes room.
pub const WINDOW_MEMBERS: usize = 100;
/// Correlation windows of one partition: about 60 MiB. Beyond it the one that would be forgotten first makes room.
pub const WINDOWS: usize = 100_000;
/// Episodes of one correlation window that can still be told apart; it takes late events to have more than one.
pub const WINDOW_EPISODES: usize = 16;
/// Cases that an incident takes in; beyond it they stay by themselves.
pub const CHILDREN: usize = 200;
/// New cases within a storm's window that are counted: they are one record.
pub const STORM_OPENINGS: u32 = 5_000;
/// Reopenings of a case that are remembered; a policy may call at most this many flapping.
pub const REOPENINGS: usize = 1_000;
/// Longest exception in days: somebody looks again once a year at least. It can be renewed.
pub const EXCEPTION_DAYS: i64 = 366;
/// Exceptions granted beyond one case, and revocations of such, that are known: every decision may look at all of them.
pub const GRANTS: usize = 2_000;
/// Renewals of one exception that are kept; beyond it the oldest make room.
pub const RENEWALS: usize = 32;
/// Times in one generation for which clocks stood still that are kept for its figures; beyond it the oldest make room.
pub const PAUSES: usize = 32;
/// Longest reason or comment in feedback.
pub const REASON_BYTES: usize = 2_048;
/// Largest feedback that is read: with every field at its own bound it stays below.
pub const FEEDBACK_BYTES: usize = 256 * 1024;
/// Longest id, command id or digest in feedback: a UUID has 36, a SHA-256 64.
pub const FEEDBACK_ID_BYTES: usize = 128;
/// Fields that one verification may report.
pub const OBSERVED_FIELDS: usize = 32;
/// Most bytes of an input's headers that a dead letter repeats; beyond it the letter goes by reference.
pub const DEAD_LETTER_HEADER_BYTES: usize = 16 * 1024;
/// Largest YAML file that is read: policy, catalog, configuration, mapping. 100 000 catalog entries are about 12 MiB.
pub const YAML_BYTES: usize = 32 * 1024 * 1024;
/// Idempotency keys that the embedded log remembers: a client that retries does so within minutes.
pub const IDEMPOTENCY_KEYS: u64 = 100_000;
/// Levels of lists and mappings in a policy or catalog; a `match` as deep as it may be takes 30. In a debug build 60 levels fill a stack of 2 MiB.
pub const YAML_DEPTH: usize = 32;
/// Values in one file of a policy or catalog: 100 000 catalog entries are about a million.
pub const YAML_NODES: usize = 2_000_000;
/// Files of one policy or catalog, and their bytes together: a bundle goes over a topic as one record.
pub const RULE_FILES: usize = 1_000;
/// Longest text of a template: what a ticket says is a page.
pub const TEMPLATE_BYTES: usize = 16 * 1024;
/// Longest text that a template may become: with every field at its bound it is cut here.
pub const TICKET_BYTES: usize = 32 * 1024;
/// Bytes of all files of one policy or catalog together.
pub const RULE_BYTES: usize = 16 * 1024 * 1024;
/// Rules of one kind in a policy; each finding may look at all of them.
pub const RULES: usize = 2_000;
/// Levels of `any`, `all` and `not` in one `match`; deeper can't be read aloud.
pub const MATCH_DEPTH: usize = 12;
/// Conditions in one `match`, list items included.
pub const MATCH_NODES: usize = 1_000;
/// Errors told of one policy or catalog; who mends these sees the next.
pub const DIAGNOSTICS: usize = 200;
/// Largest single text or byte string that a length in Avro data may ask for: a dead letter holds a record whole, and some room.
pub const AVRO_VALUE_BYTES: usize = 2 * RECORD_BYTES;
/// Types in a schema from a registry, references followed: ours have a few hundred.
pub const SCHEMA_NODES: usize = 4_096;
/// Levels of records in such a schema: ours have four.
pub const SCHEMA_DEPTH: usize = 32;
/// Largest answer of a Schema Registry: our largest schema is about 40 KiB.
pub const REGISTRY_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// Schema ids remembered per instance, known and unknown ones each; a sender's invented ids can't fill memory.
pub const REGISTRY_IDS: usize = 1_024;

/// The longest start of `text` that is at most `bytes` long and ends between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aäb", 2), "a");
        assert_eq!(cut("aäb", 3), "aä");
        assert_eq!(cut("short", 99), "short");
    }
}
