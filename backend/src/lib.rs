//! Golive: a self-hosted live broadcast server.
