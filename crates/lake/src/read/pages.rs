//! The pages of row groups, inflated by one decompressor a thread.
//!
//! The Parquet library makes a compressor and a decompressor for each column chunk that it reads. That is 160 KB to ask
//! for and to give back, and often more work than the chunk. Here it reads pages as they are stored.

use std::cell::RefCell;
use std::io;
use std::io::Cursor;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::Page;
use parquet::column::page::PageIterator;
use parquet::column::page::PageMetadata;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use crate::LakeFile;

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Some row groups of a file.
#[derive(Debug)]
pub(super) struct InflatedGroups {
    pub(super) file: Arc<LakeFile>,
    pub(super) end: Arc<ParquetMetaData>,
    pub(super) groups: Vec<usize>,
}

impl RowGroups for InflatedGroups {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or(usize::MAX)).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, end) = (Arc::clone(&self.file), Arc::clone(&self.end));
        let chunk = move |group| pages(&file, end.row_group(group), column);
        Ok(Box::new(Chunks(self.groups.clone().into_iter().map(chunk))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.groups.iter().map(|group| self.end.row_group(*group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.end
    }
}

/// The chunks of a column, one of each row group.
struct Chunks<I>(I);

impl<I: Iterator<Item = Result<Box<dyn PageReader>>>> Iterator for Chunks<I> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<I: Iterator<Item = Result<Box<dyn PageReader>>> + Send> PageIterator for Chunks<I> {}

/// Begins to read the pages of a column chunk.
fn pages(file: &Arc<LakeFile>, group: &RowGroupMetaData, column: usize) -> Result<Box<dyn PageReader>> {
    let chunk = group.column(column);
    let n_rows = usize::try_from(group.num_rows())?;
    let reader = |chunk: &ColumnChunkMetaData| SerializedPageReader::new(Arc::clone(file), chunk, n_rows, None);
    if !matches!(chunk.compression(), Compression::ZSTD(_)) {
        return Ok(Box::new(reader(chunk)?));
    }
    let stored = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
    Ok(Box::new(InflatedPages { stored: reader(&stored)? }))
}

/// The pages of a chunk that is stored as zstd.
struct InflatedPages {
    stored: SerializedPageReader<LakeFile>,
}

impl PageReader for InflatedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.stored.get_next_page()?.map(inflated).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.stored.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.stored.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.stored.at_record_boundary()
    }
}

impl Iterator for InflatedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Returns the page with what it holds in place of the zstd of it. The levels of a page of version 2 stand before, as they
/// are.
fn inflated(mut page: Page) -> Result<Page> {
    match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = inflate(buf, 0)?,
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, is_compressed: true, .. } => {
            *buf = inflate(buf, (*def_levels_byte_len + *rep_levels_byte_len) as usize)?;
        }
        Page::DataPageV2 { .. } => {}
    }
    Ok(page)
}

/// Inflates what stands behind the first bytes, which are copied.
fn inflate(stored: &[u8], n_plain: usize) -> Result<Bytes> {
    let damaged = |fault: String| ParquetError::General(format!("a page of zstd cannot be inflated: {fault}"));
    let (plain, zstd) = stored.split_at_checked(n_plain).ok_or_else(|| damaged("it ends early".to_owned()))?;
    if zstd.is_empty() {
        return Ok(Bytes::copy_from_slice(plain));
    }
    let fault = |error: io::Error| damaged(error.to_string());
    let Ok(Some(n_bytes)) = get_frame_content_size(zstd) else {
        // Writers that stream do not say how much it will be.
        let rest = zstd::stream::decode_all(zstd).map_err(fault)?;
        return Ok(plain.iter().copied().chain(rest).collect());
    };
    // The header of a page says its size in 31 bits.
    let n_bytes = i32::try_from(n_bytes).map_err(|_| damaged(format!("it says that it holds {n_bytes} bytes")))?;
    let n_bytes = usize::try_from(n_bytes)?;
    DECOMPRESSOR.with_borrow_mut(|made| {
        let decompressor = match made {
            Some(decompressor) => decompressor,
            None => made.insert(Decompressor::new().map_err(fault)?),
        };
        let mut whole = Cursor::new(Vec::with_capacity(n_plain + n_bytes));
        whole.write_all(plain).and_then(|()| decompressor.decompress_to_buffer(zstd, &mut whole)).map_err(fault)?;
        Ok(whole.into_inner().into())
    })
}

#[cfg(test)]
mod tests {
    use zstd::bulk;
    use zstd::stream;

    use super::*;

    #[test]
    fn zstd_that_says_its_size_and_zstd_that_does_not_are_inflated() {
        let text = b"vol-0123456789abcdef0".repeat(9_999);
        for stored in [bulk::compress(&text, 1).unwrap(), stream::encode_all(&*text, 1).unwrap()] {
            let stored = [b"levels".as_slice(), &stored].concat();
            assert_eq!(inflate(&stored, 6).unwrap(), [b"levels".as_slice(), &text].concat());
        }
        assert_eq!(inflate(b"levels", 6).unwrap(), b"levels".as_slice());
    }

    #[test]
    fn zstd_that_is_damaged_is_an_error() {
        let mut stored = bulk::compress(b"i-0123456789abcdef0", 1).unwrap();
        stored.truncate(stored.len() - 1);
        for (stored, n_plain) in [(stored.as_slice(), 0), (b"no zstd", 0), (b"", 1)] {
            let said = inflate(stored, n_plain).unwrap_err().to_string();
            assert!(said.contains("a page of zstd cannot be inflated"), "{said}");
        }
    }
}
