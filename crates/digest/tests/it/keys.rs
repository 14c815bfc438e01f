//! Public keys in the forms in which tools write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use trailweave_digest::OwnVerdict;

use super::*;

/// The bytes before an `RSAPublicKey` of 2048 bits in its `SubjectPublicKeyInfo`.
const INFO: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    0x03, 0x82, 0x01, 0x0f, 0x00,
];

fn list(world: &World) -> Value {
    serde_json::from_slice(&fs::read(world.folder.path().join(PUBLIC_KEYS)).unwrap()).unwrap()
}

fn is_authentic(world: &World, list: &Value) -> bool {
    let keys = PublicKeys::parse(&serde_json::to_vec(list).unwrap()).unwrap();
    world.digests.iter().all(|digest| check(digest, &keys) == OwnVerdict::Authentic)
}

#[test]
fn a_list_is_read_in_the_three_spellings_of_tools() {
    let world = World::new(None);
    let wire = list(&world);
    let key = &wire["PublicKeyList"][0];
    let seconds = |field: &str| key[field].as_i64().unwrap();
    let (start, end) = (seconds("ValidityStartTime"), seconds("ValidityEndTime"));
    let iso = json!({ "PublicKeyList": [{
        "Value": key["Value"],
        "Fingerprint": key["Fingerprint"],
        "ValidityStartTime": trailweave_digest::rfc3339(start).replace('Z', ".500000+00:00"),
        "ValidityEndTime": trailweave_digest::rfc3339(end).replace('Z', "+00:00"),
    }] });
    let guide = json!({ "publicKeyList": [{
        "value": key["Value"],
        "fingerprint": key["Fingerprint"],
        "validityStartTime": format!("{start}.0"),
        "validityEndTime": format!("{end}.0"),
    }] });
    for list in [&wire, &iso, &guide] {
        assert!(is_authentic(&world, list), "{list}");
    }
    let early = json!({ "publicKeyList": [{ "value": key["Value"], "validityEndTime": "1436317441.0" }] });
    assert!(!is_authentic(&world, &early), "the key was not valid any more");
    assert!(PublicKeys::parse(b"{}").is_err() && PublicKeys::parse(b"{\"PublicKeyList\":[]}").unwrap().is_empty());
}

#[test]
fn a_key_in_its_information_has_another_fingerprint_and_verifies_the_same() {
    let world = World::new(None);
    let der = STANDARD.decode(list(&world)["PublicKeyList"][0]["Value"].as_str().unwrap()).unwrap();
    let mut keys = PublicKeys::default();
    keys.insert(&[&INFO[..], &der].concat(), None, None);
    let mut digest = world.digests[0].clone();
    assert!(matches!(check(&digest, &keys), OwnVerdict::Refused(_)));
    digest.fingerprint = keys.fingerprints().next().unwrap().into();
    assert_eq!(check(&digest, &keys), OwnVerdict::Authentic);
}
