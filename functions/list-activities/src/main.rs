//! Lambda entry point of `list-activities`.

fn main() -> Result<(), lambda_http::Error> {
    punchcard_runtime::run::<list_activities::ListActivities>()
}
