//! Lambda entry point of `void-activity`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<void_activity::VoidActivity>()
}
