//! Gzip, bounded: a small file may not expand without end.
//!
//! Not a bound on memory: what comes out is read as a stream.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;

/// A decompressor that gives up on a bomb: past 64 MiB, what comes out may be at most 400 times what
/// went in (logs of nothing but repeats reach about 200), and never more than 64 GiB.
pub(super) struct Unzipped {
    inner: MultiGzDecoder<Counted>,
    out: u64,
}

const FREE_BYTES: u64 = 64 * 1024 * 1024;
const MOST_BYTES: u64 = 64 * 1024 * 1024 * 1024;
const MOST_TIMES: u64 = 400;

struct Counted {
    inner: Box<dyn BufRead + Send>,
    taken: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.taken += n as u64;
        Ok(n)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.taken += n as u64;
        self.inner.consume(n);
    }
}

impl Unzipped {
    pub(super) fn of(inner: Box<dyn BufRead + Send>) -> Self {
        Self { inner: MultiGzDecoder::new(Counted { inner, taken: 0 }), out: 0 }
    }
}

impl Read for Unzipped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.out += n as u64;
        let most = self.inner.get_ref().taken.saturating_mul(MOST_TIMES).clamp(FREE_BYTES, MOST_BYTES);
        if self.out > most {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "expands to more than {most} bytes, {MOST_TIMES} times its size; unpack it by hand if that is right"
                ),
            ));
        }
        Ok(n)
    }
}
