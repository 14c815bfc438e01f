//! How the session of a role begins: an STS call hands out the access key of all that follows.

use serde_json::{Value, json};

use crate::identity::{self, Caller, Identity};
use crate::record::Resource;
use crate::scene::Scene;

/// Begins a session for a scene whose caller is a role: mostly with its STS events, sometimes with a source identity.
pub(crate) fn begin(scene: &mut Scene<'_, '_>, at: i64) {
    if scene.caller.identity.session().is_none() {
        return;
    }
    let access_key = scene.dice.principal_id("ASIA")[..20].to_owned();
    scene.caller.identity.renew(&access_key);
    match scene.dice.below(6) {
        0 => {}
        1 => {
            let person = format!("{}@example.com", scene.dice.alphanumeric(6).to_lowercase());
            scene.caller.identify(&person);
        }
        2 => {
            let account = scene.account_id();
            let hub = Identity::role(&mut scene.dice, &account, "Hub", "through-hub");
            let hub = Caller::new(&mut scene.dice, hub);
            let person = a_person(scene, scene.account);
            assume(scene, at - 20, (scene.account, &person), &hub);
            let target = scene.caller.clone();
            assume(scene, at - 10, (scene.account, &hub), &target);
            scene.caller.root = (person.identity.arn(), "assume_role");
        }
        3 => by_saml(scene, at - 10),
        4 => {
            let from = (scene.account + 1) % scene.world.accounts.len();
            let person = a_person(scene, from);
            let target = scene.caller.clone();
            assume(scene, at - 10, (from, &person), &target);
            scene.caller.root = (person.identity.arn(), "assume_role");
        }
        _ => {
            let person = a_person(scene, scene.account);
            let target = scene.caller.clone();
            assume(scene, at - 10, (scene.account, &person), &target);
            scene.caller.root = (person.identity.arn(), "assume_role");
        }
    }
}

/// An IAM user of an account.
fn a_person(scene: &mut Scene<'_, '_>, account: usize) -> Caller {
    let users = &scene.world.accounts[account].people;
    let users: Vec<_> = users.iter().filter(|person| person.identity.session().is_none()).collect();
    (*scene.dice.pick(&users)).clone()
}

/// `AssumeRole`, logged where the caller is and where the role is.
fn assume(scene: &mut Scene<'_, '_>, at: i64, (from, by): (usize, &Caller), target: &Caller) {
    let (request_id, shared) = (scene.dice.uuid(), scene.dice.name_uuid());
    let mut recipients = vec![from, scene.account];
    recipients.dedup();
    for recipient in recipients {
        let mut record = scene.caller_record("sts.amazonaws.com", "AssumeRole", at);
        record.identity = if recipient == from {
            by.direct(at, scene.version)
        } else {
            identity::foreign(&scene.world.accounts[from].id, &by.identity.principal_id(), None)
        };
        record.address.clone_from(&by.address);
        record.agent.clone_from(&by.agent);
        record.link = by.connection();
        record.request_id.clone_from(&request_id);
        record.shared = (from != scene.account).then(|| shared.clone());
        record.recipient.clone_from(&scene.world.accounts[recipient].id);
        fill(&mut record, scene, target);
        scene.write(recipient, record);
    }
}

/// `AssumeRoleWithSAML` by a person of whom AWS knows only what the identity provider says.
fn by_saml(scene: &mut Scene<'_, '_>, at: i64) {
    let (name, qualifier) = ("dana@example.com", scene.dice.alphanumeric(27));
    let target = scene.caller.clone();
    let mut record = scene.caller_record("sts.amazonaws.com", "AssumeRoleWithSAML", at);
    let principal_id = format!("{qualifier}=:{name}");
    record.identity = json!({
        "type": "SAMLUser",
        "principalId": principal_id,
        "userName": name,
        "identityProvider": format!("{qualifier}="),
    });
    fill(&mut record, scene, &target);
    scene.write(scene.account, record);
    scene.caller.root = (principal_id, "assume_role");
}

/// Fills in what the call asked for and got.
fn fill(record: &mut crate::record::Record, scene: &Scene<'_, '_>, target: &Caller) {
    let (arn, session) = (target.identity.role_arn(), target.identity.session().unwrap_or_default());
    record.read_only = true;
    record.request = json!({"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600});
    record.response = answer(target);
    record.resources = vec![Resource { arn, account: scene.account_id(), kind: "AWS::IAM::Role" }];
}

fn answer(target: &Caller) -> Value {
    json!({
        "credentials": {
            "accessKeyId": target.identity.access_key(),
            "sessionToken": "IQoJb3JpZ2luX2VjEXAMPLETOKEN",
            "expiration": "Mar 9, 2026, 1:28:25 PM",
        },
        "assumedRoleUser": {
            "assumedRoleId": target.identity.principal_id(),
            "arn": target.identity.arn(),
        },
    })
}
