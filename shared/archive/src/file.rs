//! Files: rows of one table as Parquet, compressed with zstd.

use std::{io::Write, sync::Arc};

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
    record::{Field, reader::RowIter},
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
    let mut file = FileWriter::new(kind, Vec::new())?;
    file.write(rows)?;
    file.finish()
}

/// Writes a file in groups of rows, of which one is in memory.
pub struct FileWriter<W: Write + Send> {
    kind: RecordKind,
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> FileWriter<W> {
    /// Starts a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(kind: RecordKind, to: W) -> Result<Self, ArchiveError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("punchcard".to_owned())
            .build();
        Ok(FileWriter { kind, file: SerializedFileWriter::new(to, Arc::new(schema(kind)?), Arc::new(properties))? })
    }

    /// Writes a group of rows.
    ///
    /// # Errors
    /// A row is of another table, or the file cannot be written.
    pub fn write(&mut self, rows: &[Row]) -> Result<(), ArchiveError> {
        if rows.iter().any(|row| row.kind != self.kind) {
            return Err(ArchiveError::OtherColumns(self.kind));
        }
        let mut group = self.file.next_row_group()?;
        for index in 0..columns(self.kind).len() {
            let mut column = group.next_column()?.ok_or(ArchiveError::OtherColumns(self.kind))?;
            let cells: Vec<_> = rows.iter().filter_map(|row| row.cells.get(index)).collect();
            write_column(column.untyped(), &cells)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<W, ArchiveError> {
        Ok(self.file.into_inner()?)
    }
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
    rows(kind, file)?.collect()
}

/// Reads the rows of a file one after the other.
///
/// # Errors
/// It is not a file of this table.
pub fn rows<R: ChunkReader + 'static>(
    kind: RecordKind,
    file: R,
) -> Result<impl Iterator<Item = Result<Row, ArchiveError>>, ArchiveError> {
    let reader = SerializedFileReader::new(file)?;
    if *reader.metadata().file_metadata().schema() != schema(kind)? {
        return Err(ArchiveError::OtherColumns(kind));
    }
    Ok(RowIter::from_file_into(Box::new(reader)).map(move |row| row_of(kind, &row?)))
}

fn row_of(kind: RecordKind, row: &parquet::record::Row) -> Result<Row, ArchiveError> {
    let other = || ArchiveError::OtherColumns(kind);
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
}
