//! Values that a name, an option, an element or a URL gives away: `password=…`, `--token …`, `<pwd>…</pwd>`,
//! `https://name:…@host`.
//!
//! Not for what is known by its own form (`tokens.rs`).

use super::shapes::{Found, jwt, names_secret, pem};
use super::tokens::token;

/// Longest part of a value that is looked at to tell whether it is a word.
const GLANCE: usize = 64;
/// Longest authority of a URL.
const AUTHORITY: usize = 4_096;
/// Longest user and password that aren't escaped as a URL asks for.
const UNESCAPED: usize = 256;

/// Values that say that there is none.
const EMPTY_WORDS: &[&str] = &["true", "false", "null", "none", "nil", "redacted", "[redacted]", "yes", "no"];

/// Whether a value can be a secret at all, rather than a mask, a reference or a word such as `true`.
pub(super) fn worth_hiding(value: &str) -> bool {
    let masked = |b: u8| matches!(b, b'*' | b'x' | b'X' | b'.' | b'#');
    value.len() >= 3
        && !value.bytes().all(masked)
        && !is_reference(value)
        && !value.starts_with("secret:")
        && !EMPTY_WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// `$DB_PASSWORD`, `${…}`, `$(…)`, `%PASSWORD%`, `%(password)s`, `{{ … }}`, `<password>`, `***`. A `$` alone may begin a
/// password.
fn is_reference(value: &str) -> bool {
    let glance = value.as_bytes().get(..value.len().min(GLANCE)).unwrap_or_default();
    let named = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    match glance {
        [b'<' | b'*', ..] | [b'$', b'{' | b'(', ..] | [b'%', b'(', ..] | [b'{', b'{', ..] => true,
        [b'$', name @ ..] => name.iter().all(named),
        [b'%', ..] => value.ends_with('%'),
        _ => false,
    }
}

/// Where values end. The last unquoted one is remembered: without this, a long `password=$password=$…` would be read
/// to its end from each of its parts.
#[derive(Default)]
pub(super) struct Values {
    from: usize,
    to: usize,
}

impl Values {
    /// The value behind `name=` or `name: ` where the name says that it is a secret. `width` is that of the sign.
    pub fn assigned(&mut self, text: &str, at: usize, width: usize) -> Option<Found> {
        let bytes = text.as_bytes();
        let colon = bytes.get(at) == Some(&b':');
        let name = name_before(text.get(..at)?.trim_end_matches(['"', '\'', '\\', ' ']));
        let in_query = matches!(bytes.get(at.wrapping_sub(name.len() + 1)), Some(b'?' | b'&'));
        let signature = in_query && (name == "sig" || name.to_ascii_lowercase().ends_with("-signature"));
        if !(signature || !name.is_empty() && names_secret(name)) {
            return None;
        }
        let mut start = at + width;
        while matches!(bytes.get(start), Some(b' ' | b'=' | b'>')) {
            start += 1;
        }
        let spaced = start > at + width;
        let escapes = bytes.get(start..)?.iter().take_while(|b| **b == b'\\').count();
        start += escapes;
        // Python writes `u'…'` and `b'…'`.
        if matches!(bytes.get(start..start + 2), Some([b'u' | b'b', b'"' | b'\''])) {
            start += 1;
        }
        let quote = bytes.get(start).copied().filter(|b| matches!(b, b'"' | b'\''));
        if quote.is_some() {
            start += 1;
        }
        if text.get(start..)?.starts_with("-----BEGIN ")
            && let Some(block) = pem(text, start)
        {
            return Some(block);
        }
        let scheme = scheme(text.get(start..)?, name);
        start += scheme;
        let braced = bytes.get(start) == Some(&b'{') && bytes.get(start + 1) != Some(&b'{') && !colon;
        start += usize::from(braced);
        let end = match quote {
            Some(quote) => quoted_end(text, start, quote, escapes),
            None => self.end(text, start),
        };
        let value = text.get(start..end)?;
        // `secret:name` is an ARN and `token: expired` is prose: behind a colon only what looks like no word.
        // The working directory has the name of a password.
        let folder = name.ends_with("PWD") && value.starts_with('/');
        let prose = colon && quote.is_none() && scheme == 0 && !stands_out(name, value, spaced);
        if prose || folder || !worth_hiding(value) {
            return None;
        }
        Some(Found { start, end, kind: kind_of_value(value) })
    }

    fn end(&mut self, text: &str, start: usize) -> usize {
        if !(self.from..self.to).contains(&start) {
            (self.from, self.to) = (start, unquoted_end(text, start));
        }
        without_escape(text, start, self.to)
    }
}

/// `<password>…</password>`, whatever attributes the element has.
pub(super) fn element(text: &str, at: usize) -> Option<Found> {
    let before = text.as_bytes().get(at.saturating_sub(256)..at)?;
    let open = at - before.iter().rev().position(|b| matches!(b, b'<' | b'>')).map(|back| back + 1)?;
    let inside = text.get(open..at)?.strip_prefix('<')?;
    let name = inside.split([' ', '\t', '\n']).next().unwrap_or_default();
    if name.starts_with('/') || inside.ends_with('/') || !names_secret(name) {
        return None;
    }
    let value = text.get(at + 1..)?.split_once('<')?.0;
    worth_hiding(value).then(|| Found { start: at + 1, end: at + 1 + value.len(), kind: kind_of_value(value) })
}

/// The value of an option: `--password hunter2`, `curl -u name:hunter2`, and `Bearer` with its token. `at` is the
/// space before the value.
pub(super) fn option(text: &str, at: usize) -> Option<Found> {
    let before = text.get(..at)?;
    let flag = before.rsplit([' ', '\t']).next()?;
    let start = at + 1;
    let value = || Some((text.get(start..unquoted_end(text, start))?, start));
    let bearer = || flag.eq_ignore_ascii_case("bearer");
    let (secret, start) = if flag.starts_with("--") && flag.len() <= 64 && names_secret(flag) {
        value().filter(|(value, _)| !value.starts_with('-'))?
    } else if flag.len() == 6 && bearer() {
        value().filter(|(value, _)| value.len() >= 16 && wordless(value))?
    } else if flag == "-u" || matches!(flag, "--user" | "--proxy-user") {
        let (pair, start) = value()?;
        let colon = pair.find(':')?;
        let secret = pair.get(colon + 1..)?;
        // `--user 1000:1000` is a user and a group.
        if secret.bytes().all(|b| b.is_ascii_digit()) || flag == "-u" && !lately(before, "curl") {
            return None;
        }
        (secret, start + colon + 1)
    } else if flag == "-p" {
        value().filter(|_| lately(before, "sshpass"))?
    } else if text.get(start..start + 2) == Some("-p") {
        let (attached, start) = value().filter(|(value, _)| value.len() > 4)?;
        if !lately(before, "mysql") && !lately(before, "mariadb") {
            return None;
        }
        (attached.get(2..)?, start + 2)
    } else {
        return None;
    };
    worth_hiding(secret).then(|| Found { start, end: start + secret.len(), kind: kind_of_value(secret) })
}

/// `https://name:secret@host`, or `https://token@host`. `at` is behind the slashes.
pub(super) fn user_info(text: &str, at: usize) -> Option<Found> {
    let rest = crate::limits::cut(text.get(at..)?, AUTHORITY);
    let end = rest.find(['/', '?', '#', ' ', '"', '\'', '<', '>', '\n']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let info = match authority.rfind('@') {
        Some(end) => authority.get(..end)?,
        // No port is written like this: a password with a character that a URL would have to escape.
        None if authority.split_once(':').is_some_and(|(host, port)| is_no_port(host, port)) => {
            let near = crate::limits::cut(rest, UNESCAPED);
            let end = near.find([' ', '"', '\'', '<', '>', '\n']).unwrap_or(near.len());
            let word = near.get(..end)?;
            word.get(..word.rfind('@')?)?
        }
        None => return None,
    };
    let start = match info.find(':') {
        Some(colon) => colon + 1,
        None if info.len() >= 16 && wordless(info) => 0,
        None => return None,
    };
    let secret = info.get(start..)?;
    worth_hiding(secret).then(|| Found { start: at + start, end: at + info.len(), kind: kind_of_value(secret) })
}

fn is_no_port(host: &str, port: &str) -> bool {
    !host.starts_with('[') && !port.is_empty() && !port.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a command's name stands shortly before.
fn lately(before: &str, command: &str) -> bool {
    let near = before.as_bytes().get(before.len().saturating_sub(200)..).unwrap_or_default();
    near.windows(command.len()).any(|window| window == command.as_bytes())
}

fn name_before(text: &str) -> &str {
    let named = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = text.bytes().rev().take(64).take_while(|b| named(b)).count();
    text.get(text.len() - length..).unwrap_or_default()
}

/// Length of `Bearer ` and its like in front of a value.
fn scheme(value: &str, name: &str) -> usize {
    for known in ["Bearer ", "bearer ", "Basic ", "basic ", "token ", "Token ", "SSWS ", "ApiKey "] {
        if value.starts_with(known) {
            return known.len();
        }
    }
    // Whatever the scheme is called, what follows it is the credential.
    let word = value.bytes().take(24).take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
    let ends = value.as_bytes().get(word) == Some(&b' ');
    if ends && word >= 3 && name.to_ascii_lowercase().ends_with("authorization") { word + 1 } else { 0 }
}

/// Whether a value behind a colon looks like no word of a sentence.
fn stands_out(name: &str, value: &str, spaced: bool) -> bool {
    if spaced && wordless(value) {
        return true;
    }
    // `secret:` and `token:` are parts of ARNs and of prose; `password:` hardly.
    let name = name.to_ascii_lowercase();
    let telling = ["password", "passwd", "passphrase", "passcode", "pwd", "cookie"];
    let telling = telling.iter().any(|word| name.ends_with(word));
    let glance = value.as_bytes().get(..value.len().min(GLANCE)).unwrap_or_default();
    let wordlike = |b: &u8| b.is_ascii_alphabetic() || !b.is_ascii() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':');
    telling && value.len() >= 5 && !glance.iter().all(wordlike)
}

fn unquoted_end(text: &str, start: usize) -> usize {
    let ends = |b: u8| {
        matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'&' | b';' | b',' | b')' | b']' | b'}' | b'<')
    };
    let rest = text.get(start..).unwrap_or_default();
    start + rest.bytes().position(ends).unwrap_or(rest.len())
}

/// The end of a quoted value: the first quote that is escaped no deeper than the one that began it.
fn quoted_end(text: &str, start: usize, quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'\\' => backslashes += 1,
            b'\n' => return at,
            _ if byte == quote && (backslashes == 0 || backslashes <= escapes.min(7)) => return at - backslashes,
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// An escaped quote leaves its backslash behind.
fn without_escape(text: &str, start: usize, end: usize) -> usize {
    if text.get(start..end).is_some_and(|value| value.ends_with('\\')) { end - 1 } else { end }
}

/// Letters and digits mixed, eight or more: no word of a sentence.
fn wordless(value: &str) -> bool {
    let glance = value.as_bytes().get(..value.len().min(GLANCE)).unwrap_or_default();
    value.len() >= 8 && glance.iter().any(u8::is_ascii_digit) && glance.iter().any(u8::is_ascii_alphabetic)
}

/// A value behind a name may have a shape of its own; then that is its kind everywhere.
fn kind_of_value(value: &str) -> Option<&'static str> {
    token(value, 0)
        .or_else(|| value.starts_with("eyJ").then(|| jwt(value, 0)).flatten())
        .filter(|found| found.start == 0 && found.end == value.len())
        .and_then(|found| found.kind)
}
