//! Software on an instance calls AWS with the instance's role.

use serde_json::json;

use crate::dice::Dice;
use crate::flows::calls::{self, Call};
use crate::identity::{Caller, Identity};
use crate::scene::{By, Scene};
use crate::truth::Link;
use crate::world::Key;

/// Makes the caller that software on `instance` is.
pub(crate) fn caller(dice: &mut Dice, account: &str, role: &str, instance: &str) -> Caller {
    let identity = Identity::role(dice, account, role, instance);
    let agent = "aws-sdk-go-v2/1.36.5 os/linux lang/go#1.24.4 md/GOOS#linux".to_owned();
    Caller::alone(identity, dice.address(), agent, false)
}

/// Logs KMS calls of the scene's caller, who is such software: no EC2 event causes them.
pub(crate) fn use_keys(scene: &mut Scene<'_, '_>, at: i64, key: &Key) {
    scene.count("role");
    for index in 0..scene.dice.between(2, 5) {
        let through_s3 = scene.dice.chance(0.3);
        let (by, context) = if through_s3 {
            (By::Through("s3.amazonaws.com"), json!({"aws:s3:arn": "arn:aws:s3:::example-artifacts"}))
        } else {
            (By::Caller, json!({"app": "billing", "tenant": index.to_string()}))
        };
        let link = Link::none("role", "instance_role");
        calls::by_software(scene, Call::new(at + index * 37, by, link), key, &context);
    }
}
