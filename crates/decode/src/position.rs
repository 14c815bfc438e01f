//! Positions of columns in a table, known when the program is compiled, as are a column's absence and its kind.

use trailweave_table::Kind;
use trailweave_table::Table;

macro_rules! positions {
    ($($position:ident: $kind:ident),*) => {$(
        /// The position of a column of this kind.
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $position(pub(crate) usize);

        impl $position {
            /// Finds a column. Without such a column the program is not compiled.
            pub(crate) const fn of(table: &Table, name: &str) -> Self {
                let at = position(table, name);
                assert!(matches!(table.columns[at].kind, Kind::$kind), "the column is of another kind");
                Self(at)
            }
        }
    )*};
}

positions!(TextAt: Text, TimeAt: Time, BoolAt: Bool, IntegerAt: Integer, TextListAt: TextList, TextMapAt: TextMap);

/// Returns the position of a column, while the program is compiled.
const fn position(table: &Table, name: &str) -> usize {
    let mut at = 0;
    while at < table.columns.len() {
        if same(table.columns[at].name, name) {
            return at;
        }
        at += 1;
    }
    panic!("the table has no such column")
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}
