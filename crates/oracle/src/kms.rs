//! The nature of a KMS event: by whom it was made, what it names.

use crate::Event;
use crate::event::is_amazon_domain;

/// A KMS event with the page's flags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kms<'a> {
    pub(crate) event: &'a Event,
    /// Made by or for AWS, so that its encryption context can be believed.
    pub(crate) trusted: bool,
    /// Made for a service that is not EC2.
    pub(crate) external: bool,
    /// Made for a volume or snapshot that no EC2 event accounts for, even if one names it.
    pub(crate) apart: bool,
    /// The `CreateGrant` of the grant that it names; none for a `CreateGrant` itself.
    pub(crate) grant: Option<&'a Event>,
}

impl<'a> Kms<'a> {
    /// Takes the event alone, before anything is taken from its grant.
    pub(crate) fn alone(event: &'a Event) -> Self {
        Self { event, trusted: is_trusted(event), external: is_external(event), apart: is_apart(event), grant: None }
    }

    /// Tells whether its context links and teaches.
    pub(crate) fn teaches(&self) -> bool {
        self.trusted && !self.external
    }

    pub(crate) fn is_create_grant(&self) -> bool {
        self.event.name() == "CreateGrant"
    }

    /// Tells whether it is `RetireGrant` or `RevokeGrant`.
    pub(crate) fn ends_grant(&self) -> bool {
        matches!(self.event.name(), "RetireGrant" | "RevokeGrant")
    }

    pub(crate) fn makes_data_key(&self) -> bool {
        self.event.name().starts_with("GenerateDataKey") || self.event.name() == "ReEncrypt"
    }

    pub(crate) fn own_instance(&self) -> Option<&'a str> {
        first(&self.event.instance_ids)
    }

    pub(crate) fn own_volume(&self) -> Option<&'a str> {
        first(&self.event.volume_ids)
    }

    pub(crate) fn own_snapshot(&self) -> Option<&'a str> {
        first(&self.event.snapshot_ids)
    }

    /// Returns its own instance, else its grant's.
    pub(crate) fn instance(&self) -> Option<&'a str> {
        self.own_instance().or_else(|| first(&self.grant?.instance_ids))
    }

    /// Returns its own volume, else its grant's.
    pub(crate) fn volume(&self) -> Option<&'a str> {
        self.own_volume().or_else(|| first(&self.grant?.volume_ids))
    }

    /// Returns its own snapshot, else its grant's.
    pub(crate) fn snapshot(&self) -> Option<&'a str> {
        self.own_snapshot().or_else(|| first(&self.grant?.snapshot_ids))
    }

    /// Tells whether neither it nor its grant names a volume or a snapshot.
    pub(crate) fn names_nothing_of_ebs(&self) -> bool {
        self.volume().is_none() && self.snapshot().is_none()
    }

    /// Returns its own key, else its grant's.
    pub(crate) fn key_arn(&self) -> Option<&'a str> {
        self.event.key_arn.as_deref().or_else(|| self.grant?.key_arn.as_deref())
    }
}

/// Returns the first of the ids.
pub(crate) fn first(ids: &[String]) -> Option<&str> {
    ids.first().map(String::as_str)
}

/// Tells whether the session of an instance's infrastructure role made the call.
pub(crate) fn is_infrastructure(event: &Event) -> bool {
    let begins = |text: Option<&str>, role: &str| text.is_some_and(|text| text.starts_with(role));
    let id = after_colons(1, event.principal_id.as_deref());
    let resource = after_colons(5, event.principal_arn.as_deref());
    begins(id, "aws:ec2-infrastructure:")
        || begins(resource, "assumed-role/aws:ec2-infrastructure/")
        || begins(resource, "role/aws:ec2-infrastructure/")
        || after_colons(5, event.session_issuer_arn.as_deref()) == Some("role/aws:ec2-infrastructure")
}

/// Returns the text after so many colons, if there are as many. After five of an ARN stands its resource.
fn after_colons(n: usize, text: Option<&str>) -> Option<&str> {
    let text = text?;
    let (at, _) = text.match_indices(':').nth(n - 1)?;
    Some(&text[at + 1..])
}

/// Finds the service that has an ARN's role for itself: what follows the path of such roles, up to a slash.
pub(crate) fn service_of_role(arn: Option<&str>) -> Option<&str> {
    let role = after_colons(5, arn)?.strip_prefix("role/aws-service-role/")?;
    Some(role.split_once('/').map_or(role, |(service, _)| service))
}

/// Tells whether EC2 forwarded a principal's call.
pub(crate) fn is_forwarded(event: &Event) -> bool {
    [&event.invoked_by, &event.user_agent, &event.source_ip_address]
        .into_iter()
        .any(|text| text.as_deref().and_then(service_name) == Some("ec2-frontend-api"))
}

/// Finds the service that made a call, or made it for its caller.
fn service(event: &Event) -> Option<&str> {
    let address = event.source_ip_address.as_deref();
    let of_service = |it: &&str| it.ends_with(".amazonaws.com") || it.ends_with(".amazonaws.com.cn");
    event.invoked_by.as_deref().or_else(|| address.filter(of_service))
}

/// Returns what stands before `.amazonaws.com[.cn]`.
fn service_name(service: &str) -> Option<&str> {
    let at = service.find(".amazonaws.com")?;
    let (name, domain) = service.split_at(at);
    is_amazon_domain(domain).then_some(name)
}

/// Tells whether a service is EC2, EBS, or one that launches instances in the account of its caller.
fn is_family(service: &str) -> bool {
    if matches!(service, "AWS Internal" | "Amazon Internal") {
        return true;
    }
    service_name(service).is_some_and(|name| {
        matches!(name, "ec2-frontend-api" | "ec2" | "ebs" | "autoscaling" | "spot" | "spotfleet" | "ec2fleet")
            || name.strip_prefix("ec2.").is_some_and(is_region)
            || name.strip_prefix("prod.kms-caller.ebs.").is_some_and(is_region)
    })
}

/// Tells whether a grant goes to the role that a service which launches instances has in an account.
pub(crate) fn is_to_family(event: &Event) -> bool {
    let service = service_of_role(event.grantee_principal.as_deref());
    service.is_some_and(|service| service_name(service).is_some() && is_family(service))
}

fn is_region(text: &str) -> bool {
    let of_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(of_region)
}

/// Tells whether a principal called an EBS direct API.
fn is_ebs_direct(event: &Event) -> bool {
    service(event).and_then(service_name) == Some("ebs") && !is_by_aws_service(event)
}

/// Tells whether an AWS service itself is the caller.
pub(crate) fn is_by_aws_service(event: &Event) -> bool {
    event.user_identity_type.as_deref() == Some("AWSService")
}

fn is_external(event: &Event) -> bool {
    is_apart(event) || service(event).is_some_and(|service| !is_family(service))
}

fn is_apart(event: &Event) -> bool {
    let other_context = |key: &String| {
        ["aws:ecs:", "aws:rds:", "aws:workspaces:"].iter().any(|of_other_service| key.starts_with(of_other_service))
    };
    is_ebs_direct(event) || event.encryption_context.keys().any(other_context) || has_key_beside_ebs(event)
}

/// Tells whether the context that names a volume or a snapshot has a key that EC2 and EBS do not give.
fn has_key_beside_ebs(event: &Event) -> bool {
    event.encryption_context.contains_key("aws:ebs:id")
        && !event.encryption_context.keys().all(|key| key.starts_with("aws:ebs:"))
}

fn is_trusted(event: &Event) -> bool {
    is_infrastructure(event)
        || is_by_aws_service(event)
        || service(event).is_some()
        || event.source_ip_address.as_deref() == Some("AWS Internal")
            && (is_of_old(event) || event.is_of_another_account())
        || matches!(event.user_agent.as_deref(), Some("AWS Internal" | "&AWS; Internal")) && is_of_old(event)
}

/// Tells whether the record is of a time when only the address or the user agent told that AWS called.
fn is_of_old(event: &Event) -> bool {
    matches!(event.event_version.as_deref(), None | Some("1.0" | "1.01" | "1.02"))
}

/// Finds the instance on which the software ran that made the call with the instance's role.
pub(crate) fn caller_instance(event: &Event) -> Option<String> {
    let session = event.session_name.as_ref()?.to_lowercase();
    let assumed = event.user_identity_type.as_deref() == Some("AssumedRole");
    (assumed && is_instance_id(&session) && !is_infrastructure(event)).then_some(session)
}

fn is_instance_id(text: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("i-").is_some_and(|digits| matches!(digits.len(), 8 | 17) && is_hex(digits))
}
