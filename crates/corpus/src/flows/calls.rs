//! The KMS calls of which all flows are made.

use serde_json::{Value, json};

use crate::flows::Grant;
use crate::record::{Failure, Version};
use crate::scene::{By, FRONT_END, INTERNAL, KmsCall, Scene};
use crate::truth::{Link, Serves};
use crate::world::Key;

/// The principal that gets a grant, and how narrow the grant is.
#[derive(Clone, Copy)]
pub(crate) enum Grantee<'g> {
    /// The EC2 service of the region.
    Service,
    /// The infrastructure of one instance.
    Instance(&'g str),
    /// The EC2 service, for a copy: the encryption context must be equal.
    Copy,
    /// Another service.
    Other(&'static str),
}

/// When, by whom and why a call is made.
#[derive(Clone, Copy)]
pub(crate) struct Call<'c> {
    pub(crate) at: i64,
    pub(crate) by: By<'c>,
    pub(crate) link: Link<'c>,
}

impl<'c> Call<'c> {
    pub(crate) fn new(at: i64, by: By<'c>, link: Link<'c>) -> Self {
        Self { at, by, link }
    }

    /// A call that the front end of EC2 makes in the caller's name.
    pub(crate) fn forwarded(at: i64, link: Link<'c>) -> Self {
        Self::new(at, By::Through(FRONT_END), link)
    }

    fn kms<'k>(self, name: &'static str, keys: Vec<&'k Key>, serves: Serves) -> KmsCall<'k>
    where
        'c: 'k,
    {
        KmsCall {
            at: self.at,
            name,
            by: self.by,
            keys,
            request: Value::Null,
            response: Value::Null,
            additional: None,
            failure: None,
            request_id: None,
            serves,
            link: self.link,
        }
    }
}

/// `GenerateDataKeyWithoutPlaintext` for a volume or snapshot.
pub(crate) fn data_key(scene: &mut Scene<'_, '_>, call: Call<'_>, key: &Key, holder: &str) {
    data_key_as(scene, call, key, (holder, None, None));
}

/// The same, with a request id of its own or a failure.
pub(crate) fn data_key_as(
    scene: &mut Scene<'_, '_>,
    call: Call<'_>,
    key: &Key,
    (holder, request_id, failure): (&str, Option<String>, Option<Failure>),
) {
    let typed = key.as_typed(&mut scene.dice);
    let mut kms = call.kms("GenerateDataKeyWithoutPlaintext", vec![key], serving(holder));
    kms.request = json!({"encryptionContext": {"aws:ebs:id": holder}, "numberOfBytes": 64, "keyId": typed});
    kms.additional = key_material(scene, call);
    kms.request_id = request_id;
    kms.failure = failure;
    scene.kms(&kms);
}

/// `Decrypt` of the data key of a volume or snapshot; `instance` is named by the principal alone.
pub(crate) fn decrypt(scene: &mut Scene<'_, '_>, call: Call<'_>, key: &Key, holder: &str) {
    let mut serves = serving(holder);
    if let By::Infrastructure(instance) = call.by {
        serves.instance = Some(instance.to_owned());
    }
    let mut kms = call.kms("Decrypt", vec![key], serves);
    kms.request = json!({"encryptionContext": {"aws:ebs:id": holder}});
    if !scene.version.is_legacy() {
        kms.request["encryptionAlgorithm"] = json!("SYMMETRIC_DEFAULT");
    }
    // The EBS service and instances leave the key to the ciphertext, the copier and the direct APIs name it.
    if let By::Service(name) | By::Through(name) = call.by
        && (name.starts_with("prod.kms-caller") || matches!(call.by, By::Through(_)))
    {
        kms.request["keyId"] = json!(key.arn);
    }
    kms.additional = key_material(scene, call);
    scene.kms(&kms);
}

/// `ReEncrypt` of a snapshot's data key for a volume.
pub(crate) fn re_encrypt(scene: &mut Scene<'_, '_>, call: Call<'_>, from: (&Key, &str), to: (&Key, &str)) {
    let serves = Serves { snapshot: Some(from.1.to_owned()), ..serving(to.1) };
    let mut kms = call.kms("ReEncrypt", vec![from.0, to.0], serves);
    kms.request = json!({
        "sourceEncryptionContext": {"aws:ebs:id": from.1},
        "sourceKeyId": from.0.arn,
        "sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "sourceAAD": "YXdzOmViczppZA==",
        "destinationEncryptionContext": {"aws:ebs:id": to.1},
        "destinationKeyId": to.0.arn,
        "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "destinationAAD": "YXdzOmViczppZA==",
    });
    scene.kms(&kms);
}

/// `CreateGrant` for a volume or snapshot.
pub(crate) fn create_grant(
    scene: &mut Scene<'_, '_>,
    call: Call<'_>,
    key: &Key,
    holder: &str,
    grantee: Grantee<'_>,
) -> Grant {
    let id = scene.dice.hex(64);
    let instance = if let Grantee::Instance(instance) = grantee { Some(instance.to_owned()) } else { None };
    let serves = Serves { instance: instance.clone(), grant: Some(id.clone()), ..serving(holder) };
    let mut kms = call.kms("CreateGrant", vec![key], serves);
    kms.request = grant_request(scene, key, holder, grantee);
    kms.response = json!({"grantId": id});
    if !scene.version.is_legacy() {
        kms.response["keyId"] = json!(key.arn);
    }
    scene.kms(&kms);
    Grant { id, key: key.clone(), holder: holder.to_owned(), instance }
}

fn grant_request(scene: &Scene<'_, '_>, key: &Key, holder: &str, grantee: Grantee<'_>) -> Value {
    let (account, region) = (scene.account_id(), scene.region_name());
    let service = format!("ec2.{region}.amazonaws.com");
    let principal = match grantee {
        Grantee::Service | Grantee::Copy => service.clone(),
        Grantee::Other(name) => name.to_owned(),
        Grantee::Instance(instance) if scene.version < Version(10) => {
            format!("{account}:aws:ec2-infrastructure:{instance}")
        }
        Grantee::Instance(instance) => format!("arn:aws:sts::{account}:assumed-role/aws:ec2-infrastructure/{instance}"),
    };
    let limit = if let Grantee::Copy = grantee { "encryptionContextEquals" } else { "encryptionContextSubset" };
    let mut request = json!({"constraints": {limit: {"aws:ebs:id": holder}}, "granteePrincipal": principal});
    if !scene.version.is_legacy() {
        request["retiringPrincipal"] = json!(service);
        request["operations"] = match grantee {
            Grantee::Instance(_) => json!(["Decrypt"]),
            _ => json!([
                "CreateGrant",
                "Decrypt",
                "GenerateDataKeyWithoutPlaintext",
                "ReEncryptFrom",
                "ReEncryptTo",
                "DescribeKey"
            ]),
        };
    }
    request["keyId"] = json!(key.arn);
    request
}

/// `RetireGrant`, which names the grant in `additionalEventData` alone.
pub(crate) fn retire(scene: &mut Scene<'_, '_>, call: Call<'_>, grant: &Grant) {
    let mut kms = call.kms("RetireGrant", vec![&grant.key], grant.serves());
    if !scene.version.is_legacy() {
        kms.response = json!({"keyId": grant.key.arn});
    }
    kms.additional = Some(json!({"grantId": grant.id}));
    scene.kms(&kms);
}

/// `RevokeGrant`, which somebody calls by hand.
pub(crate) fn revoke(scene: &mut Scene<'_, '_>, at: i64, grant: &Grant) {
    let link = Link::none("D", "no_ec2_event").ambiguous("revoked_by_hand");
    let mut kms = Call::new(at, By::Caller, link).kms("RevokeGrant", vec![&grant.key], grant.serves());
    kms.request = json!({"keyId": grant.key.arn, "grantId": grant.id});
    kms.response = json!({"keyId": grant.key.arn});
    scene.kms(&kms);
}

/// `DescribeKey` by the front end of EC2.
pub(crate) fn describe_key(scene: &mut Scene<'_, '_>, call: Call<'_>, key: &Key) {
    let mut kms = call.kms("DescribeKey", vec![key], Serves::default());
    kms.request = json!({"keyId": key.as_typed(&mut scene.dice)});
    scene.kms(&kms);
}

/// Logs a call that KMS denied: nothing but the request id, the principal and the time is logged. Its purpose is
/// known where an event that names a single instance or volume shares the request id.
pub(crate) fn denied(scene: &mut Scene<'_, '_>, call: Call<'_>, name: &'static str, serves: Serves) {
    let mut kms = call.kms(name, Vec::new(), serves);
    kms.failure = Some(Failure {
        code: "AccessDenied",
        message: Some("User is not authorized to perform this action on this resource with an explicit deny"),
    });
    scene.kms(&kms);
}

/// `Decrypt` or `GenerateDataKey` by software, with an encryption context of its own.
pub(crate) fn by_software(scene: &mut Scene<'_, '_>, call: Call<'_>, key: &Key, context: &Value) {
    let encrypts = scene.dice.chance(0.4);
    let name = if encrypts { "GenerateDataKey" } else { "Decrypt" };
    let mut kms = call.kms(name, vec![key], Serves::default());
    kms.request = if encrypts {
        json!({"keyId": key.arn, "keySpec": "AES_256", "encryptionContext": context})
    } else {
        json!({"encryptionContext": context, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"})
    };
    scene.kms(&kms);
}

/// `GenerateDataKey` of the EBS direct APIs, and calls of services, with a context of several keys.
pub(crate) fn with_context(
    scene: &mut Scene<'_, '_>,
    call: Call<'_>,
    key: &Key,
    (name, holder, context): (&'static str, &str, Value),
) {
    let mut kms = call.kms(name, vec![key], serving(holder));
    kms.request = json!({"keyId": key.arn, "encryptionContext": context});
    if name.starts_with("GenerateDataKey") {
        kms.request["numberOfBytes"] = json!(64);
    }
    scene.kms(&kms);
}

/// The call of the part of EC2 that attaches volumes, which in 2014 had a request id of its own.
pub(crate) fn attached<'c>(scene: &Scene<'_, '_>, at: i64, instance: &'c str, link: Link<'c>) -> Call<'c> {
    let shares_request = link.shares_request && !scene.version.is_legacy();
    Call::new(at, By::Infrastructure(instance), Link { shares_request, ..link })
}

/// The EC2 service, as it retires grants.
pub(crate) fn internal(at: i64, link: Link<'_>) -> Call<'_> {
    Call::new(at, By::Service(INTERNAL), link)
}

impl Grant {
    fn serves(&self) -> Serves {
        Serves { instance: self.instance.clone(), grant: Some(self.id.clone()), ..serving(&self.holder) }
    }
}

fn serving(holder: &str) -> Serves {
    let (volume, snapshot) = if holder.starts_with("vol-") { (Some(holder), None) } else { (None, Some(holder)) };
    Serves { volume: volume.map(str::to_owned), snapshot: snapshot.map(str::to_owned), ..Serves::default() }
}

fn key_material(scene: &mut Scene<'_, '_>, call: Call<'_>) -> Option<Value> {
    let logged = scene.version >= Version::LATEST && !matches!(call.by, By::Caller);
    logged.then(|| json!({"keyMaterialId": scene.dice.hex(64)}))
}
