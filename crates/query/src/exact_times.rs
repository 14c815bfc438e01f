//! Times finer than the lake's are refused, as the engine would cut them: `event_time = '..35.0000009Z'` would find the
//! rows of `..35.000000Z`. So are numbers beside dates, as it would count days: `event_date > 20260301` would find no row.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::datatypes::TimeUnit;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Cast;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::Operator;
use datafusion::logical_expr::Volatility;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use jiff::Timestamp;

/// Refuses to compare a column with a constant time, or to move it by a constant interval, that has a part of a
/// microsecond, and to compare a date with a number. It runs after the rule that finds types, as that rule turns a text beside
/// a time into a time, and a number beside a date into a date.
#[derive(Debug)]
pub(crate) struct ExactTimes;

impl AnalyzerRule for ExactTimes {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan, DataFusionError> {
        plan.apply_with_subqueries(|node| node.apply_expressions(|expr| expr.apply(check)))?;
        Ok(plan)
    }

    fn name(&self) -> &'static str {
        "exact_times"
    }
}

/// Refuses a comparison of a column with a constant that is finer, and a sum with one, and a comparison of a date with a number.
fn check(expr: &Expr) -> Result<TreeNodeRecursion, DataFusionError> {
    let compared: Vec<&Expr> = match expr {
        Expr::BinaryExpr(binary)
            if binary.op.supports_propagation() || matches!(binary.op, Operator::Plus | Operator::Minus) =>
        {
            vec![&binary.left, &binary.right]
        }
        Expr::Between(between) => vec![&between.expr, &between.low, &between.high],
        Expr::InList(among) => std::iter::once(&*among.expr).chain(&among.list).collect(),
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| &**when);
            case.expr.iter().map(|expr| &**expr).chain(whens).collect()
        }
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    if compared.iter().any(|expr| expr.any_column_refs()) {
        for constant in compared.into_iter().filter(|expr| is_constant(expr)) {
            refuse_number(constant)?;
            refuse_finer(constant)?;
        }
    }
    Ok(TreeNodeRecursion::Continue)
}

/// Returns whether an expression is the same in every row of every answer. `now()` is not: it may be finer.
fn is_constant(expr: &Expr) -> bool {
    let varies = |expr: &Expr| match expr {
        Expr::Literal(..) | Expr::Cast(_) | Expr::TryCast(_) | Expr::BinaryExpr(_) | Expr::Negative(_) => false,
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        _ => true,
    };
    !expr.exists(|expr| Ok(varies(expr))).unwrap_or(true)
}

/// Refuses a constant date that was a whole number.
fn refuse_number(constant: &Expr) -> Result<(), DataFusionError> {
    let Expr::Cast(cast) = constant else { return Ok(()) };
    if *cast.field.data_type() != DataType::Date32 || !is_integer(&cast.expr) {
        return Ok(());
    }
    Err(DataFusionError::Plan(format!(
        "a date is compared with {}, which would be a number of days since 1970; write a date as '2026-03-01'",
        cast.expr.human_display()
    )))
}

/// Returns whether a constant is made of whole numbers.
fn is_integer(constant: &Expr) -> bool {
    match constant {
        Expr::Literal(value, _) => value.data_type().is_integer(),
        Expr::Cast(cast) => cast.field.data_type().is_integer(),
        Expr::Negative(inner) => is_integer(inner),
        Expr::BinaryExpr(binary) => is_integer(&binary.left) && is_integer(&binary.right),
        _ => false,
    }
}

const NANOS_PER_MICRO: i64 = 1000;

/// Refuses a constant that is a time or an interval with a part of a microsecond.
fn refuse_finer(constant: &Expr) -> Result<(), DataFusionError> {
    let Ok(exact) = constant.clone().transform_down(|expr| Ok(uncut(expr))) else { return Ok(()) };
    // A constant that cannot be computed is the engine's to name.
    let Ok(Expr::Literal(value, _)) = ExprSimplifier::new(SimplifyContext::default()).simplify(exact.data) else {
        return Ok(());
    };
    if let ScalarValue::IntervalMonthDayNano(Some(interval)) = value {
        let is_finer = interval.nanoseconds % NANOS_PER_MICRO != 0;
        let finer = "the lake's times are whole microseconds, an interval with a part of one is finer";
        return if is_finer { Err(DataFusionError::Plan(finer.to_owned())) } else { Ok(()) };
    }
    if !matches!(value.data_type(), DataType::Timestamp(..)) {
        return Ok(());
    }
    match value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, None)) {
        Ok(ScalarValue::TimestampNanosecond(Some(nanos), _)) if nanos % NANOS_PER_MICRO != 0 => {
            let time =
                Timestamp::from_nanosecond(nanos.into()).map_err(|error| DataFusionError::External(error.into()))?;
            Err(DataFusionError::Plan(format!(
                "the lake's times are whole microseconds, `{time}` is finer; compare with a time of six decimals at most"
            )))
        }
        _ => Ok(()),
    }
}

/// Replaces a cast to a time by one to the finest unit.
fn uncut(expr: Expr) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: inner, field }) = &expr else { return Transformed::no(expr) };
    match field.data_type() {
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Nanosecond => {
            let finest = DataType::Timestamp(TimeUnit::Nanosecond, zone.as_ref().map(Arc::clone));
            Transformed::yes(Expr::Cast(Cast::new(inner.clone(), finest)))
        }
        _ => Transformed::no(expr),
    }
}
