//! Finds where one JSON value ends and the next begins, by brackets and quotes alone.
//!
//! Not a parser: what is between is passed on as it stands, however broken, and never by recursion.

use std::io::{self, BufRead};

use super::{Taken, keep};

/// Cuts a stream of JSON values, or one array of them, into its records.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing seen but white space.
    #[default]
    Start,
    /// Values one after another.
    Values,
    /// Elements of one array.
    Elements,
}

impl Splitter {
    /// Whether records are the elements of one array.
    pub(super) fn in_array(&self) -> bool {
        self.state == State::Elements
    }

    /// Takes the next value into `into`.
    pub(super) fn next(&mut self, reader: &mut dyn BufRead, into: &mut Vec<u8>) -> io::Result<Taken> {
        let mut taken = Taken::default();
        let mut scan = Scan::default();
        loop {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(taken);
            }
            let mut used = 0;
            let mut from = 0;
            let mut ended = false;
            for byte in buffer {
                used += 1;
                let line = u64::from(*byte == b'\n');
                if !scan.begun && self.is_between(*byte) {
                    from = used;
                    taken.bytes += 1;
                    taken.lines_before += line;
                    continue;
                }
                match scan.step(*byte, self.in_array()) {
                    Step::Inside => taken.lines += line,
                    Step::Ended => {
                        ended = true;
                        break;
                    }
                    Step::EndedBefore => {
                        used -= 1;
                        ended = true;
                        break;
                    }
                }
            }
            keep(into, buffer.get(from..used).unwrap_or_default(), &mut taken);
            reader.consume(used);
            if ended {
                return Ok(taken);
            }
        }
    }

    /// Whether this byte stands between records; learns from the first one what the stream is.
    fn is_between(&mut self, byte: u8) -> bool {
        if byte.is_ascii_whitespace() {
            return true;
        }
        match self.state {
            State::Start => {
                self.state = if byte == b'[' { State::Elements } else { State::Values };
                self.state == State::Elements
            }
            State::Values => false,
            State::Elements => matches!(byte, b',' | b']'),
        }
    }
}

#[derive(Debug, Default)]
struct Scan {
    begun: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
    scalar: bool,
}

enum Step {
    Inside,
    Ended,
    EndedBefore,
}

impl Scan {
    fn step(&mut self, byte: u8, in_array: bool) -> Step {
        let first = !self.begun;
        self.begun = true;
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                if self.depth == 0 {
                    return Step::Ended;
                }
            }
            return Step::Inside;
        }
        match byte {
            b'"' if self.scalar => Step::Inside,
            b'"' => {
                self.in_string = true;
                Step::Inside
            }
            b'{' | b'[' => {
                self.depth += 1;
                Step::Inside
            }
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 { Step::Ended } else { Step::Inside }
            }
            _ if self.depth > 0 => Step::Inside,
            // A number, a word, or rubbish: up to the next white space or comma.
            _ if first => {
                self.scalar = true;
                Step::Inside
            }
            b',' | b']' if in_array => Step::EndedBefore,
            _ if byte.is_ascii_whitespace() => Step::EndedBefore,
            _ => Step::Inside,
        }
    }
}
