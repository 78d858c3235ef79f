//! Lambda entry point of `preview-rewards`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<preview_rewards::PreviewRewards>()
}
