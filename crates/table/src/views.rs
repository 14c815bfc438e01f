//! Questions that analysts ask of every lake, as views over its tables. Each is one statement that all engines understand
//! alike: DataFusion, DuckDB, Athena, `ClickHouse`, Spark.

mod calls;

use std::fmt::Write;

pub use calls::numbered;

/// A named question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// The meaning of a row of its answer.
    pub doc: &'static str,
    /// The SELECT, in which names with a dollar stand for what several statements have.
    pub(crate) template: &'static str,
}

/// Calls on keys that are disabled; a question narrows them.
pub(crate) const KEY_USE_AFTER_DISABLING: View = View {
    name: "key_use_after_disabling",
    doc: "Calls that used a key, or tried to, while it was disabled or was to be deleted: one row per key and call, with the \
          latest DisableKey or ScheduleKeyDeletion before it. KMS refuses most of them, which kms_error_code says.",
    template: include_str!("views/key_use_after_disabling.sql"),
};

/// Every view, in the order in which they are documented.
pub const VIEWS: [View; 8] = [
    View {
        name: "volume_readers",
        doc: "Principals that a grant lets read a volume or snapshot: one row per grant that is limited to it. Those alive at a \
              time have a created_at at or before it, and no ended_at at or before it. Grants without such a limit, key \
              policies and IAM let others read it.",
        template: include_str!("views/volume_readers.sql"),
    },
    View {
        name: "grants_never_retired",
        doc: "Grants for EC2, EBS or a service-linked role that launches instances, of which the lake has no RetireGrant or \
              RevokeGrant.",
        template: include_str!("views/grants_never_retired.sql"),
    },
    View {
        name: "keys_by_instance",
        doc: "Which keys an instance's volumes and grants used, and how often; where its own role made the calls, or those for \
              another instance, it is the caller_instance_id.",
        template: include_str!("views/keys_by_instance.sql"),
    },
    View {
        name: "keys_by_launching_principal",
        doc: "Which keys the instances that a principal launched used, themselves or for their volumes, and how often.",
        template: include_str!("views/keys_by_launching_principal.sql"),
    },
    View {
        name: "volumes_with_foreign_key",
        doc: "Volumes encrypted with a key of another account.",
        template: include_str!("views/volumes_with_foreign_key.sql"),
    },
    KEY_USE_AFTER_DISABLING,
    View {
        name: "decrypts_without_launch",
        doc: "Instances whose volumes were decrypted and of which the lake holds no launch.",
        template: include_str!("views/decrypts_without_launch.sql"),
    },
    View {
        name: "issued_access_keys",
        doc: "Who issued which access key, whichever events the lake keeps: one row per STS event that issued one.",
        template: include_str!("views/issued_access_keys.sql"),
    },
];

impl View {
    /// Writes the SELECT.
    pub fn sql(&self) -> String {
        numbered(self.template.trim_end()).replace("$limits", "")
    }
}

/// Documents the views, to stand beside the tables.
pub fn view_markdown() -> String {
    let mut out =
        "\n# Views\n\nQuestions that `query` answers by name, and that `ddl` prints for other engines.\n".to_owned();
    for view in VIEWS {
        let View { name, doc, .. } = view;
        write!(out, "\n## {name}\n\n{doc}\n\n```sql\n{}\n```\n", view.sql()).expect("writing to a String cannot fail");
    }
    out
}
