//! Identity fields → fingerprint. One function for all formats; which fields, each format says itself.

use crate::finding::Finding;
use crate::ids::{Fingerprint, Identity};

/// The identity of a finding: tenant, format, class and the format's identity fields, each under its name.
///
/// The source is not in it: the same scanner on another topic, or replayed from a file, says the same thing.
pub fn fingerprint(tenant: &str, finding: &Finding) -> Fingerprint {
    let mut id = Identity::of("finding")
        .named("tenant", tenant)
        .named("format", &finding.format)
        .named("class", finding.class.as_str());
    for (name, value) in &finding.identity {
        id = id.named(name, value);
    }
    Fingerprint(id.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Class;
    use crate::time::EventTime;

    #[test]
    fn tenant_class_and_every_field_count() {
        let mut finding = Finding::new("falco", Class::Runtime, "r", EventTime::from_millis(0));
        finding.identity = vec![("a", "x".into()), ("b", "y".into())];
        let base = fingerprint("acme", &finding);
        assert_ne!(base, fingerprint("other", &finding));
        let mut swapped = finding.clone();
        swapped.identity = vec![("a", "y".into()), ("b", "x".into())];
        assert_ne!(base, fingerprint("acme", &swapped));
        finding.title = "reworded".into();
        finding.observed_at = EventTime::from_millis(9);
        assert_eq!(base, fingerprint("acme", &finding));
    }
}
