//! The ends of a verb: one table of exit codes, from which `--help` prints and against which README is held.

/// The end of a verb. Of several that hold, the one that comes first in [`Outcome::BY_WEIGHT`] is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is in the lake.
    Done,
    /// An error ended it.
    Failed,
    /// It was asked for something that makes no sense.
    Usage,
    /// Objects stand in quarantine, or gave nothing but rejects.
    Quarantined,
    /// Something is missing or was changed, by what digests say.
    Harmed,
    /// Something is not proven.
    Unproven,
    /// The sources hold what is not in the lake.
    Unread,
    /// The sources hold nothing of what was asked for.
    NothingMatched,
    /// Another run writes the lake.
    Locked,
    /// The lake is older than what was asked for.
    Stale,
}

impl Outcome {
    /// Every outcome, in the order of the codes.
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Quarantined,
        Self::Harmed,
        Self::Unproven,
        Self::Unread,
        Self::NothingMatched,
        Self::Locked,
        Self::Stale,
    ];

    /// Those that may hold at once, the heaviest first.
    const BY_WEIGHT: [Self; 4] = [Self::NothingMatched, Self::Stale, Self::Unread, Self::Quarantined];

    /// Picks the heaviest of those that hold; done, where none does.
    pub(crate) fn heaviest(holds: impl Fn(Self) -> bool) -> Self {
        Self::BY_WEIGHT.into_iter().find(|outcome| holds(*outcome)).unwrap_or(Self::Done)
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Quarantined => 3,
            Self::Harmed => 4,
            Self::Unproven => 5,
            Self::Unread => 6,
            Self::NothingMatched => 7,
            Self::Locked => 8,
            Self::Stale => 9,
        }
    }

    /// Says what it means.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed; the error says why, and a rerun goes on where this one ended",
            Self::Usage => "wrong usage or configuration; nothing was done",
            Self::Quarantined => {
                "done, but objects of the lake are quarantined or gave nothing but rejects: `quarantine list`"
            }
            Self::Harmed => "`verify`: something is missing or was changed",
            Self::Unproven => "`verify`: something is not proven",
            Self::Unread => "done, but objects were left unread, or a run died before its end: run again",
            Self::NothingMatched => {
                "nothing matched: the sources, for `status` the lake, hold no trail object of these days, accounts, regions and names"
            }
            Self::Locked => "another run holds the lake: nothing was done; `--wait 10m` waits for it",
            Self::Stale => "`status --max-age`: the lake is older than that",
        }
    }

    /// Writes the table as `--help` prints it.
    pub(crate) fn help() -> String {
        let lines = Self::ALL.map(|outcome| format!("  {}  {}\n", outcome.exit_code(), outcome.meaning()));
        format!(
            "Exit codes; of several that hold, 7 goes before 9, 9 before 6, 6 before 3:\n{}\n\
             A flag whose help names a variable can be set by it, too; and most can in the file that --config names.",
            lines.concat()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_readme_is_the_one_of_the_code() {
        let readme = include_str!("../../../README.md");
        let rows: Vec<&str> = readme.lines().skip_while(|line| *line != "| exit code | means |").skip(2).collect();
        let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
        let expected = Outcome::ALL.map(|it| format!("| {} | {} |", it.exit_code(), it.meaning()));
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_code_has_an_alert_rule() {
        let operations = include_str!("../../../docs/operations.md");
        let rules = include_str!("../../../deploy/prometheus/alerts.yaml");
        for outcome in Outcome::ALL {
            let code = outcome.exit_code();
            let row = format!("| {code} | ");
            assert!(operations.lines().any(|line| line.starts_with(&row)), "{outcome:?}");
            let rule = if code <= 2 { "<= 2 > 0".to_owned() } else { format!("_exit_code == {code}\n") };
            assert!(rules.contains(&rule), "{outcome:?}");
        }
    }

    #[test]
    fn codes_count_up_and_are_said_in_the_help() {
        let codes = Outcome::ALL.map(Outcome::exit_code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let order = Outcome::BY_WEIGHT.map(|it| it.exit_code().to_string());
        let [a, b, c, d] = &order;
        assert!(Outcome::help().contains(&format!("{a} goes before {b}, {b} before {c}, {c} before {d}")));
    }

    #[test]
    fn the_heaviest_outcome_is_told() {
        assert_eq!(Outcome::heaviest(|it| it == Outcome::Quarantined || it == Outcome::Unread), Outcome::Unread);
        assert_eq!(Outcome::heaviest(|_| false), Outcome::Done);
    }
}
