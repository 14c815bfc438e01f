//! Each change of a digest is found, and named right, and nothing else is.

use trailweave_digest::{Kind, Severity, SpanKind, seconds};

use super::*;

/// The faults that fail, with their URLs.
fn failures(judged: &Judged) -> Vec<(Kind, String)> {
    let failing = judged.findings.iter().filter(|finding| finding.severity == Severity::Fail);
    failing.map(|finding| (finding.kind, finding.uri.clone())).collect()
}

#[test]
fn a_trail_that_nobody_touched_is_proven_whole() {
    let world = World::new(None);
    let judged = world.judge(Range::default());
    assert_eq!(failures(&judged), []);
    assert_eq!((world.digests.len(), world.n_listed), (world.corpus.digests, world.corpus.objects));
    let gaps = judged.findings.iter().filter(|finding| finding.kind == Kind::ChainGap).count();
    assert_eq!((gaps, judged.findings.len()), (1, 1), "the trail was stopped and started once: {:?}", judged.findings);
    assert_eq!(judged.verdicts.iter().filter(|it| it.began).count(), 2 + 1 + 2, "two trails, a start, two backfills");
    assert_eq!(judged.covered.len(), 3, "{:?}", judged.covered);
}

#[test]
fn every_tampering_with_a_digest_is_named_and_nothing_else_is() {
    use Tampering::{
        DigestChanged, DigestDeleted, DigestMoved, DigestOtherKey, DigestUnknownFingerprint, DigestWrongPreviousHash,
        NewestWithoutMetadata,
    };
    for (tampering, kind) in [
        (DigestChanged, Kind::DigestSignature),
        (DigestDeleted, Kind::DigestMissing),
        (DigestMoved, Kind::DigestMoved),
        (DigestOtherKey, Kind::DigestSignature),
        (DigestUnknownFingerprint, Kind::DigestUnknownKey),
        (DigestWrongPreviousHash, Kind::DigestPreviousHash),
        (NewestWithoutMetadata, Kind::DigestNoSignature),
    ] {
        let world = World::new(Some(tampering));
        let judged = world.judge(Range::default());
        let tampered = world.corpus.tampered.clone().unwrap();
        let mut expected = vec![(kind, tampered.uri)];
        if tampering == DigestMoved {
            expected.insert(0, (Kind::DigestMissing, tampered.digest));
        }
        assert_eq!(failures(&judged), expected, "{tampering:?}");
        let untrusted = judged.verdicts.iter().filter(|it| !it.state.is_trusted()).count();
        let stays = matches!(tampering, DigestDeleted | DigestWrongPreviousHash);
        assert_eq!(untrusted, usize::from(!stays), "{tampering:?}");
        assert_eq!(judged.missing.len(), usize::from(matches!(tampering, DigestDeleted | DigestMoved)));
    }
}

#[test]
fn the_signature_that_a_successor_names_stands_in() {
    let world = World::new(Some(Tampering::DigestWithoutMetadata));
    let judged = world.judge(Range::default());
    assert_eq!(failures(&judged), []);
    let uri = world.corpus.tampered.unwrap().uri;
    assert!(judged.findings.iter().any(|it| (it.kind, &it.uri) == (Kind::DigestNoSignature, &uri)));
    assert!(judged.verdicts.iter().all(|verdict| verdict.state.is_trusted()));
}

#[test]
fn a_range_asks_for_the_windows_that_it_touches_and_says_which_times_have_none() {
    let world = World::new(None);
    let time = |text| seconds(text).unwrap();
    let range = |from, to| Range { from: Some(time(from)), to: Some(time(to)) };
    let judged = world.judge(range("2026-03-02T06:10:00Z", "2026-03-02T07:50:00Z"));
    assert_eq!(failures(&judged), []);
    let asked =
        judged.verdicts.iter().zip(&world.digests).filter(|(it, digest)| it.is_asked && !digest.name.is_backfill);
    assert_eq!(asked.count(), 4, "two windows of two accounts");
    let covered = &judged.covered[0];
    assert_eq!((covered.from, covered.to), (time("2026-03-02T06:10:00Z"), time("2026-03-02T07:50:00Z")));

    let judged = world.judge(range("2026-03-01T00:00:00Z", "2026-03-02T07:50:00Z"));
    let kinds: Vec<_> = failures(&judged).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::NotCovered, Kind::NotCovered]);
    let place = judged.spans.keys().next().unwrap();
    let span = |from, to| judged.span(place, time(from), time(to));
    assert_eq!(span("2026-03-02T06:10:00Z", "2026-03-02T07:50:00Z"), Some(SpanKind::Proven));
    assert_eq!(span("2026-03-01T06:10:00Z", "2026-03-02T07:50:00Z"), None);
}
