use std::fmt;

/// Why the bytes of a file are not the numbers that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The member, line or column: `w.npy`, `line 3, column "x"`; empty for the whole file.
    pub place: String,
    /// What is required there, and what was found instead.
    pub requirement: String,
}

impl Malformed {
    /// An error of the whole file.
    pub fn whole(requirement: impl Into<String>) -> Malformed {
        Malformed { place: String::new(), requirement: requirement.into() }
    }

    /// An error at a position.
    pub fn at(place: impl Into<String>, requirement: impl Into<String>) -> Malformed {
        Malformed { place: place.into(), requirement: requirement.into() }
    }

    /// The same error, with its position in the archive of which the file is a member.
    #[cfg(feature = "npz")]
    pub(super) fn within(self, member: &str) -> Malformed {
        let place = if self.place.is_empty() { member.to_string() } else { format!("{member}: {}", self.place) };
        Malformed { place, ..self }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.requirement),
            place => write!(f, "{place}: {}", self.requirement),
        }
    }
}

impl std::error::Error for Malformed {}
