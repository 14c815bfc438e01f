//! The accounts, regions, keys and people of a corpus.

use crate::dice::Dice;
use crate::identity::{Caller, Identity};
use crate::options::{CorpusOptions, Generations, REGION_NAMES};

/// The things that exist before the first event.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) generations: Generations,
    pub(crate) assume_role: f64,
    pub(crate) regions: Vec<&'static str>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) organization: String,
}

pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) people: Vec<Caller>,
    pub(crate) scaling: Caller,
    /// One per region.
    pub(crate) keys: Vec<RegionKeys>,
    pub(crate) in_organization: bool,
}

/// The KMS keys of one account in one region.
pub(crate) struct RegionKeys {
    /// The AWS managed key `alias/aws/ebs`.
    pub(crate) ebs: Key,
    pub(crate) own: Vec<Key>,
    /// A key that was disabled, and one that waits for its deletion; no call uses them.
    pub(crate) disabled: Key,
    pub(crate) pending_deletion: Key,
}

#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) alias: Option<String>,
}

impl Key {
    /// Returns the last part of the key's ARN.
    pub(crate) fn id(&self) -> &str {
        self.arn.rsplit('/').next().expect("a key's ARN has a slash")
    }

    /// Returns one of the ways in which a caller may name the key.
    pub(crate) fn as_typed(&self, dice: &mut Dice) -> String {
        match (&self.alias, dice.below(4)) {
            (Some(alias), 0) => alias.clone(),
            (_, 1) => self.id().to_owned(),
            _ => self.arn.clone(),
        }
    }
}

impl World {
    pub(crate) fn new(options: &CorpusOptions, (start, end): (i64, i64)) -> Self {
        let mut dice = Dice::new(options.seed, 0);
        // Keys that came later, beside those that each seed has had.
        let mut more = Dice::new(options.seed, 5);
        let regions = REGION_NAMES[..options.regions].to_vec();
        let mut ids = std::collections::BTreeSet::new();
        while ids.len() < options.accounts {
            ids.insert(format!("{}{}", dice.between(1, 9), dice.digits(11)));
        }
        let last = options.accounts - 1;
        let accounts = ids
            .into_iter()
            .enumerate()
            .map(|(index, id)| Account::new((&mut dice, &mut more), id, &regions, last > 0 && index < last))
            .collect();
        let organization = format!("o-{}", dice.alphanumeric(10).to_lowercase());
        let CorpusOptions { seed, generations, assume_role, .. } = *options;
        Self { seed, start, end, generations, assume_role, regions, accounts, organization }
    }

    /// Numbers the trail of an account in a region.
    pub(crate) fn scope(&self, account: usize, region: usize) -> usize {
        account * self.regions.len() + region
    }

    /// Counts the trails of an account in a region.
    pub(crate) fn scopes(&self) -> usize {
        self.accounts.len() * self.regions.len()
    }

    /// Returns account and region of the trail with this number.
    pub(crate) fn of_scope(&self, scope: usize) -> (&Account, usize) {
        (&self.accounts[scope / self.regions.len()], scope % self.regions.len())
    }

    pub(crate) fn account_index(&self, id: &str) -> usize {
        self.accounts.iter().position(|account| account.id == id).expect("every key belongs to an account of the world")
    }
}

impl Account {
    fn new((dice, more): (&mut Dice, &mut Dice), id: String, regions: &[&str], in_organization: bool) -> Self {
        let people = [
            Identity::user(dice, &id, "ada"),
            Identity::user(dice, &id, "terraform"),
            Identity::role(dice, &id, "PlatformEngineer", "ben"),
            Identity::role(dice, &id, "deploy", "pipeline-17"),
            Identity::role(dice, &id, "AWSReservedSSO_Administrator_5f0c1d2e3b4a6978", "carla@example.com"),
        ]
        .into_iter()
        .map(|identity| Caller::new(dice, identity))
        .collect();
        let multi_region = format!("mrk-{}", dice.hex(32));
        let keys = regions.iter().map(|region| RegionKeys::new((dice, more), &id, region, &multi_region)).collect();
        let scaling = Caller::service(Identity::scaling(dice, &id), "autoscaling.amazonaws.com");
        Self { id, people, scaling, keys, in_organization }
    }
}

impl RegionKeys {
    fn new((dice, more): (&mut Dice, &mut Dice), account: &str, region: &str, multi_region: &str) -> Self {
        let key = |id: String, alias: Option<&str>| Key {
            account: account.to_owned(),
            arn: format!("arn:aws:kms:{region}:{account}:key/{id}"),
            alias: alias.map(|alias| format!("alias/{alias}")),
        };
        let own = vec![
            key(dice.uuid(), Some("volumes")),
            key(dice.uuid(), None),
            key(multi_region.to_owned(), Some("everywhere")),
        ];
        let (disabled, pending_deletion) = (key(more.uuid(), None), key(more.uuid(), None));
        Self { ebs: key(dice.uuid(), Some("aws/ebs")), own, disabled, pending_deletion }
    }
}
