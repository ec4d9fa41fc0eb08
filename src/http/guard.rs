//! Who is let in, how many may wait, and how long a request may take.
//!
//! With a token, whoever brings it. Without one the address is this machine's, and its programs are let in, but not
//! the pages that its browser shows: a page of any site can send requests to 127.0.0.1, and a name that its owner
//! points there makes the answers readable to it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Problem;
use super::server::Http;

/// Requests that may wait for a record at once. Each holds a thread that appends need, too.
const WAITING: usize = 64;

/// Asks for the token; without one, that no web page sent the request.
pub(super) async fn let_in(State(http): State<Arc<Http>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let refused = match &http.token {
        Some(token) => (!brings(headers, token)).then(|| {
            let message = "send the header `Authorization: Bearer <token>`";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        }),
        None => foreign(headers).map(|why| {
            let message = format!(
                "{why}; without a token only programs of this machine are let in, no pages of its browser. Set \
                 `http.token_file`, or ask 127.0.0.1 by its address"
            );
            Problem::new(StatusCode::FORBIDDEN, "foreign", message)
        }),
    };
    match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// Gives up on a client that doesn't get on with its body, and on whatever else takes longer.
pub(super) async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("the request took longer than {} s", within.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message).into_response()
        }
    }
}

/// Room for requests that wait for a record.
#[derive(Debug)]
pub struct Waiting(Semaphore);

impl Default for Waiting {
    fn default() -> Self {
        Self(Semaphore::const_new(WAITING))
    }
}

impl Waiting {
    /// Room for one, while it is held; none is needed by who doesn't wait.
    pub(super) fn room(&self, wait: Duration) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        if wait.is_zero() {
            return Ok(None);
        }
        self.0.try_acquire().map(Some).map_err(|_| {
            let message = format!("{WAITING} requests are waiting already; ask without `wait_ms`, or later");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_waiting", message)
        })
    }
}

fn brings(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.split_once(' '));
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case("bearer") && same(given.trim_start().as_bytes(), token.as_bytes())
    })
}

/// In a time that depends on neither's content.
fn same(a: &[u8], b: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    let differences = Sha256::digest(a).iter().zip(Sha256::digest(b)).fold(0u8, |all, (x, y)| all | (x ^ y));
    differences == 0
}

/// Why a request comes from no program of this machine.
fn foreign(headers: &HeaderMap) -> Option<String> {
    let text = |name: header::HeaderName| headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let host = text(header::HOST);
    if let Some(host) = host.as_deref().filter(|host| !is_here(host)) {
        return Some(format!("the request is for the host `{}`", crate::limits::cut(host, 64)));
    }
    let origin = text(header::ORIGIN)?;
    let own = host.is_some_and(|host| origin.strip_prefix("http://") == Some(host.as_str()));
    (!own).then(|| format!("the request comes from a page of `{}`", crate::limits::cut(&origin, 64)))
}

/// Whether a `Host` names this machine itself.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_own_names_are_its_own() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.0.0.2", "[::1]:8080", "[::1]"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "10.0.0.1", "[::2]:80", ""]
        {
            assert!(!is_here(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_foreign_and_tokens_are_compared_whole() {
        let headers = |named: &[(&'static str, &str)]| -> HeaderMap {
            named.iter().map(|(n, v)| (header::HeaderName::from_static(n), v.parse().expect("a value"))).collect()
        };
        assert_eq!(foreign(&headers(&[("host", "127.0.0.1:8080")])), None);
        assert_eq!(foreign(&headers(&[("host", "localhost:1"), ("origin", "http://localhost:1")])), None);
        for origin in ["https://evil.example", "null", "http://localhost:2", "http://localhost:1.evil.example"] {
            assert!(foreign(&headers(&[("host", "localhost:1"), ("origin", origin)])).is_some(), "{origin}");
        }
        assert!(brings(&headers(&[("authorization", "bearer abc")]), "abc"));
        for given in ["Bearer ab", "Bearer abcd", "abc", "Basic abc", "Bearer"] {
            assert!(!brings(&headers(&[("authorization", given)]), "abc"), "{given}");
        }
    }
}
