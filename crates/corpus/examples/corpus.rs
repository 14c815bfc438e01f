//! Writes a corpus and prints what it holds: `corpus DIR [OPTION=VALUE]..`, the options being those of
//! [`CorpusOptions`]: `seed=7 records=200000 records_per_object=3`.

use std::env;
use std::error::Error;
use std::path::Path;
use std::str::FromStr;

use trailweave_corpus::{CorpusOptions, generate};

#[expect(clippy::print_stdout, reason = "the example's only output")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let root = arguments.next().filter(|root| !root.starts_with('-')).ok_or("usage: corpus DIR [OPTION=VALUE]..")?;
    let mut options = CorpusOptions::default();
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("`{argument}` is no OPTION=VALUE"))?;
        match name {
            "seed" => set(&mut options.seed, value),
            "accounts" => set(&mut options.accounts, value),
            "regions" => set(&mut options.regions, value),
            "days" => set(&mut options.days, value),
            "first_day" => set(&mut options.first_day, value),
            "records" => set(&mut options.records, value),
            "records_per_object" => set(&mut options.records_per_object, value),
            "flows" => set(&mut options.flows, value),
            "assume_role" => set(&mut options.assume_role, value),
            "doubled" => set(&mut options.doubled, value),
            "late" => set(&mut options.late, value),
            "digests" => set(&mut options.digests, value),
            _ => Err("there is no such option".into()),
        }
        .map_err(|error| format!("`{argument}`: {error}"))?;
    }
    let corpus = generate(&options, Path::new(&root))?;
    println!("{}", serde_json::to_string_pretty(&corpus)?);
    Ok(())
}

fn set<T: FromStr<Err: Error + 'static>>(option: &mut T, value: &str) -> Result<(), Box<dyn Error>> {
    *option = value.parse()?;
    Ok(())
}
