//! Request headers as text, and request bodies: size limit, content encoding and media type.

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    io::{self, Read as _},
};

use flate2::read::MultiGzDecoder;
use lambda_http::{Request, http::HeaderMap};
use punchcard_models::{
    access::Denied,
    fault::{Fault, FaultKind},
};

use crate::error::Error;

/// Maximum body size in bytes. For a compressed body, the limit applies before and after decompression.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// A header whose value is not valid UTF-8. Displayed as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtf8 {
    /// The header's name.
    pub header: &'static str,
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The header {} is not valid UTF-8", self.header)
    }
}

impl StdError for NotUtf8 {}

impl From<NotUtf8> for Error {
    fn from(not_utf8: NotUtf8) -> Self {
        Error::invalid(&not_utf8.to_string())
    }
}

impl From<NotUtf8> for Denied {
    fn from(_: NotUtf8) -> Self {
        Denied::NotUtf8
    }
}

/// Returns a header's value, or `None` if the header is absent.
pub(crate) fn header<'r>(headers: &'r HeaderMap, name: &'static str) -> Result<Option<&'r str>, NotUtf8> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| NotUtf8 { header: name });
    headers.get(name).map(|value| text(value.as_bytes())).transpose()
}

/// Returns the decompressed body, which must be of the media type `essence`.
///
/// The contract fixes the order of the checks: 413, then 415, then 400.
pub(crate) fn read<'r>(request: &'r Request, essence: &str) -> Result<Cow<'r, [u8]>, Error> {
    let decoded = decode(request)?;
    let content_type = header(request.headers(), "content-type").map_err(|_| Error::UnsupportedMediaType)?;
    let sent_as = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !sent_as.eq_ignore_ascii_case(essence) {
        return Err(Error::UnsupportedMediaType);
    }
    decoded.map_err(|_| Error::Invalid(vec![not_gzip()]))
}

/// Returns the decompressed body, or `None` if it is too large or cannot be decompressed.
pub(crate) fn decoded(request: &Request) -> Option<Cow<'_, [u8]>> {
    decode(request).ok()?.ok()
}

/// Decompresses the body. That it is not gzip is an error of its own, because it is reported last.
fn decode(request: &Request) -> Result<io::Result<Cow<'_, [u8]>>, Error> {
    let sent = &**request.body();
    if sent.len() > MAX_BODY_BYTES {
        return Err(Error::BodyTooLarge);
    }
    match encoding(request.headers())? {
        Encoding::Identity => Ok(Ok(Cow::Borrowed(sent))),
        Encoding::Gzip => match gunzip(sent) {
            Ok(body) if body.len() > MAX_BODY_BYTES => Err(Error::BodyTooLarge),
            decoded => Ok(decoded.map(Cow::Owned)),
        },
    }
}

enum Encoding {
    Identity,
    Gzip,
}

/// Determines the encoding from all `Content-Encoding` headers. A body that is encoded twice is not supported.
fn encoding(headers: &HeaderMap) -> Result<Encoding, Error> {
    let mut found = Encoding::Identity;
    for value in headers.get_all("content-encoding") {
        let codings = std::str::from_utf8(value.as_bytes()).map_err(|_| Error::UnsupportedEncoding)?;
        for coding in codings.split(',').map(str::trim).filter(|coding| !coding.is_empty()) {
            // RFC 9110, 8.4.1.3: x-gzip is equivalent to gzip.
            let is_gzip = ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name));
            match found {
                _ if coding.eq_ignore_ascii_case("identity") => {}
                Encoding::Identity if is_gzip => found = Encoding::Gzip,
                Encoding::Identity | Encoding::Gzip => return Err(Error::UnsupportedEncoding),
            }
        }
    }
    Ok(found)
}

/// Decompresses up to one byte past the limit, which is enough to detect an oversized body.
fn gunzip(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut body = Vec::new();
    MultiGzDecoder::new(compressed).take(limit).read_to_end(&mut body)?;
    Ok(body)
}

fn not_gzip() -> Fault {
    Fault { pointer: String::new(), kind: FaultKind::Malformed, message: "the body is not valid gzip".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use lambda_http::{Body, http};

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).expect("written to memory");
        encoder.finish().expect("written to memory")
    }

    fn outcome(encodings: &[&[u8]], content_type: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut request = http::Request::builder().header("content-type", content_type);
        for encoding in encodings {
            request = request.header("content-encoding", *encoding);
        }
        let request = request.body(Body::Binary(body)).expect("a request");
        read(&request, "application/json").map(Cow::into_owned).map_err(|error| match error {
            Error::Invalid(faults) => faults[0].message.clone(),
            error => format!("{error:?}"),
        })
    }

    fn decoded(encodings: &[&[u8]], body: Vec<u8>) -> Result<Vec<u8>, String> {
        outcome(encodings, "application/json", body)
    }

    #[test]
    fn gzip_and_no_encoding_are_supported() {
        let plain = b"{\"a\":1}".to_vec();
        for none in [&[][..], &[&b""[..]], &[b"identity"], &[b"Identity, identity"]] {
            assert_eq!(decoded(none, plain.clone()), Ok(plain.clone()));
        }
        for name in [&[&b"gzip"[..]][..], &[b"GZIP"], &[b"x-gzip"], &[b" gzip "], &[b"identity", b"gzip"]] {
            assert_eq!(decoded(name, gzip(&plain)), Ok(plain.clone()));
        }
        // A stream may have several members (RFC 1952, 2.2).
        assert_eq!(decoded(&[b"gzip"], [gzip(b"{\"a\""), gzip(b":1}")].concat()), Ok(plain));
    }

    #[test]
    fn other_encodings_are_not_supported() {
        for names in
            [&[&b"br"[..]][..], &[b"deflate"], &[b"zstd"], &[b"gzip, gzip"], &[b"gzip", b"br"], &[b"gz\xffip"], &[b"*"]]
        {
            assert_eq!(decoded(names, gzip(b"{}")), Err("UnsupportedEncoding".to_owned()), "{names:?}");
        }
    }

    #[test]
    fn a_body_that_is_not_gzip_is_named() {
        let whole = gzip(b"{\"a\":1}");
        let mut corrupt = whole.clone();
        let checksum = corrupt.len() - 8;
        corrupt[checksum] ^= 1;
        for body in [Vec::new(), b"{}".to_vec(), whole[..whole.len() - 1].to_vec(), corrupt, [&*whole, b"x"].concat()] {
            assert_eq!(decoded(&[b"gzip"], body), Err("the body is not valid gzip".to_owned()));
        }
    }

    #[test]
    fn the_limit_counts_decompressed_bytes() {
        let longest = vec![b' '; MAX_BODY_BYTES];
        assert_eq!(decoded(&[b"gzip"], gzip(&longest)), Ok(longest));
        let too_large = || Err("BodyTooLarge".to_owned());
        assert_eq!(decoded(&[b"gzip"], gzip(&vec![b' '; MAX_BODY_BYTES + 1])), too_large());
        // 64 MiB in 64 KiB: decompression ends at the limit, before the missing end of the stream is noticed.
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < MAX_BODY_BYTES);
        assert_eq!(decoded(&[b"gzip"], bomb[..bomb.len() / 2].to_vec()), too_large());
        assert_eq!(decoded(&[], vec![b' '; MAX_BODY_BYTES + 1]), too_large());
    }

    #[test]
    fn size_is_checked_before_the_media_type_and_gzip_after_it() {
        let outcome = |body| outcome(&[b"gzip"], "text/plain", body);
        assert_eq!(outcome(gzip(&vec![0; MAX_BODY_BYTES + 1])), Err("BodyTooLarge".to_owned()));
        assert_eq!(outcome(b"not gzip".to_vec()), Err("UnsupportedMediaType".to_owned()));
    }

    #[test]
    fn a_header_that_is_not_utf_8_is_named() {
        let mut headers = HeaderMap::new();
        headers.insert("x-mock-data", http::HeaderValue::from_bytes(b"tr\xffe").expect("a value"));
        let not_utf8 = header(&headers, "x-mock-data").expect_err("not UTF-8");
        assert_eq!(not_utf8.to_string(), "The header x-mock-data is not valid UTF-8");
        assert_eq!(header(&headers, "apikey"), Ok(None));
    }
}
