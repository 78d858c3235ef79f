//! Configuration from environment variables, read once per process.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, pem::PemObject as _};

const TABLE_PREFIX: &str = "TABLE_PREFIX";
const REGION: &str = "AWS_REGION";
const CERTIFICATES: &str = "SSL_CERT_FILE";
/// Endpoint variables in order of precedence. The second is the SDK's variable.
const ENDPOINTS: [&str; 2] = ["DYNAMODB_ENDPOINT", "AWS_ENDPOINT_URL_DYNAMODB"];
/// The region for endpoints outside AWS.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// A configuration error. The message names the variable or option.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A required variable is missing or empty.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable is not valid UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotUnicode(&'static str),
    /// A URL is not valid.
    #[error("{setting} must be a URL that starts with http:// or https://, not {value:?}")]
    InvalidUrl {
        /// The variable or option.
        setting: &'static str,
        /// The invalid value.
        value: String,
    },
    /// The certificate file cannot be read.
    #[error("SSL_CERT_FILE: cannot read {}: {source}", path.display())]
    UnreadableCertificates {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The certificate file does not contain PEM certificates.
    #[error("SSL_CERT_FILE: {} is not a PEM file with certificates", .0.display())]
    InvalidCertificates(PathBuf),
}

/// The configuration of a function.
#[derive(Debug)]
pub(crate) struct Environment {
    pub table_prefix: String,
    pub region: String,
    pub endpoint: Option<String>,
    pub certificates: Option<Vec<u8>>,
}

impl Environment {
    pub(crate) fn read() -> Result<Self, ConfigError> {
        Environment::from_variables(|name| env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let table_prefix = text(&variable, TABLE_PREFIX)?.ok_or(ConfigError::Missing(TABLE_PREFIX))?;
        let endpoint = endpoint_from(&variable)?;
        let region = match (text(&variable, REGION)?, &endpoint) {
            (Some(region), _) => region,
            (None, Some(_)) => DEFAULT_REGION.to_owned(),
            (None, None) => return Err(ConfigError::Missing(REGION)),
        };
        Ok(Environment { table_prefix, region, endpoint, certificates: certificates_from(&variable)? })
    }
}

/// Reads the endpoint from the environment. `None` means AWS.
#[cfg(feature = "operator")]
pub(crate) fn endpoint() -> Result<Option<String>, ConfigError> {
    endpoint_from(&|name| env::var_os(name))
}

/// Reads the endpoint of S3 from the environment. `None` means AWS.
#[cfg(feature = "operator")]
pub(crate) fn s3_endpoint() -> Result<Option<String>, ConfigError> {
    let name = "AWS_ENDPOINT_URL_S3";
    text(&|name| env::var_os(name), name)?.map(|value| url(name, value)).transpose()
}

/// Reads `SSL_CERT_FILE`: additional trusted certificate authorities.
#[cfg(feature = "operator")]
pub(crate) fn certificates() -> Result<Option<Vec<u8>>, ConfigError> {
    certificates_from(&|name| env::var_os(name))
}

/// Reads a variable of a function. Empty values count as unset.
///
/// # Errors
/// The value is not valid UTF-8.
pub fn text_variable(name: &'static str) -> Result<Option<String>, ConfigError> {
    text(&|name| env::var_os(name), name)
}

/// Reads a variable of a function with the URL of an endpoint. Empty values count as unset.
///
/// # Errors
/// The value is not an absolute HTTP or HTTPS URL.
pub fn url_variable(name: &'static str) -> Result<Option<String>, ConfigError> {
    text_variable(name)?.map(|value| url(name, value)).transpose()
}

/// Validates an absolute HTTP or HTTPS URL. `setting` names the variable or option in the error.
pub(crate) fn url(setting: &'static str, value: String) -> Result<String, ConfigError> {
    let authority = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
    let valid = authority.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']) && !rest.contains(char::is_whitespace)
    });
    if valid { Ok(value) } else { Err(ConfigError::InvalidUrl { setting, value }) }
}

fn endpoint_from(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Option<String>, ConfigError> {
    for name in ENDPOINTS {
        if let Some(value) = text(variable, name)? {
            return url(name, value).map(Some);
        }
    }
    Ok(None)
}

fn certificates_from(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Option<Vec<u8>>, ConfigError> {
    let path = variable(CERTIFICATES).filter(|path| !path.is_empty());
    path.as_deref().map(read_certificates).transpose()
}

fn read_certificates(path: &OsStr) -> Result<Vec<u8>, ConfigError> {
    let path = Path::new(path);
    let pem =
        std::fs::read(path).map_err(|source| ConfigError::UnreadableCertificates { path: path.to_owned(), source })?;
    // Validated here because the TLS provider panics on invalid PEM.
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if certificates.is_ok_and(|certificates| !certificates.is_empty()) {
        Ok(pem)
    } else {
        Err(ConfigError::InvalidCertificates(path.to_owned()))
    }
}

/// Reads a variable. Empty values count as unset, because optional template parameters default to empty strings.
fn text(variable: &impl Fn(&str) -> Option<OsString>, name: &'static str) -> Result<Option<String>, ConfigError> {
    let value = variable(name).filter(|value| !value.is_empty());
    value.map(|value| value.into_string().map_err(|_| ConfigError::NotUnicode(name))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Environment::from_variables(variable).map_err(|error| error.to_string())
    }

    const COMPLETE: [(&str, &str); 2] = [("TABLE_PREFIX", "loyalty-"), ("AWS_REGION", "eu-west-1")];

    #[test]
    fn a_complete_environment_is_read() {
        let environment = read(&COMPLETE).expect("an environment");
        assert_eq!((&*environment.table_prefix, &*environment.region), ("loyalty-", "eu-west-1"));
        assert_eq!((environment.endpoint, environment.certificates), (None, None));
    }

    #[test]
    fn the_products_endpoint_comes_before_the_sdks_and_empty_is_unset() {
        let (own, sdk) = (("DYNAMODB_ENDPOINT", "http://own:1"), ("AWS_ENDPOINT_URL_DYNAMODB", "https://sdk"));
        for (variables, expected) in [
            (&[own, sdk][..], Some("http://own:1")),
            (&[sdk], Some("https://sdk")),
            (&[("DYNAMODB_ENDPOINT", ""), sdk], Some("https://sdk")),
            (&[("DYNAMODB_ENDPOINT", "")], None),
        ] {
            let environment = read(&[&COMPLETE, variables].concat()).expect("an environment");
            assert_eq!(environment.endpoint.as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn an_endpoint_needs_no_region() {
        let environment = read(&[("TABLE_PREFIX", "p-"), ("DYNAMODB_ENDPOINT", "http://127.0.0.1:8000")]);
        assert_eq!(environment.expect("an environment").region, "us-east-1");
    }

    #[test]
    fn each_error_names_its_variable() {
        for (variables, error) in [
            (&[("AWS_REGION", "eu-west-1")][..], "TABLE_PREFIX is not set"),
            (&[("AWS_REGION", "eu-west-1"), ("TABLE_PREFIX", "")], "TABLE_PREFIX is not set"),
            (&[("TABLE_PREFIX", "p-")], "AWS_REGION is not set"),
            (
                &[COMPLETE[0], COMPLETE[1], ("DYNAMODB_ENDPOINT", "localhost:8000")],
                "DYNAMODB_ENDPOINT must be a URL that starts with http:// or https://, not \"localhost:8000\"",
            ),
            (
                &[COMPLETE[0], COMPLETE[1], ("AWS_ENDPOINT_URL_DYNAMODB", "http://")],
                "AWS_ENDPOINT_URL_DYNAMODB must be a URL that starts with http:// or https://, not \"http://\"",
            ),
            (
                &[COMPLETE[0], COMPLETE[1], ("SSL_CERT_FILE", "/no/such/file")],
                "SSL_CERT_FILE: cannot read /no/such/file: No such file or directory (os error 2)",
            ),
            (
                &[COMPLETE[0], COMPLETE[1], ("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))],
                concat!(
                    "SSL_CERT_FILE: ",
                    env!("CARGO_MANIFEST_DIR"),
                    "/Cargo.toml is not a PEM file with certificates"
                ),
            ),
        ] {
            assert_eq!(read(variables).expect_err("an error"), error, "{variables:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_unicode_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let error = Environment::from_variables(|_| Some(OsString::from_vec(vec![0xff]))).expect_err("an error");
        assert_eq!(error.to_string(), "TABLE_PREFIX is not valid UTF-8");
    }

    #[test]
    fn a_pem_file_is_read_unchanged() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/roots.pem");
        let environment = read(&[COMPLETE[0], COMPLETE[1], ("SSL_CERT_FILE", path)]).expect("an environment");
        assert_eq!(environment.certificates, Some(std::fs::read(path).expect("the roots")));
    }
}
