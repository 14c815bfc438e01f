//! Questions that analysts ask of every lake, as views over its tables. Each is one statement that all engines understand
//! alike: DataFusion, DuckDB, Athena, `ClickHouse`, Spark.

use std::fmt::Write;

/// A named question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// The meaning of a row of its answer.
    pub doc: &'static str,
    /// The SELECT.
    pub sql: &'static str,
}

/// Every view, in the order in which they are documented.
pub const VIEWS: [View; 8] = [
    View {
        name: "volume_readers",
        doc: "Principals that can read a volume or snapshot: one row per grant on it. Those \
              alive at a time have a created_at at or before it, and no ended_at at or before it.",
        sql: include_str!("views/volume_readers.sql"),
    },
    View {
        name: "grants_never_retired",
        doc: "Grants without a RetireGrant or RevokeGrant in the lake.",
        sql: include_str!("views/grants_never_retired.sql"),
    },
    View {
        name: "keys_by_instance",
        doc: "Which keys an instance's volumes and grants used, and how often; where its own role made the calls, or those for \
              another instance, it is the caller_instance_id.",
        sql: include_str!("views/keys_by_instance.sql"),
    },
    View {
        name: "keys_by_launching_principal",
        doc: "Which keys the instances that a principal launched used, themselves or for their volumes, and how often.",
        sql: include_str!("views/keys_by_launching_principal.sql"),
    },
    View {
        name: "volumes_with_foreign_key",
        doc: "Volumes encrypted with a key of another account.",
        sql: include_str!("views/volumes_with_foreign_key.sql"),
    },
    View {
        name: "key_use_after_disabling",
        doc: "Calls of EC2 or EBS on a key after its DisableKey or ScheduleKeyDeletion and before its next EnableKey: one \
              row per such event and call. KMS refuses to use such a key, which kms_error_code says; calls that do not use \
              it, such as RetireGrant, succeed.",
        sql: include_str!("views/key_use_after_disabling.sql"),
    },
    View {
        name: "decrypts_without_launch",
        doc: "Instances whose volumes were decrypted and of which the lake holds no launch.",
        sql: include_str!("views/decrypts_without_launch.sql"),
    },
    View {
        name: "issued_access_keys",
        doc: "Who issued which access key, whichever events the lake keeps: one row per STS event that issued one.",
        sql: include_str!("views/issued_access_keys.sql"),
    },
];

/// Documents the views, to stand beside the tables.
pub fn view_markdown() -> String {
    let mut out =
        "\n# Views\n\nQuestions that `query` answers by name, and that `ddl` prints for other engines.\n".to_owned();
    for View { name, doc, sql } in VIEWS {
        write!(out, "\n## {name}\n\n{doc}\n\n```sql\n{}\n```\n", sql.trim_end())
            .expect("writing to a String cannot fail");
    }
    out
}
