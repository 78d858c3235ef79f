//! Lambda entry point of `get-player-balance`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<get_player_balance::GetPlayerBalance>()
}
