//! The page: the template, filled, with a policy that lets it load nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::grid::{Grid, grouped};
use crate::keys::KeyUsers;
use crate::links::Chart;
use crate::options::ReportOptions;
use crate::reading::Month;
use crate::timeline::Drawn;

const TEMPLATE: &str = include_str!("page/report.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// All that the page says.
#[derive(Debug, Serialize)]
pub(crate) struct Page<'r> {
    #[serde(skip)]
    pub(crate) options: &'r ReportOptions,
    #[serde(skip)]
    pub(crate) n_objects: u64,
    #[serde(skip)]
    pub(crate) n_proven: u64,
    #[serde(skip)]
    pub(crate) n_calls: u64,
    /// The lake keeps relevant events alone.
    #[serde(skip)]
    pub(crate) is_relevant: bool,
    /// The first day that the lake keeps, where earlier ones are chosen.
    #[serde(skip)]
    pub(crate) pruned_before: Option<&'r str>,
    pub(crate) reconciliation: Grid,
    pub(crate) verdicts: Grid,
    pub(crate) days: Grid,
    pub(crate) months: Vec<Month>,
    pub(crate) months_left_out: usize,
    pub(crate) who: Grid,
    pub(crate) links: Grid,
    pub(crate) chart: Chart,
    pub(crate) links_by_day: Grid,
    pub(crate) reasons: Grid,
    pub(crate) keys: Grid,
    pub(crate) users: Vec<KeyUsers>,
    pub(crate) foreign: Grid,
    pub(crate) changes: Grid,
    pub(crate) alive: Grid,
    pub(crate) chains: Vec<Drawn>,
}

impl Page<'_> {
    /// Fills the template. Whatever is put into it is escaped, except for our own style and script.
    pub(crate) fn html(&self) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_template("report", TEMPLATE)?;
        let choice = &self.options.choice;
        let context = minijinja::context! {
            style => Value::from_safe_string(STYLE.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            style_hash => hash(STYLE),
            script_hash => hash(SCRIPT),
            lake => self.options.lake,
            made_at => self.options.made_at,
            from => choice.from,
            to => choice.to,
            accounts => choice.accounts,
            regions => choice.regions,
            n_objects => grouped(self.n_objects),
            n_proven => grouped(self.n_proven),
            n_calls => grouped(self.n_calls),
            is_relevant => self.is_relevant,
            pruned_before => self.pruned_before,
            page => Value::from_serialize(self),
        };
        environment.get_template("report")?.render(context)
    }
}

/// Returns the hash of a text as a policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
