//! Rows on their way from decode into parts: cut into days, told apart from those that are there, amended, put in order.

pub(crate) mod amendment;
pub(crate) mod chunk;
pub(crate) mod duplicates;
pub(crate) mod part;
pub(crate) mod row_key;
pub(crate) mod texts;
