//! Tokens that are not valid.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use punchcard_http::token;
use punchcard_models::access::{Scope, SigningKey};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::World;

impl World {
    /// Invalid tokens, each with the reason that it is invalid, derived from a valid one.
    pub(super) fn bad_tokens(&self, scope: Scope, good: &str) -> Vec<(String, String)> {
        let token = Token::read(good);
        [self.altered(&token), self.of_other_headers(&token), self.of_other_claims(&token, scope)].concat()
    }

    fn altered(&self, token: &Token<'_>) -> Vec<(String, String)> {
        let Token { whole, header, claims, signature, .. } = *token;
        let text = format!("{header}.{claims}");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let signature_with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
        };
        // 64 bytes leave four bits of the last digit to spare: the next digit there means the same bytes.
        let last = signature.len() - 1;
        let same_bytes = char::from(signature.as_bytes()[last] + 1);
        let of_another = signed(&token.header_json, &with(&token.claims_json, "jti", json!(Uuid::new_v4())), &self.key);
        let no_json = BASE64_URL_SAFE_NO_PAD.encode("{");
        [
            ("cut off by a character", whole[..whole.len() - 1].to_owned()),
            ("cut off by ten", whole[..whole.len() - 10].to_owned()),
            ("without its first character", whole[1..].to_owned()),
            ("without a signature", text.clone()),
            ("with an empty signature", format!("{text}.")),
            ("of its header alone", format!("{header}..")),
            ("with a part more", format!("{whole}.{signature}")),
            ("in another case", whole.to_lowercase()),
            ("padded", format!("{whole}==")),
            ("with the signature's first bit turned over", signature_with(&|bytes| bytes[0] ^= 0x80)),
            ("with the signature's last bit turned over", signature_with(&|bytes| bytes[63] ^= 1)),
            ("with a signature of zeros", signature_with(&|bytes| bytes.fill(0))),
            ("with a signature of a byte more", signature_with(&|bytes| bytes.push(0))),
            ("with its signature spelled otherwise", format!("{text}.{}{same_bytes}", &signature[..last])),
            ("with another's signature", format!("{text}.{}", Token::read(&of_another).signature)),
            ("whose header is no JSON", format!("{no_json}.{claims}.{signature}")),
            ("whose claims are no JSON", format!("{header}.{no_json}.{signature}")),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into()
    }

    fn of_other_headers(&self, token: &Token<'_>) -> Vec<(String, String)> {
        let Token { claims, signature, header_json, claims_json, .. } = token;
        let (foreign, public) = token::generate().expect("a key");
        let forger = SigningKey { id: self.key.id.clone(), ..foreign.clone() };
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(public)});
        let of_key = |id: &str| with(header_json, "kid", json!(id));
        let hmac = |algorithm: &str, key: &[u8]| {
            let text = format!("{}.{claims}", part(&with(header_json, "alg", json!(algorithm))));
            let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
            hmac.update(text.as_bytes());
            format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes()))
        };
        let public_text = BASE64_URL_SAFE_NO_PAD.encode(self.public_key);
        let mut tokens: Vec<_> = [
            ("of a foreign key", signed(&of_key(&foreign.id), claims_json, &foreign)),
            ("of a forger", signed(header_json, claims_json, &forger)),
            ("of a forger that brings its key", signed(&with(header_json, "jwk", jwk), claims_json, &forger)),
            ("of another key of ours", signed(header_json, claims_json, &self.second)),
            ("that names another key of ours", signed(&of_key(&self.second.id), claims_json, &self.key)),
            ("of HS256 with the public key", hmac("HS256", &self.public_key)),
            ("of HS256 with the public key's text", hmac("HS256", public_text.as_bytes())),
            ("of EdDSA by HMAC", hmac("EdDSA", &self.public_key)),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into();
        // Signed with the right key, so that only the header is wrong; and with no signature, and the original one.
        for algorithm in
            ["none", "None", "HS256", "ES256", "RS256", ""].map(Value::from).into_iter().chain([Value::Null])
        {
            let header = with(header_json, "alg", algorithm.clone());
            tokens.push((format!("of algorithm {algorithm}, signed"), signed(&header, claims_json, &self.key)));
            tokens.push((format!("of algorithm {algorithm}, not signed"), format!("{}.{claims}.", part(&header))));
            tokens.push((format!("of algorithm {algorithm}"), format!("{}.{claims}.{signature}", part(&header))));
        }
        for kid in [Value::Null, json!(""), json!("no-client"), json!(self.key.id.to_uppercase()), json!(7)] {
            let header = with(header_json, "kid", kid.clone());
            tokens.push((format!("of key {kid}"), signed(&header, claims_json, &self.key)));
        }
        tokens
    }

    /// Signed with the right key, so that only a claim is wrong; and with the original signature.
    fn of_other_claims(&self, token: &Token<'_>, scope: Scope) -> Vec<(String, String)> {
        let Token { header, signature, header_json, claims_json, .. } = token;
        let now = punchcard_runtime::now().as_millis() / 1000;
        let other_api = other(scope).as_str();
        let only_other = format!("{other_api}-only");
        let mut claims = vec![
            ("exp", json!([null, now - 1, 0, -1, (now + 60).to_string(), [now + 60]])),
            ("iss", json!([null, "somebody", ""])),
            ("aud", json!([null, other_api, "", []])),
            // Clients that are unknown, revoked since the token was issued, and without the scope of this API.
            ("sub", json!([null, "no-client", "Demo-Client", "", "gone", only_other])),
        ];
        if scope == Scope::ClientEvents {
            claims.push(("cid", json!([null, "customer-2", "Customer-1", "customer-1 ", ""])));
        }
        let mut tokens = Vec::new();
        for (name, values) in claims {
            for value in values.as_array().expect("a list") {
                let changed = with(claims_json, name, value.clone());
                tokens.push((format!("signed with {name} {value}"), signed(header_json, &changed, &self.key)));
                tokens.push((format!("with {name} {value} in it"), format!("{header}.{}.{signature}", part(&changed))));
            }
        }
        let longer = with(claims_json, "exp", json!(now + 1_000_000));
        tokens.push(("with a longer life in it".to_owned(), format!("{header}.{}.{signature}", part(&longer))));
        tokens
    }
}

fn part(json: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
}

fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let pair = Ed25519KeyPair::from_pkcs8(&key.pkcs8).expect("a key");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The JSON with another value of a member, or without the member if the value is `null`.
fn with(json: &Value, name: &str, value: Value) -> Value {
    let mut json = json.clone();
    let members = json.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    json
}

/// The API whose tokens are not those of `scope`.
pub(super) fn other(scope: Scope) -> Scope {
    match scope {
        Scope::ClientEvents => Scope::Activities,
        Scope::Activities | Scope::Corrections => Scope::ClientEvents,
    }
}

/// A token in its parts.
struct Token<'t> {
    whole: &'t str,
    header: &'t str,
    claims: &'t str,
    signature: &'t str,
    header_json: Value,
    claims_json: Value,
}

impl<'t> Token<'t> {
    fn read(whole: &'t str) -> Self {
        let parts: Vec<_> = whole.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{whole}") };
        let json = |part| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64");
            serde_json::from_slice(&bytes).expect("JSON")
        };
        Token { whole, header, claims, signature, header_json: json(header), claims_json: json(claims) }
    }
}
