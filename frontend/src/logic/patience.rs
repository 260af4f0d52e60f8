//! How long pictures wait for packets that have to be sent again.

/// How long pictures wait where packets get lost, in milliseconds: a browser asks again after 100 ms, and so
/// there are three more chances.
const PATIENT_MS: u32 = 350;
/// One loss says nothing; two within so many looks do.
const SUSPICIOUS: u32 = 10;
/// Looks without a loss after which the picture may be early again.
const FORGIVEN: u32 = 30;

/// Follows what a viewer has to ask for again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    requests: f64,
    last_loss: Option<u32>,
    patient_for: u32,
}

impl Patience {
    /// Looks once more, about once a second, at how many requests the viewer has sent in all. Returns how
    /// long pictures should wait at least from now on, in milliseconds, where that changes.
    pub fn look(&mut self, requests: f64) -> Option<u32> {
        let (before, was_loss) = (self.patient_for, requests > self.requests);
        self.requests = requests;
        self.patient_for = before.saturating_sub(1);
        self.last_loss = self.last_loss.map(|ago| ago.saturating_add(1));
        if was_loss {
            if before > 0 || self.last_loss.is_some_and(|ago| ago <= SUSPICIOUS) {
                self.patient_for = FORGIVEN;
            }
            self.last_loss = Some(0);
        }
        match (before, self.patient_for) {
            (0, 1..) => Some(PATIENT_MS),
            (1.., 0) => Some(0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_network_is_not_waited_for() {
        let mut patience = Patience::default();
        assert!((0..100).all(|_| patience.look(0.0).is_none()));
    }

    #[test]
    fn a_loss_now_and_then_is_none_to_wait_for() {
        let mut patience = Patience::default();
        for look in 0..100 {
            let requests = f64::from(look / (SUSPICIOUS + 1));
            assert_eq!(patience.look(requests), None, "look {look}");
        }
    }

    #[test]
    fn pictures_wait_while_packets_get_lost_and_some_time_after() {
        let mut patience = Patience::default();
        assert_eq!(patience.look(3.0), None);
        assert_eq!(patience.look(4.0), Some(PATIENT_MS));
        assert_eq!(patience.look(9.0), None, "once is enough");
        assert!((1..FORGIVEN).all(|_| patience.look(9.0).is_none()));
        assert_eq!(patience.look(9.0), Some(0));
    }
}
