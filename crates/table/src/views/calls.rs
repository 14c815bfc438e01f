//! Each call once. Copies of a call in the trails of several accounts share an id, and the first of them stands for it: the
//! caller's before that of a key's owner.

/// Numbers the copies of each call among the rows that a SELECT takes, from 1. Rows without a shared id are each alone; without
/// a group of their own, all of them would be sorted as one.
macro_rules! nth {
    ($of:literal, $key_account:literal, $account:literal) => {
        concat!(
            "CASE WHEN shared_event_id IS NULL THEN 1 ELSE row_number() OVER (\n",
            "      PARTITION BY shared_event_id, ",
            $of,
            "event_name, CASE WHEN shared_event_id IS NULL THEN ",
            $of,
            "event_id END\n      ORDER BY\n        CASE WHEN ",
            $of,
            "principal_arn IS NULL THEN 1 ELSE 0 END,\n        CASE WHEN ",
            $key_account,
            " = ",
            $account,
            " THEN 1 ELSE 0 END,\n        ",
            $of,
            "event_time, ",
            $account,
            ", ",
            $of,
            "event_id\n    ) END AS nth"
        )
    };
}

const OF_CORRELATED: &str = nth!("kms_", "key_account_id", "recipient_account_id");
/// The first records do not say in whose trail they are.
const OF_EVENTS: &str = nth!(
    "",
    "substr(key_arn, position(':key/' IN key_arn) - 12, 12)",
    "coalesce(recipient_account_id, principal_account_id)"
);

/// Writes what `$nth_call` and `$nth_event` of a template stand for: the column `nth` of rows of `correlated`, and of `events`.
/// Rows with 1 in it are each call once.
pub fn numbered(template: &str) -> String {
    template.replace("$nth_call", OF_CORRELATED).replace("$nth_event", OF_EVENTS)
}
