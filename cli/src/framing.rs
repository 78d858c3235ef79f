//! Framing of HTTP/1.1 requests: finds and checks the head of each request on a connection.
//!
//! The HTTP parser of the server hides two things. It drops the fragment of a target, so that `/order#1` would be
//! handled as `/order`. And it accepts a request with both `Content-Length` and `Transfer-Encoding`, which a proxy may
//! frame differently. Bodies are skipped, because they may contain lines that look like request lines.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use httparse::{EMPTY_HEADER, Header, Request, Status};

/// Maximum size of a request's head in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Maximum number of headers, as in the HTTP parser of the server.
const MAX_HEADERS: usize = 100;

/// The heads that were received and not yet handled, in order. True means that the request is acceptable.
#[derive(Debug, Default)]
pub struct Heads(Mutex<VecDeque<bool>>);

impl Heads {
    /// Removes the next head. Returns false if its request must be rejected, also if the framing was ambiguous and the
    /// head is therefore unknown.
    pub fn next_is_acceptable(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or_default()
    }

    fn push(&self, acceptable: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(acceptable);
    }
}

/// The next part of the received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    /// The rest of a body with `Content-Length`, in bytes. Never 0.
    Body(u64),
    ChunkSize,
    /// The rest of a chunk and its line break, in bytes. Never 0.
    Chunk(u64),
    Trailers,
    /// Everything after an ambiguous or invalid part.
    Unknown,
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub struct Framing {
    part: Part,
    /// The head being received, or a line of the chunked encoding.
    buffer: Vec<u8>,
    /// The start of the last line in the buffer.
    line: usize,
    heads: Arc<Heads>,
}

impl Framing {
    /// Starts at the beginning of a connection. Each complete head is added to `heads`.
    pub fn new(heads: Arc<Heads>) -> Self {
        Framing { part: Part::Head, buffer: Vec::new(), line: 0, heads }
    }

    /// Processes received bytes.
    pub fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.part {
                Part::Body(left) => self.skip(bytes, left, Part::Body, Part::Head),
                Part::Chunk(left) => self.skip(bytes, left, Part::Chunk, Part::ChunkSize),
                Part::Head | Part::ChunkSize | Part::Trailers => self.buffer_line(bytes),
                Part::Unknown => return,
            };
        }
    }

    fn skip<'b>(&mut self, bytes: &'b [u8], left: u64, same: fn(u64) -> Part, next: Part) -> &'b [u8] {
        let skipped = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - skipped as u64;
        self.part = if left == 0 { next } else { same(left) };
        &bytes[skipped..]
    }

    /// Buffers bytes up to the end of the line. Returns the rest.
    fn buffer_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |index| index + 1);
        let (line, rest) = bytes.split_at(end);
        self.buffer.extend_from_slice(line);
        if self.buffer.len() > MAX_HEAD_BYTES {
            self.buffer = Vec::new();
            self.part = Part::Unknown;
        } else if line.ends_with(b"\n") {
            self.end_line();
        }
        rest
    }

    fn end_line(&mut self) {
        let is_empty = matches!(&self.buffer[self.line..], b"\n" | b"\r\n");
        // A head ends with an empty line, but empty lines before it are ignored (RFC 9112, section 2.2).
        if self.part == Part::Head && !(is_empty && self.line > 0) {
            if is_empty {
                self.buffer.clear();
            }
            self.line = self.buffer.len();
            return;
        }
        // Not only cleared, so that connections without a request in transfer use no memory.
        let buffer = mem::take(&mut self.buffer);
        self.line = 0;
        self.part = match self.part {
            Part::Head => match parse_head(&buffer) {
                Some((acceptable, body)) => {
                    self.heads.push(acceptable);
                    body
                }
                None => Part::Unknown,
            },
            Part::ChunkSize => parse_chunk_size(&buffer).unwrap_or(Part::Unknown),
            Part::Trailers if is_empty => Part::Head,
            part => part,
        };
    }
}

/// Returns whether a request is acceptable, and the part after its head. Returns `None` if its framing is ambiguous or
/// invalid.
fn parse_head(head: &[u8]) -> Option<(bool, Part)> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    if request.parse(head) != Ok(Status::Complete(head.len())) {
        return None;
    }
    let acceptable = request.path.is_some_and(|target| !target.contains('#'));
    let body = match (values(request.headers, "content-length")?, values(request.headers, "transfer-encoding")?) {
        (None, None) => Part::Head,
        (Some(length), None) if length.iter().all(u8::is_ascii_digit) => {
            match std::str::from_utf8(length).ok()?.parse().ok()? {
                0 => Part::Head,
                length => Part::Body(length),
            }
        }
        (None, Some(encoding)) if encoding.eq_ignore_ascii_case(b"chunked") => Part::ChunkSize,
        _ => return None,
    };
    Some((acceptable, body))
}

/// Returns the value of a header, or `Some(None)` if it is absent. Returns `None` if it is repeated.
#[expect(clippy::option_option, reason = "absent and repeated are different results")]
fn values<'h>(headers: &[Header<'h>], name: &str) -> Option<Option<&'h [u8]>> {
    let mut values = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let value = values.next().map(|header| header.value.trim_ascii());
    values.next().is_none().then_some(value)
}

/// Returns the part after the line with a chunk's size, or `None` if the line is invalid.
fn parse_chunk_size(line: &[u8]) -> Option<Part> {
    let size = std::str::from_utf8(line.split(|byte| *byte == b';').next()?).ok()?.trim_ascii();
    if !size.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match u64::from_str_radix(size, 16).ok()? {
        0 => Some(Part::Trailers),
        size => size.checked_add(2).map(Part::Chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that looks like a request line with a fragment.
    const LURE: &str = "POST /a#b HTTP/1.1\n\n";

    /// Returns whether each request is acceptable, with the bytes received in pieces of the given size.
    fn heads(received: &str, piece: usize) -> Vec<bool> {
        let heads = Arc::new(Heads::default());
        let mut framing = Framing::new(heads.clone());
        received.as_bytes().chunks(piece).for_each(|piece| framing.receive(piece));
        heads.0.lock().expect("a lock").drain(..).collect()
    }

    #[test]
    fn only_a_fragment_in_a_target_is_rejected_however_the_bytes_arrive() {
        let plain = "GET /a?b%23c HTTP/1.1\r\nx: #\r\n\r\n".to_owned();
        let fragment = "GET /a?b#c HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
        let sized = format!("POST /a HTTP/1.1\r\nContent-Length: {}\r\n\r\n{LURE}", LURE.len());
        let empty = "POST /a HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_owned();
        let chunked = format!(
            "POST /a HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n{size:X} ;x=1\r\n{LURE}\r\n{size:x}\r\n{LURE}\r\n\
             0\r\nx: y\r\n\r\n",
            size = LURE.len()
        );
        let lenient = "\r\n\n\r\nGET /a HTTP/1.1\nhost: x\n\n".to_owned();
        for (requests, expected) in [
            (vec![&plain, &fragment, &plain], vec![true, false, true]),
            (vec![&sized, &fragment, &sized], vec![true, false, true]),
            (vec![&chunked, &fragment, &chunked, &plain], vec![true, false, true, true]),
            (vec![&empty, &lenient, &fragment, &lenient], vec![true, true, false, true]),
        ] {
            let received: String = requests.into_iter().map(String::as_str).collect();
            for piece in 1..=received.len() {
                assert_eq!(heads(&received, piece), expected, "{received} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn nothing_is_accepted_after_ambiguous_or_invalid_framing() {
        for framing in [
            "content-length: 2\r\ntransfer-encoding: chunked",
            "content-length: 2\r\ncontent-length: 2",
            "content-length: 2, 2",
            "content-length: +2",
            "content-length:",
            "content-length: 99999999999999999999",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "transfer-encoding: gzip",
            "no header",
        ] {
            let received = format!("POST /a HTTP/1.1\r\n{framing}\r\n\r\n{{}}GET / HTTP/1.1\r\n\r\n");
            assert!(heads(&received, received.len()).is_empty(), "{framing}");
        }
        for size in ["+2", "x", "", "ffffffffffffffff", "10000000000000000"] {
            let received = format!(
                "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{size}\r\n{{}}\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
            );
            assert_eq!(heads(&received, received.len()), [true], "{size}");
        }
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\nGET / HTTP/1.1\r\n\r\n", "x".repeat(MAX_HEAD_BYTES));
        assert!(heads(&long, 4096).is_empty());
    }
}
