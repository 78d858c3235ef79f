//! Lambda entry point of `adjust-balance`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<adjust_balance::AdjustBalance>()
}
