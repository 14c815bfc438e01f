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
        ids: vec![hostile.to_owned(), "arn:aws:ec2:eu-west-1:111122223333:instance/i-0a".to_owned(), "i-0a".to_owned()],
        threads: NonZeroUsize::MIN,
    };
    let page = report(&lake, &options).unwrap();
    assert!(!page.contains("<b "), "{page}");
    assert!(page.contains("&lt;b onclick=alert(1)&gt;{{ 7 * 7 }}"), "{page}");
    let unknown = "The lake knows no KMS call of it in the days, accounts and regions of this report.";
    assert_eq!(page.matches(unknown).count(), 2, "{page}");
    assert!(page.contains("IN ('i-0a')") || page.contains("IN (&#x27;i-0a&#x27;)"), "{page}");
    for words in [
        "Grants whose end is not in the lake",
        "filtered (not kept when it was read: other services, or days that were pruned before)",
        "own role are not counted here",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"), "{page}");
}
