//! The floor: reads every object below a folder and merely inflates it with libdeflate, on one thread.
//!
//! `cargo run --release -p trailweave-bench --bin floor -- FOLDER`

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use libdeflater::Decompressor;

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).context("usage: floor FOLDER")?;
    let began = Instant::now();
    let mut floor = Floor { inflater: Decompressor::new(), json: Vec::new(), objects: 0, gzip_bytes: 0, json_bytes: 0 };
    floor.walk(Path::new(&folder))?;
    let seconds = began.elapsed().as_secs_f64();
    let Floor { objects, gzip_bytes, json_bytes, .. } = floor;
    println!("{objects} objects, {gzip_bytes} bytes of gzip, {json_bytes} bytes of JSON, {seconds:.3} s");
    Ok(())
}

struct Floor {
    inflater: Decompressor,
    json: Vec<u8>,
    objects: u64,
    gzip_bytes: u64,
    json_bytes: u64,
}

impl Floor {
    fn walk(&mut self, folder: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                self.walk(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "gz") {
                self.inflate(&path).with_context(|| format!("cannot inflate `{}`", path.display()))?;
            }
        }
        Ok(())
    }

    fn inflate(&mut self, path: &Path) -> anyhow::Result<()> {
        let gz = fs::read(path)?;
        let trailer = gz.last_chunk::<4>().context("no gzip trailer")?;
        self.json.resize(u32::from_le_bytes(*trailer) as usize, 0);
        let n = self.inflater.gzip_decompress(&gz, &mut self.json)?;
        self.objects += 1;
        self.gzip_bytes += gz.len() as u64;
        self.json_bytes += n as u64;
        Ok(())
    }
}
