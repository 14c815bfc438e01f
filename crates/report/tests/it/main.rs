//! The page of a lake without rows.

use std::num::NonZeroUsize;

use trailweave_lake::Lake;
use trailweave_report::{Choice, ReportOptions, report};

#[test]
fn a_lake_without_rows_gives_a_page_in_which_markup_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let hostile = "'\"><b onclick=alert(1)>{{ 7 * 7 }}</b>";
    let options = ReportOptions {
        lake: hostile.to_owned(),
        made_at: hostile.to_owned(),
        choice: Choice { accounts: vec![hostile.to_owned()], ..Choice::default() },
        ids: vec![hostile.to_owned()],
        threads: NonZeroUsize::MIN,
    };
    let page = report(&lake, &options).unwrap();
    assert!(!page.contains("<b "), "{page}");
    assert!(page.contains("&lt;b onclick=alert(1)&gt;{{ 7 * 7 }}"), "{page}");
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"), "{page}");
}
