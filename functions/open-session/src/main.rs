//! Lambda entry point of `open-session`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<open_session::OpenSession>()
}
