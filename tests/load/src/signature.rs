//! Signature Version 4, checked as AWS does: written from its description, not with the SDK's own signer.

use axum::http::HeaderMap;
use chrono::{NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The credentials of every measured process.
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// The secret that goes with it.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The region of every measured process.
pub const REGION: &str = "us-east-1";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SIGNED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// Checks the signature of a `POST /`.
///
/// # Errors
/// The first fault of a signature.
pub fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::trim).ok_or_else(|| format!("no {name}"))
    };
    let date = header("x-amz-date")?;
    let sent = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| format!("x-amz-date is {date}"))?;
    if (Utc::now().naive_utc() - sent).abs() > TimeDelta::minutes(5) {
        return Err(format!("signed at {date}"));
    }
    let scope = format!("{}/{REGION}/dynamodb/aws4_request", &date[..8]);

    let authorization = header("authorization")?;
    let mut parts = authorization.strip_prefix(ALGORITHM).unwrap_or_default().split(',').map(str::trim);
    let mut part =
        |name| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(format!("no {name} where it belongs"));
    let (credential, signed, signature) = (part("Credential=")?, part("SignedHeaders=")?, part("Signature=")?);
    if credential != format!("{ACCESS_KEY}/{scope}") {
        return Err(format!("signed for {credential}"));
    }
    if let Some(unsigned) = SIGNED.iter().find(|name| !signed.split(';').any(|signed| signed == **name)) {
        return Err(format!("{unsigned} is not signed"));
    }

    let lines = signed.split(';').map(|name| Ok(format!("{name}:{}\n", header(name)?)));
    let lines = lines.collect::<Result<String, String>>()?;
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", hex(&Sha256::digest(body)));
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let key = format!("AWS4{SECRET_KEY}").into_bytes();
    let key = scope.split('/').fold(key, |key, part| hmac(&key, part));
    if hex(&hmac(&key, &to_sign)) == signature { Ok(()) } else { Err("the signature is wrong".to_owned()) }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    hmac.update(text.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
