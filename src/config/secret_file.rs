//! Secrets in files: the site key and bearer tokens. Only their owner may read the file; an error never
//! holds what was in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Bytes of a site key.
pub const KEY_BYTES: usize = 32;
/// Longest secret file that is read.
const LONGEST: u64 = 4_096;
/// Shortest token that is no joke.
const SHORTEST_TOKEN: usize = 16;

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It can't be read or made.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// It isn't what it should be.
    #[error("{file}: {problem}")]
    Wrong {
        /// The file.
        file: String,
        /// What was found, what was expected, the next step.
        problem: String,
    },
}

impl SecretError {
    fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.display().to_string();
        move |source| Self::Io { file, source }
    }

    fn wrong(file: &Path, problem: impl Into<String>) -> Self {
        Self::Wrong { file: file.display().to_string(), problem: problem.into() }
    }
}

/// The site key: exactly 32 bytes, or 64 hex digits.
pub fn read_key(file: &Path) -> Result<[u8; KEY_BYTES], SecretError> {
    let bytes = read_private(file)?;
    if let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    match hex::decode_to_slice(bytes.trim_ascii(), &mut key) {
        Ok(()) => Ok(key),
        Err(_) => {
            Err(SecretError::wrong(file, format!("{} bytes; expected 32 random bytes or 64 hex digits", bytes.len())))
        }
    }
}

/// The site key, made with fresh randomness if the file isn't there: for the embedded log, which has one instance.
///
/// The file appears whole or not at all, and of two that make it at once, both end up with the same key.
pub fn create_key(file: &Path) -> Result<[u8; KEY_BYTES], SecretError> {
    match read_key(file) {
        Err(SecretError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| SecretError::wrong(file, format!("no randomness to be had: {error}")))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(SecretError::io(folder))?;
    let fresh = folder.join(format!(".{}.{}", file.file_name().unwrap_or_default().display(), std::process::id()));
    let written = write_private(&fresh, &key).and_then(|()| fs::hard_link(&fresh, file));
    // Gone or not, the link is what counts.
    let _leftover = fs::remove_file(&fresh);
    match written {
        Ok(()) => {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(SecretError::io(folder))?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(file),
        Err(error) => Err(SecretError::io(file)(error)),
    }
}

/// A bearer token or password: the first line, without spaces around it.
pub fn read_token(file: &Path) -> Result<String, SecretError> {
    let bytes = read_private(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::wrong(file, "not text; expected a token"))?;
    let token = text.trim();
    if token.len() < SHORTEST_TOKEN || token.contains(char::is_whitespace) {
        let problem = format!("expected one token of at least {SHORTEST_TOKEN} characters without spaces");
        return Err(SecretError::wrong(file, problem));
    }
    Ok(token.to_owned())
}

/// A password that another system chose, so of any length: the file's text without the end of its line.
pub fn read_password(file: &Path) -> Result<String, SecretError> {
    let bytes = read_private(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::wrong(file, "not text; expected a password"))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains(char::is_control) {
        return Err(SecretError::wrong(file, "expected one line with a password"));
    }
    Ok(password.to_owned())
}

/// A secret of bytes, at least `shortest` of them; white space at the end doesn't count.
pub fn read_secret(file: &Path, shortest: usize) -> Result<Vec<u8>, SecretError> {
    let secret = read_private(file)?.trim_ascii_end().to_vec();
    if secret.len() < shortest {
        let problem =
            format!("{} bytes; expected at least {shortest}, such as `openssl rand -hex 32` makes", secret.len());
        return Err(SecretError::wrong(file, problem));
    }
    Ok(secret)
}

fn read_private(file: &Path) -> Result<Vec<u8>, SecretError> {
    let opened = File::open(file).map_err(SecretError::io(file))?;
    let metadata = opened.metadata().map_err(SecretError::io(file))?;
    if !metadata.is_file() && metadata.is_dir() {
        return Err(SecretError::wrong(file, "a folder; expected a file"));
    }
    others_cannot_read(file, &metadata)?;
    let mut bytes = Vec::new();
    opened.take(LONGEST + 1).read_to_end(&mut bytes).map_err(SecretError::io(file))?;
    if bytes.len() as u64 > LONGEST {
        return Err(SecretError::wrong(file, format!("more than {LONGEST} bytes; expected a secret")));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn others_cannot_read(file: &Path, metadata: &fs::Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    // A group may read it: that is how Kubernetes mounts a secret for a user that isn't root.
    if mode & 0o007 != 0 {
        let problem = format!("anybody on this machine can read it (mode {mode:03o}); `chmod 600` it");
        return Err(SecretError::wrong(file, problem));
    }
    Ok(())
}

#[cfg(not(unix))]
fn others_cannot_read(_: &Path, _: &fs::Metadata) -> Result<(), SecretError> {
    Ok(())
}

fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(file)?;
    written.write_all(bytes)?;
    written.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("below/site.key");
        let key = create_key(&file).expect("made");
        assert_eq!(create_key(&file).expect("kept"), key);
        assert_eq!(read_key(&file).expect("read"), key);
        assert_ne!(key, [0; KEY_BYTES]);
        assert_eq!(fs::read_dir(folder.path().join("below")).expect("listed").count(), 1);
        fs::write(&file, hex::encode(key) + "\n").expect("written");
        assert_eq!(read_key(&file).expect("hex too"), key);
        fs::write(&file, b"short and secret").expect("written");
        let error = create_key(&file).expect_err("never overwritten").to_string();
        assert!(error.contains("16 bytes") && !error.contains("secret"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_anybody_reads_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
        let error = read_token(&file).expect_err("anybody reads it").to_string();
        assert!(error.contains("chmod 600") && !error.contains("0123"), "{error}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        assert_eq!(read_token(&file).expect("private"), "0123456789abcdef");
    }
}
