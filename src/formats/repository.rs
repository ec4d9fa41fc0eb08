//! Code repositories in the many ways in which tools name them → `owner/name`. Not for asking whether one exists.

/// `owner/name` of a repository's URL (https, ssh, git, or `git@host:owner/name`); `None` where it is no URL.
///
/// Only the first two steps of the path on GitHub (a link to a file or an alert is its repository's); the
/// whole path elsewhere, because GitLab nests groups.
pub(super) fn repository_of(url: &str) -> Option<String> {
    let url = url.trim();
    if url.len() > crate::limits::FIELD_BYTES {
        return None;
    }
    let (host, path) = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+https" | "git+ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => url.strip_prefix("git@")?.split_once(':')?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let mut steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    if host == "api.github.com" && steps.first() == Some(&"repos") {
        steps.remove(0);
    }
    if host.ends_with("github.com") {
        steps.truncate(2);
    }
    if steps.len() < 2 {
        return None;
    }
    let joined = steps.join("/");
    Some(joined.strip_suffix(".git").unwrap_or(&joined).to_owned())
}

#[cfg(test)]
mod tests {
    use super::repository_of;

    #[test]
    fn repositories_are_known_by_many_names() {
        for url in [
            "https://github.com/acme/shop",
            "https://github.com/acme/shop.git",
            "git@github.com:acme/shop.git",
            "ssh://git@github.com/acme/shop",
            "https://github.com/acme/shop/security/code-scanning/34",
            "https://api.github.com/repos/acme/shop/code-scanning/alerts/34",
        ] {
            assert_eq!(repository_of(url).as_deref(), Some("acme/shop"), "{url}");
        }
        assert_eq!(repository_of("https://gitlab.local/a/b/c.git").as_deref(), Some("a/b/c"));
        for other in ["", ".", "alpine:3.9", "file:///home/a/b", "lib/a.jar", "https://github.com/acme"] {
            assert_eq!(repository_of(other), None, "{other}");
        }
    }
}
