//! Tables as Parquet: typed columns, zstd, a row group for each block of the recording.

use super::row::{EventRow, Names, SlotRow};
use super::{Export, Facts};
use crate::meta::Header;
use crate::source::Batch;
use anyhow::Context;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::io::Write;
use std::sync::Arc;

const EVENTS: &str = "message event {
    required int64 ts;
    optional int64 time (TIMESTAMP(NANOS,true));
    required binary kind (STRING);
    optional int32 dev (INTEGER(8,false));
    optional int64 off (INTEGER(64,false));
    required int32 nr (INTEGER(16,false));
    required int32 order (INTEGER(8,false));
    optional int32 memcg (INTEGER(16,false));
    optional binary cgroup (STRING);
    required int32 cpu (INTEGER(16,false));
    required int32 tid (INTEGER(32,false));
    required int32 val;
    required int64 arg (INTEGER(64,false));
    required int32 flags (INTEGER(16,false));
}";

const SLOTS: &str = "message slot {
    required int32 dev (INTEGER(8,false));
    required int64 off (INTEGER(64,false));
    required binary backend (STRING);
    optional int32 phys_dev (INTEGER(8,false));
    optional int64 phys_off (INTEGER(64,false));
    required int32 memcg (INTEGER(16,false));
    optional binary cgroup (STRING);
    required int32 order (INTEGER(8,false));
    required boolean cached;
    optional int32 len (INTEGER(16,false));
    required boolean confirmed;
}";

/// Slots in a row group.
const GROUP: usize = 1 << 20;

/// A table of events.
pub struct Events<W: Write + Send> {
    file: SerializedFileWriter<W>,
}

/// What every table says of the recording: readers show it, `parquet_kv_metadata` in DuckDB.
fn properties(header: &Header) -> anyhow::Result<Arc<WriterProperties>> {
    let facts = [
        ("vswap.tool_version", header.tool_version.as_str()),
        ("vswap.origin", &header.origin),
        ("vswap.kernel", &header.kernel.release),
        ("vswap.layout", &header.layout_name),
    ];
    let facts = facts.map(|(k, v)| KeyValue::new(k.to_owned(), v.to_owned())).to_vec();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        // Small row groups: page indexes would be as large as what they index.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by(format!("vswap {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(facts))
        .build();
    Ok(Arc::new(properties))
}

fn begin<W: Write + Send>(out: W, schema: &str, header: &Header) -> anyhow::Result<SerializedFileWriter<W>> {
    let schema = Arc::new(parse_message_type(schema).context("schema of the table")?);
    SerializedFileWriter::new(out, schema, properties(header)?).context("begin the Parquet file")
}

impl<W: Write + Send> Events<W> {
    /// A table into `out`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(out: W, header: &Header) -> anyhow::Result<Self> {
        Ok(Self { file: begin(out, EVENTS, header)? })
    }
}

impl<W: Write + Send> Export for Events<W> {
    fn batch(&mut self, batch: &Batch, names: &Names) -> anyhow::Result<()> {
        if batch.events.is_empty() {
            return Ok(());
        }
        let rows: Vec<EventRow<'_>> = batch.events.iter().map(|e| EventRow::new(e, names)).collect();
        let mut group = Group { rows: &rows, out: self.file.next_row_group()? };
        group.all::<Int64Type>(|r| r.ts as i64)?;
        group.some::<Int64Type>(|r| r.time_ns)?;
        group.all::<ByteArrayType>(|r| string(r.kind))?;
        group.some::<Int32Type>(|r| r.dev.map(i32::from))?;
        group.some::<Int64Type>(|r| r.off.map(|o| o as i64))?;
        group.all::<Int32Type>(|r| i32::from(r.nr))?;
        group.all::<Int32Type>(|r| i32::from(r.order))?;
        group.some::<Int32Type>(|r| r.memcg.map(i32::from))?;
        group.some::<ByteArrayType>(|r| r.cgroup.map(string))?;
        group.all::<Int32Type>(|r| i32::from(r.cpu))?;
        group.all::<Int32Type>(|r| r.tid as i32)?;
        group.all::<Int32Type>(|r| r.val)?;
        group.all::<Int64Type>(|r| r.arg as i64)?;
        group.all::<Int32Type>(|r| i32::from(r.flags))?;
        group.out.close()?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, facts: &Facts, _: &Names) -> anyhow::Result<()> {
        let lost = KeyValue::new("vswap.lost".to_owned(), facts.lost.to_string());
        self.file.append_key_value_metadata(lost);
        if let Some(damage) = &facts.damage {
            self.file.append_key_value_metadata(KeyValue::new("vswap.damage".to_owned(), damage.clone()));
        }
        self.file.close()?;
        Ok(())
    }
}

/// Writes the slots as a table.
///
/// # Errors
/// If writing fails.
pub fn slots<'a, W: Write + Send>(
    out: W,
    header: &Header,
    mut slots: impl Iterator<Item = SlotRow<'a>>,
) -> anyhow::Result<()> {
    let mut file = begin(out, SLOTS, header)?;
    loop {
        let rows: Vec<SlotRow<'_>> = slots.by_ref().take(GROUP).collect();
        if rows.is_empty() {
            break;
        }
        let mut group = Group { rows: &rows, out: file.next_row_group()? };
        group.all::<Int32Type>(|r| i32::from(r.dev))?;
        group.all::<Int64Type>(|r| r.off as i64)?;
        group.all::<ByteArrayType>(|r| string(r.backend))?;
        group.some::<Int32Type>(|r| r.phys_dev.map(i32::from))?;
        group.some::<Int64Type>(|r| r.phys_off.map(|o| o as i64))?;
        group.all::<Int32Type>(|r| i32::from(r.memcg))?;
        group.some::<ByteArrayType>(|r| r.cgroup.map(string))?;
        group.all::<Int32Type>(|r| i32::from(r.order))?;
        group.all::<BoolType>(|r| r.cached)?;
        group.some::<Int32Type>(|r| r.len.map(i32::from))?;
        group.all::<BoolType>(|r| r.confirmed)?;
        group.out.close()?;
    }
    file.close()?;
    Ok(())
}

fn string(s: &str) -> ByteArray {
    ByteArray::from(s.as_bytes().to_vec())
}

/// Rows that become a row group, column by column in the order of the schema.
struct Group<'a, R, W: Write + Send> {
    rows: &'a [R],
    out: SerializedRowGroupWriter<'a, W>,
}

impl<R, W: Write + Send> Group<'_, R, W> {
    /// A column with a value in every row.
    fn all<T: DataType>(&mut self, value: impl Fn(&R) -> T::T) -> anyhow::Result<()> {
        let values: Vec<T::T> = self.rows.iter().map(value).collect();
        self.column::<T>(&values, None)
    }

    /// A column that may lack values.
    fn some<T: DataType>(&mut self, value: impl Fn(&R) -> Option<T::T>) -> anyhow::Result<()> {
        let (mut values, mut levels) = (Vec::new(), Vec::with_capacity(self.rows.len()));
        for value in self.rows.iter().map(value) {
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
        self.column::<T>(&values, Some(&levels))
    }

    fn column<T: DataType>(&mut self, values: &[T::T], levels: Option<&[i16]>) -> anyhow::Result<()> {
        let mut column = self.out.next_column()?.context("more columns than the schema has")?;
        column.typed::<T>().write_batch(values, levels, None)?;
        column.close()?;
        Ok(())
    }
}
