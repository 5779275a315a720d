//! The oracle and the simulator.
