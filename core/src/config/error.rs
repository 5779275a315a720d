//! The error of a configuration that is not valid.

/// A setting that cannot be, with what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting is zero and may not be.
    #[error("{setting} must not be zero")]
    Zero {
        /// Its name.
        setting: &'static str,
    },
    /// A setting is not zero and has to be.
    #[error("{setting} must be zero")]
    NotZero {
        /// Its name.
        setting: &'static str,
    },
    /// A setting is above what it may be.
    #[error("{setting} must be at most {max}, not {value}")]
    TooLarge {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: u64,
        /// The most it may be.
        max: u64,
    },
    /// A setting is below what it has to be.
    #[error("{setting} must be at least {min}, not {value}: {because}")]
    TooSmall {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: u64,
        /// The least it may be.
        min: u64,
        /// Why: most often another setting.
        because: &'static str,
    },
}

pub(super) fn at_most(setting: &'static str, value: u64, max: u64) -> Result<(), ConfigError> {
    if value > max { Err(ConfigError::TooLarge { setting, value, max }) } else { Ok(()) }
}

pub(super) fn at_least(
    setting: &'static str,
    value: u64,
    min: u64,
    because: &'static str,
) -> Result<(), ConfigError> {
    if value < min { Err(ConfigError::TooSmall { setting, value, min, because }) } else { Ok(()) }
}
