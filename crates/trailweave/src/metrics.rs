//! Figures as Prometheus text, for the textfile collector of a node exporter. The file appears whole.

use std::fmt;
use std::fmt::Write as _;
use std::path::Path;

use trailweave_lake::LakeError;
use trailweave_lake::WholeFile;

use crate::figures::Figure;

/// Writes the figures of a run.
pub(crate) fn write(path: &Path, figures: &[Figure]) -> Result<(), LakeError> {
    // The collector is another user.
    WholeFile::create(path)?.readable_by_all()?.write_whole(text(figures).as_bytes())
}

fn text(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        write_figure(&mut text, figure).expect("a text takes every line");
    }
    text
}

fn write_figure(text: &mut String, Figure { name, help, points }: &Figure) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}")?;
    writeln!(text, "# TYPE {name} gauge")?;
    for point in points {
        match &point.label {
            Some((label, of)) => writeln!(text, "{name}{{{label}=\"{of}\"}} {}", point.value)?,
            None => writeln!(text, "{name} {}", point.value)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
