//! The finding: one statement by one tool about one resource, in words that no vendor owns.
//!
//! Every format decodes into this and everything after intake reads only this. Not for decoding
//! (`formats/`), nor for what the catalog knows of the resource (`context.rs`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::ids::Fingerprint;
pub use crate::severity::Severity;
use crate::time::EventTime;

/// Declares a closed vocabulary: an enum, its words, and `ALL` for messages and lints.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it in policy, JSON and Avro.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// From its word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <String as ::serde::Deserialize>::deserialize(d)?;
                Self::parse(&word).ok_or_else(|| <D::Error as ::serde::de::Error>::unknown_variant(&word, &[$($word,)+]))
            }
        }
    };
}
pub(crate) use vocabulary;

/// Source of what Shutter itself finds out: by correlation, or of a storm. No source of a configuration is called so.
pub const SHUTTER: &str = "shutter";

vocabulary! {
    /// What kind of exposure a finding speaks of.
    Class {
        /// People, service accounts, roles, their permissions.
        Identity = "identity",
        /// Laptops and servers: malware, integrity, host hardening.
        Endpoint = "endpoint",
        /// How a cloud account or cluster is set up.
        CloudConfiguration = "cloud_configuration",
        /// Source code, pipelines, their controls.
        CodeCicd = "code_cicd",
        /// A third-party application and what it may reach.
        SaasIntegration = "saas_integration",
        /// What a running workload does.
        Runtime = "runtime",
        /// What passes on the wire.
        Network = "network",
        /// A known weakness in a package, image or host.
        Vulnerability = "vulnerability",
        /// A credential where it should not be.
        Secret = "secret",
    }
}

vocabulary! {
    /// What the source says of the finding now. What each is worth: DESIGN.md, 7, rule 1.
    Status {
        /// The exposure is there.
        Open = "open",
        /// The source looked again and found it repaired: evidence.
        Fixed = "fixed",
        /// What it spoke of no longer exists: evidence.
        Gone = "gone",
        /// Somebody at the vendor's console waved it away: proposes an exception.
        Dismissed = "dismissed",
        /// Put out of sight: a claim, nothing more.
        Archived = "archived",
    }
}

vocabulary! {
    /// One way in which a resource is exposed.
    ExposureKind {
        /// Reachable from the internet.
        InternetFacing = "internet_facing",
        /// Holds or grants privileges.
        PrivilegeBearing = "privilege_bearing",
        /// Part of what builds and ships software.
        PipelineAdjacent = "pipeline_adjacent",
        /// Customers use it directly.
        CustomerFacing = "customer_facing",
        /// Holds sensitive or regulated data.
        SensitiveData = "sensitive_data",
    }
}

/// The ways in which a resource is known to be exposed. The empty set is knowledge (`none`);
/// not knowing is `Option::None` around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exposure(u8);

impl Exposure {
    /// Known to be exposed in no way.
    pub const NONE: Self = Self(0);

    /// With one more way.
    #[must_use]
    pub const fn with(self, kind: ExposureKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether this way is in it.
    pub const fn has(self, kind: ExposureKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Either's ways.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Known to be exposed in no way.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Its ways, in the vocabulary's order.
    pub fn kinds(self) -> impl Iterator<Item = ExposureKind> {
        ExposureKind::ALL.iter().copied().filter(move |kind| self.has(*kind))
    }
}

impl FromIterator<ExposureKind> for Exposure {
    fn from_iter<I: IntoIterator<Item = ExposureKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        for (i, kind) in self.kinds().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(kind.as_str())?;
        }
        Ok(())
    }
}

/// As a list of words; the empty list is `none`.
impl Serialize for Exposure {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.kinds().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Exposure {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Vec::<ExposureKind>::deserialize(d)?.into_iter().collect())
    }
}

vocabulary! {
    /// Facts that only some findings have, under the names that policy and mapping files use.
    Attr {
        /// Stable id of a credential (key id, alert number, or the keyed hash of the secret).
        CredentialId = "credential.id",
        /// What sort of credential: `aws_access_key_id`, `github_personal_access_token` …
        CredentialKind = "credential.kind",
        /// `active`, `inactive`, or absent when nobody looked.
        CredentialState = "credential.state",
        /// Whom the credential speaks for.
        CredentialPrincipal = "credential.principal",
        /// Package name within its ecosystem.
        PackageName = "package.name",
        /// Installed version.
        PackageVersion = "package.version",
        /// `npm`, `pip`, `debian` …
        PackageEcosystem = "package.ecosystem",
        /// First version that repairs it.
        PackageFixedIn = "package.fixed_in",
        /// Where the package was found.
        PackagePath = "package.path",
        /// CVE, GHSA or the vendor's id.
        VulnerabilityId = "vulnerability.id",
        /// CVSS base score, as text.
        VulnerabilityScore = "vulnerability.score",
        /// `true` where an exploit is known.
        VulnerabilityExploited = "vulnerability.exploited",
        /// Image repository without tag.
        ImageName = "image.name",
        /// Image digest.
        ImageDigest = "image.digest",
        /// Path of a file.
        FilePath = "file.path",
        /// First line in that file.
        FileLine = "file.line",
        /// Hash of a file.
        FileHash = "file.hash",
        /// Name of a process.
        ProcessName = "process.name",
        /// Path of its executable.
        ProcessExecutable = "process.executable",
        /// Name of the process above it.
        ProcessParent = "process.parent",
        /// Container id.
        ContainerId = "container.id",
        /// Container name.
        ContainerName = "container.name",
        /// Kubernetes namespace.
        KubernetesNamespace = "kubernetes.namespace",
        /// Kubernetes pod.
        KubernetesPod = "kubernetes.pod",
        /// Kubernetes cluster.
        KubernetesCluster = "kubernetes.cluster",
        /// Host name.
        HostName = "host.name",
        /// Host address.
        HostIp = "host.ip",
        /// User name on the host or in the product.
        UserName = "user.name",
        /// Whoever acted: ARN, mail address, login.
        ActorId = "actor.id",
        /// Where traffic came from.
        SourceIp = "source.ip",
        /// Its port.
        SourcePort = "source.port",
        /// Where traffic went.
        DestinationIp = "destination.ip",
        /// Its port.
        DestinationPort = "destination.port",
        /// `tcp`, `udp` …
        NetworkProtocol = "network.protocol",
        /// Domain name in the traffic.
        NetworkDomain = "network.domain",
        /// Control of a benchmark or standard.
        ControlId = "control.id",
        /// Branch or ref.
        CodeBranch = "code.branch",
        /// Commit.
        CodeCommit = "code.commit",
        /// Pull request number.
        CodePullRequest = "code.pull_request",
        /// Third-party application's id.
        AppId = "app.id",
        /// Third-party application's name.
        AppName = "app.name",
        /// Scopes it was granted, sorted, separated by spaces.
        AppScopes = "app.scopes",
        /// Who publishes it.
        AppPublisher = "app.publisher",
        /// `admin`, `write`, `read` …
        PermissionLevel = "permission.level",
        /// Tool that made the finding, where a source carries several.
        ToolName = "tool.name",
        /// MITRE ATT&CK technique ids, sorted, separated by spaces.
        MitreTechnique = "mitre.technique",
        /// The vendor's own id of the finding.
        VendorId = "vendor.id",
        /// Wazuh or Suricata rule groups, sorted, separated by spaces.
        RuleGroups = "rule.groups",
    }
}

impl Attr {
    /// Whether the same finding may carry another value tomorrow; such a field can't group cases.
    pub const fn may_change(self) -> bool {
        matches!(
            self,
            Self::CredentialState
                | Self::PackageVersion
                | Self::PackageFixedIn
                | Self::VulnerabilityScore
                | Self::VulnerabilityExploited
                | Self::FileLine
                | Self::CodeCommit
                | Self::AppScopes
                | Self::PermissionLevel
                | Self::ContainerId
                | Self::KubernetesPod
                | Self::ImageDigest
                | Self::SourcePort
        )
    }

    /// Whether a change of it is worth a new decision (part of the change hash).
    pub const fn decides(self) -> bool {
        matches!(
            self,
            Self::CredentialState
                | Self::PackageFixedIn
                | Self::VulnerabilityExploited
                | Self::AppScopes
                | Self::PermissionLevel
        )
    }
}

/// The attributes of one finding: sorted, bounded by the vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<Attr, SmolStr>);

impl Attributes {
    /// Sets one, unless the value is empty. Its length is bounded when the finding is handed in
    /// (`formats/collect.rs`): half a secret, cut here, would no longer be recognised there.
    pub fn set(&mut self, attr: Attr, value: impl AsRef<str>) {
        let value = value.as_ref().trim();
        if !value.is_empty() {
            self.0.insert(attr, value.into());
        }
    }

    /// Replaces the values for which `change` has another.
    pub fn rewrite(&mut self, change: impl Fn(&str) -> Option<SmolStr>) {
        for value in self.0.values_mut() {
            if let Some(other) = change(value) {
                *value = other;
            }
        }
    }

    /// Sets one where the source has it.
    pub fn set_some(&mut self, attr: Attr, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.set(attr, value);
        }
    }

    /// Its value, where known.
    pub fn get(&self, attr: Attr) -> Option<&str> {
        self.0.get(&attr).map(SmolStr::as_str)
    }

    /// Takes one out.
    pub fn remove(&mut self, attr: Attr) {
        self.0.remove(&attr);
    }

    /// All of them in the vocabulary's order.
    pub fn iter(&self) -> impl Iterator<Item = (Attr, &str)> {
        self.0.iter().map(|(attr, value)| (*attr, value.as_str()))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter().map(|(attr, value)| (attr.as_str(), value)))
    }
}

/// Names that this version doesn't know (a newer writer's) are left out, not an error.
impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, SmolStr>::deserialize(d)?;
        Ok(Self(named.into_iter().filter_map(|(name, value)| Attr::parse(&name).map(|attr| (attr, value))).collect()))
    }
}

/// What a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The source's word for its kind: `AwsS3Bucket`, `container`, `repository` …
    #[serde(rename = "type")]
    pub kind: SmolStr,
    /// Id, unique within account and region: an ARN, an image, a path in a repository.
    pub id: SmolStr,
    /// A name for people.
    pub name: Option<SmolStr>,
    /// Cloud account, subscription, project, tenant, organisation.
    pub account: Option<SmolStr>,
    /// Region.
    pub region: Option<SmolStr>,
    /// Code repository, `owner/name`.
    pub repository: Option<SmolStr>,
    /// Tags and labels that the source carries, bounded.
    pub tags: BTreeMap<SmolStr, SmolStr>,
}

/// Where a record came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Topic, or the file of a replay.
    pub topic: SmolStr,
    /// Partition.
    pub partition: i32,
    /// Offset, or the 0-based number of the record in a file.
    pub offset: i64,
    /// Number of the finding within the record.
    pub index: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// One statement by one tool about one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Equal for every repeat. Filled by [`crate::intake`] from `identity`.
    pub fingerprint: Fingerprint,
    /// Name of the source: the topic `detections.<source>` or the path of POST /v1/detections/{source}.
    pub source: SmolStr,
    /// Format it was decoded from.
    pub format: SmolStr,
    /// Kind of exposure.
    pub class: Class,
    /// The source's stable name or id of the rule, check or CVE that matched.
    pub rule: SmolStr,
    /// One line for people. Never identity: vendors reword it.
    pub title: String,
    /// What it is about.
    pub resource: Resource,
    /// `prod`, `staging`, `dev` … as the source says; unknown = `None`.
    pub environment: Option<SmolStr>,
    /// How bad the source says it is; `None` = it doesn't say.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// 0–100, how sure the source is.
    pub confidence: Option<u8>,
    /// As the source says; `None` = unknown, the empty set = known to be none.
    pub exposure: Option<Exposure>,
    /// What the source says of it now.
    pub status: Status,
    /// When the source saw this state.
    pub observed_at: EventTime,
    /// When the source first saw the exposure; the exposure clock starts here.
    pub detected_at: EventTime,
    /// What the source says to do about it.
    pub recommended_action: Option<String>,
    /// Links a person can follow.
    pub evidence: Vec<String>,
    /// Facts that only some findings have.
    pub attributes: Attributes,
    /// Where it came from.
    pub position: Position,
    /// Names and values that make the fingerprint, in the format's order; emptied once hashed.
    #[serde(skip)]
    pub identity: Vec<(&'static str, String)>,
}

impl Finding {
    /// A finding with nothing known but what every finding must have.
    pub fn new(format: &'static str, class: Class, rule: impl AsRef<str>, observed_at: EventTime) -> Self {
        Self {
            fingerprint: Fingerprint::default(),
            source: SmolStr::default(),
            format: SmolStr::new_static(format),
            class,
            rule: rule.as_ref().into(),
            title: String::new(),
            resource: Resource::default(),
            environment: None,
            severity: None,
            confidence: None,
            exposure: None,
            status: Status::Open,
            observed_at,
            detected_at: observed_at,
            recommended_action: None,
            evidence: Vec::new(),
            attributes: Attributes::default(),
            position: Position::default(),
            identity: Vec::new(),
        }
    }

    /// When the source first saw it, where it says so: never later than what it saw now.
    pub fn first_seen(&mut self, at: Option<EventTime>) {
        self.detected_at = at.unwrap_or(self.observed_at).min(self.observed_at);
    }

    /// Hash over what the vendor says that matters to a decision: same fingerprint and same change
    /// hash = a repeat. What a catalog adds is not in it (PROTOCOL.md, 4). Confidence counts in steps of ten: a playbook
    /// may ask for it, but a detector's jitter is no news.
    pub fn change_hash(&self) -> u64 {
        let mut id =
            crate::ids::Identity::of("change").text(Severity::word_of(self.severity)).text(self.status.as_str());
        id = match self.exposure {
            None => id.text("?"),
            Some(exposure) => id.text(&exposure.to_string()),
        };
        id = id.text(self.environment.as_deref().unwrap_or("?"));
        id = match self.confidence {
            None => id.text("?"),
            Some(confidence) => id.text(&(confidence / 10).to_string()),
        };
        for (attr, value) in self.attributes.iter().filter(|(attr, _)| attr.decides()) {
            id = id.named(attr.as_str(), value);
        }
        u64::from_be_bytes(*id.finish().first_chunk::<8>().expect("16 bytes hold 8"))
    }
}
