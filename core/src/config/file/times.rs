//! Durations, rates and quotas, in [words](crate::text).

use super::OnFile;
use crate::quota::{Quota, Rate, RateLimit};
use crate::text;
use crate::time::Duration;
use core::num::NonZeroU32;
use serde::de::Deserializer;
use serde::ser::Serializer;

macro_rules! texts {
    ($($name:ty: $blank:expr;)*) => {$(
        impl OnFile for $name {
            fn blank() -> Self {
                $blank
            }

            fn read<'de, D: Deserializer<'de>>(from: D, _: &Self) -> Result<Self, D::Error> {
                text::deserialize(from)
            }

            fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                text::serialize(self, to)
            }
        }
    )*};
}

texts! {
    Duration: Self::ZERO;
    Rate: Self::per_second(NonZeroU32::MIN);
    Quota: Self::per_second(NonZeroU32::MIN);
    RateLimit: Self::Unlimited;
}
