//! Lambda entry point of `track-event`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<track_event::TrackEvent>()
}
