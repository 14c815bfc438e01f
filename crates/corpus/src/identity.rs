//! Callers: `userIdentity` in each of its forms.

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::dice::Dice;
use crate::record::{Connection, Version};

/// A principal that calls AWS, with the address and agent that its calls carry.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) address: String,
    pub(crate) agent: String,
    /// True if its calls come from a browser.
    pub(crate) console: bool,
    /// The principal behind it, as far as the trail tells, and how it tells.
    pub(crate) root: (String, &'static str),
}

#[derive(Clone)]
pub(crate) enum Identity {
    User {
        account: String,
        name: String,
        id: String,
        access_key: String,
    },
    Role {
        account: String,
        role: String,
        path: &'static str,
        id: String,
        session: String,
        access_key: String,
        source_identity: Option<String>,
    },
}

impl Caller {
    pub(crate) fn new(dice: &mut Dice, identity: Identity) -> Self {
        let agents = [
            ("aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.4", false),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.12.2 aws-sdk-go-v2/1.36.5 os/linux lang/go#1.24.4", false),
            ("Boto3/1.39.3 md/Botocore#1.39.3 ua/2.1 os/linux#5.10.237 lang/python#3.12.11", false),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0", true),
        ];
        let (agent, console) = *dice.pick(&agents);
        Self::alone(identity, dice.address(), agent.to_owned(), console)
    }

    /// A principal of which the trail tells no more than its own calls do.
    pub(crate) fn alone(identity: Identity, address: String, agent: String, console: bool) -> Self {
        let source = if identity.session().is_some() { "session" } else { "direct" };
        Self { root: (identity.arn(), source), identity, address, agent, console }
    }

    /// Says in its sessions from now on who it is.
    pub(crate) fn identify(&mut self, person: &str) {
        if let Identity::Role { source_identity, .. } = &mut self.identity {
            *source_identity = Some(person.to_owned());
            self.root = (person.to_owned(), "source_identity");
        }
    }

    /// An AWS service that acts through its service-linked role.
    pub(crate) fn service(identity: Identity, service: &str) -> Self {
        let (address, agent) = (service.to_owned(), service.to_owned());
        Self { root: (service.to_owned(), "service"), ..Self::alone(identity, address, agent, false) }
    }

    /// `userIdentity` of a call that the caller makes itself.
    pub(crate) fn direct(&self, at: i64, version: Version) -> Value {
        let by = self.is_service().then_some(self.address.as_str());
        self.identity.render(at, version, by)
    }

    /// How its own calls reach AWS.
    pub(crate) fn connection(&self) -> Connection {
        if self.is_service() {
            Connection::Internal
        } else if self.console {
            Connection::Console
        } else {
            Connection::Tls
        }
    }

    /// A service's address is its name.
    fn is_service(&self) -> bool {
        self.address.ends_with(".amazonaws.com")
    }

    /// `userIdentity` of a call that `service` makes in the caller's name.
    pub(crate) fn through(&self, service: &str, at: i64, version: Version) -> Value {
        self.identity.render(at, version, Some(service))
    }
}

impl Identity {
    pub(crate) fn user(dice: &mut Dice, account: &str, name: &str) -> Self {
        Self::User {
            account: account.to_owned(),
            name: name.to_owned(),
            id: dice.principal_id("AIDA"),
            access_key: dice.principal_id("AKIA")[..20].to_owned(),
        }
    }

    pub(crate) fn role(dice: &mut Dice, account: &str, role: &str, session: &str) -> Self {
        let path = if role.starts_with("AWSReservedSSO") { "aws-reserved/sso.amazonaws.com/" } else { "" };
        Self::Role {
            account: account.to_owned(),
            role: role.to_owned(),
            path,
            id: dice.principal_id("AROA"),
            session: session.to_owned(),
            access_key: dice.principal_id("ASIA")[..20].to_owned(),
            source_identity: None,
        }
    }

    /// The service-linked role of Auto Scaling.
    pub(crate) fn scaling(dice: &mut Dice, account: &str) -> Self {
        Self::Role {
            account: account.to_owned(),
            role: "AWSServiceRoleForAutoScaling".to_owned(),
            path: "aws-service-role/autoscaling.amazonaws.com/",
            id: dice.principal_id("AROA"),
            session: "AutoScaling".to_owned(),
            access_key: dice.principal_id("ASIA")[..20].to_owned(),
            source_identity: None,
        }
    }

    /// The instance whose role this is, when the session is an instance's.
    pub(crate) fn instance(&self) -> Option<&str> {
        match self {
            Self::Role { session, .. } if session.starts_with("i-") => Some(session),
            _ => None,
        }
    }

    /// The session's name, when it is a role's.
    pub(crate) fn session(&self) -> Option<&str> {
        match self {
            Self::Role { session, .. } => Some(session),
            Self::User { .. } => None,
        }
    }

    /// The access key of its calls.
    pub(crate) fn access_key(&self) -> &str {
        match self {
            Self::User { access_key, .. } | Self::Role { access_key, .. } => access_key,
        }
    }

    /// Gives its calls another access key.
    pub(crate) fn renew(&mut self, key: &str) {
        let (Self::User { access_key, .. } | Self::Role { access_key, .. }) = self;
        key.clone_into(access_key);
    }

    /// The ARN of a user, or of the session of a role.
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::User { account, name, .. } => format!("arn:aws:iam::{account}:user/{name}"),
            Self::Role { account, role, session, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
        }
    }

    /// The ARN of a role, or of a user.
    pub(crate) fn role_arn(&self) -> String {
        match self {
            Self::User { .. } => self.arn(),
            Self::Role { account, role, path, .. } => format!("arn:aws:iam::{account}:role/{path}{role}"),
        }
    }

    /// `AROA...:session` or `AIDA...`, as `AWSAccount` copies carry it.
    pub(crate) fn principal_id(&self) -> String {
        match self {
            Self::User { id, .. } => id.clone(),
            Self::Role { id, session, .. } => format!("{id}:{session}"),
        }
    }

    fn render(&self, at: i64, version: Version, invoked_by: Option<&str>) -> Value {
        let mut identity = match self {
            Self::User { account, name, id, access_key } => json!({
                "type": "IAMUser",
                "principalId": id,
                "arn": self.arn(),
                "accountId": account,
                "accessKeyId": access_key,
                "userName": name,
            }),
            Self::Role { account, role, id, session, access_key, .. } => json!({
                "type": "AssumedRole",
                "principalId": format!("{id}:{session}"),
                "arn": self.arn(),
                "accountId": account,
                "accessKeyId": access_key,
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": id,
                        "arn": self.role_arn(),
                        "accountId": account,
                        "userName": role,
                    },
                    "attributes": attributes(at),
                },
            }),
        };
        if let (Self::User { .. }, Some(_), false) = (self, invoked_by, version.is_legacy()) {
            identity["sessionContext"] = json!({"attributes": attributes(at)});
        }
        if let (Self::Role { session, .. }, false) = (self, version.is_legacy())
            && session.starts_with("i-")
        {
            identity["sessionContext"]["ec2RoleDelivery"] = json!("2.0");
        }
        if let Self::Role { source_identity: Some(person), .. } = self {
            identity["sessionContext"]["sourceIdentity"] = json!(person);
        }
        if let (Some(service), false) = (invoked_by, version.is_legacy()) {
            identity["invokedBy"] = json!(service);
        }
        identity
    }
}

/// The part of EC2 that attaches volumes to one instance.
pub(crate) struct Infrastructure<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) access_key: &'a str,
}

/// `userIdentity` of the part of EC2 that attaches volumes to an instance.
pub(crate) fn infrastructure(who: &Infrastructure<'_>, at: i64, version: Version) -> Value {
    let Infrastructure { account, region, instance, access_key } = who;
    let mut identity = json!({
        "type": "AssumedRole",
        "principalId": format!("{account}:aws:ec2-infrastructure:{instance}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/aws:ec2-infrastructure/{instance}"),
        "accountId": account,
        "accessKeyId": if version.is_legacy() { "" } else { access_key },
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": format!("{account}:aws:ec2-infrastructure"),
                "arn": format!("arn:aws:iam::{account}:role/aws:ec2-infrastructure"),
                "accountId": account,
                "userName": "aws:ec2-infrastructure",
            },
            "attributes": {"creationDate": rfc3339(at), "mfaAuthenticated": "false"},
        },
    });
    if !version.is_legacy() {
        identity["invokedBy"] = json!("AWS Internal");
        identity["inScopeOf"] = json!({
            "issuerType": "AWS::EC2::Instance",
            "credentialsIssuedTo": format!("arn:aws:ec2:{region}:{account}:instance/{instance}"),
        });
    }
    identity
}

/// `userIdentity` of an AWS service that calls in its own name.
pub(crate) fn service(name: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": name})
}

/// `userIdentity` in the copy that the owner of a key gets of another account's call.
pub(crate) fn foreign(account: &str, principal_id: &str, invoked_by: Option<&str>) -> Value {
    let mut identity = json!({"type": "AWSAccount", "principalId": principal_id, "accountId": account});
    if let Some(service) = invoked_by {
        identity["invokedBy"] = json!(service);
    }
    identity
}

/// Sessions begin on the hour: a caller's calls within it belong to one session.
fn attributes(at: i64) -> Value {
    json!({"creationDate": rfc3339(at.div_euclid(3600) * 3600), "mfaAuthenticated": "false"})
}
