//! Digests beside each other: the links of their chains, what is missing, and which times they cover.
//!
//! A digest tells of the one before it: where that lies, its hash, and its signature, which stands in where a copy of that
//! one lost its own.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::check::{OwnVerdict, stands};
use crate::file::Digest;
use crate::finding::{Finding, Kind};
use crate::name::DigestName;
use crate::public_keys::PublicKeys;
use crate::signature::Signature;

/// The time that is asked for, in seconds since 1970; both ends are part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// Its first second.
    pub from: Option<i64>,
    /// Its last second.
    pub to: Option<i64>,
}

/// The verdict about a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestVerdict {
    /// Its state.
    pub state: State,
    /// True if no older digest is named: a chain begins.
    pub began: bool,
    /// True if its window is part of what is asked for.
    pub is_asked: bool,
    /// The kinds of faults of its links, which do not make it less authentic.
    pub broken: Option<Kind>,
}

/// The state of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is authentic, so what it lists can be trusted.
    Trusted,
    /// It is not.
    Refused(Kind),
}

/// A digest that cannot be read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// Its bucket.
    pub bucket: String,
    /// Its key, and the meaning of that.
    pub name: DigestName,
    /// Why.
    pub finding: Finding,
}

/// A digest that another one names, and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its URL.
    pub uri: String,
    /// The meaning of its key, if it has one.
    pub name: Option<DigestName>,
    /// The time that it, and those before it that are missing too, would cover.
    pub from: i64,
    /// The end of that time.
    pub to: i64,
}

/// A time in which the log files of a place are vouched for, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub to: i64,
    /// Its kind.
    pub kind: SpanKind,
}

/// The kind of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpanKind {
    /// A trusted digest lists all that was delivered.
    Proven,
    /// Between two chains nothing was delivered.
    Gap,
    /// A digest is missing, or cannot be trusted.
    Broken,
}

/// Where log files lie that are listed together: bucket, area and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The bucket.
    pub bucket: Box<str>,
    /// All of their keys before `/CloudTrail/`.
    pub area: Box<str>,
    /// The region.
    pub region: Box<str>,
}

impl Place {
    /// Returns the URL of the folder of their digests.
    pub fn digests_uri(&self) -> String {
        let Self { bucket, area, region } = self;
        format!("s3://{bucket}/{area}/CloudTrail-Digest/{region}/")
    }
}

/// A time that trusted digests of an account and a region cover without a hole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Covered {
    /// The account.
    pub account: Box<str>,
    /// The region.
    pub region: Box<str>,
    /// Its first second.
    pub from: i64,
    /// Its last second.
    pub to: i64,
}

/// The verdict about digests.
#[derive(Debug, Default)]
pub struct Judged {
    /// One for each digest.
    pub verdicts: Vec<DigestVerdict>,
    /// The digests that are missing.
    pub missing: Vec<Missing>,
    /// All faults, in order.
    pub findings: Vec<Finding>,
    /// The times of each place, in order.
    pub spans: BTreeMap<Place, Vec<Span>>,
    /// The covered parts of the time that is asked for, in order.
    pub covered: Vec<Covered>,
}

/// A chain: place, trail, home region; backfill digests stand beside it.
type Chain<'d> = (&'d str, &'d str, &'d str, &'d str, &'d str, bool);

/// A digest's part of its chain.
#[derive(Clone, Copy)]
struct Link {
    start: i64,
    end: i64,
    /// The position of the digest; none of one that cannot be read.
    digest: Option<usize>,
}

impl Range {
    /// Tells whether a window overlaps it, were it by an instant.
    pub fn overlaps(self, start: i64, end: i64) -> bool {
        self.from.is_none_or(|from| from <= end) && self.to.is_none_or(|to| start <= to)
    }

    fn clip(self, from: i64, to: i64) -> (i64, i64) {
        (self.from.map_or(from, |first| first.max(from)), self.to.map_or(to, |last| last.min(to)))
    }
}

impl DigestVerdict {
    /// Tells whether what it says of the digest before it is true, as far as that is there.
    pub fn is_linked(&self) -> bool {
        self.broken.is_none_or(|kind| kind == Kind::DigestMissing)
    }
}

impl State {
    /// Tells whether it is trusted.
    pub fn is_trusted(self) -> bool {
        self == Self::Trusted
    }
}

/// Judges digests, of which `own` says what each is by itself.
pub fn judge(
    digests: &[Digest],
    own: Vec<OwnVerdict>,
    unreadable: &[Unreadable],
    keys: &PublicKeys,
    range: Range,
) -> Judged {
    let mut judged = Judged::default();
    trust(digests, own, keys, range, &mut judged);
    for broken in unreadable.iter().filter(|it| range.overlaps(it.name.end, it.name.end)) {
        judged.findings.push(broken.finding.clone());
    }
    follow_links(digests, unreadable, range, &mut judged);
    for (chain, links) in chains(digests, unreadable) {
        measure(chain, &links, digests, range, &mut judged);
    }
    cover(digests, range, &mut judged);
    for spans in judged.spans.values_mut() {
        spans.sort();
    }
    judged.findings.sort();
    judged.findings.dedup();
    judged
}

/// Decides which digests are trusted. A signature proves its digest wherever it was kept.
fn trust(digests: &[Digest], own: Vec<OwnVerdict>, keys: &PublicKeys, range: Range, judged: &mut Judged) {
    let mut named: HashMap<(&str, &str), Vec<&Signature>> = HashMap::new();
    if own.contains(&OwnVerdict::Unsigned) {
        for digest in digests {
            if let (Some(previous), Some(signature)) = (&digest.previous, &digest.previous_signature) {
                named.entry((&*previous.bucket, &*previous.key)).or_default().push(signature);
            }
        }
    }
    for (digest, own) in digests.iter().zip(own) {
        let (state, finding) = match own {
            OwnVerdict::Authentic => (State::Trusted, None),
            OwnVerdict::Refused(finding) => (State::Refused(finding.kind), Some(*finding)),
            OwnVerdict::Unsigned => {
                let kind = Kind::DigestNoSignature;
                let mut signatures = named.get(&(&*digest.bucket, digest.name.key())).into_iter().flatten();
                if signatures.any(|signature| stands(digest, keys, signature)) {
                    (State::Trusted, Some(kind.note(digest.uri()).saying("its successor names the signature")))
                } else {
                    (State::Refused(kind), Some(kind.fail(digest.uri())))
                }
            }
        };
        let is_asked = range.overlaps(digest.start, digest.end);
        judged.findings.extend(finding.filter(|_| is_asked));
        judged.verdicts.push(DigestVerdict { state, began: digest.previous.is_none(), is_asked, broken: None });
    }
}

/// Compares what trusted digests say of their predecessors with these.
fn follow_links(digests: &[Digest], unreadable: &[Unreadable], range: Range, judged: &mut Judged) {
    let by_place: HashMap<(&str, &str), usize> =
        digests.iter().enumerate().map(|(position, digest)| ((&*digest.bucket, digest.name.key()), position)).collect();
    let is_unreadable =
        |bucket: &str, key: &str| unreadable.iter().any(|it| *it.bucket == *bucket && it.name.key() == key);
    for (position, digest) in digests.iter().enumerate() {
        let Some(previous) = &digest.previous else { continue };
        let verdict = &judged.verdicts[position];
        if !verdict.state.is_trusted() || !verdict.is_asked {
            continue;
        }
        let Some(&before) = by_place.get(&(&*previous.bucket, &*previous.key)) else {
            let is_asked = range.from.is_none_or(|from| from <= digest.start);
            if is_asked && !is_unreadable(&previous.bucket, &previous.key) {
                let name = DigestName::of(&previous.key);
                judged.findings.push(Kind::DigestMissing.fail(previous.uri()));
                judged.missing.push(Missing { uri: previous.uri(), name, from: digest.start, to: digest.start });
                judged.verdicts[position].broken = Some(Kind::DigestMissing);
            }
            continue;
        };
        if !judged.verdicts[before].state.is_trusted() {
            continue;
        }
        let before = &digests[before];
        // The link of one that is kept was found right; one that is new has a predecessor that was read.
        if digest.is_kept || before.is_kept {
            continue;
        }
        let is_named =
            |signature: &Signature| digest.previous_signature.as_ref().is_some_and(|named| named.is_same(signature));
        let broken = if previous.sha256 == Some(before.sha256) {
            // One that lost its signature is proven by what its successor names.
            let is_other = before.signature.as_ref().is_some_and(|own| !is_named(own));
            is_other.then_some(Kind::DigestPreviousSignature)
        } else {
            Some(Kind::DigestPreviousHash)
        };
        judged.findings.extend(broken.map(|kind| kind.fail(digest.uri())));
        judged.verdicts[position].broken = broken;
    }
}

/// Puts the digests of each chain in the order of their windows.
fn chains<'d>(digests: &'d [Digest], unreadable: &'d [Unreadable]) -> BTreeMap<Chain<'d>, Vec<Link>> {
    fn chain<'d>(bucket: &'d str, name: &'d DigestName) -> Chain<'d> {
        (bucket, name.area(), name.region(), name.trail(), name.home_region(), name.is_backfill)
    }
    let mut chains: BTreeMap<Chain<'d>, Vec<Link>> = BTreeMap::new();
    for (position, digest) in digests.iter().enumerate().filter(|(_, digest)| digest.is_at_its_place) {
        let link = Link { start: digest.start, end: digest.end, digest: Some(position) };
        chains.entry(chain(&digest.bucket, &digest.name)).or_default().push(link);
    }
    for broken in unreadable {
        let end = broken.name.end;
        chains.entry(chain(&broken.bucket, &broken.name)).or_default().push(Link { start: end, end, digest: None });
    }
    for links in chains.values_mut() {
        links.sort_by_key(|link| link.end);
    }
    chains
}

/// Notes which times a chain covers, and the gaps in it.
fn measure(chain: Chain<'_>, links: &[Link], digests: &[Digest], range: Range, judged: &mut Judged) {
    let (bucket, area, region, .., is_backfill) = chain;
    let place = Place { bucket: bucket.into(), area: area.into(), region: region.into() };
    let mut spans = Vec::new();
    let mut before: Option<Link> = None;
    for link in links {
        let hole = before.map(|before| before.end).filter(|_| !is_backfill);
        match link.digest {
            Some(position) => {
                let (digest, verdict) = (&digests[position], &judged.verdicts[position]);
                let kind = if verdict.state.is_trusted() { SpanKind::Proven } else { SpanKind::Broken };
                if let Some(hole) = hole {
                    if verdict.began && verdict.is_asked {
                        let gap = Kind::ChainGap.note(digest.uri()).within(hole.min(link.start), link.start);
                        judged.findings.push(gap);
                    }
                    if hole < link.start {
                        let kind = if verdict.began { SpanKind::Gap } else { SpanKind::Broken };
                        spans.push(Span { from: hole, to: link.start, kind });
                        let missing = judged.missing.iter_mut().rev();
                        let named = digest.previous.as_ref().map(crate::file::Previous::uri);
                        for it in missing.filter(|it| Some(&it.uri) == named.as_ref()) {
                            it.from = hole;
                        }
                        if !verdict.state.is_trusted() && range.overlaps(hole, link.start) {
                            judged.findings.push(not_covered(&place, (hole, link.start)));
                        }
                    }
                }
                spans.push(Span { from: link.start, to: link.end, kind });
            }
            None => spans.push(Span { from: hole.unwrap_or(link.start), to: link.end, kind: SpanKind::Broken }),
        }
        before = Some(*link);
    }
    judged.spans.entry(place).or_default().extend(spans);
}

/// Joins the windows of trusted digests, and finds the times that are asked for and have none.
fn cover(digests: &[Digest], range: Range, judged: &mut Judged) {
    /// Start, end, and whether the digest is trusted.
    type DigestWindow = (i64, i64, bool);
    let mut windows: BTreeMap<(&str, &str), Vec<DigestWindow>> = BTreeMap::new();
    let mut places: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
    for (digest, verdict) in digests.iter().zip(&judged.verdicts).filter(|(digest, _)| digest.is_at_its_place) {
        let account = (digest.name.account(), digest.name.region());
        places.insert(account, (&digest.bucket, digest.name.area()));
        if verdict.is_asked {
            windows.entry(account).or_default().push((digest.start, digest.end, verdict.state.is_trusted()));
        }
    }
    for ((account, region), mut windows) in windows {
        windows.sort_unstable();
        let mut covered: Vec<Covered> = Vec::new();
        for (start, end, _) in windows.iter().filter(|(.., is_trusted)| *is_trusted) {
            let (from, to) = range.clip(*start, *end);
            match covered.last_mut() {
                Some(last) if from <= last.to => last.to = last.to.max(to),
                _ => covered.push(Covered { account: account.into(), region: region.into(), from, to }),
            }
        }
        judged.covered.extend(covered);
        let first = windows.first().map_or(0, |(start, ..)| *start);
        let last = windows.iter().map(|(_, end, _)| *end).max().unwrap_or_default();
        let (bucket, area) = places[&(account, region)];
        let place = Place { bucket: bucket.into(), area: area.into(), region: region.into() };
        let before = range.from.filter(|from| *from < first).map(|from| (from, first));
        let after = range.to.filter(|to| last < *to).map(|to| (last, to));
        let holes = before.into_iter().chain(after);
        judged.findings.extend(holes.map(|hole| not_covered(&place, hole)));
    }
}

fn not_covered(place: &Place, (from, to): (i64, i64)) -> Finding {
    Kind::NotCovered.fail(place.digests_uri()).within(from, to)
}

impl Judged {
    /// Adds digests that were there before and are not any more, but for those of which is known already that they are
    /// missing. Needs: their names are those of digests.
    pub fn miss(&mut self, lost: Vec<Missing>) {
        let known: HashSet<String> = self.missing.iter().map(|it| it.uri.clone()).collect();
        for it in lost.into_iter().filter(|it| !known.contains(&it.uri)) {
            let bucket = it.uri.strip_prefix("s3://").and_then(|url| url.split_once('/')).map(|(bucket, _)| bucket);
            if let (Some(bucket), Some(name)) = (bucket, &it.name) {
                let place = Place { bucket: bucket.into(), area: name.area().into(), region: name.region().into() };
                let span = Span { from: it.from, to: it.to, kind: SpanKind::Broken };
                self.spans.entry(place).or_default().push(span);
            }
            self.findings.push(Kind::DigestMissing.fail(it.uri.clone()));
            self.missing.push(it);
        }
        self.spans.values_mut().for_each(|spans| spans.sort());
        self.findings.sort();
    }

    /// Tells what is known of the log files of a place that were delivered in a time: the worst of what its digests say;
    /// `None` where part of the time has no digest.
    pub fn span(&self, place: &Place, from: i64, to: i64) -> Option<SpanKind> {
        let mut covered_to = from;
        let mut worst = None;
        for span in self.spans.get(place)?.iter().filter(|span| span.from < to && from < span.to) {
            if covered_to < span.from {
                return None;
            }
            covered_to = covered_to.max(span.to);
            worst = worst.max(Some(span.kind));
        }
        worst.filter(|_| to <= covered_to)
    }
}
