//! What of the SSH adapter needs no server: the words that are sent to a node, ssh's reasons in plain words, captured output.
