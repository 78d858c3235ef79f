//! Credentials that a client sent elsewhere than in their headers, by mistake.

use memchr::memmem;

use crate::{Content, Entry};

/// The headers that have the caller's credentials.
const HEADERS: [&str; 3] = ["authorization", "apikey", "secretkey"];

/// Members of a body that hold credentials: in lower case, without `-` and `_`.
const MEMBERS: [&str; 9] = [
    "accesstoken",
    "apikey",
    "authorization",
    "clientsecret",
    "password",
    "refreshtoken",
    "secret",
    "secretkey",
    "sessiontoken",
];

/// A shorter value occurs in other text by chance.
const SHORTEST_VALUE: usize = 8;

/// Returns true if an entry has the credentials that were sent in the request's headers, or a body with a text member
/// whose name says that it holds credentials, for example of a request that starts a session and was sent to another
/// path. It looks at text, because a body that is not valid JSON may have them too. Names of headers are in lower case.
pub fn has_credentials<'h>(entry: &Entry, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> bool {
    let mut sent =
        headers.into_iter().filter(|(name, _)| HEADERS.contains(name)).map(|(_, value)| without_scheme(value));
    let in_headers = entry.headers.values().map(Content::bytes);
    let texts: Vec<_> =
        in_headers.chain([entry.path.as_bytes(), entry.body.bytes(), entry.response.as_bytes()]).collect();
    let is_repeated = |value: &[u8]| texts.iter().any(|text| memmem::find(text, value).is_some());
    sent.any(|value| value.len() >= SHORTEST_VALUE && is_repeated(value)) || is_named(entry.body.bytes())
}

/// `Bearer TOKEN` is `TOKEN`.
fn without_scheme(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.rsplit(|byte| *byte == b' ').next().unwrap_or(value)
}

fn is_named(body: &[u8]) -> bool {
    let pieces: Vec<_> = body.split(|byte| *byte == b'"').collect();
    // `"name" : "value"`. A member that is an object is a name of the client's own, such as that of an event.
    let in_json = pieces.windows(2).any(|pieces| pieces[1].trim_ascii() == b":" && is_credential(pieces[0]));
    // `name=value&name=value`
    let mut fields = body.split(|byte| *byte == b'&').filter(|field| field.contains(&b'='));
    in_json || fields.any(|field| is_credential(field.split(|byte| *byte == b'=').next().unwrap_or_default()))
}

fn is_credential(name: &[u8]) -> bool {
    let name = name.trim_ascii().iter().filter(|byte| !matches!(byte, b'-' | b'_')).map(u8::to_ascii_lowercase);
    MEMBERS.iter().any(|member| member.bytes().eq(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::entry;

    fn with_body(body: &str) -> Entry {
        Entry { body: body.as_bytes().to_vec().into(), ..entry(1_000) }
    }

    #[test]
    fn the_credentials_of_the_headers_are_found_wherever_they_are() {
        let headers =
            [("authorization", &b"Bearer token-of-12345"[..]), ("apikey", b"key-of-12345"), ("x", b"readable")];
        let found = |entry: &Entry| has_credentials(entry, headers);
        let plain = entry(1_000);
        assert!(!found(&plain));
        assert!(!found(&with_body("Bearer other")));
        assert!(found(&with_body(r#"{"note":"key-of-12345"}"#)));
        assert!(found(&with_body("token-of-12345")));
        assert!(found(&Entry { path: "/a/key-of-12345".to_owned(), ..plain.clone() }));
        assert!(found(&Entry { response: "token-of-12345".to_owned(), ..plain.clone() }));
        let headers = [("idempotency-key".to_owned(), b"key-of-12345".to_vec().into())].into();
        assert!(found(&Entry { headers, ..plain.clone() }));
        assert!(!has_credentials(&with_body("a"), [("apikey", &b"a"[..])]), "too short to tell");
    }

    #[test]
    fn bodies_with_credentials_are_found_by_their_names() {
        for body in [
            r#"{"clientId":"c","secret":"s"}"#,
            "{\"a\": {\"Client_Secret\" :\n \"s\"",
            r#"[{"api-key":"k"}]"#,
            r#"{"sessionToken":"t","x":"#,
            "grant_type=client_credentials&client_secret=s",
            "password=p",
        ] {
            assert!(has_credentials(&with_body(body), []), "{body}");
        }
        for body in [
            "",
            r#"{"clientEventId":"e","serveToken":"t","note":"secret"}"#,
            r#"{"playerUniqueId":"p","events":{"password":{},"secret":null}}"#,
            "a=secret&b=apikey",
        ] {
            assert!(!has_credentials(&with_body(body), []), "{body}");
        }
    }
}
