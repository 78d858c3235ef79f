//! Lambda entry point of `issue-token`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<issue_token::IssueToken>()
}
