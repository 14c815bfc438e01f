//! A lake: its folders, its format and its lock.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use trailweave_table::DATE_PARTITION;
use trailweave_table::LEDGER;
use trailweave_table::Table;

use crate::Format;
use crate::LakeError;
use crate::WholeFile;
use crate::change;

/// A lake in a local folder.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    format: Format,
}

/// The right to write a lake, held until dropped. The operating system releases it when the process dies.
#[derive(Debug)]
pub struct LakeLock {
    _files: Vec<File>,
}

/// A committed file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its UTC date, `YYYY-MM-DD`; `None` where the table is not partitioned.
    pub event_date: Option<String>,
    /// Where it stands.
    pub path: PathBuf,
}

impl Lake {
    /// Opens the lake at `root`.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        let path = format_file(root);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LakeError::NotALake { root: root.to_owned() });
            }
            Err(source) => return Err(LakeError::file("read", path)(source)),
        };
        let format: Format =
            serde_json::from_slice(&text).map_err(|source| LakeError::Damaged { path, source: source.into() })?;
        if format.format_version > Format::VERSION {
            let root = root.to_owned();
            return Err(LakeError::NewerFormat { root, found: format.format_version, known: Format::VERSION });
        }
        Ok(Self { root: root.to_owned(), format })
    }

    /// Opens the lake at `root`, or makes one that keeps `events` (`relevant` where `None`). An existing lake must have been made with the same choice.
    pub fn open_or_create(root: &Path, events: Option<&str>) -> Result<Self, LakeError> {
        let lake = match Self::open(root) {
            Ok(lake) => lake,
            Err(LakeError::NotALake { .. }) => Self::create(root, events.unwrap_or("relevant"))?,
            Err(other) => return Err(other),
        };
        match events {
            Some(asked) if asked != lake.format.events => {
                let (kept, asked) = (lake.format.events, asked.to_owned());
                Err(LakeError::OtherEvents { root: lake.root, kept, asked })
            }
            _ => Ok(lake),
        }
    }

    fn create(root: &Path, events: &str) -> Result<Self, LakeError> {
        let format = Format { format_version: Format::VERSION, events: events.to_owned() };
        let text = serde_json::to_vec_pretty(&format).expect("a format is plain data");
        WholeFile::write_all_at(&format_file(root), &text)?;
        Ok(Self { root: root.to_owned(), format })
    }

    /// The folder of the lake.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the lake is.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Takes the right to write, or says that another run has it. A change that a killed run left unfinished is finished.
    pub fn lock(&self) -> Result<LakeLock, LakeError> {
        let whole = self.lock_file("lock", File::try_lock)?;
        change::finish_all(self)?;
        Ok(LakeLock { _files: vec![whole] })
    }

    /// Takes the right to write a share of a job that is done in `count` shares, or says that another run has the lake,
    /// or this share. Shares are told apart by `name`, and only those of the same count write together.
    pub fn lock_shard(&self, name: &str, count: u32) -> Result<LakeLock, LakeError> {
        let whole = self.lock_file("lock", File::try_lock_shared)?;
        let ours = format!("lock-shards-of-{count}");
        let counted = self.lock_file(&ours, File::try_lock_shared)?;
        for other in names(&self.state_dir())? {
            if other.starts_with("lock-shards-of-") && other != ours {
                drop(self.lock_file(&other, File::try_lock)?);
            }
        }
        let share = self.lock_file(&format!("lock-shard-{}", name.replace('/', "-of-")), File::try_lock)?;
        Ok(LakeLock { _files: vec![share, counted, whole] })
    }

    fn lock_file(&self, name: &str, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<File, LakeError> {
        let path = self.state_dir().join(name);
        let file = File::options().create(true).append(true).open(&path).map_err(LakeError::file("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LakeError::Locked { root: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(LakeError::file("lock", path)(source)),
        }
    }

    /// `_trailweave`: the lake's own state, which query engines do not list.
    pub fn state_dir(&self) -> PathBuf {
        self.root.join("_trailweave")
    }

    /// The folder of a table.
    pub fn table_dir(&self, table: &Table) -> PathBuf {
        if table.name == LEDGER.name { self.state_dir().join(table.name) } else { self.root.join(table.name) }
    }

    /// The committed parts of a table, in the order of their dates and names. A table that has none yet is empty.
    pub fn parts(&self, table: &Table) -> Result<Vec<Part>, LakeError> {
        let folder = self.table_dir(table);
        let mut parts = Vec::new();
        if table.dated_by.is_none() {
            push_parts(&mut parts, &folder, None)?;
        } else {
            for name in names(&folder)? {
                if let Some(date) = name.strip_prefix(DATE_PARTITION).and_then(|rest| rest.strip_prefix('=')) {
                    push_parts(&mut parts, &folder.join(&name), Some(date))?;
                }
            }
        }
        parts.sort();
        Ok(parts)
    }
}

fn format_file(root: &Path) -> PathBuf {
    root.join("_trailweave").join("lake.json")
}

fn push_parts(parts: &mut Vec<Part>, folder: &Path, date: Option<&str>) -> Result<(), LakeError> {
    for name in names(folder)? {
        if name.ends_with(".parquet") && !name.starts_with(['.', '_']) {
            parts.push(Part { event_date: date.map(str::to_owned), path: folder.join(name) });
        }
    }
    Ok(())
}

/// The names in a folder; none where the folder does not exist.
fn names(folder: &Path) -> Result<Vec<String>, LakeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LakeError::file("list", folder)(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(LakeError::file("list", folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
