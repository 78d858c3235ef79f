//! Lambda entry point of `save-player`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<save_player::SavePlayer>()
}
