//! Whether this process leads: of several controllers one works, and the others wait. C57. No I/O: `election` takes the Lease.
//!
//! Nothing rests on it but who does the work: two that both believe to lead do no harm, because every write has a name of its
//! own or a precondition (R10). Who was paused finds out before its next write (R11), unless its clock was paused, too, as that
//! of a virtual machine may be: then its next renewal fails, within two seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use model::lease::RENEW_WITHIN;
use runtime::client::MayWrite;

/// Whether this process may work. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Lead(Arc<Mutex<Standing>>);

/// How this process stands to the Lease.
#[derive(Clone, Debug)]
pub enum Standing {
    /// There is no election.
    Alone,
    /// Another one leads, or none yet.
    Waits {
        /// Our own name.
        me: String,
        /// Who leads, and when that was seen to change last.
        holder: Option<(String, Instant)>,
    },
    /// We do, as long as we renew the Lease.
    Leads {
        /// Our own name.
        me: String,
        /// When the last renewal was sent that succeeded.
        renewed: Instant,
    },
    /// We did, and never will again.
    Over,
}

impl Lead {
    /// Of a process that stands so.
    pub fn new(standing: Standing) -> Self {
        Self(Arc::new(Mutex::new(standing)))
    }

    /// How this process stands now.
    pub fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it stands so.
    pub fn set(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Whether this process may write now.
    pub fn holds(&self) -> bool {
        match self.standing() {
            Standing::Alone => true,
            Standing::Leads { renewed, .. } => renewed.elapsed() < RENEW_WITHIN,
            Standing::Waits { .. } | Standing::Over => false,
        }
    }

    /// Whether this process may write, asked at each write.
    pub fn may_write(&self) -> MayWrite {
        let lead = self.clone();
        MayWrite::when(move || lead.holds())
    }

    /// Who leads, in a line for people.
    pub fn said(&self) -> String {
        match self.standing() {
            Standing::Alone => "not used, this process works alone (LEADER_ELECTION=false)".to_owned(),
            Standing::Waits { me, holder: None } => format!("held by nobody yet; this process is {me}"),
            Standing::Waits { me, holder: Some((holder, since)) } => {
                let ago = since.elapsed().as_secs();
                format!("held by {holder}, seen to change {ago} s ago; this process is {me} and waits")
            }
            Standing::Leads { me, renewed } => {
                format!("held by this process, {me}, and renewed {} s ago", renewed.elapsed().as_secs())
            }
            Standing::Over => "not held by this process any more, which ends".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn c57_r11_who_does_not_hold_the_lease_for_certain_does_not_write() {
        let me = || "me".to_owned();
        let renewed = |ago| Instant::now().checked_sub(Duration::from_secs(ago)).expect("not so soon after boot");
        let holder = Some(("other".to_owned(), renewed(3)));
        #[rustfmt::skip]
        let cases = [
            (Standing::Alone,                               true,  "not used, this process works alone (LEADER_ELECTION=false)"),
            (Standing::Waits { me: me(), holder: None },    false, "held by nobody yet; this process is me"),
            (Standing::Waits { me: me(), holder },          false, "held by other, seen to change 3 s ago; this process is me and waits"),
            (Standing::Leads { me: me(), renewed: renewed(9) },  true,  "held by this process, me, and renewed 9 s ago"),
            (Standing::Leads { me: me(), renewed: renewed(10) }, false, "held by this process, me, and renewed 10 s ago"),
            (Standing::Over,                                false, "not held by this process any more, which ends"),
        ];
        every_row(cases, |(standing, holds, said)| {
            let lead = Lead::new(standing);
            assert_eq!((lead.holds(), lead.said().as_str()), (holds, said));
        });
    }
}
