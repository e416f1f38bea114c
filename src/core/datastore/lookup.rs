//! How a template reads values.
