//! Products: one file per date, replaced as a whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use arrow::array::RecordBatch;
use trailweave_lake::Change;
use trailweave_lake::Covered;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::Part;
use trailweave_lake::TableWriter;
use trailweave_table::Table;
use trailweave_table::{ATTACHMENTS, CORRELATED, PRODUCTS};
use trailweave_table::{date_of_day, day_of_date, partition_dir, product_name};

/// A file of a product without its name, which says what is in it.
const UNNAMED: &str = "part.parquet";

/// The name of the change that puts products in their place.
const NAME: &str = "products";

/// The products that lose their rows of pruned days. The other dimensions keep theirs: attachments are what happened on a day.
pub(crate) const PRUNED_PRODUCTS: [&Table; 2] = [&CORRELATED, &ATTACHMENTS];

/// The files of products that replace those of the lake together, and how the products stand meanwhile.
pub(crate) struct Replacement<'a> {
    lake: &'a Lake,
    /// The first day of which all rows are kept, if others were pruned.
    pruned_before: Option<i32>,
    so_far: Mutex<SoFar<'a>>,
}

/// The products as a replacement has made them so far.
struct SoFar<'a> {
    change: Change<'a>,
    /// Where the file is now that will stand in the lake.
    files: BTreeMap<Place, PathBuf>,
    /// The name of each file that was written.
    names: BTreeMap<Place, String>,
    /// The files that stand in the lake.
    standing: Vec<(Option<Place>, PathBuf)>,
}

/// A table and a day.
type Place = (&'static str, i32);

impl<'a> Replacement<'a> {
    /// Begins with the products as they stand in the lake.
    pub(crate) fn of_what_is(lake: &'a Lake) -> Result<Self, LakeError> {
        let products = Self::of_nothing(lake)?;
        {
            let mut so_far = products.so_far();
            let SoFar { files, standing, .. } = &mut *so_far;
            files.extend(standing.iter().filter_map(|(place, path)| Some(((*place)?, path.clone()))));
        }
        Ok(products)
    }

    /// Begins with empty products: what stands in the lake goes.
    pub(crate) fn of_nothing(lake: &'a Lake) -> Result<Self, LakeError> {
        let mut standing = Vec::new();
        for table in PRODUCTS {
            let dated =
                |part: Part| (part.event_date.and_then(|date| Some((table.name, day_of_date(&date)?))), part.path);
            standing.extend(lake.parts(table)?.into_iter().map(dated));
        }
        let (change, files, names) = (Change::new(lake, NAME), BTreeMap::new(), BTreeMap::new());
        let pruned_before = lake.pruned_before()?;
        Ok(Self { lake, pruned_before, so_far: Mutex::new(SoFar { change, files, names, standing }) })
    }

    pub(crate) fn lake(&self) -> &'a Lake {
        self.lake
    }

    /// Tells whether rows of a day of a product are kept, or were pruned.
    pub(crate) fn keeps(&self, table: &Table, day: i32) -> bool {
        let is_pruned = PRUNED_PRODUCTS.iter().any(|it| it.name == table.name);
        !(is_pruned && self.pruned_before.is_some_and(|before| day < before))
    }

    /// Makes them the lake's, and notes what its products cover then. Returns of how many days of tables that changes the
    /// file.
    pub(crate) fn commit(self, covered: Covered) -> Result<u64, LakeError> {
        let so_far = self.so_far.into_inner().unwrap_or_else(PoisonError::into_inner);
        let SoFar { mut change, files, names, standing } = so_far;
        let mut changed: BTreeSet<Option<Place>> = names.keys().copied().map(Some).collect();
        for (place, path) in standing {
            if place.and_then(|place| files.get(&place)) != Some(&path) {
                change.remove(&path);
                changed.insert(place);
            }
        }
        for (place, name) in names {
            let staged = &files[&place];
            change.name(staged, &staged.with_file_name(name));
        }
        covered.stage(self.lake, &mut change)?;
        change.commit()?;
        Ok(changed.len() as u64)
    }

    /// Lists the days on which a product has rows so far, and the files of these.
    pub(crate) fn files(&self, table: &Table) -> Vec<(i32, PathBuf)> {
        let so_far = self.so_far();
        let of_table = so_far.files.range((table.name, i32::MIN)..=(table.name, i32::MAX));
        of_table.map(|((_, day), path)| (*day, path.clone())).collect()
    }

    pub(crate) fn file(&self, table: &'static Table, day: i32) -> Option<PathBuf> {
        self.so_far().files.get(&(table.name, day)).cloned()
    }

    /// Returns where the file of a day is to be written.
    fn stage(&self, table: &'static Table, day: i32) -> PathBuf {
        let mut so_far = self.so_far();
        let folder = self.lake.table_dir(table).join(partition_dir(&date_of_day(day)));
        let path = so_far.change.stage(&folder.join(UNNAMED));
        so_far.files.insert((table.name, day), path.clone());
        path
    }

    /// Lets a product have no row on a day.
    pub(crate) fn remove(&self, table: &'static Table, day: i32) {
        let mut so_far = self.so_far();
        so_far.files.remove(&(table.name, day));
        so_far.names.remove(&(table.name, day));
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar<'a>> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of one date.
pub(crate) struct DateFile<'p, 'l> {
    products: &'p Replacement<'l>,
    writer: TableWriter,
    table: &'static Table,
    day: i32,
}

impl<'p, 'l> DateFile<'p, 'l> {
    pub(crate) fn create(products: &'p Replacement<'l>, table: &'static Table, day: i32) -> Result<Self, LakeError> {
        let path = products.stage(table, day);
        let writer = TableWriter::new(products.lake.create_file(&path)?, table)?;
        Ok(Self { products, writer, table, day })
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        self.writer.write(rows)
    }

    pub(crate) fn commit(self) -> Result<(), LakeError> {
        let name = product_name(&self.writer.commit()?.digest);
        self.products.so_far().names.insert((self.table.name, self.day), name);
        Ok(())
    }
}

/// Writes the file of a day of rows in the order of the table.
pub(crate) fn write(
    products: &Replacement<'_>,
    table: &'static Table,
    day: i32,
    rows: impl Iterator<Item = RecordBatch>,
) -> Result<(), LakeError> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut file = DateFile::create(products, table, day)?;
    for rows in rows {
        file.write(&rows)?;
    }
    file.commit()
}
