//! Lambda entry point of `get-player`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<get_player::GetPlayer>()
}
