//! Lists all that a run is asked to read.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::IngestError;
use crate::IngestOptions;
use crate::Location;
use crate::SkipReason;
use crate::Source;
use crate::cpu::Cpu;
use crate::fingerprint::fingerprint;
use crate::source::inventory;
use crate::source::listing::Listing;
use crate::source::local;
use crate::source::s3::S3;

/// The sources and key files of a run, told apart.
#[derive(Default)]
struct NamedSources<'a> {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Prefixes in S3, which are listed.
    prefixes: Vec<&'a Location>,
    /// Objects in S3, which are not.
    objects: Vec<Location>,
}

/// Lists every source. An object that several reach is listed once.
pub(crate) async fn list(cpu: &Cpu, s3: &S3, options: &IngestOptions) -> Result<Listing, IngestError> {
    let NamedSources { folders, files, prefixes, objects } = named(options).await?;
    let names = options.filter.names;
    let listed = cpu.run(move || local::list(&folders, &files, names)).await;
    let mut listing = listed.map_err(IngestError::worker("list the sources"))??;
    for prefix in &prefixes {
        let before = listing.len();
        s3.list(prefix, &options.filter, &mut listing).await?;
        if listing.len() == before {
            tracing::warn!(source = %prefix, "it holds no object that is asked for");
        }
    }
    look_at(s3, &objects, &mut listing).await?;
    list_names(cpu, s3, &options.names, &mut listing).await?;
    for manifest in &options.inventories {
        inventory::list(cpu, s3, manifest, &options.filter, &mut listing).await?;
    }
    if prefixes.len() + options.inventories.len() > 1 || !objects.is_empty() {
        let mut seen = HashSet::new();
        listing.retain(|object| seen.insert(fingerprint(&[object.source_object.as_bytes()])));
    }
    warn_of_other_names(&listing);
    Ok(listing)
}

/// Reads the key files, and tells folders, files, prefixes and objects apart.
async fn named(options: &IngestOptions) -> Result<NamedSources<'_>, IngestError> {
    let mut named = NamedSources::default();
    for source in &options.sources {
        match source {
            Source::Local(path) => named.folders.push(path.clone()),
            Source::S3(location) => named.prefixes.push(location),
        }
    }
    for file in &options.keys {
        let text = tokio::fs::read_to_string(file).await.map_err(IngestError::source("read", file))?;
        for name in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match Location::of(name) {
                Some(location) => named.objects.push(location),
                None => named.files.push(name.into()),
            }
        }
    }
    Ok(named)
}

/// Asks S3 for the version and size of each object. Fails if it has none of them: a bucket that is not there looks like
/// objects that are not.
async fn look_at(s3: &S3, objects: &[Location], listing: &mut Listing) -> Result<(), IngestError> {
    let mut unseen = s3.look_at(objects, listing).await?;
    if !objects.is_empty() && unseen.len() == objects.len() {
        return Err(unseen.swap_remove(0).why);
    }
    Ok(())
}

/// Lists objects by the names that the lake has of them. All of them may be gone.
async fn list_names(cpu: &Cpu, s3: &S3, names: &[String], listing: &mut Listing) -> Result<(), IngestError> {
    let (mut objects, mut files) = (Vec::new(), Vec::new());
    for name in names {
        match Location::of(name) {
            Some(location) => objects.push(location),
            None => files.push(PathBuf::from(name)),
        }
    }
    s3.look_at(&objects, listing).await?;
    let listed = cpu.run(move || local::list_names(&files)).await;
    listing.extend(listed.map_err(IngestError::worker("list the sources"))??);
    Ok(())
}

fn warn_of_other_names(listing: &Listing) {
    if let Some(others) = listing.skipped.get(SkipReason::OtherName) {
        tracing::warn!(
            objects = others.objects,
            example = others.example,
            "passed over by name: none ends with .gz, .json, .jsonl or .ndjson; --all-names reads them by their content"
        );
    }
}
