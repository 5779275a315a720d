//! Helpers shared by the benchmark suites.
