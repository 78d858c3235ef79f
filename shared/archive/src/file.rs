//! Files: rows of one table as Parquet, compressed with zstd.

use std::sync::Arc;

use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        reader::{ChunkReader, FileReader as _},
        serialized_reader::SerializedFileReader,
        writer::SerializedFileWriter,
    },
    record::Field,
    schema::{parser::parse_message_type, types::Type},
};
use punchcard_models::timestamp::Timestamp;
use punchcard_store::RecordKind;

use crate::{
    columns::{ColumnType, columns},
    layout::day_of,
    row::{Cell, Row},
};

/// A file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not valid Parquet, or cannot be written. The cause names no value.
    #[error("Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The file has other columns than its table.
    #[error("not a file of {0}")]
    OtherColumns(RecordKind),
}

fn schema(kind: RecordKind) -> Result<Type, ParquetError> {
    let column = |column: &crate::Column| {
        let (stored, annotation) = column.column_type.in_parquet();
        format!("optional {stored} {}{annotation};", column.name)
    };
    parse_message_type(&format!("message {kind} {{ {} }}", columns(kind).iter().map(column).collect::<String>()))
}

/// Writes rows of one table. The same rows give the same bytes.
///
/// # Errors
/// A row is of another table.
pub fn write(kind: RecordKind, rows: &[Row]) -> Result<Vec<u8>, ArchiveError> {
    if rows.iter().any(|row| row.kind != kind) {
        return Err(ArchiveError::OtherColumns(kind));
    }
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("punchcard".to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema(kind)?), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for index in 0..columns(kind).len() {
        let mut column = group.next_column()?.ok_or(ArchiveError::OtherColumns(kind))?;
        let cells: Vec<_> = rows.iter().filter_map(|row| row.cells.get(index)).collect();
        write_column(column.untyped(), &cells)?;
        column.close()?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

fn write_column(column: &mut ColumnWriter<'_>, cells: &[&Cell]) -> Result<(), ParquetError> {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_present())).collect();
    match column {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts = cells.iter().filter_map(|cell| match cell {
                Cell::Text(Some(text)) => Some(ByteArray::from(text.as_str())),
                _ => None,
            });
            writer.write_batch(&texts.collect::<Vec<_>>(), Some(&levels), None)?;
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let numbers = cells.iter().filter_map(|cell| match cell {
                Cell::Integer(number) => *number,
                Cell::Timestamp(time) => time.map(Timestamp::as_millis),
                Cell::Text(_) | Cell::Boolean(_) => None,
            });
            writer.write_batch(&numbers.collect::<Vec<_>>(), Some(&levels), None)?;
        }
        ColumnWriter::BoolColumnWriter(writer) => {
            let values = cells.iter().filter_map(|cell| if let Cell::Boolean(value) = cell { *value } else { None });
            writer.write_batch(&values.collect::<Vec<_>>(), Some(&levels), None)?;
        }
        _ => return Err(ParquetError::General("a column of an unexpected type".to_owned())),
    }
    Ok(())
}

/// Reads the rows of a file.
///
/// # Errors
/// It is not a file of this table.
pub fn read<R: ChunkReader + 'static>(kind: RecordKind, file: R) -> Result<Vec<Row>, ArchiveError> {
    let other = || ArchiveError::OtherColumns(kind);
    let reader = SerializedFileReader::new(file)?;
    if *reader.metadata().file_metadata().schema() != schema(kind)? {
        return Err(other());
    }
    let row = |row: Result<parquet::record::Row, ParquetError>| {
        let row = row?;
        let cells = row.get_column_iter().zip(columns(kind)).map(|((_, field), column)| {
            Some(match (column.column_type, field) {
                (ColumnType::Text, Field::Str(text)) => Cell::Text(Some(text.clone())),
                (ColumnType::Integer, Field::Long(number)) => Cell::Integer(Some(*number)),
                (ColumnType::Boolean, Field::Bool(value)) => Cell::Boolean(Some(*value)),
                (ColumnType::Timestamp, Field::TimestampMillis(millis)) => {
                    Cell::Timestamp(Some(Timestamp::from_millis(*millis)))
                }
                (column_type, Field::Null) => Cell::absent(column_type),
                _ => return None,
            })
        });
        let cells = cells.collect::<Option<Vec<_>>>().ok_or_else(other)?;
        let mut row = Row { kind, day: String::new(), cells };
        let Some(Cell::Timestamp(Some(received_at))) = row.cell("received_at") else { return Err(other()) };
        row.day = day_of(*received_at);
        Ok(row)
    };
    reader.get_row_iter(None)?.map(row).collect()
}
