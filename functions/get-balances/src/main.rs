//! Lambda entry point of `get-balances`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<get_balances::GetBalances>()
}
