//! The nearest of several events: a cause comes before, unless it is long ago and another follows at once.

use crate::Event;

/// The longest time from a KMS event to a cause that is logged after it.
pub(crate) const SKEW_MS: i64 = 10_000;

/// The longest time for which a cause counts as near.
pub(crate) const NEAR_MS: i64 = 10 * 60 * 1000;

/// Makes the choice among the offers of the same account and region, or among all: one that is near goes first.
pub(crate) fn scoped<'a>(event: &Event, offers: &[&'a Event]) -> Option<&'a Event> {
    let (home, any) = (asof(event, &at_home(event, offers)), asof(event, offers));
    let is_near = |offer: &&Event| is_near(event, offer);
    home.filter(is_near).or_else(|| any.filter(is_near)).or(home).or(any)
}

/// Makes the choice among the offers of the same account and region, if it is near.
pub(crate) fn near_home<'a>(event: &Event, offers: &[&'a Event]) -> Option<&'a Event> {
    asof(event, &at_home(event, offers)).filter(|offer| is_near(event, offer))
}

/// Tells whether a choice is near; one after the event always is.
pub(crate) fn is_near(event: &Event, choice: &Event) -> bool {
    event.event_time - choice.event_time <= NEAR_MS
}

fn at_home<'a>(event: &Event, offers: &[&'a Event]) -> Vec<&'a Event> {
    offers.iter().copied().filter(|offer| offer.shares_home_with(event)).collect()
}

/// Returns the latest offer before `event` if it is near; else the earliest soon after it; else the latest before.
fn asof<'a>(event: &Event, offers: &[&'a Event]) -> Option<&'a Event> {
    let time = event.event_time;
    let before = offers.iter().copied().filter(|offer| offer.event_time <= time).max_by_key(|offer| offer.order());
    let soon_after = |offer: &&Event| time < offer.event_time && offer.event_time <= time + SKEW_MS;
    let after = offers.iter().copied().filter(soon_after).min_by_key(|offer| offer.order());
    match before {
        Some(near) if time - near.event_time <= NEAR_MS => Some(near),
        _ => after.or(before),
    }
}
