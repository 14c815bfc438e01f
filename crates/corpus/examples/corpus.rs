//! Writes a corpus and prints what it holds: `corpus DIR [SEED] [RECORDS] [DAYS] [RECORDS_PER_OBJECT]`.

use std::env;
use std::error::Error;
use std::path::Path;

use trailweave_corpus::{Options, generate};

#[expect(clippy::print_stdout, reason = "the example's only output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = arguments.first().ok_or("usage: corpus DIR [SEED] [RECORDS] [DAYS] [RECORDS_PER_OBJECT]")?;
    let mut options = Options::default();
    if let Some(seed) = arguments.get(1) {
        options.seed = seed.parse()?;
    }
    if let Some(records) = arguments.get(2) {
        options.records = records.parse()?;
    }
    if let Some(days) = arguments.get(3) {
        options.days = days.parse()?;
    }
    if let Some(records_per_object) = arguments.get(4) {
        options.records_per_object = records_per_object.parse()?;
    }
    let corpus = generate(&options, Path::new(root))?;
    println!("{}", serde_json::to_string_pretty(&corpus)?);
    Ok(())
}
