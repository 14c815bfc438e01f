//! Writes a text column of few values as a column chunk of Parquet.
//!
//! The Parquet library hashes and compares every value of every row, also of a column that comes as numbers of its
//! values. Here a value is looked at once for each row group, and a row costs a few bits: see docs/adr/0033.
//!
//! ```text
//! chunk           = dictionary page, data page of up to 16,384 rows, ..; or, without any value, plain data pages
//! dictionary page = header, zstd of: { length of a value: u32, its UTF-8 } in the order in which rows first have them
//! data page (v1)  = header, zstd of: { length of the levels: u32, levels, width of a number in bits: u8, numbers }
//! levels          = hybrid of a bit a row: 1 has a value, 0 is null
//! numbers         = hybrid of the positions in the dictionary of those rows that have a value
//! hybrid          = runs: { count << 1: varint, value: whole bytes } or { groups of eight << 1 | 1: varint, bits }
//! ```
//!
//! Integers are little endian, bits begin with the lowest. Headers, statistics, page index and Bloom filter are the
//! Parquet library's. The format is <https://parquet.apache.org/docs/file-format/>.
//!
//! The same texts give the same bytes, however they are cut into arrays.

mod bounds;
mod chunk;
mod hybrid;
mod texts;

#[cfg(test)]
mod tests;

pub use crate::chunk::{CodedChunk, Filter};
pub use crate::texts::CodedTexts;
