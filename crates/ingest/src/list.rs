//! The listing of local sources.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::DirEntry;
use std::fs::Metadata;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelRefIterator;
use rayon::iter::ParallelIterator;

use crate::IngestError;
use crate::fingerprint::fingerprint;
use crate::fingerprint::short_hex;
use crate::listing::Listing;

/// What a folder's objects are called, in any case.
const ENDINGS: [&str; 4] = [".gz", ".json", ".jsonl", ".ndjson"];

/// Lists files, and folders with all that they hold, in the order of names. What two sources or links both reach is
/// listed once: under its name in its folder where that comes first, else under the first name that reaches it. So a loop of
/// links ends.
pub(crate) fn list(sources: &[PathBuf]) -> Result<Listing, IngestError> {
    let mut walk = Walk::default();
    for source in sources {
        let path: PathBuf = source.components().filter(|part| *part != Component::CurDir).collect();
        let real = match fs::canonicalize(source) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(IngestError::SourceMissing { path: source.clone() });
            }
            Err(error) => return Err(IngestError::source("find", source)(error)),
        };
        if real.is_dir() {
            walk.folder(path, real)?;
        } else {
            walk.file(path, &real)?;
        }
    }
    Ok(walk.listing)
}

/// What tells one content of a local file from the next.
pub(crate) fn version(metadata: &Metadata) -> io::Result<Box<str>> {
    let modified = metadata.modified()?;
    let nanos = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos().to_string(),
        Err(before) => format!("-{}", before.duration().as_nanos()),
    };
    Ok(format!("{}-{nanos}", metadata.len()).into())
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    /// Fingerprints of the real paths of all folders so far.
    folders: HashSet<u128>,
    /// The same of files that were not met in their own folder: links lead to them, or they are sources themselves.
    strays: HashSet<u128>,
}

/// Entries of a folder of which is known at once what they are.
const LOOKS: usize = 1 << 12;
/// Entries of a folder that one thread looks at, at least.
const LOOK_TOGETHER: usize = 32;

/// A folder's entry that is to be visited.
struct Entry {
    name: OsString,
    is_link: bool,
    /// Looks it up in its open folder, and not from the root of the file system on.
    found: DirEntry,
}

impl Walk {
    /// Needs: `real` is the canonical form of `path`.
    fn folder(&mut self, path: PathBuf, real: PathBuf) -> Result<(), IngestError> {
        let mut waiting = vec![(path, real)];
        while let Some((path, real)) = waiting.pop() {
            if !self.folders.insert(real_fingerprint(&real)) {
                continue;
            }
            let mut folders = Vec::new();
            let entries = entries(&real)?;
            // Looking at files is most of a listing.
            let look = |entry: &Entry| visit(real.join(&entry.name), entry);
            for entries in entries.chunks(LOOKS) {
                let visited: Vec<_> = entries.par_iter().with_min_len(LOOK_TOGETHER).map(look).collect();
                for (entry, visited) in entries.iter().zip(visited) {
                    let path = path.join(&entry.name);
                    let Some((real, metadata)) = visited? else {
                        continue;
                    };
                    if metadata.is_dir() {
                        folders.push((path, real));
                    } else if metadata.is_file() && is_object_name(&entry.name) && self.is_new(&real, entry.is_link) {
                        self.push(path, &metadata)?;
                    }
                }
            }
            waiting.extend(folders.into_iter().rev());
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, real: &Path) -> Result<(), IngestError> {
        let metadata = fs::metadata(real).map_err(IngestError::source("look at", &path))?;
        if self.is_new(real, true) { self.push(path, &metadata) } else { Ok(()) }
    }

    /// Whether a file is met for the first time. It is met once in its own folder; so only strays are remembered.
    fn is_new(&mut self, real: &Path, is_stray: bool) -> bool {
        if !is_stray {
            return self.strays.is_empty() || !self.strays.contains(&real_fingerprint(real));
        }
        let is_of_folder = real.file_name().is_some_and(|name| !is_hidden(name) && is_object_name(name))
            && real.parent().is_some_and(|folder| self.folders.contains(&real_fingerprint(folder)));
        !is_of_folder && self.strays.insert(real_fingerprint(real))
    }

    fn push(&mut self, path: PathBuf, metadata: &Metadata) -> Result<(), IngestError> {
        let version = version(metadata).map_err(IngestError::source("read the time of", &path))?;
        let (source_object, path) = name(path);
        self.listing.push(&source_object, path, &version, metadata.len());
        Ok(())
    }
}

/// The entries of a folder that are not hidden, in the order of their names.
fn entries(folder: &Path) -> Result<Vec<Entry>, IngestError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(IngestError::source("list", folder))? {
        let entry = entry.map_err(IngestError::source("list", folder))?;
        let name = entry.file_name();
        if !is_hidden(&name) {
            let kind = entry.file_type().map_err(IngestError::source("look at", entry.path()))?;
            entries.push(Entry { name, is_link: kind.is_symlink(), found: entry });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_")
}

fn real_fingerprint(real: &Path) -> u128 {
    fingerprint(&[real.as_os_str().as_encoded_bytes()])
}

/// Where an entry really stands, and what it is; `None` where it is gone, or a link that leads nowhere.
fn visit(path: PathBuf, entry: &Entry) -> Result<Option<(PathBuf, Metadata)>, IngestError> {
    let found = || {
        if !entry.is_link {
            return Ok((path.clone(), entry.found.metadata()?));
        }
        let real = fs::canonicalize(&path)?;
        let metadata = fs::metadata(&real)?;
        Ok((real, metadata))
    };
    match found() {
        Ok(found) => Ok(Some(found)),
        Err(error) if leads_nowhere(entry, &error) => {
            tracing::warn!(path = %path.display(), "passed over: gone, or a link that leads nowhere");
            Ok(None)
        }
        Err(error) => Err(IngestError::source("look at", path)(error)),
    }
}

/// A link may also lead to itself.
fn leads_nowhere(entry: &Entry, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || (entry.is_link && error.kind() != io::ErrorKind::PermissionDenied)
}

pub(crate) fn is_object_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    ENDINGS.iter().any(|ending| {
        name.len() > ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
    })
}

/// The name of an object, and its path where that is another. The hash keeps two names apart that look alike once
/// their bytes that are not UTF-8 are replaced.
fn name(path: PathBuf) -> (Box<str>, Option<Box<OsStr>>) {
    match path.into_os_string().into_string() {
        Ok(name) => (name.into(), None),
        Err(path) => {
            let hash = short_hex([path.as_encoded_bytes()]);
            (format!("{}#{hash}", path.to_string_lossy()).into(), Some(path.into_boxed_os_str()))
        }
    }
}

#[cfg(test)]
mod tests;
