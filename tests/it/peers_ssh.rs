//! Against real sshd.
