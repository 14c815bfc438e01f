//! Parts that are merged: what a footer says about it, and how a reader without the lock counts each row once.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::metadata::ParquetMetaDataReader;
use serde::Deserialize;
use serde::Serialize;
use trailweave_table::Table;
use trailweave_table::batch_id;

use crate::Lake;
use crate::LakeError;
use crate::Part;

/// The key in a footer.
const MERGED: &str = "trailweave.merged";
/// How often a reader lists a table, of which a part was gone before it was read.
const LISTINGS: u32 = 4;

/// A part that a merged part holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Its path below the lake's folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The parts that it was merged from itself.
    pub from: Vec<Merged>,
}

impl Merged {
    /// Reads from the footer of a part what it was merged from; nothing where it was not.
    pub fn read(lake: &Lake, path: &Path) -> Result<Vec<Self>, LakeError> {
        let file = lake.open_part(path)?;
        let read = || {
            let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
            let notes = metadata.file_metadata().key_value_metadata();
            let note = notes.and_then(|notes| notes.iter().find(|note| note.key == MERGED)?.value.as_deref());
            Ok::<_, ParquetError>(note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default())
        };
        read().map_err(LakeError::parquet(path))
    }

    /// Returns the entry of a footer that says it.
    pub(crate) fn note(merged: &[Self]) -> KeyValue {
        KeyValue::new(MERGED.to_owned(), serde_json::to_string(merged).expect("paths of a lake are text"))
    }

    /// Visits its path, and those of all that it was merged from.
    pub(crate) fn visit(&self, visit: &mut impl FnMut(&Path)) {
        visit(&self.path);
        for it in &self.from {
            it.visit(visit);
        }
    }
}

/// Lets `read` see the parts of a table of which every file is of one batch, or merged, such that no row is there twice:
/// while a change is carried out, a merged part stands beside those that it holds. Where one of them is gone before it is
/// read, because a change has replaced it, the table is listed again.
pub fn read_once<T>(
    lake: &Lake,
    table: &Table,
    mut read: impl FnMut(Vec<Part>) -> Result<T, LakeError>,
) -> Result<T, LakeError> {
    let mut attempt = || read(parts(lake, table)?);
    for _ in 1..LISTINGS {
        match attempt() {
            Err(error) if error.is_gone() => {}
            done => return done,
        }
    }
    attempt()
}

fn parts(lake: &Lake, table: &Table) -> Result<Vec<Part>, LakeError> {
    let mut parts = lake.parts(table)?;
    let mut held = HashSet::new();
    for part in parts.iter().filter(|part| batch_id(&part.path).is_none()) {
        held.extend(Merged::read(lake, &part.path)?.into_iter().map(|it| it.path));
    }
    parts.retain(|part| !held.contains(lake.below(&part.path)));
    Ok(parts)
}
