//! Tokens: credentials that are known by a prefix that their vendor publishes, or by their own form.
//!
//! Not for values known by the name in front of them (`assigned.rs`).

use super::shapes::Found;

/// Which bytes a token's body may hold.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// `A-Z0-9`
    Upper,
    /// `A-Za-z0-9`
    Alnum,
    /// `A-Za-z0-9_`
    Word,
    /// `A-Za-z0-9_-`
    Dashed,
    /// `A-Za-z0-9_.-`
    Dotted,
    /// `A-Za-z0-9+/=`, and the `%` of what a URL makes of these
    Base64,
}

impl Body {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Dashed => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'%' | b'_' | b'-'),
        }
    }
}

/// Prefix, body, least length of the body, kind.
type Token = (&'static str, Body, usize, &'static str);

/// Tokens that begin with a published prefix.
const TOKENS: &[Token] = &[
    ("AKIA", Body::Upper, 16, "aws_access_key_id"),
    ("ASIA", Body::Upper, 16, "aws_access_key_id"),
    ("ABIA", Body::Upper, 16, "aws_access_key_id"),
    ("ACCA", Body::Upper, 16, "aws_access_key_id"),
    ("IQoJb3JpZ2lu", Body::Base64, 60, "aws_session_token"),
    ("FwoGZXIvYXdz", Body::Base64, 60, "aws_session_token"),
    ("ABSK", Body::Base64, 100, "aws_bedrock_key"),
    ("AIza", Body::Dashed, 30, "google_api_key"),
    ("GOCSPX-", Body::Dashed, 20, "google_oauth_secret"),
    ("ya29.", Body::Dashed, 20, "google_oauth_token"),
    ("1//0", Body::Dashed, 30, "google_refresh_token"),
    ("ghp_", Body::Alnum, 20, "github_personal_access_token"),
    ("gho_", Body::Alnum, 20, "github_oauth_token"),
    ("ghu_", Body::Alnum, 20, "github_app_token"),
    ("ghs_", Body::Alnum, 20, "github_app_token"),
    ("ghr_", Body::Alnum, 20, "github_refresh_token"),
    ("github_pat_", Body::Word, 20, "github_personal_access_token"),
    ("glpat-", Body::Dotted, 16, "gitlab_token"),
    ("gldt-", Body::Dashed, 16, "gitlab_token"),
    ("glrt-", Body::Dotted, 16, "gitlab_token"),
    ("glptt-", Body::Dashed, 16, "gitlab_token"),
    ("glcbt-", Body::Dashed, 16, "gitlab_token"),
    ("glsoat-", Body::Dashed, 16, "gitlab_token"),
    ("glft-", Body::Dashed, 16, "gitlab_token"),
    ("glffct-", Body::Dashed, 16, "gitlab_token"),
    ("glimt-", Body::Dashed, 16, "gitlab_token"),
    ("glagent-", Body::Dashed, 16, "gitlab_token"),
    ("gloas-", Body::Dashed, 16, "gitlab_token"),
    ("xoxb-", Body::Dashed, 10, "slack_token"),
    ("xoxp-", Body::Dashed, 10, "slack_token"),
    ("xoxa-", Body::Dashed, 10, "slack_token"),
    ("xoxr-", Body::Dashed, 10, "slack_token"),
    ("xoxs-", Body::Dashed, 10, "slack_token"),
    ("xoxe.", Body::Dotted, 10, "slack_token"),
    ("xoxe-", Body::Dashed, 10, "slack_token"),
    ("xoxc-", Body::Dashed, 10, "slack_token"),
    ("xoxd-", Body::Base64, 10, "slack_token"),
    ("xwfp-", Body::Dashed, 10, "slack_token"),
    ("xapp-", Body::Dashed, 10, "slack_token"),
    ("sk_live_", Body::Alnum, 10, "stripe_key"),
    ("sk_test_", Body::Alnum, 10, "stripe_key"),
    ("rk_live_", Body::Alnum, 10, "stripe_key"),
    ("rk_test_", Body::Alnum, 10, "stripe_key"),
    ("sk_org_", Body::Word, 10, "stripe_key"),
    ("whsec_", Body::Base64, 16, "stripe_webhook_secret"),
    ("sk-ant-", Body::Dashed, 20, "anthropic_key"),
    ("sk-proj-", Body::Dashed, 20, "openai_key"),
    ("sk-svcacct-", Body::Dashed, 20, "openai_key"),
    ("sk-admin-", Body::Dashed, 20, "openai_key"),
    ("sk-", Body::Alnum, 40, "openai_key"),
    ("npm_", Body::Alnum, 30, "npm_token"),
    ("pypi-AgE", Body::Dashed, 30, "pypi_token"),
    ("rubygems_", Body::Alnum, 40, "rubygems_token"),
    ("dop_v1_", Body::Alnum, 40, "digitalocean_token"),
    ("doo_v1_", Body::Alnum, 40, "digitalocean_token"),
    ("dor_v1_", Body::Alnum, 40, "digitalocean_token"),
    ("dckr_pat_", Body::Dashed, 20, "docker_token"),
    ("dckr_oat_", Body::Dashed, 20, "docker_token"),
    ("hvs.", Body::Dashed, 20, "vault_token"),
    ("hvb.", Body::Dashed, 20, "vault_token"),
    ("hvr.", Body::Dashed, 20, "vault_token"),
    ("hf_", Body::Alnum, 30, "huggingface_token"),
    ("shpat_", Body::Alnum, 30, "shopify_token"),
    ("shpss_", Body::Alnum, 30, "shopify_token"),
    ("shppa_", Body::Alnum, 30, "shopify_token"),
    ("shpca_", Body::Alnum, 30, "shopify_token"),
    ("ATATT3", Body::Base64, 60, "atlassian_token"),
    ("ATCTT3", Body::Base64, 60, "atlassian_token"),
    ("ATBB", Body::Alnum, 24, "bitbucket_token"),
    ("dapi", Body::Alnum, 32, "databricks_token"),
    ("NRAK-", Body::Alnum, 20, "new_relic_key"),
    ("PMAK-", Body::Dashed, 30, "postman_key"),
    ("lin_api_", Body::Alnum, 30, "linear_key"),
    ("glsa_", Body::Word, 32, "grafana_token"),
    ("sntrys_", Body::Base64, 40, "sentry_token"),
    ("sntryu_", Body::Alnum, 40, "sentry_token"),
    ("pscale_tkn_", Body::Dotted, 30, "planetscale_token"),
    ("pscale_pw_", Body::Dotted, 30, "planetscale_password"),
    ("key-", Body::Alnum, 32, "mailgun_key"),
    ("SG.", Body::Dotted, 40, "sendgrid_key"),
    ("AGE-SECRET-KEY-1", Body::Upper, 40, "age_key"),
];

/// By the first two bytes of a word, whether any prefix of [`TOKENS`] begins so: most words end here.
#[allow(clippy::indexing_slicing, reason = "computed by the compiler, which would refuse an index out of bounds")]
static BEGINNINGS: [bool; 128 * 128] = {
    let mut all = [false; 128 * 128];
    let mut next = 0;
    while next < TOKENS.len() {
        let prefix = TOKENS[next].0.as_bytes();
        all[prefix[0] as usize * 128 + prefix[1] as usize] = true;
        next += 1;
    }
    all
};

fn begins_as_known(word: &[u8]) -> bool {
    match word {
        [first, second, ..] if first.is_ascii() && second.is_ascii() => {
            BEGINNINGS.get(usize::from(*first) * 128 + usize::from(*second)).copied().unwrap_or_default()
        }
        _ => false,
    }
}

/// The token that begins at `at`, where one does.
pub(super) fn token(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let known = begins_as_known(rest.as_bytes());
    for (prefix, body, least, kind) in TOKENS.iter().filter(|_| known) {
        if !rest.starts_with(prefix) {
            continue;
        }
        let start_of_body = at + prefix.len();
        let mut end = run(text, start_of_body, *body);
        // A sentence may end behind a token whose body could hold the full stop.
        while matches!(body, Body::Dotted) && text.as_bytes().get(end - 1) == Some(&b'.') {
            end -= 1;
        }
        let exact = *kind != "aws_access_key_id" || (end - start_of_body == 16 && !continues(text, end));
        if end - start_of_body >= *least && exact {
            return Some(Found { start: at, end, kind: Some(kind) });
        }
    }
    if rest.starts_with("hooks.slack.com/services/") {
        let start = at + "hooks.slack.com/services/".len();
        let end = start + text.get(start..)?.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'/').count();
        return (end - start >= 20).then_some(Found { start, end, kind: Some("slack_webhook") });
    }
    azure(text, at).or_else(|| terraform(text, at)).or_else(|| aws_secret(text, at))
}

fn continues(text: &str, end: usize) -> bool {
    text.as_bytes().get(end).is_some_and(|b| b.is_ascii_alphanumeric())
}

/// An Entra client secret (`Abc8Q~…`), or a key of 64 bytes that carries its service's mark.
fn azure(text: &str, at: usize) -> Option<Found> {
    let rest = text.as_bytes().get(at..)?;
    let secret = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'~' | b'.' | b'-');
    if rest.get(3).is_some_and(u8::is_ascii_digit) && rest.get(4..6) == Some(b"Q~".as_slice()) {
        let length = rest.iter().take_while(|b| secret(b)).take(41).count();
        let length = length - rest.get(..length)?.iter().rev().take_while(|b| **b == b'.').count();
        return (37..=40).contains(&length).then(|| Found {
            start: at,
            end: at + length,
            kind: Some("azure_client_secret"),
        });
    }
    let marked = rest.get(76..80).is_some_and(|m| [b"+ASt", b"+ABa", b"+AMC", b"ACDb"].iter().any(|known| *known == m));
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let whole = marked && rest.get(..86)?.iter().all(base64) && rest.get(86..88) == Some(b"==".as_slice());
    whole.then_some(Found { start: at, end: at + 88, kind: Some("azure_account_key") })
}

/// `<14 characters>.atlasv1.<60 and more>`
fn terraform(text: &str, at: usize) -> Option<Found> {
    let body = at + 14 + ".atlasv1.".len();
    if text.as_bytes().get(at + 14..body) != Some(b".atlasv1.".as_slice()) {
        return None;
    }
    let named = text.as_bytes().get(at..at + 14)?.iter().all(u8::is_ascii_alphanumeric);
    let end = run(text, body, Body::Dashed);
    (named && end - body >= 60).then_some(Found { start: at, end, kind: Some("terraform_token") })
}

/// Forty base64 characters that change their sort so often that they are no word, path or hex digest.
fn aws_secret(text: &str, at: usize) -> Option<Found> {
    let holds = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let rest = text.as_bytes().get(at..)?;
    let candidate = rest.get(..40)?;
    // `+` and `/` belong to the alphabet, so a run that began with one starts before `at`: still 40 to the end.
    let before = at.checked_sub(1).and_then(|i| text.as_bytes().get(i));
    let start =
        if before.is_some_and(|b| matches!(b, b'+' | b'/')) && !candidate.iter().all(holds) { at - 1 } else { at };
    let candidate = text.as_bytes().get(start..start + 40)?;
    if !candidate.iter().all(holds) || text.as_bytes().get(start + 40).is_some_and(|b| holds(b) || *b == b'=') {
        return None;
    }
    let sort = |b: &u8| match b {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let changes = candidate.windows(2).filter(|pair| matches!(pair, [a, b] if sort(a) != sort(b))).count();
    let has = |wanted: u8| candidate.iter().any(|b| sort(b) == wanted);
    (changes >= 14 && has(0) && has(1) && has(2)).then_some(Found {
        start,
        end: start + 40,
        kind: Some("aws_secret_access_key"),
    })
}

/// Where a run of such bytes ends that begins at `from`.
pub(super) fn run(text: &str, from: usize, body: Body) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| body.holds(**b)).count()
}
