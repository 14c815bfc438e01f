//! Identifiers in their normal form: pure functions from the texts that CloudTrail logs.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::Timestamp;
use memchr::memmem::Finder;

/// 2000-01-01T00:00:00Z; CloudTrail began in 2013, but a test may not know that.
const EARLIEST_MS: i64 = 946_684_800_000;
/// 2100-01-01T00:00:00Z.
const LATEST_MS: i64 = 4_102_444_800_000;
/// The role that EC2 takes on for an instance's own calls.
const INFRASTRUCTURE_ROLE: &str = "aws:ec2-infrastructure";

/// The kind of resource that an EC2 identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    /// `i-..`
    Instance,
    /// `vol-..`
    Volume,
    /// `snap-..`
    Snapshot,
    /// `ami-..`
    Image,
}

/// Reads an RFC 3339 time as milliseconds since the epoch, rounded down; none if it is not between 2000 and 2099.
pub(crate) fn event_time_ms(text: &str) -> Option<i64> {
    if !is_rfc3339(text.as_bytes()) {
        return None;
    }
    let timestamp = text.parse::<Timestamp>().ok()?;
    Some(timestamp.as_millisecond()).filter(|ms| (EARLIEST_MS..LATEST_MS).contains(ms))
}

/// Checks the shape alone; the parser checks the digits.
fn is_rfc3339(text: &[u8]) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let Some((head, mut rest)) = text.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == shape,
    };
    if !head.iter().zip(SHAPE).all(fits) {
        return false;
    }
    if let [b'.', digits @ ..] = rest {
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || length > 9 {
            return false;
        }
        rest = &digits[length..];
    }
    match rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Finds the EC2 resource that `text` names, bare or as an ARN of EC2, and its id in lower case with 8 or 17
/// hexadecimal digits.
/// `vol-ffffffff`, which stands for "no volume", is none.
pub(crate) fn ec2_resource(text: &str) -> Option<(Resource, Cow<'_, str>)> {
    let bare = match text.strip_prefix("arn:") {
        Some(arn) if arn.split(':').nth(1) == Some("ec2") => text.rsplit('/').next()?,
        Some(_) => return None,
        None => text,
    };
    let (prefix, digits) = bare.split_once('-')?;
    let resource = match prefix {
        "i" | "I" => Resource::Instance,
        _ if prefix.eq_ignore_ascii_case("vol") => Resource::Volume,
        _ if prefix.eq_ignore_ascii_case("snap") => Resource::Snapshot,
        _ if prefix.eq_ignore_ascii_case("ami") => Resource::Image,
        _ => return None,
    };
    let is_id = matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_placeholder = resource == Resource::Volume && digits.bytes().all(|byte| matches!(byte, b'f' | b'F'));
    (is_id && !is_placeholder).then(|| (resource, lower(bare)))
}

fn lower(text: &str) -> Cow<'_, str> {
    let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// Tells whether `text` is a bare instance id.
pub(crate) fn is_instance_id(text: &str) -> bool {
    !text.starts_with("arn:") && matches!(ec2_resource(text), Some((Resource::Instance, _)))
}

/// Finds the instance for which EC2 itself acts, from a principal id `A:aws:ec2-infrastructure:i-..` or an ARN
/// `..role/aws:ec2-infrastructure/i-..`. An ordinary role's session named `i-..` is none.
pub(crate) fn infrastructure_instance(principal: &str) -> Option<Cow<'_, str>> {
    let session = infrastructure_session(principal)?;
    is_instance_id(session).then(|| lower(session))
}

/// Tells whether a principal id or ARN is EC2's own role, for whichever instance.
pub(crate) fn is_infrastructure(principal: &str) -> bool {
    infrastructure_session(principal).is_some()
}

/// Returns the session of EC2's own role, from a principal id or an ARN; it is empty where they name the role alone.
/// The name of the role counts only in its place: the path of a user or role may be any text.
fn infrastructure_session(principal: &str) -> Option<&str> {
    static ROLE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(INFRASTRUCTURE_ROLE));
    // Few have the name anywhere, so this look is all that most cost.
    ROLE.find(principal.as_bytes())?;
    let (role, separator) = match principal.strip_prefix("arn:") {
        Some(arn) => {
            let resource = arn.splitn(5, ':').nth(4)?;
            (resource.strip_prefix("assumed-").unwrap_or(resource).strip_prefix("role/")?, '/')
        }
        None => (principal.split_once(':')?.1, ':'),
    };
    let session = role.strip_prefix(INFRASTRUCTURE_ROLE)?;
    if session.is_empty() { Some(session) } else { session.strip_prefix(separator) }
}

/// Returns the session of an assumed role's ARN. The role's own name may contain `:`.
pub(crate) fn session_name(arn: &str) -> Option<&str> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    let (_, session) = resource.strip_prefix("assumed-role/")?.rsplit_once('/')?;
    (!session.is_empty()).then_some(session)
}

/// Returns a key's full ARN, the key id in lower case; none for an alias or anything else.
pub(crate) fn key_arn(text: &str) -> Option<Cow<'_, str>> {
    let (place, id) = text.rsplit_once('/')?;
    let place = place.strip_suffix(":key")?;
    let mut parts = place.split(':');
    let is_kms = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("kms")
        && parts.next().is_some_and(|region| !region.is_empty())
        && parts.next().is_some_and(|account| !account.is_empty())
        && parts.next().is_none();
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_kms || !is_id {
        return None;
    }
    if is_key_id(id) && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(format!("{place}:key/{}", id.to_ascii_lowercase())));
    }
    Some(Cow::Borrowed(text))
}

/// Returns the first full key ARN among `named`; else the first bare key id, completed with a region and an account.
pub(crate) fn first_key_arn<'a>(
    (region, account): (Option<&str>, Option<&str>),
    named: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    let full = named.clone().find_map(key_arn).map(Cow::into_owned);
    full.or_else(|| named.into_iter().find_map(|key| complete_key_arn(key, region, account)))
}

/// Finds the key that a sentence names by an ARN as a word of its own. It must be whole and well-formed: a message may
/// be cut off, and the path of a user, which may stand in a message too, is any text.
pub(crate) fn key_arn_in(sentence: &str) -> Option<Cow<'_, str>> {
    sentence.split_whitespace().find_map(|word| {
        let arn = key_arn(word.trim_matches(|letter: char| letter.is_ascii_punctuation()))?;
        let (_, id) = arn.rsplit_once('/')?;
        let mut parts = arn.split(':').skip(3);
        let (region, account) = (parts.next(), parts.next());
        (complete_key_arn(id, region, account).as_deref() == Some(&*arn)).then_some(arn)
    })
}

/// Returns a bare key id, a UUID or `mrk-` and 32 hexadecimal digits, in lower case.
pub(crate) fn key_id(text: &str) -> Option<String> {
    is_key_id(text).then(|| text.to_ascii_lowercase())
}

fn is_key_id(text: &str) -> bool {
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match text.as_bytes() {
        [b'm', b'r', b'k', b'-', digits @ ..] if digits.len() == 32 => is_hex(digits),
        uuid if uuid.len() == 36 => (0..).zip(uuid).all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

/// Makes the ARN of a bare key id in a region and an account, if these are known.
pub(crate) fn complete_key_arn(key: &str, region: Option<&str>, account: Option<&str>) -> Option<String> {
    let id = key_id(key)?;
    let region = region.filter(|region| is_region(region))?;
    let account = account.filter(|account| is_account(account))?;
    Some(format!("arn:{}:kms:{region}:{account}:key/{id}", partition(region)))
}

/// Tells whether a text is the id of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Returns the partition to which a region belongs.
pub(crate) fn partition(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
    ];
    PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests;
