//! Lambda entry point of `publish-records`.

fn main() -> Result<(), lambda_runtime::Error> {
    punchcard_runtime::run_batches::<publish_records::PublishRecords>()
}
