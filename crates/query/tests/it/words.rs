//! Questions in the words of each engine, as a parser of its dialect reads them.

use datafusion::sql::sqlparser::dialect::ClickHouseDialect;
use datafusion::sql::sqlparser::dialect::Dialect as Grammar;
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::dialect::SparkSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use trailweave_table::Dialect;
use trailweave_table::Limits;
use trailweave_table::ParameterKind;
use trailweave_table::QUESTIONS;
use trailweave_table::Value;

#[test]
fn every_question_is_one_statement_in_the_words_of_every_engine() {
    let grammars: [(Dialect, &dyn Grammar); 4] = [
        (Dialect::DuckDb, &DuckDbDialect {}),
        (Dialect::Athena, &GenericDialect {}),
        (Dialect::ClickHouse, &ClickHouseDialect {}),
        (Dialect::Spark, &SparkSqlDialect {}),
    ];
    for (dialect, grammar) in grammars {
        // This grammar of Spark does not know that a backslash escapes a quote.
        let text = if dialect == Dialect::Spark { "its" } else { "it's" };
        for question in QUESTIONS {
            let value = |kind| match kind {
                ParameterKind::Time => Value::Seconds(1_788_220_800),
                ParameterKind::Key | ParameterKind::Instance | ParameterKind::Event => Value::Text(text.to_owned()),
            };
            let values: Vec<_> = question.parameters.iter().map(|it| value(it.kind)).collect();
            let narrow = Limits {
                since: Some(1_788_220_800),
                until: Some(1_788_307_200),
                accounts: vec![text.to_owned(), text.to_owned()],
                regions: vec![text.to_owned()],
            };
            for limits in [Limits::default(), narrow] {
                let sql = question.sql(dialect, &values, &limits);
                let parsed =
                    Parser::parse_sql(grammar, &sql).unwrap_or_else(|error| panic!("{dialect:?}: {error}\n{sql}"));
                assert_eq!(parsed.len(), 1, "{sql}");
            }
        }
    }
}
