//! Inventories of S3, which name the objects of a bucket for no LIST and no HEAD request.
//!
//! ```text
//!  manifest.json --> its files, CSV in gzip or Parquet --MD5--> rows --latest, of a trail, filter--> Listing
//! ```
//!
//! A bucket's inventory names more than trails, so of an inventory only what stands or is named as in a trail is
//! taken.

mod csv;
mod parquet;
mod row;

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;

use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream;
use md5::Digest;
use md5::Md5;
use serde::Deserialize;

use crate::Filter;
use crate::IngestError;
use crate::Location;
use crate::Source;
use crate::cpu::Cpu;
use crate::source::inventory::row::InventoryRow;
use crate::source::inventory::row::Unusable;
use crate::source::listing::Listing;
use crate::source::s3::S3;

/// Files of an inventory that are fetched and read at once.
const FILES: usize = 4;

/// The manifest that S3 writes when an inventory is complete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    /// An ARN.
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<DataFile>,
}

#[derive(Debug, Clone, Deserialize)]
struct DataFile {
    key: String,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

#[derive(Debug, Clone)]
enum InventoryFormat {
    /// The schema names the columns.
    Csv(String),
    Parquet,
}

/// Adds to `listing` what an inventory names, and what the filter takes of it.
pub(crate) async fn list(
    cpu: &Cpu,
    s3: &S3,
    manifest: &Source,
    filter: &Filter,
    listing: &mut Listing,
) -> Result<(), IngestError> {
    let unusable = |source: Unusable| IngestError::Inventory { name: manifest.to_string(), source: source.into() };
    let mut text = String::new();
    let mut file = open(s3, manifest).await?;
    file.read_to_string(&mut text).map_err(IngestError::source("read", manifest.to_string()))?;
    let said: Manifest = serde_json::from_str(&text).map_err(|error| unusable(Unusable::Manifest(error)))?;
    let format = match said.file_format.as_str() {
        "CSV" => InventoryFormat::Csv(said.file_schema),
        "Parquet" => InventoryFormat::Parquet,
        other => return Err(unusable(Unusable::Format(other.to_owned()))),
    };
    let bucket = said.destination_bucket.rsplit(':').next().unwrap_or_default();
    let read = async |file: &DataFile| {
        let stored = open(s3, &beside(manifest, bucket, &file.key)).await?;
        let (file, format, filter) = (file.clone(), format.clone(), filter.clone());
        let read = cpu.run(move || read_file(&file, stored, &format, &filter)).await;
        read.map_err(IngestError::worker("read an inventory"))?.map_err(unusable)
    };
    let mut found = stream::iter(&said.files).map(|file| Box::pin(read(file))).buffered(FILES);
    while let Some(more) = found.try_next().await? {
        listing.extend(more);
    }
    Ok(())
}

/// Where a file of the inventory is: in its bucket, or in the folder of a manifest that was copied.
fn beside(manifest: &Source, bucket: &str, key: &str) -> Source {
    match manifest {
        Source::Local(path) => Source::Local(path.with_file_name(key.rsplit('/').next().unwrap_or(key))),
        Source::S3(_) => Source::S3(Location { bucket: bucket.to_owned(), key: key.to_owned() }),
    }
}

async fn open(s3: &S3, source: &Source) -> Result<File, IngestError> {
    match source {
        Source::Local(path) => File::open(path).map_err(IngestError::source("open", path)),
        Source::S3(location) => s3.copy(location).await,
    }
}

fn read_file(
    file: &DataFile,
    mut stored: File,
    format: &InventoryFormat,
    filter: &Filter,
) -> Result<Listing, Unusable> {
    let md5 = md5(&mut stored).map_err(|error| Unusable::File(file.key.clone(), error.into()))?;
    if !md5.eq_ignore_ascii_case(&file.md5) {
        return Err(Unusable::Checksum(file.key.clone()));
    }
    let mut listing = Listing::default();
    let mut take = |row: InventoryRow<'_>| {
        let lacks = |column| Unusable::Cell(file.key.clone(), column, row.key.to_owned());
        if !row.is_current {
            return Ok(());
        }
        let bytes = row.bytes.ok_or_else(|| lacks("Size"))?;
        if row.etag.is_empty() {
            return Err(lacks("ETag"));
        }
        let location = Location { bucket: row.bucket.to_owned(), key: row.key.to_owned() };
        listing.push_of_trail(&location, row.etag, bytes, filter);
        Ok(())
    };
    match format {
        InventoryFormat::Csv(schema) => csv::read(&file.key, stored, schema, &mut take)?,
        InventoryFormat::Parquet => parquet::read(&file.key, stored, &mut take)?,
    }
    Ok(listing)
}

/// The MD5 of a file that is read from its beginning, in hexadecimal.
fn md5(file: &mut File) -> io::Result<String> {
    let mut hash = Md5::new();
    let mut bytes = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut bytes)?;
        if n == 0 {
            break;
        }
        hash.update(&bytes[..n]);
    }
    file.rewind()?;
    Ok(format!("{:032x}", u128::from_be_bytes(hash.finalize().into())))
}
