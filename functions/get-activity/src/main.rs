//! Lambda entry point of `get-activity`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<get_activity::GetActivity>()
}
