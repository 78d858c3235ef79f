//! Lambda entry point of `explain-activity`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<explain_activity::ExplainActivity>()
}
