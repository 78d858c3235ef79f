//! The function as Lambda runs it.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<track_event::TrackEvent>()
}
