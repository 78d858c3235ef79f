//! Lambda entry point of `refund-order`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<refund_order::RefundOrder>()
}
