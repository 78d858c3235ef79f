//! Records as Parquet files.
