//! Lambda entry point of `archive-records`.

fn main() -> Result<(), lambda_runtime::Error> {
    punchcard_runtime::run_batches::<archive_records::ArchiveRecords>()
}
