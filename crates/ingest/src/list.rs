//! The listing of local sources.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::DirEntry;
use std::fs::FileType;
use std::fs::Metadata;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;
use std::vec;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefMutIterator;
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

/// Folders that are looked at side by side.
const FOLDERS_AHEAD: usize = 16;
/// How many entries such a folder may have; what it holds is kept until it is visited.
const ENTRIES_AHEAD: usize = 1 << 10;
/// Entries of a folder of which is known at once what they are.
const LOOKS: usize = 1 << 12;
/// Entries of a folder that one thread looks at, at least.
const LOOK_TOGETHER: usize = 256;

/// A folder that is to be visited.
struct Folder {
    path: PathBuf,
    /// The canonical form of `path`.
    real: PathBuf,
    /// What it holds, once that was looked at, if that is not too much.
    held: Option<Result<Option<Held>, IngestError>>,
}

/// What a folder holds, in the order of names.
struct Held {
    seen: Vec<Seen>,
    /// What follows, which nobody has looked at.
    rest: vec::IntoIter<Entry>,
}

/// A folder's entry.
struct Entry {
    name: OsString,
    kind: FileType,
    /// Looks it up in its open folder, and not from the root of the file system on.
    found: DirEntry,
}

/// A folder's entry that may be listed.
struct Seen {
    name: OsString,
    /// Where it really stands, if it is a link.
    target: Option<PathBuf>,
    what: What,
}

enum What {
    Folder,
    Object { version: Box<str>, bytes: u64 },
}

impl Walk {
    /// Needs: `real` is the canonical form of `path`.
    fn folder(&mut self, path: PathBuf, real: PathBuf) -> Result<(), IngestError> {
        let mut waiting = vec![Folder { path, real, held: None }];
        while let Some((Folder { path, real, .. }, held)) = next(&mut waiting) {
            if !self.folders.insert(real_fingerprint(&real)) {
                continue;
            }
            let Held { mut seen, mut rest } = held?;
            let mut folders = Vec::new();
            while !seen.is_empty() {
                for Seen { name, target, what } in seen {
                    let path = path.join(&name);
                    match what {
                        What::Folder => {
                            let real = target.unwrap_or_else(|| real.join(name));
                            folders.push(Folder { path, real, held: None });
                        }
                        What::Object { version, bytes } if self.is_new(&real, &name, target) => {
                            self.push(path, &version, bytes);
                        }
                        What::Object { .. } => {}
                    }
                }
                seen = look(&real, &mut rest)?;
            }
            waiting.extend(folders.into_iter().rev());
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, real: &Path) -> Result<(), IngestError> {
        let metadata = fs::metadata(real).map_err(IngestError::source("look at", &path))?;
        let version = version(&metadata).map_err(IngestError::source("read the time of", &path))?;
        if self.is_new_stray(real) {
            self.push(path, &version, metadata.len());
        }
        Ok(())
    }

    /// Whether an entry of a folder, which may be a link to `target`, is met for the first time.
    fn is_new(&mut self, folder: &Path, name: &OsStr, target: Option<PathBuf>) -> bool {
        match target {
            Some(target) => self.is_new_stray(&target),
            None => self.strays.is_empty() || !self.strays.contains(&real_fingerprint(&folder.join(name))),
        }
    }

    /// Whether a file that is not met in its own folder is met for the first time. There it is met once; so only strays
    /// are remembered.
    fn is_new_stray(&mut self, real: &Path) -> bool {
        let is_of_folder = real.file_name().is_some_and(|name| !is_hidden(name) && is_object_name(name))
            && real.parent().is_some_and(|folder| self.folders.contains(&real_fingerprint(folder)));
        !is_of_folder && self.strays.insert(real_fingerprint(real))
    }

    fn push(&mut self, path: PathBuf, version: &str, bytes: u64) {
        let (source_object, path) = name(path);
        self.listing.push(&source_object, path, version, bytes);
    }
}

/// The folder to visit now. What it holds was looked at along with what the next ones hold.
fn next(waiting: &mut Vec<Folder>) -> Option<(Folder, Result<Held, IngestError>)> {
    if waiting.last()?.held.is_none() {
        let ahead = waiting.len().saturating_sub(FOLDERS_AHEAD);
        let look = |folder: &mut Folder| folder.held = Some(held(&folder.real, ENTRIES_AHEAD));
        waiting[ahead..].par_iter_mut().filter(|folder| folder.held.is_none()).for_each(look);
    }
    let mut folder = waiting.pop()?;
    let held = match folder.held.take().expect("it was looked at") {
        Ok(None) => held(&folder.real, usize::MAX).map(|held| held.expect("no folder has more entries")),
        held => held.map(|held| held.expect("it is not too much")),
    };
    Some((folder, held))
}

/// What a folder holds; `None` where these are more than `limit` entries.
fn held(folder: &Path, limit: usize) -> Result<Option<Held>, IngestError> {
    let Some(entries) = entries(folder, limit)? else { return Ok(None) };
    let mut rest = entries.into_iter();
    Ok(Some(Held { seen: look(folder, &mut rest)?, rest }))
}

/// The entries of a folder that are not hidden, in the order of their names; `None` where these are more than `limit`.
fn entries(folder: &Path, limit: usize) -> Result<Option<Vec<Entry>>, IngestError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(IngestError::source("list", folder))? {
        let entry = entry.map_err(IngestError::source("list", folder))?;
        let name = entry.file_name();
        if entries.len() == limit {
            return Ok(None);
        }
        if !is_hidden(&name) {
            let kind = entry.file_type().map_err(IngestError::source("look at", entry.path()))?;
            entries.push(Entry { name, kind, found: entry });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(entries))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_")
}

fn real_fingerprint(real: &Path) -> u128 {
    fingerprint(&[real.as_os_str().as_encoded_bytes()])
}

/// Looks at entries of a folder until some of them may be listed, or none is left.
fn look(folder: &Path, entries: &mut vec::IntoIter<Entry>) -> Result<Vec<Seen>, IngestError> {
    loop {
        let next: Vec<Entry> = entries.by_ref().take(LOOKS).collect();
        let is_last = next.is_empty();
        let seen = next.into_par_iter().with_min_len(LOOK_TOGETHER).map(|entry| see(folder, entry));
        let seen: Vec<Seen> = seen.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        if is_last || !seen.is_empty() {
            return Ok(seen);
        }
    }
}

/// What an entry is; `None` where it may not be listed, is gone, or is a link that leads nowhere.
fn see(folder: &Path, entry: Entry) -> Result<Option<Seen>, IngestError> {
    let Entry { name, kind, found } = entry;
    if kind.is_dir() {
        return Ok(Some(Seen { name, target: None, what: What::Folder }));
    }
    let look = || {
        if !kind.is_symlink() {
            return Ok((None, found.metadata()?));
        }
        let real = fs::canonicalize(folder.join(&name))?;
        let metadata = fs::metadata(&real)?;
        Ok((Some(real), metadata))
    };
    // Of other files nothing is asked.
    if !kind.is_symlink() && !is_object_name(&name) {
        return Ok(None);
    }
    let path = || folder.join(&name);
    let (target, metadata) = match look() {
        Ok(found) => found,
        Err(error) if leads_nowhere(kind, &error) => {
            tracing::warn!(path = %path().display(), "passed over: gone, or a link that leads nowhere");
            return Ok(None);
        }
        Err(error) => return Err(IngestError::source("look at", path())(error)),
    };
    let what = if metadata.is_dir() {
        What::Folder
    } else if metadata.is_file() && is_object_name(&name) {
        let version = version(&metadata).map_err(|error| IngestError::source("read the time of", path())(error))?;
        What::Object { version, bytes: metadata.len() }
    } else {
        return Ok(None);
    };
    Ok(Some(Seen { name, target, what }))
}

/// A link may also lead to itself.
fn leads_nowhere(kind: FileType, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || (kind.is_symlink() && error.kind() != io::ErrorKind::PermissionDenied)
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
