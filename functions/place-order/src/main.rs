//! Lambda entry point of `place-order`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<place_order::PlaceOrder>()
}
