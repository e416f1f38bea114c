//! # Policies
//!
//! What is said about actions from outside of them about when they run. **Two executions never work on one machine at the same time, unless both
//! only look at it**, and a policy can bound how many run at once.
//!
//! - [`turn`]: whose turn it is.
//!
//! Life cycle of a turn: an execution **enters** behind all others; when nothing before it is in its way it **begins**, at once or later; when it
//! ends, or is stopped while it waits, it **leaves**, and those may begin whose turn has come.
//!
//! - **An execution takes all its machines at once**, or none and waits; so nobody waits in a circle.
//! - **Nobody is put off by one who came later.**

pub mod turn;
