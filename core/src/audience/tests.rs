//! Tests of the audience.
