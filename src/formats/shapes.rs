//! What credentials look like: prefixes that vendors publish, PEM blocks, JWTs, assignments, user info in URLs.
//!
//! Written by hand and linear in the text. Not for hashing them (`redact.rs`), nor for finding every
//! secret there is: this is the last net behind formats that name their secrets.

/// A credential in a text: bytes `start..end`. `kind` is `None` for a value known only by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub kind: Option<&'static str>,
}

/// Which bytes a token's body may hold.
#[derive(Clone, Copy)]
enum Body {
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
}

impl Body {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Dashed => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
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
    ("xoxb-", Body::Dashed, 10, "slack_token"),
    ("xoxp-", Body::Dashed, 10, "slack_token"),
    ("xoxa-", Body::Dashed, 10, "slack_token"),
    ("xoxr-", Body::Dashed, 10, "slack_token"),
    ("xoxs-", Body::Dashed, 10, "slack_token"),
    ("xoxe.", Body::Dotted, 10, "slack_token"),
    ("xoxe-", Body::Dashed, 10, "slack_token"),
    ("xapp-", Body::Dashed, 10, "slack_token"),
    ("sk_live_", Body::Alnum, 10, "stripe_key"),
    ("sk_test_", Body::Alnum, 10, "stripe_key"),
    ("rk_live_", Body::Alnum, 10, "stripe_key"),
    ("rk_test_", Body::Alnum, 10, "stripe_key"),
    ("whsec_", Body::Alnum, 16, "stripe_webhook_secret"),
    ("sk-ant-", Body::Dashed, 20, "anthropic_key"),
    ("sk-proj-", Body::Dashed, 20, "openai_key"),
    ("npm_", Body::Alnum, 30, "npm_token"),
    ("pypi-AgE", Body::Dashed, 30, "pypi_token"),
    ("dop_v1_", Body::Alnum, 40, "digitalocean_token"),
    ("dckr_pat_", Body::Dashed, 20, "docker_token"),
    ("hvs.", Body::Dashed, 20, "vault_token"),
    ("hf_", Body::Alnum, 30, "huggingface_token"),
    ("shpat_", Body::Alnum, 30, "shopify_token"),
    ("SG.", Body::Dotted, 40, "sendgrid_key"),
    ("AGE-SECRET-KEY-1", Body::Upper, 40, "age_key"),
];

/// Last parts of names whose value is a secret, in lower case without `_`, `-`, `.` and spaces.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "accountkey",
    "sharedaccesskey",
    "authkey",
    "credential",
    "credentials",
    "authorization",
];

/// The kind of a text that is one credential from its first to its last byte.
pub(super) fn kind_of(text: &str) -> Option<&'static str> {
    match Credentials::of(text).next() {
        Some(found) if found.start == 0 && found.end == text.len() => found.kind,
        _ => None,
    }
}

/// Whether a name says that its value is a secret: `db_password`, `apiKey`, `AWS_SECRET_ACCESS_KEY`.
pub(super) fn names_secret(name: &str) -> bool {
    // Only the end of a name counts (`password_policy` holds none), and the longest of the list has 15 letters.
    let tail: Vec<u8> = name
        .bytes()
        .rev()
        .filter(|b| !matches!(b, b'_' | b'-' | b'.' | b' '))
        .map(|b| b.to_ascii_lowercase())
        .take(16)
        .collect();
    SECRET_NAMES.iter().any(|word| {
        tail.len() >= word.len() && word.bytes().rev().zip(&tail).all(|(a, b)| a == *b)
            // `compass=` and `bypass=` are no passwords.
            && (*word != "pass" || tail.len() == 4 || name.len() > 4 && is_break(name, name.len() - 4))
    })
}

/// Whether a value can be a secret at all, rather than a mask, a reference or a word such as `true`.
pub(super) fn worth_hiding(value: &str) -> bool {
    let value = value.trim();
    let masked = value.bytes().filter(|b| matches!(b, b'*' | b'x' | b'X' | b'.' | b'#')).count();
    value.len() >= 3
        && masked < value.len()
        && !value.starts_with(['$', '<', '*', '%', '{'])
        && !value.starts_with("secret:")
        && !["true", "false", "null", "none", "nil", "redacted", "[redacted]", "yes", "no"]
            .contains(&value.to_ascii_lowercase().as_str())
}

/// The credentials of a text, one after the other.
pub(super) struct Credentials<'t> {
    text: &'t str,
    at: usize,
    /// No JWT begins before here: what is being read has been found to end without a full stop. Without this,
    /// a long `eyJ-eyJ-eyJ-…` would be read to its end from each of its parts.
    no_jwt_before: usize,
}

impl<'t> Credentials<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, at: 0, no_jwt_before: 0 }
    }

    fn jwt(&mut self, at: usize) -> Option<Found> {
        if at < self.no_jwt_before || !self.text.get(at..)?.starts_with("eyJ") {
            return None;
        }
        let found = jwt(self.text, at);
        if found.is_none() {
            self.no_jwt_before = run(self.text, at, Body::Dashed);
        }
        found
    }
}

impl Iterator for Credentials<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        let mut previous = self.at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        while let Some(byte) = bytes.get(self.at).copied() {
            let at = self.at;
            let rest = bytes.get(at..).unwrap_or_default();
            let found = match byte {
                b'-' if rest.starts_with(b"-----BEGIN ") => pem(text, at),
                b'=' | b':' => assigned(text, at),
                b'/' if rest.starts_with(b"//") && previous == b':' => user_info(text, at + 2),
                b' ' => after_word(text, at),
                _ if byte.is_ascii_alphanumeric() && !previous.is_ascii_alphanumeric() => {
                    self.jwt(at).or_else(|| token(text, at))
                }
                _ => None,
            };
            if let Some(found) = found {
                self.at = found.end.max(at + 1);
                return Some(found);
            }
            previous = byte;
            self.at += 1;
        }
        None
    }
}

fn is_break(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied().unwrap_or(b' ');
    let here = bytes.get(at).copied().unwrap_or(b' ');
    !before.is_ascii_alphanumeric() || before.is_ascii_lowercase() && here.is_ascii_uppercase()
}

fn run(text: &str, from: usize, body: Body) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| body.holds(**b)).count()
}

fn token(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let first = rest.bytes().next()?;
    for (prefix, body, least, kind) in TOKENS {
        if prefix.as_bytes().first() != Some(&first) || !rest.starts_with(prefix) {
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
    aws_secret(text, at)
}

fn continues(text: &str, end: usize) -> bool {
    text.as_bytes().get(end).is_some_and(|b| b.is_ascii_alphanumeric())
}

/// `header.payload.signature`, each base64url; header and payload begin with `{"`.
fn jwt(text: &str, at: usize) -> Option<Found> {
    let header = run(text, at, Body::Dashed);
    let payload_at = header + 1;
    if text.as_bytes().get(header) != Some(&b'.') || !text.get(payload_at..)?.starts_with("eyJ") {
        return None;
    }
    let payload = run(text, payload_at, Body::Dashed);
    let end = match text.as_bytes().get(payload) {
        Some(b'.') => run(text, payload + 1, Body::Dashed),
        _ => payload,
    };
    Some(Found { start: at, end, kind: Some("jwt") })
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

/// From `-----BEGIN … PRIVATE KEY` to its end line, or to the end of the text where that was cut off.
fn pem(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let label = rest.get("-----BEGIN ".len()..)?;
    let label = label.get(..label.find("-----")?)?;
    if label.len() > 64 || !label.contains("PRIVATE KEY") {
        return None;
    }
    let end = match rest.find("-----END ") {
        Some(last) => {
            let tail = rest.get(last + "-----END ".len()..)?;
            let close = tail.find("-----").map_or(tail.len(), |i| i + 5);
            at + last + "-----END ".len() + close
        }
        None => text.len(),
    };
    Some(Found { start: at, end, kind: Some("private_key") })
}

/// The value behind `name=` or `name: ` where the name says that it is a secret.
fn assigned(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let colon = bytes.get(at) == Some(&b':');
    let name_end = text.get(..at)?.trim_end_matches(['"', '\'', '\\', ' ']).len();
    let name_len = bytes
        .get(..name_end)?
        .iter()
        .rev()
        .take(64)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        .count();
    let name = text.get(name_end - name_len..name_end)?;
    if name.is_empty() || !names_secret(name) {
        return None;
    }
    let mut start = at + 1;
    while matches!(bytes.get(start), Some(b' ' | b'=' | b'>')) {
        start += 1;
    }
    let spaced = start > at + 1;
    while bytes.get(start) == Some(&b'\\') {
        start += 1;
    }
    let quote = bytes.get(start).copied().filter(|b| matches!(b, b'"' | b'\''));
    if quote.is_some() {
        start += 1;
    }
    let mut schemed = false;
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic ", "token "] {
        if text.get(start..).is_some_and(|rest| rest.starts_with(scheme)) {
            start += scheme.len();
            schemed = true;
        }
    }
    let end = value_end(text, start, quote);
    let value = text.get(start..end)?;
    // `secret:name` is an ARN and `token: expired` is prose: behind a colon only what looks like no word.
    let prose = colon && quote.is_none() && !schemed && (!spaced || !wordless(value));
    if prose || !worth_hiding(value) {
        return None;
    }
    Some(Found { start, end, kind: kind_of_value(value) })
}

/// `--password hunter2`, and `Bearer` with its token.
fn after_word(text: &str, at: usize) -> Option<Found> {
    let before = text.get(..at)?;
    let flag = before.rsplit([' ', '\t']).next()?;
    let end = value_end(text, at + 1, None);
    let value = text.get(at + 1..end)?;
    let bearer = flag.eq_ignore_ascii_case("bearer") && value.len() >= 16 && wordless(value);
    let named = flag.len() <= 64 && flag.starts_with("--") && names_secret(flag) && !value.starts_with('-');
    ((bearer || named) && worth_hiding(value)).then(|| Found { start: at + 1, end, kind: kind_of_value(value) })
}

/// `https://name:secret@host`, or `https://token@host`. `at` is behind the slashes.
fn user_info(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let end = rest.find(['/', '?', '#', ' ', '"', '\'', '<', '>', '\n']).unwrap_or(rest.len());
    let info = crate::limits::cut(rest.get(..end)?, 4_096);
    let info = info.get(..info.rfind('@')?)?;
    let start = match info.find(':') {
        Some(colon) => colon + 1,
        None if info.len() >= 16 && wordless(info) => 0,
        None => return None,
    };
    let secret = info.get(start..)?;
    worth_hiding(secret).then(|| Found { start: at + start, end: at + info.len(), kind: kind_of_value(secret) })
}

fn value_end(text: &str, start: usize, quote: Option<u8>) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let length = match quote {
        Some(quote) => rest.bytes().position(|b| b == quote || b == b'\n'),
        None => rest.bytes().position(|b| {
            matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'&' | b';' | b',' | b')' | b']' | b'}' | b'<')
        }),
    };
    let end = start + length.unwrap_or(rest.len());
    // An escaped quote leaves its backslash behind.
    if text.get(start..end).is_some_and(|value| value.ends_with('\\')) { end - 1 } else { end }
}

/// Letters and digits mixed, eight or more: no word of a sentence.
fn wordless(value: &str) -> bool {
    value.len() >= 8 && value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A value behind a name may have a shape of its own; then that is its kind everywhere.
fn kind_of_value(value: &str) -> Option<&'static str> {
    token(value, 0)
        .or_else(|| value.starts_with("eyJ").then(|| jwt(value, 0)).flatten())
        .filter(|found| found.start == 0 && found.end == value.len())
        .and_then(|found| found.kind)
}
