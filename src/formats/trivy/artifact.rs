//! What was scanned: the resource of every finding in it, and the artifact's part of their identity.

use super::schema::{Metadata, Report, Workload};
use crate::finding::{Attr, Finding};
use crate::formats::json::Text;
use crate::formats::repository::repository_of;

/// One scanned thing.
#[derive(Debug, Default)]
pub(super) struct Artifact {
    kind: String,
    /// Without tag or digest where it is an image; empty where the report doesn't say.
    id: String,
    name: Option<String>,
    account: Option<String>,
    namespace: Option<String>,
    container: Option<String>,
    image: Option<Image>,
    repository: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
}

/// An image reference, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// Registry and path, without tag and digest.
    pub name: String,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Image {
    /// Takes `registry:5000/path:tag@sha256:…` apart.
    pub(super) fn parse(reference: &str) -> Self {
        let (rest, digest) = match reference.trim().split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (reference.trim(), None),
        };
        // A colon after the last slash begins a tag; one before it, a port.
        let path = rest.rfind('/').map_or(0, |at| at + 1);
        let tag = rest.get(path..).and_then(|last| last.find(':')).map(|at| path + at);
        Self { name: rest.get(..tag.unwrap_or(rest.len())).unwrap_or(rest).to_owned(), digest }
    }
}

impl Artifact {
    /// The artifact of a report on one thing. `target` stands in where the report doesn't name it.
    pub(super) fn of_report(report: &Report<'_>) -> Self {
        let kind = report.artifact_type.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("artifact");
        let targets = report.results.iter().flatten();
        let first = targets.filter(|r| r.class.as_deref() == Some("os-pkgs")).find_map(|r| r.target.as_deref());
        let name = report.artifact_name.as_deref().filter(|name| !name.is_empty());
        let name = name.or(first.map(image_of_target)).unwrap_or_default();
        let mut this = Self { kind: kind.to_owned(), id: name.to_owned(), ..Self::default() };
        if kind == "container_image" {
            let image = Image::parse(name);
            this.id.clone_from(&image.name);
            this.name = (image.name != name).then(|| name.to_owned());
            this.image = Some(image);
        }
        if let Some(metadata) = &report.metadata {
            this.add(metadata);
        }
        if this.repository.is_none() {
            this.repository = repository_of(name);
        }
        if let (Some(repository), None) = (&this.repository, &this.image) {
            // `trivy fs .` calls everything `.`, and a checkout has another path on every builder.
            this.id = repository.to_lowercase();
        }
        this
    }

    /// The artifact of one object in a cluster.
    pub(super) fn of_workload(cluster: Option<&Text<'_>>, workload: &Workload<'_>) -> Self {
        let text = |value: &Option<Text<'_>>| value.as_deref().map(str::to_owned).filter(|text| !text.is_empty());
        let namespace = text(&workload.namespace);
        let name = text(&workload.name).unwrap_or_default();
        Self {
            kind: text(&workload.kind).unwrap_or_else(|| "object".to_owned()),
            id: namespace.as_ref().map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}")),
            name: Some(name),
            account: cluster.map(|cluster| cluster.to_string()),
            namespace,
            ..Self::default()
        }
    }

    /// The artifact of one object, as the Trivy operator names it, without what changes at each rollout.
    pub(super) fn of_object(
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        container: Option<&str>,
        image: Option<(String, Option<String>)>,
    ) -> Self {
        let stable = controller(kind, name);
        let within = |name: &str| namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        Self {
            kind: kind.to_owned(),
            id: within(stable),
            name: Some(within(name)),
            namespace: namespace.map(str::to_owned),
            container: container.map(str::to_owned),
            image: image.map(|(name, digest)| Image { name, digest }),
            ..Self::default()
        }
    }

    /// The artifact of a schema 1 result, which names nothing but its target.
    pub(super) fn of_target(target: &str, class: Option<&str>) -> Self {
        let image = image_of_target(target);
        if class.is_none_or(|class| class == "os-pkgs") && image != target {
            let image = Image::parse(image);
            return Self {
                kind: "container_image".into(),
                id: image.name.clone(),
                image: Some(image),
                ..Self::default()
            };
        }
        Self { kind: "artifact".into(), id: target.to_owned(), ..Self::default() }
    }

    fn add(&mut self, metadata: &Metadata<'_>) {
        let text = |value: Option<&Text<'_>>| value.map(|v| v.to_string()).filter(|v| !v.is_empty());
        if let Some(image) = &mut self.image {
            let digests = metadata.repo_digests.iter().flatten();
            image.digest = digests
                .filter_map(|digest| digest.split_once('@'))
                .map(|(_, digest)| digest.to_owned())
                .next()
                .or_else(|| image.digest.take())
                .or_else(|| text(metadata.image_id.as_ref()));
        }
        let labels = metadata.image_config.as_ref().and_then(|c| c.config.as_ref()).and_then(|c| c.labels.as_ref());
        let source = labels.and_then(|labels| labels.get("org.opencontainers.image.source"));
        self.repository = metadata.repo_url.as_ref().or(source).and_then(|url| repository_of(url));
        self.branch = text(metadata.branch.as_ref());
        self.commit = text(metadata.commit.as_ref());
    }

    /// Whether the report says what was scanned.
    pub(super) fn is_named(&self) -> bool {
        !self.id.is_empty()
    }

    /// Its words for people.
    pub(super) fn shown(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.id)
    }

    /// Writes it into a finding, and begins the finding's identity. `image` is the result's own, in a cluster.
    pub(super) fn put(&self, finding: &mut Finding, image: Option<Image>) {
        let resource = &mut finding.resource;
        resource.kind = self.kind.as_str().into();
        resource.id = self.id.as_str().into();
        resource.name = self.name.as_deref().map(Into::into);
        resource.account = self.account.as_deref().map(Into::into);
        resource.repository = self.repository.as_deref().map(Into::into);
        let attributes = &mut finding.attributes;
        if let Some(image) = self.image.as_ref().or(image.as_ref()) {
            attributes.set(Attr::ImageName, &image.name);
            attributes.set_some(Attr::ImageDigest, image.digest.as_deref());
        }
        attributes.set_some(Attr::KubernetesCluster, self.account.as_deref());
        attributes.set_some(Attr::KubernetesNamespace, self.namespace.as_deref());
        attributes.set_some(Attr::ContainerName, self.container.as_deref());
        attributes.set_some(Attr::CodeBranch, self.branch.as_deref());
        attributes.set_some(Attr::CodeCommit, self.commit.as_deref());
        finding.identity.push(("artifact.type", self.kind.clone()));
        finding.identity.push(("artifact", self.id.clone()));
        if let Some(cluster) = &self.account {
            finding.identity.push(("cluster", cluster.clone()));
        }
        if let Some(container) = &self.container {
            finding.identity.push(("container", container.clone()));
        }
        if let (Some(image), Some(_)) = (image, &self.account) {
            finding.identity.push(("image", image.name));
        }
    }
}

/// `alpine:3.9 (alpine 3.9.4)` → `alpine:3.9`; other targets as they are.
pub(super) fn image_of_target(target: &str) -> &str {
    match target.rsplit_once(" (") {
        Some((image, system)) if system.ends_with(')') => image,
        _ => target,
    }
}

/// The name without what a controller puts behind it: a ReplicaSet has its Deployment's and a hash of the template,
/// a Job of a CronJob the minute at which it began.
fn controller<'n>(kind: &str, name: &'n str) -> &'n str {
    let Some((rest, last)) = name.rsplit_once('-') else { return name };
    let hash = (1..=10).contains(&last.len()) && last.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b));
    let minute = (8..=10).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_digit());
    match kind {
        "ReplicaSet" if hash && !rest.is_empty() => rest,
        "Job" if minute && !rest.is_empty() => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_leaves_the_workload() {
        assert_eq!(controller("ReplicaSet", "nginx-deployment-965685897"), "nginx-deployment");
        assert_eq!(controller("ReplicaSet", "nginx"), "nginx");
        assert_eq!(controller("Job", "backup-28391230"), "backup");
        assert_eq!(controller("StatefulSet", "db-2"), "db-2");
    }

    #[test]
    fn an_image_is_taken_apart() {
        let name = |reference: &str| Image::parse(reference).name;
        assert_eq!(name("alpine:3.9"), "alpine");
        assert_eq!(name("registry.local:5000/team/app:1.2"), "registry.local:5000/team/app");
        assert_eq!(name("registry.local:5000/team/app"), "registry.local:5000/team/app");
        let pinned = Image::parse("ghcr.io/a/b:1@sha256:0f");
        assert_eq!((pinned.name.as_str(), pinned.digest.as_deref()), ("ghcr.io/a/b", Some("sha256:0f")));
        assert_eq!(image_of_target("a/b:1 (debian 10.13)"), "a/b:1");
        assert_eq!(image_of_target("app/package-lock.json"), "app/package-lock.json");
    }
}
