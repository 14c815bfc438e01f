//! The principal behind an EC2 event: its caller, followed through the STS events that issued the access keys.

use crate::events::{Flags, Text, service_of_role};
use crate::ids::{Ids, NONE};
use crate::rows::Rows;

/// The most steps from an access key to who issued it. Sessions that assume roles in turn rarely go beyond two.
const MAX_STEPS: usize = 9;

/// The STS events by the access keys that they issued.
#[derive(Debug)]
pub(crate) struct Roots<'r, 'a> {
    rows: &'r Rows<'a>,
    keys: Ids<&'a str>,
    /// By access key.
    issuers: Vec<u32>,
}

/// The principal behind an event, and how it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a> {
    pub(crate) principal: &'a str,
    pub(crate) source: &'static str,
}

impl<'r, 'a> Roots<'r, 'a> {
    pub(crate) fn new(rows: &'r Rows<'a>) -> Self {
        let (mut keys, mut issuers) = (Ids::new(), Vec::new());
        for row in rows.all().filter(|row| rows.has(*row, Flags::STS) && !rows.has(*row, Flags::FAILED)) {
            let Some(key) = rows.text(Text::IssuedAccessKeyId, row as usize) else { continue };
            match issuers.get_mut(keys.number(key) as usize) {
                None => issuers.push(row),
                Some(issuer) => *issuer = rows.first_copy(*issuer, row),
            }
        }
        Self { rows, keys, issuers }
    }

    pub(crate) fn root(&self, row: u32) -> Option<Root<'a>> {
        let rows = self.rows;
        let filled = |column, row: u32| rows.text(column, row as usize).filter(|text| !text.is_empty());
        let mut last = row;
        for _ in 0..MAX_STEPS {
            match self.issuer(last) {
                NONE => break,
                issuer => last = issuer,
            }
        }
        let in_session = rows.has(last, Flags::ASSUMED_ROLE) || rows.has(last, Flags::OF_ANOTHER_ACCOUNT);
        if let Some(principal) = self.service(last) {
            return Some(Root { principal, source: "service" });
        }
        if let (true, Some(principal)) = (in_session, filled(Text::SourceIdentity, row)) {
            return Some(Root { principal, source: "source_identity" });
        }
        let principal = filled(Text::PrincipalArn, last).or_else(|| filled(Text::PrincipalId, last))?;
        let is_followed = self.issuer(row) != NONE;
        let source = if in_session {
            "session"
        } else if is_followed {
            "assume_role"
        } else {
            "direct"
        };
        Some(Root { principal, source })
    }

    /// Finds the STS event that issued the access key of a call.
    fn issuer(&self, row: u32) -> u32 {
        let key = self.rows.text(Text::AccessKeyId, row as usize);
        let number = key.map_or(NONE, |key| self.keys.get(key));
        self.issuers.get(number as usize).copied().unwrap_or(NONE)
    }

    /// Finds the AWS service that made a call for itself.
    fn service(&self, row: u32) -> Option<&'a str> {
        let name = if self.rows.has(row, Flags::BY_SERVICE) {
            self.rows.text(Text::InvokedBy, row as usize)
        } else {
            self.rows.text(Text::SessionIssuerArn, row as usize).and_then(service_of_role)
        };
        name.filter(|name| !name.is_empty())
    }
}
