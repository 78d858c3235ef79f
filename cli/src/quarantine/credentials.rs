//! The credentials of the requests that are sent again: the quarantine has none.

use std::{env, fs, path::Path};

use punchcard_http::{
    Dialect,
    route::{REFUND_ORDER, ROUTES},
};

use crate::{
    api::{Credential, Secrets},
    failure::Failure,
};

const CLIENT_ID: &str = "PUNCHCARD_CLIENT_ID";
const CLIENT_SECRET: &str = "PUNCHCARD_CLIENT_SECRET";
const API_KEY: &str = "PUNCHCARD_API_KEY";
const SECRET_KEY: &str = "PUNCHCARD_SECRET_KEY";

/// Reads the secrets from a file with lines such as `PUNCHCARD_API_KEY=…`, from the environment, or for the demo its own,
/// in this order.
///
/// # Errors
/// The file cannot be read.
pub fn read(file: Option<&Path>, is_demo: bool) -> Result<Secrets, Failure> {
    let text = match file {
        Some(file) => fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?,
        None => String::new(),
    };
    let of_demo = if is_demo { Secrets::of_demo() } else { Secrets::default() };
    let value = |name: &str, of_demo: String| {
        let in_file = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        let found = in_file.map(|value| value.trim().to_owned()).or_else(|| env::var(name).ok());
        found.filter(|value| !value.is_empty()).unwrap_or(of_demo)
    };
    Ok(Secrets {
        client_id: value(CLIENT_ID, of_demo.client_id),
        client_secret: value(CLIENT_SECRET, of_demo.client_secret),
        api_key: value(API_KEY, of_demo.api_key),
        secret_key: value(SECRET_KEY, of_demo.secret_key),
    })
}

/// Checks that there are secrets for the requests of a function.
///
/// # Errors
/// There are none, or the function is not known.
pub fn check(secrets: &Secrets, function: &str) -> Result<(), Failure> {
    let credential = credential_of(function)?;
    if secrets.suffice(credential) {
        return Ok(());
    }
    let variables = match credential {
        Credential::Session | Credential::Client => "PUNCHCARD_CLIENT_ID and PUNCHCARD_CLIENT_SECRET",
        Credential::ApiKey => "PUNCHCARD_API_KEY",
        Credential::SecretKey => "PUNCHCARD_API_KEY and PUNCHCARD_SECRET_KEY",
    };
    Err(Failure::NoCredentialsFor(function.to_owned(), variables))
}

/// Returns the dialect of a function's requests, or `None` if there is no such function.
pub fn dialect(function: &str) -> Option<Dialect> {
    let route = ROUTES.iter().find(|route| route.function == function)?;
    route.paths.first().map(|path| path.dialect)
}

/// Returns the credential that the requests of a function need.
///
/// # Errors
/// The function is not known.
pub fn credential_of(function: &str) -> Result<Credential, Failure> {
    match dialect(function) {
        Some(Dialect::ClientEvents) => Ok(Credential::Session),
        Some(Dialect::Activities) => Ok(Credential::Client),
        Some(Dialect::PlayerEvents | Dialect::PlayerEventsV4) if function == REFUND_ORDER.function => {
            Ok(Credential::SecretKey)
        }
        Some(Dialect::PlayerEvents | Dialect::PlayerEventsV4) => Ok(Credential::ApiKey),
        Some(Dialect::OAuth) | None => Err(Failure::UnknownFunction(function.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn credentials_are_read_from_a_file_and_what_is_missing_is_named() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "# of the shop\nPUNCHCARD_API_KEY = no\nPUNCHCARD_API_KEY=key-1\nPUNCHCARD_CLIENT_ID=c\n")
            .expect("written");
        let secrets = read(Some(file.path()), false).expect("secrets");
        assert_eq!(secrets.api_key, "key-1");
        check(&secrets, "track-event").expect("an API key");
        for (function, variables) in [
            ("send-activity", "PUNCHCARD_CLIENT_ID and PUNCHCARD_CLIENT_SECRET"),
            ("refund-order", "PUNCHCARD_API_KEY and PUNCHCARD_SECRET_KEY"),
        ] {
            let error = check(&secrets, function).expect_err("an error").to_string();
            assert!(error.contains(function) && error.contains(variables), "{error}");
        }
        assert!(matches!(check(&secrets, "issue-token"), Err(Failure::UnknownFunction(_))));
        let demo = read(None, true).expect("secrets");
        for function in ["send-client-event", "send-activity", "track-event", "refund-order"] {
            check(&demo, function).expect("the demo's");
        }
    }
}
