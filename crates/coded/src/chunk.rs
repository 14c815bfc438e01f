//! The column chunk.

use std::cell::RefCell;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use crate::bounds;
use crate::hybrid;
use crate::texts::{CodedTexts, NULL, text};

/// Rows of a page: what a reader that knows the page index reads at least.
const PAGE_ROWS: usize = 16_384;

thread_local! {
    /// A compressor is half a megabyte of tables, which cost more to make than to use on a page.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The Bloom filter of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Filter {
    /// None.
    Without,
    /// One that says "perhaps" of this share of the texts that the column does not have.
    FalsePositives(f64),
}

/// A column chunk that is not yet part of a file.
#[derive(Debug)]
pub struct CodedChunk {
    bytes: Bytes,
    close: ColumnCloseResult,
}

impl CodedChunk {
    /// Writes the rows of a column as zstd of this level. Needs: a column of optional texts that is not nested.
    ///
    /// # Errors
    /// If there is no memory to compress in.
    pub fn new(texts: &CodedTexts, column: &ColumnDescPtr, level: ZstdLevel, filter: Filter) -> Result<Self> {
        let mut pages = Pages::new(texts, column, level);
        pages.write_dictionary()?;
        for codes in texts.codes.chunks(PAGE_ROWS) {
            pages.write_data(codes)?;
        }
        pages.close(filter)
    }

    /// Appends it to a row group as the next column.
    ///
    /// # Errors
    /// Those of the file.
    pub fn append_to<W: std::io::Write + Send>(self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
        group.append_column(&self.bytes, self.close)
    }
}

/// The pages of a chunk so far.
struct Pages<'a> {
    texts: &'a CodedTexts,
    column: &'a ColumnDescPtr,
    /// None where there is nothing to compress.
    level: Option<ZstdLevel>,
    sink: TrackedWrite<Vec<u8>>,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
    /// Where the first data page begins.
    data_page_offset: Option<u64>,
    n_data_pages: i32,
    n_nulls: u64,
    compressed_bytes: usize,
    uncompressed_bytes: usize,
}

impl<'a> Pages<'a> {
    fn new(texts: &'a CodedTexts, column: &'a ColumnDescPtr, level: ZstdLevel) -> Self {
        Self {
            texts,
            column,
            level: (texts.n_values() > 0).then_some(level),
            sink: TrackedWrite::new(Vec::new()),
            column_index: ColumnIndexBuilder::new(column.physical_type()),
            offset_index: OffsetIndexBuilder::new(),
            data_page_offset: None,
            n_data_pages: 0,
            n_nulls: 0,
            compressed_bytes: 0,
            uncompressed_bytes: 0,
        }
    }

    fn has_dictionary(&self) -> bool {
        self.texts.n_values() > 0
    }

    fn data_encoding(&self) -> Encoding {
        if self.has_dictionary() { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN }
    }

    fn write_dictionary(&mut self) -> Result<()> {
        if !self.has_dictionary() {
            return Ok(());
        }
        let num_values = count(self.texts.n_values())?;
        let page = |buf| Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false };
        self.write(&self.texts.plain, page).map(drop)
    }

    fn write_data(&mut self, codes: &[u32]) -> Result<()> {
        let num_values = count(codes.len())?;
        let encoding = self.data_encoding();
        let (body, n_nulls) = self.body(codes)?;
        let page = |buf| Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written = self.write(&body, page)?;
        self.data_page_offset.get_or_insert(written.offset);
        self.n_data_pages += 1;
        self.n_nulls += n_nulls as u64;
        let is_null = n_nulls == codes.len();
        let (min, max) = self.extremes(codes).map_or((Vec::new(), Vec::new()), |(min, max)| {
            (bounds::lower(text(min)).0.as_bytes().to_vec(), bounds::upper(text(max)).0.into_bytes())
        });
        self.column_index.append(is_null, min, max, signed(n_nulls)?);
        self.offset_index.append_offset_and_size(signed(written.offset)?, signed(written.compressed_size)?);
        self.offset_index.append_row_count(signed(codes.len())?);
        Ok(())
    }

    /// Returns what a data page holds, and how many of its rows are null.
    fn body(&self, codes: &[u32]) -> Result<(Vec<u8>, usize)> {
        let mut body = vec![0; size_of::<u32>()];
        let levels: Vec<u32> = codes.iter().map(|code| u32::from(*code != NULL)).collect();
        hybrid::encode(&levels, 1, &mut body);
        let n_level_bytes = count(body.len() - size_of::<u32>())?;
        body[..size_of::<u32>()].copy_from_slice(&n_level_bytes.to_le_bytes());
        let numbers: Vec<u32> = codes.iter().copied().filter(|code| *code != NULL).collect();
        if self.has_dictionary() {
            let width = count(self.texts.n_values() - 1)?.checked_ilog2().map_or(0, |bits| bits + 1);
            body.push(width.to_le_bytes()[0]);
            hybrid::encode(&numbers, width, &mut body);
        }
        Ok((body, codes.len() - numbers.len()))
    }

    /// Finds the first and the last in order of the values that some rows have.
    fn extremes(&self, codes: &[u32]) -> Option<(&'a [u8], &'a [u8])> {
        let mut is_used = vec![false; self.texts.n_values()];
        for code in codes.iter().filter(|code| **code != NULL) {
            is_used[*code as usize] = true;
        }
        let texts = self.texts;
        let mut values = (0..texts.n_values()).filter(|code| is_used[*code]).map(|code| texts.value(code));
        let first = values.next()?;
        Some(values.fold((first, first), |(min, max), value| (min.min(value), max.max(value))))
    }

    fn write(&mut self, body: &[u8], page: impl FnOnce(Bytes) -> Page) -> Result<PageWriteSpec> {
        let stored = match self.level {
            Some(level) => compress(body, level)?,
            None => body.to_vec(),
        };
        let page = CompressedPage::new(page(stored.into()), body.len());
        let written = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.compressed_bytes += written.compressed_size;
        self.uncompressed_bytes += written.uncompressed_size;
        Ok(written)
    }

    fn close(self, filter: Filter) -> Result<CodedChunk> {
        let n_rows = self.texts.codes.len();
        let bloom_filter = match filter {
            Filter::FalsePositives(share) if self.has_dictionary() => Some(bloom_filter(self.texts, share)?),
            Filter::FalsePositives(_) | Filter::Without => None,
        };
        let metadata = self.metadata()?;
        let bytes = self.sink.into_inner()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: n_rows as u64,
            metadata,
            bloom_filter,
            column_index: Some(self.column_index.build()?),
            offset_index: Some(self.offset_index.build()),
        };
        Ok(CodedChunk { bytes: bytes.into(), close })
    }

    fn metadata(&self) -> Result<ColumnChunkMetaData> {
        let pages = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        let data_pages = pages(PageType::DATA_PAGE, self.data_encoding(), self.n_data_pages);
        let (encodings, stats) = if self.has_dictionary() {
            let dictionary = pages(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1);
            (vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY], vec![dictionary, data_pages])
        } else {
            (vec![Encoding::PLAIN, Encoding::RLE], vec![data_pages])
        };
        ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.level.map_or(Compression::UNCOMPRESSED, Compression::ZSTD))
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_num_values(signed(self.texts.codes.len())?)
            .set_total_compressed_size(signed(self.compressed_bytes)?)
            .set_total_uncompressed_size(signed(self.uncompressed_bytes)?)
            .set_dictionary_page_offset(self.has_dictionary().then_some(0))
            .set_data_page_offset(signed(self.data_page_offset.unwrap_or_default())?)
            .set_statistics(self.statistics())
            .build()
    }

    fn statistics(&self) -> Statistics {
        let texts = self.texts;
        let values = || (0..texts.n_values()).map(|code| texts.value(code));
        let (min, max) = (values().min().map(text).map(bounds::lower), values().max().map(text).map(bounds::upper));
        let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        let statistics = ValueStatistics::new(
            min.map(|(min, _)| bytes(min)),
            max.as_ref().map(|(max, _)| bytes(max)),
            Some(texts.n_values() as u64),
            Some(self.n_nulls),
            false,
        );
        let is_exact = (min.is_some_and(|(_, is_exact)| is_exact), max.is_some_and(|(_, is_exact)| is_exact));
        Statistics::ByteArray(statistics.with_min_is_exact(is_exact.0).with_max_is_exact(is_exact.1))
    }
}

fn bloom_filter(texts: &CodedTexts, share: f64) -> Result<Sbbf> {
    let mut filter = Sbbf::new_with_ndv_fpp(texts.n_values() as u64, share)?;
    for code in 0..texts.n_values() {
        filter.insert(texts.value(code));
    }
    Ok(filter)
}

fn compress(body: &[u8], level: ZstdLevel) -> Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(Compressor::new(level.compression_level())?),
        };
        compressor.set_compression_level(level.compression_level())?;
        Ok(compressor.compress(body)?)
    })
}

fn count(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|_| too_large(n))
}

fn signed<N: Copy + std::fmt::Display, I: TryFrom<N>>(n: N) -> Result<I> {
    I::try_from(n).map_err(|_| too_large(n))
}

fn too_large(n: impl std::fmt::Display) -> ParquetError {
    ParquetError::General(format!("{n} is too large for a page"))
}
