//! What a server has to hold.

use crate::attacked::Attacked;
use roomcast_benches::text::time;
use serde::Serialize;

/// The bounds of a siege.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Bounds {
    /// Bytes that a hostile client may cost.
    pub(crate) memory: u64,
    /// Bytes that an attack may cost beside that.
    pub(crate) slack: u64,
    /// How old the hundredth part of High messages may be at healthy peers, in nanoseconds.
    pub(crate) high_age: u64,
}

impl Bounds {
    /// Which of them an attack has broken.
    pub(crate) fn broken_by(&self, attacked: &Attacked) -> Vec<String> {
        let Attacked { attack, watched, .. } = attacked;
        let mut broken = Vec::new();
        let mut holds = |holds: bool, line: String| {
            if !holds {
                broken.push(format!("{}: {line}", attack.title()));
            }
        };
        let growth = attacked.growth();
        let most = self.memory * u64::from(attack.clients()) + self.slack;
        holds(
            growth <= most,
            format!(
                "memory: the server grew by {} KiB for {} hostile clients; at most {} KiB would \
                 be right",
                growth >> 10,
                attack.clients(),
                most >> 10
            ),
        );
        holds(
            attacked.descriptors_after <= attacked.descriptors_before,
            format!(
                "descriptors: the server holds {} after the attack; {} as before would be right",
                attacked.descriptors_after, attacked.descriptors_before
            ),
        );
        holds(
            watched.high_count > 0 && watched.high_lost == 0,
            format!(
                "High: {} arrived and {} did not; all of them would be right",
                watched.high_count, watched.high_lost
            ),
        );
        holds(
            watched.high_p99 <= self.high_age,
            format!(
                "age: High messages reached healthy peers after {} at p99; at most {} would be \
                 right",
                time(watched.high_p99),
                time(self.high_age)
            ),
        );
        holds(
            watched.untold == 0,
            format!(
                "gaps: healthy peers missed {} messages and nobody told them; none would be right",
                watched.untold
            ),
        );
        holds(
            watched.closed == 0,
            format!(
                "peers: the server closed {} healthy connections; none would be right",
                watched.closed
            ),
        );
        holds(
            attacked.strangers == 0,
            format!(
                "sessions: {} of hostile clients are still in; none would be right",
                attacked.strangers
            ),
        );
        holds(attacked.balances, "books: the room's books do not balance".to_owned());
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Attack;
    use crate::watchers::Watched;

    /// How a bound is broken, and its name.
    type Break = (&'static str, fn(&mut Attacked));

    const BOUNDS: Bounds = Bounds { memory: 1 << 20, slack: 1 << 10, high_age: 50_000_000 };

    fn held() -> Attacked {
        Attacked {
            attack: Attack::LikeFlood,
            count: 1,
            resident_before: 10 << 20,
            resident_peak: (12 << 20) + 1_024,
            descriptors_before: 60,
            descriptors_after: 60,
            stalled: 0,
            strangers: 0,
            balances: true,
            watched: Watched { high_p99: 50_000_000, high_count: 1, ..Watched::default() },
        }
    }

    #[test]
    fn each_bound_is_named_when_it_is_broken() {
        assert_eq!(BOUNDS.broken_by(&held()), Vec::<String>::new(), "all are just held");
        let breaks: [Break; 9] = [
            ("memory", |attacked| attacked.resident_peak += 1),
            ("descriptors", |attacked| attacked.descriptors_after += 1),
            ("High", |attacked| attacked.watched.high_lost += 1),
            ("High", |attacked| attacked.watched.high_count = 0),
            ("age", |attacked| attacked.watched.high_p99 += 1),
            ("gaps", |attacked| attacked.watched.untold += 1),
            ("peers", |attacked| attacked.watched.closed += 1),
            ("sessions", |attacked| attacked.strangers += 1),
            ("books", |attacked| attacked.balances = false),
        ];
        for (name, break_it) in breaks {
            let mut attacked = held();
            break_it(&mut attacked);
            let broken = BOUNDS.broken_by(&attacked);
            assert_eq!(broken.len(), 1, "{name}: {broken:?}");
            assert!(broken[0].starts_with(&format!("like-flood: {name}: ")), "{broken:?}");
        }
    }
}
