//! Named questions with parameters, over the tables and the views. Each is one statement that all engines understand alike
//! but for the literals of its parameters, which `Dialect` writes.

mod limits;

use std::fmt::Write;

use limits::Limited;
pub use limits::Limits;

use crate::ddl::Dialect;
use crate::views::KEY_USE_AFTER_DISABLING;
use crate::views::numbered;

/// A question with parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Its name.
    pub name: &'static str,
    /// The sentence that says what is asked.
    pub doc: &'static str,
    /// Values that it asks for; `$name` stands for it in the SQL.
    pub parameters: &'static [Parameter],
    /// The columns by which its rows are narrowed, which `$limits` stands for; none where it asks of one thing.
    limited: Option<Limited>,
    /// The SELECT, without an order.
    template: &'static str,
    /// The columns by which its rows are ordered.
    order_by: &'static str,
}

/// A parameter of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The kind of value that it takes.
    pub kind: ParameterKind,
}

/// The kind of value that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// A KMS key, by its ARN or id.
    Key,
    /// An EC2 instance.
    Instance,
    /// An event, by its id.
    Event,
    /// A time, which defaults to now.
    Time,
}

impl ParameterKind {
    /// Says what is taken, for users who gave another thing.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Key => {
                "a key's ARN (arn:aws:kms:eu-west-1:111122223333:key/..) or its id (1234abcd-12ab-34cd-56ef-1234567890ab, or mrk-..) \
                 is expected; an alias can be pointed at another key, so name the key itself: `trailweave trace alias/NAME` \
                 says which keys it named"
            }
            Self::Instance => "an instance is expected: i- and 8 or 17 hexadecimal digits, or its ARN",
            Self::Event => "an event id is expected, such as 1234abcd-12ab-34cd-56ef-1234567890ab",
            Self::Time => "a time is expected",
        }
    }

    /// Reads what was typed as CloudTrail logs it: in lower case, and an instance by its id. Returns none where it is not what is
    /// taken. A time is read by the caller, who knows what today is.
    pub fn read(self, typed: &str) -> Option<String> {
        let typed = typed.trim().to_ascii_lowercase();
        let (is_taken, value) = match self {
            Self::Key => match typed.split_once(":key/") {
                Some((owner, id)) => (is_owner(owner, "kms") && is_key_id(id), typed.as_str()),
                None => (is_key_id(&typed), typed.as_str()),
            },
            Self::Instance => match typed.split_once(":instance/") {
                Some((owner, id)) => (is_owner(owner, "ec2") && is_instance(id), id),
                None => (is_instance(&typed), typed.as_str()),
            },
            Self::Event => (is_uuid(&typed), typed.as_str()),
            Self::Time => (false, typed.as_str()),
        };
        is_taken.then(|| value.to_owned())
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A time, in seconds since 1970.
    Seconds(i64),
}

impl Question {
    /// Returns the question of that name.
    pub fn named(name: &str) -> Option<Self> {
        QUESTIONS.into_iter().find(|it| it.name == name)
    }

    /// Tells whether its rows can be narrowed.
    pub fn is_limited(&self) -> bool {
        self.limited.is_some()
    }

    /// Tells whether it asks of calls that a lake of relevant events does not keep.
    pub fn is_of_all_events(&self) -> bool {
        self.limited == EVENTS
    }

    /// Writes the question in the words of an engine. The values stand in the order of the parameters.
    pub fn sql(&self, dialect: Dialect, values: &[Value], limits: &Limits) -> String {
        assert_eq!(self.parameters.len(), values.len(), "a value for each parameter");
        let template = numbered(self.template);
        let mut sql = String::new();
        let mut rest = template.as_str();
        // Only the template is looked through: a value may hold what looks like a parameter.
        while let Some((before, after)) = rest.split_once('$') {
            sql.push_str(before);
            if let (Some(limited), Some(after)) = (&self.limited, after.strip_prefix("limits")) {
                sql.push_str(&limits.sql(dialect, limited));
                rest = after;
                continue;
            }
            let is_called = |it: &Parameter| after.starts_with(it.name);
            let position = self.parameters.iter().position(is_called).expect("only parameters begin with a dollar");
            sql.push_str(&match &values[position] {
                Value::Text(text) => dialect.text(text),
                Value::Seconds(seconds) => dialect.time(*seconds),
            });
            rest = &after[self.parameters[position].name.len()..];
        }
        write!(sql, "{}\nORDER BY {}", rest.trim_end(), self.order_by).expect("writing to a String cannot fail");
        sql
    }
}

/// The columns of `correlated`, and of `events`.
const CALLS: Option<Limited> = Some(Limited::by("kms_event_time"));
const EVENTS: Option<Limited> = Some(Limited::of_events());
const KEY: &[Parameter] = &[Parameter { name: "key", kind: ParameterKind::Key }];

/// Every question, in the order in which they are listed.
pub const QUESTIONS: [Question; 9] = [
    Question {
        name: "cause-of",
        doc: "Which EC2 action, by whom, made this KMS call, and for which instance, volume, key and grant?",
        parameters: &[Parameter { name: "event", kind: ParameterKind::Event }],
        limited: None,
        template: include_str!("questions/cause_of.sql"),
        order_by: "kms_event_time, recipient_account_id",
    },
    Question {
        name: "who-used-key",
        doc: "Which principals and instances used a key, by which of the calls that the lake keeps, how often, first and last?",
        parameters: KEY,
        limited: EVENTS,
        template: include_str!("questions/who_used_key.sql"),
        order_by: "calls DESC, principal_arn, principal_account_id, invoked_by, instance_id, event_name, first_call_at",
    },
    Question {
        name: "launchers-of-key",
        doc: "Which instances had volumes decrypted with a key, by whom were they launched, and when was the last Decrypt?",
        parameters: KEY,
        limited: CALLS,
        template: include_str!("questions/launchers_of_key.sql"),
        order_by: "last_decrypt_at DESC, instance_id, launch_principal_arn",
    },
    Question {
        name: "behind",
        doc: "Which principal launched an instance, by what and when, and which keys did it lead to?",
        parameters: &[Parameter { name: "instance", kind: ParameterKind::Instance }],
        limited: None,
        template: include_str!("questions/behind.sql"),
        order_by: "launched_at, key_arn, caller_instance_id",
    },
    Question {
        name: "alive-grants",
        doc: "Which grants for EC2, EBS or a role that launches instances were made by a time, and neither retired nor revoked by \
              then?",
        parameters: &[Parameter { name: "at", kind: ParameterKind::Time }],
        limited: Some(Limited::by("created_at")),
        template: include_str!("questions/alive_grants.sql"),
        order_by: "created_at, grant_id",
    },
    Question {
        name: "foreign-keys",
        doc: "Which keys do accounts use that do not own them, by which principals and instances?",
        parameters: &[],
        limited: CALLS,
        template: include_str!("questions/foreign_keys.sql"),
        order_by: "calls DESC, key_arn, caller_account_id, kms_principal_arn, instance_id",
    },
    Question {
        name: "unexplained-decrypts",
        doc: "For which Decrypts was neither a launch nor another EC2 cause found?",
        parameters: &[],
        limited: CALLS,
        template: include_str!("questions/unexplained_decrypts.sql"),
        order_by: "kms_event_time, kms_event_id",
    },
    Question {
        name: "uses-of-disabled-keys",
        doc: "Which of the calls that the lake keeps used a key after it was disabled or scheduled for deletion, and before it was \
              enabled again?",
        parameters: &[],
        limited: EVENTS,
        template: KEY_USE_AFTER_DISABLING.template,
        order_by: "kms_event_time, kms_event_id, key_arn",
    },
    Question {
        name: "links",
        doc: "By which rules were the causes of KMS calls found, and why were others not?",
        parameters: &[],
        limited: CALLS,
        template: include_str!("questions/links.sql"),
        order_by: "calls DESC, link, confidence, unmatched_reason",
    },
];

/// Documents the questions, to stand beside the views.
pub fn question_markdown() -> String {
    let mut out = "\n# Questions\n\nQuestions with parameters, which `trailweave ask` answers by name; \
                   `trailweave ask NAME .. --sql ENGINE` prints them in the words of an engine.\n\n| question | asks |\n|---|---|\n"
        .to_owned();
    for question in QUESTIONS {
        writeln!(out, "| `{}` | {} |", question.usage(), question.doc).expect("writing to a String cannot fail");
    }
    out
}

impl Question {
    /// Writes how it is typed.
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for Parameter { name, kind } in self.parameters {
            let typed = match kind {
                ParameterKind::Time => format!(" [--{name} WHEN]"),
                ParameterKind::Key | ParameterKind::Instance | ParameterKind::Event => {
                    format!(" {}", name.to_uppercase())
                }
            };
            usage.push_str(&typed);
        }
        usage
    }
}

/// Returns whether a text is what stands in an ARN of a service before `:key/`, or `:instance/`.
fn is_owner(owner: &str, of: &str) -> bool {
    let is_word = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match owner.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, service, region, account] => {
            service == of
                && is_word(partition)
                && is_word(region)
                && account.len() == 12
                && account.bytes().all(|it| it.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_instance(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|hex| matches!(hex.len(), 8 | 17) && is_hex(hex))
}

fn is_key_id(id: &str) -> bool {
    is_uuid(id) || id.strip_prefix("mrk-").is_some_and(|hex| hex.len() == 32 && is_hex(hex))
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn a_key_is_an_arn_or_an_id_and_nothing_that_sql_could_take_for_its_own() {
        let arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{ID}");
        for key in [ID, &arn, "mrk-1234abcd12ab34cd56ef1234567890ab"] {
            assert_eq!(ParameterKind::Key.read(&format!(" {} ", key.to_uppercase())).as_deref(), Some(key));
        }
        for other in ["", "alias/aws/ebs", "' OR 1 = 1 --", &format!("{ID}'"), "i-0a1b2c3d", "arn:aws:kms:x:1:key/y"] {
            assert_eq!(ParameterKind::Key.read(other), None, "{other}");
        }
    }

    #[test]
    fn an_instance_is_an_id_or_an_arn_however_it_is_typed() {
        let owner = "arn:aws:ec2:eu-west-1:111122223333";
        for typed in ["i-0a1b2c3d", "I-0A1B2C3D\n", &format!("{owner}:instance/i-0a1b2c3d")] {
            assert_eq!(ParameterKind::Instance.read(typed).as_deref(), Some("i-0a1b2c3d"), "{typed}");
        }
        let of_kms = format!("{}:instance/i-0a1b2c3d", owner.replace("ec2", "kms"));
        for other in ["i-'", "i-0a1b2c3", &format!("{owner}:volume/i-0a1b2c3d"), &of_kms] {
            assert_eq!(ParameterKind::Instance.read(other), None, "{other}");
        }
    }

    #[test]
    fn limits_and_copies_stand_inside_of_every_question_on_calls() {
        for question in QUESTIONS.into_iter().filter(|it| it.limited == CALLS || it.limited == EVENTS) {
            let limits = question.template.find("$limits").unwrap();
            let numbers = question.template.find("$nth_").unwrap();
            let once = question.template.find("nth = 1").unwrap();
            assert!(numbers < limits && limits < once, "{}", question.name);
        }
    }

    #[test]
    fn values_are_quoted_as_each_engine_does_and_are_not_looked_through() {
        let question = Question::named("cause-of").unwrap();
        let value = [Value::Text(r"it's $event \".to_owned())];
        for dialect in [Dialect::DuckDb, Dialect::Athena] {
            assert!(
                question.sql(dialect, &value, &Limits::default()).contains(r"kms_event_id = 'it''s $event \'"),
                "{dialect:?}"
            );
        }
        for dialect in [Dialect::Spark, Dialect::ClickHouse] {
            assert!(
                question.sql(dialect, &value, &Limits::default()).contains(r"kms_event_id = 'it\'s $event \\'"),
                "{dialect:?}"
            );
        }
    }

    #[test]
    fn limits_stand_where_the_rows_are_chosen() {
        let limits = Limits {
            since: Some(1_788_220_800),
            // The last second that is meant is one of the day before.
            until: Some(1_788_220_800 + 2 * 86_400),
            accounts: vec!["111122223333".into(), "444455556666".into()],
            regions: vec!["it's".into()],
        };
        let days = "event_date >= DATE '2026-09-01' AND event_date <= DATE '2026-09-02'";
        for question in QUESTIONS.into_iter().filter(Question::is_limited) {
            let values = question.parameters.iter().map(|it| match it.kind {
                ParameterKind::Time => Value::Seconds(0),
                _ => Value::Text(ID.into()),
            });
            let values: Vec<_> = values.collect();
            let sql = question.sql(Dialect::DuckDb, &values, &limits);
            assert!(
                sql.contains("time >= TIMESTAMPTZ '2026-09-01 00:00:00+00'") || sql.contains("created_at >= "),
                "{sql}"
            );
            // Readers skip days by these.
            assert!(sql.contains(days), "{sql}");
            // The first records do not say in whose trail they are.
            let account = match question.name {
                "who-used-key" | "uses-of-disabled-keys" => "coalesce(recipient_account_id, principal_account_id)",
                _ => " recipient_account_id",
            };
            let narrowed = format!("{account} IN ('111122223333', '444455556666') AND aws_region IN ('it''s')");
            assert!(sql.contains(&narrowed), "{sql}");
            let whole = question.sql(Dialect::DuckDb, &values, &Limits::default());
            assert!(sql.len() > whole.len() && !whole.contains('$'), "{whole}");
        }
    }

    #[test]
    fn a_time_is_one_of_utc_in_every_engine() {
        let question = Question::named("alive-grants").unwrap();
        for (dialect, expected) in [
            (Dialect::DuckDb, "created_at <= TIMESTAMPTZ '2026-09-01 00:00:00+00'"),
            (Dialect::Athena, "created_at <= TIMESTAMP '2026-09-01 00:00:00'"),
            (Dialect::Spark, "created_at <= TIMESTAMP '2026-09-01 00:00:00Z'"),
            (Dialect::ClickHouse, "created_at <= toDateTime64('2026-09-01 00:00:00', 6, 'UTC')"),
        ] {
            let sql = question.sql(dialect, &[Value::Seconds(1_788_220_800)], &Limits::default());
            assert!(sql.contains(expected), "{sql}");
        }
    }
}
