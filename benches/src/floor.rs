//! The floor: reads every object below a folder and merely inflates it with libdeflate.
//!
//! `cargo run --release --bin floor -- FOLDER [THREADS]`

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use libdeflater::Decompressor;

fn main() -> anyhow::Result<()> {
    let usage = "usage: floor FOLDER [THREADS]";
    let folder = env::args_os().nth(1).context(usage)?;
    let threads: usize = env::args().nth(2).map_or(Ok(1), |threads| threads.parse()).context(usage)?;
    let began = Instant::now();
    let mut objects = Vec::new();
    collect(Path::new(&folder), &mut objects)?;
    let next = AtomicUsize::new(0);
    let inflated = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| inflate_all(&objects, &next))).collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let (gzip_bytes, json_bytes) = inflated.iter().fold((0, 0), |(a, b), (gzip, json)| (a + gzip, b + json));
    let seconds = began.elapsed().as_secs_f64();
    println!("{} objects, {gzip_bytes} bytes of gzip, {json_bytes} bytes of JSON, {seconds:.3} s", objects.len());
    Ok(())
}

fn collect(folder: &Path, objects: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), objects)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "gz") {
            objects.push(entry.path());
        }
    }
    Ok(())
}

/// Inflates what no other thread has taken; returns the bytes of gzip and of JSON.
fn inflate_all(objects: &[PathBuf], next: &AtomicUsize) -> anyhow::Result<(u64, u64)> {
    let (mut inflater, mut json) = (Decompressor::new(), Vec::new());
    let (mut gzip_bytes, mut json_bytes) = (0, 0);
    while let Some(path) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
        let gzip = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let trailer = gzip.last_chunk::<4>().with_context(|| format!("`{}` has no trailer", path.display()))?;
        json.resize(u32::from_le_bytes(*trailer) as usize, 0);
        let n_bytes = inflater.gzip_decompress(&gzip, &mut json);
        json_bytes += n_bytes.with_context(|| format!("cannot inflate `{}`", path.display()))? as u64;
        gzip_bytes += gzip.len() as u64;
    }
    Ok((gzip_bytes, json_bytes))
}
